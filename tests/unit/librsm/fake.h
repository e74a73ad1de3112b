/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kernel agent in the test's process: the linker gives the library these
 * functions instead of open, ioctl, mmap and so on (--wrap).  Descriptors of
 * /dev/rsm are memory files, so that what is mapped is memory of the test.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#ifndef TESTS_UNIT_LIBRSM_FAKE_H
#define TESTS_UNIT_LIBRSM_FAKE_H

#include <stdbool.h>
#include <stddef.h>

#include <glib.h>
#include <rsm/rsmapi.h>
#include <uapi/rsm.h>

#define FAKE_NODE		3	/* the own one */
#define FAKE_PATH_OFFSET	64	/* of the path state in its page */
#define FAKE_SEGMENT_BYTES	(6ull << 30)

/* Calls of the library that can be made to fail. */
enum fake_call {
	FAKE_OPEN, FAKE_IOCTL, FAKE_MMAP, FAKE_POLL, FAKE_FCNTL, FAKE_ALLOC, FAKE_ATFORK,
	FAKE_FOPEN, FAKE_CALLS
};

#define FAKE_MUNMAP	1	/* for the hook, which else gets requests of ioctls */

extern struct fake {
	/* What the agent answers; set by fake_reset(). */
	struct rsm_ioc_info info;
	struct rsm_ioc_controller controller;
	struct rsm_ioc_connect connect;
	struct rsm_topology_row rows[512];
	__u32 row_count;
	__u32 row_count_later;		/* != 0: there are more when asked again */
	unsigned int events;		/* pending, for all descriptors */
	bool over;			/* the end of all segments, which poll shows from now on */
	unsigned int stolen;		/* events that poll shows and somebody else takes */
	__u32 status[16];		/* by number of the ioctl */
	__u64 exports[64], published[64];	/* their identities, since the reset */

	/* Memory behind the mappings. */
	__u16 *generation;
	struct rsm_path_state *path;
	char *segment;			/* FAKE_SEGMENT_BYTES, sparse */

	/* What the library asked for last. */
	struct rsm_ioc_export export;
	struct rsm_ioc_publish publish;
	struct rsm_acl_entry acl[RSM_ACL_MAX];
	__u32 post_flags;
	unsigned int posts;
	char name[RSM_CONTROLLER_NAME];	/* of a controller */

	/* Failures: the next call of that kind, or the n-th of any (countdown). */
	int error[FAKE_CALLS];		/* errno, 0 = none; stays until cleared */
	unsigned int countdown;		/* 1: the next fallible call fails once; 0: none */
	bool fired;

	/* Called within ioctl(2) and munmap(2), by the thread that makes the call. */
	void (*hook)(unsigned long request);
	bool cancel;			/* poll(2): the calling thread is cancelled */

	const char *segmentid;		/* contents of the segment id file, NULL: none */
	unsigned int calls[FAKE_CALLS];	/* atomic */
	int descriptors, mappings;	/* that the library holds; atomic */
} fake;

void fake_reset(void);

/* Steps that must succeed. */
rsmapi_controller_handle_t fake_controller(void);
rsm_memseg_export_handle_t fake_export(rsmapi_controller_handle_t controller);
rsm_memseg_import_handle_t fake_import(rsmapi_controller_handle_t controller);

#endif /* TESTS_UNIT_LIBRSM_FAKE_H */
