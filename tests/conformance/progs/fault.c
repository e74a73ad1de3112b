// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The program's own definitions of some system and memory calls, which come
 * before libc's also for the library.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#define _GNU_SOURCE
#include "fault.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <uapi/rsm.h>

/* Of libc, behind the names that are defined here. */
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *old, size_t bytes);

static enum fault armed;
static int left, with_error;
static bool happened, other_version;

void fault_arm(enum fault fault, int nth, int error)
{
	happened = false;
	left = nth;
	with_error = error;
	armed = fault;
}

int fault_happened(void)
{
	armed = FAULT_NONE;
	return happened;
}

void fault_agent_version(void)
{
	other_version = true;
}

static bool due(enum fault fault)
{
	if (armed != fault || --left)
		return false;
	armed = FAULT_NONE;
	happened = true;
	errno = with_error;
	return true;
}

void *malloc(size_t bytes)
{
	return due(FAULT_MEMORY) ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
	return due(FAULT_MEMORY) ? NULL : __libc_calloc(count, bytes);
}

void *realloc(void *old, size_t bytes)
{
	return due(FAULT_MEMORY) ? NULL : __libc_realloc(old, bytes);
}

int ioctl(int fd, unsigned long request, ...)
{
	struct rsm_ioc_info *info;
	va_list arguments;
	void *argument;
	long ret;

	va_start(arguments, request);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	if (due(FAULT_IOCTL))
		return -1;
	ret = syscall(SYS_ioctl, fd, request, argument);
	if (ret == 0 && request == RSM_IOC_INFO && other_version) {
		info = argument;
		info->version = RSM_UAPI_VERSION + 1;
	}
	return (int)ret;
}

int poll(struct pollfd *fds, nfds_t count, int timeout)
{
	return due(FAULT_POLL) ? -1 : (int)syscall(SYS_poll, fds, count, timeout);
}

void *mmap(void *address, size_t bytes, int prot, int flags, int fd, off_t offset)
{
	if (due(FAULT_MMAP))
		return MAP_FAILED;
	return (void *)syscall(SYS_mmap, address, bytes, prot, flags, fd, offset);
}

int open(const char *path, int flags, ...)
{
	va_list arguments;
	mode_t mode = 0;

	va_start(arguments, flags);
	if (flags & O_CREAT)
		mode = va_arg(arguments, mode_t);
	va_end(arguments);
	return due(FAULT_OPEN) ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}
