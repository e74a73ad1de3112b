// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What becomes of the errno of each system call, and of an agent whose answers
 * do not make sense: a code of the RSMAPI, whatever it was.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>

#include "fake.h"

struct translation {
	int error;
	int rsmerr;
};

static const struct translation open_errors[] = {
	{ ENOENT, RSMERR_CTLR_NOT_PRESENT }, { ENODEV, RSMERR_CTLR_NOT_PRESENT },
	{ ENXIO, RSMERR_CTLR_NOT_PRESENT }, { EACCES, RSMERR_PERM_DENIED },
	{ EPERM, RSMERR_PERM_DENIED }, { EMFILE, RSMERR_INSUFFICIENT_RESOURCES },
	{ EAGAIN, RSMERR_INSUFFICIENT_RESOURCES }, { ENOMEM, RSMERR_INSUFFICIENT_RESOURCES },
	{ EBADF, RSMERR_INSUFFICIENT_RESOURCES },
};

static void error_of_open(gconstpointer data)
{
	static char page[4096] __attribute__((aligned(4096)));
	const struct translation *t = data;
	rsmapi_controller_handle_t controller, other;
	rsm_memseg_export_handle_t export;
	rsm_memseg_import_handle_t import;
	rsm_topology_t *topology;

	fake_reset();
	controller = fake_controller();
	fake.error[FAKE_OPEN] = t->error;
	g_assert_cmpint(rsm_get_controller((char *)"sci1", &other), ==, t->rsmerr);
	g_assert_cmpint(rsm_get_interconnect_topology(&topology), ==, t->rsmerr);
	g_assert_null(topology);
	g_assert_cmpint(rsm_memseg_export_create(controller, &export, page, 4096, 0), ==,
			t->rsmerr);
	g_assert_null(export);
	g_assert_cmpint(rsm_memseg_import_connect(controller, 1, 1, 0, &import), ==, t->rsmerr);
	g_assert_null(import);
	g_assert_cmpint(fake.descriptors, ==, 0);
	g_assert_cmpint(rsm_release_controller(controller), ==, RSM_SUCCESS);
}

static const struct translation ioctl_errors[] = {
	{ EFAULT, RSMERR_BAD_ADDR }, { EINTR, RSMERR_INTERRUPTED },
	{ ENOMEM, RSMERR_INSUFFICIENT_MEM }, { EAGAIN, RSMERR_INSUFFICIENT_RESOURCES },
	{ EBADF, RSMERR_BAD_SEG_HNDL }, { ENOTTY, RSMERR_BAD_SEG_HNDL },
	{ EINVAL, RSMERR_INTERNAL_ERROR }, { EIO, RSMERR_INTERNAL_ERROR },
};

static void error_of_ioctl(gconstpointer data)
{
	const struct translation *t = data;
	rsmapi_controller_handle_t controller, other;
	rsm_memseg_export_handle_t export;
	rsm_memseg_import_handle_t import;
	rsm_memseg_id_t id = 0;

	fake_reset();
	controller = fake_controller();
	export = fake_export(controller);
	fake.error[FAKE_IOCTL] = t->error;
	g_assert_cmpint(rsm_get_controller((char *)"sci1", &other), ==, t->rsmerr);
	g_assert_cmpint(rsm_memseg_import_connect(controller, 1, 1, 0, &import), ==, t->rsmerr);
	g_assert_cmpint(rsm_memseg_export_publish(export, &id, NULL, 0), ==, t->rsmerr);
	g_assert_cmpint(rsm_intr_signal_post(export, 0), ==, t->rsmerr);
	fake.error[FAKE_IOCTL] = 0;
	g_assert_cmpint(rsm_memseg_export_destroy(export), ==, RSM_SUCCESS);
	g_assert_cmpint(fake.descriptors, ==, 0);
	g_assert_cmpint(rsm_release_controller(controller), ==, RSM_SUCCESS);
}

static void verdicts_of_the_agent_are_passed_through(void)
{
	rsmapi_controller_handle_t controller;
	rsm_memseg_export_handle_t export;
	rsm_memseg_id_t id = 0;

	fake_reset();
	controller = fake_controller();
	export = fake_export(controller);
	fake.status[_IOC_NR(RSM_IOC_PUBLISH)] = RSMERR_SEGID_IN_USE;
	g_assert_cmpint(rsm_memseg_export_publish(export, &id, NULL, 0), ==, RSMERR_SEGID_IN_USE);
	g_assert_cmpuint(id, ==, 0);
	g_assert_cmpint(rsm_memseg_export_destroy(export), ==, RSM_SUCCESS);
	g_assert_cmpint(fake.descriptors, ==, 0);
	g_assert_cmpint(rsm_release_controller(controller), ==, RSM_SUCCESS);
}

