/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the programs about put and get share: the ten functions behind one
 * type, and segments to try them on.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#ifndef TESTS_GUEST_KINDS_H
#define TESTS_GUEST_KINDS_H

#include "guest.h"

#define PAGES	4
#define FILL	0xa5
#define KINDS	5

typedef int transfer_fn(rsm_memseg_import_handle_t import, off_t offset, void *data, size_t count);

/* 8, 16, 32 and 64 bits, then bytes of any number. */
extern const struct kind {
	transfer_fn *get, *put;
	size_t width;
} kinds[KINDS];

/* A published segment of PAGES pages, filled, and an import that is not mapped. */
struct segment {
	uint8_t *memory;
	size_t bytes;
	rsm_memseg_export_handle_t export;
	rsm_memseg_id_t id;
	rsm_memseg_import_handle_t import;
};

struct segment segment(rsm_permission_t permission);
struct segment segment_with_barrier(rsm_permission_t permission);
void init_barrier(rsm_memseg_import_handle_t import);
/* get and put of a kind end with @wanted. */
void both(const struct kind *kind, rsm_memseg_import_handle_t import, off_t offset, void *data,
	  size_t count, int wanted);
/* Implicitly or explicitly; leaves it as it is. */
bool is_mapped(rsm_memseg_import_handle_t import);
/* All of the memory but [from, to) is as it was filled. */
bool untouched(const struct segment *s, size_t from, size_t to);

#endif /* TESTS_GUEST_KINDS_H */
