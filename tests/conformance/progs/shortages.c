// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Errors beyond the list: what a shortage, or a system call that fails, makes
 * of each function, and that nothing is left behind.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#define _GNU_SOURCE
#include "conform.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "fault.h"

static uint64_t buffer[16];

/* ---- memory ---- */

static int get_controller(void *unused)
{
	rsmapi_controller_handle_t other;
	char *name = scope == LOOPBACK ? "sci0" : "loopback";
	int ret = rsm_get_controller(name, &other);

	(void)unused;
	return ret ? ret : rsm_release_controller(other);
}

static int export_create(void *address)
{
	rsm_memseg_export_handle_t export;
	int ret = rsm_memseg_export_create(controller, &export, address, page, 0);

	return ret ? ret : rsm_memseg_export_destroy(export);
}

static int import_connect(void *unused)
{
	rsm_memseg_import_handle_t import;
	int ret = try_connect(ID, RSM_PERM_READ, &import);

	(void)unused;
	return ret ? ret : rsm_memseg_import_disconnect(import);
}

/* More than the library has room for without an allocation. */
static int init_barrier(void *import)
{
	rsmapi_barrier_t barriers[100];
	int i, ret = RSM_SUCCESS;

	for (i = 0; i < (int)ARRAY(barriers) && !ret; i++)
		ret = rsm_memseg_import_init_barrier(import, RSM_BAR_DEFAULT, &barriers[i]);
	if (ret)
		i--;
	while (i-- > 0)
		rsm_memseg_import_destroy_barrier(&barriers[i]);
	return ret;
}

static int get_topology(void *unused)
{
	rsm_topology_t *topology;
	int ret = rsm_get_interconnect_topology(&topology);

	(void)unused;
	if (!ret)
		rsm_free_interconnect_topology(topology);
	return ret;
}

static int get_segmentid_range(void *unused)
{
	rsm_memseg_id_t base;
	uint32_t length;

	(void)unused;
	return rsm_get_segmentid_range("SUNWfoo", &base, &length);
}

static rsm_memseg_import_handle_t import_that_is_over(void)
{
	rsm_memseg_export_handle_t export = create(memory(page), page);
	rsm_memseg_import_handle_t import = connect_here(publish(export), RSM_PERM_READ);

	require(rsm_memseg_export_destroy(export), RSM_SUCCESS);
	return import;
}

/* A segment that is over is not waited for, but the time is. */
static int wait_for_what_is_over(void *fd)
{
	int ret = rsm_intr_signal_wait_pollfd(fd, 1, 0, NULL);

	return ret == RSMERR_TIMEOUT ? RSM_SUCCESS : ret;
}

static int create_localmemory(void *address)
{
	rsm_localmemory_handle_t handle;
	int ret = rsm_create_localmemory_handle(controller, &handle, address, page);

	return ret ? ret : rsm_free_localmemory_handle(controller, handle);
}

static int descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

/*
 * Let each allocation of a call fail in its turn, until there is none left.
 * libc does without some of its own.
 */
static void each_allocation_fails(int (*call)(void *), void *argument, bool of_libc)
{
	int nth, ret, fds = descriptors();
	long pinned = pinned_kib();
	bool happened;

	for (nth = 1; nth < 100; nth++) {
		fault_arm(FAULT_MEMORY, nth, ENOMEM);
		ret = call(argument);
		happened = fault_happened();
		if (!happened || ret || !of_libc)
			expect(ret, happened ? RSMERR_INSUFFICIENT_MEM : RSM_SUCCESS);
		if (!happened)
			break;
	}
	expect_true(nth > 1);
	expect(descriptors(), fds);
	expect(pinned_kib(), pinned);
}

static void e_each_allocation_that_fails_gives_insufficient_mem(void)
{
	struct imported imported = import(page);
	rsm_memseg_import_handle_t over;
	void *address = memory(page);
	struct pollfd fd;

	each_allocation_fails(get_controller, NULL, false);
	each_allocation_fails(export_create, address, false);
	each_allocation_fails(import_connect, NULL, false);
	each_allocation_fails(init_barrier, imported.import, false);
	each_allocation_fails(get_topology, NULL, false);
	over = import_that_is_over();
	require(rsm_memseg_get_pollfd(over, &fd), RSM_SUCCESS);
	each_allocation_fails(wait_for_what_is_over, &fd, false);
	require(rsm_memseg_release_pollfd(over), RSM_SUCCESS);
	require(rsm_memseg_import_disconnect(over), RSM_SUCCESS);
	each_allocation_fails(create_localmemory, address, false);
	segmentid_file("reserved SUNWfoo 600000 10\n");
	each_allocation_fails(get_segmentid_range, NULL, true);
	segmentid_file(NULL);
}

