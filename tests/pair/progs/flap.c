// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Traffic over a link that goes down and up: what a span that closed without
 * error has stored must be at the exporter.
 *
 * Usage: flap export CONTROLLER ID	"claims N ends N violations N" at SIGTERM
 *	  flap import CONTROLLER ID NODE	"rounds N good N aborts N failures N" likewise
 *
 * In round r the importer stores r to all words of block r % BLOCKS in a span
 * of its own.  If it closes, the importer claims so in another word.  A block may
 * hold a later round by the time the exporter looks, but no earlier one.  A claim
 * over a connection that has just ended does not get through; so the last round
 * that was good is claimed again over the next one, and nothing is stored before
 * the exporter has looked.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pairprog.h"

#define BLOCKS		64
#define BLOCK_WORDS	256

/* Indices of words, each on a line of its own */
#define CLAIM		(BLOCKS * BLOCK_WORDS)
#define LAST		(CLAIM + 8)	/* claimed again after a connection */
#define SEEN		(CLAIM + 16)	/* the exporter: LAST has been looked at */
#define SEGMENT		((CLAIM + 512) * sizeof(uint64_t))

static volatile sig_atomic_t stop;

static void on_term(int sig)
{
	(void)sig;
	stop = 1;
}

static void on_fault(int sig)
{
	static const char text[] = "an access raised a signal\n";
	ssize_t n = write(STDOUT_FILENO, text, sizeof(text) - 1);

	(void)sig;
	(void)n;
	_exit(3);
}

static unsigned long check(const volatile uint64_t *block, uint64_t claim)
{
	unsigned long bad = 0;

	for (unsigned int i = 0; i < BLOCK_WORDS; i++)
		bad += block[i] < claim || (block[i] - claim) % BLOCKS;
	return bad;
}

static int run_export(rsmapi_controller_handle_t ctrl, rsm_memseg_id_t id)
{
	volatile uint64_t *mem = pair_memory(SEGMENT);
	unsigned long claims = 0, ends = 0, violations = 0;
	uint64_t last = 0;

	pair_export(ctrl, (void *)mem, SEGMENT, id);
	while (!stop) {
		/* Pairs with the end of the importer's span. */
		uint64_t claim = __atomic_load_n(&mem[CLAIM], __ATOMIC_ACQUIRE);

		if (claim != last) {
			violations += check(&mem[claim % BLOCKS * BLOCK_WORDS], claim);
			last = claim;
			claims++;
		}
		claim = __atomic_load_n(&mem[LAST], __ATOMIC_ACQUIRE);
		if (claim != mem[SEEN]) {
			violations += check(&mem[claim % BLOCKS * BLOCK_WORDS], claim);
			__atomic_store_n(&mem[SEEN], claim, __ATOMIC_RELEASE);
			ends++;
		}
	}
	printf("claims %lu ends %lu violations %lu\n", claims, ends, violations);
	return 0;
}

struct link {
	rsm_memseg_import_handle_t im;
	rsmapi_barrier_t bar;
	volatile uint64_t *mem;
};

static int link_open(struct link *l, rsmapi_controller_handle_t ctrl, rsm_node_id_t node,
		     rsm_memseg_id_t id)
{
	void *mem = NULL;

	/* A short time, for SIGTERM is looked for between two tries. */
	if (pair_connect(ctrl, node, id, 100, &l->im))
		return 0;
	if (rsm_memseg_import_map(l->im, &mem, RSM_MAP_NONE, RSM_PERM_RDWR, 0, SEGMENT) ||
	    rsm_memseg_import_init_barrier(l->im, RSM_BAR_DEFAULT, &l->bar)) {
		if (mem)
			rsm_memseg_import_unmap(l->im);
		rsm_memseg_import_disconnect(l->im);
		return 0;
	}
	l->mem = mem;
	return 1;
}

static void link_close(struct link *l)
{
	if (l->mem && (rsm_memseg_import_destroy_barrier(&l->bar) ||
		       rsm_memseg_import_unmap(l->im) || rsm_memseg_import_disconnect(l->im)))
		pair_die("cannot disconnect");
	l->mem = NULL;
}

/* One span: what closing it says. */
static int link_store(struct link *l, uint64_t round)
{
	volatile uint64_t *block = &l->mem[round % BLOCKS * BLOCK_WORDS];

	if (rsm_memseg_import_open_barrier(&l->bar))
		pair_die("open_barrier failed");
	for (unsigned int i = 0; i < BLOCK_WORDS; i++)
		block[i] = round;
	return rsm_memseg_import_close_barrier(&l->bar);
}

/* Claim the last good round again; 0 if this connection ends, too. */
static int link_claim(struct link *l, uint64_t round)
{
	while (!stop && __atomic_load_n(&l->mem[SEEN], __ATOMIC_ACQUIRE) != round) {
		if (rsm_memseg_import_open_barrier(&l->bar))
			pair_die("open_barrier failed");
		__atomic_store_n(&l->mem[LAST], round, __ATOMIC_RELEASE);
		if (rsm_memseg_import_close_barrier(&l->bar) == RSMERR_CONN_ABORTED)
			return 0;
	}
	return 1;
}

static int run_import(rsmapi_controller_handle_t ctrl, rsm_memseg_id_t id, rsm_node_id_t node)
{
	unsigned long good = 0, aborts = 0, failures = 0;
	struct link l = { 0 };
	uint64_t round = 0, last = 0;

	while (!stop) {
		int err;

		if (!l.mem) {
			if (!link_open(&l, ctrl, node, id))
				continue;
			if (!link_claim(&l, last)) {
				link_close(&l);
				continue;
			}
		}
		err = link_store(&l, ++round);
		if (err == 0) {
			good++;
			last = round;
			__atomic_store_n(&l.mem[CLAIM], round, __ATOMIC_RELEASE);
		} else if (err == RSMERR_CONN_ABORTED) {
			aborts++;
			link_close(&l);
		} else if (err == RSMERR_BARRIER_FAILURE) {
			failures++;
		} else {
			pair_die("close_barrier: error %d", err);
		}
	}
	link_close(&l);
	printf("rounds %lu good %lu aborts %lu failures %lu\n", (unsigned long)round, good, aborts,
	       failures);
	return 0;
}

int main(int argc, char **argv)
{
	rsmapi_controller_handle_t ctrl;
	rsm_memseg_id_t id;

	if (argc < 4)
		pair_die("usage: flap export|import CONTROLLER ID [NODE]");
	signal(SIGTERM, on_term);
	signal(SIGBUS, on_fault);
	signal(SIGSEGV, on_fault);
	if (rsm_get_controller(argv[2], &ctrl))
		pair_die("no controller %s", argv[2]);
	id = pair_number(argv[3], 16);
	if (!strcmp(argv[1], "export"))
		return run_export(ctrl, id);
	if (argc != 5)
		pair_die("flap import needs a node");
	return run_import(ctrl, id, pair_number(argv[4], 10));
}
