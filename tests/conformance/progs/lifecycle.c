// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What processes and their ends do to segments.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#define _GNU_SOURCE
#include "conform.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool is_unpublished(void *id)
{
	rsm_memseg_import_handle_t import;
	int ret = try_connect((rsm_memseg_id_t)(uintptr_t)id, RSM_PERM_READ, &import);

	if (ret == RSM_SUCCESS)
		rsm_memseg_import_disconnect(import);
	return ret == RSMERR_SEG_NOT_PUBLISHED;
}

static int span(struct imported *imported)
{
	require(rsm_memseg_import_open_barrier(&imported->barrier), RSM_SUCCESS);
	imported->mapping[0]++;
	return rsm_memseg_import_close_barrier(&imported->barrier);
}

static bool span_is_aborted(void *imported)
{
	return span(imported) == RSMERR_CONN_ABORTED;
}

static void a253_a_killed_exporter_aborts_its_importers(void)
{
	struct imported imported = import_mapped(page);

	expect(span(&imported), RSM_SUCCESS);
	peer_ok("die");
	expect_true(eventually(span_is_aborted, &imported));
	expect(span(&imported), RSMERR_CONN_ABORTED);
	/* The id is free, and the memory is nobody's any more. */
	peer_ok("begin %s", controller_name);
	expect_true(eventually(is_unpublished, (void *)ID));
	peer_export(0, page);
	connect_to(ID, RSM_PERM_RDWR);
	peer_ok("pinned");
	expect(peer_value, page / 1024);
}

static void import_and_stay(void *argument)
{
	struct imported *imported = argument;

	imported->import = connect_to(ID, RSM_PERM_RDWR);
	imported->mapping = map(imported->import, RSM_PERM_RDWR, page);
	imported->mapping[0] = 1;
	child_ready(0);
}

static void a254_a_killed_importer_does_not_hold_up_unpublish(void)
{
	struct imported imported = { 0 };
	struct child child;

	peer_export(0, page);
	child = child_start(import_and_stay, &imported);
	require(child.number, 0);
	kill(child.pid, SIGKILL);
	peer_ok("unpublish 0");
	expect(child_finish(&child), 128 + SIGKILL);
	peer_ok("publish 0 %d", ID);
	connect_to(ID, RSM_PERM_READ);
}

static void a256_what_lost_its_memory_cannot_be_published(void)
{
	void *one = memory(page), *two = memory(page);
	rsm_memseg_export_handle_t fresh, published;
	rsm_memseg_id_t id = 0;

	require(rsm_memseg_export_create(controller, &fresh, one, page, RSM_ALLOW_REBIND),
		RSM_SUCCESS);
	published = create(two, page);
	publish(published);
	require(munmap(one, page), 0);
	require(munmap(two, page), 0);
	expect(rsm_memseg_export_publish(fresh, &id, NULL, 0), RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_export_rebind(fresh, memory(page), 0, page), RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_export_republish(published, NULL, 0), RSMERR_SEG_NOT_PUBLISHED);
	expect(rsm_memseg_export_unpublish(published), RSMERR_SEG_NOT_PUBLISHED);
	expect(rsm_memseg_export_destroy(fresh), RSM_SUCCESS);
	expect(rsm_memseg_export_destroy(published), RSM_SUCCESS);
}

static void a257_a_child_does_not_keep_its_parents_export(void)
{
	struct imported imported = import_mapped(page);

	peer_ok("orphan");
	expect_true(eventually(span_is_aborted, &imported));
	expect_true(eventually(is_unpublished, (void *)ID));
}

static void a258_exec_ends_an_export(void)
{
	struct imported imported = { 0 };

	peer_ok("execer %d", ID);
	imported.import = connect_to(ID, RSM_PERM_RDWR);
	imported.mapping = map(imported.import, RSM_PERM_RDWR, page);
	require(rsm_memseg_import_init_barrier(imported.import, RSM_BAR_DEFAULT,
					       &imported.barrier), RSM_SUCCESS);
	expect(span(&imported), RSM_SUCCESS);
	peer_ok("exec");
	expect_true(eventually(span_is_aborted, &imported));
	expect_true(eventually(is_unpublished, (void *)ID));
}

static void a262_the_agent_cannot_be_unloaded_while_it_is_used(void)
{
	create(memory(page), page);
	expect(syscall(SYS_delete_module, "rsm", O_NONBLOCK), -1);
	expect_true(errno == EWOULDBLOCK || errno == EBUSY);
	if (scope == SELF) {
		publish(create(memory(page), page));
		expect(syscall(SYS_delete_module, "sci", O_NONBLOCK), -1);
		expect_true(errno == EWOULDBLOCK || errno == EBUSY);
	}
}

#define CROWD	16	/* more than the requests that may be on their way */

