// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ends that wait for peers: what an adapter does to take pages back from other
 * nodes lasts until each of them has answered, and one may be halted in a
 * debugger.  A work item of each controller waits, one export after the other
 * as the adapter does it; programs wait for that as long as they like.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/printk.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "rsmka_path.h"

/* How long a process that closes or ends waits, so that it leaves nothing behind as a rule. */
#define RSMKA_CLOSE_PATIENCE	(1 * HZ)

/* Closings that somebody has waited for in vain: the next ones wait for nothing. */
static atomic_t rsmka_ends_overdue;

/* The work does what `ending` says; the caller has set that. */
void rsmka_end_begin(struct rsmka_export *export)
{
	struct rsmka_controller *controller = export->controller;

	lockdep_assert_held(&export->lock);
	kref_get(&export->segment->ref);
	mutex_lock(&controller->lock);
	list_add_tail(&export->on_ends, &controller->ends);
	mutex_unlock(&controller->lock);
	rsmka_controller_keep(controller);
	if (!queue_work(rsmka_close_workqueue, &controller->end_work))
		rsmka_controller_forget(controller);
}

/* Without export->lock: nobody else touches the handle now. */
static void rsmka_end_wait(struct rsmka_export *export)
{
	struct rsmka_controller *controller = export->controller;

	if (export->ending == RSMKA_REBINDING) {
		controller->ops->rebind(controller->adapter, export->handle,
					export->memory->pages);
		export->replaced->ops->free(export->replaced);
		export->replaced = NULL;
	} else {
		rsmka_export_from_adapter(export);
		rsmka_controller_exit(controller);
	}
}

/* Peers have answered.  True if the descriptor can go. */
static bool rsmka_end_step(struct rsmka_export *export)
{
	struct rsmka_controller *controller = export->controller;
	bool doomed, idle;

	mutex_lock(&controller->lock);
	list_del_init(&export->on_ends);
	mutex_unlock(&controller->lock);

	rsmka_hold(&export->lock);
	doomed = export->lost || export->closing || READ_ONCE(controller->gone);
	WRITE_ONCE(export->ending, RSMKA_NOTHING);
	/* It was being rebound: another end begins. */
	if (doomed && export->state == RSMKA_PUBLISHED)
		rsmka_export_unpublish_locked(export);
	idle = export->ending == RSMKA_NOTHING;
	if (idle && export->lost) {
		export->state = RSMKA_ZOMBIE;
		export->memory->ops->drop(export->memory);
	}
	/* Whoever closes it from now on, if nobody has, does all by himself. */
	idle = idle && export->closing;
	rsmka_unhold(&export->lock);
	wake_up_all(&export->ended);
	return idle;
}

static void rsmka_end_close(struct rsmka_export *export)
{
	rsmka_export_gone(export);
	rsmka_segment_gone(export->segment);
	if (xchg(&export->progress, RSMKA_END_FINISHED) == RSMKA_END_OVERDUE)
		atomic_dec(&rsmka_ends_overdue);
	wake_up_all(&export->ended);
}

/* It stays on the list until peers have answered, see rsmka_end_report(). */
static struct rsmka_export *rsmka_end_first(struct rsmka_controller *controller)
{
	struct rsmka_export *export;

	mutex_lock(&controller->lock);
	export = list_first_entry_or_null(&controller->ends, struct rsmka_export, on_ends);
	mutex_unlock(&controller->lock);
	return export;
}

void rsmka_end_work(struct work_struct *work)
{
	struct rsmka_controller *controller = container_of(work, struct rsmka_controller,
							   end_work);
	struct rsmka_export *export;

	while ((export = rsmka_end_first(controller))) {
		rsmka_end_wait(export);
		if (rsmka_end_step(export))
			rsmka_end_close(export);
		rsmka_segment_put(export->segment);
	}
	rsmka_controller_forget(controller);
}

/* Wait until what was begun for a call of the program is done: 0 or -EINTR. */
int rsmka_export_await(struct rsmka_export *export)
{
	return wait_event_interruptible(export->ended,
					READ_ONCE(export->ending) == RSMKA_NOTHING) ? -EINTR : 0;
}

static bool rsmka_end_finished(const struct rsmka_export *export)
{
	return READ_ONCE(export->progress) == RSMKA_END_FINISHED;
}

/*
 * For a process that closes or ends: wait a little.  As long as peers do not
 * answer, only the first one does, so a process with many exports ends as well.
 */
void rsmka_export_close_wait(struct rsmka_export *export, enum rsmka_close_wait how)
{
	long left;

	if (how == RSMKA_CLOSE_NO_WAIT || atomic_read(&rsmka_ends_overdue) > 0)
		return;
	if (how == RSMKA_CLOSE_IDLE)
		left = wait_event_idle_timeout(export->ended, rsmka_end_finished(export),
					       RSMKA_CLOSE_PATIENCE);
	else
		left = wait_event_killable_timeout(export->ended, rsmka_end_finished(export),
						   RSMKA_CLOSE_PATIENCE);
	if (left > 0)
		return;
	atomic_inc(&rsmka_ends_overdue);
	if (cmpxchg(&export->progress, RSMKA_END_RUNNING, RSMKA_END_OVERDUE) !=
	    RSMKA_END_RUNNING)
		atomic_dec(&rsmka_ends_overdue);
}

/* Say for whom the controller's going waits: nodes that could have the pages mapped. */
void rsmka_end_report(struct rsmka_controller *controller)
{
	DECLARE_BITMAP(nodes, RSMKA_NODES) = {};
	struct rsmka_export *export;
	unsigned int count = 0;

	mutex_lock(&controller->lock);
	list_for_each_entry(export, &controller->ends, on_ends) {
		bitmap_or(nodes, nodes, export->visited, RSMKA_NODES);
		if (++count == 64)
			break;
	}
	mutex_unlock(&controller->lock);
	if (count)
		pr_info("%s: its driver waits for nodes to let go of exported memory: %*pbl\n",
			controller->name, RSMKA_NODES, nodes);
}
