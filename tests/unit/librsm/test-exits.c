// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Each call that acquires something is repeated with its first, second, ...
 * step failing until none is left to fail: every failure is reported and leaves
 * nothing behind.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <errno.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake.h"

#define STEPS_MAX	40

static char page[2 * 4096] __attribute__((aligned(4096)));

/* What a walk works on. */
struct subject {
	rsmapi_controller_handle_t controller;
	rsm_memseg_export_handle_t export;
	rsm_memseg_import_handle_t import;
};

/* Number of steps of @call that can fail; @undo takes back the one that succeeded. */
static unsigned int walk(struct subject *subject, int (*call)(struct subject *),
			 void (*undo)(struct subject *))
{
	int descriptors = fake.descriptors, mappings = fake.mappings, ret;
	unsigned int step;

	for (step = 1; step < STEPS_MAX; step++) {
		fake.countdown = step;
		fake.fired = false;
		ret = call(subject);
		fake.countdown = 0;
		if (!fake.fired)
			break;
		/* Some failures can be lived with. */
		if (ret == RSM_SUCCESS)
			undo(subject);
		else
			g_assert_true(ret == RSMERR_INSUFFICIENT_MEM || ret == RSMERR_INTERRUPTED ||
				      ret == RSMERR_INSUFFICIENT_RESOURCES);
		g_assert_cmpint(fake.descriptors, ==, descriptors);
		g_assert_cmpint(fake.mappings, ==, mappings);
	}
	g_assert_cmpuint(step, <, STEPS_MAX);
	g_assert_cmpint(ret, ==, RSM_SUCCESS);
	undo(subject);
	g_assert_cmpint(fake.descriptors, ==, descriptors);
	return step - 1;
}

static struct subject subject(void)
{
	struct subject subject;

	fake_reset();
	subject.controller = fake_controller();
	subject.export = fake_export(subject.controller);
	subject.import = fake_import(subject.controller);
	return subject;
}

static void end(struct subject *subject)
{
	g_assert_cmpint(rsm_memseg_import_disconnect(subject->import), ==, RSM_SUCCESS);
	g_assert_cmpint(rsm_memseg_export_destroy(subject->export), ==, RSM_SUCCESS);
	g_assert_cmpint(rsm_release_controller(subject->controller), ==, RSM_SUCCESS);
	g_assert_cmpint(fake.descriptors, ==, 0);
}

static int get_controller(struct subject *subject)
{
	return rsm_get_controller((char *)"sci0", &subject->controller);
}

static void release_controller(struct subject *subject)
{
	g_assert_cmpint(rsm_release_controller(subject->controller), ==, RSM_SUCCESS);
}

/* Runs first: the generation area is mapped by the first success. */
static void exits_of_get_controller(void)
{
	struct subject s = { 0 };

	fake_reset();
	/* Memory, open, INFO, mmap, CONTROLLER; atfork until it has succeeded once. */
	g_assert_cmpuint(walk(&s, get_controller, release_controller), ==, 5);
	g_assert_cmpuint(fake.calls[FAKE_ATFORK], ==, 2);
	g_assert_cmpuint(walk(&s, get_controller, release_controller), ==, 4);
	g_assert_cmpuint(fake.calls[FAKE_ATFORK], ==, 2);
}

static rsm_memseg_export_handle_t export;

static int create(struct subject *subject)
{
	int ret = rsm_memseg_export_create(subject->controller, &export, page, sizeof(page), 0);

	g_assert_true(!ret == !!export);
	return ret;
}

static void destroy(struct subject *subject)
{
	(void)subject;
	g_assert_cmpint(rsm_memseg_export_destroy(export), ==, RSM_SUCCESS);
}

static void exits_of_export_create(void)
{
	struct subject s = subject();

	/* Memory, open, a descriptor above 255, EXPORT. */
	g_assert_cmpuint(walk(&s, create, destroy), ==, 4);
	end(&s);
}

static rsm_memseg_import_handle_t import;

static int connect(struct subject *subject)
{
	int ret = rsm_memseg_import_connect(subject->controller, 1, RSM_HPC_ID_BASE,
					    RSM_PERM_RDWR, &import);

	g_assert_true(!ret == !!import);
	return ret;
}

static void disconnect(struct subject *subject)
{
	(void)subject;
	g_assert_cmpint(rsm_memseg_import_disconnect(import), ==, RSM_SUCCESS);
}

