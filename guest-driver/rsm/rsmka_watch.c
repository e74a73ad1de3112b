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
 * may still be written to.
 *
 * One thread may look at memory of everybody, so it waits for nobody: it brings
 * no page in, which a file system or a userfaultfd of the user could delay for
 * ever, and if a lock is taken it tries again later.
 */
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "compat.h"
#include "rsmka_file.h"

#define RSMKA_WATCH_BATCH	64
#define RSMKA_WATCH_DELAY_MAX	HZ

void rsmka_looks_init(struct rsmka_looks *looks)
{
	atomic_set(&looks->pending, 0);
	init_waitqueue_head(&looks->wait);
}

bool rsmka_looks_settled(const struct rsmka_looks *looks)
{
	return !atomic_read(&looks->pending);
}

int rsmka_looks_settle(struct rsmka_looks *looks)
{
	return wait_event_interruptible(looks->wait, rsmka_looks_settled(looks)) ? -EINTR : 0;
}

static void rsmka_look_over(struct rsmka_looks *looks)
{
	if (atomic_dec_and_test(&looks->pending))
		wake_up_all(&looks->wait);
}

static void rsmka_watch_queue(struct rsmka_watch *watch, unsigned int delay)
{
	atomic_inc(&watch->looks->pending);
	if (!queue_delayed_work(rsmka_look_workqueue, &watch->work, delay))
		rsmka_look_over(watch->looks);
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
	rsmka_watch_queue(watch, 0);
	return true;
}

static const struct mmu_interval_notifier_ops rsmka_watch_ops = {
	.invalidate = rsmka_watch_invalidate,
};

/*
 * Is a page that is not in the page table still what an access would bring in?
 *
 * The kernel takes pinned pages from private mappings only if the process wants
 * that: nothing swaps, migrates or merges them.  Those of shared memory may be
 * taken from the page table, and into the swap cache, at any time; there they
 * stay, for they are pinned.
 */
static bool rsmka_watch_same_absent(struct vm_area_struct *vma, unsigned long address,
				    struct page *expected)
{
	struct address_space *mapping;
	struct page *page;
	bool same;

	if (!(vma->vm_flags & VM_SHARED) || !vma->vm_file)
		return false;
	if (is_vm_hugetlb_page(vma)) {
		/* Absent because of an attempt to migrate it, or because it is gone. */
		if (rsmka_get_user_pages_remote(vma->vm_mm, address, 1, FOLL_WRITE | FOLL_NOWAIT,
						&page) != 1)
			return false;
	} else {
		mapping = vma->vm_file->f_mapping;
		page = find_get_page(mapping, linear_page_index(vma, address));
		if (!page)
			return xa_is_value(xa_load(&mapping->i_pages,
						   linear_page_index(vma, address)));
	}
	same = page == expected;
	put_page(page);
	return same;
}

/*
 * Are the pages at @start still mapped there, and may the process write to
 * them?  Write-protected is not lost: the kernel does that to pages of whom it
 * wants to see the first access, and gives the same page back.
 */
static bool rsmka_watch_same(struct mm_struct *mm, unsigned long start, struct page **expected,
			     unsigned long nr_pages)
{
	struct page *pages[RSMKA_WATCH_BATCH];
	struct vm_area_struct *vma;
	unsigned long done = 0;
	long i, got;

	lockdep_assert_held(&mm->mmap_lock);
	if (rsmka_range_verdict(mm, start, start + (nr_pages << PAGE_SHIFT)))
		return false;
	while (done < nr_pages) {
		bool same = true;

		/* FOLL_FORCE without FOLL_WRITE: also what a NUMA hint hides. */
		got = rsmka_get_user_pages_remote(mm, start + (done << PAGE_SHIFT),
						  nr_pages - done,
						  FOLL_FORCE | FOLL_NOFAULT | FOLL_NOWAIT, pages);
		for (i = 0; i < got; i++) {
			same = same && pages[i] == expected[done + i];
			put_page(pages[i]);
		}
		done += max(got, 0L);
		if (!same)
			return false;
		if (done == nr_pages)
			break;
		vma = find_vma(mm, start + (done << PAGE_SHIFT));
		if (!rsmka_watch_same_absent(vma, start + (done << PAGE_SHIFT), expected[done]))
			return false;
		done++;
	}
	return true;
}

