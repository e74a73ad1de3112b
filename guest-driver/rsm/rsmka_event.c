// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events of a segment: a counter and those who wait for it.  Posted by
 * programs of this node and by messages, consumed by the owner's ioctl.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "rsmka_segment.h"

void rsmka_events_init(struct rsmka_events *events)
{
	rsmka_look_init(&events->look_time);
	init_waitqueue_head(&events->wait);
	events->pending = 0;
	events->received = 0;
	events->dropped = 0;
}

void rsmka_events_add(struct rsmka_events *events, u32 post_flags)
{
	unsigned long flags;

	rsmka_look_came(&events->look_time);
	spin_lock_irqsave(&events->wait.lock, flags);
	events->received++;
	if (events->pending == 0 ||
	    (!(post_flags & RSM_POST_NO_ACCUMULATE) && events->pending != U32_MAX)) {
		events->pending++;
		wake_up_locked_poll(&events->wait, EPOLLRDNORM);
	} else {
		events->dropped++;
	}
	spin_unlock_irqrestore(&events->wait.lock, flags);
}

bool rsmka_events_take(struct rsmka_events *events)
{
	unsigned long flags;
	bool taken;

	spin_lock_irqsave(&events->wait.lock, flags);
	taken = events->pending > 0;
	if (taken)
		events->pending--;
	spin_unlock_irqrestore(&events->wait.lock, flags);
	return taken;
}
