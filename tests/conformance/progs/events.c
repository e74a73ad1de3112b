// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Events: post, wait, and descriptors to poll.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#define _GNU_SOURCE
#include "conform.h"

#include <sys/mman.h>
#include <unistd.h>

#include "waiting.h"

#define SHORTLY	50	/* milliseconds without an event */

static int wait_for_event(void *handle)
{
	return rsm_intr_signal_wait(handle, 20000);
}

static struct pollfd pollfd_of(void *handle)
{
	struct pollfd pollfd = { .fd = -1 };

	require(rsm_memseg_get_pollfd(handle, &pollfd), RSM_SUCCESS);
	return pollfd;
}

static void a217_null_fails_with_bad_seg_hndl(void)
{
	rsm_memseg_export_handle_t export = create(memory(page), page);
	struct pollfd pollfd;

	expect(rsm_intr_signal_post(NULL, 0), RSMERR_BAD_SEG_HNDL);
	expect(rsm_intr_signal_wait(NULL, 0), RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_get_pollfd(NULL, &pollfd), RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_release_pollfd(NULL), RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_get_pollfd(export, NULL), RSMERR_BAD_ADDR);
}

static void a218_timeout_0_does_not_wait(void)
{
	struct imported imported = import(page);
	long long start = now();

	expect(rsm_intr_signal_wait(imported.import, 0), RSMERR_TIMEOUT);
	expect_true(now() - start < slow(1000));
}

static void a219_a_wait_takes_its_time(void)
{
	struct imported imported = import(page);
	long long start = now();

	expect(rsm_intr_signal_wait(imported.import, 200), RSMERR_TIMEOUT);
	expect_true(now() - start >= 200);
}

static void import_and_wait(void *argument)
{
	rsm_memseg_import_handle_t import = connect_to(ID, RSM_PERM_READ);

	(void)argument;
	child_ready(0);
	expect(wait_for_event(import), RSM_SUCCESS);
	expect(rsm_intr_signal_wait(import, SHORTLY), RSMERR_TIMEOUT);
}

static void a221_a_post_of_the_exporter_reaches_every_import(void)
{
	rsm_memseg_import_handle_t imports[3];
	struct child child;
	size_t i;

	peer_export(0, page);
	for (i = 0; i < ARRAY(imports); i++)
		imports[i] = connect_to(ID, RSM_PERM_READ);
	child = child_start(import_and_wait, NULL);
	peer_ok("post 0 0");
	for (i = 0; i < ARRAY(imports); i++) {
		expect(wait_for_event(imports[i]), RSM_SUCCESS);
		expect(rsm_intr_signal_wait(imports[i], SHORTLY), RSMERR_TIMEOUT);
	}
	expect(child_finish(&child), 0);
}

static void a222_n_posts_satisfy_n_waits(void)
{
	struct imported imported = import(page);
	int i;

	for (i = 0; i < 7; i++)
		peer_ok("post 0 0");
	for (i = 0; i < 7; i++)
		expect(wait_for_event(imported.import), RSM_SUCCESS);
	expect(rsm_intr_signal_wait(imported.import, SHORTLY), RSMERR_TIMEOUT);
	for (i = 0; i < 7; i++)
		expect(rsm_intr_signal_post(imported.import, 0), RSM_SUCCESS);
	for (i = 0; i < 7; i++)
		expect(peer("wait 0 20000"), RSM_SUCCESS);
	expect(peer("wait 0 %d", SHORTLY), RSMERR_TIMEOUT);
}

