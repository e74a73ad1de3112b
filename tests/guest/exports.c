// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The exporter's calls: which memory can be exported, under which ids and
 * access lists, and in which order the checks come.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#define _GNU_SOURCE	/* memfd_create(), unshare() */
#include "guest.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <unistd.h>

#define ID	0x412345	/* of tests that need a certain one */

static int create_result(void *address, size_t bytes)
{
	rsm_memseg_export_handle_t export = (void *)1;
	int error = rsm_memseg_export_create(controller, &export, address, bytes, 0);

	expect_true(error ? !export : !!export);
	if (!error)
		expect(rsm_memseg_export_destroy(export), RSM_SUCCESS);
	return error;
}

static int publish_result(rsm_memseg_export_handle_t export, rsm_memseg_id_t id,
			  rsmapi_access_entry_t *list, uint_t length)
{
	return rsm_memseg_export_publish(export, &id, list, length);
}

static void create_checks_in_order(void)
{
	rsm_memseg_export_handle_t export;

	expect(rsm_memseg_export_create(NULL, NULL, NULL, 0, 0), RSMERR_BAD_CTLR_HNDL);
	expect(rsm_memseg_export_create(controller, NULL, NULL, 0, 0), RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_export_create(controller, &export, NULL, 0, 0), RSMERR_BAD_ADDR);
	expect(create_result((char *)memory(page) + 1, 0), RSMERR_BAD_LENGTH);
	expect(create_result((char *)memory(page) + 1, page), RSMERR_BAD_MEM_ALIGNMENT);
	expect(create_result(memory(page), page + 1), RSMERR_BAD_MEM_ALIGNMENT);
}

static void create_through_a_released_controller_fails(void)
{
	rsm_memseg_export_handle_t export;

	require(rsm_release_controller(controller), RSM_SUCCESS);
	expect(rsm_memseg_export_create(controller, &export, memory(page), page, 0),
	       RSMERR_BAD_CTLR_HNDL);
}

static void controller_limit_is_a_length(void)
{
	rsmapi_controller_attr_t attr;

	require(rsm_get_controller_attr(controller, &attr), RSM_SUCCESS);
	if (!loopback)
		expect(create_result(memory(page), attr.attr_max_export_segment_size + page),
		       RSMERR_BAD_LENGTH);
}

static void unmapped_memory_is_refused(void)
{
	char *address = memory(4 * page);

	require(munmap(address + page, page), 0);
	expect(create_result(address + page, page), RSMERR_BAD_ADDR);
	expect(create_result(address, 4 * page), RSMERR_BAD_ADDR);
	expect(create_result(address + 2 * page, 2 * page), RSM_SUCCESS);
}

static void range_beyond_the_address_space_is_refused(void)
{
	static const uintptr_t addresses[] = { 1ul << 47, 1ul << 63, -0x1000ul, -0x2000ul };
	size_t i;

	for (i = 0; i < ARRAY(addresses); i++)
		expect(create_result((void *)addresses[i], page), RSMERR_BAD_ADDR);
}

static void read_only_memory_is_refused(void)
{
	void *address = mmap(NULL, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	expect(create_result(address, page), RSMERR_PERM_DENIED);
}

/* Memory of a file system that keeps track of written pages would confuse it. */
static void shared_file_is_refused_private_file_is_not(void)
{
	int fd;

	require(unshare(CLONE_NEWNS), 0);
	require(mount("none", "/mnt", "ramfs", 0, NULL), 0);
	fd = open("/mnt/file", O_RDWR | O_CREAT, 0600);
	require(ftruncate(fd, (off_t)page), 0);
	expect(create_result(mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), page),
	       RSMERR_BAD_ADDR);
	expect(create_result(mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0), page),
	       RSM_SUCCESS);
}

