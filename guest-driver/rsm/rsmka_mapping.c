// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings of import segments: of the exporter's pages if it is on this node,
 * otherwise of the adapter's window, and of the path state.
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
#include "rsmka_path.h"

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

/* ---- the whole segment in the adapter's window ---- */

/* Bytes of the window that a mapping of the segment and its events takes: whole granules. */
static unsigned long rsmka_share_window(const struct rsmka_share *share)
{
	const struct rsmka_attr *attr = &share->controller->attr;
	u64 granule = attr->max_import_segments ?
		      div64_u64(attr->tot_import_map_size, attr->max_import_segments) : 0;
	u64 bytes = share->grant.length + PAGE_SIZE;

	if (granule)
		bytes = DIV64_U64_ROUND_UP(bytes, granule) * granule;
	/* The largest ones have no room for events. */
	return min(bytes, max(attr->tot_import_map_size, share->grant.length));
}

/* Whoever makes the mapping is charged for it until it goes, whoever else uses it. */
static struct rsmka_user *rsmka_share_charge(const struct rsmka_share *share)
{
	u64 total = share->controller->attr.tot_import_map_size;
	struct rsmka_user *user = rsmka_user_get();

	if (!user)
		return ERR_PTR(-ENOMEM);
	if (rsmka_user_charge(user, RSMKA_SHARED_WINDOW, rsmka_share_window(share), total))
		return user;
	rsmka_user_put(user);
	return ERR_PTR(-ENOSPC);
}

static void rsmka_share_uncharge(const struct rsmka_share *share, struct rsmka_user *user)
{
	rsmka_user_uncharge(user, RSMKA_SHARED_WINDOW, rsmka_share_window(share));
	rsmka_user_put(user);
}

/*
 * The mapping gets the rights that the node has by now.  If the exporter has
 * granted more since the segment was mapped, and an import needs it, everything
 * goes over to a second mapping of the same memory.
 */
static int rsmka_share_map_locked(struct rsmka_share *share, bool write)
{
	struct rsmka_controller *controller = share->controller;
	bool writes = READ_ONCE(share->writable);
	unsigned long pages = share->grant.length >> PAGE_SHIFT;
	struct rsmka_user *user, *mapper = share->mapper;
	void *handle, *old = share->handle;
	bool events = writes;
	phys_addr_t phys;
	int ret;

	lockdep_assert_held(&share->map_mutex);
	if (old && (share->handle_writes || !write))
		return 0;
	user = rsmka_share_charge(share);
	if (IS_ERR(user))
		return PTR_ERR(user);
	if (!rsmka_controller_enter(controller)) {
		rsmka_share_uncharge(share, user);
		return -ENODEV;
	}
	ret = controller->ops->map(controller->adapter, share->node, share->session,
				   &share->grant.address, pages + events, writes, &phys, &handle);
	if ((ret == -ENOSPC || ret == -ENXIO) && events) {
		/*
		 * The largest segments fill the window, and if pages are larger here than
		 * those of the exporter, its events do not fill one: they are posted by
		 * messages.
		 */
		events = false;
		ret = controller->ops->map(controller->adapter, share->node, share->session,
					   &share->grant.address, pages, writes, &phys, &handle);
	}
	if (ret) {
		rsmka_controller_exit(controller);
		rsmka_share_uncharge(share, user);
		return ret;
	}
	share->mapper = user;
	down_write(&share->lock);
	share->phys = phys;
	share->handle_events = events;
	up_write(&share->lock);
	share->handle = handle;
	share->handle_writes = writes;
	if (old) {
		mutex_lock(&rsmka_shares_lock);
		rsmka_share_zap(share);
		mutex_unlock(&rsmka_shares_lock);
		controller->ops->unmap(controller->adapter, old);
		rsmka_controller_exit(controller);
		rsmka_share_uncharge(share, mapper);
	}
	return 0;
}

/* The controller stays entered while something is mapped. */
void rsmka_share_unmap_locked(struct rsmka_share *share)
{
	struct rsmka_controller *controller = share->controller;

	lockdep_assert_held(&share->map_mutex);
	if (!share->handle)
		return;
	controller->ops->unmap(controller->adapter, share->handle);
	share->handle = NULL;
	rsmka_share_uncharge(share, share->mapper);
	share->mapper = NULL;
	rsmka_controller_exit(controller);
}

