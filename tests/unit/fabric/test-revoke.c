// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A node is busy until everybody who may hold a mapping of its pages has let
 * go of them, and settled once then.  A node that is "slow" here has a main
 * context that nobody serves.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "node.h"
#include "raw.h"

static void serve(GMainContext *context)
{
	while (g_main_context_iteration(context, FALSE))
		continue;
}

/* Node 1 on the default context, and node @id on @context; both are peers. */
static void start_pair(const char *dir, unsigned int id, GMainContext *context, struct node **a,
		       struct node **b)
{
	*a = node_start(dir, 1);
	*b = node_new(dir, id, context, NULL);
	g_assert_nonnull(*b);
	while (!fabric_peer((*a)->fabric, id) || !fabric_peer((*b)->fabric, 1)) {
		run_idle();
		serve(context);
	}
}

static void invalidation_reaches_all_and_settles_once(void)
{
	char *dir = test_dir_new();
	struct node *node[4];

	for (unsigned int i = 0; i < 4; i++) {
		node[i] = node_start(dir, i + 1);
		run_idle();
	}
	wait_until(saw(node[0]->log, "present") == 3 && saw(node[3]->log, "present") == 3);
	fabric_invalidate(node[0]->fabric, 0x123456789, 7);
	g_assert_true(fabric_busy(node[0]->fabric));
	g_assert_cmpuint(saw(node[0]->log, "settled"), ==, 0);
	wait_until(saw(node[0]->log, "settled"));
	run_idle();
	g_assert_cmpuint(saw(node[0]->log, "settled"), ==, 1);
	for (unsigned int i = 1; i < 4; i++) {
		g_assert_cmpuint(saw(node[i]->log, "invalidate 1 4886718345 7"), ==, 1);
		g_assert_cmpuint(saw(node[i]->log, "invalidate"), ==, 1);
	}
	for (unsigned int i = 0; i < 4; i++)
		node_stop(node[i]);
	test_dir_remove(dir);
}

static void requests_in_a_row_settle_once(void)
{
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1), *b = node_start(dir, 2);

	wait_until(fabric_peer(a->fabric, 2) && fabric_peer(b->fabric, 1));
	fabric_enable(a->fabric);
	for (unsigned int i = 0; i < 1000; i++)
		fabric_invalidate(a->fabric, i, 1);
	fabric_disable(a->fabric);
	wait_until(saw(a->log, "settled"));
	/* The end of the incarnation is the end of all its pages. */
	g_assert_cmpuint(saw(b->log, "invalidate 1"), ==, 0);
	g_assert_cmpuint(saw(b->log, "state 1 0"), ==, 1);
	run_idle();
	g_assert_cmpuint(saw(a->log, "settled"), ==, 1);
	node_stop(a);
	node_stop(b);
	test_dir_remove(dir);
}

/* The first one is on its way at once; the others become one. */
static void invalidations_in_a_row_are_told_as_one(void)
{
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1), *b = node_start(dir, 2);

	wait_until(fabric_peer(a->fabric, 2) && fabric_peer(b->fabric, 1));
	fabric_invalidate(a->fabric, 500, 1);
	for (unsigned int i = 100; i < 200; i += 2)
		fabric_invalidate(a->fabric, i, 1);
	fabric_invalidate(a->fabric, 10, 3);
	wait_until(saw(a->log, "settled"));
	g_assert_cmpuint(saw(b->log, "invalidate 1 500 1"), ==, 1);
	g_assert_cmpuint(saw(b->log, "invalidate 1 10 189"), ==, 1);
	g_assert_cmpuint(saw(b->log, "invalidate"), ==, 2);
	node_stop(a);
	node_stop(b);
	test_dir_remove(dir);
}

/* The peer has acknowledged a request that was sent before the change. */
static void an_acknowledgement_of_before_does_not_count(void)
{
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1);
	int fd = raw_join(dir, 1, 9);

	wait_until(saw(a->log, "present 9"));
	fabric_enable(a->fabric);
	fabric_invalidate(a->fabric, 0, 1);
	g_assert_true(fabric_busy(a->fabric));
	raw_send_request(fd, FABRIC_ACK, 1);
	run_idle();
	g_assert_true(fabric_busy(a->fabric));
	/* The first change is done by the second request, the next one is not. */
	fabric_disable(a->fabric);
	raw_send_request(fd, FABRIC_ACK, 2);
	run_idle();
	g_assert_true(fabric_busy(a->fabric));
	g_assert_cmpuint(saw(a->log, "settled"), ==, 0);
	raw_send_request(fd, FABRIC_ACK, 3);
	wait_until(saw(a->log, "settled"));
	close(fd);
	node_stop(a);
	test_dir_remove(dir);
}

