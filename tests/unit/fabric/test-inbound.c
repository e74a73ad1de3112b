// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Translation through the tables of a peer: each bound with exactly one thing
 * wrong, and tables of noise.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <string.h>

#include "inbound.h"
#include "sci_regs.h"

#define LOW_SIZE	0x10000
#define HIGH_BASE	0x100000000ull
#define HIGH_SIZE	0x4000
#define HIGH_FD_OFFSET	0x7000

#define DIRECTORY	0x1000
#define DIR_COUNT	3
#define LEAF		0x3000
#define ACCESS		0x5000
#define ROWS		4
#define TARGET		0x8000

/* SCI page of the entry under test, and what asks for it */
#define SCI_PAGE	(2 * SCI_LEAF_ENTRIES + 17)
#define KEY		0xc0ffee01u
#define ROW		3
#define NODE		130

struct table {
	FabricPeer peer;
	FabricPage page;
	unsigned int node;
	uint64_t sci_page;
	uint32_t key;
	unsigned int want;
	/* Heap blocks of the exact size, so that ASan sees one byte too far. */
	uint8_t *low, *high;
};

static uint64_t *dir_entry(struct table *t)
{
	return (uint64_t *)(t->low + DIRECTORY) + SCI_PAGE / SCI_LEAF_ENTRIES;
}

static struct sci_inbound_entry *entry(struct table *t)
{
	return (struct sci_inbound_entry *)(t->low + LEAF) + SCI_PAGE % SCI_LEAF_ENTRIES;
}

static struct sci_access_row *row(struct table *t)
{
	return (struct sci_access_row *)(t->low + ACCESS) + ROW;
}

static void table_init(struct table *t)
{
	memset(t, 0, sizeof(*t));
	t->low = g_malloc0(LOW_SIZE);
	t->high = g_malloc0(HIGH_SIZE);
	t->page = (FabricPage) {
		.magic = FABRIC_PAGE_MAGIC, .incarnation = 7, .inbound = 1,
		.inbound_count = DIR_COUNT, .inbound_base = DIRECTORY,
		.access_base = ACCESS, .access_count = ROWS,
	};
	t->peer = (FabricPeer) {
		.node = 2, .incarnation = 7, .page = &t->page, .n_ram = 2,
		.ram = {
			{ .guest_base = 0, .size = LOW_SIZE, .host = t->low },
			{ .guest_base = HIGH_BASE, .size = HIGH_SIZE,
			  .fd_offset = HIGH_FD_OFFSET, .host = t->high },
		},
	};
	t->node = NODE;
	t->sci_page = SCI_PAGE;
	t->key = KEY;
	t->want = INBOUND_READ | INBOUND_WRITE;
	*dir_entry(t) = GUINT64_TO_LE(LEAF | SCI_DIR_PRESENT);
	entry(t)->page = GUINT64_TO_LE(TARGET | SCI_INBOUND_READ | SCI_INBOUND_WRITE);
	entry(t)->key = GUINT32_TO_LE(KEY);
	entry(t)->access = GUINT16_TO_LE(ROW);
	row(t)->read[NODE / 64] = GUINT64_TO_LE(1ull << NODE % 64);
	row(t)->write[NODE / 64] = GUINT64_TO_LE(1ull << NODE % 64);
}

static void table_fini(struct table *t)
{
	g_free(t->low);
	g_free(t->high);
}

struct change {
	const char *name;
	void (*change)(struct table *t);
	InboundResult result;
};

#define CHANGE(name, statement)				\
	static void name(struct table *t)		\
	{						\
		statement;				\
	}

