// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the allocators: granules, SCI offsets and leaves, access rows;
 * imports, exports and rings, also with pages of other sizes.  No adapter is needed.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <kunit/test.h>
#include <linux/dma-direct.h>
#include <linux/dma-mapping.h>
#include <linux/mm.h>
#include <linux/sched/clock.h>

#include "../include/kunit_exports.h"
#include "sci.h"

#define TEST_PAGES	(4 * SCI_LEAF_ENTRIES)
#define TEST_NODE	7
#define TEST_INCARNATION	99
#define TEST_SESSION	0x5e55
#define TEST_GRANULE	(16 * SCI_PAGE_SIZE)

static int sci_test_init(struct kunit *test)
{
	struct sci_device *sd = kunit_kzalloc(test, sizeof(*sd), GFP_KERNEL);
	struct sci_inbound *in;

	KUNIT_ASSERT_NOT_NULL(test, sd);
	/* As much of a device as memory needs that is nobody's but its own. */
	sd->pdev = kunit_kzalloc(test, sizeof(*sd->pdev), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, sd->pdev);
	sd->pdev->dev.dma_mask = &sd->pdev->dma_mask;
	KUNIT_ASSERT_EQ(test, dma_set_mask_and_coherent(&sd->pdev->dev, DMA_BIT_MASK(64)), 0);
	sd->page_shift = PAGE_SHIFT;
	in = &sd->inbound;
	mutex_init(&sd->att.lock);
	init_waitqueue_head(&sd->inval.wait);
	mutex_init(&in->lock);
	in->pages = TEST_PAGES;
	in->map = kunit_kcalloc(test, BITS_TO_LONGS(in->pages), sizeof(*in->map), GFP_KERNEL);
	in->dir = kunit_kcalloc(test, TEST_PAGES / SCI_LEAF_ENTRIES, sizeof(*in->dir), GFP_KERNEL);
	in->leaf = kunit_kcalloc(test, TEST_PAGES / SCI_LEAF_ENTRIES, sizeof(*in->leaf),
				 GFP_KERNEL);
	in->rows = kunit_kcalloc(test, SCI_ACCESS_ROWS, sizeof(*in->rows), GFP_KERNEL);
	in->row_use = kunit_kcalloc(test, SCI_ACCESS_ROWS, sizeof(*in->row_use), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, in->map);
	KUNIT_ASSERT_NOT_NULL(test, in->dir);
	KUNIT_ASSERT_NOT_NULL(test, in->leaf);
	KUNIT_ASSERT_NOT_NULL(test, in->rows);
	KUNIT_ASSERT_NOT_NULL(test, in->row_use);
	sci_access_init(in);
	test->priv = sd;
	return 0;
}

static void sci_test_exit(struct kunit *test)
{
	struct sci_device *sd = test->priv;
	struct sci_inbound *in;
	int d;

	if (!sd)
		return;
	in = &sd->inbound;
	for (d = 0; d < TEST_PAGES / SCI_LEAF_ENTRIES; d++)
		if (in->leaf[d])
			dma_free_coherent(&sd->pdev->dev, SCI_LEAF_SIZE, in->leaf[d],
					  le64_to_cpu(in->dir[d]) & SCI_DIR_ADDRESS);
}

static void granules_are_contiguous_and_reused(struct kunit *test)
{
	struct sci_device *sd = test->priv;
	struct sci_att *att = &sd->att;

	KUNIT_EXPECT_EQ(test, sci_att_alloc(att, 10), SCI_ATT_RINGS);
	KUNIT_EXPECT_EQ(test, sci_att_alloc(att, SCI_ATT_IMPORTS - 20), SCI_ATT_RINGS + 10);
	KUNIT_EXPECT_EQ(test, sci_att_alloc(att, 11), -ENOSPC);
	KUNIT_EXPECT_EQ(test, sci_att_alloc(att, 10), SCI_ATT_ENTRIES - 10);
	KUNIT_EXPECT_EQ(test, sci_att_alloc(att, 1), -ENOSPC);
	sci_att_free(att, SCI_ATT_RINGS + 5, 3);
	KUNIT_EXPECT_EQ(test, sci_att_alloc(att, 4), -ENOSPC);
	KUNIT_EXPECT_EQ(test, sci_att_alloc(att, 3), SCI_ATT_RINGS + 5);
}

static void imports_leave_the_ring_granules_alone(struct kunit *test)
{
	struct sci_device *sd = test->priv;

	KUNIT_EXPECT_EQ(test, sci_att_alloc(&sd->att, SCI_ATT_IMPORTS + 1), -ENOSPC);
	KUNIT_EXPECT_EQ(test, sci_att_alloc(&sd->att, SCI_ATT_IMPORTS), SCI_ATT_RINGS);
	KUNIT_EXPECT_LT(test, SCI_ATT_RING(SCI_NODE_MAX), SCI_ATT_RINGS);
}

static void lowest_granules_are_used_first(struct kunit *test)
{
	struct sci_device *sd = test->priv;
	struct sci_att *att = &sd->att;

	KUNIT_EXPECT_EQ(test, sci_att_alloc(att, 1), SCI_ATT_RINGS);
	KUNIT_EXPECT_EQ(test, sci_att_alloc(att, 2), SCI_ATT_RINGS + 1);
	KUNIT_EXPECT_EQ(test, sci_att_alloc(att, 1), SCI_ATT_RINGS + 3);
	sci_att_free(att, SCI_ATT_RINGS, 1);
	sci_att_free(att, SCI_ATT_RINGS + 1, 2);
	KUNIT_EXPECT_EQ(test, sci_att_alloc(att, 1), SCI_ATT_RINGS);
	KUNIT_EXPECT_EQ(test, sci_att_alloc(att, 3), SCI_ATT_RINGS + 4);
}

