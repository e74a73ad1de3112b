// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pinning of exported memory and its accounting, per export in full: against
 * RLIMIT_MEMLOCK of the user, the user's part, and max_exported_memory.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/hugetlb_inline.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>
#include <linux/slab.h>

#include "compat.h"
#include "rsmka_file.h"

#define RSMKA_PIN_BATCH		512

static atomic_long_t rsmka_exported_pages;

LIST_HEAD(rsmka_pinned_list);
DEFINE_MUTEX(rsmka_pinned_lock);	/* see rsmka_file.h */

unsigned long rsmka_pinned_pages(void)
{
	return atomic_long_read(&rsmka_exported_pages);
}

unsigned long rsmka_pinned_limit(void)
{
	unsigned long limit = totalram_pages() / 100 * rsmka_max_exported_memory;

	return limit ? limit : totalram_pages();
}

/* As rsmka_charge(). */
static bool rsmka_charge_mm(struct mm_struct *mm, unsigned long nr_pages, unsigned long limit)
{
	s64 old = atomic64_read(&mm->pinned_vm);

	do {
		if (nr_pages > limit || old > (s64)(limit - nr_pages))
			return false;
	} while (!atomic64_try_cmpxchg(&mm->pinned_vm, &old, old + nr_pages));
	return true;
}

/*
 * Against RLIMIT_MEMLOCK: what the process has exported, and what the user has
 * in all processes, together with what others in the kernel count there, or
 * forking would multiply the limit.
 */
static bool rsmka_charge_locked(struct rsmka_pinned *pinned, unsigned long nr_pages)
{
	unsigned long limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	struct user_struct *user = current_user();

	if (!rsmka_charge_mm(pinned->mm, nr_pages, limit)) {
		if (!capable(CAP_IPC_LOCK))
			return false;
		atomic64_add(nr_pages, &pinned->mm->pinned_vm);
	}
	if (rsmka_charge(&user->locked_vm, nr_pages, limit)) {
		pinned->locker = get_uid(user);
		return true;
	}
	pinned->locker = NULL;
	if (capable(CAP_IPC_LOCK))
		return true;
	atomic64_sub(nr_pages, &pinned->mm->pinned_vm);
	return false;
}

static void rsmka_uncharge_locked(struct rsmka_pinned *pinned, unsigned long nr_pages)
{
	atomic64_sub(nr_pages, &pinned->mm->pinned_vm);
	if (pinned->locker) {
		atomic_long_sub(nr_pages, &pinned->locker->locked_vm);
		free_uid(pinned->locker);
	}
}

/*
 * Whoever frees @pinned uncharges; nothing is charged if it is refused.  What all users share
 * comes last: what a user's own limits refuse is never seen in it by others.
 */
static bool rsmka_pin_charge(struct rsmka_pinned *pinned, unsigned long nr_pages)
{
	unsigned long limit = rsmka_pinned_limit();

	if (!rsmka_user_charge(pinned->user, RSMKA_SHARED_PAGES, nr_pages, limit))
		return false;
	if (!rsmka_charge_locked(pinned, nr_pages))
		goto undo_user;
	if (!rsmka_charge(&rsmka_exported_pages, nr_pages, limit))
		goto undo_locked;
	return true;

undo_locked:
	rsmka_uncharge_locked(pinned, nr_pages);
undo_user:
	rsmka_user_uncharge(pinned->user, RSMKA_SHARED_PAGES, nr_pages);
	return false;
}

static void rsmka_pin_uncharge(struct rsmka_pinned *pinned, unsigned long nr_pages)
{
	rsmka_uncharge_locked(pinned, nr_pages);
	rsmka_user_uncharge(pinned->user, RSMKA_SHARED_PAGES, nr_pages);
	atomic_long_sub(nr_pages, &rsmka_exported_pages);
}

/* Memory whose pages may be pinned for long: anonymous, private, or shared memory proper. */
static int rsmka_vma_verdict(struct vm_area_struct *vma)
{
	const struct inode *inode;

	if (vma->vm_flags & (VM_IO | VM_PFNMAP | VM_MIXEDMAP))
		return RSMERR_BAD_ADDR;
	if (vma->vm_file && (vma->vm_flags & VM_SHARED) && !is_vm_hugetlb_page(vma)) {
		/* Device files are in a tmpfs as well, and disks have pages of their own. */
		inode = file_inode(vma->vm_file);
		if (!S_ISREG(inode->i_mode) || inode->i_sb->s_magic != TMPFS_MAGIC ||
		    vma->vm_file->f_mapping != inode->i_mapping)
			return RSMERR_BAD_ADDR;
	}
	if (!(vma->vm_flags & VM_WRITE))
		return -EPERM;
	return 0;
}