/* From one incarnation to a later one, without a 0 between. */
static void a_stopped_peer_hears_of_the_last_incarnation_only(void)
{
	GMainContext *slow = g_main_context_new();
	char *dir = test_dir_new();
	struct node *a, *b;
	uint32_t first, last = 0;

	start_pair(dir, 2, slow, &a, &b);
	first = fabric_enable(a->fabric);
	for (unsigned int i = 0; i < 10000; i++) {
		fabric_disable(a->fabric);
		last = fabric_enable(a->fabric);
		fabric_invalidate(a->fabric, i, 1);
	}
	run_idle();
	g_assert_true(fabric_busy(a->fabric));
	while (fabric_busy(a->fabric)) {
		serve(slow);
		g_main_context_iteration(NULL, FALSE);
	}
	g_assert_cmpuint(saw(b->log, "state 1 %u\n", first), ==, 1);
	g_assert_cmpuint(saw(b->log, "state 1 %u\n", last), ==, 1);
	g_assert_cmpuint(saw(b->log, "state"), ==, 2);
	g_assert_cmpuint(saw(b->log, "invalidate"), ==, 0);
	g_assert_cmpuint(saw(a->log, "settled"), ==, 1);
	node_stop(a);
	node_stop(b);
	g_main_context_unref(slow);
	test_dir_remove(dir);
}

static void nobody_to_wait_for_is_not_busy(void)
{
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1), *b;

	fabric_enable(a->fabric);
	fabric_invalidate(a->fabric, 0, 1);
	g_assert_false(fabric_busy(a->fabric));
	b = node_start(dir, 2);
	wait_until(fabric_peer(a->fabric, 2) && fabric_peer(b->fabric, 1));
	fabric_invalidate(a->fabric, 5, 0);
	fabric_invalidate(a->fabric, FABRIC_SCI_PAGES, 1);
	g_assert_false(fabric_busy(a->fabric));
	fabric_invalidate(a->fabric, FABRIC_SCI_PAGES - 2, UINT64_MAX);
	wait_until(saw(b->log, "invalidate 1 68719476734 2"));
	wait_until(saw(a->log, "settled"));
	node_stop(a);
	node_stop(b);
	test_dir_remove(dir);
}

static void enabling_anew_waits_for_the_old_incarnation(void)
{
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1), *b = node_start(dir, 2);

	wait_until(fabric_peer(a->fabric, 2) && fabric_peer(b->fabric, 1));
	fabric_enable(a->fabric);
	g_assert_false(fabric_busy(a->fabric));
	fabric_enable(a->fabric);
	g_assert_true(fabric_busy(a->fabric));
	wait_until(saw(a->log, "settled"));
	g_assert_cmpuint(saw(b->log, "state 1"), ==, 2);
	node_stop(a);
	node_stop(b);
	test_dir_remove(dir);
}

static void slow_peer_keeps_us_busy(void)
{
	GMainContext *slow = g_main_context_new();
	char *dir = test_dir_new();
	struct node *a, *b, *c;

	start_pair(dir, 2, slow, &a, &b);
	c = node_start(dir, 3);
	while (!fabric_peer(a->fabric, 3) || !fabric_peer(b->fabric, 3)) {
		run_idle();
		serve(slow);
	}
	fabric_invalidate(a->fabric, 0, 1);
	wait_until(saw(c->log, "invalidate 1"));
	run_idle();
	g_assert_true(fabric_busy(a->fabric));
	g_assert_cmpuint(saw(a->log, "settled"), ==, 0);
	serve(slow);
	wait_until(saw(a->log, "settled"));
	node_stop(a);
	node_stop(b);
	node_stop(c);
	g_main_context_unref(slow);
	test_dir_remove(dir);
}

static void death_counts_as_acknowledgement(void)
{
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1);
	struct child *b = child_start(dir, 2);

	wait_until(fabric_peer(a->fabric, 2));
	kill(b->pid, SIGSTOP);
	fabric_invalidate(a->fabric, 0, 1);
	run_idle();
	g_assert_true(fabric_busy(a->fabric));
	child_kill(b);
	wait_until(saw(a->log, "settled"));
	g_assert_cmpuint(saw(a->log, "gone 2"), ==, 1);
	g_assert_cmpuint(saw(a->log, "report"), ==, 0);
	node_stop(a);
	test_dir_remove(dir);
}

