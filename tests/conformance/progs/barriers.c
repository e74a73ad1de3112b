// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Barriers and barrier modes.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "conform.h"

typedef int barrier_call(rsmapi_barrier_t *barrier);

static void a197_init_needs_a_segment_and_a_barrier(void)
{
	struct imported imported = import(page);
	rsmapi_barrier_t barrier;

	expect(rsm_memseg_import_init_barrier(NULL, RSM_BAR_DEFAULT, &barrier),
	       RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_import_init_barrier(imported.import, RSM_BAR_DEFAULT, NULL),
	       RSMERR_BAD_BARRIER_PTR);
	expect(rsm_memseg_import_init_barrier(NULL, RSM_BAR_DEFAULT, NULL), RSMERR_BAD_SEG_HNDL);
}

static void a198_every_type_is_accepted(void)
{
	static const int types[] = {
		RSM_BARRIER_SEGMENT, RSM_BARRIER_NODE, RSM_BARRIER_SEGMENT_THREAD,
		RSM_BARRIER_NODE_THREAD, RSM_BAR_DEFAULT, 0, 0x7f,
	};
	struct imported imported = import_mapped(page);
	rsmapi_barrier_t barrier;
	size_t i;

	for (i = 0; i < ARRAY(types); i++) {
		expect(rsm_memseg_import_init_barrier(imported.import,
						      (rsm_barrier_type_t)types[i], &barrier),
		       RSM_SUCCESS);
		expect(rsm_memseg_import_open_barrier(&barrier), RSM_SUCCESS);
		imported.mapping[0] = (uint8_t)i;
		expect(rsm_memseg_import_close_barrier(&barrier), RSM_SUCCESS);
		expect(rsm_memseg_import_destroy_barrier(&barrier), RSM_SUCCESS);
	}
}

static void a199_null_fails_with_bad_barrier_ptr(void)
{
	static barrier_call *const calls[] = {
		rsm_memseg_import_open_barrier, rsm_memseg_import_order_barrier,
		rsm_memseg_import_close_barrier, rsm_memseg_import_destroy_barrier,
	};
	rsmapi_barrier_t barrier = { 0 };
	size_t i;

	for (i = 0; i < ARRAY(calls); i++) {
		expect(calls[i](NULL), RSMERR_BAD_BARRIER_PTR);
		expect(calls[i](&barrier), RSMERR_BARRIER_UNINITIALIZED);
	}
}

static void a201_a_healthy_span_succeeds(void)
{
	struct imported imported = import_mapped(page);
	int i;

	for (i = 1; i < 20; i++) {
		expect(rsm_memseg_import_open_barrier(&imported.barrier), RSM_SUCCESS);
		imported.mapping[0] = (uint8_t)i;
		expect(rsm_memseg_import_order_barrier(&imported.barrier), RSM_SUCCESS);
		expect(rsm_memseg_import_order_barrier(&imported.barrier), RSM_SUCCESS);
		imported.mapping[1] = (uint8_t)i;
		expect(rsm_memseg_import_close_barrier(&imported.barrier), RSM_SUCCESS);
		peer_ok("peek 0 0");
		expect(peer_value, i | i << 8);
	}
}

/* Decided as documented. */
static void a202_close_and_order_need_an_open(void)
{
	struct imported imported = import_mapped(page);

	expect(rsm_memseg_import_close_barrier(&imported.barrier), RSMERR_BARRIER_NOT_OPENED);
	expect(rsm_memseg_import_order_barrier(&imported.barrier), RSMERR_BARRIER_NOT_OPENED);
	require(rsm_memseg_import_open_barrier(&imported.barrier), RSM_SUCCESS);
	require(rsm_memseg_import_close_barrier(&imported.barrier), RSM_SUCCESS);
	expect(rsm_memseg_import_close_barrier(&imported.barrier), RSMERR_BARRIER_NOT_OPENED);
}

