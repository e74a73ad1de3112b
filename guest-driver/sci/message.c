// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages: put them into the ring at a peer, take them out of the ring that a
 * peer writes.  Called by the agent (send, look), by doorbell interrupts and by the
 * work of a peer; hands messages to the agent.  The order of accesses: see ring.c.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * A message is taken under rx.lock by whoever sees it first: an interrupt, a thread of
 * the agent that looks for it, or the work of the ring.  If the agent cannot handle it
 * there, it stays the next one until the work has brought it (rx.deferred).
 */
#include "../include/wait_turn.h"
#include "sci.h"

#define SCI_MESSAGE_BUDGET	SCI_RING_ENTRIES	/* in one interrupt, or one look */

struct sci_message {
	u32 session;		/* that it belongs to */
	const void *data;
	size_t length;
};

/* ---- receiving ---- */

/* The peer did what it must not: its work ends the session, until then nothing is taken. */
static void sci_message_violation(struct sci_peer *peer, const char *what)
{
	lockdep_assert_held(&peer->rx.lock);
	peer->rx.violation = what;
	sci_peer_attend(peer);
}

/* A copy of the next message.  False: there is none, or none that belongs to the session. */
static bool sci_message_next(struct sci_peer *peer, struct sci_ring_entry *entry)
{
	struct sci_rx *rx = &peer->rx;
	struct sci_ring *ring = rx->ring;
	u32 pending;

	lockdep_assert_held(&rx->lock);
	if (!rx->up || rx->violation)
		return false;
	/* Partner: sci_message_put(). */
	pending = le32_to_cpu(virt_load_acquire(&ring->producer)) - rx->consumer;
	if (!pending)
		return false;
	memcpy(entry, &ring->entry[rx->consumer % SCI_RING_ENTRIES], sizeof(*entry));
	/* What was copied, then the hello; partner: sci_ring_hello(). */
	virt_rmb();
	if (sci_ring_heard(peer) != peer->expected) {
		sci_peer_attend(peer);
		return false;
	}
	if (pending <= SCI_RING_ENTRIES && le32_to_cpu(entry->length) <= RSMKA_MESSAGE_MAX &&
	    le32_to_cpu(entry->sequence) == rx->consumer)
		return true;
	sci_message_violation(peer, "breaks the message protocol");
	return false;
}

/* Take messages that can be handled at once, a bounded number; how many. */
static unsigned int sci_message_take(struct sci_peer *peer)
{
	struct sci_rx *rx = &peer->rx;
	struct sci_ring_entry entry;
	unsigned int taken;

	lockdep_assert_held(&rx->lock);
	for (taken = 0; taken < SCI_MESSAGE_BUDGET; taken++) {
		if (rx->deferred || !sci_message_next(peer, &entry))
			break;
		if (!rsmka_receive(peer->sd->controller, peer->node, entry.payload,
				   le32_to_cpu(entry.length), false)) {
			rx->deferred = true;
			break;
		}
		rx->consumer++;
	}
	return taken;
}

/* Tell the peer what was taken; ring if it waits for that. */
static void sci_message_taken(struct sci_peer *peer, unsigned int taken)
{
	struct sci_rx *rx = &peer->rx;
	u32 wake;

	lockdep_assert_held(&rx->lock);
	/* Partner: the acquire in sci_message_room(). */
	virt_store_release(&rx->ring->consumer, cpu_to_le32(rx->consumer));
	/* Partner: sci_message_room(). */
	virt_mb();
	wake = le32_to_cpu(READ_ONCE(rx->ring->wake));
	if (rx->consumer - wake - 1 < taken)
		sci_ring_doorbell(peer);
}

/*
 * Have the peer ring when it puts a message, unless somebody looks for that anyway.  True:
 * there is one already.
 */
static bool sci_message_sleep(struct sci_peer *peer)
{
	struct sci_rx *rx = &peer->rx;

	lockdep_assert_held(&rx->lock);
	if (rx->lookers || rx->deferred || !rx->up || rx->violation)
		return false;
	WRITE_ONCE(rx->ring->bell, cpu_to_le32(rx->consumer));
	/* Partner: sci_message_announce(). */
	virt_mb();
	return le32_to_cpu(READ_ONCE(rx->ring->producer)) != rx->consumer;
}

/* Take what is there; the rest, and what the agent cannot handle here, is left to the work. */
static unsigned int sci_message_drain(struct sci_peer *peer)
{
	struct sci_rx *rx = &peer->rx;
	unsigned int taken, all = 0;
	bool more = false;

	lockdep_assert_held(&rx->lock);
	if (!rx->up)
		return 0;
	do {
		taken = sci_message_take(peer);
		if (taken)
			sci_message_taken(peer, taken);
		all += taken;
		if (rx->deferred || all >= SCI_MESSAGE_BUDGET) {
			queue_work(system_unbound_wq, &rx->work);
			break;
		}
		/* What is there does not belong to the session: the peer's work has been told. */
		if (more && !taken)
			break;
		more = sci_message_sleep(peer);
	} while (more);
	return all;
}

