/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Waiting in turn, where as many may wait as users like, and interrupts wake them: one
 * wake_up() wakes the first one only.  Who leaves, with or without what he waited for, wakes
 * the next one if there may be something for that one, too.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#ifndef WAIT_TURN_H
#define WAIT_TURN_H

#include <linux/wait.h>

/* As wait_event_interruptible_timeout(), exclusive. */
#define wait_turn_interruptible_timeout(wq_head, condition, timeout)		\
({										\
	long __ret = timeout;							\
	might_sleep();								\
	if (!___wait_cond_timeout(condition))					\
		__ret = ___wait_event(wq_head, ___wait_cond_timeout(condition),	\
				      TASK_INTERRUPTIBLE, 1, timeout,		\
				      __ret = schedule_timeout(__ret));		\
	__ret;									\
})

#endif /* WAIT_TURN_H */
