// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of a path against an adapter that keeps what is sent: sessions, messages, answers,
 * and what a peer may not do.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <kunit/test.h>
#include <linux/sched/clock.h>
#include <linux/slab.h>

#include "rsmka_path.h"

#define PEER		77
#define SESSION		0x5e55
#define SENT_MAX	128
#define PATIENCE	(10 * HZ)

/* The adapter and the path to PEER. */
struct fake {
	struct rsmka_controller *controller;
	struct rsmka_path *path;
	spinlock_t lock;		/* guards what follows */
	wait_queue_head_t wait;
	bool full;			/* there is no room in the peer's queue */
	unsigned int sent;
	u8 message[SENT_MAX][RSMKA_MESSAGE_MAX];
	unsigned int looking;		/* looks that have begun */
	unsigned int looks;
	u32 answers_at;			/* the look that finds a reply; 0: none does */
};

static bool fake_put(struct fake *fake, const void *message, size_t length)
{
	bool room;

	spin_lock(&fake->lock);
	room = !fake->full;
	if (room && fake->sent < SENT_MAX)
		memcpy(fake->message[fake->sent++], message, length);
	spin_unlock(&fake->lock);
	wake_up_all(&fake->wait);
	return room;
}

static int fake_send(void *adapter, u32 node, u32 session, const void *message, size_t length,
		     long patience)
{
	struct fake *fake = adapter;

	if (session != rsmka_path_session(fake->path))
		return -ESTALE;
	if (patience == RSMKA_NO_WAIT)
		return fake_put(fake, message, length) ? 0 : -EAGAIN;
	wait_event_idle(fake->wait, fake_put(fake, message, length));
	return 0;
}

static void fake_receive(struct fake *fake, void *message, u8 type, size_t size)
{
	struct rsmka_msg_header *header = message;

	header->version = RSMKA_MESSAGE_VERSION;
	header->type = type;
	rsmka_receive(fake->controller, PEER, message, size, true);
}

static bool fake_look(void *adapter, u32 node)
{
	struct rsmka_msg_segment bell = { .header.segment_id = cpu_to_le32(1) };
	struct fake *fake = adapter;

	if (++fake->looks != fake->answers_at)
		return false;
	fake_receive(fake, &bell, RSMKA_MSG_BELL, sizeof(bell));
	return true;
}

static void fake_look_begin(void *adapter, u32 node)
{
	struct fake *fake = adapter;

	fake->looking++;
}

static void fake_look_end(void *adapter, u32 node)
{
	struct fake *fake = adapter;

	fake->looking--;
}

static const struct rsmka_controller_ops fake_ops = {
	.owner = THIS_MODULE,
	.send = fake_send,
	.look = fake_look,
	.look_begin = fake_look_begin,
	.look_end = fake_look_end,
};

/* How many messages of a type were sent; @last is a copy of the last of them. */
static unsigned int fake_count(struct fake *fake, u8 type, void *last)
{
	const struct rsmka_msg_header *header;
	unsigned int i, count = 0;

	spin_lock(&fake->lock);
	for (i = 0; i < fake->sent; i++) {
		header = (const struct rsmka_msg_header *)fake->message[i];
		if (header->type != type)
			continue;
		count++;
		if (last)
			memcpy(last, header, RSMKA_MESSAGE_MAX);
	}
	spin_unlock(&fake->lock);
	return count;
}

static bool fake_await(struct fake *fake, u8 type, unsigned int count, void *last)
{
	return wait_event_timeout(fake->wait, fake_count(fake, type, last) >= count, PATIENCE);
}

static u64 fake_dropped(struct fake *fake)
{
	return atomic64_read(&fake->path->counters.count[RSM_COUNT_MESSAGES_DROPPED]);
}

static int fake_up(struct fake *fake, u32 session)
{
	struct rsmka_peer_info info = { .session = session, .unit = 3, .hwaddr = PEER };

	return rsmka_peer_up(fake->controller, PEER, &info);
}