CHANGE(node_0, t->node = 0)
CHANGE(node_256, t->node = 256)
CHANGE(node_2_32, t->node = UINT32_MAX)
CHANGE(other_node, t->node = NODE + 64)
CHANGE(neighbour_node, t->node = NODE + 1)
CHANGE(inbound_closed, t->page.inbound = 0)
CHANGE(inbound_garbage, t->page.inbound = 2)
CHANGE(peer_disabled, { t->page.incarnation = 0; t->peer.incarnation = 0; })
CHANGE(peer_disabled_untold, t->page.incarnation = 0)
CHANGE(peer_reenabled_untold, t->page.incarnation = 8)
CHANGE(sci_page_before, t->sci_page--)
CHANGE(sci_page_after, t->sci_page++)
CHANGE(sci_page_beyond_directory, t->sci_page = DIR_COUNT * SCI_LEAF_ENTRIES)
CHANGE(sci_page_2_64, t->sci_page = UINT64_MAX)
CHANGE(sci_page_wraps_to_it, t->sci_page |= 1ull << 63)
CHANGE(dir_count_short, t->page.inbound_count = DIR_COUNT - 1)
CHANGE(dir_count_0, t->page.inbound_count = 0)
CHANGE(dir_unaligned, t->page.inbound_base = DIRECTORY + 4)
CHANGE(dir_not_ram, t->page.inbound_base = LOW_SIZE)
CHANGE(dir_entry_crosses_end, t->page.inbound_base = LOW_SIZE - 16)
CHANGE(dir_wraps, t->page.inbound_base = -(uint64_t)16)
CHANGE(dir_absent, *dir_entry(t) = GUINT64_TO_LE(LEAF))
CHANGE(dir_reserved_low, *dir_entry(t) |= GUINT64_TO_LE(2))
CHANGE(dir_reserved_high, *dir_entry(t) |= GUINT64_TO_LE(1ull << 52))
CHANGE(leaf_not_ram, *dir_entry(t) = GUINT64_TO_LE(LOW_SIZE | SCI_DIR_PRESENT))
CHANGE(leaf_top, *dir_entry(t) = GUINT64_TO_LE(SCI_DIR_ADDRESS | SCI_DIR_PRESENT))
CHANGE(entry_absent, entry(t)->page = 0)
CHANGE(entry_reserved_low, entry(t)->page |= GUINT64_TO_LE(4))
CHANGE(entry_reserved_high, entry(t)->page |= GUINT64_TO_LE(1ull << 63))
CHANGE(entry_reserved_word, entry(t)->reserved = GUINT16_TO_LE(1))
CHANGE(entry_page_not_ram, entry(t)->page = GUINT64_TO_LE(LOW_SIZE | 3))
CHANGE(entry_page_beyond_high, entry(t)->page = GUINT64_TO_LE((HIGH_BASE + HIGH_SIZE) | 3))
CHANGE(entry_page_below_high, entry(t)->page = GUINT64_TO_LE((HIGH_BASE - 0x1000) | 3))
CHANGE(entry_page_top, entry(t)->page = GUINT64_TO_LE(SCI_INBOUND_ADDRESS | 3))
CHANGE(key_differs, t->key ^= 0x80000000)
CHANGE(key_0, t->key = 0)
CHANGE(row_beyond, entry(t)->access = GUINT16_TO_LE(ROWS))
CHANGE(row_last, entry(t)->access = GUINT16_TO_LE(0xffff))
CHANGE(row_count_short, t->page.access_count = ROW)
CHANGE(row_count_0, t->page.access_count = 0)
CHANGE(row_unaligned, t->page.access_base = ACCESS + 1)
CHANGE(row_not_ram, t->page.access_base = LOW_SIZE)
CHANGE(row_wraps, t->page.access_base = -(uint64_t)(ROW * 64))
CHANGE(row_top, t->page.access_base = -(uint64_t)64)
CHANGE(row_crosses_end, t->page.access_base = LOW_SIZE - ROW * 64 - 48)
CHANGE(other_row, entry(t)->access = GUINT16_TO_LE(ROW - 1))
CHANGE(row_not_readable, row(t)->read[NODE / 64] = 0)
CHANGE(row_not_writable, row(t)->write[NODE / 64] = 0)
CHANGE(page_not_readable, entry(t)->page &= ~GUINT64_TO_LE(SCI_INBOUND_READ))
CHANGE(page_not_writable, entry(t)->page &= ~GUINT64_TO_LE(SCI_INBOUND_WRITE))
CHANGE(page_without_rights, entry(t)->page = GUINT64_TO_LE(TARGET))
CHANGE(want_nothing, t->want = 0)
CHANGE(want_unknown, t->want |= 4)

