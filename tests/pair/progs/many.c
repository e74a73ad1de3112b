// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Many segments of one page, all mapped at once.  Both machines add atomically
 * to one word of the last one at the same time; each of the others gets a word
 * from the importer, which tells that it is mapped to its own page.
 *
 * Usage: many export ID COUNT ADDS	segments ID to ID + COUNT - 1
 *	  many import NODE ID COUNT ADDS
 * The importer adds ADDS times, the exporter as long as that takes.  The exporter
 * prints "total FOUND of EXPECTED wrong SEGMENTS" and keeps the segments until its
 * input ends.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pairprog.h"

#define SEGMENT		4096UL
#define MEET_MS		600000
#define RUN_MS		300000
#define BURST		256	/* additions between two looks at the importer */

/* In the last segment; one cache line each, so that only `total` is contended. */
struct board {
	uint64_t total __attribute__((aligned(64)));
	uint64_t importer_ready __attribute__((aligned(64)));
	uint64_t go __attribute__((aligned(64)));
	uint64_t importer_done __attribute__((aligned(64)));
};

/* The word of each segment that the importer marks. */
static volatile uint64_t *mark(void *segment)
{
	return (volatile uint64_t *)((char *)segment + SEGMENT) - 1;
}

static void add(struct board *b, unsigned long count)
{
	while (count--)
		__atomic_fetch_add(&b->total, 1, __ATOMIC_SEQ_CST);
}

static uint64_t add_until_done(struct board *b)
{
	uint64_t deadline = pair_now_ms() + RUN_MS;
	uint64_t added = 0;

	do {
		add(b, BURST);
		added += BURST;
		if (pair_now_ms() >= deadline)
			pair_die("the importer did not finish");
	} while (!__atomic_load_n(&b->importer_done, __ATOMIC_SEQ_CST));
	return added;
}

static int export_side(rsm_memseg_id_t id, unsigned long count, unsigned long adds)
{
	rsmapi_controller_handle_t ctrl = pair_controller();
	rsm_memseg_export_handle_t *ex = calloc(count, sizeof(*ex));
	char *mem = pair_memory(count * SEGMENT);
	struct board *b = (struct board *)(mem + (count - 1) * SEGMENT);
	uint64_t expected, total;
	unsigned long wrong = 0;

	if (!ex)
		pair_die("no memory");
	for (unsigned long n = 0; n < count; n++)
		ex[n] = pair_export(ctrl, mem + n * SEGMENT, SEGMENT, id + (rsm_memseg_id_t)n);
	if (!pair_await(&b->importer_ready, 1, MEET_MS))
		pair_die("no importer came");
	__atomic_store_n(&b->go, 1, __ATOMIC_SEQ_CST);
	expected = add_until_done(b) + adds;
	total = __atomic_load_n(&b->total, __ATOMIC_SEQ_CST);
	for (unsigned long n = 0; n < count; n++)
		wrong += *mark(mem + n * SEGMENT) != n + 1;
	printf("total %" PRIu64 " of %" PRIu64 " wrong %lu\n", total, expected, wrong);
	fflush(stdout);
	while (getchar() != EOF)
		;
	for (unsigned long n = 0; n < count; n++)
		if (rsm_memseg_export_destroy(ex[n]))
			pair_die("destroy of segment %lu failed", n);
	free(ex);
	return total != expected || wrong;
}

static int import_side(rsm_node_id_t node, rsm_memseg_id_t id, unsigned long count,
		       unsigned long adds)
{
	rsmapi_controller_handle_t ctrl = pair_controller();
	rsm_memseg_import_handle_t *im = calloc(count, sizeof(*im));
	struct board *b = NULL;

	if (!im)
		pair_die("no memory");
	for (unsigned long n = 0; n < count; n++) {
		void *segment = pair_import(ctrl, node, id + (rsm_memseg_id_t)n, SEGMENT, &im[n]);

		*mark(segment) = n + 1;
		b = segment;
	}
	__atomic_store_n(&b->importer_ready, 1, __ATOMIC_SEQ_CST);
	if (!pair_await(&b->go, 1, RUN_MS))
		pair_die("the exporter did not start");
	add(b, adds);
	__atomic_store_n(&b->importer_done, 1, __ATOMIC_SEQ_CST);
	for (unsigned long n = 0; n < count; n++)
		if (rsm_memseg_import_unmap(im[n]) || rsm_memseg_import_disconnect(im[n]))
			pair_die("disconnect of segment %lu failed", n);
	free(im);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned long count, adds;

	if (!(argc == 5 && !strcmp(argv[1], "export")) &&
	    !(argc == 6 && !strcmp(argv[1], "import")))
		pair_die("usage: many export ID COUNT ADDS | import NODE ID COUNT ADDS");
	count = pair_number(argv[argc - 2], 10);
	adds = pair_number(argv[argc - 1], 10);
	if (!count)
		pair_die("COUNT must not be 0");
	pair_descriptors(count);
	if (argc == 5)
		return export_side(pair_number(argv[2], 16), count, adds);
	return import_side(pair_number(argv[2], 10), pair_number(argv[3], 16), count, adds);
}
