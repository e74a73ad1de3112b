// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What it costs to connect to, map and first touch the n-th segment, beside a
 * signal there and back, which is measured in turns with it.
 *
 * Usage: mapcost export ID COUNT	segments of one page from ID on; answers signals
 *					of the first one until its input ends
 *	  mapcost import NODE ID MARK...	in ascending order
 * Output of the importer, a line per MARK: "segment MARK map M signal S ratio R" (M,
 * S: microseconds, medians of the NEAR segments around it), and for each but
 * the first "over F ratio R" (to the map of the first one).  COUNT must be NEAR
 * more than the last MARK.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pairprog.h"

#define SEGMENT		4096UL
#define NEAR		16
#define WARM_UP		64	/* signals */
#define SIGNAL_MS	30000
#define IDLE_MS		1000	/* after that the exporter looks at its input */

struct run {
	rsmapi_controller_handle_t ctrl;
	rsm_node_id_t node;
	rsm_memseg_id_t id;
	unsigned long next;			/* segment */
	rsm_memseg_import_handle_t bell;	/* the first segment */
};

static double now_us(void)
{
	return (double)pair_now_ns() / 1000;
}

static double median(double *v)
{
	pair_sort(v, NEAR);
	return (v[NEAR / 2 - 1] + v[NEAR / 2]) / 2;
}

static int input_ended(void)
{
	struct pollfd input = { .fd = 0, .events = POLLIN };

	return poll(&input, 1, 0) > 0;
}

static void answer_signals(rsm_memseg_export_handle_t ex)
{
	int err;

	do {
		err = rsm_intr_signal_wait(ex, IDLE_MS);
		if (!err)
			err = rsm_intr_signal_post(ex, 0);
		if (err && err != RSMERR_TIMEOUT)
			pair_die("answer: error %d", err);
	} while (!err || !input_ended());
}

static void export_side(rsm_memseg_id_t id, unsigned long count)
{
	rsmapi_controller_handle_t ctrl = pair_controller();
	rsm_memseg_export_handle_t *ex = calloc(count, sizeof(*ex));
	char *mem = pair_memory(count * SEGMENT);

	if (!ex)
		pair_die("no memory");
	for (unsigned long n = 0; n < count; n++)
		ex[n] = pair_export(ctrl, mem + n * SEGMENT, SEGMENT, id + (rsm_memseg_id_t)n);
	printf("ready\n");
	fflush(stdout);
	answer_signals(ex[0]);
	for (unsigned long n = 0; n < count; n++)
		if (rsm_memseg_export_destroy(ex[n]))
			pair_die("destroy of segment %lu failed", n);
	free(ex);
}

/* Imports stay until the program ends. */
static rsm_memseg_import_handle_t map_next(struct run *run)
{
	rsm_memseg_import_handle_t im;
	volatile char *segment = pair_import(run->ctrl, run->node,
					     run->id + (rsm_memseg_id_t)run->next, SEGMENT, &im);

	*segment = 1;
	run->next++;
	return im;
}

static void there_and_back(struct run *run)
{
	int err = rsm_intr_signal_post(run->bell, 0);

	if (!err)
		err = rsm_intr_signal_wait(run->bell, SIGNAL_MS);
	if (err)
		pair_die("signal: error %d", err);
}

/* Maps up to the mark, and half of the measured ones beyond it; the time of a map. */
static double measure(struct run *run, unsigned long mark)
{
	double maps[NEAR], signals[NEAR], map, signal;

	while (run->next < mark - NEAR / 2)
		map_next(run);
	for (int i = 0; i < NEAR; i++) {
		double start = now_us(), mapped;

		map_next(run);
		mapped = now_us();
		there_and_back(run);
		maps[i] = mapped - start;
		signals[i] = now_us() - mapped;
	}
	map = median(maps);
	signal = median(signals);
	printf("segment %lu map %.0f signal %.0f ratio %.2f", mark, map, signal, map / signal);
	return map;
}

static void import_side(struct run *run, int marks, char **mark)
{
	double first = 0, map;

	run->bell = map_next(run);
	for (int i = 0; i < WARM_UP; i++)
		there_and_back(run);
	for (int i = 0; i < marks; i++) {
		unsigned long number = pair_number(mark[i], 10);

		if (number < run->next + NEAR / 2)
			pair_die("mark %lu is too close to the one before", number);
		map = measure(run, number);
		if (i)
			printf(" over %s ratio %.2f", mark[0], map / first);
		else
			first = map;
		printf("\n");
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	struct run run = { 0 };
	unsigned long count;

	if (argc == 4 && !strcmp(argv[1], "export")) {
		count = pair_number(argv[3], 10);
		if (!count)
			pair_die("COUNT must not be 0");
		pair_descriptors(count);
		export_side(pair_number(argv[2], 16), count);
	} else if (argc >= 5 && !strcmp(argv[1], "import")) {
		pair_descriptors(pair_number(argv[argc - 1], 10) + NEAR);
		run.ctrl = pair_controller();
		run.node = pair_number(argv[2], 10);
		run.id = pair_number(argv[3], 16);
		import_side(&run, argc - 4, argv + 4);
	} else {
		pair_die("usage: mapcost export ID COUNT | import NODE ID MARK...");
	}
	return 0;
}
