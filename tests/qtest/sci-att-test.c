/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Address translation of the sci device through its own node (loopback): what
 * a commit makes of an entry, how each kind of entry is accessed, revocation,
 * and the limits of the host.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "qemu/osdep.h"
#include "scitest.h"

#define RW	(SCI_ATT_READ | SCI_ATT_WRITE)
#define IN_RW	(SCI_INBOUND_READ | SCI_INBOUND_WRITE)
#define ME	7

/* A node that exports SCI pages 0..3 for everyone, 4 to nobody, 5 read-only. */
static struct sci_node *start_exporting(const char *properties)
{
	struct sci_node *n = sci_start(ME, properties);

	sci_enable(n);
	for (unsigned int i = 0; i < 4; i++)
		sci_export(n, i, SCI_DATA_BASE + i * SCI_PAGE_SIZE, IN_RW, SCI_KEY, SCI_ROW_ALL);
	sci_export(n, 4, SCI_DATA_BASE + 4 * SCI_PAGE_SIZE, IN_RW, SCI_KEY, SCI_ROW_NONE);
	sci_export(n, 5, SCI_DATA_BASE + 5 * SCI_PAGE_SIZE, SCI_INBOUND_READ, SCI_KEY,
		   SCI_ROW_ALL);
	return n;
}

static void mapped_page_is_memory(void)
{
	struct sci_node *n = start_exporting(NULL);
	uint64_t traps;

	g_assert_cmpuint(sci_map(n, 3, ME, 1, RW), ==, SCI_ATT_ST_MAPPED);
	traps = sci_get64(n, SCI_REG_TRAP_WRITES_LO);
	sci_store(n, 3 * sci_granule(n) + 8, 0x1122334455667788ull);
	g_assert_cmphex(sci_ram_load(n, SCI_DATA_BASE + SCI_PAGE_SIZE + 8), ==,
			0x1122334455667788ull);
	sci_ram_store(n, SCI_DATA_BASE + SCI_PAGE_SIZE + 16, 42);
	g_assert_cmphex(sci_load(n, 3 * sci_granule(n) + 16), ==, 42);
	g_assert_cmpuint(sci_get64(n, SCI_REG_TRAP_WRITES_LO), ==, traps);
	g_assert_cmphex(sci_errors(n), ==, 0);
	sci_cleanup();
}

static void status_word_tells_pages_and_state(void)
{
	struct sci_node *n = start_exporting(NULL);

	sci_entry(n, 0, ME, 0, RW | SCI_ATT_VALID, SCI_KEY, 4);
	sci_commit(n, 0, 1, sci_get(n, SCI_REG_INCARNATION));
	g_assert_cmphex(qtest_readl(n->qts, sci_att_field(n, 0, status)), ==,
			4 << 16 | SCI_ATT_ST_MAPPED);
	/* The guest can write there, but nothing comes of it. */
	qtest_writel(n->qts, sci_att_field(n, 0, status), SCI_ATT_ST_IDLE);
	sci_store(n, 3 * SCI_PAGE_SIZE, 9);
	g_assert_cmphex(sci_ram_load(n, SCI_DATA_BASE + 3 * SCI_PAGE_SIZE), ==, 9);
	sci_unexport(n, 0);
	sci_invalidate(n, 0, 1);
	g_assert_cmphex(qtest_readl(n->qts, sci_att_field(n, 0, status)), ==, SCI_ATT_ST_REVOKED);
	sci_cleanup();
}

static void writing_an_entry_needs_a_commit(void)
{
	struct sci_node *n = start_exporting(NULL);

	sci_map(n, 0, ME, 0, RW);
	sci_entry(n, 0, 0, 0, 0, 0, 1);
	sci_store(n, 0, 5);
	g_assert_cmphex(sci_ram_load(n, SCI_DATA_BASE), ==, 5);
	g_assert_cmpuint(sci_state(n, 0), ==, SCI_ATT_ST_MAPPED);
	g_assert_cmpuint(sci_commit(n, 0, 1, sci_get(n, SCI_REG_INCARNATION)), ==, 0);
	g_assert_cmpuint(sci_state(n, 0), ==, SCI_ATT_ST_IDLE);
	sci_store(n, 0, 6);
	g_assert_cmphex(sci_ram_load(n, SCI_DATA_BASE), ==, 5);
	g_assert_cmphex(sci_errors(n), ==, 0);
	sci_cleanup();
}

