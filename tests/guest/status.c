// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the agent says of segments and counts: SEGMENTS and COUNTERS, as every
 * user may ask for them.  Run as root.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#define _GNU_SOURCE	/* unshare */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <uapi/rsm.h>

#define ROWS	512
#define USER	1001

static int control_open(void)
{
	int fd = open(RSM_DEVICE, O_RDONLY | O_CLOEXEC);

	require(fd >= 0, true);
	return fd;
}

/* 0 or -errno; the status must be 0. */
static int ask(unsigned long request, void *argument)
{
	int fd = control_open();
	int ret = ioctl(fd, request, argument) ? -errno : 0;

	close(fd);
	if (!ret)
		expect(*(__u32 *)argument, RSM_SUCCESS);
	return ret;
}

static struct rsm_ioc_counters counters(void)
{
	static struct rsm_path_row rows[ROWS];
	struct rsm_ioc_counters query = { .rows = (uintptr_t)rows, .capacity = ROWS };

	require(ask(RSM_IOC_COUNTERS, &query), 0);
	return query;
}

/* The last row of an id and kind; number 0 if there is none. */
static struct rsm_segment_row row_of(__u32 id, __u32 kind)
{
	static struct rsm_segment_row rows[ROWS];
	struct rsm_ioc_segments query = { .rows = (uintptr_t)rows, .capacity = ROWS };
	struct rsm_segment_row found = { .number = 0 };
	__u32 i;

	require(ask(RSM_IOC_SEGMENTS, &query), 0);
	require(query.count <= ROWS, true);
	for (i = 0; i < query.count; i++)
		if (rows[i].segment_id == id && rows[i].kind == kind)
			found = rows[i];
	return found;
}

/* There must be one. */
#define row_require(id, kind)	({ \
	struct rsm_segment_row row_ = row_of(id, kind); \
	require(row_.number != 0, true); \
	row_; })

static void rows_beyond_the_capacity_are_only_counted(void)
{
	struct rsm_segment_row rows[2];
	struct rsm_path_row paths[2];
	struct rsm_ioc_segments segments = { .rows = (uintptr_t)rows, .capacity = 1 };
	struct rsm_ioc_counters agent = { .rows = (uintptr_t)paths, .capacity = 1 };
	const unsigned char *byte;
	size_t i;

	create(memory(page), page);
	create(memory(page), page);
	memset(rows, 0xa5, sizeof(rows));
	memset(paths, 0xa5, sizeof(paths));
	require(ask(RSM_IOC_SEGMENTS, &segments), 0);
	require(ask(RSM_IOC_COUNTERS, &agent), 0);
	expect_true(segments.count >= 2);
	expect_true(agent.count >= 1);
	byte = (const unsigned char *)&rows[1];
	for (i = 0; i < sizeof(rows[1]); i++)
		require(byte[i], 0xa5);
	byte = (const unsigned char *)&paths[1];
	for (i = 0; i < sizeof(paths[1]); i++)
		require(byte[i], 0xa5);
}

static void without_capacity_no_buffer_is_needed(void)
{
	struct rsm_ioc_segments segments = { .capacity = 0 };
	struct rsm_ioc_counters agent = { .capacity = 0 };

	create(memory(page), page);
	expect(ask(RSM_IOC_SEGMENTS, &segments), 0);
	expect_true(segments.count >= 1);
	expect(ask(RSM_IOC_COUNTERS, &agent), 0);
	expect_true(agent.count >= 1);
}

static void rows_that_cannot_be_written_are_a_fault(void)
{
	struct rsm_ioc_segments segments = { .rows = 8, .capacity = 4 };
	struct rsm_ioc_counters agent = { .rows = 8, .capacity = 0xffffffff };

	create(memory(page), page);
	expect(ask(RSM_IOC_SEGMENTS, &segments), -EFAULT);
	expect(ask(RSM_IOC_COUNTERS, &agent), -EFAULT);
}

/* A page that comes when its owner likes. */
static int withheld(void *address)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = {
		.range = { (uintptr_t)address, page }, .mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	require(fd >= 0, true);
	require(ioctl(fd, UFFDIO_API, &api), 0);
	require(ioctl(fd, UFFDIO_REGISTER, &range), 0);
	return fd;
}

static void *ask_for_rows(void *rows)
{
	struct rsm_ioc_segments segments = { .rows = (uintptr_t)rows, .capacity = 1 };

	require(ask(RSM_IOC_SEGMENTS, &segments), 0);
	return NULL;
}

