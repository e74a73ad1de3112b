// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * putv and getv on one node: pieces by address and by local-memory handle, how
 * a failing piece ends a request, the event at its end; and the handles
 * themselves.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "guest.h"

#include <string.h>
#include <unistd.h>

#define putv	rsm_memseg_import_putv
#define getv	rsm_memseg_import_getv

#define BIG	(4 * page)	/* more than the 8 KiB that Solaris treats apart */

/* A published segment of BIG bytes, an import of it, and a request of 16 pieces. */
struct request {
	uint8_t *segment;
	rsm_memseg_export_handle_t export;
	rsm_iovec_t iovec[RSM_MAX_SGIOREQS];
	rsm_scat_gath_t sg;
	uint8_t *local;			/* BIG bytes, a pattern */
};

static void prepare(struct request *r, ulong_t pieces)
{
	size_t i;

	memset(r, 0, sizeof(*r));
	r->segment = memory(BIG);
	r->export = create(r->segment, BIG);
	r->local = memory(BIG);
	for (i = 0; i < BIG; i++)
		r->local[i] = (uint8_t)(i * 37 + 11);
	for (i = 0; i < RSM_MAX_SGIOREQS; i++) {
		r->iovec[i].io_type = RSM_VA_TYPE;
		r->iovec[i].local.vaddr = (char *)r->local;
		r->iovec[i].local_offset = i * 100 + 1;
		r->iovec[i].remote_offset = (RSM_MAX_SGIOREQS - 1 - i) * 200 + 3;
		r->iovec[i].transfer_length = 50 + i;
	}
	r->sg.local_nodeid = 12345;
	r->sg.io_request_count = pieces;
	r->sg.io_residual_count = 99;
	r->sg.remote_handle = connect_to(publish(r->export), RSM_PERM_RDWR);
	r->sg.iovec = r->iovec;
}

static bool piece_arrived(const struct request *r, size_t i)
{
	const rsm_iovec_t *piece = &r->iovec[i];

	return !memcmp(r->segment + piece->remote_offset, r->local + piece->local_offset,
		       piece->transfer_length);
}

static size_t pieces_arrived(const struct request *r)
{
	size_t i, count = 0;

	for (i = 0; i < RSM_MAX_SGIOREQS; i++)
		count += piece_arrived(r, i);
	return count;
}

static void both(struct request *r, int wanted, ulong_t residual)
{
	r->sg.io_residual_count = 99;
	expect(putv(&r->sg), wanted);
	expect(r->sg.io_residual_count, residual);
	r->sg.io_residual_count = 99;
	expect(getv(&r->sg), wanted);
	expect(r->sg.io_residual_count, residual);
}

static rsm_localmemory_handle_t handle_of(void *address, size_t bytes)
{
	rsm_localmemory_handle_t handle;

	require(rsm_create_localmemory_handle(controller, &handle, address, bytes), RSM_SUCCESS);
	return handle;
}

/* ---- arguments ---- */

static void null_is_refused(void)
{
	struct request r;

	prepare(&r, 1);
	expect(putv(NULL), RSMERR_BAD_SGIO);
	expect(getv(NULL), RSMERR_BAD_SGIO);
	r.sg.remote_handle = NULL;
	r.sg.io_request_count = 0;
	both(&r, RSMERR_BAD_SEG_HNDL, 99);
	r.sg.remote_handle = (rsm_memseg_import_handle_t)r.export;
	both(&r, RSMERR_BAD_SEG_HNDL, 99);
}

static void requests_have_1_to_16_pieces(void)
{
	static const ulong_t bad[] = { 0, 17, 1ul << 32, ~0ul };
	struct request r;
	size_t i;

	prepare(&r, 1);
	for (i = 0; i < ARRAY(bad); i++) {
		r.sg.io_request_count = bad[i];
		both(&r, RSMERR_BAD_SGIO, 99);
	}
	for (i = 1; i <= RSM_MAX_SGIOREQS; i++) {
		r.sg.io_request_count = i;
		expect(putv(&r.sg), RSM_SUCCESS);
		expect(r.sg.io_residual_count, 0);
		expect(pieces_arrived(&r), (long long)i);
	}
	r.sg.iovec = NULL;
	both(&r, RSMERR_BAD_ADDR, RSM_MAX_SGIOREQS);
}

