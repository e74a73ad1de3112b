/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two sci devices in two QEMU processes: what one guest can and cannot do to
 * the other's memory, and what both see when one of them goes.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "qemu/osdep.h"
#include "qobject/qdict.h"
#include "scitest.h"

#define RW	(SCI_ATT_READ | SCI_ATT_WRITE)
#define IN_RW	(SCI_INBOUND_READ | SCI_INBOUND_WRITE)
#define PAGE	40	/* the SCI page that the exporter offers */

/* Exporter and importer; every test that has a direction runs both ways. */
struct pair {
	struct sci_node *ex, *im;
};

static void start_pair(struct pair *p, unsigned int exporter)
{
	p->ex = sci_start(exporter, NULL);
	p->im = sci_start(3 - exporter, NULL);
	sci_enable(p->ex);
	sci_enable(p->im);
	sci_wait_link(p->ex, p->im->id, SCI_LINK_UP);
	sci_wait_link(p->im, p->ex->id, SCI_LINK_UP);
	sci_export(p->ex, PAGE, SCI_DATA_BASE, IN_RW, SCI_KEY, SCI_ROW_ALL);
}

/* The importer's entry 0 is the exporter's page, and works. */
static void start_mapped(struct pair *p, unsigned int exporter)
{
	start_pair(p, exporter);
	g_assert_cmpuint(sci_map(p->im, 0, p->ex->id, PAGE, RW), ==, SCI_ATT_ST_MAPPED);
	sci_store(p->im, 0, 1);
	g_assert_cmphex(sci_ram_load(p->ex, SCI_DATA_BASE), ==, 1);
}

/* The entry is lost, nothing of it works, and the slot tells. */
static void check_lost(struct sci_node *im, unsigned int ex, uint32_t link)
{
	g_assert_cmpuint(sci_state(im, 0), ==, SCI_ATT_ST_PEER_LOST);
	g_assert_cmpuint(sci_slot_field(im, ex, link), ==, link);
	g_assert_cmpuint(sci_slot_field(im, ex, revokes), ==, 1);
	g_assert_cmphex(sci_get(im, SCI_REG_PEER_EVENT), ==, 1u << ex);
	g_assert_cmphex(sci_load(im, 0), ==, 0);
	sci_store(im, 0, 99);
	g_assert_cmphex(sci_errors(im), ==, 0);
}

static void clear_events(struct sci_node *n)
{
	for (unsigned int i = 0; i < SCI_PEER_EVENT_WORDS; i++)
		sci_set(n, SCI_REG_PEER_EVENT + 4 * i, UINT32_MAX);
	sci_set(n, SCI_REG_INT_CAUSE, SCI_INT_ALL);
	sci_interrupted(n, SCI_VECTOR_STATUS);
}

static void nodes_meet_and_come_up(void)
{
	struct sci_node *a = sci_start(1, NULL), *b = sci_start(200, "lines=5");
	uint32_t changes;

	sci_wait_link(a, 200, SCI_LINK_PRESENT);
	sci_wait_link(b, 1, SCI_LINK_PRESENT);
	g_assert_cmpuint(sci_slot_field(a, 200, lines), ==, 5);
	g_assert_cmpuint(sci_slot_field(b, 1, lines), ==, 32);
	sci_enable(b);
	/* Up takes both. */
	g_assert_cmpuint(sci_slot_field(b, 1, link), ==, SCI_LINK_PRESENT);
	clear_events(a);
	sci_set(a, SCI_REG_INT_MASK, SCI_INT_PEER);
	changes = sci_slot_field(a, 200, changes);
	sci_enable(a);
	sci_wait_link(a, 200, SCI_LINK_UP);
	sci_wait_link(b, 1, SCI_LINK_UP);
	g_assert_cmpuint(sci_slot_field(a, 200, changes), ==, changes + 1);
	g_assert_cmpuint(sci_slot_field(a, 200, incarnation), ==, sci_get(b, SCI_REG_INCARNATION));
	g_assert_cmpuint(sci_slot_field(b, 1, incarnation), ==, sci_get(a, SCI_REG_INCARNATION));
	sci_wait(sci_interrupted(a, SCI_VECTOR_STATUS));
	g_assert_cmphex(sci_get(a, SCI_REG_PEER_EVENT), ==, 1u << 1);
	g_assert_cmphex(sci_get(a, SCI_REG_PEER_EVENT + 200 / 32 * 4), ==, 1u << 200 % 32);
	sci_set(b, SCI_REG_CONTROL, 0);
	sci_wait_link(a, 200, SCI_LINK_PRESENT);
	g_assert_cmpuint(sci_slot_field(a, 200, incarnation), ==, 0);
	sci_cleanup();
}

