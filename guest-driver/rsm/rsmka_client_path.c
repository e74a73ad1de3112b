// SPDX-License-Identifier: GPL-2.0-only
/*
 * Clients of the kernel that hear of paths, and what they ask about controllers
 * (rsm_client.h).  Told by rsmka_path.c and rsmka_controller.c.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <linux/export.h>
#include <linux/slab.h>

#include "../include/rsm/rsm_client.h"
#include "rsmka_path.h"

/* Its list, and what it was told, are the controller's watchers_lock's. */
struct rsm_client_paths {
	struct list_head list;		/* in controller->watchers */
	struct rsmka_controller *controller;	/* kept */
	const struct rsm_client_paths_ops *ops;
	void *priv;
	DECLARE_BITMAP(up, RSMKA_NODES);	/* as it was told */
};

struct rsmka_controller *rsm_client_controller_get(const char *name)
{
	return rsmka_controller_find(name);
}
EXPORT_SYMBOL_GPL(rsm_client_controller_get);

void rsm_client_controller_put(struct rsmka_controller *controller)
{
	rsmka_controller_put(controller);
}
EXPORT_SYMBOL_GPL(rsm_client_controller_put);

u32 rsm_client_local_node(void)
{
	return rsmka_local_node();
}
EXPORT_SYMBOL_GPL(rsm_client_local_node);

/* What it has not been told yet.  Who made a change tells of it after that. */
static void rsmka_watcher_tell(struct rsm_client_paths *watcher, struct rsmka_path *path)
{
	bool up = rsmka_path_session(path);

	lockdep_assert_held(&path->controller->watchers_lock);
	if (up == test_bit(path->node, watcher->up))
		return;
	assign_bit(path->node, watcher->up, up);
	if (up)
		watcher->ops->up(watcher->priv, path->node);
	else
		watcher->ops->down(watcher->priv, path->node);
}

void rsmka_watchers_tell(struct rsmka_path *path)
{
	struct rsmka_controller *controller = path->controller;
	struct rsm_client_paths *watcher;

	mutex_lock(&controller->watchers_lock);
	list_for_each_entry(watcher, &controller->watchers, list)
		rsmka_watcher_tell(watcher, path);
	mutex_unlock(&controller->watchers_lock);
}

/* The controller is `gone`, and its paths are down. */
void rsmka_watchers_gone(struct rsmka_controller *controller)
{
	struct rsm_client_paths *watcher;

	mutex_lock(&controller->watchers_lock);
	list_for_each_entry(watcher, &controller->watchers, list)
		watcher->ops->gone(watcher->priv);
	mutex_unlock(&controller->watchers_lock);
}

struct rsm_client_paths *rsm_client_paths_watch(struct rsmka_controller *controller,
						const struct rsm_client_paths_ops *ops,
						void *priv)
{
	struct rsm_client_paths *watcher = kzalloc(sizeof(*watcher), GFP_KERNEL);
	struct rsmka_path *path;
	u32 node;

	if (!watcher)
		return ERR_PTR(-ENOMEM);
	watcher->controller = controller;
	watcher->ops = ops;
	watcher->priv = priv;

	mutex_lock(&controller->watchers_lock);
	/* Either we see that it goes, or it finds us on its list. */
	if (READ_ONCE(controller->gone)) {
		mutex_unlock(&controller->watchers_lock);
		kfree(watcher);
		return ERR_PTR(-ENODEV);
	}
	rsmka_controller_keep(controller);
	list_add_tail(&watcher->list, &controller->watchers);
	for (node = 1; node < RSMKA_NODES; node++) {
		path = rsmka_path_find(controller, node);
		if (path)
			rsmka_watcher_tell(watcher, path);
	}
	mutex_unlock(&controller->watchers_lock);
	return watcher;
}
EXPORT_SYMBOL_GPL(rsm_client_paths_watch);

void rsm_client_paths_unwatch(struct rsm_client_paths *watcher)
{
	mutex_lock(&watcher->controller->watchers_lock);
	list_del(&watcher->list);
	mutex_unlock(&watcher->controller->watchers_lock);
	rsmka_controller_forget(watcher->controller);
	kfree(watcher);
}
EXPORT_SYMBOL_GPL(rsm_client_paths_unwatch);