/*
 * Whether the peer says that it took what was never sent.  A guess, for the lock of the
 * sending side is not held: the work makes sure.
 */
static bool sci_message_overtaken(struct sci_peer *peer)
{
	struct sci_ring *ring = READ_ONCE(peer->tx.ring);
	u32 producer = READ_ONCE(peer->tx.producer);

	return ring && producer - le32_to_cpu(READ_ONCE(ring->consumer)) > SCI_RING_ENTRIES;
}

/* There may be room, or the session may be over: who waits first looks, then the next one. */
static void sci_message_next_sender(struct sci_peer *peer)
{
	/* Partner: prepare_to_wait() of the sender. */
	if (wq_has_sleeper(&peer->tx.wait))
		wake_up(&peer->tx.wait);
}

/* After a doorbell, in an interrupt or wherever. */
void sci_message_bell(struct sci_peer *peer)
{
	struct sci_rx *rx = &peer->rx;
	unsigned long flags;

	spin_lock_irqsave(&rx->lock, flags);
	sci_message_drain(peer);
	/* A hello, the end of a session, or nonsense. */
	if (!rx->up || sci_ring_heard(peer) != peer->expected || sci_message_overtaken(peer))
		sci_peer_attend(peer);
	spin_unlock_irqrestore(&rx->lock, flags);
	sci_message_next_sender(peer);
}

/* Bring the deferred message where it may sleep, and take what follows. */
void sci_message_work(struct work_struct *work)
{
	struct sci_peer *peer = container_of(work, struct sci_peer, rx.work);
	struct sci_rx *rx = &peer->rx;
	struct sci_ring_entry entry;
	bool deferred;

	spin_lock_irq(&rx->lock);
	deferred = rx->deferred && sci_message_next(peer, &entry);
	spin_unlock_irq(&rx->lock);
	if (deferred)
		rsmka_receive(peer->sd->controller, peer->node, entry.payload,
			      le32_to_cpu(entry.length), true);

	spin_lock_irq(&rx->lock);
	rx->deferred = false;
	if (deferred) {
		rx->consumer++;
		sci_message_taken(peer, 1);
	}
	sci_message_drain(peer);
	spin_unlock_irq(&rx->lock);
}

/* The session has begun: from here on the agent gets messages. */
void sci_message_start(struct sci_peer *peer)
{
	struct sci_rx *rx = &peer->rx;

	spin_lock_irq(&rx->lock);
	peer->expected = SCI_PUT(SCI_HELLO_OWN, (u64)peer->peer_hello) |
			 SCI_PUT(SCI_HELLO_PEER, (u64)peer->hello);
	rx->up = true;
	rx->violation = NULL;
	/* What the peer has sent meanwhile, to a doorbell that was of no use. */
	sci_message_drain(peer);
	spin_unlock_irq(&rx->lock);
}

/* On return the agent has been given the last message of the session. */
void sci_message_stop(struct sci_peer *peer)
{
	struct sci_rx *rx = &peer->rx;

	spin_lock_irq(&rx->lock);
	rx->up = false;
	spin_unlock_irq(&rx->lock);
	/* Nobody queues it or defers a message while the session is not up. */
	cancel_work_sync(&rx->work);
	rx->deferred = false;
}

/* ---- looking ---- */

/*
 * Take messages of a node, if nobody else is about to: whether there were any.  For a
 * thread that waits for one of them.
 */
bool sci_message_look(void *adapter, u32 node)
{
	struct sci_peer *peer = sci_peer_find(adapter, node);
	struct sci_rx *rx;
	unsigned long flags;
	bool taken;

	if (!peer)
		return false;
	rx = &peer->rx;
	/* A value that is not ours to judge: only whether it differs. */
	if (le32_to_cpu(READ_ONCE(rx->ring->producer)) == READ_ONCE(rx->consumer))
		return false;
	if (!spin_trylock_irqsave(&rx->lock, flags))
		return false;
	taken = sci_message_drain(peer);
	spin_unlock_irqrestore(&rx->lock, flags);
	return taken;
}

/* Until the end of the look the node need not ring. */
void sci_message_look_begin(void *adapter, u32 node)
{
	struct sci_peer *peer = sci_peer_find(adapter, node);
	unsigned long flags;

	if (!peer)
		return;
	spin_lock_irqsave(&peer->rx.lock, flags);
	if (peer->rx.lookers++ == 0)
		WRITE_ONCE(peer->rx.ring->bell, cpu_to_le32(peer->rx.consumer - 1));
	spin_unlock_irqrestore(&peer->rx.lock, flags);
}

