// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A program closes descriptors that are not its own, as daemons do, and uses the
 * handles: whatever has their numbers by then is left alone.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "guest.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define ID	0x445680

static int fd_of(void *memseg)
{
	struct pollfd pollfd;

	require(rsm_memseg_get_pollfd(memseg, &pollfd), RSM_SUCCESS);
	require(rsm_memseg_release_pollfd(memseg), RSM_SUCCESS);
	return pollfd.fd;
}

static void export_calls_fail(rsm_memseg_export_handle_t export)
{
	rsm_memseg_id_t id = ID;
	struct pollfd pollfd;

	expect(rsm_memseg_export_publish(export, &id, NULL, 0), RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_export_republish(export, NULL, 0), RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_export_rebind(export, memory(page), 0, page), RSMERR_BAD_SEG_HNDL);
	expect(rsm_intr_signal_post(export, 0), RSMERR_BAD_SEG_HNDL);
	expect(rsm_intr_signal_wait(export, 0), RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_get_pollfd(export, &pollfd), RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_export_unpublish(export), RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_export_destroy(export), RSMERR_BAD_SEG_HNDL);
}

static void import_calls_fail(rsm_memseg_import_handle_t import)
{
	struct pollfd pollfd;
	void *address = NULL;
	char byte = 0;

	expect(rsm_memseg_import_map(import, &address, RSM_MAP_NONE, RSM_PERM_READ, 0, page),
	       RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_import_put(import, 0, &byte, 1), RSMERR_BAD_SEG_HNDL);
	expect(rsm_intr_signal_post(import, 0), RSMERR_BAD_SEG_HNDL);
	expect(rsm_intr_signal_wait(import, 0), RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_get_pollfd(import, &pollfd), RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_import_disconnect(import), RSMERR_BAD_SEG_HNDL);
}

static void closed_descriptors_are_noticed(void)
{
	rsm_memseg_export_handle_t export = create(memory(page), page);
	rsm_memseg_import_handle_t import = connect_to(publish(export), RSM_PERM_RDWR);

	close(fd_of(import));
	import_calls_fail(import);
	close(fd_of(export));
	export_calls_fail(export);
}

/* The next segment gets the number of the one that was closed. */
static void another_segment_of_the_number_lives_on(void)
{
	rsm_memseg_export_handle_t one = create(memory(page), page), two;
	rsm_memseg_import_handle_t import;
	rsm_memseg_id_t id;
	int fd;

	publish(one);
	fd = fd_of(one);
	close(fd);
	two = create(memory(page), page);
	id = publish(two);
	require(fd_of(two), fd);
	export_calls_fail(one);
	import = connect_to(id, RSM_PERM_RDWR);

	/* And an import of an import. */
	fd = fd_of(import);
	close(fd);
	require(fd_of(connect_to(id, RSM_PERM_RDWR)), fd);
	import_calls_fail(import);
	expect(rsm_intr_signal_wait(two, 0), RSMERR_TIMEOUT);
	expect(rsm_memseg_export_unpublish(two), RSM_SUCCESS);
	expect(rsm_memseg_export_destroy(two), RSM_SUCCESS);
}

static void a_file_of_the_number_stays_open(void)
{
	rsm_memseg_export_handle_t export = create(memory(page), page);
	rsm_memseg_import_handle_t import = connect_to(publish(export), RSM_PERM_RDWR);
	int one = fd_of(export), two = fd_of(import);

	require(dup2(open("/etc/passwd", O_RDONLY), one), one);
	require(dup2(one, two), two);
	import_calls_fail(import);
	export_calls_fail(export);
	expect_true(fcntl(one, F_GETFD) >= 0 && fcntl(two, F_GETFD) >= 0);
}

/* It holds the segment, and is undone without the descriptor. */
static void a_mapping_outlives_the_descriptor(void)
{
	struct pair p = pair();

	close(fd_of(p.import));
	*p.mapping = 7;
	expect(*p.memory, 7);
	expect(rsm_memseg_import_unmap(p.import), RSM_SUCCESS);
	import_calls_fail(p.import);
	expect(rsm_memseg_export_destroy(p.export), RSM_SUCCESS);
}

/* What a struct was copied to is no barrier of its own. */
static void copied_barriers_end_once(void)
{
	struct pair p = pair();
	rsmapi_barrier_t barrier, copy;

	require(rsm_memseg_import_init_barrier(p.import, RSM_BAR_DEFAULT, &barrier), RSM_SUCCESS);
	copy = barrier;
	expect(rsm_memseg_import_destroy_barrier(&barrier), RSM_SUCCESS);
	expect(rsm_memseg_import_destroy_barrier(&copy), RSMERR_BARRIER_UNINITIALIZED);
	require(rsm_memseg_import_init_barrier(p.import, RSM_BAR_DEFAULT, &barrier), RSM_SUCCESS);
	expect(rsm_memseg_import_destroy_barrier(&copy), RSMERR_BARRIER_UNINITIALIZED);
	expect(rsm_memseg_import_open_barrier(&copy), RSMERR_BARRIER_UNINITIALIZED);
	expect(rsm_memseg_import_open_barrier(&barrier), RSM_SUCCESS);
	copy = barrier;
	require(rsm_memseg_import_unmap(p.import), RSM_SUCCESS);
	require(rsm_memseg_import_disconnect(p.import), RSM_SUCCESS);
	expect(rsm_memseg_import_close_barrier(&copy), RSMERR_BARRIER_UNINITIALIZED);
	expect(rsm_memseg_import_destroy_barrier(&barrier), RSMERR_BARRIER_UNINITIALIZED);
}

/* The first to open it decides nothing; each test is a process of its own. */
static void capitals_open_the_same_controller(void)
{
	char *name = loopback ? (char *)"LOOPBACK" : (char *)"SCI0";
	rsmapi_controller_handle_t again;

	require(rsm_release_controller(controller), RSM_SUCCESS);
	require(rsm_get_controller(name, &controller), RSM_SUCCESS);
	require(rsm_get_controller(loopback ? (char *)"loopback" : (char *)"sci0", &again),
		RSM_SUCCESS);
	expect_true(again == controller);
	require(rsm_release_controller(again), RSM_SUCCESS);
}

static const struct test tests[] = {
	TEST(closed_descriptors_are_noticed),
	TEST(another_segment_of_the_number_lives_on),
	TEST(a_file_of_the_number_stays_open),
	TEST(a_mapping_outlives_the_descriptor),
	TEST(copied_barriers_end_once),
	TEST(capitals_open_the_same_controller),
};

int main(int argc, char *argv[])
{
	return guest_main(argc, argv, TESTS(tests));
}
