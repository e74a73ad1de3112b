// SPDX-License-Identifier: GPL-2.0-only
/*
 * Import segments: who may connect, whether a connection stands, and events from
 * both its ends.  The connection itself is a share's.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <linux/sched/signal.h>

#include "rsmka_path.h"

static u32 rsmka_import_mode(u32 wanted, u32 granted)
{
	u32 mode = 0;

	if (wanted & RSM_PERM_READ)
		mode |= RSMKA_READ;
	if (wanted & RSM_PERM_WRITE)
		mode |= RSMKA_WRITE;
	return mode & granted;
}

/* What the node is given, then what the owner of the segment may. */
static int rsmka_import_verdict(const struct rsmka_segment *seg, const struct rsmka_share *share,
				u32 rights, u32 wanted)
{
	if (!(rights & RSMKA_LISTED))
		return -EACCES;
	return seg->ops->permitted(&share->grant, rights & RSMKA_MODE, wanted) ? 0 : -EPERM;
}

/*
 * Connect a fresh segment, wanting owner bits.  Waits for the exporter's node, until a
 * signal comes or the deadline, if there is one.  *generation: the segment's word, raised for
 * this connection.
 */
int rsmka_import_connect(struct rsmka_segment *seg, struct rsmka_controller *controller, u32 node,
			 u32 segment_id, u32 wanted, const unsigned long *deadline,
			 u32 *generation)
{
	struct rsmka_share *share;
	u32 rights;
	int ret;

	for (;;) {
		ret = rsmka_share_connect(controller, node, segment_id, deadline, &share);
		if (ret)
			return ret;
		/* Without a length it failed for the thread that we waited for. */
		rights = READ_ONCE(share->rights);
		ret = share->grant.length ? rsmka_import_verdict(seg, share, rights, wanted) : 0;
		if (ret) {
			rsmka_count(rsmka_share_counters(share), RSM_COUNT_CONNECTS_FAILED);
			rsmka_share_leave(share, NULL);
			return ret;
		}
		if (rsmka_share_add(share, seg, generation))
			break;
		/* It ended while we waited: ask again. */
		rsmka_share_leave(share, NULL);
		if (signal_pending(current))
			return -EINTR;
		if (!rsmka_patience(deadline))
			return -ETIMEDOUT;
	}

	seg->mode = rsmka_import_mode(wanted, rights);
	/* Pairs with rsmka_segment_share(). */
	smp_store_release(&seg->share, share);
	return 0;
}

/*
 * Who is connected may post.  After the end, events go to whatever is published
 * under the id by then, which may be another user's: *may says whether the
 * caller could connect to it.  -errno if that cannot be found out.
 */
static int rsmka_import_may_post(struct rsmka_segment *seg, bool *may)
{
	struct rsmka_share *ended = seg->share;
	struct rsmka_share *share;
	int ret;

	*may = rsmka_share_is_connected(ended);
	if (*may)
		return 0;
	ret = rsmka_share_connect(ended->controller, ended->node, ended->segment_id, NULL, &share);
	switch (ret) {
	case 0:
		break;
	case -ENOENT:
	case -EACCES:
		return 0;
	default:
		return ret;
	}
	*may = share->grant.length &&
	       !rsmka_import_verdict(seg, share, READ_ONCE(share->rights), 0);
	rsmka_share_leave(share, NULL);
	return 0;
}

/* Whoever publishes the id now hears it, on this node or another. */
int rsmka_share_post(struct rsmka_share *share, u32 post_flags, long patience)
{
	struct rsmka_counters *counters = rsmka_share_counters(share);
	bool heard;

	if (share->path)
		return rsmka_ipc_bell(share->path, share->segment_id, 0, post_flags, patience);
	heard = rsmka_published_bell(NULL, share->segment_id, post_flags);
	rsmka_count(counters, RSM_COUNT_POSTS_SENT);
	rsmka_count(counters, heard ? RSM_COUNT_POSTS_RECEIVED : RSM_COUNT_POSTS_DROPPED);
	return 0;
}

static int rsmka_import_post(struct rsmka_segment *seg, u32 post_flags)
{
	struct rsmka_share *share = rsmka_segment_share(seg);
	bool may;
	int ret;

	ret = rsmka_import_may_post(seg, &may);
	if (ret)
		return ret;
	if (may && post_flags & RSM_POST_WAKE && !share->path) {
		rsmka_events_wake(&share->exporter->events);
		return 0;
	}
	if (!may) {
		/* As what nobody hears: to say more would say what is published. */
		rsmka_count(rsmka_share_counters(share), RSM_COUNT_POSTS_DROPPED);
		return 0;
	}
	return rsmka_share_post(share, post_flags, RSMKA_WAIT);
}

/* One event of a program to the exporter or to all importers; -EBADFD if it is neither. */
int rsmka_segment_post(struct rsmka_segment *seg, u32 post_flags)
{
	struct rsmka_export *export = rsmka_segment_export(seg);

	if (export)
		return rsmka_published_post(export, post_flags, RSMKA_WAIT);
	return rsmka_segment_share(seg) ? rsmka_import_post(seg, post_flags) : -EBADFD;
}

/*
 * 0, or -ECONNABORTED: the connection has ended, whether or not we had heard of it.
 * @window: where the caller has it mapped; NULL: where programs have.
 */
int rsmka_import_check(struct rsmka_segment *seg, const struct rsmka_window *window)
{
	struct rsmka_share *share = rsmka_segment_share(seg);

	if (rsmka_share_intact(share, window ? window : &share->window))
		return 0;
	rsmka_share_abort(share);
	return -ECONNABORTED;
}