struct verdict {
	const char *what;
	unsigned int node;
	uint64_t page, flags;
	uint32_t key;
	unsigned int pages;
	unsigned int state;
};

static const struct verdict verdicts[] = {
	{ "good", ME, 0, RW, SCI_KEY, 1, SCI_ATT_ST_MAPPED },
	{ "read of read-only", ME, 5, SCI_ATT_READ, SCI_KEY, 1, SCI_ATT_ST_MAPPED },
	{ "trap", ME, 0, RW | SCI_ATT_TRAP, SCI_KEY, 1, SCI_ATT_ST_TRAP },
	{ "no right asked for", ME, 0, 0, SCI_KEY, 1, SCI_ATT_ST_BAD },
	{ "reserved bit", ME, 0, RW | 0x10, SCI_KEY, 1, SCI_ATT_ST_BAD },
	{ "reserved bits", ME, 0, RW | 0xff0, SCI_KEY, 1, SCI_ATT_ST_BAD },
	{ "no page", ME, 0, RW, SCI_KEY, 0, SCI_ATT_ST_BAD },
	{ "pages wrap", ME, 0, RW, SCI_KEY, UINT32_MAX, SCI_ATT_ST_BAD },
	{ "beyond the granule", ME, 0, RW, SCI_KEY, 17, SCI_ATT_ST_BAD },
	{ "far beyond the granule", ME, 0, RW, SCI_KEY, 4096, SCI_ATT_ST_BAD },
	{ "beyond 48 bits", ME, (1ull << 36) - 1, RW, SCI_KEY, 2, SCI_ATT_ST_BAD },
	{ "node 0", 0, 0, RW, SCI_KEY, 1, SCI_ATT_ST_NO_NODE },
	{ "absent node", 8, 0, RW, SCI_KEY, 1, SCI_ATT_ST_NO_NODE },
	{ "node 256", 256, 0, RW, SCI_KEY, 1, SCI_ATT_ST_NO_NODE },
	{ "node 65535", 65535, 0, RW, SCI_KEY, 1, SCI_ATT_ST_NO_NODE },
	{ "absent page", ME, 6, RW, SCI_KEY, 1, SCI_ATT_ST_NO_PAGE },
	{ "absent leaf", ME, 4096, RW, SCI_KEY, 1, SCI_ATT_ST_NO_PAGE },
	{ "beyond the directory", ME, SCI_PAGES_MAX, RW, SCI_KEY, 1, SCI_ATT_ST_NO_PAGE },
	{ "last page", ME, (1ull << 36) - 1, RW, SCI_KEY, 1, SCI_ATT_ST_NO_PAGE },
	{ "another key", ME, 0, RW, SCI_KEY + 1, 1, SCI_ATT_ST_NO_PAGE },
	{ "key 0", ME, 0, RW, 0, 1, SCI_ATT_ST_NO_PAGE },
	{ "row forbids", ME, 4, RW, SCI_KEY, 1, SCI_ATT_ST_DENIED },
	{ "row forbids to read", ME, 4, SCI_ATT_READ, SCI_KEY, 1, SCI_ATT_ST_DENIED },
	{ "entry forbids to write", ME, 5, RW, SCI_KEY, 1, SCI_ATT_ST_DENIED },
	{ "a page of several forbids", ME, 0, RW, SCI_KEY, 5, SCI_ATT_ST_DENIED },
	{ "trap of an absent page", ME, 6, RW | SCI_ATT_TRAP, SCI_KEY, 1, SCI_ATT_ST_NO_PAGE },
};

