// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The fabric directory: who may use it, one process per node id, numbers that
 * only grow, what a dead node leaves behind; and the arguments of fabric_new().
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node.h"
#include "raw.h"

static void refused(const char *dir, unsigned int id, int code, const char *part)
{
	GError *error = NULL;

	g_assert_null(node_new(dir, id, NULL, &error));
	g_assert_error(error, FABRIC_ERROR, code);
	g_test_message("%s", error->message);
	g_assert_nonnull(strstr(error->message, part));
	g_error_free(error);
}

static void lock_write(const char *dir, const char *text, gssize size)
{
	char *path = g_build_filename(dir, "1.lock", NULL);

	g_assert_true(g_file_set_contents(path, text, size, NULL));
	g_free(path);
}

static char *lock_read(const char *dir)
{
	char *path = g_build_filename(dir, "1.lock", NULL), *text;

	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	g_free(path);
	return text;
}

static void absent_directory_is_created_private(void)
{
	char *dir = test_dir_new();
	struct node *a;
	struct stat st;

	g_assert_cmpint(rmdir(dir), ==, 0);
	a = node_start(dir, 1);
	g_assert_cmpint(stat(dir, &st), ==, 0);
	g_assert_cmpint(st.st_mode & 07777, ==, 0700);
	node_stop(a);
	test_dir_remove(dir);
}

static void unsafe_directory_is_refused(void)
{
	char *dir = test_dir_new();
	char *inner = g_build_filename(dir, "absent", "fabric", NULL);
	char *file = g_build_filename(dir, "file", NULL);
	unsigned int fds = count_fds();

	chmod(dir, 0770);
	refused(dir, 1, FABRIC_ERROR_SYSTEM, "is writable by others (mode 0770): run chmod 700");
	chmod(dir, 0702);
	refused(dir, 1, FABRIC_ERROR_SYSTEM, "is writable by others");
	chmod(dir, 0700);
	refused(inner, 1, FABRIC_ERROR_SYSTEM, "cannot create fabric directory");
	g_assert_true(g_file_set_contents(file, "", 0, NULL));
	refused(file, 1, FABRIC_ERROR_SYSTEM, "cannot open fabric directory");
	g_assert_cmpuint(count_fds(), ==, fds);
	g_free(inner);
	g_free(file);
	test_dir_remove(dir);
}

static void directory_of_another_user_is_refused(void)
{
	char *dir;

	if (geteuid() != 0) {
		g_test_skip("needs root to give a directory away");
		return;
	}
	dir = test_dir_new();
	g_assert_cmpint(chown(dir, 65534, -1), ==, 0);
	refused(dir, 1, FABRIC_ERROR_SYSTEM, "belongs to user 65534, not to user 0");
	test_dir_remove(dir);
}

static void second_process_of_one_node_is_refused(void)
{
	char *dir = test_dir_new();
	struct child *child = child_start(dir, 1);
	struct node *a;
	char *pid;

	wait_until(saw(child->log, "ready"));
	pid = g_strdup_printf("(process %d)", (int)child->pid);
	refused(dir, 1, FABRIC_ERROR_BUSY, pid);
	refused(dir, 1, FABRIC_ERROR_BUSY, dir);
	refused(dir, 1, FABRIC_ERROR_BUSY, "node 1 of fabric");
	g_free(pid);

	/* The attempt has harmed nothing, and the id is free after a death. */
	a = node_start(dir, 2);
	wait_until(fabric_peer(a->fabric, 1));
	child_kill(child);
	wait_until(saw(a->log, "gone 1"));
	node_stop(a);
	a = node_start(dir, 1);
	node_stop(a);
	test_dir_remove(dir);
}

static void stale_socket_is_harmless(void)
{
	char *dir = test_dir_new();
	char *path = g_build_filename(dir, "2.sock", NULL);
	struct child *child = child_start(dir, 2);
	struct node *a, *b;

	wait_until(saw(child->log, "ready"));
	child_kill(child);
	g_assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
	a = node_start(dir, 1);
	run_idle();
	g_assert_cmpuint(a->log->len, ==, 0);
	b = node_start(dir, 2);
	wait_until(fabric_peer(a->fabric, 2) && fabric_peer(b->fabric, 1));
	node_stop(b);
	g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
	node_stop(a);
	g_free(path);
	test_dir_remove(dir);
}

