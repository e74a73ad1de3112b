// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Ports: a link is up while both ends have theirs open; nobody waits for a
 * peer that maps nothing because the link is down.  A node that is "slow" here
 * has a main context that nobody serves.
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

static bool linked(const struct node *node, unsigned int peer)
{
	const FabricPeer *p = fabric_peer(node->fabric, peer);

	return p && p->linked;
}

static void start_pair(const char *dir, struct node **a, struct node **b)
{
	*a = node_start(dir, 1);
	*b = node_start(dir, 2);
	wait_until(linked(*a, 2) && linked(*b, 1));
	g_string_truncate((*a)->log, 0);
	g_string_truncate((*b)->log, 0);
}

static void stop_pair(char *dir, struct node *a, struct node *b)
{
	g_assert_cmpuint(saw(a->log, "report"), ==, 0);
	g_assert_cmpuint(saw(b->log, "report"), ==, 0);
	node_stop(a);
	node_stop(b);
	test_dir_remove(dir);
}

static void both_ends_see_a_port_close_and_open(void)
{
	char *dir = test_dir_new();
	struct node *a, *b;

	start_pair(dir, &a, &b);
	fabric_set_port(a->fabric, 2, false);
	g_assert_false(linked(a, 2));
	wait_until(saw(b->log, "link 1 down"));
	g_assert_false(linked(b, 1));
	fabric_set_port(a->fabric, 2, true);
	g_assert_false(linked(a, 2));
	wait_until(linked(a, 2) && linked(b, 1));
	/* Who closes a port knows that it is closed. */
	g_assert_cmpstr(a->log->str, ==, "link 2 up\n");
	g_assert_cmpstr(b->log->str, ==, "link 1 down\nlink 1 up\n");
	stop_pair(dir, a, b);
}

static void a_link_is_up_only_if_both_say_so(void)
{
	char *dir = test_dir_new();
	struct node *a, *b;

	start_pair(dir, &a, &b);
	fabric_set_port(a->fabric, 2, false);
	fabric_set_port(b->fabric, 1, false);
	run_idle();
	fabric_set_port(a->fabric, 2, true);
	run_idle();
	g_assert_false(linked(a, 2) || linked(b, 1));
	fabric_set_port(b->fabric, 1, true);
	wait_until(linked(a, 2) && linked(b, 1));
	g_assert_cmpstr(a->log->str, ==, "link 2 up\n");
	g_assert_cmpstr(b->log->str, ==, "link 1 up\n");
	stop_pair(dir, a, b);
}

static void only_the_named_link_is_down(void)
{
	char *dir = test_dir_new();
	struct node *a, *b, *c;

	start_pair(dir, &a, &b);
	c = node_start(dir, 3);
	wait_until(linked(a, 3) && linked(b, 3) && linked(c, 1) && linked(c, 2));
	fabric_set_port(a->fabric, 2, false);
	fabric_set_port(a->fabric, 9, false);
	wait_until(!linked(b, 1));
	g_assert_true(linked(a, 3) && linked(c, 1) && linked(b, 3));
	fabric_invalidate(c->fabric, 4, 1);
	wait_until(saw(c->log, "settled"));
	node_stop(c);
	stop_pair(dir, a, b);
}

static void the_own_node_stays_linked(void)
{
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1);

	g_assert_true(linked(a, 1));
	node_stop(a);
	test_dir_remove(dir);
}

/* The order of starting decides who dials whom. */
static void a_port_is_closed_before_the_peer_comes(void)
{
	for (unsigned int first = 1; first <= 2; first++) {
		char *dir = test_dir_new();
		struct node *a = first == 1 ? node_start_closed(dir, 1, 2) : NULL;
		struct node *b = node_start(dir, 2);

		if (!a)
			a = node_start_closed(dir, 1, 2);
		wait_until(fabric_peer(a->fabric, 2) && fabric_peer(b->fabric, 1));
		run_idle();
		g_assert_false(linked(a, 2) || linked(b, 1));
		g_assert_cmpstr(a->log->str, ==, "present 2 0\n");
		g_assert_cmpstr(b->log->str, ==, "present 1 0\n");
		fabric_set_port(a->fabric, 2, true);
		wait_until(linked(a, 2) && linked(b, 1));
		stop_pair(dir, a, b);
	}
}

