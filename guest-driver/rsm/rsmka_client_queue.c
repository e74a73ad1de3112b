// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queues of large messages between clients of the kernel (rsm_client_queue.h): a ring
 * of bytes in the memory of who takes.  Uses nothing but what rsm_client.h offers.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * The other end may write anything anywhere at any time.  So a position of its is read once,
 * and must leave between nothing and the whole ring; a length is read once, and must lie within
 * that.
 */
#include <linux/align.h>
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <asm/barrier.h>

#include "../include/rsm/rsm_client_queue.h"

#define RSMKA_RING_MAX	(1u << 31)

static_assert(sizeof(struct rsm_client_ring) == 128);

/* Bytes of the ring that a message takes. */
static u32 rsmka_queue_record(u32 length)
{
	return ALIGN(length + (u32)sizeof(__le32), RSM_CLIENT_RING_ALIGN);
}

/* Both ends come to the same result by the length of the segment. */
static int rsmka_queue_init(struct rsm_client_queue *queue, void *memory, u64 length)
{
	u64 size;

	if (length < 2 * sizeof(*queue->ring))
		return -EINVAL;
	size = min_t(u64, rounddown_pow_of_two(length - 1), RSMKA_RING_MAX);
	if (length - size < sizeof(*queue->ring))
		return -EINVAL;
	*queue = (struct rsm_client_queue){
		.ring = memory,
		.bytes = memory + (length - size),
		.size = size,
	};
	return 0;
}

int rsm_client_queue_sink(struct rsm_client_queue *queue, struct rsm_client_export *export,
			  void *memory, size_t length)
{
	int ret = rsmka_queue_init(queue, memory, length);

	queue->export = export;
	return ret;
}
EXPORT_SYMBOL_GPL(rsm_client_queue_sink);

/* Bytes between two positions, of which the other end has written one. */
static int rsmka_queue_used(const struct rsm_client_queue *queue, u32 producer, u32 consumer,
			    u32 *used)
{
	*used = producer - consumer;
	return *used > queue->size || *used % RSM_CLIENT_RING_ALIGN ? -EPROTO : 0;
}

int rsm_client_queue_source(struct rsm_client_queue *queue, struct rsm_client_import *import,
			    void *memory)
{
	u32 used;

	if (rsmka_queue_init(queue, memory, rsm_client_import_length(import)))
		return -EPROTO;
	queue->import = import;
	queue->position = le32_to_cpu(READ_ONCE(queue->ring->producer));
	if (queue->position % RSM_CLIENT_RING_ALIGN ||
	    rsmka_queue_used(queue, queue->position,
			     le32_to_cpu(READ_ONCE(queue->ring->consumer)), &used))
		return -EPROTO;
	return rsm_client_post(import);
}
EXPORT_SYMBOL_GPL(rsm_client_queue_source);

/* ---- putting ---- */

static void rsmka_queue_copy_in(struct rsm_client_queue *queue, u32 position, const void *data,
				u32 length)
{
	u32 start = position & (queue->size - 1);
	u32 first = min(length, queue->size - start);

	memcpy(queue->bytes + start, data, first);
	memcpy(queue->bytes, data + first, length - first);
}

/* 0: there is room.  -EAGAIN: the sink posts an event when it has taken something. */
static int rsmka_queue_room(struct rsm_client_queue *queue, u32 record)
{
	struct rsm_client_ring *ring = queue->ring;
	u32 consumer, used, before = U32_MAX;
	bool told = false;
	int ret;

	for (;;) {
		/* Partner: rsmka_queue_free(). */
		consumer = le32_to_cpu(virt_load_acquire(&ring->consumer));
		ret = rsmka_queue_used(queue, queue->position, consumer, &used);
		if (ret)
			return ret;
		if (queue->size - used >= record)
			return 0;
		if (told && used == before)
			return -EAGAIN;
		/* It only takes, so this comes to an end whatever it writes. */
		if (used > before)
			return -EPROTO;
		before = used;
		told = true;
		WRITE_ONCE(ring->wake, cpu_to_le32(consumer));
		/* Partner: rsmka_queue_free(). */
		virt_mb();
		cond_resched();
	}
}

