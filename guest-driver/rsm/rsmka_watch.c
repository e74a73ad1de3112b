// SPDX-License-Identifier: GPL-2.0-only
/*
 * Notices that a process no longer has the memory that it exported: unmapped,
 * moved, made read-only, given back to the system, or gone with the process.
 * Used by exports, which it tells from a work item.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * The kernel announces much that is harmless (fork, migration attempts, page
 * ageing), and before it happens; therefore the work item waits until that is
 * over, then looks whether each page in question is still the pinned one and
 * still writable.
 */
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "compat.h"
#include "rsmka_segment.h"

#define RSMKA_WATCH_BATCH	64

void rsmka_looks_init(struct rsmka_looks *looks)
{
	atomic_set(&looks->pending, 0);
	init_waitqueue_head(&looks->wait);
}

bool rsmka_looks_settled(const struct rsmka_looks *looks)
{
	return !atomic_read(&looks->pending);
}

/* A look may end an export, which may wait for a halted peer: not hung, idle. */
int rsmka_looks_settle(struct rsmka_looks *looks, bool interruptible)
{
	if (interruptible)
		return wait_event_interruptible(looks->wait, rsmka_looks_settled(looks)) ?
		       -EINTR : 0;
	wait_event_idle(looks->wait, rsmka_looks_settled(looks));
	return 0;
}

static void rsmka_look_over(struct rsmka_looks *looks)
{
	if (atomic_dec_and_test(&looks->pending))
		wake_up_all(&looks->wait);
}

static bool rsmka_watch_invalidate(struct mmu_interval_notifier *notifier,
				   const struct mmu_notifier_range *range, unsigned long seq)
{
	struct rsmka_watch *watch = container_of(notifier, struct rsmka_watch, notifier);
	unsigned long start = notifier->interval_tree.start;
	unsigned long last = notifier->interval_tree.last;

	switch (range->event) {
	case MMU_NOTIFY_SOFT_DIRTY:
	case MMU_NOTIFY_PROTECTION_PAGE:	/* fork; pinned pages are copied for the child */
		return true;
	default:
		break;
	}

	/* May run while memory is reclaimed: nothing here allocates or sleeps. */
	spin_lock(&watch->lock);
	mmu_interval_set_seq(notifier, seq);
	watch->first = min(watch->first, max(range->start, start));
	watch->last = max(watch->last, min(range->end - 1, last));
	if (range->event == MMU_NOTIFY_RELEASE)
		watch->lost = true;
	spin_unlock(&watch->lock);
	atomic_inc(&watch->looks->pending);
	if (!queue_work(rsmka_look_workqueue, &watch->work))
		rsmka_look_over(watch->looks);
	return true;
}

static const struct mmu_interval_notifier_ops rsmka_watch_ops = {
	.invalidate = rsmka_watch_invalidate,
};

/* Are the pages at @start still mapped there, writable? */
static bool rsmka_watch_same(struct mm_struct *mm, unsigned long start, struct page **expected,
			     unsigned long nr_pages)
{
	struct page *pages[RSMKA_WATCH_BATCH];
	bool same = true;
	long i, got;

	mmap_read_lock(mm);
	got = rsmka_get_user_pages_remote(mm, start, nr_pages, FOLL_WRITE, pages);
	mmap_read_unlock(mm);
	for (i = 0; i < got; i++) {
		same = same && pages[i] == expected[i];
		put_page(pages[i]);
	}
	return same && got == nr_pages;
}

static bool rsmka_watch_intact(const struct rsmka_pinned *pinned, unsigned long first,
			       unsigned long last)
{
	unsigned long index = (first - pinned->start) >> PAGE_SHIFT;
	unsigned long end = ((last - pinned->start) >> PAGE_SHIFT) + 1;
	bool intact = true;
	unsigned long nr;

	if (!mmget_not_zero(pinned->mm))
		return false;
	for (; intact && index < end; index += nr) {
		nr = min_t(unsigned long, end - index, RSMKA_WATCH_BATCH);
		intact = rsmka_watch_same(pinned->mm, pinned->start + (index << PAGE_SHIFT),
					  pinned->pages + index, nr);
		cond_resched();
	}
	/* If we are the last user of the address space: not here, it may take long. */
	mmput_async(pinned->mm);
	return intact;
}

static void rsmka_watch_work(struct work_struct *work)
{
	struct rsmka_watch *watch = container_of(work, struct rsmka_watch, work);
	struct rsmka_binding *binding = container_of(watch, struct rsmka_binding, watch);
	struct rsmka_export *export = binding->export;
	unsigned long first, last;
	bool lost;

	/* What is announced from now on queues us again. */
	spin_lock(&watch->lock);
	first = watch->first;
	last = watch->last;
	lost = watch->lost;
	watch->first = ULONG_MAX;
	watch->last = 0;
	spin_unlock(&watch->lock);
	/* What was announced before has happened when this returns: not earlier. */
	mmu_interval_read_begin(&watch->notifier);

	rsmka_hold(&export->lock);
	if (export->binding == binding && export->state != RSMKA_ZOMBIE && first <= last &&
	    (lost || !rsmka_watch_intact(&binding->pinned, first, last)))
		rsmka_export_memory_lost(export);
	rsmka_unhold(&export->lock);
	rsmka_look_over(watch->looks);
}

/*
 * Starts before the range is pinned.  Until that is done export->lock is held,
 * and what happens meanwhile is looked at after that.
 */
int rsmka_watch_start(struct rsmka_watch *watch, struct rsmka_looks *looks,
		      struct mm_struct *mm, unsigned long start, unsigned long length)
{
	int ret;

	spin_lock_init(&watch->lock);
	INIT_WORK(&watch->work, rsmka_watch_work);
	watch->looks = looks;
	watch->first = ULONG_MAX;
	ret = mmu_interval_notifier_insert(&watch->notifier, mm, start, length,
					   &rsmka_watch_ops);
	if (ret)
		return ret;
	/* During an invalidation of anything in @mm it is inserted at the end of that. */
	mmu_interval_read_begin(&watch->notifier);
	/* The notifier has its own reference, but the work may run when that is gone. */
	mmgrab(mm);
	watch->mm = mm;
	return 0;
}

/* Without export->lock, which the work takes. */
void rsmka_watch_stop(struct rsmka_watch *watch)
{
	mmu_interval_notifier_remove(&watch->notifier);
	rsmka_looks_settle(watch->looks, false);
	/* It has done all but to return. */
	cancel_work_sync(&watch->work);
	mmdrop(watch->mm);
}
