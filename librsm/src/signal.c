// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Events: post one to the other side of a segment, wait for one.  An export
 * and an import handle begin with the same head, all that is needed here.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <errno.h>
#include <time.h>

#include "library.h"

#define NS_PER_MS	1000000

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 * NS_PER_MS + now.tv_nsec;
}

void rsm_deadline_set(struct rsm_deadline *deadline, int timeout)
{
	deadline->never = timeout < 0;
	deadline->ns = now_ns() + (int64_t)timeout * NS_PER_MS;
}

int rsm_deadline_left(const struct rsm_deadline *deadline)
{
	int64_t left = deadline->ns - now_ns();

	if (deadline->never)
		return -1;
	return left > 0 ? (int)((left + NS_PER_MS - 1) / NS_PER_MS) : 0;
}

int rsm_intr_signal_post(void *memseg, uint_t flags)
{
	struct rsm_segment *segment = memseg;
	struct rsm_ioc_post post = { 0 };

	if (!segment)
		return RSMERR_BAD_SEG_HNDL;
	post.identity = segment->identity;
	if (flags & RSM_SIGPOST_NO_ACCUMULATE)
		post.flags = RSM_POST_NO_ACCUMULATE;
	return rsmerr_of_call(rsm_device_call(segment->fd, RSM_IOC_POST, &post));
}

int rsm_intr_signal_wait(void *memseg, int timeout)
{
	struct rsm_segment *segment = memseg;
	struct rsm_ioc_consume consume;
	struct rsm_deadline deadline;
	struct pollfd event;
	int ready, ret;

	if (!segment)
		return RSMERR_BAD_SEG_HNDL;
	event.fd = segment->fd;
	event.events = POLLRDNORM;
	rsm_deadline_set(&deadline, timeout);

	/* The agent is asked first: it knows whether the descriptor is ours, to wait for. */
	for (;;) {
		consume = (struct rsm_ioc_consume){ .identity = segment->identity };
		ret = rsm_device_call(segment->fd, RSM_IOC_CONSUME, &consume);
		if (ret != RSMERR_TIMEOUT)
			return rsmerr_of_call(ret);

		/* Another waiter may be faster: then wait on in the time left. */
		ready = poll(&event, 1, rsm_deadline_left(&deadline));
		if (ready < 0)
			return rsmerr_of_poll(-errno);
		if (ready == 0)
			return RSMERR_TIMEOUT;
		if (!(event.revents & POLLRDNORM))
			return RSMERR_BAD_SEG_HNDL;
	}
}
