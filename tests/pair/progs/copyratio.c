// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Copy a block to a segment through the window and to the guest's own memory
 * with the same loop, in turns, and print how the times compare.
 *
 * Usage: copyratio NODE ID BYTES
 * Output: "ratio R window W local L" (nanoseconds per copy, medians of pairs).
 * The segment holds PATTERN words of the last copy afterwards: word i is
 * i * 0x9e3779b97f4a7c15, for the exporter to check.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <stdio.h>

#include "pairprog.h"

#define PAIRS		41
#define COPIES		64	/* per measurement */
#define WARM_UP		64	/* copies of each kind: fills the emulator's TLB */

static __attribute__((noinline)) void copy(volatile uint64_t *to, const uint64_t *from,
					   size_t words)
{
	for (size_t i = 0; i < words; i++)
		to[i] = from[i];
}

static double measure(volatile uint64_t *to, const uint64_t *from, size_t words)
{
	uint64_t start = pair_now_ns();

	for (int i = 0; i < COPIES; i++)
		copy(to, from, words);
	return (double)(pair_now_ns() - start) / COPIES;
}

static double median(double *v)
{
	pair_sort(v, PAIRS);
	return v[PAIRS / 2];
}

int main(int argc, char **argv)
{
	static double window[PAIRS], local[PAIRS], ratio[PAIRS];
	rsm_memseg_import_handle_t im;
	uint64_t *from, *own, *remote;
	size_t bytes, words;

	if (argc != 4)
		pair_die("usage: copyratio NODE ID BYTES");
	bytes = pair_number(argv[3], 10);
	words = bytes / sizeof(*from);
	from = pair_memory(bytes);
	own = pair_memory(bytes);
	for (size_t i = 0; i < words; i++)
		from[i] = i * 0x9e3779b97f4a7c15ull;
	remote = pair_import(pair_controller(), pair_number(argv[1], 10),
			     pair_number(argv[2], 16), bytes, &im);
	for (int i = 0; i < WARM_UP; i++) {
		copy(remote, from, words);
		copy(own, from, words);
	}
	for (int i = 0; i < PAIRS; i++) {
		window[i] = measure(remote, from, words);
		local[i] = measure(own, from, words);
		ratio[i] = window[i] / local[i];
	}
	printf("ratio %.3f window %.0f local %.0f\n", median(ratio), median(window),
	       median(local));
	if (rsm_memseg_import_unmap(im) || rsm_memseg_import_disconnect(im))
		pair_die("disconnect failed");
	return 0;
}