bool rsmka_share_is_connected(struct rsmka_share *share)
{
	bool connected;

	down_read(&share->lock);
	connected = share->state == RSMKA_CONNECTED;
	up_read(&share->lock);
	return connected;
}

/* For one more VMA, counted in @mappings, of an import with @mode.  Errors are those of mmap(2). */
static int rsmka_share_map(struct rsmka_share *share, u32 mode, unsigned long *mappings)
{
	int ret = 0;

	mutex_lock(&share->map_mutex);
	if (!rsmka_share_is_connected(share)) {
		/* Its reaper may have been here already: nobody would unmap. */
		ret = -ENODEV;
	} else if (share->path && (mode & (RSMKA_OWNER_READ | RSMKA_OWNER_WRITE))) {
		/*
		 * The exporter's own pages are there already.  Without rights nothing
		 * can be touched, and the adapter may not give the node anything.
		 */
		ret = rsmka_share_map_locked(share, mode & RSMKA_OWNER_WRITE);
	}
	/* If it has ended since, its reaper waits for the mutex, then unmaps. */
	if (!ret && !rsmka_share_is_connected(share))
		ret = -ENODEV;
	if (!ret)
		(*mappings)++;
	mutex_unlock(&share->map_mutex);

	switch (ret) {
	case 0:
	case -EACCES:
		return ret;
	case -ENOSPC:
	case -ENOMEM:
		return -EAGAIN;
	default:
		/* The exporter, its node or the adapter is gone. */
		rsmka_share_end(share);
		return -ENODEV;
	}
}

/* Is the connection as it was made?  Asks the adapter, which may know before us. */
bool rsmka_share_intact(struct rsmka_share *share)
{
	struct rsmka_controller *controller = share->controller;
	bool intact = false;

	if (!share->path)
		return rsmka_share_is_connected(share);
	mutex_lock(&share->map_mutex);
	if (rsmka_share_is_connected(share) && rsmka_controller_enter(controller)) {
		if (share->handle)
			intact = controller->ops->mapped(controller->adapter, share->handle);
		else
			intact = le32_to_cpu(READ_ONCE(share->path_state->changes)) ==
				 share->path_changes;
		rsmka_controller_exit(controller);
	}
	mutex_unlock(&share->map_mutex);
	return intact;
}

/* ---- segment memory ---- */

static unsigned long rsmka_segment_pfn(struct rsmka_share *share, pgoff_t index)
{
	if (share->state != RSMKA_CONNECTED)
		return page_to_pfn(share->trash);
	if (share->path)
		return PHYS_PFN(share->phys) + index;
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

/* For one VMA less. */
static void rsmka_share_unmap(struct rsmka_share *share, unsigned long *mappings)
{
	mutex_lock(&share->map_mutex);
	(*mappings)--;
	if (!share->mappings && !share->event_mappings)
		rsmka_share_unmap_locked(share);
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

	ret = rsmka_share_map(share, seg->mode, &share->mappings);
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
	if (share->state == RSMKA_CONNECTED && !share->path)
		page = share->exporter->export->event_page;
	pfn = page_to_pfn(page);
	if (share->state == RSMKA_CONNECTED && share->path)
		pfn = PHYS_PFN(share->phys) + (share->grant.length >> PAGE_SHIFT);
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
	ret = rsmka_share_map(share, seg->mode, &share->event_mappings);
	if (ret)
		return ret;
	down_read(&share->lock);
	there = !share->path || share->handle_events;
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
	if (share->state == RSMKA_CONNECTED)
		pfn = PHYS_PFN(share->path_state_phys);
	else
		pfn = page_to_pfn(share->path_page);
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

int rsmka_import_mmap(struct rsmka_segment *seg, struct vm_area_struct *vma)
{
	struct rsmka_share *share = rsmka_segment_share(seg);

	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	if (!share)
		return READ_ONCE(seg->role) == RSMKA_IMPORTER ? -ENODEV : -EINVAL;
	if (!rsmka_share_is_connected(share))
		return -ENODEV;
	vma->vm_private_data = share;
	if (vma->vm_pgoff >= RSMKA_EVENTS_PGOFF)
		return rsmka_mmap_events(seg, share, vma);
	if (vma->vm_pgoff >= RSMKA_STATUS_PGOFF)
		return rsmka_mmap_status(share, vma);
	return rsmka_mmap_segment(seg, share, vma);
}
