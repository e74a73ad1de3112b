/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of rsmchaos share: counts that outlive a killed worker, and
 * the layout of a segment.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * Every worker exports one segment and imports those of all others.  It has a
 * slot of 4 KiB for each worker there is, into which only that one writes:
 *
 *	importer: waits for ack == closed; data, seed and length; order; seq;
 *		  close; if that is good: closed = seq
 *	exporter: closed != ack: all must be as the seed says; ack = closed
 *
 * and a page that the exporter changes and importers read, under a version
 * that is odd while it changes.
 */
#ifndef TESTS_CHAOS_CHAOS_H
#define TESTS_CHAOS_CHAOS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rsm/rsmapi.h>

#define CHAOS_NODES	4
#define CHAOS_WORKERS	2	/* of a node */
#define CHAOS_ALL	(CHAOS_NODES * CHAOS_WORKERS)
#define CHAOS_PAGE	4096
#define CHAOS_WORDS	400	/* of a block, at most */

struct chaos_slot {
	uint64_t ack;		/* written by the exporter */
	uint64_t closed;
	uint64_t seq;
	uint64_t seed;
	uint64_t words;
	uint64_t data[CHAOS_WORDS];
};

#define CHAOS_BOARD_WORDS	256

struct chaos_board {
	uint64_t version;
	uint64_t seed;
	uint64_t data[CHAOS_BOARD_WORDS];
	uint64_t version_too;
};

#define CHAOS_BOARD	(CHAOS_ALL * CHAOS_PAGE)
#define CHAOS_BYTES	(CHAOS_BOARD + CHAOS_PAGE)

_Static_assert(sizeof(struct chaos_slot) <= CHAOS_PAGE, "a slot is a page");
_Static_assert(sizeof(struct chaos_board) <= CHAOS_PAGE, "the board is a page");

/* In memory shared with the supervisor; only the worker writes what it counts. */
struct chaos_counts {
	uint64_t alive_ms;	/* when it last began a round */
	uint64_t blocks;	/* sent and closed well */
	uint64_t acked;		/* of those: the exporter has seen them */
	uint64_t checked;	/* blocks of others found right */
	uint64_t boards;	/* read and found right */
	uint64_t events;	/* taken */
	uint64_t connects;
	uint64_t aborts;	/* connections that ended */
	uint64_t wrong;		/* bytes that are not what they must be */
	uint64_t odd;		/* results that no call may give there */
	uint64_t stalls;	/* blocks nobody acknowledges, though the connection stands */
	uint64_t spoil;		/* set by the supervisor: one block has to be wrong */
	char what[128];		/* about the first wrong or odd one */
};

static inline rsm_memseg_id_t chaos_id(unsigned int worker)
{
	return 0x480000 + worker;
}

static inline uint64_t chaos_word(uint64_t seed, uint64_t seq, uint64_t i)
{
	return (seed ^ seq * 0x9e3779b97f4a7c15ull) + i * 0xbf58476d1ce4e5b9ull;
}

uint64_t chaos_now_ms(void);
void chaos_die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Count what must not happen; the first is described. */
void chaos_note(uint64_t *count, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

extern struct chaos_counts *counts;	/* of this worker */

/* chaosworker.c: all workers of nodes 1..@nodes talk to each other. */
void chaos_worker(unsigned int self, unsigned int nodes) __attribute__((noreturn));

/* chaospeer.c */
struct chaos_peer {
	unsigned int worker;	/* whose segment it is */
	rsm_node_id_t node;
	rsm_memseg_import_handle_t import;	/* NULL: not connected */
	rsmapi_barrier_t barrier;
	volatile uint8_t *mapping;
	uint64_t seq;		/* of the last block */
	uint64_t sent_ms;	/* when it was closed; 0: none is on its way */
	uint64_t retry_ms;	/* when to try to connect again */
	unsigned int steps;
};

void chaos_peer_step(struct chaos_peer *peer, rsmapi_controller_handle_t controller,
		     unsigned int self, uint64_t seed);
void chaos_peer_drop(struct chaos_peer *peer);

#endif /* TESTS_CHAOS_CHAOS_H */
