// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The locks of the process and of its segments, and what fork() does to them: a
 * child finds them free, whatever the other threads of its parent were at.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <signal.h>

#include "library.h"

pthread_mutex_t rsm_locks[RSM_LOCKS] = {
	[RSM_LOCK_CONTROLLERS] = PTHREAD_MUTEX_INITIALIZER,
	[RSM_LOCK_GENERATION] = PTHREAD_MUTEX_INITIALIZER,
	[RSM_LOCK_LOCALMEMORY] = PTHREAD_MUTEX_INITIALIZER,
	[RSM_LOCK_SEGMENTS] = PTHREAD_MUTEX_INITIALIZER,
	[RSM_LOCK_BARRIERS] = PTHREAD_MUTEX_INITIALIZER,
	[RSM_LOCK_POLLFDS] = PTHREAD_MUTEX_INITIALIZER,
	[RSM_LOCK_READERS] = PTHREAD_MUTEX_INITIALIZER,
};

unsigned int rsm_forks;

static struct rsm_segment *segments;	/* RSM_LOCK_SEGMENTS */

static bool watching;	/* atomic */
/* Handlers of a fork() that this thread is in: two threads may have installed them at once. */
static _Thread_local unsigned int prepared;
static _Thread_local sigset_t unprepared_signals;

static void fork_prepare(void)
{
	sigset_t all;

	if (prepared++)
		return;
	/* Handlers may make transfers, which may need a lock. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &unprepared_signals);
	for (int i = 0; i < RSM_LOCKS; i++)
		pthread_mutex_lock(&rsm_locks[i]);
}

static void fork_parent(void)
{
	if (--prepared)
		return;
	for (int i = RSM_LOCKS - 1; i >= 0; i--)
		pthread_mutex_unlock(&rsm_locks[i]);
	pthread_sigmask(SIG_SETMASK, &unprepared_signals, NULL);
}

/*
 * The lock of a segment may be held while memory is unmapped and the turn of an
 * export while the agent waits for a peer, so fork() does not wait for them.  The
 * threads that had them are gone, and what they guard is complete or can be seen not to be.
 */
static void segments_free_locked(void)
{
	rsm_memseg_export_handle_t export;
	struct rsm_segment *segment;

	for (segment = segments; segment; segment = segment->next) {
		pthread_mutex_init(&segment->lock, NULL);
		if (segment->kind != RSM_SEGMENT_EXPORT) {
			rsm_mapping_forked((rsm_memseg_import_handle_t)segment);
			continue;
		}
		export = (rsm_memseg_export_handle_t)segment;
		export->ends += export->ends % 2;
		sem_init(&export->turn, 0, 1);
	}
}

static void fork_child(void)
{
	if (prepared == 1) {
		rsm_forks++;
		segments_free_locked();
		rsm_readers_forked();
	}
	fork_parent();
}

/* No lock: a thread that forks meanwhile would leave it taken to its child. */
bool rsm_watch_forks(void)
{
	if (__atomic_load_n(&watching, __ATOMIC_ACQUIRE))
		return true;
	if (!rsm_readers_begin() || pthread_atfork(fork_prepare, fork_parent, fork_child))
		return false;
	__atomic_store_n(&watching, true, __ATOMIC_RELEASE);
	return true;
}

void rsm_segment_add(struct rsm_segment *segment)
{
	pthread_mutex_lock(&rsm_locks[RSM_LOCK_SEGMENTS]);
	segment->next = segments;
	segment->link = &segments;
	if (segments)
		segments->link = &segment->next;
	segments = segment;
	pthread_mutex_unlock(&rsm_locks[RSM_LOCK_SEGMENTS]);
}

void rsm_segment_remove(struct rsm_segment *segment)
{
	pthread_mutex_lock(&rsm_locks[RSM_LOCK_SEGMENTS]);
	*segment->link = segment->next;
	if (segment->next)
		segment->next->link = segment->link;
	pthread_mutex_unlock(&rsm_locks[RSM_LOCK_SEGMENTS]);
}
