// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rights to ring: who has one, for how long, and that nobody who rings waits.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "node.h"
#include "raw.h"

static uint64_t line_value(int fd)
{
	uint64_t value = 0;

	return read(fd, &value, sizeof(value)) == sizeof(value) ? value : 0;
}

static bool is_up(const struct node *node, unsigned int peer)
{
	const FabricPeer *p = fabric_peer(node->fabric, peer);

	return p && p->linked && p->incarnation;
}

static void start_pair(const char *dir, struct node **a, struct node **b)
{
	*a = node_start(dir, 1);
	*b = node_start(dir, 2);
	fabric_enable((*a)->fabric);
	fabric_enable((*b)->fabric);
	wait_until(is_up(*a, 2) && is_up(*b, 1));
}

static void stop_pair(char *dir, struct node *a, struct node *b)
{
	g_assert_cmpuint(saw(a->log, "report"), ==, 0);
	g_assert_cmpuint(saw(b->log, "report"), ==, 0);
	node_stop(a);
	node_stop(b);
	test_dir_remove(dir);
}

/* A lets B ring its line 1. */
static void give_right(struct node *a, struct node *b)
{
	unsigned int before = saw(b->log, "lines 1 010");

	g_assert_true(fabric_set_line(a->fabric, 2, 1, a->lines[1]));
	wait_until(saw(b->log, "lines 1 010") == before + 1);
}

static void a_right_lets_a_peer_ring(void)
{
	char *dir = test_dir_new();
	struct node *a, *b;

	start_pair(dir, &a, &b);
	g_assert_false(fabric_ring(b->fabric, 1, 1));
	give_right(a, b);
	g_assert_true(fabric_ring(b->fabric, 1, 1));
	g_assert_true(fabric_ring(b->fabric, 1, 1));
	g_assert_cmpuint(line_value(a->lines[1]), ==, 2);
	g_assert_false(fabric_ring(b->fabric, 1, 0));
	g_assert_false(fabric_ring(b->fabric, 1, 2));
	g_assert_false(fabric_ring(b->fabric, 1, NODE_LINES));
	g_assert_false(fabric_ring(a->fabric, 2, 1));
	g_assert_false(fabric_ring(b->fabric, 0, 1));
	g_assert_false(fabric_ring(b->fabric, 3, 1));
	g_assert_false(fabric_ring(b->fabric, 256, 1));
	stop_pair(dir, a, b);
}

static void the_own_node_rings_as_others_do(void)
{
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1);

	g_assert_false(fabric_set_line(a->fabric, 1, 2, a->lines[2]));
	fabric_enable(a->fabric);
	g_assert_false(fabric_ring(a->fabric, 1, 2));
	g_assert_true(fabric_set_line(a->fabric, 1, 2, a->lines[2]));
	g_assert_true(fabric_ring(a->fabric, 1, 2));
	g_assert_cmpuint(line_value(a->lines[2]), ==, 1);
	g_assert_true(fabric_set_line(a->fabric, 1, 2, -1));
	g_assert_false(fabric_ring(a->fabric, 1, 2));
	g_assert_true(fabric_set_line(a->fabric, 1, 2, a->lines[2]));
	fabric_enable(a->fabric);
	g_assert_false(fabric_ring(a->fabric, 1, 2));
	run_idle();
	g_assert_cmpuint(a->log->len, ==, 0);
	node_stop(a);
	test_dir_remove(dir);
}

static void a_right_needs_both_adapters_and_the_link(void)
{
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1), *b;

	fabric_enable(a->fabric);
	g_assert_false(fabric_set_line(a->fabric, 2, 1, a->lines[1]));
	b = node_start(dir, 2);
	wait_until(fabric_peer(a->fabric, 2) && fabric_peer(b->fabric, 1));
	g_assert_false(fabric_set_line(a->fabric, 2, 1, a->lines[1]));
	fabric_enable(b->fabric);
	wait_until(is_up(a, 2) && is_up(b, 1));
	g_assert_false(fabric_set_line(a->fabric, 2, NODE_LINES, a->lines[1]));
	g_assert_false(fabric_set_line(a->fabric, 0, 1, a->lines[1]));
	g_assert_false(fabric_set_line(a->fabric, 256, 1, a->lines[1]));
	g_assert_false(fabric_set_line(a->fabric, 2, 1, 1 << 20));
	fabric_disable(a->fabric);
	g_assert_false(fabric_set_line(a->fabric, 2, 1, a->lines[1]));
	fabric_enable(a->fabric);
	fabric_set_port(a->fabric, 2, false);
	g_assert_false(fabric_set_line(a->fabric, 2, 1, a->lines[1]));
	fabric_set_port(a->fabric, 2, true);
	wait_until(is_up(a, 2) && is_up(b, 1));
	g_assert_true(fabric_set_line(a->fabric, 2, 1, a->lines[1]));
	stop_pair(dir, a, b);
}

