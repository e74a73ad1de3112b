// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The peer of a test: a server that starts a process, the session, for each
 * test ("begin") and lets it do what the test asks for.
 *
 * Requests, SLOT being one of the segments of the session:
 *   begin CONTROLLER              value: node id of the peer
 *   create SLOT BYTES [FLAGS]     rebind SLOT [OFFSET] (to new memory)
 *   publish SLOT ID [NODE:PERM...]     value: the id
 *   republish SLOT [NODE:PERM...]      unpublish SLOT    destroy SLOT
 *   poke SLOT OFFSET VALUE        peek SLOT OFFSET   of 64-bit words
 *   byte SLOT OFFSET              value: that byte
 *   fill SLOT SEED                differ SLOT SEED   value: bytes that differ
 *   ordered SLOT A B LAST         value: how often the word at B, until it is LAST, was
 *                                 seen above the one at A; the word after A tells that
 *                                 it is looked at
 *   post SLOT FLAGS               wait SLOT MILLISECONDS
 *   import NODE ID                connect and map, until the session ends
 *   localmem BYTES                value: the id that it took, if ids are in turn
 *   become UID                    umask MODE
 *   unmap SLOT                    the memory; munmap(2)
 *   child SLOT OFFSET VALUE       a child stores to the memory, and ends
 *   orphan                        a child holds all descriptors, the session ends
 *   execer ID                     a child exports a page under ID
 *   exec                          that child executes another program
 *   die                           as by SIGKILL
 *   pinned                        value: KiB of locked memory of the session
 *   end
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#define _GNU_SOURCE
#include "channel.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conform.h"
#include "harness.h"

#define SLOTS		16
#define ARGUMENTS	(3 + 64)
#define SESSION_SECONDS	150
#define ORPHANED	100	/* exit status of a session that leaves a child behind */

static struct {
	rsm_memseg_export_handle_t export;
	uint8_t *memory;
	size_t bytes;
} slots[SLOTS];

/* The number of the request that the session works on; for the server too. */
static unsigned int *current;

static long long value;

struct request {
	int argc;
	char *argv[ARGUMENTS];
};

static long long number(const struct request *request, int i)
{
	return i < request->argc ? strtoll(request->argv[i], NULL, 0) : 0;
}

#define SLOT(request)	(slots[(size_t)number(request, 1) % SLOTS])

static uint64_t *word(const struct request *request)
{
	size_t offset = (size_t)number(request, 2);

	require_true(offset % 8 == 0 && offset < SLOT(request).bytes);
	return (uint64_t *)(SLOT(request).memory + offset);
}

/* NODE:PERM arguments from the @from-th on; how many. */
static uint_t access_list(const struct request *request, int from, rsmapi_access_entry_t *list)
{
	char *permission;
	uint_t n = 0;

	for (; from < request->argc; from++, n++) {
		list[n].ae_node = (rsm_node_id_t)strtoul(request->argv[from], &permission, 0);
		list[n].ae_permission = (rsm_permission_t)strtoul(permission + 1, NULL, 8);
	}
	return n;
}

static int do_create(const struct request *request)
{
	size_t bytes = (size_t)number(request, 2);

	SLOT(request).bytes = bytes;
	SLOT(request).memory = memory(bytes);
	return rsm_memseg_export_create(controller, &SLOT(request).export, SLOT(request).memory,
					bytes, (uint_t)number(request, 3));
}

static int do_rebind(const struct request *request)
{
	uint8_t *fresh = memory(SLOT(request).bytes);
	int ret = rsm_memseg_export_rebind(SLOT(request).export, fresh, number(request, 2),
					   SLOT(request).bytes);

	if (ret == 0)
		SLOT(request).memory = fresh;
	return ret;
}

static int do_publish(const struct request *request)
{
	rsmapi_access_entry_t list[ARGUMENTS];
	rsm_memseg_id_t id = (rsm_memseg_id_t)number(request, 2);
	uint_t n = access_list(request, 3, list);
	int ret = rsm_memseg_export_publish(SLOT(request).export, &id, list, n);

	value = id;
	return ret;
}

static int do_republish(const struct request *request)
{
	rsmapi_access_entry_t list[ARGUMENTS];
	uint_t n = access_list(request, 2, list);

	return rsm_memseg_export_republish(SLOT(request).export, list, n);
}

