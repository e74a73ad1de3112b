// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Between two nodes: calls that wait for one that does not answer, and what
 * ends the waiting.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#define _GNU_SOURCE
#include "conform.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "waiting.h"

static bool connects(void *import)
{
	return try_connect(ID, RSM_PERM_RDWR, import) == RSM_SUCCESS;
}

static void a126_a_further_connect_does_not_ask_the_exporter(void)
{
	rsm_memseg_import_handle_t second;
	int ret;

	peer_export(0, page);
	connect_to(ID, RSM_PERM_RDWR);
	host_ok("pause");
	interrupts_begin(5000);
	ret = try_connect(ID, RSM_PERM_RDWR, &second);
	interrupts_end();
	host_ok("resume");
	expect(ret, RSM_SUCCESS);
}

static void a133_a_signal_interrupts_a_connect(void)
{
	rsm_memseg_import_handle_t import = (void *)1;
	int ret;

	peer_export(0, page);
	host_ok("pause");
	interrupts_begin(300);
	ret = try_connect(ID, RSM_PERM_RDWR, &import);
	interrupts_end();
	host_ok("resume");
	expect(ret, RSMERR_INTERRUPTED);
	expect_true(!import);
	expect(try_connect(ID, RSM_PERM_RDWR, &import), RSM_SUCCESS);
}

/* ---- a node dies ---- */

static void connect_and_lose(void *ready)
{
	rsm_memseg_import_handle_t import;
	int ret;

	require(write(*(int *)ready, "", 1), 1);
	ret = try_connect(ID, RSM_PERM_RDWR, &import);
	expect_true(ret == RSMERR_CONN_ABORTED || ret == RSMERR_REMOTE_NODE_UNREACHABLE);
}

static bool is_asleep(void *pid)
{
	return task_sleeps(*(int *)pid);
}

static void a134_a_node_that_dies_ends_a_connect(void)
{
	int ready[2], pid, status;
	char byte;

	peer_export(0, page);
	require(pipe(ready), 0);
	host_ok("pause");
	pid = fork_test(connect_and_lose, &ready[1]);
	require(read(ready[0], &byte, 1), 1);
	require_true(eventually(is_asleep, &pid));
	host_ok("crash");
	status = wait_test(pid);
	host_ok("boot");
	expect(status, 0);
}

/* ---- posts that wait for room ---- */

#define MANY_POSTS	100000	/* more than there is room for */

struct posting {
	int (*post)(rsm_memseg_import_handle_t import);
	rsm_memseg_import_handle_t import;
	int wanted;
	int pid;
	unsigned int seen;
	volatile unsigned int posted;	/* by the child */
};

static int post(rsm_memseg_import_handle_t import)
{
	return rsm_intr_signal_post(import, 0);
}

static int vector(rsm_memseg_import_handle_t import, int (*call)(rsm_scat_gath_t *),
		  int flags)
{
	uint64_t word = 0;
	rsm_iovec_t entry = { RSM_VA_TYPE, { .vaddr = (void *)&word }, 0, 0, 8 };
	rsm_scat_gath_t sg = {
		.io_request_count = 1, .remote_handle = import, .iovec = &entry,
		.flags = flags,
	};

	return call(&sg);
}

static int putv_with_post(rsm_memseg_import_handle_t import)
{
	return vector(import, rsm_memseg_import_putv, RSM_IMPLICIT_SIGPOST);
}

static int getv_with_post(rsm_memseg_import_handle_t import)
{
	return vector(import, rsm_memseg_import_getv, RSM_IMPLICIT_SIGPOST);
}

static void post_until(void *argument)
{
	const struct rlimit no_room = { 0, 0 };
	struct posting *posting = argument;
	int ret = RSM_SUCCESS;

	/* Where the library cannot map the words of the segment, a post is a message. */
	require(setrlimit(RLIMIT_AS, &no_room), 0);
	while (posting->posted < MANY_POSTS && ret == RSM_SUCCESS) {
		ret = posting->post(posting->import);
		posting->posted++;
	}
	expect(ret, posting->wanted);
}

