/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Links that an administrator takes down and up, and errors that he injects,
 * between two QEMU processes: what each property does at both ends.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qobject/qdict.h"
#include "qobject/qjson.h"
#include "qobject/qlist.h"
#include "qobject/qnum.h"
#include "scitest.h"

#define RW	(SCI_ATT_READ | SCI_ATT_WRITE)
#define IN_RW	(SCI_INBOUND_READ | SCI_INBOUND_WRITE)
#define PAGE	40	/* the SCI page that the exporter offers */
#define SCI_PATH	"/machine/peripheral/sci"

/* Exporter and importer; every test that has a direction runs both ways. */
struct pair {
	struct sci_node *ex, *im;
};

#define QOM_SET "{'execute': 'qom-set', 'arguments': " \
		"{'path': '" SCI_PATH "', 'property': %s, 'value': %p}}"

/* @value is JSON. */
static void set(struct sci_node *n, const char *property, const char *value)
{
	qtest_qmp_assert_success(n->qts, QOM_SET, property,
				 qobject_from_json(value, &error_abort));
}

static void set_refused(struct sci_node *n, const char *property, const char *value,
			const char *message)
{
	QDict *error = qtest_qmp_assert_failure_ref(n->qts, QOM_SET, property,
						    qobject_from_json(value, &error_abort));

	g_test_message("%s", qdict_get_str(error, "desc"));
	g_assert_nonnull(strstr(qdict_get_str(error, "desc"), message));
	qobject_unref(error);
}

/* The link of @n to the other node of a pair. */
static void take(struct sci_node *n, bool up)
{
	g_autofree char *list = g_strdup_printf("[%u]", 3 - n->id);

	set(n, "links-down", up ? "[]" : list);
}

static void meet(struct pair *p)
{
	sci_enable(p->ex);
	sci_enable(p->im);
	sci_wait_link(p->ex, p->im->id, SCI_LINK_UP);
	sci_wait_link(p->im, p->ex->id, SCI_LINK_UP);
	sci_export(p->ex, PAGE, SCI_DATA_BASE, IN_RW, SCI_KEY, SCI_ROW_ALL);
}

static void start_mapped(struct pair *p, unsigned int exporter)
{
	p->ex = sci_start(exporter, NULL);
	p->im = sci_start(3 - exporter, NULL);
	meet(p);
	g_assert_cmpuint(sci_map(p->im, 0, p->ex->id, PAGE, RW), ==, SCI_ATT_ST_MAPPED);
	sci_store(p->im, 0, 1);
	g_assert_cmphex(sci_ram_load(p->ex, SCI_DATA_BASE), ==, 1);
}

static void check_works(struct pair *p, uint64_t value)
{
	g_assert_cmpuint(sci_map(p->im, 0, p->ex->id, PAGE, RW), ==, SCI_ATT_ST_MAPPED);
	sci_store(p->im, 0, value);
	g_assert_cmphex(sci_ram_load(p->ex, SCI_DATA_BASE), ==, value);
	sci_open_line(p->ex, p->im, 3);
	sci_set(p->im, SCI_REG_DOORBELL, p->ex->id << 16 | 3);
	sci_wait(sci_interrupted(p->ex, SCI_VECTOR_LINE(3)));
	g_assert_cmphex(sci_errors(p->im), ==, 0);
}

static void clear_events(struct sci_node *n)
{
	for (unsigned int i = 0; i < SCI_PEER_EVENT_WORDS; i++)
		sci_set(n, SCI_REG_PEER_EVENT + 4 * i, UINT32_MAX);
	sci_set(n, SCI_REG_INT_CAUSE, SCI_INT_ALL);
	sci_set(n, SCI_REG_INT_MASK, SCI_INT_PEER);
	sci_interrupted(n, SCI_VECTOR_STATUS);
}

static void check_told(struct sci_node *n, unsigned int peer)
{
	sci_wait(sci_interrupted(n, SCI_VECTOR_STATUS));
	g_assert_cmphex(sci_get(n, SCI_REG_PEER_EVENT), ==, 1u << peer);
	clear_events(n);
}