static void a_right_is_taken_back(void)
{
	char *dir = test_dir_new();
	struct node *a, *b;

	start_pair(dir, &a, &b);
	give_right(a, b);
	g_assert_true(fabric_set_line(a->fabric, 2, 1, -1));
	wait_until(saw(b->log, "lines 1 000"));
	g_assert_false(fabric_ring(b->fabric, 1, 1));
	/* What was never given is not news. */
	g_assert_true(fabric_set_line(a->fabric, 2, 0, -1));
	run_idle();
	g_assert_cmpuint(saw(b->log, "lines"), ==, 2);
	stop_pair(dir, a, b);
}

static void a_right_is_replaced(void)
{
	char *dir = test_dir_new();
	struct node *a, *b;
	unsigned int fds;

	start_pair(dir, &a, &b);
	give_right(a, b);
	fds = count_fds();
	g_assert_true(fabric_set_line(a->fabric, 2, 1, a->lines[2]));
	wait_until(saw(b->log, "lines 1 010") == 2);
	g_assert_true(fabric_ring(b->fabric, 1, 1));
	g_assert_cmpuint(line_value(a->lines[1]), ==, 0);
	g_assert_cmpuint(line_value(a->lines[2]), ==, 1);
	g_assert_cmpuint(count_fds(), ==, fds);
	stop_pair(dir, a, b);
}

static void one_descriptor_of_a_right_stays(void)
{
	char *dir = test_dir_new();
	struct node *a, *b;
	unsigned int fds;

	start_pair(dir, &a, &b);
	fds = count_fds();
	for (unsigned int line = 0; line < NODE_LINES; line++)
		g_assert_true(fabric_set_line(a->fabric, 2, line, a->lines[line]));
	wait_until(saw(b->log, "lines 1 111"));
	run_idle();
	/* That of the one who may ring. */
	g_assert_cmpuint(count_fds(), ==, fds + NODE_LINES);
	for (unsigned int line = 0; line < NODE_LINES; line++)
		g_assert_true(fabric_set_line(a->fabric, 2, line, -1));
	wait_until(saw(b->log, "lines 1 000"));
	run_idle();
	g_assert_cmpuint(count_fds(), ==, fds);
	stop_pair(dir, a, b);
}

struct end {
	const char *name;
	/* What ends the time of the right, and what begins the next one. */
	void (*end)(struct node *a, struct node *b);
};

static void giver_enables_anew(struct node *a, struct node *b)
{
	fabric_enable(a->fabric);
}

static void ringer_enables_anew(struct node *a, struct node *b)
{
	fabric_enable(b->fabric);
}

static void giver_is_disabled(struct node *a, struct node *b)
{
	fabric_disable(a->fabric);
	run_idle();
	g_assert_false(fabric_ring(b->fabric, 1, 1));
	fabric_enable(a->fabric);
}

static void ringer_is_disabled(struct node *a, struct node *b)
{
	fabric_disable(b->fabric);
	g_assert_false(fabric_ring(b->fabric, 1, 1));
	run_idle();
	fabric_enable(b->fabric);
}

static void giver_closes_its_port(struct node *a, struct node *b)
{
	fabric_set_port(a->fabric, 2, false);
	run_idle();
	g_assert_false(fabric_ring(b->fabric, 1, 1));
	fabric_set_port(a->fabric, 2, true);
}

static void ringer_closes_its_port(struct node *a, struct node *b)
{
	fabric_set_port(b->fabric, 1, false);
	g_assert_false(fabric_ring(b->fabric, 1, 1));
	run_idle();
	fabric_set_port(b->fabric, 1, true);
}

/* While another request is on its way, so that both could be taken for nothing. */
static void port_of_giver_flaps(struct node *a, struct node *b)
{
	fabric_invalidate(a->fabric, 0, 1);
	fabric_set_port(a->fabric, 2, false);
	fabric_set_port(a->fabric, 2, true);
}

static void port_of_ringer_flaps(struct node *a, struct node *b)
{
	fabric_invalidate(b->fabric, 0, 1);
	fabric_set_port(b->fabric, 1, false);
	fabric_set_port(b->fabric, 1, true);
}

