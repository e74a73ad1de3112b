// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a program can do to memory that it exports, beside unmapping it, and
 * who ends a segment that several processes hold.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "guest.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ID	0x445678

static int connect_result(rsm_memseg_id_t id)
{
	rsm_memseg_import_handle_t import;
	int error = rsm_memseg_import_connect(controller, local_node, id, RSM_PERM_READ, &import);

	if (!error)
		expect(rsm_memseg_import_disconnect(import), RSM_SUCCESS);
	return error;
}

/* The agent looks after the loss, not within the system call. */
static int connect_result_in_the_end(rsm_memseg_id_t id)
{
	struct timespec pause = { 0, 1000000 };
	int error, tries;

	for (tries = 0; tries < 5000; tries++) {
		error = connect_result(id);
		if (error)
			break;
		nanosleep(&pause, NULL);
	}
	return error;
}

static void forget_contents(uint8_t *memory)
{
	require(madvise(memory, page, MADV_DONTNEED), 0);
}

static void forbid_stores(uint8_t *memory)
{
	require(mprotect(memory, page, PROT_READ), 0);
}

static void replaced_memory_ends_the_segment(void)
{
	static void (*const ways[])(uint8_t *) = { forget_contents, forbid_stores };
	struct pair p;
	size_t i;

	for (i = 0; i < ARRAY(ways); i++) {
		p = pair();
		ways[i](p.memory);
		expect(connect_result_in_the_end(p.id), RSMERR_SEG_NOT_PUBLISHED);
		expect(rsm_memseg_export_unpublish(p.export), RSMERR_SEG_NOT_PUBLISHED);
		expect(publish(create(memory(page), page)) != p.id, true);
		expect(rsm_memseg_export_destroy(p.export), RSM_SUCCESS);
	}
}

/* Advice and protections that leave the pages where they are. */
static void harmless_changes_do_not_end_it(void)
{
	struct pair p = pair();

	require(mprotect(p.memory, page, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
	require(madvise(p.memory, page, MADV_DONTFORK), 0);
	require(mlock(p.memory, page), 0);
	require(munlock(p.memory, page), 0);
	*p.mapping = 4;
	expect(*p.memory, 4);
	expect(connect_result(p.id), RSM_SUCCESS);
	expect(rsm_memseg_export_unpublish(p.export), RSM_SUCCESS);
}

/* Whichever call is the first to meet it. */
static void lost_memory_is_no_longer_published(void)
{
	rsm_memseg_id_t id = ID;
	struct pollfd pollfd;
	struct pair p;

	for (int first = 0; first < 3; first++) {
		p = pair();
		expect(rsm_memseg_get_pollfd(p.export, &pollfd), RSM_SUCCESS);
		expect(rsm_memseg_export_unpublish(p.export), RSMERR_POLLFD_IN_USE);
		require(munmap(p.memory, page), 0);
		if (first == 0)
			expect(rsm_memseg_get_pollfd(p.export, &pollfd), RSMERR_BAD_SEG_HNDL);
		if (first == 1)
			expect(rsm_memseg_export_publish(p.export, &id, NULL, 0),
			       RSMERR_BAD_SEG_HNDL);
		expect(rsm_memseg_export_unpublish(p.export), RSMERR_SEG_NOT_PUBLISHED);
		expect(rsm_memseg_export_republish(p.export, NULL, 0), RSMERR_SEG_NOT_PUBLISHED);
		expect(rsm_memseg_export_publish(p.export, &id, NULL, 0), RSMERR_BAD_SEG_HNDL);
		expect(rsm_memseg_get_pollfd(p.export, &pollfd), RSMERR_BAD_SEG_HNDL);
		expect(rsm_memseg_export_destroy(p.export), RSMERR_POLLFD_IN_USE);
		expect(rsm_memseg_release_pollfd(p.export), RSM_SUCCESS);
		expect(rsm_memseg_export_destroy(p.export), RSM_SUCCESS);
	}
}

static void pins_are_counted_and_given_back(void)
{
	long before = pinned_kib(), kib = (long)page / 1024;
	void *address = memory(8 * page);
	rsm_memseg_export_handle_t one = create(address, 8 * page);
	rsm_memseg_export_handle_t two = create(address, 8 * page);
	rsm_memseg_id_t id = ID;

	expect(pinned_kib(), before + 16 * kib);
	expect(rsm_memseg_export_destroy(one), RSM_SUCCESS);
	expect(pinned_kib(), before + 8 * kib);
	require(munmap(address, page), 0);
	/* Publishing sees the loss for certain, so the pages are back. */
	expect(rsm_memseg_export_publish(two, &id, NULL, 0), RSMERR_BAD_SEG_HNDL);
	expect(pinned_kib(), before);
	expect(rsm_memseg_export_destroy(two), RSM_SUCCESS);
	expect(pinned_kib(), before);
}

/* Publishes, leaves the descriptor to a child of its own, closes it and lives on. */
static void close_before_the_child(void *argument)
{
	rsm_memseg_export_handle_t export = create(memory(page), page);
	rsm_memseg_id_t id = ID;
	pid_t pid;

	(void)argument;
	require(rsm_memseg_export_publish(export, &id, NULL, 0), RSM_SUCCESS);
	pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	require(rsm_memseg_export_destroy(export), RSM_SUCCESS);
	child_ready(pid);
	waitpid(pid, NULL, 0);
}

static void last_close_ends_it_whoever_closes(void)
{
	struct child child = child_start(close_before_the_child, NULL);

	expect(connect_result(ID), RSM_SUCCESS);
	require(kill((pid_t)child.number, SIGKILL), 0);
	expect(connect_result_in_the_end(ID), RSMERR_SEG_NOT_PUBLISHED);
	expect(child_finish(&child), 0);
}

/* The pages of a fork's parent stay the exported ones, however many children write. */
static void children_that_write_do_not_end_it(void)
{
	struct pair p = pair();
	int i;

	for (i = 1; i <= 20; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			memset(p.memory, 0x55, page);
			_exit(0);
		}
		*p.memory = (uint8_t)i;
		expect(*p.mapping, i);
		waitpid(pid, NULL, 0);
	}
	expect(rsm_memseg_export_unpublish(p.export), RSM_SUCCESS);
}

static const struct test tests[] = {
	TEST(replaced_memory_ends_the_segment),
	TEST(harmless_changes_do_not_end_it),
	TEST(lost_memory_is_no_longer_published),
	TEST(pins_are_counted_and_given_back),
	TEST(last_close_ends_it_whoever_closes),
	TEST(children_that_write_do_not_end_it),
};

int main(int argc, char *argv[])
{
	return guest_main(argc, argv, TESTS(tests));
}
