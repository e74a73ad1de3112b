// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What fork, exec, exit, a kill and munmap make of segments.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#define _GNU_SOURCE	/* mremap() */
#include "guest.h"

#include <signal.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define ID	0x423456

static int close_result(rsm_memseg_import_handle_t import)
{
	rsmapi_barrier_t barrier;
	int error;

	require(rsm_memseg_import_init_barrier(import, RSM_BAR_DEFAULT, &barrier), RSM_SUCCESS);
	require(rsm_memseg_import_open_barrier(&barrier), RSM_SUCCESS);
	error = rsm_memseg_import_close_barrier(&barrier);
	rsm_memseg_import_destroy_barrier(&barrier);
	return error;
}

/* The agent looks at lost memory soon after the loss, not within the system call. */
static int close_result_in_the_end(rsm_memseg_import_handle_t import)
{
	struct timespec pause = { 0, 1000000 };
	int error, tries;

	for (tries = 0; tries < 5000; tries++) {
		error = close_result(import);
		if (error)
			return error;
		nanosleep(&pause, NULL);
	}
	return RSM_SUCCESS;
}

static int publish_result(rsm_memseg_export_handle_t export, rsm_memseg_id_t id)
{
	return rsm_memseg_export_publish(export, &id, NULL, 0);
}

/* ---- Exporters that end ---- */

static void export_and_stay(void *argument)
{
	uint8_t *address = memory(page);

	(void)argument;
	*address = 1;
	require(publish_result(create(address, page), ID), RSM_SUCCESS);
	child_ready(0);
}

static void export_and_exec(void *argument)
{
	(void)argument;
	require(publish_result(create(memory(page), page), ID), RSM_SUCCESS);
	child_ready(0);
	execl("/bin/true", "true", NULL);
	_exit(99);
}

/* The process `run` ends its export after publishing, killed by `signal` if not 0. */
static void ended_exporter(void (*run)(void *), int signal)
{
	struct child child = child_start(run, NULL);
	rsm_memseg_import_handle_t import = connect_to(ID, RSM_PERM_RDWR);
	volatile uint8_t *mapping = map(import, RSM_PERM_RDWR, page);

	*mapping = 2;
	expect(close_result(import), RSM_SUCCESS);
	if (signal)
		require(kill(child.pid, signal), 0);
	expect(child_finish(&child), signal ? 128 + signal : 0);
	*mapping = 3;
	expect(close_result(import), RSMERR_CONN_ABORTED);
	/* The id is free. */
	expect(publish_result(create(memory(page), page), ID), RSM_SUCCESS);
}

static void exit_of_the_exporter_aborts(void)
{
	ended_exporter(export_and_stay, 0);
}

static void kill_of_the_exporter_aborts(void)
{
	ended_exporter(export_and_stay, SIGKILL);
}

static void exec_of_the_exporter_aborts(void)
{
	ended_exporter(export_and_exec, 0);
}

/* Exports, forks a child that holds the descriptors, and tells the child's pid. */
static void export_and_leave_a_child(void *argument)
{
	pid_t pid;

	(void)argument;
	require(publish_result(create(memory(page), page), ID), RSM_SUCCESS);
	pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	child_ready(pid);
}

static void exit_aborts_though_a_child_lives(void)
{
	struct child child = child_start(export_and_leave_a_child, NULL);
	rsm_memseg_import_handle_t import = connect_to(ID, RSM_PERM_RDWR), other;

	expect(child_finish(&child), 0);
	expect(kill((pid_t)child.number, 0), 0);
	expect(close_result_in_the_end(import), RSMERR_CONN_ABORTED);
	expect(rsm_memseg_import_connect(controller, local_node, ID, RSM_PERM_READ, &other),
	       RSMERR_SEG_NOT_PUBLISHED);
	require(kill((pid_t)child.number, SIGKILL), 0);
}

/* ---- Importers that end ---- */

static void import_and_stay(void *argument)
{
	volatile uint8_t *mapping = map(connect_to(*(rsm_memseg_id_t *)argument, RSM_PERM_RDWR),
					RSM_PERM_RDWR, page);

	*mapping = 9;
	child_ready(0);
	pause();
}

