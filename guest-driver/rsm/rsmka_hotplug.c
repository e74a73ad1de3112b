// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that is to be taken out of the machine while programs export it.  The
 * pages cannot move, for other nodes may have them mapped; the kernel would
 * try in vain until somebody stops it.  So the agent says no at once, and who.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/memory.h>
#include <linux/notifier.h>
#include <linux/pid.h>
#include <linux/sched.h>

#include "rsmka_file.h"

#define RSMKA_SCAN_BATCH	4096

bool rsmka_dynamic_reconfiguration = true;

/* Pages of [first, end) that are pinned for an export. */
static unsigned long rsmka_hotplug_count(const struct rsmka_pinned *pinned, unsigned long first,
					 unsigned long end)
{
	unsigned long count = 0;
	unsigned long i, pfn;

	for (i = 0; i < pinned->memory.nr_pages; i++) {
		pfn = page_to_pfn(pinned->memory.pages[i]);
		count += pfn >= first && pfn < end;
		if (i % RSMKA_SCAN_BATCH == 0)
			cond_resched();
	}
	return count;
}

static void rsmka_hotplug_report(const struct rsmka_pinned *pinned, unsigned long count)
{
	const struct rsmka_export *export =
		container_of(pinned, struct rsmka_binding, pinned)->export;

	pr_warn("%lu pages are exported by process %d (segment %u, id %#x)\n", count,
		pid_nr(export->owner.pid), export->segment->number, READ_ONCE(export->segment_id));
}

static int rsmka_hotplug_event(struct notifier_block *block, unsigned long action, void *data)
{
	const struct memory_notify *range = data;
	unsigned long end = range->start_pfn + range->nr_pages;
	const struct rsmka_pinned *pinned;
	unsigned long count, total = 0;

	if (action != MEM_GOING_OFFLINE || !READ_ONCE(rsmka_dynamic_reconfiguration))
		return NOTIFY_OK;
	mutex_lock(&rsmka_pinned_lock);
	list_for_each_entry(pinned, &rsmka_pinned_list, list) {
		count = rsmka_hotplug_count(pinned, range->start_pfn, end);
		if (count)
			rsmka_hotplug_report(pinned, count);
		total += count;
	}
	mutex_unlock(&rsmka_pinned_lock);
	if (!total)
		return NOTIFY_OK;
	pr_warn("memory %#llx-%#llx stays: %lu exported pages\n",
		(u64)PFN_PHYS(range->start_pfn), (u64)PFN_PHYS(end) - 1, total);
	return notifier_from_errno(-EBUSY);
}

static struct notifier_block rsmka_hotplug_block = {
	.notifier_call = rsmka_hotplug_event,
};

int rsmka_hotplug_init(void)
{
	return register_memory_notifier(&rsmka_hotplug_block);
}

void rsmka_hotplug_exit(void)
{
	unregister_memory_notifier(&rsmka_hotplug_block);
}