static void stores_and_loads_reach_the_peer(gconstpointer exporter)
{
	struct pair p;

	start_mapped(&p, GPOINTER_TO_UINT(exporter));
	sci_store(p.im, 4088, 0x0123456789abcdefull);
	g_assert_cmphex(sci_ram_load(p.ex, SCI_DATA_BASE + 4088), ==, 0x0123456789abcdefull);
	sci_ram_store(p.ex, SCI_DATA_BASE + 8, 17);
	g_assert_cmphex(sci_load(p.im, 8), ==, 17);
	g_assert_cmphex(sci_load(p.im, 4096), ==, 0);
	g_assert_cmpuint(sci_get64(p.im, SCI_REG_TRAP_WRITES_LO), ==, 0);
	sci_cleanup();
}

static void each_kind_of_entry_keeps_its_rights(gconstpointer exporter)
{
	struct pair p;
	uint64_t granule;

	start_pair(&p, GPOINTER_TO_UINT(exporter));
	granule = sci_granule(p.im);
	sci_ram_store(p.ex, SCI_DATA_BASE, 5);
	g_assert_cmpuint(sci_map(p.im, 0, p.ex->id, PAGE, SCI_ATT_READ), ==, SCI_ATT_ST_MAPPED);
	g_assert_cmpuint(sci_map(p.im, 1, p.ex->id, PAGE, SCI_ATT_WRITE), ==, SCI_ATT_ST_TRAP);
	g_assert_cmpuint(sci_map(p.im, 2, p.ex->id, PAGE, RW | SCI_ATT_TRAP), ==,
			 SCI_ATT_ST_TRAP);
	sci_store(p.im, 0, 6);
	g_assert_cmphex(sci_ram_load(p.ex, SCI_DATA_BASE), ==, 5);
	g_assert_cmphex(sci_load(p.im, granule), ==, UINT64_MAX);
	g_assert_cmpuint(sci_slot_field(p.im, p.ex->id, errors), ==, 1);
	sci_store(p.im, granule, 7);
	g_assert_cmphex(sci_ram_load(p.ex, SCI_DATA_BASE), ==, 7);
	sci_store(p.im, 2 * granule, 8);
	g_assert_cmphex(sci_load(p.im, 2 * granule), ==, 8);
	g_assert_cmphex(sci_ram_load(p.ex, SCI_DATA_BASE), ==, 8);
	g_assert_cmpuint(sci_slot_field(p.im, p.ex->id, errors), ==, 1);
	sci_cleanup();
}

static void exporter_decides_who_and_how(gconstpointer exporter)
{
	struct pair p;
	struct sci_access_row row = {};
	uint32_t inc;

	start_pair(&p, GPOINTER_TO_UINT(exporter));
	inc = sci_get(p.ex, SCI_REG_INCARNATION);
	/* Row 1 lets the importer read, and everyone else do anything. */
	memset(&row, 0xff, sizeof(row));
	row.write[0] &= ~(1ull << p.im->id);
	qtest_memwrite(p.ex->qts, SCI_ACCESS_BASE + sizeof(row), &row, sizeof(row));
	sci_export(p.ex, PAGE, SCI_DATA_BASE, IN_RW, SCI_KEY, 1);
	g_assert_cmpuint(sci_map(p.im, 0, p.ex->id, PAGE, RW), ==, SCI_ATT_ST_DENIED);
	g_assert_cmpuint(sci_map(p.im, 0, p.ex->id, PAGE, SCI_ATT_READ), ==, SCI_ATT_ST_MAPPED);
	sci_entry(p.im, 1, p.ex->id, PAGE, SCI_ATT_READ | SCI_ATT_VALID, SCI_KEY ^ 1, 1);
	sci_commit(p.im, 1, 1, inc);
	g_assert_cmpuint(sci_state(p.im, 1), ==, SCI_ATT_ST_NO_PAGE);
	sci_entry(p.im, 2, p.ex->id, PAGE, SCI_ATT_READ | SCI_ATT_VALID, SCI_KEY, 1);
	sci_commit(p.im, 2, 1, inc + 1);
	g_assert_cmpuint(sci_state(p.im, 2), ==, SCI_ATT_ST_NO_NODE);
	sci_cleanup();
}

