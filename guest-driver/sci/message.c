// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages: put them into the ring at a peer, take them out of the ring that a
 * peer writes.  Called by the agent (sci_message_send) and by the work of a
 * peer; hands messages to the agent.  The order of accesses: see ring.c.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "sci.h"

#define SCI_MESSAGE_BUDGET	8	/* per peer and pass */

struct sci_message {
	u32 incarnation;	/* of the node it is meant for */
	const void *data;
	size_t length;
};

/*
 * Take messages out, a bounded number.  1: there are more; 0: no more, or the
 * peer began a new session; -EPROTO: a violation.
 */
int sci_message_drain(struct sci_peer *peer)
{
	struct sci_ring *ring = peer->ring;
	u64 session = sci_ring_expected(peer);
	u32 first = peer->consumer;
	struct sci_ring_slot slot;
	u32 pending;
	u32 length;
	u32 wake;

	/* Partner: sci_message_put(). */
	pending = le32_to_cpu(smp_load_acquire(&ring->producer)) - first;
	if (!pending)
		return 0;
	while (peer->consumer - first < min_t(u32, pending, SCI_MESSAGE_BUDGET)) {
		memcpy(&slot, &ring->slot[peer->consumer % SCI_RING_SLOTS], sizeof(slot));
		/* What was copied, then the session; partner: sci_ring_hello(). */
		smp_rmb();
		if (sci_ring_session(peer) != session)
			return 0;
		length = le32_to_cpu(slot.length);
		if (pending > SCI_RING_SLOTS || length > RSMKA_MESSAGE_MAX ||
		    le32_to_cpu(slot.sequence) != peer->consumer)
			return -EPROTO;
		rsmka_receive(peer->sd->controller, peer->node, slot.payload, length);
		peer->consumer++;
	}
	/* Partner: the acquire in sci_message_room(). */
	smp_store_release(&ring->consumer, cpu_to_le32(peer->consumer));
	/* Partner: sci_message_room(). */
	smp_mb();
	wake = le32_to_cpu(READ_ONCE(ring->wake));
	if (wake - first < peer->consumer - first)
		sci_ring_doorbell(peer->sd, peer->node);
	return pending > SCI_MESSAGE_BUDGET;
}

/*
 * 0: a slot is free.  -EAGAIN: the peer will ring when there is one.
 * -EHOSTUNREACH: whatever the ring belongs to, it is not this connection.
 */
static int sci_message_room(struct sci_peer *peer)
{
	struct sci_tx *tx = &peer->tx;
	u32 consumer;
	u32 used;

	/* Partner: sci_message_drain(). */
	consumer = le32_to_cpu(smp_load_acquire(&tx->ring->consumer));
	used = tx->producer - consumer;
	if (used == SCI_RING_SLOTS) {
		WRITE_ONCE(tx->ring->wake, cpu_to_le32(consumer));
		/* Partner: sci_message_drain(). */
		smp_mb();
		/* Partner: sci_message_drain(). */
		used = tx->producer - le32_to_cpu(smp_load_acquire(&tx->ring->consumer));
		if (used == SCI_RING_SLOTS)
			return -EAGAIN;
	}
	if (used < SCI_RING_SLOTS)
		return 0;

	/* Nonsense: a violation, a new session or a lost ring.  The peer's work finds out. */
	queue_work(peer->sd->wq, &peer->sd->ring_work);
	return -EHOSTUNREACH;
}

static int sci_message_put(struct sci_peer *peer, const struct sci_message *message)
{
	struct sci_tx *tx = &peer->tx;
	struct sci_ring_slot *slot;
	int ret;

	ret = sci_message_room(peer);
	if (ret)
		return sci_ring_intact_locked(peer) ? ret : -EHOSTUNREACH;

	slot = &tx->ring->slot[tx->producer % SCI_RING_SLOTS];
	memcpy(slot->payload, message->data, message->length);
	WRITE_ONCE(slot->length, cpu_to_le32(message->length));
	WRITE_ONCE(slot->sequence, cpu_to_le32(tx->producer));
	/* Partner: sci_message_drain(). */
	smp_store_release(&tx->ring->producer, cpu_to_le32(tx->producer + 1));
	if (!sci_ring_intact_locked(peer))
		return -EHOSTUNREACH;
	tx->producer++;
	sci_ring_doorbell(peer->sd, peer->node);
	return 0;
}

/* Returns false if it must be tried again when the peer has rung or gone. */
static bool sci_message_try(struct sci_peer *peer, const struct sci_message *message, int *ret)
{
	struct sci_tx *tx = &peer->tx;

	spin_lock(&tx->lock);
	if (!tx->up)
		*ret = -EHOSTUNREACH;
	else if (tx->incarnation != message->incarnation)
		*ret = -ESTALE;
	else
		*ret = sci_message_put(peer, message);
	spin_unlock(&tx->lock);

	return *ret != -EAGAIN;
}

int sci_message_send(void *adapter, u32 node, u32 incarnation, const void *data, size_t length,
		     bool interruptible)
{
	struct sci_message message = {
		.incarnation = incarnation,
		.data = data,
		.length = length,
	};
	struct sci_device *sd = adapter;
	struct sci_peer *peer;
	int ret;

	if (length > RSMKA_MESSAGE_MAX)
		return -EMSGSIZE;
	if (node >= SCI_NODES)
		return -EHOSTUNREACH;
	/* Partner: sci_peer_get(). */
	peer = smp_load_acquire(&sd->peers[node]);
	if (!peer)
		return -EHOSTUNREACH;

	if (!interruptible)
		wait_event_idle(peer->tx.wait, sci_message_try(peer, &message, &ret));
	else if (wait_event_interruptible(peer->tx.wait, sci_message_try(peer, &message, &ret)))
		ret = -EINTR;
	return ret;
}
