// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The locks of the process, and what fork() does to them: a child finds them
 * free, whatever the other threads of its parent were at.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "library.h"

pthread_mutex_t rsm_locks[RSM_LOCKS] = {
	[RSM_LOCK_CONTROLLERS] = PTHREAD_MUTEX_INITIALIZER,
	[RSM_LOCK_GENERATION] = PTHREAD_MUTEX_INITIALIZER,
	[RSM_LOCK_LOCALMEMORY] = PTHREAD_MUTEX_INITIALIZER,
	[RSM_LOCK_POLLFDS] = PTHREAD_MUTEX_INITIALIZER,
};

unsigned int rsm_forks;

/* Apart from the others, which the handlers take that are installed under it. */
static pthread_mutex_t watch_lock = PTHREAD_MUTEX_INITIALIZER;
static bool watching;

static void fork_prepare(void)
{
	for (int i = 0; i < RSM_LOCKS; i++)
		pthread_mutex_lock(&rsm_locks[i]);
}

static void fork_parent(void)
{
	for (int i = RSM_LOCKS - 1; i >= 0; i--)
		pthread_mutex_unlock(&rsm_locks[i]);
}

static void fork_child(void)
{
	rsm_forks++;
	fork_parent();
}

bool rsm_watch_forks(void)
{
	bool done;

	pthread_mutex_lock(&watch_lock);
	if (!watching)
		watching = !pthread_atfork(fork_prepare, fork_parent, fork_child);
	done = watching;
	pthread_mutex_unlock(&watch_lock);
	return done;
}
