// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The only place where an errno becomes an RSMERR_*: one table per kind of
 * system call, because the same errno means different things to different
 * calls.  No errno reaches a caller untranslated.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <errno.h>

#include "library.h"

struct translation {
	int error;		/* 0 = any other, ends the table */
	int rsmerr;
};

static const struct translation open_errors[] = {
	{ ENOENT, RSMERR_CTLR_NOT_PRESENT },
	{ ENODEV, RSMERR_CTLR_NOT_PRESENT },
	{ ENXIO, RSMERR_CTLR_NOT_PRESENT },
	{ EACCES, RSMERR_PERM_DENIED },
	{ EPERM, RSMERR_PERM_DENIED },
	{ 0, RSMERR_INSUFFICIENT_RESOURCES },
};

static const struct translation call_errors[] = {
	{ EFAULT, RSMERR_BAD_ADDR },
	{ EINTR, RSMERR_INTERRUPTED },
	{ ENOMEM, RSMERR_INSUFFICIENT_MEM },
	{ EAGAIN, RSMERR_INSUFFICIENT_RESOURCES },
	/* The program has closed the descriptor, or another file has its number. */
	{ EBADF, RSMERR_BAD_SEG_HNDL },
	{ ENOTTY, RSMERR_BAD_SEG_HNDL },
	{ 0, RSMERR_INTERNAL_ERROR },
};

/*
 * Of a range that is within the segment.  ENOMEM is never said of the length: it is
 * the address space, the number of mappings, or memory that is used up.
 */
static const struct translation mmap_errors[] = {
	{ ENOMEM, RSMERR_INSUFFICIENT_MEM },
	{ ENXIO, RSMERR_BAD_LENGTH },
	{ EOVERFLOW, RSMERR_BAD_LENGTH },
	{ ENODEV, RSMERR_CONN_ABORTED },
	{ EAGAIN, RSMERR_INSUFFICIENT_RESOURCES },
	{ EACCES, RSMERR_BAD_PERMS },
	{ EBADF, RSMERR_BAD_SEG_HNDL },
	{ 0, RSMERR_MAP_FAILED },
};

/* A mapping of the path state, which is no matter of the program's. */
static const struct translation status_errors[] = {
	{ ENOMEM, RSMERR_INSUFFICIENT_MEM },
	{ EAGAIN, RSMERR_INSUFFICIENT_RESOURCES },
	{ ENODEV, RSMERR_CONN_ABORTED },
	{ 0, RSMERR_INTERNAL_ERROR },
};

static const struct translation poll_errors[] = {
	{ EAGAIN, RSMERR_INSUFFICIENT_RESOURCES },
	{ EFAULT, RSMERR_BAD_ADDR },
	{ EINTR, RSMERR_INTERRUPTED },
	{ 0, RSMERR_BAD_ARGS_ERRORS },
};

static int translate(const struct translation *table, int ret)
{
	if (ret >= 0)
		return ret;
	while (table->error && table->error != -ret)
		table++;
	return table->rsmerr;
}

int rsmerr_of_open(int ret)
{
	return translate(open_errors, ret);
}

int rsmerr_of_call(int ret)
{
	return translate(call_errors, ret);
}

int rsmerr_of_mmap(int ret)
{
	return translate(mmap_errors, ret);
}

int rsmerr_of_status(int ret)
{
	return translate(status_errors, ret);
}

int rsmerr_of_poll(int ret)
{
	return translate(poll_errors, ret);
}
