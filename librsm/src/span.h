/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A barrier span, as long as nothing happens: barrier.c says what it watches
 * and does the rest.  Not installed.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#ifndef LIBRSM_SPAN_H
#define LIBRSM_SPAN_H

#include <endian.h>

#include "library.h"

#define RSM_LIKELY(condition)	__builtin_expect(!!(condition), 1)
#define RSM_UNLIKELY(condition)	__builtin_expect(!!(condition), 0)

/*
 * Complete all stores and loads before, before any that follows.  The partner
 * is the adapter, which raises the counts of the path state, and the agent,
 * which raises the generation word.
 *
 * MFENCE alone is enough: it also orders non-temporal stores of the program,
 * which a release does not.  So would a locked instruction on the stack, for
 * windows are mapped write-back.  On a processor that takes a seventh of the
 * time; but under TCG, where each locked instruction is a call of a function and
 * MFENCE is one instruction of the host, it takes eight times as long.
 */
static inline void rsm_barrier_fence(void)
{
#if defined(__x86_64__)
	__asm__ volatile("mfence" : : : "memory");
#else
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

static inline bool rsm_barrier_aborted(rsm_memseg_import_handle_t import)
{
	return __atomic_load_n(import->generation_word, __ATOMIC_RELAXED) != import->generation;
}

/* A word of the path state, as one of the machine. */
static inline __u32 rsm_path_word(const __le32 *word)
{
	return le32toh(__atomic_load_n(word, __ATOMIC_RELAXED));
}

/* The words that a barrier compares. */
static inline void rsm_import_path_read(rsm_memseg_import_handle_t import,
					struct rsm_path_link *now)
{
	now->changes = rsm_path_word(&import->path->changes);
	now->errors = rsm_path_word(&import->path->errors);
	now->revokes = rsm_path_word(&import->path->revokes);
}

static inline void rsm_span_open(rsm_memseg_import_handle_t import, struct rsm_barrier_span *span)
{
	span->changes = rsm_path_word(&import->path->changes);
	span->errors = rsm_path_word(&import->path->errors);
	span->open = true;
	/* The counts are read before the first access of the span. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
}

static inline int rsm_span_order(rsm_memseg_import_handle_t import,
				 const struct rsm_barrier_span *span)
{
	struct rsm_path_link now;
	__u32 differ;

	rsm_barrier_fence();
	rsm_import_path_read(import, &now);
	/* One branch: under TCG each costs as much as all this. */
	differ = now.errors ^ span->errors;
	differ |= now.changes ^ __atomic_load_n(&import->good_changes, __ATOMIC_RELAXED);
	differ |= now.revokes ^ __atomic_load_n(&import->good_revokes, __ATOMIC_RELAXED);
	differ |= rsm_barrier_aborted(import) | !span->open;
	if (RSM_LIKELY(!differ))
		return RSM_SUCCESS;
	return rsm_span_judge(import, span);
}

static inline int rsm_span_close(rsm_memseg_import_handle_t import, struct rsm_barrier_span *span)
{
	int ret = rsm_span_order(import, span);

	span->open = false;
	return ret;
}

#endif /* LIBRSM_SPAN_H */