/* Decided as documented: the original ignores the flag. */
static void a223_no_accumulate_drops_what_is_pending(void)
{
	struct imported imported = import(page);

	peer_ok("post 0 %d", RSM_SIGPOST_NO_ACCUMULATE);
	peer_ok("post 0 %d", RSM_SIGPOST_NO_ACCUMULATE);
	expect(wait_for_event(imported.import), RSM_SUCCESS);
	expect(rsm_intr_signal_wait(imported.import, SHORTLY), RSMERR_TIMEOUT);
	expect(rsm_intr_signal_post(imported.import, RSM_SIGPOST_NO_ACCUMULATE), RSM_SUCCESS);
	expect(rsm_intr_signal_post(imported.import, RSM_SIGPOST_NO_ACCUMULATE), RSM_SUCCESS);
	expect(peer("wait 0 20000"), RSM_SUCCESS);
	expect(peer("wait 0 %d", SHORTLY), RSMERR_TIMEOUT);
	/* One that is not pending is not dropped. */
	expect(rsm_intr_signal_post(imported.import, RSM_SIGPOST_NO_ACCUMULATE), RSM_SUCCESS);
	expect(peer("wait 0 20000"), RSM_SUCCESS);
}

static void a224_a_post_without_anybody_succeeds(void)
{
	rsm_memseg_export_handle_t export = create(memory(page), page);

	expect(rsm_intr_signal_post(export, 0), RSM_SUCCESS);
	publish(export);
	expect(rsm_intr_signal_post(export, 0), RSM_SUCCESS);
	require(rsm_memseg_export_unpublish(export), RSM_SUCCESS);
	expect(rsm_intr_signal_post(export, 0), RSM_SUCCESS);
}

static void a227_a_signal_interrupts_a_wait(void)
{
	struct imported imported = import(page);
	struct pollfd pollfd = pollfd_of(imported.import);

	interrupts_begin(100);
	expect(rsm_intr_signal_wait(imported.import, -1), RSMERR_INTERRUPTED);
	expect(rsm_intr_signal_wait_pollfd(&pollfd, 1, -1, NULL), RSMERR_INTERRUPTED);
	interrupts_end();
}

#define WAITER_MS	3000

static int wait_a_while(void *handle)
{
	return rsm_intr_signal_wait(handle, WAITER_MS);
}

static void a228_unpublish_does_not_wake_a_waiter(void)
{
	struct imported imported = import(page);
	struct waiter waiter;

	waiter_start(&waiter, wait_a_while, imported.import);
	peer_ok("unpublish 0");
	expect(waiter_end(&waiter), RSMERR_TIMEOUT);
	expect_true(waiter.took >= WAITER_MS);
}

static void a228_events_outlive_the_connection(void)
{
	struct imported imported = import(page);

	peer_ok("post 0 0");
	/* Messages keep their order: the post has arrived when the import is cut off. */
	peer_ok("unpublish 0");
	expect(wait_for_event(imported.import), RSM_SUCCESS);
	expect(rsm_intr_signal_wait(imported.import, 0), RSMERR_TIMEOUT);
}

static void a229_a_pollfd_has_a_descriptor_and_the_event(void)
{
	rsm_memseg_export_handle_t export = create(memory(page), page);
	struct pollfd pollfd;

	publish(export);
	pollfd = pollfd_of(export);
	expect_true(pollfd.fd >= 0);
	expect(pollfd.events, POLLRDNORM);
	pollfd = pollfd_of(import(page).import);
	expect_true(pollfd.fd >= 0);
	expect(pollfd.events, POLLRDNORM);
}

static void a231_wait_pollfd_consumes_one_event(void)
{
	struct imported imported = import(page);
	struct pollfd pollfd = pollfd_of(imported.import);
	int ready = -1;

	peer_ok("post 0 0");
	peer_ok("post 0 0");
	expect(rsm_intr_signal_wait_pollfd(&pollfd, 1, 20000, &ready), RSM_SUCCESS);
	expect(ready, 1);
	expect(pollfd.revents, POLLRDNORM);
	expect(wait_for_event(imported.import), RSM_SUCCESS);
	expect(rsm_intr_signal_wait(imported.import, SHORTLY), RSMERR_TIMEOUT);
}