static void doorbell_rings_the_peer(gconstpointer exporter)
{
	struct pair p;

	start_pair(&p, GPOINTER_TO_UINT(exporter));
	sci_open_line(p.ex, p.im, 31);
	sci_open_line(p.ex, p.im, 0);
	sci_set(p.im, SCI_REG_DOORBELL, p.ex->id << 16 | 31);
	sci_wait(sci_interrupted(p.ex, SCI_VECTOR_LINE(31)));
	g_assert_false(sci_interrupted(p.ex, SCI_VECTOR_LINE(30)));
	sci_mask_vector(p.ex, SCI_VECTOR_LINE(0), true);
	sci_set(p.im, SCI_REG_DOORBELL, p.ex->id << 16);
	sci_wait(sci_vector_pending(p.ex, SCI_VECTOR_LINE(0)));
	g_assert_false(sci_interrupted(p.ex, SCI_VECTOR_LINE(0)));
	sci_mask_vector(p.ex, SCI_VECTOR_LINE(0), false);
	g_assert_true(sci_interrupted(p.ex, SCI_VECTOR_LINE(0)));
	g_assert_cmphex(sci_errors(p.im), ==, 0);
	sci_set(p.im, SCI_REG_DOORBELL, p.ex->id << 16 | 32);
	g_assert_cmphex(sci_errors(p.im), ==, SCI_ERROR_LINE);
	sci_set(p.ex, SCI_REG_CONTROL, 0);
	sci_wait_link(p.im, p.ex->id, SCI_LINK_PRESENT);
	sci_set(p.im, SCI_REG_DOORBELL, p.ex->id << 16);
	g_assert_cmphex(sci_errors(p.im), ==, SCI_ERROR_NODE);
	sci_cleanup();
}