static void who_cannot_be_answered_holds_up_nobody(void)
{
	void *rows = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct uffdio_zeropage zero = { .range = { (uintptr_t)rows, page } };
	struct uffd_msg fault;
	struct pair pair_ = pair();
	pthread_t thread;
	int fd = withheld(rows);

	require(pthread_create(&thread, NULL, ask_for_rows, rows), 0);
	require(read(fd, &fault, sizeof(fault)), sizeof(fault));
	require(fault.event, UFFD_EVENT_PAGEFAULT);
	/* It is at its first row, whosever that is; all of these go on beside it. */
	expect(rsm_intr_signal_post(pair_.import, 0), RSM_SUCCESS);
	expect(rsm_intr_signal_wait(pair_.export, 0), RSM_SUCCESS);
	expect_true(row_of(pair_.id, RSM_ROW_IMPORT).number != 0);
	expect(rsm_memseg_import_disconnect(connect_to(pair_.id, RSM_PERM_READ)), RSM_SUCCESS);
	expect(rsm_memseg_export_unpublish(pair_.export), RSM_SUCCESS);
	expect(rsm_memseg_export_destroy(pair_.export), RSM_SUCCESS);
	require(ioctl(fd, UFFDIO_ZEROPAGE, &zero), 0);
	require(pthread_join(thread, NULL), 0);
}

static void unknown_flags_and_members_are_refused(void)
{
	struct rsm_ioc_segments segments = { .flags = 1 };
	struct rsm_ioc_counters agent = { .flags = 1 };
	struct rsm_ioc_counters later = { .reserved = 1 };

	expect(ask(RSM_IOC_SEGMENTS, &segments), -EINVAL);
	expect(ask(RSM_IOC_COUNTERS, &agent), -EINVAL);
	expect(ask(RSM_IOC_COUNTERS, &later), -EINVAL);
}

static void an_export_shows_its_owner(void)
{
	rsm_memseg_export_handle_t export;
	struct rsm_segment_row row;
	rsm_memseg_id_t id;

	umask(027);
	require(setegid(USER), 0);
	require(seteuid(USER), 0);
	export = create(memory(3 * page), 3 * page);
	require(seteuid(0), 0);
	id = publish(export);
	row = row_require(id, RSM_ROW_EXPORT);
	expect(row.state, RSM_EXPORT_STATE_PUBLISHED);
	expect(row.pid, getpid());
	expect(row.uid, USER);
	expect(row.gid, USER);
	expect(row.mode, 0640);
	expect(row.length, (long long)(3 * page));
	expect(row.node, local_node);
	expect(strncmp(row.controller, loopback ? "loopback" : "sci0", sizeof(row.controller)), 0);
	require(rsm_memseg_export_unpublish(export), RSM_SUCCESS);
	expect(row_of(id, RSM_ROW_EXPORT).number, 0);
}

static void stay(void *argument)
{
	(void)argument;
	child_ready(0);
}

/* fork(), and a munmap in the middle, make two of one. */
static void mappings_are_counted_one_by_one(void)
{
	rsm_memseg_id_t id = publish(create(memory(3 * page), 3 * page));
	rsm_memseg_import_handle_t import = connect_to(id, RSM_PERM_RDWR);
	volatile uint8_t *mapping;
	struct child child;

	expect(row_require(id, RSM_ROW_IMPORT).mappings, 0);
	mapping = map(import, RSM_PERM_RDWR, 3 * page);
	expect(row_require(id, RSM_ROW_IMPORT).mappings, 1);
	expect(row_require(id, RSM_ROW_EXPORT).mappings, 1);
	child = child_start(stay, NULL);
	expect(row_require(id, RSM_ROW_IMPORT).mappings, 2);
	expect(child_finish(&child), 0);
	expect(row_require(id, RSM_ROW_IMPORT).mappings, 1);
	require(munmap((void *)(mapping + page), page), 0);
	expect(row_require(id, RSM_ROW_IMPORT).mappings, 2);
	require(rsm_memseg_import_unmap(import), RSM_SUCCESS);
	expect(row_require(id, RSM_ROW_IMPORT).mappings, 0);
}

static void imports_are_counted_at_the_export(void)
{
	rsm_memseg_id_t id = publish(create(memory(page), page));
	rsm_memseg_import_handle_t one = connect_to(id, RSM_PERM_READ);
	rsm_memseg_import_handle_t two = connect_to(id, RSM_PERM_READ);

	expect(row_require(id, RSM_ROW_EXPORT).imports, 2);
	expect(row_require(id, RSM_ROW_EXPORT).nodes, 0);
	expect(row_require(id, RSM_ROW_IMPORT).imports, 2);
	expect(row_require(id, RSM_ROW_IMPORT).mode, 0444);
	require(rsm_memseg_import_disconnect(one), RSM_SUCCESS);
	expect(row_require(id, RSM_ROW_EXPORT).imports, 1);
	require(rsm_memseg_import_disconnect(two), RSM_SUCCESS);
	expect(row_require(id, RSM_ROW_EXPORT).imports, 0);
}

static void events_are_counted(void)
{
	struct pair p = pair();
	struct rsm_segment_row row;

	expect(rsm_intr_signal_post(p.import, 0), RSM_SUCCESS);
	expect(rsm_intr_signal_post(p.import, 0), RSM_SUCCESS);
	expect(rsm_intr_signal_post(p.import, RSM_SIGPOST_NO_ACCUMULATE), RSM_SUCCESS);
	row = row_require(p.id, RSM_ROW_EXPORT);
	expect(row.received, 3);
	expect(row.dropped, 1);
	expect(row.pending, 2);
	expect(rsm_intr_signal_wait(p.export, 0), RSM_SUCCESS);
	row = row_require(p.id, RSM_ROW_EXPORT);
	expect(row.received, 3);
	expect(row.pending, 1);
}

