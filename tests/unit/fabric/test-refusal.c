// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A device that cannot unmap now: nothing is acknowledged before it can, the
 * other peers do not notice, and it is asked again.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <sys/socket.h>
#include <unistd.h>

#include "node.h"
#include "raw.h"

struct request {
	const char *name;
	FabricMessage msg;
	const char *event;
};

static const struct request requests[] = {
	{ "state", { .type = FABRIC_STATE, .seq = 1, .state.incarnation = 2000 },
	  "state 9 2000" },
	{ "port", { .type = FABRIC_PORT, .seq = 1, .port.closed = true }, "link 9 down" },
	{ "invalidate", { .type = FABRIC_INVALIDATE, .seq = 1, .invalidate = { 5, 2 } },
	  "invalidate 9 5 2" },
};

static const FabricMessage second = {
	.type = FABRIC_INVALIDATE, .seq = 2, .invalidate = { 77, 1 },
};

/* The next acknowledgement, whatever else comes before it. */
static uint32_t next_ack(int fd)
{
	FabricMessage msg;

	do {
		wait_until(raw_receive(fd, &msg));
	} while (msg.type != FABRIC_ACK);
	return msg.seq;
}

static bool acknowledged(int fd)
{
	FabricMessage msg;

	while (raw_receive(fd, &msg)) {
		if (msg.type == FABRIC_ACK)
			return true;
	}
	return false;
}

static void is_not_acknowledged_before_it_is_done(gconstpointer data)
{
	const struct request *request = data;
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1), *b = node_start(dir, 2);
	int fd = raw_join(dir, 1, 9);

	wait_until(saw(a->log, "present 9") && fabric_peer(a->fabric, 2));
	a->stuck = true;
	raw_send_message(fd, &request->msg);
	raw_send_message(fd, &second);
	wait_until(saw(a->log, request->event) >= 3);
	g_assert_false(acknowledged(fd));
	g_assert_cmpuint(saw(a->log, "invalidate 9 77"), ==, 0);
	/* Another peer is served. */
	a->stuck = false;
	fabric_invalidate(b->fabric, 3, 1);
	wait_until(saw(a->log, "invalidate 2 3 1") && saw(b->log, "settled"));
	g_assert_cmpuint(next_ack(fd), ==, 1);
	g_assert_cmpuint(next_ack(fd), ==, 2);
	g_assert_cmpuint(saw(a->log, "invalidate 9 77"), ==, 1);
	close(fd);
	node_stop(a);
	node_stop(b);
	test_dir_remove(dir);
}

/* While nothing of it is read, its end is seen. */
static void death_is_seen_while_a_request_is_stuck(void)
{
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1);
	int fd = raw_join(dir, 1, 9);

	wait_until(saw(a->log, "present 9"));
	a->stuck = true;
	raw_send_message(fd, &requests[0].msg);
	wait_until(saw(a->log, "state 9 2000"));
	close(fd);
	wait_until(saw(a->log, "gone 9"));
	a->stuck = false;
	node_stop(a);
	test_dir_remove(dir);
}

/* What is told of this node does not wait for what is asked of it. */
static void own_changes_are_told_while_a_request_is_stuck(void)
{
	FabricMessage msg;
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1);
	int fd = raw_join(dir, 1, 9);

	wait_until(saw(a->log, "present 9"));
	a->stuck = true;
	raw_send_message(fd, &requests[2].msg);
	wait_until(saw(a->log, "invalidate 9 5 2") >= 2);
	fabric_enable(a->fabric);
	do {
		wait_until(raw_receive(fd, &msg));
	} while (msg.type != FABRIC_STATE);
	a->stuck = false;
	g_assert_cmpuint(next_ack(fd), ==, 1);
	close(fd);
	node_stop(a);
	test_dir_remove(dir);
}

