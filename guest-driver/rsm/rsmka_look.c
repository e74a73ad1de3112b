// SPDX-License-Identifier: GPL-2.0-only
/*
 * Looking for a message for a short time before sleeping: who finds it there needs no
 * interrupt, and who sent it no doorbell.  Used by waits for events and for replies.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * For how long is learned for each that waits: it is doubled by what a look finds and by
 * what a longer look than one in vain would have found, and halved by what comes later than
 * any look lasts, or not at all.
 */
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/sched/signal.h>
#include <linux/sched/stat.h>

#include "rsmka_path.h"

#define RSMKA_LOOKS	8
#define RSMKA_LOOK_MIN	1000u		/* ns; less is not worth the beginning */

unsigned int rsmka_busy_poll = 500;

static u32 rsmka_look_max(void)
{
	return min(READ_ONCE(rsmka_busy_poll), 1000u) * NSEC_PER_USEC;
}

void rsmka_look_init(struct rsmka_look_time *time)
{
	time->ns = rsmka_look_max();
	time->failed = 0;
}

static void rsmka_look_set(struct rsmka_look_time *time, u32 ns)
{
	if (ns < RSMKA_LOOK_MIN)
		ns = 0;
	WRITE_ONCE(time->ns, min(ns, rsmka_look_max()));
}

/* What was looked for in vain has come.  In any context. */
void rsmka_look_came(struct rsmka_look_time *time)
{
	u64 failed = READ_ONCE(time->failed);

	if (!failed)
		return;
	WRITE_ONCE(time->failed, 0);
	if (local_clock() - failed < rsmka_look_max())
		rsmka_look_set(time, max(2 * READ_ONCE(time->ns), 4 * RSMKA_LOOK_MIN));
	else
		rsmka_look_set(time, READ_ONCE(time->ns) / 2);
}

/* Whether this processor has nothing better to do. */
static bool rsmka_look_may(void)
{
	return single_task_running() && !need_resched() && !signal_pending(current);
}

static void rsmka_look_nodes(struct rsmka_controller *controller, const unsigned long *nodes,
			     void (*op)(void *adapter, u32 node))
{
	unsigned int node;

	for_each_set_bit(node, nodes, RSMKA_NODES)
		op(controller->adapter, node);
}

/* Several times: what else there is to be done while looking takes longer than a look. */
static bool rsmka_look_some(struct rsmka_controller *controller, const unsigned long *nodes,
			    bool (*done)(const void *), const void *what)
{
	unsigned int node;
	int i;

	for (i = 0; i < RSMKA_LOOKS; i++) {
		for_each_set_bit(node, nodes, RSMKA_NODES)
			controller->ops->look(controller->adapter, node);
		if (done(what))
			return true;
	}
	return false;
}

static bool rsmka_look_until(struct rsmka_controller *controller, const unsigned long *nodes,
			     u64 end, bool (*done)(const void *), const void *what)
{
	do {
		if (rsmka_look_some(controller, nodes, done, what))
			return true;
		cpu_relax();
	} while (rsmka_look_may() && local_clock() < end);
	return false;
}

/*
 * Look for messages of @nodes, to which there are paths, until @done or until it is time to
 * sleep.  @nodes is empty if what is waited for comes without messages.
 */
bool rsmka_look(struct rsmka_controller *controller, const unsigned long *nodes,
		struct rsmka_look_time *time, bool (*done)(const void *), const void *what)
{
	u32 ns = min(READ_ONCE(time->ns), rsmka_look_max());
	u64 began = local_clock();
	bool found;

	if (done(what))
		return true;
	/* Nothing has come since. */
	if (READ_ONCE(time->failed))
		rsmka_look_set(time, ns / 2);
	if (!ns || !rsmka_look_may()) {
		WRITE_ONCE(time->failed, began);
		return false;
	}
	if (bitmap_empty(nodes, RSMKA_NODES)) {
		found = rsmka_look_until(controller, nodes, began + ns, done, what);
	} else {
		if (!controller->ops->look || !rsmka_controller_enter(controller))
			return false;
		rsmka_look_nodes(controller, nodes, controller->ops->look_begin);
		found = rsmka_look_until(controller, nodes, began + ns, done, what);
		/* From here on they ring; what came until now is received. */
		rsmka_look_nodes(controller, nodes, controller->ops->look_end);
		rsmka_controller_exit(controller);
		found = found || done(what);
	}
	if (found)
		rsmka_look_set(time, 2 * ns);
	else
		WRITE_ONCE(time->failed, began);
	return found;
}

static bool rsmka_event_pending(const void *data)
{
	const struct rsmka_segment *seg = data;

	return rsmka_events_pending(&seg->events);
}

/* For an event of a segment; whether there is one. */
bool rsmka_look_for_event(struct rsmka_segment *seg)
{
	struct rsmka_export *export = rsmka_segment_export(seg);
	struct rsmka_share *share = rsmka_segment_share(seg);
	DECLARE_BITMAP(nodes, RSMKA_NODES) = {};
	struct rsmka_controller *controller;

	if (export) {
		/* They write to its words. */
		controller = export->controller;
	} else if (share) {
		controller = share->controller;
		if (share->path)
			__set_bit(share->path->node, nodes);
	} else {
		return rsmka_event_pending(seg);
	}
	return rsmka_look(controller, nodes, &seg->events.look_time, rsmka_event_pending, seg);
}