static void commit_gives_the_right_verdict(void)
{
	struct sci_node *n = start_exporting(NULL);
	uint32_t me = sci_get(n, SCI_REG_INCARNATION);

	for (unsigned int i = 0; i < G_N_ELEMENTS(verdicts); i++) {
		const struct verdict *v = &verdicts[i];
		bool good = v->state == SCI_ATT_ST_MAPPED || v->state == SCI_ATT_ST_TRAP;
		bool traps = v->flags & SCI_ATT_TRAP || !(v->flags & SCI_ATT_READ);

		g_test_message("%s", v->what);
		sci_entry(n, i, v->node, v->page, v->flags | SCI_ATT_VALID, v->key, v->pages);
		g_assert_cmpuint(sci_commit(n, i, 1, me), ==, !good);
		g_assert_cmpuint(sci_state(n, i), ==, v->state);
		g_assert_cmphex(sci_errors(n), ==, good ? 0 : SCI_ERROR_ATT);
		if (!good)
			g_assert_cmphex(sci_load(n, i * sci_granule(n)), ==, traps ? UINT64_MAX : 0);
		sci_errors(n);
	}
	/* All again, in one commit. */
	sci_commit(n, 0, G_N_ELEMENTS(verdicts), me);
	for (unsigned int i = 0; i < G_N_ELEMENTS(verdicts); i++)
		g_assert_cmpuint(sci_state(n, i), ==, verdicts[i].state);
	sci_cleanup();
}

static void another_incarnation_is_no_node(void)
{
	struct sci_node *n = start_exporting(NULL);
	uint32_t me = sci_get(n, SCI_REG_INCARNATION);
	const uint32_t wrong[] = { 0, me - 1, me + 1, UINT32_MAX };

	sci_entry(n, 0, ME, 0, RW | SCI_ATT_VALID, SCI_KEY, 1);
	for (unsigned int i = 0; i < G_N_ELEMENTS(wrong); i++) {
		g_assert_cmpuint(sci_commit(n, 0, 1, wrong[i]), ==, 1);
		g_assert_cmpuint(sci_state(n, 0), ==, SCI_ATT_ST_NO_NODE);
	}
	g_assert_cmpuint(sci_commit(n, 0, 1, me), ==, 0);
	sci_cleanup();
}

static void closed_tables_give_no_page(void)
{
	struct sci_node *n = start_exporting(NULL);

	sci_set(n, SCI_REG_CONTROL, SCI_CONTROL_ENABLE);
	g_assert_cmpuint(sci_map(n, 0, ME, 0, RW), ==, SCI_ATT_ST_NO_PAGE);
	sci_cleanup();
}

static void a_window_that_no_entry_has_used_traps(void)
{
	struct sci_node *n = start_exporting(NULL);
	uint64_t end = 256ull << 20;

	g_assert_cmphex(sci_load(n, 0), ==, UINT64_MAX);
	g_assert_cmphex(qtest_readb(n->qts, n->window + 1), ==, 0xff);
	g_assert_cmphex(qtest_readw(n->qts, n->window + end - 2), ==, 0xffff);
	sci_store(n, end - 8, 1);
	qtest_writeb(n->qts, n->window + 4095, 1);
	g_assert_cmpuint(sci_get64(n, SCI_REG_TRAP_READS_LO), ==, 3);
	g_assert_cmpuint(sci_get64(n, SCI_REG_TRAP_WRITES_LO), ==, 2);
	g_assert_cmphex(sci_errors(n), ==, SCI_ERROR_WINDOW);
	g_assert_cmpuint(qtest_readl(n->qts, n->status + offsetof(struct sci_adapter_status,
								   errors)), ==, 5);
	g_assert_cmpuint(qtest_readq(n->qts, n->status + offsetof(struct sci_adapter_status,
								   trap_reads)), ==, 3);
	sci_cleanup();
}

