// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See waiting.h.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#define _GNU_SOURCE
#include "waiting.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* The C library of Debian 12 does not name it. */
#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id	_sigev_un._tid
#endif

static timer_t interrupter;

/* A test that cannot be set up ends by SIGABRT, which no harness takes for success. */
static void must(bool good, const char *what)
{
	if (good)
		return;
	perror(what);
	abort();
}

char task_state(int task)
{
	char path[64], state = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", task);
	file = fopen(path, "r");
	if (!file)
		return 0;
	/* The name ends with the last bracket; those of the tests have none. */
	if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		state = 0;
	fclose(file);
	return state;
}

bool task_sleeps(int task)
{
	return task_state(task) == 'S';
}

static void on_interrupt(int signo)
{
	(void)signo;
}

void interrupts_begin(unsigned int milliseconds)
{
	/* The library's waits are ended by it as well, those of the C library go on. */
	struct sigaction action = { .sa_handler = on_interrupt, .sa_flags = SA_RESTART };
	struct sigevent event = {
		.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1,
		.sigev_notify_thread_id = gettid(),
	};
	struct timespec interval = {
		milliseconds / 1000, milliseconds % 1000 * 1000000,
	};
	struct itimerspec times = { interval, interval };

	must(sigaction(SIGUSR1, &action, NULL) == 0, "sigaction");
	must(timer_create(CLOCK_MONOTONIC, &event, &interrupter) == 0, "timer_create");
	must(timer_settime(interrupter, 0, &times, NULL) == 0, "timer_settime");
}

void interrupts_end(void)
{
	/* One that is pending goes to this thread, at the latest when the call returns. */
	must(timer_delete(interrupter) == 0, "timer_delete");
}

static long long milliseconds_now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (long long)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static void *waiter_run(void *data)
{
	struct waiter *waiter = data;
	long long start = milliseconds_now();

	waiter->task = gettid();
	waiter->result = waiter->call(waiter->argument);
	waiter->took = milliseconds_now() - start;
	return NULL;
}

void waiter_start(struct waiter *waiter, int (*call)(void *argument), void *argument)
{
	static const struct timespec pause = { .tv_nsec = 1000000 };

	waiter->call = call;
	waiter->argument = argument;
	waiter->task = 0;
	must(pthread_create(&waiter->thread, NULL, waiter_run, waiter) == 0, "pthread_create");
	/* No deadline: the harness ends a test that hangs. */
	while (!waiter->task || (!waiter_sleeps(waiter) && task_state(waiter->task)))
		nanosleep(&pause, NULL);
}

bool waiter_sleeps(const struct waiter *waiter)
{
	return task_sleeps(waiter->task);
}

int waiter_end(struct waiter *waiter)
{
	must(pthread_join(waiter->thread, NULL) == 0, "pthread_join");
	return waiter->result;
}

bool one_was_served(struct waiter waiters[2], int first, int second)
{
	int one = waiter_end(&waiters[0]), other = waiter_end(&waiters[1]);

	if ((one == first && other == second) || (one == second && other == first))
		return true;
	printf("# the waiters ended with %d and %d\n", one, other);
	return false;
}
