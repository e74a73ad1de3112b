// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * put and get on one node: implicit mappings and implicit barriers.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "kinds.h"

#include <linux/seccomp.h>
#include <pthread.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- mappings ---- */

static void the_first_transfer_maps(void)
{
	struct segment s = segment_with_barrier(RSM_PERM_RDWR);
	int before = descriptors();
	uint8_t byte;

	expect_true(!is_mapped(s.import));
	expect(rsm_memseg_import_get8(s.import, 0, &byte, 1), RSM_SUCCESS);
	expect_true(is_mapped(s.import));
	expect(descriptors(), before);
	expect(rsm_memseg_import_unmap(s.import), RSM_SUCCESS);
	expect(rsm_memseg_import_unmap(s.import), RSMERR_SEG_NOT_MAPPED);
	expect(rsm_memseg_import_get8(s.import, 0, &byte, 1), RSM_SUCCESS);
	expect(rsm_memseg_import_disconnect(s.import), RSM_SUCCESS);
}

static void explicit_mappings_hold_a_connection(void)
{
	struct segment s = segment_with_barrier(RSM_PERM_RDWR);
	uint8_t byte = 9;

	map(s.import, RSM_PERM_RDWR, page);
	expect(rsm_memseg_import_put8(s.import, 0, &byte, 1), RSM_SUCCESS);
	expect(rsm_memseg_import_disconnect(s.import), RSMERR_SEG_STILL_MAPPED);
	expect(rsm_memseg_import_put8(s.import, 1, &byte, 1), RSM_SUCCESS);
	expect(s.memory[1], 9);
}

#define MAPPINGS	50

struct mapper {
	rsm_memseg_import_handle_t import;
	volatile unsigned int mappings;
	volatile int stop;
};

static void *map_and_unmap(void *argument)
{
	struct mapper *state = argument;
	void *address;

	while (!state->stop) {
		address = NULL;
		if (!rsm_memseg_import_map(state->import, &address, RSM_MAP_NONE, RSM_PERM_RDWR, 0,
					   PAGES * page))
			state->mappings++;
		rsm_memseg_import_unmap(state->import);
	}
	return NULL;
}

static void unmapping_waits_for_transfers(void)
{
	static uint8_t data[2 * 4096];
	struct segment s = segment_with_barrier(RSM_PERM_RDWR);
	struct mapper state = { .import = s.import };
	pthread_t thread;
	int i;

	require(pthread_create(&thread, NULL, map_and_unmap, &state), 0);
	/* A transfer may have its own mapping in the way, so not every attempt is one. */
	for (i = 0; i < 5000 || state.mappings < MAPPINGS; i++)
		require(rsm_memseg_import_put(s.import, 3, data, sizeof(data)), RSM_SUCCESS);
	state.stop = 1;
	require(pthread_join(thread, NULL), 0);
}

/* ---- barriers ---- */

static void modes_round_trip(void)
{
	struct segment s = segment(RSM_PERM_RDWR);
	rsm_barrier_mode_t mode = (rsm_barrier_mode_t)7;

	expect(rsm_memseg_import_set_mode(NULL, (rsm_barrier_mode_t)2), RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_import_get_mode(NULL, &mode), RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_import_set_mode((rsm_memseg_import_handle_t)s.export,
					  RSM_BARRIER_MODE_EXPLICIT), RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_import_get_mode(s.import, NULL), RSMERR_BAD_ADDR);
	expect(rsm_memseg_import_set_mode(s.import, (rsm_barrier_mode_t)2), RSMERR_BAD_MODE);
	expect(rsm_memseg_import_set_mode(s.import, (rsm_barrier_mode_t)-1), RSMERR_BAD_MODE);
	expect(rsm_memseg_import_get_mode(s.import, &mode), RSM_SUCCESS);
	expect(mode, RSM_BARRIER_MODE_IMPLICIT);
	expect(rsm_memseg_import_set_mode(s.import, RSM_BARRIER_MODE_EXPLICIT), RSM_SUCCESS);
	expect(rsm_memseg_import_get_mode(s.import, &mode), RSM_SUCCESS);
	expect(mode, RSM_BARRIER_MODE_EXPLICIT);
	expect(rsm_memseg_import_set_mode(s.import, RSM_BARRIER_MODE_IMPLICIT), RSM_SUCCESS);
	expect(rsm_memseg_import_get_mode(s.import, &mode), RSM_SUCCESS);
	expect(mode, RSM_BARRIER_MODE_IMPLICIT);
}

static void implicit_mode_needs_a_barrier(void)
{
	struct segment s = segment(RSM_PERM_RDWR);
	rsmapi_barrier_t one, two;
	uint64_t data = 0;
	size_t i;

	for (i = 0; i < KINDS; i++)
		both(&kinds[i], s.import, 0, &data, 1, RSMERR_BARRIER_UNINITIALIZED);
	expect(s.memory[0], FILL);
	require(rsm_memseg_import_init_barrier(s.import, RSM_BAR_DEFAULT, &one), RSM_SUCCESS);
	require(rsm_memseg_import_init_barrier(s.import, RSM_BAR_DEFAULT, &two), RSM_SUCCESS);
	expect(rsm_memseg_import_put64(s.import, 0, &data, 1), RSM_SUCCESS);
	require(rsm_memseg_import_destroy_barrier(&two), RSM_SUCCESS);
	expect(rsm_memseg_import_put64(s.import, 0, &data, 1), RSM_SUCCESS);
	require(rsm_memseg_import_destroy_barrier(&one), RSM_SUCCESS);
	expect(rsm_memseg_import_put64(s.import, 0, &data, 1), RSMERR_BARRIER_UNINITIALIZED);
}