/* Memory in place of an adapter: what the adapter writes, the test writes. */
static void sci_test_adapter(struct kunit *test)
{
	struct sci_device *sd = test->priv;
	void *csr = kunit_kzalloc(test, SCI_CSR_SIZE, GFP_KERNEL);
	u8 *memory = kunit_kzalloc(test, SCI_MEMORY_SIZE, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, csr);
	KUNIT_ASSERT_NOT_NULL(test, memory);
	sd->csr = (void __iomem __force *)csr;
	sd->status = memory;
	sd->att.entry = (struct sci_att_entry *)(memory + SCI_ATT);
	sd->granule = TEST_GRANULE;
}

/* A peer, as after its hello; both rings are memory of the test. */
static struct sci_peer *sci_test_peer(struct kunit *test)
{
	struct sci_device *sd = test->priv;
	struct sci_peer *peer = kunit_kzalloc(test, sizeof(*peer), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, peer);
	peer->sd = sd;
	peer->node = TEST_NODE;
	peer->incarnation = TEST_INCARNATION;
	spin_lock_init(&peer->tx.lock);
	spin_lock_init(&peer->rx.lock);
	init_waitqueue_head(&peer->tx.wait);
	INIT_WORK(&peer->rx.work, sci_message_work);
	peer->tx.session = TEST_SESSION;
	sd->peers[TEST_NODE] = peer;
	return peer;
}

static void sci_test_att_state(struct sci_device *sd, u32 entry, u32 state)
{
	sd->att.entry[entry].status = cpu_to_le32(SCI_PUT(SCI_ATT_STATE, state));
}

static void import_fills_its_entries_and_commits_them(struct kunit *test)
{
	struct rsmka_address address = { .offset = 0x123000, .key = 0x4711 };
	struct sci_device *sd = test->priv;
	u32 first = SCI_ATT_RINGS;
	struct sci_att_entry *at;
	phys_addr_t phys;
	void *import;

	sci_test_adapter(test);
	sci_test_peer(test);
	sd->window_phys = 0x100000000;
	at = &sd->att.entry[first];
	sci_test_att_state(sd, first, SCI_ATT_ST_MAPPED);
	sci_test_att_state(sd, first + 1, SCI_ATT_ST_MAPPED);
	KUNIT_ASSERT_EQ(test, sci_import_map(sd, TEST_NODE, TEST_SESSION, &address, 20, false,
					     &phys, &import), 0);
	KUNIT_EXPECT_EQ(test, phys, sd->window_phys + (u64)first * TEST_GRANULE);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(at[0].address),
			SCI_PUT(SCI_ATT_NODE, (u64)TEST_NODE) | 0x123000 | SCI_ATT_VALID |
			SCI_ATT_READ);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(at[1].address),
			le64_to_cpu(at[0].address) + TEST_GRANULE);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(at[0].pages), 16);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(at[1].pages), 4);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(at[1].key), 0x4711);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(at[1].expect), 99);
	KUNIT_EXPECT_EQ(test, sci_read(sd, SCI_REG_ATT_COMMIT), first << 16 | 2);

	sci_import_unmap(sd, import);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(at[0].address), 0);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(at[1].address), 0);
	KUNIT_EXPECT_EQ(test, sci_att_alloc(&sd->att, 1), first);
}

static void import_that_the_adapter_denies_leaves_nothing(struct kunit *test)
{
	struct rsmka_address address = { .offset = 0x123000, .key = 0x4711 };
	struct sci_device *sd = test->priv;
	u32 first = SCI_ATT_RINGS;
	phys_addr_t phys;
	void *import;

	sci_test_adapter(test);
	sci_test_peer(test);
	sci_test_att_state(sd, first, SCI_ATT_ST_MAPPED);
	sci_test_att_state(sd, first + 1, SCI_ATT_ST_DENIED);
	KUNIT_EXPECT_EQ(test, sci_import_map(sd, TEST_NODE, TEST_SESSION, &address, 20, true, &phys,
					     &import), -EACCES);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(sd->att.entry[first].address), 0);
	KUNIT_EXPECT_EQ(test, sci_read(sd, SCI_REG_ATT_COMMIT), first << 16 | 2);
	KUNIT_EXPECT_EQ(test, sci_att_alloc(&sd->att, 1), first);
}

