// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The reading thread of a worker of rsmchaos: reads the boards of all others by
 * get, and tries their vaults.  Who must not get in is refused at all times,
 * with the same result, whatever else breaks; who may is not.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "chaos.h"

#define PAUSE_NS	3000000
#define VAULT_WORDS	(CHAOS_PAGE / sizeof(uint64_t))

bool chaos_vault_is_right(const volatile uint64_t *vault, unsigned int worker)
{
	for (uint64_t i = 0; i < VAULT_WORDS; i++)
		if (vault[i] != chaos_word(worker, 0, i))
			return false;
	return true;
}

/* Read by get: 0, or why there is nothing to be believed. */
static int read_span(rsm_memseg_import_handle_t import, off_t offset, void *data, size_t bytes)
{
	rsmapi_barrier_t barrier;
	int ret;

	chaos_must(rsm_memseg_import_init_barrier(import, RSM_BAR_DEFAULT, &barrier),
		   "init_barrier");
	ret = chaos_verdict(rsm_memseg_import_get(import, offset, data, bytes), "get");
	chaos_must(rsm_memseg_import_destroy_barrier(&barrier), "destroy_barrier");
	return ret;
}

/* ---- boards ---- */

static void check_board(const struct chaos_board *board, unsigned int worker)
{
	/* What was being changed while it was read proves nothing. */
	if (board->version % 2 || board->version != board->version_too || !board->version)
		return;
	for (uint64_t i = 0; i < CHAOS_BOARD_WORDS; i++) {
		if (board->data[i] == chaos_word(board->seed, board->version, i))
			continue;
		chaos_note(&counts->wrong, "board of %u, version %lu: word %lu is %lx", worker,
			   board->version, i, board->data[i]);
		return;
	}
	chaos_count(&counts->boards);
}

/* An import of its own, kept until the connection ends. */
static void read_board(const struct chaos_reader *reader, unsigned int worker,
		       rsm_memseg_import_handle_t *import)
{
	struct chaos_board board;
	int ret;

	if (!*import) {
		ret = rsm_memseg_import_connect(reader->controller, chaos_node_of(worker),
						chaos_id(worker), RSM_PERM_READ, import);
		if (!ret)
			return;
		*import = NULL;
		if (!chaos_broken(ret))
			chaos_note(&counts->odd, "connect to a board gives %d", ret);
		return;
	}
	ret = read_span(*import, CHAOS_BOARD, &board, sizeof(board));
	if (!ret)
		check_board(&board, worker);
	if (ret == RSMERR_CONN_ABORTED) {
		chaos_must(rsm_memseg_import_disconnect(*import), "disconnect");
		*import = NULL;
	}
}

/* ---- vaults ---- */

/* What connecting to a vault gives as long as nothing is broken. */
static int lawful(unsigned int worker, unsigned int self, rsm_permission_t wish)
{
	int mode = chaos_vault_mode(worker, chaos_node_of(self));
	rsm_permission_t rights;

	if (mode < 0)
		return RSMERR_SEG_NOT_PUBLISHED_TO_NODE;
	rights = (rsm_permission_t)mode;
	if (chaos_user(worker) != chaos_user(self))
		rights <<= 6;	/* what others have, in the place of the owner */
	return wish & ~rights ? RSMERR_PERM_DENIED : RSM_SUCCESS;
}

static void breach(unsigned int worker, const char *what)
{
	chaos_note(&counts->breaches, "%s of worker %u is not refused", what, worker);
}

/* The import may read and no more.  @mapping is that of its page. */
static void try_to_write(rsm_memseg_import_handle_t import, unsigned int worker, void *mapping)
{
	uint64_t word = 0;
	int ret = rsm_memseg_import_put64(import, 0, &word, 1);

	if (!ret)
		breach(worker, "a put to the vault");
	else if (ret != RSMERR_PERM_DENIED)
		chaos_note(&counts->odd, "a forbidden put gives %d", ret);
	else
		chaos_count(&counts->denied);
	/* If the kernel lets it, the owner will see what has become of the vault. */
	if (!mprotect(mapping, CHAOS_PAGE, PROT_READ | PROT_WRITE))
		*(volatile uint64_t *)mapping = 0;
}

static void read_vault(rsm_memseg_import_handle_t import, unsigned int worker)
{
	uint64_t vault[VAULT_WORDS];
	void *mapping = NULL;
	int ret;

	ret = rsm_memseg_import_map(import, &mapping, RSM_MAP_NONE, RSM_PERM_RDWR, 0, CHAOS_PAGE);
	if (!ret) {
		breach(worker, "a mapping to write to the vault");
		chaos_must(rsm_memseg_import_unmap(import), "unmap");
	} else if (ret != RSMERR_BAD_PERMS && ret != RSMERR_CONN_ABORTED) {
		chaos_note(&counts->odd, "a forbidden mapping gives %d", ret);
	}
	ret = rsm_memseg_import_map(import, &mapping, RSM_MAP_NONE, RSM_PERM_READ, 0, CHAOS_PAGE);
	if (ret) {
		if (ret != RSMERR_CONN_ABORTED)
			chaos_note(&counts->odd, "mapping a vault gives %d", ret);
		return;
	}
	try_to_write(import, worker, mapping);
	if (!read_span(import, 0, vault, sizeof(vault))) {
		if (chaos_vault_is_right(vault, worker))
			chaos_count(&counts->granted);
		else
			chaos_note(&counts->wrong, "the vault of %u reads wrong", worker);
	}
	chaos_must(rsm_memseg_import_unmap(import), "unmap");
}

static void try_vault(const struct chaos_reader *reader, unsigned int worker,
		      rsm_permission_t wish)
{
	int law = lawful(worker, reader->self, wish), ret;
	rsm_memseg_import_handle_t import;

	ret = rsm_memseg_import_connect(reader->controller, chaos_node_of(worker),
					chaos_vault_id(worker), wish, &import);
	if (ret) {
		if (ret == law)
			chaos_count(&counts->denied);
		else if (!chaos_broken(ret))
			chaos_note(&counts->odd, "the vault of %u gives %d instead of %d", worker,
				   ret, law);
		return;
	}
	if (law)
		breach(worker, "a connection to the vault");
	else if (wish == RSM_PERM_READ)
		read_vault(import, worker);
	chaos_must(rsm_memseg_import_disconnect(import), "disconnect");
}

void *chaos_reader(void *data)
{
	static const rsm_permission_t wishes[] = { RSM_PERM_READ, RSM_PERM_WRITE, RSM_PERM_RDWR };
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	rsm_memseg_import_handle_t boards[CHAOS_ALL] = { NULL };
	const struct chaos_reader *reader = data;

	for (unsigned int round = 0; !__atomic_load_n(reader->ending, __ATOMIC_RELAXED); round++) {
		unsigned int worker = round % reader->all;

		counts->alive_ms[CHAOS_READER] = chaos_now_ms();
		if (worker != reader->self) {
			read_board(reader, worker, &boards[worker]);
			try_vault(reader, worker, wishes[round / reader->all % 3]);
		}
		nanosleep(&pause, NULL);
	}
	for (unsigned int i = 0; i < reader->all; i++)
		if (boards[i])
			chaos_must(rsm_memseg_import_disconnect(boards[i]), "disconnect");
	return NULL;
}