static void shared_memory_is_accepted(void)
{
	int shm = shmget(IPC_PRIVATE, page, IPC_CREAT | 0600);
	void *address = shmat(shm, NULL, 0);
	int fd;

	require(shmctl(shm, IPC_RMID, NULL), 0);
	expect(create_result(address, page), RSM_SUCCESS);
	address = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	expect(create_result(address, page), RSM_SUCCESS);
	fd = memfd_create("shared", 0);
	require(ftruncate(fd, (off_t)page), 0);
	address = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	expect(create_result(address, page), RSM_SUCCESS);
}

static void range_may_span_mappings(void)
{
	char *address = memory(2 * page);

	require(mmap(address, page, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == address, true);
	expect(create_result(address, 2 * page), RSM_SUCCESS);
}

static void imported_memory_is_refused(void)
{
	struct pair p = pair();

	expect(create_result((void *)p.mapping, page), RSMERR_BAD_ADDR);
}

static void memory_can_be_exported_twice(void)
{
	void *address = memory(page);
	rsm_memseg_id_t first = publish(create(address, page));

	expect_true(publish(create(address, page)) != first);
}

/* What a user who may not lock more meets; root may. */
static void locked_memory_limit_holds(void)
{
	struct rlimit limit = { 4 * page, 4 * page };
	void *address = memory(8 * page);

	require(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
	require(setuid(1001), 0);
	expect(create_result(address, 8 * page), RSMERR_INSUFFICIENT_MEM);
	create(address, 3 * page);
	expect(create_result(address, 2 * page), RSMERR_INSUFFICIENT_MEM);
	expect(create_result(address, page), RSM_SUCCESS);
}

static int descriptor_of_next_segment(void)
{
	int fd;

	create(memory(page), page);
	for (fd = 1023; fd > 2; fd--)
		if (fcntl(fd, F_GETFD) >= 0)
			break;
	return fd;
}

static void segment_descriptors_begin_at_256(void)
{
	struct rlimit limit = { 1024, 1024 };
	int fd;

	require(setrlimit(RLIMIT_NOFILE, &limit), 0);
	fd = descriptor_of_next_segment();
	expect(fd, 256);
	expect(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	expect(descriptor_of_next_segment(), 257);
}

static void a_limit_of_256_keeps_them_low(void)
{
	struct rlimit limit = { 256, 256 };
	int fd;

	require(setrlimit(RLIMIT_NOFILE, &limit), 0);
	fd = descriptor_of_next_segment();
	expect_true(fd < 256);
	expect(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

static void no_descriptor_left_is_a_lack_of_resources(void)
{
	void *address = memory(page);

	while (dup(0) >= 0)
		;
	expect(create_result(address, page), RSMERR_INSUFFICIENT_RESOURCES);
}

static void destroy_needs_an_export(void)
{
	struct pair p = pair();

	expect(rsm_memseg_export_destroy(NULL), RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_export_destroy((rsm_memseg_export_handle_t)p.import),
	       RSMERR_BAD_SEG_HNDL);
}

static void destroy_frees_id_and_descriptor(void)
{
	int before = descriptors();
	rsm_memseg_export_handle_t export;
	int i;

	for (i = 0; i < 3; i++) {
		export = create(memory(page), page);
		expect(publish_result(export, ID, NULL, 0), RSM_SUCCESS);
		expect(rsm_memseg_export_destroy(export), RSM_SUCCESS);
	}
	expect(descriptors(), before);
}

static void publish_checks_in_order(void)
{
	rsm_memseg_export_handle_t export = create(memory(page), page);

	expect(rsm_memseg_export_publish(NULL, NULL, NULL, 1), RSMERR_BAD_SEGID);
	expect(publish_result(NULL, 1, NULL, 1), RSMERR_BAD_SEG_HNDL);
	expect(publish_result(export, 1, NULL, 1), RSMERR_BAD_ACL);
	publish(export);
	expect(publish_result(export, 1, NULL, 0), RSMERR_SEG_ALREADY_PUBLISHED);
}

static void reserved_ids_are_refused(void)
{
	static const rsm_memseg_id_t ids[] = {
		1, 0xfffff, 0x100000, 0x1fffff, 0x200000, 0x2fffff, 0x300000, 0x3fffff,
		0x80000000, 0xffffffff,
	};
	rsm_memseg_export_handle_t export = create(memory(page), page);
	size_t i;

	for (i = 0; i < ARRAY(ids); i++)
		expect(publish_result(export, ids[i], NULL, 0), RSMERR_RESERVED_SEGID);
}

static void free_ids_are_accepted(void)
{
	static const rsm_memseg_id_t ids[] = { 0x400000, 0x5fffff, 0x600000, 0x7fffffff };
	rsm_memseg_export_handle_t export = create(memory(page), page);
	rsm_memseg_id_t id;
	size_t i;

	for (i = 0; i < ARRAY(ids); i++) {
		id = ids[i];
		expect(rsm_memseg_export_publish(export, &id, NULL, 0), RSM_SUCCESS);
		expect(id, ids[i]);
		expect(rsm_memseg_export_unpublish(export), RSM_SUCCESS);
	}
}

static void chosen_ids_are_never_used_twice(void)
{
	rsm_memseg_export_handle_t one = create(memory(page), page);
	rsm_memseg_id_t first = publish(one), second = publish(create(memory(page), page));

	expect_true(first >= RSM_USER_APP_ID_BASE);
	expect_true(second >= RSM_USER_APP_ID_BASE && second != first);
	require(rsm_memseg_export_unpublish(one), RSM_SUCCESS);
	expect_true(publish(one) > second);
}

static void id_in_use(void *address)
{
	rsm_memseg_export_handle_t export;
	rsmapi_controller_handle_t other;

	export = create(address ? address : memory(page), page);
	expect(publish_result(export, ID, NULL, 0), RSMERR_SEGID_IN_USE);
	expect(publish_result(export, ID + 1, NULL, 0), RSM_SUCCESS);
	expect(rsm_memseg_export_destroy(export), RSM_SUCCESS);

	require(rsm_get_controller("loopback", &other), RSM_SUCCESS);
	require(rsm_memseg_export_create(other, &export, memory(page), page, 0), RSM_SUCCESS);
	expect(publish_result(export, ID, NULL, 0), RSMERR_SEGID_IN_USE);
	expect(rsm_memseg_export_destroy(export), RSM_SUCCESS);
}

static void an_id_is_unique_on_the_node(void)
{
	rsm_memseg_export_handle_t export = create(memory(page), page);

	require(publish_result(export, ID, NULL, 0), RSM_SUCCESS);
	id_in_use(NULL);
	in_child(id_in_use, NULL);
}

static void access_lists_are_checked(void)
{
	rsmapi_access_entry_t list[65];
	rsm_memseg_export_handle_t export = create(memory(page), page);
	size_t i;

	for (i = 0; i < ARRAY(list); i++)
		list[i] = (rsmapi_access_entry_t){ local_node, 0666 };
	expect(publish_result(export, ID, list, 65), RSMERR_BAD_ACL);
	expect(publish_result(export, ID, list, 0xffffffff), RSMERR_BAD_ACL);
	expect(publish_result(export, ID, list, 2), loopback ? RSMERR_BAD_ACL : RSM_SUCCESS);
	rsm_memseg_export_unpublish(export);
	expect(publish_result(export, ID, list, 64), loopback ? RSMERR_BAD_ACL : RSM_SUCCESS);
	rsm_memseg_export_unpublish(export);

	list[0].ae_permission = 0777;
	expect(publish_result(export, ID, list, 1), RSMERR_BAD_ACL);
	list[0].ae_permission = 0x80000000;
	expect(publish_result(export, ID, list, 1), RSMERR_BAD_ACL);
	list[0] = (rsmapi_access_entry_t){ 256, 0666 };
	expect(publish_result(export, ID, list, 1), RSMERR_BAD_ACL);
	list[0] = (rsmapi_access_entry_t){ local_node, 0600 };
	expect(publish_result(export, ID, list, 1), RSM_SUCCESS);
}

static void loopback_lists_name_only_this_node(void)
{
	rsmapi_access_entry_t other = { local_node + 1, 0666 };
	rsm_memseg_export_handle_t export = create(memory(page), page);

	/* An adapter knows no way to a node that never was. */
	expect(publish_result(export, ID, &other, 1),
	       loopback ? RSMERR_BAD_ACL : RSMERR_INTERNAL_ERROR);
}

static void unreadable_list_is_a_bad_address(void)
{
	rsm_memseg_export_handle_t export = create(memory(page), page);
	void *gone = memory(page);

	require(munmap(gone, page), 0);
	expect(publish_result(export, ID, gone, 1), RSMERR_BAD_ADDR);
	/* A refused segment can be published afterwards. */
	expect(publish_result(export, ID, NULL, 0), RSM_SUCCESS);
}

static void list_of_length_0_is_ignored(void)
{
	rsmapi_access_entry_t nobody = { local_node, 0 };
	rsm_memseg_export_handle_t export = create(memory(page), page);

	require(publish_result(export, ID, &nobody, 0), RSM_SUCCESS);
	connect_to(ID, RSM_PERM_RDWR);
}

static void unpublish_needs_a_published_export(void)
{
	rsm_memseg_export_handle_t export = create(memory(page), page);

	expect(rsm_memseg_export_unpublish(NULL), RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_export_unpublish(export), RSMERR_SEG_NOT_PUBLISHED);
	publish(export);
	expect(rsm_memseg_export_unpublish(export), RSM_SUCCESS);
	expect(rsm_memseg_export_unpublish(export), RSMERR_SEG_NOT_PUBLISHED);
}

static void unpublished_segment_is_not_found(void)
{
	rsm_memseg_export_handle_t export = create(memory(page), page);
	rsm_memseg_import_handle_t import = (void *)1;

	require(publish_result(export, ID, NULL, 0), RSM_SUCCESS);
	require(rsm_memseg_export_unpublish(export), RSM_SUCCESS);
	expect(rsm_memseg_import_connect(controller, local_node, ID, RSM_PERM_READ, &import),
	       RSMERR_SEG_NOT_PUBLISHED);
	expect_true(!import);
	expect(publish_result(export, ID, NULL, 0), RSM_SUCCESS);
	connect_to(ID, RSM_PERM_READ);
}

static const struct test tests[] = {
	TEST(create_checks_in_order),
	TEST(create_through_a_released_controller_fails),
	TEST(controller_limit_is_a_length),
	TEST(unmapped_memory_is_refused),
	TEST(range_beyond_the_address_space_is_refused),
	TEST(read_only_memory_is_refused),
	TEST(shared_file_is_refused_private_file_is_not),
	TEST(shared_memory_is_accepted),
	TEST(range_may_span_mappings),
	TEST(imported_memory_is_refused),
	TEST(memory_can_be_exported_twice),
	TEST(locked_memory_limit_holds),
	TEST(segment_descriptors_begin_at_256),
	TEST(a_limit_of_256_keeps_them_low),
	TEST(no_descriptor_left_is_a_lack_of_resources),
	TEST(destroy_needs_an_export),
	TEST(destroy_frees_id_and_descriptor),
	TEST(publish_checks_in_order),
	TEST(reserved_ids_are_refused),
	TEST(free_ids_are_accepted),
	TEST(chosen_ids_are_never_used_twice),
	TEST(an_id_is_unique_on_the_node),
	TEST(access_lists_are_checked),
	TEST(loopback_lists_name_only_this_node),
	TEST(unreadable_list_is_a_bad_address),
	TEST(list_of_length_0_is_ignored),
	TEST(unpublish_needs_a_published_export),
	TEST(unpublished_segment_is_not_found),
};

int main(int argc, char *argv[])
{
	return guest_main(argc, argv, TESTS(tests));
}