static void import_is_lost_when_its_own_entry_says_so(struct kunit *test)
{
	struct rsmka_address address = { .offset = 0x123000, .key = 0x4711 };
	struct sci_device *sd = test->priv;
	u32 first = SCI_ATT_RINGS;
	struct sci_peer_slot *slot;
	phys_addr_t phys;
	void *import;

	sci_test_adapter(test);
	sci_test_peer(test);
	slot = (struct sci_peer_slot *)sci_slot(sd, TEST_NODE);
	sci_test_att_state(sd, first, SCI_ATT_ST_MAPPED);
	KUNIT_ASSERT_EQ(test, sci_import_map(sd, TEST_NODE, TEST_SESSION, &address, 1, true, &phys,
					     &import), 0);
	KUNIT_EXPECT_TRUE(test, sci_import_mapped(sd, import));
	/* Another import of the node was hit. */
	slot->revokes = cpu_to_le32(1);
	KUNIT_EXPECT_TRUE(test, sci_import_mapped(sd, import));
	sci_test_att_state(sd, first, SCI_ATT_ST_REVOKED);
	slot->revokes = cpu_to_le32(2);
	KUNIT_EXPECT_FALSE(test, sci_import_mapped(sd, import));
	KUNIT_EXPECT_FALSE(test, sci_import_mapped(sd, import));
	sci_import_unmap(sd, import);
}

static void sci_test_rings(struct kunit *test, struct sci_peer *peer)
{
	peer->tx.ring = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	peer->rx.ring = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, peer->tx.ring);
	KUNIT_ASSERT_NOT_NULL(test, peer->rx.ring);
	peer->hello = 5;
	peer->peer_hello = 6;
	peer->rx.ring->writer = cpu_to_le32(TEST_INCARNATION);
	peer->rx.ring->hello = cpu_to_le64(SCI_PUT(SCI_HELLO_OWN, 6ull) |
					   SCI_PUT(SCI_HELLO_PEER, 5ull));
	sci_message_start(peer);
}

static void sci_test_no_work(struct work_struct *work)
{
}

static void a_line_is_rung_only_if_it_is_open(struct kunit *test)
{
	struct sci_device *sd = test->priv;
	struct sci_peer_slot *slot;
	struct sci_peer *peer;
	u32 line = 3;
	u32 ring = SCI_PUT(SCI_DOORBELL_NODE, TEST_NODE) | SCI_PUT(SCI_DOORBELL_LINE, line);

	sci_test_adapter(test);
	peer = sci_test_peer(test);
	peer->tx.line = line;
	slot = (struct sci_peer_slot *)sci_slot(sd, TEST_NODE);
	KUNIT_EXPECT_FALSE(test, sci_ring_allowed(sd, TEST_NODE));
	slot->open[0] = cpu_to_le32(~BIT(line));
	sci_ring_doorbell(peer);
	KUNIT_EXPECT_EQ(test, sci_read(sd, SCI_REG_DOORBELL), 0);
	slot->open[0] = cpu_to_le32(BIT(line));
	sci_ring_doorbell(peer);
	KUNIT_EXPECT_EQ(test, sci_read(sd, SCI_REG_DOORBELL), ring);
	KUNIT_EXPECT_TRUE(test, sci_ring_allowed(sd, TEST_NODE));
}

static int sci_test_send(struct sci_device *sd)
{
	u64 message = 0x1234567890abcdef;

	return sci_message_send(sd, TEST_NODE, TEST_SESSION, &message, sizeof(message),
				RSMKA_NO_WAIT);
}

static void a_sleeping_peer_is_rung_once(struct kunit *test)
{
	struct sci_device *sd = test->priv;
	struct sci_peer *peer;
	int i;

	sci_test_adapter(test);
	peer = sci_test_peer(test);
	sci_test_rings(test, peer);
	/* It sleeps as long as it has taken nothing. */
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_EQ(test, sci_test_send(sd), 0);
	KUNIT_EXPECT_EQ(test, peer->tx.rung, 1);
	KUNIT_EXPECT_EQ(test, peer->tx.unrung, 2);
	/* It has taken them and sleeps again. */
	peer->tx.ring->consumer = cpu_to_le32(3);
	peer->tx.ring->bell = cpu_to_le32(3);
	KUNIT_EXPECT_EQ(test, sci_test_send(sd), 0);
	KUNIT_EXPECT_EQ(test, peer->tx.rung, 2);
	/* It looks. */
	peer->tx.ring->bell = cpu_to_le32(3 - 1);
	KUNIT_EXPECT_EQ(test, sci_test_send(sd), 0);
	KUNIT_EXPECT_EQ(test, peer->tx.rung, 2);
}

static void a_full_ring_says_where_it_waits(struct kunit *test)
{
	struct sci_device *sd = test->priv;
	struct sci_peer *peer;
	int i;

	sci_test_adapter(test);
	peer = sci_test_peer(test);
	sci_test_rings(test, peer);
	for (i = 0; i < SCI_RING_ENTRIES; i++)
		KUNIT_EXPECT_EQ(test, sci_test_send(sd), 0);
	KUNIT_EXPECT_EQ(test, sci_test_send(sd), -EAGAIN);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(peer->tx.ring->wake), 0);
	peer->tx.ring->consumer = cpu_to_le32(1);
	KUNIT_EXPECT_EQ(test, sci_test_send(sd), 0);
	KUNIT_EXPECT_EQ(test, sci_test_send(sd), -EAGAIN);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(peer->tx.ring->wake), 1);
}

static void messages_of_another_session_are_not_put(struct kunit *test)
{
	struct sci_device *sd = test->priv;
	struct sci_peer *peer;

	sci_test_adapter(test);
	peer = sci_test_peer(test);
	sci_test_rings(test, peer);
	sci_ring_up(peer, TEST_SESSION + 1);
	KUNIT_EXPECT_EQ(test, sci_test_send(sd), -ESTALE);
	sci_ring_down(peer);
	KUNIT_EXPECT_EQ(test, sci_test_send(sd), -EHOSTUNREACH);
	KUNIT_EXPECT_EQ(test, peer->tx.producer, 0);
	KUNIT_EXPECT_EQ(test, sci_peer_incarnation(sd, TEST_NODE, TEST_SESSION), 0);
	KUNIT_EXPECT_EQ(test, sci_peer_incarnation(sd, TEST_NODE, 0), 0);
}

