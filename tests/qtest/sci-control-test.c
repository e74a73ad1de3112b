/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the registers of the sci device start: enabling, opening tables,
 * invalidations, commits, interrupts and doorbells, with good numbers and bad
 * ones.  One node, no peer.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "qemu/osdep.h"
#include "scitest.h"

static void unknown_control_bits_are_refused(void)
{
	struct sci_node *n = sci_start(7, NULL);

	for (unsigned int bit = 2; bit < 31; bit++) {
		sci_set(n, SCI_REG_CONTROL, 1u << bit | SCI_CONTROL_ENABLE);
		g_assert_cmphex(sci_errors(n), ==, SCI_ERROR_REGISTER);
		g_assert_cmphex(sci_get(n, SCI_REG_CONTROL), ==, 0);
	}
	sci_cleanup();
}

static void incarnation_grows_with_each_enable(void)
{
	struct sci_node *n = sci_start(7, NULL);
	uint32_t last = 0;

	for (unsigned int i = 0; i < 3; i++) {
		uint32_t now = sci_enable(n);

		g_assert_cmpuint(now, >, last);
		g_assert_cmpuint(sci_slot_field(n, 7, incarnation), ==, now);
		g_assert_cmpuint(sci_slot_field(n, 7, link), ==, SCI_LINK_UP);
		last = now;
		sci_set(n, SCI_REG_CONTROL, 0);
		g_assert_cmpuint(sci_get(n, SCI_REG_INCARNATION), ==, 0);
		g_assert_cmpuint(sci_slot_field(n, 7, link), ==, SCI_LINK_PRESENT);
	}
	sci_cleanup();
}

struct tables {
	const char *what;
	uint64_t inbound_base, access_base;
	uint32_t inbound_count, access_count;
};

static const struct tables bad_tables[] = {
	{ "no directory entry", SCI_DIR_BASE, SCI_ACCESS_BASE, 0, 1 },
	{ "no access row", SCI_DIR_BASE, SCI_ACCESS_BASE, 1, 0 },
	{ "directory too long", SCI_DIR_BASE, SCI_ACCESS_BASE, SCI_DIR_MAX + 1, 1 },
	{ "too many rows", SCI_DIR_BASE, SCI_ACCESS_BASE, 1, SCI_ACCESS_MAX + 1 },
	{ "directory count wraps", SCI_DIR_BASE, SCI_ACCESS_BASE, UINT32_MAX, 1 },
	{ "row count wraps", SCI_DIR_BASE, SCI_ACCESS_BASE, 1, UINT32_MAX },
	{ "directory unaligned", SCI_DIR_BASE + 4, SCI_ACCESS_BASE, 1, 1 },
	{ "rows unaligned", SCI_DIR_BASE, SCI_ACCESS_BASE + 32, 1, 1 },
	{ "directory beyond RAM", SCI_RAM_SIZE, SCI_ACCESS_BASE, 1, 1 },
	{ "rows beyond RAM", SCI_DIR_BASE, SCI_RAM_SIZE, 1, 1 },
	{ "directory leaves RAM", SCI_RAM_SIZE - 8, SCI_ACCESS_BASE, 2, 1 },
	{ "rows leave RAM", SCI_DIR_BASE, SCI_RAM_SIZE - 64, 1, 2 },
	{ "directory wraps", UINT64_MAX - 7, SCI_ACCESS_BASE, 2, 1 },
	{ "rows wrap", SCI_DIR_BASE, UINT64_MAX - 63, 1, 2 },
	{ "directory in the VGA hole", 0xa0000, SCI_ACCESS_BASE, 1, 1 },
	{ "directory across the hole", 0x9f000, SCI_ACCESS_BASE, SCI_DIR_MAX, 1 },
	{ "directory in the own window", 0x2000000000ull, SCI_ACCESS_BASE, 1, 1 },
};

static void set_tables(struct sci_node *n, const struct tables *t)
{
	sci_set64(n, SCI_REG_INBOUND_BASE_LO, t->inbound_base);
	sci_set64(n, SCI_REG_ACCESS_BASE_LO, t->access_base);
	sci_set(n, SCI_REG_INBOUND_COUNT, t->inbound_count);
	sci_set(n, SCI_REG_ACCESS_COUNT, t->access_count);
}

