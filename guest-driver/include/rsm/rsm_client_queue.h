/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Queues of messages that are larger than those of the agents: a ring of bytes in an exported
 * segment, from which its exporter takes what one importer puts.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * The exporter is the sink, the importer the source.  Each tells the other by an event that
 * there is something to take, or room to put, and only if the other waits for that.
 * Neither believes the other: positions and lengths are bounded, and messages are copied.
 *
 * One thread at a time puts, one takes.  Neither waits for the other end.
 */
#ifndef RSM_CLIENT_QUEUE_H
#define RSM_CLIENT_QUEUE_H

#include <linux/types.h>

#include "rsm_client.h"

/*
 * The start of the segment.  The ring is at its end: as many bytes as the largest
 * power of two that is smaller than the segment.  Positions count bytes, modulo
 * 2^32; a message is its length, a __le32, and its bytes, filled up to a multiple of 8.
 */
struct rsm_client_ring {
	__le32 producer;	/* by the source: what lies before it can be taken */
	__le32 wake;		/* likewise: at this value of consumer it found no room */
	__le32 reserved[14];
	__le32 consumer;	/* by the sink: what lies before it is free again */
	__le32 bell;		/* likewise: at this value of producer it found nothing */
	__le32 reserved2[14];
};

#define RSM_CLIENT_RING_ALIGN	8

/**
 * struct rsm_client_queue - one end of a queue
 *
 * Embedded by the client, and set by rsm_client_queue_sink() or rsm_client_queue_source().
 */
struct rsm_client_queue {
	struct rsm_client_ring *ring;
	u8 *bytes;
	u32 size;		/* of @bytes: a power of two */
	u32 position;		/* ours, which we do not read back */
	struct rsm_client_export *export;	/* the sink's */
	struct rsm_client_import *import;	/* the source's */
};

/**
 * rsm_client_queue_sink - the end that takes
 * @queue: the queue
 * @export: the segment; not published yet
 * @memory: of the segment, zero
 * @length: of @memory
 *
 * Its @event callback says that there is something to take, if there was nothing before.
 *
 * Return: 0, or -EINVAL.
 */
int rsm_client_queue_sink(struct rsm_client_queue *queue, struct rsm_client_export *export,
			  void *memory, size_t length);

/**
 * rsm_client_queue_source - the end that puts
 * @queue: the queue
 * @import: the segment, connected to read and write
 * @memory: where rsm_client_map() has mapped it
 *
 * Goes on where the last source has left, and wakes the sink, which that may have had no time
 * to do.  Its @event callback says that there is room again, if there was none before.
 *
 * Return: 0; -EPROTO the segment is no queue; what rsm_client_post() fails with.
 */
int rsm_client_queue_source(struct rsm_client_queue *queue, struct rsm_client_import *import,
			    void *memory);

/**
 * rsm_client_queue_put - put a message
 * @queue: a source
 * @data: of the message
 * @length: bytes, maybe 0
 *
 * Return: 0; -EAGAIN no room, @event is called when there is some; -EMSGSIZE larger than the ring
 * can hold; -EPROTO the sink writes nonsense; what rsm_client_post() fails with: nobody may ever
 * take the message.
 */
int rsm_client_queue_put(struct rsm_client_queue *queue, const void *data, u32 length);

/**
 * rsm_client_queue_take - take a message
 * @queue: a sink
 * @data: where to copy it
 * @room: bytes that fit there
 *
 * Return: its length; -EAGAIN there is none, @event is called when there is one; -EMSGSIZE it did
 * not fit and is lost; -EPROTO the source writes nonsense, the queue is of no use any more.
 */
int rsm_client_queue_take(struct rsm_client_queue *queue, void *data, u32 room);

#endif /* RSM_CLIENT_QUEUE_H */