static const struct change changes[] = {
	{ "node_0", node_0, INBOUND_NO_PAGE },
	{ "node_256", node_256, INBOUND_NO_PAGE },
	{ "node_2_32", node_2_32, INBOUND_NO_PAGE },
	{ "other_node", other_node, INBOUND_DENIED },
	{ "neighbour_node", neighbour_node, INBOUND_DENIED },
	{ "inbound_closed", inbound_closed, INBOUND_NO_PAGE },
	{ "inbound_garbage", inbound_garbage, INBOUND_NO_PAGE },
	{ "peer_disabled", peer_disabled, INBOUND_NO_PAGE },
	{ "peer_disabled_untold", peer_disabled_untold, INBOUND_NO_PAGE },
	{ "peer_reenabled_untold", peer_reenabled_untold, INBOUND_NO_PAGE },
	{ "sci_page_before", sci_page_before, INBOUND_NO_PAGE },
	{ "sci_page_after", sci_page_after, INBOUND_NO_PAGE },
	{ "sci_page_beyond_directory", sci_page_beyond_directory, INBOUND_NO_PAGE },
	{ "sci_page_2_64", sci_page_2_64, INBOUND_NO_PAGE },
	{ "sci_page_wraps_to_it", sci_page_wraps_to_it, INBOUND_NO_PAGE },
	{ "dir_count_short", dir_count_short, INBOUND_NO_PAGE },
	{ "dir_count_0", dir_count_0, INBOUND_NO_PAGE },
	{ "dir_unaligned", dir_unaligned, INBOUND_NO_PAGE },
	{ "dir_not_ram", dir_not_ram, INBOUND_NO_PAGE },
	{ "dir_entry_crosses_end", dir_entry_crosses_end, INBOUND_NO_PAGE },
	{ "dir_wraps", dir_wraps, INBOUND_NO_PAGE },
	{ "dir_absent", dir_absent, INBOUND_NO_PAGE },
	{ "dir_reserved_low", dir_reserved_low, INBOUND_NO_PAGE },
	{ "dir_reserved_high", dir_reserved_high, INBOUND_NO_PAGE },
	{ "leaf_not_ram", leaf_not_ram, INBOUND_NO_PAGE },
	{ "leaf_top", leaf_top, INBOUND_NO_PAGE },
	{ "entry_absent", entry_absent, INBOUND_NO_PAGE },
	{ "entry_reserved_low", entry_reserved_low, INBOUND_NO_PAGE },
	{ "entry_reserved_high", entry_reserved_high, INBOUND_NO_PAGE },
	{ "entry_reserved_word", entry_reserved_word, INBOUND_NO_PAGE },
	{ "entry_page_not_ram", entry_page_not_ram, INBOUND_NO_PAGE },
	{ "entry_page_beyond_high", entry_page_beyond_high, INBOUND_NO_PAGE },
	{ "entry_page_below_high", entry_page_below_high, INBOUND_NO_PAGE },
	{ "entry_page_top", entry_page_top, INBOUND_NO_PAGE },
	{ "key_differs", key_differs, INBOUND_NO_PAGE },
	{ "key_0", key_0, INBOUND_NO_PAGE },
	{ "row_beyond", row_beyond, INBOUND_NO_PAGE },
	{ "row_last", row_last, INBOUND_NO_PAGE },
	{ "row_count_short", row_count_short, INBOUND_NO_PAGE },
	{ "row_count_0", row_count_0, INBOUND_NO_PAGE },
	{ "row_unaligned", row_unaligned, INBOUND_NO_PAGE },
	{ "row_not_ram", row_not_ram, INBOUND_NO_PAGE },
	{ "row_wraps", row_wraps, INBOUND_NO_PAGE },
	{ "row_top", row_top, INBOUND_NO_PAGE },
	{ "row_crosses_end", row_crosses_end, INBOUND_NO_PAGE },
	{ "other_row", other_row, INBOUND_DENIED },
	{ "row_not_readable", row_not_readable, INBOUND_DENIED },
	{ "row_not_writable", row_not_writable, INBOUND_DENIED },
	{ "page_not_readable", page_not_readable, INBOUND_DENIED },
	{ "page_not_writable", page_not_writable, INBOUND_DENIED },
	{ "page_without_rights", page_without_rights, INBOUND_DENIED },
	{ "want_nothing", want_nothing, INBOUND_DENIED },
	{ "want_unknown", want_unknown, INBOUND_DENIED },
};

static InboundResult translate(struct table *t, InboundPage *out)
{
	return inbound_translate(&t->peer, t->node, t->sci_page, t->key, t->want, out);
}

static void one_change_refuses(gconstpointer data)
{
	const struct change *change = data;
	InboundPage out, untouched;
	struct table t;

	table_init(&t);
	memset(&out, 0x55, sizeof(out));
	memset(&untouched, 0x55, sizeof(untouched));
	change->change(&t);
	g_assert_cmpint(translate(&t, &out), ==, change->result);
	g_assert_cmpmem(&out, sizeof(out), &untouched, sizeof(untouched));
	table_fini(&t);
}

