// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The limits that parameters of the module set; test_modules.py loads it with
 * small ones.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "guest.h"

#include <stdio.h>
#include <unistd.h>

#define SMALL	64	/* segments that a test opens at most */
#define STEP	((size_t)4 << 20)

static long parameter(const char *name)
{
	char path[128];
	long value = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/sys/module/rsm/parameters/%s", name);
	file = fopen(path, "r");
	require(file && fscanf(file, "%ld", &value) == 1, true);
	fclose(file);
	return value;
}

static int create_result(rsm_memseg_export_handle_t *export, void *address, size_t bytes)
{
	return rsm_memseg_export_create(controller, export, address, bytes, 0);
}

static void segments_run_out(void)
{
	rsm_memseg_export_handle_t exports[SMALL], surplus;
	long i, limit = parameter("max_segments");
	rsm_memseg_import_handle_t import;
	void *address = memory(page);

	require(limit < SMALL, true);
	for (i = 0; i < limit; i++)
		require(create_result(&exports[i], address, page), RSM_SUCCESS);
	expect(create_result(&surplus, address, page), RSMERR_INSUFFICIENT_RESOURCES);
	expect(rsm_memseg_import_connect(controller, local_node, publish(exports[0]),
					 RSM_PERM_READ, &import), RSMERR_INSUFFICIENT_RESOURCES);
	require(rsm_memseg_export_destroy(exports[limit - 1]), RSM_SUCCESS);
	expect(create_result(&surplus, address, page), RSM_SUCCESS);
}

static void exported_memory_is_limited(void)
{
	rsm_memseg_export_handle_t exports[SMALL], surplus;
	long percent = parameter("max_exported_memory");
	size_t limit = (size_t)sysconf(_SC_PHYS_PAGES) * page / 100 * (size_t)percent;
	size_t count = limit / STEP, i;
	void *address = memory(STEP);

	require(percent > 0 && count < SMALL, true);
	/* The same memory, charged for each segment. */
	for (i = 0; i < count; i++)
		require(create_result(&exports[i], address, STEP), RSM_SUCCESS);
	expect(create_result(&surplus, address, STEP), RSMERR_INSUFFICIENT_MEM);
	require(rsm_memseg_export_destroy(exports[0]), RSM_SUCCESS);
	expect(create_result(&surplus, address, STEP), RSM_SUCCESS);
}

static const struct test tests[] = {
	TEST(segments_run_out),
	TEST(exported_memory_is_limited),
};

int main(int argc, char *argv[])
{
	return guest_main(argc, argv, TESTS(tests));
}
