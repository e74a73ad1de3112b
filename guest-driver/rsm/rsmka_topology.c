// SPDX-License-Identifier: GPL-2.0-only
/*
 * What programs ask about the agent, its controllers and their paths: INFO,
 * CONTROLLER, TOPOLOGY.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "rsmka_file.h"

int rsmka_topology_info(struct rsm_ioc_info *arg)
{
	arg->version = RSM_UAPI_VERSION;
	arg->local_node = rsmka_local_node();
	arg->max_segments = rsmka_max_segments;
	arg->generation_bytes = rsmka_generation_bytes;
	return 0;
}

int rsmka_topology_controller(struct rsm_ioc_controller *arg)
{
	struct rsmka_controller *controller = rsmka_controller_find(arg->name);
	const struct rsmka_attr *attr;

	if (!controller)
		return -ENODEV;
	attr = &controller->attr;
	arg->direct_access_sizes = attr->direct_access_sizes;
	arg->atomic_sizes = attr->atomic_sizes;
	arg->page_size = attr->page_size;
	arg->max_export_segment_size = attr->max_export_segment_size;
	arg->tot_export_segment_size = attr->tot_export_segment_size;
	arg->max_export_segments = attr->max_export_segments;
	arg->max_import_map_size = attr->max_import_map_size;
	arg->tot_import_map_size = attr->tot_import_map_size;
	arg->max_import_segments = attr->max_import_segments;
	arg->hwaddr = controller->hwaddr;
	rsmka_controller_put(controller);
	return 0;
}

/* Rows collected so far; those beyond capacity are only counted. */
struct rsmka_rows {
	struct rsm_topology_row *row;
	u32 capacity;
	u32 count;
};

static void rsmka_rows_add(struct rsmka_rows *rows, const struct rsmka_controller *controller,
			   struct rsmka_path *path)
{
	struct rsm_topology_row *row;

	if (rows->count++ >= rows->capacity)
		return;
	row = &rows->row[rows->count - 1];
	strscpy(row->controller, controller->name, sizeof(row->controller));
	row->local_hwaddr = controller->hwaddr;
	if (!path)
		return;
	row->remote_node = path->node;
	row->state = rsmka_path_state(path);
	spin_lock_irq(&path->lock);
	snprintf(row->remote_controller, sizeof(row->remote_controller), "%s%u",
		 controller->type, path->remote_unit);
	row->remote_hwaddr = path->remote_hwaddr;
	spin_unlock_irq(&path->lock);
}

static void rsmka_rows_collect(struct rsmka_rows *rows)
{
	struct rsmka_controller *controller;
	struct rsmka_path *path;
	u32 node;

	mutex_lock(&rsmka_controllers_lock);
	list_for_each_entry(controller, &rsmka_controllers, list) {
		rsmka_rows_add(rows, controller, NULL);
		for (node = 1; node < RSMKA_NODES; node++) {
			path = rsmka_path_find(controller, node);
			if (path)
				rsmka_rows_add(rows, controller, path);
		}
	}
	mutex_unlock(&rsmka_controllers_lock);
}

int rsmka_topology_rows(struct rsm_ioc_topology *arg)
{
	/* More than that many nodes on that many adapters is no machine. */
	struct rsmka_rows rows = { .capacity = min_t(u32, arg->capacity, 32 * RSMKA_NODES) };
	int ret = 0;
	u32 filled;

	rows.row = kvcalloc(max_t(u32, rows.capacity, 1), sizeof(*rows.row), GFP_KERNEL_ACCOUNT);
	if (!rows.row)
		return -ENOMEM;
	rsmka_rows_collect(&rows);
	filled = min(rows.count, rows.capacity);
	if (copy_to_user(u64_to_user_ptr(arg->rows), rows.row, filled * sizeof(*rows.row)))
		ret = -EFAULT;
	kvfree(rows.row);
	arg->count = rows.count;
	arg->local_node = rsmka_local_node();
	return ret;
}
