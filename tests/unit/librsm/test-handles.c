// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Handles that are no longer what the program takes them for: descriptors that it
 * closed, barriers that it copied, exports whose memory is gone.  And names of
 * controllers, for which there is more than one spelling.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "fake.h"

static rsmapi_controller_handle_t controller;
static rsm_memseg_export_handle_t export;
static rsm_memseg_import_handle_t import;

static void begin(void)
{
	rsm_memseg_id_t id = RSM_HPC_ID_BASE;

	fake_reset();
	controller = fake_controller();
	export = fake_export(controller);
	import = fake_import(controller);
	g_assert_cmpint(rsm_memseg_export_publish(export, &id, NULL, 0), ==, RSM_SUCCESS);
}

static void end(void)
{
	g_assert_cmpint(rsm_release_controller(controller), ==, RSM_SUCCESS);
	g_assert_cmpint(fake.descriptors, ==, 0);
	g_assert_cmpint(fake.mappings, ==, 0);
}

/* ---- controllers ---- */

static void the_first_name_may_be_in_capitals(void)
{
	static const char *const spellings[] = { "SCI0", "Sci", "sCi00", "sci0" };
	rsmapi_controller_handle_t first, again;

	fake_reset();
	for (size_t i = 0; i < G_N_ELEMENTS(spellings); i++) {
		g_assert_cmpint(rsm_get_controller((char *)spellings[i], &first), ==, RSM_SUCCESS);
		/* As the agent knows it. */
		g_assert_cmpstr(fake.name, ==, "sci0");
		g_assert_cmpint(rsm_get_controller((char *)"sci0", &again), ==, RSM_SUCCESS);
		g_assert_true(first == again);
		g_assert_cmpint(rsm_release_controller(first), ==, RSM_SUCCESS);
		g_assert_cmpint(rsm_release_controller(first), ==, RSM_SUCCESS);
		g_assert_cmpint(rsm_release_controller(first), ==, RSMERR_BAD_CTLR_HNDL);
	}
	g_assert_cmpint(rsm_get_controller((char *)"LoopBack7", &first), ==, RSM_SUCCESS);
	g_assert_cmpstr(fake.name, ==, "loopback");
	g_assert_cmpint(rsm_get_controller(NULL, &again), ==, RSM_SUCCESS);
	g_assert_true(first == again);
	g_assert_cmpint(rsm_release_controller(first), ==, RSM_SUCCESS);
	g_assert_cmpint(rsm_release_controller(first), ==, RSM_SUCCESS);
}

/* ---- descriptors ---- */

/* An export has less to read than an import. */
static void exports_are_no_imports(void)
{
	rsm_memseg_import_handle_t not_an_import;
	uint64_t word = 0;

	begin();
	not_an_import = (rsm_memseg_import_handle_t)(void *)export;
	g_assert_cmpint(rsm_memseg_import_put64(not_an_import, 0, &word, 1), ==,
			RSMERR_BAD_SEG_HNDL);
	g_assert_cmpint(rsm_memseg_import_get(not_an_import, 0, &word, 8), ==,
			RSMERR_BAD_SEG_HNDL);
	g_assert_cmpint(rsm_memseg_import_unmap(not_an_import), ==, RSMERR_BAD_SEG_HNDL);
	g_assert_cmpint(rsm_memseg_import_disconnect(not_an_import), ==, RSMERR_BAD_SEG_HNDL);
	g_assert_cmpint(rsm_memseg_import_disconnect(import), ==, RSM_SUCCESS);
	g_assert_cmpint(rsm_memseg_export_destroy(export), ==, RSM_SUCCESS);
	end();
}

static int fd_of(void *memseg)
{
	struct pollfd fd;

	g_assert_cmpint(rsm_memseg_get_pollfd(memseg, &fd), ==, RSM_SUCCESS);
	g_assert_cmpint(rsm_memseg_release_pollfd(memseg), ==, RSM_SUCCESS);
	return fd.fd;
}