/* The right is the owner's to give and to take, and ends with either incarnation. */
static void a_node_rings_only_lines_open_to_it(gconstpointer exporter)
{
	struct pair p;
	size_t open = offsetof(struct sci_peer_slot, open);

	start_pair(&p, GPOINTER_TO_UINT(exporter));
	for (unsigned int line = 0; line < 32; line++) {
		sci_set(p.im, SCI_REG_DOORBELL, p.ex->id << 16 | line);
		g_assert_cmphex(sci_errors(p.im), ==, SCI_ERROR_LINE);
	}
	g_assert_cmpuint(sci_slot_field(p.im, p.ex->id, errors), ==, 32);
	clear_events(p.im);
	sci_open_line(p.ex, p.im, 4);
	g_assert_cmphex(sci_get(p.im, SCI_REG_PEER_EVENT), ==, 1u << p.ex->id);
	g_assert_cmphex(sci_slot(p.im, p.ex->id, open), ==, 1u << 4);
	g_assert_cmphex(sci_slot(p.ex, p.im->id, open), ==, 0);
	sci_set(p.im, SCI_REG_DOORBELL, p.ex->id << 16 | 4);
	sci_wait(sci_interrupted(p.ex, SCI_VECTOR_LINE(4)));
	for (unsigned int line = 0; line < 4; line++)
		g_assert_false(sci_interrupted(p.ex, SCI_VECTOR_LINE(line)));
	/* Taken back: deaf at once, whatever the other side knows. */
	sci_set(p.ex, SCI_REG_LINE_CLOSE, p.im->id << 16 | 4);
	sci_set(p.im, SCI_REG_DOORBELL, p.ex->id << 16 | 4);
	sci_wait(sci_slot(p.im, p.ex->id, open) == 0);
	sci_errors(p.im);
	sci_set(p.im, SCI_REG_DOORBELL, p.ex->id << 16 | 4);
	g_assert_cmphex(sci_errors(p.im), ==, SCI_ERROR_LINE);
	g_assert_false(sci_interrupted(p.ex, SCI_VECTOR_LINE(4)));
	for (unsigned int who = 0; who < 2; who++) {
		struct sci_node *n = who ? p.im : p.ex;

		sci_open_line(p.ex, p.im, 4);
		sci_set(n, SCI_REG_CONTROL, 0);
		sci_enable(n);
		sci_wait_link(p.im, p.ex->id, SCI_LINK_UP);
		sci_wait_link(p.ex, p.im->id, SCI_LINK_UP);
		sci_wait(sci_slot_field(p.ex, p.im->id, incarnation) ==
			 sci_get(p.im, SCI_REG_INCARNATION));
		sci_wait(sci_slot_field(p.im, p.ex->id, incarnation) ==
			 sci_get(p.ex, SCI_REG_INCARNATION));
		g_assert_cmphex(sci_slot(p.im, p.ex->id, open), ==, 0);
		sci_set(p.im, SCI_REG_DOORBELL, p.ex->id << 16 | 4);
		g_assert_cmphex(sci_errors(p.im), ==, SCI_ERROR_LINE);
	}
	sci_cleanup();
}

static void no_store_arrives_after_a_revocation(gconstpointer exporter)
{
	struct pair p;

	start_mapped(&p, GPOINTER_TO_UINT(exporter));
	for (unsigned int round = 1; round < 50; round++) {
		sci_set(p.ex, SCI_REG_INT_CAUSE, SCI_INT_ALL);
		sci_unexport(p.ex, PAGE);
		sci_invalidate(p.ex, PAGE, 1);
		sci_wait_settled(p.ex);
		g_assert_cmphex(sci_get(p.ex, SCI_REG_INT_CAUSE) & SCI_INT_INVAL, !=, 0);
		sci_ram_store(p.ex, SCI_DATA_BASE, 0);
		sci_store(p.im, 0, round);
		g_assert_cmphex(sci_ram_load(p.ex, SCI_DATA_BASE), ==, 0);
		g_assert_cmpuint(sci_state(p.im, 0), ==, SCI_ATT_ST_REVOKED);
		g_assert_cmpuint(sci_slot_field(p.im, p.ex->id, revokes), ==, round);
		g_assert_cmpuint(sci_map(p.im, 0, p.ex->id, PAGE, RW), ==, SCI_ATT_ST_NO_PAGE);
		sci_export(p.ex, PAGE, SCI_DATA_BASE, IN_RW, SCI_KEY, SCI_ROW_ALL);
		g_assert_cmpuint(sci_map(p.im, 0, p.ex->id, PAGE, RW), ==, SCI_ATT_ST_MAPPED);
	}
	sci_cleanup();
}

static void closing_the_tables_revokes(gconstpointer exporter)
{
	struct pair p;

	start_mapped(&p, GPOINTER_TO_UINT(exporter));
	sci_set(p.ex, SCI_REG_CONTROL, SCI_CONTROL_ENABLE);
	sci_wait_settled(p.ex);
	g_assert_cmpuint(sci_state(p.im, 0), ==, SCI_ATT_ST_REVOKED);
	g_assert_cmpuint(sci_slot_field(p.im, p.ex->id, link), ==, SCI_LINK_UP);
	g_assert_cmpuint(sci_map(p.im, 0, p.ex->id, PAGE, RW), ==, SCI_ATT_ST_NO_PAGE);
	sci_cleanup();
}

