/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the two files of rsmmodel share: a node's dispatcher, which takes the
 * driver's lines, and its workers, which make the calls.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#ifndef TESTS_MODEL_MODEL_H
#define TESTS_MODEL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rsm/rsmapi.h>

#define MODEL_WORKERS	6	/* processes of a node, children included */
#define MODEL_LINE	2048	/* bytes of a line, either way */
#define MODEL_ARGS	80

/* Print to stderr and exit with 2: the program could not do its job. */
void model_die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Split @line at blanks; the number of words. */
int model_words(char *line, char **words, int most);

/* The calling thread, and what it will fork, runs on that processor. */
void model_run_on(unsigned int cpu);

/* Serve calls that come over sockets[@number] until it is closed; does not return. */
void model_worker(int number, const int sockets[MODEL_WORKERS]) __attribute__((noreturn));

#endif /* TESTS_MODEL_MODEL_H */
