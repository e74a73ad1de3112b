// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rebinding an export to other memory, and the small limits of the agent.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#define _GNU_SOURCE
#include "conform.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static rsm_memseg_export_handle_t create_rebindable(void *address, size_t bytes)
{
	rsm_memseg_export_handle_t export;

	require(rsm_memseg_export_create(controller, &export, address, bytes, RSM_ALLOW_REBIND),
		RSM_SUCCESS);
	return export;
}

static long parameter(const char *name)
{
	char path[128];
	long value = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/sys/module/rsm/parameters/%s", name);
	file = fopen(path, "r");
	require_true(file && fscanf(file, "%ld", &value) == 1);
	fclose(file);
	return value;
}

#define STEP	((size_t)4 << 20)
#define MOST	64	/* segments that a small limit allows at most */

static void a054_the_exported_memory_limit_gives_insufficient_mem(void)
{
	size_t limit = (size_t)sysconf(_SC_PHYS_PAGES) * page / 100 *
		       (size_t)parameter("max_exported_memory");
	rsm_memseg_export_handle_t exports[MOST], surplus;
	size_t i, count = limit / STEP;
	void *address = memory(STEP);

	require_true(count > 0 && count < MOST);
	for (i = 0; i < count; i++)
		require(rsm_memseg_export_create(controller, &exports[i], address, STEP, 0),
			RSM_SUCCESS);
	expect(rsm_memseg_export_create(controller, &surplus, address, STEP, 0),
	       RSMERR_INSUFFICIENT_MEM);
	require(rsm_memseg_export_destroy(exports[0]), RSM_SUCCESS);
	expect(rsm_memseg_export_create(controller, &exports[0], address, STEP,
					RSM_ALLOW_REBIND), RSM_SUCCESS);
	/* Old and new memory count while the switch is made. */
	expect(rsm_memseg_export_rebind(exports[0], memory(STEP), 0, STEP),
	       RSMERR_INSUFFICIENT_MEM);
}

static void a056_no_segment_left_gives_insufficient_resources(void)
{
	rsm_memseg_export_handle_t exports[MOST], surplus;
	long i, count = parameter("max_segments");
	rsm_memseg_import_handle_t import;
	void *address = memory(page);

	require_true(count < MOST);
	for (i = 0; i < count; i++)
		require(rsm_memseg_export_create(controller, &exports[i], address, page, 0),
			RSM_SUCCESS);
	expect(rsm_memseg_export_create(controller, &surplus, address, page, 0),
	       RSMERR_INSUFFICIENT_RESOURCES);
	expect(rsm_memseg_import_connect(controller, local_node, publish(exports[0]),
					 RSM_PERM_READ, &import), RSMERR_INSUFFICIENT_RESOURCES);
	require(rsm_memseg_export_destroy(exports[1]), RSM_SUCCESS);
	expect(rsm_memseg_export_create(controller, &surplus, address, page, 0), RSM_SUCCESS);
}

static void a066_rebind_needs_the_flag(void)
{
	rsm_memseg_export_handle_t export = create(memory(page), page);

	expect(rsm_memseg_export_rebind(export, memory(page), 0, page),
	       RSMERR_REBIND_NOT_ALLOWED);
	/* Before whose it is and what size it has. */
	expect(rsm_memseg_export_rebind(export, memory(2 * page), 0, 2 * page),
	       RSMERR_REBIND_NOT_ALLOWED);
}

static void a067_rebind_needs_a_handle_and_an_address(void)
{
	rsm_memseg_export_handle_t export = create_rebindable(memory(page), page);

	expect(rsm_memseg_export_rebind(NULL, memory(page), 0, page), RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_export_rebind(NULL, NULL, 0, 0), RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_export_rebind(export, NULL, 0, page), RSMERR_BAD_ADDR);
	expect(rsm_memseg_export_rebind(export, (char *)memory(2 * page) + 8, 0, page),
	       RSMERR_BAD_ADDR);
}

static void a068_rebind_keeps_the_length(void)
{
	rsm_memseg_export_handle_t export = create_rebindable(memory(2 * page), 2 * page);

	expect(rsm_memseg_export_rebind(export, memory(page), 0, page), RSMERR_BAD_LENGTH);
	expect(rsm_memseg_export_rebind(export, memory(4 * page), 0, 4 * page),
	       RSMERR_BAD_LENGTH);
	expect(rsm_memseg_export_rebind(export, memory(page), 0, 0), RSMERR_BAD_LENGTH);
}

static void a069_rebind_to_the_same_memory_changes_nothing(void)
{
	uint8_t *address = memory(page);
	rsm_memseg_export_handle_t export = create_rebindable(address, page);
	volatile uint8_t *mapping = map(connect_here(publish(export), RSM_PERM_RDWR),
					RSM_PERM_RDWR, page);
	long before = pinned_kib();

	mapping[3] = 33;
	expect(rsm_memseg_export_rebind(export, address, 0, page), RSM_SUCCESS);
	expect(pinned_kib(), before);
	expect(address[3], 33);
	mapping[4] = 44;
	expect(address[4], 44);
}

static struct imported import_rebindable(void)
{
	struct imported imported = { 0 };

	peer_ok("create 0 %zu %d", page, RSM_ALLOW_REBIND);
	peer_ok("publish 0 %d", ID);
	imported.import = connect_to(ID, RSM_PERM_RDWR);
	imported.mapping = map(imported.import, RSM_PERM_RDWR, page);
	require(rsm_memseg_import_init_barrier(imported.import, RSM_BAR_DEFAULT,
					       &imported.barrier), RSM_SUCCESS);
	return imported;
}