int rsm_client_queue_put(struct rsm_client_queue *queue, const void *data, u32 length)
{
	struct rsm_client_ring *ring = queue->ring;
	u32 position = queue->position;
	__le32 head = cpu_to_le32(length);
	u32 record;
	int ret;

	if (length > queue->size - RSM_CLIENT_RING_ALIGN)
		return -EMSGSIZE;
	record = rsmka_queue_record(length);
	ret = rsmka_queue_room(queue, record);
	if (ret)
		return ret;
	rsmka_queue_copy_in(queue, position, &head, sizeof(head));
	rsmka_queue_copy_in(queue, position + sizeof(head), data, length);
	queue->position = position + record;
	/* Partner: rsmka_queue_available(). */
	virt_store_release(&ring->producer, cpu_to_le32(queue->position));
	/* Partner: rsmka_queue_available(). */
	virt_mb();
	return le32_to_cpu(READ_ONCE(ring->bell)) == position ? rsm_client_post(queue->import) : 0;
}
EXPORT_SYMBOL_GPL(rsm_client_queue_put);

/* ---- taking ---- */

static void rsmka_queue_copy_out(const struct rsm_client_queue *queue, u32 position, void *data,
				 u32 length)
{
	u32 start = position & (queue->size - 1);
	u32 first = min(length, queue->size - start);

	memcpy(data, queue->bytes + start, first);
	memcpy(data + first, queue->bytes, length - first);
}

/* Bytes that can be taken.  -EAGAIN: the source posts an event when it has put something. */
static int rsmka_queue_available(struct rsm_client_queue *queue, u32 *available)
{
	struct rsm_client_ring *ring = queue->ring;
	u32 producer;

	/* Partner: rsm_client_queue_put(). */
	producer = le32_to_cpu(virt_load_acquire(&ring->producer));
	if (producer == queue->position) {
		WRITE_ONCE(ring->bell, cpu_to_le32(producer));
		/* Partner: rsm_client_queue_put(). */
		virt_mb();
		/* Partner: rsm_client_queue_put(). */
		producer = le32_to_cpu(virt_load_acquire(&ring->producer));
		if (producer == queue->position)
			return -EAGAIN;
	}
	return rsmka_queue_used(queue, producer, queue->position, available);
}

static void rsmka_queue_free(struct rsm_client_queue *queue, u32 record)
{
	struct rsm_client_ring *ring = queue->ring;
	u32 position = queue->position;

	queue->position += record;
	/* What was copied, then the position.  Partner: rsmka_queue_room(). */
	virt_store_release(&ring->consumer, cpu_to_le32(queue->position));
	/* Partner: rsmka_queue_room(). */
	virt_mb();
	if (le32_to_cpu(READ_ONCE(ring->wake)) - position < record)
		rsm_client_export_post(queue->export);
}

int rsm_client_queue_take(struct rsm_client_queue *queue, void *data, u32 room)
{
	u32 available, length;
	__le32 head;
	int ret;

	ret = rsmka_queue_available(queue, &available);
	if (ret)
		return ret;
	rsmka_queue_copy_out(queue, queue->position, &head, sizeof(head));
	length = le32_to_cpu(head);
	/* At least RSM_CLIENT_RING_ALIGN bytes are there. */
	if (length > available - sizeof(head))
		return -EPROTO;
	if (length <= room)
		rsmka_queue_copy_out(queue, queue->position + sizeof(head), data, length);
	rsmka_queue_free(queue, rsmka_queue_record(length));
	return length <= room ? length : -EMSGSIZE;
}
EXPORT_SYMBOL_GPL(rsm_client_queue_take);
