/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Registers of the sci device: the spec's table, access sizes, and a guest that
 * writes anything anywhere.  One node, no peer.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "qemu/osdep.h"
#include "scitest.h"

/* A row of the register table of docs/specs/sci.rst */
struct row {
	unsigned int offset;
	char name[24];
	char access[8];
	char reset[16];
};

static struct row rows[64];
static unsigned int n_rows;

/* Rows look like "0x000   VERSION   4     RO      0x00010000   Major ...". */
static void read_spec(void)
{
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;
	bool within = false;

	g_assert_true(g_file_get_contents(SCI_SPEC, &text, NULL, NULL));
	lines = g_strsplit(text, "\n", 0);
	n_rows = 0;
	for (char **line = lines; *line; line++) {
		struct row r;
		unsigned int size;

		if (g_str_equal(*line, "Registers"))
			within = true;
		if (g_str_equal(*line, "Bits"))
			within = false;
		if (!within || sscanf(*line, "0x%x %23s %u %7s %15s", &r.offset, r.name, &size,
				      r.access, r.reset) != 5)
			continue;
		g_assert_cmpuint(size, ==, 4);
		g_assert_cmpuint(n_rows, <, G_N_ELEMENTS(rows));
		rows[n_rows++] = r;
	}
	g_assert_cmpuint(n_rows, >, 30);
}

static uint32_t reset_value(struct sci_node *n, const struct row *r)
{
	unsigned int shift = g_str_has_suffix(r->name, "_HI") ? 32 : 0;

	if (g_str_equal(r->reset, "node-id"))
		return n->id;
	if (g_str_equal(r->reset, "window-size"))
		return (256ull << 20) >> shift;
	if (g_str_equal(r->reset, "lines"))
		return 32;
	if (g_str_equal(r->reset, "*"))
		return (256ull << 20) / SCI_ATT_ENTRIES;
	if (g_str_equal(r->reset, "-"))
		return 0;
	return g_ascii_strtoull(r->reset, NULL, 0);
}

static void check_reset_column(struct sci_node *n)
{
	for (unsigned int i = 0; i < n_rows; i++) {
		g_test_message("%s", rows[i].name);
		g_assert_cmphex(sci_get(n, rows[i].offset), ==, reset_value(n, &rows[i]));
	}
	for (unsigned int i = 0; i < SCI_PEER_EVENT_WORDS; i++)
		g_assert_cmphex(sci_get(n, SCI_REG_PEER_EVENT + 4 * i), ==, 0);
	g_assert_cmphex(sci_get(n, SCI_REG_ERROR), ==, 0);
}

static void scribble(struct sci_node *n)
{
	sci_enable(n);
	sci_export(n, 0, SCI_DATA_BASE, SCI_INBOUND_READ | SCI_INBOUND_WRITE, SCI_KEY,
		   SCI_ROW_ALL);
	g_assert_cmpuint(sci_map(n, 0, n->id, 0, SCI_ATT_READ | SCI_ATT_WRITE), ==,
			 SCI_ATT_ST_MAPPED);
	sci_map(n, 1, n->id, 9, SCI_ATT_READ);
	sci_set(n, SCI_REG_INT_MASK, SCI_INT_ALL);
	sci_set64(n, SCI_REG_INVAL_FIRST_LO, 0x123456789abcdefull);
	sci_set64(n, SCI_REG_INVAL_COUNT_LO, 0xfedcba987654321ull);
	sci_set(n, SCI_REG_INVAL_START, 1);
	sci_set(n, SCI_REG_DOORBELL, 0xffffffff);
	sci_map(n, 2, n->id, 0, SCI_ATT_READ | SCI_ATT_TRAP);
	sci_load(n, 2 * sci_granule(n));
	sci_store(n, 2 * sci_granule(n), 1);
	g_assert_cmphex(sci_get(n, SCI_REG_ERROR), !=, 0);
}

static void registers_read_their_reset_value(void)
{
	struct sci_node *n = sci_start(7, NULL);

	check_reset_column(n);
	sci_cleanup();
}

static void check_after_reset(struct sci_node *n)
{
	check_reset_column(n);
	for (uint64_t offset = 0; offset < 3 * sizeof(struct sci_att_entry); offset += 8)
		g_assert_cmphex(qtest_readq(n->qts, n->status + SCI_ATT + offset), ==, 0);
	g_assert_cmphex(sci_load(n, 2 * sci_granule(n)), ==, UINT64_MAX);
	g_assert_cmphex(sci_errors(n), ==, SCI_ERROR_WINDOW);
	g_assert_cmphex(sci_slot_field(n, n->id, link), ==, SCI_LINK_PRESENT);
	g_assert_cmphex(sci_slot_field(n, n->id, incarnation), ==, 0);
	g_assert_cmphex(sci_slot_field(n, n->id, errors), ==, 0);
	g_assert_cmphex(sci_slot_field(n, n->id, revokes), ==, 0);
	g_assert_cmphex(sci_load(n, 0), ==, UINT64_MAX);
}

