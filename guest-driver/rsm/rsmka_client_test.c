// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of what clients of the kernel get: segments of this node, and of a node that is
 * only an adapter which says yes; queues, also with a hostile other end.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <kunit/test.h>
#include <linux/io.h>
#include <linux/sched.h>
#include <linux/vmalloc.h>

#include "../include/rsm/rsm_client.h"
#include "../include/rsm/rsm_client_queue.h"
#include "rsmka_path.h"

#define SEGMENT_ID	0x1000
#define PEER		78
#define SESSION		0x5e56
#define PAGES		4
#define LENGTH		(PAGES * PAGE_SIZE)

/* What was told to a client. */
struct told {
	unsigned int events;
	unsigned int ends;
	unsigned int ups;
	unsigned int downs;
	unsigned int gone;
};

static void told_event(void *priv)
{
	((struct told *)priv)->events++;
}

static void told_ended(void *priv)
{
	((struct told *)priv)->ends++;
}

static const struct rsm_client_ops told_ops = {
	.event = told_event,
	.ended = told_ended,
};

/* An export over loopback, and what it is told. */
struct pair {
	struct rsmka_controller *loopback;
	void *memory;
	struct rsm_client_export *export;
	struct told exporter;
	struct told importer;
	u32 node;
	u32 segment_id;
};

static int pair_init(struct kunit *test)
{
	struct pair *pair = kunit_kzalloc(test, sizeof(*pair), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, pair);
	test->priv = pair;
	pair->node = rsm_client_local_node();
	pair->segment_id = SEGMENT_ID;
	pair->loopback = rsm_client_controller_get("loopback");
	KUNIT_ASSERT_NOT_NULL(test, pair->loopback);
	pair->memory = vzalloc(LENGTH);
	KUNIT_ASSERT_NOT_NULL(test, pair->memory);
	pair->export = rsm_client_export_create(pair->loopback, pair->memory, LENGTH, &told_ops,
						&pair->exporter);
	KUNIT_ASSERT_FALSE(test, IS_ERR(pair->export));
	return 0;
}

static void pair_exit(struct kunit *test)
{
	struct pair *pair = test->priv;

	if (!pair)
		return;
	if (!IS_ERR_OR_NULL(pair->export))
		rsm_client_export_destroy(pair->export);
	vfree(pair->memory);
	if (pair->loopback)
		rsm_client_controller_put(pair->loopback);
}

static void pair_publish(struct kunit *test)
{
	struct pair *pair = test->priv;

	KUNIT_ASSERT_EQ(test, rsm_client_export_publish(pair->export, &pair->segment_id, NULL, 0),
			0);
}

static struct rsm_client_import *pair_connect(struct pair *pair, u32 permission)
{
	return rsm_client_connect(pair->loopback, pair->node, pair->segment_id, permission,
				  &told_ops, &pair->importer, MAX_SCHEDULE_TIMEOUT);
}

static void memory_of_the_kernel_is_exported_and_mapped(struct kunit *test)
{
	struct pair *pair = test->priv;
	struct rsm_client_import *import;
	u8 *exported = pair->memory;
	u8 *address;

	pair_publish(test);
	import = pair_connect(pair, RSM_PERM_RDWR);
	KUNIT_ASSERT_FALSE(test, IS_ERR(import));
	KUNIT_EXPECT_EQ(test, rsm_client_import_length(import), LENGTH);
	address = rsm_client_map(import);
	KUNIT_ASSERT_FALSE(test, IS_ERR(address));
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(rsm_client_map(import)), -EBUSY);
	address[0] = 1;
	address[LENGTH - 1] = 2;
	exported[PAGE_SIZE] = 3;
	KUNIT_EXPECT_EQ(test, exported[0], 1);
	KUNIT_EXPECT_EQ(test, exported[LENGTH - 1], 2);
	KUNIT_EXPECT_EQ(test, address[PAGE_SIZE], 3);
	KUNIT_EXPECT_EQ(test, rsm_client_check(import), 0);
	rsm_client_unmap(import);
	rsm_client_disconnect(import);
	KUNIT_EXPECT_EQ(test, rsm_client_export_unpublish(pair->export), 0);
	KUNIT_EXPECT_EQ(test, rsm_client_export_unpublish(pair->export), -ENOENT);
	KUNIT_EXPECT_EQ(test, pair->importer.ends, 0);
}

