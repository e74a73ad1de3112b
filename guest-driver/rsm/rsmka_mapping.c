// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings of import segments by programs: of the exporter's pages if it is on this
 * node, otherwise of the adapter's window, and of the path state.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * All mappings of a descriptor belong to an inode of its own, so that the end of
 * a share can remove those of its imports.  A page is inserted under share->lock held
 * for reading, after a look at the state; the end changes the state under the
 * lock held for writing, then unmaps.  So no stale page can appear afterwards:
 * later faults insert the share's private page.
 */
#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/pagemap.h>
#include <linux/pseudo_fs.h>

#include "compat.h"
#include "rsmka_file.h"

#define RSMKA_FS_MAGIC		0x52534d4b	/* RSMK */
#define RSMKA_STATUS_PGOFF	(RSM_MMAP_STATUS >> PAGE_SHIFT)
#define RSMKA_EVENTS_PGOFF	(RSM_MMAP_EVENTS >> PAGE_SHIFT)
#define RSMKA_FAULT_AROUND	(16 * PAGE_SIZE)

/* ---- an inode per segment descriptor ---- */

static int rsmka_fs_init_context(struct fs_context *fc)
{
	return init_pseudo(fc, RSMKA_FS_MAGIC) ? 0 : -ENOMEM;
}

static struct file_system_type rsmka_fs = {
	.name = "rsm",
	.owner = THIS_MODULE,
	.init_fs_context = rsmka_fs_init_context,
	.kill_sb = kill_anon_super,
};

/* Mounted while there are inodes. */
static struct vfsmount *rsmka_mount;
static int rsmka_mount_users;

struct inode *rsmka_inode_new(void)
{
	struct inode *inode;

	if (simple_pin_fs(&rsmka_fs, &rsmka_mount, &rsmka_mount_users))
		return NULL;
	inode = alloc_anon_inode(rsmka_mount->mnt_sb);
	if (!IS_ERR(inode))
		return inode;
	simple_release_fs(&rsmka_mount, &rsmka_mount_users);
	return NULL;
}

void rsmka_inode_free(struct inode *inode)
{
	iput(inode);
	simple_release_fs(&rsmka_mount, &rsmka_mount_users);
}

/* ---- segment memory ---- */

/* What is mapped was connected; until ENDED it shows what is the exporter's. */
static bool rsmka_share_over(const struct rsmka_share *share)
{
	lockdep_assert_held(&share->lock);
	return share->state == RSMKA_ENDED;
}

static unsigned long rsmka_segment_pfn(struct rsmka_share *share, pgoff_t index)
{
	if (rsmka_share_over(share))
		return page_to_pfn(share->trash);
	if (share->path)
		return PHYS_PFN(share->window.phys) + index;
	return page_to_pfn(share->pages[index]);
}

/* Inserts what surrounds the page as well: most programs walk through a segment. */
static vm_fault_t rsmka_segment_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct rsmka_share *share = vma->vm_private_data;
	unsigned long first = max(ALIGN_DOWN(vmf->address, RSMKA_FAULT_AROUND), vma->vm_start);
	unsigned long end = min(ALIGN_DOWN(vmf->address, RSMKA_FAULT_AROUND) + RSMKA_FAULT_AROUND,
				vma->vm_end);
	unsigned long address = vmf->address & PAGE_MASK;
	vm_fault_t ret;

	down_read(&share->lock);
	ret = vmf_insert_pfn(vma, address, rsmka_segment_pfn(share, vmf->pgoff));
	for (address = first; address < end && ret == VM_FAULT_NOPAGE; address += PAGE_SIZE)
		vmf_insert_pfn(vma, address,
			       rsmka_segment_pfn(share, linear_page_index(vma, address)));
	up_read(&share->lock);
	return ret;
}

/* fork, and the remainder of a partial munmap. */
static void rsmka_segment_open_vma(struct vm_area_struct *vma)
{
	struct rsmka_share *share = vma->vm_private_data;

	mutex_lock(&share->map_mutex);
	share->mappings++;
	mutex_unlock(&share->map_mutex);
}

static void rsmka_segment_close_vma(struct vm_area_struct *vma)
{
	struct rsmka_share *share = vma->vm_private_data;

	rsmka_share_unmap(share, &share->mappings);
}

static const struct vm_operations_struct rsmka_segment_vm_ops = {
	.open = rsmka_segment_open_vma,
	.close = rsmka_segment_close_vma,
	.fault = rsmka_segment_fault,
};

/* mmap(2) has its own words for it. */
static int rsmka_mmap_error(int ret)
{
	switch (ret) {
	case -ENOSPC:
	case -ENOMEM:
		return -EAGAIN;
	case -ECONNABORTED:
		return -ENODEV;
	default:
		return ret;
	}
}

/* One mapping more of what the share's window shows, which the calling process pays for. */
static int rsmka_mmap_window(struct rsmka_segment *seg, struct rsmka_share *share,
			     unsigned long *mappings)
{
	struct rsmka_user *payer = rsmka_user_get();
	int ret;

	if (!payer)
		return rsmka_mmap_error(-ENOMEM);
	ret = rsmka_share_map(share, seg, payer, mappings);
	rsmka_user_put(payer);
	return rsmka_mmap_error(ret);
}

