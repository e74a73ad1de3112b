// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Times of signals between two nodes, in microseconds.
 *
 * Usage: signals echo ID            export ID, answer each event until standard input ends
 *        signals ping NODE ID COUNT [PAUSE]
 *                                   post and wait for the answer, after PAUSE us each
 *        signals post NODE ID COUNT post and wait, time the post alone
 *        signals floor COUNT        two processes of one machine and two eventfds
 *        signals ivshmem            the number of this node's ivshmem device
 *        signals ivshmem-echo PEER  answer each of its doorbells, until standard input ends
 *        signals ivshmem-ping PEER COUNT
 *                                   ring, and wait for the answer
 * Output: "min N p50 N p90 N p99 N max N" with two decimals.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pairprog.h"

#define WARM_UP		200
#define PATIENCE_MS	30000
#define PAGE		4096

static double now_us(void)
{
	return (double)pair_now_ns() / 1000;
}

static void report(double *times, unsigned long count)
{
	pair_sort(times, count);
	printf("min %.2f p50 %.2f p90 %.2f p99 %.2f max %.2f\n", times[0], times[count / 2],
	       times[count * 9 / 10], times[count * 99 / 100], times[count - 1]);
}

static double *room_for(unsigned long count)
{
	double *times = calloc(count, sizeof(*times));

	if (!count || !times)
		pair_die("no room for %lu times", count);
	return times;
}

/* ---- between nodes ---- */

static void must(int err, const char *what)
{
	if (err)
		pair_die("%s: error %d", what, err);
}

static int input_ended(void)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	char byte;

	return poll(&in, 1, 0) == 1 && read(STDIN_FILENO, &byte, 1) <= 0;
}

static void echo(rsm_memseg_id_t id)
{
	rsm_memseg_export_handle_t export;
	int err;

	export = pair_export(pair_controller(), pair_memory(PAGE), PAGE, id);
	printf("ready\n");
	fflush(stdout);
	while (!input_ended()) {
		do {
			err = rsm_intr_signal_wait(export, 1000);
			if (!err)
				must(rsm_intr_signal_post(export, 0), "post");
		} while (!err);
		if (err != RSMERR_TIMEOUT)
			must(err, "wait");
	}
	must(rsm_memseg_export_destroy(export), "destroy");
}

static void pause_us(unsigned long us)
{
	struct timespec t = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };

	if (us)
		nanosleep(&t, NULL);
}

static void ping(rsm_memseg_import_handle_t import, unsigned long count, unsigned long pause,
		 int post_alone)
{
	double *times = room_for(count);
	double start, posted;

	for (unsigned long i = 0; i < WARM_UP + count; i++) {
		pause_us(pause);
		start = now_us();
		must(rsm_intr_signal_post(import, 0), "post");
		posted = now_us();
		must(rsm_intr_signal_wait(import, PATIENCE_MS), "wait");
		if (i >= WARM_UP)
			times[i - WARM_UP] = (post_alone ? posted : now_us()) - start;
	}
	report(times, count);
	free(times);
}

/* ---- on one machine ---- */

static void tell(int fd)
{
	uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) != sizeof(one))
		pair_die("cannot write to an eventfd");
}

static int hear(int fd)
{
	uint64_t value;

	return read(fd, &value, sizeof(value)) == sizeof(value);
}

static void floor_of_host(unsigned long count)
{
	int there = eventfd(0, 0), back = eventfd(0, 0);
	double *times = room_for(count);
	double start;
	pid_t child = fork();

	if (there < 0 || back < 0 || child < 0)
		pair_die("no eventfds or no process");
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (hear(there))
			tell(back);
		_exit(1);
	}
	for (unsigned long i = 0; i < WARM_UP + count; i++) {
		start = now_us();
		tell(there);
		if (!hear(back))
			pair_die("cannot read an eventfd");
		if (i >= WARM_UP)
			times[i - WARM_UP] = now_us() - start;
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	report(times, count);
	free(times);
}

