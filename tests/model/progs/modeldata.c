// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A worker's calls that move bytes, and the bytes: the driver computes the same
 * from the same seed.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "modelworker.h"

#define BUFFER_BYTES	(REGION_BYTES + 64)

static rsm_localmemory_handle_t locals[SLOTS];
static _Thread_local uint8_t buffer[BUFFER_BYTES] __attribute__((aligned(64)));
static uint32_t crc_table[256];

static uint8_t pattern(unsigned long seed, size_t i)
{
	return (uint8_t)(seed * (i + 1) + (i >> 8));
}

static void pattern_fill(volatile uint8_t *to, size_t bytes, unsigned long seed)
{
	for (size_t i = 0; i < bytes; i++)
		to[i] = pattern(seed, i);
}

void model_data_prepare(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int k = 0; k < 8; k++)
			c = c & 1 ? c >> 1 ^ 0xedb88320 : c >> 1;
		crc_table[i] = c;
	}
}

/* CRC-32 as Python's zlib has it. */
static uint32_t crc32(const volatile uint8_t *data, size_t bytes)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < bytes; i++)
		crc = crc_table[(crc ^ data[i]) & 0xff] ^ crc >> 8;
	return ~crc;
}

static void yield_crc(const volatile uint8_t *data, size_t bytes)
{
	snprintf(yield, sizeof(yield), "%" PRIu32, crc32(data, bytes));
}

int call_own_store(int n, char **arg)
{
	(void)n;
	pattern_fill(address(arg, 0), bounded(arg, 2), (unsigned long)number(arg, 3));
	return 0;
}

int call_own_load(int n, char **arg)
{
	(void)n;
	yield_crc(address(arg, 0), bounded(arg, 2));
	return 0;
}

static volatile uint8_t *mapped(char **arg)
{
	volatile uint8_t *at = imports[slot(arg, 0, SLOTS)].mapping;

	if (!at)
		model_die("not mapped: %s", arg[0]);
	return at + number(arg, 1);
}

int call_store(int n, char **arg)
{
	(void)n;
	pattern_fill(mapped(arg), bounded(arg, 2), (unsigned long)number(arg, 3));
	return 0;
}

int call_load(int n, char **arg)
{
	(void)n;
	yield_crc(mapped(arg), bounded(arg, 2));
	return 0;
}

static int transfer(rsm_memseg_import_handle_t import, bool out, long width, off_t offset,
		    void *data, unsigned long count)
{
	switch (width) {
	case 8:
		return out ? rsm_memseg_import_put8(import, offset, data, count) :
			     rsm_memseg_import_get8(import, offset, data, count);
	case 16:
		return out ? rsm_memseg_import_put16(import, offset, data, count) :
			     rsm_memseg_import_get16(import, offset, data, count);
	case 32:
		return out ? rsm_memseg_import_put32(import, offset, data, count) :
			     rsm_memseg_import_get32(import, offset, data, count);
	case 64:
		return out ? rsm_memseg_import_put64(import, offset, data, count) :
			     rsm_memseg_import_get64(import, offset, data, count);
	default:
		return out ? rsm_memseg_import_put(import, offset, data, count) :
			     rsm_memseg_import_get(import, offset, data, count);
	}
}

/* "SLOT WIDTH OFFSET COUNT SHIFT SEED": the data begin SHIFT bytes into the buffer. */
static int call_transfer(bool out, char **arg)
{
	long width = number(arg, 1), shift = number(arg, 4);
	unsigned long count = (unsigned long)number(arg, 3);
	size_t bytes = bounded(arg, 3) * (width ? (size_t)width / 8 : 1);
	uint8_t *data = shift < 0 ? NULL : buffer + shift;
	int ret;

	if (bytes > REGION_BYTES || shift > 32)
		model_die("bad transfer");
	if (out && data)
		pattern_fill(data, bytes, (unsigned long)number(arg, 5));
	ret = transfer(imports[slot(arg, 0, SLOTS)].handle, out, width, number(arg, 2), data,
		       count);
	if (!out && data)
		yield_crc(data, bytes);
	return ret;
}

int call_put(int n, char **arg)
{
	(void)n;
	return call_transfer(true, arg);
}

int call_get(int n, char **arg)
{
	(void)n;
	return call_transfer(false, arg);
}

/*
 * "SLOT FLAGS COUNT [LOCAL REGION_OR_SLOT BASE LOCAL_OFFSET REMOTE_OFFSET LENGTH]...":
 * LOCAL is 1 for a handle.
 */
static int call_vector(bool out, int n, char **arg)
{
	rsm_iovec_t iov[RSM_MAX_SGIOREQS + 1] = { 0 };
	rsm_scat_gath_t io = {
		.io_request_count = (ulong_t)number(arg, 2),
		.flags = (uint_t)number(arg, 1),
		.remote_handle = imports[slot(arg, 0, SLOTS)].handle,
		.iovec = iov,
	};
	int ret;

	for (int k = 0, i = 3; i + 5 < n && k <= RSM_MAX_SGIOREQS; k++, i += 6) {
		if (number(arg, i)) {
			iov[k].io_type = RSM_HANDLE_TYPE;
			iov[k].local.handle = locals[slot(arg, i + 1, SLOTS)];
		} else {
			iov[k].io_type = RSM_VA_TYPE;
			iov[k].local.vaddr = (caddr_t)address(arg, i + 1);
		}
		iov[k].local_offset = (size_t)number(arg, i + 3);
		iov[k].remote_offset = (size_t)number(arg, i + 4);
		iov[k].transfer_length = (size_t)number(arg, i + 5);
	}
	ret = out ? rsm_memseg_import_putv(&io) : rsm_memseg_import_getv(&io);
	snprintf(yield, sizeof(yield), "%lu %u", (unsigned long)io.io_residual_count, io.flags);
	return ret;
}

int call_putv(int n, char **arg)
{
	return call_vector(true, n, arg);
}

int call_getv(int n, char **arg)
{
	return call_vector(false, n, arg);
}

int call_local(int n, char **arg)
{
	(void)n;
	return rsm_create_localmemory_handle(controllers[slot(arg, 1, CONTROLLERS)],
					     &locals[slot(arg, 0, SLOTS)],
					     (caddr_t)address(arg, 2), (size_t)number(arg, 4));
}

int call_free_local(int n, char **arg)
{
	rsm_localmemory_handle_t *l = &locals[slot(arg, 0, SLOTS)];
	int ret = rsm_free_localmemory_handle(controllers[slot(arg, 1, CONTROLLERS)], *l);

	(void)n;
	if (!ret)
		*l = NULL;
	return ret;
}