static void no_call_about_the_export_succeeds(void)
{
	static char page[4096] __attribute__((aligned(4096)));
	rsm_memseg_id_t id = RSM_HPC_ID_BASE + 1;
	struct pollfd fd;

	g_assert_cmpint(rsm_memseg_export_publish(export, &id, NULL, 0), ==, RSMERR_BAD_SEG_HNDL);
	g_assert_cmpint(rsm_memseg_export_republish(export, NULL, 0), ==, RSMERR_BAD_SEG_HNDL);
	g_assert_cmpint(rsm_memseg_export_unpublish(export), ==, RSMERR_BAD_SEG_HNDL);
	g_assert_cmpint(rsm_memseg_export_rebind(export, page, 0, 4096), ==, RSMERR_BAD_SEG_HNDL);
	g_assert_cmpint(rsm_intr_signal_post(export, 0), ==, RSMERR_BAD_SEG_HNDL);
	g_assert_cmpint(rsm_intr_signal_wait(export, 0), ==, RSMERR_BAD_SEG_HNDL);
	g_assert_cmpint(rsm_memseg_get_pollfd(export, &fd), ==, RSMERR_BAD_SEG_HNDL);
	g_assert_cmpint(fd.fd, ==, -1);
	g_assert_cmpint(rsm_memseg_export_destroy(export), ==, RSMERR_BAD_SEG_HNDL);
}

static void no_call_about_the_import_succeeds(void)
{
	void *address = NULL;
	struct pollfd fd;
	char byte = 0;

	g_assert_cmpint(rsm_memseg_import_map(import, &address, RSM_MAP_NONE, RSM_PERM_READ, 0,
					      4096), ==, RSMERR_BAD_SEG_HNDL);
	g_assert_cmpint(rsm_memseg_import_put(import, 0, &byte, 1), ==, RSMERR_BAD_SEG_HNDL);
	g_assert_cmpint(rsm_memseg_import_get(import, 0, &byte, 1), ==, RSMERR_BAD_SEG_HNDL);
	g_assert_cmpint(rsm_intr_signal_post(import, 0), ==, RSMERR_BAD_SEG_HNDL);
	g_assert_cmpint(rsm_intr_signal_wait(import, -1), ==, RSMERR_BAD_SEG_HNDL);
	g_assert_cmpint(rsm_memseg_get_pollfd(import, &fd), ==, RSMERR_BAD_SEG_HNDL);
	g_assert_cmpint(rsm_memseg_import_disconnect(import), ==, RSMERR_BAD_SEG_HNDL);
	g_assert_cmpuint(fake.posts, ==, 0);
}

static void closed_descriptors_are_noticed(void)
{
	begin();
	close(fd_of(export));
	close(fd_of(import));
	no_call_about_the_export_succeeds();
	no_call_about_the_import_succeeds();
	end();
}

/* Give the number of @memseg to what @other is. */
static int replace(void *memseg, int other)
{
	int fd = fd_of(memseg);

	close(fd);
	g_assert_cmpint(dup2(other, fd), ==, fd);
	return fd;
}

static void files_of_the_program_are_left_alone(void)
{
	int ends[2], one, two;

	begin();
	g_assert_cmpint(pipe(ends), ==, 0);
	one = replace(export, ends[0]);
	two = replace(import, ends[1]);
	no_call_about_the_export_succeeds();
	no_call_about_the_import_succeeds();
	g_assert_cmpint(fcntl(one, F_GETFD, 0), >=, 0);
	g_assert_cmpint(write(two, "x", 1), ==, 1);
	close(one);
	close(two);
	close(ends[0]);
	close(ends[1]);
	end();
}

static void other_segments_are_left_alone(void)
{
	rsm_memseg_import_handle_t other;
	int posts, one, two;

	begin();
	other = fake_import(controller);
	one = replace(export, fd_of(other));
	two = replace(import, fd_of(other));
	fake.descriptors += 2;
	fake.events = 1;
	posts = (int)fake.posts;
	no_call_about_the_export_succeeds();
	no_call_about_the_import_succeeds();
	g_assert_cmpint(fake.posts, ==, posts);
	g_assert_cmpuint(fake.events, ==, 1);
	close(one);
	close(two);
	g_assert_cmpint(rsm_memseg_import_disconnect(other), ==, RSM_SUCCESS);
	end();
}

static void events_of_other_segments_are_not_taken(void)
{
	rsm_memseg_import_handle_t other;
	struct pollfd fd;
	int n, number;

	begin();
	other = fake_import(controller);
	g_assert_cmpint(rsm_memseg_get_pollfd(import, &fd), ==, RSM_SUCCESS);
	number = replace(import, fd_of(other));
	fake.descriptors++;
	fake.events = 1;
	g_assert_cmpint(rsm_intr_signal_wait_pollfd(&fd, 1, 0, &n), ==, RSMERR_BAD_SEG_HNDL);
	g_assert_cmpint(n, ==, 0);
	g_assert_cmpuint(fake.events, ==, 1);
	g_assert_cmpint(rsm_memseg_release_pollfd(import), ==, RSM_SUCCESS);
	g_assert_cmpint(rsm_memseg_import_disconnect(import), ==, RSMERR_BAD_SEG_HNDL);
	close(number);
	g_assert_cmpint(rsm_memseg_import_disconnect(other), ==, RSM_SUCCESS);
	g_assert_cmpint(rsm_memseg_export_destroy(export), ==, RSM_SUCCESS);
	end();
}