struct sci_test_sleeper {
	struct wait_queue_entry entry;
	unsigned int *woken;
};

static int sci_test_wake(struct wait_queue_entry *entry, unsigned int mode, int flags, void *key)
{
	++*container_of(entry, struct sci_test_sleeper, entry)->woken;
	return 1;
}

static void a_doorbell_wakes_one_of_many_senders(struct kunit *test)
{
	struct sci_test_sleeper sleeper[10];
	struct sci_peer *peer;
	unsigned int woken = 0;
	int i;

	sci_test_adapter(test);
	peer = sci_test_peer(test);
	sci_test_rings(test, peer);
	for (i = 0; i < ARRAY_SIZE(sleeper); i++) {
		init_waitqueue_func_entry(&sleeper[i].entry, sci_test_wake);
		sleeper[i].woken = &woken;
		add_wait_queue_exclusive(&peer->tx.wait, &sleeper[i].entry);
	}
	sci_message_bell(peer);
	KUNIT_EXPECT_EQ(test, woken, 1);
	/* Who does not wait takes nobody's turn. */
	KUNIT_EXPECT_EQ(test, sci_test_send(test->priv), 0);
	KUNIT_EXPECT_EQ(test, woken, 1);
	sci_ring_down(peer);
	KUNIT_EXPECT_EQ(test, woken, 2);
	for (i = 0; i < ARRAY_SIZE(sleeper); i++)
		remove_wait_queue(&peer->tx.wait, &sleeper[i].entry);
	sci_message_stop(peer);
}

static void what_is_not_of_the_session_is_left(struct kunit *test)
{
	struct sci_device *sd = test->priv;
	struct sci_peer *peer;

	sci_test_adapter(test);
	sd->wq = alloc_ordered_workqueue("%s", 0, "sci-test");
	KUNIT_ASSERT_NOT_NULL(test, sd->wq);
	INIT_WORK(&sd->peer_work, sci_test_no_work);
	peer = sci_test_peer(test);
	sci_test_rings(test, peer);
	peer->rx.ring->hello = cpu_to_le64(SCI_PUT(SCI_HELLO_OWN, 6ull) |
					   SCI_PUT(SCI_HELLO_PEER, 4ull));
	peer->rx.ring->producer = cpu_to_le32(1);
	sci_message_bell(peer);
	KUNIT_EXPECT_EQ(test, peer->rx.consumer, 0);
	KUNIT_EXPECT_TRUE(test, test_bit(TEST_NODE, sd->attention));
	KUNIT_EXPECT_NULL(test, peer->rx.violation);
	sci_message_stop(peer);
	destroy_workqueue(sd->wq);
}

static void who_looks_is_not_rung(struct kunit *test)
{
	struct sci_device *sd = test->priv;
	struct sci_peer *peer;
	struct sci_ring *ring;

	sci_test_adapter(test);
	peer = sci_test_peer(test);
	sci_test_rings(test, peer);
	ring = peer->rx.ring;
	KUNIT_EXPECT_EQ(test, le32_to_cpu(ring->bell), 0);
	sci_message_look_begin(sd, TEST_NODE);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(ring->bell), U32_MAX);
	sci_message_look_begin(sd, TEST_NODE);
	sci_message_look_end(sd, TEST_NODE);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(ring->bell), U32_MAX);
	KUNIT_EXPECT_FALSE(test, sci_message_look(sd, TEST_NODE));
	sci_message_look_end(sd, TEST_NODE);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(ring->bell), 0);
	sci_message_stop(peer);
}

static void exports_leave_the_ring_pages_alone(struct kunit *test)
{
	struct sci_device *sd = test->priv;
	struct sci_inbound *in = &sd->inbound;

	mutex_lock(&in->lock);
	KUNIT_EXPECT_EQ(test, sci_inbound_alloc(in, TEST_PAGES, PAGE_SHIFT), -ENOSPC);
	KUNIT_EXPECT_EQ(test, sci_inbound_alloc(in, ULONG_MAX, PAGE_SHIFT), -ENOSPC);
	KUNIT_EXPECT_EQ(test, sci_inbound_alloc(in, TEST_PAGES - SCI_RING_PAGES, PAGE_SHIFT),
			SCI_RING_PAGES);
	KUNIT_EXPECT_EQ(test, sci_inbound_alloc(in, 1, PAGE_SHIFT), -ENOSPC);
	sci_inbound_free(in, SCI_RING_PAGES + 7, 1);
	KUNIT_EXPECT_EQ(test, sci_inbound_alloc(in, 1, PAGE_SHIFT), SCI_RING_PAGES + 7);
	KUNIT_EXPECT_EQ(test, in->used, TEST_PAGES - SCI_RING_PAGES);
	mutex_unlock(&in->lock);
}