static int fake_init(struct kunit *test)
{
	struct fake *fake = kunit_kzalloc(test, sizeof(*fake), GFP_KERNEL);
	struct rsmka_attr attr = {};

	KUNIT_ASSERT_NOT_NULL(test, fake);
	spin_lock_init(&fake->lock);
	init_waitqueue_head(&fake->wait);
	fake->controller = rsmka_controller_register("kunit", 0, rsmka_local_node() ?: 1, 1, &attr,
						     &fake_ops, fake);
	KUNIT_ASSERT_FALSE(test, IS_ERR(fake->controller));
	test->priv = fake;
	KUNIT_ASSERT_EQ(test, fake_up(fake, SESSION), 0);
	fake->path = rsmka_path_find(fake->controller, PEER);
	KUNIT_ASSERT_NOT_NULL(test, fake->path);
	return 0;
}

static void fake_exit(struct kunit *test)
{
	struct fake *fake = test->priv;

	if (fake && !IS_ERR_OR_NULL(fake->controller))
		rsmka_controller_unregister(fake->controller);
}

static void a_session_is_what_the_adapter_says(struct kunit *test)
{
	struct fake *fake = test->priv;

	KUNIT_EXPECT_EQ(test, rsmka_path_session(fake->path), SESSION);
	KUNIT_EXPECT_EQ(test, rsmka_path_state(fake->path), RSM_PATH_ACTIVE);
	rsmka_peer_down(fake->controller, PEER);
	KUNIT_EXPECT_EQ(test, rsmka_path_session(fake->path), 0);
	KUNIT_EXPECT_EQ(test, rsmka_path_state(fake->path), RSM_PATH_DOWN);
	KUNIT_EXPECT_EQ(test, rsmka_ipc_bell(fake->path, 1, 0, 0, RSMKA_WAIT),
			-EHOSTUNREACH);
	KUNIT_EXPECT_EQ(test, fake_up(fake, SESSION + 1), 0);
	KUNIT_EXPECT_EQ(test, rsmka_ipc_bell(fake->path, 1, 0, 0, RSMKA_WAIT), 0);
}

static void messages_wait_for_a_thread_if_they_must(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct rsmka_msg_connect connect = {
		.header = { RSMKA_MESSAGE_VERSION, RSMKA_MSG_CONNECT }, .request = cpu_to_le32(5),
	};
	struct rsmka_msg_segment bell = {
		.header = { RSMKA_MESSAGE_VERSION, RSMKA_MSG_BELL },
	};

	KUNIT_EXPECT_FALSE(test, rsmka_receive(fake->controller, PEER, &connect, sizeof(connect),
					       false));
	KUNIT_EXPECT_EQ(test, fake_count(fake, RSMKA_MSG_REPLY, NULL), 0);
	KUNIT_EXPECT_TRUE(test, rsmka_receive(fake->controller, PEER, &connect, sizeof(connect),
					      true));
	KUNIT_EXPECT_EQ(test, fake_count(fake, RSMKA_MSG_REPLY, NULL), 1);
	KUNIT_EXPECT_TRUE(test, rsmka_receive(fake->controller, PEER, &bell, sizeof(bell), false));
}

static void malformed_messages_are_dropped(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct rsmka_msg_segment msg = {};
	u64 bad = 0;
	size_t size;
	u8 type;

	for (size = 0; size < RSMKA_MESSAGE_MAX; size++) {
		u64 padded[RSMKA_MESSAGE_MAX / sizeof(u64)] = {};

		if (size == sizeof(msg))
			continue;
		fake_receive(fake, padded, RSMKA_MSG_BELL, size);
		KUNIT_EXPECT_EQ(test, fake_dropped(fake), ++bad);
	}
	for (type = RSMKA_MSG_TYPES; type; type++) {
		fake_receive(fake, &msg, type, sizeof(msg));
		KUNIT_EXPECT_EQ(test, fake_dropped(fake), ++bad);
	}
	fake_receive(fake, &msg, RSMKA_MSG_BELL, sizeof(msg));
	KUNIT_EXPECT_EQ(test, fake_dropped(fake), bad);
	msg.header.version++;
	rsmka_receive(fake->controller, PEER, &msg, sizeof(msg), false);
	KUNIT_EXPECT_EQ(test, fake_dropped(fake), bad + 1);
	KUNIT_EXPECT_EQ(test, rsmka_path_session(fake->path), SESSION);
}