/* 1: the process has the memory, 0: not, -EAGAIN: its address space is locked. */
static int rsmka_watch_intact(const struct rsmka_pinned *pinned, unsigned long first,
			      unsigned long last)
{
	unsigned long index = (first - pinned->start) >> PAGE_SHIFT;
	unsigned long end = ((last - pinned->start) >> PAGE_SHIFT) + 1;
	struct mm_struct *mm = pinned->mm;
	unsigned long nr;
	int ret = 1;

	if (!mmget_not_zero(mm))
		return 0;
	for (; ret == 1 && index < end; index += nr) {
		nr = min_t(unsigned long, end - index, RSMKA_WATCH_BATCH);
		if (!mmap_read_trylock(mm)) {
			ret = -EAGAIN;
			break;
		}
		ret = rsmka_watch_same(mm, pinned->start + (index << PAGE_SHIFT),
				       pinned->memory.pages + index, nr);
		mmap_read_unlock(mm);
		cond_resched();
	}
	/* If we are the last user of the address space: not here, it may take long. */
	mmput_async(mm);
	return ret;
}

/* What there is to look at. */
struct rsmka_sight {
	unsigned long first;
	unsigned long last;
	bool lost;
};

/* What is announced from now on queues the work again. */
static bool rsmka_watch_take(struct rsmka_watch *watch, struct rsmka_sight *sight)
{
	spin_lock(&watch->lock);
	sight->first = watch->first;
	sight->last = watch->last;
	sight->lost = watch->lost;
	watch->first = ULONG_MAX;
	watch->last = 0;
	spin_unlock(&watch->lock);
	return sight->first <= sight->last;
}

static void rsmka_watch_put_back(struct rsmka_watch *watch, const struct rsmka_sight *sight)
{
	spin_lock(&watch->lock);
	watch->first = min(watch->first, sight->first);
	watch->last = max(watch->last, sight->last);
	spin_unlock(&watch->lock);
}

/* With export->lock held.  0 or -EAGAIN. */
static int rsmka_watch_judge(struct rsmka_binding *binding, const struct rsmka_sight *sight)
{
	struct rsmka_export *export = binding->export;
	int intact;

	if (export->memory != &binding->pinned.memory) {
		/* Not yet, see rsmka_watch_resume(), or no longer. */
		rsmka_watch_put_back(&binding->watch, sight);
		return 0;
	}
	if (export->state == RSMKA_ZOMBIE || export->lost)
		return 0;
	intact = sight->lost ? 0 : rsmka_watch_intact(&binding->pinned, sight->first,
						      sight->last);
	if (intact < 0)
		return intact;
	if (!intact) {
		rsmka_export_memory_lost(export);
		rsmka_file_ended(export->segment);
	}
	return 0;
}

static void rsmka_watch_work(struct work_struct *work)
{
	struct rsmka_watch *watch = container_of(to_delayed_work(work), struct rsmka_watch, work);
	struct rsmka_binding *binding = container_of(watch, struct rsmka_binding, watch);
	struct rsmka_export *export = binding->export;
	struct rsmka_sight sight;
	int ret = -EAGAIN;

	if (!rsmka_watch_take(watch, &sight)) {
		rsmka_look_over(watch->looks);
		return;
	}
	/* What was announced before has happened when this returns: not earlier. */
	mmu_interval_read_begin(&watch->notifier);
	if (rsmka_hold_try(&export->lock)) {
		ret = rsmka_watch_judge(binding, &sight);
		rsmka_unhold(&export->lock);
	}
	if (ret) {
		rsmka_watch_put_back(watch, &sight);
		watch->delay = clamp_t(unsigned int, 2 * watch->delay, 1, RSMKA_WATCH_DELAY_MAX);
		rsmka_watch_queue(watch, watch->delay);
	} else {
		watch->delay = 0;
	}
	rsmka_look_over(watch->looks);
}

/*
 * Starts before the range is pinned.  What happens until the binding is the
 * export's is looked at by rsmka_watch_resume().
 */
int rsmka_watch_start(struct rsmka_watch *watch, struct rsmka_looks *looks,
		      struct mm_struct *mm, unsigned long start, unsigned long length)
{
	int ret;

	spin_lock_init(&watch->lock);
	INIT_DELAYED_WORK(&watch->work, rsmka_watch_work);
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

/* The binding has become that of the export. */
void rsmka_watch_resume(struct rsmka_watch *watch)
{
	bool due;

	spin_lock(&watch->lock);
	due = watch->first <= watch->last;
	spin_unlock(&watch->lock);
	if (due)
		rsmka_watch_queue(watch, 0);
}

/*
 * Without export->lock, although the work only tries to take that.  Does nothing when
 * repeated.
 */
void rsmka_watch_stop(struct rsmka_watch *watch)
{
	if (!watch->mm)
		return;
	mmu_interval_notifier_remove(&watch->notifier);
	if (cancel_delayed_work_sync(&watch->work))
		rsmka_look_over(watch->looks);
	mmdrop(watch->mm);
	watch->mm = NULL;
}