static void kill_of_an_importer_does_not_hold_the_exporter(void)
{
	struct pair p = pair();
	struct child child = child_start(import_and_stay, &p.id);

	expect(p.memory[0], 9);
	require(kill(child.pid, SIGKILL), 0);
	expect(child_finish(&child), 128 + SIGKILL);
	expect(close_result(p.import), RSM_SUCCESS);
	expect(rsm_memseg_export_unpublish(p.export), RSM_SUCCESS);
}

static void live_importer_does_not_hold_the_exporter(void)
{
	struct pair p = pair();
	struct child child = child_start(import_and_stay, &p.id);

	expect(rsm_memseg_export_unpublish(p.export), RSM_SUCCESS);
	p.memory[0] = 1;
	require(kill(child.pid, SIGKILL), 0);
	child_finish(&child);
	expect(p.memory[0], 1);
}

/* ---- fork ---- */

static void use_inherited_import(void *argument)
{
	struct pair *p = argument;

	p->mapping[1] = 77;
	expect(close_result(p->import), RSM_SUCCESS);
	expect(rsm_intr_signal_post(p->import, 0), RSM_SUCCESS);
	expect(rsm_memseg_import_unmap(p->import), RSM_SUCCESS);
	expect(rsm_memseg_import_disconnect(p->import), RSM_SUCCESS);
}

static void child_uses_an_inherited_import(void)
{
	struct pair p = pair();

	in_child(use_inherited_import, &p);
	expect(p.memory[1], 77);
	expect(rsm_intr_signal_wait(p.export, 1000), RSM_SUCCESS);
	*p.mapping = 5;
	expect(close_result(p.import), RSM_SUCCESS);
	expect(p.memory[0], 5);
}

static void use_inherited_export(void *argument)
{
	struct pair *p = argument;

	expect(rsm_memseg_export_unpublish(p->export), RSMERR_NOT_CREATOR);
	expect(rsm_memseg_export_destroy(p->export), RSM_SUCCESS);
}

static void child_may_only_close_an_inherited_export(void)
{
	struct pair p = pair();

	in_child(use_inherited_export, &p);
	expect(close_result(p.import), RSM_SUCCESS);
	*p.mapping = 4;
	expect(p.memory[0], 4);
	expect(rsm_memseg_export_unpublish(p.export), RSM_SUCCESS);
}

static void publish_inherited_export(void *argument)
{
	expect(publish_result(argument, ID), RSMERR_NOT_CREATOR);
}

static void child_may_not_publish_an_inherited_export(void)
{
	rsm_memseg_export_handle_t export = create(memory(page), page);

	in_child(publish_inherited_export, export);
	expect(publish_result(export, ID), RSM_SUCCESS);
}

static void store_in_child(void *argument)
{
	struct pair *p = argument;

	p->memory[2] = 22;
	child_ready(p->memory[3]);
}

static void exported_private_memory_stays_the_parents(void)
{
	struct pair p = pair();
	struct child child;

	p.memory[3] = 3;
	child = child_start(store_in_child, &p);
	expect(child.number, 3);
	p.memory[4] = 44;
	expect(p.mapping[4], 44);
	expect(p.mapping[2], 0);
	p.mapping[5] = 55;
	expect(p.memory[5], 55);
	expect(child_finish(&child), 0);
	p.memory[6] = 66;
	expect(p.mapping[6], 66);
	expect(close_result(p.import), RSM_SUCCESS);
}

/* ---- The exported range goes away ---- */