static void leaves_cover_the_run_and_stay(struct kunit *test)
{
	struct sci_device *sd = test->priv;
	struct sci_inbound *in = &sd->inbound;
	struct sci_inbound_entry *leaf;

	mutex_lock(&in->lock);
	/* From the last entry of leaf 1 to the first of leaf 2. */
	KUNIT_EXPECT_EQ(test, sci_inbound_leaves(in, 2 * SCI_LEAF_ENTRIES - 1, 2), 0);
	KUNIT_EXPECT_NULL(test, in->leaf[0]);
	KUNIT_EXPECT_NULL(test, in->leaf[3]);
	KUNIT_ASSERT_NOT_NULL(test, in->leaf[1]);
	KUNIT_ASSERT_NOT_NULL(test, in->leaf[2]);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(in->dir[2]),
			virt_to_phys(in->leaf[2]) | SCI_DIR_PRESENT);
	leaf = in->leaf[1];
	KUNIT_EXPECT_EQ(test, sci_inbound_leaves(in, SCI_LEAF_ENTRIES, 1), 0);
	KUNIT_EXPECT_PTR_EQ(test, in->leaf[1], leaf);
	mutex_unlock(&in->lock);
}

static void equal_access_rows_are_shared(struct kunit *test)
{
	struct sci_device *sd = test->priv;
	struct rsmka_access access = {};
	int first, other;

	__set_bit(70, access.read);
	first = sci_access_get(sd, &access, true);
	KUNIT_EXPECT_EQ(test, sci_access_get(sd, &access, true), first);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(sd->inbound.rows[first].read[1]), 1ull << 6);
	__set_bit(70, access.write);
	other = sci_access_get(sd, &access, true);
	KUNIT_EXPECT_NE(test, other, first);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(sd->inbound.rows[other].write[1]), 1ull << 6);
	KUNIT_EXPECT_EQ(test, sd->inbound.row_use[first].refs, 2);
	KUNIT_EXPECT_EQ(test, sd->inbound.row_use[other].refs, 1);
}

static void unused_row_changes_only_after_an_invalidation(struct kunit *test)
{
	struct sci_device *sd = test->priv;
	struct rsmka_access access = {};
	int old;

	/* One is running when the row becomes unused; it does not count. */
	sd->inval.started = 1;
	__set_bit(1, access.read);
	old = sci_access_get(sd, &access, true);
	sci_access_put(sd, old);
	sd->inval.completed = 1;
	__set_bit(2, access.read);
	KUNIT_EXPECT_NE(test, sci_access_get(sd, &access, true), old);

	sd->inval.started = 2;
	sd->inval.completed = 2;
	__set_bit(3, access.read);
	KUNIT_EXPECT_EQ(test, sci_access_get(sd, &access, true), old);
}

static void rows_run_out_and_come_back(struct kunit *test)
{
	struct sci_device *sd = test->priv;
	struct sci_inbound *in = &sd->inbound;
	struct rsmka_access access = {};
	int last;
	int i;

	/* All but one are taken, by whatever differs from what is asked for here. */
	in->row_top = SCI_ACCESS_ROWS - 1;
	for (i = SCI_ACCESS_RINGS; i < in->row_top; i++)
		in->row_use[i].refs = 1;
	__set_bit(1, access.read);
	last = sci_access_get(sd, &access, false);
	KUNIT_EXPECT_EQ(test, last, SCI_ACCESS_ROWS - 1);
	KUNIT_EXPECT_EQ(test, sci_access_get(sd, &access, false), last);

	__set_bit(2, access.read);
	KUNIT_EXPECT_EQ(test, sci_access_get(sd, &access, false), -ENOSPC);
	/* Unused, but a peer may still read it: only who waits could have it. */
	sci_access_put(sd, last);
	sci_access_put(sd, last);
	KUNIT_EXPECT_EQ(test, sci_access_get(sd, &access, false), -ENOSPC);
	sd->inval.started = 1;
	sd->inval.completed = 1;
	KUNIT_EXPECT_EQ(test, sci_access_get(sd, &access, false), last);
}

/* The shortest time in which rights are found, those of one row or new ones. */
static u64 sci_test_row_time(struct sci_device *sd, u64 rights)
{
	struct rsmka_access access = {};
	u64 begin, best = U64_MAX;
	int i, row;

	for (i = 0; i < 200; i++) {
		bitmap_from_u64(access.read, rights);
		begin = local_clock();
		row = sci_access_get(sd, &access, false);
		best = min(best, local_clock() - begin);
		sci_access_put(sd, row);
		/* As after an invalidation. */
		sd->inval.completed = ++sd->inval.started;
	}
	return best;
}

static void rows_of_others_take_no_time(struct kunit *test)
{
	struct sci_device *sd = test->priv;
	struct rsmka_access access = {};
	u64 alone, crowded, rights;

	alone = sci_test_row_time(sd, 1);
	for (rights = 2; rights < SCI_ACCESS_ROWS - SCI_ACCESS_RINGS; rights++) {
		bitmap_from_u64(access.read, rights);
		KUNIT_ASSERT_GE(test, sci_access_get(sd, &access, false), 0);
	}
	crowded = sci_test_row_time(sd, 1);
	kunit_info(test, "%llu ns alone, %llu ns beside %llu rows\n", alone, crowded, rights - 2);
	KUNIT_EXPECT_LT(test, crowded, 8 * alone + 1000);
}