static void unknown_segments_are_refused(struct kunit *test)
{
	struct fake *fake = test->priv;
	u64 last[RSMKA_MESSAGE_MAX / sizeof(u64)];
	const struct rsmka_msg_reply *reply = (const struct rsmka_msg_reply *)last;
	struct rsmka_msg_connect msg = {
		.request = cpu_to_le32(0x1234), .header.segment_id = cpu_to_le32(0x7ffffff),
	};

	fake_receive(fake, &msg, RSMKA_MSG_CONNECT, sizeof(msg));
	KUNIT_ASSERT_TRUE(test, fake_await(fake, RSMKA_MSG_REPLY, 1, last));
	KUNIT_EXPECT_EQ(test, le32_to_cpu(reply->request), 0x1234);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(reply->status), RSMERR_SEG_NOT_PUBLISHED);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(reply->length), 0);
}

static void fake_set_full(struct fake *fake, bool full)
{
	spin_lock(&fake->lock);
	fake->full = full;
	spin_unlock(&fake->lock);
	wake_up_all(&fake->wait);
}

/* Who handles a message never waits for room at the peer. */
static void answers_wait_for_room_without_anybody(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct rsmka_msg_connect msg = { .header.segment_id = cpu_to_le32(0x7ffffff) };
	unsigned int i;

	fake_set_full(fake, true);
	for (i = 0; i < RSMKA_REQUESTS; i++)
		fake_receive(fake, &msg, RSMKA_MSG_CONNECT, sizeof(msg));
	KUNIT_EXPECT_EQ(test, fake_count(fake, RSMKA_MSG_REPLY, NULL), 0);
	KUNIT_EXPECT_EQ(test, fake_dropped(fake), 0);
	/* More than a peer may ask at a time. */
	fake_receive(fake, &msg, RSMKA_MSG_CONNECT, sizeof(msg));
	KUNIT_EXPECT_EQ(test, fake_dropped(fake), 1);
	fake_set_full(fake, false);
	KUNIT_EXPECT_TRUE(test, fake_await(fake, RSMKA_MSG_REPLY, RSMKA_REQUESTS, NULL));
}

static void a_session_that_ends_forgets_what_was_queued(struct kunit *test)
{
	struct fake *fake = test->priv;
	unsigned int i;

	fake_set_full(fake, true);
	for (i = 0; i < 20; i++)
		rsmka_ipc_queue(fake->path, RSMKA_MSG_NOTIMPORTING, i, 0, i);
	rsmka_peer_down(fake->controller, PEER);
	fake_set_full(fake, false);
	flush_work(&fake->path->outbox_work);
	/* At most the one that was being sent. */
	KUNIT_EXPECT_LE(test, fake_count(fake, RSMKA_MSG_NOTIMPORTING, NULL), 1);
	KUNIT_EXPECT_EQ(test, fake->path->outbox_count, 0);
	KUNIT_ASSERT_EQ(test, fake_up(fake, SESSION + 1), 0);
	rsmka_ipc_queue(fake->path, RSMKA_MSG_NOTIMPORTING, 1, 0, 1);
	flush_work(&fake->path->outbox_work);
	KUNIT_EXPECT_GE(test, fake_count(fake, RSMKA_MSG_NOTIMPORTING, NULL), 1);
}

static void who_waits_for_nothing_posts_by_the_outbox(struct kunit *test)
{
	struct fake *fake = test->priv;

	fake_set_full(fake, true);
	KUNIT_EXPECT_EQ(test, rsmka_ipc_bell(fake->path, 1, 0, 0, RSMKA_NO_WAIT), 0);
	KUNIT_EXPECT_EQ(test, fake_count(fake, RSMKA_MSG_BELL, NULL), 0);
	fake_set_full(fake, false);
	KUNIT_EXPECT_TRUE(test, fake_await(fake, RSMKA_MSG_BELL, 1, NULL));
}

/* As many threads as users like. */
#define SLEEPERS	50

struct sleeper {
	struct wait_queue_entry entry;
	unsigned int *woken;
};

static int sleeper_wake(struct wait_queue_entry *entry, unsigned int mode, int flags, void *key)
{
	++*container_of(entry, struct sleeper, entry)->woken;
	return 1;
}