static void localmemory_handles_without_descriptor_end(void)
{
	static char page[4096] __attribute__((aligned(4096)));
	rsm_localmemory_handle_t handle;
	int fd = 256;

	fake_reset();
	controller = fake_controller();
	g_assert_cmpint(rsm_create_localmemory_handle(controller, &handle, page, 4096), ==,
			RSM_SUCCESS);
	g_assert_cmpint(fake.descriptors, ==, 1);
	close(fd);
	g_assert_cmpint(fake.descriptors, ==, 0);
	g_assert_cmpint(rsm_free_localmemory_handle(controller, handle), ==,
			RSMERR_BAD_LOCALMEM_HNDL);
	end();
}

/* ---- exports whose memory, or whose controller, is gone ---- */

static void lose(void)
{
	fake.status[_IOC_NR(RSM_IOC_CHECK)] = RSMERR_SEG_NOT_PUBLISHED;
	fake.status[_IOC_NR(RSM_IOC_PUBLISH)] = RSMERR_BAD_SEG_HNDL;
	fake.status[_IOC_NR(RSM_IOC_UNPUBLISH)] = RSMERR_SEG_NOT_PUBLISHED;
	fake.status[_IOC_NR(RSM_IOC_REPUBLISH)] = RSMERR_SEG_NOT_PUBLISHED;
	fake.status[_IOC_NR(RSM_IOC_REBIND)] = RSMERR_BAD_SEG_HNDL;
}

static int publish(void)
{
	rsm_memseg_id_t id = RSM_HPC_ID_BASE;

	return rsm_memseg_export_publish(export, &id, NULL, 0);
}

static int republish(void)
{
	return rsm_memseg_export_republish(export, NULL, 0);
}

static int unpublish(void)
{
	return rsm_memseg_export_unpublish(export);
}

static int get_pollfd(void)
{
	struct pollfd fd;

	return rsm_memseg_get_pollfd(export, &fd);
}

static const struct after_loss {
	int (*call)(void);
	int wanted;
} after_loss[] = {
	{ publish, RSMERR_BAD_SEG_HNDL }, { republish, RSMERR_SEG_NOT_PUBLISHED },
	{ unpublish, RSMERR_SEG_NOT_PUBLISHED }, { get_pollfd, RSMERR_BAD_SEG_HNDL },
};

/* Whichever comes first, and however often. */
static void lost_memory_is_no_longer_published(void)
{
	for (size_t first = 0; first < G_N_ELEMENTS(after_loss); first++) {
		begin();
		g_assert_cmpint(publish(), ==, RSMERR_SEG_ALREADY_PUBLISHED);
		lose();
		for (size_t i = 0; i < 2 * G_N_ELEMENTS(after_loss); i++) {
			const struct after_loss *a =
				&after_loss[(first + i) % G_N_ELEMENTS(after_loss)];

			g_assert_cmpint(a->call(), ==, a->wanted);
		}
		g_assert_cmpint(rsm_memseg_import_disconnect(import), ==, RSM_SUCCESS);
		g_assert_cmpint(rsm_memseg_export_destroy(export), ==, RSM_SUCCESS);
		end();
	}
}

static void lost_memory_leaves_a_held_pollfd(void)
{
	begin();
	g_assert_cmpint(get_pollfd(), ==, RSM_SUCCESS);
	g_assert_cmpint(unpublish(), ==, RSMERR_POLLFD_IN_USE);
	lose();
	g_assert_cmpint(unpublish(), ==, RSMERR_SEG_NOT_PUBLISHED);
	g_assert_cmpint(rsm_memseg_export_destroy(export), ==, RSMERR_POLLFD_IN_USE);
	g_assert_cmpint(rsm_memseg_release_pollfd(export), ==, RSM_SUCCESS);
	g_assert_cmpint(rsm_memseg_import_disconnect(import), ==, RSM_SUCCESS);
	g_assert_cmpint(rsm_memseg_export_destroy(export), ==, RSM_SUCCESS);
	end();
}

static void what_a_controller_took_along_is_published_again(void)
{
	begin();
	fake.status[_IOC_NR(RSM_IOC_CHECK)] = RSMERR_SEG_NOT_PUBLISHED;
	g_assert_cmpint(publish(), ==, RSM_SUCCESS);
	fake.status[_IOC_NR(RSM_IOC_CHECK)] = 0;
	g_assert_cmpint(publish(), ==, RSMERR_SEG_ALREADY_PUBLISHED);
	g_assert_cmpint(unpublish(), ==, RSM_SUCCESS);
	g_assert_cmpint(rsm_memseg_import_disconnect(import), ==, RSM_SUCCESS);
	g_assert_cmpint(rsm_memseg_export_destroy(export), ==, RSM_SUCCESS);
	end();
}