static void events_are_told_and_taken_at_both_ends(struct kunit *test)
{
	struct pair *pair = test->priv;
	struct rsm_client_import *import;

	pair_publish(test);
	import = pair_connect(pair, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR(import));
	KUNIT_EXPECT_EQ(test, rsm_client_post(import), 0);
	KUNIT_EXPECT_EQ(test, rsm_client_post(import), 0);
	KUNIT_EXPECT_EQ(test, pair->exporter.events, 2);
	KUNIT_EXPECT_EQ(test, rsm_client_export_events(pair->export), 2);
	KUNIT_EXPECT_EQ(test, rsm_client_export_events(pair->export), 0);
	KUNIT_EXPECT_EQ(test, rsm_client_export_post(pair->export), 0);
	KUNIT_EXPECT_EQ(test, pair->importer.events, 1);
	KUNIT_EXPECT_EQ(test, rsm_client_import_events(import), 1);
	rsm_client_disconnect(import);
	KUNIT_EXPECT_EQ(test, rsm_client_export_post(pair->export), 0);
	KUNIT_EXPECT_EQ(test, pair->importer.events, 1);
}

static void the_end_is_told_once_and_leaves_the_address_valid(struct kunit *test)
{
	struct pair *pair = test->priv;
	struct rsm_client_import *import;
	u8 *address;

	pair_publish(test);
	import = pair_connect(pair, RSM_PERM_RDWR);
	KUNIT_ASSERT_FALSE(test, IS_ERR(import));
	address = rsm_client_map(import);
	KUNIT_ASSERT_FALSE(test, IS_ERR(address));
	KUNIT_EXPECT_EQ(test, rsm_client_export_unpublish(pair->export), 0);
	KUNIT_EXPECT_EQ(test, pair->importer.ends, 1);
	KUNIT_EXPECT_EQ(test, rsm_client_check(import), -ECONNABORTED);
	KUNIT_EXPECT_EQ(test, rsm_client_post(import), -ECONNABORTED);
	KUNIT_EXPECT_EQ(test, pair->exporter.events, 0);
	/* The exporter lets go of its memory, the importer has not yet. */
	rsm_client_export_destroy(pair->export);
	pair->export = NULL;
	vfree(pair->memory);
	pair->memory = NULL;
	memset(address, 0xa5, LENGTH);
	KUNIT_EXPECT_EQ(test, address[LENGTH - 1], 0xa5);
	rsm_client_unmap(import);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(rsm_client_map(import)), -ECONNABORTED);
	rsm_client_disconnect(import);
	KUNIT_EXPECT_EQ(test, pair->importer.ends, 1);
}

static void destroying_an_export_ends_its_imports(struct kunit *test)
{
	struct pair *pair = test->priv;
	struct rsm_client_import *import;

	pair_publish(test);
	import = pair_connect(pair, RSM_PERM_READ);
	KUNIT_ASSERT_FALSE(test, IS_ERR(import));
	rsm_client_export_destroy(pair->export);
	pair->export = NULL;
	KUNIT_EXPECT_EQ(test, pair->importer.ends, 1);
	rsm_client_disconnect(import);
}

static void connects_fail_for_a_reason(struct kunit *test)
{
	struct pair *pair = test->priv;
	struct rsm_acl_entry acl = { .node = pair->node, .permission = 0400 };
	struct rsm_client_import *import;

	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(pair_connect(pair, 0)), -ENOENT);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(pair_connect(pair, 0040)), -EINVAL);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(rsm_client_connect(pair->loopback, 250, SEGMENT_ID, 0,
								 NULL, NULL, 0)), -ENETUNREACH);
	if (!pair->node)
		return;		/* no adapter: an access list cannot name it */
	KUNIT_ASSERT_EQ(test, rsm_client_export_publish(pair->export, &pair->segment_id, &acl, 1),
			0);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(pair_connect(pair, RSM_PERM_WRITE)), -EPERM);
	import = pair_connect(pair, RSM_PERM_READ);
	KUNIT_EXPECT_FALSE(test, IS_ERR(import));
	if (!IS_ERR(import))
		rsm_client_disconnect(import);
}

