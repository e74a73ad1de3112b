/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The scalar types, handles and enumerations that the whole RSMAPI uses; error
 * codes, permissions and segment id ranges come from <rsm/rsm_errno.h>.
 * Included by <rsm/rsmapi_common.h>; includes no <unistd.h>, on purpose.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#ifndef RSM_RSM_COMMON_H
#define RSM_RSM_COMMON_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <rsm/rsm_errno.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RSM_VERSION		5

/* The local memory handle page spells RSMERR_BAD_ADDR so. */
#define RSMERR_BAD_ADDRESS	RSMERR_BAD_ADDR

/*
 * Scalar types of Solaris' <sys/types.h> that the RSMAPI uses.  A program that
 * brings its own defines RSM_NO_SOLARIS_TYPES before it includes the API.
 */
#if !defined(RSM_NO_SOLARIS_TYPES) && !defined(__sun)
typedef unsigned char uchar_t;
typedef unsigned short ushort_t;
typedef unsigned int uint_t;
typedef unsigned long ulong_t;
typedef int64_t offset_t;
#endif

/* The library has off_t with 64 bits: 32-bit programs define _FILE_OFFSET_BITS=64. */
typedef char rsm_check_off_t[sizeof(off_t) == 8 ? 1 : -1];

typedef uint64_t rsm_addr_t;		/* hardware address of a controller */
typedef uint32_t rsm_node_id_t;		/* 1..255 */
typedef rsm_node_id_t rsm_nodeid_t;	/* the guide uses both names */
typedef uint32_t rsm_memseg_id_t;	/* segment id; ranges: RSM_*_ID_BASE, _END */
typedef uint32_t rsm_permission_t;	/* octal digits of owner, group, other */

typedef struct __rsm_memseg_export_handle *rsm_memseg_export_handle_t;
typedef struct __rsm_memseg_import_handle *rsm_memseg_import_handle_t;

/* The value is the width in bytes; bit n of an attribute mask = 2^n bytes. */
typedef enum {
	RSM_DAS8 = 1,
	RSM_DAS16 = 2,
	RSM_DAS32 = 4,
	RSM_DAS64 = 8
} rsm_access_size_t;

/* A barrier spans one import segment, whichever type it is given. */
typedef enum {
	RSM_BARRIER_SEGMENT = 0x01,
	RSM_BARRIER_NODE = 0x02,
	RSM_BARRIER_SEGMENT_THREAD = 0x11,
	RSM_BARRIER_NODE_THREAD = 0x12
} rsm_barrier_type_t;

/* The type that the guide and the man pages name. */
#define RSM_BAR_DEFAULT		RSM_BARRIER_SEGMENT

typedef enum {
	RSM_BARRIER_MODE_EXPLICIT = 0,
	RSM_BARRIER_MODE_IMPLICIT = 1
} rsm_barrier_mode_t;

typedef union {
	uint64_t u64;
	int64_t i64;
	uint32_t u32[2];
	int32_t i32[2];
	uint16_t u16[4];
	int16_t i16[4];
	uint8_t u8[8];
	int8_t i8[8];
	unsigned char uc[8];
	char c[8];
	void *vp;
} rsm_barrier_component_t;

/* A provider's barrier; applications use rsmapi_barrier_t. */
typedef struct {
	rsm_barrier_component_t comp[4];
} rsm_barrier_t;

#define RSM_MAX_SGIOREQS	16	/* entries of one scatter-gather request */

#ifdef __cplusplus
}
#endif

#endif /* RSM_RSM_COMMON_H */
