// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Connections: who may connect to what, and how they end.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#define _GNU_SOURCE
#include "conform.h"

#include <grp.h>
#include <sys/resource.h>
#include <unistd.h>

#define ABSENT_NODE	200

static void a108_connect_without_controller_fails_with_bad_ctlr_hndl(void)
{
	rsm_memseg_import_handle_t import;

	expect(rsm_memseg_import_connect(NULL, local_node, ID, RSM_PERM_READ, &import),
	       RSMERR_BAD_CTLR_HNDL);
	expect(rsm_memseg_import_connect(controller, local_node, ID, RSM_PERM_READ, NULL),
	       RSMERR_BAD_SEG_HNDL);
}

static void a109_other_permissions_fail_with_perm_denied(void)
{
	rsm_memseg_import_handle_t import = (void *)1;

	peer_export(0, page);
	expect(try_connect(ID, 01, &import), RSMERR_PERM_DENIED);
	expect_true(!import);
	expect(try_connect(ID, 0700, &import), RSMERR_PERM_DENIED);
	expect(try_connect(ID, 0444, &import), RSMERR_PERM_DENIED);
}

static void a111_an_unknown_id_fails_with_seg_not_published(void)
{
	rsm_memseg_import_handle_t import;

	peer_ok("create 0 %zu", page);
	expect(try_connect(ID, RSM_PERM_READ, &import), RSMERR_SEG_NOT_PUBLISHED);
	expect(try_connect(0, RSM_PERM_READ, &import), RSMERR_SEG_NOT_PUBLISHED);
	expect(try_connect(0xffffffff, RSM_PERM_READ, &import), RSMERR_SEG_NOT_PUBLISHED);
}

static void a112_a_node_not_in_the_list_fails_with_seg_not_published_to_node(void)
{
	rsm_memseg_import_handle_t import;

	peer_ok("create 0 %zu", page);
	peer_ok("publish 0 %d %u:0666", ID, scope == CROSS ? peer_node : local_node == 1 ? 2 : 1);
	expect(try_connect(ID, RSM_PERM_READ, &import), RSMERR_SEG_NOT_PUBLISHED_TO_NODE);
}

static void a113_loopback_leads_to_the_own_node_only(void)
{
	rsm_memseg_import_handle_t import;

	expect(rsm_memseg_import_connect(controller, local_node == 1 ? 2 : 1, ID, RSM_PERM_READ,
					 &import), RSMERR_CTLR_NOT_PRESENT);
}

static void a114_a_node_without_path_fails_with_internal_error(void)
{
	rsm_memseg_import_handle_t import;

	expect(rsm_memseg_import_connect(controller, ABSENT_NODE, ID, RSM_PERM_READ, &import),
	       RSMERR_INTERNAL_ERROR);
	expect(rsm_memseg_import_connect(controller, 0, ID, RSM_PERM_READ, &import),
	       RSMERR_INTERNAL_ERROR);
	expect(rsm_memseg_import_connect(controller, 0xffffffff, ID, RSM_PERM_READ, &import),
	       RSMERR_INTERNAL_ERROR);
}

/* Documented: PERM_DENIED, mapped or not; reading needs no right to write. */
static void a117_put_on_a_readable_connection_fails_with_perm_denied(void)
{
	rsm_memseg_import_handle_t import;
	rsmapi_barrier_t barrier;
	uint8_t byte = 7;

	peer_export(0, page);
	import = connect_to(ID, RSM_PERM_READ);
	require(rsm_memseg_import_init_barrier(import, RSM_BAR_DEFAULT, &barrier), RSM_SUCCESS);
	expect(rsm_memseg_import_put8(import, 0, &byte, 1), RSMERR_PERM_DENIED);
	expect(rsm_memseg_import_get8(import, 0, &byte, 1), RSM_SUCCESS);
	expect(byte, 0);
	if (rsm_memseg_import_unmap(import) == RSM_SUCCESS)
		map(import, RSM_PERM_READ, page);
	expect(rsm_memseg_import_put8(import, 0, &byte, 1), RSMERR_PERM_DENIED);
}

/* ---- users ---- */

#define NO_LIST	0xffffffff

struct attempt {
	unsigned int uid, gid, second_gid;
	rsm_permission_t permission;
	int wanted;
};

