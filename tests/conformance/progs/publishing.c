// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Publishing: ids, access lists, unpublish, republish.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#define _GNU_SOURCE
#include "conform.h"

#include <sys/mman.h>

#define ABSENT_NODE	200	/* there is no such node, but there could be */

static int publish_as(rsm_memseg_export_handle_t export, rsm_memseg_id_t id)
{
	return rsm_memseg_export_publish(export, &id, NULL, 0);
}

static int publish_to(rsm_memseg_export_handle_t export, rsmapi_access_entry_t *list, uint_t n)
{
	rsm_memseg_id_t id = 0;

	return rsm_memseg_export_publish(export, &id, list, n);
}

static rsm_memseg_export_handle_t fresh(void)
{
	return create(memory(page), page);
}

static rsm_memseg_export_handle_t published(void)
{
	rsm_memseg_export_handle_t export = fresh();

	publish(export);
	return export;
}

static void a077_publish_without_id_fails_with_bad_segid(void)
{
	expect(rsm_memseg_export_publish(fresh(), NULL, NULL, 0), RSMERR_BAD_SEGID);
	expect(rsm_memseg_export_publish(NULL, NULL, NULL, 0), RSMERR_BAD_SEGID);
}

static void a078_publish_null_fails_with_bad_seg_hndl(void)
{
	rsm_memseg_id_t id = 0;

	expect(publish_as(NULL, 0), RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_export_publish(NULL, &id, NULL, 1), RSMERR_BAD_SEG_HNDL);
}

static void a079_a_length_without_list_fails_with_bad_acl(void)
{
	rsmapi_access_entry_t list = { 255, 07777 };
	rsm_memseg_export_handle_t export = fresh();
	rsm_memseg_export_handle_t twice = published();

	expect(publish_to(export, NULL, 1), RSMERR_BAD_ACL);
	expect(publish_to(twice, NULL, 1), RSMERR_BAD_ACL);
	/* A list of length 0 is ignored, whatever it says. */
	expect(publish_to(export, &list, 0), RSM_SUCCESS);
}

static void a081_publish_twice_fails_with_seg_already_published(void)
{
	rsm_memseg_export_handle_t export = published();

	expect(publish_as(export, 0), RSMERR_SEG_ALREADY_PUBLISHED);
	expect(publish_as(export, 1), RSMERR_SEG_ALREADY_PUBLISHED);
}

static void a082_ids_below_the_applications_are_reserved(void)
{
	static const rsm_memseg_id_t ids[] = {
		1, 0xfffff, 0x100000, 0x200000, 0x2fffff, 0x300000, 0x3fffff,
	};
	rsm_memseg_export_handle_t export = fresh();
	size_t i;

	for (i = 0; i < ARRAY(ids); i++)
		expect(publish_as(export, ids[i]), RSMERR_RESERVED_SEGID);
}

static void a083_ids_that_the_agent_generates_are_reserved(void)
{
	rsm_memseg_export_handle_t export = fresh();

	expect(publish_as(export, 0x80000000), RSMERR_RESERVED_SEGID);
	expect(publish_as(export, 0xffffffff), RSMERR_RESERVED_SEGID);
}

static void a084_ids_of_applications_can_be_published(void)
{
	static const rsm_memseg_id_t ids[] = { 0x400000, 0x5fffff, 0x600000, 0x7fffffff };
	rsm_memseg_export_handle_t export = fresh();
	rsm_memseg_id_t id;
	size_t i;

	for (i = 0; i < ARRAY(ids); i++) {
		id = ids[i];
		expect(rsm_memseg_export_publish(export, &id, NULL, 0), RSM_SUCCESS);
		expect(id, ids[i]);
		connect_here(id, RSM_PERM_READ);
		expect(rsm_memseg_export_unpublish(export), RSM_SUCCESS);
	}
}

static void a086_generated_ids_are_fresh(void)
{
	rsm_memseg_export_handle_t a = fresh(), b = fresh();
	rsm_memseg_id_t first = publish(a), second = publish(b), third;

	expect_true(first >= RSM_USER_APP_ID_BASE && second >= RSM_USER_APP_ID_BASE);
	expect_true(first != second);
	require(rsm_memseg_export_unpublish(a), RSM_SUCCESS);
	third = publish(a);
	expect_true(third != first && third != second);
}

