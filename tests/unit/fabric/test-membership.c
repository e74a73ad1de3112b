// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Nodes find each other in any order, share RAM and doorbells, and see each
 * other leave.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "node.h"
#include "raw.h"

#define NODES	4

static void nodes_meet_in_any_order(const unsigned int *ids, unsigned int n)
{
	char *dir = test_dir_new();
	struct node *node[NODES];

	for (unsigned int i = 0; i < n; i++) {
		node[i] = node_start(dir, ids[i]);
		run_idle();
	}
	for (unsigned int i = 0; i < n; i++) {
		for (unsigned int j = 0; j < n; j++) {
			wait_until(fabric_peer(node[i]->fabric, ids[j]));
			if (i != j)
				g_assert_cmpuint(saw(node[i]->log, "present %u 0", ids[j]), ==, 1);
		}
		g_assert_cmpuint(saw(node[i]->log, "present"), ==, n - 1);
		g_assert_cmpuint(saw(node[i]->log, "report"), ==, 0);
	}
	for (unsigned int i = 0; i < n; i++)
		node_stop(node[i]);
	test_dir_remove(dir);
}

static void two_nodes_meet(void)
{
	nodes_meet_in_any_order((unsigned int[]) { 1, 2 }, 2);
	nodes_meet_in_any_order((unsigned int[]) { 2, 1 }, 2);
	nodes_meet_in_any_order((unsigned int[]) { 255, 1 }, 2);
}

static void four_nodes_meet(void)
{
	nodes_meet_in_any_order((unsigned int[]) { 1, 2, 3, 4 }, 4);
	nodes_meet_in_any_order((unsigned int[]) { 4, 3, 2, 1 }, 4);
	nodes_meet_in_any_order((unsigned int[]) { 3, 1, 4, 2 }, 4);
}

/* Processes that all start at once dial each other: one connection of each pair stays. */
static void simultaneous_starts_leave_one_connection(void)
{
	for (unsigned int round = 0; round < 15; round++) {
		char *dir = test_dir_new();
		struct child *child[NODES];

		for (unsigned int i = 0; i < NODES; i++)
			child[i] = child_start(dir, i + 1);
		for (unsigned int i = 0; i < NODES; i++) {
			for (unsigned int j = 0; j < NODES; j++) {
				if (i != j)
					wait_until(saw(child[i]->log, "present %u", j + 1));
			}
		}
		/* A disable reaches everybody, so the connections work in both directions. */
		for (unsigned int i = 0; i < NODES; i++) {
			child_tell(child[i], "enable");
			child_tell(child[i], "disable");
			wait_until(saw(child[i]->log, "settled"));
		}
		for (unsigned int i = 0; i < NODES; i++) {
			g_assert_cmpuint(saw(child[i]->log, "present"), ==, NODES - 1);
			g_assert_cmpuint(saw(child[i]->log, "gone"), ==, 0);
			g_assert_cmpuint(saw(child[i]->log, "report"), ==, 0);
		}
		for (unsigned int i = 0; i < NODES; i++)
			child_stop(child[i]);
		test_dir_remove(dir);
	}
}

static void peers_share_ram(void)
{
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1), *b = node_start(dir, 2);
	const FabricPeer *peer;
	char *theirs, *own;

	wait_until(fabric_peer(a->fabric, 2) && fabric_peer(b->fabric, 1));
	peer = fabric_peer(a->fabric, 2);
	g_assert_cmpuint(peer->n_ram, ==, 2);
	theirs = fabric_ram_host(peer, 0x100000040, 8);
	own = fabric_ram_host(fabric_peer(b->fabric, 2), 0x100000040, 8);
	g_assert_true(theirs && own && theirs != own);
	strcpy(theirs, "written");
	g_assert_cmpstr(own, ==, "written");

	g_assert_nonnull(fabric_ram_host(peer, 0, NODE_RAM_SIZE / 2));
	g_assert_null(fabric_ram_host(peer, 0, NODE_RAM_SIZE / 2 + 1));
	g_assert_null(fabric_ram_host(peer, NODE_RAM_SIZE / 2, 1));
	g_assert_null(fabric_ram_host(peer, 0xffffffff, 1));
	g_assert_null(fabric_ram_host(peer, 0x100000000, UINT64_MAX));
	g_assert_null(fabric_ram_host(peer, UINT64_MAX, 1));
	node_stop(a);
	node_stop(b);
	test_dir_remove(dir);
}