static void peer_that_left_unseen_is_not_waited_for(void)
{
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1);
	int fd = raw_join(dir, 1, 9);

	wait_until(saw(a->log, "present 9"));
	close(fd);
	fabric_invalidate(a->fabric, 0, 1);
	wait_until(!fabric_busy(a->fabric));
	g_assert_cmpstr(a->log->str, ==, "present 9 0\ngone 9\nsettled\n");
	node_stop(a);
	test_dir_remove(dir);
}

/* It may still store into our memory: only its end proves that it does not. */
static void dropped_peer_is_waited_for_until_it_closes(void)
{
	char *dir = test_dir_new(), *names, *expected;
	struct node *a = node_start(dir, 1);
	int fd = raw_join(dir, 1, 9);

	wait_until(saw(a->log, "present 9"));
	fabric_invalidate(a->fabric, 0, 1);
	raw_send_request(fd, FABRIC_ACK, 7);
	wait_until(saw(a->log, "gone 9"));
	run_idle();
	g_assert_true(fabric_busy(a->fabric));
	names = fabric_debtors(a->fabric);
	expected = g_strdup_printf("node 9 (process %d, leaving until it closes its end)",
				   (int)getpid());
	g_assert_cmpstr(names, ==, expected);
	g_free(names);
	g_free(expected);
	g_assert_true(raw_ended(fd));
	close(fd);
	wait_until(saw(a->log, "settled"));

	/* Also for what was asked after it was dropped. */
	fd = raw_join(dir, 1, 9);
	wait_until(saw(a->log, "present 9") == 2);
	raw_send_request(fd, FABRIC_ACK, 7);
	wait_until(saw(a->log, "gone 9") == 2);
	g_assert_false(fabric_busy(a->fabric));
	fabric_invalidate(a->fabric, 0, 1);
	g_assert_true(fabric_busy(a->fabric));
	close(fd);
	wait_until(saw(a->log, "settled") == 2);
	node_stop(a);
	test_dir_remove(dir);
}

/* As long as it has not closed its end nothing new begins with its process. */
static void dropped_peers_do_not_pile_up(void)
{
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1);
	unsigned int before = count_fds();
	int fds[80];

	fds[0] = raw_join(dir, 1, 9);
	wait_until(saw(a->log, "present 9"));
	raw_send_request(fds[0], FABRIC_ACK, 7);
	wait_until(saw(a->log, "gone 9"));
	for (size_t i = 1; i < G_N_ELEMENTS(fds); i++) {
		fds[i] = raw_join(dir, 1, 9);
		if (i > 1)
			wait_until(raw_ended(fds[i - 1]));
	}
	/* That which was dropped, and the last one of those that wait, with its RAM. */
	run_idle();
	g_assert_cmpuint(count_fds(), ==, before + G_N_ELEMENTS(fds) + 2 + RAW_RAM_RANGES);
	fabric_invalidate(a->fabric, 0, 1);
	run_idle();
	g_assert_true(fabric_busy(a->fabric));
	close(fds[0]);
	wait_until(saw(a->log, "settled"));
	wait_until(saw(a->log, "present 9") == 2);
	for (size_t i = 1; i < G_N_ELEMENTS(fds); i++)
		close(fds[i]);
	wait_until(count_fds() == before);
	g_assert_cmpuint(saw(a->log, "report"), ==, 1);
	node_stop(a);
	test_dir_remove(dir);
}

/* B has dialled and A has answered, but B has not read that when it invalidates. */
static void unread_answer_counts_as_a_peer(void)
{
	GMainContext *slow = g_main_context_new();
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1), *b = node_new(dir, 2, slow, NULL);

	fabric_invalidate(b->fabric, 0, 1);
	g_assert_false(fabric_busy(b->fabric));
	wait_until(saw(a->log, "present 2"));
	g_assert_null(fabric_peer(b->fabric, 1));
	fabric_invalidate(b->fabric, 8, 1);
	g_assert_true(fabric_busy(b->fabric));
	while (fabric_busy(b->fabric)) {
		serve(slow);
		g_main_context_iteration(NULL, FALSE);
	}
	g_assert_cmpstr(b->log->str, ==, "present 1 0\nsettled\n");
	g_assert_cmpuint(saw(a->log, "invalidate 2 8 1"), ==, 1);
	g_assert_cmpuint(saw(a->log, "invalidate"), ==, 1);
	node_stop(a);
	node_stop(b);
	g_main_context_unref(slow);
	test_dir_remove(dir);
}

