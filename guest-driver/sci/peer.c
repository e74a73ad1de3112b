// SPDX-License-Identifier: GPL-2.0-only
/*
 * Peers: follow the slots of the status pages and the hellos in the rings,
 * set the rings up both ways, tell the agent who is up and who is down.  Woken
 * by irq.c and message.c; all of it runs in the adapter's ordered workqueue, so the
 * events of a peer reach the agent one at a time and in order.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * How two adapters meet.  Each one, when the other's slot turns UP:
 *  1. provides the ring for the other (once), then opens the line of that ring
 *     for it.  Both adapters forget the line when the slot leaves UP,
 *  2. waits until the other has opened its line, too: an event of the slot, which
 *     says that the other's ring is there,
 *  3. maps the other's ring and says hello: writes its number, rings.  It says
 *     hello again when it has seen the number of the other,
 *  4. is up when the other's hello names both numbers: that is a session.
 * A side that loses the session while both adapters stay up (the ring was
 * revoked, the other closed its line) starts again at 1 with a new number; the
 * other one sees that and follows, keeping its own.  A side that breaks the
 * protocol finds the line closed: it may store into its ring, but not interrupt.
 */
#include <linux/slab.h>

#include "sci.h"

#define SCI_PEER_RETRY	HZ

/* What connecting to this peer takes is not there now: look at it again. */
static void sci_peer_retry(struct sci_device *sd, u32 node, const char *why)
{
	dev_warn_ratelimited(&sd->pdev->dev, "node %u: %s; trying again\n", node, why);
	set_bit(node, sd->events);
	schedule_delayed_work(&sd->retry, SCI_PEER_RETRY);
}

static void sci_peer_disconnect(struct sci_peer *peer)
{
	sci_ring_down(peer);
	sci_message_stop(peer);
	if (peer->state == SCI_PEER_UP)
		rsmka_peer_down(peer->sd->controller, peer->node);
	peer->state = SCI_PEER_CONNECTING;
	peer->peer_hello = 0;
}

static void sci_peer_down(struct sci_peer *peer)
{
	if (peer->state == SCI_PEER_DOWN)
		return;
	sci_peer_disconnect(peer);
	sci_ring_close(peer);
	peer->state = SCI_PEER_DOWN;
	clear_bit(peer->node, peer->sd->active);
}

/* Until it comes with another incarnation, this peer does not exist. */
static void sci_peer_break(struct sci_peer *peer, const char *what)
{
	dev_warn(&peer->sd->pdev->dev, "node %u: %s; ignored until its adapter is enabled anew\n",
		 peer->node, what);
	peer->broken = peer->incarnation;
	sci_ring_bye(peer);
	sci_peer_down(peer);
	sci_ring_forbid(peer->sd, peer->node);
}

static void sci_peer_up(struct sci_peer *peer, u32 incarnation)
{
	if (peer->broken == incarnation)
		return;
	if (sci_ring_provide(peer)) {
		sci_peer_retry(peer->sd, peer->node, "no memory for its ring");
		return;
	}
	peer->incarnation = incarnation;
	peer->hello = peer->hello % (SCI_HELLO_BYE - 1) + 1;
	peer->peer_hello = 0;
	peer->state = SCI_PEER_CONNECTING;
	set_bit(peer->node, peer->sd->active);
	sci_ring_allow(peer->sd, peer->node);
}

/* Whether the ring at the peer is mapped and may be rung; tries to get there. */
static bool sci_peer_reach(struct sci_peer *peer)
{
	bool allowed = sci_ring_allowed(peer->sd, peer->node);
	int ret;

	if (peer->tx.ring) {
		if (allowed && sci_ring_intact(peer))
			return true;
		sci_peer_down(peer);
		sci_peer_up(peer, peer->incarnation);
	}
	/* An event follows when the peer opens its line. */
	if (!allowed)
		return false;
	ret = sci_ring_open(peer);
	if (ret == -EPROTO)
		sci_peer_break(peer, "has no message ring of our kind");
	else if (ret == -ENOSPC)
		sci_peer_retry(peer->sd, peer->node, "the host has no room to map its ring");
	if (ret)
		return false;
	sci_ring_hello(peer);
	return true;
}

