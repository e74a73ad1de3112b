// SPDX-License-Identifier: GPL-2.0-only
/*
 * Publication of exports: under which id, for whom, changed and ended.  Called
 * by owners of segments, and by rsmka_export.c when an export loses its memory.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <linux/slab.h>

#include "rsmka_path.h"

/* Take export->lock for a call of its owner, when no end waits for peers.  0 or -EINTR. */
int rsmka_export_enter(struct rsmka_export *export)
{
	int ret;

	do {
		ret = rsmka_hold_interruptible(&export->lock);
		if (ret || export->ending == RSMKA_NOTHING)
			break;
		rsmka_unhold(&export->lock);
		ret = rsmka_export_await(export);
	} while (!ret);
	return ret;
}

/* The same, or -ENOSPC if the owner does not want to wait. */
static int rsmka_export_claim(struct rsmka_export *export)
{
	if (export->waits)
		return rsmka_export_enter(export);
	if (!rsmka_hold_try(&export->lock))
		return -ENOSPC;
	if (export->ending == RSMKA_NOTHING)
		return 0;
	rsmka_unhold(&export->lock);
	return -ENOSPC;
}

/* ---- publish ---- */

/* Every node that is named must have been reachable through the controller once. */
static int rsmka_acl_check_paths(const struct rsmka_acl *acl,
				 struct rsmka_controller *controller)
{
	u32 local = rsmka_local_node();
	u32 i;

	for (i = 0; i < acl->len; i++)
		if (acl->entry[i].node != local &&
		    !rsmka_path_find(controller, acl->entry[i].node))
			return -ENETUNREACH;
	return 0;
}

/* What an adapter does not say by contract has no meaning for the caller. */
static int rsmka_adapter_error(int err)
{
	switch (err) {
	case 0:
	case -ENOMEM:
	case -ENOSPC:
	case -ENODEV:
	case -EINTR:
		return err;
	default:
		return -EPROTO;
	}
}

/* Put the export on the list of its controller, unless that goes. */
static int rsmka_export_join_controller(struct rsmka_export *export)
{
	struct rsmka_controller *controller = export->controller;
	int ret = 0;

	/* Either we see that the controller goes, or it sees us on its list. */
	mutex_lock(&controller->lock);
	if (controller->gone)
		ret = -ENODEV;
	else
		list_add(&export->on_controller, &controller->exports);
	mutex_unlock(&controller->lock);
	return ret;
}

/* Bytes of the adapter's addresses that the pages and that of the events take. */
static unsigned long rsmka_export_space(const struct rsmka_export *export)
{
	return export->length + PAGE_SIZE;
}

/* Before the adapter gives it anything. */
static int rsmka_export_charge(struct rsmka_export *export, const struct rsmka_access *access)
{
	struct rsmka_controller *controller = export->controller;
	struct rsmka_user *user = export->segment->user;
	struct rsmka_row *row;

	row = rsmka_row_get(user, controller, access);
	if (IS_ERR(row))
		return PTR_ERR(row);
	if (!rsmka_user_charge(user, RSMKA_SHARED_SPACE, rsmka_export_space(export),
			       controller->attr.tot_export_segment_size ?: LONG_MAX / 100)) {
		rsmka_row_put(row);
		return -ENOSPC;
	}
	export->row = row;
	return 0;
}

static void rsmka_export_uncharge(struct rsmka_export *export)
{
	rsmka_user_uncharge(export->segment->user, RSMKA_SHARED_SPACE,
			    rsmka_export_space(export));
	rsmka_row_put(export->row);
	export->row = NULL;
}

/*
 * Hand the pages to the adapter, unless no other node may connect.  One that
 * may, but has no access, keeps the address until it gets some by REPUBLISH.
 */
static int rsmka_export_to_adapter(struct rsmka_export *export, const struct rsmka_acl *acl,
				   const struct rsmka_access *access,
				   struct rsmka_address *address)
{
	struct rsmka_controller *controller = export->controller;
	const struct rsmka_memory *memory = export->memory;
	int ret;

	lockdep_assert_held(&export->lock);
	if (!controller->ops->offer || !rsmka_acl_admits_others(acl, rsmka_local_node()))
		return 0;
	ret = rsmka_export_charge(export, access);
	if (ret)
		return rsmka_adapter_error(ret);
	ret = controller->ops->offer(controller->adapter, memory->pages, memory->nr_pages,
				     export->event_page, access, export->waits,
				     address, &export->handle);
	if (ret) {
		export->handle = NULL;
		rsmka_export_uncharge(export);
	}
	return rsmka_adapter_error(ret);
}

void rsmka_export_from_adapter(struct rsmka_export *export)
{
	struct rsmka_controller *controller = export->controller;

	if (!export->handle)
		return;
	controller->ops->withdraw(controller->adapter, export->handle);
	export->handle = NULL;
	rsmka_export_uncharge(export);
}

/* On success the export is on the controller's list and the controller entered. */
static int rsmka_export_offer(struct rsmka_export *export, const struct rsmka_acl *acl,
			      struct rsmka_address *address)
{
	struct rsmka_access access = {};
	int ret;

	lockdep_assert_held(&export->lock);
	if (!rsmka_controller_enter(export->controller))
		return -ENODEV;
	rsmka_acl_rows(acl, export->mode, rsmka_local_node(), &access);
	ret = rsmka_export_to_adapter(export, acl, &access, address);
	if (!ret)
		ret = rsmka_export_join_controller(export);
	if (ret) {
		rsmka_export_from_adapter(export);
		rsmka_controller_exit(export->controller);
	}
	return ret;
}

