// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The importer's calls: connect, map, unmap, disconnect, and that memory is
 * really shared.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "guest.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#define NOBODY	0x7654321	/* an id that no test publishes */

static int connect_result(rsm_node_id_t node, rsm_memseg_id_t id, rsm_permission_t permission)
{
	rsm_memseg_import_handle_t import = (void *)1;
	int error = rsm_memseg_import_connect(controller, node, id, permission, &import);

	expect_true(error ? !import : !!import);
	if (!error)
		expect(rsm_memseg_import_disconnect(import), RSM_SUCCESS);
	return error;
}

static int map_result(rsm_memseg_import_handle_t import, rsm_permission_t permission,
		      off_t offset, size_t length)
{
	void *address = NULL;
	int error = rsm_memseg_import_map(import, &address, RSM_MAP_NONE, permission, offset,
					  length);

	if (!error)
		expect(rsm_memseg_import_unmap(import), RSM_SUCCESS);
	return error;
}

/* A published segment of some pages. */
static uint8_t *segment(size_t pages, rsm_memseg_id_t *id)
{
	uint8_t *address = memory(pages * page);

	*id = publish(create(address, pages * page));
	return address;
}

static void connect_checks_in_order(void)
{
	rsm_memseg_import_handle_t import;

	expect(rsm_memseg_import_connect(NULL, local_node, NOBODY, 0777, NULL),
	       RSMERR_BAD_CTLR_HNDL);
	expect(rsm_memseg_import_connect(controller, local_node, NOBODY, 0777, NULL),
	       RSMERR_BAD_SEG_HNDL);
	expect(connect_result(local_node, NOBODY, 01), RSMERR_PERM_DENIED);
	expect(connect_result(local_node, NOBODY, 0700), RSMERR_PERM_DENIED);
	expect(connect_result(local_node, NOBODY, RSM_PERM_RDWR), RSMERR_SEG_NOT_PUBLISHED);
	require(rsm_release_controller(controller), RSM_SUCCESS);
	expect(rsm_memseg_import_connect(controller, local_node, NOBODY, 0, &import),
	       RSMERR_BAD_CTLR_HNDL);
}

static void other_nodes_are_not_there(void)
{
	static const rsm_node_id_t beyond[] = { 256, 0x10000, 0xffffffff };
	size_t i;

	expect(connect_result(local_node + 1, NOBODY, RSM_PERM_READ),
	       loopback ? RSMERR_CTLR_NOT_PRESENT : RSMERR_INTERNAL_ERROR);
	for (i = 0; i < ARRAY(beyond); i++)
		expect_true(connect_result(beyond[i], NOBODY, RSM_PERM_READ) != RSM_SUCCESS);
}

static void created_but_unpublished_is_not_found(void)
{
	create(memory(page), page);
	expect(connect_result(local_node, 0, RSM_PERM_READ), RSMERR_SEG_NOT_PUBLISHED);
}

static void no_descriptor_left_is_a_lack_of_resources(void)
{
	rsm_memseg_id_t id;

	segment(1, &id);
	while (dup(0) >= 0)
		;
	expect(connect_result(local_node, id, RSM_PERM_READ), RSMERR_INSUFFICIENT_RESOURCES);
}

static void connections_are_independent(void)
{
	rsm_memseg_import_handle_t import[50];
	uint8_t *address;
	rsm_memseg_id_t id;
	size_t i;

	address = segment(1, &id);
	for (i = 0; i < ARRAY(import); i++)
		import[i] = connect_to(id, i % 2 ? RSM_PERM_READ : RSM_PERM_RDWR);
	for (i = 0; i < ARRAY(import); i += 3)
		expect(rsm_memseg_import_disconnect(import[i]), RSM_SUCCESS);
	*address = 7;
	expect(*map(import[1], RSM_PERM_READ, page), 7);
	expect(map_result(import[5], RSM_PERM_RDWR, 0, page), RSMERR_BAD_PERMS);
	expect(map_result(import[4], RSM_PERM_RDWR, 0, page), RSM_SUCCESS);
}

static void disconnect_needs_an_unmapped_import(void)
{
	struct pair p = pair();
	int before = descriptors();

	expect(rsm_memseg_import_disconnect(NULL), RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_import_disconnect((rsm_memseg_import_handle_t)p.export),
	       RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_import_disconnect(p.import), RSMERR_SEG_STILL_MAPPED);
	*p.mapping = 5;
	expect(p.memory[0], 5);
	expect(rsm_memseg_import_unmap(p.import), RSM_SUCCESS);
	expect(rsm_memseg_import_disconnect(p.import), RSM_SUCCESS);
	expect(descriptors(), before - 1);
}

