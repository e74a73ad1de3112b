// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Copies between a mapped segment and memory of the program; copy.h says what
 * they promise.  Called by transfer.c and vector.c, which have checked ranges.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <stdint.h>
#include <string.h>

#include "copy.h"

#define WORD	sizeof(uint64_t)
#define UNROLL	4

/* Bytes before the first word of the window. */
static size_t copy_head(const volatile void *window, size_t bytes)
{
	size_t head = -(uintptr_t)window % WORD;

	return head < bytes ? head : bytes;
}

/* The memory may be at any address: memcpy() of a constant length is one load. */
static uint64_t word_load(const char *memory)
{
	uint64_t word;

	memcpy(&word, memory, WORD);
	return word;
}

void rsm_copy_put(volatile void *window, void *memory, size_t count)
{
	size_t head = copy_head(window, count);
	volatile uint64_t *to = (volatile uint64_t *)((volatile char *)window + head);
	const char *from = (const char *)memory + head;
	size_t i, words = (count - head) / WORD;

	rsm_copy_put8(window, memory, head);
	for (i = 0; i + UNROLL <= words; i += UNROLL) {
		to[i] = word_load(from + i * WORD);
		to[i + 1] = word_load(from + (i + 1) * WORD);
		to[i + 2] = word_load(from + (i + 2) * WORD);
		to[i + 3] = word_load(from + (i + 3) * WORD);
	}
	for (; i < words; i++)
		to[i] = word_load(from + i * WORD);
	rsm_copy_put8(to + words, (char *)memory + head + words * WORD, (count - head) % WORD);
}

static void word_store(char *memory, uint64_t word)
{
	memcpy(memory, &word, WORD);
}

void rsm_copy_get(volatile void *window, void *memory, size_t count)
{
	size_t head = copy_head(window, count);
	volatile uint64_t *from = (volatile uint64_t *)((volatile char *)window + head);
	char *to = (char *)memory + head;
	size_t i, words = (count - head) / WORD;

	rsm_copy_get8(window, memory, head);
	for (i = 0; i + UNROLL <= words; i += UNROLL) {
		word_store(to + i * WORD, from[i]);
		word_store(to + (i + 1) * WORD, from[i + 1]);
		word_store(to + (i + 2) * WORD, from[i + 2]);
		word_store(to + (i + 3) * WORD, from[i + 3]);
	}
	for (; i < words; i++)
		word_store(to + i * WORD, from[i]);
	rsm_copy_get8(from + words, to + words * WORD, (count - head) % WORD);
}
