// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shares: the connection of this node, over one controller, to one segment of
 * one node, used by all its imports.  Created by the first connecting import,
 * ended by the last one, by the exporter, or by the loss of the path.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <linux/hashtable.h>
#include <linux/mm.h>
#include <linux/once.h>
#include <linux/siphash.h>
#include <linux/slab.h>

#include "rsmka_path.h"

/* The tables; users, imports, state of all shares; all generation words. */
DEFINE_MUTEX(rsmka_shares_lock);
/* Connecting and connected. */
static DEFINE_HASHTABLE(rsmka_shares, 12);
static DEFINE_HASHTABLE(rsmka_shares_by_path, 8);
static siphash_aligned_key_t rsmka_shares_secret;

static atomic64_t rsmka_last_cookie;

static void rsmka_share_reap(struct work_struct *work)
{
	struct rsmka_share *share = container_of(work, struct rsmka_share, reap);

	mutex_lock(&share->members);
	rsmka_share_zap(share);
	mutex_unlock(&share->members);
	rsmka_share_unmap_all(share);
}

static void rsmka_share_free(struct rsmka_share *share)
{
	if (share->trash)
		__free_page(share->trash);
	if (share->path_page)
		__free_page(share->path_page);
	if (share->exporter)
		rsmka_segment_put(share->exporter);
	rsmka_controller_put(share->controller);
	kfree_rcu(share, rcu);
}

static struct rsmka_share *rsmka_share_alloc(struct rsmka_controller *controller,
					     struct rsmka_path *path, u32 node, u32 segment_id)
{
	struct rsmka_share *share = kzalloc(sizeof(*share), GFP_KERNEL_ACCOUNT);

	if (!share)
		return NULL;
	rsmka_controller_get(controller);
	share->controller = controller;
	share->path = path;
	share->node = node;
	share->segment_id = segment_id;
	share->cookie = atomic64_inc_return(&rsmka_last_cookie);
	share->users = 1;
	INIT_LIST_HEAD(&share->imports);
	INIT_LIST_HEAD(&share->local);
	INIT_WORK(&share->reap, rsmka_share_reap);
	init_completion(&share->settled);
	init_rwsem(&share->lock);
	mutex_init(&share->map_mutex);
	mutex_init(&share->members);

	share->trash = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (path)
		share->path_page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!share->trash || (path && !share->path_page)) {
		rsmka_share_free(share);
		return NULL;
	}
	return share;
}

/* Users choose ids, so that which ones collide must not be known to them. */
static u64 rsmka_share_hash(const struct rsmka_controller *controller, u32 node, u32 segment_id)
{
	get_random_once(&rsmka_shares_secret, sizeof(rsmka_shares_secret));
	return siphash_3u64((uintptr_t)controller, node, segment_id, &rsmka_shares_secret);
}

static unsigned long rsmka_path_hash(const struct rsmka_controller *controller, u32 node)
{
	return (unsigned long)controller + node * GOLDEN_RATIO_32;
}

static void rsmka_share_hash_del(struct rsmka_share *share)
{
	lockdep_assert_held(&rsmka_shares_lock);
	hash_del_rcu(&share->table);
	hash_del(&share->by_path);
}

static struct rsmka_share *rsmka_share_find(struct rsmka_controller *controller, u32 node,
					    u32 segment_id)
{
	struct rsmka_share *share;

	/* Under rsmka_shares_lock or RCU. */
	hash_for_each_possible_rcu(rsmka_shares, share, table,
				   rsmka_share_hash(controller, node, segment_id),
				   lockdep_is_held(&rsmka_shares_lock))
		if (share->segment_id == segment_id && share->node == node &&
		    share->controller == controller)
			return share;
	return NULL;
}

static void rsmka_share_set_state(struct rsmka_share *share, enum rsmka_share_state state)
{
	lockdep_assert_held(&rsmka_shares_lock);
	down_write(&share->lock);
	WRITE_ONCE(share->state, state);
	up_write(&share->lock);
}

/*
 * Take the pages from all who have them mapped by the share's window.  Under
 * rsmka_shares_lock or share->members.
 */
void rsmka_share_zap(struct rsmka_share *share)
{
	struct rsmka_segment *seg;

	list_for_each_entry(seg, &share->imports, sharers)
		if (seg->ops->zap)
			seg->ops->zap(seg);
}

/* What RSM_MMAP_STATUS shows after the end: a path that is down. */
static void rsmka_share_freeze_path_state(struct rsmka_share *share)
{
	struct rsm_path_state *state = page_address(share->path_page) +
				       offset_in_page(share->path_state_phys);

	*state = *share->path_state;
	state->link = 0;
	le32_add_cpu(&state->changes, 1);
}