static void publish_taken(void *controller_to_use)
{
	rsmapi_controller_handle_t other;
	rsm_memseg_export_handle_t export;

	require(rsm_get_controller(controller_to_use, &other), RSM_SUCCESS);
	require(rsm_memseg_export_create(other, &export, memory(page), page, 0), RSM_SUCCESS);
	expect(publish_as(export, ID), RSMERR_SEGID_IN_USE);
}

static void a087_an_id_is_used_once_on_a_node(void)
{
	require(publish_as(fresh(), ID), RSM_SUCCESS);
	expect(publish_as(fresh(), ID), RSMERR_SEGID_IN_USE);
	in_child(publish_taken, "loopback");
	in_child(publish_taken, "sci0");
}

static void a088_after_segid_in_use_another_id_will_do(void)
{
	rsm_memseg_export_handle_t export = fresh();

	require(publish_as(fresh(), ID), RSM_SUCCESS);
	expect(publish_as(export, ID), RSMERR_SEGID_IN_USE);
	expect(publish_as(export, ID + 1), RSM_SUCCESS);
}

static void a089_lists_have_64_entries_at_most(void)
{
	rsmapi_access_entry_t list[65];
	rsm_memseg_export_handle_t export = fresh();
	size_t i;

	for (i = 0; i < ARRAY(list); i++)
		list[i] = (rsmapi_access_entry_t){ local_node, RSM_PERM_RDWR };
	expect(publish_to(export, list, 65), RSMERR_BAD_ACL);
	/* Loopback takes one. */
	expect(publish_to(export, list, scope == LOOPBACK ? 1 : 64), RSM_SUCCESS);
}

/* Node ids end at 255 here, at 64 in the original. */
static void a091_node_ids_that_cannot_be_fail_with_bad_acl(void)
{
	rsmapi_access_entry_t list = { 256, RSM_PERM_RDWR };
	rsm_memseg_export_handle_t export = fresh();

	expect(publish_to(export, &list, 1), RSMERR_BAD_ACL);
	list = (rsmapi_access_entry_t){ local_node, 01000 };
	expect(publish_to(export, &list, 1), RSMERR_BAD_ACL);
	list = (rsmapi_access_entry_t){ 65, RSM_PERM_RDWR };
	expect(publish_to(export, &list, 1),
	       scope == LOOPBACK ? RSMERR_BAD_ACL : RSMERR_INTERNAL_ERROR);
}

static void a092_loopback_takes_one_entry_of_the_own_node(void)
{
	rsmapi_access_entry_t list[2] = {
		{ local_node, RSM_PERM_RDWR }, { local_node, RSM_PERM_RDWR },
	};
	rsm_memseg_export_handle_t export = fresh();

	expect(publish_to(export, list, 2), RSMERR_BAD_ACL);
	list[1].ae_node = local_node == 1 ? 2 : 1;
	expect(publish_to(export, &list[1], 1), RSMERR_BAD_ACL);
	expect(publish_to(export, list, 1), RSM_SUCCESS);
}

static void a093_a_node_without_path_fails_with_internal_error(void)
{
	rsmapi_access_entry_t list[2] = {
		{ local_node, RSM_PERM_RDWR }, { ABSENT_NODE, RSM_PERM_RDWR },
	};
	rsm_memseg_export_handle_t export = fresh();

	expect(publish_to(export, list, 2), RSMERR_INTERNAL_ERROR);
	require(publish_to(export, list, 1), RSM_SUCCESS);
	expect(rsm_memseg_export_republish(export, list, 2), RSMERR_INTERNAL_ERROR);
}

static void a094_an_unreadable_list_fails_with_bad_addr(void)
{
	rsmapi_access_entry_t *list = memory(page);
	rsm_memseg_export_handle_t export = fresh(), other = published();

	require(munmap(list, page), 0);
	expect(publish_to(export, list, 1), RSMERR_BAD_ADDR);
	expect(rsm_memseg_export_republish(other, list, 1), RSMERR_BAD_ADDR);
}

