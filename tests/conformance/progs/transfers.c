// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * get and put.  What is the same for all ten runs over a table of them.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "conform.h"

#include <string.h>

struct call {
	size_t width;		/* bytes of an element; 1 also for get and put */
	bool is_put;
	int (*run)(rsm_memseg_import_handle_t import, off_t offset, void *data, size_t count);
};

#define TYPED(name, type) \
	static int name(rsm_memseg_import_handle_t import, off_t offset, void *data, \
			size_t count) \
	{ \
		return rsm_memseg_import_##name(import, offset, (type *)data, count); \
	}
TYPED(get8, uint8_t)
TYPED(get16, uint16_t)
TYPED(get32, uint32_t)
TYPED(get64, uint64_t)
TYPED(put8, uint8_t)
TYPED(put16, uint16_t)
TYPED(put32, uint32_t)
TYPED(put64, uint64_t)

static const struct call calls[] = {
	{ 1, false, get8 }, { 2, false, get16 }, { 4, false, get32 },
	{ 8, false, get64 }, { 1, false, rsm_memseg_import_get },
	{ 1, true, put8 }, { 2, true, put16 }, { 4, true, put32 },
	{ 8, true, put64 }, { 1, true, rsm_memseg_import_put },
};

#define EACH(call)	const struct call *call = calls; call < calls + ARRAY(calls); call++

static uint64_t buffer[1024];

static void a116_without_permission_there_is_no_transfer(void)
{
	rsm_memseg_import_handle_t none;
	rsmapi_barrier_t barrier;

	peer_export(0, page);
	none = connect_to(ID, RSM_PERM_NONE);
	require(rsm_memseg_import_init_barrier(none, RSM_BAR_DEFAULT, &barrier), RSM_SUCCESS);
	for (EACH(call))
		expect(call->run(none, 0, buffer, 1), RSMERR_BAD_PERMS);
}

static void a157_a_null_handle_fails_with_bad_seg_hndl(void)
{
	for (EACH(call)) {
		expect(call->run(NULL, 0, buffer, 1), RSMERR_BAD_SEG_HNDL);
		expect(call->run(NULL, 1, NULL, 1), RSMERR_BAD_SEG_HNDL);
	}
}

static void a158_null_data_fails_with_bad_addr(void)
{
	struct imported imported = import(page);

	for (EACH(call)) {
		expect(call->run(imported.import, 0, NULL, 1), RSMERR_BAD_ADDR);
		expect(call->run(imported.import, 0, NULL, 0), RSMERR_BAD_ADDR);
	}
}

static void a159_misaligned_data_or_offset_fails_with_bad_mem_alignment(void)
{
	struct imported imported = import(page);

	for (EACH(call)) {
		if (call->width == 1)
			continue;
		expect(call->run(imported.import, 0, (uint8_t *)buffer + call->width / 2, 1),
		       RSMERR_BAD_MEM_ALIGNMENT);
		expect(call->run(imported.import, (off_t)(call->width / 2), buffer, 1),
		       RSMERR_BAD_MEM_ALIGNMENT);
		/* Before where it reaches. */
		expect(call->run(imported.import, (off_t)(page + 1), buffer, 1),
		       RSMERR_BAD_MEM_ALIGNMENT);
	}
}

static void a161_bytes_move_at_any_address_offset_and_length(void)
{
	struct imported imported = import(page);
	uint8_t out[100], in[100];
	size_t at, length;

	for (at = 0; at < 9; at++) {
		for (length = 0; length < 70; length++) {
			pattern_fill(out, sizeof(out), (unsigned int)(at + length));
			memset(in, 0xee, sizeof(in));
			expect(rsm_memseg_import_put(imported.import, (off_t)(3 * at), out + at,
						     length), RSM_SUCCESS);
			expect(rsm_memseg_import_get(imported.import, (off_t)(3 * at), in + 5,
						     length), RSM_SUCCESS);
			expect(memcmp(in + 5, out + at, length), 0);
			expect(in[4], 0xee);
			expect(in[5 + length], 0xee);
		}
	}
}

static void a162_an_export_handle_fails_with_bad_seg_hndl(void)
{
	rsm_memseg_export_handle_t export = create(memory(page), page);

	publish(export);
	for (EACH(call))
		expect(call->run((rsm_memseg_import_handle_t)export, 0, buffer, 1),
		       RSMERR_BAD_SEG_HNDL);
}

static void a163_without_barrier_implicit_mode_fails_with_barrier_uninitialized(void)
{
	rsm_memseg_import_handle_t bare;

	peer_export(0, page);
	bare = connect_to(ID, RSM_PERM_RDWR);
	for (EACH(call))
		expect(call->run(bare, 0, buffer, 1), RSMERR_BARRIER_UNINITIALIZED);
}

