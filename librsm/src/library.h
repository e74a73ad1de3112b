/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of librsm share: the two segment handles, mappings and spans,
 * the way to the kernel agent, and the translation of errors.  Not installed.
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
#include <semaphore.h>
#include <stdbool.h>

#include <rsm/rsmapi.h>
#include <uapi/rsm.h>

/* Of segments: a program of 32 bits may import what it can map in pieces only. */
_Static_assert(sizeof(off_t) == sizeof(__u64), "offsets reach as far as the agent's");

enum rsm_segment_kind {
	RSM_SEGMENT_EXPORT = 1,
	RSM_SEGMENT_IMPORT,
};

/* The head of both handles: the event calls are given either. */
struct rsm_segment {
	enum rsm_segment_kind kind;
	int fd;
	__u64 identity;		/* of what the agent has behind `fd`, see rsm_segment_identify() */
	pthread_mutex_t lock;	/* of an export: guards `ends`; of an import: mapping.c */

	/* fork.c: under RSM_LOCK_SEGMENTS. */
	struct rsm_segment *next, **link;

	/* pollfd.c: under the lock of its table. */
	unsigned long pollfds;	/* rsm_memseg_get_pollfd() calls not yet released */
	struct rsm_segment *next_polled;
};

struct __rsm_memseg_export_handle {
	struct rsm_segment segment;
	bool dontwait;		/* constant */
	sem_t turn;		/* held by who changes what is published, also while that waits */
	unsigned int ends;	/* moves with each unpublish, odd while one is at it */
};

struct rsm_barrier_span {
	bool open;
	__u32 changes;		/* of the path state, at open */
	__u32 errors;
};

/*
 * Of an import; one at a time.  Made and taken away under the lock of the segment;
 * transfers read it without, see reader.h.
 */
struct rsm_mapping {
	char *address;		/* NULL while not mapped; read without if `rights` are not 0 */
	__u64 offset;		/* in the segment */
	size_t length;
	rsm_permission_t rights;	/* atomic; of transfers, 0 while not mapped */
	bool implicit;		/* made by a transfer, ends with the connection */
	bool changing;		/* a thread is making it or taking it away */
};

struct __rsm_memseg_import_handle {
	struct rsm_segment segment;
	struct rsm_mapping mapping;
	struct rsm_barrier *barriers;	/* barrier.c; atomic to those who only ask whether */
	rsm_barrier_mode_t mode;	/* atomic */

	/* Set by connect, then read without a lock. */
	__u64 length;
	rsm_permission_t permission;	/* asked for and granted */
	bool swap;			/* the exporter's byte order is not ours */
	const __u16 *generation_word;
	__u16 generation;	/* the word's value while the connection stands */
	void *status_page;
	const struct rsm_path_state *path;	/* one that never changes, if there is no path */
	bool posts;			/* the events of the exporter can be mapped */

	/* NULL: not asked for yet, or not there.  Atomic, set once; see signal.c. */
	struct rsm_event_words *events;

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

/*
 * fork.c: the locks of the process, in the order in which a thread may take several;
 * that of a segment comes before them.  None is held while the agent may wait.
 */
enum rsm_lock {
	RSM_LOCK_CONTROLLERS,
	RSM_LOCK_GENERATION,
	RSM_LOCK_LOCALMEMORY,
	RSM_LOCK_SEGMENTS,
	RSM_LOCK_BARRIERS,
	RSM_LOCK_POLLFDS,
	RSM_LOCK_READERS,
	RSM_LOCKS
};

extern pthread_mutex_t rsm_locks[RSM_LOCKS];
/* Forks since the process that loaded the library; under any of the locks. */
extern unsigned int rsm_forks;
/* From the first success on a child finds the locks free; false: out of memory. */
bool rsm_watch_forks(void);
/* All segments of the process, whose locks are free in a child as well. */
void rsm_segment_add(struct rsm_segment *segment);
void rsm_segment_remove(struct rsm_segment *segment);

/* controller.c: false if @handle is not open. */
bool rsm_controller_find(rsmapi_controller_handle_t handle, struct rsm_controller *out);

/* device.c */
size_t rsm_page_size(void);
int rsm_device_open_control(void);
int rsm_device_open_segment(void);
void rsm_device_close(int fd);
int rsm_device_call(int fd, unsigned long request, void *argument);
int rsm_device_attach(int control);
int rsm_device_local_node(rsm_node_id_t *node);
const __u16 *rsm_device_generation(__u32 segment);

/*
 * A program may close descriptors that are not its own, and then another file has
 * the number.  So each call of the agent about a segment names the segment, and
 * what is no call of the agent asks this first: RSMERR_BAD_SEG_HNDL if it is not ours.
 */
int rsm_segment_identify(const struct rsm_segment *segment);
/* Close the descriptor if it is ours. */
int rsm_segment_close(const struct rsm_segment *segment);
/* An import: 0 or RSMERR_CONN_ABORTED; an export: 0 or RSMERR_SEG_NOT_PUBLISHED. */
int rsm_segment_check(const struct rsm_segment *segment);

/* import.c */
static inline bool rsm_import_valid(rsm_memseg_import_handle_t import)
{
	return import && import->segment.kind == RSM_SEGMENT_IMPORT;
}

/* reader.c */
bool rsm_readers_begin(void);
void rsm_readers_forked(void);
void rsm_readers_wait(const struct __rsm_memseg_import_handle *import);

/* mapping.c */
int rsm_mapping_make_implicit(rsm_memseg_import_handle_t import, rsm_permission_t needs);
bool rsm_mapping_explicit(rsm_memseg_import_handle_t import);
void rsm_mapping_end(rsm_memseg_import_handle_t import);
void rsm_mapping_forked(rsm_memseg_import_handle_t import);

/* barrier.c */
void rsm_barriers_end(rsm_memseg_import_handle_t import);
int rsm_span_judge(rsm_memseg_import_handle_t import, const struct rsm_barrier_span *span);

/* signal.c: milliseconds as poll() wants them, -1 for ever, 0 once it is over. */
struct rsm_deadline {
	int64_t ns;
	bool never;
};

void rsm_deadline_set(struct rsm_deadline *deadline, int timeout);
int rsm_deadline_left(const struct rsm_deadline *deadline);

/* pollfd.c */
bool rsm_pollfd_held(const struct rsm_segment *segment);

/* localmemory.c: the memory behind an entry of a vector, RSMERR_* if there is none. */
int rsm_localmemory_find(rsm_localmemory_handle_t handle, size_t offset, size_t bytes,
			 void **memory);

/* error.c */
int rsmerr_of_open(int ret);
int rsmerr_of_call(int ret);
int rsmerr_of_mmap(int ret);
int rsmerr_of_status(int ret);
int rsmerr_of_poll(int ret);

#endif /* LIBRSM_LIBRARY_H */
