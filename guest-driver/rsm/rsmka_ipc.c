// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sending of messages to other agents: with credits, requests that wait for
 * their reply, and an outbox for messages that nobody waits for.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "rsmka_path.h"

#define RSMKA_REPLY_REPEAT	(5 * HZ)
#define RSMKA_OUTBOX_MAX	4096

/* A message that nobody waits for. */
struct rsmka_outgoing {
	struct list_head list;
	u32 epoch;
	struct rsmka_msg_segment msg;
};

int rsmka_ipc_transmit(struct rsmka_path *path, u32 incarnation, const void *msg, size_t size,
		       bool interruptible)
{
	struct rsmka_controller *controller = path->controller;
	int ret = -ENODEV;

	if (rsmka_controller_enter(controller)) {
		ret = controller->ops->send(controller->adapter, path->node, incarnation, msg,
					    size, interruptible);
		rsmka_controller_exit(controller);
	}
	rsmka_count(&path->counters, ret ? RSM_COUNT_MESSAGES_FAILED : RSM_COUNT_MESSAGES_SENT);
	return ret;
}

void rsmka_ipc_header(struct rsmka_path *path, struct rsmka_msg_header *header, u8 type,
		      u32 session, u32 peer_session)
{
	header->version = RSMKA_MESSAGE_VERSION;
	header->type = type;
	header->source = cpu_to_le32(path->controller->node);
	header->session = cpu_to_le32(session);
	header->peer_session = cpu_to_le32(peer_session);
}

static bool rsmka_ipc_may_send(struct rsmka_path *path, u32 epoch)
{
	bool may;

	spin_lock(&path->lock);
	may = path->epoch != epoch || path->state != RSM_PATH_ACTIVE || path->credits > 0;
	spin_unlock(&path->lock);
	return may;
}

/* Take a credit; false if there is none now. */
static int rsmka_ipc_take_credit(struct rsmka_path *path, u32 epoch, bool interruptible)
{
	bool taken;

	do {
		if (!interruptible)
			wait_event_idle(path->wait, rsmka_ipc_may_send(path, epoch));
		else if (wait_event_interruptible(path->wait, rsmka_ipc_may_send(path, epoch)))
			return -EINTR;
		spin_lock(&path->lock);
		if (path->epoch != epoch || path->state != RSM_PATH_ACTIVE) {
			spin_unlock(&path->lock);
			return -ECONNABORTED;
		}
		taken = path->credits > 0;
		if (taken)
			path->credits--;
		spin_unlock(&path->lock);
	} while (!taken);
	return 0;
}

/* From the peer, whatever it says, or for a message that was not sent after all. */
void rsmka_ipc_credits_returned(struct rsmka_path *path, u32 epoch, u32 count)
{
	spin_lock(&path->lock);
	if (path->epoch == epoch)
		path->credits += min_t(u32, count, RSMKA_CREDITS - path->credits);
	spin_unlock(&path->lock);
	wake_up_all(&path->wait);
}

/*
 * Send a message of the session that @epoch stands for.  -ECONNABORTED if that
 * is over, -EINTR, or what the adapter says.
 */
int rsmka_ipc_send(struct rsmka_path *path, u32 epoch, void *msg, u8 type, size_t size,
		   bool interruptible)
{
	u32 session, peer_session, incarnation;
	bool usable;
	int ret;

	if (rsmka_message_takes_credit(type)) {
		ret = rsmka_ipc_take_credit(path, epoch, interruptible);
		if (ret) {
			rsmka_count(&path->counters, RSM_COUNT_MESSAGES_FAILED);
			return ret;
		}
	}
	spin_lock(&path->lock);
	usable = path->epoch == epoch && path->state == RSM_PATH_ACTIVE;
	session = path->session;
	peer_session = path->peer_session;
	incarnation = path->incarnation;
	spin_unlock(&path->lock);
	if (!usable) {
		rsmka_count(&path->counters, RSM_COUNT_MESSAGES_FAILED);
		return -ECONNABORTED;
	}
	rsmka_ipc_header(path, msg, type, session, peer_session);
	ret = rsmka_ipc_transmit(path, incarnation, msg, size, interruptible);
	if (ret && rsmka_message_takes_credit(type))
		rsmka_ipc_credits_returned(path, epoch, 1);
	return ret;
}

/* ---- events ---- */