static int rsmka_export_publish_locked(struct rsmka_export *export, u32 *segment_id,
				       const struct rsmka_acl *acl)
{
	struct rsmka_address address = {};
	int ret;

	lockdep_assert_held(&export->lock);
	if (export->state == RSMKA_PUBLISHED)
		return -EALREADY;
	if (export->state != RSMKA_BOUND)
		return -EBADFD;
	ret = rsmka_published_reserve(segment_id);
	if (ret)
		return ret;
	ret = rsmka_acl_check_paths(acl, export->controller);
	if (!ret)
		ret = rsmka_export_offer(export, acl, &address);
	if (ret) {
		rsmka_published_release(*segment_id);
		return ret;
	}
	export->segment_id = *segment_id;
	export->untold = false;
	export->state = RSMKA_PUBLISHED;
	/* Last: a peer may connect the moment the id is known. */
	rsmka_published_open(export, acl, &address);
	return 0;
}

/* Under the id *@segment_id, or one that is chosen if it is 0. */
int rsmka_export_publish(struct rsmka_export *export, u32 *segment_id, const struct rsmka_acl *acl)
{
	u32 chosen = *segment_id;
	int ret;

	ret = rsmka_export_claim(export);
	if (ret)
		return ret;
	ret = rsmka_export_publish_locked(export, &chosen, acl);
	rsmka_unhold(&export->lock);
	if (!ret)
		*segment_id = chosen;
	return ret;
}

/*
 * On return nobody finds or joins the segment, and its id is free.  If another
 * node can have mapped its pages, an end has begun, which takes them back.
 */
void rsmka_export_unpublish_locked(struct rsmka_export *export)
{
	struct rsmka_controller *controller = export->controller;

	lockdep_assert_held(&export->lock);
	rsmka_published_shut(export);

	mutex_lock(&controller->lock);
	list_del_init(&export->on_controller);
	mutex_unlock(&controller->lock);
	rsmka_published_release(export->segment_id);
	WRITE_ONCE(export->state, RSMKA_BOUND);

	if (export->handle) {
		WRITE_ONCE(export->ending, RSMKA_WITHDRAWING);
		rsmka_end_begin(export);
	} else {
		rsmka_controller_exit(controller);
	}
}

/* A call that was interrupted is made again, to wait for the rest. */
int rsmka_export_unpublish(struct rsmka_export *export)
{
	int ret;

	ret = rsmka_export_enter(export);
	if (ret)
		return ret;
	if (export->state == RSMKA_PUBLISHED)
		rsmka_export_unpublish_locked(export);
	else if (!export->untold)
		ret = -ENOENT;
	/* A call that is interrupted is made again, and then tells that it has succeeded. */
	WRITE_ONCE(export->untold, export->ending != RSMKA_NOTHING);
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
static int rsmka_export_widen(struct rsmka_export *export, const struct rsmka_acl *acl,
			      const struct rsmka_access *access)
{
	struct rsmka_controller *controller = export->controller;
	struct rsmka_address address = {};
	int ret;

	if (export->handle)
		return rsmka_adapter_error(controller->ops->regrant(controller->adapter,
								    export->handle, access,
								    export->waits));
	ret = rsmka_export_to_adapter(export, acl, access, &address);
	if (!ret)
		rsmka_published_set_address(export, &address);
	return ret;
}

static int rsmka_export_narrow(struct rsmka_export *export, const struct rsmka_access *access)
{
	struct rsmka_controller *controller = export->controller;
	struct rsmka_row *row;
	int ret;

	if (!export->handle)
		return 0;
	row = rsmka_row_get(export->segment->user, controller, access);
	if (IS_ERR(row))
		return rsmka_adapter_error(PTR_ERR(row));
	ret = controller->ops->regrant(controller->adapter, export->handle, access,
				       export->waits);
	if (ret) {
		rsmka_row_put(row);
		return rsmka_adapter_error(ret);
	}
	rsmka_row_put(export->row);
	export->row = row;
	return 0;
}

/*
 * Nodes that import keep what the adapter has given them.  So it first gets
 * what the old and the new list give together, then the new list is in force,
 * and then the adapter gets what that and the importing nodes need.  If this
 * last step fails the old list is put back; what the adapter then gives too
 * much is of no use to nodes that are not told the key.
 */
static int rsmka_export_republish_locked(struct rsmka_export *export,
					 const struct rsmka_acl *acl, struct rsmka_acl *old)
{
	u32 local = rsmka_local_node();
	struct rsmka_access access = {};
	int ret;

	lockdep_assert_held(&export->lock);
	if (export->state != RSMKA_PUBLISHED)
		return -ENOENT;
	ret = rsmka_acl_check_paths(acl, export->controller);
	if (ret)
		return ret;

	rsmka_published_rows(export, &access);
	rsmka_acl_rows(acl, export->mode, local, &access);
	ret = rsmka_export_widen(export, acl, &access);
	if (ret)
		return ret;
	rsmka_published_set_acl(export, acl, old);
	memset(&access, 0, sizeof(access));
	rsmka_published_rows(export, &access);
	ret = rsmka_export_narrow(export, &access);
	if (ret)
		rsmka_published_set_acl(export, old, NULL);
	else
		rsmka_published_announce(export);
	return ret;
}

int rsmka_export_republish(struct rsmka_export *export, const struct rsmka_acl *acl)
{
	struct rsmka_acl *old = kmalloc(sizeof(*old), GFP_KERNEL_ACCOUNT);
	int ret;

	if (!old)
		return -ENOMEM;
	ret = rsmka_export_claim(export);
	if (!ret) {
		ret = rsmka_export_republish_locked(export, acl, old);
		rsmka_unhold(&export->lock);
	}
	kfree(old);
	return ret;
}