static void disable_of_the_exporter_revokes(gconstpointer exporter)
{
	struct pair p;

	start_mapped(&p, GPOINTER_TO_UINT(exporter));
	clear_events(p.im);
	sci_set(p.ex, SCI_REG_CONTROL, 0);
	sci_wait_settled(p.ex);
	check_lost(p.im, p.ex->id, SCI_LINK_PRESENT);
	g_assert_cmphex(sci_ram_load(p.ex, SCI_DATA_BASE), ==, 1);
	sci_cleanup();
}

static void a_killed_peer_is_seen_and_harmless(gconstpointer exporter)
{
	struct pair p;
	unsigned int ex = GPOINTER_TO_UINT(exporter);

	start_mapped(&p, ex);
	clear_events(p.im);
	sci_set(p.im, SCI_REG_INT_MASK, SCI_INT_PEER);
	sci_kill(p.ex);
	sci_wait(sci_interrupted(p.im, SCI_VECTOR_STATUS));
	check_lost(p.im, ex, SCI_LINK_ABSENT);
	g_assert_cmpuint(sci_slot_field(p.im, ex, lines), ==, 0);
	sci_set(p.im, SCI_REG_DOORBELL, ex << 16);
	g_assert_cmphex(sci_errors(p.im), ==, SCI_ERROR_NODE);
	sci_cleanup();
}

static void a_peer_that_comes_back_is_another(gconstpointer exporter)
{
	struct pair p;
	unsigned int ex = GPOINTER_TO_UINT(exporter);
	uint32_t old;

	start_mapped(&p, ex);
	old = sci_get(p.ex, SCI_REG_INCARNATION);
	sci_kill(p.ex);
	sci_wait_link(p.im, ex, SCI_LINK_ABSENT);
	p.ex = sci_start(ex, NULL);
	g_assert_cmpuint(sci_enable(p.ex), >, old);
	sci_export(p.ex, PAGE, SCI_DATA_BASE, IN_RW, SCI_KEY, SCI_ROW_ALL);
	sci_wait_link(p.im, ex, SCI_LINK_UP);
	g_assert_cmpuint(sci_state(p.im, 0), ==, SCI_ATT_ST_PEER_LOST);
	sci_store(p.im, 0, 3);
	g_assert_cmphex(sci_ram_load(p.ex, SCI_DATA_BASE), ==, 0);
	g_assert_cmpuint(sci_commit(p.im, 0, 1, old), ==, 1);
	g_assert_cmpuint(sci_state(p.im, 0), ==, SCI_ATT_ST_NO_NODE);
	g_assert_cmpuint(sci_map(p.im, 0, ex, PAGE, RW), ==, SCI_ATT_ST_MAPPED);
	sci_store(p.im, 0, 3);
	g_assert_cmphex(sci_ram_load(p.ex, SCI_DATA_BASE), ==, 3);
	sci_cleanup();
}

static void reset_of_the_exporter_revokes(gconstpointer exporter)
{
	struct pair p;

	start_mapped(&p, GPOINTER_TO_UINT(exporter));
	clear_events(p.im);
	sci_set(p.ex, SCI_REG_CONTROL, SCI_CONTROL_RESET);
	sci_wait_settled(p.ex);
	/* That it has settled is no event after a reset. */
	g_assert_cmphex(sci_get(p.ex, SCI_REG_INT_CAUSE), ==, 0);
	sci_wait(sci_running(p.ex));
	check_lost(p.im, p.ex->id, SCI_LINK_PRESENT);
	g_assert_cmphex(sci_ram_load(p.ex, SCI_DATA_BASE), ==, 1);
	sci_enable(p.ex);
	sci_export(p.ex, PAGE, SCI_DATA_BASE, IN_RW, SCI_KEY, SCI_ROW_ALL);
	sci_wait_link(p.im, p.ex->id, SCI_LINK_UP);
	g_assert_cmpuint(sci_map(p.im, 0, p.ex->id, PAGE, RW), ==, SCI_ATT_ST_MAPPED);
	qtest_system_reset(p.ex->qts);
	sci_setup(p.ex);
	sci_wait_settled(p.ex);
	g_assert_cmpuint(sci_state(p.im, 0), ==, SCI_ATT_ST_PEER_LOST);
	sci_wait(sci_running(p.ex));
	sci_cleanup();
}