static void exports_are_checked(struct kunit *test)
{
	struct pair *pair = test->priv;
	struct rsm_acl_entry bad = { .node = RSMKA_NODES, .permission = 0600 };
	u32 segment_id = RSM_USER_APP_ID_BASE;
	struct rsm_client_export *export;

	KUNIT_EXPECT_EQ(test, rsm_client_export_publish(pair->export, &segment_id, NULL, 0),
			-EADDRNOTAVAIL);
	segment_id = SEGMENT_ID;
	KUNIT_EXPECT_EQ(test, rsm_client_export_publish(pair->export, &segment_id, &bad, 1),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, rsm_client_export_publish(pair->export, &segment_id, &bad,
							RSM_ACL_MAX + 1), -EINVAL);
	pair_publish(test);
	KUNIT_EXPECT_EQ(test, rsm_client_export_publish(pair->export, &segment_id, NULL, 0),
			-EALREADY);
	export = rsm_client_export_create(pair->loopback, pair->memory + 8, LENGTH, NULL, NULL);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(export), -EINVAL);
	export = rsm_client_export_create(pair->loopback, pair->memory, 0, NULL, NULL);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(export), -EINVAL);
}

/* ---- another node ---- */

/* An adapter whose peer grants everything, or answers nothing. */
struct adapter {
	struct rsmka_controller *controller;
	void *window;			/* ordinary memory */
	bool silent;
	unsigned int mapped;
	struct rsm_path_state state;
};

static int adapter_send(void *data, u32 node, u32 session, const void *message, size_t length,
			long patience)
{
	struct adapter *adapter = data;
	const struct rsmka_msg_connect *connect = message;
	struct rsmka_msg_reply reply = {
		.header = { RSMKA_MESSAGE_VERSION, RSMKA_MSG_REPLY },
		.length = cpu_to_le64(LENGTH),
		.mode = cpu_to_le32(0600),
	};

	if (connect->header.type != RSMKA_MSG_CONNECT || adapter->silent)
		return 0;
	reply.request = connect->request;
	rsmka_receive(adapter->controller, node, &reply, sizeof(reply), true);
	return 0;
}

static int adapter_map(void *data, u32 node, u32 session, const struct rsmka_address *address,
		       unsigned long nr_pages, bool write, phys_addr_t *phys, void **handle)
{
	struct adapter *adapter = data;

	adapter->mapped++;
	*phys = virt_to_phys(adapter->window);
	*handle = adapter;
	return 0;
}

static void adapter_unmap(void *data, void *handle)
{
	((struct adapter *)data)->mapped--;
}

static bool adapter_mapped(void *data, void *handle)
{
	return true;
}

static const struct rsm_path_state *adapter_path_state(void *data, u32 node, phys_addr_t *phys)
{
	struct adapter *adapter = data;

	*phys = 0;		/* no program maps it */
	return &adapter->state;
}

static const struct rsmka_controller_ops adapter_ops = {
	.owner = THIS_MODULE,
	.send = adapter_send,
	.map = adapter_map,
	.unmap = adapter_unmap,
	.mapped = adapter_mapped,
	.path_state = adapter_path_state,
};

static int adapter_up(struct adapter *adapter)
{
	struct rsmka_peer_info info = { .session = SESSION };

	return rsmka_peer_up(adapter->controller, PEER, &info);
}

static struct adapter *adapter_new(struct kunit *test)
{
	struct adapter *adapter = kunit_kzalloc(test, sizeof(*adapter), GFP_KERNEL);
	struct rsmka_attr attr = {};

	KUNIT_ASSERT_NOT_NULL(test, adapter);
	adapter->window = kunit_kzalloc(test, LENGTH + PAGE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, adapter->window);
	adapter->controller = rsmka_controller_register("kunit", 0, rsmka_local_node() ?: 1, 1,
							&attr, &adapter_ops, adapter);
	KUNIT_ASSERT_FALSE(test, IS_ERR(adapter->controller));
	return adapter;
}

static void told_up(void *priv, u32 node)
{
	((struct told *)priv)->ups++;
}

static void told_down(void *priv, u32 node)
{
	((struct told *)priv)->downs++;
}

