// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Threads of one process that meet in the agent: a mmap in the middle of a
 * CONNECT, memory that is invalidated in the middle of an EXPORT.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <uapi/rsm.h>

#define ROUNDS	1000
#define PAGES	16

/* Round that the other thread is to do, and has done; 0 ends it. */
static atomic_uint wanted, done;

static unsigned int next_round(unsigned int last)
{
	unsigned int round;

	while ((round = wanted) == last)
		sched_yield();
	return round;
}

static void await_round(unsigned int round)
{
	while (done != round)
		sched_yield();
}

static void end_rounds(pthread_t thread)
{
	wanted = 0;
	pthread_join(thread, NULL);
}

/* ---- mmap and CONNECT ---- */

static atomic_int descriptor;

/* Maps the descriptor as soon as that is possible. */
static void *map_early(void *argument)
{
	unsigned int round = 0;
	void *address;

	(void)argument;
	while ((round = next_round(round)) != 0) {
		do {
			address = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor,
				       0);
		} while (address == MAP_FAILED && (errno == EINVAL || errno == ENODEV));
		expect(address == MAP_FAILED ? errno : 0, 0);
		if (address != MAP_FAILED)
			munmap(address, page);
		done = round;
	}
	return NULL;
}

static void mappings_while_it_connects_do_no_harm(void)
{
	struct rsm_ioc_connect connect;
	struct pair p = pair();
	unsigned int round;
	pthread_t thread;

	pthread_create(&thread, NULL, map_early, NULL);
	for (round = 1; round <= ROUNDS; round++) {
		memset(&connect, 0, sizeof(connect));
		snprintf(connect.controller, sizeof(connect.controller), "%s",
			 loopback ? "loopback" : "sci0");
		connect.node = local_node;
		connect.segment_id = p.id;
		connect.permission = RSM_PERM_RDWR;
		descriptor = open(RSM_DEVICE, O_RDWR | O_CLOEXEC);
		require(descriptor >= 0, true);
		wanted = round;
		require(ioctl(descriptor, RSM_IOC_CONNECT, &connect), 0);
		require(connect.status, RSM_SUCCESS);
		await_round(round);
		close(descriptor);
	}
	end_rounds(thread);
	*map(connect_to(p.id, RSM_PERM_RDWR), RSM_PERM_RDWR, page) = 9;
	expect(*p.memory, 9);
}

/* ---- munmap and EXPORT ---- */

static uint8_t *doomed;

/* So that either thread may be the first, by little or by much. */
static void pause_for(unsigned int steps)
{
	for (volatile unsigned int i = 0; i < steps * 100; i++)
		;
}

static void *unmap_early(void *argument)
{
	unsigned int round = 0;

	(void)argument;
	while ((round = next_round(round)) != 0) {
		pause_for(round % 2 ? round % 100 : 0);
		/* Another invalidation of the address space just before. */
		mprotect(doomed + PAGES * page, page, PROT_READ);
		munmap(doomed, PAGES * page);
		done = round;
	}
	return NULL;
}

/* Until the agent has looked, a segment may be there; the code that ends that. */
static int published_in_the_end(rsm_memseg_export_handle_t export)
{
	struct timespec pause = { 0, 1000000 };
	rsm_memseg_import_handle_t import;
	rsm_memseg_id_t id = 0;
	int error, tries;

	error = rsm_memseg_export_publish(export, &id, NULL, 0);
	for (tries = 0; !error && tries < 3000; tries++) {
		error = rsm_memseg_import_connect(controller, local_node, id, RSM_PERM_READ,
						  &import);
		if (error)
			return error;
		expect(rsm_memseg_import_disconnect(import), RSM_SUCCESS);
		nanosleep(&pause, NULL);
	}
	return error;
}

static void memory_that_goes_while_it_is_exported_is_noticed(void)
{
	rsm_memseg_export_handle_t export;
	unsigned int round;
	pthread_t thread;
	int error;

	pthread_create(&thread, NULL, unmap_early, NULL);
	for (round = 1; round <= ROUNDS; round++) {
		doomed = memory((PAGES + 1) * page);
		memset(doomed, 1, (PAGES + 1) * page);
		/* A fifth of them is there before, the others at any time. */
		if (round % 5)
			wanted = round;
		pause_for(round % 2 ? 0 : round % 100);
		error = rsm_memseg_export_create(controller, &export, doomed, PAGES * page, 0);
		wanted = round;
		await_round(round);
		munmap(doomed + PAGES * page, page);
		if (error) {
			expect(error, RSMERR_BAD_ADDR);
			expect(round % 5 != 0, true);
			continue;
		}
		error = published_in_the_end(export);
		require(error == RSMERR_BAD_SEG_HNDL || error == RSMERR_SEG_NOT_PUBLISHED, true);
		expect(rsm_memseg_export_destroy(export), RSM_SUCCESS);
	}
	end_rounds(thread);
}

/* ---- EXPORT in the middle of an invalidation of something else ---- */

#define MUCH	(16u << 20)

static uint8_t *other;

/* Takes a while, with the lock of the address space held for reading. */
static void *forget_much(void *argument)
{
	unsigned int round = 0;

	(void)argument;
	while ((round = next_round(round)) != 0) {
		memset(other, 1, MUCH);
		done = round;
		require(madvise(other, MUCH, MADV_DONTNEED), 0);
	}
	return NULL;
}

static void memory_forgotten_right_after_the_export_is_noticed(void)
{
	rsm_memseg_export_handle_t export, part;
	pthread_t thread;
	unsigned int round;
	uint8_t *address;
	int error;

	other = memory(MUCH);
	pthread_create(&thread, NULL, forget_much, NULL);
	for (round = 1; round <= ROUNDS / 50; round++) {
		address = memory(page);
		*address = 1;
		/* Who watches another part of it makes new watches wait. */
		part = create(other, page);
		wanted = round;
		await_round(round);
		export = create(address, page);
		require(madvise(address, page, MADV_DONTNEED), 0);
		error = published_in_the_end(export);
		require(error == RSMERR_BAD_SEG_HNDL || error == RSMERR_SEG_NOT_PUBLISHED, true);
		expect(rsm_memseg_export_destroy(export), RSM_SUCCESS);
		expect(rsm_memseg_export_destroy(part), RSM_SUCCESS);
	}
	end_rounds(thread);
}

/* The agent looks at it because of mprotect(), in the middle of what follows. */
static void memory_forgotten_while_it_is_looked_at_is_noticed(void)
{
	rsm_memseg_export_handle_t export;
	unsigned int round;
	int error;

	other = memory(MUCH);
	for (round = 1; round <= ROUNDS / 50; round++) {
		memset(other, 1, MUCH);
		/* The last page to go */
		export = create(other + MUCH - page, page);
		require(mprotect(other, MUCH, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
		require(madvise(other, MUCH, MADV_DONTNEED), 0);
		error = published_in_the_end(export);
		require(error == RSMERR_BAD_SEG_HNDL || error == RSMERR_SEG_NOT_PUBLISHED, true);
		expect(rsm_memseg_export_destroy(export), RSM_SUCCESS);
		require(mprotect(other, MUCH, PROT_READ | PROT_WRITE), 0);
	}
}

static const struct test tests[] = {
	TEST(mappings_while_it_connects_do_no_harm),
	TEST(memory_that_goes_while_it_is_exported_is_noticed),
	TEST(memory_forgotten_right_after_the_export_is_noticed),
	TEST(memory_forgotten_while_it_is_looked_at_is_noticed),
};

int main(int argc, char *argv[])
{
	return guest_main(argc, argv, TESTS(tests));
}