static void bad_tables_are_not_opened(void)
{
	struct sci_node *n = sci_start(7, NULL);

	for (unsigned int i = 0; i < G_N_ELEMENTS(bad_tables); i++) {
		g_test_message("%s", bad_tables[i].what);
		set_tables(n, &bad_tables[i]);
		sci_set(n, SCI_REG_CONTROL, SCI_CONTROL_ENABLE | SCI_CONTROL_INBOUND);
		g_assert_cmphex(sci_get(n, SCI_REG_CONTROL), ==, SCI_CONTROL_ENABLE);
		g_assert_cmphex(sci_errors(n), ==, SCI_ERROR_INBOUND);
	}
	sci_cleanup();
}

static void inbound_needs_enable(void)
{
	static const struct tables good = { "good", SCI_DIR_BASE, SCI_ACCESS_BASE, 1, 1 };
	struct sci_node *n = sci_start(7, NULL);

	set_tables(n, &good);
	sci_set(n, SCI_REG_CONTROL, SCI_CONTROL_INBOUND);
	g_assert_cmphex(sci_get(n, SCI_REG_CONTROL), ==, 0);
	g_assert_cmphex(sci_errors(n), ==, SCI_ERROR_INBOUND);
	sci_cleanup();
}

static void tables_do_not_move_while_in_use(void)
{
	struct sci_node *n = sci_start(7, NULL);
	static const unsigned int regs[] = {
		SCI_REG_INBOUND_BASE_LO, SCI_REG_INBOUND_BASE_HI, SCI_REG_INBOUND_COUNT,
		SCI_REG_ACCESS_COUNT, SCI_REG_ACCESS_BASE_LO, SCI_REG_ACCESS_BASE_HI,
	};

	sci_enable(n);
	for (unsigned int i = 0; i < G_N_ELEMENTS(regs); i++) {
		uint32_t old = sci_get(n, regs[i]);

		sci_set(n, regs[i], old + 1);
		g_assert_cmphex(sci_get(n, regs[i]), ==, old);
		g_assert_cmphex(sci_errors(n), ==, SCI_ERROR_INBOUND);
	}
	sci_set(n, SCI_REG_CONTROL, SCI_CONTROL_ENABLE);
	sci_set(n, SCI_REG_INBOUND_COUNT, 1);
	g_assert_cmphex(sci_errors(n), ==, 0);
	sci_cleanup();
}

static void bad_invalidations_are_refused(void)
{
	struct sci_node *n = sci_start(7, NULL);
	static const uint64_t bad[][2] = {
		{ 0, 0 }, { SCI_PAGES_MAX, 1 }, { 0, SCI_PAGES_MAX + 1ull }, { 1, SCI_PAGES_MAX },
		{ UINT64_MAX, 1 }, { 1, UINT64_MAX }, { UINT64_MAX, UINT64_MAX },
		{ 1ull << 63, 1ull << 63 },
	};

	sci_enable(n);
	sci_set(n, SCI_REG_INT_CAUSE, SCI_INT_ALL);
	for (unsigned int i = 0; i < G_N_ELEMENTS(bad); i++) {
		sci_invalidate(n, bad[i][0], bad[i][1]);
		g_assert_cmphex(sci_errors(n), ==, SCI_ERROR_INVAL);
		g_assert_cmphex(sci_get(n, SCI_REG_INT_CAUSE) & SCI_INT_INVAL, ==, 0);
	}
	sci_invalidate(n, 0, SCI_PAGES_MAX);
	g_assert_cmphex(sci_errors(n), ==, 0);
	g_assert_cmphex(sci_get(n, SCI_REG_INT_CAUSE) & SCI_INT_INVAL, ==, SCI_INT_INVAL);
	sci_cleanup();
}

static void bad_commits_are_refused(void)
{
	struct sci_node *n = sci_start(7, NULL);
	static const uint32_t bad[] = {
		0, 0x00010000, 0x10000001, 0x00001001, 0x0fff0002, 0xffff0001, 0xffffffff,
		0x0001ffff, 0x08000801,
	};

	sci_enable(n);
	for (unsigned int i = 0; i < G_N_ELEMENTS(bad); i++) {
		sci_set(n, SCI_REG_ATT_COMMIT, bad[i]);
		g_assert_cmphex(sci_errors(n), ==, SCI_ERROR_ATT);
	}
	sci_set(n, SCI_REG_ATT_COMMIT, SCI_ATT_ENTRIES);
	sci_set(n, SCI_REG_ATT_COMMIT, 0x0fff0001);
	g_assert_cmphex(sci_errors(n), ==, 0);
	sci_cleanup();
}