static void a096_a_failed_publish_can_be_repeated(void)
{
	rsmapi_access_entry_t list = { local_node, 07777 };
	rsm_memseg_export_handle_t export = fresh();
	rsm_memseg_id_t id = ID;

	expect(rsm_memseg_export_publish(export, &id, &list, 1), RSMERR_BAD_ACL);
	expect(rsm_memseg_export_unpublish(export), RSMERR_SEG_NOT_PUBLISHED);
	expect(publish_as(export, ID), RSM_SUCCESS);
	connect_here(ID, RSM_PERM_RDWR);
}

static void a097_only_what_is_published_can_be_unpublished(void)
{
	expect(rsm_memseg_export_unpublish(NULL), RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_export_unpublish(fresh()), RSMERR_SEG_NOT_PUBLISHED);
}

static void a098_an_id_can_be_published_again(void)
{
	struct imported first = import(page);
	rsm_memseg_import_handle_t second;

	peer_ok("unpublish 0");
	peer_ok("publish 0 %d", ID);
	require(try_connect(ID, RSM_PERM_RDWR, &second), RSM_SUCCESS);
	map(second, RSM_PERM_RDWR, page)[0] = 9;
	peer_ok("byte 0 0");
	expect(peer_value, 9);
	expect(rsm_memseg_import_disconnect(first.import), RSM_SUCCESS);
}

static void a099_connect_after_unpublish_fails_with_seg_not_published(void)
{
	rsm_memseg_import_handle_t import;

	peer_export(0, page);
	peer_ok("unpublish 0");
	expect(try_connect(ID, RSM_PERM_READ, &import), RSMERR_SEG_NOT_PUBLISHED);
}

static void unpublish_as_child(void *export)
{
	expect(rsm_memseg_export_unpublish(export), RSMERR_NOT_CREATOR);
}

static void a101_a_child_cannot_unpublish(void)
{
	rsm_memseg_export_handle_t export = published();

	in_child(unpublish_as_child, export);
	expect(rsm_memseg_export_unpublish(export), RSM_SUCCESS);
}

static void a102_only_what_is_published_can_be_republished(void)
{
	rsmapi_access_entry_t list = { 256, 07777 };

	expect(rsm_memseg_export_republish(NULL, NULL, 0), RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_export_republish(fresh(), NULL, 0), RSMERR_SEG_NOT_PUBLISHED);
	expect(rsm_memseg_export_republish(fresh(), NULL, 1), RSMERR_SEG_NOT_PUBLISHED);
	expect(rsm_memseg_export_republish(fresh(), &list, 1), RSMERR_SEG_NOT_PUBLISHED);
}

static void a103_republish_needs_a_list_for_a_length(void)
{
	rsmapi_access_entry_t list = { 256, RSM_PERM_RDWR };
	rsm_memseg_export_handle_t export = published();

	expect(rsm_memseg_export_republish(export, NULL, 1), RSMERR_BAD_ACL);
	expect(rsm_memseg_export_republish(export, &list, 1), RSMERR_BAD_ACL);
	expect(rsm_memseg_export_republish(export, &list, 0), RSM_SUCCESS);
}

static void a104_republish_without_a_node_keeps_its_mappings(void)
{
	rsm_memseg_import_handle_t old, new;
	volatile uint8_t *mapping;

	peer_export(0, page);
	old = connect_to(ID, RSM_PERM_RDWR);
	mapping = map(old, RSM_PERM_RDWR, page);
	peer_ok("republish 0 %u:0666", peer_node);
	mapping[0] = 4;
	peer_ok("byte 0 0");
	expect(peer_value, 4);
	peer_ok("poke 0 8 104");
	expect(*(volatile uint64_t *)(mapping + 8), 104);
	/* The last import of this node ends, so that the exporter is asked again. */
	require(rsm_memseg_import_unmap(old), RSM_SUCCESS);
	require(rsm_memseg_import_disconnect(old), RSM_SUCCESS);
	expect(try_connect(ID, RSM_PERM_READ, &new), RSMERR_SEG_NOT_PUBLISHED_TO_NODE);
}

