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

/*
 * The table, the lists of paths and controllers; users, imports, state of all shares.  Nothing
 * that one share has many of is gone through under it.
 */
DEFINE_MUTEX(rsmka_shares_lock);
/* Connecting and connected. */
static DEFINE_HASHTABLE(rsmka_shares, 12);
static siphash_aligned_key_t rsmka_shares_secret;

static atomic64_t rsmka_last_cookie;

/* Take the pages from all who have them mapped. */
static void rsmka_share_zap_locked(struct rsmka_share *share)
{
	struct rsmka_segment *seg;

	lockdep_assert_held(&share->members);
	list_for_each_entry(seg, &share->imports, sharers) {
		if (seg->ops->zap)
			seg->ops->zap(seg);
		cond_resched();
	}
}

void rsmka_share_zap(struct rsmka_share *share)
{
	mutex_lock(&share->members);
	rsmka_share_zap_locked(share);
	mutex_unlock(&share->members);
}

static void rsmka_share_reap(struct work_struct *work)
{
	struct rsmka_share *share = container_of(work, struct rsmka_share, reap);

	rsmka_share_zap(share);
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
	INIT_LIST_HEAD(&share->on_path);
	INIT_WORK(&share->reap, rsmka_share_reap);
	init_waitqueue_head(&share->asked);
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
 * Nobody joins the share any more.  Under rsmka_shares_lock.  True: it was connected, and the
 * caller, who has share->members or is its last user, does the rest.
 */
static bool rsmka_share_doom(struct rsmka_share *share, int outcome)
{
	lockdep_assert_held(&rsmka_shares_lock);
	if (share->state == RSMKA_CONNECTING) {
		if (!share->outcome)
			WRITE_ONCE(share->outcome, outcome);
		/* Its thread ends it: nobody else need find it again. */
		list_del_init(&share->on_path);
		wake_up(&share->asked);
		return false;
	}
	if (share->state != RSMKA_CONNECTED)
		return false;

	/* Without users it ends because nobody wants it. */
	if (share->users)
		rsmka_count(rsmka_share_counters(share), RSM_COUNT_DISCONNECTS);
	hash_del_rcu(&share->table);
	WRITE_ONCE(share->state, RSMKA_ENDING);
	return true;
}

/* The exporter has nothing to do with it any more. */
static void rsmka_share_release(struct rsmka_share *share)
{
	if (share->path) {
		/* The window stays until the work has taken it from all processes. */
		rsmka_ipc_queue(share->path, RSMKA_MSG_NOTIMPORTING, share->segment_id, 0,
				share->cookie);
		queue_work(system_unbound_wq, &share->reap);
	} else {
		/* The exporter's pages are unpinned once it is off the exporter's list. */
		rsmka_published_detach(share);
	}
}

/*
 * From ENDING to ENDED.  This takes as long as there are imports and mappings of them, so no
 * lock is held but the share's own.
 */
static void rsmka_share_dissolve(struct rsmka_share *share)
{
	struct rsmka_segment *seg;

	lockdep_assert_held(&share->members);
	/* ENDING, then the words.  Partner: rsmka_share_is_connected(). */
	smp_wmb();
	list_for_each_entry(seg, &share->imports, sharers) {
		rsmka_generation_raise(seg);
		cond_resched();
	}
	if (share->path)
		rsmka_share_freeze_path_state(share);
	/* A fault that began before has inserted its page when this is written. */
	down_write(&share->lock);
	WRITE_ONCE(share->state, RSMKA_ENDED);
	up_write(&share->lock);

	mutex_lock(&rsmka_shares_lock);
	list_del_init(&share->on_path);
	mutex_unlock(&rsmka_shares_lock);
	if (!share->path)
		rsmka_share_zap_locked(share);
	rsmka_share_release(share);
	list_for_each_entry(seg, &share->imports, sharers) {
		if (seg->ops->ended)
			seg->ops->ended(seg);
		cond_resched();
	}
}

/*
 * End a share that the caller is a user of, whoever wants it.  Importers keep their
 * mappings, of nothing now.  On return it has ended, or the thread that connects it has been
 * told.  Nothing here waits for a peer or calls an adapter.
 */
void rsmka_share_end(struct rsmka_share *share, int outcome)
{
	bool doomed;

	mutex_lock(&share->members);
	mutex_lock(&rsmka_shares_lock);
	doomed = rsmka_share_doom(share, outcome);
	mutex_unlock(&rsmka_shares_lock);
	if (doomed)
		rsmka_share_dissolve(share);
	mutex_unlock(&share->members);
}

/* On behalf of an import, which then sees nothing of the exporter's any more. */
void rsmka_share_abort(struct rsmka_share *share)
{
	rsmka_share_end(share, -ECONNABORTED);
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
	/* There are no imports, so nothing takes long. */
	if (last && rsmka_share_doom(share, -ECONNABORTED)) {
		WRITE_ONCE(share->state, RSMKA_ENDED);
		list_del_init(&share->on_path);
		rsmka_share_release(share);
	}
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
	if (share->path && !share->republished)
		WRITE_ONCE(share->rights, share->grant.mode | RSMKA_LISTED);
	if (ret) {
		hash_del_rcu(&share->table);
		list_del_init(&share->on_path);
		WRITE_ONCE(share->state, RSMKA_ENDED);
		if (share->exporter)
			rsmka_published_detach(share);
	} else {
		share->writable |= share->grant.mode & RSMKA_OWNER_WRITE;
		WRITE_ONCE(share->state, RSMKA_CONNECTED);
	}
	mutex_unlock(&rsmka_shares_lock);
	rsmka_count(rsmka_share_counters(share),
		    ret ? RSM_COUNT_CONNECTS_FAILED : RSM_COUNT_CONNECTS_MADE);
	complete_all(&share->settled);
	return ret;
}

/* Shares over one path, or of this node over one controller. */
static struct list_head *rsmka_share_list(const struct rsmka_share *share)
{
	return share->path ? &share->path->shares : &share->controller->shares;
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
		/* The controller looks through the lists after it has set `gone`. */
		share = fresh;
		hash_add_rcu(rsmka_shares, &share->table,
			     rsmka_share_hash(share->controller, share->node, share->segment_id));
		list_add_tail(&share->on_path, rsmka_share_list(share));
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

/* The share that a peer means; the caller becomes a user of it. */
static struct rsmka_share *rsmka_share_of_peer(struct rsmka_path *path, u32 segment_id, u64 cookie)
{
	struct rsmka_share *share;

	mutex_lock(&rsmka_shares_lock);
	share = rsmka_share_find(path->controller, path->node, segment_id);
	if (share && share->path && share->cookie == cookie)
		share->users++;
	else
		share = NULL;
	mutex_unlock(&rsmka_shares_lock);
	return share;
}

/* The exporter unpublished. */
void rsmka_shares_disconnected(struct rsmka_path *path, u32 segment_id, u64 cookie)
{
	struct rsmka_share *share = rsmka_share_of_peer(path, segment_id, cookie);

	if (!share)
		return;
	rsmka_share_end(share, -ENOENT);
	rsmka_share_leave(share, NULL);
}

/* The first of a list; the caller becomes a user of it. */
static struct rsmka_share *rsmka_share_first(struct list_head *list)
{
	struct rsmka_share *share;

	mutex_lock(&rsmka_shares_lock);
	share = list_first_entry_or_null(list, struct rsmka_share, on_path);
	if (share)
		share->users++;
	mutex_unlock(&rsmka_shares_lock);
	return share;
}

/* Also those whose end somebody else has begun: they are on the list until it is over. */
static void rsmka_shares_end_all(struct list_head *list)
{
	struct rsmka_share *share;

	while ((share = rsmka_share_first(list))) {
		rsmka_share_end(share, -ECONNABORTED);
		rsmka_share_leave(share, NULL);
		cond_resched();
	}
}

/* The session is over. */
void rsmka_shares_node_lost(struct rsmka_path *path)
{
	rsmka_shares_end_all(&path->shares);
}

/* The controller goes, and is `gone` already. */
void rsmka_shares_controller_gone(struct rsmka_controller *controller)
{
	u32 node;

	for (node = 1; node < RSMKA_NODES; node++)
		if (controller->paths[node])
			rsmka_shares_end_all(&controller->paths[node]->shares);
	rsmka_shares_end_all(&controller->shares);
}

/* The exporter has another access list; @rights is 0 if it does not name this node. */
void rsmka_shares_republished(struct rsmka_path *path, u32 segment_id, u64 cookie, u32 rights)
{
	struct rsmka_share *share;

	mutex_lock(&rsmka_shares_lock);
	share = rsmka_share_find(path->controller, path->node, segment_id);
	if (share && share->path && share->cookie == cookie) {
		WRITE_ONCE(share->rights, rights);
		share->republished = true;
		share->writable |= rights & RSMKA_OWNER_WRITE;
	}
	mutex_unlock(&rsmka_shares_lock);
}

/* The exporter, on this node, has other memory.  The caller is a user of the share. */
void rsmka_share_rebound(struct rsmka_share *share, struct page **pages)
{
	mutex_lock(&share->members);
	down_write(&share->lock);
	share->pages = pages;
	up_write(&share->lock);
	rsmka_share_zap_locked(share);
	mutex_unlock(&share->members);
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
	struct rsmka_share *share = rsmka_share_of_peer(path, segment_id, cookie);

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