/* Each HELLO is out, or not yet, when the port moves. */
static void a_port_that_moves_while_nodes_meet_is_not_lost(void)
{
	for (unsigned int round = 0; round < 4; round++) {
		GMainContext *slow = g_main_context_new();
		char *dir = test_dir_new();
		struct node *a = node_start(dir, 1), *b = node_new(dir, 2, slow, NULL);
		struct node *mover = round % 2 ? a : b;

		if (round / 2)
			run_idle();
		fabric_set_port(mover->fabric, 3 - mover->id, false);
		while (!fabric_peer(a->fabric, 2) || !fabric_peer(b->fabric, 1) ||
		       linked(a, 2) || linked(b, 1)) {
			run_idle();
			serve(slow);
		}
		fabric_set_port(mover->fabric, 3 - mover->id, true);
		while (!linked(a, 2) || !linked(b, 1)) {
			run_idle();
			serve(slow);
		}
		stop_pair(dir, a, b);
		g_main_context_unref(slow);
	}
}

static void a_closed_port_outlives_the_peer(void)
{
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1);
	struct child *b = child_start(dir, 2);

	wait_until(linked(a, 2));
	fabric_set_port(a->fabric, 2, false);
	wait_until(saw(b->log, "link 1 down"));
	child_kill(b);
	wait_until(saw(a->log, "gone 2"));
	b = child_start(dir, 2);
	wait_until(saw(a->log, "present 2") == 2 && saw(b->log, "present 1"));
	g_assert_false(linked(a, 2));
	fabric_set_port(a->fabric, 2, true);
	wait_until(linked(a, 2));
	wait_until(saw(b->log, "link 1 up"));
	child_stop(b);
	node_stop(a);
	test_dir_remove(dir);
}

/* A stopped node that said it maps nothing, or has acknowledged that it must not. */
static void nobody_waits_for_a_peer_whose_link_is_down(void)
{
	for (unsigned int closer = 1; closer <= 2; closer++) {
		char *dir = test_dir_new();
		struct node *a = node_start(dir, 1);
		struct child *b = child_start(dir, 2);

		wait_until(linked(a, 2));
		fabric_enable(a->fabric);
		if (closer == 1) {
			fabric_set_port(a->fabric, 2, false);
			wait_until(saw(b->log, "link 1 down"));
			/* It has acknowledged before it reads the next command. */
			child_tell(b, "ping");
			wait_until(saw(b->log, "pong"));
			run_idle();
		} else {
			child_tell(b, "close 1");
			wait_until(saw(a->log, "link 2 down"));
		}
		kill(b->pid, SIGSTOP);
		for (unsigned int i = 0; i < 3000; i++)
			fabric_invalidate(a->fabric, i, 1);
		g_assert_false(fabric_busy(a->fabric));
		fabric_disable(a->fabric);
		g_assert_false(fabric_busy(a->fabric));
		run_idle();
		g_assert_nonnull(fabric_peer(a->fabric, 2));
		kill(b->pid, SIGCONT);
		wait_until(saw(b->log, "state 1 0"));
		g_assert_cmpuint(saw(b->log, "invalidate"), ==, 0);
		if (closer == 1)
			fabric_set_port(a->fabric, 2, true);
		else
			child_tell(b, "open 1");
		wait_until(linked(a, 2));
		fabric_invalidate(a->fabric, 7, 1);
		g_assert_true(fabric_busy(a->fabric));
		wait_until(saw(a->log, "settled"));
		child_stop(b);
		node_stop(a);
		test_dir_remove(dir);
	}
}

/* It may still store: that it has been told is not enough. */
static void a_stopped_peer_is_waited_for_until_it_acknowledges(void)
{
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1);
	struct child *b = child_start(dir, 2);

	wait_until(linked(a, 2));
	wait_until(saw(b->log, "present 1"));
	kill(b->pid, SIGSTOP);
	fabric_set_port(a->fabric, 2, false);
	fabric_invalidate(a->fabric, 0, 1);
	g_assert_true(fabric_busy(a->fabric));
	run_idle();
	g_assert_true(fabric_busy(a->fabric));
	kill(b->pid, SIGCONT);
	wait_until(saw(a->log, "settled"));
	child_stop(b);
	node_stop(a);
	test_dir_remove(dir);
}

/* Its word that it has closed its port says that it has unmapped everything. */
static void a_port_that_closes_during_an_invalidation_settles_it(void)
{
	FabricMessage port = { .type = FABRIC_PORT, .seq = 1, .port.closed = true };
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1);
	int fd = raw_join(dir, 1, 9);

	wait_until(linked(a, 9));
	fabric_invalidate(a->fabric, 0, 1);
	raw_send_message(fd, &port);
	wait_until(saw(a->log, "settled"));
	g_assert_cmpstr(a->log->str, ==, "present 9 0\nlink 9 down\nsettled\n");
	/* The acknowledgement that is still to come is no breach. */
	raw_send_request(fd, FABRIC_ACK, 1);
	run_idle();
	g_assert_nonnull(fabric_peer(a->fabric, 9));
	close(fd);
	node_stop(a);
	test_dir_remove(dir);
}

