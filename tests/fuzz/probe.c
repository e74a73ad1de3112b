// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Asks the compiler for libFuzzer: links if it is installed.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return !data && size;
}
