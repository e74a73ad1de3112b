// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rings to and from a peer: provide, map, begin and end a session.  Called
 * by the work of a peer, peer.c; messages go through them in message.c.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * The order of accesses, by partners (W = writer of a ring, O = its owner):
 *
 *  producer  W: entry, then producer (release).  O: producer (acquire), then entry.
 *  consumer  O: entry read, then consumer (release).  W: consumer (acquire), then
 *	      entry written.
 *  bell      O, before it sleeps: bell, full barrier, producer.  W: producer, full
 *	      barrier, bell.  So either the writer sees that it must ring, or the owner
 *	      that there is a message.  An owner that looks at the ring leaves bell behind:
 *	      nobody rings.
 *  wake      W: wake, full barrier, consumer.  O: consumer, full barrier, wake.
 *	      So either the owner sees that it must ring, or the writer that
 *	      there is room.
 *  hello     A new session empties both rings.  Before anything of the old
 *	      one becomes inconsistent, hello is 0 (write barrier); who finds
 *	      an inconsistency reads hello after it (read barrier) and
 *	      thus tells a new beginning from a violation.  The new hello is
 *	      written last (release) and read first (acquire).
 *  doorbell  After every other store that the other side must notice.
 *  open	  O: ring provided, then the line opened.  W: line seen open, then the
 *	      ring mapped.
 *
 * The partner is another machine, which always runs beside this one: the barriers are
 * those that do not depend on how many processors this machine has.
 */
#include <linux/dma-mapping.h>
#include <linux/mm.h>

#include "sci.h"

static bool sci_line_allowed(struct sci_device *sd, u32 node, u32 line)
{
	const struct sci_peer_slot *slot = sci_slot(sd, node);

	return le32_to_cpu(READ_ONCE(slot->open[line / 32])) & BIT(line % 32);
}

/*
 * Whether the node has opened a line to us, so that its ring is there.  A change of that is
 * an event.
 */
bool sci_ring_allowed(struct sci_device *sd, u32 node)
{
	const struct sci_peer_slot *slot = sci_slot(sd, node);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(slot->open); i++)
		if (READ_ONCE(slot->open[i]))
			return true;
	return false;
}

static u32 sci_ring_line(struct sci_device *sd, u32 node)
{
	return node % sd->lines;
}

static u32 sci_ring_right(struct sci_device *sd, u32 node)
{
	return SCI_PUT(SCI_LINE_NODE, node) | SCI_PUT(SCI_LINE_LINE, sci_ring_line(sd, node));
}

/*
 * Let the node ring the line of its ring, until its slot leaves UP.  If it has left it already,
 * this is an error that the adapter counts, and an event follows.
 */
void sci_ring_allow(struct sci_device *sd, u32 node)
{
	sci_write(sd, SCI_REG_LINE_OPEN, sci_ring_right(sd, node));
}

void sci_ring_forbid(struct sci_device *sd, u32 node)
{
	sci_write(sd, SCI_REG_LINE_CLOSE, sci_ring_right(sd, node));
}

/* To ring without the right is an error; the event that takes the right ends the session. */
void sci_ring_doorbell(struct sci_peer *peer)
{
	struct sci_device *sd = peer->sd;
	u32 line = READ_ONCE(peer->tx.line);

	if (!sci_line_allowed(sd, peer->node, line))
		return;
	sci_write(sd, SCI_REG_DOORBELL, SCI_PUT(SCI_DOORBELL_NODE, peer->node) |
		  SCI_PUT(SCI_DOORBELL_LINE, line));
}

/*
 * Let the peer find its ring, of this incarnation of ours, which is its key as well.  It
 * looks for it when it sees the line open.
 */
void sci_ring_offer(struct sci_peer *peer)
{
	struct sci_inbound *in = &peer->sd->inbound;
	u16 row;

	WRITE_ONCE(peer->rx.ring->owner, cpu_to_le32(peer->sd->incarnation));
	mutex_lock(&in->lock);
	row = sci_access_ring(in, peer->node);
	mutex_unlock(&in->lock);
	sci_inbound_set(in, peer->node, peer->rx.dma, peer->sd->incarnation, row);
}

/* The ring is one SCI page, at the beginning of a page that has nothing else. */
static int sci_ring_alloc(struct sci_peer *peer)
{
	struct page *page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	struct sci_ring *ring;
	dma_addr_t dma;

	if (!page)
		return -ENOMEM;
	dma = sci_dma_map(peer->sd, page);
	if (dma == DMA_MAPPING_ERROR) {
		__free_page(page);
		return -ENOMEM;
	}
	ring = page_address(page);
	ring->magic = cpu_to_le32(SCI_RING_MAGIC);
	ring->version = cpu_to_le32(SCI_RING_VERSION);
	ring->line = cpu_to_le32(sci_ring_line(peer->sd, peer->node));
	ring->unit = cpu_to_le32(peer->sd->unit);

	peer->rx.dma = dma;
	/* Under the lock for interrupts that find the peer active. */
	spin_lock_irq(&peer->rx.lock);
	peer->rx.ring = ring;
	spin_unlock_irq(&peer->rx.lock);
	return 0;
}