static void exports_leave_the_ring_rows_alone(struct kunit *test)
{
	struct sci_device *sd = test->priv;
	struct sci_inbound *in = &sd->inbound;
	struct rsmka_access access = {};
	int i;

	mutex_lock(&in->lock);
	KUNIT_EXPECT_EQ(test, sci_access_ring(in, 70), 70);
	mutex_unlock(&in->lock);
	/* Alike, but a row of a ring is nobody else's. */
	__set_bit(70, access.read);
	__set_bit(70, access.write);
	KUNIT_EXPECT_EQ(test, sci_access_get(sd, &access, false), SCI_ACCESS_RINGS);

	in->row_top = SCI_ACCESS_ROWS;
	for (i = SCI_ACCESS_RINGS; i < in->row_top; i++)
		in->row_use[i].refs = 1;
	__set_bit(7, access.read);
	KUNIT_EXPECT_EQ(test, sci_access_get(sd, &access, false), -ENOSPC);
	mutex_lock(&in->lock);
	KUNIT_EXPECT_EQ(test, sci_access_ring(in, 7), 7);
	mutex_unlock(&in->lock);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(in->rows[7].read[0]), BIT(7));
	KUNIT_EXPECT_EQ(test, le64_to_cpu(in->rows[7].write[0]), BIT(7));
	KUNIT_EXPECT_EQ(test, le64_to_cpu(in->rows[70].write[1]), BIT(6));
}

/* ---- pages of 64 KiB: 16 SCI pages each ---- */

#define TEST_SHIFT	16
#define TEST_PER_PAGE	(1ul << (TEST_SHIFT - SCI_PAGE_SHIFT))

static void a_large_page_is_many_sci_pages(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, sci_pages(SCI_PAGE_SHIFT, 7), 7);
	KUNIT_EXPECT_EQ(test, sci_pages(14, 7), 28);
	KUNIT_EXPECT_EQ(test, sci_pages(TEST_SHIFT, 7), 7 * TEST_PER_PAGE);
}

static void a_granule_holds_whole_pages(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, sci_granule_fits(SCI_PAGE_SHIFT, SCI_PAGE_SIZE));
	KUNIT_EXPECT_FALSE(test, sci_granule_fits(TEST_SHIFT, SCI_PAGE_SIZE));
	KUNIT_EXPECT_FALSE(test, sci_granule_fits(TEST_SHIFT, 3 << (TEST_SHIFT - 1)));
	KUNIT_EXPECT_TRUE(test, sci_granule_fits(TEST_SHIFT, 1 << TEST_SHIFT));
	KUNIT_EXPECT_TRUE(test, sci_granule_fits(TEST_SHIFT, 3 << TEST_SHIFT));
}

static void exports_begin_at_a_page(struct kunit *test)
{
	struct sci_device *sd = test->priv;
	struct sci_inbound *in = &sd->inbound;

	mutex_lock(&in->lock);
	KUNIT_EXPECT_EQ(test, sci_inbound_alloc(in, 1, SCI_PAGE_SHIFT), SCI_RING_PAGES);
	KUNIT_EXPECT_EQ(test, sci_inbound_alloc(in, TEST_PER_PAGE, TEST_SHIFT),
			SCI_RING_PAGES + TEST_PER_PAGE);
	KUNIT_EXPECT_EQ(test, sci_inbound_alloc(in, 1, SCI_PAGE_SHIFT), SCI_RING_PAGES + 1);
	mutex_unlock(&in->lock);
}

/* A page of that size; its first part is one of this machine's, and belongs to the test. */
static struct page *sci_test_large_page(struct kunit *test)
{
	struct page *page = alloc_pages(GFP_KERNEL, TEST_SHIFT - PAGE_SHIFT);

	KUNIT_ASSERT_NOT_NULL(test, page);
	return page;
}

static struct sci_inbound_entry *sci_test_entry(struct sci_inbound *in, unsigned long page)
{
	return &in->leaf[page / SCI_LEAF_ENTRIES][page % SCI_LEAF_ENTRIES];
}

/* Whether the entries from SCI page @first on are those of the parts of @page. */
static void sci_test_parts(struct kunit *test, unsigned long first, struct page *page)
{
	struct sci_device *sd = test->priv;
	unsigned long i;
	u64 word;

	for (i = 0; i < TEST_PER_PAGE; i++) {
		word = le64_to_cpu(sci_test_entry(&sd->inbound, first + i)->page);
		KUNIT_EXPECT_EQ(test, word & SCI_INBOUND_ADDRESS,
				page_to_phys(page) + i * SCI_PAGE_SIZE);
	}
}

