// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What an exporter can change in a segment while others import it: its memory
 * (rebind) and its access list (republish).
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "guest.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define ID	0x434567

static rsm_memseg_export_handle_t create_rebindable(void *address, size_t bytes)
{
	rsm_memseg_export_handle_t export;

	require(rsm_memseg_export_create(controller, &export, address, bytes, RSM_ALLOW_REBIND),
		RSM_SUCCESS);
	return export;
}

/* A published segment of two pages that can be rebound, imported and mapped. */
static struct pair rebindable_pair(void)
{
	struct pair p;

	p.memory = memory(2 * page);
	p.export = create_rebindable(p.memory, 2 * page);
	p.id = publish(p.export);
	p.import = connect_to(p.id, RSM_PERM_RDWR);
	p.mapping = map(p.import, RSM_PERM_RDWR, 2 * page);
	p.mapping[0] = 1;
	p.mapping[page] = 2;
	return p;
}

static int republish_result(rsm_memseg_export_handle_t export, rsm_node_id_t node,
			    rsm_permission_t permission)
{
	rsmapi_access_entry_t entry = { node, permission };

	return rsm_memseg_export_republish(export, &entry, 1);
}

static int connect_result(rsm_memseg_id_t id, rsm_permission_t permission)
{
	rsm_memseg_import_handle_t import;
	int error = rsm_memseg_import_connect(controller, local_node, id, permission, &import);

	if (!error)
		expect(rsm_memseg_import_disconnect(import), RSM_SUCCESS);
	return error;
}

static void expect_untouched(const struct pair *p)
{
	rsmapi_barrier_t barrier;

	require(rsm_memseg_import_init_barrier(p->import, RSM_BAR_DEFAULT, &barrier), RSM_SUCCESS);
	require(rsm_memseg_import_open_barrier(&barrier), RSM_SUCCESS);
	p->mapping[page + 1] = 99;
	expect(p->memory[page + 1], 99);
	expect(rsm_memseg_import_close_barrier(&barrier), RSM_SUCCESS);
	expect(rsm_memseg_import_destroy_barrier(&barrier), RSM_SUCCESS);
}

/* ---- rebind ---- */

static void rebind_checks_in_order(void)
{
	rsm_memseg_export_handle_t plain = create(memory(page), page);
	rsm_memseg_export_handle_t export = create_rebindable(memory(page), page);
	char *other = memory(2 * page);

	expect(rsm_memseg_export_rebind(NULL, NULL, 0, 0), RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_export_rebind((void *)pair().import, other, 0, page),
	       RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_export_rebind(plain, NULL, 0, 0), RSMERR_BAD_ADDR);
	expect(rsm_memseg_export_rebind(plain, other + 1, 0, 0), RSMERR_REBIND_NOT_ALLOWED);
	expect(rsm_memseg_export_rebind(export, other + 1, 0, 0), RSMERR_BAD_LENGTH);
	expect(rsm_memseg_export_rebind(export, other + 1, 0, 2 * page), RSMERR_BAD_LENGTH);
	expect(rsm_memseg_export_rebind(export, other + 1, 0, page), RSMERR_BAD_ADDR);
	expect(rsm_memseg_export_rebind(export, (void *)-page, 0, page), RSMERR_BAD_ADDR);
	expect(rsm_memseg_export_rebind(export, other, 123, page), RSM_SUCCESS);
}

static void rebind_in_child(void *argument)
{
	expect(rsm_memseg_export_rebind(argument, memory(2 * page), 0, 0), RSMERR_NOT_CREATOR);
}

static void child_may_not_rebind(void)
{
	struct pair p = rebindable_pair();

	in_child(rebind_in_child, p.export);
	expect_untouched(&p);
}

static void importers_see_the_new_memory(void)
{
	struct pair p = rebindable_pair();
	rsmapi_barrier_t barrier;
	uint8_t *other = memory(2 * page);

	require(rsm_memseg_import_init_barrier(p.import, RSM_BAR_DEFAULT, &barrier), RSM_SUCCESS);
	require(rsm_memseg_import_open_barrier(&barrier), RSM_SUCCESS);
	other[page] = 7;
	expect(rsm_memseg_export_rebind(p.export, other, 0, 2 * page), RSM_SUCCESS);
	expect(p.mapping[page], 7);
	p.mapping[1] = 8;
	expect(other[1], 8);
	expect(rsm_memseg_import_close_barrier(&barrier), RSM_SUCCESS);
	/* The old memory is as it was left, and the program's alone. */
	expect(p.memory[0], 1);
	expect(p.memory[1], 0);
	require(munmap(p.memory, 2 * page), 0);
	p.memory = other;
	expect_untouched(&p);
	/* Now it counts that this memory stays. */
	require(munmap(other, page), 0);
	expect(rsm_memseg_export_unpublish(p.export), RSMERR_SEG_NOT_PUBLISHED);
}

