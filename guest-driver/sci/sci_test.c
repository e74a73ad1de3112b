// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the allocators: granules, SCI offsets and leaves, access rows;
 * of imports and of rings.  No adapter is needed.  Part of sci.ko if the kernel has KUnit.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <kunit/test.h>
#include <linux/mm.h>

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
	in = &sd->inbound;
	mutex_init(&sd->att.lock);
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
	in->row_top = SCI_ACCESS_RINGS;
	test->priv = sd;
	return 0;
}

static void sci_test_exit(struct kunit *test)
{
	struct sci_device *sd = test->priv;
	int d;

	for (d = 0; sd && d < TEST_PAGES / SCI_LEAF_ENTRIES; d++)
		free_page((unsigned long)sd->inbound.leaf[d]);
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
	for (i = 0; i < SCI_RING_SLOTS; i++)
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
	KUNIT_EXPECT_EQ(test, sci_inbound_alloc(in, TEST_PAGES), -ENOSPC);
	KUNIT_EXPECT_EQ(test, sci_inbound_alloc(in, ULONG_MAX), -ENOSPC);
	KUNIT_EXPECT_EQ(test, sci_inbound_alloc(in, TEST_PAGES - SCI_RING_PAGES),
			SCI_RING_PAGES);
	KUNIT_EXPECT_EQ(test, sci_inbound_alloc(in, 1), -ENOSPC);
	sci_inbound_free(in, SCI_RING_PAGES + 7, 1);
	KUNIT_EXPECT_EQ(test, sci_inbound_alloc(in, 1), SCI_RING_PAGES + 7);
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

static struct kunit_case sci_test_cases[] = {
	KUNIT_CASE(granules_are_contiguous_and_reused),
	KUNIT_CASE(imports_leave_the_ring_granules_alone),
	KUNIT_CASE(lowest_granules_are_used_first),
	KUNIT_CASE(import_fills_its_entries_and_commits_them),
	KUNIT_CASE(import_that_the_adapter_denies_leaves_nothing),
	KUNIT_CASE(import_is_lost_when_its_own_entry_says_so),
	KUNIT_CASE(a_line_is_rung_only_if_it_is_open),
	KUNIT_CASE(a_sleeping_peer_is_rung_once),
	KUNIT_CASE(a_full_ring_says_where_it_waits),
	KUNIT_CASE(messages_of_another_session_are_not_put),
	KUNIT_CASE(what_is_not_of_the_session_is_left),
	KUNIT_CASE(who_looks_is_not_rung),
	KUNIT_CASE(exports_leave_the_ring_pages_alone),
	KUNIT_CASE(leaves_cover_the_run_and_stay),
	KUNIT_CASE(equal_access_rows_are_shared),
	KUNIT_CASE(unused_row_changes_only_after_an_invalidation),
	KUNIT_CASE(rows_run_out_and_come_back),
	KUNIT_CASE(exports_leave_the_ring_rows_alone),
	{ }
};

static struct kunit_suite sci_test_suite = {
	.name = "sci",
	.init = sci_test_init,
	.exit = sci_test_exit,
	.test_cases = sci_test_cases,
};

kunit_test_suite(sci_test_suite);
