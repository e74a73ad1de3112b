// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Exports: create, destroy, rebind.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#define _GNU_SOURCE
#include "conform.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <unistd.h>

static int try_create(void *address, size_t bytes, rsm_memseg_export_handle_t *export)
{
	return rsm_memseg_export_create(controller, export, address, bytes, 0);
}

static int segment_fd(void *handle)
{
	struct pollfd pollfd = { .fd = -1 };

	require(rsm_memseg_get_pollfd(handle, &pollfd), RSM_SUCCESS);
	require(rsm_memseg_release_pollfd(handle), RSM_SUCCESS);
	return pollfd.fd;
}

static void a042_create_without_controller_fails_with_bad_ctlr_hndl(void)
{
	rsm_memseg_export_handle_t export;

	expect(rsm_memseg_export_create(NULL, &export, memory(page), page, 0),
	       RSMERR_BAD_CTLR_HNDL);
	expect(rsm_memseg_export_create(NULL, NULL, NULL, 0, 0), RSMERR_BAD_CTLR_HNDL);
}

static void a043_create_without_pointer_fails_with_bad_seg_hndl(void)
{
	expect(try_create(memory(page), page, NULL), RSMERR_BAD_SEG_HNDL);
	expect(try_create(NULL, 0, NULL), RSMERR_BAD_SEG_HNDL);
}

static void a044_a_failed_create_leaves_a_null_handle(void)
{
	rsm_memseg_export_handle_t export = (void *)1;

	expect(try_create(NULL, page, &export), RSMERR_BAD_ADDR);
	expect_true(!export);
	export = (void *)1;
	expect(try_create(memory(page), 0, &export), RSMERR_BAD_LENGTH);
	expect_true(!export);
}

static void a046_length_0_fails_with_bad_length(void)
{
	rsm_memseg_export_handle_t export;

	expect(try_create((char *)memory(page) + 1, 0, &export), RSMERR_BAD_LENGTH);
}

static void a047_a_misaligned_address_fails_with_bad_mem_alignment(void)
{
	rsm_memseg_export_handle_t export;

	expect(try_create((char *)memory(2 * page) + 8, page, &export),
	       RSMERR_BAD_MEM_ALIGNMENT);
}

static void a048_a_length_of_broken_pages_fails_with_bad_mem_alignment(void)
{
	rsm_memseg_export_handle_t export;

	expect(try_create(memory(2 * page), page + 1, &export), RSMERR_BAD_MEM_ALIGNMENT);
	expect(try_create(memory(page), 1, &export), RSMERR_BAD_MEM_ALIGNMENT);
}

static void a049_the_largest_segment_bounds_sci_and_not_loopback(void)
{
	rsmapi_controller_attr_t attr = { 0 };
	rsm_memseg_export_handle_t export;
	size_t bytes;

	require(rsm_get_controller_attr(controller, &attr), RSM_SUCCESS);
	bytes = attr.attr_max_export_segment_size + page;
	if (scope == LOOPBACK)
		bytes = (size_t)1 << 46;
	/* Only the first page is there: a length that is not refused is not pinned. */
	expect(try_create(memory(page), bytes, &export),
	       scope == LOOPBACK ? RSMERR_BAD_ADDR : RSMERR_BAD_LENGTH);
}

static void *map_file(const char *directory, int flags)
{
	char name[64];
	void *address;
	int fd;

	snprintf(name, sizeof(name), "%s/conformXXXXXX", directory);
	fd = mkstemp(name);
	require_true(fd >= 0);
	unlink(name);
	require(ftruncate(fd, (off_t)page), 0);
	address = mmap(NULL, page, PROT_READ | PROT_WRITE, flags, fd, 0);
	require(address == MAP_FAILED, false);
	close(fd);
	return address;
}

/* tmpfs is the guest's shared memory, ramfs stands for other file systems. */
static void a051_shared_files_are_refused_with_bad_addr(void)
{
	rsm_memseg_export_handle_t export;

	require(unshare(CLONE_NEWNS), 0);
	require(mount("none", "/mnt", "ramfs", 0, NULL), 0);
	expect(try_create(map_file("/mnt", MAP_SHARED), page, &export), RSMERR_BAD_ADDR);
	expect(try_create(map_file("/mnt", MAP_PRIVATE), page, &export), RSM_SUCCESS);
}

static void a051_private_anonymous_and_sysv_memory_is_accepted(void)
{
	int id = shmget(IPC_PRIVATE, page, IPC_CREAT | 0600);
	rsm_memseg_export_handle_t export;
	void *address;

	expect(try_create(memory(page), page, &export), RSM_SUCCESS);
	expect(try_create(valloc(page), page, &export), RSM_SUCCESS);
	expect(try_create(map_file("/root", MAP_PRIVATE), page, &export),
	       RSM_SUCCESS);
	require_true(id >= 0);
	address = shmat(id, NULL, 0);
	shmctl(id, IPC_RMID, NULL);
	require(address == (void *)-1, false);
	expect(try_create(address, page, &export), RSM_SUCCESS);
}

static void a052_read_only_memory_fails_with_perm_denied(void)
{
	rsm_memseg_export_handle_t export;
	void *address = memory(2 * page);

	require(mprotect((char *)address + page, page, PROT_READ), 0);
	expect(try_create(address, 2 * page, &export), RSMERR_PERM_DENIED);
	expect(try_create(address, page, &export), RSM_SUCCESS);
}

static void a052_imported_memory_fails_with_bad_addr(void)
{
	struct imported imported = import_mapped(page);
	rsm_memseg_export_handle_t export;

	expect(try_create((void *)imported.mapping, page, &export), RSMERR_BAD_ADDR);
}

