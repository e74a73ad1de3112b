// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Atomic additions to one word from two machines at once: the exporter adds to
 * its own memory, the importer through the window.
 *
 * Usage: xadd export ID COUNT | xadd import NODE ID COUNT
 * The exporter prints "total N" when both have finished.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pairprog.h"

#define SEGMENT		4096UL
#define MEET_MS		60000
#define RUN_MS		120000

/* One cache line each, so that only `total` is contended. */
struct board {
	uint64_t total __attribute__((aligned(64)));
	uint64_t importer_ready __attribute__((aligned(64)));
	uint64_t go __attribute__((aligned(64)));
	uint64_t importer_done __attribute__((aligned(64)));
};

static void add(struct board *b, unsigned long count)
{
	while (count--)
		__atomic_fetch_add(&b->total, 1, __ATOMIC_SEQ_CST);
}

static void export_side(rsm_memseg_id_t id, unsigned long count)
{
	rsmapi_controller_handle_t ctrl = pair_controller();
	struct board *b = pair_memory(SEGMENT);
	rsm_memseg_export_handle_t ex = pair_export(ctrl, b, SEGMENT, id);

	if (!pair_await(&b->importer_ready, 1, MEET_MS))
		pair_die("no importer came");
	__atomic_store_n(&b->go, 1, __ATOMIC_SEQ_CST);
	add(b, count);
	if (!pair_await(&b->importer_done, 1, RUN_MS))
		pair_die("the importer did not finish");
	printf("total %" PRIu64 "\n", __atomic_load_n(&b->total, __ATOMIC_SEQ_CST));
	if (rsm_memseg_export_destroy(ex))
		pair_die("destroy failed");
}

static void import_side(rsm_node_id_t node, rsm_memseg_id_t id, unsigned long count)
{
	rsmapi_controller_handle_t ctrl = pair_controller();
	rsm_memseg_import_handle_t im;
	struct board *b = pair_import(ctrl, node, id, SEGMENT, &im);

	__atomic_store_n(&b->importer_ready, 1, __ATOMIC_SEQ_CST);
	if (!pair_await(&b->go, 1, MEET_MS))
		pair_die("the exporter did not start");
	add(b, count);
	__atomic_store_n(&b->importer_done, 1, __ATOMIC_SEQ_CST);
	if (rsm_memseg_import_unmap(im) || rsm_memseg_import_disconnect(im))
		pair_die("disconnect failed");
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "export"))
		export_side(pair_number(argv[2], 16), pair_number(argv[3], 10));
	else if (argc == 5 && !strcmp(argv[1], "import"))
		import_side(pair_number(argv[2], 10), pair_number(argv[3], 16),
			    pair_number(argv[4], 10));
	else
		pair_die("usage: xadd export ID COUNT | xadd import NODE ID COUNT");
	return 0;
}
