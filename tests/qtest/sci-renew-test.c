/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An exporter puts other pages in place of exported ones: what importers that
 * have them mapped reach, before, after, and if they may not have the new ones.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "qemu/osdep.h"
#include "scitest.h"

#define RW	(SCI_ATT_READ | SCI_ATT_WRITE)
#define IN_RW	(SCI_INBOUND_READ | SCI_INBOUND_WRITE)
#define PAGE	40	/* the first of two SCI pages that the exporter offers */
#define OLD	SCI_DATA_BASE
#define NEW	(SCI_DATA_BASE + 8 * SCI_PAGE_SIZE)

/* Importer and exporter; the same node if there is one. */
struct nodes {
	struct sci_node *ex, *im;
};

static void export_at(struct sci_node *ex, uint64_t guest, uint64_t rights)
{
	/* In the other order at first, so that they take two host mappings. */
	sci_export(ex, PAGE, guest + (guest == OLD) * SCI_PAGE_SIZE, rights, SCI_KEY, SCI_ROW_ALL);
	sci_export(ex, PAGE + 1, guest + (guest != OLD) * SCI_PAGE_SIZE, rights, SCI_KEY,
		   SCI_ROW_ALL);
}

/* The importer's entry 0, of two pages, maps the exporter's pages at OLD. */
static void start(struct nodes *n, unsigned int exporter, uint64_t flags)
{
	n->ex = sci_start(exporter, NULL);
	n->im = exporter == 3 ? n->ex : sci_start(3 - exporter, NULL);
	sci_enable(n->ex);
	if (n->im != n->ex) {
		sci_enable(n->im);
		sci_wait_link(n->im, exporter, SCI_LINK_UP);
	}
	export_at(n->ex, OLD, IN_RW);
	sci_entry(n->im, 0, exporter, PAGE, flags | SCI_ATT_VALID, SCI_KEY, 2);
	g_assert_cmpuint(sci_commit(n->im, 0, 1, sci_get(n->ex, SCI_REG_INCARNATION)), ==, 0);
	sci_ram_store(n->ex, OLD, 0x01d0);
	sci_ram_store(n->ex, OLD + SCI_PAGE_SIZE, 0x01d1);
	sci_ram_store(n->ex, NEW, 0x11e0);
	sci_ram_store(n->ex, NEW + SCI_PAGE_SIZE, 0x11e1);
	g_assert_cmphex(sci_load(n->im, 0), ==, 0x01d1);
}

static void invalidate(struct nodes *n)
{
	sci_set(n->ex, SCI_REG_INT_CAUSE, SCI_INT_ALL);
	sci_invalidate(n->ex, PAGE, 2);
	sci_wait_settled(n->ex);
	g_assert_cmphex(sci_get(n->ex, SCI_REG_INT_CAUSE) & SCI_INT_INVAL, !=, 0);
}

static void new_pages_take_the_place_of_old_ones(gconstpointer exporter)
{
	struct nodes n;

	start(&n, GPOINTER_TO_UINT(exporter), RW);
	for (unsigned int round = 0; round < 20; round++) {
		uint64_t now = round % 2 ? OLD : NEW, then = round % 2 ? NEW : OLD;
		uint64_t swapped = now == OLD ? SCI_PAGE_SIZE : 0;

		export_at(n.ex, now, IN_RW);
		invalidate(&n);
		sci_store(n.im, 8, round);
		sci_store(n.im, SCI_PAGE_SIZE + 8, ~(uint64_t)round);
		g_assert_cmphex(sci_ram_load(n.ex, now + swapped + 8), ==, round);
		g_assert_cmphex(sci_ram_load(n.ex, now + SCI_PAGE_SIZE - swapped + 8), ==,
				~(uint64_t)round);
		g_assert_cmphex(sci_load(n.im, 0), ==, now == OLD ? 0x01d1 : 0x11e0);
		/* What the other pages held they still hold. */
		g_assert_cmphex(sci_ram_load(n.ex, then + (then == OLD ? SCI_PAGE_SIZE : 0) + 8),
				==, round ? round - 1 : 0);
	}
	/* Nobody lost anything, so nobody is told. */
	g_assert_cmpuint(sci_state(n.im, 0), ==, SCI_ATT_ST_MAPPED);
	g_assert_cmpuint(sci_slot_field(n.im, n.ex->id, revokes), ==, 0);
	g_assert_cmpuint(sci_slot_field(n.im, n.ex->id, errors), ==, 0);
	g_assert_cmpuint(sci_get64(n.im, SCI_REG_TRAP_WRITES_LO), ==, 0);
	g_assert_cmphex(sci_errors(n.im), ==, 0);
	sci_cleanup();
}

