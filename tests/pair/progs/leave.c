// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An exporter that leaves the end of its segments to threads of the kernel, and
 * what those threads do for everybody else.
 *
 * Usage: leave close ID	publishes; the last reference to the descriptor is io_uring's
 *	  leave lose ID COUNT	publishes COUNT segments, unmaps their memory
 *	  leave pipe		waits for the end of a pipe whose other end io_uring holds
 *	  leave tty		waits for what is typed into a terminal
 * The first two print "ready" and go on when they have read a line; `lose` stays
 * until it has read another one.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#define _GNU_SOURCE	/* posix_openpt */
#include <fcntl.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pairprog.h"

#define BYTES	4096UL

static void ready(void)
{
	printf("ready\n");
	fflush(stdout);
}

static void await_line(void)
{
	char line[8];

	if (!fgets(line, sizeof(line), stdin))
		exit(1);
}

/* A ring that holds the descriptor, too.  The kernel gives that up some time after its end. */
static int ring_with(int fd)
{
	struct io_uring_params params = { .flags = 0 };
	int ring = (int)syscall(SYS_io_uring_setup, 1, &params);

	if (ring < 0 || syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES, &fd, 1))
		pair_die("cannot give a descriptor to io_uring");
	return ring;
}

static int leave_close(rsm_memseg_id_t id)
{
	rsm_memseg_export_handle_t export =
		pair_export(pair_controller(), pair_memory(BYTES), BYTES, id);
	struct pollfd fd;

	if (rsm_memseg_get_pollfd(export, &fd))
		pair_die("cannot get the descriptor");
	ring_with(fd.fd);
	ready();
	await_line();
	return 0;
}

static int leave_lose(rsm_memseg_id_t id, unsigned long count)
{
	uint8_t *memory = pair_memory(count * BYTES);

	for (unsigned long n = 0; n < count; n++)
		pair_export(pair_controller(), memory + n * BYTES, BYTES,
			    id + (rsm_memseg_id_t)n);
	ready();
	await_line();
	if (munmap(memory, count * BYTES))
		pair_die("cannot unmap");
	printf("lost\n");
	fflush(stdout);
	await_line();
	return 0;
}

static int leave_pipe(void)
{
	int ends[2], ring;
	char byte;

	if (pipe(ends))
		pair_die("cannot make a pipe");
	ring = ring_with(ends[1]);
	close(ends[1]);
	close(ring);
	return read(ends[0], &byte, 1) == 0 ? 0 : 1;
}

static int leave_tty(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave = -1;
	char line[8];

	if (master >= 0 && !grantpt(master) && !unlockpt(master))
		slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	if (slave < 0 || write(master, "word\n", 5) != 5)
		pair_die("cannot make a terminal");
	return read(slave, line, sizeof(line)) == 5 ? 0 : 1;
}

int main(int argc, char *argv[])
{
	if (argc == 3 && !strcmp(argv[1], "close"))
		return leave_close(pair_number(argv[2], 16));
	if (argc == 4 && !strcmp(argv[1], "lose"))
		return leave_lose(pair_number(argv[2], 16), pair_number(argv[3], 10));
	if (argc == 2 && !strcmp(argv[1], "pipe"))
		return leave_pipe();
	if (argc == 2 && !strcmp(argv[1], "tty"))
		return leave_tty();
	pair_die("usage: leave close ID | lose ID COUNT | pipe | tty");
}
