// SPDX-License-Identifier: GPL-2.0-only
/*
 * Receipt of messages from other agents.  Called by adapters.  What a peer
 * sends is copied, checked for form and session, and believed in nothing.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * CONNECT, DISCONNECT and NOTIMPORTING are queued and handled in order by one
 * work item per path; the sender has a credit for each place in the queue.
 * The others are handled as they come, because that does not wait for a peer.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/printk.h>

#include "rsmka_path.h"

struct rsmka_kind {
	size_t size;
	void (*handle)(struct rsmka_path *path, u32 epoch, const void *msg);
};

/* ---- queued ---- */

static void rsmka_handle_connect(struct rsmka_path *path, u32 epoch, const void *data)
{
	const struct rsmka_msg_connect *msg = data;
	struct rsmka_msg_reply reply = { .slot = msg->slot };
	struct rsmka_grant grant = {};
	u32 status;

	status = rsmka_published_connect(path, epoch, le32_to_cpu(msg->key),
					 le64_to_cpu(msg->cookie), &grant);
	rsmka_count(&path->counters,
		    status ? RSM_COUNT_CONNECTS_REFUSED : RSM_COUNT_CONNECTS_GRANTED);
	reply.status = cpu_to_le32(status);
	if (!status) {
		reply.length = cpu_to_le64(grant.length);
		reply.offset = cpu_to_le64(grant.address.offset);
		reply.address_key = cpu_to_le32(grant.address.key);
		reply.mode = cpu_to_le32(grant.mode);
		reply.uid = cpu_to_le32(grant.uid);
		reply.gid = cpu_to_le32(grant.gid);
		reply.big_endian = grant.big_endian;
	}
	/* If it fails the session is over, and nobody waits for the reply. */
	rsmka_ipc_send(path, epoch, &reply, RSMKA_MSG_REPLY, sizeof(reply), false);
}

static void rsmka_handle_disconnect(struct rsmka_path *path, u32 epoch, const void *data)
{
	const struct rsmka_msg_segment *msg = data;

	rsmka_shares_disconnected(path, le32_to_cpu(msg->key), le64_to_cpu(msg->cookie));
}

static void rsmka_handle_notimporting(struct rsmka_path *path, u32 epoch, const void *data)
{
	const struct rsmka_msg_segment *msg = data;

	rsmka_published_disconnect(path, le32_to_cpu(msg->key), le64_to_cpu(msg->cookie));
}

/* ---- handled at once ---- */

static void rsmka_handle_reply(struct rsmka_path *path, u32 epoch, const void *data)
{
	const struct rsmka_msg_reply *msg = data;
	u32 cookie = le32_to_cpu(msg->slot);
	struct rsmka_reply_slot *slot;
	u32 index = cookie & 0xff;

	if (index >= RSMKA_REPLY_SLOTS)
		return;
	spin_lock(&path->lock);
	slot = &path->slots[index];
	if (path->epoch == epoch && slot->used && !slot->answered && slot->cookie == cookie) {
		slot->reply = *msg;
		slot->answered = true;
	}
	spin_unlock(&path->lock);
	wake_up_all(&path->wait);
}

static void rsmka_handle_bell(struct rsmka_path *path, u32 epoch, const void *data)
{
	const struct rsmka_msg_segment *msg = data;
	u32 post_flags = le32_to_cpu(msg->flags) & RSM_POST_NO_ACCUMULATE;
	u64 cookie = le64_to_cpu(msg->cookie);
	u32 key = le32_to_cpu(msg->key);
	bool heard;

	if (cookie)
		heard = rsmka_shares_bell(path, key, cookie, post_flags);
	else
		heard = rsmka_published_bell(path, key, post_flags);
	rsmka_count(&path->counters, heard ? RSM_COUNT_POSTS_RECEIVED : RSM_COUNT_POSTS_DROPPED);
}

static void rsmka_handle_republish(struct rsmka_path *path, u32 epoch, const void *data)
{
	const struct rsmka_msg_segment *msg = data;

	rsmka_shares_republished(path, le32_to_cpu(msg->key), le64_to_cpu(msg->cookie),
				 le32_to_cpu(msg->flags) & (RSMKA_MODE | RSMKA_LISTED));
}

static void rsmka_handle_credit(struct rsmka_path *path, u32 epoch, const void *data)
{
	const struct rsmka_msg_credit *msg = data;

	rsmka_ipc_credits_returned(path, epoch, le32_to_cpu(msg->count));
}

static void rsmka_handle_ready(struct rsmka_path *path, u32 epoch, const void *data)
{
	rsmka_path_ready(path, data);
}

static void rsmka_handle_ready_ack(struct rsmka_path *path, u32 epoch, const void *data)
{
	rsmka_path_ready_ack(path, data);
}

