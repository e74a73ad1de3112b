/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The structures and flags of the RSMAPI functions: controller attributes,
 * access lists, barriers, scatter-gather vectors.  Included by <rsm/rsmapi.h>.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#ifndef RSM_RSMAPI_COMMON_H
#define RSM_RSMAPI_COMMON_H

#include <rsm/rsm_common.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct __rsmapi_controller_handle *rsmapi_controller_handle_t;
typedef struct __rsm_localmemory_handle *rsm_localmemory_handle_t;

/* Masks: bit n of the access and atomic sizes = 2^n bytes. */
typedef struct {
	uint_t attr_direct_access_sizes;	/* loads and stores to mapped segments */
	uint_t attr_atomic_sizes;		/* which of them are atomic */
	size_t attr_page_size;			/* mask: bit n = pages of 2^n KiB */
	size_t attr_max_export_segment_size;	/* bytes */
	size_t attr_tot_export_segment_size;	/* bytes */
	ulong_t attr_max_export_segments;
	size_t attr_max_import_map_size;	/* bytes */
	size_t attr_tot_import_map_size;	/* bytes */
	ulong_t attr_max_import_segments;
} rsmapi_controller_attr_t;

typedef struct {
	rsm_node_id_t ae_node;
	rsm_permission_t ae_permission;		/* owner, group, other: at most 0666 */
} rsmapi_access_entry_t;

#define ae_permissions	ae_permission	/* as the guide spells it */

/*
 * Allocated by the caller, filled by rsm_memseg_import_init_barrier(), opaque.
 * Zeroed before that, every call on it gives RSMERR_BARRIER_UNINITIALIZED.
 */
typedef struct {
	void *seg;
	uint16_t gnum;
	void *privdata;
} rsmapi_barrier_t;

/*
 * Flags of rsm_memseg_export_create().  RSM_LOCK_OPS, which the documents name
 * for a later release, is not defined: a program must not believe in locks.
 */
#define RSM_ALLOW_REBIND		0x01
#define RSM_CREATE_SEG_DONTWAIT		0x02

/* io_type: which member of the union is meant. */
#define RSM_HANDLE_TYPE			0x01
#define RSM_VA_TYPE			0x02

typedef struct {
	int io_type;
	union {
		rsm_localmemory_handle_t handle;
		char *vaddr;
	} local;
	size_t local_offset;			/* bytes from the local base */
	size_t remote_offset;			/* bytes from the segment's start */
	size_t transfer_length;			/* bytes */
} rsm_iovec_t;

/* Flags of a scatter-gather request; the second one also of a posted signal. */
#define RSM_IMPLICIT_SIGPOST		0x01
#define RSM_SIGPOST_NO_ACCUMULATE	0x02
#define RSM_SIG_POST_NO_ACCUMULATE	RSM_SIGPOST_NO_ACCUMULATE

typedef struct {
	rsm_node_id_t local_nodeid;		/* not examined */
	ulong_t io_request_count;		/* 1..RSM_MAX_SGIOREQS */
	ulong_t io_residual_count;		/* out: entries not completed */
	uint_t flags;
	rsm_memseg_import_handle_t remote_handle;
	rsm_iovec_t *iovec;
} rsm_scat_gath_t;

#ifdef __cplusplus
}
#endif

#endif /* RSM_RSMAPI_COMMON_H */