static const struct end ends[] = {
	{ "giver_enables_anew", giver_enables_anew },
	{ "ringer_enables_anew", ringer_enables_anew },
	{ "giver_is_disabled", giver_is_disabled },
	{ "ringer_is_disabled", ringer_is_disabled },
	{ "giver_closes_its_port", giver_closes_its_port },
	{ "ringer_closes_its_port", ringer_closes_its_port },
	{ "port_of_giver_flaps", port_of_giver_flaps },
	{ "port_of_ringer_flaps", port_of_ringer_flaps },
};

/* No message says so: what is forgotten is known at both ends. */
static void both_ends_forget(gconstpointer data)
{
	const struct end *end = data;
	char *dir = test_dir_new();
	struct node *a, *b;
	unsigned int fds;

	start_pair(dir, &a, &b);
	fds = count_fds();
	give_right(a, b);
	end->end(a, b);
	run_idle();
	wait_until(is_up(a, 2) && is_up(b, 1));
	run_idle();
	g_assert_false(fabric_ring(b->fabric, 1, 1));
	g_assert_cmpuint(count_fds(), ==, fds);
	g_assert_cmpuint(saw(b->log, "lines"), ==, 1);
	/* It can be given anew; that it is taken is not news before. */
	g_assert_true(fabric_set_line(a->fabric, 2, 1, -1));
	run_idle();
	g_assert_cmpuint(saw(b->log, "lines"), ==, 1);
	give_right(a, b);
	g_assert_true(fabric_ring(b->fabric, 1, 1));
	stop_pair(dir, a, b);
}

/* A raw node that is enabled, at a node whose incarnation is returned. */
static int raw_join_enabled(const char *dir, struct node *a, uint32_t *incarnation)
{
	FabricMessage state = { .type = FABRIC_STATE, .seq = 1, .state.incarnation = 2000 };
	int fd;

	*incarnation = fabric_enable(a->fabric);
	fd = raw_join(dir, 1, 9);
	raw_send_message(fd, &state);
	wait_until(is_up(a, 9));
	return fd;
}

static void a_right_for_another_incarnation_is_no_right(void)
{
	FabricMessage msg = { .type = FABRIC_LINE, .seq = 2, .line = { 1, true, 0 } };
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1);
	int line = test_line_new(), fd;
	unsigned int fds;

	fd = raw_join_enabled(dir, a, &msg.line.incarnation);
	fds = count_fds();
	msg.line.incarnation++;
	raw_send_line(fd, &msg, line);
	msg.seq++;
	msg.line.incarnation--;
	fabric_enable(a->fabric);
	raw_send_line(fd, &msg, line);
	msg.seq++;
	msg.line.incarnation = fabric_peer(a->fabric, 1)->incarnation;
	fabric_set_port(a->fabric, 9, false);
	raw_send_line(fd, &msg, line);
	/* HELLO, ACK of STATE, STATE, then ACKs of the three. */
	for (uint32_t acked = 0; acked != 4;) {
		FabricMessage answer;

		wait_until(raw_receive(fd, &answer));
		if (answer.type == FABRIC_ACK)
			acked = answer.seq;
	}
	g_assert_false(fabric_ring(a->fabric, 9, 1));
	g_assert_cmpuint(saw(a->log, "lines"), ==, 0);
	g_assert_cmpuint(saw(a->log, "report"), ==, 0);
	g_assert_cmpuint(count_fds(), ==, fds);
	close(fd);
	close(line);
	node_stop(a);
	test_dir_remove(dir);
}

static int pipe_end(void)
{
	int fds[2];

	g_assert_cmpint(pipe2(fds, O_CLOEXEC | O_NONBLOCK), ==, 0);
	close(fds[0]);
	return fds[1];
}

static int small_ram(void)
{
	return test_ram_new(4096);
}

static int no_descriptor(void)
{
	return -1;
}

struct bad_line {
	const char *name;
	unsigned int line;
	int (*open)(void);
	const char *report;
};

static const struct bad_line bad_lines[] = {
	{ "a_pipe", 1, pipe_end, "doorbell line 1 is not an eventfd" },
	{ "a_memfd", 0, small_ram, "doorbell line 0 is not an eventfd" },
	{ "a_line_that_it_has_not", 2, test_line_new, "LINE 2 of 2" },
	{ "a_line_beyond_all", 128, test_line_new, "LINE of line 128" },
	{ "no_descriptor", 1, no_descriptor, "with 0 descriptors instead of 1" },
};