static const struct translation mmap_errors[] = {
	{ ENOMEM, RSMERR_INSUFFICIENT_MEM }, { ENXIO, RSMERR_BAD_LENGTH },
	{ EOVERFLOW, RSMERR_BAD_LENGTH }, { ENODEV, RSMERR_CONN_ABORTED },
	{ EAGAIN, RSMERR_INSUFFICIENT_RESOURCES }, { EACCES, RSMERR_BAD_PERMS },
	{ EINVAL, RSMERR_MAP_FAILED }, { EOPNOTSUPP, RSMERR_MAP_FAILED },
	{ EBADF, RSMERR_BAD_SEG_HNDL },
};

static void error_of_mmap(gconstpointer data)
{
	const struct translation *t = data;
	rsmapi_controller_handle_t controller;
	rsm_memseg_import_handle_t import;
	rsm_iovec_t entry = { .io_type = RSM_VA_TYPE, .transfer_length = 1 };
	rsm_scat_gath_t sg = { .io_request_count = 1, .iovec = &entry };
	void *address = NULL;
	char byte = 0;

	fake_reset();
	controller = fake_controller();
	import = fake_import(controller);
	sg.remote_handle = import;
	entry.local.vaddr = &byte;
	fake.error[FAKE_MMAP] = t->error;
	g_assert_cmpint(rsm_memseg_import_map(import, &address, RSM_MAP_NONE, RSM_PERM_READ, 0,
					      4096), ==, t->rsmerr);
	g_assert_null(address);
	g_assert_cmpint(rsm_memseg_import_get(import, 0, &byte, 1), ==, t->rsmerr);
	g_assert_cmpint(rsm_memseg_import_putv(&sg), ==, t->rsmerr);
	g_assert_cmpuint(sg.io_residual_count, ==, 1);
	g_assert_cmpint(rsm_memseg_import_disconnect(import), ==, RSM_SUCCESS);
	g_assert_cmpint(rsm_release_controller(controller), ==, RSM_SUCCESS);
}

/* The page with the path state, which the program knows nothing of. */
static const struct translation status_errors[] = {
	{ ENOMEM, RSMERR_INSUFFICIENT_MEM }, { EAGAIN, RSMERR_INSUFFICIENT_RESOURCES },
	{ ENODEV, RSMERR_CONN_ABORTED }, { ENXIO, RSMERR_INTERNAL_ERROR },
	{ EACCES, RSMERR_INTERNAL_ERROR }, { EINVAL, RSMERR_INTERNAL_ERROR },
};

static void error_of_status(gconstpointer data)
{
	const struct translation *t = data;
	rsmapi_controller_handle_t controller;
	rsm_memseg_import_handle_t import;

	fake_reset();
	controller = fake_controller();
	fake.error[FAKE_MMAP] = t->error;
	g_assert_cmpint(rsm_memseg_import_connect(controller, 1, 1, 0, &import), ==, t->rsmerr);
	g_assert_null(import);
	g_assert_cmpint(fake.descriptors, ==, 0);
	g_assert_cmpint(rsm_release_controller(controller), ==, RSM_SUCCESS);
}

static const struct translation poll_errors[] = {
	{ EAGAIN, RSMERR_INSUFFICIENT_RESOURCES }, { EFAULT, RSMERR_BAD_ADDR },
	{ EINTR, RSMERR_INTERRUPTED }, { EINVAL, RSMERR_BAD_ARGS_ERRORS },
	{ ENOMEM, RSMERR_BAD_ARGS_ERRORS },
};

static void error_of_poll(gconstpointer data)
{
	const struct translation *t = data;
	rsmapi_controller_handle_t controller;
	rsm_memseg_export_handle_t export;
	struct pollfd fd = { .fd = -1 };
	int n = 7;

	fake_reset();
	controller = fake_controller();
	export = fake_export(controller);
	fake.error[FAKE_POLL] = t->error;
	g_assert_cmpint(rsm_intr_signal_wait(export, 0), ==, t->rsmerr);
	g_assert_cmpint(rsm_intr_signal_wait_pollfd(&fd, 1, 0, &n), ==, t->rsmerr);
	g_assert_cmpint(n, ==, 0);
	g_assert_cmpint(rsm_memseg_export_destroy(export), ==, RSM_SUCCESS);
	g_assert_cmpint(rsm_release_controller(controller), ==, RSM_SUCCESS);
}

static void other_versions_are_refused(void)
{
	rsmapi_controller_handle_t controller;

	fake_reset();
	fake.info.version = RSM_UAPI_VERSION + 1;
	g_assert_cmpint(rsm_get_controller((char *)"sci0", &controller), ==,
			RSMERR_BAD_LIBRARY_VERSION);
	fake.info.version = 0;
	g_assert_cmpint(rsm_get_controller(NULL, &controller), ==, RSMERR_BAD_LIBRARY_VERSION);
	g_assert_cmpint(fake.descriptors, ==, 0);
}