static void correct_entry_translates(void)
{
	InboundPage out;
	struct table t;

	table_init(&t);
	g_assert_cmpint(translate(&t, &out), ==, INBOUND_OK);
	g_assert_true(out.ram == &t.peer.ram[0]);
	g_assert_true(out.host == t.low + TARGET);

	/* The last page of the other range, whose file does not start at 0. */
	entry(&t)->page = GUINT64_TO_LE((HIGH_BASE + HIGH_SIZE - 0x1000) | 3);
	g_assert_cmpint(translate(&t, &out), ==, INBOUND_OK);
	g_assert_true(out.ram == &t.peer.ram[1]);
	g_assert_true(out.host == t.high + HIGH_SIZE - 0x1000);

	/* Guest page 0 is a page as any other. */
	entry(&t)->page = GUINT64_TO_LE(3);
	g_assert_cmpint(translate(&t, &out), ==, INBOUND_OK);
	g_assert_true(out.host == t.low);
	table_fini(&t);
}

static void rights_are_those_of_page_and_row(void)
{
	for (unsigned int bits = 0; bits < 64; bits++) {
		unsigned int page = bits & 3, granted = bits >> 2 & 3, want = bits >> 4;
		InboundPage out;
		struct table t;

		table_init(&t);
		entry(&t)->page = GUINT64_TO_LE(TARGET | page);
		if (!(granted & INBOUND_READ))
			row(&t)->read[NODE / 64] = 0;
		if (!(granted & INBOUND_WRITE))
			row(&t)->write[NODE / 64] = 0;
		t.want = want;
		g_assert_cmpint(translate(&t, &out), ==,
				want && !(want & ~(page & granted)) ? INBOUND_OK : INBOUND_DENIED);
		table_fini(&t);
	}
}

static void every_node_has_its_own_bit(void)
{
	for (unsigned int granted = 1; granted <= SCI_NODE_MAX; granted += 7) {
		struct table t;

		table_init(&t);
		memset(row(&t), 0, sizeof(*row(&t)));
		row(&t)->read[granted / 64] = GUINT64_TO_LE(1ull << granted % 64);
		t.want = INBOUND_READ;
		for (t.node = 1; t.node <= SCI_NODE_MAX; t.node++) {
			InboundPage out;

			g_assert_cmpint(translate(&t, &out), ==,
					t.node == granted ? INBOUND_OK : INBOUND_DENIED);
		}
		table_fini(&t);
	}
}

/* The last directory entry that the format allows, at the very end of RAM. */
static void limits_are_inclusive(void)
{
	struct table t;
	InboundPage out;

	table_init(&t);
	g_free(t.high);
	t.high = g_malloc0(SCI_DIR_MAX * sizeof(uint64_t));
	t.peer.ram[1].host = t.high;
	t.peer.ram[1].size = SCI_DIR_MAX * sizeof(uint64_t);
	t.page.inbound_base = HIGH_BASE;
	t.page.inbound_count = UINT32_MAX;
	((uint64_t *)t.high)[SCI_DIR_MAX - 1] = GUINT64_TO_LE(LEAF | SCI_DIR_PRESENT);
	t.sci_page = (SCI_DIR_MAX - 1) * SCI_LEAF_ENTRIES + 17;
	g_assert_cmpint(translate(&t, &out), ==, INBOUND_OK);
	t.sci_page += SCI_LEAF_ENTRIES;
	g_assert_cmpint(translate(&t, &out), ==, INBOUND_NO_PAGE);

	/* The last row of the access table. */
	t.sci_page -= SCI_LEAF_ENTRIES;
	t.page.access_count = UINT32_MAX;
	t.page.access_base = LOW_SIZE - (ROW + 1) * 64;
	memcpy(t.low + LOW_SIZE - 64, row(&t), 64);
	g_assert_cmpint(translate(&t, &out), ==, INBOUND_OK);
	table_fini(&t);
}

static uint64_t noise_word(unsigned int index)
{
	uint64_t any = (uint64_t)g_test_rand_int() << 32 | (uint32_t)g_test_rand_int();

	switch (g_test_rand_int_range(0, 10)) {
	case 0:
		return any;
	case 1:
		return any & ~(1ull << 52);
	default:
		/* Even: an entry that is present, in or just beyond RAM; odd: key and row. */
		return index % 2 ? any & 0x300000001 : (any & 0x1f002) | 1;
	}
}