static void a203_an_open_barrier_can_be_opened(void)
{
	struct imported imported = import_mapped(page);

	expect(rsm_memseg_import_open_barrier(&imported.barrier), RSM_SUCCESS);
	expect(rsm_memseg_import_open_barrier(&imported.barrier), RSM_SUCCESS);
	expect(rsm_memseg_import_close_barrier(&imported.barrier), RSM_SUCCESS);
}

static void a204_after_destroy_implicit_mode_has_no_barrier(void)
{
	struct imported imported = import(page);
	uint8_t byte = 1;

	expect(rsm_memseg_import_put8(imported.import, 0, &byte, 1), RSM_SUCCESS);
	expect(rsm_memseg_import_destroy_barrier(&imported.barrier), RSM_SUCCESS);
	expect(rsm_memseg_import_put8(imported.import, 0, &byte, 1),
	       RSMERR_BARRIER_UNINITIALIZED);
	/* The original frees it twice. */
	expect(rsm_memseg_import_destroy_barrier(&imported.barrier),
	       RSMERR_BARRIER_UNINITIALIZED);
}

static void a206_unpublish_in_the_span_aborts_it(void)
{
	struct imported imported = import_mapped(page);

	require(rsm_memseg_import_open_barrier(&imported.barrier), RSM_SUCCESS);
	imported.mapping[0] = 1;
	peer_ok("unpublish 0");
	imported.mapping[0] = 2;
	/* The original does not look at order. */
	expect(rsm_memseg_import_order_barrier(&imported.barrier), RSMERR_CONN_ABORTED);
	expect(rsm_memseg_import_close_barrier(&imported.barrier), RSMERR_CONN_ABORTED);
	peer_ok("byte 0 0");
	expect(peer_value, 1);
}

static void a207_unpublish_before_the_span_aborts_it(void)
{
	struct imported imported = import_mapped(page);

	peer_ok("unpublish 0");
	expect(rsm_memseg_import_open_barrier(&imported.barrier), RSM_SUCCESS);
	imported.mapping[0] = 2;
	expect(rsm_memseg_import_close_barrier(&imported.barrier), RSMERR_CONN_ABORTED);
}

static void a208_a_connection_stays_aborted_and_a_new_one_is_not(void)
{
	struct imported imported = import_mapped(page), again;
	int i;

	peer_ok("unpublish 0");
	peer_ok("publish 0 %d", ID);
	again.import = connect_to(ID, RSM_PERM_RDWR);
	again.mapping = map(again.import, RSM_PERM_RDWR, page);
	require(rsm_memseg_import_init_barrier(again.import, RSM_BAR_DEFAULT, &again.barrier),
		RSM_SUCCESS);
	for (i = 1; i < 4; i++) {
		require(rsm_memseg_import_open_barrier(&imported.barrier), RSM_SUCCESS);
		imported.mapping[0] = 200;
		expect(rsm_memseg_import_close_barrier(&imported.barrier), RSMERR_CONN_ABORTED);
		require(rsm_memseg_import_open_barrier(&again.barrier), RSM_SUCCESS);
		again.mapping[0] = (uint8_t)i;
		expect(rsm_memseg_import_close_barrier(&again.barrier), RSM_SUCCESS);
		peer_ok("byte 0 0");
		expect(peer_value, i);
	}
}

static void a209_a_cut_off_mapping_raises_no_signal(void)
{
	struct imported imported = import_mapped(4 * page);
	volatile uint64_t sum = 0;
	size_t i;

	imported.mapping[0] = 1;
	peer_ok("unpublish 0");
	for (i = 0; i < 4 * page; i += 64) {
		sum += imported.mapping[i];
		imported.mapping[i] = 9;
	}
	peer_ok("byte 0 0");
	expect(peer_value, 1);
	peer_ok("byte 0 64");
	expect(peer_value, 0);
}