/* ---- mapping ---- */

typedef int map_call(rsm_memseg_import_handle_t import);

static int explicit_map(rsm_memseg_import_handle_t import)
{
	void *address = NULL;

	return rsm_memseg_import_map(import, &address, RSM_MAP_NONE, RSM_PERM_RDWR, 0, page);
}

#define TRANSFER(name) \
	static int name(rsm_memseg_import_handle_t import) \
	{ \
		return rsm_memseg_import_##name(import, 0, (void *)buffer, 1); \
	}
TRANSFER(get8)
TRANSFER(get16)
TRANSFER(get32)
TRANSFER(get64)
TRANSFER(get)
TRANSFER(put8)
TRANSFER(put16)
TRANSFER(put32)
TRANSFER(put64)
TRANSFER(put)

static int vector(rsm_memseg_import_handle_t import, int (*call)(rsm_scat_gath_t *))
{
	rsm_iovec_t entry = { RSM_VA_TYPE, { .vaddr = (void *)buffer }, 0, 0, 8 };
	rsm_scat_gath_t sg = {
		.io_request_count = 1, .remote_handle = import, .iovec = &entry,
	};

	return call(&sg);
}

static int putv(rsm_memseg_import_handle_t import)
{
	return vector(import, rsm_memseg_import_putv);
}

static int getv(rsm_memseg_import_handle_t import)
{
	return vector(import, rsm_memseg_import_getv);
}

static map_call *const mapping_calls[] = {
	explicit_map, get8, get16, get32, get64, get, put8, put16, put32, put64, put, putv, getv,
};

static void each_mapping_call(rsm_memseg_import_handle_t import, int wanted)
{
	size_t i;

	for (i = 0; i < ARRAY(mapping_calls); i++)
		expect(mapping_calls[i](import), wanted);
}

/* An address space that may not grow, as RLIMIT_AS makes it. */
static void e_no_address_space_gives_insufficient_mem(void)
{
	struct imported imported = import(page);
	struct rlimit limit, none;

	require(getrlimit(RLIMIT_AS, &limit), 0);
	none = (struct rlimit){ 0, limit.rlim_max };
	require(setrlimit(RLIMIT_AS, &none), 0);
	each_mapping_call(imported.import, RSMERR_INSUFFICIENT_MEM);
	require(setrlimit(RLIMIT_AS, &limit), 0);
	expect(explicit_map(imported.import), RSM_SUCCESS);
}

/* A process that locks all that it maps, and may not lock more. */
static void e_no_lockable_memory_gives_insufficient_resources(void)
{
	struct imported imported = import(page);
	struct rlimit some = { page, page }, none = { 0, 0 };

	require(setrlimit(RLIMIT_MEMLOCK, &some), 0);
	become(1002, 1002);
	require(mlockall(MCL_FUTURE), 0);
	require(setrlimit(RLIMIT_MEMLOCK, &none), 0);
	each_mapping_call(imported.import, RSMERR_INSUFFICIENT_RESOURCES);
}

/* The program has closed a descriptor that is not its own. */
static void e_a_descriptor_closed_behind_its_back_gives_bad_seg_hndl(void)
{
	struct imported imported = import(page);
	struct pollfd pollfd;

	require(rsm_memseg_get_pollfd(imported.import, &pollfd), RSM_SUCCESS);
	close(pollfd.fd);
	each_mapping_call(imported.import, RSMERR_BAD_SEG_HNDL);
}

static void e_a_place_that_is_forbidden_gives_map_failed(void)
{
	struct imported imported = import(page);
	void *address = NULL;

	become(1002, 1002);
	expect(rsm_memseg_import_map(imported.import, &address, RSM_MAP_FIXED, RSM_PERM_RDWR, 0,
				     page), RSMERR_MAP_FAILED);
}

/* ---- polling ---- */

