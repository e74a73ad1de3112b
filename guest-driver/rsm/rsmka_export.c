// SPDX-License-Identifier: GPL-2.0-only
/*
 * Export segments: creation, change and loss of their memory, and their end.
 * Called by their owners, and when a controller goes.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/slab.h>

#include "rsmka_path.h"

/* Takes over the reference to the controller, if it succeeds.  NULL if there is no memory. */
struct rsmka_export *rsmka_export_alloc(struct rsmka_segment *seg,
					struct rsmka_controller *controller, u64 length,
					const struct rsmka_owner *owner, u32 mode, bool waits)
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
	init_waitqueue_head(&export->ended);
	INIT_LIST_HEAD(&export->on_ends);
	INIT_LIST_HEAD(&export->tokens);
	INIT_LIST_HEAD(&export->local);
	INIT_LIST_HEAD(&export->on_controller);
	export->segment = seg;
	export->controller = controller;
	export->length = length;
	export->owner = *owner;
	get_pid(export->owner.pid);
	export->mode = mode;
	export->waits = waits;
	return export;
}

/* Its memory goes, and it needs the adapter's module no more. */
void rsmka_export_gone(struct rsmka_export *export)
{
	if (export->memory) {
		export->memory->ops->free(export->memory);
		export->memory = NULL;
	}
	module_put(export->controller->ops->owner);
}

/* After rsmka_export_gone(), when nobody looks at it any more. */
void rsmka_export_free(struct rsmka_export *export)
{
	rsmka_controller_forget(export->controller);
	put_pid(export->owner.pid);
	/* Nobody finds the segment and no node reaches the page, but who has found it may post. */
	rsmka_events_unshare(&export->segment->events);
	__free_page(export->event_page);
	kfree_rcu(export, rcu);
}

/* ---- memory ---- */

/* Before anybody else knows the export. */
void rsmka_export_bind(struct rsmka_export *export, struct rsmka_memory *memory)
{
	rsmka_hold(&export->lock);
	export->state = RSMKA_BOUND;
	export->memory = memory;
	rsmka_unhold(&export->lock);
}

/* From now on the segment is this export, and others may rebind it. */
void rsmka_export_show(struct rsmka_export *export)
{
	struct rsmka_segment *seg = export->segment;

	rsmka_events_share(&seg->events, page_address(export->event_page));
	/* Pairs with rsmka_segment_export(). */
	smp_store_release(&seg->export, export);
}

/* Importers go over to @fresh.  *unneeded: what nobody uses then, or NULL. */
void rsmka_export_rebind_locked(struct rsmka_export *export, struct rsmka_memory *fresh,
				struct rsmka_memory **unneeded)
{
	struct rsmka_memory *old = export->memory;

	lockdep_assert_held(&export->lock);
	/* Who connects from now on gets the new pages, who is connected follows. */
	spin_lock(&export->visitors_lock);
	export->memory = fresh;
	spin_unlock(&export->visitors_lock);
	rsmka_published_rebound(export, old->pages);
	if (!export->handle) {
		*unneeded = old;
		return;
	}
	*unneeded = NULL;
	export->replaced = old;
	export->ending = RSMKA_REBINDING;
	rsmka_end_begin(export);
}

/* ---- the end ---- */

/* The memory is gone, and the export over once peers have let go of it. */
void rsmka_export_memory_lost(struct rsmka_export *export)
{
	lockdep_assert_held(&export->lock);
	WRITE_ONCE(export->lost, true);
	if (export->ending == RSMKA_NOTHING && export->state == RSMKA_PUBLISHED)
		rsmka_export_unpublish_locked(export);
	/* Otherwise the work does the rest. */
	if (export->ending == RSMKA_NOTHING) {
		export->state = RSMKA_ZOMBIE;
		export->memory->ops->drop(export->memory);
	}
}

void rsmka_export_controller_gone(struct rsmka_export *export)
{
	struct rsmka_controller *controller = export->controller;

	rsmka_hold(&export->lock);
	if (export->ending == RSMKA_NOTHING && export->state == RSMKA_PUBLISHED)
		rsmka_export_unpublish_locked(export);
	rsmka_unhold(&export->lock);
	/* If it is being rebound, the work unpublishes it. */
	mutex_lock(&controller->lock);
	list_del_init(&export->on_controller);
	mutex_unlock(&controller->lock);
}

/* Its owner has gone.  True: peers have not let go yet, and the work does the rest. */
bool rsmka_export_close(struct rsmka_export *export)
{
	bool later;

	rsmka_hold(&export->lock);
	export->closing = true;
	if (export->ending == RSMKA_NOTHING && export->state == RSMKA_PUBLISHED)
		rsmka_export_unpublish_locked(export);
	later = export->ending != RSMKA_NOTHING;
	rsmka_unhold(&export->lock);
	if (!later)
		rsmka_export_gone(export);
	return later;
}
