// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A worker of rsmchaos: exports a segment and a vault, looks at what others write
 * into the one and that nobody has written into the other, takes them back now
 * and then, and writes into the segments of all others.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#define _GNU_SOURCE
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "chaos.h"

#define ROUND_NS	300000
#define CHANGE_MIN_MS	300	/* of what is published, between two times */
#define CHANGE_MS	3000
#define WAIT_MS		200	/* for an event, until it is seen that all has to end */

struct chaos_counts *counts;

static uint8_t *memory;
static uint64_t *vault;
static rsm_memseg_export_handle_t export, vault_export;
static uint64_t seed, version;
static rsmapi_controller_handle_t controller;
static unsigned int self, all;
static bool ending;		/* atomic: set by the first thread, all others end */

static void on_fault(int sig)
{
	chaos_note(&counts->odd, "an access raised signal %d", sig);
	_exit(3);
}

static void publish(void)
{
	rsm_memseg_id_t id = chaos_id(self);

	chaos_must(rsm_memseg_export_publish(export, &id, NULL, 0), "publish");
}

/* ---- the vault ---- */

/* Two lists that mean the same; a node's group is the owner's alone. */
static uint_t vault_list(rsmapi_access_entry_t list[CHAOS_NODES], int group)
{
	uint_t n = 0;

	for (unsigned int node = 1; node <= all / CHAOS_WORKERS && !counts->unlock; node++) {
		int mode = chaos_vault_mode(self, node);

		if (mode < 0)
			continue;
		list[n].ae_node = node;
		list[n].ae_permission = (rsm_permission_t)(mode | group);
		n++;
	}
	return n;
}

/* Until all nodes that the list names have been seen once, it cannot be published. */
static bool publish_vault(void)
{
	rsmapi_access_entry_t list[CHAOS_NODES];
	rsm_memseg_id_t id = chaos_vault_id(self);
	int ret = rsm_memseg_export_publish(vault_export, &id, list, vault_list(list, 0));

	if (ret && ret != RSMERR_INTERNAL_ERROR)
		chaos_note(&counts->odd, "publishing a vault gives %d", ret);
	return !ret;
}

/* Take a segment back and offer it again, or offer the vault by another list. */
static void change_offers(bool *vault_is_published)
{
	rsmapi_access_entry_t list[CHAOS_NODES];

	if (!*vault_is_published) {
		*vault_is_published = publish_vault();
		return;
	}
	switch (random() % 4) {
	case 0:
		chaos_must(rsm_memseg_export_unpublish(export), "unpublish");
		publish();
		break;
	case 1:
		chaos_must(rsm_memseg_export_unpublish(vault_export), "unpublish a vault");
		*vault_is_published = publish_vault();
		break;
	default:
		chaos_must(rsm_memseg_export_republish(vault_export, list,
						       vault_list(list, random() % 2 ? 0020 : 0)),
			   "republish");
	}
}

/* ---- blocks, boards ---- */

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
	chaos_count(&counts->checked);
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

/* ---- threads ---- */

static bool goes_on(int thread)
{
	counts->alive_ms[thread] = chaos_now_ms();
	return !__atomic_load_n(&ending, __ATOMIC_RELAXED);
}

/* Looks when there is an event, and only then: one that is lost is a block without an answer. */
static void *looker(void *unused)
{
	int ret;

	(void)unused;
	while (goes_on(CHAOS_LOOKER)) {
		ret = rsm_intr_signal_wait(export, WAIT_MS);
		if (!chaos_vault_is_right(vault, self))
			chaos_note(&counts->breaches, "the vault of %u was written to", self);
		if (ret) {
			if (ret != RSMERR_TIMEOUT)
				chaos_note(&counts->odd, "signal_wait gives %d", ret);
			continue;
		}
		chaos_count(&counts->events);
		for (unsigned int i = 0; i < all; i++)
			look_at(i);
	}
	return NULL;
}

static void *sender(void *unused)
{
	const struct timespec pause = { .tv_nsec = ROUND_NS };
	struct chaos_peer peers[CHAOS_ALL] = { 0 };

	(void)unused;
	for (unsigned int i = 0; i < all; i++) {
		peers[i].worker = i;
		peers[i].node = chaos_node_of(i);
		peers[i].seq = seed >> 8;
	}
	while (goes_on(CHAOS_SENDER)) {
		for (unsigned int i = 0; i < all; i++)
			if (i != self)
				chaos_peer_step(&peers[i], controller, self, seed);
		nanosleep(&pause, NULL);
	}
	for (unsigned int i = 0; i < all; i++)
		chaos_peer_drop(&peers[i]);
	return NULL;
}

static uint64_t next_change(void)
{
	return chaos_now_ms() + CHANGE_MIN_MS + (uint64_t)random() % CHANGE_MS;
}

/* The first thread, until it is told to end. */
static void publisher(const sigset_t *term)
{
	const struct timespec pause = { .tv_nsec = 10 * ROUND_NS };
	bool vault_is_published = publish_vault();
	uint64_t next = next_change();

	while (sigtimedwait(term, NULL, &pause) != SIGTERM) {
		counts->alive_ms[CHAOS_PUBLISHER] = chaos_now_ms();
		change_board();
		if (counts->unlock == 1 && vault_is_published) {
			counts->unlock = 2;
			chaos_must(rsm_memseg_export_republish(vault_export, NULL, 0), "unlock");
		}
		if (chaos_now_ms() > next) {
			change_offers(&vault_is_published);
			next = next_change();
		}
	}
	__atomic_store_n(&ending, true, __ATOMIC_RELAXED);
}

static void become(uid_t user)
{
	if (setgroups(0, NULL) || setresgid(user, user, user) || setresuid(user, user, user))
		chaos_die("cannot become user %u", user);
	umask(0);
}

static void prepare(sigset_t *term)
{
	char name[] = "sci0";

	/* Blocked: no call is to be interrupted by the order to end. */
	sigemptyset(term);
	sigaddset(term, SIGTERM);
	sigprocmask(SIG_BLOCK, term, NULL);
	signal(SIGBUS, on_fault);
	signal(SIGSEGV, on_fault);
	become(chaos_user(self));
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		chaos_die("no seed");
	srandom((unsigned int)seed);
	memory = mmap(NULL, CHAOS_BYTES + CHAOS_PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	vault = (void *)(memory + CHAOS_BYTES);
	if (memory == MAP_FAILED || rsm_get_controller(name, &controller) ||
	    rsm_memseg_export_create(controller, &export, memory, CHAOS_BYTES, 0) ||
	    rsm_memseg_export_create(controller, &vault_export, vault, CHAOS_PAGE, 0))
		chaos_die("cannot begin");
	for (uint64_t i = 0; i < CHAOS_PAGE / sizeof(*vault); i++)
		vault[i] = chaos_word(self, 0, i);
}

void chaos_worker(unsigned int number, unsigned int nodes)
{
	struct chaos_reader reader = { .ending = &ending };
	pthread_t threads[3];
	sigset_t term;

	self = number;
	all = nodes * CHAOS_WORKERS;
	prepare(&term);
	change_board();
	publish();
	reader.controller = controller;
	reader.self = self;
	reader.all = all;
	if (pthread_create(&threads[0], NULL, looker, NULL) ||
	    pthread_create(&threads[1], NULL, sender, NULL) ||
	    pthread_create(&threads[2], NULL, chaos_reader, &reader))
		chaos_die("no threads");
	publisher(&term);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	chaos_must(rsm_memseg_export_destroy(export), "destroy");
	chaos_must(rsm_memseg_export_destroy(vault_export), "destroy a vault");
	_exit(0);
}
