// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Helpers of the pair suite's guest programs, see pairprog.h.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>

#include "pairprog.h"

#define IMPORT_MS	30000
#define RETRY_NS	20000000
#define SPARE_FDS	64

uint64_t pair_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

uint64_t pair_now_ms(void)
{
	return pair_now_ns() / 1000000;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

void pair_sort(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), by_value);
}

void pair_die(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(2);
}

rsmapi_controller_handle_t pair_controller(void)
{
	rsmapi_controller_handle_t ctrl;
	char name[] = PAIR_CONTROLLER;
	int err = rsm_get_controller(name, &ctrl);

	if (err)
		pair_die("controller %s: error %d", name, err);
	return ctrl;
}

void pair_descriptors(unsigned long count)
{
	struct rlimit limit = { .rlim_cur = count + SPARE_FDS, .rlim_max = count + SPARE_FDS };

	if (setrlimit(RLIMIT_NOFILE, &limit))
		pair_die("no room for %lu descriptors: errno %d", count, errno);
}

void *pair_memory(size_t bytes)
{
	void *mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED)
		pair_die("cannot allocate %zu bytes: errno %d", bytes, errno);
	return mem;
}

rsm_memseg_export_handle_t pair_export(rsmapi_controller_handle_t ctrl, void *mem,
				       size_t bytes, rsm_memseg_id_t id)
{
	rsm_memseg_export_handle_t ex;
	int err = rsm_memseg_export_create(ctrl, &ex, mem, bytes, 0);

	if (err)
		pair_die("export_create of %zu bytes: error %d", bytes, err);
	err = rsm_memseg_export_publish(ex, &id, NULL, 0);
	if (err)
		pair_die("publish of %x: error %d", id, err);
	return ex;
}

int pair_connect(rsmapi_controller_handle_t ctrl, rsm_node_id_t node, rsm_memseg_id_t id,
		 unsigned int ms, rsm_memseg_import_handle_t *im)
{
	const struct timespec pause = { .tv_nsec = RETRY_NS };
	uint64_t deadline = pair_now_ms() + ms;
	int err;

	while ((err = rsm_memseg_import_connect(ctrl, node, id, RSM_PERM_RDWR, im)) != 0) {
		if (pair_now_ms() >= deadline)
			return err;
		nanosleep(&pause, NULL);
	}
	return 0;
}

void *pair_import(rsmapi_controller_handle_t ctrl, rsm_node_id_t node, rsm_memseg_id_t id,
		  size_t bytes, rsm_memseg_import_handle_t *im)
{
	void *map = NULL;
	int err = pair_connect(ctrl, node, id, IMPORT_MS, im);

	if (err)
		pair_die("connect to %x on node %u: error %d", id, node, err);
	err = rsm_memseg_import_map(*im, &map, RSM_MAP_NONE, RSM_PERM_RDWR, 0, bytes);
	if (err)
		pair_die("map of %zu bytes: error %d", bytes, err);
	return map;
}

int pair_await(const volatile uint64_t *word, uint64_t value, unsigned int ms)
{
	uint64_t deadline = pair_now_ms() + ms;

	while (*word != value) {
		if (pair_now_ms() >= deadline)
			return 0;
		sched_yield();
	}
	/* Pairs with the fence or locked instruction before the other side's store. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return 1;
}

static void on_alarm(int sig)
{
	(void)sig;
}

void pair_interrupt(unsigned int ms)
{
	/* The library's waits are ended by it as well, those of the C library would go on. */
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	struct itimerval timer = { 0 };

	sigaction(SIGALRM, &action, NULL);
	timer.it_value.tv_usec = timer.it_interval.tv_usec = ms * 1000;
	setitimer(ITIMER_REAL, &timer, NULL);
}

unsigned long pair_number(const char *text, int base)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, base);
	if (errno || end == text || *end)
		pair_die("not a number: %s", text);
	return value;
}