static void each_part_of_large_exported_pages_has_an_entry(struct kunit *test)
{
	struct sci_device *sd = test->priv;
	struct sci_inbound *in = &sd->inbound;
	struct page *pages[1], *other[1], *last;
	struct rsmka_access access = {};
	struct rsmka_address where;
	unsigned long first;
	void *export;

	pages[0] = sci_test_large_page(test);
	other[0] = sci_test_large_page(test);
	last = sci_test_large_page(test);
	sci_test_adapter(test);
	sd->page_shift = TEST_SHIFT;
	in->next_key = 5;
	KUNIT_ASSERT_EQ(test, sci_export_offer(sd, pages, 1, last, &access, false, &where,
					       &export), 0);
	KUNIT_EXPECT_EQ(test, where.offset % (1ul << TEST_SHIFT), 0);
	KUNIT_EXPECT_EQ(test, in->used, 2 * TEST_PER_PAGE);
	first = where.offset / SCI_PAGE_SIZE;
	sci_test_parts(test, first, pages[0]);
	sci_test_parts(test, first + TEST_PER_PAGE, last);

	/* The last page stays. */
	sci_export_rebind(sd, export, other);
	KUNIT_EXPECT_EQ(test, sci_read(sd, SCI_REG_INVAL_COUNT_LO), TEST_PER_PAGE);
	sci_test_parts(test, first, other[0]);
	sci_test_parts(test, first + TEST_PER_PAGE, last);

	sci_export_withdraw(sd, export);
	KUNIT_EXPECT_EQ(test, in->used, 0);
	KUNIT_EXPECT_EQ(test, sci_read(sd, SCI_REG_INVAL_COUNT_LO), 2 * TEST_PER_PAGE);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(sci_test_entry(in, first + TEST_PER_PAGE)->page), 0);
	__free_pages(last, TEST_SHIFT - PAGE_SHIFT);
	__free_pages(other[0], TEST_SHIFT - PAGE_SHIFT);
	__free_pages(pages[0], TEST_SHIFT - PAGE_SHIFT);
}

static void import_of_large_pages_fills_granules(struct kunit *test)
{
	struct rsmka_address address = { .offset = 0x120000, .key = 1 };
	struct sci_device *sd = test->priv;
	u32 first = SCI_ATT_RINGS;
	phys_addr_t phys;
	void *import;

	sci_test_adapter(test);
	sci_test_peer(test);
	sd->page_shift = TEST_SHIFT;
	sd->granule = 2 << TEST_SHIFT;
	sci_test_att_state(sd, first, SCI_ATT_ST_MAPPED);
	sci_test_att_state(sd, first + 1, SCI_ATT_ST_MAPPED);
	KUNIT_ASSERT_EQ(test, sci_import_map(sd, TEST_NODE, TEST_SESSION, &address, 3, false,
					     &phys, &import), 0);
	KUNIT_EXPECT_EQ(test, phys % (1ul << TEST_SHIFT), 0);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(sd->att.entry[first].pages), 2 * TEST_PER_PAGE);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(sd->att.entry[first + 1].pages), TEST_PER_PAGE);
	sci_import_unmap(sd, import);
}

/* ---- what is mapped for the adapter ---- */

static void memory_has_its_own_address_on_the_bus(struct kunit *test)
{
	struct sci_device *sd = test->priv;
	struct page *page = alloc_page(GFP_KERNEL);
	dma_addr_t dma;

	KUNIT_ASSERT_NOT_NULL(test, page);
	dma = sci_dma_map(sd, page);
	KUNIT_EXPECT_EQ(test, dma, page_to_phys(page));
	sci_dma_unmap(sd, dma);
	__free_page(page);
}

static const struct bus_dma_region sci_test_elsewhere[] = {
	{ .cpu_start = 0, .dma_start = 1ull << 40, .size = 1ull << 40 },
	{ }
};

static void memory_with_another_address_on_the_bus_is_refused(struct kunit *test)
{
	struct sci_device *sd = test->priv;
	struct page *page = alloc_page(GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, page);
	sd->pdev->dev.dma_range_map = sci_test_elsewhere;
	KUNIT_EXPECT_EQ(test, sci_dma_map(sd, page), DMA_MAPPING_ERROR);
	__free_page(page);
}

static void a_ring_stays_and_gets_a_new_key(struct kunit *test)
{
	struct sci_device *sd = test->priv;
	struct sci_inbound_entry *entry;
	struct sci_peer *peer;
	struct sci_ring *ring;

	sci_test_adapter(test);
	peer = sci_test_peer(test);
	sd->lines = 4;
	sd->incarnation = 17;
	KUNIT_ASSERT_EQ(test, sci_ring_provide(peer), 0);
	ring = peer->rx.ring;
	entry = sci_test_entry(&sd->inbound, TEST_NODE);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(entry->page) & SCI_INBOUND_ADDRESS, virt_to_phys(ring));
	KUNIT_EXPECT_EQ(test, le32_to_cpu(entry->key), 17);
	KUNIT_EXPECT_EQ(test, le16_to_cpu(entry->access), TEST_NODE);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(ring->owner), 17);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(ring->line), TEST_NODE % 4);

	/* As after a suspend. */
	sd->incarnation = 18;
	sci_ring_offer(peer);
	KUNIT_EXPECT_PTR_EQ(test, peer->rx.ring, ring);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(entry->page) & SCI_INBOUND_ADDRESS, virt_to_phys(ring));
	KUNIT_EXPECT_EQ(test, le32_to_cpu(entry->key), 18);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(ring->owner), 18);
	sci_ring_free(peer);
}

static void a_ring_with_another_address_on_the_bus_is_not_provided(struct kunit *test)
{
	struct sci_device *sd = test->priv;
	struct sci_inbound *in = &sd->inbound;
	struct sci_peer *peer;

	sci_test_adapter(test);
	peer = sci_test_peer(test);
	sd->lines = 4;
	mutex_lock(&in->lock);
	KUNIT_EXPECT_EQ(test, sci_inbound_leaves(in, TEST_NODE, 1), 0);
	mutex_unlock(&in->lock);
	sd->pdev->dev.dma_range_map = sci_test_elsewhere;
	KUNIT_EXPECT_EQ(test, sci_ring_provide(peer), -ENOMEM);
	sd->pdev->dev.dma_range_map = NULL;
	KUNIT_EXPECT_NULL(test, peer->rx.ring);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(sci_test_entry(in, TEST_NODE)->page), 0);
}

