// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Posted events: who gets them, how many, and how long a wait lasts.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "guest.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

#define post	rsm_intr_signal_post
#define wait_ms	rsm_intr_signal_wait

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

static void unpublish_does_not_wake(void)
{
	struct pair p = pair();

	require(rsm_memseg_export_unpublish(p.export), RSM_SUCCESS);
	expect(wait_ms(p.import, 100), RSMERR_TIMEOUT);
}

static void ignore(int signal)
{
	(void)signal;
}

static void signals_interrupt_a_wait(void)
{
	struct sigaction action = { .sa_handler = ignore, .sa_flags = SA_RESTART };
	struct pair p = pair();
	struct timespec soon = { 0, 50000000 };
	struct itimerspec time = { .it_value = soon };
	timer_t timer;

	require(sigaction(SIGUSR1, &action, NULL), 0);
	require(timer_create(CLOCK_MONOTONIC, &(struct sigevent){
		.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 }, &timer), 0);
	require(timer_settime(timer, 0, &time, NULL), 0);
	expect(wait_ms(p.export, -1), RSMERR_INTERRUPTED);
}

static void *post_later(void *import)
{
	struct timespec soon = { 0, 100000000 };

	nanosleep(&soon, NULL);
	post(import, 0);
	return NULL;
}

static void wait_for_ever_ends_with_the_event(void)
{
	struct pair p = pair();
	pthread_t thread;

	require(pthread_create(&thread, NULL, post_later, p.import), 0);
	expect(wait_ms(p.export, -1), RSM_SUCCESS);
	require(pthread_join(thread, NULL), 0);
}

static void *wait_half_a_second(void *handle)
{
	return (void *)(intptr_t)wait_ms(handle, 500);
}

static void one_event_wakes_one_of_two_waiters(void)
{
	int64_t start = now_ms();
	struct pair p = pair();
	pthread_t threads[2];
	void *results[2];
	int i, timeouts = 0, successes = 0;

	for (i = 0; i < 2; i++)
		require(pthread_create(&threads[i], NULL, wait_half_a_second, p.export), 0);
	post_later(p.import);
	for (i = 0; i < 2; i++) {
		require(pthread_join(threads[i], &results[i]), 0);
		successes += (intptr_t)results[i] == RSM_SUCCESS;
		timeouts += (intptr_t)results[i] == RSMERR_TIMEOUT;
	}
	expect(successes, 1);
	expect(timeouts, 1);
	/* Waking in vain does not shorten the other's wait. */
	expect_true(now_ms() - start >= 500);
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
	TEST(unpublish_does_not_wake),
	TEST(signals_interrupt_a_wait),
	TEST(wait_for_ever_ends_with_the_event),
	TEST(one_event_wakes_one_of_two_waiters),
};

int main(int argc, char *argv[])
{
	return guest_main(argc, argv, TESTS(tests));
}
