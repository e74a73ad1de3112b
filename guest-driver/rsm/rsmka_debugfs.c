// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/debug/rsm: what the agent has, for people who look for a fault.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <linux/debugfs.h>
#include <linux/pid.h>
#include <linux/seq_file.h>
#include <linux/uidgid.h>

#include "rsmka_path.h"

static struct dentry *rsmka_debugfs;

static const char * const rsmka_path_states[] = {
	[RSM_PATH_DOWN] = "down",
	[RSM_PATH_UP] = "up",
	[RSM_PATH_ACTIVE] = "active",
	[RSM_PATH_GOING_DOWN] = "going-down",
};

static const char * const rsmka_export_states[] = {
	[RSMKA_BOUND] = "bound",
	[RSMKA_PUBLISHED] = "published",
	[RSMKA_ZOMBIE] = "zombie",
};

static const char * const rsmka_share_states[] = {
	[RSMKA_CONNECTING] = "connecting",
	[RSMKA_CONNECTED] = "connected",
	[RSMKA_ENDING] = "ending",
	[RSMKA_ENDED] = "ended",
};

static void rsmka_show_path(struct seq_file *s, struct rsmka_path *path)
{
	seq_printf(s, "  node %u %s session %u outbox %u dropped %lld\n",
		   path->node, rsmka_path_states[rsmka_path_state(path)],
		   rsmka_path_session(path), READ_ONCE(path->outbox_count),
		   atomic64_read(&path->counters.count[RSM_COUNT_MESSAGES_DROPPED]));
}

static int controllers_show(struct seq_file *s, void *unused)
{
	struct rsmka_controller *controller;
	struct rsmka_path *path;
	u32 node;

	seq_printf(s, "local node %u\n", rsmka_local_node());
	mutex_lock(&rsmka_controllers_lock);
	list_for_each_entry(controller, &rsmka_controllers, list) {
		seq_printf(s, "%s hwaddr %llu active %u\n", controller->name, controller->hwaddr,
			   refcount_read(&controller->active));
		for (node = 1; node < RSMKA_NODES; node++) {
			path = rsmka_path_find(controller, node);
			if (path)
				rsmka_show_path(s, path);
		}
	}
	mutex_unlock(&rsmka_controllers_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(controllers);

static void rsmka_show_all(struct seq_file *s,
			   void (*show)(struct seq_file *s, struct rsmka_segment *seg))
{
	struct rsmka_segment *seg;
	unsigned long number;

	for (number = 0; (seg = rsmka_segment_next(&number)); number++) {
		show(s, seg);
		rsmka_segment_put(seg);
	}
}

static void rsmka_show_export(struct seq_file *s, struct rsmka_segment *seg)
{
	struct rsmka_export *export = rsmka_segment_export(seg);
	enum rsmka_export_state state;
	unsigned int local, remote;

	if (!export)
		return;
	/* Without export->lock: whoever looks for what hangs must not hang as well. */
	state = READ_ONCE(export->state);
	spin_lock(&export->visitors_lock);
	local = rsmka_list_length(&export->local);
	remote = export->nr_tokens;
	spin_unlock(&export->visitors_lock);
	seq_printf(s, "%u %s %s segment_id %08x length %llu creator %d uid %u gid %u mode %04o acl %u local %u remote %u events %u refs %u\n",
		   seg->number, export->controller->name, rsmka_export_states[state],
		   state == RSMKA_PUBLISHED ? READ_ONCE(export->segment_id) : 0, export->length,
		   pid_nr(export->owner.pid), from_kuid(&init_user_ns, export->owner.uid),
		   from_kgid(&init_user_ns, export->owner.gid), export->mode, export->acl.len,
		   local, remote, rsmka_events_pending(&seg->events), kref_read(&seg->ref));
}

static int exports_show(struct seq_file *s, void *unused)
{
	rsmka_show_all(s, rsmka_show_export);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(exports);

static void rsmka_show_import(struct seq_file *s, struct rsmka_segment *seg)
{
	struct rsmka_share *share;

	mutex_lock(&rsmka_shares_lock);
	/* Off the list means closed, or not connected yet. */
	share = seg->sharing ? rsmka_segment_share(seg) : NULL;
	if (share)
		seq_printf(s, "%u %s %s node %u segment_id %08x length %llu mode %04o of %04o uid %u gid %u share %llu users %u mappings %lu events %u\n",
			   seg->number, share->controller->name,
			   rsmka_share_states[share->state], share->node, share->segment_id,
			   share->grant.length, seg->mode, share->grant.mode, share->grant.uid,
			   share->grant.gid, share->cookie, share->users,
			   READ_ONCE(share->mappings), rsmka_events_pending(&seg->events));
	mutex_unlock(&rsmka_shares_lock);
}

static int imports_show(struct seq_file *s, void *unused)
{
	rsmka_show_all(s, rsmka_show_import);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(imports);

void rsmka_debugfs_init(void)
{
	rsmka_debugfs = debugfs_create_dir("rsm", NULL);
	debugfs_create_file("controllers", 0444, rsmka_debugfs, NULL, &controllers_fops);
	debugfs_create_file("exports", 0444, rsmka_debugfs, NULL, &exports_fops);
	debugfs_create_file("imports", 0444, rsmka_debugfs, NULL, &imports_fops);
}

void rsmka_debugfs_exit(void)
{
	debugfs_remove_recursive(rsmka_debugfs);
}