static void peers_see_state_and_leave(void)
{
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1), *b = node_start(dir, 2);
	uint32_t incarnation;

	wait_until(fabric_peer(a->fabric, 2) && fabric_peer(b->fabric, 1));
	incarnation = fabric_enable(a->fabric);
	g_assert_false(fabric_busy(a->fabric));
	g_assert_cmpuint(fabric_page(a->fabric)->incarnation, ==, incarnation);
	wait_until(saw(b->log, "state 1 %u", incarnation));
	g_assert_cmpuint(fabric_peer(b->fabric, 1)->page->incarnation, ==, incarnation);
	g_assert_cmpuint(fabric_peer(a->fabric, 1)->incarnation, ==, incarnation);

	fabric_page(a->fabric)->inbound = 1;
	fabric_disable(a->fabric);
	g_assert_cmpuint(fabric_peer(b->fabric, 1)->page->inbound, ==, 0);
	g_assert_true(fabric_busy(a->fabric));
	wait_until(saw(a->log, "settled"));
	g_assert_cmpuint(saw(b->log, "state 1 0"), ==, 1);
	fabric_disable(a->fabric);
	g_assert_false(fabric_busy(a->fabric));

	node_stop(a);
	wait_until(saw(b->log, "gone 1"));
	g_assert_null(fabric_peer(b->fabric, 1));
	g_assert_cmpuint(saw(b->log, "report"), ==, 0);
	node_stop(b);
	test_dir_remove(dir);
}

static void late_node_learns_incarnation(void)
{
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1), *b;
	uint32_t incarnation = fabric_enable(a->fabric);

	b = node_start(dir, 2);
	wait_until(saw(b->log, "present 1 %u", incarnation));
	node_stop(a);
	node_stop(b);
	test_dir_remove(dir);
}

/* The dialler's HELLO is out before its adapter is enabled. */
static void enable_while_dialling_is_not_lost(void)
{
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1), *b = node_start(dir, 2);
	uint32_t incarnation = fabric_enable(b->fabric);

	wait_until(saw(a->log, "state 2 %u", incarnation));
	g_assert_cmpuint(saw(a->log, "present 2 0"), ==, 1);
	node_stop(a);
	node_stop(b);
	test_dir_remove(dir);
}

static void killed_node_returns_with_greater_incarnation(void)
{
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1);
	uint32_t last = 0;

	for (unsigned int round = 1; round <= 3; round++) {
		struct child *b = child_start(dir, 2);
		uint32_t incarnation;

		child_tell(b, "enable");
		wait_until(fabric_peer(a->fabric, 2) && fabric_peer(a->fabric, 2)->incarnation);
		incarnation = fabric_peer(a->fabric, 2)->incarnation;
		g_assert_cmpuint(incarnation, >, last);
		last = incarnation;
		child_kill(b);
		wait_until(saw(a->log, "gone 2") == round);
	}
	node_stop(a);
	test_dir_remove(dir);
}

/* Whoever comes back is there, however far the news of its death has got. */
static void quick_return_is_seen(void)
{
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 2);

	for (unsigned int i = 1; i <= 3; i += 2) {
		struct node *b = node_start(dir, i);

		wait_until(fabric_peer(a->fabric, i) && fabric_peer(b->fabric, 2));
		node_stop(b);
		b = node_start(dir, i);
		fabric_enable(b->fabric);
		wait_until(fabric_peer(a->fabric, i) && fabric_peer(a->fabric, i)->incarnation);
		g_assert_cmpuint(saw(a->log, "present %u", i), ==, 2);
		g_assert_cmpuint(saw(a->log, "gone %u", i), ==, 1);
		node_stop(b);
		wait_until(saw(a->log, "gone %u", i) == 2);
	}
	node_stop(a);
	test_dir_remove(dir);
}

