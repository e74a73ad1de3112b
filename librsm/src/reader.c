// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Who accesses which import by put and get.  Each thread notes that in memory
 * of its own, so that a transfer executes no locked instruction and writes to
 * no line of memory that another thread writes to; rsm_memseg_import_unmap()
 * and the end of an import look at the notes of all threads.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * A reader notes the import, then loads the rights of its mapping.  Whoever
 * takes the mapping away stores 0 there, then looks for notes.  One of the two
 * sees the other's store if each has a full fence between its own two accesses;
 * membarrier(2) executes that of the readers when somebody unmaps.  The same
 * holds for the end of a transfer, where the reader takes back its note and then
 * looks whether somebody waits.
 */
#include <linux/membarrier.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "reader.h"

_Thread_local struct rsm_reader rsm_reader __attribute__((tls_model("initial-exec")));
unsigned int rsm_reader_duties = RSM_READER_FENCE;

/* Guards the list, on which are the threads that have made a transfer, and is for `left`. */
static pthread_mutex_t *const lock = &rsm_locks[RSM_LOCK_READERS];
static struct rsm_reader *readers;
static pthread_cond_t left = PTHREAD_COND_INITIALIZER;
static pthread_key_t key;	/* tells when a thread ends */
static bool ready;

static long membarrier(int command)
{
	return syscall(SYS_membarrier, command, 0, 0);
}

/* Without handlers of signals, whose transfers may come to want the lock. */
static void readers_lock(sigset_t *mask)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, mask);
	pthread_mutex_lock(lock);
}

static void readers_unlock(const sigset_t *mask)
{
	pthread_mutex_unlock(lock);
	pthread_sigmask(SIG_SETMASK, mask, NULL);
}

/* A thread ends: its notes are memory of its own. */
static void reader_end(void *data)
{
	struct rsm_reader **link;
	sigset_t mask;

	readers_lock(&mask);
	for (link = &readers; *link && *link != data; link = &(*link)->next)
		;
	if (*link)
		*link = (*link)->next;
	rsm_reader.listed = false;
	rsm_reader.room = 0;
	readers_unlock(&mask);
}

static void readers_begin(void)
{
	ready = !pthread_key_create(&key, reader_end);
	if (!membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED))
		__atomic_and_fetch(&rsm_reader_duties, ~RSM_READER_FENCE, __ATOMIC_RELAXED);
}

bool rsm_readers_begin(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, readers_begin);
	return ready;
}

/* Of the threads of its parent a child has the one that called fork(). */
void rsm_readers_forked(void)
{
	readers = rsm_reader.listed ? &rsm_reader : NULL;
	rsm_reader.next = NULL;
	rsm_reader_duties &= RSM_READER_FENCE;
	pthread_cond_init(&left, NULL);
}

/* For a thread that has no room: it is its first transfer, or in too many handlers. */
int rsm_reader_enlist(void)
{
	int ret = RSM_SUCCESS;
	sigset_t mask;

	readers_lock(&mask);
	if (rsm_reader.listed) {
		/* A handler may just have done it. */
		ret = rsm_reader.room ? RSM_SUCCESS : RSMERR_INSUFFICIENT_RESOURCES;
	} else if (pthread_setspecific(key, &rsm_reader)) {
		ret = RSMERR_INSUFFICIENT_MEM;
	} else {
		rsm_reader.next = readers;
		readers = &rsm_reader;
		rsm_reader.listed = true;
		rsm_reader.room = RSM_READER_DEPTH;
	}
	readers_unlock(&mask);
	return ret;
}

/* The lock makes that a waiter is either not yet looking or asleep. */
void rsm_reader_wake(void)
{
	sigset_t mask;

	readers_lock(&mask);
	pthread_cond_broadcast(&left);
	readers_unlock(&mask);
}

static bool readers_noted(const struct __rsm_memseg_import_handle *import)
{
	const struct rsm_reader *reader;

	for (reader = readers; reader; reader = reader->next)
		for (int i = 0; i < RSM_READER_DEPTH; i++)
			/* Pairs with rsm_reader_leave(): what it read is read. */
			if (__atomic_load_n(&reader->imports[i], __ATOMIC_ACQUIRE) == import)
				return true;
	return false;
}

/* Have all threads of the process execute a full fence, this one as well. */
static void readers_fence(void)
{
	rsm_barrier_fence();
	/* Without membarrier(2) readers execute theirs themselves. */
	if (__atomic_load_n(&rsm_reader_duties, __ATOMIC_RELAXED) & RSM_READER_FENCE)
		return;
	if (membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED)) {
		/* As after a fork() that did not inherit it. */
		membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
		membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
	}
}

/* Readers that come now find no mapping, so that those that are there are the last. */
void rsm_readers_wait(const struct __rsm_memseg_import_handle *import)
{
	sigset_t mask;
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	readers_lock(&mask);
	__atomic_add_fetch(&rsm_reader_duties, RSM_READER_WAITER, __ATOMIC_RELAXED);
	readers_fence();
	while (readers_noted(import))
		pthread_cond_wait(&left, lock);
	__atomic_sub_fetch(&rsm_reader_duties, RSM_READER_WAITER, __ATOMIC_RELAXED);
	readers_unlock(&mask);
	pthread_setcancelstate(state, NULL);
}
