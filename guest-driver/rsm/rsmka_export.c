// SPDX-License-Identifier: GPL-2.0-only
/*
 * Export segments: creation, publication, and the end of both.  Called by
 * ioctls, by the watch over the exported memory, and when a controller goes.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <linux/cred.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "rsmka_path.h"

static bool rsmka_is_creator(const struct rsmka_export *export)
{
	return export->creator == task_tgid(current);
}

static u32 rsmka_export_check_range(const struct rsm_ioc_export *arg,
				    const struct rsmka_controller *controller)
{
	u64 max = controller->attr.max_export_segment_size;

	if (arg->vaddr == 0 || !PAGE_ALIGNED(arg->vaddr))
		return RSMERR_BAD_ADDR;
	if (arg->length == 0 || !PAGE_ALIGNED(arg->length) || (max && arg->length > max))
		return RSMERR_BAD_LENGTH;
	if (arg->vaddr >= TASK_SIZE || arg->length > TASK_SIZE - arg->vaddr)
		return RSMERR_BAD_ADDR;
	return RSM_SUCCESS;
}

static struct rsmka_export *rsmka_export_alloc(struct rsmka_segment *seg,
					       struct rsmka_controller *controller, u64 length)
{
	struct rsmka_export *export = kzalloc(sizeof(*export), GFP_KERNEL_ACCOUNT);

	if (!export)
		return NULL;
	mutex_init(&export->lock);
	spin_lock_init(&export->visitors_lock);
	INIT_LIST_HEAD(&export->tokens);
	INIT_LIST_HEAD(&export->local);
	INIT_LIST_HEAD(&export->on_controller);
	export->segment = seg;
	export->controller = controller;
	export->length = length;
	export->creator = get_pid(task_tgid(current));
	export->uid = current_euid();
	export->gid = current_egid();
	export->mode = RSMKA_MODE & ~current_umask();
	return export;
}

void rsmka_export_free(struct rsmka_export *export)
{
	rsmka_controller_put(export->controller);
	put_pid(export->creator);
	kfree(export);
}

/* Pin the memory and watch it from before that on. */
static int rsmka_export_bind(struct rsmka_export *export, unsigned long start, u64 length)
{
	int ret;

	ret = rsmka_watch_start(&export->watch, current->mm, start, length);
	if (ret)
		return ret == -EINTR ? ret : RSMERR_INSUFFICIENT_MEM;

	mutex_lock(&export->lock);
	ret = rsmka_pin(&export->pinned, start, length >> PAGE_SHIFT);
	export->state = ret ? RSMKA_ZOMBIE : RSMKA_BOUND;
	mutex_unlock(&export->lock);
	if (ret)
		rsmka_watch_stop(&export->watch);
	return ret;
}

static int rsmka_export_create_claimed(struct rsmka_segment *seg,
				       const struct rsm_ioc_export *arg)
{
	struct rsmka_controller *controller;
	struct rsmka_export *export;
	int ret;

	controller = rsmka_controller_find(arg->controller);
	if (!controller)
		return RSMERR_CTLR_NOT_PRESENT;
	ret = rsmka_export_check_range(arg, controller);
	if (ret)
		goto put_controller;
	export = rsmka_export_alloc(seg, controller, arg->length);
	if (!export) {
		ret = RSMERR_INSUFFICIENT_MEM;
		goto put_controller;
	}
	ret = rsmka_export_bind(export, arg->vaddr, arg->length);
	if (ret) {
		rsmka_export_free(export);
		return ret;
	}
	/* Pairs with rsmka_segment_export(). */
	smp_store_release(&seg->export, export);
	return RSM_SUCCESS;

put_controller:
	rsmka_controller_put(controller);
	return ret;
}

int rsmka_export_create(struct rsmka_segment *seg, struct rsm_ioc_export *arg)
{
	int ret;

	if (mutex_lock_interruptible(&seg->lock))
		return -EINTR;
	if (seg->export || !rsmka_segment_claim(seg, RSMKA_EXPORTER))
		ret = RSMERR_BAD_SEG_HNDL;
	else
		ret = rsmka_export_create_claimed(seg, arg);
	mutex_unlock(&seg->lock);
	return ret;
}