/* Decided as the guide has it: the descriptor is made for poll(2). */
static void a231_poll_sees_the_event_and_leaves_it(void)
{
	struct imported imported = import(page);
	struct pollfd pollfd = pollfd_of(imported.import);

	expect(poll(&pollfd, 1, 0), 0);
	peer_ok("post 0 0");
	expect(poll(&pollfd, 1, 20000), 1);
	expect(pollfd.revents, POLLRDNORM);
	expect(poll(&pollfd, 1, 0), 1);
	expect(wait_for_event(imported.import), RSM_SUCCESS);
	expect(poll(&pollfd, 1, 0), 0);
}

static void a232_other_descriptors_count(void)
{
	struct imported imported = import(page);
	struct pollfd fds[2] = { pollfd_of(imported.import) };
	int ready = -1, ends[2];

	require(pipe(ends), 0);
	require(write(ends[1], "x", 1), 1);
	fds[1] = (struct pollfd){ .fd = ends[0], .events = POLLIN };
	peer_ok("post 0 0");
	require(poll(fds, 1, 20000), 1);
	expect(rsm_intr_signal_wait_pollfd(fds, 2, 20000, &ready), RSM_SUCCESS);
	expect(ready, 2);
	expect(fds[0].revents, POLLRDNORM);
	expect(fds[1].revents, POLLIN);
	expect(rsm_intr_signal_wait_pollfd(fds, 2, 20000, &ready), RSM_SUCCESS);
	expect(ready, 1);
	expect(fds[0].revents, 0);
}

static void a233_the_number_of_descriptors_may_be_left_out(void)
{
	struct imported imported = import(page);
	struct pollfd pollfd = pollfd_of(imported.import);
	int ready = 17;

	expect(rsm_intr_signal_wait_pollfd(&pollfd, 1, SHORTLY, &ready), RSMERR_TIMEOUT);
	expect(ready, 0);
	peer_ok("post 0 0");
	expect(rsm_intr_signal_wait_pollfd(&pollfd, 1, 20000, NULL), RSM_SUCCESS);
	expect(rsm_intr_signal_wait_pollfd(&pollfd, 1, 0, NULL), RSMERR_TIMEOUT);
}

static void a234_one_post_satisfies_one_of_two_waiters(void)
{
	struct imported imported = import(page);
	struct waiter waiters[2];
	size_t i;

	for (i = 0; i < 2; i++)
		waiter_start(&waiters[i], wait_a_while, imported.import);
	peer_ok("post 0 0");
	expect_true(one_was_served(waiters, RSM_SUCCESS, RSMERR_TIMEOUT));
}

static void a236_many_ready_segments_are_all_consumed(void)
{
	rsm_memseg_import_handle_t imports[12];
	struct pollfd fds[12];
	int ready = 0;
	size_t i;

	peer_export(0, page);
	for (i = 0; i < ARRAY(imports); i++) {
		imports[i] = connect_to(ID, RSM_PERM_READ);
		fds[i] = pollfd_of(imports[i]);
	}
	peer_ok("post 0 0");
	for (i = 0; i < ARRAY(imports); i++)
		require(poll(&fds[i], 1, 20000), 1);
	expect(rsm_intr_signal_wait_pollfd(fds, ARRAY(fds), 20000, &ready), RSM_SUCCESS);
	expect(ready, ARRAY(fds));
	for (i = 0; i < ARRAY(imports); i++) {
		expect(fds[i].revents, POLLRDNORM);
		expect(rsm_intr_signal_wait(imports[i], 0), RSMERR_TIMEOUT);
	}
}

