/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of librsm share: the two segment handles, the way to the
 * kernel agent, and the translation of errors.  Not installed.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * Between the files a result is 0, a positive RSMERR_* (the agent's verdict),
 * or -errno; the rsmerr_of_*() functions make the RSMERR_* that the public
 * functions return.
 */
#ifndef LIBRSM_LIBRARY_H
#define LIBRSM_LIBRARY_H

#include <pthread.h>
#include <stdbool.h>

#include <rsm/rsmapi.h>
#include <uapi/rsm.h>

_Static_assert(sizeof(size_t) == sizeof(__u64), "sizes are passed to the agent unclamped");

enum rsm_segment_kind {
	RSM_SEGMENT_EXPORT = 1,
	RSM_SEGMENT_IMPORT,
};

/* The head of both handles: the signal calls are given either. */
struct rsm_segment {
	enum rsm_segment_kind kind;
	int fd;
	pthread_mutex_t lock;	/* guards what follows the head in the handle */
};

struct __rsm_memseg_export_handle {
	struct rsm_segment segment;
	bool published;
};

/* The private part of an rsmapi_barrier_t. */
struct rsm_barrier_span {
	struct rsm_barrier_span *next;
	bool open;
	__u32 changes;		/* of the path state, at open */
	__u32 errors;
};

struct __rsm_memseg_import_handle {
	struct rsm_segment segment;
	size_t length;
	void *mapping;		/* NULL while not mapped */
	size_t mapping_length;
	struct rsm_barrier_span *spans;

	/* Set by connect; barriers read them without the lock. */
	const __u16 *generation_word;
	__u16 generation;	/* the word's value while the connection stands */
	void *status_page;
	const struct rsm_path_state *path;	/* NULL: the exporter is on this machine */

	/*
	 * Values of the path state with which the agent said that the
	 * connection stands.  Atomic: any barrier that has asked moves them.
	 */
	__u32 good_changes;
	__u32 good_revokes;
};

/* What a segment call needs to know of its controller. */
struct rsm_controller {
	char name[RSM_CONTROLLER_NAME];
	bool loopback;
	size_t max_export_segment_size;
};

/* controller.c: false if @handle is not open. */
bool rsm_controller_find(rsmapi_controller_handle_t handle, struct rsm_controller *out);

/* device.c */
size_t rsm_page_size(void);
int rsm_device_open_control(void);
int rsm_device_open_segment(void);
int rsm_device_call(int fd, unsigned long request, void *argument);
int rsm_device_attach(int control);
const __u16 *rsm_device_generation(__u32 segment);

/* import.c: status 0 or RSMERR_CONN_ABORTED. */
int rsm_import_check(rsm_memseg_import_handle_t import);
void rsm_import_path_read(rsm_memseg_import_handle_t import, struct rsm_path_state *now);

/* error.c */
int rsmerr_of_open(int ret);
int rsmerr_of_call(int ret);
int rsmerr_of_mmap(int ret);
int rsmerr_of_poll(int ret);

#endif /* LIBRSM_LIBRARY_H */
