// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Calls of several threads of a worker at once.  The threads are made for it
 * and end with it, so that a worker forks with one thread.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "modelworker.h"
#include "waiting.h"

#define THREADS	4

struct thread {
	char *calls;
	bool first;		/* the others wait until it sleeps */
	unsigned int cpu;
	pthread_t thread;
	atomic_int task;
	atomic_bool done;
	size_t used;		/* of the answer */
	char answer[MODEL_LINE / THREADS];
};

/* Threads that may begin: none, those that are first, all. */
static atomic_int begun;

static void *run(void *data)
{
	struct thread *self = data;
	char *save = NULL;

	model_run_on(self->cpu);
	self->task = gettid();
	while (begun < (self->first ? 1 : 2))
		sched_yield();
	for (char *c = strtok_r(self->calls, ",", &save); c; c = strtok_r(NULL, ",", &save)) {
		int ret;

		yield[0] = '\0';
		ret = model_make(c);
		self->used += (size_t)snprintf(self->answer + self->used,
					       sizeof(self->answer) - self->used, "%s%d %s",
					       self->used ? " , " : "", ret, yield);
		if (self->used >= sizeof(self->answer))
			model_die("too long an answer");
	}
	self->done = true;
	return NULL;
}

/* The dispatcher has the deadline. */
static void await_sleep(const struct thread *thread)
{
	const struct timespec pause = { .tv_nsec = 100000 };

	while (!thread->task || (!thread->done && !task_sleeps(thread->task)))
		nanosleep(&pause, NULL);
}

static void begin(struct thread *threads, int n)
{
	begun = 0;
	for (int i = 0; i < n; i++)
		if (pthread_create(&threads[i].thread, NULL, run, &threads[i]))
			model_die("no thread");
	for (int i = 0; i < n; i++)
		while (!threads[i].task)
			sched_yield();
	begun = 1;
	for (int i = 0; i < n; i++)
		if (threads[i].first)
			await_sleep(&threads[i]);
	begun = 2;
}

void model_together(char *line, char answer[MODEL_LINE])
{
	static struct thread threads[THREADS];
	char *save = NULL, *calls = strtok_r(line, ";", &save);
	int n = 0, length = 0;

	memset(threads, 0, sizeof(threads));
	for (; calls; calls = strtok_r(NULL, ";", &save)) {
		if (n == THREADS)
			model_die("too many threads");
		calls += strspn(calls, " ");
		threads[n].first = *calls == '!';
		threads[n].cpu = (unsigned int)n % (unsigned int)sysconf(_SC_NPROCESSORS_ONLN);
		threads[n].calls = calls + threads[n].first;
		n++;
	}
	begin(threads, n);
	for (int i = 0; i < n; i++) {
		pthread_join(threads[i].thread, NULL);
		length += snprintf(answer + length, MODEL_LINE - (size_t)length, "%s%s",
				   i ? " ; " : "", threads[i].answer);
	}
}
