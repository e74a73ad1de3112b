// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs the tests of a scope, each in a process of its own.
 *
 * Usage: conform list | record | serve
 *        conform run SCOPE [NAME...]    SCOPE: loopback, self or cross
 *        conform small SCOPE [NAME...]  those that need small limits
 * Prints "ok NAME", "not ok NAME" or "skip NAME" after each test, comments and
 * requests before.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#define _GNU_SOURCE
#include "conform.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "channel.h"
#include "harness.h"
#include "record.h"

#define SKIPPED		77

enum scope scope;
rsmapi_controller_handle_t controller;
char *controller_name;
rsm_node_id_t local_node, peer_node;
size_t page;

static bool failed;

static const struct section *const sections[] = {
	&controllers, &exports, &rebinding, &publishing, &connections, &mappings, &transfers, &vectors,
	&barriers, &events, &interconnect, &lifecycle, &waits, &failures,
	&shortages,
};

void expect_number(const char *file, int line, const char *what, long long got, long long wanted)
{
	if (got == wanted)
		return;
	printf("# %s:%d: %s is %lld, not %lld\n", strrchr(file, '/') ? strrchr(file, '/') + 1 :
	       file, line, what, got, wanted);
	fflush(stdout);
	failed = true;
}

void require_number(const char *file, int line, const char *what, long long got, long long wanted)
{
	expect_number(file, line, what, got, wanted);
	if (got != wanted)
		_exit(1);
}

void skip(const char *why)
{
	printf("# SKIP %s\n", why);
	fflush(stdout);
	_exit(SKIPPED);
}

void verdict_clear(void)
{
	failed = false;
}

int verdict(void)
{
	fflush(stdout);
	return failed;
}

static int run_in_child(const struct test *test)
{
	/* A group, so that what a hanging test has started ends with it. */
	setpgid(0, 0);
	alarm(slow(TEST_SECONDS));
	signal(SIGPIPE, SIG_IGN);
	require(rsm_get_controller(controller_name, &controller), RSM_SUCCESS);
	local_node_find();
	peer_ok("begin %s", controller_name);
	peer_node = (rsm_node_id_t)peer_value;
	require(scope == CROSS, peer_node != local_node);
	test->run();
	return verdict();
}

static bool run_one(const struct test *test)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(run_in_child(test));
	waitpid(pid, &status, 0);
	group_end(pid);
	peer("end");
	if (WIFSIGNALED(status))
		printf("# ended by signal %d%s\n", WTERMSIG(status),
		       WTERMSIG(status) == SIGALRM ? ": it hung" : "");
	printf("%s %s\n", status == 0 ? "ok" :
	       WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED ? "skip" : "not ok",
	       test->name);
	return status == 0;
}

static bool is_wanted(const struct test *test, bool small, char *const names[])
{
	if (!(test->scopes & scope) || !!(test->scopes & SMALL) != small)
		return false;
	if (!*names)
		return true;
	for (; *names; names++)
		if (!strcmp(*names, test->name))
			return true;
	return false;
}

static int run_all(bool small, char *const names[])
{
	const struct section *section;
	size_t s, t, bad = 0;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (s = 0; s < ARRAY(sections); s++) {
		section = sections[s];
		for (t = 0; t < section->count; t++)
			if (is_wanted(&section->tests[t], small, names))
				bad += !run_one(&section->tests[t]);
	}
	printf("done\n");
	return bad ? 1 : 0;
}

static int list(void)
{
	const struct test *test;
	size_t s, t;

	for (s = 0; s < ARRAY(sections); s++) {
		for (t = 0; t < sections[s]->count; t++) {
			test = &sections[s]->tests[t];
			printf("%s%s%s%s%s\n", test->name,
			       test->scopes & LOOPBACK ? " loopback" : "",
			       test->scopes & SELF ? " self" : "",
			       test->scopes & CROSS ? " cross" : "",
			       test->scopes & SMALL ? " small" : "");
		}
	}
	return 0;
}

static int scope_set(const char *name)
{
	static const char *const names[] = { "loopback", "self", "cross" };
	size_t i;

	for (i = 0; i < ARRAY(names); i++) {
		if (!strcmp(name, names[i])) {
			scope = (enum scope)(1 << i);
			controller_name = scope == LOOPBACK ? "loopback" : "sci0";
			channel_open(scope != CROSS);
			return 1;
		}
	}
	return 0;
}

int main(int argc, char *argv[])
{
	const char *verb = argc > 1 ? argv[1] : "";
	bool small = !strcmp(verb, "small");

	page = (size_t)sysconf(_SC_PAGESIZE);
	if (!strcmp(verb, "list"))
		return list();
	if (!strcmp(verb, "record")) {
		record_print();
		return 0;
	}
	if (!strcmp(verb, "serve")) {
		peer_serve(STDIN_FILENO, STDOUT_FILENO);
		return 0;
	}
	if (argc > 2 && (small || !strcmp(verb, "run")) && scope_set(argv[2]))
		return run_all(small, argv + 3);
	fprintf(stderr, "usage: conform list|record|serve|run SCOPE [NAME...]|small SCOPE [NAME...]\n");
	return 2;
}
