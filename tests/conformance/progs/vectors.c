// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Scatter-gather, and local-memory handles.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#define _GNU_SOURCE
#include "conform.h"

#include <string.h>
#include <sys/mman.h>

typedef int vector_call(rsm_scat_gath_t *sg);

static vector_call *const calls[] = { rsm_memseg_import_putv, rsm_memseg_import_getv };

static rsm_iovec_t by_address(void *base, size_t offset, size_t remote, size_t bytes)
{
	return (rsm_iovec_t){
		.io_type = RSM_VA_TYPE, .local.vaddr = base, .local_offset = offset,
		.remote_offset = remote, .transfer_length = bytes,
	};
}

static rsm_iovec_t by_handle(rsm_localmemory_handle_t handle, size_t offset, size_t remote,
			     size_t bytes)
{
	return (rsm_iovec_t){
		.io_type = RSM_HANDLE_TYPE, .local.handle = handle, .local_offset = offset,
		.remote_offset = remote, .transfer_length = bytes,
	};
}

static rsm_scat_gath_t request(rsm_memseg_import_handle_t import, rsm_iovec_t *entries,
			       ulong_t count)
{
	return (rsm_scat_gath_t){
		.io_request_count = count, .io_residual_count = 99, .remote_handle = import,
		.iovec = entries,
	};
}

static rsm_localmemory_handle_t handle_of(void *address, size_t bytes)
{
	rsm_localmemory_handle_t handle;

	require(rsm_create_localmemory_handle(controller, &handle, address, bytes), RSM_SUCCESS);
	return handle;
}

static void a178_a_null_request_fails_with_bad_sgio(void)
{
	struct imported imported = import(page);
	rsm_iovec_t entry = by_address(memory(page), 0, 0, 8);
	rsm_scat_gath_t none = request(imported.import, &entry, 0);
	rsm_scat_gath_t many = request(imported.import, &entry, RSM_MAX_SGIOREQS + 1);
	size_t i;

	for (i = 0; i < ARRAY(calls); i++) {
		expect(calls[i](NULL), RSMERR_BAD_SGIO);
		expect(calls[i](&none), RSMERR_BAD_SGIO);
		expect(calls[i](&many), RSMERR_BAD_SGIO);
	}
}

static void a179_a_null_segment_fails_with_bad_seg_hndl(void)
{
	rsm_iovec_t entry = by_address(memory(page), 0, 0, 8);
	rsm_scat_gath_t sg = request(NULL, &entry, 0);
	size_t i;

	for (i = 0; i < ARRAY(calls); i++)
		expect(calls[i](&sg), RSMERR_BAD_SEG_HNDL);
}

static void check_entries(rsm_memseg_import_handle_t import, size_t count)
{
	uint8_t *out = memory(page), *in = memory(page);
	rsm_iovec_t entries[RSM_MAX_SGIOREQS];
	rsm_scat_gath_t sg;
	size_t i;

	pattern_fill(out, page, (unsigned int)count);
	for (i = 0; i < count; i++)
		entries[i] = by_address(out, 40 * i, 100 * (count - i), 20 + i);
	sg = request(import, entries, count);
	expect(rsm_memseg_import_putv(&sg), RSM_SUCCESS);
	expect(sg.io_residual_count, 0);
	for (i = 0; i < count; i++)
		entries[i].local.vaddr = (void *)in;
	sg = request(import, entries, count);
	expect(rsm_memseg_import_getv(&sg), RSM_SUCCESS);
	expect(sg.io_residual_count, 0);
	for (i = 0; i < count; i++) {
		expect(memcmp(in + 40 * i, out + 40 * i, 20 + i), 0);
		expect(in[40 * i + 20 + i], 0);
	}
	peer_ok("byte 0 %zu", (size_t)100);
	expect(peer_value, out[40 * (count - 1)]);
}

static void a181_1_and_16_entries_arrive_where_they_should(void)
{
	struct imported imported = import(page);

	check_entries(imported.import, 1);
	check_entries(imported.import, 16);
	require(rsm_memseg_import_set_mode(imported.import, RSM_BARRIER_MODE_EXPLICIT),
		RSM_SUCCESS);
	check_entries(imported.import, 16);
}

