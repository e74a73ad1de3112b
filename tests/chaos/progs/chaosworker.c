// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A worker of rsmchaos: exports a segment, looks at what others write into it,
 * now and then takes it back, and writes into the segments of all others.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "chaos.h"

#define ROUND_NS	300000
#define WITHDRAW_MIN_MS	1000	/* of a segment, between two times */
#define WITHDRAW_MS	8000

struct chaos_counts *counts;

static uint8_t *memory;
static rsm_memseg_export_handle_t export;
static uint64_t seed, version;

static void on_fault(int sig)
{
	chaos_note(&counts->odd, "an access raised signal %d", sig);
	_exit(3);
}

static void publish(unsigned int self)
{
	rsm_memseg_id_t id = chaos_id(self);
	int ret = rsm_memseg_export_publish(export, &id, NULL, 0);

	if (ret)
		chaos_note(&counts->odd, "publish gives %d", ret);
}

static void withdraw(void)
{
	int ret = rsm_memseg_export_unpublish(export);

	if (ret)
		chaos_note(&counts->odd, "unpublish gives %d", ret);
}

/* Hold an importer to what it has closed. */
static void look_at(unsigned int from)
{
	volatile struct chaos_slot *slot = (volatile void *)(memory + from * CHAOS_PAGE);
	uint64_t closed = slot->closed;

	if (closed == slot->ack)
		return;
	/* Pairs with the importer's barrier: what it closed is there. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (slot->seq != closed || slot->words == 0 || slot->words > CHAOS_WORDS)
		chaos_note(&counts->wrong, "block %lu of %u: seq %lu words %lu", closed, from,
			   slot->seq, slot->words);
	for (uint64_t i = 0; i < slot->words && i < CHAOS_WORDS; i++) {
		if (slot->data[i] == chaos_word(slot->seed, closed, i))
			continue;
		chaos_note(&counts->wrong, "block %lu of %u: word %lu is %lx", closed, from, i,
			   slot->data[i]);
		break;
	}
	counts->checked++;
	slot->ack = closed;
}

static void change_board(void)
{
	volatile struct chaos_board *board = (volatile void *)(memory + CHAOS_BOARD);

	/* Odd versions are not believed; both are odd until the data are there. */
	board->version = version + 1;
	board->version_too = version + 1;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	version += 2;
	board->seed = seed;
	for (uint64_t i = 0; i < CHAOS_BOARD_WORDS; i++)
		board->data[i] = chaos_word(seed, version, i);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	board->version_too = version;
	board->version = version;
}

static void take_events(void)
{
	int ret;

	while (!(ret = rsm_intr_signal_wait(export, 0)))
		counts->events++;
	if (ret != RSMERR_TIMEOUT)
		chaos_note(&counts->odd, "signal_wait gives %d", ret);
}

static void round_of(struct chaos_peer *peers, unsigned int all,
		     rsmapi_controller_handle_t controller, unsigned int self)
{
	counts->alive_ms = chaos_now_ms();
	for (unsigned int i = 0; i < all; i++) {
		look_at(i);
		if (i != self)
			chaos_peer_step(&peers[i], controller, self, seed);
	}
	take_events();
	change_board();
}

static rsmapi_controller_handle_t prepare(sigset_t *term)
{
	rsmapi_controller_handle_t controller;
	char name[] = "sci0";

	/* Blocked: no call is to be interrupted by the order to end. */
	sigemptyset(term);
	sigaddset(term, SIGTERM);
	sigprocmask(SIG_BLOCK, term, NULL);
	signal(SIGBUS, on_fault);
	signal(SIGSEGV, on_fault);
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		chaos_die("no seed");
	srandom((unsigned int)seed);
	memory = mmap(NULL, CHAOS_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		      0);
	if (memory == MAP_FAILED || rsm_get_controller(name, &controller) ||
	    rsm_memseg_export_create(controller, &export, memory, CHAOS_BYTES, 0))
		chaos_die("cannot begin");
	return controller;
}

void chaos_worker(unsigned int self, unsigned int nodes)
{
	const struct timespec pause = { .tv_nsec = ROUND_NS };
	struct chaos_peer peers[CHAOS_ALL] = { 0 };
	rsmapi_controller_handle_t controller;
	sigset_t term;
	uint64_t next;

	controller = prepare(&term);
	change_board();
	publish(self);
	for (unsigned int i = 0; i < nodes * CHAOS_WORKERS; i++) {
		peers[i].worker = i;
		peers[i].node = 1 + i / CHAOS_WORKERS;
		peers[i].seq = seed >> 8;
	}
	next = chaos_now_ms() + WITHDRAW_MIN_MS + (uint64_t)random() % WITHDRAW_MS;
	while (sigtimedwait(&term, NULL, &pause) != SIGTERM) {
		round_of(peers, nodes * CHAOS_WORKERS, controller, self);
		if (chaos_now_ms() > next) {
			withdraw();
			publish(self);
			next = chaos_now_ms() + WITHDRAW_MIN_MS + (uint64_t)random() % WITHDRAW_MS;
		}
	}
	for (unsigned int i = 0; i < nodes * CHAOS_WORKERS; i++)
		chaos_peer_drop(&peers[i]);
	if (rsm_memseg_export_destroy(export))
		chaos_note(&counts->odd, "destroy fails");
	_exit(0);
}
