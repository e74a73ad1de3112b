// SPDX-License-Identifier: GPL-2.0-only
/*
 * System sleep.  Suspending disables the adapter: for the agent all peers are
 * down, as after the loss of all links, and no peer reaches this node's memory.
 * What is exported stays in the tables, and resuming offers it again under a new
 * incarnation.  Called by the PM core.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * Programs are frozen, but work of the kernel may still want to take pages back.
 * From suspend to resume the invalidation registers are claimed: it waits.
 */
#include <linux/pm.h>

#include "sci.h"

/* A peer that lives lets go within; one that does not must not keep a machine awake. */
#define SCI_SUSPEND_PATIENCE	(5 * HZ)

/*
 * Rings stay where they are, and have another key and owner.  What a peer that was up
 * all the time has last written there is a hello to an earlier number of ours.
 */
static void sci_rings_renew(struct sci_device *sd)
{
	struct sci_peer *peer;
	u32 node;

	for (node = 0; node < SCI_NODES; node++) {
		peer = sd->peers[node];
		/* No peer looks for the ring before sci_peer_start() opens its line. */
		if (peer && peer->rx.ring)
			sci_ring_offer(peer);
	}
}

/* With the adapter disabled and no event on its way; the tables are as they were. */
static int sci_wake(struct sci_device *sd)
{
	int ret = sci_tables_enable(sd);

	if (!ret)
		sci_rings_renew(sd);
	sci_inval_release(sd);
	if (!ret)
		sci_peer_start(sd);
	return ret;
}

static int sci_refuse(struct sci_device *sd)
{
	dev_err(&sd->pdev->dev, "a peer does not answer: no suspend while it may use memory of this node\n");
	return -EBUSY;
}

static int sci_suspend(struct device *dev)
{
	struct sci_device *sd = dev_get_drvdata(dev);

	sci_peer_stop(sd);
	cancel_delayed_work_sync(&sd->retry);
	if (!sci_inval_claim(sd, SCI_SUSPEND_PATIENCE)) {
		sci_peer_start(sd);
		return sci_refuse(sd);
	}
	sci_write(sd, SCI_REG_CONTROL, 0);
	if (!sci_inval_settle_timeout(sd, SCI_SUSPEND_PATIENCE)) {
		sci_wake(sd);
		return sci_refuse(sd);
	}
	sci_write(sd, SCI_REG_INT_MASK, 0);
	return 0;
}

static int sci_resume(struct device *dev)
{
	struct sci_device *sd = dev_get_drvdata(dev);
	int ret;

	/* The firmware may have reset the adapter, or not: the same in either case. */
	ret = sci_reset(sd);
	if (ret) {
		sci_inval_release(sd);
		return ret;
	}
	sci_tables_set(sd);
	return sci_wake(sd);
}

DEFINE_SIMPLE_DEV_PM_OPS(sci_pm_ops, sci_suspend, sci_resume);
