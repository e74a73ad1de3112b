// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sending of messages to other agents: requests that wait for their reply, events, and
 * an outbox for messages that nobody waits for.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * Nothing that handles a message waits for the peer to take another one, or two agents
 * could wait for each other: what does not fit goes through the outbox.
 */
#include <linux/align.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "../include/wait_turn.h"
#include "rsmka_path.h"

#define RSMKA_OUTBOX_MAX	4096

/*
 * Send a message of a session: 0, or what the adapter says.
 */
int rsmka_ipc_send(struct rsmka_path *path, u32 session, void *msg, u8 type, size_t size,
		   long patience)
{
	struct rsmka_controller *controller = path->controller;
	struct rsmka_msg_header *header = msg;
	int ret = -ENODEV;

	header->version = RSMKA_MESSAGE_VERSION;
	header->type = type;
	if (rsmka_controller_enter(controller)) {
		ret = controller->ops->send(controller->adapter, path->node, session, msg, size,
					    patience);
		rsmka_controller_exit(controller);
	}
	if (ret != -EAGAIN)
		rsmka_count(&path->counters,
			    ret ? RSM_COUNT_MESSAGES_FAILED : RSM_COUNT_MESSAGES_SENT);
	return ret;
}

/* ---- outbox ---- */

static size_t rsmka_outgoing_size(const struct rsmka_outgoing *out)
{
	return out->answer ? sizeof(out->msg.reply) : sizeof(out->msg.segment);
}

static struct rsmka_outgoing *rsmka_outbox_take(struct rsmka_path *path)
{
	struct rsmka_outgoing *out;

	spin_lock_irq(&path->lock);
	out = list_first_entry_or_null(&path->outbox, struct rsmka_outgoing, list);
	if (out)
		list_del(&out->list);
	spin_unlock_irq(&path->lock);
	return out;
}

static void rsmka_outgoing_release_locked(struct rsmka_path *path, struct rsmka_outgoing *out)
{
	lockdep_assert_held(&path->lock);
	path->outbox_count--;
	if (out->answer)
		list_add(&out->list, &path->answers);
	else
		kfree(out);
}

static void rsmka_outbox_work(struct work_struct *work)
{
	struct rsmka_path *path = container_of(work, struct rsmka_path, outbox_work);
	struct rsmka_outgoing *out;

	while ((out = rsmka_outbox_take(path))) {
		/* If it fails the peer has lost the session, and what this is about. */
		rsmka_ipc_send(path, out->session, &out->msg, out->msg.header.type,
			       rsmka_outgoing_size(out), RSMKA_WAIT_IDLE);
		spin_lock_irq(&path->lock);
		rsmka_outgoing_release_locked(path, out);
		spin_unlock_irq(&path->lock);
	}
}

static void rsmka_outbox_put_locked(struct rsmka_path *path, struct rsmka_outgoing *out,
				    u32 session)
{
	lockdep_assert_held(&path->lock);
	out->session = session;
	list_add_tail(&out->list, &path->outbox);
	path->outbox_count++;
	queue_work(rsmka_workqueue, &path->outbox_work);
}

/*
 * DISCONNECT, NOTIMPORTING and REPUBLISH go without anybody waiting for the
 * peer.  If there is no room, the peer gets by without: importers ask their
 * adapter whether pages were taken back, exporters clean up when they
 * unpublish, and a list that an importing node has not heard of holds as soon
 * as none of its imports is older.  True: it is sent, unless the session ends before.
 */
bool rsmka_ipc_queue(struct rsmka_path *path, u8 type, u32 segment_id, u32 flags, u64 cookie)
{
	struct rsmka_outgoing *out = kzalloc(sizeof(*out), GFP_KERNEL);
	bool queued;

	if (!out) {
		rsmka_count(&path->counters, RSM_COUNT_MESSAGES_FAILED);
		return false;
	}
	out->msg.header.type = type;
	out->msg.header.segment_id = cpu_to_le32(segment_id);
	out->msg.segment.flags = cpu_to_le32(flags);
	out->msg.segment.cookie = cpu_to_le64(cookie);

	spin_lock_irq(&path->lock);
	queued = path->session && path->outbox_count < RSMKA_OUTBOX_MAX;
	if (queued)
		rsmka_outbox_put_locked(path, out, path->session);
	spin_unlock_irq(&path->lock);
	if (queued)
		return true;
	rsmka_count(&path->counters, RSM_COUNT_MESSAGES_FAILED);
	kfree(out);
	return false;
}

/*
 * Answer a CONNECT.  At once if that is possible and nothing waits before it; a peer that asks
 * more than it may while its answers wait gets none.
 */
