// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Posted events: who gets them, how many, and how long a wait lasts.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "guest.h"

#include <time.h>

#include "waiting.h"

#define post	rsm_intr_signal_post
#define wait_ms	rsm_intr_signal_wait

#define WAITER_MS	1000

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Number of events pending for a handle. */
static int pending(void *handle)
{
	int count = 0;

	while (wait_ms(handle, 0) == RSM_SUCCESS)
		count++;
	return count;
}

static void null_handles_are_refused(void)
{
	expect(post(NULL, 0), RSMERR_BAD_SEG_HNDL);
	expect(wait_ms(NULL, 0), RSMERR_BAD_SEG_HNDL);
}

static void wait_without_event_times_out(void)
{
	struct pair p = pair();
	int64_t start = now_ms();

	expect(wait_ms(p.export, 0), RSMERR_TIMEOUT);
	expect(wait_ms(p.import, 0), RSMERR_TIMEOUT);
	expect_true(now_ms() - start < 200);
	expect(wait_ms(p.export, 200), RSMERR_TIMEOUT);
	expect_true(now_ms() - start >= 200);
}

static void importers_post_reaches_the_exporter(void)
{
	struct pair p = pair();

	expect(post(p.import, 0), RSM_SUCCESS);
	expect(wait_ms(p.export, 1000), RSM_SUCCESS);
	expect(pending(p.export), 0);
	expect(pending(p.import), 0);
}

static void exporters_post_reaches_every_import(void)
{
	struct pair p = pair();
	rsm_memseg_import_handle_t second = connect_to(p.id, RSM_PERM_READ);

	expect(post(p.export, 0), RSM_SUCCESS);
	expect(wait_ms(p.import, 1000), RSM_SUCCESS);
	expect(wait_ms(second, 1000), RSM_SUCCESS);
	expect(pending(p.import) + pending(second) + pending(p.export), 0);
}

static void wait_for_one(void *import)
{
	child_ready(0);
	expect(wait_ms(import, 1000), RSM_SUCCESS);
	expect(wait_ms(import, 0), RSMERR_TIMEOUT);
}

static void import_and_wait(void *argument)
{
	wait_for_one(connect_to(*(rsm_memseg_id_t *)argument, RSM_PERM_READ));
}

static void exporters_post_reaches_other_processes(void)
{
	rsm_memseg_export_handle_t export = create(memory(page), page);
	rsm_memseg_id_t id = publish(export);
	struct child one = child_start(import_and_wait, &id);
	struct child two = child_start(import_and_wait, &id);

	expect(post(export, 0), RSM_SUCCESS);
	expect(child_finish(&one), 0);
	expect(child_finish(&two), 0);
}

static void each_post_satisfies_one_wait(void)
{
	struct pair p = pair();
	int i;

	for (i = 0; i < 5; i++)
		expect(post(p.import, 0), RSM_SUCCESS);
	for (i = 0; i < 3; i++)
		expect(post(p.export, 0), RSM_SUCCESS);
	expect(pending(p.export), 5);
	expect(pending(p.import), 3);
}

static void posts_do_not_accumulate_if_asked(void)
{
	struct pair p = pair();
	int i;

	for (i = 0; i < 3; i++) {
		expect(post(p.import, RSM_SIGPOST_NO_ACCUMULATE), RSM_SUCCESS);
		expect(post(p.export, RSM_SIGPOST_NO_ACCUMULATE), RSM_SUCCESS);
	}
	expect(pending(p.export), 1);
	expect(pending(p.import), 1);
	expect(post(p.import, 0), RSM_SUCCESS);
	expect(post(p.import, 0), RSM_SUCCESS);
	expect(post(p.import, RSM_SIGPOST_NO_ACCUMULATE), RSM_SUCCESS);
	expect(pending(p.export), 2);
}

static void other_flags_are_ignored(void)
{
	struct pair p = pair();

	expect(post(p.import, ~(uint_t)RSM_SIGPOST_NO_ACCUMULATE), RSM_SUCCESS);
	expect(post(p.import, 1), RSM_SUCCESS);
	expect(pending(p.export), 2);
}

static void posts_to_nobody_are_dropped(void)
{
	struct pair p = pair();
	rsm_memseg_export_handle_t lonely = create(memory(page), page);

	expect(post(lonely, 0), RSM_SUCCESS);
	publish(lonely);
	expect(post(lonely, 0), RSM_SUCCESS);
	expect(pending(lonely), 0);

	require(rsm_memseg_export_unpublish(p.export), RSM_SUCCESS);
	expect(post(p.import, 0), RSM_SUCCESS);
	expect(pending(p.export), 0);
}

static void pending_events_outlive_the_connection(void)
{
	struct pair p = pair();

	expect(post(p.import, 0), RSM_SUCCESS);
	expect(post(p.export, 0), RSM_SUCCESS);
	require(rsm_memseg_export_unpublish(p.export), RSM_SUCCESS);
	expect(pending(p.export), 1);
	expect(pending(p.import), 1);
}

static int wait_a_while(void *handle)
{
	return wait_ms(handle, WAITER_MS);
}

static int wait_for_ever(void *handle)
{
	return wait_ms(handle, -1);
}

static void unpublish_does_not_end_a_wait(void)
{
	struct pair p = pair();
	struct waiter waiter;

	waiter_start(&waiter, wait_a_while, p.import);
	require(rsm_memseg_export_unpublish(p.export), RSM_SUCCESS);
	expect(waiter_end(&waiter), RSMERR_TIMEOUT);
	expect_true(waiter.took >= WAITER_MS);
}

static void signals_interrupt_a_wait(void)
{
	struct pair p = pair();

	interrupts_begin(50);
	expect(wait_ms(p.export, -1), RSMERR_INTERRUPTED);
	interrupts_end();
}

static void wait_for_ever_ends_with_the_event(void)
{
	struct pair p = pair();
	struct waiter waiter;

	waiter_start(&waiter, wait_for_ever, p.export);
	expect(post(p.import, 0), RSM_SUCCESS);
	expect(waiter_end(&waiter), RSM_SUCCESS);
}

static void one_event_wakes_one_of_two_waiters(void)
{
	struct pair p = pair();
	struct waiter waiters[2];
	int i;

	for (i = 0; i < 2; i++)
		waiter_start(&waiters[i], wait_a_while, p.export);
	expect(post(p.import, 0), RSM_SUCCESS);
	expect_true(one_was_served(waiters, RSM_SUCCESS, RSMERR_TIMEOUT));
	/* Waking in vain does not shorten the other's wait. */
	for (i = 0; i < 2; i++)
		expect_true(waiters[i].result == RSM_SUCCESS || waiters[i].took >= WAITER_MS);
}

static const struct test tests[] = {
	TEST(null_handles_are_refused),
	TEST(wait_without_event_times_out),
	TEST(importers_post_reaches_the_exporter),
	TEST(exporters_post_reaches_every_import),
	TEST(exporters_post_reaches_other_processes),
	TEST(each_post_satisfies_one_wait),
	TEST(posts_do_not_accumulate_if_asked),
	TEST(other_flags_are_ignored),
	TEST(posts_to_nobody_are_dropped),
	TEST(pending_events_outlive_the_connection),
	TEST(unpublish_does_not_end_a_wait),
	TEST(signals_interrupt_a_wait),
	TEST(wait_for_ever_ends_with_the_event),
	TEST(one_event_wakes_one_of_two_waiters),
};

int main(int argc, char *argv[])
{
	return guest_main(argc, argv, TESTS(tests));
}
