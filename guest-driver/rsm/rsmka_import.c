// SPDX-License-Identifier: GPL-2.0-only
/*
 * Import segments: CONNECT and CHECK.  The connection itself is a share's.
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

static int rsmka_import_verdict(const struct rsmka_share *share, u32 offer, u32 wanted)
{
	if (!(offer & RSMKA_LISTED))
		return -EACCES;
	return rsmka_access_permitted(&share->grant, offer & RSMKA_MODE, wanted) ?
	       0 : -EPERM;
}

static void rsmka_import_report(const struct rsmka_segment *seg, const struct rsmka_share *share,
				struct rsm_ioc_connect *arg)
{
	arg->segment = seg->number;
	arg->length = share->grant.length;
	arg->attributes = share->grant.big_endian ? RSM_CONNECT_BIG_ENDIAN : 0;
	if (seg->mode & RSMKA_OWNER_WRITE)
		arg->attributes |= RSM_CONNECT_EVENTS;
	arg->path_offset = 0;
	arg->path_changes = 0;
	if (share->path) {
		arg->attributes |= RSM_CONNECT_PATH;
		arg->path_offset = offset_in_page(share->path_state_phys);
		arg->path_changes = share->path_changes;
	}
}

static int rsmka_import_connect_claimed(struct rsmka_segment *seg,
					struct rsmka_controller *controller,
					struct rsm_ioc_connect *arg)
{
	struct rsmka_share *share;
	u32 offer;
	int ret;

	for (;;) {
		ret = rsmka_share_connect(controller, arg->node, arg->key, &share);
		if (ret)
			return ret;
		/* Without a length it failed for the thread that we waited for. */
		offer = READ_ONCE(share->offer);
		ret = share->grant.length ?
		      rsmka_import_verdict(share, offer, arg->permission) : 0;
		if (ret) {
			rsmka_count(rsmka_share_counters(share), RSM_COUNT_CONNECTS_FAILED);
			rsmka_share_leave(share, NULL);
			return ret;
		}
		if (rsmka_share_add(share, seg, &arg->generation))
			break;
		/* It ended while we waited: ask again. */
		rsmka_share_leave(share, NULL);
		if (signal_pending(current))
			return -EINTR;
	}

	seg->mode = rsmka_import_mode(arg->permission, offer);
	rsmka_import_report(seg, share, arg);
	/* Pairs with rsmka_segment_share(). */
	smp_store_release(&seg->share, share);
	return 0;
}

int rsmka_import_connect(struct rsmka_segment *seg, struct rsm_ioc_connect *arg)
{
	struct rsmka_controller *controller;
	int ret;

	if (mutex_lock_interruptible(&seg->lock))
		return -EINTR;
	ret = -EBADFD;
	if (seg->share || !rsmka_segment_claim(seg, RSMKA_IMPORTER))
		goto unlock;
	ret = -ENODEV;
	controller = rsmka_controller_find(arg->controller);
	if (!controller)
		goto unlock;
	if (rsmka_controller_is_loopback(controller) && arg->node != rsmka_local_node())
		ret = -ENODEV;
	else if (arg->permission & ~RSM_PERM_RDWR)
		ret = RSMERR_BAD_PERMS;
	else
		ret = rsmka_import_connect_claimed(seg, controller, arg);
	rsmka_controller_put(controller);
unlock:
	mutex_unlock(&seg->lock);
	return ret;
}

/*
 * Who is connected may post.  After the end, events go to whatever is published
 * under the id by then, which may be another user's: *may says whether the
 * caller could connect to it.  -errno if that cannot be found out.
 */
int rsmka_import_may_post(struct rsmka_share *ended, bool *may)
{
	struct rsmka_share *share;
	int ret;

	*may = rsmka_share_is_connected(ended);
	if (*may)
		return 0;
	ret = rsmka_share_connect(ended->controller, ended->node, ended->key, &share);
	switch (ret) {
	case 0:
		break;
	case -ENOENT:
	case -EACCES:
		return 0;
	default:
		return ret;
	}
	*may = share->grant.length && !rsmka_import_verdict(share, READ_ONCE(share->offer), 0);
	rsmka_share_leave(share, NULL);
	return 0;
}

int rsmka_import_check(struct rsmka_segment *seg)
{
	struct rsmka_share *share = rsmka_segment_share(seg);

	if (!share)
		return -EBADFD;
	if (rsmka_share_intact(share))
		return 0;
	rsmka_share_end(share);
	return -ECONNABORTED;
}
