/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A sleeping lock for what may be held until a peer answers, that is for hours
 * if somebody has stopped it in a debugger.  Whoever waits is idle, not hung,
 * or can be interrupted, as the caller wishes.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#ifndef RSMKA_HOLD_H
#define RSMKA_HOLD_H

#include <linux/lockdep.h>
#include <linux/sched.h>
#include <linux/wait_bit.h>

struct rsmka_hold {
	unsigned long word;		/* bit 0: held */
	struct lockdep_map dep_map;
};

#define rsmka_hold_init(hold)						\
	do {								\
		static struct lock_class_key __key;			\
									\
		(hold)->word = 0;					\
		lockdep_init_map(&(hold)->dep_map, #hold, &__key, 0);	\
	} while (0)

static inline void rsmka_hold(struct rsmka_hold *hold)
{
	lock_map_acquire(&hold->dep_map);
	wait_on_bit_lock(&hold->word, 0, TASK_IDLE);
}

/* 0 or -EINTR. */
static inline int rsmka_hold_interruptible(struct rsmka_hold *hold)
{
	lock_map_acquire(&hold->dep_map);
	if (!wait_on_bit_lock(&hold->word, 0, TASK_INTERRUPTIBLE))
		return 0;
	lock_map_release(&hold->dep_map);
	return -EINTR;
}

static inline bool rsmka_hold_try(struct rsmka_hold *hold)
{
	if (test_and_set_bit_lock(0, &hold->word))
		return false;
	lock_acquire_exclusive(&hold->dep_map, 0, 1, NULL, _THIS_IP_);
	return true;
}

static inline void rsmka_unhold(struct rsmka_hold *hold)
{
	lock_map_release(&hold->dep_map);
	clear_and_wake_up_bit(0, &hold->word);
}

#endif /* RSMKA_HOLD_H */
