// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a barrier span costs, and a transfer of few bytes, in locked additions:
 * all kinds in turns, in one loop, so that a busy host slows all of them down.
 *
 * Usage: barriercost NODE ID
 * Output: a line "KIND R" for each kind (R: median of the ratios to a locked
 * addition of the same round, called as all of them are), then "locked N ns" (its median)
 * and "alone N ns" (of one that nobody calls: a call costs an emulator more than what is
 * called).
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <stdio.h>
#include <string.h>

#include "pairprog.h"

#define ROUNDS		101
#define CALLS		256	/* per measurement */
#define BYTES		64

static rsm_memseg_import_handle_t import;
static rsmapi_barrier_t barrier;
static volatile uint64_t *window;
static uint64_t counter, data[BYTES / 8];

static int locked(void)
{
	__atomic_fetch_add(&counter, 1, __ATOMIC_SEQ_CST);
	return 0;
}

/* What the calls themselves cost: these return at once. */
static int two_calls(void)
{
	return !rsm_memseg_import_open_barrier(NULL) || !rsm_memseg_import_close_barrier(NULL);
}

static int three_calls(void)
{
	return two_calls() || !rsm_memseg_import_put64(NULL, 0, NULL, 1);
}

static int span_of_nothing(void)
{
	return rsm_memseg_import_open_barrier(&barrier) ||
	       rsm_memseg_import_close_barrier(&barrier);
}

static int span_of_store(void)
{
	int err = rsm_memseg_import_open_barrier(&barrier);

	*window = counter;
	return err || rsm_memseg_import_close_barrier(&barrier);
}

static int span_of_put64(void)
{
	return rsm_memseg_import_open_barrier(&barrier) ||
	       rsm_memseg_import_put64(import, 0, data, 1) ||
	       rsm_memseg_import_close_barrier(&barrier);
}

static int order(void)
{
	return rsm_memseg_import_order_barrier(&barrier);
}

static int put64(void)
{
	return rsm_memseg_import_put64(import, 0, data, 1);
}

static int get64(void)
{
	return rsm_memseg_import_get64(import, 0, data, 1);
}

static int put_bytes(void)
{
	return rsm_memseg_import_put(import, 0, data, BYTES);
}

static int get_bytes(void)
{
	return rsm_memseg_import_get(import, 0, data, BYTES);
}

static int copy_bytes(void)
{
	for (int i = 0; i < BYTES / 8; i++)
		window[i] = *(volatile uint64_t *)&data[i];
	return 0;
}

/* The locked addition first: the others are compared with it. */
static const struct kind {
	const char *name;
	int (*call)(void);
	rsm_barrier_mode_t mode;
} kinds[] = {
	{ "locked", locked, RSM_BARRIER_MODE_EXPLICIT },
	{ "two-calls-of-nothing", two_calls, RSM_BARRIER_MODE_EXPLICIT },
	{ "three-calls-of-nothing", three_calls, RSM_BARRIER_MODE_EXPLICIT },
	{ "open+close", span_of_nothing, RSM_BARRIER_MODE_EXPLICIT },
	{ "open+store+close", span_of_store, RSM_BARRIER_MODE_EXPLICIT },
	{ "open+put64+close", span_of_put64, RSM_BARRIER_MODE_EXPLICIT },
	{ "open+put64+close,implicit", span_of_put64, RSM_BARRIER_MODE_IMPLICIT },
	{ "order", order, RSM_BARRIER_MODE_EXPLICIT },
	{ "copy-of-64-bytes", copy_bytes, RSM_BARRIER_MODE_EXPLICIT },
	{ "put64", put64, RSM_BARRIER_MODE_EXPLICIT },
	{ "put64,implicit", put64, RSM_BARRIER_MODE_IMPLICIT },
	{ "get64", get64, RSM_BARRIER_MODE_EXPLICIT },
	{ "get64,implicit", get64, RSM_BARRIER_MODE_IMPLICIT },
	{ "put-of-64-bytes", put_bytes, RSM_BARRIER_MODE_EXPLICIT },
	{ "put-of-64-bytes,implicit", put_bytes, RSM_BARRIER_MODE_IMPLICIT },
	{ "get-of-64-bytes,implicit", get_bytes, RSM_BARRIER_MODE_IMPLICIT },
};

#define KINDS	(sizeof(kinds) / sizeof(kinds[0]))

static double measure(const struct kind *kind)
{
	uint64_t start;
	int failed = rsm_memseg_import_set_mode(import, kind->mode) ||
		     rsm_memseg_import_open_barrier(&barrier);

	start = pair_now_ns();
	for (int i = 0; i < CALLS; i++)
		failed |= kind->call();
	if (failed)
		pair_die("%s failed", kind->name);
	return (double)(pair_now_ns() - start) / CALLS;
}

static double median(double *v)
{
	pair_sort(v, ROUNDS);
	return v[ROUNDS / 2];
}

static double measure_alone(void)
{
	uint64_t start = pair_now_ns();

	for (int i = 0; i < CALLS; i++)
		__atomic_fetch_add(&counter, 1, __ATOMIC_SEQ_CST);
	return (double)(pair_now_ns() - start) / CALLS;
}

int main(int argc, char **argv)
{
	static double times[KINDS][ROUNDS], alone[ROUNDS];
	size_t kind;

	if (argc != 3)
		pair_die("usage: barriercost NODE ID");
	window = pair_import(pair_controller(), (rsm_node_id_t)pair_number(argv[1], 10),
			     (rsm_memseg_id_t)pair_number(argv[2], 16), BYTES, &import);
	if (rsm_memseg_import_init_barrier(import, RSM_BAR_DEFAULT, &barrier))
		pair_die("init_barrier failed");
	/* The round before the first fills the emulator's caches. */
	for (int round = -1; round < ROUNDS; round++) {
		for (kind = 0; kind < KINDS; kind++)
			times[kind][round < 0 ? 0 : round] = measure(&kinds[kind]);
		alone[round < 0 ? 0 : round] = measure_alone();
	}
	for (kind = 1; kind < KINDS; kind++) {
		for (int round = 0; round < ROUNDS; round++)
			times[kind][round] /= times[0][round];
		printf("%s %.2f\n", kinds[kind].name, median(times[kind]));
	}
	printf("locked %.1f ns\nalone %.1f ns\n", median(times[0]), median(alone));
	if (rsm_memseg_import_destroy_barrier(&barrier) || rsm_memseg_import_unmap(import) ||
	    rsm_memseg_import_disconnect(import))
		pair_die("disconnect failed");
	return 0;
}