static void both_can_reset_at_once(void)
{
	struct pair p;

	start_mapped(&p, 1);
	for (unsigned int round = 0; round < 5; round++) {
		sci_export(p.im, PAGE, SCI_DATA_BASE, IN_RW, SCI_KEY, SCI_ROW_ALL);
		g_assert_cmpuint(sci_map(p.ex, 0, p.im->id, PAGE, RW), ==, SCI_ATT_ST_MAPPED);
		qtest_system_reset_nowait(p.ex->qts);
		qtest_system_reset_nowait(p.im->qts);
		qtest_qmp_eventwait(p.ex->qts, "RESET");
		qtest_qmp_eventwait(p.im->qts, "RESET");
		sci_wait(sci_running(p.ex) && sci_running(p.im));
		sci_setup(p.ex);
		sci_setup(p.im);
		sci_enable(p.ex);
		sci_enable(p.im);
		sci_wait_link(p.ex, p.im->id, SCI_LINK_UP);
		sci_wait_link(p.im, p.ex->id, SCI_LINK_UP);
		sci_export(p.ex, PAGE, SCI_DATA_BASE, IN_RW, SCI_KEY, SCI_ROW_ALL);
		g_assert_cmpuint(sci_map(p.im, 0, p.ex->id, PAGE, RW), ==, SCI_ATT_ST_MAPPED);
	}
	sci_cleanup();
}

static void a_stopped_peer_delays_a_revocation(void)
{
	struct pair p;

	start_mapped(&p, 1);
	sci_freeze(p.im);
	sci_set(p.ex, SCI_REG_INT_CAUSE, SCI_INT_ALL);
	sci_unexport(p.ex, PAGE);
	sci_invalidate(p.ex, PAGE, 1);
	g_assert_cmphex(sci_get(p.ex, SCI_REG_STATUS) & SCI_STATUS_INVAL_BUSY, !=, 0);
	g_assert_cmphex(sci_get(p.ex, SCI_REG_INT_CAUSE) & SCI_INT_INVAL, ==, 0);
	sci_invalidate(p.ex, PAGE, 1);
	g_assert_cmphex(sci_errors(p.ex), ==, SCI_ERROR_INVAL);
	sci_thaw(p.im);
	sci_wait_settled(p.ex);
	g_assert_cmpuint(sci_state(p.im, 0), ==, SCI_ATT_ST_REVOKED);
	/* Its end counts as an answer. */
	sci_freeze(p.im);
	sci_invalidate(p.ex, PAGE, 1);
	g_assert_cmphex(sci_get(p.ex, SCI_REG_STATUS) & SCI_STATUS_INVAL_BUSY, !=, 0);
	sci_kill(p.im);
	sci_wait_settled(p.ex);
	sci_cleanup();
}

static char *waits_for(struct sci_node *n)
{
	QDict *reply = qtest_qmp(n->qts, "{'execute': 'qom-get', 'arguments': {'path': "
				 "'/machine/peripheral/sci', 'property': 'waits-for'}}");
	char *nodes = g_strdup(qdict_get_str(reply, "return"));

	qobject_unref(reply);
	return nodes;
}

/* The vCPUs stand still, however often they are told to run, and it is said why. */
static void check_held(struct pair *p)
{
	g_autofree char *want = g_strdup_printf("node %u (process %d)", p->im->id,
						qtest_pid(p->im->qts));
	g_autofree char *got = NULL;

	sci_wait(!sci_running(p->ex));
	got = waits_for(p->ex);
	g_assert_cmpstr(got, ==, want);
	for (unsigned int i = 0; i < 3; i++) {
		qtest_qmp_assert_success(p->ex->qts, "{'execute': 'cont'}");
		g_assert_false(sci_running(p->ex));
	}
	g_assert_cmphex(sci_get(p->ex, SCI_REG_STATUS) & SCI_STATUS_INVAL_BUSY, !=, 0);
}

