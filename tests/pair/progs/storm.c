// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An importer without manners: it stores its marker to the last word of every
 * page of every segment it ever mapped, without pause, also long after the
 * exporter took the segment back.  When a connection ends it asks for the
 * same id again.
 *
 * Usage: storm NODE ID BYTES MARKER MILLISECONDS
 * Ends with SIGTERM or after the time.  Output: "stores N connects N aborts N";
 * exits with 3 if a store raised a signal.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "pairprog.h"

#define MAPS	64		/* the oldest is given up when all are in use */
#define PAGE	4096UL
#define PASSES	16		/* over all pages between two looks at the connection */

struct map {
	rsm_memseg_import_handle_t im;
	rsmapi_barrier_t bar;
	volatile uint64_t *mem;
	int aborted;
};

static volatile sig_atomic_t stop;

static void on_term(int sig)
{
	(void)sig;
	stop = 1;
}

static void on_fault(int sig)
{
	static const char text[] = "a store raised a signal\n";
	ssize_t n = write(STDOUT_FILENO, text, sizeof(text) - 1);

	(void)sig;
	(void)n;
	_exit(3);
}

static int map_open(struct map *m, rsmapi_controller_handle_t ctrl, rsm_node_id_t node,
		    rsm_memseg_id_t id, size_t bytes)
{
	void *mem = NULL;

	if (rsm_memseg_import_connect(ctrl, node, id, RSM_PERM_RDWR, &m->im))
		return 0;
	if (rsm_memseg_import_map(m->im, &mem, RSM_MAP_NONE, RSM_PERM_RDWR, 0, bytes)) {
		/* The exporter was faster and took it back. */
		rsm_memseg_import_disconnect(m->im);
		return 0;
	}
	if (rsm_memseg_import_init_barrier(m->im, RSM_BARRIER_NODE, &m->bar) ||
	    rsm_memseg_import_open_barrier(&m->bar))
		pair_die("cannot open a barrier");
	m->mem = mem;
	m->aborted = 0;
	return 1;
}

static void map_close(struct map *m)
{
	if (!m->mem)
		return;
	if (rsm_memseg_import_destroy_barrier(&m->bar) || rsm_memseg_import_unmap(m->im) ||
	    rsm_memseg_import_disconnect(m->im))
		pair_die("cannot disconnect");
	m->mem = NULL;
}

static unsigned long map_store(struct map *m, size_t bytes, uint64_t marker)
{
	if (!m->mem)
		return 0;
	for (size_t off = PAGE - 8; off < bytes; off += PAGE)
		m->mem[off / 8] = marker;
	return bytes / PAGE;
}

/* Whether the connection has just ended. */
static int map_ended(struct map *m)
{
	int err = rsm_memseg_import_close_barrier(&m->bar);

	if (!err && !rsm_memseg_import_open_barrier(&m->bar))
		return 0;
	m->aborted = 1;
	return 1;
}

int main(int argc, char **argv)
{
	static struct map maps[MAPS];
	unsigned long stores = 0, connects = 0, aborts = 0;
	rsmapi_controller_handle_t ctrl;
	unsigned int current = 0;
	uint64_t marker, deadline;
	rsm_memseg_id_t id;
	rsm_node_id_t node;
	size_t bytes;

	if (argc != 6)
		pair_die("usage: storm NODE ID BYTES MARKER MILLISECONDS");
	node = pair_number(argv[1], 10);
	id = pair_number(argv[2], 16);
	bytes = pair_number(argv[3], 10);
	marker = pair_number(argv[4], 16);
	deadline = pair_now_ms() + pair_number(argv[5], 10);
	signal(SIGTERM, on_term);
	signal(SIGBUS, on_fault);
	signal(SIGSEGV, on_fault);
	ctrl = pair_controller();

	while (!stop && pair_now_ms() < deadline) {
		struct map *m = &maps[current];

		if (!m->mem || m->aborted) {
			struct map *next = &maps[(current + 1) % MAPS];

			map_close(next);
			if (map_open(next, ctrl, node, id, bytes)) {
				current = (current + 1) % MAPS;
				connects++;
			}
		}
		for (unsigned int pass = 0; pass < PASSES; pass++)
			for (unsigned int i = 0; i < MAPS; i++)
				stores += map_store(&maps[i], bytes, marker);
		m = &maps[current];
		if (m->mem && !m->aborted && map_ended(m))
			aborts++;
	}
	for (unsigned int i = 0; i < MAPS; i++)
		map_close(&maps[i]);
	printf("stores %lu connects %lu aborts %lu\n", stores, connects, aborts);
	return 0;
}
