// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Events: post one to the other side of a segment, wait for one.  An export
 * and an import handle begin with the same head.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <errno.h>
#include <sys/mman.h>
#include <time.h>

#include "library.h"
#include "span.h"

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

static int signal_post(struct rsm_segment *segment, __u32 flags)
{
	struct rsm_ioc_post post = { .flags = flags, .identity = segment->identity };

	return rsmerr_of_call(rsm_device_call(segment->fd, RSM_IOC_POST, &post));
}

/*
 * The events of the exporter, mapped by the first post.  NULL: they cannot be, because the
 * segment fills the window, the process is out of address space, or the byte orders differ.
 */
static struct rsm_event_words *import_events(rsm_memseg_import_handle_t import)
{
	struct rsm_event_words *events = __atomic_load_n(&import->events, __ATOMIC_ACQUIRE);
	void *page;

	if (events || !__atomic_load_n(&import->posts, __ATOMIC_RELAXED) || import->swap)
		return events;
	pthread_mutex_lock(&import->segment.lock);
	if (!import->events && import->posts) {
		page = MAP_FAILED;
		if (!rsm_segment_identify(&import->segment))
			page = mmap(NULL, rsm_page_size(), PROT_READ | PROT_WRITE, MAP_SHARED,
				    import->segment.fd, (off_t)RSM_MMAP_EVENTS);
		if (page == MAP_FAILED)
			__atomic_store_n(&import->posts, false, __ATOMIC_RELAXED);
		else
			__atomic_store_n(&import->events, page, __ATOMIC_RELEASE);
	}
	events = import->events;
	pthread_mutex_unlock(&import->segment.lock);
	return events;
}

/* Add an event, unless it is to be dropped where one is pending.  A full barrier. */
static void events_add(struct rsm_event_words *events, bool accumulate)
{
	__u32 posted = __atomic_load_n(&events->posted, __ATOMIC_RELAXED);

	if (accumulate) {
		__atomic_fetch_add(&events->posted, 1, __ATOMIC_SEQ_CST);
		return;
	}
	do {
		if (posted != __atomic_load_n(&events->taken, __ATOMIC_RELAXED)) {
			__atomic_fetch_add(&events->dropped, 1, __ATOMIC_RELAXED);
			break;
		}
	} while (!__atomic_compare_exchange_n(&events->posted, &posted, posted + 1, false,
					      __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* Whether what was stored has reached the exporter; see barrier.c. */
static int import_reached(rsm_memseg_import_handle_t import)
{
	struct rsm_path_link now;

	if (rsm_barrier_aborted(import))
		return RSMERR_CONN_ABORTED;
	rsm_import_path_read(import, &now);
	if (now.changes == __atomic_load_n(&import->good_changes, __ATOMIC_RELAXED) &&
	    now.revokes == __atomic_load_n(&import->good_revokes, __ATOMIC_RELAXED))
		return RSM_SUCCESS;
	return rsmerr_of_call(rsm_segment_check(&import->segment));
}

static int import_post(rsm_memseg_import_handle_t import, __u32 flags)
{
	struct rsm_event_words *events = import_events(import);
	int ret;

	/* An import that has ended posts to whoever publishes the segment now. */
	if (!events || rsm_barrier_aborted(import))
		return signal_post(&import->segment, flags);
	events_add(events, !(flags & RSM_POST_NO_ACCUMULATE));
	ret = import_reached(import);
	if (!ret && __atomic_load_n(&events->sleeps, __ATOMIC_RELAXED))
		ret = signal_post(&import->segment, RSM_POST_WAKE);
	return ret;
}

int rsm_intr_signal_post(void *memseg, uint_t flags)
{
	struct rsm_segment *segment = memseg;
	__u32 post_flags = flags & RSM_SIGPOST_NO_ACCUMULATE ? RSM_POST_NO_ACCUMULATE : 0;

	if (!segment)
		return RSMERR_BAD_SEG_HNDL;
	if (segment->kind == RSM_SEGMENT_IMPORT)
		return import_post(memseg, post_flags);
	return signal_post(segment, post_flags);
}

int rsm_intr_signal_wait(void *memseg, int timeout)
{
	struct rsm_segment *segment = memseg;
	__u32 look = timeout ? RSM_CONSUME_LOOK : 0;
	struct rsm_ioc_consume consume;
	struct rsm_deadline deadline;
	struct pollfd event;
	int ready, ret;

	if (!segment)
		return RSMERR_BAD_SEG_HNDL;
	event.fd = segment->fd;
	event.events = POLLRDNORM;
	rsm_deadline_set(&deadline, timeout);

	/*
	 * The agent is asked first: mostly the event is there, or comes while the agent looks
	 * for it, a fraction of a millisecond; and it knows whether the descriptor is ours.
	 */
	for (;;) {
		consume = (struct rsm_ioc_consume){
			.flags = look, .identity = segment->identity,
		};
		look = 0;
		ret = rsm_device_call(segment->fd, RSM_IOC_CONSUME, &consume);
		if (ret != RSMERR_TIMEOUT)
			return rsmerr_of_call(ret);

		/* Another waiter may be faster: then wait on in the time left. */
		ready = poll(&event, 1, rsm_deadline_left(&deadline));
		if (ready < 0)
			return rsmerr_of_poll(-errno);
		if (ready == 0)
			return RSMERR_TIMEOUT;
		if (event.revents & POLLRDNORM)
			continue;
		if (!(event.revents & POLLHUP))
			return RSMERR_BAD_SEG_HNDL;
		/* Nothing comes any more.  That ends no wait: what is waited for is the time. */
		event.fd = -1;
	}
}