/* One event, to an importing node's share (@cookie) or to the exporter (0). */
int rsmka_ipc_bell(struct rsmka_path *path, u32 key, u64 cookie, u32 post_flags)
{
	struct rsmka_msg_segment msg = {
		.key = cpu_to_le32(key),
		.flags = cpu_to_le32(post_flags),
		.cookie = cpu_to_le64(cookie),
	};
	u32 epoch, incarnation;
	int ret;

	if (!rsmka_path_active(path, &epoch, &incarnation)) {
		rsmka_count(&path->counters, RSM_COUNT_POSTS_FAILED);
		return RSMERR_REMOTE_NODE_UNREACHABLE;
	}
	ret = rsmka_ipc_send(path, epoch, &msg, RSMKA_MSG_BELL, sizeof(msg), true);
	rsmka_count(&path->counters, ret ? RSM_COUNT_POSTS_FAILED : RSM_COUNT_POSTS_SENT);
	if (ret == 0 || ret == -EINTR)
		return ret;
	/* The adapter may know of the loss before the path does. */
	if (ret == -EHOSTUNREACH || !rsmka_path_active(path, &epoch, &incarnation))
		return RSMERR_REMOTE_NODE_UNREACHABLE;
	return RSMERR_CONN_ABORTED;
}

/* ---- outbox ---- */

static struct rsmka_outgoing *rsmka_outbox_take(struct rsmka_path *path)
{
	struct rsmka_outgoing *out;

	spin_lock(&path->lock);
	out = list_first_entry_or_null(&path->outbox, struct rsmka_outgoing, list);
	if (out) {
		list_del(&out->list);
		path->outbox_count--;
	}
	spin_unlock(&path->lock);
	return out;
}

static void rsmka_outbox_work(struct work_struct *work)
{
	struct rsmka_path *path = container_of(work, struct rsmka_path, outbox_work);
	struct rsmka_outgoing *out;

	while ((out = rsmka_outbox_take(path))) {
		/* If it fails the peer has lost the session, and what this is about. */
		rsmka_ipc_send(path, out->epoch, &out->msg, out->msg.header.type,
			       sizeof(out->msg), false);
		kfree(out);
	}
}

/*
 * DISCONNECT, NOTIMPORTING and REPUBLISH go without anybody waiting for the
 * peer.  If there is no room, the peer gets by without: importers ask their
 * adapter whether pages were taken back, exporters clean up when they
 * unpublish, and a list that an importing node has not heard of holds as soon
 * as none of its imports is older.
 */
void rsmka_ipc_post(struct rsmka_path *path, u8 type, u32 key, u32 flags, u64 cookie)
{
	struct rsmka_outgoing *out = kzalloc(sizeof(*out), GFP_KERNEL);

	if (!out) {
		rsmka_count(&path->counters, RSM_COUNT_MESSAGES_FAILED);
		return;
	}
	out->msg.header.type = type;
	out->msg.key = cpu_to_le32(key);
	out->msg.flags = cpu_to_le32(flags);
	out->msg.cookie = cpu_to_le64(cookie);

	spin_lock(&path->lock);
	if (path->state == RSM_PATH_ACTIVE && path->outbox_count < RSMKA_OUTBOX_MAX) {
		out->epoch = path->epoch;
		list_add_tail(&out->list, &path->outbox);
		path->outbox_count++;
		queue_work(rsmka_workqueue, &path->outbox_work);
		out = NULL;
	}
	spin_unlock(&path->lock);
	if (out)
		rsmka_count(&path->counters, RSM_COUNT_MESSAGES_FAILED);
	kfree(out);
}

/* ---- requests ---- */

static struct rsmka_reply_slot *rsmka_slot_take(struct rsmka_path *path, u32 epoch, bool *over)
{
	struct rsmka_reply_slot *slot, *taken = NULL;

	spin_lock(&path->lock);
	*over = path->epoch != epoch;
	for (slot = path->slots; slot < path->slots + RSMKA_REPLY_SLOTS; slot++) {
		if (*over || slot->used)
			continue;
		taken = slot;
		taken->used = true;
		taken->answered = false;
		taken->cookie = (++path->sequence << 8) | (slot - path->slots);
		break;
	}
	spin_unlock(&path->lock);
	return taken;
}

static void rsmka_slot_give(struct rsmka_path *path, struct rsmka_reply_slot *slot)
{
	spin_lock(&path->lock);
	slot->used = false;
	spin_unlock(&path->lock);
	wake_up_all(&path->wait);
}

static bool rsmka_request_over(struct rsmka_path *path, u32 epoch,
			       const struct rsmka_reply_slot *slot,
			       const struct rsmka_share *share)
{
	bool over;

	spin_lock(&path->lock);
	over = slot->answered || path->epoch != epoch;
	spin_unlock(&path->lock);
	return over || READ_ONCE(share->outcome);
}