static void map_checks_in_order(void)
{
	struct pair p = pair();
	rsm_memseg_import_handle_t other = connect_to(p.id, RSM_PERM_RDWR);
	void *address = (void *)1;

	expect(rsm_memseg_import_map(NULL, NULL, 0, 0777, 1, 0), RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_import_map(p.import, NULL, 0, 0777, 1, 0), RSMERR_BAD_ADDR);
	expect(map_result((rsm_memseg_import_handle_t)p.export, 0777, 1, 0), RSMERR_BAD_SEG_HNDL);
	expect(map_result(p.import, 0777, 1, 0), RSMERR_SEG_ALREADY_MAPPED);
	expect(map_result(other, 0601, 1, 0), RSMERR_BAD_PERMS);
	expect(map_result(other, 0600, 1, 0), RSMERR_BAD_LENGTH);
	expect(map_result(other, 0600, 1, page), RSMERR_BAD_LENGTH);
	expect(map_result(other, 0600, 1, 1), RSMERR_BAD_MEM_ALIGNMENT);
	expect(rsm_memseg_import_map(other, &address, RSM_MAP_FIXED, 0600, 1, 1),
	       RSMERR_BAD_MEM_ALIGNMENT);
	expect(rsm_memseg_import_map(other, &address, RSM_MAP_FIXED, 0600, 0, page),
	       RSMERR_BAD_MEM_ALIGNMENT);
	/* The handle is as good as before. */
	expect(map_result(other, 0600, 0, page), RSM_SUCCESS);
	expect(rsm_memseg_import_disconnect(other), RSM_SUCCESS);
}

static void ranges_beyond_the_segment_are_refused(void)
{
	static const struct { off_t offset; size_t pages; } ranges[] = {
		{ 0, 3 }, { 1, 2 }, { 2, 1 }, { 3, 1 }, { -1, 1 }, { -1, 2 },
		{ 0, SIZE_MAX >> 12 }, { 1, SIZE_MAX >> 12 }, { INT64_MAX >> 12, 1 },
		{ INT64_MIN >> 12, 1 }, { (off_t)1 << 48, 1 },
	};
	rsm_memseg_import_handle_t import;
	rsm_memseg_id_t id;
	size_t i;

	segment(2, &id);
	import = connect_to(id, RSM_PERM_RDWR);
	for (i = 0; i < ARRAY(ranges); i++)
		expect(map_result(import, RSM_PERM_READ, ranges[i].offset * (off_t)page,
				  ranges[i].pages * page), RSMERR_BAD_LENGTH);
	expect(map_result(import, RSM_PERM_READ, 0, 2 * page + 1), RSMERR_BAD_LENGTH);
	expect(map_result(import, RSM_PERM_READ, 0, SIZE_MAX), RSMERR_BAD_LENGTH);
	expect(map_result(import, RSM_PERM_READ, (off_t)page, 1), RSM_SUCCESS);
	expect(map_result(import, RSM_PERM_READ, 0, 2 * page), RSM_SUCCESS);
}

static void permissions_stay_within_the_connection(void)
{
	static const struct { rsm_permission_t connect, map; int result; } cases[] = {
		{ 0400, 0400, RSM_SUCCESS }, { 0400, 0600, RSMERR_BAD_PERMS },
		{ 0400, 0200, RSMERR_BAD_PERMS }, { 0200, 0200, RSM_SUCCESS },
		{ 0200, 0600, RSMERR_BAD_PERMS }, { 0200, 0400, RSMERR_BAD_PERMS },
		{ 0600, 0400, RSM_SUCCESS }, { 0600, 0200, RSM_SUCCESS },
		{ 0600, 0600, RSM_SUCCESS }, { 0000, 0400, RSMERR_BAD_PERMS },
		{ 0000, 0200, RSMERR_BAD_PERMS }, { 0600, 0000, RSM_SUCCESS },
	};
	rsm_memseg_import_handle_t import;
	rsm_memseg_id_t id;
	size_t i;

	segment(1, &id);
	for (i = 0; i < ARRAY(cases); i++) {
		import = connect_to(id, cases[i].connect);
		expect(map_result(import, cases[i].map, 0, page), cases[i].result);
		expect(rsm_memseg_import_disconnect(import), RSM_SUCCESS);
	}
}

static void store_to(void *address)
{
	*(volatile uint8_t *)address = 1;
}

static void store_to_a_read_only_mapping_faults(void)
{
	struct child child;
	rsm_memseg_id_t id;
	volatile uint8_t *mapping;

	segment(1, &id);
	mapping = map(connect_to(id, RSM_PERM_RDWR), RSM_PERM_READ, page);
	child = child_start(store_to, (void *)mapping);
	expect(child_finish(&child), 128 + SIGSEGV);
	/* Nor can the protection be raised behind the library's back. */
	mapping = map(connect_to(id, RSM_PERM_READ), RSM_PERM_READ, page);
	expect(mprotect((void *)mapping, page, PROT_READ | PROT_WRITE), -1);
}

static void fixed_mapping_is_where_asked(void)
{
	rsm_memseg_import_handle_t import;
	rsm_memseg_id_t id;
	void *where = memory(page), *address = where;

	*segment(1, &id) = 9;
	import = connect_to(id, RSM_PERM_READ);
	require(rsm_memseg_import_map(import, &address, RSM_MAP_FIXED, RSM_PERM_READ, 0, page),
		RSM_SUCCESS);
	expect_true(address == where);
	expect(*(uint8_t *)where, 9);
}

