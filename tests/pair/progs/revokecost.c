// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What it costs to take a page back from all nodes, and a node that commits
 * mappings without pause meanwhile.
 *
 * Usage: revokecost revoke ID ROUNDS		publish a page and unpublish it
 *	  revokecost serve ID			a segment for the other node to map
 *	  revokecost commit NODE ID		map and unmap that, until SIGTERM
 * Output of revoke: "unpublish p50 M p99 N" (microseconds); of serve: "ready"; of commit:
 * "ready", and at the end "commits N".
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "pairprog.h"

#define SEGMENT		4096UL
#define ROUNDS_MAX	100000UL

static volatile sig_atomic_t stop;

static void on_term(int sig)
{
	(void)sig;
	stop = 1;
}

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
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
	qsort(took, rounds, sizeof(*took), by_value);
	printf("unpublish p50 %.0f p99 %.0f\n", took[rounds / 2], took[rounds * 99 / 100]);
}

static void serve(rsm_memseg_id_t id)
{
	pair_export(pair_controller(), pair_memory(SEGMENT), SEGMENT, id);
	printf("ready\n");
	fflush(stdout);
	pause();
}

static void commit(rsm_node_id_t node, rsm_memseg_id_t id)
{
	rsmapi_controller_handle_t ctrl = pair_controller();
	rsm_memseg_import_handle_t im;
	unsigned long commits = 0;
	int err;

	signal(SIGTERM, on_term);
	while (!stop) {
		volatile char *page = pair_import(ctrl, node, id, SEGMENT, &im);

		*page = 1;
		err = rsm_memseg_import_unmap(im);
		if (!err)
			err = rsm_memseg_import_disconnect(im);
		if (err)
			pair_die("unmap and disconnect: error %d", err);
		commits += 2;
		if (commits == 2) {
			printf("ready\n");
			fflush(stdout);
		}
	}
	printf("commits %lu\n", commits);
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "revoke"))
		take_back(pair_number(argv[2], 16), pair_number(argv[3], 10));
	else if (argc == 3 && !strcmp(argv[1], "serve"))
		serve(pair_number(argv[2], 16));
	else if (argc == 4 && !strcmp(argv[1], "commit"))
		commit(pair_number(argv[2], 10), pair_number(argv[3], 16));
	else
		pair_die("usage: revokecost revoke ID ROUNDS | serve ID | commit NODE ID");
	return 0;
}
