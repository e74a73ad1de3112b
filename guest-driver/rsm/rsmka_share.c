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
#include <linux/slab.h>

#include "rsmka_path.h"

/* The table; users, imports, state of all shares; all generation words. */
DEFINE_MUTEX(rsmka_shares_lock);
static DEFINE_HASHTABLE(rsmka_shares, 8);	/* connecting and connected */

static atomic64_t rsmka_last_cookie;

static void rsmka_share_reap(struct work_struct *work)
{
	struct rsmka_share *share = container_of(work, struct rsmka_share, reap);

	mutex_lock(&share->map_mutex);
	rsmka_share_unmap_locked(share);
	mutex_unlock(&share->map_mutex);
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
					     struct rsmka_path *path, u32 node, u32 key)
{
	struct rsmka_share *share = kzalloc(sizeof(*share), GFP_KERNEL_ACCOUNT);

	if (!share)
		return NULL;
	rsmka_controller_get(controller);
	share->controller = controller;
	share->path = path;
	share->node = node;
	share->key = key;
	share->cookie = atomic64_inc_return(&rsmka_last_cookie);
	share->users = 1;
	INIT_LIST_HEAD(&share->imports);
	INIT_LIST_HEAD(&share->local);
	INIT_WORK(&share->reap, rsmka_share_reap);
	init_completion(&share->settled);
	init_rwsem(&share->lock);
	mutex_init(&share->map_mutex);

	share->trash = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (path)
		share->path_page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!share->trash || (path && !share->path_page)) {
		rsmka_share_free(share);
		return NULL;
	}
	return share;
}

static struct rsmka_share *rsmka_share_find(struct rsmka_controller *controller, u32 node,
					    u32 key)
{
	struct rsmka_share *share;

	/* Under rsmka_shares_lock or RCU. */
	hash_for_each_possible_rcu(rsmka_shares, share, table, key,
				   lockdep_is_held(&rsmka_shares_lock))
		if (share->key == key && share->node == node && share->controller == controller)
			return share;
	return NULL;
}

static void rsmka_share_set_state(struct rsmka_share *share, enum rsmka_share_state state)
{
	lockdep_assert_held(&rsmka_shares_lock);
	down_write(&share->lock);
	share->state = state;
	up_write(&share->lock);
}

/* Take the pages from all mappings of all imports; faults insert what is right by then. */
void rsmka_share_zap_locked(struct rsmka_share *share)
{
	struct rsmka_segment *seg;

	lockdep_assert_held(&rsmka_shares_lock);
	list_for_each_entry(seg, &share->imports, sharers)
		unmap_mapping_range(seg->inode->i_mapping, 0, 0, 1);
}

/* What RSM_MMAP_STATUS shows after the end: a path that is down. */
static void rsmka_share_freeze_path_state(struct rsmka_share *share)
{
	struct rsm_path_state *state = page_address(share->path_page) +
				       offset_in_page(share->path_state_phys);

	*state = *share->path_state;
	state->link = 0;
	state->changes++;
}

/*
 * End a share, whoever wants it.  Importers keep their mappings, of nothing
 * now.  Nothing here waits for a peer or calls an adapter.
 */
void rsmka_share_end_locked(struct rsmka_share *share, u32 outcome)
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
	hash_del_rcu(&share->table);
	list_for_each_entry(seg, &share->imports, sharers)
		rsmka_generation_raise(seg);
	if (share->path)
		rsmka_share_freeze_path_state(share);
	/* A fault that began before has inserted its page when this returns. */
	rsmka_share_set_state(share, RSMKA_ENDED);
	rsmka_share_zap_locked(share);

	if (share->path) {
		rsmka_ipc_queue(share->path, RSMKA_MSG_NOTIMPORTING, share->key, 0, share->cookie);
		queue_work(system_unbound_wq, &share->reap);
	} else {
		rsmka_published_detach(share);
	}
}

void rsmka_share_end(struct rsmka_share *share)
{
	mutex_lock(&rsmka_shares_lock);
	rsmka_share_end_locked(share, RSMERR_CONN_ABORTED);
	mutex_unlock(&rsmka_shares_lock);
}

/*
 * A user of the share leaves: an import that closes, or a thread that did not
 * make it to one (@seg is NULL).  The last one waits until the adapter has
 * nothing of the share any more.
 */
void rsmka_share_leave(struct rsmka_share *share, struct rsmka_segment *seg)
{
	bool last;

	mutex_lock(&rsmka_shares_lock);
	if (seg) {
		list_del_rcu(&seg->sharers);
		seg->sharing = false;
		if (share->state == RSMKA_CONNECTED)
			rsmka_generation_raise(seg);
	}
	last = --share->users == 0;
	if (last)
		rsmka_share_end_locked(share, RSMERR_CONN_ABORTED);
	mutex_unlock(&rsmka_shares_lock);
	if (last) {
		flush_work(&share->reap);
		rsmka_share_free(share);
	}
}

/* ---- connecting ---- */

/* Sampled before the exporter is asked: what changes from then on is seen. */
static u32 rsmka_share_sample_path(struct rsmka_share *share)
{
	struct rsmka_controller *controller = share->controller;
	const struct rsm_path_state *state;

	share->session = rsmka_path_session(share->path);
	if (!share->session)
		return RSMERR_REMOTE_NODE_UNREACHABLE;
	if (!rsmka_controller_enter(controller))
		return RSMERR_CTLR_NOT_PRESENT;
	state = controller->ops->path_state(controller->adapter, share->node,
					    &share->path_state_phys);
	share->path_state = state;
	share->path_changes = READ_ONCE(state->changes);
	rsmka_controller_exit(controller);
	/* The path was active after the sample: it belongs to this connection. */
	return rsmka_path_session(share->path) == share->session ? RSM_SUCCESS :
								   RSMERR_CONN_ABORTED;
}