static void e_a_poll_that_fails_says_why(void)
{
	struct imported imported = import(page);
	struct rlimit none = { 0, 4096 };
	struct pollfd pollfd;

	require(rsm_memseg_get_pollfd(imported.import, &pollfd), RSM_SUCCESS);
	fault_arm(FAULT_POLL, 1, EAGAIN);
	expect(rsm_intr_signal_wait(imported.import, 0), RSMERR_INSUFFICIENT_RESOURCES);
	fault_arm(FAULT_POLL, 1, EAGAIN);
	expect(rsm_intr_signal_wait_pollfd(&pollfd, 1, 0, NULL), RSMERR_INSUFFICIENT_RESOURCES);
	/* More descriptors than the process may have. */
	require(setrlimit(RLIMIT_NOFILE, &none), 0);
	expect(rsm_intr_signal_wait(imported.import, 0), RSMERR_BAD_ARGS_ERRORS);
	expect(rsm_intr_signal_wait_pollfd(&pollfd, 1, 0, NULL), RSMERR_BAD_ARGS_ERRORS);
}

/* ---- opening ---- */

static int (*const opening_calls[])(void *) = {
	get_controller, export_create, import_connect, get_topology, create_localmemory,
};

static void each_opening_call(int error, int wanted)
{
	void *address = memory(page);
	size_t i;

	for (i = 0; i < ARRAY(opening_calls); i++) {
		fault_arm(FAULT_OPEN, 1, error);
		expect(opening_calls[i](address), wanted);
		expect_true(fault_happened());
	}
}

static void e_what_cannot_be_opened_says_why(void)
{
	peer_export(0, page);
	each_opening_call(ENOENT, RSMERR_CTLR_NOT_PRESENT);
	each_opening_call(EACCES, RSMERR_PERM_DENIED);
	each_opening_call(EAGAIN, RSMERR_INSUFFICIENT_RESOURCES);
}

/* ---- an adapter that goes ---- */

#define DRIVER	"/sys/bus/pci/drivers/sci/"

static char slot[64];	/* of the adapter, once it was asked for */

static bool driver_write(const char *file)
{
	char path[128];
	FILE *to;

	snprintf(path, sizeof(path), DRIVER "%s", file);
	to = fopen(path, "w");
	return to && fputs(slot, to) >= 0 && fclose(to) == 0;
}

static void adapter_find(void)
{
	DIR *dir = opendir(DRIVER);
	struct dirent *entry;

	require_true(dir);
	while ((entry = readdir(dir)))
		if (strchr(entry->d_name, ':'))
			snprintf(slot, sizeof(slot), "%.60s", entry->d_name);
	closedir(dir);
	require_true(slot[0]);
}

static void e_a_controller_that_went_is_not_present(void)
{
	rsm_memseg_export_handle_t bound = create(memory(page), page), export;
	rsm_localmemory_handle_t handle;
	rsm_memseg_import_handle_t import;
	rsmapi_controller_handle_t again;
	rsm_memseg_id_t id = 0;
	int publish, create, connect, localmemory, open;

	adapter_find();
	require_true(driver_write("unbind"));
	publish = rsm_memseg_export_publish(bound, &id, NULL, 0);
	create = rsm_memseg_export_create(controller, &export, memory(page), page, 0);
	connect = try_connect(ID, RSM_PERM_READ, &import);
	localmemory = rsm_create_localmemory_handle(controller, &handle, memory(page), page);
	require(rsm_release_controller(controller), RSM_SUCCESS);
	open = rsm_get_controller(controller_name, &again);
	require_true(driver_write("bind"));
	expect(publish, RSMERR_CTLR_NOT_PRESENT);
	expect(create, RSMERR_CTLR_NOT_PRESENT);
	expect(connect, RSMERR_CTLR_NOT_PRESENT);
	expect(localmemory, RSMERR_CTLR_NOT_PRESENT);
	expect(open, RSMERR_CTLR_NOT_PRESENT);
	expect(rsm_get_controller(controller_name, &again), RSM_SUCCESS);
}

static const struct test tests[] = {
	TEST(SELF, e_a_controller_that_went_is_not_present),
	TEST(ALL, e_each_allocation_that_fails_gives_insufficient_mem),
	TEST(ALL, e_no_address_space_gives_insufficient_mem),
	TEST(ALL, e_no_lockable_memory_gives_insufficient_resources),
	TEST(ALL, e_a_descriptor_closed_behind_its_back_gives_bad_seg_hndl),
	TEST(ALL, e_a_place_that_is_forbidden_gives_map_failed),
	TEST(LOCAL, e_a_poll_that_fails_says_why),
	TEST(ALL, e_what_cannot_be_opened_says_why),
};

SECTION(shortages);