/* Provide the ring into which this peer writes.  Once there it stays. */
int sci_ring_provide(struct sci_peer *peer)
{
	struct sci_inbound *in = &peer->sd->inbound;
	int ret;

	if (peer->rx.ring)
		return 0;

	mutex_lock(&in->lock);
	ret = sci_inbound_leaves(in, peer->node, 1);
	mutex_unlock(&in->lock);
	if (!ret)
		ret = sci_ring_alloc(peer);
	if (!ret)
		sci_ring_offer(peer);
	return ret;
}

/* With the adapter disabled: the peer does not reach it any more. */
void sci_ring_free(struct sci_peer *peer)
{
	if (!peer->rx.ring)
		return;
	sci_dma_unmap(peer->sd, peer->rx.dma);
	free_page((unsigned long)peer->rx.ring);
}

/* -EPROTO: what is mapped is no ring for us. */
static int sci_ring_check(struct sci_peer *peer, const struct sci_ring *ring, u32 line)
{
	if (le32_to_cpu(READ_ONCE(ring->magic)) != SCI_RING_MAGIC ||
	    le32_to_cpu(READ_ONCE(ring->version)) != SCI_RING_VERSION ||
	    le32_to_cpu(READ_ONCE(ring->owner)) != peer->incarnation ||
	    line >= SCI_LINES_MAX)
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
	u32 line;
	int ret;

	ret = sci_att_set(sd, entry, &target);
	if (ret)
		return ret;
	line = le32_to_cpu(READ_ONCE(ring->line));
	spin_lock(&peer->tx.lock);
	peer->tx.ring = ring;
	/* Within bounds also if the ring has gone, and what was read is anything. */
	peer->tx.line = min_t(u32, line, SCI_LINES_MAX - 1);
	peer->tx.revokes = revokes;
	spin_unlock(&peer->tx.lock);

	ret = sci_ring_check(peer, ring, line);
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
	virt_mb();
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
u64 sci_ring_heard(struct sci_peer *peer)
{
	struct sci_ring *ring = peer->rx.ring;
	/* Partner: sci_ring_hello(). */
	u64 hello = le64_to_cpu(virt_load_acquire(&ring->hello));

	return le32_to_cpu(READ_ONCE(ring->writer)) == peer->incarnation ? hello : 0;
}

/* Begin anew with both rings empty, and say so. */
void sci_ring_hello(struct sci_peer *peer)
{
	struct sci_tx *tx = &peer->tx;
	struct sci_rx *rx = &peer->rx;

	spin_lock(&tx->lock);
	WRITE_ONCE(tx->ring->hello, 0);
	/* See "hello" above. */
	virt_wmb();
	spin_lock_irq(&rx->lock);
	rx->consumer = 0;
	WRITE_ONCE(rx->ring->consumer, 0);
	/* The first message rings. */
	WRITE_ONCE(rx->ring->bell, 0);
	spin_unlock_irq(&rx->lock);
	tx->producer = 0;
	WRITE_ONCE(tx->ring->producer, 0);
	WRITE_ONCE(tx->ring->wake, cpu_to_le32(U32_MAX));
	WRITE_ONCE(tx->ring->writer, cpu_to_le32(peer->sd->incarnation));
	/* Partner: sci_ring_heard(). */
	virt_store_release(&tx->ring->hello,
			   cpu_to_le64(SCI_PUT(SCI_HELLO_OWN, (u64)peer->hello) |
				       SCI_PUT(SCI_HELLO_PEER, (u64)peer->peer_hello)));
	spin_unlock(&tx->lock);
	sci_ring_doorbell(peer);
}

void sci_ring_up(struct sci_peer *peer, u32 session)
{
	spin_lock(&peer->tx.lock);
	peer->tx.session = session;
	spin_unlock(&peer->tx.lock);
}

/* On return no message is put any more; sleeping senders give up, one after the other. */
void sci_ring_down(struct sci_peer *peer)
{
	spin_lock(&peer->tx.lock);
	peer->tx.session = 0;
	spin_unlock(&peer->tx.lock);
	wake_up(&peer->tx.wait);
}

/* Tell the peer that this session is over, while both adapters stay up. */
void sci_ring_bye(struct sci_peer *peer)
{
	spin_lock(&peer->tx.lock);
	if (peer->tx.ring)
		WRITE_ONCE(peer->tx.ring->hello,
			   cpu_to_le64(SCI_PUT(SCI_HELLO_OWN, (u64)SCI_HELLO_BYE)));
	spin_unlock(&peer->tx.lock);
	sci_ring_doorbell(peer);
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
	if (used <= SCI_RING_ENTRIES)
		return true;
	/* See "hello" above. */
	virt_rmb();
	return sci_ring_heard(peer) != peer->expected || !sci_ring_intact(peer);
}