static void rights_are_those_of_the_connection(void)
{
	rsm_memseg_id_t id;
	struct request r;

	prepare(&r, 2);
	require(rsm_memseg_export_unpublish(r.export), RSM_SUCCESS);
	id = publish(r.export);
	r.sg.remote_handle = connect_to(id, RSM_PERM_READ);
	expect(putv(&r.sg), RSMERR_PERM_DENIED);
	expect(r.sg.io_residual_count, 2);
	expect(getv(&r.sg), RSM_SUCCESS);
	r.sg.remote_handle = connect_to(id, RSM_PERM_WRITE);
	expect(getv(&r.sg), RSMERR_PERM_DENIED);
	expect(putv(&r.sg), RSM_SUCCESS);
	r.sg.remote_handle = connect_to(id, RSM_PERM_NONE);
	both(&r, RSMERR_BAD_PERMS, 2);
}

/* ---- data ---- */

static void pieces_travel_both_ways(void)
{
	struct request r;
	size_t i;

	prepare(&r, RSM_MAX_SGIOREQS);
	expect(putv(&r.sg), RSM_SUCCESS);
	expect(pieces_arrived(&r), RSM_MAX_SGIOREQS);
	memset(r.local, 0, BIG);
	expect(getv(&r.sg), RSM_SUCCESS);
	expect(r.sg.io_residual_count, 0);
	expect(pieces_arrived(&r), RSM_MAX_SGIOREQS);
	for (i = 0; i < RSM_MAX_SGIOREQS; i++)
		expect_true(r.local[r.iovec[i].local_offset] != 0 ||
			    r.local[r.iovec[i].local_offset + 1] != 0);
}

static void pieces_are_done_in_order(void)
{
	struct request r;
	size_t i;

	prepare(&r, RSM_MAX_SGIOREQS);
	for (i = 0; i < RSM_MAX_SGIOREQS; i++) {
		r.iovec[i].remote_offset = 8;
		r.iovec[i].transfer_length = 1;
	}
	expect(putv(&r.sg), RSM_SUCCESS);
	expect(r.segment[8], r.local[r.iovec[RSM_MAX_SGIOREQS - 1].local_offset]);
	expect(r.segment[9], 0);
}

static void handles_and_addresses_mix(void)
{
	struct request r;
	size_t i;

	prepare(&r, RSM_MAX_SGIOREQS);
	for (i = 0; i < RSM_MAX_SGIOREQS; i += 2) {
		r.iovec[i].io_type = RSM_HANDLE_TYPE;
		r.iovec[i].local.handle = handle_of(r.local, i % 4 ? page : BIG);
	}
	/* Any other type means an address. */
	r.iovec[1].io_type = 77;
	expect(putv(&r.sg), RSM_SUCCESS);
	expect(pieces_arrived(&r), RSM_MAX_SGIOREQS);
	memset(r.local, 0, BIG);
	expect(getv(&r.sg), RSM_SUCCESS);
	expect(pieces_arrived(&r), RSM_MAX_SGIOREQS);
}

static void mappings_limit_the_range(void)
{
	void *address = NULL;
	struct request r;

	prepare(&r, 2);
	require(rsm_memseg_import_map(r.sg.remote_handle, &address, RSM_MAP_NONE, RSM_PERM_RDWR,
				      (off_t)page, page), RSM_SUCCESS);
	r.iovec[0].remote_offset = page + 8;
	r.iovec[1].remote_offset = 8;
	both(&r, RSMERR_BAD_OFFSET, 1);
	expect_true(piece_arrived(&r, 0));
	expect(r.segment[8], 0);
	r.iovec[1].remote_offset = 2 * page - r.iovec[1].transfer_length;
	both(&r, RSM_SUCCESS, 0);
	r.iovec[1].remote_offset++;
	both(&r, RSMERR_BAD_OFFSET, 1);
}

/* ---- failing pieces ---- */

/* The request's fourth piece is bad: three are done, and no more. */
static void fourth_piece_fails(struct request *r, int wanted)
{
	memset(r->segment, 0, BIG);
	r->sg.flags = RSM_IMPLICIT_SIGPOST;
	both(r, wanted, 3);
	expect(pieces_arrived(r), 3);
	expect(r->sg.flags, RSM_IMPLICIT_SIGPOST);
	expect(rsm_intr_signal_wait(r->export, 0), RSMERR_TIMEOUT);
}

