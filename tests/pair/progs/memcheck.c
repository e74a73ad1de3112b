// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Take nearly all free memory of the machine, fill it with one word and look
 * for a time whether every word stays; take also what becomes free meanwhile.
 * A peer's store that reaches memory which its owner had given back shows as a
 * changed word.
 *
 * Usage: memcheck WORD MILLISECONDS
 * SIGTERM: look at all once more and end; SIGUSR1: say when that has been done.
 * Output: "ready" once the memory is filled, "looked" after a look at all that
 * began after SIGUSR1, "bytes N changed N [first value]" at the end; exits with
 * 1 if a word changed.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>

#include "pairprog.h"

#define CHUNK		(2UL << 20)
#define CHUNKS_MAX	4096
#define RESERVE_KB	(20UL << 10)	/* for the rest of the machine */

static uint64_t *chunks[CHUNKS_MAX];
static unsigned int n_chunks;
static volatile sig_atomic_t stop, asked;

static void on_term(int sig)
{
	(void)sig;
	stop = 1;
}

static void on_question(int sig)
{
	(void)sig;
	asked = 1;
}

static unsigned long available_kb(void)
{
	unsigned long kb = 0;
	char line[128];
	FILE *f = fopen("/proc/meminfo", "r");

	if (!f)
		pair_die("cannot read /proc/meminfo");
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %lu kB", &kb) == 1)
			break;
	fclose(f);
	return kb;
}

static void take(uint64_t word)
{
	while (n_chunks < CHUNKS_MAX && available_kb() > RESERVE_KB + CHUNK / 1024) {
		uint64_t *c = pair_memory(CHUNK);

		for (size_t i = 0; i < CHUNK / sizeof(*c); i++)
			c[i] = word;
		chunks[n_chunks++] = c;
	}
}

static unsigned long changed(uint64_t word, uint64_t *first)
{
	unsigned long count = 0;

	for (unsigned int n = 0; n < n_chunks; n++) {
		const volatile uint64_t *c = chunks[n];

		for (size_t i = 0; i < CHUNK / sizeof(*c); i++) {
			uint64_t found = c[i];

			if (found != word && !count++)
				*first = found;
		}
		take(word);
	}
	return count;
}

int main(int argc, char **argv)
{
	uint64_t word, deadline, first = 0;
	unsigned long count;
	int last, answer;

	if (argc != 3)
		pair_die("usage: memcheck WORD MILLISECONDS");
	word = pair_number(argv[1], 16);
	signal(SIGTERM, on_term);
	signal(SIGUSR1, on_question);
	take(word);
	puts("ready");
	fflush(stdout);
	deadline = pair_now_ms() + pair_number(argv[2], 10);
	do {
		last = stop || pair_now_ms() >= deadline;
		answer = asked;
		asked = 0;
		count = changed(word, &first);
		if (answer) {
			puts("looked");
			fflush(stdout);
		}
	} while (!last);
	printf("bytes %lu changed %lu", n_chunks * CHUNK, count);
	if (count)
		printf(" %" PRIx64, first);
	putchar('\n');
	return count != 0;
}