/* The first 16 MiB become memory with the first entry, then half of what there is. */
static void the_window_becomes_memory_up_to_the_highest_entry(void)
{
	struct sci_node *n = start_exporting(NULL);
	static const struct {
		unsigned int entry;
		uint64_t top;
	} steps[] = { { 3, 16ull << 20 }, { 256, 32ull << 20 }, { 4095, 256ull << 20 } };

	for (unsigned int i = 0; i < G_N_ELEMENTS(steps); i++) {
		g_assert_cmpuint(sci_map(n, steps[i].entry, ME, 0, RW), ==, SCI_ATT_ST_MAPPED);
		g_assert_cmphex(sci_load(n, steps[i].top - 16), ==, 0);
		g_assert_cmphex(sci_errors(n), ==, 0);
		if (steps[i].top < 256ull << 20)
			g_assert_cmphex(sci_load(n, steps[i].top), ==, UINT64_MAX);
		sci_errors(n);
	}
	/* It stays so whatever is unmapped, until a reset. */
	sci_entry(n, 4095, 0, 0, 0, 0, 0);
	sci_commit(n, 4095, 1, 0);
	sci_store(n, (256ull << 20) - 8, 0x5c);
	g_assert_cmphex(sci_load(n, (256ull << 20) - 8), ==, 0x5c);
	g_assert_cmphex(sci_errors(n), ==, 0);
	sci_set(n, SCI_REG_CONTROL, SCI_CONTROL_RESET);
	g_assert_cmphex(sci_load(n, (256ull << 20) - 8), ==, UINT64_MAX);
	sci_enable(n);
	sci_export(n, 0, SCI_DATA_BASE, IN_RW, SCI_KEY, SCI_ROW_ALL);
	g_assert_cmpuint(sci_map(n, 4095, ME, 0, RW), ==, SCI_ATT_ST_MAPPED);
	g_assert_cmphex(sci_load(n, (256ull << 20) - 8), ==, 0);
	sci_cleanup();
}

static void page_behind_the_entry_is_scratch(void)
{
	struct sci_node *n = start_exporting(NULL);

	g_assert_cmpuint(sci_map(n, 0, ME, 0, RW), ==, SCI_ATT_ST_MAPPED);
	sci_store(n, SCI_PAGE_SIZE - 8, 3);
	sci_store(n, SCI_PAGE_SIZE, 4);
	g_assert_cmphex(sci_load(n, SCI_PAGE_SIZE), ==, 4);
	g_assert_cmphex(sci_ram_load(n, SCI_DATA_BASE + SCI_PAGE_SIZE), ==, 0);
	g_assert_cmphex(sci_errors(n), ==, 0);
	sci_cleanup();
}

/* What was stored into nothing must not come up in another program's hands. */
static void scratch_is_zero_where_pages_were_taken_back(void)
{
	struct sci_node *n = start_exporting(NULL);

	for (unsigned int round = 0; round < 3; round++) {
		g_assert_cmpuint(sci_map(n, 0, ME, 1, RW), ==, SCI_ATT_ST_MAPPED);
		sci_unexport(n, 1);
		sci_invalidate(n, 1, 1);
		g_assert_cmphex(sci_load(n, 64), ==, 0);
		sci_store(n, 64, 0x5ec2e7);
		sci_export(n, 1, SCI_DATA_BASE + SCI_PAGE_SIZE, IN_RW, SCI_KEY, SCI_ROW_ALL);
	}
	sci_cleanup();
}