/* What the importer finds behind a link that is down. */
static void check_down(struct pair *p)
{
	unsigned int ex = p->ex->id;
	uint32_t errors = sci_slot_field(p->im, ex, errors);
	uint32_t inc = sci_get(p->ex, SCI_REG_INCARNATION);

	g_assert_cmpuint(sci_slot_field(p->im, ex, incarnation), ==, 0);
	g_assert_cmpuint(sci_slot_field(p->im, ex, lines), ==, 32);
	g_assert_cmphex(sci_load(p->im, 0), ==, 0);
	sci_store(p->im, 0, 99);
	g_assert_cmphex(sci_ram_load(p->ex, SCI_DATA_BASE), ==, 1);
	sci_set(p->im, SCI_REG_DOORBELL, ex << 16);
	g_assert_cmphex(sci_errors(p->im), ==, SCI_ERROR_NODE);
	g_assert_cmpuint(sci_slot_field(p->im, ex, errors), ==, errors + 1);
	/* The right incarnation does not help. */
	sci_entry(p->im, 1, ex, PAGE, RW | SCI_ATT_VALID, SCI_KEY, 1);
	g_assert_cmpuint(sci_commit(p->im, 1, 1, inc), ==, 1);
	g_assert_cmpuint(sci_state(p->im, 1), ==, SCI_ATT_ST_NO_NODE);
	g_assert_cmphex(sci_errors(p->im), ==, SCI_ERROR_ATT);
	g_assert_cmpuint(sci_slot_field(p->im, ex, errors), ==, errors + 1);
}

static void either_end_takes_the_link_down_for_both(gconstpointer exporter)
{
	for (unsigned int closer = 1; closer <= 2; closer++) {
		struct pair p;
		struct sci_node *at;
		uint32_t changes;

		start_mapped(&p, GPOINTER_TO_UINT(exporter));
		at = p.ex->id == closer ? p.ex : p.im;
		changes = sci_slot_field(p.im, p.ex->id, changes);
		clear_events(p.ex);
		clear_events(p.im);
		take(at, false);
		/* This end knows when the command returns. */
		g_assert_cmpuint(sci_slot_field(at, 3 - closer, link), ==, SCI_LINK_DOWN);
		sci_wait_link(p.ex, p.im->id, SCI_LINK_DOWN);
		sci_wait_link(p.im, p.ex->id, SCI_LINK_DOWN);
		check_told(p.ex, p.im->id);
		check_told(p.im, p.ex->id);
		g_assert_cmpuint(sci_state(p.im, 0), ==, SCI_ATT_ST_PEER_LOST);
		g_assert_cmpuint(sci_slot_field(p.im, p.ex->id, changes), ==, changes + 1);
		g_assert_cmpuint(sci_slot_field(p.im, p.ex->id, revokes), ==, 1);
		check_down(&p);
		take(at, true);
		sci_wait_link(p.ex, p.im->id, SCI_LINK_UP);
		sci_wait_link(p.im, p.ex->id, SCI_LINK_UP);
		check_told(p.ex, p.im->id);
		check_told(p.im, p.ex->id);
		g_assert_cmpuint(sci_slot_field(p.im, p.ex->id, changes), ==, changes + 2);
		/* What was mapped stays lost. */
		g_assert_cmpuint(sci_state(p.im, 0), ==, SCI_ATT_ST_PEER_LOST);
		check_works(&p, 7);
		sci_cleanup();
	}
}

static void a_link_is_up_only_if_both_say_so(void)
{
	struct pair p;

	start_mapped(&p, 1);
	take(p.ex, false);
	take(p.im, false);
	sci_wait_link(p.im, 1, SCI_LINK_DOWN);
	take(p.ex, true);
	/* Nothing tells that the news has got there: look for a while. */
	for (unsigned int i = 0; i < 200; i++) {
		g_assert_cmpuint(sci_slot_field(p.ex, 2, link), ==, SCI_LINK_DOWN);
		g_assert_cmpuint(sci_slot_field(p.im, 1, link), ==, SCI_LINK_DOWN);
	}
	take(p.im, true);
	sci_wait_link(p.ex, 2, SCI_LINK_UP);
	sci_wait_link(p.im, 1, SCI_LINK_UP);
	check_works(&p, 5);
	sci_cleanup();
}

