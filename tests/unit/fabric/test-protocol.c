// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Nodes that said a correct HELLO and then break the rules, connections that
 * say nothing, sockets that are not those of nodes.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "node.h"
#include "raw.h"

struct rule {
	const char *name;
	void (*breach)(int fd);
	const char *report;
};

static bool reported(const struct node *node, const char *what)
{
	return saw(node->log, "report") && strstr(node->log->str, what);
}

static void send_state(int fd, uint32_t seq, uint32_t incarnation)
{
	FabricMessage msg = {
		.type = FABRIC_STATE, .seq = seq, .state.incarnation = incarnation,
	};

	raw_send_message(fd, &msg);
}

static void send_invalidate(int fd, uint64_t first, uint64_t count)
{
	FabricMessage msg = {
		.type = FABRIC_INVALIDATE, .seq = 1, .invalidate = { first, count },
	};

	raw_send_message(fd, &msg);
}

static void send_bytes(int fd, unsigned int type, size_t size, size_t at, uint8_t value)
{
	FabricMessage msg = { .type = type, .seq = 1 };
	uint8_t data[FABRIC_WIRE_MAX + 1] = { 0 };

	if (type == FABRIC_INVALIDATE)
		msg.invalidate.count = 1;
	if (type == FABRIC_STATE)
		msg.state.incarnation = 2000;
	fabric_wire_encode(&msg, data);
	data[at] = value;
	raw_send(fd, data, size, NULL, 0);
}

static void second_hello(int fd)
{
	struct raw_hello hello;

	raw_hello_init(&hello, 9);
	raw_send_hello(fd, &hello);
	raw_hello_fini(&hello);
}

static void descriptor_with_state(int fd)
{
	FabricMessage msg = { .type = FABRIC_STATE, .seq = 1, .state.incarnation = 2000 };
	uint8_t data[FABRIC_WIRE_MAX];
	int line = test_line_new();

	raw_send(fd, data, fabric_wire_encode(&msg, data), &line, 1);
	close(line);
}

static void request_2_first(int fd)
{
	send_state(fd, 2, 2000);
}

static void request_1_twice(int fd)
{
	send_state(fd, 1, 2000);
	send_state(fd, 1, 2001);
}

static void incarnation_of_start(int fd)
{
	send_state(fd, 1, 1000);
}

static void incarnation_twice(int fd)
{
	send_state(fd, 1, 2000);
	send_state(fd, 2, 2000);
}

static void disabled_twice(int fd)
{
	send_state(fd, 1, 0);
}

static void invalidate_nothing(int fd)
{
	send_invalidate(fd, 5, 0);
}

static void invalidate_beyond(int fd)
{
	send_invalidate(fd, 1, FABRIC_SCI_PAGES);
}

static void invalidate_wraps(int fd)
{
	send_invalidate(fd, UINT64_MAX, 2);
}

static void unasked_ack(int fd)
{
	raw_send_request(fd, FABRIC_ACK, 1);
}

static void state_reserved(int fd)
{
	send_bytes(fd, FABRIC_STATE, sizeof(FabricWireState), 20, 1);
}

static void state_long(int fd)
{
	send_bytes(fd, FABRIC_STATE, sizeof(FabricWireState) + 1, 24, 0);
}

static void invalidate_short(int fd)
{
	send_bytes(fd, FABRIC_INVALIDATE, sizeof(FabricWireInvalidate) - 1, 0, 'S');
}

static void send_port(int fd, uint32_t seq, bool closed)
{
	FabricMessage msg = { .type = FABRIC_PORT, .seq = seq, .port.closed = closed };

	raw_send_message(fd, &msg);
}

static void port_open_twice(int fd)
{
	send_port(fd, 1, false);
}

static void port_closed_twice(int fd)
{
	send_port(fd, 1, true);
	send_port(fd, 2, true);
}

static void port_half_open(int fd)
{
	send_bytes(fd, FABRIC_PORT, sizeof(FabricWirePort), 16, 2);
}

static void port_reserved(int fd)
{
	send_bytes(fd, FABRIC_PORT, sizeof(FabricWirePort), 20, 1);
}

