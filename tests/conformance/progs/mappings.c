// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Mapping an import, and what is seen through the mapping.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#define _GNU_SOURCE
#include "conform.h"

#include <setjmp.h>
#include <signal.h>
#include <unistd.h>

static int try_map(rsm_memseg_import_handle_t import, rsm_permission_t permission, off_t offset,
		   size_t bytes)
{
	void *address = NULL;

	return rsm_memseg_import_map(import, &address, RSM_MAP_NONE, permission, offset, bytes);
}

static sigjmp_buf faulted;

static void on_fault(int signo)
{
	siglongjmp(faulted, signo);
}

/* The signal that a store raises, 0 if it raises none. */
static int store(volatile uint8_t *address, uint8_t value)
{
	struct sigaction action = { .sa_handler = on_fault };
	int signo;

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	signo = sigsetjmp(faulted, 1);
	if (signo == 0)
		*address = value;
	signal(SIGSEGV, SIG_DFL);
	signal(SIGBUS, SIG_DFL);
	return signo;
}

static void a136_map_needs_a_handle_and_an_address_pointer(void)
{
	struct imported imported = import(page);
	void *address = NULL;

	expect(rsm_memseg_import_map(NULL, &address, RSM_MAP_NONE, RSM_PERM_READ, 0, page),
	       RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_import_map(NULL, NULL, RSM_MAP_NONE, RSM_PERM_READ, 0, page),
	       RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_import_map(imported.import, NULL, RSM_MAP_NONE, RSM_PERM_READ, 0, page),
	       RSMERR_BAD_ADDR);
}

static void a137_an_export_cannot_be_mapped(void)
{
	rsm_memseg_export_handle_t export = create(memory(page), page);
	rsm_memseg_import_handle_t wrong = (rsm_memseg_import_handle_t)export;

	publish(export);
	expect(try_map(wrong, RSM_PERM_READ, 0, page), RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_import_unmap(wrong), RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_import_unmap(NULL), RSMERR_BAD_SEG_HNDL);
}

static void a138_a_second_map_fails_with_seg_already_mapped(void)
{
	struct imported imported = import_mapped(2 * page);
	uint8_t byte = 1;

	expect(try_map(imported.import, RSM_PERM_READ, 0, page), RSMERR_SEG_ALREADY_MAPPED);
	/* Before what is wrong with the rest. */
	expect(try_map(imported.import, 0777, 1, 0), RSMERR_SEG_ALREADY_MAPPED);
	require(rsm_memseg_import_unmap(imported.import), RSM_SUCCESS);
	require(rsm_memseg_import_put8(imported.import, 0, &byte, 1), RSM_SUCCESS);
	expect(try_map(imported.import, RSM_PERM_READ, 0, page), RSMERR_SEG_ALREADY_MAPPED);
}

static void a139_permissions_above_0600_fail_with_bad_perms(void)
{
	struct imported imported = import(page);

	expect(try_map(imported.import, 0601, 0, page), RSMERR_BAD_PERMS);
	expect(try_map(imported.import, 0xffffffff, 0, page), RSMERR_BAD_PERMS);
	expect(try_map(imported.import, 0700, 0, 0), RSMERR_BAD_PERMS);
}

static void a139_lengths_outside_the_segment_fail_with_bad_length(void)
{
	struct imported imported = import(2 * page);

	expect(try_map(imported.import, RSM_PERM_READ, 0, 0), RSMERR_BAD_LENGTH);
	expect(try_map(imported.import, RSM_PERM_READ, 0, 2 * page + 1), RSMERR_BAD_LENGTH);
	expect(try_map(imported.import, RSM_PERM_READ, (off_t)page, page + 1), RSMERR_BAD_LENGTH);
	expect(try_map(imported.import, RSM_PERM_READ, (off_t)page, SIZE_MAX - page + 1),
	       RSMERR_BAD_LENGTH);
	expect(try_map(imported.import, RSM_PERM_READ, (off_t)page, 1), RSM_SUCCESS);
}