static void store_into_a_read_only_entry_changes_a_copy(void)
{
	struct sci_node *n = start_exporting(NULL);

	sci_ram_store(n, SCI_DATA_BASE, 77);
	g_assert_cmpuint(sci_map(n, 0, ME, 0, SCI_ATT_READ), ==, SCI_ATT_ST_MAPPED);
	g_assert_cmphex(sci_load(n, 0), ==, 77);
	/* No snapshot: what the exporter stores is seen. */
	sci_ram_store(n, SCI_DATA_BASE, 78);
	g_assert_cmphex(sci_load(n, 0), ==, 78);
	sci_store(n, 0, 79);
	g_assert_cmphex(sci_load(n, 0), ==, 79);
	g_assert_cmphex(sci_ram_load(n, SCI_DATA_BASE), ==, 78);
	g_assert_cmphex(sci_errors(n), ==, 0);
	/* A new commit shows the page again. */
	g_assert_cmpuint(sci_map(n, 0, ME, 0, SCI_ATT_READ), ==, SCI_ATT_ST_MAPPED);
	g_assert_cmphex(sci_load(n, 0), ==, 78);
	sci_cleanup();
}

static void write_only_entry_stores_and_does_not_load(void)
{
	struct sci_node *n = start_exporting(NULL);

	g_assert_cmpuint(sci_map(n, 0, ME, 0, SCI_ATT_WRITE), ==, SCI_ATT_ST_TRAP);
	sci_store(n, 8, 0xabcd);
	g_assert_cmphex(sci_errors(n), ==, 0);
	g_assert_cmphex(sci_ram_load(n, SCI_DATA_BASE + 8), ==, 0xabcd);
	g_assert_cmphex(sci_load(n, 8), ==, UINT64_MAX);
	g_assert_cmphex(sci_errors(n), ==, SCI_ERROR_WINDOW);
	sci_cleanup();
}

static void trap_entry_performs_each_access(void)
{
	struct sci_node *n = start_exporting(NULL);

	g_assert_cmpuint(sci_map(n, 0, ME, 0, RW | SCI_ATT_TRAP), ==, SCI_ATT_ST_TRAP);
	sci_store(n, 0, 0x8877665544332211ull);
	g_assert_cmphex(sci_ram_load(n, SCI_DATA_BASE), ==, 0x8877665544332211ull);
	g_assert_cmphex(qtest_readb(n->qts, n->window + 7), ==, 0x88);
	g_assert_cmphex(qtest_readw(n->qts, n->window + 2), ==, 0x4433);
	g_assert_cmphex(qtest_readl(n->qts, n->window + 4), ==, 0x88776655);
	qtest_writeb(n->qts, n->window + SCI_PAGE_SIZE - 1, 0x5a);
	g_assert_cmphex(sci_load(n, SCI_PAGE_SIZE - 8), ==, 0x5a00000000000000ull);
	g_assert_cmpuint(sci_get64(n, SCI_REG_TRAP_READS_LO), ==, 4);
	g_assert_cmpuint(sci_get64(n, SCI_REG_TRAP_WRITES_LO), ==, 2);
	g_assert_cmphex(sci_errors(n), ==, 0);
	/* Translated at each access: no invalidation is needed to see this. */
	sci_unexport(n, 0);
	g_assert_cmphex(sci_load(n, 0), ==, UINT64_MAX);
	g_assert_cmphex(sci_errors(n), ==, SCI_ERROR_WINDOW);
	sci_cleanup();
}

static void trap_entry_obeys_its_rights(void)
{
	struct sci_node *n = start_exporting(NULL);

	sci_ram_store(n, SCI_DATA_BASE, 1);
	g_assert_cmpuint(sci_map(n, 0, ME, 0, SCI_ATT_READ | SCI_ATT_TRAP), ==, SCI_ATT_ST_TRAP);
	sci_store(n, 0, 2);
	g_assert_cmphex(sci_errors(n), ==, SCI_ERROR_WINDOW);
	g_assert_cmphex(sci_load(n, 0), ==, 1);
	g_assert_cmphex(sci_errors(n), ==, 0);
	sci_cleanup();
}

