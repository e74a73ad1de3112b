// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rings to and from a peer: provide, map, begin and end a session.  Called
 * by the work of a peer, peer.c; messages go through them in message.c.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * The order of accesses, by partners (W = writer of a ring, O = its owner):
 *
 *  producer  W: slot, then producer (release).  O: producer (acquire), then slot.
 *  consumer  O: slot read, then consumer (release).  W: consumer (acquire), then
 *	      slot written.
 *  wake      W: wake, full barrier, consumer.  O: consumer, full barrier, wake.
 *	      So either the owner sees that it must ring, or the writer that
 *	      there is room.
 *  session   A new connection empties both rings.  Before anything of the old
 *	      one becomes inconsistent, session is 0 (write barrier); who finds
 *	      an inconsistency reads session after it (read barrier) and
 *	      thus tells a new beginning from a violation.  The new session is
 *	      written last (release) and read first (acquire).
 *  doorbell  After every store that the other side must notice.
 *  open	  O: ring published, then the line opened.  W: line seen open, then the
 *	      ring mapped.
 */
#include <linux/mm.h>

#include "sci.h"

/* Whether the node has opened the line of its rings to us.  A change of that is an event. */
bool sci_ring_allowed(struct sci_device *sd, u32 node)
{
	const struct sci_peer_slot *slot = sci_slot(sd, node);

	return le32_to_cpu(READ_ONCE(slot->open[SCI_RING_LINE / 32])) & BIT(SCI_RING_LINE % 32);
}

static u32 sci_ring_line(u32 node)
{
	return SCI_PUT(SCI_LINE_NODE, node) | SCI_PUT(SCI_LINE_LINE, SCI_RING_LINE);
}

/*
 * Let the node ring our line, until its slot leaves UP.  If it has left it already, this is
 * an error that the adapter counts, and an event follows.
 */
void sci_ring_allow(struct sci_device *sd, u32 node)
{
	sci_write(sd, SCI_REG_LINE_OPEN, sci_ring_line(node));
}

void sci_ring_forbid(struct sci_device *sd, u32 node)
{
	sci_write(sd, SCI_REG_LINE_CLOSE, sci_ring_line(node));
}

/* To ring without the right is an error; the event that takes the right ends the connection. */
void sci_ring_doorbell(struct sci_device *sd, u32 node)
{
	if (!sci_ring_allowed(sd, node))
		return;
	sci_write(sd, SCI_REG_DOORBELL, SCI_PUT(SCI_DOORBELL_NODE, node) |
		  SCI_PUT(SCI_DOORBELL_LINE, SCI_RING_LINE));
}

/* Provide the ring into which this peer writes.  Once published it stays. */
int sci_ring_publish(struct sci_peer *peer)
{
	struct sci_inbound *in = &peer->sd->inbound;
	struct sci_ring *ring;
	u16 row;
	int ret;

	if (peer->ring)
		return 0;

	ring = (struct sci_ring *)get_zeroed_page(GFP_KERNEL);
	if (!ring)
		return -ENOMEM;
	ring->magic = cpu_to_le32(SCI_RING_MAGIC);
	ring->version = cpu_to_le32(SCI_RING_VERSION);
	ring->owner = cpu_to_le32(peer->sd->incarnation);

	mutex_lock(&in->lock);
	ret = sci_inbound_leaves(in, peer->node, 1);
	row = sci_access_ring(in, peer->node);
	mutex_unlock(&in->lock);
	if (ret) {
		free_page((unsigned long)ring);
		return ret;
	}

	peer->ring = ring;
	sci_inbound_set(in, peer->node, virt_to_phys(ring), peer->sd->incarnation, row);
	return 0;
}

/* -EPROTO: what is mapped is no ring for us. */
static int sci_ring_check(struct sci_peer *peer, const struct sci_ring *ring)
{
	if (le32_to_cpu(READ_ONCE(ring->magic)) != SCI_RING_MAGIC ||
	    le32_to_cpu(READ_ONCE(ring->version)) != SCI_RING_VERSION ||
	    le32_to_cpu(READ_ONCE(ring->owner)) != peer->incarnation)
		return -EPROTO;
	return 0;
}

/* Map the ring into which we write: after the peer has opened its line, so that it is there. */
int sci_ring_open(struct sci_peer *peer)
{
	struct sci_device *sd = peer->sd;
	u32 entry = SCI_ATT_RING(peer->node);
	struct sci_target target = {
		.node = peer->node,
		.incarnation = peer->incarnation,
		.key = peer->incarnation,
		.offset = (u64)sd->node * SCI_PAGE_SIZE,
		.pages = 1,
		.write = true,
	};
	struct sci_ring *ring = (struct sci_ring *)(sd->window + (u64)entry * sd->granule);
	u32 revokes = le32_to_cpu(READ_ONCE(sci_slot(sd, peer->node)->revokes));
	int ret;

	ret = sci_att_set(sd, entry, &target);
	if (ret)
		return ret;
	spin_lock(&peer->tx.lock);
	peer->tx.ring = ring;
	peer->tx.revokes = revokes;
	peer->tx.incarnation = peer->incarnation;
	spin_unlock(&peer->tx.lock);

	ret = sci_ring_check(peer, ring);
	/* A ring that went away while it was read is no violation. */
	return ret && sci_ring_intact(peer) ? ret : 0;
}