static void check_released(struct pair *p)
{
	g_autofree char *got = NULL;

	sci_wait(sci_running(p->ex));
	got = waits_for(p->ex);
	g_assert_cmpstr(got, ==, "");
	sci_wait_settled(p->ex);
}

static void reset_in_one_way(struct sci_node *n, bool machine)
{
	if (machine) {
		qtest_system_reset(n->qts);
		sci_setup(n);
	} else {
		sci_set(n, SCI_REG_CONTROL, SCI_CONTROL_RESET);
	}
}

/* No peer may store into memory that new firmware or a new kernel uses. */
static void after_a_reset_the_vcpus_wait_for_a_stopped_peer(gconstpointer machine)
{
	struct pair p;

	start_mapped(&p, 1);
	sci_freeze(p.im);
	reset_in_one_way(p.ex, machine);
	check_held(&p);
	/* A second one, while it waits for the first. */
	reset_in_one_way(p.ex, machine);
	check_held(&p);
	sci_thaw(p.im);
	check_released(&p);
	g_assert_cmpuint(sci_state(p.im, 0), ==, SCI_ATT_ST_PEER_LOST);
	sci_cleanup();
}

static void after_a_reset_the_end_of_a_peer_lets_the_vcpus_run(gconstpointer machine)
{
	struct pair p;

	start_mapped(&p, 1);
	sci_freeze(p.im);
	reset_in_one_way(p.ex, machine);
	check_held(&p);
	sci_kill(p.im);
	check_released(&p);
	sci_cleanup();
}

/* Who has stopped the machine before finds it stopped. */
static void a_machine_that_was_stopped_stays_so(void)
{
	struct pair p;

	start_mapped(&p, 1);
	qtest_qmp_assert_success(p.ex->qts, "{'execute': 'stop'}");
	sci_freeze(p.im);
	sci_set(p.ex, SCI_REG_CONTROL, SCI_CONTROL_RESET);
	sci_thaw(p.im);
	sci_wait_settled(p.ex);
	sci_wait(*waits_for(p.ex) == '\0');
	g_assert_false(sci_running(p.ex));
	qtest_qmp_assert_success(p.ex->qts, "{'execute': 'cont'}");
	g_assert_true(sci_running(p.ex));
	sci_cleanup();
}

/* An interrupt is a memory write, and the guest chooses where it goes. */
static void an_interrupt_may_reset_its_own_device(void)
{
	struct pair p;

	start_mapped(&p, 1);
	sci_set(p.im, SCI_MSIX_TABLE, p.im->csr + SCI_REG_CONTROL);
	sci_set(p.im, SCI_MSIX_TABLE + 8, SCI_CONTROL_RESET);
	clear_events(p.im);
	sci_set(p.im, SCI_REG_INT_MASK, SCI_INT_ALL);
	sci_unexport(p.ex, PAGE);
	sci_invalidate(p.ex, PAGE, 1);
	sci_wait_settled(p.ex);
	sci_wait(sci_get(p.im, SCI_REG_CONTROL) == 0);
	g_assert_cmphex(sci_get(p.im, SCI_REG_INT_MASK), ==, 0);
	/* A line that rings itself for ever keeps nobody else from the device. */
	sci_enable(p.im);
	sci_open_line(p.im, p.im, 0);
	sci_set(p.im, SCI_MSIX_TABLE + 16, p.im->csr + SCI_REG_DOORBELL);
	sci_set(p.im, SCI_MSIX_TABLE + 24, p.im->id << 16);
	sci_set(p.im, SCI_REG_DOORBELL, p.im->id << 16);
	sci_wait_link(p.im, 1, SCI_LINK_UP);
	sci_export(p.ex, PAGE, SCI_DATA_BASE, IN_RW, SCI_KEY, SCI_ROW_ALL);
	g_assert_cmpuint(sci_map(p.im, 0, 1, PAGE, RW), ==, SCI_ATT_ST_MAPPED);
	sci_invalidate(p.ex, PAGE, 1);
	sci_wait_settled(p.ex);
	sci_set(p.im, SCI_REG_LINE_CLOSE, p.im->id << 16);
	g_assert_true(sci_running(p.im));
	sci_cleanup();
}