static void invalidation_revokes_what_it_touches(void)
{
	struct sci_node *n = start_exporting(NULL);

	sci_entry(n, 0, ME, 0, RW | SCI_ATT_VALID, SCI_KEY, 2);
	sci_entry(n, 1, ME, 2, RW | SCI_ATT_VALID, SCI_KEY, 2);
	sci_entry(n, 2, ME, 1, RW | SCI_ATT_VALID | SCI_ATT_TRAP, SCI_KEY, 1);
	g_assert_cmpuint(sci_commit(n, 0, 3, sci_get(n, SCI_REG_INCARNATION)), ==, 0);
	sci_set(n, SCI_REG_INT_CAUSE, SCI_INT_ALL);
	sci_set(n, SCI_REG_PEER_EVENT, UINT32_MAX);
	sci_unexport(n, 1);
	sci_invalidate(n, 1, 1);
	g_assert_cmpuint(sci_state(n, 0), ==, SCI_ATT_ST_REVOKED);
	g_assert_cmpuint(sci_state(n, 1), ==, SCI_ATT_ST_MAPPED);
	g_assert_cmpuint(sci_state(n, 2), ==, SCI_ATT_ST_REVOKED);
	g_assert_cmphex(sci_get(n, SCI_REG_INT_CAUSE), ==, SCI_INT_INVAL | SCI_INT_PEER);
	g_assert_cmphex(sci_get(n, SCI_REG_PEER_EVENT), ==, 1u << ME);
	g_assert_cmpuint(sci_slot_field(n, ME, revokes), ==, 1);
	sci_store(n, 0, 9);
	g_assert_cmphex(sci_ram_load(n, SCI_DATA_BASE), ==, 0);
	g_assert_cmphex(sci_errors(n), ==, 0);
	/* Final until the next commit. */
	sci_export(n, 1, SCI_DATA_BASE + SCI_PAGE_SIZE, IN_RW, SCI_KEY, SCI_ROW_ALL);
	sci_invalidate(n, 1, 1);
	g_assert_cmpuint(sci_state(n, 0), ==, SCI_ATT_ST_REVOKED);
	g_assert_cmpuint(sci_commit(n, 0, 1, sci_get(n, SCI_REG_INCARNATION)), ==, 0);
	sci_store(n, 0, 9);
	g_assert_cmphex(sci_ram_load(n, SCI_DATA_BASE), ==, 9);
	/* Nobody is hit: nothing is counted. */
	sci_invalidate(n, 100, 1000);
	g_assert_cmpuint(sci_slot_field(n, ME, revokes), ==, 1);
	sci_cleanup();
}

static void disable_loses_every_mapping(void)
{
	struct sci_node *n = start_exporting(NULL);

	sci_map(n, 0, ME, 0, RW);
	sci_map(n, 1, ME, 0, RW | SCI_ATT_TRAP);
	sci_set(n, SCI_REG_CONTROL, 0);
	for (unsigned int i = 0; i < 2; i++) {
		g_assert_cmpuint(sci_state(n, i), ==, SCI_ATT_ST_PEER_LOST);
		g_assert_cmphex(sci_load(n, i * sci_granule(n)), ==, i ? UINT64_MAX : 0);
	}
	g_assert_cmphex(sci_get(n, SCI_REG_INT_CAUSE) & SCI_INT_INVAL, ==, SCI_INT_INVAL);
	g_assert_cmpuint(sci_slot_field(n, ME, revokes), ==, 1);
	sci_cleanup();
}

/* As many separate pieces as there can be: none of them traps. */
static void every_second_entry_is_memory(void)
{
	struct sci_node *n = start_exporting(NULL);
	uint32_t me = sci_get(n, SCI_REG_INCARNATION);
	uint64_t granule = sci_granule(n);

	for (unsigned int i = 0; i < SCI_ATT_ENTRIES; i += 2)
		sci_entry(n, i, ME, i / 2 % 4, RW | SCI_ATT_VALID, SCI_KEY, 1);
	g_assert_cmpuint(sci_commit(n, 0, SCI_ATT_ENTRIES, me), ==, 0);
	for (unsigned int i = 0; i < SCI_ATT_ENTRIES; i += 2) {
		sci_store(n, i * granule, i);
		g_assert_cmphex(sci_ram_load(n, SCI_DATA_BASE + i / 2 % 4 * SCI_PAGE_SIZE), ==, i);
	}
	g_assert_cmphex(sci_errors(n), ==, 0);
	g_assert_cmpuint(sci_get64(n, SCI_REG_TRAP_WRITES_LO), ==, 0);
	g_assert_cmpuint(sci_get64(n, SCI_REG_TRAP_READS_LO), ==, 0);
	/* All revoked at once. */
	for (unsigned int i = 0; i < 4; i++)
		sci_unexport(n, i);
	sci_invalidate(n, 0, 4);
	for (unsigned int i = 0; i < SCI_ATT_ENTRIES; i += 2)
		g_assert_cmphex(sci_load(n, i * granule), ==, 0);
	sci_cleanup();
}