static void soft_reset_restores_the_reset_column(void)
{
	struct sci_node *n = sci_start(7, NULL);

	scribble(n);
	sci_set(n, SCI_REG_CONTROL, SCI_CONTROL_RESET | SCI_CONTROL_ENABLE);
	check_after_reset(n);
	sci_cleanup();
}

static void system_reset_restores_the_reset_column(void)
{
	struct sci_node *n = sci_start(7, NULL);

	scribble(n);
	qtest_system_reset(n->qts);
	sci_setup(n);
	check_after_reset(n);
	sci_cleanup();
}

static void read_only_registers_ignore_writes(void)
{
	struct sci_node *n = sci_start(7, NULL);

	for (unsigned int i = 0; i < n_rows; i++) {
		uint32_t old;

		if (!g_str_equal(rows[i].access, "RO"))
			continue;
		g_test_message("%s", rows[i].name);
		old = sci_get(n, rows[i].offset);
		sci_set(n, rows[i].offset, ~old);
		g_assert_cmphex(sci_get(n, rows[i].offset), ==, old);
		g_assert_cmphex(sci_errors(n), ==, SCI_ERROR_REGISTER);
	}
	sci_cleanup();
}

static bool is_register(unsigned int offset)
{
	for (unsigned int i = 0; i < n_rows; i++)
		if (rows[i].offset == offset)
			return true;
	return offset >= SCI_REG_PEER_EVENT && offset < SCI_REG_END;
}

static void what_is_no_register_reads_all_ones(void)
{
	struct sci_node *n = sci_start(7, NULL);
	static const unsigned int far[] = { 0x120, 0xffc, 0x3000, 0x8000, 0xfffc };

	for (unsigned int offset = 0; offset < SCI_REG_END; offset += 4) {
		if (is_register(offset))
			continue;
		g_assert_cmphex(sci_get(n, offset), ==, UINT32_MAX);
		g_assert_cmphex(sci_errors(n), ==, SCI_ERROR_REGISTER);
		sci_set(n, offset, 0);
		g_assert_cmphex(sci_errors(n), ==, SCI_ERROR_REGISTER);
	}
	for (unsigned int i = 0; i < G_N_ELEMENTS(far); i++) {
		g_assert_cmphex(sci_get(n, far[i]), ==, UINT32_MAX);
		g_assert_cmphex(sci_errors(n), ==, SCI_ERROR_REGISTER);
	}
	sci_cleanup();
}

static void wrong_sizes_are_refused(void)
{
	struct sci_node *n = sci_start(7, NULL);

	g_assert_cmphex(qtest_readb(n->qts, n->csr + SCI_REG_VERSION), ==, 0xff);
	g_assert_cmphex(sci_errors(n), ==, SCI_ERROR_REGISTER);
	g_assert_cmphex(qtest_readw(n->qts, n->csr + SCI_REG_VERSION), ==, 0xffff);
	g_assert_cmphex(sci_errors(n), ==, SCI_ERROR_REGISTER);
	g_assert_cmphex(qtest_readl(n->qts, n->csr + SCI_REG_VERSION + 2), ==, UINT32_MAX);
	g_assert_cmphex(sci_errors(n), ==, SCI_ERROR_REGISTER);
	/* Two single registers are not a pair. */
	g_assert_cmphex(sci_get64(n, SCI_REG_VERSION), ==, UINT64_MAX);
	g_assert_cmphex(sci_errors(n), ==, SCI_ERROR_REGISTER);
	qtest_writeb(n->qts, n->csr + SCI_REG_INT_MASK, 7);
	g_assert_cmphex(sci_errors(n), ==, SCI_ERROR_REGISTER);
	g_assert_cmphex(sci_get(n, SCI_REG_INT_MASK), ==, 0);
	qtest_writeq(n->qts, n->csr + SCI_CSR_SIZE - 8, 7);
	g_assert_cmphex(sci_errors(n), ==, SCI_ERROR_REGISTER);
	sci_cleanup();
}

