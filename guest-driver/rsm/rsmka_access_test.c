// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of access control: nodes, digits, and what root may.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <kunit/test.h>

#include "../include/kunit_exports.h"
#include "rsmka_file.h"

static void empty_list_grants_creation_mode(struct kunit *test)
{
	struct rsmka_acl acl = {};
	u32 mode = 0;

	KUNIT_EXPECT_TRUE(test, rsmka_acl_lookup(&acl, 0755, 200, &mode));
	KUNIT_EXPECT_EQ(test, mode, 0644);
}

static void first_entry_of_a_node_counts(struct kunit *test)
{
	struct rsmka_acl acl = { .len = 3, .entry = { { 2, 0600 }, { 3, 0666 }, { 2, 0666 } } };
	u32 mode = 0;

	KUNIT_EXPECT_TRUE(test, rsmka_acl_lookup(&acl, 0666, 2, &mode));
	KUNIT_EXPECT_EQ(test, mode, 0600);
	KUNIT_EXPECT_FALSE(test, rsmka_acl_lookup(&acl, 0666, 4, &mode));
}

static void rows_follow_the_owner_digit(struct kunit *test)
{
	struct rsmka_acl acl = { .len = 4,
				 .entry = { { 1, 0666 }, { 2, 0444 }, { 3, 0200 }, { 4, 0066 } } };
	struct rsmka_access access = {};

	rsmka_acl_rows(&acl, 0666, 1, &access);
	KUNIT_EXPECT_FALSE(test, test_bit(1, access.read));	/* the own node */
	KUNIT_EXPECT_TRUE(test, test_bit(2, access.read));
	KUNIT_EXPECT_FALSE(test, test_bit(2, access.write));
	KUNIT_EXPECT_TRUE(test, test_bit(3, access.read));
	KUNIT_EXPECT_TRUE(test, test_bit(3, access.write));
	KUNIT_EXPECT_FALSE(test, test_bit(4, access.read));
	KUNIT_EXPECT_EQ(test, bitmap_weight(access.read, RSMKA_NODES), 2);
}

static void rows_add_up(struct kunit *test)
{
	struct rsmka_acl acl = { .len = 1, .entry = { { 3, 0400 } } };
	struct rsmka_access access = {};

	/* What a node was granted before stays beside what the list gives. */
	rsmka_row_add(&access, 2, 0600);
	rsmka_row_add(&access, 5, 0066);
	rsmka_acl_rows(&acl, 0, 1, &access);
	KUNIT_EXPECT_TRUE(test, test_bit(2, access.write));
	KUNIT_EXPECT_TRUE(test, test_bit(3, access.read));
	KUNIT_EXPECT_FALSE(test, test_bit(3, access.write));
	KUNIT_EXPECT_FALSE(test, test_bit(5, access.read));
	KUNIT_EXPECT_EQ(test, bitmap_weight(access.read, RSMKA_NODES), 2);
	KUNIT_EXPECT_EQ(test, bitmap_weight(access.write, RSMKA_NODES), 1);
}

/* The tests run as root. */
static void root_is_permitted_what_the_mode_denies(struct kunit *test)
{
	struct rsmka_grant mine = { .uid = 0, .gid = 0 };
	struct rsmka_grant theirs = { .uid = 4711, .gid = 4711 };
	struct rsmka_grant nobodys = { .uid = U32_MAX, .gid = U32_MAX };

	KUNIT_EXPECT_TRUE(test, rsmka_credentials_permit(&mine, 0006, 0600));
	KUNIT_EXPECT_TRUE(test, rsmka_credentials_permit(&theirs, 0600, 0600));
	KUNIT_EXPECT_TRUE(test, rsmka_credentials_permit(&nobodys, 0600, 0600));
	KUNIT_EXPECT_TRUE(test, rsmka_credentials_permit(&theirs, 0600, 0));
}

static void a_node_without_rights_has_no_privileged_users(struct kunit *test)
{
	struct rsmka_acl acl = { .len = 3, .entry = { { 2, 0 }, { 3, 0002 }, { 2, 0666 } } };
	struct rsmka_grant mine = { .uid = 0, .gid = 0 };

	KUNIT_EXPECT_FALSE(test, rsmka_credentials_permit(&mine, 0, 0600));
	KUNIT_EXPECT_FALSE(test, rsmka_credentials_permit(&mine, 0, 0));
	KUNIT_EXPECT_FALSE(test, rsmka_acl_grants(&acl, 0666, 2));
	KUNIT_EXPECT_TRUE(test, rsmka_acl_grants(&acl, 0666, 3));
	KUNIT_EXPECT_FALSE(test, rsmka_acl_grants(&acl, 0666, 4));
}

static void others_are_admitted_whatever_their_rights(struct kunit *test)
{
	struct rsmka_acl acl = { .len = 1, .entry = { { 1, 0666 }, { 2, 0 } } };

	KUNIT_EXPECT_FALSE(test, rsmka_acl_admits_others(&acl, 1));
	KUNIT_EXPECT_TRUE(test, rsmka_acl_admits_others(&acl, 2));
	acl.len = 2;
	KUNIT_EXPECT_TRUE(test, rsmka_acl_admits_others(&acl, 1));
	acl.len = 0;
	KUNIT_EXPECT_TRUE(test, rsmka_acl_admits_others(&acl, 1));
}

static void each_class_has_its_digit(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, rsmka_access_missing(0624, 6, 0600), 0);
	KUNIT_EXPECT_EQ(test, rsmka_access_missing(0624, 3, 0600), 0400);
	KUNIT_EXPECT_EQ(test, rsmka_access_missing(0624, 0, 0600), 0200);
	KUNIT_EXPECT_EQ(test, rsmka_access_missing(0000, 0, 0000), 0);
}

static struct kunit_case rsmka_access_cases[] = {
	KUNIT_CASE(empty_list_grants_creation_mode),
	KUNIT_CASE(first_entry_of_a_node_counts),
	KUNIT_CASE(rows_follow_the_owner_digit),
	KUNIT_CASE(rows_add_up),
	KUNIT_CASE(others_are_admitted_whatever_their_rights),
	KUNIT_CASE(each_class_has_its_digit),
	KUNIT_CASE(root_is_permitted_what_the_mode_denies),
	KUNIT_CASE(a_node_without_rights_has_no_privileged_users),
	{}
};

static struct kunit_suite rsmka_access_suite = {
	.name = "rsmka_access",
	.test_cases = rsmka_access_cases,
};

kunit_test_suite(rsmka_access_suite);

KUNIT_IMPORTS();
MODULE_DESCRIPTION("Tests of the remote shared memory kernel agent");
MODULE_AUTHOR("The sci-rsm authors");
MODULE_LICENSE("GPL");