void sci_message_look_end(void *adapter, u32 node)
{
	struct sci_peer *peer = sci_peer_find(adapter, node);
	unsigned long flags;

	if (!peer)
		return;
	spin_lock_irqsave(&peer->rx.lock, flags);
	if (--peer->rx.lookers == 0)
		sci_message_drain(peer);
	spin_unlock_irqrestore(&peer->rx.lock, flags);
}

/* ---- sending ---- */

/*
 * 0: an entry is free.  -EAGAIN: the peer will ring when there is one.
 * -EHOSTUNREACH: whatever the ring belongs to, it is not this session.
 */
static int sci_message_room(struct sci_peer *peer)
{
	struct sci_tx *tx = &peer->tx;
	u32 consumer;
	u32 used;

	/* Partner: sci_message_taken(). */
	consumer = le32_to_cpu(virt_load_acquire(&tx->ring->consumer));
	used = tx->producer - consumer;
	if (used == SCI_RING_ENTRIES) {
		WRITE_ONCE(tx->ring->wake, cpu_to_le32(consumer));
		/* Partner: sci_message_taken(). */
		virt_mb();
		/* Partner: sci_message_taken(). */
		used = tx->producer - le32_to_cpu(virt_load_acquire(&tx->ring->consumer));
		if (used == SCI_RING_ENTRIES)
			return -EAGAIN;
	}
	if (used < SCI_RING_ENTRIES)
		return 0;

	/* Nonsense: a violation, a new session or a lost ring.  The peer's work finds out. */
	sci_peer_attend(peer);
	return -EHOSTUNREACH;
}

/* A message was put: ring if the owner of the ring sleeps. */
static void sci_message_announce(struct sci_peer *peer)
{
	struct sci_tx *tx = &peer->tx;

	/* The producer was followed by a full barrier.  Partner: sci_message_sleep(). */
	if (le32_to_cpu(READ_ONCE(tx->ring->bell)) == tx->producer - 1) {
		tx->rung++;
		sci_ring_doorbell(peer);
	} else {
		tx->unrung++;
	}
}

static int sci_message_put(struct sci_peer *peer, const struct sci_message *message)
{
	struct sci_tx *tx = &peer->tx;
	struct sci_ring_entry *entry;
	int ret;

	ret = sci_message_room(peer);
	if (ret)
		return sci_ring_intact_locked(peer) ? ret : -EHOSTUNREACH;

	entry = &tx->ring->entry[tx->producer % SCI_RING_ENTRIES];
	memcpy(entry->payload, message->data, message->length);
	WRITE_ONCE(entry->length, cpu_to_le32(message->length));
	WRITE_ONCE(entry->sequence, cpu_to_le32(tx->producer));
	/* Partner: sci_message_next(). */
	virt_store_release(&tx->ring->producer, cpu_to_le32(tx->producer + 1));
	if (!sci_ring_intact_locked(peer))
		return -EHOSTUNREACH;
	tx->producer++;
	sci_message_announce(peer);
	return 0;
}

/* Returns false if it must be tried again when the peer has rung or gone. */
static bool sci_message_try(struct sci_peer *peer, const struct sci_message *message, int *ret)
{
	struct sci_tx *tx = &peer->tx;

	spin_lock(&tx->lock);
	if (!tx->session)
		*ret = -EHOSTUNREACH;
	else if (tx->session != message->session)
		*ret = -ESTALE;
	else
		*ret = sci_message_put(peer, message);
	spin_unlock(&tx->lock);

	return *ret != -EAGAIN;
}

int sci_message_send(void *adapter, u32 node, u32 session, const void *data, size_t length,
		     long patience)
{
	struct sci_message message = {
		.session = session,
		.data = data,
		.length = length,
	};
	struct sci_peer *peer;
	long left;
	int ret;

	if (length > RSMKA_MESSAGE_MAX)
		return -EMSGSIZE;
	peer = sci_peer_find(adapter, node);
	if (!peer)
		return -EHOSTUNREACH;

	if (patience == RSMKA_NO_WAIT) {
		sci_message_try(peer, &message, &ret);
	} else if (patience == RSMKA_WAIT_IDLE) {
		wait_event_idle_exclusive(peer->tx.wait, sci_message_try(peer, &message, &ret));
	} else {
		left = wait_turn_interruptible_timeout(peer->tx.wait,
						       sci_message_try(peer, &message, &ret),
						       patience);
		if (left < 0)
			ret = -EINTR;
		else if (!left)
			ret = -ETIMEDOUT;
	}
	if (patience != RSMKA_NO_WAIT)
		sci_message_next_sender(peer);
	return ret;
}