static void pairs_take_halves_and_wholes(void)
{
	struct sci_node *n = sci_start(7, NULL);

	sci_set64(n, SCI_REG_INBOUND_BASE_LO, 0x1122334455667788ull);
	g_assert_cmphex(sci_get(n, SCI_REG_INBOUND_BASE_LO), ==, 0x55667788);
	g_assert_cmphex(sci_get(n, SCI_REG_INBOUND_BASE_HI), ==, 0x11223344);
	sci_set(n, SCI_REG_INBOUND_BASE_HI, 0xaabbccdd);
	g_assert_cmphex(sci_get64(n, SCI_REG_INBOUND_BASE_LO), ==, 0xaabbccdd55667788ull);
	sci_set(n, SCI_REG_INBOUND_BASE_LO, 1);
	g_assert_cmphex(sci_get64(n, SCI_REG_INBOUND_BASE_LO), ==, 0xaabbccdd00000001ull);
	g_assert_cmphex(sci_errors(n), ==, 0);
	sci_cleanup();
}

static void status_pages_cannot_be_written(void)
{
	struct sci_node *n = sci_start(7, NULL);
	uint64_t node_id = n->status + offsetof(struct sci_adapter_status, node_id);

	g_assert_cmphex(qtest_readl(n->qts, node_id), ==, 7);
	qtest_writel(n->qts, node_id, 8);
	g_assert_cmphex(qtest_readl(n->qts, node_id), ==, 7);
	sci_enable(n);
	g_assert_cmphex(qtest_readl(n->qts, n->status + offsetof(struct sci_adapter_status, control)),
			==, SCI_CONTROL_ENABLE | SCI_CONTROL_INBOUND);
	sci_cleanup();
}

/* Values that tend to break range checks. */
static uint64_t hostile_value(void)
{
	static const uint64_t edges[] = {
		0, 1, 7, 8, 0xfff, 0x1000, 0x1001, 0xffff, 0x10000, 0x0fff0001, 0x00001000,
		0x7fffffff, 0x80000000, 0xffffffff, 0xffff0001, 1ull << 36, 1ull << 48,
		0x7fffffffffffffffull, 0x8000000000000000ull, UINT64_MAX, UINT64_MAX - 7,
		SCI_DIR_BASE, SCI_ACCESS_BASE, SCI_RAM_SIZE, SCI_RAM_SIZE - 8, SCI_PAGES_MAX,
		0x0007000000000007ull, 0x000700000000000full, 0x0007000000001007ull,
	};
	uint64_t val = (uint64_t)g_test_rand_int() << 32 | (uint32_t)g_test_rand_int();

	return g_test_rand_bit() ? val : edges[val % G_N_ELEMENTS(edges)];
}

static void device_survives_hostile_writes(void)
{
	struct sci_node *n = sci_start(7, "window-size=16M");

	for (unsigned int i = 0; i < 20000; i++) {
		uint64_t val = hostile_value();
		uint64_t reg = g_test_rand_int_range(0, SCI_REG_END) & ~3ull;

		switch (g_test_rand_int_range(0, 8)) {
		case 0:
			sci_set(n, reg, val);
			break;
		case 1:
			sci_set64(n, reg & ~7ull, val);
			break;
		case 2:
			qtest_writeq(n->qts, n->status + SCI_ATT +
				     (hostile_value() % 0x20000 & ~7ull), val);
			break;
		case 3:
			sci_store(n, hostile_value() % (16 << 20), val);
			break;
		case 4:
			sci_load(n, hostile_value() % (16 << 20));
			break;
		case 5:
			/* Tables at random: in front of, in, and behind RAM. */
			sci_ram_store(n, SCI_DIR_BASE + 8 * (val % 64), hostile_value());
			break;
		case 6:
			sci_get(n, hostile_value() % SCI_CSR_SIZE);
			break;
		case 7:
			if (i % 64 == 0)
				sci_enable(n);
			sci_commit(n, val % 64, 1 + val % 64, sci_get(n, SCI_REG_INCARNATION));
			break;
		}
	}
	g_assert_cmphex(sci_get(n, SCI_REG_VERSION), ==, SCI_VERSION);
	sci_set(n, SCI_REG_CONTROL, SCI_CONTROL_RESET);
	sci_enable(n);
	g_assert_cmphex(sci_errors(n), ==, 0);
	sci_cleanup();
}

#define ADD(test) qtest_add_func("/sci/regs/" #test, test)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	read_spec();
	ADD(registers_read_their_reset_value);
	ADD(soft_reset_restores_the_reset_column);
	ADD(system_reset_restores_the_reset_column);
	ADD(read_only_registers_ignore_writes);
	ADD(what_is_no_register_reads_all_ones);
	ADD(wrong_sizes_are_refused);
	ADD(pairs_take_halves_and_wholes);
	ADD(status_pages_cannot_be_written);
	ADD(device_survives_hostile_writes);
	return g_test_run();
}
