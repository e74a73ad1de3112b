// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rsmchaos PORT NODE NODES: a node's part of the chaos run.  Takes lines from
 * a virtio port: "spawn K", "kill K", "spoil K" (one block gets a wrong bit),
 * "unlock K" (its vault is open to all), "stop" (all end in good order),
 * "counts" (of each worker), "end".  Every answer is a line.  A worker one of
 * whose threads does not begin a round, or that does not die, for HANG_MS is
 * reported with its kernel stacks.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "chaos.h"

#define HANG_MS		60000
#define POLL_NS		500000
#define LINE_BYTES	4096

static struct chaos_counts *all_counts;	/* shared with the workers */
static pid_t pids[CHAOS_WORKERS];	/* 0: none */
static unsigned int node, nodes;
static char answer[LINE_BYTES];

uint64_t chaos_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void chaos_die(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	_exit(2);
}

void chaos_note(uint64_t *count, const char *fmt, ...)
{
	va_list args;

	chaos_count(count);
	if (__atomic_exchange_n(&counts->noted, 1, __ATOMIC_RELAXED))
		return;
	va_start(args, fmt);
	vsnprintf(counts->what, sizeof(counts->what), fmt, args);
	va_end(args);
}

/* ---- workers ---- */

/* What a thread is at; the number of bytes. */
static size_t read_stack(char *to, size_t room, pid_t pid, const char *task)
{
	static const char * const files[] = { "comm", "wchan", "stack", "syscall" };
	size_t used = 0;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]) && used + 1 < room; i++) {
		char path[64];
		ssize_t got;
		int fd;

		snprintf(path, sizeof(path), "/proc/%d/task/%.16s/%s", pid, task, files[i]);
		fd = open(path, O_RDONLY);
		if (fd < 0)
			continue;
		to[used++] = ' ';
		got = read(fd, to + used, room - used);
		used += got > 0 ? (size_t)got : 0;
		close(fd);
	}
	return used;
}

static void say_stack(const char *why, unsigned int k)
{
	size_t used = (size_t)snprintf(answer, sizeof(answer), "hang worker %u %s:", k, why);
	struct dirent *task;
	char path[32];
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", pids[k]);
	tasks = opendir(path);
	while (tasks && (task = readdir(tasks)))
		if (task->d_name[0] != '.')
			used += read_stack(answer + used, sizeof(answer) - used - 1, pids[k],
					   task->d_name);
	if (tasks)
		closedir(tasks);
	answer[used] = '\0';
	for (char *c = answer; *c; c++)
		if (*c == '\n')
			*c = ',';
}

static void spawn(unsigned int k)
{
	if (pids[k]) {
		snprintf(answer, sizeof(answer), "runs");
		return;
	}
	for (int i = 0; i < CHAOS_THREADS; i++)
		all_counts[k].alive_ms[i] = chaos_now_ms();
	pids[k] = fork();
	if (pids[k] < 0)
		chaos_die("cannot fork");
	if (pids[k] == 0) {
		counts = &all_counts[k];
		chaos_worker((node - 1) * CHAOS_WORKERS + k, nodes);
	}
}

/* What a process had is released when it can be waited for. */
static bool reap(unsigned int k, const char *why, int wanted)
{
	const struct timespec pause = { .tv_nsec = POLL_NS };
	uint64_t deadline = chaos_now_ms() + HANG_MS;
	int status;

	while (waitpid(pids[k], &status, WNOHANG) != pids[k]) {
		if (chaos_now_ms() > deadline) {
			say_stack(why, k);
			return false;
		}
		nanosleep(&pause, NULL);
	}
	pids[k] = 0;
	if (status != wanted) {
		counts = &all_counts[k];
		chaos_note(&counts->odd, "worker %u ends with status %x", k, (unsigned int)status);
	}
	return true;
}

static void end(unsigned int k, int signo)
{
	if (!pids[k])
		return;
	kill(pids[k], signo);
	reap(k, signo == SIGKILL ? "does not die" : "does not end", signo == SIGKILL ? SIGKILL : 0);
}

static bool stands_still(const struct chaos_counts *c)
{
	/* No difference: the thread may set it to a later time meanwhile. */
	for (int i = 0; i < CHAOS_THREADS; i++)
		if (c->alive_ms[i] + HANG_MS < chaos_now_ms())
			return true;
	return false;
}

static void say_counts(void)
{
	size_t used = 0;

	for (unsigned int k = 0; k < CHAOS_WORKERS; k++) {
		struct chaos_counts *c = &all_counts[k];

		if (pids[k] && waitpid(pids[k], NULL, WNOHANG) == pids[k]) {
			counts = c;
			chaos_note(&c->odd, "worker %u died", k);
			pids[k] = 0;
		}
		if (pids[k] && stands_still(c)) {
			say_stack("stands still", k);
			return;
		}
		used += (size_t)snprintf(answer + used, sizeof(answer) - used,
					 "%lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %s;",
					 c->blocks, c->acked, c->checked, c->boards, c->events,
					 c->connects, c->aborts, c->denied, c->granted, c->wrong,
					 c->odd, c->stalls, c->breaches, c->what);
	}
}

static void obey(char *line)
{
	unsigned int k = 0;
	char *space = strchr(line, ' ');

	if (space) {
		*space = '\0';
		k = (unsigned int)strtoul(space + 1, NULL, 10);
	}
	strcpy(answer, "0");
	if (k >= CHAOS_WORKERS)
		chaos_die("no such worker: %u", k);
	if (!strcmp(line, "spawn"))
		spawn(k);
	else if (!strcmp(line, "kill"))
		end(k, SIGKILL);
	else if (!strcmp(line, "spoil"))
		all_counts[k].spoil = 1;
	else if (!strcmp(line, "unlock"))
		all_counts[k].unlock = 1;
	else if (!strcmp(line, "counts"))
		say_counts();
	else if (!strcmp(line, "stop"))
		for (k = 0; k < CHAOS_WORKERS; k++)
			end(k, SIGTERM);
	else
		chaos_die("no such command: %s", line);
}

int main(int argc, char **argv)
{
	const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	const struct timespec pause = { .tv_nsec = POLL_NS };
	char line[LINE_BYTES];
	FILE *port;
	int fd;

	if (argc != 4)
		chaos_die("usage: rsmchaos PORT NODE NODES");
	node = (unsigned int)strtoul(argv[2], NULL, 10);
	nodes = (unsigned int)strtoul(argv[3], NULL, 10);
	fd = open(argv[1], O_RDWR | O_CLOEXEC);
	port = fd < 0 ? NULL : fdopen(fd, "r");
	if (!port || !node || node > nodes || nodes > CHAOS_NODES)
		chaos_die("cannot start");
	all_counts = mmap(NULL, sizeof(*all_counts) * CHAOS_WORKERS, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (all_counts == MAP_FAILED || setrlimit(RLIMIT_MEMLOCK, &all))
		chaos_die("no memory");
	for (;;) {
		/* The host is connected once a line is here. */
		while (!fgets(line, sizeof(line), port)) {
			clearerr(port);
			nanosleep(&pause, NULL);
		}
		line[strcspn(line, "\n")] = '\0';
		if (!strcmp(line, "end"))
			break;
		obey(line);
		if (dprintf(fd, "%s\n", answer) < 0)
			return 1;
	}
	for (unsigned int k = 0; k < CHAOS_WORKERS; k++)
		end(k, SIGTERM);
	return 0;
}
