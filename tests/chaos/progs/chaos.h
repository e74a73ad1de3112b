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
 *
 * The threads of a worker share its process, controller and export: one looks
 * at what others have closed, whenever an event says so; one sends; one reads,
 * over imports of its own; the first publishes and takes back.
 *
 * Workers are of different users.  Each has a vault, a segment of one page that
 * some may read, some may not, and nobody writes.  Who may what never changes.
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

enum { CHAOS_PUBLISHER, CHAOS_LOOKER, CHAOS_SENDER, CHAOS_READER, CHAOS_THREADS };

/* In memory shared with the supervisor; only the worker's threads write what they count. */
struct chaos_counts {
	uint64_t alive_ms[CHAOS_THREADS];	/* when each last began a round */
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
	uint64_t denied;	/* accesses to a vault that were refused as they must be */
	uint64_t granted;	/* vaults read by who may, and found right */
	uint64_t breaches;	/* accesses that were not refused, vaults that were written to */
	uint64_t spoil;		/* set by the supervisor: one block has to be wrong */
	uint64_t unlock;	/* set by the supervisor: the vault is open to all */
	uint32_t noted;		/* @what is taken */
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

static inline rsm_memseg_id_t chaos_vault_id(unsigned int worker)
{
	return 0x490000 + worker;
}

/* Workers of one number have one user, on all nodes. */
static inline unsigned int chaos_user(unsigned int worker)
{
	return 2001 + worker % CHAOS_WORKERS;
}

static inline unsigned int chaos_node_of(unsigned int worker)
{
	return 1 + worker / CHAOS_WORKERS;
}

/* What a vault's list has for a node; -1 if it does not name it. */
static inline int chaos_vault_mode(unsigned int worker, unsigned int node)
{
	static const int modes[] = { 0600, 0444, -1, 0400 };

	return modes[(worker + node) % 4];
}

static inline void chaos_count(uint64_t *count)
{
	__atomic_fetch_add(count, 1, __ATOMIC_RELAXED);
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
	bool posted;		/* the exporter has an event for it */
	uint64_t retry_ms;	/* when to try to connect again */
};

void chaos_peer_step(struct chaos_peer *peer, rsmapi_controller_handle_t controller,
		     unsigned int self, uint64_t seed);
void chaos_peer_drop(struct chaos_peer *peer);

/* What spans of accesses came to: 0, RSMERR_BARRIER_FAILURE, RSMERR_CONN_ABORTED. */
int chaos_verdict(int ret, const char *what);
/* Note a call that cannot fail there, but did. */
void chaos_must(int ret, const char *what);
/* Whether a connect may fail so because something has broken. */
bool chaos_broken(int ret);

/* chaosreader.c: a thread that reads boards and tries vaults. */
struct chaos_reader {
	rsmapi_controller_handle_t controller;
	unsigned int self, all;
	const bool *ending;	/* atomic */
};

void *chaos_reader(void *reader);
bool chaos_vault_is_right(const volatile uint64_t *vault, unsigned int worker);

#endif /* TESTS_CHAOS_CHAOS_H */