/* What may be taken is written down before anybody can see it. */
static void numbers_grow_across_restarts(void)
{
	char *dir = test_dir_new();
	uint32_t last = 0;

	for (unsigned int round = 0; round < 3; round++) {
		struct node *a = node_start(dir, 1);

		for (unsigned int i = 0; i < 100; i++) {
			uint32_t incarnation = fabric_enable(a->fabric);
			char *text = lock_read(dir);
			unsigned int reserved, pid;

			g_assert_cmpuint(incarnation, >, last);
			last = incarnation;
			g_assert_cmpint(sscanf(text, "%10u %10u\n", &reserved, &pid), ==, 2);
			g_assert_cmpuint(reserved, >=, incarnation);
			g_assert_cmpuint(reserved, <, incarnation + 64);
			g_assert_cmpuint(pid, ==, getpid());
			g_free(text);
			fabric_disable(a->fabric);
		}
		node_stop(a);
	}
	/* Each start takes a number, from a block of its own. */
	g_assert_cmpuint(last, ==, 2 * 128 + 101);
	test_dir_remove(dir);
}

/* It has used some of the numbers that it had reserved: its successor skips all. */
static void numbers_grow_after_a_crash(void)
{
	char *dir = test_dir_new();
	uint32_t last = 0;

	for (unsigned int round = 0; round < 3; round++) {
		struct child *child = child_start(dir, 1);
		char *text;

		for (unsigned int i = 0; i < 5; i++)
			child_tell(child, "enable");
		wait_until(saw(child->log, "enabled") == 5);
		for (text = child->log->str; (text = strstr(text, "enabled ")); ) {
			uint32_t incarnation = strtoul(text += 8, NULL, 10);

			g_assert_cmpuint(incarnation, >, last);
			last = incarnation;
		}
		child_kill(child);
	}
	test_dir_remove(dir);
}

/* One write for 64 enables: a guest that toggles does not make the host write. */
static void numbers_are_reserved_in_blocks(void)
{
	char *dir = test_dir_new(), *last = g_strdup("");
	struct node *a = node_start(dir, 1);
	unsigned int writes = 0;

	for (unsigned int i = 0; i < 640; i++) {
		char *text;

		fabric_enable(a->fabric);
		text = lock_read(dir);
		writes += strcmp(text, last) != 0;
		g_free(last);
		last = text;
	}
	g_assert_cmpuint(writes, ==, 11);
	g_free(last);
	node_stop(a);
	test_dir_remove(dir);
}

static void numbers_are_never_0(void)
{
	char *dir = test_dir_new();
	struct node *a, *b;

	lock_write(dir, "4294967294 0000000001\n", -1);
	a = node_start(dir, 1);
	b = node_start(dir, 2);
	wait_until(fabric_peer(a->fabric, 2) && fabric_peer(b->fabric, 1));
	g_assert_cmpuint(fabric_enable(a->fabric), ==, 1);
	wait_until(saw(b->log, "state 1 1"));
	node_stop(a);
	node_stop(b);
	test_dir_remove(dir);
}

