/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Controllers and their paths to other nodes: what registers with the agent,
 * and how agents talk to each other.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#ifndef RSMKA_PATH_H
#define RSMKA_PATH_H

#include <linux/jiffies.h>
#include <linux/minmax.h>

#include "message.h"
#include "rsmka_segment.h"

/* What happened, by RSM_COUNT_*; never reset. */
struct rsmka_counters {
	atomic64_t count[RSM_COUNTS];
};

static inline void rsmka_count(struct rsmka_counters *counters, unsigned int what)
{
	atomic64_inc(&counters->count[what]);
}

/* ---- controllers (rsmka_controller.c, rsmka_loopback.c) ---- */

#define RSMKA_TYPE_MAX		16	/* with NUL; leaves room for a unit */

struct rsmka_controller {
	struct list_head list;		/* in rsmka_controllers; its lock */
	struct kref ref;
	char name[RSM_CONTROLLER_NAME];	/* type and unit */
	char type[RSMKA_TYPE_MAX];
	u32 unit;
	u32 node;			/* of this machine */
	u64 hwaddr;
	struct rsmka_attr attr;
	const struct rsmka_controller_ops *ops;
	void *adapter;

	/*
	 * Counts running ops and what the adapter holds for us (published
	 * segments, mapped segments), plus one until unregistration.
	 */
	refcount_t active;
	struct completion idle;

	struct mutex lock;		/* gone, exports, ends */
	bool gone;			/* read without the lock to refuse early */
	struct list_head exports;	/* published over this controller */
	struct list_head ends;		/* exports that wait for peers; the first one does */
	struct work_struct end_work;

	struct list_head shares;	/* of segments of this node; rsmka_shares_lock */

	struct mutex paths_lock;	/* creation of paths; entries stay until the end */
	struct rsmka_path *paths[RSMKA_NODES];
	struct rsmka_counters counters;	/* between programs of this node */

	struct mutex watchers_lock;	/* watchers, what they were told; callbacks run under it */
	struct list_head watchers;	/* clients that hear of paths */
};

extern struct list_head rsmka_controllers;	/* loopback is not among them */
extern struct mutex rsmka_controllers_lock;	/* the list, the local node id */

u32 rsmka_local_node(void);
struct rsmka_controller *rsmka_controller_find(const char *name);
void rsmka_controller_get(struct rsmka_controller *controller);
void rsmka_controller_put(struct rsmka_controller *controller);
void rsmka_controller_keep(struct rsmka_controller *controller);
void rsmka_controller_forget(struct rsmka_controller *controller);
bool rsmka_controller_enter(struct rsmka_controller *controller);
void rsmka_controller_exit(struct rsmka_controller *controller);
bool rsmka_controller_is_loopback(const struct rsmka_controller *controller);
struct rsmka_controller *rsmka_controller_alloc(const char *type, const struct rsmka_attr *attr,
						const struct rsmka_controller_ops *ops);

int rsmka_loopback_init(void);
void rsmka_loopback_exit(void);
extern struct rsmka_controller *rsmka_loopback;

/* ---- paths (rsmka_path.c: state; rsmka_ipc.c, rsmka_inbox.c: messages) ---- */

/* A CONNECT that waits for its reply, in share->asked. */
struct rsmka_request {
	struct rsmka_share *share;	/* NULL: not used */
	bool answered;
	u32 number;			/* index in the low byte, sequence number above */
	struct rsmka_msg_reply reply;
};

/* A message that nobody waits for. */
struct rsmka_outgoing {
	struct list_head list;
	u32 session;
	union {
		struct rsmka_msg_header header;
		struct rsmka_msg_segment segment;
		struct rsmka_msg_reply reply;
	} msg;
	bool answer;			/* a REPLY: one of path->answer */
};

/* One node as one controller reaches it.  Exists from its first peer_up on. */
struct rsmka_path {
	struct rsmka_controller *controller;
	u32 node;
	struct list_head shares;	/* until they have ended; rsmka_shares_lock */
	struct list_head tokens;	/* in rsmka_published.c, with a lock there */

	/*
	 * Of the adapter, 0 while there is none.  Changes under the lock; who reads it without
	 * learns from the adapter if it is over.
	 */
	u32 session;

	spinlock_t lock;		/* interrupts off; all below but the work */
	u32 state;			/* RSM_PATH_* */
	u32 remote_unit;
	u64 remote_hwaddr;

	wait_queue_head_t wait;		/* in turn: a free request, or the session's end */
	struct rsmka_request request[RSMKA_REQUESTS];
	u32 sequence;			/* of request numbers */

	struct list_head outbox;
	unsigned int outbox_count;
	struct rsmka_outgoing answer[RSMKA_REQUESTS];	/* so that no REPLY fails for memory */
	struct list_head answers;			/* of them, those that are free */
	struct rsmka_look_time look_time;		/* for replies */

	struct rsmka_counters counters;	/* without the lock */
	struct work_struct outbox_work;
};

extern struct workqueue_struct *rsmka_workqueue;

/* The present session of a path, 0 if it is not usable. */
static inline u32 rsmka_path_session(const struct rsmka_path *path)
{
	return READ_ONCE(path->session);
}

struct rsmka_path *rsmka_path_find(struct rsmka_controller *controller, u32 node);
u32 rsmka_path_state(struct rsmka_path *path);
void rsmka_path_stop(struct rsmka_path *path);
void rsmka_path_free(struct rsmka_path *path);

/* How long one may wait until a deadline; NULL: as long as it takes. */
static inline long rsmka_patience(const unsigned long *deadline)
{
	return deadline ? max((long)(*deadline - jiffies), 0L) : MAX_SCHEDULE_TIMEOUT;
}

void rsmka_ipc_init(struct rsmka_path *path);
void rsmka_ipc_reset_locked(struct rsmka_path *path, struct list_head *forgotten);
void rsmka_ipc_forget(struct rsmka_path *path, struct list_head *forgotten);
int rsmka_ipc_send(struct rsmka_path *path, u32 session, void *msg, u8 type, size_t size,
		   long patience);
void rsmka_ipc_answer(struct rsmka_path *path, u32 session, struct rsmka_msg_reply *reply);
int rsmka_ipc_connect(struct rsmka_share *share, const unsigned long *deadline);
int rsmka_ipc_bell(struct rsmka_path *path, u32 segment_id, u64 cookie, u32 post_flags,
		   long patience);
bool rsmka_ipc_queue(struct rsmka_path *path, u8 type, u32 segment_id, u32 flags, u64 cookie);

/* ---- looking for messages before sleeping (rsmka_look.c) ---- */

extern unsigned int rsmka_busy_poll;

bool rsmka_look(struct rsmka_controller *controller, const unsigned long *nodes,
		struct rsmka_look_time *time, bool (*done)(const void *), const void *what);
bool rsmka_look_for_event(struct rsmka_segment *seg);

/* Those of a share's connection. */
static inline struct rsmka_counters *rsmka_share_counters(const struct rsmka_share *share)
{
	return share->path ? &share->path->counters : &share->controller->counters;
}

/* ---- clients that hear of paths (rsmka_client_path.c) ---- */

void rsmka_watchers_tell(struct rsmka_path *path);
void rsmka_watchers_gone(struct rsmka_controller *controller);

/* ---- for people who look for a fault (rsmka_debugfs.c) ---- */

void rsmka_debugfs_init(void);
void rsmka_debugfs_exit(void);

#endif /* RSMKA_PATH_H */
