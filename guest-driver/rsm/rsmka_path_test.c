// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of a path against an adapter that keeps what is sent: the handshake,
 * sessions, credits, and what a peer may not do.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <kunit/test.h>
#include <linux/slab.h>

#include "rsmka_path.h"

#define PEER		77
#define PEER_SESSION	0x5e55
#define SENT_MAX	128
#define PATIENCE	(10 * HZ)

/* The adapter and the path to PEER. */
struct fake {
	struct rsmka_controller *controller;
	struct rsmka_path *path;
	u32 session;			/* ours, as READY told it */
	spinlock_t lock;		/* guards what follows */
	wait_queue_head_t wait;
	unsigned int sent;
	u8 message[SENT_MAX][RSMKA_MESSAGE_MAX];
};

static int fake_send(void *adapter, u32 node, u32 incarnation, const void *message,
		     size_t length, bool interruptible)
{
	struct fake *fake = adapter;

	spin_lock(&fake->lock);
	if (fake->sent < SENT_MAX)
		memcpy(fake->message[fake->sent++], message, length);
	spin_unlock(&fake->lock);
	wake_up_all(&fake->wait);
	return 0;
}

static const struct rsmka_controller_ops fake_ops = {
	.owner = THIS_MODULE,
	.send = fake_send,
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

static void fake_receive(struct fake *fake, void *message, u8 type, size_t size)
{
	struct rsmka_msg_header *header = message;

	header->version = RSMKA_MESSAGE_VERSION;
	header->type = type;
	header->source = cpu_to_le32(PEER);
	header->session = cpu_to_le32(PEER_SESSION);
	header->peer_session = cpu_to_le32(fake->session);
	rsmka_receive(fake->controller, PEER, message, size);
}

static u32 fake_state(struct fake *fake)
{
	u32 state;

	spin_lock(&fake->path->lock);
	state = fake->path->state;
	spin_unlock(&fake->path->lock);
	return state;
}

static u64 fake_dropped(struct fake *fake)
{
	return atomic64_read(&fake->path->counters.count[RSM_COUNT_MESSAGES_DROPPED]);
}

/* Up to where our READY is on its way. */
static int fake_init(struct kunit *test)
{
	struct fake *fake = kunit_kzalloc(test, sizeof(*fake), GFP_KERNEL);
	u64 last[RSMKA_MESSAGE_MAX / sizeof(u64)];
	struct rsmka_attr attr = {};

	KUNIT_ASSERT_NOT_NULL(test, fake);
	spin_lock_init(&fake->lock);
	init_waitqueue_head(&fake->wait);
	fake->controller = rsmka_controller_register("kunit", 0, rsmka_local_node() ?: 1, 1, &attr,
						     &fake_ops, fake);
	KUNIT_ASSERT_FALSE(test, IS_ERR(fake->controller));
	test->priv = fake;
	KUNIT_ASSERT_EQ(test, rsmka_peer_up(fake->controller, PEER, 1), 0);
	fake->path = rsmka_path_find(fake->controller, PEER);
	KUNIT_ASSERT_NOT_NULL(test, fake->path);
	KUNIT_ASSERT_TRUE(test, fake_await(fake, RSMKA_MSG_READY, 1, last));
	fake->session = le32_to_cpu(((struct rsmka_msg_header *)last)->session);
	return 0;
}

static void fake_exit(struct kunit *test)
{
	struct fake *fake = test->priv;

	if (fake && !IS_ERR_OR_NULL(fake->controller))
		rsmka_controller_unregister(fake->controller);
}

static void fake_shake_hands(struct kunit *test, struct fake *fake)
{
	struct rsmka_msg_ready ready = {};

	fake_receive(fake, &ready, RSMKA_MSG_READY, sizeof(ready));
	KUNIT_ASSERT_TRUE(test, fake_await(fake, RSMKA_MSG_READY_ACK, 1, NULL));
	fake_receive(fake, &ready, RSMKA_MSG_READY_ACK, sizeof(ready));
	KUNIT_ASSERT_EQ(test, fake_state(fake), RSM_PATH_ACTIVE);
}

static void a_handshake_makes_the_path_active(struct kunit *test)
{
	struct fake *fake = test->priv;
	u64 last[RSMKA_MESSAGE_MAX / sizeof(u64)];
	struct rsmka_msg_header *ack = (struct rsmka_msg_header *)last;

	KUNIT_EXPECT_EQ(test, fake_state(fake), RSM_PATH_UP);
	fake_shake_hands(test, fake);
	fake_count(fake, RSMKA_MSG_READY_ACK, last);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(ack->peer_session), PEER_SESSION);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(ack->session), fake->session);
	rsmka_peer_down(fake->controller, PEER);
	KUNIT_EXPECT_EQ(test, fake_state(fake), RSM_PATH_DOWN);
}