static int do_unpublish(const struct request *request)
{
	return rsm_memseg_export_unpublish(SLOT(request).export);
}

static int do_destroy(const struct request *request)
{
	return rsm_memseg_export_destroy(SLOT(request).export);
}

static int do_poke(const struct request *request)
{
	__atomic_store_n(word(request), (uint64_t)number(request, 3), __ATOMIC_SEQ_CST);
	return 0;
}

static int do_peek(const struct request *request)
{
	value = (long long)__atomic_load_n(word(request), __ATOMIC_SEQ_CST);
	return 0;
}

static int do_byte(const struct request *request)
{
	size_t offset = (size_t)number(request, 2);

	require_true(offset < SLOT(request).bytes);
	value = *(volatile uint8_t *)(SLOT(request).memory + offset);
	return 0;
}

static int do_fill(const struct request *request)
{
	pattern_fill(SLOT(request).memory, SLOT(request).bytes, (unsigned int)number(request, 2));
	return 0;
}

static int do_differ(const struct request *request)
{
	value = (long long)pattern_differs(SLOT(request).memory, SLOT(request).bytes,
					   (unsigned int)number(request, 2));
	return 0;
}

static int do_ordered(const struct request *request)
{
	uint64_t *first = (uint64_t *)(SLOT(request).memory + number(request, 2));
	uint64_t *second = (uint64_t *)(SLOT(request).memory + number(request, 3));
	uint64_t seen, last = (uint64_t)number(request, 4);

	__atomic_store_n(first + 1, 1, __ATOMIC_RELAXED);
	do {
		seen = __atomic_load_n(second, __ATOMIC_ACQUIRE);
		value += __atomic_load_n(first, __ATOMIC_RELAXED) < seen;
	} while (seen != last);
	return 0;
}

static int do_post(const struct request *request)
{
	return rsm_intr_signal_post(SLOT(request).export, (uint_t)number(request, 2));
}

static int do_wait(const struct request *request)
{
	return rsm_intr_signal_wait(SLOT(request).export, (int)number(request, 2));
}

static int do_import(const struct request *request)
{
	rsm_memseg_import_handle_t import;
	int ret = rsm_memseg_import_connect(controller, (rsm_node_id_t)number(request, 1),
					    (rsm_memseg_id_t)number(request, 2), RSM_PERM_RDWR,
					    &import);

	if (ret == RSM_SUCCESS)
		*map(import, RSM_PERM_RDWR, page) = 1;
	return ret;
}

/* A segment before and one after it tell which generated id is the handle's. */
static int do_localmem(const struct request *request)
{
	rsm_localmemory_handle_t handle;
	rsm_memseg_id_t before, after;
	size_t bytes = (size_t)number(request, 1);
	int ret;

	before = publish(create(memory(page), page));
	ret = rsm_create_localmemory_handle(controller, &handle, memory(bytes), bytes);
	after = publish(create(memory(page), page));
	value = after - before == 2 ? before + 1 : 0;
	return ret;
}

static int do_become(const struct request *request)
{
	become((unsigned int)number(request, 1), (unsigned int)number(request, 1));
	return 0;
}

static int do_umask(const struct request *request)
{
	umask((mode_t)number(request, 1));
	return 0;
}

static int do_unmap(const struct request *request)
{
	return munmap(SLOT(request).memory, SLOT(request).bytes);
}

static int do_child(const struct request *request)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		do_poke(request);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return status;
}

/* The server answers when the session has ended. */
static int do_orphan(const struct request *request)
{
	(void)request;
	if (fork())
		_exit(ORPHANED);
	pause();
	_exit(0);
}

/* Its first pipe tells how far it is: a byte, and the end when it executes. */
static int execer_from, execer_go;

static void execer(rsm_memseg_id_t id, int go, int to)
{
	char byte;

	require(rsm_memseg_export_publish(create(memory(page), page), &id, NULL, 0), RSM_SUCCESS);
	require(write(to, "", 1), 1);
	require(read(go, &byte, 1), 1);
	execl("/bin/sleep", "sleep", "1000", NULL);
	_exit(1);
}

