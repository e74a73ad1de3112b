/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests with several threads begin and end with.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#ifndef TESTS_UNIT_LIBRSM_THREADS_H
#define TESTS_UNIT_LIBRSM_THREADS_H

#include <pthread.h>
#include <unistd.h>

#include "fake.h"

#define READERS		3
#define BLOCK		65536
#define PATIENCE	60	/* seconds until a test is hung */

static rsmapi_controller_handle_t controller;
static rsm_memseg_export_handle_t export;
static rsm_memseg_import_handle_t import;
static rsmapi_barrier_t barrier;
static int enough;	/* atomic */

static inline void begin(void)
{
	alarm(PATIENCE);
	fake_reset();
	controller = fake_controller();
	export = fake_export(controller);
	import = fake_import(controller);
	g_assert_cmpint(rsm_memseg_import_init_barrier(import, RSM_BAR_DEFAULT, &barrier), ==,
			RSM_SUCCESS);
	__atomic_store_n(&enough, 0, __ATOMIC_RELAXED);
}

static inline void end(void)
{
	g_assert_cmpint(rsm_memseg_import_disconnect(import), ==, RSM_SUCCESS);
	g_assert_cmpint(rsm_memseg_export_destroy(export), ==, RSM_SUCCESS);
	g_assert_cmpint(rsm_release_controller(controller), ==, RSM_SUCCESS);
	g_assert_cmpint(fake.descriptors, ==, 0);
	g_assert_cmpint(fake.mappings, ==, 0);
	alarm(0);
}

static inline pthread_t start(void *(*run)(void *), void *data)
{
	pthread_t thread;

	g_assert_cmpint(pthread_create(&thread, NULL, run, data), ==, 0);
	return thread;
}

static inline void stop(pthread_t *threads, int count)
{
	__atomic_store_n(&enough, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < count; i++)
		g_assert_cmpint(pthread_join(threads[i], NULL), ==, 0);
}

/* Without a pause, and mapped again as soon as it is unmapped. */
static inline void *transfer_on(void *data)
{
	int ret, wrong = 0;

	while (!__atomic_load_n(&enough, __ATOMIC_RELAXED)) {
		ret = rsm_memseg_import_get(import, 0, data, BLOCK);
		wrong += ret != RSM_SUCCESS;
	}
	g_assert_cmpint(wrong, ==, 0);
	return NULL;
}

#endif /* TESTS_UNIT_LIBRSM_THREADS_H */