static void a_bad_piece_ends_the_request(void)
{
	struct request r;
	rsm_iovec_t good;

	prepare(&r, 6);
	good = r.iovec[3];

	r.iovec[3].remote_offset = BIG - good.transfer_length + 1;
	fourth_piece_fails(&r, RSMERR_BAD_OFFSET);
	r.iovec[3].remote_offset = SIZE_MAX;
	fourth_piece_fails(&r, RSMERR_BAD_OFFSET);
	r.iovec[3] = good;
	r.iovec[3].transfer_length = SIZE_MAX / 2;
	fourth_piece_fails(&r, RSMERR_BAD_OFFSET);
	r.iovec[3].transfer_length = SIZE_MAX;
	fourth_piece_fails(&r, RSMERR_BAD_ADDR);
	r.iovec[3] = good;
	r.iovec[3].local.vaddr = NULL;
	fourth_piece_fails(&r, RSMERR_BAD_ADDR);
	r.iovec[3] = good;
	r.iovec[3].local_offset = SIZE_MAX;
	fourth_piece_fails(&r, RSMERR_BAD_ADDR);
}

static void a_bad_handle_ends_the_request(void)
{
	struct request r;
	rsm_localmemory_handle_t handle;

	prepare(&r, 6);
	handle = handle_of(r.local, page + 1);
	r.iovec[3].io_type = RSM_HANDLE_TYPE;
	r.iovec[3].local.handle = NULL;
	fourth_piece_fails(&r, RSMERR_BAD_SGIO);
	r.iovec[3].local.handle = (rsm_localmemory_handle_t)r.local;
	fourth_piece_fails(&r, RSMERR_BAD_SGIO);
	r.iovec[3].local.handle = (rsm_localmemory_handle_t)r.export;
	fourth_piece_fails(&r, RSMERR_BAD_SGIO);

	r.iovec[3].local.handle = handle;
	r.iovec[3].local_offset = page + 2;
	fourth_piece_fails(&r, RSMERR_BAD_OFFSET);
	r.iovec[3].local_offset = page + 2 - r.iovec[3].transfer_length;
	fourth_piece_fails(&r, RSMERR_BAD_OFFSET);
	r.iovec[3].local_offset--;
	r.sg.flags = 0;
	both(&r, RSM_SUCCESS, 0);

	require(rsm_free_localmemory_handle(controller, handle), RSM_SUCCESS);
	fourth_piece_fails(&r, RSMERR_BAD_SGIO);
}

static void lost_connections_fail_in_both_modes(void)
{
	struct request r;

	prepare(&r, 4);
	expect(putv(&r.sg), RSM_SUCCESS);
	require(rsm_memseg_export_unpublish(r.export), RSM_SUCCESS);
	memset(r.segment, 0, BIG);
	both(&r, RSMERR_CONN_ABORTED, 4);
	require(rsm_memseg_import_set_mode(r.sg.remote_handle, RSM_BARRIER_MODE_EXPLICIT),
		RSM_SUCCESS);
	both(&r, RSMERR_CONN_ABORTED, 4);
	expect(pieces_arrived(&r), 0);
	expect(rsm_memseg_import_unmap(r.sg.remote_handle), RSM_SUCCESS);
	both(&r, RSMERR_CONN_ABORTED, 4);
	expect(rsm_memseg_import_disconnect(r.sg.remote_handle), RSM_SUCCESS);
}

/* ---- events ---- */

static void requests_post_one_event_if_asked(void)
{
	struct request r;

	prepare(&r, 3);
	expect(putv(&r.sg), RSM_SUCCESS);
	expect(rsm_intr_signal_wait(r.export, 0), RSMERR_TIMEOUT);
	r.sg.flags = RSM_IMPLICIT_SIGPOST;
	both(&r, RSM_SUCCESS, 0);
	expect(r.sg.flags, RSM_IMPLICIT_SIGPOST);
	expect(rsm_intr_signal_wait(r.export, 0), RSM_SUCCESS);
	expect(rsm_intr_signal_wait(r.export, 0), RSM_SUCCESS);
	expect(rsm_intr_signal_wait(r.export, 0), RSMERR_TIMEOUT);

	r.sg.flags = RSM_IMPLICIT_SIGPOST | RSM_SIG_POST_NO_ACCUMULATE;
	both(&r, RSM_SUCCESS, 0);
	expect(rsm_intr_signal_wait(r.export, 0), RSM_SUCCESS);
	expect(rsm_intr_signal_wait(r.export, 0), RSMERR_TIMEOUT);
	r.sg.flags = RSM_SIG_POST_NO_ACCUMULATE;
	both(&r, RSM_SUCCESS, 0);
	expect(rsm_intr_signal_wait(r.export, 0), RSMERR_TIMEOUT);
}

