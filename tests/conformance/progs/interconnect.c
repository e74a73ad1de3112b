// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the interconnect looks like, and the file of reserved segment ids.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#define _GNU_SOURCE
#include "conform.h"

#include <string.h>
#include <strings.h>

static void a241_topology_without_pointer_fails_with_bad_topology_ptr(void)
{
	expect(rsm_get_interconnect_topology(NULL), RSMERR_BAD_TOPOLOGY_PTR);
}

static rsm_topology_t *topology(void)
{
	rsm_topology_t *found;

	require(rsm_get_interconnect_topology(&found), RSM_SUCCESS);
	return found;
}

static void a242_the_controllers_lie_in_the_block_aligned(void)
{
	rsm_topology_t *found = topology();
	const char *block = (const char *)found, *at;
	uint_t i;

	expect_true(found->topology_hdr.local_cntlr_count > 0);
	for (i = 0; i < found->topology_hdr.local_cntlr_count; i++) {
		at = (const char *)found->connections[i];
		expect_true(at > block && at < block + 65536);
		expect((uintptr_t)at % 8, 0);
		expect_true(found->connections[i]->hdr.remote_cntlr_count >= 0);
	}
	rsm_free_interconnect_topology(found);
	rsm_free_interconnect_topology(NULL);
}

/* sci0's entry for a node, or NULL. */
static const rsm_remote_cntlr_t *remote_of(const rsm_topology_t *found, rsm_node_id_t node)
{
	const rsm_connections_t *connection;
	uint_t i;
	int r;

	for (i = 0; i < found->topology_hdr.local_cntlr_count; i++) {
		connection = found->connections[i];
		if (strcmp(connection->hdr.cntlr_name, "sci0"))
			continue;
		for (r = 0; r < connection->hdr.remote_cntlr_count; r++)
			if (connection->remote_cntlr[r].remote_nodeid == node)
				return &connection->remote_cntlr[r];
	}
	return NULL;
}

static void a243_the_path_to_the_other_node_is_active(void)
{
	rsm_topology_t *found = topology();
	const rsm_remote_cntlr_t *remote = remote_of(found, peer_node);

	require_true(remote);
	expect(strcmp(remote->remote_cntlrname, "sci0"), 0);
	expect_true(remote->remote_hwaddr != found->connections[0]->hdr.local_hwaddr);
	expect(remote->connection_state, RSM_CONNECTION_ACTIVE);
	rsm_free_interconnect_topology(found);
}

static bool path_is_active(void *argument)
{
	rsm_topology_t *found = topology();
	const rsm_remote_cntlr_t *remote = remote_of(found, peer_node);
	bool active = remote && remote->connection_state == RSM_CONNECTION_ACTIVE;

	(void)argument;
	rsm_free_interconnect_topology(found);
	return active;
}

static bool path_is_not_active(void *argument)
{
	return !path_is_active(argument);
}

static void a244_a_link_that_is_down_is_not_active(void)
{
	host_ok("link down");
	expect_true(eventually(path_is_not_active, NULL));
	host_ok("link up");
	expect_true(eventually(path_is_active, NULL));
}

static void a246_loopback_is_not_listed(void)
{
	rsm_topology_t *found = topology();
	uint_t i;

	for (i = 0; i < found->topology_hdr.local_cntlr_count; i++)
		expect_true(strncasecmp(found->connections[i]->hdr.cntlr_name, "loopback", 8));
	rsm_free_interconnect_topology(found);
}

/* ---- the file ---- */

static rsm_memseg_id_t base;
static uint32_t length;

static int range(const char *text, const char *application)
{
	base = 0;
	length = 0;
	segmentid_file(text);
	return rsm_get_segmentid_range(application, &base, &length);
}

static void a247_null_missing_and_unknown_are_told_apart(void)
{
	segmentid_file(NULL);
	expect(rsm_get_segmentid_range(NULL, &base, &length), RSMERR_BAD_ADDR);
	expect(rsm_get_segmentid_range("SUNWfoo", NULL, &length), RSMERR_BAD_ADDR);
	expect(rsm_get_segmentid_range("SUNWfoo", &base, NULL), RSMERR_BAD_ADDR);
	expect(range(NULL, "SUNWfoo"), RSMERR_BAD_CONF);
	expect(range("", "SUNWfoo"), RSMERR_BAD_APPID);
	expect(range("reserved SUNWbar 600000 10\n", "SUNWfoo"), RSMERR_BAD_APPID);
}

static void a248_the_base_is_hexadecimal_with_or_without_0x(void)
{
	expect(range("# ids\nreserved SUNWfoo 0x600000 1000\n", "SUNWfoo"), RSM_SUCCESS);
	expect(base, 0x600000);
	expect(length, 1000);
	expect(range("\treserved\tSUNWbar 500000 1\n  reserved SUNWfoo 600000 1000", "SUNWfoo"),
	       RSM_SUCCESS);
	expect(base, 0x600000);
	expect(length, 1000);
}

static void a249_case_does_not_matter(void)
{
	expect(range("RESERVED sunwFOO 0x600000 5\n", "SUNWfoo"), RSM_SUCCESS);
	expect(base, 0x600000);
}

static void a251_an_incomplete_line_before_the_match_is_bad_conf(void)
{
	expect(range("reserved SUNWbar 0x500000\nreserved SUNWfoo 0x600000 5\n", "SUNWfoo"),
	       RSMERR_BAD_CONF);
	expect(range("reserved SUNWfoo 0x600000 5\nreserved SUNWbar\n", "SUNWfoo"), RSM_SUCCESS);
	expect(range("reserved SUNWfoo 0x100000000 5\n", "SUNWfoo"), RSMERR_BAD_CONF);
	expect(range("reserved SUNWfoo 0x600000 99999999999\n", "SUNWfoo"), RSMERR_BAD_CONF);
	/* The original takes an empty line for an incomplete one. */
	expect(range("\n \nreserved SUNWfoo 0x600000 5\n", "SUNWfoo"), RSM_SUCCESS);
}

/* Decided as documented: both spellings are in the documents. */
static void a252_reserve_is_as_good_as_reserved(void)
{
	expect(range("reserve SUNWfoo 0x600000 100\n", "SUNWfoo"), RSM_SUCCESS);
	expect(base, 0x600000);
	expect(length, 100);
	expect(range("reservation SUNWfoo 0x600000 100\n", "SUNWfoo"), RSMERR_BAD_CONF);
	segmentid_file(NULL);
}

static const struct test tests[] = {
	TEST(LOCAL, a241_topology_without_pointer_fails_with_bad_topology_ptr),
	TEST(SELF, a242_the_controllers_lie_in_the_block_aligned),
	TEST(CROSS, a243_the_path_to_the_other_node_is_active),
	TEST(CROSS, a244_a_link_that_is_down_is_not_active),
	TEST(LOOPBACK, a246_loopback_is_not_listed),
	TEST(LOOPBACK, a247_null_missing_and_unknown_are_told_apart),
	TEST(LOOPBACK, a248_the_base_is_hexadecimal_with_or_without_0x),
	TEST(LOOPBACK, a249_case_does_not_matter),
	TEST(LOOPBACK, a251_an_incomplete_line_before_the_match_is_bad_conf),
	TEST(LOOPBACK, a252_reserve_is_as_good_as_reserved),
};

SECTION(interconnect);
