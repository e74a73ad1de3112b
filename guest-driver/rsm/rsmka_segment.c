// SPDX-License-Identifier: GPL-2.0-only
/*
 * Segments: their numbers, what they become, and the generation area in which
 * importers see that a connection has ended.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <linux/mm.h>
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

/*
 * Make it a segment, which others can find from now on; the caller is charged if @user,
 * his reference to which it takes over as that to @owner->pid.  -EAGAIN: all numbers are taken,
 * or all that the user may have.
 */
int rsmka_segment_init(struct rsmka_segment *seg, const struct rsmka_segment_ops *ops,
		       struct rsmka_user *user, const struct rsmka_owner *owner)
{
	int ret;

	kref_init(&seg->ref);
	seg->ops = ops;
	seg->user = user;
	seg->owner = *owner;
	INIT_LIST_HEAD(&seg->sharers);
	rsmka_events_init(&seg->events);
	if (!rsmka_user_charge(user, RSMKA_SHARED_SEGMENTS, 1, rsmka_max_segments))
		return -EAGAIN;
	ret = xa_alloc(&rsmka_segments, &seg->number, seg, XA_LIMIT(1, rsmka_max_segments),
		       GFP_KERNEL);
	if (ret) {
		rsmka_user_uncharge(user, RSMKA_SHARED_SEGMENTS, 1);
		return ret == -EBUSY ? -EAGAIN : ret;
	}
	atomic_inc(&rsmka_segments_open);
	return 0;
}

static void rsmka_segment_release(struct kref *ref)
{
	struct rsmka_segment *seg = container_of(ref, struct rsmka_segment, ref);

	if (seg->export)
		rsmka_export_free(seg->export);
	seg->ops->free(seg);
}

void rsmka_segment_put(struct rsmka_segment *seg)
{
	kref_put(&seg->ref, rsmka_segment_release);
}

/* The next segment from @number on, with a reference. */
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

/* Nothing of the segment is left that others reach. */
void rsmka_segment_gone(struct rsmka_segment *seg)
{
	/* Only now: the next owner of the number must not see our generations. */
	xa_erase(&rsmka_segments, seg->number);
	atomic_dec(&rsmka_segments_open);
	rsmka_user_uncharge(seg->user, RSMKA_SHARED_SEGMENTS, 1);
	if (seg->ops->gone)
		seg->ops->gone(seg);
	rsmka_segment_put(seg);
}

/*
 * Its owner lets go of it.  True: peers have not let go yet of what it exports, and the
 * work does the rest, see rsmka_export_close_wait().
 */
bool rsmka_segment_close(struct rsmka_segment *seg)
{
	if (seg->export && rsmka_export_close(seg->export))
		return true;
	if (seg->share)
		rsmka_share_leave(seg->share, seg);
	rsmka_segment_gone(seg);
	return false;
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
 * program that reads an unchanged word has read true data before.  Under the
 * members of the share.
 */
u16 rsmka_generation_raise(const struct rsmka_segment *seg)
{
	u16 *word = &rsmka_generations[seg->number];
	u16 generation = *word + 1;

	WRITE_ONCE(*word, generation);
	return generation;
}