void rsmka_ipc_answer(struct rsmka_path *path, u32 session, struct rsmka_msg_reply *reply)
{
	struct rsmka_outgoing *out;

	if (!READ_ONCE(path->outbox_count) &&
	    rsmka_ipc_send(path, session, reply, RSMKA_MSG_REPLY, sizeof(*reply),
			   RSMKA_NO_WAIT) != -EAGAIN)
		return;
	spin_lock_irq(&path->lock);
	out = list_first_entry_or_null(&path->answers, struct rsmka_outgoing, list);
	if (out && path->session == session) {
		list_del(&out->list);
		out->msg.reply = *reply;
		out->msg.header.type = RSMKA_MSG_REPLY;
		rsmka_outbox_put_locked(path, out, session);
	} else if (!out) {
		rsmka_count(&path->counters, RSM_COUNT_MESSAGES_DROPPED);
	}
	spin_unlock_irq(&path->lock);
}

/* ---- events ---- */

/*
 * One event, to an importing node's share (@cookie) or to the exporter (0).  Who waits for
 * nothing leaves what there is no room for in the outbox; -ENOBUFS: not there either.
 */
int rsmka_ipc_bell(struct rsmka_path *path, u32 segment_id, u64 cookie, u32 post_flags,
		   long patience)
{
	struct rsmka_msg_segment msg = {
		.header.segment_id = cpu_to_le32(segment_id),
		.flags = cpu_to_le32(post_flags),
		.cookie = cpu_to_le64(cookie),
	};
	u32 session = rsmka_path_session(path);
	int ret = -EHOSTUNREACH;

	if (session)
		ret = rsmka_ipc_send(path, session, &msg, RSMKA_MSG_BELL, sizeof(msg), patience);
	if (ret == -EAGAIN)
		ret = rsmka_ipc_queue(path, RSMKA_MSG_BELL, segment_id, post_flags, cookie) ? 0 :
										      -ENOBUFS;
	rsmka_count(&path->counters, ret ? RSM_COUNT_POSTS_FAILED : RSM_COUNT_POSTS_SENT);
	if (ret == 0 || ret == -EINTR || ret == -ENOBUFS)
		return ret;
	/* The adapter may know of the loss before the path does. */
	if (ret == -EHOSTUNREACH || !rsmka_path_session(path))
		return -EHOSTUNREACH;
	return -ECONNABORTED;
}

/* ---- requests ---- */

static struct rsmka_request *rsmka_request_take(struct rsmka_share *share, bool *over)
{
	struct rsmka_request *request, *taken = NULL;
	struct rsmka_path *path = share->path;

	spin_lock_irq(&path->lock);
	*over = path->session != share->session;
	for (request = path->request; request < path->request + RSMKA_REQUESTS; request++) {
		if (*over || request->share)
			continue;
		taken = request;
		taken->share = share;
		taken->answered = false;
		taken->number = (++path->sequence << 8) | (request - path->request);
		break;
	}
	spin_unlock_irq(&path->lock);
	return taken;
}

static void rsmka_request_give(struct rsmka_path *path, struct rsmka_request *request)
{
	spin_lock_irq(&path->lock);
	request->share = NULL;
	spin_unlock_irq(&path->lock);
	wake_up(&path->wait);
}

struct rsmka_request_wait {
	const struct rsmka_request *request;
	const struct rsmka_share *share;
};

/* An answer, or nobody left who would give it, or who wants it. */
static bool rsmka_request_over(const void *data)
{
	const struct rsmka_request_wait *wait = data;
	const struct rsmka_share *share = wait->share;

	/* Pairs with rsmka_handle_reply(). */
	return smp_load_acquire(&wait->request->answered) ||
	       rsmka_path_session(share->path) != share->session || READ_ONCE(share->outcome);
}

/* What the end of a wait with a patience means: 0, -EINTR, -ETIMEDOUT. */
static int rsmka_wait_over(long left)
{
	if (left < 0)
		return -EINTR;
	return left ? 0 : -ETIMEDOUT;
}

