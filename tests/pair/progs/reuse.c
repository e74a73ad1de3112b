// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An exporter that uses its memory again the moment unpublish returns, and the
 * pages again the moment destroy and munmap return, while `storm` on another
 * node goes on storing.  No word it writes then may change.
 *
 * Usage: reuse ID BYTES ROUNDS VERIFY_MS MARKER
 * Output: "rounds N violations N"; exits with 1 if there was a violation.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>

#include "pairprog.h"

#define PAGE		4096UL
#define MEET_MS		60000
#define MORE		4		/* times BYTES are allocated to catch the freed pages */

static unsigned long violations;

static void verify(const char *when, volatile uint64_t *mem, size_t bytes, uint64_t word,
		   unsigned long ms)
{
	uint64_t deadline = pair_now_ms() + ms;

	for (size_t i = 0; i < bytes / 8; i++)
		mem[i] = word;
	do {
		for (size_t i = 0; i < bytes / 8; i++) {
			uint64_t found = mem[i];

			if (found == word)
				continue;
			printf("after %s: word %zu is %" PRIx64 "\n", when, i, found);
			violations++;
			return;
		}
	} while (pair_now_ms() < deadline);
}

static void one_round(rsmapi_controller_handle_t ctrl, rsm_memseg_id_t id, size_t bytes,
		      unsigned long ms, uint64_t marker, uint64_t word)
{
	uint64_t *mem = pair_memory(bytes), *more;
	rsm_memseg_export_handle_t ex = pair_export(ctrl, mem, bytes, id);
	int err;

	/* The last page is stored to last: the storm is in full swing. */
	if (!pair_await(&mem[bytes / 8 - 1], marker, MEET_MS))
		pair_die("no importer stores");
	err = rsm_memseg_export_unpublish(ex);
	if (err)
		pair_die("unpublish: error %d", err);
	verify("unpublish", mem, bytes, word, ms);
	err = rsm_memseg_export_destroy(ex);
	if (err || munmap(mem, bytes))
		pair_die("destroy: error %d", err);
	more = pair_memory(MORE * bytes);
	verify("munmap", more, MORE * bytes, ~word, ms);
	munmap(more, MORE * bytes);
}

int main(int argc, char **argv)
{
	rsmapi_controller_handle_t ctrl;
	unsigned long rounds, ms;
	rsm_memseg_id_t id;
	uint64_t marker;
	size_t bytes;

	if (argc != 6)
		pair_die("usage: reuse ID BYTES ROUNDS VERIFY_MS MARKER");
	id = pair_number(argv[1], 16);
	bytes = pair_number(argv[2], 10);
	rounds = pair_number(argv[3], 10);
	ms = pair_number(argv[4], 10);
	marker = pair_number(argv[5], 16);
	if (!bytes || bytes % PAGE)
		pair_die("BYTES must be a multiple of the page size");
	ctrl = pair_controller();
	for (unsigned long r = 0; r < rounds; r++)
		one_round(ctrl, id, bytes, ms, marker, 0x5ca1ab1e00000000ull + r);
	printf("rounds %lu violations %lu\n", rounds, violations);
	return violations != 0;
}