static void those_who_are_waited_for_have_names(void)
{
	GMainContext *slow = g_main_context_new();
	char *dir = test_dir_new();
	struct node *a, *b;
	char *names, *expected;

	start_pair(dir, 2, slow, &a, &b);
	g_assert_null(fabric_debtors(a->fabric));
	fabric_invalidate(a->fabric, 0, 1);
	names = fabric_debtors(a->fabric);
	expected = g_strdup_printf("node 2 (process %d)", (int)getpid());
	g_assert_cmpstr(names, ==, expected);
	g_free(names);
	g_free(expected);
	serve(slow);
	wait_until(saw(a->log, "settled"));
	g_assert_null(fabric_debtors(a->fabric));
	node_stop(a);
	node_stop(b);
	g_main_context_unref(slow);
	test_dir_remove(dir);
}

static void processes_that_invalidate_at_once_do_not_deadlock(void)
{
	char *dir = test_dir_new();
	struct child *child[3];

	for (unsigned int i = 0; i < 3; i++)
		child[i] = child_start(dir, i + 1);
	for (unsigned int i = 0; i < 3; i++)
		wait_until(saw(child[i]->log, "present") == 2);
	for (unsigned int round = 1; round <= 20; round++) {
		for (unsigned int i = 0; i < 3; i++)
			child_tell(child[i], "invalidate 0 16");
		for (unsigned int i = 0; i < 3; i++)
			wait_until(saw(child[i]->log, "settled") == round);
	}
	for (unsigned int i = 0; i < 3; i++)
		child_stop(child[i]);
	test_dir_remove(dir);
}

/* A device that is replaced while it is busy: the other one gets what comes. */
static void others_can_be_called_back(void)
{
	GMainContext *slow = g_main_context_new();
	char *dir = test_dir_new();
	struct node *a, *b, other = { .log = g_string_new(NULL) };
	const FabricOps *ops;

	start_pair(dir, 2, slow, &a, &b);
	fabric_invalidate(a->fabric, 0, 1);
	ops = node_ops_of(&other, a->fabric);
	fabric_set_ops(a->fabric, ops, &other);
	serve(slow);
	wait_until(saw(other.log, "settled"));
	g_assert_cmpuint(saw(a->log, "settled"), ==, 0);
	node_stop(a);
	node_stop(b);
	g_string_free(other.log, TRUE);
	g_main_context_unref(slow);
	test_dir_remove(dir);
}

int main(int argc, char **argv)
{
	child_main(argc, argv);
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/revoke/invalidation_reaches_all_and_settles_once",
			invalidation_reaches_all_and_settles_once);
	g_test_add_func("/revoke/requests_in_a_row_settle_once", requests_in_a_row_settle_once);
	g_test_add_func("/revoke/invalidations_in_a_row_are_told_as_one",
			invalidations_in_a_row_are_told_as_one);
	g_test_add_func("/revoke/an_acknowledgement_of_before_does_not_count",
			an_acknowledgement_of_before_does_not_count);
	g_test_add_func("/revoke/a_stopped_peer_hears_of_the_last_incarnation_only",
			a_stopped_peer_hears_of_the_last_incarnation_only);
	g_test_add_func("/revoke/nobody_to_wait_for_is_not_busy", nobody_to_wait_for_is_not_busy);
	g_test_add_func("/revoke/enabling_anew_waits_for_the_old_incarnation",
			enabling_anew_waits_for_the_old_incarnation);
	g_test_add_func("/revoke/slow_peer_keeps_us_busy", slow_peer_keeps_us_busy);
	g_test_add_func("/revoke/death_counts_as_acknowledgement", death_counts_as_acknowledgement);
	g_test_add_func("/revoke/peer_that_left_unseen_is_not_waited_for",
			peer_that_left_unseen_is_not_waited_for);
	g_test_add_func("/revoke/dropped_peer_is_waited_for_until_it_closes",
			dropped_peer_is_waited_for_until_it_closes);
	g_test_add_func("/revoke/dropped_peers_do_not_pile_up", dropped_peers_do_not_pile_up);
	g_test_add_func("/revoke/unread_answer_counts_as_a_peer", unread_answer_counts_as_a_peer);
	g_test_add_func("/revoke/those_who_are_waited_for_have_names",
			those_who_are_waited_for_have_names);
	g_test_add_func("/revoke/processes_that_invalidate_at_once_do_not_deadlock",
			processes_that_invalidate_at_once_do_not_deadlock);
	g_test_add_func("/revoke/others_can_be_called_back", others_can_be_called_back);
	return g_test_run();
}
