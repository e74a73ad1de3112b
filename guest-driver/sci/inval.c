// SPDX-License-Identifier: GPL-2.0-only
/*
 * Invalidation: take SCI pages back from all peers and wait until they have
 * let go.  Called with the table entries already cleared; woken by irq.c.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * Waiting lasts as long as the slowest living peer, and a peer may be halted
 * in a debugger: no wait is one that a hung task detector counts.  When the driver goes,
 * whoever lets it go can be killed: see sci_inval_force().
 */
#include <linux/sched.h>

#include "sci.h"

#define SCI_INVAL_POLL		(HZ / 50)
#define SCI_INVAL_REPORT	(5 * HZ)

/* An adapter that is gone reads all ones and has no peers. */
static bool sci_inval_busy(struct sci_device *sd)
{
	u32 status = sci_read(sd, SCI_REG_STATUS);

	return status != U32_MAX && status & SCI_STATUS_INVAL_BUSY;
}

static bool sci_inval_settled(struct sci_device *sd)
{
	return READ_ONCE(sd->inval.over) || !sci_inval_busy(sd);
}

/* Wait until no peer reaches what was invalidated or disabled. */
void sci_inval_settle(struct sci_device *sd)
{
	wait_event_idle(sd->inval.wait, sci_inval_settled(sd));
}

static void sci_inval_report(struct sci_device *sd)
{
	DECLARE_BITMAP(nodes, SCI_NODES) = {};
	u32 node;

	for (node = SCI_NODE_MIN; node <= SCI_NODE_MAX; node++)
		if (le32_to_cpu(READ_ONCE(sci_slot(sd, node)->incarnation)))
			__set_bit(node, nodes);
	dev_info(&sd->pdev->dev, "waiting for one of nodes %*pbl to let go of memory\n",
		 SCI_NODES, nodes);
}

/* The same for who wants to know for whom the driver waits; -EINTR if he is killed. */
int sci_inval_settle_aloud(struct sci_device *sd)
{
	long left;

	do {
		left = wait_event_killable_timeout(sd->inval.wait, sci_inval_settled(sd),
						   SCI_INVAL_REPORT);
		if (!left)
			sci_inval_report(sd);
	} while (!left);
	return left < 0 ? -EINTR : 0;
}

/* The same where no interrupt comes. */
void sci_inval_poll(struct sci_device *sd)
{
	while (sci_inval_busy(sd))
		schedule_timeout_idle(SCI_INVAL_POLL);
}

/* The same with bounded patience: whether it is so. */
bool sci_inval_settle_timeout(struct sci_device *sd, long patience)
{
	struct sci_inval *inval = &sd->inval;

	inval->unsettled = !wait_event_idle_timeout(inval->wait, !sci_inval_busy(sd), patience);
	return !inval->unsettled;
}

/* Until the release nobody invalidates; false if somebody still does. */
bool sci_inval_claim(struct sci_device *sd, long patience)
{
	struct sci_inval *inval = &sd->inval;

	return wait_event_idle_timeout(inval->wait,
				       !test_and_set_bit_lock(0, &inval->claimed), patience);
}

void sci_inval_release(struct sci_device *sd)
{
	clear_bit_unlock(0, &sd->inval.claimed);
	wake_up(&sd->inval.wait);
}

static void sci_inval_claimed(struct sci_device *sd, u64 first, u64 count)
{
	struct sci_inval *inval = &sd->inval;

	if (inval->unsettled)
		sci_inval_settle(sd);
	inval->unsettled = false;

	/* From here on rows that become unused wait for the next invalidation. */
	mutex_lock(&sd->inbound.lock);
	inval->started++;
	mutex_unlock(&sd->inbound.lock);

	if (!READ_ONCE(inval->over)) {
		writeq(first, sd->csr + SCI_REG_INVAL_FIRST_LO);
		writeq(count, sd->csr + SCI_REG_INVAL_COUNT_LO);
		/* Orders the cleared entries before the start, which peers act on. */
		sci_write(sd, SCI_REG_INVAL_START, 1);
		sci_inval_settle(sd);
	}

	mutex_lock(&sd->inbound.lock);
	inval->completed = inval->started;
	mutex_unlock(&sd->inbound.lock);

	sci_inval_release(sd);
}

void sci_inval_range(struct sci_device *sd, u64 first, u64 count)
{
	wait_event_idle_exclusive(sd->inval.wait,
				  !test_and_set_bit_lock(0, &sd->inval.claimed));
	sci_inval_claimed(sd, first, count);
}

/*
 * What nobody has mapped: peers answer at once.  But others may be waiting for
 * a peer, and so may the adapter; -EINTR if a signal comes meanwhile.
 */
int sci_inval_nothing(struct sci_device *sd)
{
	struct sci_inval *inval = &sd->inval;

	if (wait_event_interruptible_exclusive(inval->wait,
					       !test_and_set_bit_lock(0, &inval->claimed)))
		return -EINTR;
	if (inval->unsettled && wait_event_interruptible(inval->wait, !sci_inval_busy(sd))) {
		sci_inval_release(sd);
		return -EINTR;
	}
	/* The ring of node 0, which does not exist. */
	sci_inval_claimed(sd, 0, 1);
	return 0;
}

/*
 * Whoever lets the driver go has been killed while it waited for peers.  What they may reach
 * stays where it is until they have let go of it, so somebody must wait: the adapter, which
 * is reset, has this machine stand still for as long as that takes.  On return no
 * peer reaches anything, and nobody waits for one.
 */
void sci_inval_force(struct sci_device *sd)
{
	dev_info(&sd->pdev->dev, "killed while waiting for peers: the machine waits for them\n");
	sci_write(sd, SCI_REG_CONTROL, SCI_CONTROL_RESET);
	/* Some instructions may be executed before it stands still. */
	sci_inval_poll(sd);
	WRITE_ONCE(sd->inval.over, true);
	/* A reset adapter does not interrupt. */
	wake_up_all(&sd->inval.wait);
}

void sci_inval_interrupt(struct sci_device *sd)
{
	wake_up(&sd->inval.wait);
}
