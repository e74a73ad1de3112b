// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of segment ids: which are given out, and when they are free again.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <kunit/test.h>

#include "rsmka_segment.h"

static u32 reserve(u32 wanted, int *ret)
{
	u32 segment_id = wanted;

	*ret = rsmka_published_reserve(&segment_id);
	return segment_id;
}

static void an_id_is_reserved_once(struct kunit *test)
{
	int ret;

	reserve(0x7abcdef, &ret);
	KUNIT_EXPECT_EQ(test, ret, 0);
	reserve(0x7abcdef, &ret);
	KUNIT_EXPECT_EQ(test, ret, -EADDRINUSE);
	rsmka_published_release(0x7abcdef);
	reserve(0x7abcdef, &ret);
	KUNIT_EXPECT_EQ(test, ret, 0);
	rsmka_published_release(0x7abcdef);
}

static void a_free_id_is_not_given_out_again_at_once(struct kunit *test)
{
	u32 first, second;
	int ret;

	first = reserve(0, &ret);
	KUNIT_EXPECT_EQ(test, ret, 0);
	KUNIT_EXPECT_GE(test, first, RSM_USER_APP_ID_BASE);
	rsmka_published_release(first);
	second = reserve(0, &ret);
	KUNIT_EXPECT_NE(test, second, first);
	rsmka_published_release(second);
}

static void after_the_last_id_the_first_free_one_comes(struct kunit *test)
{
	u32 next = rsmka_next_segment_id;
	u32 last, held, again;
	int ret;

	/* One at the start of the range, held while the others come round. */
	rsmka_next_segment_id = RSM_USER_APP_ID_BASE;
	held = reserve(0, &ret);
	rsmka_next_segment_id = RSM_USER_APP_ID_END;
	last = reserve(0, &ret);
	KUNIT_EXPECT_EQ(test, last, RSM_USER_APP_ID_END);
	again = reserve(0, &ret);
	KUNIT_EXPECT_EQ(test, ret, 0);
	KUNIT_EXPECT_GE(test, again, RSM_USER_APP_ID_BASE);
	KUNIT_EXPECT_NE(test, again, held);
	KUNIT_EXPECT_NE(test, again, last);
	rsmka_published_release(held);
	rsmka_published_release(last);
	rsmka_published_release(again);
	rsmka_next_segment_id = next;
}

static struct kunit_case rsmka_published_cases[] = {
	KUNIT_CASE(an_id_is_reserved_once),
	KUNIT_CASE(a_free_id_is_not_given_out_again_at_once),
	KUNIT_CASE(after_the_last_id_the_first_free_one_comes),
	{}
};

static struct kunit_suite rsmka_published_suite = {
	.name = "rsmka_published",
	.test_cases = rsmka_published_cases,
};

kunit_test_suite(rsmka_published_suite);