/*
 * End a share, whoever wants it.  Importers keep their mappings, of nothing
 * now.  Nothing here waits for a peer or calls an adapter.
 */
void rsmka_share_end_locked(struct rsmka_share *share, int outcome)
{
	struct rsmka_segment *seg;

	lockdep_assert_held(&rsmka_shares_lock);
	if (share->state == RSMKA_CONNECTING) {
		if (!share->outcome)
			WRITE_ONCE(share->outcome, outcome);
		if (share->path)
			wake_up_all(&share->path->wait);
		return;
	}
	if (share->state == RSMKA_ENDED)
		return;

	/* Without users it ends because nobody wants it. */
	if (share->users)
		rsmka_count(rsmka_share_counters(share), RSM_COUNT_DISCONNECTS);
	rsmka_share_hash_del(share);
	list_for_each_entry(seg, &share->imports, sharers)
		rsmka_generation_raise(seg);
	if (share->path)
		rsmka_share_freeze_path_state(share);
	/* A fault that began before has inserted its page when this returns. */
	rsmka_share_set_state(share, RSMKA_ENDED);

	if (share->path) {
		/* The window stays until the work has taken it from all processes. */
		rsmka_ipc_queue(share->path, RSMKA_MSG_NOTIMPORTING, share->segment_id, 0,
				share->cookie);
		queue_work(system_unbound_wq, &share->reap);
	} else {
		/* The exporter's pages are unpinned once it is off the exporter's list. */
		rsmka_share_zap(share);
		rsmka_published_detach(share);
	}
	list_for_each_entry(seg, &share->imports, sharers)
		if (seg->ops->ended)
			seg->ops->ended(seg);
}

/* On behalf of a user of the share, who then sees nothing of the exporter's any more. */
void rsmka_share_end(struct rsmka_share *share)
{
	mutex_lock(&rsmka_shares_lock);
	rsmka_share_end_locked(share, -ECONNABORTED);
	mutex_unlock(&rsmka_shares_lock);
	flush_work(&share->reap);
}

/*
 * A user of the share leaves: an import that closes, or a thread that did not
 * make it to one (@seg is NULL).  The last one waits until the adapter has
 * nothing of the share any more.
 */
void rsmka_share_leave(struct rsmka_share *share, struct rsmka_segment *seg)
{
	bool last;

	if (seg)
		mutex_lock(&share->members);
	mutex_lock(&rsmka_shares_lock);
	if (seg) {
		list_del_rcu(&seg->sharers);
		seg->sharing = false;
		share->nr_imports--;
		if (share->state == RSMKA_CONNECTED)
			rsmka_generation_raise(seg);
	}
	last = --share->users == 0;
	if (last)
		rsmka_share_end_locked(share, -ECONNABORTED);
	mutex_unlock(&rsmka_shares_lock);
	if (seg)
		mutex_unlock(&share->members);
	if (last) {
		flush_work(&share->reap);
		rsmka_share_free(share);
	}
}

/* ---- connecting ---- */

/* Sampled before the exporter is asked: what changes from then on is seen. */
static int rsmka_share_sample_path(struct rsmka_share *share)
{
	struct rsmka_controller *controller = share->controller;
	const struct rsm_path_state *state;

	share->session = rsmka_path_session(share->path);
	if (!share->session)
		return -EHOSTUNREACH;
	if (!rsmka_controller_enter(controller))
		return -ENODEV;
	state = controller->ops->path_state(controller->adapter, share->node,
					    &share->path_state_phys);
	share->path_state = state;
	share->path_changes = le32_to_cpu(READ_ONCE(state->changes));
	rsmka_controller_exit(controller);
	/* The path was active after the sample: it belongs to this connection. */
	return rsmka_path_session(share->path) == share->session ? 0 : -ECONNABORTED;
}

static int rsmka_share_ask(struct rsmka_share *share, const unsigned long *deadline)
{
	int ret;

	if (!share->path)
		return rsmka_published_attach(share);
	ret = rsmka_share_sample_path(share);
	return ret ? ret : rsmka_ipc_connect(share, deadline);
}