static void later_importers_get_the_new_memory(void)
{
	uint8_t *old = memory(page), *other = memory(page);
	rsm_memseg_export_handle_t export = create_rebindable(old, page);
	volatile uint8_t *mapping;

	/* Before it was ever published, too. */
	expect(rsm_memseg_export_rebind(export, other, 0, page), RSM_SUCCESS);
	require(munmap(old, page), 0);
	*other = 5;
	mapping = map(connect_to(publish(export), RSM_PERM_RDWR), RSM_PERM_RDWR, page);
	expect(*mapping, 5);
	old = memory(page);
	*old = 6;
	expect(rsm_memseg_export_rebind(export, old, 0, page), RSM_SUCCESS);
	expect(*mapping, 6);
	expect(*map(connect_to(publish(create(old, page)), RSM_PERM_READ), RSM_PERM_READ, page), 6);
}

static void rebind_to_the_same_address_does_nothing(void)
{
	struct pair p = rebindable_pair();

	expect(rsm_memseg_export_rebind(p.export, p.memory, 0, 2 * page), RSM_SUCCESS);
	expect_untouched(&p);
}

static void rebind_to_an_overlapping_range_works(void)
{
	uint8_t *address = memory(3 * page);
	rsm_memseg_export_handle_t export = create_rebindable(address, 2 * page);
	volatile uint8_t *mapping = map(connect_to(publish(export), RSM_PERM_RDWR),
					RSM_PERM_RDWR, 2 * page);

	address[page] = 3;
	expect(rsm_memseg_export_rebind(export, address + page, 0, 2 * page), RSM_SUCCESS);
	expect(mapping[0], 3);
	require(munmap(address, page), 0);
	mapping[page] = 4;
	expect(address[2 * page], 4);
}