/* Asleep, and no further than at the last look. */
static bool is_blocked(void *argument)
{
	struct posting *posting = argument;
	bool same = posting->posted && posting->seen == posting->posted;

	posting->seen = posting->posted;
	return same && task_sleeps(posting->pid);
}

/* Start a process that posts until it waits for the peer. */
static int posts_blocked(struct posting how)
{
	struct posting *posting = mmap(NULL, page, PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	require(posting == MAP_FAILED, false);
	*posting = how;
	posting->pid = fork_test(post_until, posting);
	require_true(eventually(is_blocked, posting));
	return posting->pid;
}

static void on_signal(int signo)
{
	(void)signo;
}

static void e_a_post_that_waits_is_interrupted_by_a_signal(void)
{
	static int (*const posts[])(rsm_memseg_import_handle_t) = {
		post, putv_with_post, getv_with_post,
	};
	struct imported imported = import(page);
	struct sigaction action = { .sa_handler = on_signal };
	int pid, status = 0;
	size_t i;

	sigaction(SIGUSR1, &action, NULL);
	/* While there is room to map the segment. */
	require(vector(imported.import, rsm_memseg_import_putv, 0), RSM_SUCCESS);
	host_ok("pause");
	for (i = 0; i < ARRAY(posts); i++) {
		/* There is no room left after the first. */
		pid = posts_blocked((struct posting){
			.post = posts[i], .import = imported.import,
			.wanted = RSMERR_INTERRUPTED, .posted = i > 0,
		});
		kill(pid, SIGUSR1);
		status |= wait_test(pid);
	}
	host_ok("resume");
	expect(status, 0);
}

static void e_a_post_that_waits_ends_with_the_path(void)
{
	struct imported imported = import(page);
	rsm_memseg_import_handle_t again;
	int pid, status;

	host_ok("pause");
	pid = posts_blocked((struct posting){
		.post = post, .import = imported.import,
		.wanted = RSMERR_REMOTE_NODE_UNREACHABLE,
	});
	host_ok("cut");
	status = wait_test(pid);
	host_ok("resume");
	host_ok("link up");
	expect(status, 0);
	expect_true(eventually(connects, &again));
}

/* ---- an importer that holds memory ---- */

/* What became of an export does not depend on when an importer lets go of it. */
static void a256_a_halted_importer_does_not_hold_up_the_exporter(void)
{
	void *address = memory(page);
	rsm_memseg_export_handle_t export;
	int unpublish, republish, rebind;
	rsm_memseg_id_t id = ID;

	require(rsm_memseg_export_create(controller, &export, address, page, RSM_ALLOW_REBIND),
		RSM_SUCCESS);
	require(rsm_memseg_export_publish(export, &id, NULL, 0), RSM_SUCCESS);
	peer_ok("import %u %u", local_node, id);
	host_ok("pause");
	munmap(address, page);
	interrupts_begin(10000);
	unpublish = rsm_memseg_export_unpublish(export);
	republish = rsm_memseg_export_republish(export, NULL, 0);
	rebind = rsm_memseg_export_rebind(export, memory(page), 0, page);
	interrupts_end();
	host_ok("resume");
	expect(unpublish, RSMERR_SEG_NOT_PUBLISHED);
	expect(republish, RSMERR_SEG_NOT_PUBLISHED);
	expect(rebind, RSMERR_BAD_SEG_HNDL);
}

static const struct test tests[] = {
	TEST(CROSS, a126_a_further_connect_does_not_ask_the_exporter),
	TEST(CROSS, a133_a_signal_interrupts_a_connect),
	TEST(CROSS, a134_a_node_that_dies_ends_a_connect),
	TEST(CROSS, e_a_post_that_waits_is_interrupted_by_a_signal),
	TEST(CROSS, e_a_post_that_waits_ends_with_the_path),
	TEST(CROSS, a256_a_halted_importer_does_not_hold_up_the_exporter),
};

SECTION(waits);
