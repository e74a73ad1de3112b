// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Threads that are not there any more: in children of fork(2), which were made while
 * they were in the library, and threads that are cancelled.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#define _GNU_SOURCE
#include <sched.h>
#include <sys/wait.h>

#include "threads.h"

/* ---- fork ---- */

static int inside, leave;	/* atomic; of the gate */
static unsigned long gate;	/* the request that waits there; atomic */

static void wait_at_gate(unsigned long request)
{
	if (request != __atomic_load_n(&gate, __ATOMIC_RELAXED))
		return;
	__atomic_store_n(&inside, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&leave, __ATOMIC_ACQUIRE))
		sched_yield();
}

static pthread_t stand_at(unsigned long request, void *(*run)(void *))
{
	pthread_t thread;

	__atomic_store_n(&inside, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&leave, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&gate, request, __ATOMIC_RELAXED);
	fake.hook = wait_at_gate;
	thread = start(run, NULL);
	while (!__atomic_load_n(&inside, __ATOMIC_ACQUIRE))
		sched_yield();
	return thread;
}

/* The child of a process whose other thread stands at the gate. */
static void child_succeeds(bool (*call)(void), pthread_t thread)
{
	int status;
	pid_t pid;

	pid = fork();
	g_assert_cmpint(pid, >=, 0);
	if (pid == 0) {
		alarm(10);
		fake.hook = NULL;
		_exit(!call());
	}
	g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
	g_assert_cmphex(status, ==, 0);
	__atomic_store_n(&leave, 1, __ATOMIC_RELEASE);
	g_assert_cmpint(pthread_join(thread, NULL), ==, 0);
	fake.hook = NULL;
}

static void *open_another(void *data)
{
	rsmapi_controller_handle_t other;

	(void)data;
	g_assert_cmpint(rsm_get_controller((char *)"sci7", &other), ==, RSM_SUCCESS);
	g_assert_cmpint(rsm_release_controller(other), ==, RSM_SUCCESS);
	return NULL;
}

static bool opens_another(void)
{
	rsmapi_controller_handle_t other;

	return !rsm_get_controller((char *)"sci7", &other) && !rsm_release_controller(other);
}

static void fork_does_not_wait_for_the_agent(void)
{
	begin();
	child_succeeds(opens_another, stand_at(RSM_IOC_CONTROLLER, open_another));
	end();
}

static void *publish(void *data)
{
	rsm_memseg_id_t id = RSM_HPC_ID_BASE;

	(void)data;
	g_assert_cmpint(rsm_memseg_export_publish(export, &id, NULL, 0), ==, RSM_SUCCESS);
	return NULL;
}

/* A real agent says NOT_CREATOR; what counts is that it is asked. */
static bool publishes_and_destroys(void)
{
	rsm_memseg_id_t id = RSM_HPC_ID_BASE;

	return !rsm_memseg_export_publish(export, &id, NULL, 0) &&
	       !rsm_memseg_export_destroy(export);
}

static void a_child_need_not_wait_for_a_publish(void)
{
	begin();
	child_succeeds(publishes_and_destroys, stand_at(RSM_IOC_PUBLISH, publish));
	end();
}

static void *map(void *data)
{
	void *address = NULL;

	(void)data;
	g_assert_cmpint(rsm_memseg_import_map(import, &address, RSM_MAP_NONE, RSM_PERM_RDWR, 0,
					      BLOCK), ==, RSM_SUCCESS);
	g_assert_cmpint(rsm_memseg_import_unmap(import), ==, RSM_SUCCESS);
	return NULL;
}

static bool transfers_and_disconnects(void)
{
	uint64_t word = 0;

	return !rsm_memseg_import_put64(import, 0, &word, 1) &&
	       !rsm_memseg_import_unmap(import) &&
	       !rsm_memseg_import_destroy_barrier(&barrier) &&
	       !rsm_memseg_import_disconnect(import);
}

static void a_child_need_not_wait_for_a_map(void)
{
	begin();
	child_succeeds(transfers_and_disconnects, stand_at(RSM_IOC_IDENTIFY, map));
	end();
}

static void *unmap(void *data)
{
	(void)data;
	g_assert_cmpint(rsm_memseg_import_unmap(import), ==, RSM_SUCCESS);
	return NULL;
}

/* It finds a mapping or none, not half of one. */
static void a_child_need_not_wait_for_an_unmap(void)
{
	uint64_t word = 0;

	begin();
	g_assert_cmpint(rsm_memseg_import_put64(import, 0, &word, 1), ==, RSM_SUCCESS);
	child_succeeds(transfers_and_disconnects, stand_at(FAKE_MUNMAP, unmap));
	end();
}

/* The other thread's notes are of no thread of the child. */
static void a_child_does_not_wait_for_transfers_of_its_parent(void)
{
	static char block[BLOCK];
	pthread_t thread;
	int status;
	pid_t pid;

	begin();
	thread = start(transfer_on, block);
	for (int i = 0; i < 100; i++) {
		pid = fork();
		g_assert_cmpint(pid, >=, 0);
		if (pid == 0) {
			uint64_t word = 0;

			alarm(10);
			_exit(rsm_memseg_import_put64(import, 0, &word, 1) ||
			      rsm_memseg_import_unmap(import));
		}
		g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
		g_assert_cmphex(status, ==, 0);
	}
	stop(&thread, 1);
	end();
}

