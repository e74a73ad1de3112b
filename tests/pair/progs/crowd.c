// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A user with many segments, and what others' calls take beside that.
 *
 * Usage: crowd export ID COUNT		publishes COUNT segments of one page from ID on
 *	  crowd import NODE ID COUNT	connects to them
 *	  crowd time NODE ID OWN ROUNDS	connects to ID and leaves, publishes OWN and ends that
 * The first two print "ready" and stay until their input ends.  The last one prints
 * "connect M disconnect M publish M unpublish M", the shortest times in microseconds.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pairprog.h"

#define SEGMENT		4096UL
#define PATIENCE_MS	30000

enum step { CONNECT, DISCONNECT, PUBLISH, UNPUBLISH, STEPS };

static const char *const names[STEPS] = { "connect", "disconnect", "publish", "unpublish" };

static void stay(void)
{
	printf("ready\n");
	fflush(stdout);
	while (getchar() != EOF)
		;
}

static void export_many(rsm_memseg_id_t id, unsigned long count)
{
	rsmapi_controller_handle_t ctrl = pair_controller();
	void *memory = pair_memory(SEGMENT);

	pair_descriptors(count);
	for (unsigned long i = 0; i < count; i++)
		pair_export(ctrl, memory, SEGMENT, id + (rsm_memseg_id_t)i);
	stay();
}

static void import_many(rsm_node_id_t node, rsm_memseg_id_t id, unsigned long count)
{
	rsmapi_controller_handle_t ctrl = pair_controller();
	rsm_memseg_import_handle_t import;

	pair_descriptors(count);
	for (unsigned long i = 0; i < count; i++)
		if (pair_connect(ctrl, node, id + (rsm_memseg_id_t)i, PATIENCE_MS, &import))
			pair_die("cannot connect to segment %lu", i);
	stay();
}

/* The time since @start, which becomes now, if it is the shortest one. */
static void took(uint64_t *best, uint64_t *start)
{
	uint64_t now = pair_now_ns();

	if (now - *start < *best)
		*best = now - *start;
	*start = now;
}

static void must(int err, const char *what)
{
	if (err)
		pair_die("%s: error %d", what, err);
}

static void time_steps(rsm_node_id_t node, rsm_memseg_id_t id, rsm_memseg_id_t own,
		       unsigned long rounds)
{
	rsmapi_controller_handle_t ctrl = pair_controller();
	uint64_t best[STEPS], start;
	rsm_memseg_export_handle_t export;
	rsm_memseg_import_handle_t import;

	memset(best, 0xff, sizeof(best));
	must(rsm_memseg_export_create(ctrl, &export, pair_memory(SEGMENT), SEGMENT, 0), "create");
	for (unsigned long i = 0; i < rounds; i++) {
		start = pair_now_ns();
		must(rsm_memseg_import_connect(ctrl, node, id, RSM_PERM_READ, &import), "connect");
		took(&best[CONNECT], &start);
		must(rsm_memseg_import_disconnect(import), "disconnect");
		took(&best[DISCONNECT], &start);
		must(rsm_memseg_export_publish(export, &own, NULL, 0), "publish");
		took(&best[PUBLISH], &start);
		must(rsm_memseg_export_unpublish(export), "unpublish");
		took(&best[UNPUBLISH], &start);
	}
	for (int i = 0; i < STEPS; i++)
		printf("%s %.2f%c", names[i], (double)best[i] / 1000, i < STEPS - 1 ? ' ' : '\n');
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "export"))
		export_many(pair_number(argv[2], 16), pair_number(argv[3], 10));
	else if (argc == 5 && !strcmp(argv[1], "import"))
		import_many((rsm_node_id_t)pair_number(argv[2], 10), pair_number(argv[3], 16),
			    pair_number(argv[4], 10));
	else if (argc == 6 && !strcmp(argv[1], "time"))
		time_steps((rsm_node_id_t)pair_number(argv[2], 10), pair_number(argv[3], 16),
			   pair_number(argv[4], 16), pair_number(argv[5], 10));
	else
		pair_die("usage: crowd export ID COUNT | import NODE ID COUNT | time NODE ID OWN ROUNDS");
	return 0;
}
