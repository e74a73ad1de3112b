// SPDX-License-Identifier: GPL-2.0-only
/*
 * Export segments: creation, change and loss of their memory, and their end.
 * Called by ioctls, by the watch over the exported memory, and when a
 * controller goes.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <linux/cred.h>
#include <linux/fs_struct.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "rsmka_path.h"

static int rsmka_export_check_range(u64 vaddr, u64 length,
				    const struct rsmka_controller *controller)
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

static struct rsmka_export *rsmka_export_alloc(struct rsmka_segment *seg,
					       struct rsmka_controller *controller,
					       const struct rsm_ioc_export *arg)
{
	struct rsmka_export *export = kzalloc(sizeof(*export), GFP_KERNEL_ACCOUNT);

	if (!export)
		return NULL;
	export->event_page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!export->event_page) {
		kfree(export);
		return NULL;
	}
	rsmka_hold_init(&export->lock);
	spin_lock_init(&export->visitors_lock);
	rsmka_looks_init(&export->looks);
	init_waitqueue_head(&export->ended);
	INIT_LIST_HEAD(&export->on_ends);
	INIT_LIST_HEAD(&export->tokens);
	INIT_LIST_HEAD(&export->local);
	INIT_LIST_HEAD(&export->on_controller);
	export->segment = seg;
	export->controller = controller;
	export->length = arg->length;
	export->flags = arg->flags;
	export->creator = get_pid(task_tgid(current));
	export->uid = current_euid();
	export->gid = current_egid();
	export->mode = RSMKA_MODE & ~current_umask();
	return export;
}

/* Its memory goes, and it needs the adapter's module no more. */
void rsmka_export_gone(struct rsmka_export *export)
{
	if (export->binding) {
		rsmka_unpin(&export->binding->pinned);
		kfree(export->binding);
	}
	module_put(export->controller->ops->owner);
}

/* After rsmka_export_gone(), when nobody looks at it any more. */
void rsmka_export_free(struct rsmka_export *export)
{
	rsmka_controller_forget(export->controller);
	put_pid(export->creator);
	/* Nobody posts any more: nobody finds the segment, and no node reaches the page. */
	__free_page(export->event_page);
	kfree_rcu(export, rcu);
}

/* ---- memory ---- */

/*
 * Pin memory of the calling process and watch it from before that on.  That may
 * last as long as whoever provides the pages likes, so no lock is held.  What is
 * noticed meanwhile is looked at when the binding is the export's.
 */
static int rsmka_binding_new(struct rsmka_export *export, unsigned long start,
			     struct rsmka_binding **out)
{
	struct rsmka_binding *binding;
	int ret;

	binding = kzalloc(sizeof(*binding), GFP_KERNEL_ACCOUNT);
	if (!binding)
		return -ENOMEM;
	binding->export = export;
	ret = rsmka_watch_start(&binding->watch, &export->looks, current->mm, start,
				export->length);
	if (ret) {
		kfree(binding);
		return ret == -EINTR ? ret : -ENOMEM;
	}
	ret = rsmka_pin(&binding->pinned, export->segment->user, start,
			export->length >> PAGE_SHIFT);
	if (ret) {
		rsmka_binding_free(binding);
		return ret;
	}
	*out = binding;
	return 0;
}

/* Without export->lock.  Nobody uses the pages. */
void rsmka_binding_free(struct rsmka_binding *binding)
{
	if (!binding)
		return;
	rsmka_watch_stop(&binding->watch);
	rsmka_unpin(&binding->pinned);
	kfree(binding);
}

static int rsmka_export_bind(struct rsmka_export *export, unsigned long start)
{
	struct rsmka_binding *binding;
	int ret;

	ret = rsmka_binding_new(export, start, &binding);
	if (ret)
		return ret;
	rsmka_hold(&export->lock);
	export->state = RSMKA_BOUND;
	export->binding = binding;
	rsmka_unhold(&export->lock);
	rsmka_watch_resume(&binding->watch);
	return 0;
}

static int rsmka_export_create_claimed(struct rsmka_segment *seg,
				       const struct rsm_ioc_export *arg)
{
	struct rsmka_controller *controller;
	struct rsmka_export *export;
	int ret;

	controller = rsmka_controller_find(arg->controller);
	if (!controller)
		return -ENODEV;
	ret = rsmka_export_check_range(arg->vaddr, arg->length, controller);
	if (ret)
		goto put_controller;
	export = rsmka_export_alloc(seg, controller, arg);
	if (!export) {
		ret = -ENOMEM;
		goto put_controller;
	}
	ret = rsmka_export_bind(export, arg->vaddr);
	if (ret) {
		rsmka_export_gone(export);
		rsmka_export_free(export);
		return ret;
	}
	rsmka_events_share(&seg->events, page_address(export->event_page));
	/* Pairs with rsmka_segment_export(). */
	smp_store_release(&seg->export, export);
	return 0;

put_controller:
	rsmka_controller_put(controller);
	return ret;
}

