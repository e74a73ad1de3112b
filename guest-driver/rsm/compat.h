/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Differences between the kernels that the modules build on, 6.1 and later.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#ifndef RSMKA_COMPAT_H
#define RSMKA_COMPAT_H

#include <linux/mm.h>
#include <linux/poll.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void vm_flags_mod(struct vm_area_struct *vma, vm_flags_t set, vm_flags_t clear)
{
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
}
#endif

/* poll_does_not_wait() of kernels before 7.2 says the opposite; later ones have no function. */
static inline bool rsmka_poll_waits(const poll_table *wait)
{
	return wait && wait->_qproc;
}

static inline long rsmka_pin_user_pages(unsigned long start, unsigned long nr, unsigned int flags,
					struct page **pages)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
	return pin_user_pages(start, nr, flags, pages, NULL);
#else
	return pin_user_pages(start, nr, flags, pages);
#endif
}

static inline long rsmka_get_user_pages_remote(struct mm_struct *mm, unsigned long start,
					       unsigned long nr, unsigned int flags,
					       struct page **pages)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
	return get_user_pages_remote(mm, start, nr, flags, pages, NULL, NULL);
#else
	return get_user_pages_remote(mm, start, nr, flags, pages, NULL);
#endif
}

#endif /* RSMKA_COMPAT_H */