/* The news of a death may come after the HELLO of its successor, and the other way round. */
static void later_start_is_the_living_one(void)
{
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1);
	int first, same, older, newer;

	first = raw_join_start(dir, 1, 9, 1000);
	wait_until(saw(a->log, "present 9") == 1);
	same = raw_join_start(dir, 1, 9, 1000);
	wait_until(raw_ended(same));
	older = raw_join_start(dir, 1, 9, 999);
	wait_until(raw_ended(older));
	g_assert_cmpstr(a->log->str, ==, "present 9 0\n");
	g_assert_false(raw_ended(first));

	newer = raw_join_start(dir, 1, 9, 1001);
	wait_until(saw(a->log, "present 9") == 2);
	g_assert_cmpstr(a->log->str, ==, "present 9 0\ngone 9\npresent 9 0\n");
	run_idle();
	g_assert_true(raw_ended(first));
	g_assert_false(raw_ended(newer));
	close(first);
	close(same);
	close(older);
	close(newer);
	node_stop(a);
	test_dir_remove(dir);
}

/* A connection that has ended does not keep out another one of the same start. */
static void ended_connection_makes_room(void)
{
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1);
	int first = raw_join(dir, 1, 9), second;

	wait_until(saw(a->log, "present 9") == 1);
	second = raw_dial(dir, 1);
	run_idle();
	close(second);
	for (unsigned int round = 2; round < 10; round++) {
		second = raw_join(dir, 1, 9);
		close(first);
		first = second;
		wait_until(saw(a->log, "present 9") == round);
		run_idle();
		g_assert_nonnull(fabric_peer(a->fabric, 9));
		g_assert_false(raw_ended(first));
	}
	g_assert_cmpuint(saw(a->log, "gone 9"), ==, 8);
	g_assert_cmpuint(saw(a->log, "report"), ==, 0);
	close(first);
	node_stop(a);
	test_dir_remove(dir);
}

/* Those that wait for the answer to a dial of ours, which never comes. */
static void one_connection_of_a_node_waits_for_our_dial(void)
{
	char *dir = test_dir_new();
	int listener = raw_listen(dir, "1.sock", SOCK_SEQPACKET);
	struct node *a = node_start(dir, 9);
	unsigned int before = count_fds();
	int first = raw_join_start(dir, 9, 1, 1000), second;
	unsigned int waiting;

	/* Both ends of the connection, and the ranges of its RAM. */
	wait_until(count_fds() >= before + 2 + RAW_RAM_RANGES);
	run_idle();
	waiting = count_fds();
	for (unsigned int start = 1001; start < 1020; start++) {
		second = raw_join_start(dir, 9, 1, start);
		wait_until(raw_ended(first));
		close(first);
		first = second;
	}
	run_idle();
	g_assert_cmpuint(count_fds(), ==, waiting);
	g_assert_cmpuint(saw(a->log, "present"), ==, 0);
	/* Our dial comes to its end: now it is answered. */
	close(listener);
	wait_until(saw(a->log, "present 1") == 1);
	g_assert_false(raw_ended(first));
	close(first);
	node_stop(a);
	test_dir_remove(dir);
}

/* Memory can be unplugged, and the number of its descriptor be that of another file. */
static void ram_is_known_by_descriptors_of_our_own(void)
{
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1), *b;

	g_assert_cmpint(dup2(a->lines[0], a->ram_fd), ==, a->ram_fd);
	b = node_start(dir, 2);
	wait_until(fabric_peer(a->fabric, 2) && fabric_peer(b->fabric, 1));
	g_assert_nonnull(fabric_ram_host(fabric_peer(b->fabric, 1), 0, NODE_RAM_SIZE / 2));
	node_stop(b);
	node_stop(a);
	test_dir_remove(dir);
}

/* What /proc/self/smaps says of the mapping that holds @at. */
static char *mapping_flags(const void *at)
{
	char *text, *line, *flags = NULL;
	bool here = false;

	g_assert_true(g_file_get_contents("/proc/self/smaps", &text, NULL, NULL));
	for (line = strtok(text, "\n"); line && !flags; line = strtok(NULL, "\n")) {
		uintptr_t first, end;

		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &first, &end) == 2)
			here = (uintptr_t)at >= first && (uintptr_t)at < end;
		else if (here && g_str_has_prefix(line, "VmFlags:"))
			flags = g_strdup(line);
	}
	g_free(text);
	g_assert_nonnull(flags);
	return flags;
}

static void shared_ram_is_not_part_of_core_dumps(void)
{
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1), *b = node_start(dir, 2);

	wait_until(fabric_peer(a->fabric, 2) && fabric_peer(b->fabric, 1));
	for (unsigned int node = 1; node <= 2; node++) {
		const FabricPeer *peer = fabric_peer(a->fabric, node);

		for (unsigned int i = 0; i < peer->n_ram; i++) {
			char *flags = mapping_flags(peer->ram[i].host);

			g_assert_nonnull(strstr(flags, " dd"));
			g_free(flags);
		}
	}
	node_stop(a);
	node_stop(b);
	test_dir_remove(dir);
}

