// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of shares with many imports: what is done for each of them is done under no lock
 * that others need.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/vmalloc.h>

#include "../include/rsm/rsm_client.h"
#include "rsmka_path.h"

#define SEGMENT_ID		0x1001
#define IMPORTS		40

/* An export of the kernel's over loopback, and imports as those of programs. */
struct crowd {
	struct rsmka_controller *loopback;
	void *memory;
	struct rsm_client_export *export;
	struct member {
		struct rsmka_segment segment;
		struct crowd *crowd;
		u16 generation;
		unsigned int zaps;
		unsigned int ends;
	} member[IMPORTS];
	unsigned int locked;		/* calls under the lock of all shares */
	unsigned int late;		/* zaps when the exporter has let go of its memory */
	unsigned int early;		/* zaps before the generation was raised */
};

static struct member *crowd_member(struct rsmka_segment *seg)
{
	return container_of(seg, struct member, segment);
}

/* Nothing else goes on in the node. */
static void crowd_called(struct crowd *crowd)
{
	crowd->locked += mutex_is_locked(&rsmka_shares_lock);
}

static bool crowd_permitted(const struct rsmka_grant *grant, u32 mode, u32 wanted)
{
	return true;
}

static void crowd_event(struct rsmka_segment *seg)
{
}

static void crowd_zap(struct rsmka_segment *seg)
{
	struct member *member = crowd_member(seg);
	struct crowd *crowd = member->crowd;

	crowd_called(crowd);
	member->zaps++;
	/* Its own reference, and the agent's. */
	crowd->late += page_count(vmalloc_to_page(crowd->memory)) < 2;
	crowd->early += READ_ONCE(rsmka_generations[seg->number]) == member->generation;
}

static void crowd_ended(struct rsmka_segment *seg)
{
	crowd_called(crowd_member(seg)->crowd);
	crowd_member(seg)->ends++;
}

static void crowd_free(struct rsmka_segment *seg)
{
}

static const struct rsmka_segment_ops crowd_ops = {
	.permitted = crowd_permitted,
	.event = crowd_event,
	.zap = crowd_zap,
	.ended = crowd_ended,
	.free = crowd_free,
};

static void crowd_import(struct kunit *test, struct member *member)
{
	static const struct rsmka_owner owner = { .uid = GLOBAL_ROOT_UID, .gid = GLOBAL_ROOT_GID };
	struct crowd *crowd = test->priv;
	u32 generation;

	member->crowd = crowd;
	KUNIT_ASSERT_EQ(test, rsmka_segment_init(&member->segment, &crowd_ops, NULL, &owner), 0);
	KUNIT_ASSERT_EQ(test, rsmka_import_connect(&member->segment, crowd->loopback,
						   rsm_client_local_node(), SEGMENT_ID,
						   RSM_PERM_READ, NULL, &generation), 0);
	member->generation = generation;
}

static int crowd_init(struct kunit *test)
{
	struct crowd *crowd = kunit_kzalloc(test, sizeof(*crowd), GFP_KERNEL);
	u32 segment_id = SEGMENT_ID;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, crowd);
	test->priv = crowd;
	crowd->loopback = rsm_client_controller_get("loopback");
	KUNIT_ASSERT_NOT_NULL(test, crowd->loopback);
	crowd->memory = vzalloc(PAGE_SIZE);
	KUNIT_ASSERT_NOT_NULL(test, crowd->memory);
	crowd->export = rsm_client_export_create(crowd->loopback, crowd->memory, PAGE_SIZE, NULL,
						 NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(crowd->export));
	KUNIT_ASSERT_EQ(test, rsm_client_export_publish(crowd->export, &segment_id, NULL, 0), 0);
	for (i = 0; i < IMPORTS; i++)
		crowd_import(test, &crowd->member[i]);
	return 0;
}

static void crowd_exit(struct kunit *test)
{
	struct crowd *crowd = test->priv;
	int i;

	if (!crowd)
		return;
	for (i = 0; i < IMPORTS; i++)
		if (crowd->member[i].segment.number)
			rsmka_segment_close(&crowd->member[i].segment);
	if (!IS_ERR_OR_NULL(crowd->export))
		rsm_client_export_destroy(crowd->export);
	vfree(crowd->memory);
	if (crowd->loopback)
		rsm_client_controller_put(crowd->loopback);
	/* Members may be on a list that somebody reads. */
	synchronize_rcu();
}

static void crowd_is_over(struct kunit *test)
{
	struct crowd *crowd = test->priv;
	int i;

	for (i = 0; i < IMPORTS; i++) {
		KUNIT_EXPECT_EQ(test, crowd->member[i].zaps, 1);
		KUNIT_EXPECT_EQ(test, crowd->member[i].ends, 1);
		KUNIT_EXPECT_EQ(test, rsmka_generations[crowd->member[i].segment.number],
				(u16)(crowd->member[i].generation + 1));
	}
	KUNIT_EXPECT_EQ(test, crowd->late, 0);
	KUNIT_EXPECT_EQ(test, crowd->early, 0);
	KUNIT_EXPECT_EQ(test, crowd->locked, 0);
}

static void an_export_that_goes_holds_up_no_other(struct kunit *test)
{
	struct crowd *crowd = test->priv;

	rsm_client_export_destroy(crowd->export);
	crowd->export = NULL;
	KUNIT_EXPECT_EQ(test, page_count(vmalloc_to_page(crowd->memory)), 1);
	crowd_is_over(test);
}

static void a_share_ends_once(struct kunit *test)
{
	struct crowd *crowd = test->priv;

	KUNIT_EXPECT_EQ(test, rsm_client_export_unpublish(crowd->export), 0);
	KUNIT_EXPECT_EQ(test, rsmka_import_check(&crowd->member[1].segment, NULL), -ECONNABORTED);
	KUNIT_EXPECT_EQ(test, rsmka_import_check(&crowd->member[0].segment, NULL), -ECONNABORTED);
	crowd_is_over(test);
}

static void an_import_that_leaves_is_no_end(struct kunit *test)
{
	struct crowd *crowd = test->priv;

	rsmka_segment_close(&crowd->member[0].segment);
	crowd->member[0].segment.number = 0;
	KUNIT_EXPECT_EQ(test, crowd->member[0].ends, 0);
	KUNIT_EXPECT_EQ(test, crowd->member[1].zaps, 0);
	KUNIT_EXPECT_EQ(test, rsmka_import_check(&crowd->member[1].segment, NULL), 0);
}

static struct kunit_case rsmka_share_cases[] = {
	KUNIT_CASE(an_export_that_goes_holds_up_no_other),
	KUNIT_CASE(a_share_ends_once),
	KUNIT_CASE(an_import_that_leaves_is_no_end),
	{}
};

static struct kunit_suite rsmka_share_suite = {
	.name = "rsmka_share",
	.init = crowd_init,
	.exit = crowd_exit,
	.test_cases = rsmka_share_cases,
};

kunit_test_suite(rsmka_share_suite);