static int do_execer(const struct request *request)
{
	int down[2], up[2];
	char byte;

	require(pipe2(down, O_CLOEXEC), 0);
	require(pipe2(up, O_CLOEXEC), 0);
	if (fork() == 0) {
		close(up[0]);
		execer((rsm_memseg_id_t)number(request, 1), down[0], up[1]);
	}
	close(up[1]);
	execer_go = down[1];
	execer_from = up[0];
	return read(execer_from, &byte, 1) == 1 ? 0 : -1;
}

static int do_exec(const struct request *request)
{
	char byte;

	(void)request;
	require(write(execer_go, "", 1), 1);
	return read(execer_from, &byte, 1) == 0 ? 0 : -1;
}

static int do_die(const struct request *request)
{
	(void)request;
	return raise(SIGKILL);
}

static int do_pinned(const struct request *request)
{
	(void)request;
	value = pinned_kib();
	return 0;
}

static const struct {
	const char *name;
	int (*run)(const struct request *request);
} verbs[] = {
	{ "create", do_create }, { "rebind", do_rebind }, { "publish", do_publish },
	{ "republish", do_republish }, { "unpublish", do_unpublish }, { "destroy", do_destroy },
	{ "poke", do_poke }, { "peek", do_peek }, { "byte", do_byte }, { "fill", do_fill },
	{ "differ", do_differ }, { "ordered", do_ordered }, { "post", do_post }, { "wait", do_wait },
	{ "import", do_import }, { "localmem", do_localmem }, { "become", do_become }, { "umask", do_umask },
	{ "unmap", do_unmap }, { "child", do_child }, { "orphan", do_orphan },
	{ "execer", do_execer }, { "exec", do_exec }, { "die", do_die }, { "pinned", do_pinned },
};

static int serve_request(const struct request *request)
{
	size_t i;

	value = 0;
	for (i = 0; i < ARRAY(verbs); i++)
		if (!strcmp(verbs[i].name, request->argv[0]))
			return verbs[i].run(request);
	return -1;
}

static bool answer(int out, int code)
{
	char line[LINE];

	snprintf(line, sizeof(line), "%u %d %lld\n", *current, code, value);
	return line_write(out, line);
}

static bool request_read(int in, char line[LINE], struct request *request)
{
	char *end, *rest = line;

	if (!line_read(in, line))
		return false;
	*current = (unsigned int)strtoul(line, &end, 10);
	rest = end;
	request->argc = 0;
	while (request->argc < ARGUMENTS &&
	       (request->argv[request->argc] = strtok_r(rest, " ", &rest)))
		request->argc++;
	return request->argc > 0;
}

static void session(int in, int out, char *name)
{
	struct request request;
	char line[LINE];

	setpgid(0, 0);
	alarm(SESSION_SECONDS);
	signal(SIGPIPE, SIG_IGN);
	controller_name = name;
	require(rsm_get_controller(name, &controller), RSM_SUCCESS);
	local_node_find();
	value = local_node;
	answer(out, 0);
	while (request_read(in, line, &request) && strcmp(request.argv[0], "end"))
		answer(out, serve_request(&request));
	value = 0;
	answer(out, 0);
	_exit(0);
}

/*
 * The session answers "end" itself; if it ended otherwise, this is the answer.
 * What it has left behind stays until the test ends.
 */
static void session_end(pid_t pid, int out)
{
	int status, code;

	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		group_end(pid);
		return;
	}
	code = WIFEXITED(status) && WEXITSTATUS(status) != ORPHANED ? -WEXITSTATUS(status) : 0;
	value = 0;
	answer(out, code);
}

void peer_serve(int in, int out)
{
	struct request request;
	char line[LINE];
	pid_t last = 0;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	current = mmap(NULL, sizeof(*current), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	while (request_read(in, line, &request)) {
		if (!strcmp(request.argv[0], "begin") && request.argc == 2) {
			last = fork();
			if (last == 0)
				session(in, out, request.argv[1]);
			session_end(last, out);
			continue;
		}
		/* What a session has left behind ends with the test. */
		if (!strcmp(request.argv[0], "end") && last)
			group_end(last);
		value = 0;
		answer(out, strcmp(request.argv[0], "end") ? -1 : 0);
	}
}
