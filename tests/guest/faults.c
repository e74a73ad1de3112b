// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every allocation of memory that the kernel does for a call fails once.  The
 * call then fails in a way that the guide knows, and works when it is made
 * again; or it does without.  Needs /proc/self/fail-nth, which the debug kernel
 * has, as test_faults.py prepares it.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "guest.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define BYTES	(3 * page)

/* ---- a life of a segment ---- */

static struct {
	uint8_t *memory, *other, *local;
	rsm_memseg_export_handle_t export;
	rsm_memseg_import_handle_t import;
	rsm_localmemory_handle_t local_handle;
	rsm_memseg_id_t id;
	volatile uint8_t *mapping;
	rsmapi_barrier_t barrier;
	struct pollfd pollfd;
} life;

static int step_create(void)
{
	return rsm_memseg_export_create(controller, &life.export, life.memory, BYTES,
					RSM_ALLOW_REBIND);
}

static int step_publish(void)
{
	rsmapi_access_entry_t list[] = { { local_node, 0660 } };

	return rsm_memseg_export_publish(life.export, &life.id, list, ARRAY(list));
}

static int step_republish(void)
{
	rsmapi_access_entry_t list[] = { { local_node, 0666 } };

	return rsm_memseg_export_republish(life.export, list, ARRAY(list));
}

static int step_connect(void)
{
	return rsm_memseg_import_connect(controller, local_node, life.id, RSM_PERM_RDWR,
					 &life.import);
}

static int step_map(void)
{
	void *address = NULL;
	int ret = rsm_memseg_import_map(life.import, &address, RSM_MAP_NONE, RSM_PERM_RDWR, 0,
					BYTES);

	if (!ret)
		life.mapping = address;
	return ret;
}

static int step_init_barrier(void)
{
	return rsm_memseg_import_init_barrier(life.import, RSM_BAR_DEFAULT, &life.barrier);
}

static int step_store(void)
{
	life.mapping[page] = 42;
	return life.mapping[page] == 42 ? RSM_SUCCESS : RSMERR_INTERNAL_ERROR;
}

static int step_put(void)
{
	return rsm_memseg_import_put(life.import, 8, life.local, BYTES - 8);
}

static int step_get(void)
{
	return rsm_memseg_import_get(life.import, 0, life.local, BYTES);
}

static int step_local_memory(void)
{
	return rsm_create_localmemory_handle(controller, &life.local_handle,
					     (caddr_t)life.local, BYTES);
}

static int step_putv(void)
{
	rsm_iovec_t pieces[] = {
		{ .io_type = RSM_HANDLE_TYPE, .local.handle = life.local_handle,
		  .transfer_length = page },
		{ .io_type = RSM_VA_TYPE, .local.vaddr = (caddr_t)life.local,
		  .local_offset = page, .remote_offset = page, .transfer_length = 2 * page },
	};
	rsm_scat_gath_t sg = {
		.local_nodeid = local_node, .io_request_count = ARRAY(pieces),
		.flags = RSM_IMPLICIT_SIGPOST, .remote_handle = life.import, .iovec = pieces,
	};

	return rsm_memseg_import_putv(&sg);
}

static int step_wait(void)
{
	return rsm_intr_signal_wait(life.export, 20000);
}

static int step_get_pollfd(void)
{
	return rsm_memseg_get_pollfd(life.export, &life.pollfd);
}

static int step_post(void)
{
	return rsm_intr_signal_post(life.import, 0);
}

static int step_wait_pollfd(void)
{
	int count;

	return rsm_intr_signal_wait_pollfd(&life.pollfd, 1, 20000, &count);
}

static int step_release_pollfd(void)
{
	return rsm_memseg_release_pollfd(life.export);
}

static int step_rebind(void)
{
	return rsm_memseg_export_rebind(life.export, life.other, 0, BYTES);
}

static int step_topology(void)
{
	rsm_topology_t *topology;
	int ret = rsm_get_interconnect_topology(&topology);

	if (!ret)
		rsm_free_interconnect_topology(topology);
	return ret;
}

static int step_free_local_memory(void)
{
	return rsm_free_localmemory_handle(controller, life.local_handle);
}

static int step_destroy_barrier(void)
{
	return rsm_memseg_import_destroy_barrier(&life.barrier);
}

static int step_unmap(void)
{
	return rsm_memseg_import_unmap(life.import);
}

static int step_disconnect(void)
{
	return rsm_memseg_import_disconnect(life.import);
}

static int step_unpublish(void)
{
	return rsm_memseg_export_unpublish(life.export);
}

static int step_destroy(void)
{
	return rsm_memseg_export_destroy(life.export);
}

/* In this order. */
#define STEPS(X) \
	X(create) X(publish) X(republish) X(connect) X(map) X(init_barrier) X(store) \
	X(put) X(get) X(local_memory) X(putv) X(wait) X(get_pollfd) X(post) X(wait_pollfd) \
	X(release_pollfd) X(rebind) X(topology) X(free_local_memory) X(destroy_barrier) \
	X(unmap) X(disconnect) X(unpublish) X(destroy)

#define STEP(name)	{ #name, step_##name },

static const struct step {
	const char *name;
	int (*run)(void);
} steps[] = { STEPS(STEP) };

/* ---- faults ---- */

static int fail_nth = -1;

static void set_nth(unsigned int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth);

	require(pwrite(fail_nth, text, (size_t)len, 0), len);
}

/* Whether it has come to the fault; no more of them. */
static bool fired(void)
{
	char text[16] = "";

	require(pread(fail_nth, text, sizeof(text) - 1, 0) > 0, true);
	set_nth(0);
	return atoi(text) == 0;
}

static bool is_lack_of_memory(int ret)
{
	return ret == RSMERR_INSUFFICIENT_MEM || ret == RSMERR_INSUFFICIENT_RESOURCES;
}

/* Live once, with a fault in a step; whether it was reached. */
static bool live(int (*faulty)(void), unsigned int nth)
{
	bool reached = false;
	size_t i;
	int ret;

	life.id = 0;
	for (i = 0; i < ARRAY(steps); i++) {
		if (steps[i].run == faulty) {
			set_nth(nth);
			ret = faulty();
			reached = fired();
			if (ret == RSM_SUCCESS)
				continue;
			if (!reached || !is_lack_of_memory(ret)) {
				printf("# fault %u of %s\n", nth, steps[i].name);
				require(ret, RSM_SUCCESS);
			}
		}
		ret = steps[i].run();
		if (ret)
			printf("# %s after fault %u\n", steps[i].name, nth);
		require(ret, RSM_SUCCESS);
	}
	return reached;
}

static void every_fault_of(int (*step)(void))
{
	unsigned int nth = 1;
	int before;

	life.memory = memory(BYTES);
	life.other = memory(BYTES);
	life.local = memory(BYTES);
	fail_nth = open("/proc/thread-self/fail-nth", O_RDWR);
	require(fail_nth < 0, false);
	/* Once without: what the library opens and keeps is there. */
	live(NULL, 0);
	before = descriptors();
	while (live(step, nth))
		nth++;
	expect(descriptors(), before);
	expect(pinned_kib(), 0);
	printf("faults: %u\n", nth - 1);
}

#define FAULTS_OF(name)	static void faults_of_##name(void) { every_fault_of(step_##name); }
#define TEST_OF(name)	TEST(faults_of_##name),

STEPS(FAULTS_OF)

static const struct test tests[] = { STEPS(TEST_OF) };

int main(int argc, char *argv[])
{
	return guest_main(argc, argv, TESTS(tests));
}