/* Random words that look like tables: what comes out is RAM, nothing else is touched. */
static void noise_yields_only_ram(void)
{
	unsigned int ok = 0;
	struct table t;

	table_init(&t);
	for (unsigned int i = 0; i < LOW_SIZE / 8; i++)
		((uint64_t *)t.low)[i] = GUINT64_TO_LE(noise_word(i));
	for (unsigned int round = 0; round < 50000; round++) {
		unsigned int index = g_test_rand_int_range(0, LOW_SIZE / 8);
		InboundPage out;

		((uint64_t *)t.low)[index] = GUINT64_TO_LE(noise_word(index));
		t.page.inbound_base = g_test_rand_int_range(0, 0x240) * 0x80;
		t.page.access_base = g_test_rand_int_range(0, 0x240) * 0x80;
		t.page.inbound_count = g_test_rand_int();
		t.page.access_count = g_test_rand_int();
		t.key = g_test_rand_bit();
		t.sci_page = g_test_rand_int_range(0, 0x80000);
		t.want = INBOUND_READ;
		t.node = g_test_rand_int_range(0, 20);
		if (translate(&t, &out) == INBOUND_OK) {
			ok++;
			g_assert_true(out.host >= t.low && out.host <= t.low + LOW_SIZE - 4096);
			g_assert_cmpuint((out.host - t.low) % 4096, ==, 0);
		}
	}
	g_test_message("%u of 50000 translated", ok);
	g_assert_cmpuint(ok, >, 100);
	table_fini(&t);
}

#define WALK	600

/* WALK pages from the middle of one leaf to the third one, all of the key and row. */
static void walk_init(struct table *t)
{
	table_init(t);
	t->sci_page = SCI_LEAF_ENTRIES / 2;
	for (unsigned int leaf = 0; leaf < 3; leaf++) {
		struct sci_inbound_entry *entries =
			(struct sci_inbound_entry *)(t->low + LEAF + (leaf % 2) * 0x6000);

		((uint64_t *)(t->low + DIRECTORY))[leaf] =
			GUINT64_TO_LE((LEAF + (leaf % 2) * 0x6000) | SCI_DIR_PRESENT);
		for (unsigned int i = 0; i < SCI_LEAF_ENTRIES; i++) {
			entries[i].page = GUINT64_TO_LE((TARGET + i % 2 * 0x1000) | 3);
			entries[i].key = GUINT32_TO_LE(KEY);
			entries[i].access = GUINT16_TO_LE(ROW);
		}
	}
}

static InboundResult walk(struct table *t, InboundPage *out)
{
	return inbound_walk(&t->peer, t->node, t->sci_page, WALK, t->key, t->want, out);
}

static void walk_crosses_leaves(void)
{
	InboundPage out[WALK];
	struct table t;

	walk_init(&t);
	g_assert_cmpint(walk(&t, out), ==, INBOUND_OK);
	for (unsigned int i = 0; i < WALK; i++) {
		g_assert_true(out[i].ram == &t.peer.ram[0]);
		g_assert_true(out[i].host == t.low + TARGET + (t.sci_page + i) % 2 * 0x1000);
	}
	table_fini(&t);
}

/* Pages before the first that is refused are there, nothing is touched after. */
static void walk_stops_at_the_first_refusal(void)
{
	static const struct {
		uint64_t page;
		uint32_t key;
		uint16_t row;
		InboundResult result;
	} cases[] = {
		{ 0, KEY, ROW, INBOUND_NO_PAGE },
		{ TARGET | 3, KEY + 1, ROW, INBOUND_NO_PAGE },
		{ TARGET | 3, KEY, ROWS, INBOUND_NO_PAGE },
		{ LOW_SIZE | 3, KEY, ROW, INBOUND_NO_PAGE },
		{ TARGET | 1, KEY, ROW, INBOUND_DENIED },
		{ TARGET | 3, KEY, ROW - 1, INBOUND_DENIED },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct sci_inbound_entry *bad;
		InboundPage out[WALK];
		struct table t;

		walk_init(&t);
		memset(out, 0x55, sizeof(out));
		/* In the second leaf. */
		bad = (struct sci_inbound_entry *)(t.low + LEAF + 0x6000) + 100;
		bad->page = GUINT64_TO_LE(cases[i].page);
		bad->key = GUINT32_TO_LE(cases[i].key);
		bad->access = GUINT16_TO_LE(cases[i].row);
		g_assert_cmpint(walk(&t, out), ==, cases[i].result);
		g_assert_true(out[128 + 99].host);
		g_assert_true(out[128 + 99].ram == &t.peer.ram[0]);
		for (size_t j = 0; j < sizeof(out[0]); j++)
			g_assert_cmphex(((uint8_t *)&out[128 + 100])[j], ==, 0x55);
		table_fini(&t);
	}
}