static void a164_explicit_mode_needs_no_barrier(void)
{
	rsm_memseg_import_handle_t bare;

	peer_export(0, page);
	bare = connect_to(ID, RSM_PERM_RDWR);
	require(rsm_memseg_import_set_mode(bare, RSM_BARRIER_MODE_EXPLICIT), RSM_SUCCESS);
	for (EACH(call))
		expect(call->run(bare, 0, buffer, 1), RSM_SUCCESS);
}

static void a166_count_0_succeeds_and_moves_nothing(void)
{
	struct imported imported = import(page);

	memset(buffer, 0x66, sizeof(buffer));
	for (EACH(call)) {
		expect(call->run(imported.import, 0, buffer, 0), RSM_SUCCESS);
		expect(call->run(imported.import, (off_t)page, buffer, 0), RSM_SUCCESS);
	}
	expect(buffer[0], 0x6666666666666666);
	peer_ok("peek 0 0");
	expect(peer_value, 0);
}

static void check_end(rsm_memseg_import_handle_t import, off_t end)
{
	for (EACH(call)) {
		off_t last = end - (off_t)call->width;

		expect(call->run(import, last, buffer, 1), RSM_SUCCESS);
		expect(call->run(import, last, buffer, 2), RSMERR_BAD_OFFSET);
		expect(call->run(import, end, buffer, 1), RSMERR_BAD_OFFSET);
		expect(call->run(import, -(off_t)call->width, buffer, 1), RSMERR_BAD_OFFSET);
		expect(call->run(import, 0, buffer, SIZE_MAX / call->width), RSMERR_BAD_OFFSET);
		expect(call->run(import, 0, buffer, SIZE_MAX), RSMERR_BAD_OFFSET);
	}
}

static void a167_one_more_than_the_segment_fails_with_bad_offset(void)
{
	struct imported imported = import(2 * page);

	check_end(imported.import, (off_t)(2 * page));
	require(rsm_memseg_import_unmap(imported.import), RSM_SUCCESS);
	map(imported.import, RSM_PERM_RDWR, 2 * page);
	check_end(imported.import, (off_t)(2 * page));
}

static void a168_outside_a_partial_map_fails_with_bad_offset(void)
{
	struct imported imported = import(3 * page);
	void *address = NULL;

	require(rsm_memseg_import_map(imported.import, &address, RSM_MAP_NONE, RSM_PERM_RDWR,
				      (off_t)page, page), RSM_SUCCESS);
	for (EACH(call)) {
		expect(call->run(imported.import, 0, buffer, 1), RSMERR_BAD_OFFSET);
		expect(call->run(imported.import, (off_t)(page - call->width), buffer, 2),
		       RSMERR_BAD_OFFSET);
		expect(call->run(imported.import, (off_t)(2 * page), buffer, 1),
		       RSMERR_BAD_OFFSET);
		expect(call->run(imported.import, (off_t)page, buffer, 1), RSM_SUCCESS);
	}
}

static void a169_offsets_count_from_the_segment(void)
{
	struct imported imported = import(3 * page);
	uint64_t value = 0x169, back = 0;
	void *address = NULL;

	require(rsm_memseg_import_map(imported.import, &address, RSM_MAP_NONE, RSM_PERM_RDWR,
				      (off_t)page, 2 * page), RSM_SUCCESS);
	require(rsm_memseg_import_put64(imported.import, (off_t)(page + 8), &value, 1),
		RSM_SUCCESS);
	peer_ok("peek 0 %zu", page + 8);
	expect(peer_value, 0x169);
	expect(((volatile uint64_t *)address)[1], 0x169);
	require(rsm_memseg_import_get64(imported.import, (off_t)(page + 8), &back, 1),
		RSM_SUCCESS);
	expect(back, 0x169);
}

static void a171_the_first_transfer_maps(void)
{
	struct imported imported = import(page);
	void *address = NULL;

	require(rsm_memseg_import_get(imported.import, 0, buffer, 1), RSM_SUCCESS);
	expect(rsm_memseg_import_map(imported.import, &address, RSM_MAP_NONE, RSM_PERM_READ, 0,
				     page), RSMERR_SEG_ALREADY_MAPPED);
	expect(rsm_memseg_import_unmap(imported.import), RSM_SUCCESS);
	expect(rsm_memseg_import_map(imported.import, &address, RSM_MAP_NONE, RSM_PERM_READ, 0,
				     page), RSM_SUCCESS);
}

static void a172_nodes_of_one_byte_order_do_not_swap(void)
{
	struct imported imported = import(page);
	uint32_t value = 0x01020304;

	require(rsm_memseg_import_put32(imported.import, 0, &value, 1), RSM_SUCCESS);
	peer_ok("peek 0 0");
	expect(peer_value, 0x01020304);
}

