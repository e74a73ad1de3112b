// SPDX-License-Identifier: GPL-2.0-only
/*
 * The adapter as the kernel agent sees it: attributes, path state, operations.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <linux/completion.h>
#include <linux/sched.h>

#include "sci.h"

/*
 * The agent's contract with programs, struct rsm_path_state: the adapter keeps it, in the
 * slot of each node, so that a program reads it there.
 */
#define SCI_SAME_PLACE(member) \
	static_assert(offsetof(struct sci_peer_slot, member) == \
		      offsetof(struct rsm_path_state, member))
SCI_SAME_PLACE(link);
SCI_SAME_PLACE(incarnation);
SCI_SAME_PLACE(changes);
SCI_SAME_PLACE(errors);
SCI_SAME_PLACE(last_error);
SCI_SAME_PLACE(lines);
SCI_SAME_PLACE(revokes);
static_assert(RSM_LINK_UP == SCI_LINK_UP);
static_assert(sizeof(struct rsm_path_state) <= SCI_SLOT_SIZE);
static_assert(PAGE_SIZE % SCI_SLOT_SIZE == 0);	/* none goes beyond its page */

static const struct rsm_path_state *sci_agent_path_state(void *adapter, u32 node,
							 phys_addr_t *phys)
{
	struct sci_device *sd = adapter;

	/* Slot 0, of no node, says "absent" for ever. */
	if (node >= SCI_NODES)
		node = 0;
	*phys = sd->status_phys + SCI_STATUS_SLOT(node);
	return (const struct rsm_path_state *)sci_slot(sd, node);
}

static const struct rsmka_controller_ops sci_agent_ops = {
	.owner = THIS_MODULE,
	.offer = sci_export_offer,
	.regrant = sci_export_regrant,
	.rebind = sci_export_rebind,
	.withdraw = sci_export_withdraw,
	.map = sci_import_map,
	.unmap = sci_import_unmap,
	.mapped = sci_import_mapped,
	.path_state = sci_agent_path_state,
	.send = sci_message_send,
	.look = sci_message_look,
	.look_begin = sci_message_look_begin,
	.look_end = sci_message_look_end,
};

struct sci_agent_leave {
	struct work_struct work;
	struct sci_device *sd;
	struct completion done;
};

static void sci_agent_leave_work(struct work_struct *work)
{
	struct sci_agent_leave *leave = container_of(work, struct sci_agent_leave, work);

	rsmka_controller_unregister(leave->sd->controller);
	complete(&leave->done);
}

/*
 * By devres: the peers go first, so that no event comes once the agent lets go.  That waits
 * for them in many places.  So another thread does it, and the one that unbinds can be killed.
 */
static void sci_agent_unregister(void *data)
{
	struct sci_agent_leave leave = { .sd = data };

	sci_peer_stop(leave.sd);
	init_completion(&leave.done);
	INIT_WORK_ONSTACK(&leave.work, sci_agent_leave_work);
	queue_work(system_unbound_wq, &leave.work);
	if (wait_for_completion_killable(&leave.done)) {
		sci_inval_force(leave.sd);
		/* Who is waited for now, if anybody is, is a client of the kernel's. */
		wait_for_completion_state(&leave.done, TASK_IDLE);
	}
	destroy_work_on_stack(&leave.work);
}

int sci_agent_register(struct sci_device *sd)
{
	u64 exports = sd->inbound.pages - SCI_RING_PAGES;
	u64 imports = SCI_ATT_IMPORTS;
	struct rsmka_attr attr = {
		.direct_access_sizes = 0xf,	/* 1, 2, 4 and 8 bytes: the window is memory */
		.atomic_sizes = 0xf,
		.page_size = PAGE_SIZE / 1024,
		/* Each takes a page more than it has. */
		.max_export_segment_size = exports * SCI_PAGE_SIZE - PAGE_SIZE,
		.tot_export_segment_size = exports * SCI_PAGE_SIZE - PAGE_SIZE,
		.max_export_segments = exports / sci_pages(PAGE_SHIFT, 2),
		.max_import_map_size = imports * sd->granule,
		.tot_import_map_size = imports * sd->granule,
		.max_import_segments = imports,
		.max_access_lists = SCI_ACCESS_ROWS - SCI_ACCESS_RINGS,
	};
	int ret;

	/* The node id is the adapter's address in the fabric. */
	sd->controller = rsmka_controller_register("sci", sd->unit, sd->node, sd->node, &attr,
						   &sci_agent_ops, sd);
	if (IS_ERR(sd->controller))
		return dev_err_probe(&sd->pdev->dev, PTR_ERR(sd->controller),
				     "refused by the kernel agent\n");
	ret = devm_add_action(&sd->pdev->dev, sci_agent_unregister, sd);
	if (ret) {
		rsmka_controller_unregister(sd->controller);
		return ret;
	}
	sci_peer_start(sd);
	return 0;
}