static void told_gone(void *priv)
{
	((struct told *)priv)->gone++;
}

static const struct rsm_client_paths_ops told_paths = {
	.up = told_up,
	.down = told_down,
	.gone = told_gone,
};

static void paths_are_told(struct kunit *test)
{
	struct adapter *adapter = adapter_new(test);
	struct rsm_client_paths *early, *late;
	struct told first = {}, second = {};

	early = rsm_client_paths_watch(adapter->controller, &told_paths, &first);
	KUNIT_ASSERT_FALSE(test, IS_ERR(early));
	KUNIT_EXPECT_EQ(test, first.ups, 0);
	KUNIT_EXPECT_EQ(test, adapter_up(adapter), 0);
	late = rsm_client_paths_watch(adapter->controller, &told_paths, &second);
	KUNIT_ASSERT_FALSE(test, IS_ERR(late));
	KUNIT_EXPECT_EQ(test, first.ups, 1);
	KUNIT_EXPECT_EQ(test, second.ups, 1);
	rsmka_peer_down(adapter->controller, PEER);
	KUNIT_EXPECT_EQ(test, first.downs, 1);
	rsm_client_paths_unwatch(late);
	KUNIT_EXPECT_EQ(test, adapter_up(adapter), 0);
	rsmka_controller_unregister(adapter->controller);
	KUNIT_EXPECT_EQ(test, first.ups, 2);
	KUNIT_EXPECT_EQ(test, first.downs, 2);
	KUNIT_EXPECT_EQ(test, first.gone, 1);
	KUNIT_EXPECT_EQ(test, second.ups, 1);
	KUNIT_EXPECT_EQ(test, second.downs, 1);
	rsm_client_paths_unwatch(early);
}

static void a_window_stays_until_the_client_has_unmapped(struct kunit *test)
{
	struct adapter *adapter = adapter_new(test);
	struct rsm_client_import *import;
	struct told told = {};
	u8 *address;

	KUNIT_ASSERT_EQ(test, adapter_up(adapter), 0);
	import = rsm_client_connect(adapter->controller, PEER, SEGMENT_ID, RSM_PERM_RDWR, &told_ops,
				    &told, HZ);
	KUNIT_ASSERT_FALSE(test, IS_ERR(import));
	address = rsm_client_map(import);
	KUNIT_ASSERT_FALSE(test, IS_ERR(address));
	address[LENGTH - 1] = 7;
	KUNIT_EXPECT_EQ(test, ((u8 *)adapter->window)[LENGTH - 1], 7);
	rsmka_peer_down(adapter->controller, PEER);
	KUNIT_EXPECT_EQ(test, told.ends, 1);
	KUNIT_EXPECT_EQ(test, adapter->mapped, 1);
	KUNIT_EXPECT_EQ(test, rsm_client_check(import), -ECONNABORTED);
	KUNIT_EXPECT_EQ(test, address[LENGTH - 1], 7);
	rsm_client_unmap(import);
	KUNIT_EXPECT_EQ(test, adapter->mapped, 0);
	rsm_client_disconnect(import);
	rsmka_controller_unregister(adapter->controller);
}

static void a_connect_has_a_deadline(struct kunit *test)
{
	struct adapter *adapter = adapter_new(test);
	struct rsm_client_import *import;

	KUNIT_ASSERT_EQ(test, adapter_up(adapter), 0);
	adapter->silent = true;
	import = rsm_client_connect(adapter->controller, PEER, SEGMENT_ID, 0, NULL, NULL, HZ / 10);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(import), -ETIMEDOUT);
	adapter->silent = false;
	import = rsm_client_connect(adapter->controller, PEER, SEGMENT_ID, 0, NULL, NULL, HZ);
	KUNIT_EXPECT_FALSE(test, IS_ERR(import));
	if (!IS_ERR(import))
		rsm_client_disconnect(import);
	rsmka_controller_unregister(adapter->controller);
}

/* ---- queues ---- */

struct ends {
	struct rsm_client_queue sink;
	struct rsm_client_queue source;
	struct rsm_client_import *import;
	u8 *out;
	u8 *in;
};

