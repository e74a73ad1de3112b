// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is in use and what has happened, for people who look after a node:
 * SEGMENTS and COUNTERS.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * Anybody may ask, so there is nothing in it that helps to reach memory, and
 * no lock is held while the caller's memory is written.
 */
#include <linux/cred.h>
#include <linux/pid.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/uidgid.h>

#include "rsmka_file.h"

static const u32 rsmka_stat_export_states[] = {
	[RSMKA_BOUND] = RSM_EXPORT_STATE_BOUND,
	[RSMKA_PUBLISHED] = RSM_EXPORT_STATE_PUBLISHED,
	[RSMKA_ZOMBIE] = RSM_EXPORT_STATE_ZOMBIE,
};

static void rsmka_stat_owner(struct rsm_segment_row *row, const struct rsmka_owner *owner)
{
	row->pid = pid_vnr(owner->pid);
	row->uid = from_kuid_munged(current_user_ns(), owner->uid);
	row->gid = from_kgid_munged(current_user_ns(), owner->gid);
}

static void rsmka_stat_export(struct rsm_segment_row *row, struct rsmka_export *export)
{
	enum rsmka_export_state state = READ_ONCE(export->state);
	struct rsmka_share *share;

	/* Without export->lock: whoever looks for what hangs must not hang as well. */
	row->kind = RSM_ROW_EXPORT;
	row->state = rsmka_stat_export_states[state];
	row->length = export->length;
	row->mode = export->mode;
	row->node = rsmka_local_node();
	strscpy(row->controller, export->controller->name, sizeof(row->controller));
	rsmka_stat_owner(row, &export->owner);
	if (state != RSMKA_PUBLISHED)
		return;

	row->segment_id = READ_ONCE(export->segment_id);
	mutex_lock(&rsmka_shares_lock);
	spin_lock(&export->visitors_lock);
	row->acl_len = export->acl.len;
	row->nodes = export->nr_tokens;
	list_for_each_entry(share, &export->local, local) {
		row->mappings += READ_ONCE(share->mappings);
		row->imports += share->nr_imports;
	}
	spin_unlock(&export->visitors_lock);
	mutex_unlock(&rsmka_shares_lock);
}

static void rsmka_stat_import(struct rsm_segment_row *row, const struct rsmka_segment *importer,
			      const struct rsmka_share *share)
{
	lockdep_assert_held(&rsmka_shares_lock);
	row->kind = RSM_ROW_IMPORT;
	row->state = share->state == RSMKA_CONNECTED ? RSM_IMPORT_STATE_CONNECTED :
						       RSM_IMPORT_STATE_ENDED;
	row->length = share->grant.length;
	row->segment_id = share->segment_id;
	row->node = share->node;
	row->mode = importer->mode;
	row->mappings = READ_ONCE(share->mappings);
	row->imports = share->nr_imports;
	strscpy(row->controller, share->controller->name, sizeof(row->controller));
}

static void rsmka_stat_segment(struct rsm_segment_row *row, struct rsmka_segment *seg)
{
	struct rsmka_export *export = rsmka_segment_export(seg);
	struct rsmka_share *share;
	unsigned long flags;

	row->number = seg->number;
	row->kind = RSM_ROW_NEW;
	rsmka_stat_owner(row, &seg->owner);
	if (export) {
		rsmka_stat_export(row, export);
	} else {
		mutex_lock(&rsmka_shares_lock);
		share = rsmka_segment_share(seg);
		/* Off the list means closed, or not connected yet. */
		if (share && seg->sharing)
			rsmka_stat_import(row, seg, share);
		mutex_unlock(&rsmka_shares_lock);
	}

	spin_lock_irqsave(&seg->events.wait.lock, flags);
	row->pending = rsmka_events_pending(&seg->events);
	row->dropped = seg->events.dropped + READ_ONCE(seg->events.words->dropped);
	row->received = seg->events.taken + row->pending + row->dropped;
	spin_unlock_irqrestore(&seg->events.wait.lock, flags);
}