/* ---- barriers ---- */

static void no_barrier_call_succeeds(rsmapi_barrier_t barrier)
{
	g_assert_cmpint(rsm_memseg_import_open_barrier(&barrier), ==, RSMERR_BARRIER_UNINITIALIZED);
	g_assert_cmpint(rsm_memseg_import_order_barrier(&barrier), ==,
			RSMERR_BARRIER_UNINITIALIZED);
	g_assert_cmpint(rsm_memseg_import_close_barrier(&barrier), ==,
			RSMERR_BARRIER_UNINITIALIZED);
	g_assert_cmpint(rsm_memseg_import_destroy_barrier(&barrier), ==,
			RSMERR_BARRIER_UNINITIALIZED);
}

static void begin_import(void)
{
	fake_reset();
	controller = fake_controller();
	import = fake_import(controller);
}

static void init(rsmapi_barrier_t *barrier)
{
	g_assert_cmpint(rsm_memseg_import_init_barrier(import, RSM_BAR_DEFAULT, barrier), ==,
			RSM_SUCCESS);
}

static void copied_barriers_are_destroyed_once(void)
{
	rsmapi_barrier_t barrier, copy, others[600];

	begin_import();
	init(&barrier);
	copy = barrier;
	g_assert_cmpint(rsm_memseg_import_open_barrier(&copy), ==, RSM_SUCCESS);
	g_assert_cmpint(rsm_memseg_import_destroy_barrier(&barrier), ==, RSM_SUCCESS);
	no_barrier_call_succeeds(barrier);
	no_barrier_call_succeeds(copy);
	/* Nor does it name another one by now. */
	for (size_t i = 0; i < G_N_ELEMENTS(others); i++) {
		init(&others[i]);
		no_barrier_call_succeeds(copy);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(others); i++) {
		g_assert_cmpint(rsm_memseg_import_open_barrier(&others[i]), ==, RSM_SUCCESS);
		g_assert_cmpint(rsm_memseg_import_close_barrier(&others[i]), ==, RSM_SUCCESS);
		g_assert_cmpint(rsm_memseg_import_destroy_barrier(&others[i]), ==, RSM_SUCCESS);
	}
	g_assert_cmpint(rsm_memseg_import_disconnect(import), ==, RSM_SUCCESS);
	end();
}

static void barriers_end_with_their_import(void)
{
	rsmapi_barrier_t barrier, copy, garbage;
	char byte = 0;

	begin_import();
	init(&barrier);
	copy = barrier;
	g_assert_cmpint(rsm_memseg_import_put(import, 0, &byte, 1), ==, RSM_SUCCESS);
	g_assert_cmpint(rsm_memseg_import_disconnect(import), ==, RSM_SUCCESS);
	no_barrier_call_succeeds(barrier);
	no_barrier_call_succeeds(copy);
	/* The next import may have its memory. */
	import = fake_import(controller);
	no_barrier_call_succeeds(copy);
	g_assert_cmpint(rsm_memseg_import_put(import, 0, &byte, 1), ==,
			RSMERR_BARRIER_UNINITIALIZED);
	memset(&garbage, 0x5a, sizeof(garbage));
	no_barrier_call_succeeds(garbage);
	memset(&garbage, 0, sizeof(garbage));
	no_barrier_call_succeeds(garbage);
	g_assert_cmpint(rsm_memseg_import_disconnect(import), ==, RSM_SUCCESS);
	end();
}

int main(int argc, char *argv[])
{
	g_test_init(&argc, &argv, NULL);
#define ADD(function)	g_test_add_func("/handles/" #function, function)
	ADD(the_first_name_may_be_in_capitals);
	ADD(exports_are_no_imports);
	ADD(closed_descriptors_are_noticed);
	ADD(files_of_the_program_are_left_alone);
	ADD(other_segments_are_left_alone);
	ADD(events_of_other_segments_are_not_taken);
	ADD(localmemory_handles_without_descriptor_end);
	ADD(lost_memory_is_no_longer_published);
	ADD(lost_memory_leaves_a_held_pollfd);
	ADD(what_a_controller_took_along_is_published_again);
	ADD(copied_barriers_are_destroyed_once);
	ADD(barriers_end_with_their_import);
	return g_test_run();
}