/* ---- publication ---- */

static int rsmka_acl_copy(struct rsmka_acl *acl, const struct rsm_ioc_publish *arg,
			  const struct rsmka_controller *controller)
{
	bool loopback = rsmka_controller_is_loopback(controller);
	u32 local = rsmka_local_node();
	u32 i, node;

	acl->len = arg->acl_len;
	if (acl->len > (loopback ? 1 : RSM_ACL_MAX))
		return RSMERR_BAD_ACL;
	if (copy_from_user(acl->entry, u64_to_user_ptr(arg->acl),
			   acl->len * sizeof(acl->entry[0])))
		return RSMERR_BAD_ADDR;
	for (i = 0; i < acl->len; i++) {
		node = acl->entry[i].node;
		if (node >= RSMKA_NODES || (loopback ? node != local : node == 0) ||
		    acl->entry[i].permission > RSMKA_MODE)
			return RSMERR_BAD_ACL;
	}
	return RSM_SUCCESS;
}

/* Every node that is named must have been reachable through the controller once. */
static u32 rsmka_acl_check_paths(const struct rsmka_acl *acl,
				 struct rsmka_controller *controller)
{
	u32 local = rsmka_local_node();
	u32 i;

	for (i = 0; i < acl->len; i++)
		if (acl->entry[i].node != local &&
		    !rsmka_path_find(controller, acl->entry[i].node))
			return RSMERR_INTERNAL_ERROR;
	return RSM_SUCCESS;
}

static u32 rsmka_publish_status(int err)
{
	switch (err) {
	case 0:
		return RSM_SUCCESS;
	case -ENOMEM:
		return RSMERR_INSUFFICIENT_MEM;
	case -ENOSPC:
		return RSMERR_INSUFFICIENT_RESOURCES;
	case -ENODEV:
		return RSMERR_CTLR_NOT_PRESENT;
	default:
		return RSMERR_INTERNAL_ERROR;
	}
}

/*
 * Hand the pages to the adapter, unless no other node has access.  On success
 * the export is on the controller's list and the controller entered.
 */
static u32 rsmka_export_to_adapter(struct rsmka_export *export, const struct rsmka_acl *acl,
				   struct rsmka_address *address)
{
	struct rsmka_controller *controller = export->controller;
	const struct rsmka_controller_ops *ops = controller->ops;
	struct rsmka_access access;
	u32 status = RSM_SUCCESS;

	lockdep_assert_held(&export->lock);
	if (!rsmka_controller_enter(controller))
		return RSMERR_CTLR_NOT_PRESENT;

	rsmka_acl_rows(acl, export->mode, rsmka_local_node(), &access);
	if (ops->publish && !bitmap_empty(access.read, RSMKA_NODES))
		status = rsmka_publish_status(ops->publish(controller->adapter,
							   export->pinned.pages,
							   export->pinned.nr_pages, &access,
							   address, &export->handle));
	if (status) {
		export->handle = NULL;
		rsmka_controller_exit(controller);
		return status;
	}

	/* Either we see that the controller goes, or it sees us on its list. */
	mutex_lock(&controller->lock);
	if (controller->gone)
		status = RSMERR_CTLR_NOT_PRESENT;
	else
		list_add(&export->on_controller, &controller->exports);
	mutex_unlock(&controller->lock);
	if (!status)
		return RSM_SUCCESS;

	if (export->handle)
		ops->unpublish(controller->adapter, export->handle);
	export->handle = NULL;
	rsmka_controller_exit(controller);
	return status;
}

