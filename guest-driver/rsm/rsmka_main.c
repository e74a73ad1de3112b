// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading and unloading of the kernel agent.  Owns the module parameters and
 * the order in which the parts start.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>

#include "rsmka_file.h"

unsigned int rsmka_max_segments = 65535;
module_param_named(max_segments, rsmka_max_segments, uint, 0444);
MODULE_PARM_DESC(max_segments, "Segments that may be open at the same time (1..65535)");

unsigned int rsmka_max_exported_memory;
module_param_named(max_exported_memory, rsmka_max_exported_memory, uint, 0444);
MODULE_PARM_DESC(max_exported_memory, "Percent of memory that may be exported, 0 = no limit");

module_param_named(max_user_share, rsmka_max_user_share, uint, 0444);
MODULE_PARM_DESC(max_user_share,
		 "Percent of what all users share that one may have without CAP_SYS_RESOURCE (1..100)");

module_param_named(enable_dynamic_reconfiguration, rsmka_dynamic_reconfiguration, bool, 0644);
MODULE_PARM_DESC(enable_dynamic_reconfiguration,
		 "Refuse to take memory offline that is exported (default: 1)");

module_param_named(busy_poll, rsmka_busy_poll, uint, 0644);
MODULE_PARM_DESC(busy_poll,
		 "Microseconds to look for an event before sleeping, at most 1000 (0: never)");

/*
 * Runs outboxes of paths, which wait for peers.  Nothing
 * else: a user could keep them from running with any number of that.
 */
struct workqueue_struct *rsmka_workqueue;

/* Runs looks at exported memory, which wait for nobody. */
struct workqueue_struct *rsmka_look_workqueue;

/* Runs ends that wait for peers: one work item per controller. */
struct workqueue_struct *rsmka_close_workqueue;

static int __init rsmka_init(void)
{
	int ret;

	if (rsmka_max_segments < 1 || rsmka_max_segments > 65535 ||
	    rsmka_max_exported_memory > 100 || rsmka_max_user_share < 1 ||
	    rsmka_max_user_share > 100) {
		pr_err("max_segments, max_exported_memory or max_user_share out of range\n");
		return -EINVAL;
	}

	rsmka_workqueue = alloc_workqueue("rsm", WQ_UNBOUND, WQ_MAX_ACTIVE);
	if (!rsmka_workqueue)
		return -ENOMEM;
	rsmka_look_workqueue = alloc_workqueue("rsm-look", WQ_UNBOUND, WQ_MAX_ACTIVE);
	if (!rsmka_look_workqueue) {
		ret = -ENOMEM;
		goto destroy_workqueue;
	}
	rsmka_close_workqueue = alloc_workqueue("rsm-close", WQ_UNBOUND, WQ_MAX_ACTIVE);
	if (!rsmka_close_workqueue) {
		ret = -ENOMEM;
		goto destroy_look_workqueue;
	}
	ret = rsmka_segments_init();
	if (ret)
		goto destroy_close_workqueue;
	ret = rsmka_loopback_init();
	if (ret)
		goto exit_segments;
	ret = rsmka_hotplug_init();
	if (ret)
		goto exit_loopback;
	ret = rsmka_cdev_init();
	if (ret)
		goto exit_hotplug;
	rsmka_debugfs_init();
	return 0;

exit_hotplug:
	rsmka_hotplug_exit();
exit_loopback:
	rsmka_loopback_exit();
exit_segments:
	rsmka_segments_exit();
destroy_close_workqueue:
	destroy_workqueue(rsmka_close_workqueue);
destroy_look_workqueue:
	destroy_workqueue(rsmka_look_workqueue);
destroy_workqueue:
	destroy_workqueue(rsmka_workqueue);
	return ret;
}

/*
 * No descriptor and no adapter is left, and nothing is to be closed: all hold
 * references to the module.
 */
static void __exit rsmka_exit(void)
{
	destroy_workqueue(rsmka_close_workqueue);
	rsmka_debugfs_exit();
	rsmka_cdev_exit();
	rsmka_hotplug_exit();
	rsmka_loopback_exit();
	rsmka_segments_exit();
	destroy_workqueue(rsmka_look_workqueue);
	destroy_workqueue(rsmka_workqueue);
}

module_init(rsmka_init);
module_exit(rsmka_exit);

MODULE_DESCRIPTION("Remote shared memory kernel agent");
MODULE_AUTHOR("The sci-rsm authors");
MODULE_LICENSE("GPL");