/* Nothing outside what is mapped is read, whatever the agent says. */
static void impossible_connections_are_refused(void)
{
	static const __u32 offsets[] = { 1, 2, 4096, 4096 - 24, 0xfffffffc };
	rsmapi_controller_handle_t controller;
	rsm_memseg_import_handle_t import;
	size_t i;

	fake_reset();
	controller = fake_controller();
	fake.connect.segment = 4096 / sizeof(__u16);
	g_assert_cmpint(rsm_memseg_import_connect(controller, 1, 1, 0, &import), ==,
			RSMERR_INTERNAL_ERROR);
	fake.connect.segment = 0xffffffff;
	g_assert_cmpint(rsm_memseg_import_connect(controller, 1, 1, 0, &import), ==,
			RSMERR_INTERNAL_ERROR);
	fake.connect.segment = 5;
	for (i = 0; i < G_N_ELEMENTS(offsets); i++) {
		fake.connect.path_offset = offsets[i];
		g_assert_cmpint(rsm_memseg_import_connect(controller, 1, 1, 0, &import), ==,
				RSMERR_INTERNAL_ERROR);
	}
	fake.connect.path_offset = FAKE_PATH_OFFSET;
	/* It ended before anything was watched. */
	fake.status[_IOC_NR(RSM_IOC_CHECK)] = RSMERR_CONN_ABORTED;
	g_assert_cmpint(rsm_memseg_import_connect(controller, 1, 1, 0, &import), ==,
			RSMERR_CONN_ABORTED);
	g_assert_null(import);
	g_assert_cmpint(fake.descriptors, ==, 0);
	g_assert_cmpint(rsm_release_controller(controller), ==, RSM_SUCCESS);
}

static void topologies_grow_and_must_make_sense(void)
{
	rsm_topology_t *topology;
	int i;

	fake_reset();
	for (i = 0; i < 512; i++) {
		memset(fake.rows[i].controller, 'x', RSM_CONTROLLER_NAME);
		memset(fake.rows[i].remote_controller, 'y', RSM_CONTROLLER_NAME);
		fake.rows[i].remote_node = i % 4;
	}
	fake.row_count = 3;
	fake.row_count_later = 512;
	g_assert_cmpint(rsm_get_interconnect_topology(&topology), ==, RSM_SUCCESS);
	g_assert_cmpuint(topology->topology_hdr.local_cntlr_count, ==, 1);
	rsm_free_interconnect_topology(topology);
	g_assert_cmpint(rsm_get_interconnect_topology(&topology), ==, RSM_SUCCESS);
	g_assert_cmpuint(topology->topology_hdr.local_cntlr_count, ==, 128);
	g_assert_cmpint(topology->connections[127]->hdr.remote_cntlr_count, ==, 3);
	g_assert_cmpuint(strlen(topology->connections[127]->hdr.cntlr_name), ==,
			 RSM_CONTROLLER_NAME - 1);
	g_assert_cmpuint(topology->connections[127]->remote_cntlr[2].remote_nodeid, ==, 3);
	rsm_free_interconnect_topology(topology);

	fake.rows[0].remote_node = 1;
	g_assert_cmpint(rsm_get_interconnect_topology(&topology), ==, RSMERR_INTERNAL_ERROR);
	g_assert_null(topology);
	fake.row_count = 1 << 30;
	g_assert_cmpint(rsm_get_interconnect_topology(&topology), ==, RSMERR_INTERNAL_ERROR);
	fake.row_count = fake.row_count_later = 0;
	g_assert_cmpint(rsm_get_interconnect_topology(&topology), ==, RSM_SUCCESS);
	g_assert_cmpuint(topology->topology_hdr.local_cntlr_count, ==, 0);
	g_assert_cmpuint(topology->topology_hdr.local_nodeid, ==, FAKE_NODE);
	rsm_free_interconnect_topology(topology);
}

/* Each error is a test. */
static void add_errors(const char *call, const struct translation *table, size_t count,
		       GTestDataFunc test)
{
	size_t i;

	for (i = 0; i < count; i++) {
		char *path = g_strdup_printf("/errors/%s/%s", call,
					     strerrorname_np(table[i].error));

		g_test_add_data_func(path, &table[i], test);
		g_free(path);
	}
}

#define ADD_ERRORS(call) \
	add_errors(#call, call##_errors, G_N_ELEMENTS(call##_errors), error_of_##call)

int main(int argc, char *argv[])
{
	g_test_init(&argc, &argv, NULL);
	/* The first: a version that is refused must not have been used. */
	g_test_add_func("/errors/other_versions_are_refused", other_versions_are_refused);
	ADD_ERRORS(open);
	ADD_ERRORS(ioctl);
	ADD_ERRORS(mmap);
	ADD_ERRORS(status);
	ADD_ERRORS(poll);
	g_test_add_func("/errors/verdicts_of_the_agent_are_passed_through",
			verdicts_of_the_agent_are_passed_through);
	g_test_add_func("/errors/impossible_connections_are_refused",
			impossible_connections_are_refused);
	g_test_add_func("/errors/topologies_grow_and_must_make_sense",
			topologies_grow_and_must_make_sense);
	return g_test_run();
}
