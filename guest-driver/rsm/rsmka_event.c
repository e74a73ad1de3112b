// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events of a segment: a count and those who wait for it.  Posted by
 * programs and by messages, consumed by its owner.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <linux/atomic.h>

#include "rsmka_segment.h"

void rsmka_events_init(struct rsmka_events *events)
{
	rsmka_look_init(&events->look_time);
	init_waitqueue_head(&events->wait);
	events->words = &events->own;
}

/* Before anybody posts: from now on the words are those, which are zero. */
void rsmka_events_share(struct rsmka_events *events, struct rsm_event_words *words)
{
	unsigned long flags;

	spin_lock_irqsave(&events->wait.lock, flags);
	words->sleeps = events->own.sleeps;
	/* Pairs with rsmka_events_pending(). */
	smp_store_release(&events->words, words);
	spin_unlock_irqrestore(&events->wait.lock, flags);
}

/*
 * The words that were shared go.  Who posts under RCU finds its own, which nobody reads
 * any more: all that is done to words is done under the lock, but for readers that have a
 * reference to the segment.
 */
void rsmka_events_unshare(struct rsmka_events *events)
{
	unsigned long flags;

	spin_lock_irqsave(&events->wait.lock, flags);
	events->words = &events->own;
	spin_unlock_irqrestore(&events->wait.lock, flags);
}

/*
 * One more, unless it is to be dropped where one is pending.  Others do the same at the same
 * time, also on machines whose processors this kernel does not know: the operation is atomic
 * however many there are here.
 */
static bool rsmka_events_post(struct rsmka_events *events, u32 post_flags)
{
	struct rsm_event_words *words = events->words;
	u32 posted, found = READ_ONCE(words->posted);

	do {
		posted = found;
		if (post_flags & RSM_POST_NO_ACCUMULATE && posted != (u32)events->taken)
			return false;
		found = sync_cmpxchg(&words->posted, posted, posted + 1);
	} while (found != posted);
	return true;
}

/* What the owner of the segment does about it. */
static void rsmka_events_tell(struct rsmka_events *events)
{
	struct rsmka_segment *seg = container_of(events, struct rsmka_segment, events);

	lockdep_assert_held(&events->wait.lock);
	seg->ops->event(seg);
}

/* In any context. */
void rsmka_events_add(struct rsmka_events *events, u32 post_flags)
{
	unsigned long flags;

	rsmka_look_came(&events->look_time);
	spin_lock_irqsave(&events->wait.lock, flags);
	if (rsmka_events_post(events, post_flags))
		rsmka_events_tell(events);
	else
		events->dropped++;
	spin_unlock_irqrestore(&events->wait.lock, flags);
}

/*
 * For who is on the list of those who wait, or speaks for them: whether there is anything to
 * wait for.
 */
bool rsmka_events_sleep(struct rsmka_events *events)
{
	unsigned long flags;

	if (rsmka_events_pending(events))
		return false;
	/* Not while the words become others. */
	spin_lock_irqsave(&events->wait.lock, flags);
	WRITE_ONCE(events->words->sleeps, 1);
	spin_unlock_irqrestore(&events->wait.lock, flags);
	/* Partner: the atomic operation of who posts. */
	virt_mb();
	return !rsmka_events_pending(events);
}

bool rsmka_events_take(struct rsmka_events *events)
{
	unsigned long flags;
	bool taken;

	/* Who waits for an edge, as epoll may, does not ask again before it has come. */
	do {
		spin_lock_irqsave(&events->wait.lock, flags);
		taken = rsmka_events_pending(events) > 0;
		if (taken) {
			events->taken++;
			WRITE_ONCE(events->words->taken, (u32)events->taken);
		}
		spin_unlock_irqrestore(&events->wait.lock, flags);
	} while (!taken && wq_has_sleeper(&events->wait) && !rsmka_events_sleep(events));
	return taken;
}

/*
 * Take all, for an owner who is told of what comes while there is none: how many.  In any
 * context but that of being told.
 */
u32 rsmka_events_take_all(struct rsmka_events *events)
{
	unsigned long flags;
	u32 taken;

	do {
		spin_lock_irqsave(&events->wait.lock, flags);
		taken = rsmka_events_pending(events);
		events->taken += taken;
		WRITE_ONCE(events->words->taken, (u32)events->taken);
		spin_unlock_irqrestore(&events->wait.lock, flags);
	} while (!taken && !rsmka_events_sleep(events));
	return taken;
}

/* Who posted found that somebody sleeps.  Whoever sleeps again says so again. */
void rsmka_events_wake(struct rsmka_events *events)
{
	unsigned long flags;

	rsmka_look_came(&events->look_time);
	spin_lock_irqsave(&events->wait.lock, flags);
	WRITE_ONCE(events->words->sleeps, 0);
	/* Before they look again.  Partner: rsmka_events_sleep(). */
	virt_mb();
	rsmka_events_tell(events);
	spin_unlock_irqrestore(&events->wait.lock, flags);
}
