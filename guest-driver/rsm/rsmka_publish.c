// SPDX-License-Identifier: GPL-2.0-only
/*
 * Publication of exports: under which id, for whom, changed and ended.  Called
 * by ioctls, and by rsmka_export.c when an export loses its memory.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "rsmka_path.h"

bool rsmka_export_is_mine(const struct rsmka_export *export)
{
	return export->creator == task_tgid(current);
}

/*
 * Take export->lock for a call of the program, when no end waits for peers; the
 * program then sees what became of the memory that it unmapped before.  0 or
 * -EINTR.
 */
int rsmka_export_enter(struct rsmka_export *export)
{
	int ret = rsmka_looks_settle(&export->looks);

	while (!ret) {
		ret = rsmka_hold_interruptible(&export->lock);
		if (ret || export->ending == RSMKA_NOTHING)
			break;
		rsmka_unhold(&export->lock);
		ret = rsmka_export_await(export);
	}
	return ret;
}

static bool rsmka_export_waits(const struct rsmka_export *export)
{
	return !(export->flags & RSM_EXPORT_DONTWAIT);
}

/* The same, or RSMERR_INSUFFICIENT_RESOURCES if the program does not want to wait. */
static int rsmka_export_claim(struct rsmka_export *export)
{
	if (rsmka_export_waits(export))
		return rsmka_export_enter(export);
	if (!rsmka_looks_settled(&export->looks) || !rsmka_hold_try(&export->lock))
		return RSMERR_INSUFFICIENT_RESOURCES;
	if (export->ending == RSMKA_NOTHING)
		return 0;
	rsmka_unhold(&export->lock);
	return RSMERR_INSUFFICIENT_RESOURCES;
}

/* ---- publish ---- */

