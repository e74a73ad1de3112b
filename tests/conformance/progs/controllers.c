// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Controllers: open, share, release, attributes.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "conform.h"

#include <string.h>

#include "fault.h"

static void a026_null_names_the_loopback_controller(void)
{
	rsmapi_controller_handle_t null, loopback;
	rsm_memseg_export_handle_t export;

	require(rsm_get_controller(NULL, &null), RSM_SUCCESS);
	require(rsm_get_controller("loopback", &loopback), RSM_SUCCESS);
	expect_true(null == loopback);
	expect(rsm_memseg_export_create(null, &export, memory(page), page, 0), RSM_SUCCESS);
}

static void a027_loopback_twice_is_one_handle_with_two_releases(void)
{
	rsmapi_controller_handle_t a, b;

	require(rsm_get_controller("loopback", &a), RSM_SUCCESS);
	require(rsm_get_controller("loopback", &b), RSM_SUCCESS);
	expect_true(a == b);
	expect(rsm_release_controller(a), RSM_SUCCESS);
	expect(rsm_release_controller(b), RSM_SUCCESS);
}

static void a028_the_unit_of_loopback_is_ignored(void)
{
	rsmapi_controller_handle_t seventh;

	require(rsm_get_controller("loopback7", &seventh), RSM_SUCCESS);
	expect_true(seventh == controller);
}

static void a029_sci0_twice_is_one_handle(void)
{
	rsmapi_controller_handle_t again;

	require(rsm_get_controller("sci0", &again), RSM_SUCCESS);
	expect_true(again == controller);
	require(rsm_get_controller("SCI0", &again), RSM_SUCCESS);
	expect_true(again == controller);
}

static void a031_an_absent_unit_fails_with_ctlr_not_present(void)
{
	rsmapi_controller_handle_t absent;

	expect(rsm_get_controller("sci31", &absent), RSMERR_CTLR_NOT_PRESENT);
}

static void a032_no_digits_mean_unit_0(void)
{
	rsmapi_controller_handle_t sci;

	require(rsm_get_controller("sci", &sci), RSM_SUCCESS);
	expect_true(sci == controller);
}

/* The agent stands in for the plug-in: it is what the library talks to. */
static void a033_another_version_behind_fails_with_bad_library_version(void)
{
	rsmapi_controller_handle_t other;

	require(rsm_release_controller(controller), RSM_SUCCESS);
	fault_agent_version();
	expect(rsm_get_controller(controller_name, &other), RSMERR_BAD_LIBRARY_VERSION);
}

static void a034_a_type_without_provider_fails_with_ctlr_not_present(void)
{
	char longest[300];
	rsmapi_controller_handle_t none;

	expect(rsm_get_controller("wrsm0", &none), RSMERR_CTLR_NOT_PRESENT);
	expect(rsm_get_controller("", &none), RSMERR_CTLR_NOT_PRESENT);
	memset(longest, 's', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	expect(rsm_get_controller(longest, &none), RSMERR_CTLR_NOT_PRESENT);
	expect(rsm_get_controller(controller_name, NULL), RSMERR_BAD_CTLR_HNDL);
}

static void a036_attr_without_pointer_fails_with_bad_addr(void)
{
	expect(rsm_get_controller_attr(controller, NULL), RSMERR_BAD_ADDR);
}

static void a037_a_null_controller_comes_before_a_null_attr(void)
{
	expect(rsm_get_controller_attr(NULL, NULL), RSMERR_BAD_CTLR_HNDL);
}

static void a038_loopback_has_the_page_size_and_no_limits(void)
{
	rsmapi_controller_attr_t attr;

	memset(&attr, 0x5a, sizeof(attr));
	require(rsm_get_controller_attr(controller, &attr), RSM_SUCCESS);
	/* The original's 0x8 is the bit of 8 KiB pages, its system's page size. */
	expect(attr.attr_page_size, page / 1024);
	expect(attr.attr_max_export_segment_size, 0);
	expect(attr.attr_tot_export_segment_size, 0);
	expect(attr.attr_max_export_segments, 0);
	expect(attr.attr_max_import_map_size, 0);
	expect(attr.attr_tot_import_map_size, 0);
	expect(attr.attr_max_import_segments, 0);
}

static void a039_the_page_size_of_sci_is_a_mask(void)
{
	rsmapi_controller_attr_t attr;

	require(rsm_get_controller_attr(controller, &attr), RSM_SUCCESS);
	expect_true(attr.attr_page_size & (page / 1024));
	expect_true(attr.attr_max_export_segment_size >= page);
	expect_true(attr.attr_max_import_segments > 0);
	expect(attr.attr_direct_access_sizes & 0xf, 0xf);
}

static void a041_n_gets_take_n_releases(void)
{
	rsmapi_controller_attr_t attr;
	rsmapi_controller_handle_t again;
	int i;

	for (i = 0; i < 5; i++)
		require(rsm_get_controller(controller_name, &again), RSM_SUCCESS);
	for (i = 0; i < 6; i++) {
		expect(rsm_get_controller_attr(controller, &attr), RSM_SUCCESS);
		expect(rsm_release_controller(controller), RSM_SUCCESS);
	}
	expect(rsm_release_controller(controller), RSMERR_BAD_CTLR_HNDL);
	expect(rsm_get_controller_attr(controller, &attr), RSMERR_CTLR_NOT_PRESENT);
	expect(rsm_release_controller(NULL), RSMERR_BAD_CTLR_HNDL);
}

static const struct test tests[] = {
	TEST(LOOPBACK, a026_null_names_the_loopback_controller),
	TEST(LOOPBACK, a027_loopback_twice_is_one_handle_with_two_releases),
	TEST(LOOPBACK, a028_the_unit_of_loopback_is_ignored),
	TEST(SELF, a029_sci0_twice_is_one_handle),
	TEST(SELF, a031_an_absent_unit_fails_with_ctlr_not_present),
	TEST(SELF, a032_no_digits_mean_unit_0),
	TEST(LOCAL, a033_another_version_behind_fails_with_bad_library_version),
	TEST(LOCAL, a034_a_type_without_provider_fails_with_ctlr_not_present),
	TEST(LOCAL, a036_attr_without_pointer_fails_with_bad_addr),
	TEST(LOCAL, a037_a_null_controller_comes_before_a_null_attr),
	TEST(LOOPBACK, a038_loopback_has_the_page_size_and_no_limits),
	TEST(SELF, a039_the_page_size_of_sci_is_a_mask),
	TEST(LOCAL, a041_n_gets_take_n_releases),
};

SECTION(controllers);