static void read_only_entry_follows_as_well(gconstpointer exporter)
{
	struct nodes n;

	start(&n, GPOINTER_TO_UINT(exporter), SCI_ATT_READ);
	export_at(n.ex, NEW, IN_RW);
	invalidate(&n);
	g_assert_cmphex(sci_load(n.im, 0), ==, 0x11e0);
	sci_store(n.im, 0, 1);
	g_assert_cmphex(sci_ram_load(n.ex, NEW), ==, 0x11e0);
	sci_cleanup();
}

static void check_revoked(struct nodes *n)
{
	g_assert_cmpuint(sci_state(n->im, 0), ==, SCI_ATT_ST_REVOKED);
	g_assert_cmpuint(sci_slot_field(n->im, n->ex->id, revokes), ==, 1);
	g_assert_cmphex(sci_load(n->im, 0), ==, 0);
	sci_store(n->im, 0, 77);
	g_assert_cmphex(sci_ram_load(n->ex, OLD + SCI_PAGE_SIZE), ==, 0x01d1);
	g_assert_cmphex(sci_ram_load(n->ex, NEW), ==, 0x11e0);
}

static void pages_without_the_right_end_the_entry(gconstpointer exporter)
{
	struct nodes n;

	start(&n, GPOINTER_TO_UINT(exporter), RW);
	export_at(n.ex, NEW, SCI_INBOUND_READ);
	invalidate(&n);
	check_revoked(&n);
	sci_cleanup();
}

/* The first page is new already when the second turns out to be none. */
static void half_of_the_pages_end_the_entry(gconstpointer exporter)
{
	struct nodes n;

	start(&n, GPOINTER_TO_UINT(exporter), RW);
	export_at(n.ex, NEW, IN_RW);
	sci_unexport(n.ex, PAGE + 1);
	invalidate(&n);
	check_revoked(&n);
	sci_cleanup();
}

static void pages_that_are_no_ram_end_the_entry(gconstpointer exporter)
{
	struct nodes n;

	start(&n, GPOINTER_TO_UINT(exporter), RW);
	sci_export(n.ex, PAGE, 1ull << 50, IN_RW, SCI_KEY, SCI_ROW_ALL);
	invalidate(&n);
	check_revoked(&n);
	sci_cleanup();
}

/* 64 pages in one host mapping, then in 64: what is counted must not grow. */
static void host_mappings_are_counted_anew(void)
{
	struct sci_node *n = sci_start(3, "window-size=1G");

	sci_enable(n);
	for (unsigned int i = 0; i < 64; i++)
		sci_export(n, i, SCI_DATA_BASE + i * SCI_PAGE_SIZE, IN_RW, SCI_KEY, SCI_ROW_ALL);
	sci_entry(n, 0, 3, 0, RW | SCI_ATT_VALID, SCI_KEY, 64);
	g_assert_cmpuint(sci_commit(n, 0, 1, sci_get(n, SCI_REG_INCARNATION)), ==, 0);
	/* A map more per page and round would be beyond any limit of the host. */
	for (unsigned int round = 1; round <= 2200; round++) {
		for (unsigned int i = round % 2; i < 64; i += 2)
			sci_export(n, i, SCI_DATA_BASE +
				   (i + round / 2 % 2 * 128) * SCI_PAGE_SIZE, IN_RW, SCI_KEY,
				   SCI_ROW_ALL);
		sci_invalidate(n, 0, 64);
		g_assert_cmpuint(sci_state(n, 0), ==, SCI_ATT_ST_MAPPED);
	}
	g_assert_cmpuint(sci_slot_field(n, 3, revokes), ==, 0);
	sci_cleanup();
}

/* 3: both are the same node. */
#define ADD(test)								\
	do {									\
		qtest_add_data_func("/sci/renew/" #test "/1", GUINT_TO_POINTER(1), test); \
		qtest_add_data_func("/sci/renew/" #test "/2", GUINT_TO_POINTER(2), test); \
		qtest_add_data_func("/sci/renew/" #test "/own", GUINT_TO_POINTER(3), test); \
	} while (0)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD(new_pages_take_the_place_of_old_ones);
	ADD(read_only_entry_follows_as_well);
	ADD(pages_without_the_right_end_the_entry);
	ADD(half_of_the_pages_end_the_entry);
	ADD(pages_that_are_no_ram_end_the_entry);
	qtest_add_func("/sci/renew/host_mappings_are_counted_anew", host_mappings_are_counted_anew);
	return g_test_run();
}
