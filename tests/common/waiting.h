/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of what ends a wait: they have to be certain that somebody waits
 * before it happens, however slow the machine is.  Linked with the programs of
 * the suites guest, conformance and pair; knows no harness and no RSMAPI.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#ifndef TESTS_COMMON_WAITING_H
#define TESTS_COMMON_WAITING_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/* State of a process or thread as in /proc/PID/stat, such as 'S' or 'I'; 0 if it is gone. */
char task_state(int task);
/* Whether it sleeps so that a signal would wake it. */
bool task_sleeps(int task);

/*
 * SIGUSR1 interrupts the calling thread every @milliseconds until it calls
 * interrupts_end(): a single signal could come before the thread waits.  None
 * comes after interrupts_end().
 */
void interrupts_begin(unsigned int milliseconds);
void interrupts_end(void);

/* A thread that makes one call, which waits. */
struct waiter {
	int (*call)(void *argument);
	void *argument;
	pthread_t thread;
	atomic_int task;	/* its id, 0 until it runs */
	int result;		/* of the call; valid after waiter_end(), as is the next */
	long long took;		/* milliseconds that the call lasted */
};

/* Returns once the thread sleeps, or has ended without that. */
void waiter_start(struct waiter *waiter, int (*call)(void *argument), void *argument);
/* Whether it still sleeps. */
bool waiter_sleeps(const struct waiter *waiter);
/* Wait for its end; the result of its call. */
int waiter_end(struct waiter *waiter);
/* Wait for the end of two; whether one has ended with @first and one with @second. */
bool one_was_served(struct waiter waiters[2], int first, int second);

#endif /* TESTS_COMMON_WAITING_H */