/*
 * Whatever was to be sent has been sent when a later ring has come through; line 0
 * is open to the node itself.
 */
static void sci_settle(struct sci_node *n)
{
	sci_set(n, SCI_REG_DOORBELL, 7u << 16);
	sci_wait(sci_interrupted(n, SCI_VECTOR_LINE(0)));
}

static void status_interrupt_follows_cause_and_mask(void)
{
	struct sci_node *n = sci_start(7, NULL);

	sci_enable(n);
	sci_open_line(n, n, 0);
	sci_set(n, SCI_REG_INT_CAUSE, SCI_INT_ALL);
	sci_get(n, 0x120);
	sci_settle(n);
	g_assert_false(sci_interrupted(n, SCI_VECTOR_STATUS));
	g_assert_cmphex(sci_get(n, SCI_REG_INT_CAUSE), ==, SCI_INT_ERROR);
	/* The mask opens over a pending cause. */
	sci_set(n, SCI_REG_INT_MASK, SCI_INT_ERROR);
	sci_wait(sci_interrupted(n, SCI_VECTOR_STATUS));
	/* Not new: neither the bit of ERROR nor the cause. */
	sci_get(n, 0x120);
	sci_settle(n);
	g_assert_false(sci_interrupted(n, SCI_VECTOR_STATUS));
	sci_set(n, SCI_REG_INT_CAUSE, SCI_INT_ERROR);
	sci_get(n, 0x120);
	sci_settle(n);
	g_assert_false(sci_interrupted(n, SCI_VECTOR_STATUS));
	sci_errors(n);
	sci_get(n, 0x120);
	sci_wait(sci_interrupted(n, SCI_VECTOR_STATUS));
	sci_cleanup();
}

static void own_doorbell_raises_its_vector(void)
{
	struct sci_node *n = sci_start(7, "lines=128");

	sci_enable(n);
	for (unsigned int line = 0; line < 128; line += 127) {
		sci_open_line(n, n, line);
		sci_set(n, SCI_REG_DOORBELL, 7u << 16 | line);
		sci_wait(sci_interrupted(n, SCI_VECTOR_LINE(line)));
	}
	g_assert_cmphex(sci_errors(n), ==, 0);
	sci_cleanup();
}

static void masked_vector_keeps_a_ring_pending(void)
{
	struct sci_node *n = sci_start(7, NULL);

	sci_enable(n);
	sci_open_line(n, n, 3);
	sci_mask_vector(n, SCI_VECTOR_LINE(3), true);
	sci_set(n, SCI_REG_DOORBELL, 7u << 16 | 3);
	sci_wait(sci_vector_pending(n, SCI_VECTOR_LINE(3)));
	g_assert_false(sci_interrupted(n, SCI_VECTOR_LINE(3)));
	sci_mask_vector(n, SCI_VECTOR_LINE(3), false);
	g_assert_true(sci_interrupted(n, SCI_VECTOR_LINE(3)));
	sci_cleanup();
}

static void bad_doorbells_count_errors(void)
{
	struct sci_node *n = sci_start(7, NULL);
	static const struct {
		uint32_t val, error;
	} bad[] = {
		{ 0, SCI_ERROR_NODE }, { 8u << 16, SCI_ERROR_NODE }, { 256u << 16, SCI_ERROR_NODE },
		{ 0xffff0000, SCI_ERROR_NODE }, { 7u << 16 | 32, SCI_ERROR_LINE },
		{ 7u << 16 | 0xffff, SCI_ERROR_LINE }, { 7u << 16 | 5, SCI_ERROR_LINE },
	};

	sci_set(n, SCI_REG_DOORBELL, 7u << 16);
	g_assert_cmphex(sci_errors(n), ==, SCI_ERROR_NODE);
	g_assert_cmpuint(sci_slot_field(n, 7, errors), ==, 1);
	sci_enable(n);
	for (unsigned int i = 0; i < G_N_ELEMENTS(bad); i++) {
		sci_set(n, SCI_REG_DOORBELL, bad[i].val);
		g_assert_cmphex(sci_errors(n), ==, bad[i].error);
	}
	g_assert_cmpuint(sci_slot_field(n, 7, errors), ==, 4);
	g_assert_cmpuint(sci_slot_field(n, 7, last_error), ==, SCI_ERROR_LINE);
	g_assert_cmpuint(sci_slot_field(n, 8, errors), ==, 1);
	sci_cleanup();
}