/* The ring of a peer at the place of the window where it is mapped. */
static struct sci_ring *sci_test_window(struct kunit *test, struct sci_peer *peer)
{
	struct sci_device *sd = test->priv;
	struct sci_ring *ring;

	sd->granule = SCI_PAGE_SIZE;
	sd->window = kunit_kzalloc(test, SCI_NODES * SCI_PAGE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, sd->window);
	ring = (struct sci_ring *)(sd->window + SCI_ATT_RING(peer->node) * sd->granule);
	ring->magic = cpu_to_le32(SCI_RING_MAGIC);
	ring->version = cpu_to_le32(SCI_RING_VERSION);
	ring->owner = cpu_to_le32(peer->incarnation);
	sci_test_att_state(sd, SCI_ATT_RING(peer->node), SCI_ATT_ST_MAPPED);
	return ring;
}

static void the_line_of_a_ring_is_bounded(struct kunit *test)
{
	struct sci_device *sd = test->priv;
	struct sci_peer_slot *slot;
	struct sci_peer *peer;
	struct sci_ring *ring;

	sci_test_adapter(test);
	peer = sci_test_peer(test);
	ring = sci_test_window(test, peer);
	slot = (struct sci_peer_slot *)sci_slot(sd, peer->node);
	ring->line = cpu_to_le32(SCI_LINES_MAX - 1);
	KUNIT_EXPECT_EQ(test, sci_ring_open(peer), 0);
	KUNIT_EXPECT_EQ(test, peer->tx.line, SCI_LINES_MAX - 1);

	/* No line of the slot is open, and what is behind them is no line. */
	slot->reserved[0] = cpu_to_le32(U32_MAX);
	ring->line = cpu_to_le32(SCI_LINES_MAX);
	KUNIT_EXPECT_EQ(test, sci_ring_open(peer), -EPROTO);
	KUNIT_EXPECT_LT(test, peer->tx.line, SCI_LINES_MAX);
	sci_ring_doorbell(peer);
	KUNIT_EXPECT_EQ(test, sci_read(sd, SCI_REG_DOORBELL), 0);

	/* As an adapter reads that is gone. */
	ring->line = cpu_to_le32(U32_MAX);
	KUNIT_EXPECT_EQ(test, sci_ring_open(peer), -EPROTO);
	KUNIT_EXPECT_LT(test, peer->tx.line, SCI_LINES_MAX);
}

static struct kunit_case sci_test_cases[] = {
	KUNIT_CASE(granules_are_contiguous_and_reused),
	KUNIT_CASE(imports_leave_the_ring_granules_alone),
	KUNIT_CASE(lowest_granules_are_used_first),
	KUNIT_CASE(import_fills_its_entries_and_commits_them),
	KUNIT_CASE(import_that_the_adapter_denies_leaves_nothing),
	KUNIT_CASE(import_is_lost_when_its_own_entry_says_so),
	KUNIT_CASE(a_line_is_rung_only_if_it_is_open),
	KUNIT_CASE(the_line_of_a_ring_is_bounded),
	KUNIT_CASE(a_sleeping_peer_is_rung_once),
	KUNIT_CASE(a_full_ring_says_where_it_waits),
	KUNIT_CASE(messages_of_another_session_are_not_put),
	KUNIT_CASE(a_doorbell_wakes_one_of_many_senders),
	KUNIT_CASE(what_is_not_of_the_session_is_left),
	KUNIT_CASE(who_looks_is_not_rung),
	KUNIT_CASE(exports_leave_the_ring_pages_alone),
	KUNIT_CASE(leaves_cover_the_run_and_stay),
	KUNIT_CASE(equal_access_rows_are_shared),
	KUNIT_CASE(unused_row_changes_only_after_an_invalidation),
	KUNIT_CASE(rows_run_out_and_come_back),
	KUNIT_CASE(rows_of_others_take_no_time),
	KUNIT_CASE(exports_leave_the_ring_rows_alone),
	KUNIT_CASE(a_large_page_is_many_sci_pages),
	KUNIT_CASE(a_granule_holds_whole_pages),
	KUNIT_CASE(exports_begin_at_a_page),
	KUNIT_CASE(each_part_of_large_exported_pages_has_an_entry),
	KUNIT_CASE(import_of_large_pages_fills_granules),
	KUNIT_CASE(memory_has_its_own_address_on_the_bus),
	KUNIT_CASE(memory_with_another_address_on_the_bus_is_refused),
	KUNIT_CASE(a_ring_stays_and_gets_a_new_key),
	KUNIT_CASE(a_ring_with_another_address_on_the_bus_is_not_provided),
	{ }
};

static struct kunit_suite sci_test_suite = {
	.name = "sci",
	.init = sci_test_init,
	.exit = sci_test_exit,
	.test_cases = sci_test_cases,
};

kunit_test_suite(sci_test_suite);

KUNIT_IMPORTS();
MODULE_DESCRIPTION("Tests of the emulated SCI adapter's driver");
MODULE_AUTHOR("The sci-rsm authors");
MODULE_LICENSE("GPL");
