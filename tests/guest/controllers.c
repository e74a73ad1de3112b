// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Controllers and topology: names, reference counts, attributes.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "guest.h"

#include <string.h>

static void null_name_means_loopback(void)
{
	rsmapi_controller_handle_t by_null, by_name;

	require(rsm_get_controller(NULL, &by_null), RSM_SUCCESS);
	require(rsm_get_controller("loopback", &by_name), RSM_SUCCESS);
	expect_true(by_null == by_name);
}

static void loopback_has_no_units(void)
{
	rsmapi_controller_handle_t plain, unit;

	require(rsm_get_controller("loopback", &plain), RSM_SUCCESS);
	require(rsm_get_controller("loopback7", &unit), RSM_SUCCESS);
	expect_true(plain == unit);
}

static void types_compare_without_case(void)
{
	rsmapi_controller_handle_t lower, upper;

	require(rsm_get_controller("loopback", &lower), RSM_SUCCESS);
	require(rsm_get_controller("LoopBack", &upper), RSM_SUCCESS);
	expect_true(lower == upper);
}

static void no_digits_mean_unit_0(void)
{
	rsmapi_controller_handle_t sci;

	if (!loopback) {
		require(rsm_get_controller("sci", &sci), RSM_SUCCESS);
		expect_true(sci == controller);
		require(rsm_get_controller("sci00", &sci), RSM_SUCCESS);
		expect_true(sci == controller);
	}
}

static void each_get_needs_a_release(void)
{
	rsmapi_controller_handle_t again;
	rsmapi_controller_attr_t attr;

	require(rsm_get_controller(loopback ? "loopback" : "sci0", &again), RSM_SUCCESS);
	expect_true(again == controller);
	expect(rsm_release_controller(controller), RSM_SUCCESS);
	expect(rsm_get_controller_attr(controller, &attr), RSM_SUCCESS);
	expect(rsm_release_controller(controller), RSM_SUCCESS);
	expect(rsm_get_controller_attr(controller, &attr), RSMERR_CTLR_NOT_PRESENT);
	expect(rsm_release_controller(controller), RSMERR_BAD_CTLR_HNDL);
}

static void release_of_null_fails(void)
{
	expect(rsm_release_controller(NULL), RSMERR_BAD_CTLR_HNDL);
}

static void names_of_nothing_are_not_present(void)
{
	static char longest[1000];
	static char *const names[] = {
		"", "0", "42", "nosuch0", "sci9", "sci00000000000000000000000000000000000000001",
		"sci4294967296", "sci-1", "sixteencharacter0", longest,
	};
	rsmapi_controller_handle_t handle;
	size_t i;

	memset(longest, 'x', sizeof(longest) - 1);
	for (i = 0; i < ARRAY(names); i++)
		expect(rsm_get_controller(names[i], &handle), RSMERR_CTLR_NOT_PRESENT);
}

static void handle_pointer_comes_before_name(void)
{
	expect(rsm_get_controller("nosuch0", NULL), RSMERR_BAD_CTLR_HNDL);
}

static void attributes_check_handle_before_pointer(void)
{
	expect(rsm_get_controller_attr(NULL, NULL), RSMERR_BAD_CTLR_HNDL);
	expect(rsm_get_controller_attr(controller, NULL), RSMERR_BAD_ADDR);
}

static void page_size_is_a_mask_of_kib(void)
{
	rsmapi_controller_attr_t attr;

	require(rsm_get_controller_attr(controller, &attr), RSM_SUCCESS);
	expect(attr.attr_page_size & (page / 1024), page / 1024);
}

static void loopback_has_no_limits(void)
{
	rsmapi_controller_attr_t attr;

	require(rsm_get_controller_attr(controller, &attr), RSM_SUCCESS);
	expect(attr.attr_max_export_segment_size == 0, loopback);
	expect(attr.attr_max_import_map_size == 0, loopback);
}

static void topology_needs_a_pointer(void)
{
	expect(rsm_get_interconnect_topology(NULL), RSMERR_BAD_TOPOLOGY_PTR);
	rsm_free_interconnect_topology(NULL);
}

static void topology_lists_adapters_only(void)
{
	rsm_topology_t *topology;
	rsm_connections_t *connection;
	uint_t i;

	require(rsm_get_interconnect_topology(&topology), RSM_SUCCESS);
	for (i = 0; i < topology->topology_hdr.local_cntlr_count; i++) {
		connection = topology->connections[i];
		expect((uintptr_t)connection % 8, 0);
		expect_true((char *)connection > (char *)topology);
		expect(strncmp(connection->hdr.cntlr_name, "sci", 3), 0);
		expect_true(connection->hdr.remote_cntlr_count >= 0);
	}
	expect_true(loopback || i > 0);
	rsm_free_interconnect_topology(topology);
}

static void controllers_leave_no_descriptor(void)
{
	int before = descriptors();
	rsmapi_controller_handle_t other;
	rsm_topology_t *topology;

	require(rsm_get_controller(loopback ? "sci0" : "loopback", &other) == RSM_SUCCESS ||
		loopback, true);
	require(rsm_get_interconnect_topology(&topology), RSM_SUCCESS);
	rsm_free_interconnect_topology(topology);
	expect(descriptors(), before);
}

static const struct test tests[] = {
	TEST(null_name_means_loopback),
	TEST(loopback_has_no_units),
	TEST(types_compare_without_case),
	TEST(no_digits_mean_unit_0),
	TEST(each_get_needs_a_release),
	TEST(release_of_null_fails),
	TEST(names_of_nothing_are_not_present),
	TEST(handle_pointer_comes_before_name),
	TEST(attributes_check_handle_before_pointer),
	TEST(page_size_is_a_mask_of_kib),
	TEST(loopback_has_no_limits),
	TEST(topology_needs_a_pointer),
	TEST(topology_lists_adapters_only),
	TEST(controllers_leave_no_descriptor),
};

int main(int argc, char *argv[])
{
	return guest_main(argc, argv, TESTS(tests));
}