/* After stores into the ring: whether they have reached the peer. */
bool sci_ring_intact_locked(struct sci_peer *peer)
{
	struct sci_device *sd = peer->sd;
	struct sci_tx *tx = &peer->tx;
	u32 revokes;

	lockdep_assert_held(&tx->lock);
	/* The stores, then the count; partner: the adapter raises it before it unmaps. */
	smp_mb();
	revokes = le32_to_cpu(READ_ONCE(sci_slot(sd, peer->node)->revokes));
	if (revokes == tx->revokes)
		return true;
	/* The count, then the state.  Partner: the adapter writes the state first. */
	dma_rmb();
	if (sci_att_state(sd, SCI_ATT_RING(peer->node)) != SCI_ATT_ST_MAPPED)
		return false;
	tx->revokes = revokes;
	return true;
}

bool sci_ring_intact(struct sci_peer *peer)
{
	bool intact;

	spin_lock(&peer->tx.lock);
	intact = sci_ring_intact_locked(peer);
	spin_unlock(&peer->tx.lock);
	return intact;
}

/* What the peer has written last; 0 if an earlier incarnation of it did, or if it is about to. */
u64 sci_ring_session(struct sci_peer *peer)
{
	/* Partner: sci_ring_hello(). */
	u64 session = le64_to_cpu(smp_load_acquire(&peer->ring->session));

	return le32_to_cpu(READ_ONCE(peer->ring->writer)) == peer->incarnation ? session : 0;
}

/* What the peer writes while the connection stands. */
u64 sci_ring_expected(struct sci_peer *peer)
{
	return SCI_PUT(SCI_SESSION_OWN, (u64)peer->peer_session) |
	       SCI_PUT(SCI_SESSION_PEER, (u64)peer->session);
}

/* Begin anew with both rings empty, and say so. */
void sci_ring_hello(struct sci_peer *peer)
{
	struct sci_tx *tx = &peer->tx;

	spin_lock(&tx->lock);
	WRITE_ONCE(tx->ring->session, 0);
	/* See "session" above. */
	smp_wmb();
	peer->consumer = 0;
	WRITE_ONCE(peer->ring->consumer, 0);
	tx->producer = 0;
	WRITE_ONCE(tx->ring->producer, 0);
	WRITE_ONCE(tx->ring->wake, cpu_to_le32(U32_MAX));
	WRITE_ONCE(tx->ring->writer, cpu_to_le32(peer->sd->incarnation));
	/* Partner: sci_ring_session(). */
	smp_store_release(&tx->ring->session,
			  cpu_to_le64(SCI_PUT(SCI_SESSION_OWN, (u64)peer->session) |
				      SCI_PUT(SCI_SESSION_PEER, (u64)peer->peer_session)));
	spin_unlock(&tx->lock);
	sci_ring_doorbell(peer->sd, peer->node);
}

void sci_ring_up(struct sci_peer *peer)
{
	spin_lock(&peer->tx.lock);
	peer->tx.up = true;
	spin_unlock(&peer->tx.lock);
}

/* On return no message is put any more; sleeping senders give up. */
void sci_ring_down(struct sci_peer *peer)
{
	spin_lock(&peer->tx.lock);
	peer->tx.up = false;
	spin_unlock(&peer->tx.lock);
	wake_up_all(&peer->tx.wait);
}

/* Tell the peer that this connection is over, while both adapters stay up. */
void sci_ring_bye(struct sci_peer *peer)
{
	spin_lock(&peer->tx.lock);
	if (peer->tx.ring)
		WRITE_ONCE(peer->tx.ring->session,
			   cpu_to_le64(SCI_PUT(SCI_SESSION_OWN, (u64)SCI_SESSION_BYE)));
	spin_unlock(&peer->tx.lock);
	sci_ring_doorbell(peer->sd, peer->node);
}

/* Unmap the peer's ring; after sci_ring_down(). */
void sci_ring_close(struct sci_peer *peer)
{
	if (!peer->tx.ring)
		return;
	spin_lock(&peer->tx.lock);
	peer->tx.ring = NULL;
	spin_unlock(&peer->tx.lock);
	sci_att_clear(peer->sd, SCI_ATT_RING(peer->node), 1);
}

/*
 * Whether what the peer says it has consumed is possible.  What looks wrong
 * because the peer began a new session, or because its ring went away, is
 * left to those who look for that.
 */
bool sci_ring_sane(struct sci_peer *peer)
{
	struct sci_tx *tx = &peer->tx;
	u32 used;

	spin_lock(&tx->lock);
	used = tx->producer - le32_to_cpu(READ_ONCE(tx->ring->consumer));
	spin_unlock(&tx->lock);
	if (used <= SCI_RING_SLOTS)
		return true;
	/* See "session" above. */
	smp_rmb();
	return sci_ring_session(peer) != sci_ring_expected(peer) || !sci_ring_intact(peer);
}