static void a213_the_mode_is_implicit_until_it_is_set(void)
{
	rsm_barrier_mode_t mode = RSM_BARRIER_MODE_EXPLICIT;
	struct imported imported = import(page);

	expect(rsm_memseg_import_set_mode(NULL, RSM_BARRIER_MODE_EXPLICIT), RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_import_get_mode(NULL, &mode), RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_import_get_mode(imported.import, NULL), RSMERR_BAD_ADDR);
	expect(rsm_memseg_import_set_mode(imported.import, (rsm_barrier_mode_t)2),
	       RSMERR_BAD_MODE);
	expect(rsm_memseg_import_get_mode(imported.import, &mode), RSM_SUCCESS);
	expect(mode, RSM_BARRIER_MODE_IMPLICIT);
	expect(rsm_memseg_import_set_mode(imported.import, RSM_BARRIER_MODE_EXPLICIT),
	       RSM_SUCCESS);
	expect(rsm_memseg_import_get_mode(imported.import, &mode), RSM_SUCCESS);
	expect(mode, RSM_BARRIER_MODE_EXPLICIT);
}

static bool peer_looks(void *word)
{
	return *(volatile uint64_t *)word;
}

static void a214_who_sees_what_follows_order_sees_what_was_before(void)
{
	struct imported imported = import_mapped(2 * page);
	volatile uint64_t *first = (volatile uint64_t *)imported.mapping;
	volatile uint64_t *second = (volatile uint64_t *)(imported.mapping + page);
	uint64_t i;

	require(rsm_memseg_import_set_mode(imported.import, RSM_BARRIER_MODE_EXPLICIT),
		RSM_SUCCESS);
	peer_send("ordered 0 0 %zu 2000", page);
	require_true(eventually(peer_looks, (void *)&first[1]));
	for (i = 1; i <= 2000; i++) {
		expect(rsm_memseg_import_open_barrier(&imported.barrier), RSM_SUCCESS);
		*first = i;
		expect(rsm_memseg_import_order_barrier(&imported.barrier), RSM_SUCCESS);
		*second = i;
		expect(rsm_memseg_import_close_barrier(&imported.barrier), RSM_SUCCESS);
	}
	expect(peer_answer(), 0);
	expect(peer_value, 0);
}

static void a216_rebind_leaves_the_generation(void)
{
	struct imported imported;
	int i;

	peer_ok("create 0 %zu %d", page, RSM_ALLOW_REBIND);
	peer_ok("publish 0 %d", ID);
	imported.import = connect_to(ID, RSM_PERM_RDWR);
	require(rsm_memseg_import_init_barrier(imported.import, RSM_BAR_DEFAULT,
					       &imported.barrier), RSM_SUCCESS);
	for (i = 0; i < 3; i++) {
		require(rsm_memseg_import_open_barrier(&imported.barrier), RSM_SUCCESS);
		peer_ok("rebind 0");
		expect(rsm_memseg_import_close_barrier(&imported.barrier), RSM_SUCCESS);
	}
}

static const struct test tests[] = {
	TEST(ALL, a197_init_needs_a_segment_and_a_barrier),
	TEST(ALL, a198_every_type_is_accepted),
	TEST(LOCAL, a199_null_fails_with_bad_barrier_ptr),
	TEST(ALL, a201_a_healthy_span_succeeds),
	TEST(ALL, a202_close_and_order_need_an_open),
	TEST(ALL, a203_an_open_barrier_can_be_opened),
	TEST(ALL, a204_after_destroy_implicit_mode_has_no_barrier),
	TEST(ALL, a206_unpublish_in_the_span_aborts_it),
	TEST(ALL, a207_unpublish_before_the_span_aborts_it),
	TEST(ALL, a208_a_connection_stays_aborted_and_a_new_one_is_not),
	TEST(ALL, a209_a_cut_off_mapping_raises_no_signal),
	TEST(ALL, a213_the_mode_is_implicit_until_it_is_set),
	TEST(ALL, a214_who_sees_what_follows_order_sees_what_was_before),
	TEST(ALL, a216_rebind_leaves_the_generation),
};

SECTION(barriers);