static int rsmka_mmap_segment(struct rsmka_segment *seg, struct rsmka_share *share,
			      struct vm_area_struct *vma)
{
	unsigned long pages = share->grant.length >> PAGE_SHIFT;
	vm_flags_t never = VM_MAYEXEC;
	int ret;

	if (vma->vm_pgoff > pages || vma_pages(vma) > pages - vma->vm_pgoff)
		return -ENXIO;
	if (!(seg->mode & RSMKA_OWNER_READ))
		never |= VM_MAYREAD;
	if (!(seg->mode & RSMKA_OWNER_WRITE))
		never |= VM_MAYWRITE;
	/* VM_READ and so on, four bits below VM_MAYREAD and so on. */
	if (vma->vm_flags & (never >> 4))
		return -EACCES;

	ret = rsmka_mmap_window(seg, share, &share->mappings);
	if (ret)
		return ret;
	vma->vm_ops = &rsmka_segment_vm_ops;
	vm_flags_mod(vma, VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP, never);
	return 0;
}

/* ---- the events of the exporter ---- */

static vm_fault_t rsmka_events_fault(struct vm_fault *vmf)
{
	struct rsmka_share *share = vmf->vma->vm_private_data;
	struct page *page = share->trash;
	unsigned long pfn;
	vm_fault_t ret;

	down_read(&share->lock);
	if (!rsmka_share_over(share) && !share->path)
		page = share->exporter->export->event_page;
	pfn = page_to_pfn(page);
	if (!rsmka_share_over(share) && share->path)
		pfn = PHYS_PFN(share->window.phys) + (share->grant.length >> PAGE_SHIFT);
	ret = vmf_insert_pfn(vmf->vma, vmf->address & PAGE_MASK, pfn);
	up_read(&share->lock);
	return ret;
}

static void rsmka_events_open_vma(struct vm_area_struct *vma)
{
	struct rsmka_share *share = vma->vm_private_data;

	mutex_lock(&share->map_mutex);
	share->event_mappings++;
	mutex_unlock(&share->map_mutex);
}

static void rsmka_events_close_vma(struct vm_area_struct *vma)
{
	struct rsmka_share *share = vma->vm_private_data;

	rsmka_share_unmap(share, &share->event_mappings);
}

static const struct vm_operations_struct rsmka_events_vm_ops = {
	.open = rsmka_events_open_vma,
	.close = rsmka_events_close_vma,
	.fault = rsmka_events_fault,
};

/* They are part of what is mapped of the segment. */
static int rsmka_mmap_events(struct rsmka_segment *seg, struct rsmka_share *share,
			     struct vm_area_struct *vma)
{
	bool there;
	int ret;

	if (vma->vm_pgoff != RSMKA_EVENTS_PGOFF || vma_pages(vma) != 1)
		return -ENXIO;
	if (vma->vm_flags & VM_EXEC || !(seg->mode & RSMKA_OWNER_WRITE))
		return -EACCES;
	ret = rsmka_mmap_window(seg, share, &share->event_mappings);
	if (ret)
		return ret;
	down_read(&share->lock);
	there = !share->path || share->window.events;
	up_read(&share->lock);
	if (!there) {
		rsmka_share_unmap(share, &share->event_mappings);
		return -ENXIO;
	}
	vma->vm_ops = &rsmka_events_vm_ops;
	vm_flags_mod(vma, VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP, VM_MAYEXEC);
	return 0;
}

/* ---- the path state ---- */

static vm_fault_t rsmka_status_fault(struct vm_fault *vmf)
{
	struct rsmka_share *share = vmf->vma->vm_private_data;
	unsigned long pfn;
	vm_fault_t ret;

	down_read(&share->lock);
	if (rsmka_share_over(share))
		pfn = page_to_pfn(share->path_page);
	else
		pfn = PHYS_PFN(share->path_state_phys);
	ret = vmf_insert_pfn(vmf->vma, vmf->address & PAGE_MASK, pfn);
	up_read(&share->lock);
	return ret;
}

static const struct vm_operations_struct rsmka_status_vm_ops = {
	.fault = rsmka_status_fault,
};

static int rsmka_mmap_status(struct rsmka_share *share, struct vm_area_struct *vma)
{
	if (!share->path || vma->vm_pgoff != RSMKA_STATUS_PGOFF || vma_pages(vma) != 1)
		return -ENXIO;
	if (vma->vm_flags & (VM_WRITE | VM_EXEC))
		return -EACCES;
	vma->vm_ops = &rsmka_status_vm_ops;
	vm_flags_mod(vma, VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP, VM_MAYWRITE | VM_MAYEXEC);
	return 0;
}

int rsmka_file_mmap(struct rsmka_file *file, struct vm_area_struct *vma)
{
	struct rsmka_segment *seg = &file->segment;
	struct rsmka_share *share = rsmka_segment_share(seg);

	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	if (!share)
		return READ_ONCE(file->role) == RSMKA_IMPORTER ? -ENODEV : -EINVAL;
	if (!rsmka_share_is_connected(share))
		return -ENODEV;
	vma->vm_private_data = share;
	if (vma->vm_pgoff >= RSMKA_EVENTS_PGOFF)
		return rsmka_mmap_events(seg, share, vma);
	if (vma->vm_pgoff >= RSMKA_STATUS_PGOFF)
		return rsmka_mmap_status(share, vma);
	return rsmka_mmap_segment(seg, share, vma);
}