int rsmka_export_create(struct rsmka_segment *seg, struct rsm_ioc_export *arg)
{
	int ret;

	if (arg->flags & RSM_EXPORT_DONTWAIT) {
		if (!mutex_trylock(&seg->lock))
			return -ENOSPC;
	} else if (mutex_lock_interruptible(&seg->lock)) {
		return -EINTR;
	}
	if (seg->export || !rsmka_segment_claim(seg, RSMKA_EXPORTER))
		ret = -EBADFD;
	else
		ret = rsmka_export_create_claimed(seg, arg);
	mutex_unlock(&seg->lock);
	return ret;
}

/* May it be rebound?  *same: to the memory that it has. */
static int rsmka_export_rebind_check(struct rsmka_export *export, u64 start, bool *same)
{
	lockdep_assert_held(&export->lock);
	if (export->state == RSMKA_ZOMBIE)
		return -EBADFD;
	*same = start == export->binding->pinned.start;
	return *same ? 0 :
		       rsmka_export_check_range(start, export->length, export->controller);
}

/* Importers go over to @fresh.  *unneeded: what nobody uses then. */
static void rsmka_export_rebind_locked(struct rsmka_export *export, struct rsmka_binding *fresh,
				       struct rsmka_binding **unneeded)
{
	struct rsmka_binding *old = export->binding;

	lockdep_assert_held(&export->lock);
	/* Who connects from now on gets the new pages, who is connected follows. */
	spin_lock(&export->visitors_lock);
	export->binding = fresh;
	spin_unlock(&export->visitors_lock);
	rsmka_published_rebound(export, old->pinned.pages);
	if (!export->handle) {
		*unneeded = old;
		return;
	}
	*unneeded = NULL;
	export->replaced = old;
	export->ending = RSMKA_REBINDING;
	rsmka_end_begin(export);
}

/* Put new memory in the place of the old, unless something has come in between. */
static int rsmka_export_rebind_to(struct rsmka_export *export, struct rsmka_binding *fresh)
{
	struct rsmka_binding *unneeded = fresh;
	bool same = false;
	int ret;

	ret = rsmka_export_enter(export);
	if (!ret) {
		ret = rsmka_export_rebind_check(export, fresh->pinned.start, &same);
		if (!ret && !same)
			rsmka_export_rebind_locked(export, fresh, &unneeded);
		rsmka_unhold(&export->lock);
	}
	if (unneeded != fresh)
		rsmka_watch_resume(&fresh->watch);
	rsmka_binding_free(unneeded);
	return ret ? ret : rsmka_export_await(export);
}

int rsmka_export_rebind(struct rsmka_segment *seg, struct rsm_ioc_rebind *arg)
{
	struct rsmka_export *export = rsmka_segment_export(seg);
	struct rsmka_binding *fresh;
	bool same;
	int ret;

	if (!export)
		return -EBADFD;
	if (!(export->flags & RSM_EXPORT_ALLOW_REBIND))
		return RSMERR_REBIND_NOT_ALLOWED;
	if (!rsmka_export_is_mine(export))
		return RSMERR_NOT_CREATOR;
	if (arg->vaddr == 0)
		return RSMERR_BAD_ADDR;
	if (arg->length != export->length)
		return RSMERR_BAD_LENGTH;

	ret = rsmka_export_enter(export);
	if (ret)
		return ret;
	ret = rsmka_export_rebind_check(export, arg->vaddr, &same);
	rsmka_unhold(&export->lock);
	if (ret || same)
		return ret;
	ret = rsmka_binding_new(export, arg->vaddr, &fresh);
	return ret ? ret : rsmka_export_rebind_to(export, fresh);
}

/* ---- the end ---- */

/* The memory is gone, and the export over once peers have let go of it. */
void rsmka_export_memory_lost(struct rsmka_export *export)
{
	lockdep_assert_held(&export->lock);
	export->lost = true;
	if (export->ending == RSMKA_NOTHING && export->state == RSMKA_PUBLISHED)
		rsmka_export_withdraw(export);
	/* Otherwise the work does the rest. */
	if (export->ending == RSMKA_NOTHING) {
		export->state = RSMKA_ZOMBIE;
		rsmka_unpin(&export->binding->pinned);
	}
}

void rsmka_export_controller_gone(struct rsmka_export *export)
{
	struct rsmka_controller *controller = export->controller;

	rsmka_hold(&export->lock);
	if (export->ending == RSMKA_NOTHING && export->state == RSMKA_PUBLISHED)
		rsmka_export_withdraw(export);
	rsmka_unhold(&export->lock);
	/* If it is being rebound, the work withdraws it. */
	mutex_lock(&controller->lock);
	list_del_init(&export->on_controller);
	mutex_unlock(&controller->lock);
}

/*
 * The descriptor is gone, whoever closed it last.  True: peers have not let go
 * yet, and the work does the rest.
 */
bool rsmka_export_close(struct rsmka_export *export)
{
	bool later;

	rsmka_watch_stop(&export->binding->watch);
	rsmka_hold(&export->lock);
	export->closing = true;
	if (export->ending == RSMKA_NOTHING && export->state == RSMKA_PUBLISHED)
		rsmka_export_withdraw(export);
	later = export->ending != RSMKA_NOTHING;
	rsmka_unhold(&export->lock);
	if (!later)
		rsmka_export_gone(export);
	return later;
}