int rsmka_range_verdict(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct vm_area_struct *vma;
	int verdict;

	lockdep_assert_held(&mm->mmap_lock);
	while (start < end) {
		vma = find_vma(mm, start);
		if (!vma || vma->vm_start > start)
			return RSMERR_BAD_ADDR;
		verdict = rsmka_vma_verdict(vma);
		if (verdict)
			return verdict;
		start = vma->vm_end;
	}
	return 0;
}

/* Pin the next pages; returns how many through @done. */
static int rsmka_pin_batch(struct rsmka_pinned *pinned, unsigned long *done)
{
	unsigned long start = pinned->start + (*done << PAGE_SHIFT);
	unsigned long nr = min_t(unsigned long, pinned->memory.nr_pages - *done, RSMKA_PIN_BATCH);
	struct mm_struct *mm = pinned->mm;
	int verdict;
	long ret;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	verdict = rsmka_range_verdict(mm, start, start + (nr << PAGE_SHIFT));
	if (verdict) {
		mmap_read_unlock(mm);
		return verdict;
	}
	ret = rsmka_pin_user_pages(start, nr, FOLL_WRITE | FOLL_LONGTERM,
				   pinned->memory.pages + *done);
	mmap_read_unlock(mm);

	if (ret > 0) {
		*done += ret;
		return 0;
	}
	if (ret == -EFAULT)
		return RSMERR_BAD_ADDR;
	if (fatal_signal_pending(current))
		return -EINTR;
	return -ENOMEM;
}

static void rsmka_unpin_pages(struct page **pages, unsigned long nr_pages)
{
	unsigned long nr;

	for (; nr_pages; pages += nr, nr_pages -= nr) {
		nr = min_t(unsigned long, nr_pages, RSMKA_PIN_BATCH);
		unpin_user_pages_dirty_lock(pages, nr, true);
		cond_resched();
	}
}

/* Pin pages of the calling process. */
int rsmka_pin(struct rsmka_pinned *pinned, struct rsmka_user *user, unsigned long start,
	      unsigned long nr_pages)
{
	struct mm_struct *mm = current->mm;
	unsigned long done = 0;
	int ret = 0;

	pinned->mm = mm;
	pinned->user = user;
	if (!rsmka_pin_charge(pinned, nr_pages))
		return -ENOMEM;
	pinned->memory.pages = kvmalloc_array(nr_pages, sizeof(*pinned->memory.pages),
					      GFP_KERNEL_ACCOUNT);
	if (!pinned->memory.pages) {
		ret = -ENOMEM;
		goto uncharge;
	}
	pinned->start = start;
	pinned->memory.nr_pages = nr_pages;

	while (!ret && done < nr_pages) {
		ret = rsmka_pin_batch(pinned, &done);
		cond_resched();
	}
	if (ret)
		goto unpin;
	mmgrab(mm);
	mutex_lock(&rsmka_pinned_lock);
	list_add(&pinned->list, &rsmka_pinned_list);
	mutex_unlock(&rsmka_pinned_lock);
	return 0;

unpin:
	rsmka_unpin_pages(pinned->memory.pages, done);
	kvfree(pinned->memory.pages);
	pinned->memory.pages = NULL;
uncharge:
	rsmka_pin_uncharge(pinned, nr_pages);
	return ret;
}

/* Does nothing when repeated. */
void rsmka_unpin(struct rsmka_pinned *pinned)
{
	if (!pinned->memory.pages)
		return;
	mutex_lock(&rsmka_pinned_lock);
	list_del(&pinned->list);
	mutex_unlock(&rsmka_pinned_lock);
	rsmka_unpin_pages(pinned->memory.pages, pinned->memory.nr_pages);
	kvfree(pinned->memory.pages);
	pinned->memory.pages = NULL;
	rsmka_pin_uncharge(pinned, pinned->memory.nr_pages);
	mmdrop(pinned->mm);
}
