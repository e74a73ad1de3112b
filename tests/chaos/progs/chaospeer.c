// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The importing half of a worker of rsmchaos: one connection to another
 * worker's segment, made again whenever it ends.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <string.h>

#include "chaos.h"

#define RETRY_MS	20
#define STALL_MS	60000	/* until a living exporter acknowledges */

static volatile struct chaos_slot *slot_of(struct chaos_peer *peer, unsigned int self)
{
	return (volatile void *)(peer->mapping + self * CHAOS_PAGE);
}

void chaos_must(int ret, const char *what)
{
	if (ret)
		chaos_note(&counts->odd, "%s gives %d", what, ret);
}

void chaos_peer_drop(struct chaos_peer *peer)
{
	if (!peer->import)
		return;
	if (peer->mapping) {
		chaos_must(rsm_memseg_import_destroy_barrier(&peer->barrier), "destroy_barrier");
		chaos_must(rsm_memseg_import_unmap(peer->import), "unmap");
		peer->mapping = NULL;
	}
	chaos_must(rsm_memseg_import_disconnect(peer->import), "disconnect");
	peer->import = NULL;
	peer->sent_ms = 0;
	peer->retry_ms = chaos_now_ms() + RETRY_MS;
}

static void ended(struct chaos_peer *peer)
{
	chaos_count(&counts->aborts);
	chaos_peer_drop(peer);
}

/*
 * What a span of accesses came to: 0 good, RSMERR_BARRIER_FAILURE to be done
 * again, RSMERR_CONN_ABORTED over.
 */
int chaos_verdict(int ret, const char *what)
{
	if (ret && ret != RSMERR_BARRIER_FAILURE && ret != RSMERR_CONN_ABORTED) {
		chaos_note(&counts->odd, "%s gives %d", what, ret);
		return RSMERR_CONN_ABORTED;
	}
	return ret;
}

bool chaos_broken(int ret)
{
	return ret == RSMERR_SEG_NOT_PUBLISHED || ret == RSMERR_REMOTE_NODE_UNREACHABLE ||
	       ret == RSMERR_CONN_ABORTED ||
	       ret == RSMERR_INTERNAL_ERROR;	/* the node was never seen */
}

static void open_span(struct chaos_peer *peer)
{
	chaos_must(rsm_memseg_import_open_barrier(&peer->barrier), "open_barrier");
}

static int close_span(struct chaos_peer *peer)
{
	return chaos_verdict(rsm_memseg_import_close_barrier(&peer->barrier), "close_barrier");
}

static void connect_peer(struct chaos_peer *peer, rsmapi_controller_handle_t controller)
{
	void *mapping = NULL;
	int ret;

	ret = rsm_memseg_import_connect(controller, peer->node, chaos_id(peer->worker),
					RSM_PERM_RDWR, &peer->import);
	if (ret) {
		if (!chaos_broken(ret))
			chaos_note(&counts->odd, "connect gives %d", ret);
		peer->import = NULL;
		peer->retry_ms = chaos_now_ms() + RETRY_MS;
		return;
	}
	ret = rsm_memseg_import_map(peer->import, &mapping, RSM_MAP_NONE, RSM_PERM_RDWR, 0,
				    CHAOS_BYTES);
	if (ret) {
		if (ret != RSMERR_CONN_ABORTED)
			chaos_note(&counts->odd, "map gives %d", ret);
		chaos_peer_drop(peer);
		return;
	}
	chaos_must(rsm_memseg_import_init_barrier(peer->import, RSM_BAR_DEFAULT, &peer->barrier),
		   "init_barrier");
	peer->mapping = mapping;
	peer->posted = false;
	chaos_count(&counts->connects);
}

/* The exporter has looked at the last block, or there is none. */
static int slot_is_free(struct chaos_peer *peer, unsigned int self, bool *is)
{
	volatile struct chaos_slot *slot = slot_of(peer, self);

	open_span(peer);
	*is = slot->ack == slot->closed && (!peer->sent_ms || slot->ack == peer->seq);
	return close_span(peer);
}

/* The exporter looks when it has an event; one that was posted must have come. */
static void post(struct chaos_peer *peer)
{
	int ret = rsm_intr_signal_post(peer->import, RSM_SIGPOST_NO_ACCUMULATE);

	if (ret && ret != RSMERR_REMOTE_NODE_UNREACHABLE && ret != RSMERR_CONN_ABORTED)
		chaos_note(&counts->odd, "post gives %d", ret);
	peer->posted = !ret;
}

static void send_block(struct chaos_peer *peer, unsigned int self, uint64_t seed)
{
	volatile struct chaos_slot *slot = slot_of(peer, self);
	uint64_t seq = peer->seq + 1;
	uint64_t words = 1 + chaos_word(seed, seq, 0) % CHAOS_WORDS;
	int ret;

	open_span(peer);
	for (uint64_t i = 0; i < words; i++)
		slot->data[i] = chaos_word(seed, seq, i);
	if (counts->spoil)
		slot->data[words - 1] ^= 1;
	slot->seed = seed;
	slot->words = words;
	ret = chaos_verdict(rsm_memseg_import_order_barrier(&peer->barrier), "order_barrier");
	if (!ret) {
		slot->seq = seq;
		ret = close_span(peer);
	}
	if (ret == RSMERR_CONN_ABORTED)
		ended(peer);
	if (ret)
		return;
	/* The span was good: now the exporter holds us to it. */
	slot->closed = seq;
	counts->spoil = 0;
	peer->seq = seq;
	peer->sent_ms = chaos_now_ms();
	chaos_count(&counts->blocks);
	post(peer);
}

static void exchange(struct chaos_peer *peer, unsigned int self, uint64_t seed)
{
	bool is_free;
	int ret = slot_is_free(peer, self, &is_free);

	if (ret == RSMERR_CONN_ABORTED)
		ended(peer);
	if (ret)
		return;
	if (is_free) {
		if (peer->sent_ms)
			chaos_count(&counts->acked);
		peer->sent_ms = 0;
		send_block(peer, self, seed);
	} else if (!peer->posted) {
		post(peer);	/* A block of an earlier connection, or the path was down. */
	} else if (peer->sent_ms && chaos_now_ms() - peer->sent_ms > STALL_MS) {
		chaos_note(&counts->stalls, "%u does not acknowledge block %lu", peer->worker,
			   peer->seq);
		peer->sent_ms = chaos_now_ms();
	}
}

void chaos_peer_step(struct chaos_peer *peer, rsmapi_controller_handle_t controller,
		     unsigned int self, uint64_t seed)
{
	if (!peer->import) {
		if (chaos_now_ms() >= peer->retry_ms)
			connect_peer(peer, controller);
		return;
	}
	exchange(peer, self, seed);
}