/* ---- cancellation ---- */

/* Each with a request to be cancelled pending; returns whether it returned as it should. */
static bool opens_and_releases(void)
{
	rsmapi_controller_handle_t other;

	return !rsm_get_controller((char *)"sci3", &other) && !rsm_release_controller(other);
}

static bool creates_and_destroys(void)
{
	static char page[4096] __attribute__((aligned(4096)));
	rsm_memseg_export_handle_t another;
	rsm_memseg_id_t id = 0;

	return !rsm_memseg_export_create(controller, &another, page, 4096, 0) &&
	       !rsm_memseg_export_publish(another, &id, NULL, 0) &&
	       !rsm_memseg_export_republish(another, NULL, 0) &&
	       !rsm_memseg_export_unpublish(another) && !rsm_memseg_export_destroy(another);
}

static bool connects_and_disconnects(void)
{
	rsm_memseg_import_handle_t another;
	char byte = 0;

	return !rsm_memseg_import_connect(controller, 1, RSM_HPC_ID_BASE, RSM_PERM_RDWR,
					  &another) &&
	       !rsm_memseg_import_set_mode(another, RSM_BARRIER_MODE_EXPLICIT) &&
	       !rsm_memseg_import_put(another, 0, &byte, 1) &&
	       !rsm_memseg_import_unmap(another) &&
	       !rsm_memseg_import_put(another, 0, &byte, 1) &&
	       !rsm_intr_signal_post(another, 0) && !rsm_memseg_import_disconnect(another);
}

static bool asks_for_the_topology(void)
{
	rsm_topology_t *topology;
	bool good = !rsm_get_interconnect_topology(&topology);

	if (good)
		rsm_free_interconnect_topology(topology);
	return good;
}

static bool reads_segment_ids(void)
{
	rsm_memseg_id_t base;
	uint32_t length;

	return !rsm_get_segmentid_range("a", &base, &length);
}

static bool makes_localmemory_handles(void)
{
	static char page[4096] __attribute__((aligned(4096)));
	rsm_localmemory_handle_t handle;

	return !rsm_create_localmemory_handle(controller, &handle, page, 4096) &&
	       !rsm_free_localmemory_handle(controller, handle);
}

static bool (*const uncancelled[])(void) = {
	opens_and_releases, creates_and_destroys, connects_and_disconnects,
	asks_for_the_topology, reads_segment_ids, makes_localmemory_handles,
};

static void *be_cancelled(void *data)
{
	bool *good = data;

	pthread_cancel(pthread_self());
	for (size_t i = 0; i < G_N_ELEMENTS(uncancelled); i++)
		good[i] = uncancelled[i]();
	pthread_testcancel();
	return NULL;
}

static void calls_are_no_cancellation_points(void)
{
	bool good[G_N_ELEMENTS(uncancelled)] = { false };
	pthread_t thread;
	void *result;

	begin();
	fake.segmentid = "reserved a 600000 10\n";
	thread = start(be_cancelled, good);
	g_assert_cmpint(pthread_join(thread, &result), ==, 0);
	g_assert_true(result == PTHREAD_CANCELED);
	for (size_t i = 0; i < G_N_ELEMENTS(uncancelled); i++) {
		g_assert_true(good[i]);
		/* No lock is left behind. */
		g_assert_true(uncancelled[i]());
	}
	end();
}

static void *wait_for_event(void *data)
{
	struct pollfd *fd = data;
	int n;

	if (fd)
		rsm_intr_signal_wait_pollfd(fd, 1, -1, &n);
	else
		rsm_intr_signal_wait(import, -1);
	return NULL;
}

static void waits_are_cancellation_points(void)
{
	struct pollfd fd;
	void *result;

	begin();
	g_assert_cmpint(rsm_memseg_get_pollfd(import, &fd), ==, RSM_SUCCESS);
	for (int kind = 0; kind < 2; kind++) {
		pthread_t thread;

		fake.cancel = true;
		thread = start(wait_for_event, kind ? &fd : NULL);
		g_assert_cmpint(pthread_join(thread, &result), ==, 0);
		g_assert_true(result == PTHREAD_CANCELED);
		fake.cancel = false;
		fake.events = 1;
		g_assert_cmpint(rsm_intr_signal_wait(import, 0), ==, RSM_SUCCESS);
	}
	g_assert_cmpint(rsm_memseg_release_pollfd(import), ==, RSM_SUCCESS);
	end();
}

int main(int argc, char *argv[])
{
	g_test_init(&argc, &argv, NULL);
#define ADD(function)	g_test_add_func("/forks/" #function, function)
	ADD(fork_does_not_wait_for_the_agent);
	ADD(a_child_need_not_wait_for_a_publish);
	ADD(a_child_need_not_wait_for_a_map);
	ADD(a_child_need_not_wait_for_an_unmap);
	ADD(a_child_does_not_wait_for_transfers_of_its_parent);
	ADD(calls_are_no_cancellation_points);
	ADD(waits_are_cancellation_points);
	return g_test_run();
}