static struct ends *ends_new(struct kunit *test)
{
	struct pair *pair = test->priv;
	struct ends *ends = kunit_kzalloc(test, sizeof(*ends), GFP_KERNEL);
	void *address;
	size_t i;

	KUNIT_ASSERT_NOT_NULL(test, ends);
	ends->out = kunit_kzalloc(test, LENGTH, GFP_KERNEL);
	ends->in = kunit_kzalloc(test, LENGTH, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ends->out);
	KUNIT_ASSERT_NOT_NULL(test, ends->in);
	for (i = 0; i < LENGTH; i++)
		ends->out[i] = i * 7 + (i >> 8);
	KUNIT_ASSERT_EQ(test, rsm_client_queue_sink(&ends->sink, pair->export, pair->memory,
						    LENGTH), 0);
	pair_publish(test);
	ends->import = pair_connect(pair, RSM_PERM_RDWR);
	KUNIT_ASSERT_FALSE(test, IS_ERR(ends->import));
	address = rsm_client_map(ends->import);
	KUNIT_ASSERT_FALSE(test, IS_ERR(address));
	KUNIT_ASSERT_EQ(test, rsm_client_queue_source(&ends->source, ends->import, address), 0);
	return ends;
}

static void ends_free(struct ends *ends)
{
	rsm_client_unmap(ends->import);
	rsm_client_disconnect(ends->import);
}

static void messages_come_out_as_they_went_in(struct kunit *test)
{
	struct ends *ends = ends_new(test);
	u32 length = 0;
	int i;

	KUNIT_EXPECT_EQ(test, ends->sink.size, LENGTH / 2);
	KUNIT_EXPECT_EQ(test, ends->source.size, ends->sink.size);
	for (i = 0; i < 2000; i++) {
		KUNIT_ASSERT_EQ(test, rsm_client_queue_put(&ends->source, ends->out + i, length),
				0);
		memset(ends->in, 0, length + 1);
		KUNIT_ASSERT_EQ(test, rsm_client_queue_take(&ends->sink, ends->in, LENGTH),
				length);
		KUNIT_ASSERT_EQ(test, memcmp(ends->in, ends->out + i, length), 0);
		KUNIT_ASSERT_EQ(test, ends->in[length], 0);
		length = (length * 5 + 1) % (ends->sink.size - 2000);
		cond_resched();
	}
	length = ends->sink.size - RSM_CLIENT_RING_ALIGN;
	KUNIT_EXPECT_EQ(test, rsm_client_queue_put(&ends->source, ends->out, length), 0);
	KUNIT_EXPECT_EQ(test, rsm_client_queue_take(&ends->sink, ends->in, LENGTH), length);
	KUNIT_EXPECT_EQ(test, rsm_client_queue_put(&ends->source, ends->out, length + 1),
			-EMSGSIZE);
	ends_free(ends);
}

static void who_waits_is_told(struct kunit *test)
{
	struct pair *pair = test->priv;
	struct ends *ends = ends_new(test);
	unsigned int put = 0, events;

	KUNIT_EXPECT_EQ(test, rsm_client_queue_take(&ends->sink, ends->in, LENGTH), -EAGAIN);
	events = pair->exporter.events;
	while (!rsm_client_queue_put(&ends->source, ends->out, 100))
		put++;
	/* The first one only: the sink has not looked again. */
	KUNIT_EXPECT_EQ(test, pair->exporter.events, events + 1);
	KUNIT_EXPECT_EQ(test, put, ends->sink.size / 104);
	events = pair->importer.events;
	KUNIT_EXPECT_EQ(test, rsm_client_queue_take(&ends->sink, ends->in, LENGTH), 100);
	KUNIT_EXPECT_EQ(test, rsm_client_queue_take(&ends->sink, ends->in, LENGTH), 100);
	KUNIT_EXPECT_EQ(test, pair->importer.events, events + 1);
	KUNIT_EXPECT_EQ(test, rsm_client_queue_put(&ends->source, ends->out, 100), 0);
	ends_free(ends);
}