static void a141_an_unaligned_offset_fails_with_bad_mem_alignment(void)
{
	struct imported imported = import(2 * page);

	expect(try_map(imported.import, RSM_PERM_READ, 8, page), RSMERR_BAD_MEM_ALIGNMENT);
	/* The original's handle was locked from then on. */
	expect(try_map(imported.import, RSM_PERM_READ, 0, page), RSM_SUCCESS);
	expect(rsm_memseg_import_unmap(imported.import), RSM_SUCCESS);
}

static void a142_a_fixed_address_is_where_it_maps(void)
{
	struct imported imported = import(page);
	uint8_t *place = memory(2 * page);
	void *address = place + 8;

	expect(rsm_memseg_import_map(imported.import, &address, RSM_MAP_FIXED, RSM_PERM_RDWR, 0,
				     page), RSMERR_BAD_MEM_ALIGNMENT);
	address = place;
	expect(rsm_memseg_import_map(imported.import, &address, RSM_MAP_FIXED, RSM_PERM_RDWR, 0,
				     page), RSM_SUCCESS);
	expect_true(address == place);
	place[0] = 142;
	peer_ok("byte 0 0");
	expect(peer_value, 142);
}

static void a143_without_attribute_the_system_chooses_the_address(void)
{
	struct imported imported = import(page);
	void *address = NULL;

	require(rsm_memseg_import_map(imported.import, &address, RSM_MAP_NONE, RSM_PERM_RDWR, 0,
				      page), RSM_SUCCESS);
	require_true(address);
	*(volatile uint8_t *)address = 143;
	peer_ok("byte 0 0");
	expect(peer_value, 143);
}

static void a144_reserved_is_as_none(void)
{
	struct imported imported = import(page);
	uint8_t *taken = memory(page);
	void *address = taken;

	taken[0] = 1;
	require(rsm_memseg_import_map(imported.import, &address, RSM_MAP_RESERVED, RSM_PERM_RDWR,
				      0, page), RSM_SUCCESS);
	expect_true(address != taken);
	expect(taken[0], 1);
}

static void a146_a_map_has_no_more_rights_than_the_connection(void)
{
	struct imported imported = import(page);
	rsm_memseg_import_handle_t readable = connect_to(ID, RSM_PERM_READ);
	volatile uint8_t *mapping;

	expect(try_map(readable, RSM_PERM_RDWR, 0, page), RSMERR_BAD_PERMS);
	expect(try_map(readable, RSM_PERM_WRITE, 0, page), RSMERR_BAD_PERMS);
	mapping = map(imported.import, RSM_PERM_READ, page);
	expect(mapping[0], 0);
	expect(store(mapping, 1), SIGSEGV);
	peer_ok("byte 0 0");
	expect(peer_value, 0);
}

static void a147_a_mapping_begins_at_its_offset(void)
{
	struct imported imported = import(4 * page);
	void *address = NULL;

	peer_ok("poke 0 %zu 1471", page);
	peer_ok("poke 0 %zu 1472", 2 * page - 8);
	require(rsm_memseg_import_map(imported.import, &address, RSM_MAP_NONE, RSM_PERM_RDWR,
				      (off_t)page, page), RSM_SUCCESS);
	expect(*(volatile uint64_t *)address, 1471);
	expect(((volatile uint64_t *)address)[page / 8 - 1], 1472);
}

static void a148_stores_arrive_at_the_exporter(void)
{
	struct imported imported = import_mapped(16 * page);

	require(rsm_memseg_import_open_barrier(&imported.barrier), RSM_SUCCESS);
	pattern_fill((void *)imported.mapping, 16 * page, 148);
	require(rsm_memseg_import_close_barrier(&imported.barrier), RSM_SUCCESS);
	peer_ok("differ 0 148");
	expect(peer_value, 0);
}

static void a149_stores_of_the_exporter_are_loaded(void)
{
	struct imported imported = import_mapped(16 * page);
	int seed;

	for (seed = 0; seed < 3; seed++) {
		peer_ok("fill 0 %d", seed);
		expect(pattern_differs(imported.mapping, 16 * page, (unsigned int)seed), 0);
	}
}

