// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rsmmodel PORT: a node's part of the model test.  Takes lines from a virtio
 * port, passes each on to one of its workers, and returns the answer; lines
 * for "-" are its own.  A worker that does not answer is reported with its
 * kernel stack, one that died with its status.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "model.h"

#define HANG_MS		30000	/* no call takes so long, however slow the machine */
#define LOOK_MS		100	/* between two looks at a worker that is silent */
#define POLL_NS		200000
#define NO_SUCH_ID	0x3ffffffu

static rsmapi_controller_handle_t controller;
static int near_end[MODEL_WORKERS], far_end[MODEL_WORKERS];
static pid_t pids[MODEL_WORKERS];	/* 0: none */
static char answer[MODEL_LINE];

void model_die(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	_exit(2);
}

void model_run_on(unsigned int cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		model_die("no such processor: %u", cpu);
}

int model_words(char *line, char **words, int most)
{
	char *save = NULL;
	int n = 0;

	for (char *w = strtok_r(line, " \n", &save); w && n < most; w = strtok_r(NULL, " \n", &save))
		words[n++] = w;
	return n;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static long number(const char *word)
{
	return strtol(word, NULL, 10);
}

static int worker_number(const char *word)
{
	long n = number(word);

	if (n < 0 || n >= MODEL_WORKERS)
		model_die("no such worker: %s", word);
	return (int)n;
}

/* ---- waiting for the agent, which does some things in the background ---- */

typedef bool (*condition)(const char *line, const void *data);

/* Whether no line of a file below debugfs' rsm/ fulfils @is. */
static bool none(const char *name, condition is, const void *data)
{
	char path[64], line[512];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/sys/kernel/debug/rsm/%s", name);
	file = fopen(path, "r");
	if (!file)
		model_die("no %s", path);
	while (!found && fgets(line, sizeof(line), file))
		found = is(line, data);
	fclose(file);
	return !found;
}

static bool becomes_none(const char *name, condition is, const void *data)
{
	const struct timespec pause = { .tv_nsec = POLL_NS };
	int64_t deadline = now_ms() + HANG_MS;

	while (!none(name, is, data)) {
		if (now_ms() > deadline)
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

static bool any(const char *line, const void *data)
{
	(void)line;
	(void)data;
	return true;
}

static bool created_by(const char *line, const void *data)
{
	return strstr(line, data) && !strstr(line, " zombie ");
}

static bool connected_to(const char *line, const void *data)
{
	return strstr(line, data) && strstr(line, " connected ");
}

/* ---- workers ---- */

static void spawn(int w)
{
	char stale[MODEL_LINE];

	while (recv(near_end[w], stale, sizeof(stale), MSG_DONTWAIT) > 0)
		;
	while (recv(far_end[w], stale, sizeof(stale), MSG_DONTWAIT) > 0)
		;
	pids[w] = fork();
	if (pids[w] < 0)
		model_die("cannot fork");
	if (pids[w] == 0)
		model_worker(w, far_end);
}

/* All a process had is gone when it can be waited for, but what others still hold. */
static const char *end(int w)
{
	const struct timespec pause = { .tv_nsec = POLL_NS };
	int64_t deadline = now_ms() + HANG_MS;
	pid_t pid = pids[w];
	char creator[32];

	if (!pid)
		return "0";
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, WNOHANG) == 0) {
		if (now_ms() > deadline)
			return NULL;
		nanosleep(&pause, NULL);
	}
	pids[w] = 0;
	snprintf(creator, sizeof(creator), " creator %d ", pid);
	return becomes_none("exports", created_by, creator) ? "0" : "an export survives its creator";
}

/* What a thread is at; the number of bytes. */
static size_t read_stack(char *to, size_t room, pid_t pid, const char *task)
{
	static const char * const files[] = { "wchan", "stack", "syscall" };
	size_t used = 0;
	char path[64];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]) && used + 2 < room; i++) {
		ssize_t got;
		int fd;

		snprintf(path, sizeof(path), "/proc/%d/task/%.16s/%s", pid, task, files[i]);
		fd = open(path, O_RDONLY);
		got = fd < 0 ? 0 : read(fd, to + used, room - used - 1);
		if (fd >= 0)
			close(fd);
		used += got > 0 ? (size_t)got : 0;
		to[used++] = ';';
	}
	return used;
}

static void report_hang(int w)
{
	size_t used = (size_t)snprintf(answer, sizeof(answer), "hang ");
	struct dirent *task;
	char path[32];
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", pids[w]);
	tasks = opendir(path);
	while (tasks && (task = readdir(tasks)))
		if (task->d_name[0] != '.')
			used += read_stack(answer + used, sizeof(answer) - used - 1, pids[w],
					   task->d_name);
	if (tasks)
		closedir(tasks);
	answer[used] = '\0';
	for (char *c = answer; *c; c++)
		if (*c == '\n')
			*c = ',';
}