/* Both have seen the other's number. */
static void sci_peer_begin(struct sci_peer *peer)
{
	struct sci_device *sd = peer->sd;
	struct rsmka_peer_info info = {
		/* Anything, as far as it can be the number of an adapter. */
		.unit = le32_to_cpu(READ_ONCE(peer->tx.ring->unit)),
		.hwaddr = peer->node,
	};

	/* Never 0, and another one than the last. */
	sd->last_session = sd->last_session % U32_MAX + 1;
	info.session = sd->last_session;
	/* The agent may send before it returns. */
	sci_ring_up(peer, info.session);
	if (rsmka_peer_up(sd->controller, peer->node, &info)) {
		sci_ring_down(peer);
		sci_peer_retry(sd, peer->node, "no memory for the path");
		return;
	}
	peer->state = SCI_PEER_UP;
	sci_message_start(peer);
}

/* Do what can be done towards UP, or away from it. */
static void sci_peer_advance(struct sci_peer *peer)
{
	u32 theirs;
	u64 heard;

	if (!sci_peer_reach(peer))
		return;
	heard = sci_ring_heard(peer);
	theirs = SCI_GET(SCI_HELLO_OWN, heard);
	/* 0 is no news: if the peer is about to say hello, it will ring. */
	if (theirs && theirs != peer->peer_hello) {
		sci_peer_disconnect(peer);
		peer->peer_hello = theirs;
		sci_ring_hello(peer);
	}
	if (peer->state == SCI_PEER_CONNECTING && peer->peer_hello &&
	    SCI_GET(SCI_HELLO_OWN, heard) == peer->peer_hello &&
	    SCI_GET(SCI_HELLO_PEER, heard) == peer->hello)
		sci_peer_begin(peer);
}

/* Its ring says more than a message. */
static void sci_peer_serve(struct sci_peer *peer)
{
	const char *violation;

	if (peer->state == SCI_PEER_DOWN)
		return;
	sci_peer_advance(peer);
	violation = READ_ONCE(peer->rx.violation);
	if (peer->state == SCI_PEER_UP && violation)
		sci_peer_break(peer, violation);
	else if (peer->state == SCI_PEER_UP && !sci_ring_sane(peer))
		sci_peer_break(peer, "says that it took messages that were never sent");
	wake_up(&peer->tx.wait);
}

/* Have the work look at the ring; from anywhere. */
void sci_peer_attend(struct sci_peer *peer)
{
	set_bit(peer->node, peer->sd->attention);
	queue_work(peer->sd->wq, &peer->sd->peer_work);
}

struct sci_peer *sci_peer_find(struct sci_device *sd, u32 node)
{
	/* Partner: sci_peer_get(). */
	return node < SCI_NODES ? smp_load_acquire(&sd->peers[node]) : NULL;
}

/* Of the node with which we have that session; 0: it is over. */
u32 sci_peer_incarnation(struct sci_device *sd, u32 node, u32 session)
{
	struct sci_peer *peer = sci_peer_find(sd, node);
	u32 incarnation = 0;

	if (!peer)
		return 0;
	spin_lock(&peer->tx.lock);
	/* It is another one only after the session has ended. */
	if (session && peer->tx.session == session)
		incarnation = peer->incarnation;
	spin_unlock(&peer->tx.lock);
	return incarnation;
}

static struct sci_peer *sci_peer_get(struct sci_device *sd, u32 node)
{
	struct sci_peer *peer = sd->peers[node];

	if (peer)
		return peer;
	peer = kzalloc(sizeof(*peer), GFP_KERNEL);
	if (!peer)
		return NULL;
	peer->sd = sd;
	peer->node = node;
	spin_lock_init(&peer->tx.lock);
	init_waitqueue_head(&peer->tx.wait);
	spin_lock_init(&peer->rx.lock);
	INIT_WORK(&peer->rx.work, sci_message_work);
	/* Partner: sci_peer_find(). */
	smp_store_release(&sd->peers[node], peer);
	return peer;
}