static void attempt_connect(void *argument)
{
	const struct attempt *attempt = argument;
	gid_t second = attempt->second_gid;
	rsm_memseg_import_handle_t import;

	require(setgroups(second != 0, &second), 0);
	require(setgid(attempt->gid), 0);
	require(setuid(attempt->uid), 0);
	expect(try_connect(ID, attempt->permission, &import), attempt->wanted);
}

/* A segment of user and group 1001. */
static void export_as_user(unsigned int mask, rsm_permission_t list)
{
	peer_ok("become 1001");
	peer_ok("umask %#o", mask);
	peer_ok("create 0 %zu", page);
	peer_ok("umask 0");
	if (list == NO_LIST)
		peer_ok("publish 0 %d", ID);
	else
		peer_ok("publish 0 %d %u:%o", ID, local_node, list);
}

static void attempts(const struct attempt *attempt, size_t count)
{
	for (; count; count--, attempt++)
		in_child(attempt_connect, (void *)attempt);
}

#define OWNER		1001, 1001, 0
#define MEMBER		1002, 1001, 0
#define SECOND_MEMBER	1002, 1002, 1001
#define STRANGER	1002, 1002, 0
#define READ		RSM_PERM_READ
#define WRITE		RSM_PERM_WRITE
#define RDWR		RSM_PERM_RDWR
#define OK		RSM_SUCCESS
#define DENIED		RSMERR_PERM_DENIED

static void a118_umask_077_is_for_the_owner(void)
{
	static const struct attempt list[] = {
		{ OWNER, RDWR, OK }, { MEMBER, READ, DENIED }, { STRANGER, READ, DENIED },
	};

	export_as_user(077, NO_LIST);
	attempts(list, ARRAY(list));
}

static void a119_umask_022_lets_others_read(void)
{
	static const struct attempt list[] = {
		{ STRANGER, READ, OK }, { STRANGER, RDWR, DENIED }, { STRANGER, WRITE, DENIED },
	};

	export_as_user(022, NO_LIST);
	attempts(list, ARRAY(list));
}

static void a121_list_0640_lets_the_group_read(void)
{
	static const struct attempt list[] = {
		{ MEMBER, READ, OK }, { MEMBER, WRITE, DENIED }, { SECOND_MEMBER, READ, OK },
		{ SECOND_MEMBER, RDWR, DENIED }, { STRANGER, READ, DENIED },
	};

	export_as_user(077, 0640);
	attempts(list, ARRAY(list));
}

static void a122_list_0624_serves_each_class(void)
{
	static const struct attempt list[] = {
		{ OWNER, RDWR, OK }, { MEMBER, WRITE, OK }, { MEMBER, READ, DENIED },
		{ STRANGER, READ, OK }, { STRANGER, WRITE, DENIED },
	};

	export_as_user(077, 0624);
	attempts(list, ARRAY(list));
}

static void a123_the_umask_counts_at_create(void)
{
	static const struct attempt list[] = {
		{ STRANGER, READ, DENIED }, { OWNER, READ, OK },
	};

	/* It is 0 when the segment is published. */
	export_as_user(0777, NO_LIST);
	attempts(list, 1);
	peer_ok("destroy 0");
	peer_ok("umask 0");
	peer_ok("create 0 %zu", page);
	peer_ok("umask 0777");
	peer_ok("publish 0 %d", ID);
	attempts(list + 1, 1);
}

/* ---- handles ---- */

static void a124_imports_are_independent(void)
{
	rsm_memseg_import_handle_t imports[8];
	volatile uint8_t *mapping;
	size_t i;

	peer_export(0, page);
	for (i = 0; i < ARRAY(imports); i++)
		imports[i] = connect_to(ID, i % 2 ? RSM_PERM_READ : RSM_PERM_RDWR);
	mapping = map(imports[6], RSM_PERM_RDWR, page);
	for (i = 0; i < 6; i++)
		expect(rsm_memseg_import_disconnect(imports[i]), RSM_SUCCESS);
	mapping[0] = 124;
	peer_ok("byte 0 0");
	expect(peer_value, 124);
	expect(map(imports[7], RSM_PERM_READ, page)[0], 124);
}