static void messages_of_other_sessions_are_ignored(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct rsmka_msg_connect msg = {};
	struct rsmka_msg_header *header = &msg.header;
	int i;

	fake_shake_hands(test, fake);
	/* No offence: they were on their way when a session ended. */
	for (i = 0; i < 2; i++) {
		*header = (struct rsmka_msg_header) {
			.version = RSMKA_MESSAGE_VERSION,
			.type = RSMKA_MSG_CONNECT,
			.source = cpu_to_le32(PEER),
			.session = cpu_to_le32(PEER_SESSION + (i == 0)),
			.peer_session = cpu_to_le32(fake->session + (i == 1)),
		};
		rsmka_receive(fake->controller, PEER, &msg, sizeof(msg));
	}
	KUNIT_EXPECT_EQ(test, fake_dropped(fake), 0);
	/* Answered in order: only the one that follows is. */
	msg.slot = cpu_to_le32(5);
	fake_receive(fake, &msg, RSMKA_MSG_CONNECT, sizeof(msg));
	KUNIT_EXPECT_TRUE(test, fake_await(fake, RSMKA_MSG_REPLY, 1, NULL));
	KUNIT_EXPECT_EQ(test, fake_count(fake, RSMKA_MSG_REPLY, NULL), 1);
}

static void malformed_messages_are_dropped(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct rsmka_msg_segment msg = {};
	u64 bad = 0;
	size_t size;
	u8 type;

	fake_shake_hands(test, fake);
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
	msg.header.source = cpu_to_le32(PEER + 1);
	rsmka_receive(fake->controller, PEER, &msg, sizeof(msg));
	KUNIT_EXPECT_EQ(test, fake_dropped(fake), bad + 1);
	msg.header.source = cpu_to_le32(PEER);
	msg.header.version++;
	rsmka_receive(fake->controller, PEER, &msg, sizeof(msg));
	KUNIT_EXPECT_EQ(test, fake_dropped(fake), bad + 2);
	KUNIT_EXPECT_EQ(test, fake_state(fake), RSM_PATH_ACTIVE);
}

static void unknown_segments_are_refused(struct kunit *test)
{
	struct fake *fake = test->priv;
	u64 last[RSMKA_MESSAGE_MAX / sizeof(u64)];
	const struct rsmka_msg_reply *reply = (const struct rsmka_msg_reply *)last;
	struct rsmka_msg_connect msg = {
		.slot = cpu_to_le32(0x1234), .key = cpu_to_le32(0x7ffffff),
	};

	fake_shake_hands(test, fake);
	fake_receive(fake, &msg, RSMKA_MSG_CONNECT, sizeof(msg));
	KUNIT_ASSERT_TRUE(test, fake_await(fake, RSMKA_MSG_REPLY, 1, last));
	KUNIT_EXPECT_EQ(test, le32_to_cpu(reply->slot), 0x1234);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(reply->status), RSMERR_SEG_NOT_PUBLISHED);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(reply->length), 0);
}

