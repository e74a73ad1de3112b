// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The limits that parameters of the module set; test_modules.py loads it with
 * small ones.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#define _GNU_SOURCE	/* unshare */
#include "guest.h"

#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
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

#define USER	1000
#define OTHER	1001

struct demand {
	uid_t uid;
	long count;
	size_t bytes;
};

/* As many segments as told, not one more; they stay until the parent is done. */
static void take_segments(void *argument)
{
	const struct demand *demand = argument;
	rsm_memseg_export_handle_t exports[SMALL], surplus;
	void *address = memory(demand->bytes);
	int error;
	long i;

	require(demand->count < SMALL, true);
	require(setuid(demand->uid), 0);
	for (i = 0; i < demand->count; i++)
		require(create_result(&exports[i], address, demand->bytes), RSM_SUCCESS);
	error = create_result(&surplus, address, demand->bytes);
	child_ready(error);
}

/* What a process of @uid is answered that takes one segment more, by @take. */
static void expect_one_more(void (*take)(void *), uid_t uid, int error)
{
	struct demand none = { uid, 0, page };
	struct child child = child_start(take, &none);

	expect(child.number, error);
	expect(child_finish(&child), 0);
}

static void a_user_takes_a_part_of_the_segments(void)
{
	long part = parameter("max_segments") * parameter("max_user_share") / 100;
	struct demand first = { USER, part, page };
	rsm_memseg_export_handle_t export;
	struct child child;

	child = child_start(take_segments, &first);
	expect(child.number, RSMERR_INSUFFICIENT_RESOURCES);
	/* The same user in another process; another one; root. */
	expect_one_more(take_segments, USER, RSMERR_INSUFFICIENT_RESOURCES);
	expect_one_more(take_segments, OTHER, RSM_SUCCESS);
	expect(create_result(&export, memory(page), page), RSM_SUCCESS);
	expect(child_finish(&child), 0);
}

/* For a process in a user namespace: the uids from 100000 on.  The caller is root. */
static void map_users(pid_t pid)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	file = fopen(path, "w");
	require(file && fputs("0 100000 1000", file) >= 0 && fclose(file) == 0, true);
}

/* Become another user in a namespace that @maker has made. */
static void enter_namespace(uid_t maker)
{
	int made[2], mapped[2];
	pid_t pid = getpid();
	char byte = 0;

	require(pipe(made), 0);
	require(pipe(mapped), 0);
	if (fork() == 0) {
		if (read(made[0], &byte, 1) == 1)
			map_users(pid);
		_exit(write(mapped[1], &byte, 1) != 1);
	}
	require(setuid(maker), 0);
	require(unshare(CLONE_NEWUSER), 0);
	require(write(made[1], &byte, 1), 1);
	require(read(mapped[0], &byte, 1), 1);
}

static void take_segments_in_namespace(void *argument)
{
	enter_namespace(USER);
	take_segments(argument);
}

static void a_user_gets_no_more_in_namespaces(void)
{
	long part = parameter("max_segments") * parameter("max_user_share") / 100;
	struct demand first = { 5, part, page };
	struct child child;

	child = child_start(take_segments_in_namespace, &first);
	expect(child.number, RSMERR_INSUFFICIENT_RESOURCES);
	/* Another user of another namespace of the same maker; himself; another one. */
	expect_one_more(take_segments_in_namespace, 6, RSMERR_INSUFFICIENT_RESOURCES);
	expect_one_more(take_segments, USER, RSMERR_INSUFFICIENT_RESOURCES);
	expect_one_more(take_segments, OTHER, RSM_SUCCESS);
	expect(child_finish(&child), 0);
}

static void set_locked(size_t bytes)
{
	struct rlimit limit = { bytes, bytes };

	require(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
}

static void locked_memory_is_that_of_all_processes(void)
{
	struct demand none = { USER, 0, 4 * page };
	struct child child, second;

	set_locked(16 * page);
	child = child_start(take_segments, &none);
	expect(child.number, RSM_SUCCESS);
	second = child_start(take_segments, &(struct demand){ USER, 3, 4 * page });
	/* The first one has a quarter of it, this one all the rest. */
	expect(second.number, RSMERR_INSUFFICIENT_MEM);
	expect(child_finish(&second), 0);
	expect(child_finish(&child), 0);
	/* What was refused has left nothing. */
	second = child_start(take_segments, &(struct demand){ USER, 4, 4 * page });
	expect(second.number, RSMERR_INSUFFICIENT_MEM);
	expect(child_finish(&second), 0);
}

static const struct test tests[] = {
	TEST(segments_run_out),
	TEST(exported_memory_is_limited),
	TEST(a_user_takes_a_part_of_the_segments),
	TEST(a_user_gets_no_more_in_namespaces),
	TEST(locked_memory_is_that_of_all_processes),
};

int main(int argc, char *argv[])
{
	return guest_main(argc, argv, TESTS(tests));
}