/* Every second entry traps: QEMU has no room for so many pieces. */
static void more_runs_that_trap_than_there_is_room_for_are_refused(void)
{
	struct sci_node *n = start_exporting(NULL);
	uint32_t me = sci_get(n, SCI_REG_INCARNATION);
	uint64_t granule = sci_granule(n);
	unsigned int failed;

	for (unsigned int i = 0; i < SCI_ATT_ENTRIES; i += 2)
		sci_entry(n, i, ME, i / 2 % 4, RW | SCI_ATT_VALID | SCI_ATT_TRAP, SCI_KEY, 1);
	failed = sci_commit(n, 0, SCI_ATT_ENTRIES, me);
	g_assert_cmpuint(failed, ==, SCI_ATT_ENTRIES / 2 - 1024);
	g_assert_cmphex(sci_errors(n), ==, SCI_ERROR_ATT);
	g_assert_cmpuint(sci_state(n, 2046), ==, SCI_ATT_ST_TRAP);
	g_assert_cmpuint(sci_state(n, 2048), ==, SCI_ATT_ST_NOSPC);
	sci_store(n, 2046 * granule, 3);
	g_assert_cmpuint(sci_get64(n, SCI_REG_TRAP_WRITES_LO), ==, 1);
	/* Those between them make one run of many, and room for others. */
	for (unsigned int i = 1; i < 1024; i += 2)
		sci_entry(n, i, ME, 0, RW | SCI_ATT_VALID | SCI_ATT_TRAP, SCI_KEY, 1);
	g_assert_cmpuint(sci_commit(n, 0, 1024, me), ==, 0);
	g_assert_cmpuint(sci_map(n, 4000, ME, 0, RW | SCI_ATT_TRAP), ==, SCI_ATT_ST_TRAP);
	sci_cleanup();
}

/* Pages that no mmap can join, more than vm.max_map_count allows. */
static void too_many_host_mappings_are_no_space(void)
{
	struct sci_node *n = start_exporting("window-size=512M");
	uint32_t me = sci_get(n, SCI_REG_INCARNATION);
	unsigned int failed, first = 0;

	for (unsigned int page = 0; page < 32 * 4096; page++)
		sci_export(n, page, SCI_DATA_BASE + page % 2 * 2 * SCI_PAGE_SIZE, IN_RW, SCI_KEY,
			   SCI_ROW_ALL);
	for (unsigned int i = 0; i < SCI_ATT_ENTRIES; i++)
		sci_entry(n, i, ME, i * 32, RW | SCI_ATT_VALID, SCI_KEY, 32);
	failed = sci_commit(n, 0, SCI_ATT_ENTRIES, me);
	if (!failed) {
		g_test_skip("vm.max_map_count is larger than this test can fill");
		sci_cleanup();
		return;
	}
	g_assert_cmpuint(failed, <, SCI_ATT_ENTRIES);
	g_assert_cmphex(sci_errors(n), ==, SCI_ERROR_ATT);
	while (sci_state(n, first) == SCI_ATT_ST_MAPPED)
		first++;
	g_assert_cmpuint(sci_state(n, first), ==, SCI_ATT_ST_NOSPC);
	sci_store(n, (first - 1) * sci_granule(n), 6);
	g_assert_cmphex(sci_ram_load(n, SCI_DATA_BASE), ==, 6);
	g_assert_cmphex(sci_load(n, first * sci_granule(n)), ==, 0);
	/* Room comes back. */
	sci_unexport(n, 0);
	sci_invalidate(n, 0, 32);
	g_assert_cmpuint(sci_commit(n, first, 1, me), ==, 0);
	sci_unexport(n, first * 32);
	sci_invalidate(n, first * 32, 1);
	g_assert_cmphex(sci_load(n, first * sci_granule(n)), ==, 0);
	sci_cleanup();
}