static void a053_the_locked_memory_limit_gives_insufficient_mem(void)
{
	struct rlimit limit = { 4 * page, 4 * page };
	rsm_memseg_export_handle_t a, b;
	void *address = memory(8 * page);
	long before = pinned_kib();

	require(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
	become(1001, 1001);
	expect(try_create(address, 8 * page, &a), RSMERR_INSUFFICIENT_MEM);
	expect(pinned_kib(), before);
	require(try_create(address, 3 * page, &a), RSM_SUCCESS);
	expect(try_create(address, 2 * page, &b), RSMERR_INSUFFICIENT_MEM);
	require(rsm_memseg_export_destroy(a), RSM_SUCCESS);
	expect(pinned_kib(), before);
	expect(try_create(address, 2 * page, &b), RSM_SUCCESS);
}

static void a057_the_descriptor_closes_on_exec(void)
{
	rsm_memseg_export_handle_t export = create(memory(page), page);
	rsm_memseg_id_t id = publish(export);
	rsm_memseg_import_handle_t imported = connect_here(id, RSM_PERM_READ);

	expect(fcntl(segment_fd(export), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	expect(fcntl(segment_fd(imported), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

static void a058_descriptors_start_at_256_if_the_limit_allows(void)
{
	struct rlimit limit = { 1024, 1024 };
	rsm_memseg_export_handle_t export;

	require(setrlimit(RLIMIT_NOFILE, &limit), 0);
	export = create(memory(page), page);
	publish(export);
	expect_true(segment_fd(export) >= 256);
	limit.rlim_cur = 256;
	require(setrlimit(RLIMIT_NOFILE, &limit), 0);
	export = create(memory(page), page);
	publish(export);
	expect_true(segment_fd(export) < 256);
}

static void a059_memory_can_be_in_two_segments(void)
{
	uint8_t *address = memory(2 * page);
	volatile uint8_t *first, *second;

	first = map(connect_here(publish(create(address, page)), RSM_PERM_RDWR), RSM_PERM_RDWR,
		    page);
	second = map(connect_here(publish(create(address, 2 * page)), RSM_PERM_RDWR),
		     RSM_PERM_RDWR, 2 * page);
	first[7] = 77;
	expect(second[7], 77);
	expect(address[7], 77);
}

static void a061_destroy_null_fails_with_bad_seg_hndl(void)
{
	struct imported imported = import(page);

	expect(rsm_memseg_export_destroy(NULL), RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_export_destroy((rsm_memseg_export_handle_t)imported.import),
	       RSMERR_BAD_SEG_HNDL);
}

static void a062_destroy_unpins(void)
{
	long before = pinned_kib();
	rsm_memseg_export_handle_t export = create(memory(16 * page), 16 * page);

	expect(pinned_kib() - before, 16 * (long)page / 1024);
	expect(rsm_memseg_export_destroy(export), RSM_SUCCESS);
	expect(pinned_kib(), before);
}

static void a063_destroy_frees_the_id(void)
{
	rsm_memseg_import_handle_t imported;

	peer_export(0, page);
	peer_ok("destroy 0");
	expect(try_connect(ID, RSM_PERM_READ, &imported), RSMERR_SEG_NOT_PUBLISHED);
	peer_export(0, page);
	expect(try_connect(ID, RSM_PERM_READ, &imported), RSM_SUCCESS);
}

static void a064_a_held_pollfd_keeps_the_export(void)
{
	rsm_memseg_export_handle_t export = create(memory(page), page);
	struct pollfd pollfd;

	publish(export);
	require(rsm_memseg_get_pollfd(export, &pollfd), RSM_SUCCESS);
	expect(rsm_memseg_export_destroy(export), RSMERR_POLLFD_IN_USE);
	require(rsm_memseg_release_pollfd(export), RSM_SUCCESS);
	expect(rsm_memseg_export_destroy(export), RSM_SUCCESS);
}

static const struct test tests[] = {
	TEST(LOCAL, a042_create_without_controller_fails_with_bad_ctlr_hndl),
	TEST(LOCAL, a043_create_without_pointer_fails_with_bad_seg_hndl),
	TEST(LOCAL, a044_a_failed_create_leaves_a_null_handle),
	TEST(LOCAL, a046_length_0_fails_with_bad_length),
	TEST(LOCAL, a047_a_misaligned_address_fails_with_bad_mem_alignment),
	TEST(LOCAL, a048_a_length_of_broken_pages_fails_with_bad_mem_alignment),
	TEST(LOCAL, a049_the_largest_segment_bounds_sci_and_not_loopback),
	TEST(LOCAL, a051_shared_files_are_refused_with_bad_addr),
	TEST(LOCAL, a051_private_anonymous_and_sysv_memory_is_accepted),
	TEST(LOCAL, a052_read_only_memory_fails_with_perm_denied),
	TEST(ALL, a052_imported_memory_fails_with_bad_addr),
	TEST(LOCAL, a053_the_locked_memory_limit_gives_insufficient_mem),
	TEST(LOCAL, a057_the_descriptor_closes_on_exec),
	TEST(LOCAL, a058_descriptors_start_at_256_if_the_limit_allows),
	TEST(LOCAL, a059_memory_can_be_in_two_segments),
	TEST(ALL, a061_destroy_null_fails_with_bad_seg_hndl),
	TEST(LOCAL, a062_destroy_unpins),
	TEST(ALL, a063_destroy_frees_the_id),
	TEST(LOCAL, a064_a_held_pollfd_keeps_the_export),
};

SECTION(exports);
