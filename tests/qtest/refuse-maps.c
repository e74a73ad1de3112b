/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Preloaded into QEMU: a host that maps no memory anew while a test says so, by
 * the first byte of the file that SCI_REFUSE_MAPS names.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static const volatile char *refuse;

static void __attribute__((constructor)) refuse_init(void)
{
	const char *path = getenv("SCI_REFUSE_MAPS");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	if (fd >= 0)
		refuse = mmap(NULL, 1, PROT_READ, MAP_SHARED, fd, 0);
}

/* The device replaces what lies in its window by this call only. */
void *mremap(void *old, size_t old_size, size_t new_size, int flags, ...)
{
	va_list ap;
	void *where;

	va_start(ap, flags);
	where = flags & MREMAP_FIXED ? va_arg(ap, void *) : NULL;
	va_end(ap);
	if (refuse && *refuse && (flags & MREMAP_FIXED)) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	return (void *)syscall(SYS_mremap, old, old_size, new_size, flags, where);
}