static void a182_addresses_and_handles_mix(void)
{
	uint8_t *a = memory(page), *b = memory(page);
	struct imported imported = import(page);
	rsm_iovec_t entries[2] = {
		by_handle(handle_of(a, page), 16, 0, 8), by_address(b, 24, 8, 8),
	};
	rsm_scat_gath_t sg = request(imported.import, entries, 2);

	memcpy(a + 16, "\x11\0\0\0\0\0\0", 8);
	memcpy(b + 24, "\x22\0\0\0\0\0\0", 8);
	expect(rsm_memseg_import_putv(&sg), RSM_SUCCESS);
	peer_ok("peek 0 0");
	expect(peer_value, 0x11);
	peer_ok("peek 0 8");
	expect(peer_value, 0x22);
	peer_ok("poke 0 0 0x33");
	expect(rsm_memseg_import_getv(&sg), RSM_SUCCESS);
	expect(a[16], 0x33);
}

static void a183_the_flags_stay_as_they_were(void)
{
	struct imported imported = import(page);
	rsm_iovec_t entry = by_address(memory(page), 0, 0, 8);
	rsm_scat_gath_t sg = request(imported.import, &entry, 1);
	size_t i;

	for (i = 0; i < ARRAY(calls); i++) {
		sg.flags = RSM_IMPLICIT_SIGPOST | RSM_SIGPOST_NO_ACCUMULATE;
		expect(calls[i](&sg), RSM_SUCCESS);
		expect(sg.flags, RSM_IMPLICIT_SIGPOST | RSM_SIGPOST_NO_ACCUMULATE);
	}
}

static void a184_an_implicit_post_is_one_event_after_the_data(void)
{
	struct imported imported = import(page);
	uint64_t value[2] = { 0, 0x184 };
	rsm_iovec_t entries[2] = {
		by_address(value, 0, 0, 8), by_address(value, 8, 8, 8),
	};
	rsm_scat_gath_t sg = request(imported.import, entries, 2);

	peer_send("wait 0 20000");
	sg.flags = RSM_IMPLICIT_SIGPOST;
	expect(rsm_memseg_import_putv(&sg), RSM_SUCCESS);
	expect(peer_answer(), RSM_SUCCESS);
	peer_ok("peek 0 8");
	expect(peer_value, 0x184);
	expect(peer("wait 0 50"), RSMERR_TIMEOUT);
	sg.flags = 0;
	expect(rsm_memseg_import_putv(&sg), RSM_SUCCESS);
	expect(peer("wait 0 50"), RSMERR_TIMEOUT);
}

static void a184_a_failed_request_posts_nothing(void)
{
	struct imported imported = import(page);
	rsm_iovec_t entry = by_address(memory(page), 0, page, 8);
	rsm_scat_gath_t sg = request(imported.import, &entry, 1);

	sg.flags = RSM_IMPLICIT_SIGPOST;
	expect(rsm_memseg_import_putv(&sg), RSMERR_BAD_OFFSET);
	expect(peer("wait 0 50"), RSMERR_TIMEOUT);
}

static void a186_the_local_node_id_is_ignored(void)
{
	struct imported imported = import(page);
	rsm_iovec_t entry = by_address(memory(page), 0, 0, 8);
	rsm_scat_gath_t sg = request(imported.import, &entry, 1);

	sg.local_nodeid = 0xdead;
	expect(rsm_memseg_import_putv(&sg), RSM_SUCCESS);
	sg.local_nodeid = 0;
	expect(rsm_memseg_import_getv(&sg), RSM_SUCCESS);
}

static void a187_a_request_after_unpublish_fails_with_conn_aborted(void)
{
	struct imported imported = import(page);
	rsm_memseg_import_handle_t mapped = connect_to(ID, RSM_PERM_RDWR);
	rsm_iovec_t entry = by_address(memory(page), 0, 0, 8);
	rsm_scat_gath_t sg = request(imported.import, &entry, 1);
	size_t i;

	map(mapped, RSM_PERM_RDWR, page);
	peer_ok("unpublish 0");
	for (i = 0; i < ARRAY(calls); i++) {
		sg.remote_handle = imported.import;
		expect(calls[i](&sg), RSMERR_CONN_ABORTED);
		expect(sg.io_residual_count, 1);
		sg.remote_handle = mapped;
		expect(calls[i](&sg), RSMERR_CONN_ABORTED);
	}
}

