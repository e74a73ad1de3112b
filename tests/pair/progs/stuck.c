// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Exports memory, then puts pages in its place that never come: those of a file
 * whose file system, a process of ours, answers no read.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * Usage: COUNT.  Exports COUNT pages, each for itself.  Prints "stuck", ends when
 * it has read a line.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "pairprog.h"

#define PAGE		4096UL
#define ROOT		1
#define FILE_NODE	2
#define DIRECTORY	"/tmp/stuck"

static unsigned long bytes;	/* of the file */

static void answer(int fd, const struct fuse_in_header *in, int error, const void *data,
		   size_t size)
{
	struct fuse_out_header out = {
		.len = (uint32_t)(sizeof(out) + size), .error = error, .unique = in->unique,
	};
	struct iovec parts[] = { { &out, sizeof(out) }, { (void *)data, size } };

	if (writev(fd, parts, 2) < 0 && errno != ENOENT)
		_exit(1);
}

static struct fuse_attr attributes(uint64_t node)
{
	return (struct fuse_attr){
		.ino = node, .size = node == ROOT ? 0 : bytes, .nlink = 1,
		.mode = node == ROOT ? S_IFDIR | 0755 : S_IFREG | 0666, .blksize = PAGE,
	};
}

static void serve_one(int fd, const struct fuse_in_header *in)
{
	struct fuse_init_out init = { .major = FUSE_KERNEL_VERSION, .minor = 31,
				      .max_write = PAGE, .max_readahead = 0 };
	struct fuse_entry_out entry = { .nodeid = FILE_NODE, .attr = attributes(FILE_NODE),
					.entry_valid = 1000, .attr_valid = 1000 };
	struct fuse_attr_out attr = { .attr = attributes(in->nodeid), .attr_valid = 1000 };
	struct fuse_open_out opened = { .fh = 1 };

	switch (in->opcode) {
	case FUSE_INIT:
		answer(fd, in, 0, &init, sizeof(init));
		break;
	case FUSE_LOOKUP:
		answer(fd, in, 0, &entry, sizeof(entry));
		break;
	case FUSE_GETATTR:
		answer(fd, in, 0, &attr, sizeof(attr));
		break;
	case FUSE_OPEN:
		answer(fd, in, 0, &opened, sizeof(opened));
		break;
	case FUSE_READ:
	case FUSE_INTERRUPT:
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
		break;
	default:
		answer(fd, in, -ENOSYS, NULL, 0);
	}
}

static void serve(int fd)
{
	static char buffer[1 << 17];

	while (read(fd, buffer, sizeof(buffer)) > 0)
		serve_one(fd, (const struct fuse_in_header *)buffer);
	_exit(0);
}

/* The process that serves the file system. */
static pid_t start(void)
{
	char options[64];
	int fd = open("/dev/fuse", O_RDWR);
	pid_t server;

	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
	mkdir(DIRECTORY, 0700);
	if (fd < 0 || mount("stuck", DIRECTORY, "fuse", 0, options))
		pair_die("cannot mount");
	server = fork();
	if (server < 0)
		pair_die("cannot fork");
	if (!server)
		serve(fd);
	close(fd);
	return server;
}

int main(int argc, char *argv[])
{
	rsm_memseg_export_handle_t export;
	unsigned long count;
	char *memory, line[8];
	pid_t server;
	int file;

	if (argc != 2)
		pair_die("usage: stuck COUNT");
	count = pair_number(argv[1], 10);
	bytes = count * PAGE;
	server = start();
	file = open(DIRECTORY "/file", O_RDWR);
	memory = pair_memory(bytes);
	if (file < 0)
		pair_die("cannot open the file");
	for (unsigned long n = 0; n < count; n++)
		if (rsm_memseg_export_create(pair_controller(), &export, memory + n * PAGE, PAGE,
					     0))
			pair_die("cannot export");
	if (mmap(memory, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, file, 0) !=
	    memory)
		pair_die("cannot map the file");
	printf("stuck\n");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		line[0] = '\0';
	umount2(DIRECTORY, MNT_DETACH);
	kill(server, SIGKILL);
	return 0;
}
