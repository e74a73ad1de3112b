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
#include <stdint.h>

/* @count: elements, for rsm_copy_put() and rsm_copy_get() bytes. */
typedef void rsm_copy_fn(volatile void *window, void *memory, size_t count);

rsm_copy_fn rsm_copy_put, rsm_copy_get;

#define RSM_AS_IT_IS(value)	(value)

/* rsm_copy_put8() and so on; "swapped": with the bytes of each element in reverse. */
#define RSM_DEFINE_COPIES(name, bits, order)						\
static inline void rsm_copy_put##name(volatile void *window, void *memory, size_t count)	\
{											\
	volatile uint##bits##_t *to = window;						\
	const uint##bits##_t *from = memory;						\
	size_t i;									\
											\
	for (i = 0; i < count; i++)							\
		to[i] = order(from[i]);							\
}											\
											\
static inline void rsm_copy_get##name(volatile void *window, void *memory, size_t count)	\
{											\
	const volatile uint##bits##_t *from = window;					\
	uint##bits##_t *to = memory;							\
	size_t i;									\
											\
	for (i = 0; i < count; i++)							\
		to[i] = order(from[i]);							\
}

RSM_DEFINE_COPIES(8, 8, RSM_AS_IT_IS)
RSM_DEFINE_COPIES(16, 16, RSM_AS_IT_IS)
RSM_DEFINE_COPIES(32, 32, RSM_AS_IT_IS)
RSM_DEFINE_COPIES(64, 64, RSM_AS_IT_IS)
RSM_DEFINE_COPIES(16_swapped, 16, __builtin_bswap16)
RSM_DEFINE_COPIES(32_swapped, 32, __builtin_bswap32)
RSM_DEFINE_COPIES(64_swapped, 64, __builtin_bswap64)

#endif /* LIBRSM_COPY_H */