static void failed_rebind_keeps_the_old_memory(void)
{
	struct rlimit limit = { 3 * page, 3 * page };
	struct pair p = rebindable_pair();
	char *gone = memory(2 * page);
	void *fixed = mmap(NULL, 2 * page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	require(munmap(gone + page, page), 0);
	expect(rsm_memseg_export_rebind(p.export, gone, 0, 2 * page), RSMERR_BAD_ADDR);
	expect(rsm_memseg_export_rebind(p.export, fixed, 0, 2 * page), RSMERR_PERM_DENIED);
	expect(rsm_memseg_export_rebind(p.export, (void *)p.mapping, 0, 2 * page),
	       RSMERR_BAD_ADDR);
	expect_untouched(&p);
	/* Both count while it lasts. */
	require(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
	require(setuid(1001), 0);
	expect(rsm_memseg_export_rebind(p.export, memory(2 * page), 0, 2 * page),
	       RSMERR_INSUFFICIENT_MEM);
	expect_untouched(&p);
}

static void rebind_of_lost_memory_is_refused(void)
{
	struct pair p = rebindable_pair();

	require(munmap(p.memory, page), 0);
	expect(rsm_memseg_export_rebind(p.export, memory(2 * page), 0, 2 * page),
	       RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_export_destroy(p.export), RSM_SUCCESS);
}

/* In memory that parent and child share. */
struct storing {
	volatile uint64_t *mapping;
	volatile uint64_t stores;
	volatile bool stop;
};

static void store_without_pause(void *argument)
{
	struct storing *storing = argument;

	child_runs(0);
	for (; !storing->stop; storing->stores++)
		storing->mapping[storing->stores % (2 * page / 8)] = storing->stores;
}

static void await_stores(const struct storing *storing)
{
	uint64_t before = storing->stores;

	while (storing->stores == before)
		sched_yield();
}

static void many_rebinds_under_stores_lose_no_connection(void)
{
	struct pair p = rebindable_pair();
	struct storing *storing = mmap(NULL, page, PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct child child;
	uint8_t *other;
	int i;

	require(storing == MAP_FAILED, false);
	storing->mapping = (volatile uint64_t *)p.mapping;
	child = child_start(store_without_pause, storing);
	for (i = 0; i < 200; i++) {
		other = memory(2 * page);
		await_stores(storing);
		require(rsm_memseg_export_rebind(p.export, other, 0, 2 * page), RSM_SUCCESS);
		require(munmap(p.memory, 2 * page), 0);
		p.memory = other;
	}
	await_stores(storing);
	storing->stop = true;
	expect(child_finish(&child), 0);
	expect_untouched(&p);
}

/* ---- republish ---- */

static void republish_checks_in_order(void)
{
	rsm_memseg_export_handle_t export = create(memory(page), page);
	rsmapi_access_entry_t list[65] = { { 0 } };
	void *gone = memory(page);

	require(munmap(gone, page), 0);
	expect(rsm_memseg_export_republish(NULL, NULL, 1), RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_export_republish(export, NULL, 1), RSMERR_SEG_NOT_PUBLISHED);
	publish(export);
	expect(rsm_memseg_export_republish(export, NULL, 1), RSMERR_BAD_ACL);
	expect(rsm_memseg_export_republish(export, list, 65), RSMERR_BAD_ACL);
	expect(rsm_memseg_export_republish(export, gone, 1), RSMERR_BAD_ADDR);
	expect(republish_result(export, 256, 0666), RSMERR_BAD_ACL);
	expect(republish_result(export, local_node, 0777), RSMERR_BAD_ACL);
	expect(republish_result(export, local_node + 1, 0666),
	       loopback ? RSMERR_BAD_ACL : RSMERR_INTERNAL_ERROR);
	expect(republish_result(export, local_node, 0666), RSM_SUCCESS);
	expect(rsm_memseg_export_unpublish(export), RSM_SUCCESS);
	expect(republish_result(export, local_node, 0666), RSMERR_SEG_NOT_PUBLISHED);
}

static void republish_in_child(void *argument)
{
	expect(republish_result(argument, 256, 0777), RSMERR_NOT_CREATOR);
}

static void child_may_not_republish(void)
{
	struct pair p = pair();

	in_child(republish_in_child, p.export);
}

static void republish_of_lost_memory_is_refused(void)
{
	struct pair p = pair();

	require(munmap(p.memory, page), 0);
	expect(republish_result(p.export, local_node, 0666), RSMERR_SEG_NOT_PUBLISHED);
}

/* As another user, for whom the digits of the list count. */
static void connect_as_stranger(void *argument)
{
	const struct pair *p = argument;

	require(setgid(1002), 0);
	require(setuid(1002), 0);
	expect(connect_result(p->id, RSM_PERM_RDWR), p->memory[1]);
	expect(connect_result(p->id, RSM_PERM_READ), p->memory[2]);
}

/* What a stranger gets who connects, read-write and read-only. */
static void strangers_get(struct pair *p, int read_write, int read_only)
{
	p->memory[1] = (uint8_t)read_write;
	p->memory[2] = (uint8_t)read_only;
	in_child(connect_as_stranger, p);
}

static void new_list_is_for_those_who_come(void)
{
	struct pair p = pair();

	require(republish_result(p.export, local_node, 0666), RSM_SUCCESS);
	strangers_get(&p, RSM_SUCCESS, RSM_SUCCESS);
	require(republish_result(p.export, local_node, 0644), RSM_SUCCESS);
	strangers_get(&p, RSMERR_PERM_DENIED, RSM_SUCCESS);
	require(republish_result(p.export, local_node, 0600), RSM_SUCCESS);
	strangers_get(&p, RSMERR_PERM_DENIED, RSMERR_PERM_DENIED);
	/* An empty list means the permissions of the creation. */
	require(rsm_memseg_export_republish(p.export, NULL, 0), RSM_SUCCESS);
	strangers_get(&p, RSMERR_PERM_DENIED, RSM_SUCCESS);
	/* None of it concerns who was there before. */
	*p.mapping = 42;
	expect(*p.memory, 42);
	expect(rsm_memseg_import_unmap(p.import), RSM_SUCCESS);
	*map(p.import, RSM_PERM_RDWR, page) = 43;
	expect(*p.memory, 43);
	expect(rsm_intr_signal_post(p.import, 0), RSM_SUCCESS);
	expect(rsm_intr_signal_wait(p.export, 1000), RSM_SUCCESS);
}

/* Only root can hold an import of a mode that the owner's digit denies. */
static void owner_digit_of_the_new_list_is_the_mapping(void)
{
	struct pair p = pair();
	rsm_memseg_import_handle_t import;
	void *address = NULL;

	require(republish_result(p.export, local_node, 0444), RSM_SUCCESS);
	import = connect_to(p.id, RSM_PERM_RDWR);
	expect(rsm_memseg_import_map(import, &address, RSM_MAP_NONE, RSM_PERM_RDWR, 0, page),
	       RSMERR_BAD_PERMS);
	expect(rsm_memseg_import_map(import, &address, RSM_MAP_NONE, RSM_PERM_READ, 0, page),
	       RSM_SUCCESS);
	*p.mapping = 9;
	expect(*(uint8_t *)address, 9);
}

static const struct test tests[] = {
	TEST(rebind_checks_in_order),
	TEST(child_may_not_rebind),
	TEST(importers_see_the_new_memory),
	TEST(later_importers_get_the_new_memory),
	TEST(rebind_to_the_same_address_does_nothing),
	TEST(rebind_to_an_overlapping_range_works),
	TEST(failed_rebind_keeps_the_old_memory),
	TEST(rebind_of_lost_memory_is_refused),
	TEST(many_rebinds_under_stores_lose_no_connection),
	TEST(republish_checks_in_order),
	TEST(child_may_not_republish),
	TEST(republish_of_lost_memory_is_refused),
	TEST(new_list_is_for_those_who_come),
	TEST(owner_digit_of_the_new_list_is_the_mapping),
};

int main(int argc, char *argv[])
{
	return guest_main(argc, argv, TESTS(tests));
}
