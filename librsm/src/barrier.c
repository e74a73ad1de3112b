// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Barriers: whether a span of accesses to an import was good, without asking
 * the kernel while nothing happened.  Two things are watched: the generation
 * word, which the agent raises when the connection ends, and the path state,
 * which the adapter changes before any access can go astray.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * An rsmapi_barrier_t is the program's, which may copy it.  So it does not
 * point to what belongs to it here, but names it: the name of a barrier that was
 * destroyed, or whose import was disconnected, is never used again (in a program of
 * 32 bits not by any of the next 65535 barriers).
 */
#include <stdlib.h>

#include "library.h"
#include "span.h"

#define CHUNK_BARRIERS	64
/* What is left of a pointer's bits tells barriers of the same index apart. */
#define CHUNKS		(sizeof(uintptr_t) < sizeof(uint64_t) ? 1024 : 16384)
#define BARRIERS_MAX	((uintptr_t)CHUNK_BARRIERS * CHUNKS)

struct rsm_barrier {
	uintptr_t name;		/* atomic; modulo BARRIERS_MAX its index, see free_name() if free */
	uintptr_t index;
	rsm_memseg_import_handle_t import;
	struct rsm_barrier *next;	/* of the import, or free */
	struct rsm_barrier_span span;	/* of the thread that uses the barrier */
};

/* Guards the lists; the chunks stay, so that a name can be looked up without it. */
static pthread_mutex_t *const lock = &rsm_locks[RSM_LOCK_BARRIERS];
static uintptr_t chunks[CHUNKS];	/* atomic; each its distance from the first */
static struct rsm_barrier first_chunk[CHUNK_BARRIERS] = { { .name = 1 } };	/* never used */
static struct rsm_barrier *unused;
static uintptr_t used_chunks = 1, names;

/*
 * No barrier has this name that is looked up at @index, in whichever chunk.  So a chunk
 * that is not there is looked up in the first one, and nothing else need be tested.
 */
static uintptr_t free_name(uintptr_t index)
{
	return index % CHUNK_BARRIERS == 0;
}

static bool chunk_add_locked(void)
{
	struct rsm_barrier *chunk;

	if (used_chunks == CHUNKS)
		return false;
	chunk = calloc(CHUNK_BARRIERS, sizeof(*chunk));
	if (!chunk)
		return false;
	for (uintptr_t i = CHUNK_BARRIERS; i-- > 0;) {
		chunk[i].index = used_chunks * CHUNK_BARRIERS + i;
		chunk[i].name = free_name(i);
		chunk[i].next = unused;
		unused = &chunk[i];
	}
	/* Pairs with barrier_find(). */
	__atomic_store_n(&chunks[used_chunks++], (uintptr_t)chunk - (uintptr_t)first_chunk,
			 __ATOMIC_RELEASE);
	return true;
}

static struct rsm_barrier *barrier_new(rsm_memseg_import_handle_t import)
{
	struct rsm_barrier *barrier = NULL;

