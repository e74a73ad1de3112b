// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory of a process as that of an export: EXPORT and REBIND.  Pinned
 * (rsmka_pin.c) and watched (rsmka_watch.c) from before that on.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <linux/cred.h>
#include <linux/fs_struct.h>
#include <linux/slab.h>

#include "rsmka_file.h"

static int rsmka_range_check(u64 vaddr, u64 length, const struct rsmka_controller *controller)
{
	u64 max = controller->attr.max_export_segment_size;

	if (vaddr == 0 || !PAGE_ALIGNED(vaddr))
		return RSMERR_BAD_ADDR;
	if (length == 0 || !PAGE_ALIGNED(length) || (max && length > max))
		return RSMERR_BAD_LENGTH;
	if (vaddr >= TASK_SIZE || length > TASK_SIZE - vaddr)
		return RSMERR_BAD_ADDR;
	return 0;
}

static void rsmka_binding_drop(struct rsmka_memory *memory)
{
	rsmka_unpin(&rsmka_binding(memory)->pinned);
}

static void rsmka_binding_free(struct rsmka_memory *memory)
{
	struct rsmka_binding *binding = rsmka_binding(memory);

	rsmka_watch_stop(&binding->watch);
	rsmka_unpin(&binding->pinned);
	kfree(binding);
}

static const struct rsmka_memory_ops rsmka_binding_ops = {
	.drop = rsmka_binding_drop,
	.free = rsmka_binding_free,
};

/*
 * Pin memory of the calling process and watch it from before that on.  That may
 * last as long as whoever provides the pages likes, so no lock is held.  What is
 * noticed meanwhile is looked at when the binding is the export's.
 */
static int rsmka_binding_new(struct rsmka_file *file, struct rsmka_export *export,
			     unsigned long start, struct rsmka_binding **out)
{
	struct rsmka_binding *binding;
	int ret;

	binding = kzalloc(sizeof(*binding), GFP_KERNEL_ACCOUNT);
	if (!binding)
		return -ENOMEM;
	binding->export = export;
	binding->pinned.memory.ops = &rsmka_binding_ops;
	ret = rsmka_watch_start(&binding->watch, &file->looks, current->mm, start,
				export->length);
	if (ret) {
		kfree(binding);
		return ret == -EINTR ? ret : -ENOMEM;
	}
	ret = rsmka_pin(&binding->pinned, file->segment.user, start,
			export->length >> PAGE_SHIFT);
	if (ret) {
		rsmka_binding_free(&binding->pinned.memory);
		return ret;
	}
	*out = binding;
	return 0;
}

static int rsmka_file_export_claimed(struct rsmka_file *file, const struct rsm_ioc_export *arg)
{
	struct rsmka_controller *controller;
	struct rsmka_binding *binding;
	struct rsmka_export *export;
	struct rsmka_owner owner;
	int ret;

	controller = rsmka_controller_find(arg->controller);
	if (!controller)
		return -ENODEV;
	ret = rsmka_range_check(arg->vaddr, arg->length, controller);
	if (ret) {
		rsmka_controller_put(controller);
		return ret;
	}
	rsmka_file_owner(&owner);
	export = rsmka_export_alloc(&file->segment, controller, arg->length, &owner,
				    RSMKA_MODE & ~current_umask(),
				    !(arg->flags & RSM_EXPORT_DONTWAIT));
	if (!export) {
		rsmka_controller_put(controller);
		return -ENOMEM;
	}
	file->export_flags = arg->flags;
	ret = rsmka_binding_new(file, export, arg->vaddr, &binding);
	if (ret) {
		rsmka_export_gone(export);
		rsmka_export_free(export);
		return ret;
	}
	rsmka_export_bind(export, &binding->pinned.memory);
	/* While nobody can replace it. */
	rsmka_watch_resume(&binding->watch);
	rsmka_export_show(export);
	return 0;
}

int rsmka_file_export(struct rsmka_file *file, struct rsm_ioc_export *arg)
{
	int ret;

	if (arg->flags & RSM_EXPORT_DONTWAIT) {
		if (!mutex_trylock(&file->lock))
			return -ENOSPC;
	} else if (mutex_lock_interruptible(&file->lock)) {
		return -EINTR;
	}
	if (file->segment.export || !rsmka_file_claim(file, RSMKA_EXPORTER))
		ret = RSMERR_BAD_SEG_HNDL;
	else
		ret = rsmka_file_export_claimed(file, arg);
	mutex_unlock(&file->lock);
	return ret;
}

/* ---- other memory ---- */

/* With what became of the memory that the program unmapped before. */
static int rsmka_file_enter(struct rsmka_file *file, struct rsmka_export *export)
{
	int ret = rsmka_looks_settle(&file->looks);

	return ret ? ret : rsmka_export_enter(export);
}

/* May it be rebound?  *same: to the memory that it has. */
static int rsmka_file_rebind_check(struct rsmka_export *export, u64 start, bool *same)
{
	lockdep_assert_held(&export->lock);
	if (export->state == RSMKA_ZOMBIE)
		return -EBADFD;
	*same = start == rsmka_binding(export->memory)->pinned.start;
	return *same ? 0 : rsmka_range_check(start, export->length, export->controller);
}

/* Put new memory in the place of the old, unless something has come in between. */
static int rsmka_file_rebind_to(struct rsmka_file *file, struct rsmka_export *export,
				struct rsmka_binding *fresh)
{
	struct rsmka_memory *unneeded = &fresh->pinned.memory;
	bool same = false;
	int ret;

	ret = rsmka_file_enter(file, export);
	if (!ret) {
		ret = rsmka_file_rebind_check(export, fresh->pinned.start, &same);
		if (!ret && !same) {
			rsmka_export_rebind_locked(export, &fresh->pinned.memory, &unneeded);
			/* Who gets the lock next may replace it. */
			rsmka_watch_resume(&fresh->watch);
		}
		rsmka_unhold(&export->lock);
	}
	if (unneeded)
		unneeded->ops->free(unneeded);
	return ret ? ret : rsmka_export_await(export);
}

int rsmka_file_rebind(struct rsmka_file *file, struct rsm_ioc_rebind *arg)
{
	struct rsmka_export *export = rsmka_segment_export(&file->segment);
	struct rsmka_binding *fresh;
	bool same;
	int ret;

	if (!export)
		return RSMERR_BAD_SEG_HNDL;
	if (!(file->export_flags & RSM_EXPORT_ALLOW_REBIND))
		return RSMERR_REBIND_NOT_ALLOWED;
	if (!rsmka_file_is_creator(file))
		return RSMERR_NOT_CREATOR;
	if (arg->vaddr == 0)
		return RSMERR_BAD_ADDR;
	if (arg->length != export->length)
		return RSMERR_BAD_LENGTH;

	ret = rsmka_file_enter(file, export);
	if (ret)
		return ret;
	ret = rsmka_file_rebind_check(export, arg->vaddr, &same);
	rsmka_unhold(&export->lock);
	if (ret || same)
		return ret;
	ret = rsmka_binding_new(file, export, arg->vaddr, &fresh);
	return ret ? ret : rsmka_file_rebind_to(file, export, fresh);
}
