// SPDX-License-Identifier: GPL-2.0-only
/*
 * What each user has of what all users share: segments, exported memory, the windows of
 * adapters, their addresses for exports, and their rows of access rights.  Nobody without
 * CAP_SYS_RESOURCE gets more than a part of it.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * A user is the owner of the process' limits (the real uid), whichever process
 * it is in.  In a user namespace it is whoever has made that: he has others' uids there, as
 * many as he was given.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/hashtable.h>
#include <linux/once.h>
#include <linux/sched/user.h>
#include <linux/siphash.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>
#include <linux/xarray.h>

#include "rsmka_path.h"

unsigned int rsmka_max_user_share = 50;

/* The tables of users and rows, references to their members. */
static DEFINE_MUTEX(rsmka_users_lock);
static DEFINE_XARRAY(rsmka_users);	/* by uid */
static DEFINE_HASHTABLE(rsmka_rows, 8);
static siphash_aligned_key_t rsmka_rows_secret;

struct rsmka_user {
	kuid_t uid;
	unsigned long refs;
	atomic_long_t used[RSMKA_SHARED_KINDS];
};

/* Rights that exports of a user have in one adapter, where equal ones are one row. */
struct rsmka_row {
	struct hlist_node table;
	struct rsmka_user *user;
	const struct rsmka_controller *controller;
	struct rsmka_access access;
	unsigned long refs;
};

/*
 * Add to a counter unless it gets beyond the limit: what is refused is never
 * seen in it, so it makes no request of others fail.
 */
bool rsmka_charge(atomic_long_t *used, unsigned long amount, unsigned long limit)
{
	long old = atomic_long_read(used);

	do {
		if (amount > limit || old > limit - amount)
			return false;
	} while (!atomic_long_try_cmpxchg(used, &old, old + amount));
	return true;
}

/* The part of @total that a user may have: something in any case. */
unsigned long rsmka_user_part(unsigned long total)
{
	return max(mult_frac(total, rsmka_max_user_share, 100UL), 1UL);
}

/* The kernel's own segments have no user, NULL: nothing is charged then. */

/*
 * Who answers for the calling process.  Namespaces that root has made are those of containers
 * whose users have nothing to do with each other.
 */
static kuid_t rsmka_user_uid(void)
{
	const struct user_namespace *ns = current_user_ns();
	kuid_t uid = current_user()->uid;

	for (; ns != &init_user_ns; ns = ns->parent)
		if (!uid_eq(ns->owner, GLOBAL_ROOT_UID))
			uid = ns->owner;
	return uid;
}

/* The user of the calling process; NULL if there is no memory. */
struct rsmka_user *rsmka_user_get(void)
{
	struct rsmka_user *user, *fresh = kzalloc(sizeof(*fresh), GFP_KERNEL_ACCOUNT);
	kuid_t uid = rsmka_user_uid();

	mutex_lock(&rsmka_users_lock);
	user = xa_load(&rsmka_users, __kuid_val(uid));
	if (user) {
		user->refs++;
	} else if (fresh && !xa_err(xa_store(&rsmka_users, __kuid_val(uid), fresh,
					     GFP_KERNEL_ACCOUNT))) {
		user = fresh;
		fresh = NULL;
		user->uid = uid;
		user->refs = 1;
	}
	mutex_unlock(&rsmka_users_lock);
	kfree(fresh);
	return user;
}

/* Another reference. */
struct rsmka_user *rsmka_user_keep(struct rsmka_user *user)
{
	if (!user)
		return NULL;
	mutex_lock(&rsmka_users_lock);
	user->refs++;
	mutex_unlock(&rsmka_users_lock);
	return user;
}

void rsmka_user_put(struct rsmka_user *user)
{
	if (!user)
		return;
	mutex_lock(&rsmka_users_lock);
	if (--user->refs)
		user = NULL;
	else
		xa_erase(&rsmka_users, __kuid_val(user->uid));
	mutex_unlock(&rsmka_users_lock);
	kfree(user);
}

/* Charge a user, the caller's, for some of @total. */
bool rsmka_user_charge(struct rsmka_user *user, enum rsmka_shared kind, unsigned long amount,
		       unsigned long total)
{
	unsigned long limit = rsmka_user_part(total);

	if (!user)
		return true;
	/* Asked only if it matters: it leaves a trace in the audit log. */
	return rsmka_charge(&user->used[kind], amount, limit) ||
	       (capable(CAP_SYS_RESOURCE) && rsmka_charge(&user->used[kind], amount, LONG_MAX));
}

void rsmka_user_uncharge(struct rsmka_user *user, enum rsmka_shared kind, unsigned long amount)
{
	if (user)
		atomic_long_sub(amount, &user->used[kind]);
}

/* ---- rows ---- */

/* Users choose rights, so that which ones collide must not be known to them. */
static u64 rsmka_row_hash(const struct rsmka_user *user, const struct rsmka_access *access)
{
	get_random_once(&rsmka_rows_secret, sizeof(rsmka_rows_secret));
	return siphash(access, sizeof(*access), &rsmka_rows_secret) + __kuid_val(user->uid);
}

static struct rsmka_row *rsmka_row_find(const struct rsmka_user *user,
					const struct rsmka_controller *controller,
					const struct rsmka_access *access, u64 hash)
{
	struct rsmka_row *row;

	lockdep_assert_held(&rsmka_users_lock);
	hash_for_each_possible(rsmka_rows, row, table, hash)
		if (row->user == user && row->controller == controller &&
		    !memcmp(&row->access, access, sizeof(*access)))
			return row;
	return NULL;
}

/* For an export of @user, the caller's.  An ERR_PTR: -ENOMEM, -ENOSPC. */
struct rsmka_row *rsmka_row_get(struct rsmka_user *user, struct rsmka_controller *controller,
				const struct rsmka_access *access)
{
	unsigned long total = controller->attr.max_access_lists ?: LONG_MAX / 100;
	struct rsmka_row *row, *fresh;
	u64 hash;

	if (!user)
		return NULL;
	fresh = kzalloc(sizeof(*fresh), GFP_KERNEL_ACCOUNT);
	if (!fresh)
		return ERR_PTR(-ENOMEM);
	hash = rsmka_row_hash(user, access);
	mutex_lock(&rsmka_users_lock);
	row = rsmka_row_find(user, controller, access, hash);
	if (row) {
		row->refs++;
	} else if (!rsmka_user_charge(user, RSMKA_SHARED_ROWS, 1, total)) {
		row = ERR_PTR(-ENOSPC);
	} else {
		row = fresh;
		fresh = NULL;
		row->user = user;
		row->controller = controller;
		row->access = *access;
		row->refs = 1;
		hash_add(rsmka_rows, &row->table, hash);
	}
	mutex_unlock(&rsmka_users_lock);
	kfree(fresh);
	return row;
}

/* The user, whose reference the export's segment has, is still there. */
void rsmka_row_put(struct rsmka_row *row)
{
	if (!row)
		return;
	mutex_lock(&rsmka_users_lock);
	if (--row->refs) {
		row = NULL;
	} else {
		hash_del(&row->table);
		rsmka_user_uncharge(row->user, RSMKA_SHARED_ROWS, 1);
	}
	mutex_unlock(&rsmka_users_lock);
	kfree(row);
}