static int rsmka_share_ask(struct rsmka_share *share)
{
	u32 status;

	if (!share->path)
		return rsmka_published_attach(share);
	status = rsmka_share_sample_path(share);
	return status ? status : rsmka_ipc_connect(share);
}

/* Connect a share that this thread has put into the table. */
static int rsmka_share_establish(struct rsmka_share *share)
{
	int ret = rsmka_share_ask(share);

	mutex_lock(&rsmka_shares_lock);
	if (!ret)
		ret = share->outcome;
	/* The loss of the path may have been dealt with before we were in the table. */
	if (!ret && share->path && rsmka_path_session(share->path) != share->session)
		ret = RSMERR_CONN_ABORTED;
	/*
	 * A REPUBLISH that overtook the reply is newer.  Also if it has failed
	 * since it was granted: who waited must not take that for a refusal.
	 */
	if (share->path && !share->offered)
		WRITE_ONCE(share->offer, share->grant.mode | RSMKA_LISTED);
	if (ret) {
		hash_del_rcu(&share->table);
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
	share = rsmka_share_find(fresh->controller, fresh->node, fresh->key);
	if (share) {
		share->users++;
	} else if (!READ_ONCE(fresh->controller->gone)) {
		/* The controller looks through the table after it has set `gone`. */
		share = fresh;
		hash_add_rcu(rsmka_shares, &share->table, share->key);
	}
	mutex_unlock(&rsmka_shares_lock);
	return share;
}

/*
 * Find or make the share and wait until it is connected or has failed; the
 * caller is then a user of it.  Whoever waited for another thread learns from
 * rsmka_share_add() how that went.
 */
int rsmka_share_connect(struct rsmka_controller *controller, u32 node, u32 key,
			struct rsmka_share **out)
{
	struct rsmka_path *path = NULL;
	struct rsmka_share *share, *fresh;
	int ret;

	if (node != rsmka_local_node()) {
		path = rsmka_path_find(controller, node);
		if (!path)
			return RSMERR_INTERNAL_ERROR;
	}
	fresh = rsmka_share_alloc(controller, path, node, key);
	if (!fresh)
		return RSMERR_INSUFFICIENT_MEM;
	share = rsmka_share_enter(fresh);
	if (share == fresh) {
		ret = rsmka_share_establish(share);
	} else {
		rsmka_share_free(fresh);
		if (!share)
			return RSMERR_CTLR_NOT_PRESENT;
		ret = wait_for_completion_interruptible(&share->settled) ? -EINTR : 0;
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

	mutex_lock(&rsmka_shares_lock);
	connected = share->state == RSMKA_CONNECTED;
	if (connected) {
		list_add_rcu(&seg->sharers, &share->imports);
		seg->sharing = true;
		*generation = rsmka_generation_raise(seg);
	}
	mutex_unlock(&rsmka_shares_lock);
	return connected;
}

/* ---- what other nodes do ---- */

/* The exporter unpublished. */
void rsmka_shares_disconnected(struct rsmka_path *path, u32 key, u64 cookie)
{
	struct rsmka_share *share;

	mutex_lock(&rsmka_shares_lock);
	share = rsmka_share_find(path->controller, path->node, key);
	if (share && share->path && share->cookie == cookie)
		rsmka_share_end_locked(share, RSMERR_SEG_NOT_PUBLISHED);
	mutex_unlock(&rsmka_shares_lock);
}

/* Called when the session is over; @node 0: all nodes. */
void rsmka_shares_node_lost(struct rsmka_controller *controller, u32 node)
{
	struct rsmka_share *share;
	struct hlist_node *next;
	int bucket;

	mutex_lock(&rsmka_shares_lock);
	hash_for_each_safe(rsmka_shares, bucket, next, share, table)
		if (share->controller == controller &&
		    (node == 0 || (share->path && share->node == node)))
			rsmka_share_end_locked(share, RSMERR_CONN_ABORTED);
	mutex_unlock(&rsmka_shares_lock);
}

/* The exporter has another access list; @offer is 0 if it does not name this node. */
void rsmka_shares_republished(struct rsmka_path *path, u32 key, u64 cookie, u32 offer)
{
	struct rsmka_share *share;

	mutex_lock(&rsmka_shares_lock);
	share = rsmka_share_find(path->controller, path->node, key);
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
	rsmka_share_zap_locked(share);
}

/* More imports than that are gone through by a thread only. */
#define RSMKA_BELL_IMPORTS	16

/*
 * One event to every import of a share.  In any context; false: call it again from a thread
 * that may sleep.  *heard: whether there is such a share.
 */
bool rsmka_shares_bell(struct rsmka_path *path, u32 key, u64 cookie, u32 post_flags,
		       bool may_sleep, bool *heard)
{
	struct rsmka_share *share;
	struct rsmka_segment *seg;
	bool done = true;

	rcu_read_lock();
	share = rsmka_share_find(path->controller, path->node, key);
	*heard = share && share->path && share->cookie == cookie;
	if (*heard && !may_sleep && READ_ONCE(share->users) > RSMKA_BELL_IMPORTS)
		done = false;
	else if (*heard)
		list_for_each_entry_rcu(seg, &share->imports, sharers)
			rsmka_events_add(&seg->events, post_flags);
	rcu_read_unlock();
	return done;
}