static void a151_an_import_can_be_mapped_again(void)
{
	struct imported imported = import_mapped(page);

	imported.mapping[0] = 151;
	require(rsm_memseg_import_unmap(imported.import), RSM_SUCCESS);
	expect(rsm_memseg_import_unmap(imported.import), RSMERR_SEG_NOT_MAPPED);
	expect(map(imported.import, RSM_PERM_READ, page)[0], 151);
}

/* Decided as documented. */
static void a152_a_held_pollfd_keeps_the_mapping(void)
{
	struct imported imported = import_mapped(page);
	struct pollfd pollfd;

	require(rsm_memseg_get_pollfd(imported.import, &pollfd), RSM_SUCCESS);
	expect(rsm_memseg_import_unmap(imported.import), RSMERR_POLLFD_IN_USE);
	imported.mapping[0] = 152;
	peer_ok("byte 0 0");
	expect(peer_value, 152);
	require(rsm_memseg_release_pollfd(imported.import), RSM_SUCCESS);
	expect(rsm_memseg_import_unmap(imported.import), RSM_SUCCESS);
}

static void a153_map_after_unpublish_fails_with_conn_aborted(void)
{
	struct imported imported = import(page);

	peer_ok("unpublish 0");
	expect(try_map(imported.import, RSM_PERM_RDWR, 0, page), RSMERR_CONN_ABORTED);
	expect(rsm_memseg_import_disconnect(imported.import), RSM_SUCCESS);
}

static void store_in_child(void *mapping)
{
	expect(((volatile uint8_t *)mapping)[0], 1);
	((volatile uint8_t *)mapping)[1] = 154;
}

static void a154_a_child_uses_the_mapping_and_leaves_it(void)
{
	struct imported imported = import_mapped(page);

	imported.mapping[0] = 1;
	in_child(store_in_child, (void *)imported.mapping);
	peer_ok("byte 0 1");
	expect(peer_value, 154);
	imported.mapping[2] = 155;
	peer_ok("byte 0 2");
	expect(peer_value, 155);
	expect(rsm_memseg_import_unmap(imported.import), RSM_SUCCESS);
	expect(rsm_memseg_import_disconnect(imported.import), RSM_SUCCESS);
}

static void import_and_execute(void *argument)
{
	import_mapped(page);
	(void)argument;
	/* Ends with 1 if a descriptor of the agent is left, or a mapping. */
	execl("/bin/sh", "sh", "-c",
	      "! ls -l /proc/self/fd | grep -q /dev/rsm && ! grep -q /dev/rsm /proc/self/maps",
	      NULL);
	_exit(1);
}

static void a156_exec_closes_imports(void)
{
	in_child(import_and_execute, NULL);
	peer_ok("unpublish 0");
}

static const struct test tests[] = {
	TEST(ALL, a136_map_needs_a_handle_and_an_address_pointer),
	TEST(LOCAL, a137_an_export_cannot_be_mapped),
	TEST(ALL, a138_a_second_map_fails_with_seg_already_mapped),
	TEST(ALL, a139_permissions_above_0600_fail_with_bad_perms),
	TEST(ALL, a139_lengths_outside_the_segment_fail_with_bad_length),
	TEST(ALL, a141_an_unaligned_offset_fails_with_bad_mem_alignment),
	TEST(ALL, a142_a_fixed_address_is_where_it_maps),
	TEST(ALL, a143_without_attribute_the_system_chooses_the_address),
	TEST(ALL, a144_reserved_is_as_none),
	TEST(ALL, a146_a_map_has_no_more_rights_than_the_connection),
	TEST(ALL, a147_a_mapping_begins_at_its_offset),
	TEST(ALL, a148_stores_arrive_at_the_exporter),
	TEST(ALL, a149_stores_of_the_exporter_are_loaded),
	TEST(ALL, a151_an_import_can_be_mapped_again),
	TEST(ALL, a152_a_held_pollfd_keeps_the_mapping),
	TEST(ALL, a153_map_after_unpublish_fails_with_conn_aborted),
	TEST(ALL, a154_a_child_uses_the_mapping_and_leaves_it),
	TEST(ALL, a156_exec_closes_imports),
};

SECTION(mappings);