struct republished {
	rsm_permission_t permission;
	int wanted;
};

/* The news travels by a message that nobody waits for. */
static bool connect_gives(void *argument)
{
	const struct republished *r = argument;
	rsm_memseg_import_handle_t import;
	int ret = try_connect(ID, r->permission, &import);

	if (ret == RSM_SUCCESS)
		rsm_memseg_import_disconnect(import);
	return ret == r->wanted;
}

static void connect_as_user(void *argument)
{
	become(1002, 1002);
	expect_true(eventually(connect_gives, argument));
}

static void a106_republish_with_less_binds_later_connects_of_the_node(void)
{
	struct republished denied = { RSM_PERM_RDWR, RSMERR_PERM_DENIED };
	struct republished granted = { RSM_PERM_READ, RSM_SUCCESS };
	rsm_memseg_import_handle_t first;

	peer_ok("become 1001");
	peer_ok("create 0 %zu", page);
	peer_ok("publish 0 %d %u:0666", ID, local_node);
	first = connect_to(ID, RSM_PERM_RDWR);
	peer_ok("republish 0 %u:0444", local_node);
	in_child(connect_as_user, &denied);
	in_child(connect_as_user, &granted);
	map(first, RSM_PERM_RDWR, page)[0] = 6;
	peer_ok("byte 0 0");
	expect(peer_value, 6);
}

static void a107_republish_keeps_id_and_importers(void)
{
	struct imported imported = import_mapped(page);
	rsm_memseg_import_handle_t other;

	require(rsm_memseg_import_open_barrier(&imported.barrier), RSM_SUCCESS);
	peer_ok("republish 0 %u:0600", local_node);
	imported.mapping[1] = 7;
	expect(rsm_memseg_import_close_barrier(&imported.barrier), RSM_SUCCESS);
	peer_ok("byte 0 1");
	expect(peer_value, 7);
	expect(try_connect(ID, RSM_PERM_RDWR, &other), RSM_SUCCESS);
}

static const struct test tests[] = {
	TEST(LOCAL, a077_publish_without_id_fails_with_bad_segid),
	TEST(LOCAL, a078_publish_null_fails_with_bad_seg_hndl),
	TEST(LOCAL, a079_a_length_without_list_fails_with_bad_acl),
	TEST(LOCAL, a081_publish_twice_fails_with_seg_already_published),
	TEST(LOCAL, a082_ids_below_the_applications_are_reserved),
	TEST(LOCAL, a083_ids_that_the_agent_generates_are_reserved),
	TEST(LOCAL, a084_ids_of_applications_can_be_published),
	TEST(LOCAL, a086_generated_ids_are_fresh),
	TEST(LOCAL, a087_an_id_is_used_once_on_a_node),
	TEST(LOCAL, a088_after_segid_in_use_another_id_will_do),
	TEST(LOCAL, a089_lists_have_64_entries_at_most),
	TEST(LOCAL, a091_node_ids_that_cannot_be_fail_with_bad_acl),
	TEST(LOOPBACK, a092_loopback_takes_one_entry_of_the_own_node),
	TEST(SELF, a093_a_node_without_path_fails_with_internal_error),
	TEST(LOCAL, a094_an_unreadable_list_fails_with_bad_addr),
	TEST(LOCAL, a096_a_failed_publish_can_be_repeated),
	TEST(LOCAL, a097_only_what_is_published_can_be_unpublished),
	TEST(ALL, a098_an_id_can_be_published_again),
	TEST(ALL, a099_connect_after_unpublish_fails_with_seg_not_published),
	TEST(LOCAL, a101_a_child_cannot_unpublish),
	TEST(LOCAL, a102_only_what_is_published_can_be_republished),
	TEST(LOCAL, a103_republish_needs_a_list_for_a_length),
	TEST(CROSS, a104_republish_without_a_node_keeps_its_mappings),
	TEST(ALL, a106_republish_with_less_binds_later_connects_of_the_node),
	TEST(ALL, a107_republish_keeps_id_and_importers),
};

SECTION(publishing);
