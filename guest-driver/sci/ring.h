/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The send queue between two adapter drivers: one page in the receiver's
 * memory.  SCI page n of a node is the ring into which node n writes; the
 * access row lets only n in, and the key is the owner's incarnation.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * Both drivers write to the page, so to each of them everything that the other
 * one wrote is hostile: read once, bounded, or only compared.  The order of
 * the accesses, and who is whose partner, is described in ring.c.
 */
#ifndef SCI_RING_H
#define SCI_RING_H

#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <linux/types.h>

#include "../rsm/controller.h"

#define SCI_RING_MAGIC		0x676e7253
#define SCI_RING_VERSION	2
#define SCI_RING_ENTRIES	32

struct sci_ring_entry {
	__le32 length;		/* bytes of payload */
	__le32 sequence;	/* producer index of this message */
	u8 payload[RSMKA_MESSAGE_MAX];
};

struct sci_ring {
	/* Written by the owner before the page is offered, then constant. */
	__le32 magic;
	__le32 version;
	__le32 owner;		/* incarnation of the owner */
	__le32 line;		/* doorbell line of the owner that is rung for this ring */
	__le32 unit;		/* number in the name of the owner's adapter */
	u8 reserved0[44];

	/* Written by the owner. */
	__le32 consumer;	/* index of the next message it takes */
	__le32 bell;		/* ring my doorbell when producer leaves this value */
	u8 reserved1[56];

	/* Written by the writer. */
	__le32 producer;	/* index of the next message it puts */
	__le32 wake;		/* ring my doorbell when consumer leaves this value */
	u8 reserved2[56];

	/* Written by the writer. */
	__le64 hello;		/* see SCI_HELLO_*; 0 = none, or being changed */
	__le32 writer;		/* incarnation of the writer */
	u8 reserved3[52];

	struct sci_ring_entry entry[SCI_RING_ENTRIES];
};

/*
 * A session is a pair of numbers, one chosen by each side.  A side writes
 * its own and the one that it last saw of the peer; the session stands when
 * both have seen the other's.
 */
#define SCI_HELLO_OWN		0x00000000ffffffffull
#define SCI_HELLO_PEER		0xffffffff00000000ull
#define SCI_HELLO_BYE		0xffffffffu	/* as OWN: I do not talk to you any more */

static_assert(sizeof(struct sci_ring_entry) == 96);
static_assert(offsetof(struct sci_ring, consumer) == 64);
static_assert(offsetof(struct sci_ring, producer) == 128);
static_assert(offsetof(struct sci_ring, hello) == 192);
static_assert(offsetof(struct sci_ring, entry) == 256);
static_assert(sizeof(struct sci_ring) <= 4096);

#endif /* SCI_RING_H */