static const struct rsmka_kind rsmka_kinds[RSMKA_MSG_TYPES] = {
	[RSMKA_MSG_CONNECT] = { sizeof(struct rsmka_msg_connect), rsmka_handle_connect },
	[RSMKA_MSG_DISCONNECT] = { sizeof(struct rsmka_msg_segment), rsmka_handle_disconnect },
	[RSMKA_MSG_NOTIMPORTING] = { sizeof(struct rsmka_msg_segment), rsmka_handle_notimporting },
	[RSMKA_MSG_REPLY] = { sizeof(struct rsmka_msg_reply), rsmka_handle_reply },
	[RSMKA_MSG_BELL] = { sizeof(struct rsmka_msg_segment), rsmka_handle_bell },
	[RSMKA_MSG_READY] = { sizeof(struct rsmka_msg_ready), rsmka_handle_ready },
	[RSMKA_MSG_READY_ACK] = { sizeof(struct rsmka_msg_ready), rsmka_handle_ready_ack },
	[RSMKA_MSG_CREDIT] = { sizeof(struct rsmka_msg_credit), rsmka_handle_credit },
	[RSMKA_MSG_REPUBLISH] = { sizeof(struct rsmka_msg_segment), rsmka_handle_republish },
};

/* ---- the queue ---- */

static bool rsmka_inbox_put(struct rsmka_path *path, u32 epoch, const void *msg, size_t size)
{
	struct rsmka_packet *packet;
	bool room;

	spin_lock(&path->lock);
	room = path->epoch == epoch && path->inbox_count < RSMKA_CREDITS;
	if (room) {
		packet = &path->inbox[(path->inbox_first + path->inbox_count++) % RSMKA_CREDITS];
		packet->epoch = epoch;
		memcpy(packet->message, msg, size);
		queue_work(rsmka_workqueue, &path->inbox_work);
	}
	spin_unlock(&path->lock);
	return room;
}

static bool rsmka_inbox_take(struct rsmka_path *path, struct rsmka_packet *packet)
{
	bool taken;

	spin_lock(&path->lock);
	taken = path->inbox_count > 0;
	if (taken) {
		*packet = path->inbox[path->inbox_first];
		path->inbox_first = (path->inbox_first + 1) % RSMKA_CREDITS;
		path->inbox_count--;
	}
	spin_unlock(&path->lock);
	return taken;
}

static void rsmka_inbox_return_credits(struct rsmka_path *path, u32 epoch)
{
	struct rsmka_msg_credit msg = { .count = cpu_to_le32(RSMKA_CREDITS_RETURNED) };
	bool due;

	spin_lock(&path->lock);
	due = path->epoch == epoch && ++path->handled == RSMKA_CREDITS_RETURNED;
	if (due)
		path->handled = 0;
	spin_unlock(&path->lock);
	if (due)
		rsmka_ipc_send(path, epoch, &msg, RSMKA_MSG_CREDIT, sizeof(msg), false);
}

void rsmka_inbox_work(struct work_struct *work)
{
	struct rsmka_path *path = container_of(work, struct rsmka_path, inbox_work);
	const struct rsmka_msg_header *header;
	struct rsmka_packet packet;

	while (rsmka_inbox_take(path, &packet)) {
		header = (const struct rsmka_msg_header *)packet.message;
		rsmka_kinds[header->type].handle(path, packet.epoch, packet.message);
		rsmka_inbox_return_credits(path, packet.epoch);
	}
}

/* False if the message breaks the rules. */
static bool rsmka_inbox_receive(struct rsmka_path *path, const void *msg, size_t length)
{
	const struct rsmka_msg_header *header = msg;
	const struct rsmka_kind *kind;
	u32 epoch = 0;

	if (length < sizeof(*header) || header->version != RSMKA_MESSAGE_VERSION ||
	    header->type >= RSMKA_MSG_TYPES || le32_to_cpu(header->source) != path->node)
		return false;
	kind = &rsmka_kinds[header->type];
	if (length != kind->size)
		return false;
	/* What is left of an earlier session is no offence. */
	if (!rsmka_message_is_greeting(header->type) &&
	    !rsmka_path_admit(path, header, &epoch)) {
		rsmka_count(&path->counters, RSM_COUNT_MESSAGES_STALE);
		return true;
	}
	if (rsmka_message_takes_credit(header->type))
		return rsmka_inbox_put(path, epoch, msg, length);
	kind->handle(path, epoch, msg);
	return true;
}

void rsmka_receive(struct rsmka_controller *controller, u32 node, const void *message,
		   size_t length)
{
	struct rsmka_path *path = rsmka_path_find(controller, node);
	u64 copy[RSMKA_MESSAGE_MAX / sizeof(u64)];

	if (!path)
		return;
	/* A copy, for the peer may go on writing, and aligned. */
	length = min_t(size_t, length, sizeof(copy));
	memcpy(copy, message, length);
	rsmka_count(&path->counters, RSM_COUNT_MESSAGES_RECEIVED);
	if (rsmka_inbox_receive(path, copy, length))
		return;

	rsmka_count(&path->counters, RSM_COUNT_MESSAGES_DROPPED);
	pr_warn_ratelimited("%s: malformed message from node %u\n", controller->name, node);
}
EXPORT_SYMBOL_GPL(rsmka_receive);