static void a237_n_pollfds_take_n_releases(void)
{
	rsm_memseg_export_handle_t export = create(memory(page), page);
	rsm_memseg_import_handle_t import;
	int i;

	publish(export);
	import = connect_here(publish(create(memory(page), page)), RSM_PERM_READ);
	for (i = 0; i < 3; i++) {
		pollfd_of(export);
		pollfd_of(import);
	}
	for (i = 0; i < 3; i++) {
		expect(rsm_memseg_export_unpublish(export), RSMERR_POLLFD_IN_USE);
		expect(rsm_memseg_export_destroy(export), RSMERR_POLLFD_IN_USE);
		expect(rsm_memseg_import_disconnect(import), RSMERR_POLLFD_IN_USE);
		expect(rsm_memseg_release_pollfd(export), RSM_SUCCESS);
		expect(rsm_memseg_release_pollfd(import), RSM_SUCCESS);
	}
	for (i = 0; i < 3; i++) {
		expect(rsm_memseg_release_pollfd(export), RSM_SUCCESS);
		expect(rsm_memseg_release_pollfd(import), RSM_SUCCESS);
	}
	pollfd_of(import);
	expect(rsm_memseg_import_disconnect(import), RSMERR_POLLFD_IN_USE);
	expect(rsm_memseg_release_pollfd(import), RSM_SUCCESS);
	expect(rsm_memseg_import_disconnect(import), RSM_SUCCESS);
	expect(rsm_memseg_export_destroy(export), RSM_SUCCESS);
}

/* Decided as documented: such a pollfd is not valid. */
static void a238_an_unpublished_export_has_no_pollfd(void)
{
	rsm_memseg_export_handle_t export = create(memory(page), page);
	struct pollfd pollfd = { .fd = 7 };

	expect(rsm_memseg_get_pollfd(export, &pollfd), RSMERR_BAD_SEG_HNDL);
	expect(pollfd.fd, -1);
	expect(rsm_memseg_export_destroy(export), RSM_SUCCESS);
}

static void a239_unreadable_descriptors_fail_with_bad_addr(void)
{
	struct imported imported = import(page);
	struct pollfd pollfd = pollfd_of(imported.import);
	struct pollfd *hole = memory(page);
	int ready = 17;

	require(munmap(hole, page), 0);
	expect(rsm_intr_signal_wait_pollfd(hole, 1, 0, &ready), RSMERR_BAD_ADDR);
	expect(ready, 0);
	expect(rsm_intr_signal_wait_pollfd(&pollfd, (nfds_t)1 << 40, 0, &ready),
	       RSMERR_BAD_ARGS_ERRORS);
}

static const struct test tests[] = {
	TEST(LOCAL, a217_null_fails_with_bad_seg_hndl),
	TEST(ALL, a218_timeout_0_does_not_wait),
	TEST(ALL, a219_a_wait_takes_its_time),
	TEST(ALL, a221_a_post_of_the_exporter_reaches_every_import),
	TEST(ALL, a222_n_posts_satisfy_n_waits),
	TEST(ALL, a223_no_accumulate_drops_what_is_pending),
	TEST(LOCAL, a224_a_post_without_anybody_succeeds),
	TEST(ALL, a227_a_signal_interrupts_a_wait),
	TEST(ALL, a228_unpublish_does_not_wake_a_waiter),
	TEST(ALL, a228_events_outlive_the_connection),
	TEST(ALL, a229_a_pollfd_has_a_descriptor_and_the_event),
	TEST(ALL, a231_wait_pollfd_consumes_one_event),
	TEST(ALL, a231_poll_sees_the_event_and_leaves_it),
	TEST(ALL, a232_other_descriptors_count),
	TEST(ALL, a233_the_number_of_descriptors_may_be_left_out),
	TEST(ALL, a234_one_post_satisfies_one_of_two_waiters),
	TEST(ALL, a236_many_ready_segments_are_all_consumed),
	TEST(LOCAL, a237_n_pollfds_take_n_releases),
	TEST(LOCAL, a238_an_unpublished_export_has_no_pollfd),
	TEST(ALL, a239_unreadable_descriptors_fail_with_bad_addr),
};

SECTION(events);