static void connect_in_crowd(void *go)
{
	rsm_memseg_import_handle_t import;
	char byte;

	require(read(*(int *)go, &byte, 1), 1);
	expect(try_connect(ID + (rsm_memseg_id_t)(byte % CROWD), RSM_PERM_READ, &import),
	       RSM_SUCCESS);
}

static void a263_many_connects_at_once_complete(void)
{
	int go[2], pids[CROWD], i;
	char bytes[CROWD];

	require(pipe(go), 0);
	for (i = 0; i < CROWD; i++) {
		bytes[i] = (char)i;
		peer_export(i, page);
		pids[i] = fork_test(connect_in_crowd, &go[0]);
	}
	require(write(go[1], bytes, CROWD), CROWD);
	for (i = 0; i < CROWD; i++)
		expect(wait_test(pids[i]), 0);
}

static void a264_200_unpublishes_in_a_row_work(void)
{
	rsm_memseg_import_handle_t import;
	int i;

	peer_ok("create 0 %zu", page);
	for (i = 0; i < 200; i++) {
		peer_ok("publish 0 %d", ID);
		require(try_connect(ID, RSM_PERM_READ, &import), RSM_SUCCESS);
		peer_ok("unpublish 0");
		require(rsm_memseg_import_disconnect(import), RSM_SUCCESS);
	}
}

static void a266_importers_see_the_parents_memory(void)
{
	struct imported imported = import_mapped(page);

	peer_ok("poke 0 0 1");
	peer_ok("child 0 0 666");
	expect(*(volatile uint64_t *)imported.mapping, 1);
	peer_ok("poke 0 0 2");
	expect(*(volatile uint64_t *)imported.mapping, 2);
	expect(span(&imported), RSM_SUCCESS);
	peer_ok("peek 0 0");
	expect(peer_value, 3);
}

static void a267_unmapping_the_memory_aborts_importers(void)
{
	struct imported imported = import_mapped(page);

	expect(span(&imported), RSM_SUCCESS);
	peer_ok("unmap 0");
	expect_true(eventually(span_is_aborted, &imported));
	expect(peer("unpublish 0"), RSMERR_SEG_NOT_PUBLISHED);
}

static void a268_exporting_twice_counts_twice(void)
{
	long before = pinned_kib(), kib = 8 * (long)page / 1024;
	void *address = memory(8 * page);
	rsm_memseg_export_handle_t a = create(address, 8 * page), b = create(address, 8 * page);

	expect(pinned_kib() - before, 2 * kib);
	require(rsm_memseg_export_destroy(a), RSM_SUCCESS);
	expect(pinned_kib() - before, kib);
	require(rsm_memseg_export_destroy(b), RSM_SUCCESS);
	expect(pinned_kib(), before);
}

static void use_inherited(void *argument)
{
	rsm_memseg_export_handle_t *exports = argument;
	rsm_memseg_id_t id = 0;

	expect(rsm_memseg_export_publish(exports[0], &id, NULL, 0), RSMERR_NOT_CREATOR);
	expect(rsm_memseg_export_republish(exports[1], NULL, 0), RSMERR_NOT_CREATOR);
	expect(rsm_memseg_export_unpublish(exports[1]), RSMERR_NOT_CREATOR);
	expect(rsm_memseg_export_rebind(exports[0], memory(page), 0, page), RSMERR_NOT_CREATOR);
	expect(rsm_memseg_export_destroy(exports[1]), RSM_SUCCESS);
}

static void a269_an_inherited_export_can_only_be_closed(void)
{
	rsm_memseg_export_handle_t exports[2];
	rsm_memseg_id_t id;

	require(rsm_memseg_export_create(controller, &exports[0], memory(page), page,
					 RSM_ALLOW_REBIND), RSM_SUCCESS);
	exports[1] = create(memory(page), page);
	id = publish(exports[1]);
	in_child(use_inherited, exports);
	/* The child has closed its own descriptor, not the segment. */
	connect_here(id, RSM_PERM_READ);
	expect(rsm_memseg_export_unpublish(exports[1]), RSM_SUCCESS);
}

static const struct test tests[] = {
	TEST(ALL, a253_a_killed_exporter_aborts_its_importers),
	TEST(ALL, a254_a_killed_importer_does_not_hold_up_unpublish),
	TEST(LOCAL, a256_what_lost_its_memory_cannot_be_published),
	TEST(ALL, a257_a_child_does_not_keep_its_parents_export),
	TEST(ALL, a258_exec_ends_an_export),
	TEST(LOCAL, a262_the_agent_cannot_be_unloaded_while_it_is_used),
	TEST(CROSS, a263_many_connects_at_once_complete),
	TEST(ALL, a264_200_unpublishes_in_a_row_work),
	TEST(ALL, a266_importers_see_the_parents_memory),
	TEST(ALL, a267_unmapping_the_memory_aborts_importers),
	TEST(LOCAL, a268_exporting_twice_counts_twice),
	TEST(LOCAL, a269_an_inherited_export_can_only_be_closed),
};

SECTION(lifecycle);
