// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Exports one page that lies in one of some memory blocks; test_hotplug.py
 * then tries to take the block out of the machine.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * Usage: BLOCK-BYTES BLOCK...  Prints the block, destroys the export when it
 * reads a byte, prints "destroyed", ends with its input.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rsmapi.h>

#define PAGEMAP_PRESENT	(1ull << 63)
#define PAGEMAP_PFN	((1ull << 55) - 1)

static size_t page;

/* The memory block of a page of ours, by the page map that only root may read; -1: none. */
static long block_of(int pagemap, const char *address, unsigned long block_bytes)
{
	uint64_t entry;

	if (pread(pagemap, &entry, sizeof(entry),
		  (off_t)((uintptr_t)address / page * sizeof(entry))) != sizeof(entry) ||
	    !(entry & PAGEMAP_PRESENT))
		return -1;
	return (long)((entry & PAGEMAP_PFN) * page / block_bytes);
}

/* Touch pages until one lies in one of the blocks; the others are given back. */
static char *page_in_blocks(size_t bytes, unsigned long block_bytes, char *blocks[], long *found)
{
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int pagemap = open("/proc/self/pagemap", O_RDONLY);
	char *address, **block;

	if (memory == MAP_FAILED || pagemap < 0 || madvise(memory, bytes, MADV_NOHUGEPAGE))
		return NULL;
	for (address = memory; address < memory + bytes; address += page) {
		*address = 1;
		*found = block_of(pagemap, address, block_bytes);
		for (block = blocks; *block; block++) {
			if (atol(*block) != *found)
				continue;
			munmap(memory, (size_t)(address - memory));
			munmap(address + page, (size_t)(memory + bytes - address - page));
			return address;
		}
	}
	return NULL;
}

int main(int argc, char *argv[])
{
	rsmapi_controller_handle_t controller;
	rsm_memseg_export_handle_t export;
	char *address, byte;
	long block;

	page = (size_t)sysconf(_SC_PAGESIZE);
	if (argc < 3)
		return 2;
	address = page_in_blocks((size_t)sysconf(_SC_AVPHYS_PAGES) * page / 8 * 7,
				 strtoul(argv[1], NULL, 0), argv + 2, &block);
	if (!address) {
		fprintf(stderr, "no page in any of these blocks\n");
		return 1;
	}
	if (rsm_get_controller("loopback", &controller) ||
	    rsm_memseg_export_create(controller, &export, address, page, 0)) {
		fprintf(stderr, "cannot export\n");
		return 1;
	}
	printf("block %ld\n", block);
	fflush(stdout);
	if (read(STDIN_FILENO, &byte, 1) == 1) {
		rsm_memseg_export_destroy(export);
		printf("destroyed\n");
		fflush(stdout);
	}
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	return 0;
}