static void peer_stays_until_it_is_unmapped(void)
{
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1);
	int fd = raw_join(dir, 1, 9), again;
	const FabricPeer *peer;

	wait_until(saw(a->log, "present 9"));
	peer = fabric_peer(a->fabric, 9);
	a->stuck = true;
	close(fd);
	wait_until(saw(a->log, "gone 9") >= 3);
	g_assert_null(fabric_peer(a->fabric, 9));
	/* Its memory is there still. */
	g_assert_cmpuint(peer->page->magic, ==, FABRIC_PAGE_MAGIC);
	g_assert_cmpuint(*(uint8_t *)fabric_ram_host(peer, 0, 1), ==, 0);
	/* Its successor has to wait. */
	again = raw_join_start(dir, 1, 9, 1001);
	wait_until(saw(a->log, "gone 9") >= 6);
	g_assert_cmpuint(saw(a->log, "present 9"), ==, 1);
	g_assert_false(raw_ended(again));
	a->stuck = false;
	wait_until(saw(a->log, "present 9") == 2);
	g_assert_cmpuint(saw(a->log, "report"), ==, 0);
	close(again);
	node_stop(a);
	test_dir_remove(dir);
}

/* That its connection ends would tell it that it is unmapped. */
static void dropped_peer_is_not_let_go_before_it_is_unmapped(void)
{
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1);
	int fd = raw_join(dir, 1, 9);

	wait_until(saw(a->log, "present 9"));
	a->stuck = true;
	raw_send_request(fd, FABRIC_ACK, 7);
	wait_until(saw(a->log, "gone 9") >= 3);
	g_assert_false(raw_ended(fd));
	g_assert_cmpuint(saw(a->log, "report"), ==, 1);
	a->stuck = false;
	wait_until(raw_ended(fd));
	close(fd);
	node_stop(a);
	test_dir_remove(dir);
}

/* We dialled it and it has answered, but its predecessor is not unmapped. */
static void successor_that_was_dialled_waits(void)
{
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1);
	int fd = raw_join(dir, 1, 9), next = -1;
	int listener = raw_listen(dir, "9.sock", SOCK_SEQPACKET);
	struct raw_hello hello;

	wait_until(saw(a->log, "present 9"));
	close(fd);
	wait_until((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0);
	/* Another process is quicker than the answer to our dial ... */
	next = raw_join(dir, 1, 9);
	wait_until(saw(a->log, "present 9") == 2);
	a->stuck = true;
	/* ... and is older than who answers. */
	raw_hello_init(&hello, 9);
	hello.wire.start = GUINT32_TO_LE(1001);
	raw_send_hello(fd, &hello);
	raw_hello_fini(&hello);
	wait_until(saw(a->log, "gone 9") >= 4);
	g_assert_cmpuint(saw(a->log, "present 9"), ==, 2);
	/* It regards us as its peer, so it is waited for. */
	fabric_invalidate(a->fabric, 0, 1);
	g_assert_true(fabric_busy(a->fabric));
	a->stuck = false;
	wait_until(saw(a->log, "present 9") == 3);
	g_assert_true(fabric_busy(a->fabric));
	raw_send_request(fd, FABRIC_ACK, 1);
	wait_until(saw(a->log, "settled"));
	close(fd);
	close(next);
	close(listener);
	node_stop(a);
	test_dir_remove(dir);
}

#define ADD(test) g_test_add_func("/refusal/" #test, test)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(requests); i++) {
		char *path = g_strdup_printf("/refusal/%s_is_not_acknowledged_before_it_is_done",
					     requests[i].name);

		g_test_add_data_func(path, &requests[i], is_not_acknowledged_before_it_is_done);
		g_free(path);
	}
	ADD(death_is_seen_while_a_request_is_stuck);
	ADD(own_changes_are_told_while_a_request_is_stuck);
	ADD(peer_stays_until_it_is_unmapped);
	ADD(dropped_peer_is_not_let_go_before_it_is_unmapped);
	ADD(successor_that_was_dialled_waits);
	return g_test_run();
}