static int rsmka_request_ask(struct rsmka_share *share, struct rsmka_request *request,
			     const unsigned long *deadline)
{
	struct rsmka_request_wait wait = { request, share };
	struct rsmka_path *path = share->path;
	DECLARE_BITMAP(nodes, RSMKA_NODES) = {};
	struct rsmka_msg_connect msg = {
		.header.segment_id = cpu_to_le32(share->segment_id),
		.request = cpu_to_le32(request->number),
		.cookie = cpu_to_le64(share->cookie),
	};
	int ret;

	ret = rsmka_ipc_send(path, share->session, &msg, RSMKA_MSG_CONNECT, sizeof(msg),
			     rsmka_patience(deadline));
	if (ret == -EAGAIN)
		return -ETIMEDOUT;
	if (ret)
		return ret == -EINTR || ret == -ETIMEDOUT ? ret : -ECONNABORTED;
	__set_bit(path->node, nodes);
	if (!rsmka_look(path->controller, nodes, &path->look_time, rsmka_request_over, &wait)) {
		ret = rsmka_wait_over(wait_event_interruptible_timeout(share->asked,
								       rsmka_request_over(&wait),
								       rsmka_patience(deadline)));
		if (ret)
			return ret;
	}
	/* Pairs with rsmka_handle_reply(). */
	return smp_load_acquire(&request->answered) ? 0 : -ECONNABORTED;
}

/* What the exporter says, as far as it can be true. */
static int rsmka_reply_parse(const struct rsmka_msg_reply *reply, struct rsmka_grant *grant)
{
	int ret = rsmka_error(le32_to_cpu(reply->status));

	switch (ret) {
	case 0:
		break;
	case -ENOENT:
	case -EACCES:
	case -ENOMEM:
		return ret;
	default:
		return -EPROTO;
	}
	grant->length = le64_to_cpu(reply->length);
	grant->mode = le32_to_cpu(reply->mode) & RSMKA_MODE;
	grant->uid = le32_to_cpu(reply->uid);
	grant->gid = le32_to_cpu(reply->gid);
	grant->address.offset = le64_to_cpu(reply->offset);
	grant->address.key = le32_to_cpu(reply->address_key);
	grant->big_endian = reply->big_endian;
	if (grant->length == 0 || grant->length >= RSM_MMAP_STATUS ||
	    !PAGE_ALIGNED(grant->length) || !IS_ALIGNED(grant->address.offset, SZ_4K)) {
		grant->length = 0;
		return -EPROTO;
	}
	return 0;
}

/* Ask the exporter for the segment of a share, until a deadline if there is one. */
int rsmka_ipc_connect(struct rsmka_share *share, const unsigned long *deadline)
{
	struct rsmka_path *path = share->path;
	struct rsmka_request *request = NULL;
	bool over = false;
	bool granted;
	long left;
	int ret;

	left = wait_turn_interruptible_timeout(path->wait,
					       (request = rsmka_request_take(share, &over)) || over,
					       rsmka_patience(deadline));
	ret = rsmka_wait_over(left);
	if (!request) {
		/* The session has ended for the next one, too, or it is his turn. */
		wake_up(&path->wait);
		return ret ? ret : -ECONNABORTED;
	}
	ret = rsmka_request_ask(share, request, deadline);
	if (!ret)
		ret = rsmka_reply_parse(&request->reply, &share->grant);
	/* We may have been granted it and not know, or not want it. */
	granted = !request->answered || request->reply.status == 0;
	rsmka_request_give(path, request);
	if (ret && granted)
		rsmka_ipc_queue(path, RSMKA_MSG_NOTIMPORTING, share->segment_id, 0, share->cookie);
	return ret;
}

/* ---- life of a path's queues ---- */

void rsmka_ipc_init(struct rsmka_path *path)
{
	unsigned int i;

	INIT_LIST_HEAD(&path->outbox);
	INIT_LIST_HEAD(&path->answers);
	for (i = 0; i < RSMKA_REQUESTS; i++) {
		path->answer[i].answer = true;
		list_add(&path->answer[i].list, &path->answers);
	}
	INIT_WORK(&path->outbox_work, rsmka_outbox_work);
}

/* A session ends.  What was queued goes to @forgotten; who waits sees that. */
void rsmka_ipc_reset_locked(struct rsmka_path *path, struct list_head *forgotten)
{
	struct rsmka_request *request;

	lockdep_assert_held(&path->lock);
	list_splice_init(&path->outbox, forgotten);
	for (request = path->request; request < path->request + RSMKA_REQUESTS; request++)
		if (request->share)
			wake_up(&request->share->asked);
	wake_up(&path->wait);
}

void rsmka_ipc_forget(struct rsmka_path *path, struct list_head *forgotten)
{
	struct rsmka_outgoing *out, *next;

	list_for_each_entry_safe(out, next, forgotten, list) {
		list_del(&out->list);
		spin_lock_irq(&path->lock);
		rsmka_outgoing_release_locked(path, out);
		spin_unlock_irq(&path->lock);
		cond_resched();
	}
}