/* Pass a line to a worker; its answer, or why there is none, is in answer[]. */
static void ask(int w, const char *line)
{
	struct pollfd fd = { .fd = near_end[w], .events = POLLIN };
	int64_t deadline = now_ms() + HANG_MS;
	ssize_t got;
	int status;

	if (!pids[w] || send(near_end[w], line, strlen(line), 0) < 0) {
		snprintf(answer, sizeof(answer), "no worker");
		return;
	}
	while (poll(&fd, 1, LOOK_MS) == 0) {
		if (waitpid(pids[w], &status, WNOHANG) == pids[w]) {
			pids[w] = 0;
			snprintf(answer, sizeof(answer), "died %d", WIFSIGNALED(status) ?
				 128 + WTERMSIG(status) : WEXITSTATUS(status));
			return;
		}
		if (now_ms() > deadline) {
			report_hang(w);
			return;
		}
	}
	got = recv(near_end[w], answer, sizeof(answer) - 1, 0);
	answer[got < 0 ? 0 : got] = '\0';
	if (!strncmp(line, "fork ", 5) && !strncmp(answer, "0 ", 2))
		pids[worker_number(line + 5)] = (pid_t)number(answer + 2);
}

/* ---- the dispatcher's own lines ---- */

static const char *cmd_spawn(char **arg)
{
	int w = worker_number(arg[0]);

	if (pids[w])
		return "the worker runs";
	spawn(w);
	return "0";
}

static const char *cmd_kill(char **arg)
{
	return end(worker_number(arg[0]));
}

/* What this node has sent to the other before has been handled there. */
static const char *cmd_fence(char **arg)
{
	rsm_memseg_import_handle_t import;
	int ret = rsm_memseg_import_connect(controller, (rsm_node_id_t)number(arg[0]), NO_SUCH_ID,
					    RSM_PERM_READ, &import);

	if (ret != RSMERR_SEG_NOT_PUBLISHED)
		snprintf(answer, sizeof(answer), "connect to nothing gives %d", ret);
	else
		strcpy(answer, "0");
	return answer;
}

/* "NODE ID": imports of that segment over sci0 have noticed that it ended. */
static const char *cmd_gone(char **arg)
{
	char name[64];

	snprintf(name, sizeof(name), " node %ld segment_id %08lx ", number(arg[0]), number(arg[1]));
	return becomes_none("imports", connected_to, name) ? "0" : "an import does not end";
}

/* End all workers; the agent must then have nothing. */
static const char *cmd_reset(char **arg)
{
	(void)arg;
	for (int w = 0; w < MODEL_WORKERS; w++) {
		const char *result = end(w);

		if (!result) {
			report_hang(w);
			return answer;
		}
		if (*result != '0')
			return result;
	}
	if (!becomes_none("exports", any, NULL))
		return "exports are left";
	if (!becomes_none("imports", any, NULL))
		return "imports are left";
	return "0";
}

static const struct command {
	const char *name;
	int least;
	const char *(*run)(char **arg);
} commands[] = {
	{ "spawn", 1, cmd_spawn },
	{ "kill", 1, cmd_kill },
	{ "fence", 1, cmd_fence },
	{ "gone", 2, cmd_gone },
	{ "reset", 0, cmd_reset },
};

static const char *own(char *line)
{
	char *words[MODEL_ARGS];
	int n = model_words(line, words, MODEL_ARGS);
	const char *result;

	for (size_t i = 0; n && i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(words[0], commands[i].name) || n - 1 < commands[i].least)
			continue;
		result = commands[i].run(words + 1);
		return result ? result : "hang";
	}
	model_die("no such command: %s", n ? words[0] : "");
}

static FILE *open_port(const char *path)
{
	int fd = open(path, O_RDWR);
	FILE *port = fd < 0 ? NULL : fdopen(fd, "r+");

	if (!port)
		model_die("cannot open %s", path);
	return port;
}

/* The host is connected once a line is here. */
static bool next_line(FILE *port, char *line)
{
	const struct timespec pause = { .tv_nsec = POLL_NS };

	while (!fgets(line, MODEL_LINE, port)) {
		clearerr(port);
		nanosleep(&pause, NULL);
	}
	return strcmp(line, "end\n") != 0;
}

int main(int argc, char **argv)
{
	const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	char line[MODEL_LINE], sci[] = "sci0";
	FILE *port;

	if (argc != 2)
		model_die("usage: rsmmodel PORT");
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) || setrlimit(RLIMIT_MEMLOCK, &all) ||
	    rsm_get_controller(sci, &controller))
		model_die("cannot start");
	for (int w = 0; w < MODEL_WORKERS; w++) {
		int ends[2];

		if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends))
			model_die("no sockets");
		near_end[w] = ends[0];
		far_end[w] = ends[1];
	}
	/* Call by call, that is much quicker than to wake another processor each time. */
	model_run_on(0);
	port = open_port(argv[1]);
	while (next_line(port, line)) {
		const char *result = answer;
		char *rest = strchr(line, ' ');

		if (!rest)
			continue;
		*rest++ = '\0';
		rest[strcspn(rest, "\n")] = '\0';
		if (*line == '-')
			result = own(rest);
		else
			ask(worker_number(line), rest);
		if (dprintf(fileno(port), "%s\n", result) < 0)
			return 1;
	}
	cmd_reset(NULL);
	return 0;
}