static void exits_of_import_connect(void)
{
	struct subject s = subject();

	/* Memory, open, a descriptor above 255, CONNECT, path state, CHECK. */
	g_assert_cmpuint(walk(&s, connect, disconnect), ==, 6);
	fake.connect.attributes = 0;
	g_assert_cmpuint(walk(&s, connect, disconnect), ==, 4);
	end(&s);
}

static rsm_topology_t *topology;

static int get_topology(struct subject *subject)
{
	int ret;

	(void)subject;
	fake.row_count = 65;
	ret = rsm_get_interconnect_topology(&topology);
	g_assert_true(!ret == !!topology);
	return ret;
}

static void free_topology(struct subject *subject)
{
	(void)subject;
	rsm_free_interconnect_topology(topology);
}

static void exits_of_topology(void)
{
	struct subject s = subject();

	fake.row_count_later = 100;
	/* Open; memory and TOPOLOGY, three times as it grows; memory of the result. */
	g_assert_cmpuint(walk(&s, get_topology, free_topology), ==, 8);
	end(&s);
}

static rsm_localmemory_handle_t handle;

static int create_handle(struct subject *subject)
{
	int ret = rsm_create_localmemory_handle(subject->controller, &handle, page, 5000);

	g_assert_true(!ret == !!handle);
	return ret;
}

static void free_handle(struct subject *subject)
{
	g_assert_cmpint(rsm_free_localmemory_handle(subject->controller, handle), ==, RSM_SUCCESS);
}

static void exits_of_localmemory(void)
{
	struct subject s = subject();

	/* Memory, the export's four, open, INFO, CHECK, PUBLISH. */
	g_assert_cmpuint(walk(&s, create_handle, free_handle), ==, 9);
	g_assert_cmpuint(fake.export.length, ==, 8192);
	g_assert_cmpuint(fake.publish.segment_id, ==, 0);
	g_assert_cmpuint(fake.publish.acl_len, ==, 1);
	g_assert_cmpuint(fake.acl[0].node, ==, FAKE_NODE);
	end(&s);
}

static rsmapi_barrier_t barrier;

static int init_barrier(struct subject *subject)
{
	return rsm_memseg_import_init_barrier(subject->import, RSM_BAR_DEFAULT, &barrier);
}

static void destroy_barrier(struct subject *subject)
{
	(void)subject;
	g_assert_cmpint(rsm_memseg_import_destroy_barrier(&barrier), ==, RSM_SUCCESS);
}

static void exits_of_barrier(void)
{
	struct subject s = subject();

	g_assert_cmpuint(walk(&s, init_barrier, destroy_barrier), ==, 1);
	/* One that was not destroyed goes with its import. */
	g_assert_cmpint(init_barrier(&s), ==, RSM_SUCCESS);
	end(&s);
}

static int first_get(struct subject *subject)
{
	char byte;

	g_assert_cmpint(rsm_memseg_import_set_mode(subject->import, RSM_BARRIER_MODE_EXPLICIT), ==,
			RSM_SUCCESS);
	return rsm_memseg_import_get(subject->import, 0, &byte, 1);
}

static void unmap(struct subject *subject)
{
	g_assert_cmpint(rsm_memseg_import_unmap(subject->import), ==, RSM_SUCCESS);
}

static void exits_of_first_transfer(void)
{
	struct subject s = subject();
	int mappings = fake.mappings;

	/* IDENTIFY, mmap. */
	g_assert_cmpuint(walk(&s, first_get, unmap), ==, 2);
	g_assert_cmpint(first_get(&s), ==, RSM_SUCCESS);
	g_assert_cmpint(fake.mappings, ==, mappings + 1);
	end(&s);
	/* The implicit one, and that of the path state. */
	g_assert_cmpint(fake.mappings, ==, mappings - 1);
}

static void exits_of_segmentid(void)
{
	rsm_memseg_id_t base;
	uint32_t length;

	fake_reset();
	g_assert_cmpint(rsm_get_segmentid_range("a", &base, &length), ==, RSMERR_BAD_CONF);
	fake.segmentid = "reserved a 600000 10\n";
	g_assert_cmpint(rsm_get_segmentid_range("a", &base, &length), ==, RSM_SUCCESS);
	g_assert_cmpuint(base, ==, 0x600000);
	fake.error[FAKE_FOPEN] = ENOMEM;
	g_assert_cmpint(rsm_get_segmentid_range("a", &base, &length), ==,
			RSMERR_INSUFFICIENT_MEM);
	fake.error[FAKE_FOPEN] = EACCES;
	g_assert_cmpint(rsm_get_segmentid_range("a", &base, &length), ==, RSMERR_BAD_CONF);
}