static void port_out_of_sequence(int fd)
{
	send_port(fd, 2, true);
}

static void garbage(int fd)
{
	raw_send(fd, "GET / HTTP/1.1\r\n\r\n", 18, NULL, 0);
}

static const struct rule rules[] = {
	{ "second_hello", second_hello, "a message of type 1 after HELLO" },
	{ "descriptor_with_state", descriptor_with_state,
	  "message of type 2 with 1 descriptors instead of 0" },
	{ "request_2_first", request_2_first, "request 2 instead of 1" },
	{ "request_1_twice", request_1_twice, "request 1 instead of 2" },
	{ "incarnation_of_start", incarnation_of_start, "incarnation 1000 after 1000" },
	{ "incarnation_twice", incarnation_twice, "incarnation 2000 after 2000" },
	{ "disabled_twice", disabled_twice, "incarnation 0 after 1000" },
	{ "invalidate_nothing", invalidate_nothing, "INVALIDATE of no pages" },
	{ "invalidate_beyond", invalidate_beyond, "INVALIDATE of no pages or of pages beyond" },
	{ "invalidate_wraps", invalidate_wraps, "INVALIDATE of no pages or of pages beyond" },
	{ "unasked_ack", unasked_ack, "ACK of 1, nothing was asked" },
	{ "state_reserved", state_reserved, "reserved field of STATE" },
	{ "state_long", state_long, "message of type 2 has 25 bytes" },
	{ "invalidate_short", invalidate_short, "message of type 3 has 31 bytes" },
	{ "port_open_twice", port_open_twice, "PORT says open twice" },
	{ "port_closed_twice", port_closed_twice, "PORT says closed twice" },
	{ "port_half_open", port_half_open, "PORT in state 2" },
	{ "port_reserved", port_reserved, "its reserved field is not 0" },
	{ "port_out_of_sequence", port_out_of_sequence, "request 2 instead of 1" },
	{ "garbage", garbage, "a packet of 18 bytes that is not of this protocol" },
};

static void breach_drops_the_peer_alone(gconstpointer data)
{
	const struct rule *rule = data;
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1), *b = node_start(dir, 2);
	unsigned int fds;
	int fd;

	wait_until(fabric_peer(a->fabric, 2) && fabric_peer(b->fabric, 1));
	fds = count_fds();
	fd = raw_join(dir, 1, 9);
	wait_until(saw(a->log, "present 9 0"));
	rule->breach(fd);
	wait_until(saw(a->log, "report"));
	g_test_message("%s", a->log->str);
	g_assert_true(reported(a, rule->report));
	g_assert_true(reported(a, "node 9 (process"));
	g_assert_cmpuint(saw(a->log, "gone 9"), ==, 1);
	g_assert_true(raw_ended(fd));
	close(fd);
	run_idle();
	wait_until(count_fds() == fds);
	g_assert_cmpuint(saw(a->log, "report"), ==, 1);
	g_assert_nonnull(fabric_peer(a->fabric, 2));
	g_assert_cmpstr(b->log->str, ==, "present 1 0\n");
	node_stop(a);
	node_stop(b);
	test_dir_remove(dir);
}