static void reserved_attribute_means_none(void)
{
	rsm_memseg_id_t id;
	void *address = NULL;

	*segment(1, &id) = 3;
	require(rsm_memseg_import_map(connect_to(id, RSM_PERM_READ), &address, RSM_MAP_RESERVED,
				      RSM_PERM_READ, 0, page), RSM_SUCCESS);
	expect(*(uint8_t *)address, 3);
}

static void offset_selects_the_part(void)
{
	rsm_memseg_id_t id;
	uint8_t *address = segment(4, &id);
	void *mapping = NULL;
	size_t i;

	for (i = 0; i < 4; i++)
		address[i * page] = (uint8_t)(i + 1);
	require(rsm_memseg_import_map(connect_to(id, RSM_PERM_RDWR), &mapping, RSM_MAP_NONE,
				      RSM_PERM_RDWR, 2 * (off_t)page, page + 1), RSM_SUCCESS);
	expect(((uint8_t *)mapping)[0], 3);
	expect(((uint8_t *)mapping)[page], 4);
	((uint8_t *)mapping)[page] = 44;
	expect(address[3 * page], 44);
}

static void stores_are_seen_on_both_sides(void)
{
	rsm_memseg_id_t id;
	size_t bytes = 16 * page, i;
	uint8_t *address = segment(16, &id);
	volatile uint8_t *mapping = map(connect_to(id, RSM_PERM_RDWR), RSM_PERM_RDWR, bytes);

	for (i = 0; i < bytes; i++)
		address[i] = (uint8_t)(i * 7);
	for (i = 0; i < bytes; i++)
		if (mapping[i] != (uint8_t)(i * 7))
			break;
	expect(i, bytes);
	for (i = 0; i < bytes; i++)
		mapping[i] = (uint8_t)(i * 11);
	for (i = 0; i < bytes; i++)
		if (address[i] != (uint8_t)(i * 11))
			break;
	expect(i, bytes);
}

static void unmap_needs_a_mapping(void)
{
	struct pair p = pair();

	expect(rsm_memseg_import_unmap(NULL), RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_import_unmap((rsm_memseg_import_handle_t)p.export),
	       RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_import_unmap(p.import), RSM_SUCCESS);
	expect(rsm_memseg_import_unmap(p.import), RSMERR_SEG_NOT_MAPPED);
	*map(p.import, RSM_PERM_RDWR, page) = 8;
	expect(p.memory[0], 8);
}

static void unpublish_ends_the_connection(void)
{
	struct pair p = pair();
	rsm_memseg_import_handle_t unmapped = connect_to(p.id, RSM_PERM_RDWR);

	p.memory[0] = 1;
	require(rsm_memseg_export_unpublish(p.export), RSM_SUCCESS);
	/* The mapping can be accessed, without effect. */
	*p.mapping = 2;
	(void)p.mapping[page - 1];
	expect(p.memory[0], 1);
	expect(map_result(unmapped, RSM_PERM_READ, 0, page), RSMERR_CONN_ABORTED);
	expect(rsm_memseg_import_disconnect(unmapped), RSM_SUCCESS);
	expect(rsm_memseg_import_disconnect(p.import), RSMERR_SEG_STILL_MAPPED);
	expect(rsm_memseg_import_unmap(p.import), RSM_SUCCESS);
	expect(map_result(p.import, RSM_PERM_READ, 0, page), RSMERR_CONN_ABORTED);
	expect(rsm_memseg_import_disconnect(p.import), RSM_SUCCESS);
}

static void new_connection_reaches_the_new_segment(void)
{
	struct pair p = pair();
	rsm_memseg_id_t id = 0x456789;

	require(rsm_memseg_export_unpublish(p.export), RSM_SUCCESS);
	require(rsm_memseg_export_publish(p.export, &id, NULL, 0), RSM_SUCCESS);
	*map(connect_to(id, RSM_PERM_RDWR), RSM_PERM_RDWR, page) = 6;
	expect(p.memory[0], 6);
	*p.mapping = 7;
	expect(p.memory[0], 6);
}

static const struct test tests[] = {
	TEST(connect_checks_in_order),
	TEST(other_nodes_are_not_there),
	TEST(created_but_unpublished_is_not_found),
	TEST(no_descriptor_left_is_a_lack_of_resources),
	TEST(connections_are_independent),
	TEST(disconnect_needs_an_unmapped_import),
	TEST(map_checks_in_order),
	TEST(ranges_beyond_the_segment_are_refused),
	TEST(permissions_stay_within_the_connection),
	TEST(store_to_a_read_only_mapping_faults),
	TEST(fixed_mapping_is_where_asked),
	TEST(reserved_attribute_means_none),
	TEST(offset_selects_the_part),
	TEST(stores_are_seen_on_both_sides),
	TEST(unmap_needs_a_mapping),
	TEST(unpublish_ends_the_connection),
	TEST(new_connection_reaches_the_new_segment),
};

int main(int argc, char *argv[])
{
	return guest_main(argc, argv, TESTS(tests));
}