static gint hammered;	/* enough */

static int fd_of(rsm_memseg_import_handle_t handle)
{
	struct pollfd fd;

	g_assert_cmpint(rsm_memseg_get_pollfd(handle, &fd), ==, RSM_SUCCESS);
	g_assert_cmpint(rsm_memseg_release_pollfd(handle), ==, RSM_SUCCESS);
	return fd.fd;
}

static void descriptors_begin_at_256(void)
{
	struct rlimit was, low;
	struct subject s;

	g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &was), ==, 0);
	g_assert_cmpuint(was.rlim_cur, >, 300);
	s = subject();
	g_assert_cmpint(fd_of(s.import), >=, 256);
	end(&s);
	low = was;
	low.rlim_cur = 256;
	g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &low), ==, 0);
	s = subject();
	g_assert_cmpint(fd_of(s.import), <, 256);
	end(&s);
	g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &was), ==, 0);
}

static void children_of_fork_have_no_handles(void)
{
	struct subject s = subject();
	rsm_iovec_t entry = { .io_type = RSM_HANDLE_TYPE, .transfer_length = 5000 };
	rsm_scat_gath_t sg = { .io_request_count = 1, .iovec = &entry, .remote_handle = s.import };
	int status;
	pid_t pid;

	g_assert_cmpint(create_handle(&s), ==, RSM_SUCCESS);
	entry.local.handle = handle;
	g_assert_cmpint(rsm_memseg_import_putv(&sg), ==, RSM_SUCCESS);
	pid = fork();
	g_assert_cmpint(pid, >=, 0);
	if (pid == 0)
		_exit(rsm_memseg_import_putv(&sg));
	g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
	g_assert_true(WIFEXITED(status));
	g_assert_cmpint(WEXITSTATUS(status), ==, RSMERR_BAD_SGIO);
	g_assert_cmpint(rsm_memseg_import_putv(&sg), ==, RSM_SUCCESS);
	free_handle(&s);
	end(&s);
}

static void *hammer(void *data)
{
	rsmapi_controller_handle_t other;

	while (!g_atomic_int_get(&hammered)) {
		g_assert_cmpint(rsm_get_controller((char *)"sci1", &other), ==, RSM_SUCCESS);
		fd_of(data);
		g_assert_cmpint(rsm_release_controller(other), ==, RSM_SUCCESS);
	}
	return NULL;
}

/* What another thread of the parent holds is free in the child. */
static void children_of_fork_find_no_lock_taken(void)
{
	struct subject s = subject();
	rsm_memseg_import_handle_t another = fake_import(s.controller);
	GThread *thread = g_thread_new("hammer", hammer, another);
	int status;
	pid_t pid;

	for (unsigned int i = 0; i < 500; i++) {
		pid = fork();
		g_assert_cmpint(pid, >=, 0);
		if (pid == 0) {
			rsmapi_controller_handle_t same;

			alarm(60);
			_exit(rsm_get_controller((char *)"sci0", &same) || fd_of(s.import) < 0);
		}
		g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
		g_assert_cmphex(status, ==, 0);
	}
	g_atomic_int_set(&hammered, 1);
	g_thread_join(thread);
	g_assert_cmpint(rsm_memseg_import_disconnect(another), ==, RSM_SUCCESS);
	end(&s);
}

int main(int argc, char *argv[])
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/exits/get_controller", exits_of_get_controller);
	g_test_add_func("/exits/export_create", exits_of_export_create);
	g_test_add_func("/exits/import_connect", exits_of_import_connect);
	g_test_add_func("/exits/topology", exits_of_topology);
	g_test_add_func("/exits/localmemory", exits_of_localmemory);
	g_test_add_func("/exits/barrier", exits_of_barrier);
	g_test_add_func("/exits/first_transfer", exits_of_first_transfer);
	g_test_add_func("/exits/segmentid", exits_of_segmentid);
	g_test_add_func("/exits/descriptors_begin_at_256", descriptors_begin_at_256);
	g_test_add_func("/exits/children_of_fork_have_no_handles",
			children_of_fork_have_no_handles);
	g_test_add_func("/exits/children_of_fork_find_no_lock_taken",
			children_of_fork_find_no_lock_taken);
	return g_test_run();
}
