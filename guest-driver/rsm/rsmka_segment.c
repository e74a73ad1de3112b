// SPDX-License-Identifier: GPL-2.0-only
/*
 * Segment descriptors: their numbers, what they become, and the generation
 * area in which importers see that a connection has ended.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <linux/cred.h>
#include <linux/pid.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "rsmka_path.h"

DEFINE_XARRAY_FLAGS(rsmka_segments, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
atomic_t rsmka_segments_open;

/*
 * One word per segment number, mapped read-only by every process that uses
 * the library.  A word is never reset, only raised.
 */
u16 *rsmka_generations;
size_t rsmka_generation_bytes;

int rsmka_segments_init(void)
{
	rsmka_generation_bytes = PAGE_ALIGN((rsmka_max_segments + 1) * sizeof(u16));
	rsmka_generations = vmalloc_user(rsmka_generation_bytes);
	return rsmka_generations ? 0 : -ENOMEM;
}

void rsmka_segments_exit(void)
{
	vfree(rsmka_generations);
}

/* Charge the caller's user for a segment. */
static struct rsmka_user *rsmka_segment_user(void)
{
	struct rsmka_user *user = rsmka_user_get();

	if (!user)
		return ERR_PTR(-ENOMEM);
	if (rsmka_user_charge(user, RSMKA_SHARED_SEGMENTS, 1, rsmka_max_segments))
		return user;
	rsmka_user_put(user);
	return ERR_PTR(-EAGAIN);
}

static void rsmka_segment_unuse(struct rsmka_user *user)
{
	rsmka_user_uncharge(user, RSMKA_SHARED_SEGMENTS, 1);
	rsmka_user_put(user);
}

/* Returns an ERR_PTR; -EAGAIN if all numbers are taken, or all that the user may have. */
struct rsmka_segment *rsmka_segment_open(void)
{
	struct rsmka_segment *seg;
	int ret;

	seg = kzalloc(sizeof(*seg), GFP_KERNEL_ACCOUNT);
	if (!seg)
		return ERR_PTR(-ENOMEM);
	seg->user = rsmka_segment_user();
	if (IS_ERR(seg->user)) {
		ret = PTR_ERR(seg->user);
		kfree(seg);
		return ERR_PTR(ret);
	}
	kref_init(&seg->ref);
	mutex_init(&seg->lock);
	INIT_LIST_HEAD(&seg->sharers);
	rsmka_events_init(&seg->events);
	seg->opener = get_pid(task_tgid(current));
	seg->uid = current_euid();
	seg->gid = current_egid();
	seg->inode = rsmka_inode_new();
	if (!seg->inode) {
		ret = -ENOMEM;
		goto free_segment;
	}
	ret = xa_alloc(&rsmka_segments, &seg->number, seg, XA_LIMIT(1, rsmka_max_segments),
		       GFP_KERNEL);
	if (ret)
		goto free_inode;
	atomic_inc(&rsmka_segments_open);
	return seg;

free_inode:
	rsmka_inode_free(seg->inode);
free_segment:
	put_pid(seg->opener);
	rsmka_segment_unuse(seg->user);
	kfree(seg);
	return ERR_PTR(ret == -EBUSY ? -EAGAIN : ret);
}

static void rsmka_segment_release(struct kref *ref)
{
	struct rsmka_segment *seg = container_of(ref, struct rsmka_segment, ref);

	if (seg->export)
		rsmka_export_free(seg->export);
	put_pid(seg->opener);
	rsmka_user_put(seg->user);
	kfree_rcu(seg, rcu);
}

void rsmka_segment_put(struct rsmka_segment *seg)
{
	kref_put(&seg->ref, rsmka_segment_release);
}

/* The next segment descriptor from @number on, with a reference. */
struct rsmka_segment *rsmka_segment_next(unsigned long *number)
{
	struct rsmka_segment *seg;

	xa_lock(&rsmka_segments);
	seg = xa_find(&rsmka_segments, number, ULONG_MAX, XA_PRESENT);
	if (seg)
		kref_get(&seg->ref);
	xa_unlock(&rsmka_segments);
	return seg;
}

/* Nothing of the descriptor is left that others reach. */
void rsmka_segment_gone(struct rsmka_segment *seg)
{
	/* Only now: the next owner of the number must not see our generations. */
	xa_erase(&rsmka_segments, seg->number);
	atomic_dec(&rsmka_segments_open);
	rsmka_user_uncharge(seg->user, RSMKA_SHARED_SEGMENTS, 1);
	rsmka_inode_free(seg->inode);
	rsmka_segment_put(seg);
}

/*
 * The last close of the descriptor; no mapping of it is left.  Memory that
 * peers have not let go of yet stays pinned, and charged, behind our back.
 */
void rsmka_segment_close(struct rsmka_segment *seg)
{
	if (seg->export) {
		kref_get(&seg->ref);
		if (rsmka_export_close(seg->export))
			rsmka_export_close_wait(seg->export);
		else
			rsmka_segment_gone(seg);
		rsmka_segment_put(seg);
		return;
	}
	if (seg->share)
		rsmka_share_leave(seg->share, seg);
	rsmka_segment_gone(seg);
}

/* Make @seg an export or an import segment, for good. */
bool rsmka_segment_claim(struct rsmka_segment *seg, enum rsmka_role role)
{
	lockdep_assert_held(&seg->lock);
	if (seg->role == RSMKA_NEW)
		WRITE_ONCE(seg->role, role);
	return seg->role == role;
}

/* An import whose connection has ended, an export whose memory is gone: no event comes any more. */
bool rsmka_segment_over(const struct rsmka_segment *seg)
{
	const struct rsmka_export *export = rsmka_segment_export(seg);
	const struct rsmka_share *share = rsmka_segment_share(seg);

	return (export && READ_ONCE(export->lost)) ||
	       (share && READ_ONCE(share->state) == RSMKA_ENDED);
}

/*
 * Called when an import connects, and when its connection ends: then before
 * anything else can be seen in place of the exporter's memory, so that a
 * program that reads an unchanged word has read true data before.
 */
u16 rsmka_generation_raise(const struct rsmka_segment *seg)
{
	u16 *word = &rsmka_generations[seg->number];
	u16 generation = *word + 1;

	lockdep_assert_held(&rsmka_shares_lock);
	WRITE_ONCE(*word, generation);
	return generation;
}