/* The failures of an entry; in each request the third of five is one. */
static void a188_the_residual_count_is_what_was_not_done(void)
{
	uint8_t *local = memory(page);
	struct imported imported = import(page);
	rsm_localmemory_handle_t handle = handle_of(local, page);
	const struct {
		rsm_iovec_t entry;
		int wanted;
	} bad[] = {
		{ by_address(local, 0, page - 4, 8), RSMERR_BAD_OFFSET },
		{ by_address(local, 0, SIZE_MAX - 3, 8), RSMERR_BAD_OFFSET },
		{ by_address(NULL, 0, 0, 8), RSMERR_BAD_ADDR },
		{ by_handle(NULL, 0, 0, 8), RSMERR_BAD_SGIO },
		{ by_handle((void *)local, 0, 0, 8), RSMERR_BAD_SGIO },
		{ by_handle(handle, page - 4, 0, 8), RSMERR_BAD_OFFSET },
	};
	rsm_iovec_t entries[5];
	rsm_scat_gath_t sg = request(imported.import, entries, 5);
	size_t b, i, c;

	for (b = 0; b < ARRAY(bad); b++) {
		for (c = 0; c < ARRAY(calls); c++) {
			for (i = 0; i < 5; i++)
				entries[i] = by_address(local, 8 * i, 8 * i, 8);
			entries[2] = bad[b].entry;
			expect(calls[c](&sg), bad[b].wanted);
			expect(sg.io_residual_count, 3);
		}
	}
}

static void a188_rights_are_asked_for(void)
{
	rsm_iovec_t entry = by_address(memory(page), 0, 0, 8);
	rsm_scat_gath_t sg = { 0 };

	peer_export(0, page);
	sg = request(connect_to(ID, RSM_PERM_READ), &entry, 1);
	expect(rsm_memseg_import_putv(&sg), RSMERR_PERM_DENIED);
	expect(rsm_memseg_import_getv(&sg), RSM_SUCCESS);
	sg = request(connect_to(ID, RSM_PERM_WRITE), &entry, 1);
	expect(rsm_memseg_import_getv(&sg), RSMERR_PERM_DENIED);
	expect(rsm_memseg_import_putv(&sg), RSM_SUCCESS);
	sg = request(connect_to(ID, RSM_PERM_NONE), &entry, 1);
	expect(rsm_memseg_import_getv(&sg), RSMERR_BAD_PERMS);
	expect(rsm_memseg_import_putv(&sg), RSMERR_BAD_PERMS);
	sg = request(connect_to(ID, RSM_PERM_RDWR), NULL, 1);
	expect(rsm_memseg_import_getv(&sg), RSMERR_BAD_ADDR);
	expect(rsm_memseg_import_putv(&sg), RSMERR_BAD_ADDR);
}

static int try_handle(rsmapi_controller_handle_t with, void *address, size_t bytes)
{
	rsm_localmemory_handle_t handle;

	return rsm_create_localmemory_handle(with, &handle, address, bytes);
}

static void a189_a_misaligned_address_fails_with_bad_addr(void)
{
	char *address = memory(page);

	expect(try_handle(controller, address + 8, 8), RSMERR_BAD_ADDR);
	expect(try_handle(NULL, address + 8, 8), RSMERR_BAD_ADDR);
	expect(try_handle(NULL, address, 8), RSMERR_BAD_CTLR_HNDL);
	expect(rsm_create_localmemory_handle(controller, NULL, address, 0),
	       RSMERR_BAD_LOCALMEM_HNDL);
	expect(try_handle(controller, address, 0), RSMERR_BAD_LENGTH);
}

static void a191_free_needs_a_controller_and_a_handle(void)
{
	rsm_localmemory_handle_t handle = handle_of(memory(page), page);

	expect(rsm_free_localmemory_handle(NULL, handle), RSMERR_BAD_CTLR_HNDL);
	expect(rsm_free_localmemory_handle(controller, NULL), RSMERR_BAD_LOCALMEM_HNDL);
	expect(rsm_free_localmemory_handle(controller, handle), RSM_SUCCESS);
}