static void acks_out_of_order_are_dropped(void)
{
	static const struct {
		uint32_t acks[3];
		const char *report;
	} cases[] = {
		{ { 2 }, "ACK of 2 instead of 1" },
		{ { 0 }, "ACK of 0 instead of 1" },
		{ { 1, 1 }, "ACK of 1 instead of 2" },
		{ { 1, 2, 3 }, "ACK of 3, nothing was asked" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		char *dir = test_dir_new();
		struct node *a = node_start(dir, 1);
		int fd = raw_join(dir, 1, 9);

		wait_until(saw(a->log, "present 9"));
		fabric_invalidate(a->fabric, 0, 1);
		fabric_invalidate(a->fabric, 1, 1);
		for (size_t j = 0; j < G_N_ELEMENTS(cases[i].acks) &&
		     (j == 0 || cases[i].acks[j]); j++)
			raw_send_request(fd, FABRIC_ACK, cases[i].acks[j]);
		wait_until(reported(a, cases[i].report));
		close(fd);
		node_stop(a);
		test_dir_remove(dir);
	}
}

/* Sends until the socket is full; the answers stay unread. */
static bool flood(int fd, uint32_t *seq)
{
	FabricMessage msg = { .type = FABRIC_INVALIDATE, .invalidate = { 0, 1 } };
	uint8_t data[FABRIC_WIRE_MAX];

	for (;;) {
		size_t size;

		msg.seq = *seq + 1;
		size = fabric_wire_encode(&msg, data);
		if (send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			return errno == EAGAIN;
		++*seq;
	}
}

/* We stop to read from who does not read; the others do not notice. */
static void flood_of_requests_is_not_read(void)
{
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1), *b = node_start(dir, 2);
	uint32_t seq = 0, last;
	FabricMessage msg;
	int fd = raw_join(dir, 1, 9);

	wait_until(saw(a->log, "present 9") && fabric_peer(b->fabric, 1));
	g_assert_true(raw_receive(fd, &msg) && msg.type == FABRIC_HELLO);
	do {
		last = seq;
		g_assert_true(flood(fd, &seq));
		run_idle();
	} while (seq != last);
	fabric_enable(b->fabric);
	wait_until(saw(a->log, "state 2"));
	/* It reads: all of it is dealt with, and is acknowledged in its order. */
	for (uint32_t ack = 1; ack <= seq; ack++) {
		wait_until(raw_receive(fd, &msg));
		g_assert_cmpuint(msg.type, ==, FABRIC_ACK);
		g_assert_cmpuint(msg.seq, ==, ack);
	}
	g_assert_cmpuint(saw(a->log, "invalidate 9"), ==, seq);
	g_assert_cmpuint(saw(a->log, "report"), ==, 0);
	close(fd);
	node_stop(a);
	node_stop(b);
	test_dir_remove(dir);
}

/* It has one request to read, and is told the rest when it has read that. */
static void a_peer_that_never_reads_stays_a_peer(void)
{
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1);
	FabricMessage msg;
	uint32_t incarnation = 0;
	int fd = raw_join(dir, 1, 9);

	wait_until(saw(a->log, "present 9"));
	for (unsigned int i = 0; i < 10000; i++) {
		incarnation = fabric_enable(a->fabric);
		fabric_invalidate(a->fabric, i, 1);
		fabric_set_port(a->fabric, 9, false);
		fabric_set_port(a->fabric, 9, true);
		if (i != 9999)
			fabric_disable(a->fabric);
		if (i % 100 == 0)
			run_idle();
	}
	run_idle();
	g_assert_true(fabric_busy(a->fabric));
	g_assert_true(raw_receive(fd, &msg) && msg.type == FABRIC_HELLO);
	for (uint32_t seq = 1; fabric_busy(a->fabric); seq++) {
		wait_until(raw_receive(fd, &msg));
		g_assert_cmpuint(msg.seq, ==, seq);
		g_assert_cmpuint(seq, <, 8);
		g_assert_false(raw_receive(fd, &msg));
		if (msg.type == FABRIC_STATE && seq > 1)
			g_assert_cmpuint(msg.state.incarnation, ==, incarnation);
		raw_send_request(fd, FABRIC_ACK, seq);
		run_idle();
	}
	g_assert_nonnull(fabric_peer(a->fabric, 9));
	g_assert_cmpuint(saw(a->log, "report"), ==, 0);
	g_assert_cmpuint(saw(a->log, "settled"), ==, 1);
	close(fd);
	node_stop(a);
	test_dir_remove(dir);
}

/* More silent connections than are accepted at once: a node gets in nevertheless. */
static void silent_connections_expire(void)
{
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1), *b;
	unsigned int before = count_fds(), most = 0;
	int fds[60];

	for (size_t i = 0; i < G_N_ELEMENTS(fds); i++)
		fds[i] = raw_dial(dir, 1);
	b = node_start(dir, 2);
	while (!fabric_peer(a->fabric, 2)) {
		g_main_context_iteration(NULL, TRUE);
		most = MAX(most, count_fds());
	}
	/* 32 strangers, and what node 2 has. */
	g_assert_cmpuint(most, <=, before + G_N_ELEMENTS(fds) + 32 + 32);
	wait_until(reported(a, "no HELLO within 5 seconds"));
	wait_until(fabric_peer(b->fabric, 1));
	for (size_t i = 0; i < G_N_ELEMENTS(fds); i++)
		close(fds[i]);
	run_idle();
	node_stop(b);
	wait_until(saw(a->log, "gone 2"));
	wait_until(count_fds() == before);
	node_stop(a);
	test_dir_remove(dir);
}

