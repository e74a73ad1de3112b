// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What other threads of an exporter meet while one waits in unpublish for a
 * halted importer.  Prints the codes of their calls, then that of unpublish.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * Usage: ID.  Publishes, prints "ready", goes on when it has read a line.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "pairprog.h"

#define BYTES	8192

static rsm_memseg_export_handle_t export;
static atomic_int waiter;	/* thread id */

static void *unpublish(void *unused)
{
	(void)unused;
	waiter = (int)syscall(SYS_gettid);
	return (void *)(long)rsm_memseg_export_unpublish(export);
}

/* Whether a thread of ours sleeps in the kernel so that nothing can wake it but a peer. */
static int is_idle(int thread)
{
	char path[64], state = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", thread);
	file = fopen(path, "r");
	if (file) {
		if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
			state = 0;
		fclose(file);
	}
	return state == 'I';
}

static void on_alarm(int sig)
{
	(void)sig;
}

/* Have a signal interrupt what the calling thread does, again and again, or no more. */
static void alarms(int on)
{
	struct itimerval timer = { 0 };

	timer.it_value.tv_usec = timer.it_interval.tv_usec = on ? 100000 : 0;
	setitimer(ITIMER_REAL, &timer, NULL);
}

int main(int argc, char *argv[])
{
	struct sigaction action = { .sa_handler = on_alarm };	/* without SA_RESTART */
	rsmapi_controller_handle_t ctrl = pair_controller();
	struct timespec pause = { 0, 1000000 };
	rsm_memseg_id_t id, other = 0;
	pthread_t thread;
	sigset_t alarm;
	void *result;
	char line[8];

	if (argc != 2)
		pair_die("usage: waits ID");
	id = pair_number(argv[1], 16);
	if (rsm_memseg_export_create(ctrl, &export, pair_memory(BYTES), BYTES,
				     RSM_ALLOW_REBIND | RSM_CREATE_SEG_DONTWAIT) ||
	    rsm_memseg_export_publish(export, &id, NULL, 0))
		pair_die("cannot publish");
	printf("ready\n");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return 1;

	sigaction(SIGALRM, &action, NULL);
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &alarm, NULL);
	pthread_create(&thread, NULL, unpublish, NULL);
	pthread_sigmask(SIG_UNBLOCK, &alarm, NULL);
	while (!waiter || !is_idle(waiter))
		nanosleep(&pause, NULL);

	alarms(1);
	printf("rebind %d\n", rsm_memseg_export_rebind(export, pair_memory(BYTES), 0, BYTES));
	alarms(0);
	printf("publish %d\n", rsm_memseg_export_publish(export, &other, NULL, 0));
	printf("held\n");
	fflush(stdout);
	pthread_join(thread, &result);
	printf("unpublish %ld\n", (long)result);
	return 0;
}