static void a127_disconnect_null_fails_with_bad_seg_hndl(void)
{
	expect(rsm_memseg_import_disconnect(NULL), RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_import_disconnect((rsm_memseg_import_handle_t)
					    create(memory(page), page)), RSMERR_BAD_SEG_HNDL);
}

static void a128_disconnect_while_mapped_fails_with_seg_still_mapped(void)
{
	struct imported imported = import_mapped(page);

	expect(rsm_memseg_import_disconnect(imported.import), RSMERR_SEG_STILL_MAPPED);
	imported.mapping[0] = 128;
	peer_ok("byte 0 0");
	expect(peer_value, 128);
	require(rsm_memseg_import_unmap(imported.import), RSM_SUCCESS);
	expect(rsm_memseg_import_disconnect(imported.import), RSM_SUCCESS);
}

static void a129_an_implicit_mapping_does_not_keep_the_import(void)
{
	struct imported imported = import(page);
	uint8_t byte = 129;

	require(rsm_memseg_import_put8(imported.import, 0, &byte, 1), RSM_SUCCESS);
	expect(rsm_memseg_import_disconnect(imported.import), RSM_SUCCESS);
	peer_ok("byte 0 0");
	expect(peer_value, 129);
}

static void a131_what_was_cut_off_can_be_disconnected(void)
{
	struct imported imported = import_mapped(page);
	rsm_memseg_import_handle_t other = connect_to(ID, RSM_PERM_READ);

	peer_ok("unpublish 0");
	expect(rsm_memseg_import_disconnect(other), RSM_SUCCESS);
	expect(rsm_memseg_import_disconnect(imported.import), RSMERR_SEG_STILL_MAPPED);
	expect(rsm_memseg_import_unmap(imported.import), RSM_SUCCESS);
	expect(rsm_memseg_import_disconnect(imported.import), RSM_SUCCESS);
}

static void a132_no_descriptor_left_gives_insufficient_resources(void)
{
	rsm_memseg_import_handle_t import = (void *)1;
	rsm_memseg_export_handle_t export = (void *)1;
	struct rlimit limit, none;

	peer_export(0, page);
	require(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = (struct rlimit){ 0, limit.rlim_max };
	require(setrlimit(RLIMIT_NOFILE, &none), 0);
	expect(try_connect(ID, RSM_PERM_READ, &import), RSMERR_INSUFFICIENT_RESOURCES);
	expect_true(!import);
	expect(rsm_memseg_export_create(controller, &export, memory(page), page, 0),
	       RSMERR_INSUFFICIENT_RESOURCES);
	expect_true(!export);
	require(setrlimit(RLIMIT_NOFILE, &limit), 0);
	expect(try_connect(ID, RSM_PERM_READ, &import), RSM_SUCCESS);
}

static const struct test tests[] = {
	TEST(LOCAL, a108_connect_without_controller_fails_with_bad_ctlr_hndl),
	TEST(ALL, a109_other_permissions_fail_with_perm_denied),
	TEST(ALL, a111_an_unknown_id_fails_with_seg_not_published),
	TEST(SELF | CROSS, a112_a_node_not_in_the_list_fails_with_seg_not_published_to_node),
	TEST(LOOPBACK, a113_loopback_leads_to_the_own_node_only),
	TEST(SELF, a114_a_node_without_path_fails_with_internal_error),
	TEST(ALL, a117_put_on_a_readable_connection_fails_with_perm_denied),
	TEST(ALL, a118_umask_077_is_for_the_owner),
	TEST(ALL, a119_umask_022_lets_others_read),
	TEST(ALL, a121_list_0640_lets_the_group_read),
	TEST(ALL, a122_list_0624_serves_each_class),
	TEST(ALL, a123_the_umask_counts_at_create),
	TEST(ALL, a124_imports_are_independent),
	TEST(LOCAL, a127_disconnect_null_fails_with_bad_seg_hndl),
	TEST(ALL, a128_disconnect_while_mapped_fails_with_seg_still_mapped),
	TEST(ALL, a129_an_implicit_mapping_does_not_keep_the_import),
	TEST(ALL, a131_what_was_cut_off_can_be_disconnected),
	TEST(ALL, a132_no_descriptor_left_gives_insufficient_resources),
};

SECTION(connections);
