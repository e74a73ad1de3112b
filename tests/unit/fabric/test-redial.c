// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A peer that was lost although its process lives is dialled again.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "node.h"
#include "raw.h"

static int wait_for_dial(int listener)
{
	int fd = -1;

	wait_until((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0);
	return fd;
}

static void answer(int fd, unsigned int node)
{
	struct raw_hello hello;

	raw_hello_init(&hello, node);
	raw_send_hello(fd, &hello);
	raw_hello_fini(&hello);
}

/* It is dialled twice more; each time it is dropped again, with a report. */
static void dropped_peer_is_dialled_again(void)
{
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1);
	int fd = raw_join(dir, 1, 9);
	int listener = raw_listen(dir, "9.sock", SOCK_SEQPACKET);

	for (unsigned int round = 1; round <= 3; round++) {
		wait_until(saw(a->log, "present 9") == round);
		raw_send_request(fd, FABRIC_ACK, 7);
		wait_until(saw(a->log, "gone 9") == round);
		wait_until(saw(a->log, "report") == round);
		close(fd);
		if (round < 3) {
			fd = wait_for_dial(listener);
			answer(fd, 9);
		}
	}
	close(listener);
	node_stop(a);
	test_dir_remove(dir);
}

/* The other side has lost it: no fault, no report. */
static void closed_connection_is_dialled_again(void)
{
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1);
	int fd = raw_join(dir, 1, 9);
	int listener = raw_listen(dir, "9.sock", SOCK_SEQPACKET);

	wait_until(saw(a->log, "present 9"));
	close(fd);
	fd = wait_for_dial(listener);
	answer(fd, 9);
	wait_until(saw(a->log, "present 9") == 2);
	g_assert_cmpstr(a->log->str, ==, "present 9 0\ngone 9\npresent 9 0\n");
	close(fd);
	close(listener);
	node_stop(a);
	test_dir_remove(dir);
}

static void dial_that_was_closed_is_dialled_again(void)
{
	char *dir = test_dir_new();
	int listener = raw_listen(dir, "9.sock", SOCK_SEQPACKET);
	struct node *a = node_start(dir, 1);
	int fd = wait_for_dial(listener);

	close(fd);
	fd = wait_for_dial(listener);
	answer(fd, 9);
	wait_until(saw(a->log, "present 9"));
	g_assert_cmpuint(saw(a->log, "report"), ==, 0);
	close(fd);
	close(listener);
	node_stop(a);
	test_dir_remove(dir);
}

static bool listens(int fd)
{
	int value = 0;
	socklen_t size = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) == 0 && value;
}

/* What breaks is seen by both ends of each connection at once. */
static void break_connections(void)
{
	for (int fd = 0; fd < 1024; fd++) {
		int type = 0;
		socklen_t size = sizeof(type);

		if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
		    type == SOCK_SEQPACKET && !listens(fd))
			shutdown(fd, SHUT_RDWR);
	}
}

/* All of them redial at the same time; one connection of each pair stays. */
static void nodes_that_lost_each_other_meet_again(void)
{
	enum { NODES = 4 };
	char *dir = test_dir_new();
	struct node *node[NODES];
	unsigned int fds;

	for (unsigned int i = 0; i < NODES; i++)
		node[i] = node_start(dir, i + 1);
	for (unsigned int i = 0; i < NODES; i++)
		wait_until(saw(node[i]->log, "present") == NODES - 1);
	run_idle();
	fds = count_fds();
	for (unsigned int round = 2; round <= 3; round++) {
		break_connections();
		for (unsigned int i = 0; i < NODES; i++)
			wait_until(saw(node[i]->log, "present") == round * (NODES - 1));
		for (unsigned int i = 0; i < NODES; i++) {
			g_assert_cmpuint(saw(node[i]->log, "gone"), ==,
					 (round - 1) * (NODES - 1));
			fabric_invalidate(node[i]->fabric, 0, 1);
			wait_until(!fabric_busy(node[i]->fabric));
			g_assert_cmpuint(saw(node[i]->log, "report"), ==, 0);
		}
		wait_until(count_fds() == fds);
	}
	for (unsigned int i = 0; i < NODES; i++)
		node_stop(node[i]);
	test_dir_remove(dir);
}

/* The other one is lost after it: when that is dialled, its time is over. */
static void node_that_has_left_is_not_looked_for(void)
{
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1);
	int left = raw_join(dir, 1, 9), lost = raw_join(dir, 1, 8);
	int listener = raw_listen(dir, "8.sock", SOCK_SEQPACKET), late;

	wait_until(saw(a->log, "present") == 2);
	close(left);
	wait_until(saw(a->log, "gone 9"));
	close(lost);
	for (unsigned int round = 0; round < 2; round++) {
		lost = wait_for_dial(listener);
		/* From now on there is a socket, but no reason to dial it. */
		if (round == 0)
			late = raw_listen(dir, "9.sock", SOCK_SEQPACKET);
		close(lost);
	}
	g_assert_cmpint(accept(late, NULL, NULL), <, 0);
	g_assert_cmpint(errno, ==, EAGAIN);
	g_assert_cmpuint(saw(a->log, "report"), ==, 0);
	close(late);
	close(listener);
	node_stop(a);
	test_dir_remove(dir);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/redial/dropped_peer_is_dialled_again", dropped_peer_is_dialled_again);
	g_test_add_func("/redial/closed_connection_is_dialled_again",
			closed_connection_is_dialled_again);
	g_test_add_func("/redial/dial_that_was_closed_is_dialled_again",
			dial_that_was_closed_is_dialled_again);
	g_test_add_func("/redial/nodes_that_lost_each_other_meet_again",
			nodes_that_lost_each_other_meet_again);
	g_test_add_func("/redial/node_that_has_left_is_not_looked_for",
			node_that_has_left_is_not_looked_for);
	return g_test_run();
}
