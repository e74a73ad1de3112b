// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Barriers on one node: arguments, what a lost connection makes of them, and
 * that they cost no system call while it stands.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "guest.h"

#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define init	rsm_memseg_import_init_barrier
#define open	rsm_memseg_import_open_barrier
#define order	rsm_memseg_import_order_barrier
#define close	rsm_memseg_import_close_barrier
#define destroy	rsm_memseg_import_destroy_barrier

static rsmapi_barrier_t barrier_of(rsm_memseg_import_handle_t import)
{
	rsmapi_barrier_t barrier;

	require(init(import, RSM_BAR_DEFAULT, &barrier), RSM_SUCCESS);
	return barrier;
}

static void init_checks_segment_before_barrier(void)
{
	struct pair p = pair();
	rsmapi_barrier_t barrier;

	expect(init(NULL, RSM_BARRIER_NODE, NULL), RSMERR_BAD_SEG_HNDL);
	expect(init(NULL, RSM_BARRIER_NODE, &barrier), RSMERR_BAD_SEG_HNDL);
	expect(init((rsm_memseg_import_handle_t)p.export, RSM_BARRIER_NODE, &barrier),
	       RSMERR_BAD_SEG_HNDL);
	expect(init(p.import, RSM_BARRIER_NODE, NULL), RSMERR_BAD_BARRIER_PTR);
}

static void every_type_is_accepted(void)
{
	static const rsm_barrier_type_t types[] = {
		RSM_BAR_DEFAULT, RSM_BARRIER_SEGMENT, RSM_BARRIER_NODE,
		RSM_BARRIER_SEGMENT_THREAD, RSM_BARRIER_NODE_THREAD, (rsm_barrier_type_t)99,
	};
	struct pair p = pair();
	rsmapi_barrier_t barrier;
	size_t i;

	for (i = 0; i < ARRAY(types); i++) {
		expect(init(p.import, types[i], &barrier), RSM_SUCCESS);
		expect(open(&barrier), RSM_SUCCESS);
		expect(close(&barrier), RSM_SUCCESS);
		expect(destroy(&barrier), RSM_SUCCESS);
	}
}

static void null_barriers_are_refused(void)
{
	expect(open(NULL), RSMERR_BAD_BARRIER_PTR);
	expect(order(NULL), RSMERR_BAD_BARRIER_PTR);
	expect(close(NULL), RSMERR_BAD_BARRIER_PTR);
	expect(destroy(NULL), RSMERR_BAD_BARRIER_PTR);
}

static void uninitialized_barriers_are_refused(void)
{
	rsmapi_barrier_t barrier;

	memset(&barrier, 0, sizeof(barrier));
	expect(open(&barrier), RSMERR_BARRIER_UNINITIALIZED);
	expect(order(&barrier), RSMERR_BARRIER_UNINITIALIZED);
	expect(close(&barrier), RSMERR_BARRIER_UNINITIALIZED);
	expect(destroy(&barrier), RSMERR_BARRIER_UNINITIALIZED);
}

static void destroyed_barriers_are_uninitialized(void)
{
	struct pair p = pair();
	rsmapi_barrier_t barrier = barrier_of(p.import);

	expect(destroy(&barrier), RSM_SUCCESS);
	expect(destroy(&barrier), RSMERR_BARRIER_UNINITIALIZED);
	expect(open(&barrier), RSMERR_BARRIER_UNINITIALIZED);
	expect(init(p.import, RSM_BAR_DEFAULT, &barrier), RSM_SUCCESS);
	expect(open(&barrier), RSM_SUCCESS);
}

static void healthy_spans_succeed(void)
{
	struct pair p = pair();
	rsmapi_barrier_t barrier = barrier_of(p.import);

	expect(open(&barrier), RSM_SUCCESS);
	*p.mapping = 1;
	expect(order(&barrier), RSM_SUCCESS);
	*p.mapping = 2;
	expect(order(&barrier), RSM_SUCCESS);
	expect(close(&barrier), RSM_SUCCESS);
	expect(open(&barrier), RSM_SUCCESS);
	expect(open(&barrier), RSM_SUCCESS);
	expect(close(&barrier), RSM_SUCCESS);
	expect(p.memory[0], 2);
}

static void order_and_close_need_open(void)
{
	struct pair p = pair();
	rsmapi_barrier_t barrier = barrier_of(p.import);

	expect(order(&barrier), RSMERR_BARRIER_NOT_OPENED);
	expect(close(&barrier), RSMERR_BARRIER_NOT_OPENED);
	expect(open(&barrier), RSM_SUCCESS);
	expect(close(&barrier), RSM_SUCCESS);
	expect(order(&barrier), RSMERR_BARRIER_NOT_OPENED);
	expect(close(&barrier), RSMERR_BARRIER_NOT_OPENED);
}