/* They wait in turn until they are removed; those that are woken are counted. */
static struct sleeper *sleepers_add(struct kunit *test, struct wait_queue_head *wait,
				    unsigned int *woken)
{
	struct sleeper *sleepers = kunit_kcalloc(test, SLEEPERS, sizeof(*sleepers), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, sleepers);
	for (i = 0; i < SLEEPERS; i++) {
		init_waitqueue_func_entry(&sleepers[i].entry, sleeper_wake);
		sleepers[i].woken = woken;
		add_wait_queue_exclusive(wait, &sleepers[i].entry);
	}
	return sleepers;
}

static void sleepers_remove(struct wait_queue_head *wait, struct sleeper *sleepers)
{
	int i;

	for (i = 0; i < SLEEPERS; i++)
		remove_wait_queue(wait, &sleepers[i].entry);
}

/* A reply is handled in an interrupt. */
static void who_waits_to_ask_is_not_woken_by_replies(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct rsmka_msg_reply reply = {};
	unsigned int woken = 0;
	struct sleeper *sleepers = sleepers_add(test, &fake->path->wait, &woken);

	fake_receive(fake, &reply, RSMKA_MSG_REPLY, sizeof(reply));
	KUNIT_EXPECT_EQ(test, woken, 0);
	/* The first one tells the next one. */
	rsmka_peer_down(fake->controller, PEER);
	KUNIT_EXPECT_EQ(test, woken, 1);
	sleepers_remove(&fake->path->wait, sleepers);
}

static bool fake_has_come(const void *data)
{
	const struct fake *fake = data;

	return fake->answers_at && fake->looks >= fake->answers_at;
}

/* Whether somebody looks depends on what else the processor has to do. */
static bool fake_looks(struct fake *fake, struct rsmka_look_time *time)
{
	DECLARE_BITMAP(nodes, RSMKA_NODES) = {};
	bool found;

	__set_bit(PEER, nodes);
	fake->looks = 0;
	found = rsmka_look(fake->controller, nodes, time, fake_has_come, fake);
	return fake->looks ? found : fake_has_come(fake);
}

static void looking_in_vain_becomes_shorter(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct rsmka_look_time time;
	int i;

	rsmka_look_init(&time);
	KUNIT_ASSERT_GT(test, time.ns, 0);
	for (i = 0; i < 1000 && time.ns; i++) {
		KUNIT_EXPECT_FALSE(test, fake_looks(fake, &time));
		KUNIT_EXPECT_EQ(test, fake->looking, 0);
		KUNIT_EXPECT_NE(test, time.failed, 0);
		cond_resched();
	}
	KUNIT_EXPECT_EQ(test, time.ns, 0);
	/* What comes soon after is worth to be looked for, what comes late is not. */
	rsmka_look_came(&time);
	KUNIT_EXPECT_EQ(test, time.failed, 0);
	KUNIT_EXPECT_GT(test, time.ns, 0);
	time.ns = 0;
	time.failed = local_clock() - NSEC_PER_SEC;
	rsmka_look_came(&time);
	KUNIT_EXPECT_EQ(test, time.ns, 0);
}

static struct kunit_case rsmka_path_cases[] = {
	KUNIT_CASE(a_session_is_what_the_adapter_says),
	KUNIT_CASE(messages_wait_for_a_thread_if_they_must),
	KUNIT_CASE(malformed_messages_are_dropped),
	KUNIT_CASE(unknown_segments_are_refused),
	KUNIT_CASE(answers_wait_for_room_without_anybody),
	KUNIT_CASE(a_session_that_ends_forgets_what_was_queued),
	KUNIT_CASE(who_waits_for_nothing_posts_by_the_outbox),
	KUNIT_CASE(who_waits_to_ask_is_not_woken_by_replies),
	KUNIT_CASE(looking_in_vain_becomes_shorter),
	{}
};

static struct kunit_suite rsmka_path_suite = {
	.name = "rsmka_path",
	.init = fake_init,
	.exit = fake_exit,
	.test_cases = rsmka_path_cases,
};

kunit_test_suite(rsmka_path_suite);
