// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What other threads of an exporter meet while two wait in unpublish for a
 * halted importer.  Prints the codes of their calls, then those of unpublish.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * Usage: ID ID.  Publishes a segment that must not wait and one that may, prints
 * "ready", goes on when it has read a line.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "pairprog.h"
#include "waiting.h"

#define BYTES	8192

struct subject {
	rsm_memseg_export_handle_t export;
	pthread_t thread;
	atomic_int waiter;	/* its id */
};

static void *unpublish(void *data)
{
	struct subject *subject = data;

	subject->waiter = (int)syscall(SYS_gettid);
	return (void *)(long)rsm_memseg_export_unpublish(subject->export);
}

static void publish(struct subject *subject, const char *id, uint_t flags)
{
	rsm_memseg_id_t number = pair_number(id, 16);

	if (rsm_memseg_export_create(pair_controller(), &subject->export, pair_memory(BYTES), BYTES,
				     RSM_ALLOW_REBIND | flags) ||
	    rsm_memseg_export_publish(subject->export, &number, NULL, 0))
		pair_die("cannot publish");
}

/* Have a thread wait that the alarms do not meet. */
static void have_unpublished(struct subject *subject)
{
	struct timespec pause = { 0, 1000000 };
	sigset_t alarm;

	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &alarm, NULL);
	pthread_create(&subject->thread, NULL, unpublish, subject);
	pthread_sigmask(SIG_UNBLOCK, &alarm, NULL);
	while (!subject->waiter || !task_sleeps(subject->waiter))
		nanosleep(&pause, NULL);
}

/* What a call meets that would wait for the other thread, or must not. */
static void meet(const struct subject *subject)
{
	rsm_memseg_export_handle_t export = subject->export;
	rsm_memseg_id_t other = 0;
	struct pollfd fd;

	pair_interrupt(100);
	printf("rebind %d\n", rsm_memseg_export_rebind(export, pair_memory(BYTES), 0, BYTES));
	printf("publish %d\n", rsm_memseg_export_publish(export, &other, NULL, 0));
	printf("republish %d\n", rsm_memseg_export_republish(export, NULL, 0));
	printf("unpublish %d\n", rsm_memseg_export_unpublish(export));
	pair_interrupt(0);
	printf("get_pollfd %d\n", rsm_memseg_get_pollfd(export, &fd));
}

static void end(const struct subject *subject)
{
	void *result;

	pthread_join(subject->thread, &result);
	printf("ended %ld\n", (long)result);
}

int main(int argc, char *argv[])
{
	static struct subject hasty, patient;
	char line[8];

	if (argc != 3)
		pair_die("usage: waits ID ID");
	publish(&hasty, argv[1], RSM_CREATE_SEG_DONTWAIT);
	publish(&patient, argv[2], 0);
	printf("ready\n");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return 1;

	have_unpublished(&hasty);
	have_unpublished(&patient);
	meet(&hasty);
	meet(&patient);
	printf("held\n");
	fflush(stdout);
	end(&hasty);
	end(&patient);
	return 0;
}