/* ---- between nodes, with ivshmem-doorbell and uio_ivshmem.ko ---- */

#define IVSHMEM_POSITION	2	/* 32-bit registers of BAR 0 */
#define IVSHMEM_DOORBELL	3

struct ivshmem {
	int fd;
	volatile uint32_t *regs;
};

static struct ivshmem ivshmem_open(void)
{
	struct ivshmem dev = { .fd = open("/dev/uio0", O_RDWR) };

	if (dev.fd < 0)
		pair_die("cannot open /dev/uio0: is uio_ivshmem loaded?");
	dev.regs = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, dev.fd, 0);
	if (dev.regs == MAP_FAILED)
		pair_die("cannot map the registers of ivshmem");
	return dev;
}

static void ivshmem_ring(const struct ivshmem *dev, unsigned long peer)
{
	dev->regs[IVSHMEM_DOORBELL] = (uint32_t)peer << 16;
}

/* False: none came within @ms. */
static int ivshmem_wait(const struct ivshmem *dev, int ms)
{
	struct pollfd p = { .fd = dev->fd, .events = POLLIN };
	uint32_t count;

	if (ms >= 0 && poll(&p, 1, ms) != 1)
		return 0;
	return read(dev->fd, &count, sizeof(count)) == sizeof(count);
}

static void ivshmem_echo(unsigned long peer)
{
	struct ivshmem dev = ivshmem_open();
	pid_t child = fork();
	char byte;

	if (child < 0)
		pair_die("no process");
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* As `ping` waits: in one system call. */
		while (ivshmem_wait(&dev, -1))
			ivshmem_ring(&dev, peer);
		_exit(1);
	}
	printf("ready\n");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void ivshmem_ping(unsigned long peer, unsigned long count)
{
	struct ivshmem dev = ivshmem_open();
	double *times = room_for(count);
	double start;

	/* What came before this. */
	while (ivshmem_wait(&dev, 0))
		;
	for (unsigned long i = 0; i < WARM_UP + count; i++) {
		start = now_us();
		ivshmem_ring(&dev, peer);
		if (!ivshmem_wait(&dev, i ? -1 : PATIENCE_MS))
			pair_die("no answer to a doorbell of ivshmem");
		if (i >= WARM_UP)
			times[i - WARM_UP] = now_us() - start;
	}
	report(times, count);
	free(times);
}

int main(int argc, char **argv)
{
	rsm_memseg_import_handle_t import;
	const char *what = argc > 1 ? argv[1] : "";

	if (argc == 3 && !strcmp(what, "echo")) {
		echo(pair_number(argv[2], 16));
	} else if (argc == 3 && !strcmp(what, "floor")) {
		floor_of_host(pair_number(argv[2], 10));
	} else if (argc == 2 && !strcmp(what, "ivshmem")) {
		printf("%u\n", ivshmem_open().regs[IVSHMEM_POSITION]);
	} else if (argc == 3 && !strcmp(what, "ivshmem-echo")) {
		ivshmem_echo(pair_number(argv[2], 10));
	} else if (argc == 4 && !strcmp(what, "ivshmem-ping")) {
		ivshmem_ping(pair_number(argv[2], 10), pair_number(argv[3], 10));
	} else if ((argc == 5 || argc == 6) && (!strcmp(what, "ping") || !strcmp(what, "post"))) {
		must(pair_connect(pair_controller(), pair_number(argv[2], 10),
				  pair_number(argv[3], 16), PATIENCE_MS, &import), "connect");
		ping(import, pair_number(argv[4], 10), argc == 6 ? pair_number(argv[5], 10) : 0,
		     !strcmp(what, "post"));
		must(rsm_memseg_import_disconnect(import), "disconnect");
	} else {
		pair_die("usage: signals echo ID | ping NODE ID COUNT [PAUSE] | post NODE ID COUNT | "
			 "floor COUNT | ivshmem | ivshmem-echo PEER | ivshmem-ping PEER COUNT");
	}
	return 0;
}
