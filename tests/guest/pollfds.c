// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Descriptors of segments for poll: who gets them, what they hold up, what a
 * wait for several of them takes.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "guest.h"

#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "waiting.h"

#define get_pollfd	rsm_memseg_get_pollfd
#define release_pollfd	rsm_memseg_release_pollfd
#define wait_pollfd	rsm_intr_signal_wait_pollfd
#define post		rsm_intr_signal_post

#define WAITER_MS	1000

static struct pollfd pollfd_of(void *handle)
{
	struct pollfd fd = { .revents = 0 };

	require(get_pollfd(handle, &fd), RSM_SUCCESS);
	return fd;
}

static int pending(void *handle)
{
	int count = 0;

	while (rsm_intr_signal_wait(handle, 0) == RSM_SUCCESS)
		count++;
	return count;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- get and release ---- */

static void null_is_refused(void)
{
	struct pair p = pair();
	struct pollfd fd;

	expect(get_pollfd(NULL, NULL), RSMERR_BAD_SEG_HNDL);
	expect(get_pollfd(NULL, &fd), RSMERR_BAD_SEG_HNDL);
	expect(get_pollfd(p.export, NULL), RSMERR_BAD_ADDR);
	expect(release_pollfd(NULL), RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_export_destroy(p.export), RSM_SUCCESS);
}

static void descriptors_are_for_polling(void)
{
	struct pair p = pair();
	struct pollfd fds[] = { pollfd_of(p.export), pollfd_of(p.import), pollfd_of(p.import) };

	expect_true(fds[0].fd >= 0 && fds[1].fd >= 0 && fds[0].fd != fds[1].fd);
	expect(fds[2].fd, fds[1].fd);
	expect(fds[0].events, POLLRDNORM);
	expect(fds[1].events, POLLRDNORM);
}

static void unpublished_exports_have_none(void)
{
	rsm_memseg_export_handle_t export = create(memory(page), page);
	struct pollfd fd = { .fd = 1 };

	expect(get_pollfd(export, &fd), RSMERR_BAD_SEG_HNDL);
	expect(fd.fd, -1);
	publish(export);
	expect(get_pollfd(export, &fd), RSM_SUCCESS);
	expect(release_pollfd(export), RSM_SUCCESS);
	require(rsm_memseg_export_unpublish(export), RSM_SUCCESS);
	expect(get_pollfd(export, &fd), RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_export_destroy(export), RSM_SUCCESS);
}

static void held_descriptors_hold_segments(void)
{
	struct pair p = pair();

	pollfd_of(p.export);
	pollfd_of(p.import);
	expect(rsm_memseg_export_unpublish(p.export), RSMERR_POLLFD_IN_USE);
	expect(rsm_memseg_export_destroy(p.export), RSMERR_POLLFD_IN_USE);
	expect(rsm_memseg_import_disconnect(p.import), RSMERR_SEG_STILL_MAPPED);
	expect(rsm_memseg_import_unmap(p.import), RSMERR_POLLFD_IN_USE);
	/* Nothing of that had an effect. */
	*p.mapping = 3;
	expect(p.memory[0], 3);

	require(release_pollfd(p.import), RSM_SUCCESS);
	expect(rsm_memseg_import_unmap(p.import), RSM_SUCCESS);
	pollfd_of(p.import);
	expect(rsm_memseg_import_unmap(p.import), RSMERR_SEG_NOT_MAPPED);
	expect(rsm_memseg_import_disconnect(p.import), RSMERR_POLLFD_IN_USE);
	require(release_pollfd(p.import), RSM_SUCCESS);
	expect(rsm_memseg_import_disconnect(p.import), RSM_SUCCESS);
	require(release_pollfd(p.export), RSM_SUCCESS);
	expect(rsm_memseg_export_unpublish(p.export), RSM_SUCCESS);
	expect(rsm_memseg_export_destroy(p.export), RSM_SUCCESS);
}

static void refusals_keep_implicit_mappings(void)
{
	struct pair p = pair();
	void *address = NULL;
	uint8_t byte;

	require(rsm_memseg_import_unmap(p.import), RSM_SUCCESS);
	require(rsm_memseg_import_set_mode(p.import, RSM_BARRIER_MODE_EXPLICIT), RSM_SUCCESS);
	require(rsm_memseg_import_get8(p.import, 0, &byte, 1), RSM_SUCCESS);
	pollfd_of(p.import);
	expect(rsm_memseg_import_disconnect(p.import), RSMERR_POLLFD_IN_USE);
	expect(rsm_memseg_import_map(p.import, &address, RSM_MAP_NONE, RSM_PERM_READ, 0, page),
	       RSMERR_SEG_ALREADY_MAPPED);
	require(release_pollfd(p.import), RSM_SUCCESS);
	expect(rsm_memseg_import_disconnect(p.import), RSM_SUCCESS);
}

static void each_get_needs_a_release(void)
{
	struct pair p = pair();
	int i;

	for (i = 0; i < 3; i++)
		pollfd_of(p.export);
	for (i = 0; i < 3; i++) {
		expect(rsm_memseg_export_destroy(p.export), RSMERR_POLLFD_IN_USE);
		expect(release_pollfd(p.export), RSM_SUCCESS);
	}
	for (i = 0; i < 3; i++)
		expect(release_pollfd(p.export), RSM_SUCCESS);
	pollfd_of(p.export);
	expect(rsm_memseg_export_destroy(p.export), RSMERR_POLLFD_IN_USE);
	expect(release_pollfd(p.export), RSM_SUCCESS);
	expect(rsm_memseg_export_destroy(p.export), RSM_SUCCESS);
}

static void poll_sees_but_does_not_take(void)
{
	struct pair p = pair();
	struct pollfd fd = pollfd_of(p.export);

	expect(poll(&fd, 1, 0), 0);
	require(post(p.import, 0), RSM_SUCCESS);
	expect(poll(&fd, 1, 1000), 1);
	expect(fd.revents, POLLRDNORM);
	expect(poll(&fd, 1, 0), 1);
	expect(pending(p.export), 1);
	expect(poll(&fd, 1, 0), 0);
}

/* ---- waiting ---- */

static void events_are_taken(void)
{
	struct pair p = pair();
	struct pollfd fd = pollfd_of(p.export);
	int ready = 99;

	require(post(p.import, 0), RSM_SUCCESS);
	require(post(p.import, 0), RSM_SUCCESS);
	expect(wait_pollfd(&fd, 1, 1000, &ready), RSM_SUCCESS);
	expect(ready, 1);
	expect(fd.revents, POLLRDNORM);
	expect(wait_pollfd(&fd, 1, 0, NULL), RSM_SUCCESS);
	expect(wait_pollfd(&fd, 1, 0, &ready), RSMERR_TIMEOUT);
	expect(ready, 0);
}

static void waits_last_as_long_as_asked(void)
{
	struct pair p = pair();
	struct pollfd fd = pollfd_of(p.export);
	int64_t start = now_ms();
	int ready = 99;

	expect(wait_pollfd(&fd, 1, 200, &ready), RSMERR_TIMEOUT);
	expect(ready, 0);
	expect_true(now_ms() - start >= 200);
	expect(wait_pollfd(NULL, 0, 0, NULL), RSMERR_TIMEOUT);
}

static void pipes_can_be_waited_for_as_well(void)
{
	struct pair p = pair();
	struct pollfd fds[3] = { pollfd_of(p.export), { .fd = -1, .events = POLLIN } };
	int ends[2], ready;

	require(pipe(ends), 0);
	fds[2] = (struct pollfd){ .fd = ends[0], .events = POLLIN };
	require(write(ends[1], "x", 1), 1);
	expect(wait_pollfd(fds, 3, 1000, &ready), RSM_SUCCESS);
	expect(ready, 1);
	expect(fds[0].revents, 0);
	expect(fds[2].revents, POLLIN);
	require(post(p.import, 0), RSM_SUCCESS);
	expect(wait_pollfd(fds, 3, 1000, &ready), RSM_SUCCESS);
	expect(ready, 2);
	expect(fds[0].revents, POLLRDNORM);
	expect(fds[1].revents, 0);
	expect(fds[2].revents, POLLIN);
	expect(pending(p.export), 0);
}

static void only_registered_segments_are_consumed(void)
{
	struct pair p = pair();
	struct pollfd fd = pollfd_of(p.export);
	int ready;

	require(post(p.import, 0), RSM_SUCCESS);
	require(release_pollfd(p.export), RSM_SUCCESS);
	expect(wait_pollfd(&fd, 1, 1000, &ready), RSM_SUCCESS);
	expect(ready, 1);
	expect(pending(p.export), 1);
}

#define MANY	40

static void many_segments_are_all_consumed(void)
{
	struct pollfd fds[MANY];
	struct pair pairs[MANY];
	int i, ready;

	for (i = 0; i < MANY; i++) {
		pairs[i] = pair();
		fds[i] = pollfd_of(i % 2 ? (void *)pairs[i].export : (void *)pairs[i].import);
		require(post(i % 2 ? (void *)pairs[i].import : (void *)pairs[i].export, 0),
			RSM_SUCCESS);
	}
	expect(wait_pollfd(fds, MANY, 1000, &ready), RSM_SUCCESS);
	expect(ready, MANY);
	for (i = 0; i < MANY; i++) {
		expect(fds[i].revents, POLLRDNORM);
		expect(pending(pairs[i].export) + pending(pairs[i].import), 0);
	}
	/* The same one twice, one event: it counts once. */
	fds[1] = fds[0];
	require(post(pairs[0].export, 0), RSM_SUCCESS);
	expect(wait_pollfd(fds, 2, 1000, &ready), RSM_SUCCESS);
	expect(ready, 1);
	expect(fds[0].revents, POLLRDNORM);
	expect(fds[1].revents, 0);
}

static void bad_arguments_are_refused(void)
{
	struct pair p = pair();
	struct pollfd fd = pollfd_of(p.export);
	int ready = 99;
	void *hole = memory(page);

	require(munmap(hole, page), 0);
	expect(wait_pollfd(hole, 1, 0, &ready), RSMERR_BAD_ADDR);
	expect(ready, 0);
	expect(wait_pollfd(&fd, 1 << 30, 0, &ready), RSMERR_BAD_ARGS_ERRORS);
	expect(wait_pollfd(&fd, ((nfds_t)1 << 40) + 1, 0, &ready), RSMERR_BAD_ARGS_ERRORS);
}

static void closed_descriptors_are_reported(void)
{
	struct pollfd fd = { .fd = 9999, .events = POLLRDNORM };
	int ready;

	expect(wait_pollfd(&fd, 1, 0, &ready), RSM_SUCCESS);
	expect(ready, 1);
	expect(fd.revents, POLLNVAL);
}

static void signals_interrupt_a_wait(void)
{
	struct pair p = pair();
	struct pollfd fd = pollfd_of(p.export);
	int ready = 99;

	interrupts_begin(50);
	expect(wait_pollfd(&fd, 1, -1, &ready), RSMERR_INTERRUPTED);
	interrupts_end();
	expect(ready, 0);
}

static int wait_a_while(void *argument)
{
	struct pollfd fd = *(struct pollfd *)argument;

	return wait_pollfd(&fd, 1, WAITER_MS, NULL);
}

static void one_event_wakes_one_of_two_waiters(void)
{
	struct pair p = pair();
	struct pollfd fd = pollfd_of(p.export);
	struct waiter waiters[2];
	int i;

	for (i = 0; i < 2; i++)
		waiter_start(&waiters[i], wait_a_while, &fd);
	require(post(p.import, 0), RSM_SUCCESS);
	expect_true(one_was_served(waiters, RSM_SUCCESS, RSMERR_TIMEOUT));
	/* Waking in vain does not shorten the other's wait. */
	for (i = 0; i < 2; i++)
		expect_true(waiters[i].result == RSM_SUCCESS || waiters[i].took >= WAITER_MS);
}

static short seen_by_poll(struct pollfd fd)
{
	require(poll(&fd, 1, 5000), 1);
	return fd.revents;
}

/* poll(2) says that a segment is over; what waits for events alone waits its time. */
static void ends_are_seen_and_end_no_wait(void)
{
	struct pair p = pair();
	struct pollfd fds[2] = { pollfd_of(p.import) };
	int64_t began;
	int pipe_fds[2], n;

	require(post(p.export, 0), RSM_SUCCESS);
	require(rsm_memseg_export_destroy(p.export), RSM_SUCCESS);
	expect(seen_by_poll(fds[0]), POLLRDNORM | POLLHUP);
	expect(wait_pollfd(fds, 1, -1, &n), RSM_SUCCESS);
	expect(fds[0].revents, POLLRDNORM);
	expect(seen_by_poll(fds[0]), POLLHUP);

	began = now_ms();
	expect(rsm_intr_signal_wait(p.import, 50), RSMERR_TIMEOUT);
	expect_true(now_ms() - began >= 50);
	began = now_ms();
	expect(wait_pollfd(fds, 1, 50, &n), RSMERR_TIMEOUT);
	expect_true(now_ms() - began >= 50);
	require(pipe(pipe_fds), 0);
	fds[1] = (struct pollfd){ .fd = pipe_fds[0], .events = POLLIN };
	require(write(pipe_fds[1], "", 1), 1);
	expect(wait_pollfd(fds, 2, -1, &n), RSM_SUCCESS);
	expect(n, 1);
	expect(fds[0].revents, 0);
	expect(fds[1].revents, POLLIN);
	expect(release_pollfd(p.import), RSM_SUCCESS);
}

static void lost_memory_is_seen(void)
{
	rsm_memseg_export_handle_t export = create(memory(page), page);
	void *lost = memory(page);
	rsm_memseg_export_handle_t other = create(lost, page);
	rsm_memseg_id_t ids[2] = { 0, 0 };
	struct pollfd fds[2];

	require(rsm_memseg_export_publish(export, &ids[0], NULL, 0), RSM_SUCCESS);
	require(rsm_memseg_export_publish(other, &ids[1], NULL, 0), RSM_SUCCESS);
	fds[0] = pollfd_of(export);
	fds[1] = pollfd_of(other);
	require(munmap(lost, page), 0);
	expect(seen_by_poll(fds[1]), POLLHUP);
	expect(poll(fds, 1, 0), 0);
	expect(release_pollfd(export), RSM_SUCCESS);
	expect(release_pollfd(other), RSM_SUCCESS);
}

static const struct test tests[] = {
	TEST(null_is_refused),
	TEST(descriptors_are_for_polling),
	TEST(unpublished_exports_have_none),
	TEST(held_descriptors_hold_segments),
	TEST(refusals_keep_implicit_mappings),
	TEST(each_get_needs_a_release),
	TEST(poll_sees_but_does_not_take),
	TEST(events_are_taken),
	TEST(waits_last_as_long_as_asked),
	TEST(pipes_can_be_waited_for_as_well),
	TEST(only_registered_segments_are_consumed),
	TEST(many_segments_are_all_consumed),
	TEST(bad_arguments_are_refused),
	TEST(closed_descriptors_are_reported),
	TEST(signals_interrupt_a_wait),
	TEST(one_event_wakes_one_of_two_waiters),
	TEST(ends_are_seen_and_end_no_wait),
	TEST(lost_memory_is_seen),
};

int main(int argc, char *argv[])
{
	return guest_main(argc, argv, TESTS(tests));
}