static void a_peer_that_opens_its_port_is_waited_for_again(void)
{
	FabricMessage port = { .type = FABRIC_PORT, .seq = 1, .port.closed = true };
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1);
	int fd = raw_join(dir, 1, 9);

	wait_until(linked(a, 9));
	raw_send_message(fd, &port);
	wait_until(!linked(a, 9));
	fabric_invalidate(a->fabric, 0, 1);
	g_assert_false(fabric_busy(a->fabric));
	port.seq = 2;
	port.port.closed = false;
	raw_send_message(fd, &port);
	wait_until(linked(a, 9));
	fabric_invalidate(a->fabric, 0, 1);
	g_assert_true(fabric_busy(a->fabric));
	raw_send_request(fd, FABRIC_ACK, 1);
	wait_until(saw(a->log, "settled"));
	close(fd);
	node_stop(a);
	test_dir_remove(dir);
}

static void a_peer_that_dies_behind_a_closed_port_is_gone(void)
{
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1);
	struct child *b = child_start(dir, 2);

	wait_until(linked(a, 2));
	kill(b->pid, SIGSTOP);
	fabric_set_port(a->fabric, 2, false);
	fabric_invalidate(a->fabric, 0, 1);
	child_kill(b);
	wait_until(saw(a->log, "settled"));
	g_assert_cmpuint(saw(a->log, "gone 2"), ==, 1);
	g_assert_cmpuint(saw(a->log, "link"), ==, 0);
	node_stop(a);
	test_dir_remove(dir);
}

static void a_port_that_flaps_at_a_stopped_peer_fills_no_queue(void)
{
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1);
	struct child *b = child_start(dir, 2);

	wait_until(linked(a, 2));
	wait_until(saw(b->log, "present 1"));
	kill(b->pid, SIGSTOP);
	for (unsigned int i = 0; i < 5000; i++) {
		fabric_set_port(a->fabric, 2, false);
		fabric_set_port(a->fabric, 2, true);
	}
	run_idle();
	g_assert_nonnull(fabric_peer(a->fabric, 2));
	g_assert_false(linked(a, 2));
	kill(b->pid, SIGCONT);
	wait_until(linked(a, 2));
	/* However short the last flap was, the peer has seen one. */
	wait_until(saw(b->log, "link 1 up"));
	g_assert_cmpuint(saw(b->log, "link 1 down"), ==, 1);
	child_stop(b);
	node_stop(a);
	test_dir_remove(dir);
}

static void ports_that_flap_at_both_ends_agree_in_the_end(void)
{
	char *dir = test_dir_new();
	struct node *a, *b;

	start_pair(dir, &a, &b);
	for (unsigned int i = 0; i < 2000; i++) {
		fabric_set_port(a->fabric, 2, g_test_rand_bit());
		fabric_set_port(b->fabric, 1, g_test_rand_bit());
		if (g_test_rand_bit())
			fabric_invalidate(a->fabric, i, 1);
		for (int n = g_test_rand_int_range(0, 4); n > 0; n--)
			g_main_context_iteration(NULL, FALSE);
		if (i % 50)
			continue;
		fabric_set_port(a->fabric, 2, true);
		fabric_set_port(b->fabric, 1, true);
		wait_until(linked(a, 2) && linked(b, 1));
		wait_until(!fabric_busy(a->fabric));
	}
	stop_pair(dir, a, b);
}

#define ADD(test) g_test_add_func("/ports/" #test, test)

int main(int argc, char **argv)
{
	child_main(argc, argv);
	g_test_init(&argc, &argv, NULL);
	ADD(both_ends_see_a_port_close_and_open);
	ADD(a_link_is_up_only_if_both_say_so);
	ADD(only_the_named_link_is_down);
	ADD(the_own_node_stays_linked);
	ADD(a_port_is_closed_before_the_peer_comes);
	ADD(a_port_that_moves_while_nodes_meet_is_not_lost);
	ADD(a_closed_port_outlives_the_peer);
	ADD(nobody_waits_for_a_peer_whose_link_is_down);
	ADD(a_stopped_peer_is_waited_for_until_it_acknowledges);
	ADD(a_port_that_closes_during_an_invalidation_settles_it);
	ADD(a_peer_that_opens_its_port_is_waited_for_again);
	ADD(a_peer_that_dies_behind_a_closed_port_is_gone);
	ADD(a_port_that_flaps_at_a_stopped_peer_fills_no_queue);
	ADD(ports_that_flap_at_both_ends_agree_in_the_end);
	return g_test_run();
}
