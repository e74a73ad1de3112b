// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of what is counted for users.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <kunit/test.h>

#include "rsmka_path.h"

static void a_refused_charge_leaves_nothing(struct kunit *test)
{
	atomic_long_t used = ATOMIC_LONG_INIT(0);

	KUNIT_EXPECT_TRUE(test, rsmka_charge(&used, 6, 10));
	KUNIT_EXPECT_FALSE(test, rsmka_charge(&used, 5, 10));
	KUNIT_EXPECT_FALSE(test, rsmka_charge(&used, ULONG_MAX, 10));
	KUNIT_EXPECT_EQ(test, atomic_long_read(&used), 6);
	KUNIT_EXPECT_TRUE(test, rsmka_charge(&used, 4, 10));
	KUNIT_EXPECT_FALSE(test, rsmka_charge(&used, 1, 10));
	KUNIT_EXPECT_EQ(test, atomic_long_read(&used), 10);
}

static void everybody_gets_something(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, rsmka_user_part(65535), 65535 * rsmka_max_user_share / 100);
	KUNIT_EXPECT_EQ(test, rsmka_user_part(1), 1);
	KUNIT_EXPECT_LE(test, rsmka_user_part(LONG_MAX), LONG_MAX);
}

static void equal_rights_are_charged_once(struct kunit *test)
{
	struct rsmka_controller *controller = kunit_kzalloc(test, sizeof(*controller), GFP_KERNEL);
	struct rsmka_access access = {}, other = {};
	struct rsmka_user *user = rsmka_user_get();
	struct rsmka_row *first, *second, *third;

	KUNIT_ASSERT_NOT_NULL(test, controller);
	KUNIT_ASSERT_NOT_NULL(test, user);
	__set_bit(3, other.read);
	first = rsmka_row_get(user, controller, &access);
	second = rsmka_row_get(user, controller, &access);
	third = rsmka_row_get(user, controller, &other);
	KUNIT_ASSERT_FALSE(test, IS_ERR(first) || IS_ERR(third));
	KUNIT_EXPECT_PTR_EQ(test, first, second);
	KUNIT_EXPECT_PTR_NE(test, first, third);
	rsmka_row_put(first);
	rsmka_row_put(third);
	KUNIT_EXPECT_PTR_EQ(test, rsmka_row_get(user, controller, &access), second);
	rsmka_row_put(second);
	rsmka_row_put(second);
	rsmka_user_put(user);
}

static struct kunit_case rsmka_user_cases[] = {
	KUNIT_CASE(a_refused_charge_leaves_nothing),
	KUNIT_CASE(everybody_gets_something),
	KUNIT_CASE(equal_rights_are_charged_once),
	{}
};

static struct kunit_suite rsmka_user_suite = {
	.name = "rsmka_user",
	.test_cases = rsmka_user_cases,
};

kunit_test_suite(rsmka_user_suite);
