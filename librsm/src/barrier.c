// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Barriers: whether a span of accesses to an import was good, without asking
 * the kernel while nothing happened.  Two things are watched: the generation
 * word, which the agent raises when the connection ends, and the path state,
 * which the adapter changes before any access can go astray.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <stdlib.h>

#include "library.h"

/*
 * Complete all stores and loads before, of whatever memory type, before any
 * that follows.  The partner is the adapter, which raises the counts of the
 * path state, and the agent, which raises the generation word.
 */
void rsm_barrier_fence(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
#if defined(__x86_64__)
	__builtin_ia32_mfence();
#endif
}

bool rsm_barrier_aborted(rsm_memseg_import_handle_t import)
{
	return __atomic_load_n(import->generation_word, __ATOMIC_RELAXED) != import->generation;
}

/* The path state moved: the agent knows whether that concerns this connection. */
static int barrier_ask(rsm_memseg_import_handle_t import, const struct rsm_barrier_span *span,
		       const struct rsm_path_link *now)
{
	int ret = rsm_import_check(import);

	if (ret)
		return ret == RSMERR_CONN_ABORTED ? ret : RSMERR_BARRIER_FAILURE;
	__atomic_store_n(&import->good_changes, now->changes, __ATOMIC_RELAXED);
	__atomic_store_n(&import->good_revokes, now->revokes, __ATOMIC_RELAXED);
	if (now->errors != span->errors || now->changes != span->changes)
		return RSMERR_BARRIER_FAILURE;
	return RSM_SUCCESS;
}

static int barrier_order(rsm_memseg_import_handle_t import, const struct rsm_barrier_span *span)
{
	struct rsm_path_link now;

	rsm_barrier_fence();
	if (rsm_barrier_aborted(import))
		return RSMERR_CONN_ABORTED;
	if (!span->open)
		return RSMERR_BARRIER_NOT_OPENED;
	if (!import->path)
		return RSM_SUCCESS;

	rsm_import_path_read(import, &now);
	if (now.errors == span->errors &&
	    now.changes == __atomic_load_n(&import->good_changes, __ATOMIC_RELAXED) &&
	    now.revokes == __atomic_load_n(&import->good_revokes, __ATOMIC_RELAXED))
		return RSM_SUCCESS;
	return barrier_ask(import, span, &now);
}

void rsm_span_open(rsm_memseg_import_handle_t import, struct rsm_barrier_span *span)
{
	struct rsm_path_link now;

	if (import->path) {
		rsm_import_path_read(import, &now);
		span->changes = now.changes;
		span->errors = now.errors;
	}
	span->open = true;
	/* The counts are read before the first access of the span. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
}

int rsm_span_close(rsm_memseg_import_handle_t import, struct rsm_barrier_span *span)
{
	int ret = barrier_order(import, span);

	span->open = false;
	return ret;
}

int rsm_memseg_import_init_barrier(rsm_memseg_import_handle_t im_memseg, rsm_barrier_type_t type,
				   rsmapi_barrier_t *barrier)
{
	struct rsm_barrier_span *span;

	(void)type;
	if (!rsm_import_valid(im_memseg))
		return RSMERR_BAD_SEG_HNDL;
	if (!barrier)
		return RSMERR_BAD_BARRIER_PTR;
	span = calloc(1, sizeof(*span));
	if (!span)
		return RSMERR_INSUFFICIENT_MEM;

	pthread_mutex_lock(&im_memseg->segment.lock);
	span->next = im_memseg->spans;
	__atomic_store_n(&im_memseg->spans, span, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&im_memseg->segment.lock);

	barrier->seg = im_memseg;
	barrier->gnum = im_memseg->generation;
	barrier->privdata = span;
	return RSM_SUCCESS;
}

int rsm_memseg_import_open_barrier(rsmapi_barrier_t *barrier)
{
	if (!barrier)
		return RSMERR_BAD_BARRIER_PTR;
	if (!barrier->seg)
		return RSMERR_BARRIER_UNINITIALIZED;
	rsm_span_open(barrier->seg, barrier->privdata);
	return RSM_SUCCESS;
}

int rsm_memseg_import_order_barrier(rsmapi_barrier_t *barrier)
{
	if (!barrier)
		return RSMERR_BAD_BARRIER_PTR;
	if (!barrier->seg)
		return RSMERR_BARRIER_UNINITIALIZED;
	return barrier_order(barrier->seg, barrier->privdata);
}

int rsm_memseg_import_close_barrier(rsmapi_barrier_t *barrier)
{
	if (!barrier)
		return RSMERR_BAD_BARRIER_PTR;
	if (!barrier->seg)
		return RSMERR_BARRIER_UNINITIALIZED;
	return rsm_span_close(barrier->seg, barrier->privdata);
}

int rsm_memseg_import_destroy_barrier(rsmapi_barrier_t *barrier)
{
	rsm_memseg_import_handle_t import;
	struct rsm_barrier_span **link;

	if (!barrier)
		return RSMERR_BAD_BARRIER_PTR;
	if (!barrier->seg)
		return RSMERR_BARRIER_UNINITIALIZED;

	import = barrier->seg;
	pthread_mutex_lock(&import->segment.lock);
	for (link = &import->spans; *link; link = &(*link)->next) {
		if (*link == barrier->privdata) {
			__atomic_store_n(link, (*link)->next, __ATOMIC_RELAXED);
			break;
		}
	}
	pthread_mutex_unlock(&import->segment.lock);

	free(barrier->privdata);
	*barrier = (rsmapi_barrier_t){ 0 };
	return RSM_SUCCESS;
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
