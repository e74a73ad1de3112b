// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What it costs to take a page back from all nodes: publish one and unpublish it.
 *
 * Usage: revokecost ID ROUNDS
 * Output: "unpublish p50 M p99 N", in microseconds.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <stdio.h>

#include "pairprog.h"

#define SEGMENT		4096UL
#define ROUNDS_MAX	100000UL

static double now_us(void)
{
	return (double)pair_now_ns() / 1000;
}

static void take_back(rsm_memseg_id_t id, unsigned long rounds)
{
	static double took[ROUNDS_MAX];
	rsm_memseg_export_handle_t seg;
	void *mem = pair_memory(SEGMENT);
	int err;

	if (!rounds || rounds > ROUNDS_MAX)
		pair_die("1 to %lu rounds", ROUNDS_MAX);
	seg = pair_export(pair_controller(), mem, SEGMENT, id);
	for (unsigned long i = 0; i < rounds; i++) {
		double start = now_us();

		err = rsm_memseg_export_unpublish(seg);
		took[i] = now_us() - start;
		if (!err)
			err = rsm_memseg_export_publish(seg, &id, NULL, 0);
		if (err)
			pair_die("unpublish and publish: error %d", err);
	}
	pair_sort(took, rounds);
	printf("unpublish p50 %.0f p99 %.0f\n", took[rounds / 2], took[rounds * 99 / 100]);
}

int main(int argc, char **argv)
{
	if (argc != 3)
		pair_die("usage: revokecost ID ROUNDS");
	take_back(pair_number(argv[1], 16), pair_number(argv[2], 10));
	return 0;
}