static void a_bad_right_drops_the_peer(gconstpointer data)
{
	const struct bad_line *bad = data;
	FabricMessage msg = { .type = FABRIC_LINE, .seq = 2, .line = { bad->line, true, 0 } };
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1);
	unsigned int fds = count_fds();
	int line, fd;

	fd = raw_join_enabled(dir, a, &msg.line.incarnation);
	line = bad->open();
	raw_send_line(fd, &msg, line);
	wait_until(saw(a->log, "report"));
	g_assert_nonnull(strstr(a->log->str, bad->report));
	if (line >= 0)
		close(line);
	close(fd);
	wait_until(count_fds() == fds);
	node_stop(a);
	test_dir_remove(dir);
}

/* Its owner has made a trap of it: who rings would wait for him in write(). */
static void a_full_line_that_blocks_stops_nobody(void)
{
	char *dir = test_dir_new();
	struct node *a, *b;
	uint64_t full = UINT64_MAX - 1;

	start_pair(dir, &a, &b);
	give_right(a, b);
	g_assert_cmpint(write(a->lines[1], &full, sizeof(full)), ==, sizeof(full));
	g_assert_true(fabric_ring(b->fabric, 1, 1));
	g_assert_cmpint(fcntl(a->lines[1], F_SETFL, 0), ==, 0);
	g_assert_true(fabric_ring(b->fabric, 1, 1));
	g_assert_cmpuint(line_value(a->lines[1]), ==, full);
	stop_pair(dir, a, b);
}

static void rights_of_a_peer_that_never_reads_do_not_pile_up(void)
{
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1);
	uint32_t incarnation;
	int fd = raw_join_enabled(dir, a, &incarnation);
	unsigned int fds = count_fds();

	for (unsigned int i = 0; i < 10000; i++) {
		g_assert_true(fabric_set_line(a->fabric, 9, i % 3, a->lines[i % 3]));
		g_assert_true(fabric_set_line(a->fabric, 9, i % 3, i % 2 ? -1 : a->lines[0]));
	}
	run_idle();
	g_assert_cmpuint(count_fds(), <=, fds + NODE_LINES);
	g_assert_nonnull(fabric_peer(a->fabric, 9));
	g_assert_cmpuint(saw(a->log, "report"), ==, 0);
	close(fd);
	node_stop(a);
	test_dir_remove(dir);
}

/* The message stays in the socket until there is room for its descriptor. */
static void a_right_waits_for_a_free_descriptor(void)
{
	FabricMessage msg = { .type = FABRIC_LINE, .seq = 2, .line = { 1, true, 0 } };
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1);
	int line = test_line_new(), fd, next;
	struct rlimit was, now;

	fd = raw_join_enabled(dir, a, &msg.line.incarnation);
	raw_send_line(fd, &msg, line);
	next = fcntl(0, F_DUPFD_CLOEXEC, 0);
	close(next);
	g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &was), ==, 0);
	now = was;
	now.rlim_cur = next;
	g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &now), ==, 0);
	wait_until(saw(a->log, "report"));
	g_assert_nonnull(strstr(a->log->str, "ulimit -n"));
	g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &was), ==, 0);
	wait_until(saw(a->log, "lines 9 01"));
	g_assert_cmpuint(saw(a->log, "report"), ==, 1);
	g_assert_true(fabric_ring(a->fabric, 9, 1));
	g_assert_cmpuint(line_value(line), ==, 1);
	close(fd);
	close(line);
	node_stop(a);
	test_dir_remove(dir);
}

#define ADD(test) g_test_add_func("/lines/" #test, test)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD(a_right_lets_a_peer_ring);
	ADD(the_own_node_rings_as_others_do);
	ADD(a_right_needs_both_adapters_and_the_link);
	ADD(a_right_is_taken_back);
	ADD(a_right_is_replaced);
	ADD(one_descriptor_of_a_right_stays);
	ADD(a_right_for_another_incarnation_is_no_right);
	ADD(a_full_line_that_blocks_stops_nobody);
	ADD(rights_of_a_peer_that_never_reads_do_not_pile_up);
	ADD(a_right_waits_for_a_free_descriptor);
	for (size_t i = 0; i < G_N_ELEMENTS(ends); i++) {
		char *path = g_strdup_printf("/lines/both_ends_forget/%s", ends[i].name);

		g_test_add_data_func(path, &ends[i], both_ends_forget);
		g_free(path);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(bad_lines); i++) {
		char *path = g_strdup_printf("/lines/%s_drops_the_peer", bad_lines[i].name);

		g_test_add_data_func(path, &bad_lines[i], a_bad_right_drops_the_peer);
		g_free(path);
	}
	return g_test_run();
}