/* What a load of the entry gives, and what a store leaves at the exporter. */
static void check_entry(struct sci_node *n, unsigned int i, uint64_t kind, uint64_t val)
{
	uint64_t data = SCI_DATA_BASE + i % 4 * SCI_PAGE_SIZE + 8 * i;
	uint64_t offset = i * sci_granule(n) + 8 * i;
	uint64_t old = sci_ram_load(n, data);
	bool traps = kind & SCI_ATT_TRAP || (kind && !(kind & SCI_ATT_READ));

	if (kind & SCI_ATT_READ)
		g_assert_cmphex(sci_load(n, offset), ==, old);
	else if (traps)
		g_assert_cmphex(sci_load(n, offset), ==, UINT64_MAX);
	sci_store(n, offset, val);
	g_assert_cmphex(sci_ram_load(n, data), ==, kind & SCI_ATT_WRITE ? val : old);
}

static void entries_survive_any_order_of_commits(void)
{
	static const uint64_t kinds[] = {
		0, SCI_ATT_VALID | RW, SCI_ATT_VALID | SCI_ATT_READ, SCI_ATT_VALID | SCI_ATT_WRITE,
		SCI_ATT_VALID | RW | SCI_ATT_TRAP, SCI_ATT_VALID | SCI_ATT_READ | SCI_ATT_TRAP,
	};
	struct sci_node *n = start_exporting("window-size=16M");
	uint32_t me = sci_get(n, SCI_REG_INCARNATION);
	uint64_t kind[64] = {};

	for (unsigned int round = 0; round < 2000; round++) {
		unsigned int i = g_test_rand_int_range(0, 64);

		kind[i] = kinds[g_test_rand_int_range(0, G_N_ELEMENTS(kinds))];
		sci_entry(n, i, ME, i % 4, kind[i], SCI_KEY, 1);
		sci_commit(n, i, 1, me);
		check_entry(n, i, kind[i], round);
		i = g_test_rand_int_range(0, 64);
		/* A copy may have been changed before. */
		if (kind[i] != (SCI_ATT_VALID | SCI_ATT_READ))
			check_entry(n, i, kind[i], round);
	}
	sci_cleanup();
}

#define ADD(test) qtest_add_func("/sci/att/" #test, test)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD(mapped_page_is_memory);
	ADD(status_word_tells_pages_and_state);
	ADD(writing_an_entry_needs_a_commit);
	ADD(commit_gives_the_right_verdict);
	ADD(another_incarnation_is_no_node);
	ADD(closed_tables_give_no_page);
	ADD(a_window_that_no_entry_has_used_traps);
	ADD(the_window_becomes_memory_up_to_the_highest_entry);
	ADD(page_behind_the_entry_is_scratch);
	ADD(scratch_is_zero_where_pages_were_taken_back);
	ADD(store_into_a_read_only_entry_changes_a_copy);
	ADD(write_only_entry_stores_and_does_not_load);
	ADD(trap_entry_performs_each_access);
	ADD(trap_entry_obeys_its_rights);
	ADD(invalidation_revokes_what_it_touches);
	ADD(disable_loses_every_mapping);
	ADD(every_second_entry_is_memory);
	ADD(more_runs_that_trap_than_there_is_room_for_are_refused);
	ADD(too_many_host_mappings_are_no_space);
	ADD(entries_survive_any_order_of_commits);
	return g_test_run();
}