/* More rows than a walk remembers: each page has the rights of its own row. */
static void walk_keeps_rows_apart(void)
{
	enum { MANY = 40 };
	InboundPage out[WALK];
	struct table t;

	walk_init(&t);
	t.page.access_count = MANY;
	t.page.access_base = 0xb000;
	for (unsigned int i = 0; i < MANY; i++) {
		struct sci_access_row *r = (struct sci_access_row *)(t.low + 0xb000) + i;

		r->read[NODE / 64] = GUINT64_TO_LE(1ull << NODE % 64);
		r->write[NODE / 64] = GUINT64_TO_LE((uint64_t)(i != 33) << NODE % 64);
	}
	for (unsigned int i = 0; i < SCI_LEAF_ENTRIES; i++)
		((struct sci_inbound_entry *)(t.low + LEAF))[i].access = GUINT16_TO_LE(i % 33);
	g_assert_cmpint(walk(&t, out), ==, INBOUND_OK);
	/* It shares its place among the remembered rows with row 17. */
	((struct sci_inbound_entry *)(t.low + LEAF))[200].access = GUINT16_TO_LE(33);
	g_assert_cmpint(walk(&t, out), ==, INBOUND_DENIED);
	t.want = INBOUND_READ;
	g_assert_cmpint(walk(&t, out), ==, INBOUND_OK);
	table_fini(&t);
}

static void walk_of_no_page_yields_nothing(void)
{
	InboundPage out, untouched;
	struct table t;

	table_init(&t);
	memset(&out, 0x55, sizeof(out));
	memset(&untouched, 0x55, sizeof(untouched));
	g_assert_cmpint(inbound_walk(&t.peer, NODE, SCI_PAGE, 0, KEY, INBOUND_READ, &out), ==,
			INBOUND_OK);
	g_assert_cmpmem(&out, sizeof(out), &untouched, sizeof(untouched));
	table_fini(&t);
}

/* Neither a page nor a table in it. */
static void range_that_is_gone_is_no_ram(void)
{
	InboundPage out;
	struct table t;

	table_init(&t);
	entry(&t)->page = GUINT64_TO_LE(HIGH_BASE | 3);
	g_assert_cmpint(translate(&t, &out), ==, INBOUND_OK);
	t.page.ram_gone = 1u << 1;
	g_assert_cmpint(translate(&t, &out), ==, INBOUND_NO_PAGE);
	entry(&t)->page = GUINT64_TO_LE(TARGET | 3);
	g_assert_cmpint(translate(&t, &out), ==, INBOUND_OK);
	t.page.ram_gone = 1u << 0;
	g_assert_cmpint(translate(&t, &out), ==, INBOUND_NO_PAGE);
	t.page.ram_gone = UINT32_MAX << 2;
	g_assert_cmpint(translate(&t, &out), ==, INBOUND_OK);
	table_fini(&t);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/inbound/correct_entry_translates", correct_entry_translates);
	g_test_add_func("/inbound/rights_are_those_of_page_and_row",
			rights_are_those_of_page_and_row);
	g_test_add_func("/inbound/every_node_has_its_own_bit", every_node_has_its_own_bit);
	g_test_add_func("/inbound/limits_are_inclusive", limits_are_inclusive);
	g_test_add_func("/inbound/walk_crosses_leaves", walk_crosses_leaves);
	g_test_add_func("/inbound/walk_stops_at_the_first_refusal",
			walk_stops_at_the_first_refusal);
	g_test_add_func("/inbound/walk_keeps_rows_apart", walk_keeps_rows_apart);
	g_test_add_func("/inbound/walk_of_no_page_yields_nothing", walk_of_no_page_yields_nothing);
	g_test_add_func("/inbound/range_that_is_gone_is_no_ram", range_that_is_gone_is_no_ram);
	g_test_add_func("/inbound/noise_yields_only_ram", noise_yields_only_ram);
	for (size_t i = 0; i < G_N_ELEMENTS(changes); i++) {
		char *path = g_strdup_printf("/inbound/refuses/%s", changes[i].name);

		g_test_add_data_func(path, &changes[i], one_change_refuses);
		g_free(path);
	}
	return g_test_run();
}