/* The exporter's guest writes what it likes into its tables. */
static void hostile_tables_do_not_harm_the_importer(void)
{
	static const uint64_t edges[] = {
		0, 1, 3, SCI_RAM_SIZE, SCI_RAM_SIZE - 4096, SCI_RAM_SIZE | 3, 0xa0003, 0xa0001,
		SCI_DIR_BASE | 3, SCI_DIR_BASE | 1, SCI_LEAF_BASE | 1, SCI_LEAF_BASE | 3,
		0x000ffffffffff003ull, 0xfffffffffffff003ull, UINT64_MAX, 1ull << 51 | 3,
		0x2000000003ull, 0xe0000003, SCI_DATA_BASE | 3,
	};
	struct pair p;
	uint32_t inc;

	start_pair(&p, 1);
	inc = sci_get(p.ex, SCI_REG_INCARNATION);
	for (unsigned int i = 0; i < 32; i++)
		sci_entry(p.im, i, p.ex->id, i, (i % 3 + 1) * 2 | SCI_ATT_VALID, SCI_KEY, 1 + i % 4);
	for (unsigned int round = 0; round < 500; round++) {
		uint64_t val = edges[g_test_rand_int_range(0, G_N_ELEMENTS(edges))];
		unsigned int page = g_test_rand_int_range(0, 36);

		if (g_test_rand_int_range(0, 8) == 0)
			sci_ram_store(p.ex, SCI_DIR_BASE, val);
		else
			sci_export(p.ex, page, val & ~3ull, val & 3, SCI_KEY, page == 7 ? 65535 : 0);
		sci_commit(p.im, 0, 32, inc);
		sci_store(p.im, page % 32 * sci_granule(p.im), 0);
	}
	g_assert_cmphex(sci_get(p.im, SCI_REG_VERSION), ==, SCI_VERSION);
	g_assert_cmphex(sci_get(p.ex, SCI_REG_VERSION), ==, SCI_VERSION);
	sci_cleanup();
}

#define ADD(test) qtest_add_func("/sci/pair/" #test, test)
#define ADD_BOTH_WAYS(test)							\
	do {									\
		qtest_add_data_func("/sci/pair/" #test "/1", GUINT_TO_POINTER(1), test); \
		qtest_add_data_func("/sci/pair/" #test "/2", GUINT_TO_POINTER(2), test); \
	} while (0)
#define ADD_RESETS(test)							\
	do {									\
		qtest_add_data_func("/sci/pair/" #test "/machine", GUINT_TO_POINTER(1), test); \
		qtest_add_data_func("/sci/pair/" #test "/adapter", NULL, test);	\
	} while (0)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD(nodes_meet_and_come_up);
	ADD_BOTH_WAYS(stores_and_loads_reach_the_peer);
	ADD_BOTH_WAYS(each_kind_of_entry_keeps_its_rights);
	ADD_BOTH_WAYS(exporter_decides_who_and_how);
	ADD_BOTH_WAYS(doorbell_rings_the_peer);
	ADD_BOTH_WAYS(a_node_rings_only_lines_open_to_it);
	ADD_BOTH_WAYS(no_store_arrives_after_a_revocation);
	ADD_BOTH_WAYS(closing_the_tables_revokes);
	ADD_BOTH_WAYS(disable_of_the_exporter_revokes);
	ADD_BOTH_WAYS(a_killed_peer_is_seen_and_harmless);
	ADD_BOTH_WAYS(a_peer_that_comes_back_is_another);
	ADD_BOTH_WAYS(reset_of_the_exporter_revokes);
	ADD(both_can_reset_at_once);
	ADD(a_stopped_peer_delays_a_revocation);
	ADD_RESETS(after_a_reset_the_vcpus_wait_for_a_stopped_peer);
	ADD_RESETS(after_a_reset_the_end_of_a_peer_lets_the_vcpus_run);
	ADD(a_machine_that_was_stopped_stays_so);
	ADD(an_interrupt_may_reset_its_own_device);
	ADD(hostile_tables_do_not_harm_the_importer);
	return g_test_run();
}
