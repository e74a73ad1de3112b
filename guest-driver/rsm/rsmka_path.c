// SPDX-License-Identifier: GPL-2.0-only
/*
 * Paths: the state of each node as each controller reaches it.  The adapter
 * says up and down; between up and active the agents shake hands, so that each
 * knows the other's session.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <linux/random.h>
#include <linux/slab.h>

#include "rsmka_path.h"

#define RSMKA_HANDSHAKE_REPEAT	(1 * HZ)

static atomic_t rsmka_last_session;

static u32 rsmka_new_session(void)
{
	u32 session;

	/* Starts anywhere, so that a reloaded agent is another one. */
	if (atomic_read(&rsmka_last_session) == 0)
		atomic_cmpxchg(&rsmka_last_session, 0, get_random_u32());
	do {
		session = atomic_inc_return(&rsmka_last_session);
	} while (session == 0);
	return session;
}

struct rsmka_path *rsmka_path_find(struct rsmka_controller *controller, u32 node)
{
	/* Pairs with rsmka_path_obtain(). */
	return node < RSMKA_NODES ? smp_load_acquire(&controller->paths[node]) : NULL;
}

/* Is the path usable, and as of when? */
bool rsmka_path_active(struct rsmka_path *path, u32 *epoch, u32 *incarnation)
{
	bool active;

	spin_lock(&path->lock);
	active = path->state == RSM_PATH_ACTIVE;
	*epoch = path->epoch;
	*incarnation = path->incarnation;
	spin_unlock(&path->lock);
	return active;
}

bool rsmka_path_current(struct rsmka_path *path, u32 epoch)
{
	bool current_epoch;

	spin_lock(&path->lock);
	current_epoch = path->epoch == epoch;
	spin_unlock(&path->lock);
	return current_epoch;
}

/* ---- handshake ---- */

static void rsmka_path_activate_locked(struct rsmka_path *path)
{
	lockdep_assert_held(&path->lock);
	if (path->state != RSM_PATH_UP)
		return;
	path->state = RSM_PATH_ACTIVE;
	rsmka_count(&path->counters, RSM_COUNT_SESSIONS);
	path->credits = RSMKA_CREDITS;
	wake_up_all(&path->wait);
}

static int rsmka_path_send_ready(struct rsmka_path *path, u8 type, u32 session, u32 peer_session,
				 u32 incarnation)
{
	struct rsmka_msg_ready msg = {
		.unit = cpu_to_le32(path->controller->unit),
		.hwaddr = cpu_to_le64(path->controller->hwaddr),
	};

	rsmka_ipc_header(path, &msg.header, type, session, peer_session);
	return rsmka_ipc_transmit(path, incarnation, &msg, sizeof(msg), false);
}

/*
 * Answers the peer's READY, says our own until the path is active.  Our READY
 * may be lost if the peer's agent is not there yet; its own one will not be.
 */
static void rsmka_path_handshake(struct work_struct *work)
{
	struct rsmka_path *path = container_of(to_delayed_work(work), struct rsmka_path,
					       handshake);
	u32 session, peer_session, incarnation, epoch;
	bool ack, ready;
	int ret = 0;

	spin_lock(&path->lock);
	epoch = path->epoch;
	session = path->session;
	peer_session = path->peer_session;
	incarnation = path->incarnation;
	ack = path->ack_due;
	ready = path->state == RSM_PATH_UP;
	path->ack_due = false;
	spin_unlock(&path->lock);
	if (session == 0)
		return;

	if (ack)
		ret = rsmka_path_send_ready(path, RSMKA_MSG_READY_ACK, session, peer_session,
					    incarnation);
	else if (ready)
		ret = rsmka_path_send_ready(path, RSMKA_MSG_READY, session, 0, incarnation);

	spin_lock(&path->lock);
	if (path->epoch == epoch) {
		/* Whatever we send from now on, the peer reads after the ACK. */
		if (ack && !ret && path->peer_session == peer_session)
			rsmka_path_activate_locked(path);
		if (path->state == RSM_PATH_UP)
			queue_delayed_work(rsmka_workqueue, &path->handshake,
					   RSMKA_HANDSHAKE_REPEAT);
	}
	spin_unlock(&path->lock);
}

/*
 * What was agreed with the peer is void: its imports here, our imports there.
 * @state is what the path is from now on.  Once the controller goes, a path
 * stays down.
 */
static void rsmka_path_reset(struct rsmka_path *path, u32 state, u32 session, u32 incarnation,
			     u32 peer_session)
{
	bool agreed;

	spin_lock(&path->lock);
	if (state != RSM_PATH_DOWN && READ_ONCE(path->controller->gone)) {
		spin_unlock(&path->lock);
		return;
	}
	agreed = path->state == RSM_PATH_ACTIVE;
	path->state = state == RSM_PATH_DOWN ? RSM_PATH_GOING_DOWN : state;
	path->epoch++;
	path->session = session;
	path->incarnation = incarnation;
	path->peer_session = peer_session;
	path->ack_due = false;
	rsmka_ipc_reset_locked(path);
	spin_unlock(&path->lock);
	wake_up_all(&path->wait);

	if (agreed) {
		rsmka_shares_node_lost(path->controller, path->node);
		rsmka_published_node_lost(path->controller, path->node);
	}

	spin_lock(&path->lock);
	if (path->state == RSM_PATH_GOING_DOWN)
		path->state = RSM_PATH_DOWN;
	spin_unlock(&path->lock);
}