static void explicit_mode_needs_none(void)
{
	struct segment s = segment(RSM_PERM_RDWR);
	uint64_t data = 0;
	size_t i;

	require(rsm_memseg_import_set_mode(s.import, RSM_BARRIER_MODE_EXPLICIT), RSM_SUCCESS);
	for (i = 0; i < KINDS; i++)
		both(&kinds[i], s.import, 0, &data, 1, RSM_SUCCESS);
}

static void implicit_spans_leave_open_ones_alone(void)
{
	struct segment s = segment(RSM_PERM_RDWR);
	rsmapi_barrier_t barrier;
	uint64_t data = 0;

	require(rsm_memseg_import_init_barrier(s.import, RSM_BAR_DEFAULT, &barrier), RSM_SUCCESS);
	expect(rsm_memseg_import_put64(s.import, 0, &data, 1), RSM_SUCCESS);
	expect(rsm_memseg_import_close_barrier(&barrier), RSMERR_BARRIER_NOT_OPENED);
	expect(rsm_memseg_import_open_barrier(&barrier), RSM_SUCCESS);
	expect(rsm_memseg_import_put64(s.import, 0, &data, 1), RSM_SUCCESS);
	expect(rsm_memseg_import_order_barrier(&barrier), RSM_SUCCESS);
	expect(rsm_memseg_import_close_barrier(&barrier), RSM_SUCCESS);
}

static void lost_connections_are_reported_in_implicit_mode(void)
{
	struct segment mapped = segment_with_barrier(RSM_PERM_RDWR);
	rsm_memseg_import_handle_t unmapped = connect_to(mapped.id, RSM_PERM_RDWR);
	uint64_t data = 0;
	size_t i;

	init_barrier(unmapped);
	expect(rsm_memseg_import_put64(mapped.import, 0, &data, 1), RSM_SUCCESS);
	require(rsm_memseg_export_unpublish(mapped.export), RSM_SUCCESS);
	memset(mapped.memory, FILL, mapped.bytes);
	for (i = 0; i < KINDS; i++) {
		both(&kinds[i], mapped.import, 0, &data, 1, RSMERR_CONN_ABORTED);
		both(&kinds[i], unmapped, 0, &data, 1, RSMERR_CONN_ABORTED);
	}
	expect_true(untouched(&mapped, 0, 0));
	expect(rsm_memseg_import_disconnect(mapped.import), RSM_SUCCESS);
	expect(rsm_memseg_import_disconnect(unmapped), RSM_SUCCESS);
}

static void lost_connections_swallow_puts_in_explicit_mode(void)
{
	struct segment s = segment(RSM_PERM_RDWR);
	uint64_t data = 0;

	require(rsm_memseg_import_set_mode(s.import, RSM_BARRIER_MODE_EXPLICIT), RSM_SUCCESS);
	map(s.import, RSM_PERM_RDWR, page);
	require(rsm_memseg_export_unpublish(s.export), RSM_SUCCESS);
	expect(rsm_memseg_import_put64(s.import, 0, &data, 1), RSM_SUCCESS);
	expect(rsm_memseg_import_get64(s.import, 0, &data, 1), RSM_SUCCESS);
	expect_true(untouched(&s, 0, 0));
}

/* In strict seccomp mode any system call but write and exit is the end. */
static void transfers_in_strict_mode(void *argument)
{
	rsm_memseg_import_handle_t import = argument;
	uint64_t data[8] = { 0 };
	int i, bad = 0;
	size_t k;

	for (k = 0; k < KINDS; k++)
		bad |= kinds[k].put(import, 0, data, 1);
	require(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT), 0);
	for (i = 0; i < 100; i++)
		for (k = 0; k < KINDS; k++)
			bad |= kinds[k].put(import, 0, data, 8) | kinds[k].get(import, 0, data, 8);
	syscall(SYS_exit, bad);
}

static void transfers_make_no_system_call(void)
{
	struct segment s = segment_with_barrier(RSM_PERM_RDWR);

	in_child(transfers_in_strict_mode, s.import);
}

static const struct test tests[] = {
	TEST(the_first_transfer_maps),
	TEST(explicit_mappings_hold_a_connection),
	TEST(unmapping_waits_for_transfers),
	TEST(modes_round_trip),
	TEST(implicit_mode_needs_a_barrier),
	TEST(explicit_mode_needs_none),
	TEST(implicit_spans_leave_open_ones_alone),
	TEST(lost_connections_are_reported_in_implicit_mode),
	TEST(lost_connections_swallow_puts_in_explicit_mode),
	TEST(transfers_make_no_system_call),
};

int main(int argc, char *argv[])
{
	return guest_main(argc, argv, TESTS(tests));
}
