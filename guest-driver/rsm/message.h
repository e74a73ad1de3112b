/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Messages between the kernel agents of two nodes.  Little-endian, naturally
 * aligned, each type of one fixed size, at most RSMKA_MESSAGE_MAX.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * The adapters carry them in order and lose none, from the beginning of a session to its
 * end; nothing of one session is received in another.
 */
#ifndef RSMKA_MESSAGE_H
#define RSMKA_MESSAGE_H

#include <linux/build_bug.h>
#include <linux/types.h>

#include "controller.h"

#define RSMKA_MESSAGE_VERSION	2

#define RSMKA_MSG_CONNECT	0	/* importer: asks for a segment; answered by REPLY */
#define RSMKA_MSG_DISCONNECT	1	/* exporter: the segment is no longer published */
#define RSMKA_MSG_NOTIMPORTING	2	/* importer: the last import is gone */
#define RSMKA_MSG_REPLY		3	/* exporter */
#define RSMKA_MSG_BELL		4	/* either: one event */
#define RSMKA_MSG_REPUBLISH	5	/* exporter: what later connections of the node get */
#define RSMKA_MSG_TYPES		6

#define RSMKA_REQUESTS		10	/* CONNECT of a node that are not answered yet */

struct rsmka_msg_header {
	__u8 version;
	__u8 type;
	__le16 reserved;	/* 0 */
	__le32 segment_id;
};

struct rsmka_msg_connect {
	struct rsmka_msg_header header;
	__le32 request;		/* the reply repeats it */
	__le32 reserved;	/* 0 */
	__le64 cookie;		/* of the importer's share */
};

struct rsmka_msg_reply {
	struct rsmka_msg_header header;
	__le32 request;
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
	__le32 flags;		/* BELL: RSM_POST_*; REPUBLISH: mode, RSMKA_LISTED; otherwise 0 */
	__le32 reserved;	/* 0 */
	__le64 cookie;		/* of the importer's share; BELL to an exporter: 0 */
};

/* The access list names the node, or is empty. */
#define RSMKA_LISTED		0x1000u

static_assert(sizeof(struct rsmka_msg_header) == 8);
static_assert(sizeof(struct rsmka_msg_connect) == 24);
static_assert(sizeof(struct rsmka_msg_reply) == 56);
static_assert(sizeof(struct rsmka_msg_segment) == 24);
static_assert(sizeof(struct rsmka_msg_reply) <= RSMKA_MESSAGE_MAX);

#endif /* RSMKA_MESSAGE_H */
