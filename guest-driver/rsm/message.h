/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Messages between the kernel agents of two nodes.  Little-endian, naturally
 * aligned, each type of one fixed size, at most RSMKA_MESSAGE_MAX.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * A path carries them in order.  Each end of a path numbers its activations
 * (session).  A message names both ends' sessions, so that nothing that was on
 * its way when a path went down is taken for a message of the next session.
 */
#ifndef RSMKA_MESSAGE_H
#define RSMKA_MESSAGE_H

#include <linux/build_bug.h>
#include <linux/types.h>

#include "controller.h"

#define RSMKA_MESSAGE_VERSION	1

/* C: spends a credit; the receiver queues it and handles it in order. */
#define RSMKA_MSG_CONNECT	0	/* C  importer: asks for a segment; answered by REPLY */
#define RSMKA_MSG_DISCONNECT	1	/* C  exporter: the segment is no longer published */
#define RSMKA_MSG_NOTIMPORTING	2	/* C  importer: the last import is gone */
#define RSMKA_MSG_REPLY		3	/*    exporter */
#define RSMKA_MSG_BELL		4	/*    either: one event */
#define RSMKA_MSG_READY		5	/*    either: starts the session of the sender */
#define RSMKA_MSG_READY_ACK	6	/*    either: answers READY, the path is active */
#define RSMKA_MSG_CREDIT	7	/*    returns credits to the sender of C messages */
#define RSMKA_MSG_REPUBLISH	8	/*    exporter: what later connections of the node get */
#define RSMKA_MSG_TYPES		9

#define RSMKA_CREDITS		64	/* C messages on their way, and room for them */
#define RSMKA_CREDITS_RETURNED	16	/* in one CREDIT */

struct rsmka_msg_header {
	__u8 version;
	__u8 type;
	__le16 reserved;	/* 0 */
	__le32 source;		/* node id of the sender */
	__le32 session;		/* of the sender */
	__le32 peer_session;	/* of the receiver; 0 in READY */
};

struct rsmka_msg_connect {
	struct rsmka_msg_header header;
	__le32 slot;		/* the reply repeats it */
	__le32 key;
	__le64 cookie;		/* of the importer's share */
};

struct rsmka_msg_reply {
	struct rsmka_msg_header header;
	__le32 slot;
	__le32 status;		/* RSMERR_*; what follows is valid if it is 0 */
	__le64 length;
	__le64 offset;		/* struct rsmka_address */
	__le32 address_key;
	__le32 mode;		/* owner, group, other digit for the importing node */
	__le32 uid;		/* of the exporting process */
	__le32 gid;
	__u8 big_endian;	/* byte order of the exporting node */
	__u8 reserved[7];	/* 0 */
};

/* DISCONNECT, NOTIMPORTING, BELL, REPUBLISH */
struct rsmka_msg_segment {
	struct rsmka_msg_header header;
	__le32 key;
	__le32 flags;		/* BELL: RSM_POST_*; REPUBLISH: mode, RSMKA_LISTED; otherwise 0 */
	__le64 cookie;		/* of the importer's share; BELL to an exporter: 0 */
};

/* The access list names the node, or is empty. */
#define RSMKA_LISTED		0x1000u

/* READY, READY_ACK */
struct rsmka_msg_ready {
	struct rsmka_msg_header header;
	__le32 unit;		/* number in the sender's controller name */
	__le32 reserved;	/* 0 */
	__le64 hwaddr;		/* of the sender's controller */
};

struct rsmka_msg_credit {
	struct rsmka_msg_header header;
	__le32 count;
	__le32 reserved;	/* 0 */
};

static_assert(sizeof(struct rsmka_msg_header) == 16);
static_assert(sizeof(struct rsmka_msg_connect) == 32);
static_assert(sizeof(struct rsmka_msg_reply) == 64);
static_assert(sizeof(struct rsmka_msg_segment) == 32);
static_assert(sizeof(struct rsmka_msg_ready) == 32);
static_assert(sizeof(struct rsmka_msg_credit) == 24);
static_assert(sizeof(struct rsmka_msg_reply) <= RSMKA_MESSAGE_MAX);

#endif /* RSMKA_MESSAGE_H */