static void remap(struct pair *p)
{
	void *address = mmap(p->memory, page, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	require(address == p->memory, true);
}

static void unmap(struct pair *p)
{
	require(munmap(p->memory, page), 0);
}

static void forbid_access(struct pair *p)
{
	require(mprotect(p->memory, page, PROT_NONE), 0);
}

static void move(struct pair *p)
{
	require(mremap(p->memory, page, 2 * page, MREMAP_MAYMOVE) == MAP_FAILED, false);
}

static void losing_the_memory_ends_the_segment(void)
{
	static void (*const ways[])(struct pair *) = { unmap, remap, forbid_access, move };
	rsm_memseg_import_handle_t other;
	struct pair p;
	size_t i;

	for (i = 0; i < ARRAY(ways); i++) {
		p = pair();
		ways[i](&p);
		*p.mapping = 1;
		expect(close_result_in_the_end(p.import), RSMERR_CONN_ABORTED);
		expect(rsm_memseg_import_connect(controller, local_node, p.id, RSM_PERM_READ,
						 &other), RSMERR_SEG_NOT_PUBLISHED);
		expect(rsm_memseg_export_unpublish(p.export), RSMERR_SEG_NOT_PUBLISHED);
		expect(rsm_memseg_export_destroy(p.export), RSM_SUCCESS);
	}
}

static void losing_part_of_the_memory_ends_the_segment(void)
{
	uint8_t *address = memory(4 * page);
	rsm_memseg_import_handle_t import = connect_to(publish(create(address, 4 * page)), 0600);

	require(munmap(address + 2 * page, page), 0);
	expect(close_result_in_the_end(import), RSMERR_CONN_ABORTED);
}

static void losing_unpublished_memory_forbids_to_publish(void)
{
	void *address = memory(page);
	rsm_memseg_export_handle_t export = create(address, page);

	require(munmap(address, page), 0);
	expect(publish_result(export, ID), RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_export_destroy(export), RSM_SUCCESS);
}

static void neighbours_of_the_memory_do_not_matter(void)
{
	uint8_t *address = memory(3 * page);
	rsm_memseg_import_handle_t import = connect_to(publish(create(address + page, page)),
						       RSM_PERM_RDWR);

	require(munmap(address, page), 0);
	require(munmap(address + 2 * page, page), 0);
	expect(close_result(import), RSM_SUCCESS);
}

/* ---- Descriptors and mappings ---- */

static void partial_unmap_of_a_mapping_keeps_the_rest(void)
{
	uint8_t *address = memory(3 * page);
	rsm_memseg_import_handle_t import = connect_to(publish(create(address, 3 * page)),
						       RSM_PERM_RDWR);
	volatile uint8_t *mapping = map(import, RSM_PERM_RDWR, 3 * page);

	require(munmap((void *)(mapping + page), page), 0);
	mapping[0] = 1;
	mapping[2 * page] = 3;
	expect(address[0], 1);
	expect(address[2 * page], 3);
	expect(rsm_memseg_import_unmap(import), RSM_SUCCESS);
}

static void moved_mapping_still_works(void)
{
	struct pair p = pair();
	volatile uint8_t *moved = mremap((void *)p.mapping, page, page,
					 MREMAP_MAYMOVE | MREMAP_FIXED, memory(page));

	if (moved == MAP_FAILED)
		return;		/* may be refused, but must not do harm */
	*moved = 12;
	expect(p.memory[0], 12);
	require(rsm_memseg_export_unpublish(p.export), RSM_SUCCESS);
	*moved = 13;
	expect(p.memory[0], 12);
}

static void many_segments_come_and_go(void)
{
	int before = descriptors(), i;

	for (i = 0; i < 100; i++) {
		struct pair p = pair();

		*p.mapping = 1;
		expect(rsm_memseg_import_unmap(p.import), RSM_SUCCESS);
		if (i % 2)
			expect(rsm_memseg_import_disconnect(p.import), RSM_SUCCESS);
		expect(rsm_memseg_export_destroy(p.export), RSM_SUCCESS);
		if (!(i % 2))
			expect(rsm_memseg_import_disconnect(p.import), RSM_SUCCESS);
		require(munmap(p.memory, page), 0);
	}
	expect(descriptors(), before);
}

static const struct test tests[] = {
	TEST(exit_of_the_exporter_aborts),
	TEST(kill_of_the_exporter_aborts),
	TEST(exec_of_the_exporter_aborts),
	TEST(exit_aborts_though_a_child_lives),
	TEST(kill_of_an_importer_does_not_hold_the_exporter),
	TEST(live_importer_does_not_hold_the_exporter),
	TEST(child_uses_an_inherited_import),
	TEST(child_may_only_close_an_inherited_export),
	TEST(child_may_not_publish_an_inherited_export),
	TEST(exported_private_memory_stays_the_parents),
	TEST(losing_the_memory_ends_the_segment),
	TEST(losing_part_of_the_memory_ends_the_segment),
	TEST(losing_unpublished_memory_forbids_to_publish),
	TEST(neighbours_of_the_memory_do_not_matter),
	TEST(partial_unmap_of_a_mapping_keeps_the_rest),
	TEST(moved_mapping_still_works),
	TEST(many_segments_come_and_go),
};

int main(int argc, char *argv[])
{
	return guest_main(argc, argv, TESTS(tests));
}