/* One end of a connection; what it sent is mapped and closed. */
static void a_peer_costs_a_descriptor_and_those_of_its_ram(void)
{
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1);
	unsigned int before = count_fds();
	int fd = raw_join(dir, 1, 9);

	wait_until(saw(a->log, "present 9"));
	/* Both ends of the connection are here; and a range of RAM is a descriptor. */
	g_assert_cmpuint(count_fds(), ==, before + 2 + fabric_peer(a->fabric, 9)->n_ram);
	close(fd);
	node_stop(a);
	test_dir_remove(dir);
}

static void ram_that_is_gone_is_known_to_peers(void)
{
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1), *b = node_start(dir, 2);

	wait_until(fabric_peer(a->fabric, 2) && fabric_peer(b->fabric, 1));
	g_assert_cmphex(fabric_peer(b->fabric, 1)->page->ram_gone, ==, 0);
	fabric_ram_gone(a->fabric, 1);
	g_assert_cmphex(fabric_peer(b->fabric, 1)->page->ram_gone, ==, 2);
	node_stop(a);
	node_stop(b);
	test_dir_remove(dir);
}

static void no_descriptor_is_leaked(void)
{
	char *dir = test_dir_new();
	unsigned int before = count_fds();

	for (unsigned int round = 0; round < 3; round++) {
		struct node *a = node_start(dir, 1), *b = node_start(dir, 2);
		unsigned int alone;

		wait_until(fabric_peer(a->fabric, 2) && fabric_peer(b->fabric, 1));
		node_stop(b);
		wait_until(saw(a->log, "gone 2"));
		alone = count_fds();
		b = node_start(dir, 2);
		wait_until(fabric_peer(a->fabric, 2) && fabric_peer(b->fabric, 1));
		node_stop(b);
		wait_until(saw(a->log, "gone 2") == 2);
		g_assert_cmpuint(count_fds(), ==, alone);
		node_stop(a);
	}
	g_assert_cmpuint(count_fds(), ==, before);
	test_dir_remove(dir);
}

int main(int argc, char **argv)
{
	child_main(argc, argv);
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/membership/two_nodes_meet", two_nodes_meet);
	g_test_add_func("/membership/four_nodes_meet", four_nodes_meet);
	g_test_add_func("/membership/simultaneous_starts_leave_one_connection",
			simultaneous_starts_leave_one_connection);
	g_test_add_func("/membership/peers_share_ram", peers_share_ram);
	g_test_add_func("/membership/peers_see_state_and_leave", peers_see_state_and_leave);
	g_test_add_func("/membership/late_node_learns_incarnation", late_node_learns_incarnation);
	g_test_add_func("/membership/enable_while_dialling_is_not_lost",
			enable_while_dialling_is_not_lost);
	g_test_add_func("/membership/killed_node_returns_with_greater_incarnation",
			killed_node_returns_with_greater_incarnation);
	g_test_add_func("/membership/quick_return_is_seen", quick_return_is_seen);
	g_test_add_func("/membership/later_start_is_the_living_one",
			later_start_is_the_living_one);
	g_test_add_func("/membership/ended_connection_makes_room", ended_connection_makes_room);
	g_test_add_func("/membership/one_connection_of_a_node_waits_for_our_dial",
			one_connection_of_a_node_waits_for_our_dial);
	g_test_add_func("/membership/ram_is_known_by_descriptors_of_our_own",
			ram_is_known_by_descriptors_of_our_own);
	g_test_add_func("/membership/shared_ram_is_not_part_of_core_dumps",
			shared_ram_is_not_part_of_core_dumps);
	g_test_add_func("/membership/a_peer_costs_a_descriptor_and_those_of_its_ram", a_peer_costs_a_descriptor_and_those_of_its_ram);
	g_test_add_func("/membership/ram_that_is_gone_is_known_to_peers",
			ram_that_is_gone_is_known_to_peers);
	g_test_add_func("/membership/no_descriptor_is_leaked", no_descriptor_is_leaked);
	return g_test_run();
}