static void foreign_sockets_are_no_nodes(void)
{
	static const struct {
		const char *name;
		int type;
	} others[] = {
		{ "3.sock", SOCK_STREAM }, { "4.sock", SOCK_DGRAM }, { "07.sock", SOCK_SEQPACKET },
		{ "300.sock", SOCK_SEQPACKET }, { "0.sock", SOCK_SEQPACKET },
		{ "8.sock.old", SOCK_SEQPACKET }, { ".sock", SOCK_SEQPACKET },
		{ "+8.sock", SOCK_SEQPACKET }, { "4294967297.sock", SOCK_SEQPACKET },
	};
	int fds[G_N_ELEMENTS(others)], garbage_fd, listener;
	char *dir = test_dir_new();
	struct node *a;

	for (size_t i = 0; i < G_N_ELEMENTS(others); i++) {
		if (others[i].type == SOCK_DGRAM) {
			char *path = g_build_filename(dir, others[i].name, NULL);

			g_assert_true(g_file_set_contents(path, "no socket", -1, NULL));
			g_free(path);
			fds[i] = -1;
		} else {
			fds[i] = raw_listen(dir, others[i].name, others[i].type);
		}
	}
	listener = raw_listen(dir, "9.sock", SOCK_SEQPACKET);
	a = node_start(dir, 1);
	garbage_fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	garbage(garbage_fd);
	wait_until(reported(a, "node 9 (process"));
	g_assert_true(reported(a, "cannot reach node 3"));
	g_assert_cmpuint(saw(a->log, "report"), ==, 2);
	/* It is none of ours, so nothing waits for it. */
	fabric_invalidate(a->fabric, 0, 1);
	g_assert_false(fabric_busy(a->fabric));
	for (size_t i = 0; i < G_N_ELEMENTS(others); i++) {
		g_assert_true(fds[i] < 0 || accept(fds[i], NULL, NULL) < 0);
		if (fds[i] >= 0)
			close(fds[i]);
	}
	close(garbage_fd);
	close(listener);
	node_stop(a);
	test_dir_remove(dir);
}

/* Node 9 has dialled something silent at 2.sock when the real node 2 dials node 9. */
static void silent_foreign_socket_does_not_keep_its_node_out(void)
{
	char *dir = test_dir_new();
	int listener = raw_listen(dir, "2.sock", SOCK_SEQPACKET);
	struct node *a = node_start(dir, 9);
	struct child *b = child_start(dir, 2);

	wait_until(saw(a->log, "present 2"));
	wait_until(saw(b->log, "present 9"));
	child_stop(b);
	close(listener);
	node_stop(a);
	test_dir_remove(dir);
}

int main(int argc, char **argv)
{
	child_main(argc, argv);
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(rules); i++) {
		char *path = g_strdup_printf("/protocol/breach/%s_drops_the_peer_alone",
					     rules[i].name);

		g_test_add_data_func(path, &rules[i], breach_drops_the_peer_alone);
		g_free(path);
	}
	g_test_add_func("/protocol/acks_out_of_order_are_dropped", acks_out_of_order_are_dropped);
	g_test_add_func("/protocol/flood_of_requests_is_not_read", flood_of_requests_is_not_read);
	g_test_add_func("/protocol/a_peer_that_never_reads_stays_a_peer",
			a_peer_that_never_reads_stays_a_peer);
	g_test_add_func("/protocol/silent_connections_expire", silent_connections_expire);
	g_test_add_func("/protocol/foreign_sockets_are_no_nodes", foreign_sockets_are_no_nodes);
	g_test_add_func("/protocol/silent_foreign_socket_does_not_keep_its_node_out",
			silent_foreign_socket_does_not_keep_its_node_out);
	return g_test_run();
}