/* READY: the peer has started a session. */
void rsmka_path_ready(struct rsmka_path *path, const struct rsmka_msg_ready *msg)
{
	u32 peer_session = le32_to_cpu(msg->header.session);
	u32 session, incarnation;
	bool restarted;

	if (peer_session == 0)
		return;
	spin_lock(&path->lock);
	session = path->session;
	incarnation = path->incarnation;
	restarted = path->peer_session && path->peer_session != peer_session;
	spin_unlock(&path->lock);
	if (session == 0)
		return;
	/* Our session goes on: else two ends could restart each other for ever. */
	if (restarted)
		rsmka_path_reset(path, RSM_PATH_UP, session, incarnation, peer_session);

	spin_lock(&path->lock);
	if (path->session == session) {
		path->peer_session = peer_session;
		path->remote_unit = le32_to_cpu(msg->unit);
		path->remote_hwaddr = le64_to_cpu(msg->hwaddr);
		path->remote_known = true;
		path->ack_due = true;
		mod_delayed_work(rsmka_workqueue, &path->handshake, 0);
	}
	spin_unlock(&path->lock);
}

/* READY_ACK: the peer knows our session. */
void rsmka_path_ready_ack(struct rsmka_path *path, const struct rsmka_msg_ready *msg)
{
	u32 peer_session = le32_to_cpu(msg->header.session);

	spin_lock(&path->lock);
	if (path->session && le32_to_cpu(msg->header.peer_session) == path->session &&
	    peer_session && (path->peer_session == 0 || path->peer_session == peer_session)) {
		path->peer_session = peer_session;
		path->remote_unit = le32_to_cpu(msg->unit);
		path->remote_hwaddr = le64_to_cpu(msg->hwaddr);
		path->remote_known = true;
		rsmka_path_activate_locked(path);
	}
	spin_unlock(&path->lock);
}

/*
 * Does a message belong to the present sessions?  If so the peer knows both,
 * even if our own thread that acknowledged its READY has not noted it yet.
 */
bool rsmka_path_admit(struct rsmka_path *path, const struct rsmka_msg_header *header, u32 *epoch)
{
	bool admitted;

	spin_lock(&path->lock);
	admitted = path->session && path->peer_session &&
		   le32_to_cpu(header->session) == path->peer_session &&
		   le32_to_cpu(header->peer_session) == path->session;
	if (admitted)
		rsmka_path_activate_locked(path);
	*epoch = path->epoch;
	spin_unlock(&path->lock);
	return admitted;
}

/* ---- what the adapter says ---- */

static struct rsmka_path *rsmka_path_obtain(struct rsmka_controller *controller, u32 node)
{
	struct rsmka_path *path;

	mutex_lock(&controller->paths_lock);
	path = controller->paths[node];
	if (!path) {
		path = kzalloc(sizeof(*path), GFP_KERNEL);
		if (path) {
			path->controller = controller;
			path->node = node;
			path->state = RSM_PATH_DOWN;
			spin_lock_init(&path->lock);
			init_waitqueue_head(&path->wait);
			INIT_DELAYED_WORK(&path->handshake, rsmka_path_handshake);
			rsmka_ipc_init(path);
			/* Pairs with rsmka_path_find(). */
			smp_store_release(&controller->paths[node], path);
		}
	}
	mutex_unlock(&controller->paths_lock);
	return path;
}

int rsmka_peer_up(struct rsmka_controller *controller, u32 node, u32 incarnation)
{
	struct rsmka_path *path;

	if (node == 0 || node >= RSMKA_NODES || node == rsmka_local_node())
		return 0;
	path = rsmka_path_obtain(controller, node);
	if (!path)
		return -ENOMEM;
	rsmka_path_reset(path, RSM_PATH_UP, rsmka_new_session(), incarnation, 0);
	spin_lock(&path->lock);
	if (path->session)
		mod_delayed_work(rsmka_workqueue, &path->handshake, 0);
	spin_unlock(&path->lock);
	return 0;
}
EXPORT_SYMBOL_GPL(rsmka_peer_up);

void rsmka_peer_down(struct rsmka_controller *controller, u32 node)
{
	struct rsmka_path *path = rsmka_path_find(controller, node);

	if (path)
		rsmka_path_reset(path, RSM_PATH_DOWN, 0, 0, 0);
}
EXPORT_SYMBOL_GPL(rsmka_peer_down);

/* The controller goes; the path is down. */
void rsmka_path_stop(struct rsmka_path *path)
{
	cancel_delayed_work_sync(&path->handshake);
	rsmka_ipc_stop(path);
}

void rsmka_path_free(struct rsmka_path *path)
{
	kfree(path);
}