int rsmka_stat_segments(struct rsm_ioc_segments *arg)
{
	struct rsm_segment_row __user *rows = u64_to_user_ptr(arg->rows);
	struct rsmka_segment *seg;
	unsigned long number;
	u32 count = 0;

	for (number = 0; (seg = rsmka_segment_next(&number)); number++) {
		struct rsm_segment_row row = {};

		if (count < arg->capacity)
			rsmka_stat_segment(&row, seg);
		rsmka_segment_put(seg);
		if (count < arg->capacity && copy_to_user(&rows[count], &row, sizeof(row)))
			return -EFAULT;
		count++;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	arg->count = count;
	return 0;
}

/* ---- controllers and paths ---- */

/* Rows collected so far; those beyond capacity are only counted. */
struct rsmka_stat_rows {
	struct rsm_path_row *row;
	u32 capacity;
	u32 count;
};

static struct rsm_path_row *rsmka_stat_add(struct rsmka_stat_rows *rows,
					   const struct rsmka_controller *controller, u32 node,
					   const struct rsmka_counters *counters)
{
	struct rsm_path_row *row;
	unsigned int i;

	if (rows->count++ >= rows->capacity)
		return NULL;
	row = &rows->row[rows->count - 1];
	strscpy(row->controller, controller->name, sizeof(row->controller));
	row->node = node;
	for (i = 0; counters && i < RSM_COUNTS; i++)
		row->count[i] = atomic64_read(&counters->count[i]);
	return row;
}

/* The adapters know nodes that no agent has ever spoken to. */
static void rsmka_stat_node(struct rsmka_stat_rows *rows, struct rsmka_controller *controller,
			    u32 node)
{
	struct rsmka_path *path = rsmka_path_find(controller, node);
	const struct rsm_path_state *live;
	struct rsm_path_link link;
	struct rsm_path_row *row;
	phys_addr_t phys;

	live = controller->ops->path_state(controller->adapter, node, &phys);
	link.link = le32_to_cpu(READ_ONCE(live->link));
	link.incarnation = le32_to_cpu(READ_ONCE(live->incarnation));
	link.changes = le32_to_cpu(READ_ONCE(live->changes));
	link.errors = le32_to_cpu(READ_ONCE(live->errors));
	link.last_error = le32_to_cpu(READ_ONCE(live->last_error));
	link.lines = le32_to_cpu(READ_ONCE(live->lines));
	link.revokes = le32_to_cpu(READ_ONCE(live->revokes));
	if (!path && !link.link && !link.errors)
		return;
	row = rsmka_stat_add(rows, controller, node, path ? &path->counters : NULL);
	if (!row)
		return;
	row->link = link;
	row->state = path ? rsmka_path_state(path) : RSM_PATH_DOWN;
}

static void rsmka_stat_collect(struct rsmka_stat_rows *rows)
{
	struct rsmka_controller *controller;
	u32 node;

	rsmka_stat_add(rows, rsmka_loopback, 0, &rsmka_loopback->counters);
	mutex_lock(&rsmka_controllers_lock);
	list_for_each_entry(controller, &rsmka_controllers, list) {
		rsmka_stat_add(rows, controller, 0, &controller->counters);
		for (node = 1; node < RSMKA_NODES; node++)
			if (node != controller->node)
				rsmka_stat_node(rows, controller, node);
	}
	mutex_unlock(&rsmka_controllers_lock);
}

int rsmka_stat_counters(struct rsm_ioc_counters *arg)
{
	/* More than that many nodes on that many adapters is no machine. */
	struct rsmka_stat_rows rows = { .capacity = min_t(u32, arg->capacity, 32 * RSMKA_NODES) };
	int ret = 0;
	u32 filled;

	rows.row = kvcalloc(max_t(u32, rows.capacity, 1), sizeof(*rows.row), GFP_KERNEL_ACCOUNT);
	if (!rows.row)
		return -ENOMEM;
	rsmka_stat_collect(&rows);
	filled = min(rows.count, rows.capacity);
	if (copy_to_user(u64_to_user_ptr(arg->rows), rows.row, filled * sizeof(*rows.row)))
		ret = -EFAULT;
	kvfree(rows.row);

	arg->count = rows.count;
	arg->pinned_bytes = (u64)rsmka_pinned_pages() << PAGE_SHIFT;
	arg->max_pinned_bytes = (u64)rsmka_pinned_limit() << PAGE_SHIFT;
	arg->segments = atomic_read(&rsmka_segments_open);
	arg->max_segments = rsmka_max_segments;
	arg->ids = atomic_read(&rsmka_ids);
	arg->generated_ids = atomic_read(&rsmka_generated_ids);
	arg->local_node = rsmka_local_node();
	return ret;
}