static void credits_bound_what_is_on_its_way(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct rsmka_msg_credit credit = { .count = cpu_to_le32(RSMKA_CREDITS_RETURNED) };
	unsigned int i;

	fake_shake_hands(test, fake);
	for (i = 0; i < RSMKA_CREDITS + RSMKA_CREDITS_RETURNED + 1; i++)
		rsmka_ipc_post(fake->path, RSMKA_MSG_NOTIMPORTING, i, 0, i);
	KUNIT_ASSERT_TRUE(test, fake_await(fake, RSMKA_MSG_NOTIMPORTING, RSMKA_CREDITS, NULL));
	/* One that needs none goes at once, so the others would have gone before. */
	rsmka_ipc_bell(fake->path, 1, 0, 0);
	KUNIT_EXPECT_EQ(test, fake_count(fake, RSMKA_MSG_BELL, NULL), 1);
	KUNIT_EXPECT_EQ(test, fake_count(fake, RSMKA_MSG_NOTIMPORTING, NULL), RSMKA_CREDITS);
	fake_receive(fake, &credit, RSMKA_MSG_CREDIT, sizeof(credit));
	KUNIT_EXPECT_TRUE(test, fake_await(fake, RSMKA_MSG_NOTIMPORTING,
					   RSMKA_CREDITS + RSMKA_CREDITS_RETURNED, NULL));
	/* More than there are does not make more. */
	credit.count = cpu_to_le32(U32_MAX);
	fake_receive(fake, &credit, RSMKA_MSG_CREDIT, sizeof(credit));
	KUNIT_EXPECT_TRUE(test, fake_await(fake, RSMKA_MSG_NOTIMPORTING,
					   RSMKA_CREDITS + RSMKA_CREDITS_RETURNED + 1, NULL));
	spin_lock(&fake->path->lock);
	KUNIT_EXPECT_LE(test, fake->path->credits, RSMKA_CREDITS);
	spin_unlock(&fake->path->lock);
}

static void credits_are_returned(struct kunit *test)
{
	struct fake *fake = test->priv;
	u64 last[RSMKA_MESSAGE_MAX / sizeof(u64)];
	const struct rsmka_msg_credit *credit = (const struct rsmka_msg_credit *)last;
	struct rsmka_msg_segment msg = { .key = cpu_to_le32(0x7ffffff) };
	unsigned int i;

	fake_shake_hands(test, fake);
	for (i = 0; i < 2 * RSMKA_CREDITS_RETURNED; i++)
		fake_receive(fake, &msg, RSMKA_MSG_DISCONNECT, sizeof(msg));
	KUNIT_ASSERT_TRUE(test, fake_await(fake, RSMKA_MSG_CREDIT, 2, last));
	KUNIT_EXPECT_EQ(test, le32_to_cpu(credit->count), RSMKA_CREDITS_RETURNED);
	KUNIT_EXPECT_EQ(test, fake_dropped(fake), 0);
}

static void a_peer_that_restarts_begins_a_new_session(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct rsmka_msg_ready ready = {};
	u32 epoch, incarnation, now;

	fake_shake_hands(test, fake);
	KUNIT_ASSERT_TRUE(test, rsmka_path_active(fake->path, &epoch, &incarnation));
	rsmka_ipc_header(fake->path, &ready.header, RSMKA_MSG_READY, PEER_SESSION + 1, 0);
	ready.header.source = cpu_to_le32(PEER);
	rsmka_receive(fake->controller, PEER, &ready, sizeof(ready));
	KUNIT_ASSERT_TRUE(test, fake_await(fake, RSMKA_MSG_READY_ACK, 2, NULL));
	rsmka_path_active(fake->path, &now, &incarnation);
	KUNIT_EXPECT_NE(test, now, epoch);
	KUNIT_EXPECT_FALSE(test, rsmka_path_current(fake->path, epoch));
}

static struct kunit_case rsmka_path_cases[] = {
	KUNIT_CASE(a_handshake_makes_the_path_active),
	KUNIT_CASE(messages_of_other_sessions_are_ignored),
	KUNIT_CASE(malformed_messages_are_dropped),
	KUNIT_CASE(unknown_segments_are_refused),
	KUNIT_CASE(credits_bound_what_is_on_its_way),
	KUNIT_CASE(credits_are_returned),
	KUNIT_CASE(a_peer_that_restarts_begins_a_new_session),
	{}
};

static struct kunit_suite rsmka_path_suite = {
	.name = "rsmka_path",
	.init = fake_init,
	.exit = fake_exit,
	.test_cases = rsmka_path_cases,
};

kunit_test_suite(rsmka_path_suite);
