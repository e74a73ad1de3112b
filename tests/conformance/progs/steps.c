// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The steps that tests share, and their child processes.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#define _GNU_SOURCE
#include "conform.h"

#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"

#define EVENTUALLY_MS	20000
#define SEGMENTID_DIR	"/etc/rsm"
#define SEGMENTID_FILE	SEGMENTID_DIR "/rsm.segmentid"

static int ready_to = -1, ready_from = -1;	/* of a child */

void local_node_find(void)
{
	rsm_topology_t *topology;

	require(rsm_get_interconnect_topology(&topology), RSM_SUCCESS);
	local_node = topology->topology_hdr.local_nodeid;
	rsm_free_interconnect_topology(topology);
}

static uint8_t pattern(size_t i, unsigned int seed)
{
	return (uint8_t)((i * 167 + (i >> 8) * 31 + seed * 59) ^ (i >> 4));
}

void pattern_fill(void *at, size_t bytes, unsigned int seed)
{
	uint8_t *byte = at;
	size_t i;

	for (i = 0; i < bytes; i++)
		byte[i] = pattern(i, seed);
}

size_t pattern_differs(const volatile void *at, size_t bytes, unsigned int seed)
{
	const volatile uint8_t *byte = at;
	size_t i, differ = 0;

	for (i = 0; i < bytes; i++)
		differ += byte[i] != pattern(i, seed);
	return differ;
}

long pinned_kib(void)
{
	FILE *file = fopen("/proc/self/status", "r");
	char line[256];
	long kib = -1;

	require_true(file);
	while (fgets(line, sizeof(line), file))
		sscanf(line, "VmPin: %ld", &kib);
	fclose(file);
	return kib;
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

int try_connect(rsm_memseg_id_t id, rsm_permission_t permission, rsm_memseg_import_handle_t *out)
{
	return rsm_memseg_import_connect(controller, peer_node, id, permission, out);
}

rsm_memseg_import_handle_t connect_to(rsm_memseg_id_t id, rsm_permission_t permission)
{
	rsm_memseg_import_handle_t import;

	require(try_connect(id, permission, &import), RSM_SUCCESS);
	return import;
}

rsm_memseg_import_handle_t connect_here(rsm_memseg_id_t id, rsm_permission_t permission)
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

void peer_export(int slot, size_t bytes)
{
	peer_ok("create %d %zu", slot, bytes);
	peer_ok("publish %d %d", slot, ID + slot);
}

struct imported import(size_t bytes)
{
	struct imported imported = { 0 };

	peer_export(0, bytes);
	imported.import = connect_to(ID, RSM_PERM_RDWR);
	require(rsm_memseg_import_init_barrier(imported.import, RSM_BAR_DEFAULT,
					       &imported.barrier), RSM_SUCCESS);
	return imported;
}

struct imported import_mapped(size_t bytes)
{
	struct imported imported = import(bytes);

	imported.mapping = map(imported.import, RSM_PERM_RDWR, bytes);
	return imported;
}

int fork_test(void (*run)(void *), void *argument)
{
	int pid;

	fflush(stdout);
	pid = fork();
	require(pid < 0, false);
	if (pid == 0) {
		verdict_clear();
		run(argument);
		_exit(verdict());
	}
	return pid;
}

int wait_test(int pid)
{
	int status;

	require(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void group_end(int pid)
{
	kill(-pid, SIGKILL);
	while (waitpid(-pid, NULL, 0) > 0)
		;
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
		verdict_clear();
		run(argument);
		_exit(verdict());
	}
	close(down[0]);
	close(up[1]);
	child.to = down[1];
	child.from = up[0];
	if (read(child.from, &child.number, sizeof(child.number)) != sizeof(child.number))
		child.number = -1;
	return child;
}

void child_ready(long long number)
{
	char byte;

	require(write(ready_to, &number, sizeof(number)), sizeof(number));
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
	status = wait_test(child->pid);
	close(child->from);
	return status;
}

void in_child(void (*run)(void *), void *argument)
{
	struct child child = child_start(run, argument);

	expect(child_finish(&child), 0);
}

void segmentid_file(const char *text)
{
	FILE *file;

	mkdir(SEGMENTID_DIR, 0755);
	unlink(SEGMENTID_FILE);
	if (!text)
		return;
	file = fopen(SEGMENTID_FILE, "w");
	require_true(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

void become(unsigned int uid, unsigned int gid)
{
	require(setgroups(0, NULL), 0);
	require(setgid(gid), 0);
	require(setuid(uid), 0);
}

unsigned int slow(unsigned int time)
{
	const char *factor = getenv("CONFORM_SLOWNESS");

	return factor ? time * (unsigned int)atoi(factor) : time;
}

long long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (long long)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

bool eventually(bool (*condition)(void *), void *argument)
{
	long long end = now() + slow(EVENTUALLY_MS);

	while (!condition(argument)) {
		if (now() > end)
			return false;
		usleep(2000);
	}
	return true;
}