static void a_message_without_room_is_lost(struct kunit *test)
{
	struct ends *ends = ends_new(test);

	KUNIT_EXPECT_EQ(test, rsm_client_queue_put(&ends->source, ends->out, 101), 0);
	KUNIT_EXPECT_EQ(test, rsm_client_queue_put(&ends->source, ends->out, 100), 0);
	KUNIT_EXPECT_EQ(test, rsm_client_queue_take(&ends->sink, ends->in, 100), -EMSGSIZE);
	KUNIT_EXPECT_EQ(test, rsm_client_queue_take(&ends->sink, ends->in, 100), 100);
	KUNIT_EXPECT_EQ(test, ends->in[100], 0);
	ends_free(ends);
}

static void a_later_source_goes_on(struct kunit *test)
{
	struct ends *ends = ends_new(test);
	struct rsm_client_queue later;

	KUNIT_EXPECT_EQ(test, rsm_client_queue_put(&ends->source, ends->out, 5), 0);
	KUNIT_EXPECT_EQ(test, rsm_client_queue_source(&later, ends->import, ends->source.ring), 0);
	KUNIT_EXPECT_EQ(test, rsm_client_queue_put(&later, ends->out, 6), 0);
	KUNIT_EXPECT_EQ(test, rsm_client_queue_take(&ends->sink, ends->in, LENGTH), 5);
	KUNIT_EXPECT_EQ(test, rsm_client_queue_take(&ends->sink, ends->in, LENGTH), 6);
	ends_free(ends);
}

static void nonsense_of_the_other_end_is_found(struct kunit *test)
{
	struct ends *ends = ends_new(test);
	struct rsm_client_ring *ring = ends->sink.ring;
	u32 size = ends->sink.size;
	const u32 positions[] = { 1, 7, size + 8, size * 2, 0x80000000, -8 };
	const u32 lengths[] = { size, size - 3, 0x7fffffff, 0x80000000, U32_MAX - 3, U32_MAX };
	struct rsm_client_queue other;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(positions); i++) {
		ring->producer = cpu_to_le32(positions[i]);
		KUNIT_EXPECT_EQ(test, rsm_client_queue_take(&ends->sink, ends->in, LENGTH),
				-EPROTO);
		KUNIT_EXPECT_EQ(test, rsm_client_queue_source(&other, ends->import, ring),
				-EPROTO);
		ring->producer = 0;
		/* The source is at 0, and what the sink has taken lies before that. */
		ring->consumer = cpu_to_le32(-positions[i]);
		KUNIT_EXPECT_EQ(test, rsm_client_queue_put(&ends->source, ends->out, 1), -EPROTO);
		ring->consumer = 0;
	}
	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		*(__le32 *)ends->sink.bytes = cpu_to_le32(lengths[i]);
		ring->producer = cpu_to_le32(size);
		KUNIT_EXPECT_EQ(test, rsm_client_queue_take(&ends->sink, ends->in, LENGTH),
				-EPROTO);
	}
	*(__le32 *)ends->sink.bytes = cpu_to_le32(5);
	ring->producer = cpu_to_le32(8);
	KUNIT_EXPECT_EQ(test, rsm_client_queue_take(&ends->sink, ends->in, LENGTH), -EPROTO);
	ends_free(ends);
}

static struct kunit_case rsmka_client_cases[] = {
	KUNIT_CASE(memory_of_the_kernel_is_exported_and_mapped),
	KUNIT_CASE(events_are_told_and_taken_at_both_ends),
	KUNIT_CASE(the_end_is_told_once_and_leaves_the_address_valid),
	KUNIT_CASE(destroying_an_export_ends_its_imports),
	KUNIT_CASE(connects_fail_for_a_reason),
	KUNIT_CASE(exports_are_checked),
	KUNIT_CASE(paths_are_told),
	KUNIT_CASE(a_window_stays_until_the_client_has_unmapped),
	KUNIT_CASE(a_connect_has_a_deadline),
	KUNIT_CASE(messages_come_out_as_they_went_in),
	KUNIT_CASE(who_waits_is_told),
	KUNIT_CASE(a_message_without_room_is_lost),
	KUNIT_CASE(a_later_source_goes_on),
	KUNIT_CASE(nonsense_of_the_other_end_is_found),
	{}
};

static struct kunit_suite rsmka_client_suite = {
	.name = "rsmka_client",
	.init = pair_init,
	.exit = pair_exit,
	.test_cases = rsmka_client_cases,
};

kunit_test_suite(rsmka_client_suite);
