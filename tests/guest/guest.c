// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs tests in processes of their own and has the steps that tests share;
 * every program of tests/guest is linked with it.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "guest.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEST_SECONDS	"60"	/* a test may last, unless the environment says otherwise */

rsmapi_controller_handle_t controller;
rsm_node_id_t local_node;
bool loopback;
size_t page;

static bool failed;
static int ready_to = -1, ready_from = -1;	/* of a child */

void expect_number(const char *file, int line, const char *what, long long got, long long wanted)
{
	if (got == wanted)
		return;
	printf("# %s:%d: %s is %lld, not %lld\n", file, line, what, got, wanted);
	fflush(stdout);
	failed = true;
}

void require_number(const char *file, int line, const char *what, long long got, long long wanted)
{
	expect_number(file, line, what, got, wanted);
	if (got != wanted)
		_exit(1);
}

void *memory(size_t bytes)
{
	void *address = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			     -1, 0);

	require(address == MAP_FAILED, false);
	return address;
}

rsm_memseg_export_handle_t create(void *address, size_t bytes)
{
	rsm_memseg_export_handle_t export;

	require(rsm_memseg_export_create(controller, &export, address, bytes, 0), RSM_SUCCESS);
	return export;
}

rsm_memseg_id_t publish(rsm_memseg_export_handle_t export)
{
	rsm_memseg_id_t id = 0;

	require(rsm_memseg_export_publish(export, &id, NULL, 0), RSM_SUCCESS);
	return id;
}

rsm_memseg_import_handle_t connect_to(rsm_memseg_id_t id, rsm_permission_t permission)
{
	rsm_memseg_import_handle_t import;

	require(rsm_memseg_import_connect(controller, local_node, id, permission, &import),
		RSM_SUCCESS);
	return import;
}

volatile uint8_t *map(rsm_memseg_import_handle_t import, rsm_permission_t permission,
		      size_t bytes)
{
	void *address = NULL;

	require(rsm_memseg_import_map(import, &address, RSM_MAP_NONE, permission, 0, bytes),
		RSM_SUCCESS);
	return address;
}

struct pair pair(void)
{
	struct pair pair;

	pair.memory = memory(page);
	pair.export = create(pair.memory, page);
	pair.id = publish(pair.export);
	pair.import = connect_to(pair.id, RSM_PERM_RDWR);
	pair.mapping = map(pair.import, RSM_PERM_RDWR, page);
	return pair;
}

struct child child_start(void (*run)(void *), void *argument)
{
	struct child child;
	int down[2], up[2];

	require(pipe(down), 0);
	require(pipe(up), 0);
	fflush(stdout);
	child.pid = fork();
	require(child.pid < 0, false);
	if (child.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(down[1]);
		close(up[0]);
		ready_from = down[0];
		ready_to = up[1];
		failed = false;
		run(argument);
		fflush(stdout);
		_exit(failed);
	}
	close(down[0]);
	close(up[1]);
	child.to = down[1];
	child.from = up[0];
	if (read(child.from, &child.number, sizeof(child.number)) != sizeof(child.number))
		child.number = -1;
	return child;
}

void child_runs(long long number)
{
	require(write(ready_to, &number, sizeof(number)), sizeof(number));
}

void child_ready(long long number)
{
	char byte;

	child_runs(number);
	require(read(ready_from, &byte, 1), 1);
}

int child_finish(struct child *child)
{
	ssize_t written;
	int status;

	/*
	 * A byte, not the pipe's end: children started later hold that as
	 * well.  A child that is gone does not take it.
	 */
	written = write(child->to, "", 1);
	(void)written;
	close(child->to);
	require(waitpid(child->pid, &status, 0), child->pid);
	close(child->from);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void in_child(void (*run)(void *), void *argument)
{
	struct child child = child_start(run, argument);

	expect(child_finish(&child), 0);
}

int descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = -1;		/* the directory's own */

	while (readdir(dir))
		count++;
	closedir(dir);
	return count - 2;
}

long pinned_kib(void)
{
	char line[128];
	long kib = -1;
	FILE *file = fopen("/proc/self/status", "r");

	require(!file, false);
	while (fgets(line, sizeof(line), file))
		sscanf(line, "VmPin: %ld kB", &kib);
	fclose(file);
	return kib;
}

static void local_node_find(void)
{
	rsm_topology_t *topology;

	require(rsm_get_interconnect_topology(&topology), RSM_SUCCESS);
	local_node = topology->topology_hdr.local_nodeid;
	rsm_free_interconnect_topology(topology);
}

/* The harness knows how slow the kernel is. */
static unsigned int test_seconds(void)
{
	const char *seconds = getenv("TEST_SECONDS");

	return (unsigned int)strtoul(seconds ? seconds : TEST_SECONDS, NULL, 10);
}

static bool run_one(const struct test *test, char *name)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		/* A group, so that what a hanging test has started ends with it. */
		setpgid(0, 0);
		alarm(test_seconds());
		signal(SIGPIPE, SIG_IGN);
		require(rsm_get_controller(name, &controller), RSM_SUCCESS);
		local_node_find();
		test->run();
		fflush(stdout);
		_exit(failed);
	}
	waitpid(pid, &status, 0);
	kill(-pid, SIGKILL);
	if (WIFSIGNALED(status))
		printf("# ended by signal %d%s\n", WTERMSIG(status),
		       WTERMSIG(status) == SIGALRM ? ": it hung" : "");
	return status == 0;
}

static int list(const struct test *tests, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		puts(tests[i].name);
	return 0;
}

static bool is_wanted(const struct test *test, char *const names[])
{
	if (!*names)
		return true;
	for (; *names; names++)
		if (!strcmp(*names, test->name))
			return true;
	return false;
}

static int run_all(char *controller_name, char *const wanted[], const struct test *tests,
		   size_t count)
{
	size_t i, planned = 0, done = 0, bad = 0;
	bool good;

	for (i = 0; i < count; i++)
		planned += is_wanted(&tests[i], wanted);
	printf("1..%zu\n", planned);
	for (i = 0; i < count; i++) {
		if (!is_wanted(&tests[i], wanted))
			continue;
		good = run_one(&tests[i], controller_name);
		bad += !good;
		printf("%s %zu - %s\n", good ? "ok" : "not ok", ++done, tests[i].name);
	}
	return bad ? 1 : 0;
}

int guest_main(int argc, char *argv[], const struct test *tests, size_t count)
{
	static char loopback_name[] = "loopback";
	char *name = argc > 1 ? argv[1] : loopback_name;

	if (!strcmp(name, "--list"))
		return list(tests, count);
	page = (size_t)sysconf(_SC_PAGESIZE);
	loopback = !strcmp(name, loopback_name);
	/* argv ends with NULL, so what follows the controller is a list as well. */
	return run_all(name, argv + (argc > 1 ? 2 : 1), tests, count);
}