static void a_line_rings_while_it_is_open(void)
{
	struct sci_node *n = sci_start(7, NULL);
	size_t open = offsetof(struct sci_peer_slot, open);

	sci_enable(n);
	sci_set(n, SCI_REG_PEER_EVENT, UINT32_MAX);
	sci_open_line(n, n, 5);
	g_assert_cmphex(sci_slot(n, 7, open), ==, 1u << 5);
	g_assert_cmphex(sci_get(n, SCI_REG_PEER_EVENT), ==, 1u << 7);
	/* Twice is once. */
	sci_set(n, SCI_REG_LINE_OPEN, 7u << 16 | 5);
	sci_set(n, SCI_REG_DOORBELL, 7u << 16 | 5);
	sci_wait(sci_interrupted(n, SCI_VECTOR_LINE(5)));
	sci_set(n, SCI_REG_LINE_CLOSE, 7u << 16 | 5);
	g_assert_cmphex(sci_slot(n, 7, open), ==, 0);
	sci_set(n, SCI_REG_LINE_CLOSE, 7u << 16 | 5);
	g_assert_cmphex(sci_errors(n), ==, 0);
	sci_set(n, SCI_REG_DOORBELL, 7u << 16 | 5);
	g_assert_cmphex(sci_errors(n), ==, SCI_ERROR_LINE);
	/* A disabled adapter has opened nothing. */
	sci_open_line(n, n, 5);
	sci_set(n, SCI_REG_CONTROL, 0);
	sci_enable(n);
	g_assert_cmphex(sci_slot(n, 7, open), ==, 0);
	sci_cleanup();
}

static void bad_lines_are_not_opened(void)
{
	struct sci_node *n = sci_start(7, NULL);
	static const struct {
		uint32_t val, error;
	} bad[] = {
		{ 0, SCI_ERROR_NODE }, { 8u << 16, SCI_ERROR_NODE }, { 256u << 16, SCI_ERROR_NODE },
		{ 0xffff0000, SCI_ERROR_NODE }, { 7u << 16 | 32, SCI_ERROR_LINE },
		{ 7u << 16 | 0xffff, SCI_ERROR_LINE },
	};

	sci_set(n, SCI_REG_LINE_OPEN, 7u << 16);
	g_assert_cmphex(sci_errors(n), ==, SCI_ERROR_NODE);
	sci_enable(n);
	for (unsigned int i = 0; i < G_N_ELEMENTS(bad); i++) {
		sci_set(n, SCI_REG_LINE_OPEN, bad[i].val);
		g_assert_cmphex(sci_errors(n), ==, bad[i].error);
		sci_set(n, SCI_REG_LINE_CLOSE, bad[i].val);
		g_assert_cmphex(sci_errors(n), ==, 0);
	}
	g_assert_cmpuint(sci_slot_field(n, 7, errors), ==, 0);
	sci_cleanup();
}

#define ADD(test) qtest_add_func("/sci/control/" #test, test)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD(unknown_control_bits_are_refused);
	ADD(incarnation_grows_with_each_enable);
	ADD(bad_tables_are_not_opened);
	ADD(inbound_needs_enable);
	ADD(tables_do_not_move_while_in_use);
	ADD(bad_invalidations_are_refused);
	ADD(bad_commits_are_refused);
	ADD(status_interrupt_follows_cause_and_mask);
	ADD(own_doorbell_raises_its_vector);
	ADD(masked_vector_keeps_a_ring_pending);
	ADD(bad_doorbells_count_errors);
	ADD(a_line_rings_while_it_is_open);
	ADD(bad_lines_are_not_opened);
	return g_test_run();
}
