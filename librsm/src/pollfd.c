// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Waiting for several segments, and for anything else that poll(2) takes: a
 * program gets the descriptors of its segments here, and those that it got are
 * the ones whose events rsm_intr_signal_wait_pollfd() consumes.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "library.h"

#define BUCKETS	64

/* Segments with pollfds > 0 by descriptor; guards pollfds and next_polled as well. */
static pthread_mutex_t *const lock = &rsm_locks[RSM_LOCK_POLLFDS];
static struct rsm_segment *polled[BUCKETS];

static struct rsm_segment **bucket_of(int fd)
{
	return &polled[(unsigned int)fd % BUCKETS];
}

bool rsm_pollfd_held(const struct rsm_segment *segment)
{
	bool held;

	pthread_mutex_lock(lock);
	held = segment->pollfds > 0;
	pthread_mutex_unlock(lock);
	return held;
}

static void pollfd_take(struct rsm_segment *segment)
{
	struct rsm_segment **bucket = bucket_of(segment->fd);

	pthread_mutex_lock(lock);
	if (segment->pollfds++ == 0) {
		segment->next_polled = *bucket;
		*bucket = segment;
	}
	pthread_mutex_unlock(lock);
}

/* An import, also one whose connection has ended, or an export that is published. */
static bool pollfd_usable(const struct rsm_segment *segment)
{
	int ret;

	if (segment->kind == RSM_SEGMENT_IMPORT)
		return !rsm_segment_identify(segment);
	do {
		ret = rsm_segment_check(segment);
	} while (ret == -EINTR);
	return !ret;
}

static unsigned int ends_locked(const struct rsm_segment *segment)
{
	return segment->kind == RSM_SEGMENT_EXPORT ?
	       ((const struct __rsm_memseg_export_handle *)segment)->ends : 0;
}

int rsm_memseg_get_pollfd(void *memseg, struct pollfd *fd)
{
	struct rsm_segment *segment = memseg;
	unsigned int ends;
	bool usable;

	if (!segment)
		return RSMERR_BAD_SEG_HNDL;
	if (!fd)
		return RSMERR_BAD_ADDR;

	pthread_mutex_lock(&segment->lock);
	ends = ends_locked(segment);
	pthread_mutex_unlock(&segment->lock);
	/* The agent may be waiting for somebody: without the lock. */
	usable = ends % 2 == 0 && pollfd_usable(segment);
	pthread_mutex_lock(&segment->lock);
	/* Unpublished meanwhile: that has looked for descriptors that are held. */
	usable = usable && ends_locked(segment) == ends;
	if (usable)
		pollfd_take(segment);
	pthread_mutex_unlock(&segment->lock);

	fd->fd = usable ? segment->fd : -1;
	fd->events = POLLRDNORM;
	return usable ? RSM_SUCCESS : RSMERR_BAD_SEG_HNDL;
}

int rsm_memseg_release_pollfd(void *memseg)
{
	struct rsm_segment *segment = memseg;
	struct rsm_segment **link;

	if (!segment)
		return RSMERR_BAD_SEG_HNDL;

	pthread_mutex_lock(lock);
	if (segment->pollfds > 0 && --segment->pollfds == 0) {
		link = bucket_of(segment->fd);
		while (*link != segment)
			link = &(*link)->next_polled;
		*link = segment->next_polled;
	}
	pthread_mutex_unlock(lock);
	return RSM_SUCCESS;
}

static const struct rsm_segment *polled_find(int fd)
{
	const struct rsm_segment *segment = *bucket_of(fd);

	while (segment && segment->fd != fd)
		segment = segment->next_polled;
	return segment;
}

/*
 * Take an event of each segment that has one; *@ready loses those whose event somebody
 * else took, and those that are over, which are not polled again if @fds is @ours.  The
 * lock keeps the descriptors from being closed.
 */
static int consume_events(struct pollfd fds[], nfds_t nfds, bool ours, int *ready)
{
	const struct rsm_segment *segment;
	struct rsm_ioc_consume consume;
	int status, ret = RSM_SUCCESS;
	nfds_t i;

	pthread_mutex_lock(lock);
	for (i = 0; i < nfds; i++) {
		if (fds[i].fd < 0 || !(fds[i].revents & (POLLRDNORM | POLLHUP)))
			continue;
		segment = polled_find(fds[i].fd);
		if (!segment)
			continue;
		/* Also if it is over, in which case nothing comes any more if there is nothing now. */
		consume = (struct rsm_ioc_consume){ .identity = segment->identity };
		status = rsm_device_call(fds[i].fd, RSM_IOC_CONSUME, &consume);
		if (status && ours && !(fds[i].revents & POLLRDNORM))
			fds[i].fd = -1;
		fds[i].revents = status ? 0 : POLLRDNORM;
		*ready -= status != RSM_SUCCESS;
		if (status && status != RSMERR_TIMEOUT)
			ret = rsmerr_of_call(status);
	}
	pthread_mutex_unlock(lock);
	return *ready ? RSM_SUCCESS : ret;
}

/* RSM_SUCCESS with *@ready 0: all that was ready are events that others took, or segments' ends. */
static int wait_once(struct pollfd fds[], nfds_t nfds, bool ours,
		     const struct rsm_deadline *deadline, int *ready)
{
	*ready = poll(fds, nfds, rsm_deadline_left(deadline));
	if (*ready < 0)
		return rsmerr_of_poll(-errno);
	if (*ready == 0)
		return RSMERR_TIMEOUT;
	return consume_events(fds, nfds, ours, ready);
}

/* Wait on in the time left, without segments that are over: those end no wait. */
static int wait_for_others(struct pollfd fds[], nfds_t nfds, const struct rsm_deadline *deadline,
			   int *ready)
{
	struct pollfd *others = malloc(nfds * sizeof(*others));
	int ret;

	if (!others)
		return RSMERR_INSUFFICIENT_MEM;
	/* poll(2) is a cancellation point. */
	pthread_cleanup_push(free, others);
	memcpy(others, fds, nfds * sizeof(*others));
	do
		ret = wait_once(others, nfds, true, deadline, ready);
	while (!ret && !*ready);
	for (nfds_t i = 0; i < nfds; i++)
		fds[i].revents = ret ? 0 : others[i].revents;
	pthread_cleanup_pop(1);
	return ret;
}

int rsm_intr_signal_wait_pollfd(struct pollfd fds[], nfds_t nfds, int timeout, int *numfdsp)
{
	struct rsm_deadline deadline;
	int ready, ret;

	if (numfdsp)
		*numfdsp = 0;
	/* The system call takes 32 bits of it. */
	if (nfds > INT_MAX)
		return RSMERR_BAD_ARGS_ERRORS;
	rsm_deadline_set(&deadline, timeout);
	ret = wait_once(fds, nfds, false, &deadline, &ready);
	if (!ret && !ready)
		ret = wait_for_others(fds, nfds, &deadline, &ready);
	if (!ret && numfdsp)
		*numfdsp = ready;
	return ret;
}
