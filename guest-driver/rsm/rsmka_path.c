// SPDX-License-Identifier: GPL-2.0-only
/*
 * Paths: each node as each controller reaches it.  The adapter says when a session with the
 * agent there begins and when it ends.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 *	DOWN --peer_up--> ACTIVE --peer_down--> GOING_DOWN --(all that was agreed is void)--> DOWN
 *
 * A program sees DOWN as UP while the link to the node is up and only its agent is missing.
 */
#include <linux/slab.h>

#include "rsmka_path.h"

struct rsmka_path *rsmka_path_find(struct rsmka_controller *controller, u32 node)
{
	/* Pairs with rsmka_path_obtain(). */
	return node < RSMKA_NODES ? smp_load_acquire(&controller->paths[node]) : NULL;
}

/* RSM_PATH_*; the controller is registered. */
u32 rsmka_path_state(struct rsmka_path *path)
{
	const struct rsmka_controller *controller = path->controller;
	const struct rsm_path_state *link;
	u32 state = READ_ONCE(path->state);
	phys_addr_t phys;

	if (state != RSM_PATH_DOWN || !controller->ops->path_state)
		return state;
	link = controller->ops->path_state(controller->adapter, path->node, &phys);
	return le32_to_cpu(READ_ONCE(link->link)) == RSM_LINK_UP ? RSM_PATH_UP : RSM_PATH_DOWN;
}

static struct rsmka_path *rsmka_path_obtain(struct rsmka_controller *controller, u32 node)
{
	struct rsmka_path *path;

	mutex_lock(&controller->paths_lock);
	path = controller->paths[node];
	if (!path) {
		path = kzalloc(sizeof(*path), GFP_KERNEL);
		if (path) {
			path->controller = controller;
			path->node = node;
			path->state = RSM_PATH_DOWN;
			spin_lock_init(&path->lock);
			init_waitqueue_head(&path->wait);
			INIT_LIST_HEAD(&path->shares);
			INIT_LIST_HEAD(&path->tokens);
			rsmka_ipc_init(path);
			/* Pairs with rsmka_path_find(). */
			smp_store_release(&controller->paths[node], path);
		}
	}
	mutex_unlock(&controller->paths_lock);
	return path;
}

int rsmka_peer_up(struct rsmka_controller *controller, u32 node,
		  const struct rsmka_peer_info *info)
{
	struct rsmka_path *path;

	if (node == 0 || node >= RSMKA_NODES || node == rsmka_local_node())
		return 0;
	path = rsmka_path_obtain(controller, node);
	if (!path)
		return -ENOMEM;
	spin_lock_irq(&path->lock);
	/* Once the controller goes, a path stays down. */
	if (!READ_ONCE(controller->gone)) {
		path->state = RSM_PATH_ACTIVE;
		path->remote_unit = info->unit;
		path->remote_hwaddr = info->hwaddr;
		WRITE_ONCE(path->session, info->session);
		rsmka_count(&path->counters, RSM_COUNT_SESSIONS);
	}
	spin_unlock_irq(&path->lock);
	rsmka_watchers_tell(path);
	return 0;
}
EXPORT_SYMBOL_GPL(rsmka_peer_up);

/* What was agreed with the peer is void: its imports here, our imports there. */
void rsmka_peer_down(struct rsmka_controller *controller, u32 node)
{
	struct rsmka_path *path = rsmka_path_find(controller, node);
	LIST_HEAD(forgotten);
	bool agreed;

	if (!path)
		return;
	spin_lock_irq(&path->lock);
	agreed = path->state == RSM_PATH_ACTIVE;
	path->state = RSM_PATH_GOING_DOWN;
	WRITE_ONCE(path->session, 0);
	rsmka_ipc_reset_locked(path, &forgotten);
	spin_unlock_irq(&path->lock);
	rsmka_ipc_forget(path, &forgotten);

	if (agreed) {
		rsmka_shares_node_lost(path);
		rsmka_published_node_lost(path);
	}

	spin_lock_irq(&path->lock);
	path->state = RSM_PATH_DOWN;
	spin_unlock_irq(&path->lock);
	rsmka_watchers_tell(path);
}
EXPORT_SYMBOL_GPL(rsmka_peer_down);

/* The controller goes; the path is down. */
void rsmka_path_stop(struct rsmka_path *path)
{
	cancel_work_sync(&path->outbox_work);
}

void rsmka_path_free(struct rsmka_path *path)
{
	kfree(path);
}