static void link_off_takes_all_down_and_keeps_the_list(void)
{
	struct sci_node *a = sci_start(1, NULL), *b = sci_start(2, NULL), *c = sci_start(3, NULL);

	sci_enable(a);
	sci_enable(b);
	sci_enable(c);
	sci_wait_link(a, 2, SCI_LINK_UP);
	sci_wait_link(a, 3, SCI_LINK_UP);
	sci_wait_link(b, 3, SCI_LINK_UP);
	set(a, "links-down", "[3, 250]");
	sci_wait_link(c, 1, SCI_LINK_DOWN);
	g_assert_cmpuint(sci_slot_field(a, 2, link), ==, SCI_LINK_UP);
	set(a, "link", "false");
	g_assert_cmpuint(sci_slot_field(a, 2, link), ==, SCI_LINK_DOWN);
	sci_wait_link(b, 1, SCI_LINK_DOWN);
	/* The own memory is reached without a link; nobody is there as 250. */
	g_assert_cmpuint(sci_slot_field(a, 1, link), ==, SCI_LINK_UP);
	g_assert_cmpuint(sci_slot_field(a, 250, link), ==, SCI_LINK_ABSENT);
	g_assert_cmpuint(sci_slot_field(b, 3, link), ==, SCI_LINK_UP);
	set(a, "link", "true");
	sci_wait_link(a, 2, SCI_LINK_UP);
	sci_wait_link(b, 1, SCI_LINK_UP);
	g_assert_cmpuint(sci_slot_field(a, 3, link), ==, SCI_LINK_DOWN);
	set(a, "links-down", "[]");
	sci_wait_link(a, 3, SCI_LINK_UP);
	sci_cleanup();
}

/* To say again what is so is no flap. */
static void a_link_that_stays_up_is_not_touched(void)
{
	struct pair p;
	uint32_t changes;

	start_mapped(&p, 1);
	changes = sci_slot_field(p.im, 1, changes);
	set(p.im, "links-down", "[]");
	set(p.im, "links-down", "[7]");
	set(p.ex, "link", "true");
	g_assert_cmpuint(sci_state(p.im, 0), ==, SCI_ATT_ST_MAPPED);
	g_assert_cmpuint(sci_slot_field(p.im, 1, changes), ==, changes);
	sci_store(p.im, 0, 2);
	g_assert_cmphex(sci_ram_load(p.ex, SCI_DATA_BASE), ==, 2);
	sci_cleanup();
}

/* A list of node ids as the digits of one number, three for each. */
static unsigned int get_nodes(struct sci_node *n, const char *property)
{
	QDict *reply = qtest_qmp(n->qts, "{'execute': 'qom-get', 'arguments': "
				 "{'path': '" SCI_PATH "', 'property': %s}}", property);
	unsigned int sum = 0;
	QListEntry *entry;

	QLIST_FOREACH_ENTRY(qdict_get_qlist(reply, "return"), entry)
		sum = sum * 1000 + qnum_get_int(qobject_to(QNum, qlist_entry_obj(entry)));
	qobject_unref(reply);
	return sum;
}

static void peers_are_the_nodes_that_are_there(void)
{
	struct pair p;

	start_mapped(&p, 1);
	g_assert_cmpuint(get_nodes(p.im, "peers"), ==, 1);
	g_assert_cmpuint(get_nodes(p.ex, "peers"), ==, 2);
	set_refused(p.im, "peers", "[3]", "peers");
	set(p.im, "link", "false");
	g_assert_cmpuint(get_nodes(p.im, "peers"), ==, 1);
	sci_kill(p.ex);
	p.ex = NULL;
	while (get_nodes(p.im, "peers"))
		g_usleep(1000);
	sci_cleanup();
}

static void properties_read_back(void)
{
	struct sci_node *n = sci_start(1, NULL);

	set(n, "links-down", "[255, 3, 3]");
	g_assert_cmpuint(get_nodes(n, "links-down"), ==, 3255);
	set(n, "link", "false");
	g_assert_false(qtest_qom_get_bool(n->qts, SCI_PATH, "link"));
	set(n, "link", "true");
	g_assert_true(qtest_qom_get_bool(n->qts, SCI_PATH, "link"));
	sci_cleanup();
}