	pthread_mutex_lock(lock);
	if (unused || chunk_add_locked()) {
		barrier = unused;
		unused = barrier->next;
		barrier->import = import;
		barrier->span.open = false;
		barrier->next = import->barriers;
		__atomic_store_n(&import->barriers, barrier, __ATOMIC_RELAXED);
		/* Pairs with barrier_find(). */
		__atomic_store_n(&barrier->name, ++names * BARRIERS_MAX + barrier->index,
				 __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(lock);
	return barrier;
}

static void barrier_remove_locked(struct rsm_barrier **link)
{
	struct rsm_barrier *barrier = *link;

	__atomic_store_n(&barrier->name, free_name(barrier->index), __ATOMIC_RELAXED);
	__atomic_store_n(link, barrier->next, __ATOMIC_RELAXED);
	barrier->next = unused;
	unused = barrier;
}

void rsm_barriers_end(rsm_memseg_import_handle_t import)
{
	pthread_mutex_lock(lock);
	while (import->barriers)
		barrier_remove_locked(&import->barriers);
	pthread_mutex_unlock(lock);
}

/* What @barrier names, false if that is not there (any more); nothing is believed of it. */
static inline bool barrier_find(const rsmapi_barrier_t *barrier, struct rsm_barrier **found)
{
	uintptr_t name = (uintptr_t)barrier->privdata, index = name % BARRIERS_MAX;
	uintptr_t chunk = __atomic_load_n(&chunks[index / CHUNK_BARRIERS], __ATOMIC_ACQUIRE);

	*found = (struct rsm_barrier *)((uintptr_t)first_chunk + chunk) + index % CHUNK_BARRIERS;
	return __atomic_load_n(&(*found)->name, __ATOMIC_ACQUIRE) == name;
}

static int barrier_refused(const rsmapi_barrier_t *barrier)
{
	return barrier ? RSMERR_BARRIER_UNINITIALIZED : RSMERR_BAD_BARRIER_PTR;
}

/* Something is not as it was; if the path state moved, the agent knows whom that concerns. */
int rsm_span_judge(rsm_memseg_import_handle_t import, const struct rsm_barrier_span *span)
{
	struct rsm_path_link now;
	int ret;

	if (rsm_barrier_aborted(import))
		return RSMERR_CONN_ABORTED;
	if (!span->open)
		return RSMERR_BARRIER_NOT_OPENED;
	if (!import->status_page)
		return RSM_SUCCESS;
	/* Before the agent is asked: what happens later is not in its answer. */
	rsm_import_path_read(import, &now);
	ret = rsm_segment_check(&import->segment);
	if (ret)
		return ret == RSMERR_CONN_ABORTED ? ret : RSMERR_BARRIER_FAILURE;
	__atomic_store_n(&import->good_changes, now.changes, __ATOMIC_RELAXED);
	__atomic_store_n(&import->good_revokes, now.revokes, __ATOMIC_RELAXED);
	if (now.errors != span->errors || now.changes != span->changes)
		return RSMERR_BARRIER_FAILURE;
	return RSM_SUCCESS;
}

int rsm_memseg_import_init_barrier(rsm_memseg_import_handle_t im_memseg, rsm_barrier_type_t type,
				   rsmapi_barrier_t *barrier)
{
	struct rsm_barrier *new;

	(void)type;
	if (!rsm_import_valid(im_memseg))
		return RSMERR_BAD_SEG_HNDL;
	if (!barrier)
		return RSMERR_BAD_BARRIER_PTR;
	new = barrier_new(im_memseg);
	if (!new)
		return RSMERR_INSUFFICIENT_MEM;

	barrier->seg = im_memseg;
	barrier->gnum = im_memseg->generation;
	barrier->privdata = (void *)new->name;
	return RSM_SUCCESS;
}

int rsm_memseg_import_open_barrier(rsmapi_barrier_t *barrier)
{
	struct rsm_barrier *found;

	if (RSM_UNLIKELY(!barrier || !barrier_find(barrier, &found)))
		return barrier_refused(barrier);
	rsm_span_open(found->import, &found->span);
	return RSM_SUCCESS;
}

int rsm_memseg_import_order_barrier(rsmapi_barrier_t *barrier)
{
	struct rsm_barrier *found;

	if (RSM_UNLIKELY(!barrier || !barrier_find(barrier, &found)))
		return barrier_refused(barrier);
	return rsm_span_order(found->import, &found->span);
}

int rsm_memseg_import_close_barrier(rsmapi_barrier_t *barrier)
{
	struct rsm_barrier *found;

	if (RSM_UNLIKELY(!barrier || !barrier_find(barrier, &found)))
		return barrier_refused(barrier);
	return rsm_span_close(found->import, &found->span);
}

int rsm_memseg_import_destroy_barrier(rsmapi_barrier_t *barrier)
{
	int ret = RSMERR_BARRIER_UNINITIALIZED;
	struct rsm_barrier *found, **link;

	if (!barrier)
		return RSMERR_BAD_BARRIER_PTR;

	pthread_mutex_lock(lock);
	if (barrier_find(barrier, &found)) {
		link = &found->import->barriers;
		while (*link != found)
			link = &(*link)->next;
		barrier_remove_locked(link);
		ret = RSM_SUCCESS;
	}
	pthread_mutex_unlock(lock);
	if (!ret)
		*barrier = (rsmapi_barrier_t){ 0 };
	return ret;
}

int rsm_memseg_import_set_mode(rsm_memseg_import_handle_t im_memseg, rsm_barrier_mode_t mode)
{
	if (!rsm_import_valid(im_memseg))
		return RSMERR_BAD_SEG_HNDL;
	if (mode != RSM_BARRIER_MODE_EXPLICIT && mode != RSM_BARRIER_MODE_IMPLICIT)
		return RSMERR_BAD_MODE;
	__atomic_store_n(&im_memseg->mode, mode, __ATOMIC_RELAXED);
	return RSM_SUCCESS;
}

int rsm_memseg_import_get_mode(rsm_memseg_import_handle_t im_memseg, rsm_barrier_mode_t *mode)
{
	if (!rsm_import_valid(im_memseg))
		return RSMERR_BAD_SEG_HNDL;
	if (!mode)
		return RSMERR_BAD_ADDR;
	*mode = __atomic_load_n(&im_memseg->mode, __ATOMIC_RELAXED);
	return RSM_SUCCESS;
}
