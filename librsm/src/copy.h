/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Copies between a mapped segment and memory of the program.  Not installed.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * The window is read and written by accesses of the element's width, in
 * ascending order, each aligned and so never torn; rsm_copy_put() and
 * rsm_copy_get() take 8 bytes where they can, single ones at the ends.  Never
 * memcpy(): it may choose an instruction that the emulator runs byte by byte,
 * and stores of any width and order.
 */
#ifndef LIBRSM_COPY_H
#define LIBRSM_COPY_H

#include <stddef.h>

/* @count: elements, for rsm_copy_put() and rsm_copy_get() bytes. */
typedef void rsm_copy_fn(volatile void *window, void *memory, size_t count);

rsm_copy_fn rsm_copy_put, rsm_copy_put8, rsm_copy_put16, rsm_copy_put32, rsm_copy_put64;
rsm_copy_fn rsm_copy_get, rsm_copy_get8, rsm_copy_get16, rsm_copy_get32, rsm_copy_get64;

/* The same with the bytes of each element in reverse. */
rsm_copy_fn rsm_copy_put16_swapped, rsm_copy_put32_swapped, rsm_copy_put64_swapped;
rsm_copy_fn rsm_copy_get16_swapped, rsm_copy_get32_swapped, rsm_copy_get64_swapped;

#endif /* LIBRSM_COPY_H */