static void a172_every_width_moves_many_elements(void)
{
	struct imported imported = import(page);
	const size_t bytes = 8 * 100;
	uint64_t back[100];

	for (EACH(call)) {
		if (call->is_put) {
			pattern_fill(buffer, bytes, (unsigned int)call->width);
			expect(call->run(imported.import, 64, buffer, bytes / call->width),
			       RSM_SUCCESS);
			memset(back, 0, sizeof(back));
			expect(rsm_memseg_import_get(imported.import, 64, back, bytes),
			       RSM_SUCCESS);
			expect(memcmp(back, buffer, bytes), 0);
			continue;
		}
		pattern_fill(buffer, bytes, 17);
		require(rsm_memseg_import_put(imported.import, 128, buffer, bytes), RSM_SUCCESS);
		memset(back, 0, sizeof(back));
		expect(call->run(imported.import, 128, back, bytes / call->width), RSM_SUCCESS);
		expect(memcmp(back, buffer, bytes), 0);
	}
}

static void a173_after_unpublish_implicit_transfers_fail_with_conn_aborted(void)
{
	struct imported imported = import(page);
	rsm_memseg_import_handle_t unmapped = connect_to(ID, RSM_PERM_RDWR);
	rsmapi_barrier_t barrier;

	require(rsm_memseg_import_init_barrier(unmapped, RSM_BAR_DEFAULT, &barrier), RSM_SUCCESS);
	require(rsm_memseg_import_get(imported.import, 0, buffer, 1), RSM_SUCCESS);
	peer_ok("unpublish 0");
	for (EACH(call)) {
		expect(call->run(imported.import, 0, buffer, 1), RSMERR_CONN_ABORTED);
		expect(call->run(unmapped, 0, buffer, 1), RSMERR_CONN_ABORTED);
	}
}

static void a174_after_unpublish_explicit_puts_have_no_effect(void)
{
	struct imported imported = import_mapped(page);

	require(rsm_memseg_import_set_mode(imported.import, RSM_BARRIER_MODE_EXPLICIT),
		RSM_SUCCESS);
	peer_ok("unpublish 0");
	buffer[0] = 0x174;
	for (EACH(call))
		expect(call->run(imported.import, 0, buffer, 1), RSM_SUCCESS);
	peer_ok("peek 0 0");
	expect(peer_value, 0);
}

static void a176_rights_come_before_the_range_and_that_before_the_barrier(void)
{
	rsm_memseg_import_handle_t readable, bare;

	peer_export(0, page);
	readable = connect_to(ID, RSM_PERM_READ);
	bare = connect_to(ID, RSM_PERM_RDWR);
	map(readable, RSM_PERM_READ, page);
	for (EACH(call)) {
		expect(call->run(readable, (off_t)page, buffer, 1),
		       call->is_put ? RSMERR_PERM_DENIED : RSMERR_BAD_OFFSET);
		expect(call->run(bare, (off_t)page, buffer, 1), RSMERR_BAD_OFFSET);
		expect(call->run(bare, 0, buffer, 1), RSMERR_BARRIER_UNINITIALIZED);
	}
}

static void a176_get_on_a_writable_connection_fails_with_perm_denied(void)
{
	rsm_memseg_import_handle_t writable;

	peer_export(0, page);
	writable = connect_to(ID, RSM_PERM_WRITE);
	for (EACH(call))
		expect(call->run(writable, (off_t)page, buffer, 1),
		       call->is_put ? RSMERR_BAD_OFFSET : RSMERR_PERM_DENIED);
}

static const struct test tests[] = {
	TEST(ALL, a116_without_permission_there_is_no_transfer),
	TEST(LOCAL, a157_a_null_handle_fails_with_bad_seg_hndl),
	TEST(ALL, a158_null_data_fails_with_bad_addr),
	TEST(ALL, a159_misaligned_data_or_offset_fails_with_bad_mem_alignment),
	TEST(ALL, a161_bytes_move_at_any_address_offset_and_length),
	TEST(LOCAL, a162_an_export_handle_fails_with_bad_seg_hndl),
	TEST(ALL, a163_without_barrier_implicit_mode_fails_with_barrier_uninitialized),
	TEST(ALL, a164_explicit_mode_needs_no_barrier),
	TEST(ALL, a166_count_0_succeeds_and_moves_nothing),
	TEST(ALL, a167_one_more_than_the_segment_fails_with_bad_offset),
	TEST(ALL, a168_outside_a_partial_map_fails_with_bad_offset),
	TEST(ALL, a169_offsets_count_from_the_segment),
	TEST(ALL, a171_the_first_transfer_maps),
	TEST(ALL, a172_nodes_of_one_byte_order_do_not_swap),
	TEST(ALL, a172_every_width_moves_many_elements),
	TEST(ALL, a173_after_unpublish_implicit_transfers_fail_with_conn_aborted),
	TEST(ALL, a174_after_unpublish_explicit_puts_have_no_effect),
	TEST(ALL, a176_rights_come_before_the_range_and_that_before_the_barrier),
	TEST(ALL, a176_get_on_a_writable_connection_fails_with_perm_denied),
};

SECTION(transfers);
