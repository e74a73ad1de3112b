// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Threads of one program: transfers while others map and unmap, and everything at
 * once.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <sys/time.h>

#include "reader.h"
#include "threads.h"

#define UNMAPS		50

static char blocks[READERS][BLOCK];

/* ---- transfers and unmap ---- */

static void transfers_do_not_keep_unmap_from_its_turn(void)
{
	pthread_t threads[READERS];
	int i, ret;

	begin();
	for (i = 0; i < READERS; i++)
		threads[i] = start(transfer_on, blocks[i]);
	for (i = 0; i < UNMAPS;) {
		ret = rsm_memseg_import_unmap(import);
		g_assert_true(ret == RSM_SUCCESS || ret == RSMERR_SEG_NOT_MAPPED);
		i += ret == RSM_SUCCESS;
		sched_yield();
	}
	stop(threads, READERS);
	end();
}

static void transfers_do_so_without_membarrier(void)
{
	unsigned int duties = rsm_reader_duties;

	rsm_reader_duties = RSM_READER_FENCE;
	transfers_do_not_keep_unmap_from_its_turn();
	rsm_reader_duties = duties;
}

/* Each to a place of its own. */
static void *transfer_once(void *data)
{
	off_t place = (char *)data - blocks[0];

	g_assert_cmpint(rsm_memseg_import_put(import, place, data, BLOCK), ==, RSM_SUCCESS);
	return NULL;
}

/* What they noted was memory of their own. */
static void threads_that_ended_do_not_count(void)
{
	pthread_t threads[READERS];

	begin();
	for (int round = 0; round < 50; round++) {
		for (int i = 0; i < READERS; i++)
			threads[i] = start(transfer_once, blocks[i]);
		stop(threads, READERS);
		g_assert_cmpint(rsm_memseg_import_unmap(import), ==, RSM_SUCCESS);
	}
	end();
}

static volatile sig_atomic_t handled;

static void transfer_in_handler(int number)
{
	char byte = 0;

	(void)number;
	handled += !rsm_memseg_import_put(import, 0, &byte, 1);
}

static void handlers_of_signals_may_transfer(void)
{
	struct itimerval often = { { 0, 500 }, { 0, 500 } }, never = { 0 };
	struct sigaction action = { .sa_handler = transfer_in_handler };
	static char block[BLOCK];

	begin();
	g_assert_cmpint(rsm_memseg_import_get(import, 0, block, BLOCK), ==, RSM_SUCCESS);
	sigaction(SIGVTALRM, &action, NULL);
	setitimer(ITIMER_VIRTUAL, &often, NULL);
	while (handled < 50)
		g_assert_cmpint(rsm_memseg_import_get(import, 0, block, BLOCK), ==, RSM_SUCCESS);
	setitimer(ITIMER_VIRTUAL, &never, NULL);
	g_assert_cmpint(rsm_memseg_import_unmap(import), ==, RSM_SUCCESS);
	end();
}

/* ---- everything at once ---- */

static void *use_all(void *data)
{
	rsmapi_controller_handle_t other;
	rsmapi_barrier_t own;
	struct pollfd fd;
	uint64_t word;

	while (!__atomic_load_n(&enough, __ATOMIC_RELAXED)) {
		g_assert_cmpint(rsm_get_controller((char *)"sci1", &other), ==, RSM_SUCCESS);
		g_assert_cmpint(rsm_memseg_import_init_barrier(import, RSM_BAR_DEFAULT, &own), ==,
				RSM_SUCCESS);
		g_assert_cmpint(rsm_memseg_import_open_barrier(&own), ==, RSM_SUCCESS);
		g_assert_cmpint(rsm_memseg_import_get64(import, *(off_t *)data, &word, 1), ==,
				RSM_SUCCESS);
		g_assert_cmpint(rsm_memseg_import_close_barrier(&own), ==, RSM_SUCCESS);
		g_assert_cmpint(rsm_memseg_import_destroy_barrier(&own), ==, RSM_SUCCESS);
		g_assert_cmpint(rsm_memseg_get_pollfd(import, &fd), ==, RSM_SUCCESS);
		g_assert_cmpint(rsm_memseg_release_pollfd(import), ==, RSM_SUCCESS);
		g_assert_cmpint(rsm_release_controller(other), ==, RSM_SUCCESS);
	}
	return NULL;
}

static void all_calls_can_be_made_at_once(void)
{
	static const off_t offsets[READERS] = { 0, 8, 16 };
	pthread_t threads[READERS];
	int i, ret;

	begin();
	for (i = 0; i < READERS; i++)
		threads[i] = start(use_all, (void *)&offsets[i]);
	for (i = 0; i < 2000; i++) {
		ret = rsm_memseg_import_unmap(import);
		g_assert_true(ret == RSM_SUCCESS || ret == RSMERR_SEG_NOT_MAPPED ||
			      ret == RSMERR_POLLFD_IN_USE);
	}
	stop(threads, READERS);
	end();
}

int main(int argc, char *argv[])
{
	g_test_init(&argc, &argv, NULL);
#define ADD(function)	g_test_add_func("/threads/" #function, function)
	ADD(transfers_do_not_keep_unmap_from_its_turn);
	ADD(transfers_do_so_without_membarrier);
	ADD(threads_that_ended_do_not_count);
	ADD(handlers_of_signals_may_transfer);
	ADD(all_calls_can_be_made_at_once);
	return g_test_run();
}
