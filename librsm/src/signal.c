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

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int rsm_intr_signal_post(void *memseg, uint_t flags)
{
	struct rsm_segment *segment = memseg;
	struct rsm_ioc_post post = { 0 };

	if (!segment)
		return RSMERR_BAD_SEG_HNDL;
	if (flags & RSM_SIGPOST_NO_ACCUMULATE)
		post.flags = RSM_POST_NO_ACCUMULATE;
	return rsmerr_of_call(rsm_device_call(segment->fd, RSM_IOC_POST, &post));
}

int rsm_intr_signal_wait(void *memseg, int timeout)
{
	struct rsm_segment *segment = memseg;
	int64_t deadline = timeout > 0 ? now_ms() + timeout : 0;
	struct rsm_ioc_consume consume;
	struct pollfd event;
	int ready, ret;

	if (!segment)
		return RSMERR_BAD_SEG_HNDL;
	event.fd = segment->fd;
	event.events = POLLRDNORM;

	for (;;) {
		ready = poll(&event, 1, timeout);
		if (ready < 0)
			return rsmerr_of_poll(-errno);
		if (ready == 0)
			return RSMERR_TIMEOUT;
		if (!(event.revents & POLLRDNORM))
			return RSMERR_BAD_SEG_HNDL;

		consume = (struct rsm_ioc_consume){ 0 };
		ret = rsm_device_call(segment->fd, RSM_IOC_CONSUME, &consume);
		if (ret != RSMERR_TIMEOUT)
			return rsmerr_of_call(ret);

		/* Another waiter was faster: wait for the next event in the time left. */
		if (timeout >= 0) {
			timeout = timeout > 0 ? (int)(deadline - now_ms()) : 0;
			if (timeout <= 0)
				return RSMERR_TIMEOUT;
		}
	}
}