static void garbage_in_lock_file_is_recovered_from(void)
{
	static const struct {
		const char *text;
		gssize size;
	} cases[] = {
		{ "12\n", -1 },
		{ "no number at all, and longer than any number that we write", -1 },
		{ "0000000012 000000000x\n", -1 },
		{ "-000000012 0000000001\n", -1 },
		{ "4294967296 0000000001\n", -1 },
		{ "0000000012 0000000001\n\n", -1 },
		{ "0000000012 0000000001 ", -1 },
		{ "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 22 },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		char *dir = test_dir_new(), *text;
		uint32_t now = time(NULL);
		struct node *a;

		lock_write(dir, cases[i].text, cases[i].size);
		a = node_start(dir, 1);
		g_assert_cmpuint(fabric_enable(a->fabric), >, now);
		wait_until(saw(a->log, "report '%s/1.lock' held no valid number", dir));
		text = lock_read(dir);
		g_assert_cmpuint(strlen(text), ==, 22);
		g_free(text);
		node_stop(a);
		a = node_start(dir, 1);
		run_idle();
		g_assert_cmpuint(saw(a->log, "report"), ==, 0);
		node_stop(a);
		test_dir_remove(dir);
	}
}

static void lock_that_is_no_file_is_refused(void)
{
	char *dir = test_dir_new();
	char *path = g_build_filename(dir, "1.lock", NULL);

	g_assert_cmpint(symlink("/dev/null", path), ==, 0);
	refused(dir, 1, FABRIC_ERROR_SYSTEM, "cannot open");
	g_assert_cmpint(unlink(path), ==, 0);
	g_assert_cmpint(mkfifo(path, 0600), ==, 0);
	refused(dir, 1, FABRIC_ERROR_SYSTEM, "is not a file");
	g_free(path);
	test_dir_remove(dir);
}

static void long_directory_path_works(void)
{
	char *top = test_dir_new();
	char *name = g_strnfill(200, 'x');
	char *dir = g_build_filename(top, name, NULL);
	struct node *a = node_start(dir, 1), *b = node_start(dir, 2);

	wait_until(fabric_peer(a->fabric, 2) && fabric_peer(b->fabric, 1));
	node_stop(a);
	node_stop(b);
	test_dir_remove(dir);
	test_dir_remove(top);
	g_free(name);
}

struct config {
	FabricConfig c;
	int ram;
};

static void node_0(struct config *t)
{
	t->c.node = 0;
}

static void node_256(struct config *t)
{
	t->c.node = 256;
}

static void ram_0(struct config *t)
{
	t->c.n_ram = 0;
}

static void ram_9(struct config *t)
{
	t->c.n_ram = 9;
}

static void ram_odd(struct config *t)
{
	t->c.ram[0].guest_base = 1;
}

static void ram_short(struct config *t)
{
	t->c.ram[0].size = 0x11000;
}

static void ram_unsealed(struct config *t)
{
	close(t->ram);
	t->ram = t->c.ram[0].fd = memfd_create("unsealed", MFD_CLOEXEC);
	g_assert_cmpint(ftruncate(t->ram, 0x10000), ==, 0);
}

static void lines_0(struct config *t)
{
	t->c.n_lines = 0;
}

static void lines_129(struct config *t)
{
	t->c.n_lines = 129;
}

static void bad_arguments_are_refused(void)
{
	static const struct {
		void (*change)(struct config *t);
		const char *message;
	} cases[] = {
		{ node_0, "node id 0" },
		{ node_256, "node id 256" },
		{ ram_0, "0 RAM ranges" },
		{ ram_9, "9 RAM ranges" },
		{ ram_odd, "is not made of pages" },
		{ ram_short, "is shorter than it says" },
		{ ram_unsealed, "use memory-backend-memfd with seal=on" },
		{ lines_0, "0 doorbell lines" },
		{ lines_129, "129 doorbell lines" },
	};
	unsigned int fds = count_fds();
	char *dir = test_dir_new();

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct config t = { .ram = test_ram_new(0x10000) };
		static const FabricOps none;
		GError *error = NULL;

		t.c = (FabricConfig) {
			.dir = dir, .node = 1, .n_ram = 1, .n_lines = 1,
			.ram[0] = { .size = 0x10000, .fd = t.ram },
		};
		cases[i].change(&t);
		g_assert_null(fabric_new(&t.c, &none, NULL, &error));
		g_assert_error(error, FABRIC_ERROR, FABRIC_ERROR_ARGUMENT);
		g_assert_nonnull(strstr(error->message, cases[i].message));
		g_error_free(error);
		close(t.ram);
	}
	g_assert_cmpuint(count_fds(), ==, fds);
	test_dir_remove(dir);
}

int main(int argc, char **argv)
{
	child_main(argc, argv);
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/directory/absent_directory_is_created_private",
			absent_directory_is_created_private);
	g_test_add_func("/directory/unsafe_directory_is_refused", unsafe_directory_is_refused);
	g_test_add_func("/directory/directory_of_another_user_is_refused",
			directory_of_another_user_is_refused);
	g_test_add_func("/directory/second_process_of_one_node_is_refused",
			second_process_of_one_node_is_refused);
	g_test_add_func("/directory/stale_socket_is_harmless", stale_socket_is_harmless);
	g_test_add_func("/directory/numbers_grow_across_restarts", numbers_grow_across_restarts);
	g_test_add_func("/directory/numbers_grow_after_a_crash", numbers_grow_after_a_crash);
	g_test_add_func("/directory/numbers_are_reserved_in_blocks",
			numbers_are_reserved_in_blocks);
	g_test_add_func("/directory/numbers_are_never_0", numbers_are_never_0);
	g_test_add_func("/directory/garbage_in_lock_file_is_recovered_from",
			garbage_in_lock_file_is_recovered_from);
	g_test_add_func("/directory/lock_that_is_no_file_is_refused",
			lock_that_is_no_file_is_refused);
	g_test_add_func("/directory/long_directory_path_works", long_directory_path_works);
	g_test_add_func("/directory/bad_arguments_are_refused", bad_arguments_are_refused);
	return g_test_run();
}
