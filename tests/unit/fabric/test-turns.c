// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who is served when, and by which thread: turns end in time and pass nobody
 * over; the main context belongs to one thread, the calls come from another.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <unistd.h>

#include "node.h"
#include "raw.h"

#define CROWD	6

static unsigned int events;

/* Longer than a turn lasts: each turn has time for one of them. */
static void linger(struct node *node, const char *line)
{
	int64_t end = g_get_monotonic_time() + FABRIC_TURN_US + 1;

	while (g_get_monotonic_time() < end)
		continue;
	events++;
}

static void send_requests(int fd, unsigned int n)
{
	for (unsigned int seq = 1; seq <= n; seq++) {
		FabricMessage msg = {
			.type = FABRIC_INVALIDATE, .seq = seq, .invalidate = { seq, 1 },
		};

		raw_send_message(fd, &msg);
	}
}

static void a_turn_ends_in_time_and_the_next_one_goes_on(void)
{
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1);
	int fd[CROWD];

	for (unsigned int i = 0; i < CROWD; i++) {
		fd[i] = raw_join(dir, 1, 10 + i);
		wait_until(saw(a->log, "present") == i + 1);
	}
	g_string_truncate(a->log, 0);
	run_idle();
	a->on_event = linger;
	events = 0;
	for (unsigned int i = 0; i < CROWD; i++)
		send_requests(fd[i], 3);
	for (unsigned int served = 0; served < 3 * CROWD; served = events) {
		g_main_context_iteration(NULL, TRUE);
		g_assert_cmpuint(events - served, <=, 1);
		/* Nobody is served again before all others were. */
		for (unsigned int i = 0; i < CROWD; i++) {
			unsigned int own = saw(a->log, "invalidate %u", 10 + i);

			g_assert_cmpuint(own, >=, events / CROWD);
			g_assert_cmpuint(own, <=, events / CROWD + 1);
		}
	}
	for (unsigned int i = 0; i < CROWD; i++)
		close(fd[i]);
	a->on_event = NULL;
	node_stop(a);
	test_dir_remove(dir);
}

/* A node that is served by a thread of its own, under a lock. */
struct served {
	struct node *node;
	GMutex mutex;
	GCond changed;
	bool locked;
	bool wanted;		/* by the thread, which may have to wait */
	unsigned int unlocked;	/* how often it was given back */
	GMainContext *context;
	GMainLoop *loop;
	GThread *thread;
};

static struct served *served_of;

static void served_lock(void *opaque)
{
	struct served *s = opaque;

	__atomic_store_n(&s->wanted, true, __ATOMIC_SEQ_CST);
	g_mutex_lock(&s->mutex);
	__atomic_store_n(&s->wanted, false, __ATOMIC_SEQ_CST);
	g_assert_false(s->locked);
	s->locked = true;
}

static void served_unlock(void *opaque)
{
	struct served *s = opaque;

	g_assert_true(s->locked);
	s->locked = false;
	s->unlocked++;
	g_mutex_unlock(&s->mutex);
}

static void served_event(struct node *node, const char *line)
{
	g_assert_true(g_thread_self() == served_of->thread);
	g_assert_true(served_of->locked);
	g_cond_broadcast(&served_of->changed);
}

static gpointer served_run(gpointer data)
{
	struct served *s = data;

	g_main_loop_run(s->loop);
	return NULL;
}

static void served_start(struct served *s, const char *dir, unsigned int id)
{
	FabricConfig config;
	GError *error = NULL;

	g_mutex_init(&s->mutex);
	g_cond_init(&s->changed);
	s->context = g_main_context_new();
	s->loop = g_main_loop_new(s->context, FALSE);
	s->node = g_new0(struct node, 1);
	node_config(s->node, dir, id, &config);
	config.context = s->context;
	config.lock = served_lock;
	config.unlock = served_unlock;
	config.lock_opaque = s;
	s->node->on_event = served_event;
	served_of = s;
	g_mutex_lock(&s->mutex);
	s->thread = g_thread_new("served", served_run, s);
	s->node = node_start_config(s->node, &config, &error);
	g_mutex_unlock(&s->mutex);
	g_assert_no_error(error);
}

static void served_stop(struct served *s)
{
	g_main_loop_quit(s->loop);
	g_thread_join(s->thread);
	g_main_loop_unref(s->loop);
	g_main_context_unref(s->context);
	g_mutex_clear(&s->mutex);
	g_cond_clear(&s->changed);
}

/* Waits, with the lock, until the node has seen @line @n times. */
static void served_wait(struct served *s, const char *line, unsigned int n)
{
	int64_t end = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;

	while (saw(s->node->log, "%s", line) < n)
		g_assert_true(g_cond_wait_until(&s->changed, &s->mutex, end));
}

static void calls_of_another_thread_wake_the_context(void)
{
	char *dir = test_dir_new();
	struct child *b = child_start(dir, 2);
	struct served s = { 0 };

	wait_until(saw(b->log, "ready"));
	served_start(&s, dir, 1);
	g_mutex_lock(&s.mutex);
	served_wait(&s, "present 2", 1);
	for (unsigned int i = 1; i <= 200; i++) {
		fabric_invalidate(s.node->fabric, i, 1);
		g_assert_true(fabric_busy(s.node->fabric));
		served_wait(&s, "settled", i);
		g_assert_false(fabric_busy(s.node->fabric));
	}
	fabric_enable(s.node->fabric);
	fabric_set_port(s.node->fabric, 2, false);
	fabric_set_port(s.node->fabric, 2, true);
	served_wait(&s, "link 2 up", 1);
	g_assert_cmpuint(s.unlocked, >=, 200);
	g_assert_cmpuint(saw(s.node->log, "report"), ==, 0);
	g_mutex_unlock(&s.mutex);
	child_tell(b, "invalidate 3 4");
	wait_until(saw(b->log, "settled"));
	g_mutex_lock(&s.mutex);
	node_stop(s.node);
	g_mutex_unlock(&s.mutex);
	served_stop(&s);
	child_stop(b);
	test_dir_remove(dir);
}

/* The thread is in lock() already, and must find that nothing is to be done. */
static void a_fabric_is_freed_while_its_dispatch_waits(void)
{
	for (unsigned int round = 0; round < 50; round++) {
		char *dir = test_dir_new();
		struct served s = { 0 };
		int fd;

		served_start(&s, dir, 1);
		fd = raw_join(dir, 1, 9);
		g_mutex_lock(&s.mutex);
		served_wait(&s, "present 9", 1);
		raw_send_request(fd, FABRIC_INVALIDATE, 1);
		while (!__atomic_load_n(&s.wanted, __ATOMIC_SEQ_CST))
			g_thread_yield();
		node_stop(s.node);
		g_mutex_unlock(&s.mutex);
		served_stop(&s);
		close(fd);
		test_dir_remove(dir);
	}
}

int main(int argc, char **argv)
{
	child_main(argc, argv);
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/turns/a_turn_ends_in_time_and_the_next_one_goes_on",
			a_turn_ends_in_time_and_the_next_one_goes_on);
	g_test_add_func("/turns/calls_of_another_thread_wake_the_context",
			calls_of_another_thread_wake_the_context);
	g_test_add_func("/turns/a_fabric_is_freed_while_its_dispatch_waits",
			a_fabric_is_freed_while_its_dispatch_waits);
	return g_test_run();
}
