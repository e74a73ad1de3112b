/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * rsm_client_test.ko: nodes that have it exchange messages of 1 byte to 64 KiB, to show what
 * clients of the kernel can do, and to test it.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#ifndef CLIENT_H
#define CLIENT_H

#include <linux/atomic.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include "../include/rsm/rsm_client.h"
#include "../include/rsm/rsm_client_queue.h"

#define CLIENT_NODES		256
#define CLIENT_MESSAGE_MAX	65536

/* What has become of the peer, set by callbacks. */
#define CLIENT_UP	0	/* there is a path */
#define CLIENT_ENDED	1	/* the connection to its sink has ended */
#define CLIENT_GONE	2	/* nothing more is to be done, but to let go of all */

/*
 * A node that was up once.  All of it but the bits and `left` belongs to who holds
 * the lock: the work, or who ends it; others read the counts.
 */
struct client_peer {
	struct rsmka_controller *controller;
	u32 node;
	unsigned long bits;		/* CLIENT_*, atomic */
	struct mutex lock;
	struct delayed_work work;	/* something has happened, or is to be tried again */
	atomic64_t left;		/* messages that are to be sent */

	struct rsm_client_export *export;	/* our sink: what the peer sends */
	void *memory;
	struct rsm_client_queue sink;
	bool broken;			/* the peer has written nonsense there */
	struct rsm_client_import *import;	/* the peer's sink */
	bool mapped;
	struct rsm_client_queue source;
	u8 *buffer;			/* one message */

	u64 sent;
	u64 sent_bytes;
	u64 received;
	u64 received_bytes;
	u64 bad;			/* of those received: with a wrong checksum, or none */
	u64 connects;
	u64 ends;			/* of connections, not by us */
};

extern struct workqueue_struct *client_workqueue;

int client_pattern_init(void);
void client_pattern_free(void);
struct client_peer *client_peer_new(struct rsmka_controller *controller, u32 node);
void client_peer_tell(struct client_peer *peer);
void client_peer_free(struct client_peer *peer);

#endif /* CLIENT_H */
