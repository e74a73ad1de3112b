// SPDX-License-Identifier: GPL-2.0-only
/*
 * One peer of the test client: a queue from it, which we export, and one to it, which we
 * import for as long as there is a path.  Called by client_main.c.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <linux/jhash.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "client.h"

/* Its sink for node n has the id CLIENT_SEGMENT_ID + n, which no program can publish. */
#define CLIENT_SEGMENT_ID	(RSM_DRIVER_PRIVATE_ID_BASE + 0x2000)
#define CLIENT_RING		(2 * CLIENT_MESSAGE_MAX)
#define CLIENT_SEGMENT		(CLIENT_RING + PAGE_SIZE)
#define CLIENT_CONNECT_TIME	HZ
#define CLIENT_RETRY		(HZ / 10)	/* nobody tells that a peer has published */
#define CLIENT_BUDGET		64	/* messages, before others have their turn */
#define CLIENT_CHECKSUM		sizeof(u32)

/* What is sent: parts of it. */
static u8 *client_pattern;

static const u32 client_lengths[] = {
	1, 2, 3, 4, 7, 8, 9, 55, 56, 57, 88, 4095, 4096, 4097, 65535, CLIENT_MESSAGE_MAX,
};

int client_pattern_init(void)
{
	client_pattern = vmalloc(2 * CLIENT_MESSAGE_MAX);
	if (!client_pattern)
		return -ENOMEM;
	get_random_bytes(client_pattern, 2 * CLIENT_MESSAGE_MAX);
	return 0;
}

void client_pattern_free(void)
{
	vfree(client_pattern);
}

/* Something has happened.  In any context. */
void client_peer_tell(struct client_peer *peer)
{
	mod_delayed_work(client_workqueue, &peer->work, 0);
}

static void client_event(void *priv)
{
	client_peer_tell(priv);
}

static void client_ended(void *priv)
{
	struct client_peer *peer = priv;

	set_bit(CLIENT_ENDED, &peer->bits);
	client_peer_tell(peer);
}

static const struct rsm_client_ops client_ops = {
	.event = client_event,
	.ended = client_ended,
};

/* ---- from the peer ---- */

static int client_sink_publish(struct client_peer *peer)
{
	struct rsm_acl_entry acl = { .node = peer->node, .permission = RSM_PERM_RDWR };
	u32 segment_id = CLIENT_SEGMENT_ID + peer->node;
	int ret;

	ret = rsm_client_queue_sink(&peer->sink, peer->export, peer->memory, CLIENT_SEGMENT);
	return ret ? ret : rsm_client_export_publish(peer->export, &segment_id, &acl, 1);
}

static void client_sink_close(struct client_peer *peer)
{
	if (peer->export)
		rsm_client_export_destroy(peer->export);
	peer->export = NULL;
	/* Where the peer still has it mapped, the agent keeps the pages. */
	vfree(peer->memory);
	peer->memory = NULL;
}

static void client_sink_open(struct client_peer *peer)
{
	struct rsm_client_export *export;

	peer->memory = vzalloc(CLIENT_SEGMENT);
	if (!peer->memory)
		return;
	export = rsm_client_export_create(peer->controller, peer->memory, CLIENT_SEGMENT,
					  &client_ops, peer);
	if (!IS_ERR(export))
		peer->export = export;
	if (IS_ERR(export) || client_sink_publish(peer))
		client_sink_close(peer);
}

/* -EMSGSIZE: it was longer than any that we send. */
static void client_received(struct client_peer *peer, int ret)
{
	u32 checksum, length;

	peer->received++;
	if (ret <= (int)CLIENT_CHECKSUM) {
		peer->bad++;
		return;
	}
	length = ret - CLIENT_CHECKSUM;
	peer->received_bytes += length;
	memcpy(&checksum, peer->buffer + length, sizeof(checksum));
	if (checksum != jhash(peer->buffer, length, length))
		peer->bad++;
}

/* Whether there may be more. */
static bool client_receive(struct client_peer *peer)
{
	int i, ret;

	rsm_client_export_events(peer->export);
	for (i = 0; i < CLIENT_BUDGET; i++) {
		ret = rsm_client_queue_take(&peer->sink, peer->buffer,
					    CLIENT_MESSAGE_MAX + CLIENT_CHECKSUM);
		if (ret == -EAGAIN)
			return false;
		if (ret < 0 && ret != -EMSGSIZE) {
			peer->bad++;
			peer->broken = true;
			client_sink_close(peer);
			return false;
		}
		client_received(peer, ret);
	}
	return true;
}

/* ---- to the peer ---- */

static void client_source_close(struct client_peer *peer)
{
	if (!peer->import)
		return;
	if (peer->mapped)
		rsm_client_unmap(peer->import);
	peer->mapped = false;
	rsm_client_disconnect(peer->import);
	peer->import = NULL;
}