/* Connect a share that this thread has put into the table. */
static int rsmka_share_establish(struct rsmka_share *share, const unsigned long *deadline)
{
	int ret = rsmka_share_ask(share, deadline);

	mutex_lock(&rsmka_shares_lock);
	if (!ret)
		ret = share->outcome;
	/* The loss of the path may have been dealt with before we were in the table. */
	if (!ret && share->path && rsmka_path_session(share->path) != share->session)
		ret = -ECONNABORTED;
	/*
	 * A REPUBLISH that overtook the reply is newer.  Also if it has failed
	 * since it was granted: who waited must not take that for a refusal.
	 */
	if (share->path && !share->offered)
		WRITE_ONCE(share->offer, share->grant.mode | RSMKA_LISTED);
	if (ret) {
		rsmka_share_hash_del(share);
		rsmka_share_set_state(share, RSMKA_ENDED);
		if (share->exporter)
			rsmka_published_detach(share);
	} else {
		share->writable |= share->grant.mode & RSMKA_OWNER_WRITE;
		rsmka_share_set_state(share, RSMKA_CONNECTED);
	}
	mutex_unlock(&rsmka_shares_lock);
	rsmka_count(rsmka_share_counters(share),
		    ret ? RSM_COUNT_CONNECTS_FAILED : RSM_COUNT_CONNECTS_MADE);
	complete_all(&share->settled);
	return ret;
}

/* The share in the table, or @fresh put into it; the caller becomes a user. */
static struct rsmka_share *rsmka_share_enter(struct rsmka_share *fresh)
{
	struct rsmka_share *share;

	mutex_lock(&rsmka_shares_lock);
	share = rsmka_share_find(fresh->controller, fresh->node, fresh->segment_id);
	if (share) {
		share->users++;
	} else if (!READ_ONCE(fresh->controller->gone)) {
		/* The controller looks through the table after it has set `gone`. */
		share = fresh;
		hash_add_rcu(rsmka_shares, &share->table,
			     rsmka_share_hash(share->controller, share->node, share->segment_id));
		hash_add(rsmka_shares_by_path, &share->by_path,
			 rsmka_path_hash(share->controller, share->node));
	}
	mutex_unlock(&rsmka_shares_lock);
	return share;
}

static int rsmka_share_await(struct rsmka_share *share, const unsigned long *deadline)
{
	long left = wait_for_completion_interruptible_timeout(&share->settled,
							      rsmka_patience(deadline));

	if (left < 0)
		return -EINTR;
	return left ? 0 : -ETIMEDOUT;
}

/*
 * Find or make the share and wait until it is connected or has failed, not beyond
 * the deadline if there is one; the caller is then a user of it.  Whoever waited for
 * another thread learns from rsmka_share_add() how that went.
 */
int rsmka_share_connect(struct rsmka_controller *controller, u32 node, u32 segment_id,
			const unsigned long *deadline, struct rsmka_share **out)
{
	struct rsmka_path *path = NULL;
	struct rsmka_share *share, *fresh;
	int ret;

	if (node != rsmka_local_node()) {
		path = rsmka_path_find(controller, node);
		if (!path)
			return -ENETUNREACH;
	}
	fresh = rsmka_share_alloc(controller, path, node, segment_id);
	if (!fresh)
		return -ENOMEM;
	share = rsmka_share_enter(fresh);
	if (share == fresh) {
		ret = rsmka_share_establish(share, deadline);
	} else {
		rsmka_share_free(fresh);
		if (!share)
			return -ENODEV;
		ret = rsmka_share_await(share, deadline);
	}
	if (ret)
		rsmka_share_leave(share, NULL);
	*out = share;
	return ret;
}

/*
 * Make @seg an import of the share, whose user the caller is.  False if the
 * share has ended.
 */
bool rsmka_share_add(struct rsmka_share *share, struct rsmka_segment *seg, u32 *generation)
{
	bool connected;

	mutex_lock(&share->members);
	mutex_lock(&rsmka_shares_lock);
	connected = share->state == RSMKA_CONNECTED;
	if (connected) {
		list_add_rcu(&seg->sharers, &share->imports);
		seg->sharing = true;
		share->nr_imports++;
		*generation = rsmka_generation_raise(seg);
	}
	mutex_unlock(&rsmka_shares_lock);
	mutex_unlock(&share->members);
	return connected;
}

/* ---- what other nodes do ---- */

/* The exporter unpublished. */
void rsmka_shares_disconnected(struct rsmka_path *path, u32 segment_id, u64 cookie)
{
	struct rsmka_share *share;

	mutex_lock(&rsmka_shares_lock);
	share = rsmka_share_find(path->controller, path->node, segment_id);
	if (share && share->path && share->cookie == cookie)
		rsmka_share_end_locked(share, -ENOENT);
	mutex_unlock(&rsmka_shares_lock);
}