/* ---- handles ---- */

static int create_result(rsmapi_controller_handle_t ctlr, void *address, size_t bytes)
{
	rsm_localmemory_handle_t handle = (void *)1;
	int error = rsm_create_localmemory_handle(ctlr, &handle, address, bytes);

	if (error)
		expect_true(error == RSMERR_BAD_CTLR_HNDL || (uintptr_t)address % page || !handle);
	else
		expect(rsm_free_localmemory_handle(ctlr, handle), RSM_SUCCESS);
	return error;
}

static void handles_check_in_order(void)
{
	rsm_localmemory_handle_t handle;
	char *address = memory(2 * page);

	expect(rsm_create_localmemory_handle(NULL, NULL, address + 1, 0), RSMERR_BAD_ADDR);
	expect(rsm_create_localmemory_handle(NULL, NULL, address, 0), RSMERR_BAD_CTLR_HNDL);
	expect(rsm_create_localmemory_handle(controller, NULL, address, 0),
	       RSMERR_BAD_LOCALMEM_HNDL);
	expect(create_result(controller, address, 0), RSMERR_BAD_LENGTH);
	expect(create_result(controller, address, SIZE_MAX), RSMERR_BAD_LENGTH);
	expect(create_result(controller, NULL, page), RSMERR_BAD_ADDR);
	expect(create_result(controller, (void *)page, page), RSMERR_BAD_ADDR);
	expect(create_result(controller, address, 2 * page), RSM_SUCCESS);

	handle = handle_of(address, page);
	expect(rsm_free_localmemory_handle(NULL, NULL), RSMERR_BAD_CTLR_HNDL);
	expect(rsm_free_localmemory_handle(controller, NULL), RSMERR_BAD_LOCALMEM_HNDL);
	expect(rsm_free_localmemory_handle(controller, (rsm_localmemory_handle_t)address),
	       RSMERR_BAD_LOCALMEM_HNDL);
	expect(rsm_free_localmemory_handle(controller, handle), RSM_SUCCESS);
	expect(rsm_free_localmemory_handle(controller, handle), RSMERR_BAD_LOCALMEM_HNDL);
}

static void handles_take_lengths_that_are_no_pages(void)
{
	char *address = memory(3 * page);

	expect(create_result(controller, address, 1), RSM_SUCCESS);
	expect(create_result(controller, address, page + 1), RSM_SUCCESS);
	expect(create_result(controller, address, 3 * page - 1), RSM_SUCCESS);
}

static void handles_leave_nothing_behind(void)
{
	int before = descriptors(), i;
	char *address = memory(page);

	for (i = 0; i < 100; i++)
		expect(create_result(controller, address, page), RSM_SUCCESS);
	expect(descriptors(), before);
	handle_of(address, page);
	expect(descriptors(), before + 1);
}

static void use_inherited_handle(void *argument)
{
	struct request *r = argument;
	rsm_localmemory_handle_t own = handle_of(memory(page), page);

	both(r, RSMERR_BAD_SGIO, 1);
	r->iovec[0].local.handle = own;
	both(r, RSM_SUCCESS, 0);
}

static void children_have_no_handles(void)
{
	struct request r;

	prepare(&r, 1);
	r.iovec[0].io_type = RSM_HANDLE_TYPE;
	r.iovec[0].local.handle = handle_of(r.local, page);
	expect(putv(&r.sg), RSM_SUCCESS);
	in_child(use_inherited_handle, &r);
	expect(putv(&r.sg), RSM_SUCCESS);
}

static const struct test tests[] = {
	TEST(null_is_refused),
	TEST(requests_have_1_to_16_pieces),
	TEST(rights_are_those_of_the_connection),
	TEST(pieces_travel_both_ways),
	TEST(pieces_are_done_in_order),
	TEST(handles_and_addresses_mix),
	TEST(mappings_limit_the_range),
	TEST(a_bad_piece_ends_the_request),
	TEST(a_bad_handle_ends_the_request),
	TEST(lost_connections_fail_in_both_modes),
	TEST(requests_post_one_event_if_asked),
	TEST(handles_check_in_order),
	TEST(handles_take_lengths_that_are_no_pages),
	TEST(handles_leave_nothing_behind),
	TEST(children_have_no_handles),
};

int main(int argc, char *argv[])
{
	return guest_main(argc, argv, TESTS(tests));
}
