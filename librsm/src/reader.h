/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a transfer does before and after its copy: reader.c says how unmapping
 * waits for it.  Not installed.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#ifndef LIBRSM_READER_H
#define LIBRSM_READER_H

#include "library.h"
#include "span.h"

#define RSM_READER_DEPTH	4	/* handlers of signals may make transfers, too */

/* Written by its thread only, read by all: in lines of the cache that no other thread writes. */
struct rsm_reader {
	unsigned int room;	/* notes that are free; 0 before the first transfer */
	bool listed;
	struct rsm_reader *next;
	rsm_memseg_import_handle_t imports[RSM_READER_DEPTH];	/* atomic; those being accessed */
} __attribute__((aligned(64)));

extern _Thread_local struct rsm_reader rsm_reader __attribute__((tls_model("initial-exec")));

/* Atomic; what transfers have to do besides, mostly nothing. */
extern unsigned int rsm_reader_duties;
#define RSM_READER_FENCE	1u	/* execute full fences: there is no membarrier(2) */
#define RSM_READER_WAITER	2u	/* and multiples: wake who waits for the last to leave */

int rsm_reader_enlist(void);
void rsm_reader_wake(void);

/*
 * The compiler must not know that the address is a sum: a sanitizer's test of it would
 * use flags that the linker's relaxation of the addition no longer sets.
 */
static inline struct rsm_reader *rsm_reader_self(void)
{
	struct rsm_reader *self = &rsm_reader;

	__asm__("" : "+r"(self));
	return self;
}

/* Stores before are seen before loads after: at once, or when rsm_readers_wait() asks for it. */
static inline unsigned int rsm_reader_fence(void)
{
	unsigned int duties;

	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	duties = __atomic_load_n(&rsm_reader_duties, __ATOMIC_RELAXED);
	if (RSM_UNLIKELY(duties)) {
		rsm_barrier_fence();
		duties = __atomic_load_n(&rsm_reader_duties, __ATOMIC_RELAXED);
	}
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return duties;
}

static inline bool rsm_reader_room(void)
{
	return rsm_reader_self()->room;
}

/* For a thread that has room; from here on a mapping of @import that is there stays there. */
static inline void rsm_reader_note(rsm_memseg_import_handle_t import)
{
	struct rsm_reader *self = rsm_reader_self();
	unsigned int room = self->room - 1;

	self->room = room;
	__atomic_store_n(&self->imports[room], import, __ATOMIC_RELEASE);
	rsm_reader_fence();
}

static inline void rsm_reader_leave(void)
{
	struct rsm_reader *self = rsm_reader_self();
	unsigned int room = self->room;

	/* Pairs with readers_noted(): the copy is done. */
	__atomic_store_n(&self->imports[room], NULL, __ATOMIC_RELEASE);
	self->room = room + 1;
	if (RSM_UNLIKELY(rsm_reader_fence() >= RSM_READER_WAITER))
		rsm_reader_wake();
}

/* Of an import that is noted.  Pairs with mapping_make_locked(). */
static inline bool rsm_mapping_ready(rsm_memseg_import_handle_t import, rsm_permission_t needs)
{
	return !(needs & ~__atomic_load_n(&import->mapping.rights, __ATOMIC_ACQUIRE));
}

/*
 * Map the segment if it is not, and hold the mapping for an access that needs
 * the rights @needs.
 */
static inline int rsm_mapping_hold(rsm_memseg_import_handle_t import, rsm_permission_t needs)
{
	int ret;

	for (;;) {
		ret = rsm_reader_room() ? RSM_SUCCESS : rsm_reader_enlist();
		if (ret)
			return ret;
		rsm_reader_note(import);
		if (rsm_mapping_ready(import, needs))
			return RSM_SUCCESS;
		rsm_reader_leave();
		ret = rsm_mapping_make_implicit(import, needs);
		if (ret)
			return ret;
	}
}

static inline void rsm_mapping_drop(void)
{
	rsm_reader_leave();
}

/* @count elements of 1 << @shift bytes; NULL if they are not all in the mapping that is held. */
static inline volatile void *rsm_mapping_at(rsm_memseg_import_handle_t import, __u64 offset,
					    size_t count, unsigned int shift)
{
	const struct rsm_mapping *mapping = &import->mapping;

	/* Wraps round to a large number if it is negative or before the mapping. */
	offset -= mapping->offset;
	if (RSM_UNLIKELY((offset > mapping->length) |
			 (count > (mapping->length - offset) >> shift)))
		return NULL;
	return mapping->address + (size_t)offset;
}

#endif /* LIBRSM_READER_H */