/* The controller goes, and is `gone` already. */
void rsmka_shares_controller_gone(struct rsmka_controller *controller)
{
	struct rsmka_share *share;
	struct hlist_node *next;
	int bucket;

	mutex_lock(&rsmka_shares_lock);
	hash_for_each_safe(rsmka_shares, bucket, next, share, table)
		if (share->controller == controller)
			rsmka_share_end_locked(share, -ECONNABORTED);
	mutex_unlock(&rsmka_shares_lock);
}

/* One that has not been told; only connecting ones stay in the table when they are. */
static struct rsmka_share *rsmka_share_of_path(struct rsmka_controller *controller, u32 node)
{
	struct rsmka_share *share;

	lockdep_assert_held(&rsmka_shares_lock);
	hash_for_each_possible(rsmka_shares_by_path, share, by_path,
			       rsmka_path_hash(controller, node))
		if (share->controller == controller && share->node == node && share->path &&
		    (share->state != RSMKA_CONNECTING || !share->outcome))
			return share;
	return NULL;
}

/*
 * Called when the session is over.  A peer that comes and goes has
 * no more to do with what others import than that they take turns with it.
 */
void rsmka_shares_node_lost(struct rsmka_controller *controller, u32 node)
{
	struct rsmka_share *share;

	do {
		mutex_lock(&rsmka_shares_lock);
		share = rsmka_share_of_path(controller, node);
		if (share)
			rsmka_share_end_locked(share, -ECONNABORTED);
		mutex_unlock(&rsmka_shares_lock);
		cond_resched();
	} while (share);
}

/* The exporter has another access list; @offer is 0 if it does not name this node. */
void rsmka_shares_republished(struct rsmka_path *path, u32 segment_id, u64 cookie, u32 offer)
{
	struct rsmka_share *share;

	mutex_lock(&rsmka_shares_lock);
	share = rsmka_share_find(path->controller, path->node, segment_id);
	if (share && share->path && share->cookie == cookie) {
		WRITE_ONCE(share->offer, offer);
		share->offered = true;
		share->writable |= offer & RSMKA_OWNER_WRITE;
	}
	mutex_unlock(&rsmka_shares_lock);
}

/* The exporter, on this node, has other memory. */
void rsmka_share_rebound(struct rsmka_share *share, struct page **pages)
{
	lockdep_assert_held(&rsmka_shares_lock);
	down_write(&share->lock);
	share->pages = pages;
	up_write(&share->lock);
	rsmka_share_zap(share);
}

/* One event to every import of a share that the caller is a user of. */
void rsmka_share_notify(struct rsmka_share *share, u32 post_flags)
{
	struct rsmka_segment *seg;

	mutex_lock(&share->members);
	list_for_each_entry(seg, &share->imports, sharers) {
		rsmka_events_add(&seg->events, post_flags);
		cond_resched();
	}
	mutex_unlock(&share->members);
}

/* More imports than that are gone through by a thread only. */
#define RSMKA_BELL_IMPORTS	16

static void rsmka_share_notify_few(struct rsmka_share *share, u32 post_flags)
{
	struct rsmka_segment *seg;

	list_for_each_entry_rcu(seg, &share->imports, sharers)
		rsmka_events_add(&seg->events, post_flags);
}

static bool rsmka_shares_notify(struct rsmka_path *path, u32 segment_id, u64 cookie, u32 post_flags)
{
	struct rsmka_share *share;

	mutex_lock(&rsmka_shares_lock);
	share = rsmka_share_find(path->controller, path->node, segment_id);
	if (share && share->path && share->cookie == cookie)
		share->users++;
	else
		share = NULL;
	mutex_unlock(&rsmka_shares_lock);
	if (!share)
		return false;
	rsmka_share_notify(share, post_flags);
	rsmka_share_leave(share, NULL);
	return true;
}

/*
 * One event to every import of a share.  In any context; false: call it again from a thread
 * that may sleep.  *heard: whether there is such a share.
 */
bool rsmka_shares_bell(struct rsmka_path *path, u32 segment_id, u64 cookie, u32 post_flags,
		       bool may_sleep, bool *heard)
{
	struct rsmka_share *share;
	bool done = true;

	rcu_read_lock();
	share = rsmka_share_find(path->controller, path->node, segment_id);
	*heard = share && share->path && share->cookie == cookie;
	if (*heard && READ_ONCE(share->users) > RSMKA_BELL_IMPORTS)
		done = false;
	else if (*heard)
		rsmka_share_notify_few(share, post_flags);
	rcu_read_unlock();
	if (!done && may_sleep) {
		*heard = rsmka_shares_notify(path, segment_id, cookie, post_flags);
		done = true;
	}
	return done;
}