static void bad_values_change_nothing(void)
{
	struct pair p;

	start_mapped(&p, 1);
	set_refused(p.im, "links-down", "[1, 0]", "node id must be 1 to 255");
	set_refused(p.im, "links-down", "[1, 256]", "node id must be 1 to 255");
	set_refused(p.im, "links-down", "[1, -1]", "expects uint");
	set_refused(p.im, "links-down", "[1, 2]", "node 2 has no link to itself");
	set_refused(p.im, "links-down", "1", "links-down");
	set_refused(p.im, "links-down", "'all'", "links-down");
	set_refused(p.im, "links-down", "[[1]]", "expects uint");
	set_refused(p.im, "link", "1", "boolean");
	set_refused(p.im, "inject-link-error", "0", "node id must be 1 to 255");
	set_refused(p.im, "inject-link-error", "2", "node 2 has no link to itself");
	set_refused(p.im, "inject-link-error", "9", "the link to node 9 is not up");
	g_assert_cmpuint(sci_state(p.im, 0), ==, SCI_ATT_ST_MAPPED);
	g_assert_cmpuint(sci_slot_field(p.im, 1, link), ==, SCI_LINK_UP);
	take(p.ex, false);
	sci_wait_link(p.im, 1, SCI_LINK_DOWN);
	set_refused(p.im, "inject-link-error", "1", "the link to node 1 is not up");
	sci_cleanup();
}

static void a_node_starts_with_its_links_down(void)
{
	struct sci_node *a, *b = sci_start(2, NULL);

	sci_enable(b);
	a = sci_start(1, "link=off");
	sci_wait_link(a, 2, SCI_LINK_DOWN);
	sci_wait_link(b, 1, SCI_LINK_DOWN);
	sci_enable(a);
	set(a, "link", "true");
	sci_wait_link(a, 2, SCI_LINK_UP);
	sci_wait_link(b, 1, SCI_LINK_UP);
	sci_cleanup();
}

/* A setting belongs to the device that was told, whatever guests and peers do. */
static void a_setting_survives_resets_and_restarts(void)
{
	struct pair p;

	start_mapped(&p, 1);
	take(p.im, false);
	sci_wait_link(p.ex, 2, SCI_LINK_DOWN);
	sci_set(p.im, SCI_REG_CONTROL, SCI_CONTROL_RESET);
	g_assert_cmpuint(sci_slot_field(p.im, 1, link), ==, SCI_LINK_DOWN);
	qtest_system_reset(p.im->qts);
	sci_setup(p.im);
	g_assert_cmpuint(sci_slot_field(p.im, 1, link), ==, SCI_LINK_DOWN);
	sci_enable(p.im);
	g_assert_cmpuint(sci_slot_field(p.im, 1, link), ==, SCI_LINK_DOWN);
	sci_kill(p.ex);
	sci_wait_link(p.im, 1, SCI_LINK_ABSENT);
	p.ex = sci_start(1, NULL);
	sci_wait_link(p.im, 1, SCI_LINK_DOWN);
	sci_wait_link(p.ex, 2, SCI_LINK_DOWN);
	take(p.im, true);
	sci_wait_link(p.im, 1, SCI_LINK_PRESENT);
	sci_enable(p.ex);
	sci_export(p.ex, PAGE, SCI_DATA_BASE, IN_RW, SCI_KEY, SCI_ROW_ALL);
	sci_wait_link(p.im, 1, SCI_LINK_UP);
	check_works(&p, 4);
	sci_cleanup();
}

static void invalidations_end_behind_a_link_that_is_down(gconstpointer exporter)
{
	for (unsigned int closer = 1; closer <= 2; closer++) {
		struct pair p;

		start_mapped(&p, GPOINTER_TO_UINT(exporter));
		take(p.ex->id == closer ? p.ex : p.im, false);
		sci_wait_link(p.ex, p.im->id, SCI_LINK_DOWN);
		sci_wait_link(p.im, p.ex->id, SCI_LINK_DOWN);
		sci_unexport(p.ex, PAGE);
		sci_invalidate(p.ex, PAGE, 1);
		sci_wait_settled(p.ex);
		/* Now that both have unmapped, not even of a process that stands still. */
		sci_freeze(p.im);
		sci_set(p.ex, SCI_REG_INT_CAUSE, SCI_INT_ALL);
		sci_invalidate(p.ex, PAGE, 1);
		g_assert_cmphex(sci_get(p.ex, SCI_REG_STATUS) & SCI_STATUS_INVAL_BUSY, ==, 0);
		g_assert_cmphex(sci_get(p.ex, SCI_REG_INT_CAUSE) & SCI_INT_INVAL, !=, 0);
		sci_thaw(p.im);
		sci_cleanup();
	}
}