static bool client_source_map(struct client_peer *peer)
{
	void *address = rsm_client_map(peer->import);

	if (IS_ERR(address))
		return false;
	peer->mapped = true;
	return !rsm_client_queue_source(&peer->source, peer->import, address);
}

static bool client_source_open(struct client_peer *peer)
{
	struct rsm_client_import *import;

	/* Of the last connection; from here on it is this one's. */
	clear_bit(CLIENT_ENDED, &peer->bits);
	import = rsm_client_connect(peer->controller, peer->node,
				    CLIENT_SEGMENT_ID + rsm_client_local_node(), RSM_PERM_RDWR,
				    &client_ops, peer, CLIENT_CONNECT_TIME);
	if (IS_ERR(import))
		return false;
	peer->import = import;
	if (!client_source_map(peer)) {
		client_source_close(peer);
		return false;
	}
	peer->connects++;
	return true;
}

static u32 client_length(u64 number)
{
	if (number % 4 == 0)
		return client_lengths[number / 4 % ARRAY_SIZE(client_lengths)];
	return jhash_1word(number, 0) % 2048 + 1;
}

/* Whether there is more to be sent, and room. */
static bool client_send(struct client_peer *peer)
{
	u32 checksum, length;
	int i;

	rsm_client_import_events(peer->import);
	for (i = 0; i < CLIENT_BUDGET && atomic64_read(&peer->left) > 0; i++) {
		length = client_length(peer->sent);
		memcpy(peer->buffer, client_pattern + jhash_1word(peer->sent, 1) %
		       CLIENT_MESSAGE_MAX, length);
		checksum = jhash(peer->buffer, length, length);
		memcpy(peer->buffer + length, &checksum, sizeof(checksum));
		/* An event comes when there is room, or the end. */
		if (rsm_client_queue_put(&peer->source, peer->buffer, length + CLIENT_CHECKSUM))
			return false;
		peer->sent++;
		peer->sent_bytes += length;
		/* It may have been set to 0 meanwhile. */
		atomic64_dec_if_positive(&peer->left);
	}
	return atomic64_read(&peer->left) > 0;
}

/* ---- what is to be done ---- */

static void client_close(struct client_peer *peer)
{
	client_source_close(peer);
	client_sink_close(peer);
}

/* True: it is to be tried again soon. */
static bool client_open(struct client_peer *peer)
{
	if (!peer->export && !peer->broken)
		client_sink_open(peer);
	if (!peer->import)
		client_source_open(peer);
	return !peer->import || (!peer->export && !peer->broken);
}

static void client_do(struct client_peer *peer)
{
	bool retry, more = false;

	lockdep_assert_held(&peer->lock);
	if (test_bit(CLIENT_GONE, &peer->bits)) {
		client_close(peer);
		return;
	}
	if (peer->import && test_bit(CLIENT_ENDED, &peer->bits)) {
		peer->ends++;
		client_source_close(peer);
	}
	retry = test_bit(CLIENT_UP, &peer->bits) && client_open(peer);
	if (peer->export)
		more = client_receive(peer);
	if (peer->import)
		more |= client_send(peer);
	if (more)
		client_peer_tell(peer);
	else if (retry)
		queue_delayed_work(client_workqueue, &peer->work, CLIENT_RETRY);
}

static void client_work(struct work_struct *work)
{
	struct client_peer *peer = container_of(to_delayed_work(work), struct client_peer, work);

	mutex_lock(&peer->lock);
	client_do(peer);
	mutex_unlock(&peer->lock);
}

struct client_peer *client_peer_new(struct rsmka_controller *controller, u32 node)
{
	struct client_peer *peer = kzalloc(sizeof(*peer), GFP_KERNEL);

	if (!peer)
		return NULL;
	peer->buffer = kvmalloc(CLIENT_MESSAGE_MAX + CLIENT_CHECKSUM, GFP_KERNEL);
	if (!peer->buffer) {
		kfree(peer);
		return NULL;
	}
	peer->controller = controller;
	peer->node = node;
	mutex_init(&peer->lock);
	INIT_DELAYED_WORK(&peer->work, client_work);
	return peer;
}

/* Nobody else tells it of paths or commands any more. */
void client_peer_free(struct client_peer *peer)
{
	set_bit(CLIENT_GONE, &peer->bits);
	/*
	 * Not by the work: an event that queues it once more takes it from under a flush, which
	 * then has waited for nothing.
	 */
	mutex_lock(&peer->lock);
	client_close(peer);
	mutex_unlock(&peer->lock);
	/* Without segments there are no callbacks that could queue it again. */
	cancel_delayed_work_sync(&peer->work);
	mutex_destroy(&peer->lock);
	kvfree(peer->buffer);
	kfree(peer);
}