static void sci_peer_event(struct sci_device *sd, u32 node)
{
	const struct sci_peer_slot *slot = sci_slot(sd, node);
	u32 changes = le32_to_cpu(READ_ONCE(slot->changes));
	u32 incarnation;
	struct sci_peer *peer;
	bool up;

	/* The adapter writes `changes` after the others; what comes later is another event. */
	smp_rmb();
	incarnation = le32_to_cpu(READ_ONCE(slot->incarnation));
	up = le32_to_cpu(READ_ONCE(slot->link)) == SCI_LINK_UP && incarnation &&
	     READ_ONCE(sd->running);

	if (!up && !sd->peers[node])
		return;
	peer = sci_peer_get(sd, node);
	if (!peer) {
		sci_peer_retry(sd, node, "no memory for its state");
		return;
	}
	if (!up || changes != peer->changes)
		sci_peer_down(peer);
	peer->changes = changes;
	if (!up)
		return;
	if (peer->state == SCI_PEER_DOWN)
		sci_peer_up(peer, incarnation);
	else if (peer->state == SCI_PEER_CONNECTING && peer->tx.ring)
		/* What was rung while the right to ring came anew may be lost. */
		sci_ring_doorbell(peer);
	if (peer->state != SCI_PEER_DOWN)
		sci_peer_advance(peer);
}

static void sci_peer_work(struct work_struct *work)
{
	struct sci_device *sd = container_of(work, struct sci_device, peer_work);
	u32 node;

	for_each_set_bit(node, sd->events, SCI_NODES) {
		clear_bit(node, sd->events);
		/* Before the slot is read, so that a later change is a new event. */
		smp_mb__after_atomic();
		if (node != sd->node)
			sci_peer_event(sd, node);
	}
	for_each_set_bit(node, sd->attention, SCI_NODES) {
		clear_bit(node, sd->attention);
		/* Likewise the ring. */
		smp_mb__after_atomic();
		sci_peer_serve(sd->peers[node]);
	}
}

/*
 * peer_work itself is never delayed: who changes the time of queued work moves it
 * behind those who wait for it.
 */
static void sci_peer_retry_work(struct work_struct *work)
{
	struct sci_device *sd = container_of(to_delayed_work(work), struct sci_device, retry);

	queue_work(sd->wq, &sd->peer_work);
}

static void sci_peer_exit(void *data)
{
	struct sci_device *sd = data;
	u32 node;

	/* Armed while running only. */
	cancel_delayed_work_sync(&sd->retry);
	destroy_workqueue(sd->wq);
	for (node = 0; node < SCI_NODES; node++) {
		if (sd->peers[node])
			sci_ring_free(sd->peers[node]);
		kfree(sd->peers[node]);
	}
}

/*
 * Comes before the interrupts, which queue work, and before the adapter is
 * enabled: the undoing frees rings into which peers write.
 */
int sci_peer_init(struct sci_device *sd)
{
	INIT_WORK(&sd->peer_work, sci_peer_work);
	INIT_DELAYED_WORK(&sd->retry, sci_peer_retry_work);
	sd->wq = alloc_ordered_workqueue("%s", 0, sd->name);
	if (!sd->wq)
		return -ENOMEM;
	return devm_add_action_or_reset(&sd->pdev->dev, sci_peer_exit, sd);
}

/* With the agent registered: from here on it hears of peers. */
void sci_peer_start(struct sci_device *sd)
{
	WRITE_ONCE(sd->running, true);
	sci_write(sd, SCI_REG_INT_MASK, SCI_INT_ALL);
	bitmap_fill(sd->events, SCI_NODES);
	queue_work(sd->wq, &sd->peer_work);
}

/* From here on no peer comes up.  Waits for nothing. */
void sci_peer_quiesce(struct sci_device *sd)
{
	sci_write(sd, SCI_REG_INT_MASK, SCI_INT_INVAL | SCI_INT_ERROR);
	WRITE_ONCE(sd->running, false);
}

/* On return all peers are down for the agent, and no event will come. */
void sci_peer_stop(struct sci_device *sd)
{
	sci_peer_quiesce(sd);
	bitmap_fill(sd->events, SCI_NODES);
	queue_work(sd->wq, &sd->peer_work);
	flush_workqueue(sd->wq);
}