static void a192_a_handle_may_end_within_a_page(void)
{
	uint8_t *local = memory(2 * page);
	struct imported imported = import(page);
	rsm_iovec_t entry = by_handle(handle_of(local, page + 100), page + 92, 0, 8);
	rsm_scat_gath_t sg = request(imported.import, &entry, 1);

	local[page + 92] = 192;
	expect(rsm_memseg_import_putv(&sg), RSM_SUCCESS);
	peer_ok("byte 0 0");
	expect(peer_value, 192);
}

static void a193_a_handle_cannot_be_imported(void)
{
	rsm_memseg_import_handle_t import;
	int wanted = scope == CROSS ? RSMERR_SEG_NOT_PUBLISHED_TO_NODE : RSMERR_PERM_DENIED;

	peer_ok("become 1001");
	peer_ok("localmem 8192");
	/* Another process took an id in between. */
	if (peer_value == 0)
		skip("ids of other tests came between");
	become(1002, 1002);
	expect(try_connect((rsm_memseg_id_t)peer_value, RSM_PERM_READ, &import), wanted);
}

static void a194_small_and_large_handles_work(void)
{
	static const size_t sizes[] = { 4096, 8192, 12288, 1 << 20 };
	struct imported imported = import(1 << 20);
	rsm_localmemory_handle_t handle;
	rsm_iovec_t entry;
	rsm_scat_gath_t sg;
	uint8_t *local;
	size_t i;

	for (i = 0; i < ARRAY(sizes); i++) {
		local = memory(sizes[i]);
		handle = handle_of(local, sizes[i]);
		entry = by_handle(handle, 0, 0, sizes[i]);
		sg = request(imported.import, &entry, 1);
		pattern_fill(local, sizes[i], (unsigned int)i);
		expect(rsm_memseg_import_putv(&sg), RSM_SUCCESS);
		memset(local, 0, sizes[i]);
		expect(rsm_memseg_import_getv(&sg), RSM_SUCCESS);
		expect(pattern_differs(local, sizes[i], (unsigned int)i), 0);
		expect(rsm_free_localmemory_handle(controller, handle), RSM_SUCCESS);
	}
}

static void a196_a_handle_over_nothing_fails_with_bad_addr(void)
{
	void *hole = memory(page), *guarded = memory(page);

	require(munmap(hole, page), 0);
	require(mprotect(guarded, page, PROT_READ), 0);
	expect(try_handle(controller, hole, page), RSMERR_BAD_ADDR);
	expect(try_handle(controller, NULL, page), RSMERR_BAD_ADDR);
	expect(try_handle(controller, guarded, page), RSMERR_PERM_DENIED);
}

static const struct test tests[] = {
	TEST(ALL, a178_a_null_request_fails_with_bad_sgio),
	TEST(LOCAL, a179_a_null_segment_fails_with_bad_seg_hndl),
	TEST(ALL, a181_1_and_16_entries_arrive_where_they_should),
	TEST(ALL, a182_addresses_and_handles_mix),
	TEST(ALL, a183_the_flags_stay_as_they_were),
	TEST(ALL, a184_an_implicit_post_is_one_event_after_the_data),
	TEST(ALL, a184_a_failed_request_posts_nothing),
	TEST(ALL, a186_the_local_node_id_is_ignored),
	TEST(ALL, a187_a_request_after_unpublish_fails_with_conn_aborted),
	TEST(ALL, a188_the_residual_count_is_what_was_not_done),
	TEST(ALL, a188_rights_are_asked_for),
	TEST(LOCAL, a189_a_misaligned_address_fails_with_bad_addr),
	TEST(LOCAL, a191_free_needs_a_controller_and_a_handle),
	TEST(ALL, a192_a_handle_may_end_within_a_page),
	TEST(SELF | CROSS, a193_a_handle_cannot_be_imported),
	TEST(ALL, a194_small_and_large_handles_work),
	TEST(LOCAL, a196_a_handle_over_nothing_fails_with_bad_addr),
};

SECTION(vectors);