static void a071_rebind_does_not_disconnect_importers(void)
{
	struct imported imported = import_rebindable();
	rsm_memseg_import_handle_t other;

	require(rsm_memseg_import_open_barrier(&imported.barrier), RSM_SUCCESS);
	imported.mapping[0] = 1;
	peer_ok("rebind 0");
	expect(rsm_memseg_import_close_barrier(&imported.barrier), RSM_SUCCESS);
	require(rsm_memseg_import_open_barrier(&imported.barrier), RSM_SUCCESS);
	imported.mapping[1] = 2;
	expect(rsm_memseg_import_close_barrier(&imported.barrier), RSM_SUCCESS);
	expect(try_connect(ID, RSM_PERM_RDWR, &other), RSM_SUCCESS);
}

static void a071_importers_reach_the_new_memory(void)
{
	struct imported imported = import_rebindable();

	peer_ok("poke 0 8 %#llx", 0x01dull);
	expect(*(volatile uint64_t *)(imported.mapping + 8), 0x01d);
	peer_ok("rebind 0");
	peer_ok("poke 0 8 %#llx", 0x4e3ull);
	require(rsm_memseg_import_open_barrier(&imported.barrier), RSM_SUCCESS);
	expect(*(volatile uint64_t *)(imported.mapping + 8), 0x4e3);
	*(volatile uint64_t *)(imported.mapping + 16) = 0x5708e;
	expect(rsm_memseg_import_close_barrier(&imported.barrier), RSM_SUCCESS);
	peer_ok("peek 0 16");
	expect(peer_value, 0x5708e);
}

/* The original asks the adapter, which knows nothing of the segment yet. */
static void a071_rebind_works_before_the_first_publish(void)
{
	uint8_t *old = memory(page), *new = memory(page);
	rsm_memseg_export_handle_t export = create_rebindable(old, page);
	volatile uint8_t *mapping;

	old[0] = 1;
	new[0] = 2;
	expect(rsm_memseg_export_rebind(export, new, 0, page), RSM_SUCCESS);
	mapping = map(connect_here(publish(export), RSM_PERM_RDWR), RSM_PERM_RDWR, page);
	expect(mapping[0], 2);
	mapping[1] = 3;
	expect(new[1], 3);
	expect(old[1], 0);
}

static void a072_rebind_ignores_the_offset(void)
{
	struct imported imported = import_rebindable();

	peer_ok("rebind 0 12345");
	peer_ok("poke 0 0 77");
	require(rsm_memseg_import_open_barrier(&imported.barrier), RSM_SUCCESS);
	expect(*(volatile uint64_t *)imported.mapping, 77);
	expect(rsm_memseg_import_close_barrier(&imported.barrier), RSM_SUCCESS);
}

static void a073_a_failed_rebind_keeps_the_old_memory(void)
{
	uint8_t *address = memory(page), *hole = memory(page), *guarded = memory(page);
	rsm_memseg_export_handle_t export = create_rebindable(address, page);
	volatile uint8_t *mapping = map(connect_here(publish(export), RSM_PERM_RDWR),
					RSM_PERM_RDWR, page);
	long before = pinned_kib();

	require(munmap(hole, page), 0);
	require(mprotect(guarded, page, PROT_READ), 0);
	expect(rsm_memseg_export_rebind(export, hole, 0, page), RSMERR_BAD_ADDR);
	expect(rsm_memseg_export_rebind(export, guarded, 0, page), RSMERR_PERM_DENIED);
	mapping[5] = 55;
	expect(address[5], 55);
	expect(pinned_kib(), before);
}

static void rebind_as_child(void *export)
{
	expect(rsm_memseg_export_rebind(export, memory(page), 0, page), RSMERR_NOT_CREATOR);
}

static void a074_a_child_cannot_rebind(void)
{
	in_child(rebind_as_child, create_rebindable(memory(page), page));
}

static void a076_a_null_address_comes_before_the_flag(void)
{
	rsm_memseg_export_handle_t export = create(memory(page), page);

	expect(rsm_memseg_export_rebind(export, NULL, 0, page), RSMERR_BAD_ADDR);
}

static const struct test tests[] = {
	TEST(LOCAL | SMALL, a054_the_exported_memory_limit_gives_insufficient_mem),
	TEST(LOCAL | SMALL, a056_no_segment_left_gives_insufficient_resources),
	TEST(LOCAL, a066_rebind_needs_the_flag),
	TEST(LOCAL, a067_rebind_needs_a_handle_and_an_address),
	TEST(LOCAL, a068_rebind_keeps_the_length),
	TEST(LOCAL, a069_rebind_to_the_same_memory_changes_nothing),
	TEST(ALL, a071_rebind_does_not_disconnect_importers),
	TEST(ALL, a071_importers_reach_the_new_memory),
	TEST(LOCAL, a071_rebind_works_before_the_first_publish),
	TEST(ALL, a072_rebind_ignores_the_offset),
	TEST(LOCAL, a073_a_failed_rebind_keeps_the_old_memory),
	TEST(LOCAL, a074_a_child_cannot_rebind),
	TEST(LOCAL, a076_a_null_address_comes_before_the_flag),
};

SECTION(rebinding);