static u32 rsmka_export_publish_locked(struct rsmka_export *export, u32 *key,
				       const struct rsmka_acl *acl)
{
	struct rsmka_address address = {};
	u32 status;

	lockdep_assert_held(&export->lock);
	if (export->state == RSMKA_PUBLISHED)
		return RSMERR_SEG_ALREADY_PUBLISHED;
	if (export->state != RSMKA_BOUND)
		return RSMERR_BAD_SEG_HNDL;
	status = rsmka_published_reserve(key);
	if (status)
		return status;
	status = rsmka_acl_check_paths(acl, export->controller);
	if (!status)
		status = rsmka_export_to_adapter(export, acl, &address);
	if (status) {
		rsmka_published_release(*key);
		return status;
	}
	export->key = *key;
	export->state = RSMKA_PUBLISHED;
	/* Last: a peer may connect the moment the id is known. */
	rsmka_published_open(export, acl, &address);
	return RSM_SUCCESS;
}

static u32 rsmka_key_check(u32 key)
{
	if (key == 0 || (key >= RSM_RSMLIB_ID_BASE && key <= RSM_RSMLIB_ID_END) ||
	    (key >= RSM_HPC_ID_BASE && key < RSM_USER_APP_ID_BASE))
		return RSM_SUCCESS;
	return RSMERR_RESERVED_SEGID;
}

int rsmka_export_publish(struct rsmka_segment *seg, struct rsm_ioc_publish *arg)
{
	struct rsmka_export *export = rsmka_segment_export(seg);
	struct rsmka_acl *acl;
	u32 key = arg->key;
	int ret;

	if (!export)
		return RSMERR_BAD_SEG_HNDL;
	if (!rsmka_is_creator(export))
		return RSMERR_NOT_CREATOR;
	acl = kmalloc(sizeof(*acl), GFP_KERNEL);
	if (!acl)
		return RSMERR_INSUFFICIENT_MEM;

	ret = rsmka_acl_copy(acl, arg, export->controller);
	if (!ret)
		ret = rsmka_key_check(key);
	if (!ret) {
		rsmka_watch_settle(&export->watch);
		mutex_lock(&export->lock);
		ret = rsmka_export_publish_locked(export, &key, acl);
		mutex_unlock(&export->lock);
	}
	if (!ret)
		arg->key = key;
	kfree(acl);
	return ret;
}

/* On return nobody reaches the pages and the id is free. */
static void rsmka_export_unpublish_locked(struct rsmka_export *export)
{
	struct rsmka_controller *controller = export->controller;

	lockdep_assert_held(&export->lock);
	rsmka_published_shut(export);

	mutex_lock(&controller->lock);
	list_del_init(&export->on_controller);
	mutex_unlock(&controller->lock);
	if (export->handle)
		controller->ops->unpublish(controller->adapter, export->handle);
	export->handle = NULL;
	rsmka_controller_exit(controller);

	rsmka_published_release(export->key);
	export->state = RSMKA_BOUND;
}

int rsmka_export_unpublish(struct rsmka_segment *seg)
{
	struct rsmka_export *export = rsmka_segment_export(seg);
	int ret = RSM_SUCCESS;

	if (!export)
		return RSMERR_BAD_SEG_HNDL;
	if (!rsmka_is_creator(export))
		return RSMERR_NOT_CREATOR;
	rsmka_watch_settle(&export->watch);
	mutex_lock(&export->lock);
	if (export->state == RSMKA_PUBLISHED)
		rsmka_export_unpublish_locked(export);
	else
		ret = RSMERR_SEG_NOT_PUBLISHED;
	mutex_unlock(&export->lock);
	return ret;
}

/* ---- the end ---- */

void rsmka_export_memory_lost(struct rsmka_export *export)
{
	if (export->state == RSMKA_PUBLISHED)
		rsmka_export_unpublish_locked(export);
	export->state = RSMKA_ZOMBIE;
	rsmka_unpin(&export->pinned);
}

void rsmka_export_controller_gone(struct rsmka_export *export)
{
	mutex_lock(&export->lock);
	if (export->state == RSMKA_PUBLISHED)
		rsmka_export_unpublish_locked(export);
	mutex_unlock(&export->lock);
}

/* The descriptor is gone, whoever closed it last. */
void rsmka_export_close(struct rsmka_export *export)
{
	rsmka_watch_stop(&export->watch);
	mutex_lock(&export->lock);
	rsmka_export_memory_lost(export);
	mutex_unlock(&export->lock);
}