static void a_stopped_peer_still_delays_a_revocation(void)
{
	struct pair p;

	start_mapped(&p, 1);
	sci_freeze(p.im);
	take(p.ex, false);
	sci_unexport(p.ex, PAGE);
	sci_invalidate(p.ex, PAGE, 1);
	g_assert_cmphex(sci_get(p.ex, SCI_REG_STATUS) & SCI_STATUS_INVAL_BUSY, !=, 0);
	sci_thaw(p.im);
	sci_wait_settled(p.ex);
	g_assert_cmpuint(sci_state(p.im, 0), ==, SCI_ATT_ST_PEER_LOST);
	sci_cleanup();
}

static void a_link_flaps_without_end(void)
{
	struct pair p;

	start_mapped(&p, 1);
	for (unsigned int round = 0; round < 100; round++) {
		struct sci_node *at = round % 3 ? p.ex : p.im;

		take(at, false);
		if (round % 2)
			sci_wait_link(p.im, 1, SCI_LINK_DOWN);
		take(at, true);
		sci_wait(sci_slot_field(p.im, 1, link) == SCI_LINK_UP &&
			 sci_map(p.im, 0, 1, PAGE, RW) == SCI_ATT_ST_MAPPED);
		sci_store(p.im, 0, round);
	}
	sci_wait_link(p.ex, 2, SCI_LINK_UP);
	sci_errors(p.im);
	check_works(&p, 6);
	sci_cleanup();
}

static void an_injected_error_is_counted_and_loses_nothing(gconstpointer exporter)
{
	struct pair p;
	g_autofree char *node = NULL;

	start_mapped(&p, GPOINTER_TO_UINT(exporter));
	node = g_strdup_printf("%u", p.ex->id);
	clear_events(p.im);
	sci_set(p.im, SCI_REG_INT_MASK, SCI_INT_ERROR);
	set(p.im, "inject-link-error", node);
	sci_wait(sci_interrupted(p.im, SCI_VECTOR_STATUS));
	g_assert_cmphex(sci_errors(p.im), ==, SCI_ERROR_LINK);
	g_assert_cmpuint(sci_slot_field(p.im, p.ex->id, errors), ==, 1);
	g_assert_cmphex(sci_slot_field(p.im, p.ex->id, last_error), ==, SCI_ERROR_LINK);
	g_assert_cmpuint(sci_slot_field(p.im, p.ex->id, revokes), ==, 0);
	g_assert_cmphex(sci_get(p.im, SCI_REG_PEER_EVENT), ==, 0);
	g_assert_cmpuint(sci_state(p.im, 0), ==, SCI_ATT_ST_MAPPED);
	sci_store(p.im, 0, 2);
	g_assert_cmphex(sci_ram_load(p.ex, SCI_DATA_BASE), ==, 2);
	/* The other end and the other direction know nothing of it. */
	g_assert_cmpuint(sci_slot_field(p.ex, p.im->id, errors), ==, 0);
	sci_cleanup();
}

#define ADD(test) qtest_add_func("/sci/link/" #test, test)
#define ADD_BOTH_WAYS(test)							\
	do {									\
		qtest_add_data_func("/sci/link/" #test "/1", GUINT_TO_POINTER(1), test); \
		qtest_add_data_func("/sci/link/" #test "/2", GUINT_TO_POINTER(2), test); \
	} while (0)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD_BOTH_WAYS(either_end_takes_the_link_down_for_both);
	ADD(a_link_is_up_only_if_both_say_so);
	ADD(link_off_takes_all_down_and_keeps_the_list);
	ADD(a_link_that_stays_up_is_not_touched);
	ADD(peers_are_the_nodes_that_are_there);
	ADD(properties_read_back);
	ADD(bad_values_change_nothing);
	ADD(a_node_starts_with_its_links_down);
	ADD(a_setting_survives_resets_and_restarts);
	ADD_BOTH_WAYS(invalidations_end_behind_a_link_that_is_down);
	ADD(a_stopped_peer_still_delays_a_revocation);
	ADD(a_link_flaps_without_end);
	ADD_BOTH_WAYS(an_injected_error_is_counted_and_loses_nothing);
	return g_test_run();
}