static void several_barriers_span_one_import(void)
{
	struct pair p = pair();
	rsmapi_barrier_t one = barrier_of(p.import), two = barrier_of(p.import);

	expect(open(&one), RSM_SUCCESS);
	expect(close(&two), RSMERR_BARRIER_NOT_OPENED);
	expect(open(&two), RSM_SUCCESS);
	expect(close(&one), RSM_SUCCESS);
	expect(destroy(&one), RSM_SUCCESS);
	expect(close(&two), RSM_SUCCESS);
}

static void unpublish_within_the_span_aborts(void)
{
	struct pair p = pair();
	rsmapi_barrier_t barrier = barrier_of(p.import);

	expect(open(&barrier), RSM_SUCCESS);
	*p.mapping = 1;
	require(rsm_memseg_export_unpublish(p.export), RSM_SUCCESS);
	*p.mapping = 2;
	expect(order(&barrier), RSMERR_CONN_ABORTED);
	expect(close(&barrier), RSMERR_CONN_ABORTED);
	expect(p.memory[0], 1);
}

static void unpublish_before_the_span_aborts(void)
{
	struct pair p = pair();
	rsmapi_barrier_t barrier = barrier_of(p.import);

	require(rsm_memseg_export_unpublish(p.export), RSM_SUCCESS);
	expect(open(&barrier), RSM_SUCCESS);
	expect(order(&barrier), RSMERR_CONN_ABORTED);
	expect(close(&barrier), RSMERR_CONN_ABORTED);
}

static void lost_connection_stays_lost(void)
{
	struct pair p = pair();
	rsmapi_barrier_t barrier = barrier_of(p.import), fresh;
	int i;

	require(rsm_memseg_export_unpublish(p.export), RSM_SUCCESS);
	p.id = publish(p.export);
	for (i = 0; i < 3; i++) {
		expect(open(&barrier), RSM_SUCCESS);
		expect(close(&barrier), RSMERR_CONN_ABORTED);
		expect(close(&barrier), RSMERR_CONN_ABORTED);
	}
	fresh = barrier_of(connect_to(p.id, RSM_PERM_RDWR));
	expect(open(&fresh), RSM_SUCCESS);
	expect(close(&fresh), RSM_SUCCESS);
	expect(destroy(&barrier), RSM_SUCCESS);
}

static void destroying_the_export_aborts(void)
{
	struct pair p = pair();
	rsmapi_barrier_t barrier = barrier_of(p.import);

	expect(open(&barrier), RSM_SUCCESS);
	require(rsm_memseg_export_destroy(p.export), RSM_SUCCESS);
	expect(close(&barrier), RSMERR_CONN_ABORTED);
}

static void other_segments_do_not_matter(void)
{
	struct pair p = pair(), other = pair();
	rsmapi_barrier_t barrier = barrier_of(p.import);

	expect(open(&barrier), RSM_SUCCESS);
	require(rsm_memseg_export_unpublish(other.export), RSM_SUCCESS);
	require(rsm_memseg_import_disconnect(connect_to(p.id, RSM_PERM_READ)), RSM_SUCCESS);
	expect(close(&barrier), RSM_SUCCESS);
}

/* In strict seccomp mode any system call but write and exit is the end. */
static void span_in_strict_mode(void *argument)
{
	rsmapi_barrier_t *barrier = argument;
	int i, bad = 0;

	require(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT), 0);
	for (i = 0; i < 1000; i++)
		bad |= open(barrier) | order(barrier) | close(barrier);
	syscall(SYS_exit, bad);
}

static void spans_make_no_system_call(void)
{
	struct pair p = pair();
	rsmapi_barrier_t barrier = barrier_of(p.import);

	in_child(span_in_strict_mode, &barrier);
}

static const struct test tests[] = {
	TEST(init_checks_segment_before_barrier),
	TEST(every_type_is_accepted),
	TEST(null_barriers_are_refused),
	TEST(uninitialized_barriers_are_refused),
	TEST(destroyed_barriers_are_uninitialized),
	TEST(healthy_spans_succeed),
	TEST(order_and_close_need_open),
	TEST(several_barriers_span_one_import),
	TEST(unpublish_within_the_span_aborts),
	TEST(unpublish_before_the_span_aborts),
	TEST(lost_connection_stays_lost),
	TEST(destroying_the_export_aborts),
	TEST(other_segments_do_not_matter),
	TEST(spans_make_no_system_call),
};

int main(int argc, char *argv[])
{
	return guest_main(argc, argv, TESTS(tests));
}