static void what_is_in_use_comes_back(void)
{
	struct rsm_ioc_counters before = counters(), during, after;
	rsm_memseg_export_handle_t export = create(memory(4 * page), 4 * page);
	rsm_memseg_export_handle_t plain = create(memory(page), page);
	rsm_memseg_id_t generated = 0;

	require(rsm_memseg_export_publish(export, &generated, NULL, 0), RSM_SUCCESS);
	during = counters();
	expect(during.pinned_bytes - before.pinned_bytes, (long long)(5 * page));
	expect(during.segments - before.segments, 2);
	expect(during.ids - before.ids, 1);
	expect(during.generated_ids - before.generated_ids, 1);
	expect_true(during.max_pinned_bytes >= during.pinned_bytes);
	require(rsm_memseg_export_destroy(export), RSM_SUCCESS);
	require(rsm_memseg_export_destroy(plain), RSM_SUCCESS);
	after = counters();
	expect(after.pinned_bytes, (long long)before.pinned_bytes);
	expect(after.segments, before.segments);
	expect(after.ids, before.ids);
	expect(after.generated_ids, before.generated_ids);
}

static void lost_memory_makes_a_zombie(void)
{
	uint8_t *buffer = memory(page);
	rsm_memseg_export_handle_t export = create(buffer, page);
	struct rsm_ioc_counters before = counters();

	publish(export);
	require(munmap(buffer, page), 0);
	/* Unpublishing waits until the agent has noticed. */
	expect(rsm_memseg_export_unpublish(export), RSMERR_SEG_NOT_PUBLISHED);
	expect(row_require(0, RSM_ROW_EXPORT).state, RSM_EXPORT_STATE_ZOMBIE);
	expect(counters().pinned_bytes, (long long)(before.pinned_bytes - page));
}

static void an_import_that_was_cut_off_has_ended(void)
{
	struct pair p = pair();

	expect(row_require(p.id, RSM_ROW_IMPORT).state, RSM_IMPORT_STATE_CONNECTED);
	require(rsm_memseg_export_unpublish(p.export), RSM_SUCCESS);
	expect(row_require(p.id, RSM_ROW_IMPORT).state, RSM_IMPORT_STATE_ENDED);
}

static void a_fresh_descriptor_is_shown(void)
{
	int fd = open(RSM_DEVICE, O_RDWR | O_CLOEXEC);
	struct rsm_segment_row row;

	require(fd >= 0, true);
	row = row_require(0, RSM_ROW_NEW);
	expect(row.controller[0], 0);
	expect(row.pid, getpid());
	close(fd);
	expect(row_of(0, RSM_ROW_NEW).number, 0);
}

static void look_as_user(void *argument)
{
	const struct rsm_segment_row *wanted = argument;
	struct rsm_segment_row row;

	require(setgid(USER + 1), 0);
	require(setuid(USER + 1), 0);
	row = row_require(wanted->segment_id, RSM_ROW_EXPORT);
	expect(memcmp(&row, wanted, sizeof(row)), 0);
}

static void any_user_sees_all_segments(void)
{
	struct rsm_segment_row row;

	umask(077);
	row = row_require(publish(create(memory(page), page)), RSM_ROW_EXPORT);
	in_child(look_as_user, &row);
}

/* The child of a process that has unshared is the first one in the namespace. */
static void look_from_another_namespace(void *argument)
{
	const rsm_memseg_id_t *id = argument;
	int status, pid;

	require(unshare(CLONE_NEWPID), 0);
	pid = fork();
	require(pid >= 0, true);
	if (pid == 0)
		_exit(row_of(*id, RSM_ROW_EXPORT).number && !row_of(*id, RSM_ROW_EXPORT).pid ?
		      0 : 1);
	require(waitpid(pid, &status, 0), pid);
	expect(status, 0);
}

static void processes_of_another_namespace_have_no_id(void)
{
	rsm_memseg_id_t id = publish(create(memory(page), page));

	expect(row_require(id, RSM_ROW_EXPORT).pid, getpid());
	in_child(look_from_another_namespace, &id);
}

static const struct test tests[] = {
	TEST(rows_beyond_the_capacity_are_only_counted),
	TEST(without_capacity_no_buffer_is_needed),
	TEST(rows_that_cannot_be_written_are_a_fault),
	TEST(who_cannot_be_answered_holds_up_nobody),
	TEST(unknown_flags_and_members_are_refused),
	TEST(an_export_shows_its_owner),
	TEST(mappings_are_counted_one_by_one),
	TEST(imports_are_counted_at_the_export),
	TEST(events_are_counted),
	TEST(what_is_in_use_comes_back),
	TEST(lost_memory_makes_a_zombie),
	TEST(an_import_that_was_cut_off_has_ended),
	TEST(a_fresh_descriptor_is_shown),
	TEST(any_user_sees_all_segments),
	TEST(processes_of_another_namespace_have_no_id),
};

int main(int argc, char *argv[])
{
	return guest_main(argc, argv, TESTS(tests));
}
