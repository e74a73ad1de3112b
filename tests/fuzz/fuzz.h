/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a fuzz target has: libFuzzer calls the first function, fabric_corpus.c
 * both of them.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* Adds tests of the corpus as a whole, whose files have these paths. */
void fuzz_add_tests(char **paths);

#endif /* TESTS_FUZZ_H */
