// SPDX-License-Identifier: GPL-2.0-only
/*
 * The one table of errors: what objects of the agent return, and what programs and
 * messages to other agents call it.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <linux/errno.h>
#include <linux/kernel.h>

#include "rsmka_segment.h"

static const struct {
	int error;
	u32 status;
} rsmka_errors[] = {
	{ 0, RSM_SUCCESS },
	{ -ENODEV, RSMERR_CTLR_NOT_PRESENT },
	{ -EBADFD, RSMERR_BAD_SEG_HNDL },		/* its memory is gone */
	{ -EALREADY, RSMERR_SEG_ALREADY_PUBLISHED },
	{ -ENOENT, RSMERR_SEG_NOT_PUBLISHED },
	{ -EACCES, RSMERR_SEG_NOT_PUBLISHED_TO_NODE },
	{ -EPERM, RSMERR_PERM_DENIED },
	{ -EADDRNOTAVAIL, RSMERR_RESERVED_SEGID },
	{ -EADDRINUSE, RSMERR_SEGID_IN_USE },
	{ -ENOSPC, RSMERR_INSUFFICIENT_RESOURCES },
	{ -ENOMEM, RSMERR_INSUFFICIENT_MEM },
	{ -EHOSTUNREACH, RSMERR_REMOTE_NODE_UNREACHABLE },
	{ -ECONNABORTED, RSMERR_CONN_ABORTED },
	{ -ETIMEDOUT, RSMERR_TIMEOUT },
	{ -ENETUNREACH, RSMERR_INTERNAL_ERROR },	/* never a path to the node */
};

/* The number for what a function of the agent returned. */
u32 rsmka_error_status(int ret)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rsmka_errors); i++)
		if (rsmka_errors[i].error == ret)
			return rsmka_errors[i].status;
	return RSMERR_INTERNAL_ERROR;
}

/* What a number from another agent means; -EPROTO if objects give no such error. */
int rsmka_error(u32 status)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rsmka_errors); i++)
		if (rsmka_errors[i].status == status)
			return rsmka_errors[i].error;
	return -EPROTO;
}