/* Asks until there is an answer or nobody left to ask. */
static int rsmka_request(struct rsmka_share *share, struct rsmka_reply_slot *slot)
{
	struct rsmka_path *path = share->path;
	u32 epoch = share->epoch;
	long left;
	int ret;

	do {
		struct rsmka_msg_connect msg = {
			.slot = cpu_to_le32(slot->cookie),
			.key = cpu_to_le32(share->key),
			.cookie = cpu_to_le64(share->cookie),
		};

		ret = rsmka_ipc_send(path, epoch, &msg, RSMKA_MSG_CONNECT, sizeof(msg), true);
		if (ret)
			return ret == -EINTR ? ret : RSMERR_CONN_ABORTED;
		left = wait_event_interruptible_timeout(path->wait,
							rsmka_request_over(path, epoch, slot,
									   share),
							RSMKA_REPLY_REPEAT);
		if (left == 0)
			rsmka_count(&path->counters, RSM_COUNT_CONNECTS_REPEATED);
	} while (left == 0);
	if (left < 0)
		return -EINTR;
	return slot->answered ? RSM_SUCCESS : RSMERR_CONN_ABORTED;
}

/* What the exporter says, as far as it can be true. */
static u32 rsmka_reply_parse(const struct rsmka_msg_reply *reply, struct rsmka_grant *grant)
{
	u32 status = le32_to_cpu(reply->status);

	switch (status) {
	case RSM_SUCCESS:
		break;
	case RSMERR_SEG_NOT_PUBLISHED:
	case RSMERR_SEG_NOT_PUBLISHED_TO_NODE:
	case RSMERR_INSUFFICIENT_MEM:
		return status;
	default:
		return RSMERR_INTERNAL_ERROR;
	}
	grant->length = le64_to_cpu(reply->length);
	grant->mode = le32_to_cpu(reply->mode) & RSMKA_MODE;
	grant->uid = le32_to_cpu(reply->uid);
	grant->gid = le32_to_cpu(reply->gid);
	grant->address.offset = le64_to_cpu(reply->offset);
	grant->address.key = le32_to_cpu(reply->address_key);
	grant->big_endian = reply->big_endian;
	if (grant->length == 0 || grant->length >= RSM_MMAP_STATUS ||
	    !PAGE_ALIGNED(grant->length) || !PAGE_ALIGNED(grant->address.offset)) {
		grant->length = 0;
		return RSMERR_INTERNAL_ERROR;
	}
	return RSM_SUCCESS;
}

/* Ask the exporter for the segment of a share. */
int rsmka_ipc_connect(struct rsmka_share *share)
{
	struct rsmka_path *path = share->path;
	struct rsmka_reply_slot *slot = NULL;
	bool over = false;
	bool granted;
	int ret;

	ret = wait_event_interruptible(path->wait,
				       (slot = rsmka_slot_take(path, share->epoch, &over)) ||
				       over);
	if (ret)
		return -EINTR;
	if (!slot)
		return RSMERR_CONN_ABORTED;
	ret = rsmka_request(share, slot);
	if (!ret)
		ret = rsmka_reply_parse(&slot->reply, &share->grant);
	/* We may have been granted it and not know, or not want it. */
	granted = !slot->answered || slot->reply.status == 0;
	rsmka_slot_give(path, slot);
	if (ret && granted)
		rsmka_ipc_post(path, RSMKA_MSG_NOTIMPORTING, share->key, 0, share->cookie);
	return ret;
}

/* ---- life of a path's queues ---- */

void rsmka_ipc_init(struct rsmka_path *path)
{
	INIT_LIST_HEAD(&path->outbox);
	INIT_WORK(&path->outbox_work, rsmka_outbox_work);
	INIT_WORK(&path->inbox_work, rsmka_inbox_work);
}

/* A session ends: forget what is queued.  Who waits sees the epoch. */
void rsmka_ipc_reset_locked(struct rsmka_path *path)
{
	struct rsmka_outgoing *out, *next;

	lockdep_assert_held(&path->lock);
	path->credits = 0;
	path->inbox_count = 0;
	path->handled = 0;
	list_for_each_entry_safe(out, next, &path->outbox, list)
		kfree(out);
	INIT_LIST_HEAD(&path->outbox);
	path->outbox_count = 0;
}

void rsmka_ipc_stop(struct rsmka_path *path)
{
	cancel_work_sync(&path->inbox_work);
	cancel_work_sync(&path->outbox_work);
}