static int rsmka_acl_copy(struct rsmka_acl *acl, u64 user, u32 len,
			  const struct rsmka_controller *controller)
{
	bool loopback = rsmka_controller_is_loopback(controller);
	u32 local = rsmka_local_node();
	u32 i, node;

	acl->len = len;
	if (acl->len > (loopback ? 1 : RSM_ACL_MAX))
		return RSMERR_BAD_ACL;
	if (copy_from_user(acl->entry, u64_to_user_ptr(user),
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
	case -EINTR:
		return RSMERR_INTERRUPTED;
	default:
		return RSMERR_INTERNAL_ERROR;
	}
}

/* Put the export on the list of its controller, unless that goes. */
static u32 rsmka_export_join_controller(struct rsmka_export *export)
{
	struct rsmka_controller *controller = export->controller;
	u32 status = RSM_SUCCESS;

	/* Either we see that the controller goes, or it sees us on its list. */
	mutex_lock(&controller->lock);
	if (controller->gone)
		status = RSMERR_CTLR_NOT_PRESENT;
	else
		list_add(&export->on_controller, &controller->exports);
	mutex_unlock(&controller->lock);
	return status;
}

/*
 * Hand the pages to the adapter, unless no other node may connect.  One that
 * may, but has no access, keeps the address until it gets some by REPUBLISH.
 */
static u32 rsmka_export_to_adapter(struct rsmka_export *export, const struct rsmka_acl *acl,
				   const struct rsmka_access *access,
				   struct rsmka_address *address)
{
	struct rsmka_controller *controller = export->controller;
	const struct rsmka_pinned *pinned = &export->binding->pinned;
	int ret;

	lockdep_assert_held(&export->lock);
	if (!controller->ops->publish || !rsmka_acl_admits_others(acl, rsmka_local_node()))
		return RSM_SUCCESS;
	export->row = rsmka_row_get(export->segment->user, controller, access);
	if (IS_ERR(export->row)) {
		ret = PTR_ERR(export->row);
		export->row = NULL;
		return rsmka_publish_status(ret);
	}
	ret = controller->ops->publish(controller->adapter, pinned->pages, pinned->nr_pages,
				       export->event_page, access, rsmka_export_waits(export),
				       address, &export->handle);
	if (ret) {
		export->handle = NULL;
		rsmka_row_put(export->row);
		export->row = NULL;
	}
	return rsmka_publish_status(ret);
}

void rsmka_export_from_adapter(struct rsmka_export *export)
{
	struct rsmka_controller *controller = export->controller;

	if (export->handle)
		controller->ops->unpublish(controller->adapter, export->handle);
	export->handle = NULL;
	rsmka_row_put(export->row);
	export->row = NULL;
}

/* On success the export is on the controller's list and the controller entered. */
static u32 rsmka_export_offer(struct rsmka_export *export, const struct rsmka_acl *acl,
			      struct rsmka_address *address)
{
	struct rsmka_access access = {};
	u32 status;

	lockdep_assert_held(&export->lock);
	if (!rsmka_controller_enter(export->controller))
		return RSMERR_CTLR_NOT_PRESENT;
	rsmka_acl_rows(acl, export->mode, rsmka_local_node(), &access);
	status = rsmka_export_to_adapter(export, acl, &access, address);
	if (!status)
		status = rsmka_export_join_controller(export);
	if (status) {
		rsmka_export_from_adapter(export);
		rsmka_controller_exit(export->controller);
	}
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
		status = rsmka_export_offer(export, acl, &address);
	if (status) {
		rsmka_published_release(*key);
		return status;
	}
	export->key = *key;
	export->untold = false;
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
	if (!rsmka_export_is_mine(export))
		return RSMERR_NOT_CREATOR;
	acl = kmalloc(sizeof(*acl), GFP_KERNEL_ACCOUNT);
	if (!acl)
		return RSMERR_INSUFFICIENT_MEM;

	ret = rsmka_acl_copy(acl, arg->acl, arg->acl_len, export->controller);
	if (!ret)
		ret = rsmka_key_check(key);
	if (!ret)
		ret = rsmka_export_claim(export);
	if (!ret) {
		ret = rsmka_export_publish_locked(export, &key, acl);
		rsmka_unhold(&export->lock);
	}
	if (!ret)
		arg->key = key;
	kfree(acl);
	return ret;
}

/*
 * On return nobody finds or joins the segment, and its id is free.  If another
 * node can have mapped its pages, an end has begun, which takes them back.
 */
void rsmka_export_withdraw(struct rsmka_export *export)
{
	struct rsmka_controller *controller = export->controller;

	lockdep_assert_held(&export->lock);
	rsmka_published_shut(export);

	mutex_lock(&controller->lock);
	list_del_init(&export->on_controller);
	mutex_unlock(&controller->lock);
	rsmka_published_release(export->key);
	WRITE_ONCE(export->state, RSMKA_BOUND);

	if (export->handle) {
		WRITE_ONCE(export->ending, RSMKA_UNPUBLISHING);
		rsmka_end_begin(export);
	} else {
		rsmka_controller_exit(controller);
	}
}

int rsmka_export_unpublish(struct rsmka_segment *seg)
{
	struct rsmka_export *export = rsmka_segment_export(seg);
	int ret;

	if (!export)
		return RSMERR_BAD_SEG_HNDL;
	if (!rsmka_export_is_mine(export))
		return RSMERR_NOT_CREATOR;
	ret = rsmka_export_enter(export);
	if (ret)
		return ret;
	if (export->state == RSMKA_PUBLISHED)
		rsmka_export_withdraw(export);
	else if (!export->untold)
		ret = RSMERR_SEG_NOT_PUBLISHED;
	/* A call that is interrupted is made again, and then tells that it has succeeded. */
	export->untold = export->ending != RSMKA_NOTHING;
	rsmka_unhold(&export->lock);
	if (ret)
		return ret;
	ret = rsmka_export_await(export);
	if (!ret)
		WRITE_ONCE(export->untold, false);
	return ret;
}

/* ---- another access list ---- */

/*
 * Nodes get more here; it is decided before any of them can connect.  The
 * adapter may learn only now that other nodes have access at all.
 */
static u32 rsmka_export_widen(struct rsmka_export *export, const struct rsmka_acl *acl,
			      const struct rsmka_access *access)
{
	struct rsmka_controller *controller = export->controller;
	struct rsmka_address address = {};
	u32 status;

	if (export->handle)
		return rsmka_publish_status(controller->ops->republish(controller->adapter,
								       export->handle, access,
								       rsmka_export_waits(export)));
	status = rsmka_export_to_adapter(export, acl, access, &address);
	if (!status)
		rsmka_published_set_address(export, &address);
	return status;
}

static u32 rsmka_export_narrow(struct rsmka_export *export, const struct rsmka_access *access)
{
	struct rsmka_controller *controller = export->controller;
	struct rsmka_row *row;
	int ret;

	if (!export->handle)
		return RSM_SUCCESS;
	row = rsmka_row_get(export->segment->user, controller, access);
	if (IS_ERR(row))
		return rsmka_publish_status(PTR_ERR(row));
	ret = controller->ops->republish(controller->adapter, export->handle, access,
					 rsmka_export_waits(export));
	if (ret) {
		rsmka_row_put(row);
		return rsmka_publish_status(ret);
	}
	rsmka_row_put(export->row);
	export->row = row;
	return RSM_SUCCESS;
}

/*
 * Nodes that import keep what the adapter has given them.  So it first gets
 * what the old and the new list give together, then the new list is in force,
 * and then the adapter gets what that and the importing nodes need.  If this
 * last step fails the old list is put back; what the adapter then gives too
 * much is of no use to nodes that are not told the key.
 */
static u32 rsmka_export_republish_locked(struct rsmka_export *export,
					 const struct rsmka_acl *acl, struct rsmka_acl *old)
{
	u32 local = rsmka_local_node();
	struct rsmka_access access = {};
	u32 status;

	lockdep_assert_held(&export->lock);
	if (export->state != RSMKA_PUBLISHED)
		return RSMERR_SEG_NOT_PUBLISHED;
	status = rsmka_acl_check_paths(acl, export->controller);
	if (status)
		return status;

	rsmka_published_rows(export, &access);
	rsmka_acl_rows(acl, export->mode, local, &access);
	status = rsmka_export_widen(export, acl, &access);
	if (status)
		return status;
	rsmka_published_set_acl(export, acl, old);
	memset(&access, 0, sizeof(access));
	rsmka_published_rows(export, &access);
	status = rsmka_export_narrow(export, &access);
	if (status)
		rsmka_published_set_acl(export, old, NULL);
	else
		rsmka_published_announce(export);
	return status;
}

int rsmka_export_republish(struct rsmka_segment *seg, struct rsm_ioc_republish *arg)
{
	struct rsmka_export *export = rsmka_segment_export(seg);
	struct rsmka_acl *acls;
	int ret;

	if (!export)
		return RSMERR_BAD_SEG_HNDL;
	if (rsmka_export_waits(export))
		ret = rsmka_looks_settle(&export->looks);
	else
		ret = rsmka_looks_settled(&export->looks) ? 0 : RSMERR_INSUFFICIENT_RESOURCES;
	if (ret)
		return ret;
	if (READ_ONCE(export->state) != RSMKA_PUBLISHED)
		return RSMERR_SEG_NOT_PUBLISHED;
	if (!rsmka_export_is_mine(export))
		return RSMERR_NOT_CREATOR;
	acls = kmalloc_array(2, sizeof(*acls), GFP_KERNEL_ACCOUNT);
	if (!acls)
		return RSMERR_INSUFFICIENT_MEM;
	ret = rsmka_acl_copy(&acls[0], arg->acl, arg->acl_len, export->controller);
	if (!ret)
		ret = rsmka_export_claim(export);
	if (!ret) {
		ret = rsmka_export_republish_locked(export, &acls[0], &acls[1]);
		rsmka_unhold(&export->lock);
	}
	kfree(acls);
	return ret;
}
