// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Put and get a block by the library and copy it by memcpy() within the guest's
 * own memory, in turns, and print how the times compare.
 *
 * Usage: putratio NODE ID BYTES
 * Output: "bytes B put R get R memcpy N" (R: median of ratios to memcpy, N: its
 * median in nanoseconds).
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <stdio.h>
#include <string.h>

#include "pairprog.h"

#define ROUNDS		41
#define COPIES		64	/* per measurement */
#define WARM_UP		64	/* copies of each kind: fills the emulator's TLB */

enum way { PUT, GET, MEMCPY, WAYS };

struct block {
	rsm_memseg_import_handle_t import;
	char *from, *to;
	size_t bytes;
};

static void copy(const struct block *block, enum way way)
{
	int err = 0;

	if (way == PUT)
		err = rsm_memseg_import_put(block->import, 0, block->from, block->bytes);
	else if (way == GET)
		err = rsm_memseg_import_get(block->import, 0, block->to, block->bytes);
	else
		memcpy(block->to, block->from, block->bytes);
	/* Nobody looks at what memcpy() did: it must be done all the same. */
	__asm__ volatile("" : : "r"(block->to) : "memory");
	if (err)
		pair_die("transfer of %zu bytes: error %d", block->bytes, err);
}

static double measure(const struct block *block, enum way way, int copies)
{
	uint64_t start = pair_now_ns();

	for (int i = 0; i < copies; i++)
		copy(block, way);
	return (double)(pair_now_ns() - start) / copies;
}

static double median(double *v)
{
	pair_sort(v, ROUNDS);
	return v[ROUNDS / 2];
}

int main(int argc, char **argv)
{
	static double times[WAYS][ROUNDS];
	rsmapi_barrier_t barrier;
	struct block block;
	int err;

	if (argc != 4)
		pair_die("usage: putratio NODE ID BYTES");
	block.bytes = pair_number(argv[3], 10);
	block.from = pair_memory(block.bytes);
	block.to = pair_memory(block.bytes);
	pair_import(pair_controller(), pair_number(argv[1], 10), pair_number(argv[2], 16),
		    block.bytes, &block.import);
	err = rsm_memseg_import_init_barrier(block.import, RSM_BAR_DEFAULT, &barrier);
	if (err)
		pair_die("init_barrier: error %d", err);
	for (int way = 0; way < WAYS; way++)
		measure(&block, way, WARM_UP);
	for (int i = 0; i < ROUNDS; i++) {
		for (int way = 0; way < WAYS; way++)
			times[way][i] = measure(&block, way, COPIES);
		times[PUT][i] /= times[MEMCPY][i];
		times[GET][i] /= times[MEMCPY][i];
	}
	printf("bytes %zu put %.2f get %.2f memcpy %.0f\n", block.bytes, median(times[PUT]),
	       median(times[GET]), median(times[MEMCPY]));
	if (rsm_memseg_import_destroy_barrier(&barrier) ||
	    rsm_memseg_import_unmap(block.import) || rsm_memseg_import_disconnect(block.import))
		pair_die("disconnect failed");
	return 0;
}
