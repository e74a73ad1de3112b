// SPDX-License-Identifier: GPL-2.0-only
/*
 * Receipt of messages from other agents.  Called by adapters, also in interrupts.  What a
 * peer sends is copied, checked for form, and believed in nothing.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * The adapter's queue is the only one: a message that takes a thread that may sleep stays
 * there until one has come, and those behind it wait.  No handler waits for a peer.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/printk.h>

#include "rsmka_path.h"

/* A handler returns false if it must be called by a thread that may sleep. */
struct rsmka_kind {
	size_t size;
	bool (*handle)(struct rsmka_path *path, const void *msg, bool may_sleep);
};

/* ---- by a thread ---- */

static bool rsmka_handle_connect(struct rsmka_path *path, const void *data, bool may_sleep)
{
	const struct rsmka_msg_connect *msg = data;
	struct rsmka_msg_reply reply = { .request = msg->request };
	u32 session = rsmka_path_session(path);
	struct rsmka_grant grant = {};
	int ret;

	if (!may_sleep)
		return false;
	ret = rsmka_published_connect(path, session, le32_to_cpu(msg->header.segment_id),
				      le64_to_cpu(msg->cookie), &grant);
	rsmka_count(&path->counters,
		    ret ? RSM_COUNT_CONNECTS_REFUSED : RSM_COUNT_CONNECTS_GRANTED);
	reply.status = cpu_to_le32(rsmka_error_status(ret));
	if (!ret) {
		reply.length = cpu_to_le64(grant.length);
		reply.offset = cpu_to_le64(grant.address.offset);
		reply.address_key = cpu_to_le32(grant.address.key);
		reply.mode = cpu_to_le32(grant.mode);
		reply.uid = cpu_to_le32(grant.uid);
		reply.gid = cpu_to_le32(grant.gid);
		reply.big_endian = grant.big_endian;
	}
	rsmka_ipc_answer(path, session, &reply);
	return true;
}

static bool rsmka_handle_disconnect(struct rsmka_path *path, const void *data, bool may_sleep)
{
	const struct rsmka_msg_segment *msg = data;

	if (!may_sleep)
		return false;
	rsmka_shares_disconnected(path, le32_to_cpu(msg->header.segment_id),
				  le64_to_cpu(msg->cookie));
	return true;
}

static bool rsmka_handle_notimporting(struct rsmka_path *path, const void *data, bool may_sleep)
{
	const struct rsmka_msg_segment *msg = data;

	if (!may_sleep)
		return false;
	rsmka_published_disconnect(path, le32_to_cpu(msg->header.segment_id),
				   le64_to_cpu(msg->cookie));
	return true;
}

static bool rsmka_handle_republish(struct rsmka_path *path, const void *data, bool may_sleep)
{
	const struct rsmka_msg_segment *msg = data;

	if (!may_sleep)
		return false;
	rsmka_shares_republished(path, le32_to_cpu(msg->header.segment_id),
				 le64_to_cpu(msg->cookie),
				 le32_to_cpu(msg->flags) & (RSMKA_MODE | RSMKA_LISTED));
	return true;
}

/* ---- at once ---- */

static bool rsmka_handle_reply(struct rsmka_path *path, const void *data, bool may_sleep)
{
	const struct rsmka_msg_reply *msg = data;
	u32 number = le32_to_cpu(msg->request);
	struct rsmka_request *request;
	u32 index = number & 0xff;
	unsigned long flags;

	if (index >= RSMKA_REQUESTS)
		return true;
	spin_lock_irqsave(&path->lock, flags);
	request = &path->request[index];
	if (request->share && !request->answered && request->number == number) {
		request->reply = *msg;
		/* Pairs with rsmka_request_over(). */
		smp_store_release(&request->answered, true);
		wake_up(&request->share->asked);
	}
	spin_unlock_irqrestore(&path->lock, flags);
	rsmka_look_came(&path->look_time);
	return true;
}

static bool rsmka_handle_bell(struct rsmka_path *path, const void *data, bool may_sleep)
{
	const struct rsmka_msg_segment *msg = data;
	u32 post_flags = le32_to_cpu(msg->flags) & (RSM_POST_NO_ACCUMULATE | RSM_POST_WAKE);
	u64 cookie = le64_to_cpu(msg->cookie);
	u32 segment_id = le32_to_cpu(msg->header.segment_id);
	bool heard;

	if (!cookie)
		heard = rsmka_published_bell(path, segment_id, post_flags);
	else if (!rsmka_shares_bell(path, segment_id, cookie, post_flags, may_sleep, &heard))
		return false;
	rsmka_count(&path->counters, heard ? RSM_COUNT_POSTS_RECEIVED : RSM_COUNT_POSTS_DROPPED);
	return true;
}

static const struct rsmka_kind rsmka_kinds[RSMKA_MSG_TYPES] = {
	[RSMKA_MSG_CONNECT] = { sizeof(struct rsmka_msg_connect), rsmka_handle_connect },
	[RSMKA_MSG_DISCONNECT] = { sizeof(struct rsmka_msg_segment), rsmka_handle_disconnect },
	[RSMKA_MSG_NOTIMPORTING] = { sizeof(struct rsmka_msg_segment), rsmka_handle_notimporting },
	[RSMKA_MSG_REPLY] = { sizeof(struct rsmka_msg_reply), rsmka_handle_reply },
	[RSMKA_MSG_BELL] = { sizeof(struct rsmka_msg_segment), rsmka_handle_bell },
	[RSMKA_MSG_REPUBLISH] = { sizeof(struct rsmka_msg_segment), rsmka_handle_republish },
};

/* NULL if the message breaks the rules. */
static const struct rsmka_kind *rsmka_inbox_kind(const void *msg, size_t length)
{
	const struct rsmka_msg_header *header = msg;

	if (length < sizeof(*header) || header->version != RSMKA_MESSAGE_VERSION ||
	    header->type >= RSMKA_MSG_TYPES || length != rsmka_kinds[header->type].size)
		return NULL;
	return &rsmka_kinds[header->type];
}

bool rsmka_receive(struct rsmka_controller *controller, u32 node, const void *message,
		   size_t length, bool may_sleep)
{
	struct rsmka_path *path = rsmka_path_find(controller, node);
	u64 copy[RSMKA_MESSAGE_MAX / sizeof(u64)];
	const struct rsmka_kind *kind;

	if (!path)
		return true;
	/* A copy, for the peer may go on writing, and aligned. */
	length = min_t(size_t, length, sizeof(copy));
	memcpy(copy, message, length);
	kind = rsmka_inbox_kind(copy, length);
	if (kind && !kind->handle(path, copy, may_sleep))
		return false;
	rsmka_count(&path->counters, RSM_COUNT_MESSAGES_RECEIVED);
	if (kind)
		return true;
	rsmka_count(&path->counters, RSM_COUNT_MESSAGES_DROPPED);
	pr_warn_ratelimited("%s: malformed message from node %u\n", controller->name, node);
	return true;
}
EXPORT_SYMBOL_GPL(rsmka_receive);
