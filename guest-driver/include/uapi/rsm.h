/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The contract between librsm and the kernel agent rsm.ko: ioctls of /dev/rsm
 * and what can be mapped from it.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * Open without write access gives a control descriptor: INFO, CONTROLLER,
 * TOPOLOGY, SEGMENTS, COUNTERS, and a read-only mapping of the generation area.
 * Open with write access reserves a segment number (-EAGAIN: all max_segments
 * are in use); the first EXPORT or CONNECT makes the descriptor an export or an
 * import segment for good.  Everything that a descriptor names dies with its
 * last close.
 *
 * EXPORT and CONNECT return the segment's `identity`, which no other segment of
 * the node has or had since the module was loaded.  All other commands for
 * segments are given it, and fail with BAD_SEG_HNDL if the descriptor has another
 * one: the program has closed the descriptor and its number was used again.
 *
 * An ioctl fails with -1 and errno only for what the kernel itself refuses:
 * ENOTTY (unknown number), EFAULT (argument not accessible), EINVAL (flags or
 * reserved members not 0), EINTR (a signal came while it waited).  In all
 * other cases it returns 0 and `status` holds the outcome, an RSMERR_* number
 * of rsm_errno.h, 0 being success; members marked "out" are then
 * valid only if status is 0, unless stated otherwise.
 *
 * New commands get the next number; structures never change size, and are the
 * same for programs of 32 and of 64 bits.
 *
 * Byte order: all words of ioctls and of the generation area are in that of the
 * machine.  The path state is written by the adapter, so its words, of types
 * __le32, are little-endian on every machine; the events of an export are memory
 * of its node, so their words are in the byte order of that one.
 */
#ifndef _UAPI_RSM_H
#define _UAPI_RSM_H

#include <linux/ioctl.h>
#include <linux/types.h>

#include "rsm_errno.h"

#define RSM_UAPI_VERSION	2

#define RSM_DEVICE		"/dev/rsm"
#define RSM_CONTROLLER_NAME	32	/* bytes of a controller name, with NUL */

/*
 * mmap offsets.  Below RSM_MMAP_STATUS: byte offset in an import segment; none
 * is as long.  A program of 32 bits passes offsets in units of 4 KiB, so that
 * nothing from 1 << 44 on is within its reach.
 */
#define RSM_MMAP_STATUS		(1ULL << 43)	/* import descriptor: its path state, read-only */
#define RSM_MMAP_EVENTS		(3ULL << 42)	/* import descriptor: struct rsm_event_words */
#define RSM_MMAP_GENERATION	0		/* control descriptor: generation area, read-only */

/*
 * INFO: what the agent is.  The generation area is an array of __u16 indexed
 * by segment number; a word is raised when an import of that number connects
 * and when its connection ends, by whatever cause.
 */
struct rsm_ioc_info {
	__u32 status;
	__u32 flags;		/* 0 */
	__u32 version;		/* out: RSM_UAPI_VERSION */
	__u32 local_node;	/* out: node id, 0 while there is no adapter */
	__u32 max_segments;	/* out */
	__u32 reserved;
	__aligned_u64 generation_bytes;	/* out: length of the generation area */
};

/* CONTROLLER: attributes of "loopback" or "<type><unit>"; CTLR_NOT_PRESENT. */
struct rsm_ioc_controller {
	__u32 status;
	__u32 flags;		/* 0 */
	char name[RSM_CONTROLLER_NAME];
	__u32 direct_access_sizes;	/* out: bit n = 2^n-byte loads and stores */
	__u32 atomic_sizes;		/* out: bit n = 2^n bytes are atomic */
	__aligned_u64 page_size;		/* out: bit n = pages of 2^n KiB */
	__aligned_u64 max_export_segment_size;	/* out: bytes */
	__aligned_u64 tot_export_segment_size;	/* out: bytes */
	__aligned_u64 max_export_segments;	/* out */
	__aligned_u64 max_import_map_size;	/* out: bytes */
	__aligned_u64 tot_import_map_size;	/* out: bytes */
	__aligned_u64 max_import_segments;	/* out */
	__aligned_u64 hwaddr;			/* out */
};

/* One row per controller with remote_node 0, then one per peer of it. */
struct rsm_topology_row {
	char controller[RSM_CONTROLLER_NAME];
	char remote_controller[RSM_CONTROLLER_NAME];
	__aligned_u64 local_hwaddr;
	__aligned_u64 remote_hwaddr;
	__u32 remote_node;
	__u32 state;		/* RSM_PATH_* */
};

#define RSM_PATH_DOWN		1
#define RSM_PATH_UP		2	/* reachable, the agents have not shaken hands */
#define RSM_PATH_ACTIVE		3	/* the only usable state */
#define RSM_PATH_GOING_DOWN	4

/*
 * TOPOLOGY: a snapshot.  Writes as many rows as fit and reports how many there
 * are; a caller with too small a buffer asks again.
 */
struct rsm_ioc_topology {
	__u32 status;
	__u32 flags;		/* 0 */
	__aligned_u64 rows;		/* struct rsm_topology_row * */
	__u32 capacity;		/* rows that fit */
	__u32 count;		/* out: rows that exist */
	__u32 local_node;	/* out */
	__u32 reserved;
};

/*
 * EXPORT: pin [vaddr, vaddr + length) and make it this descriptor's segment.
 * CTLR_NOT_PRESENT, BAD_SEG_HNDL (not a fresh segment descriptor), BAD_ADDR,
 * BAD_LENGTH, PERM_DENIED, INSUFFICIENT_MEM.  (reference 4.4, 10-16)
 */
struct rsm_ioc_export {
	__u32 status;
	__u32 flags;		/* RSM_EXPORT_* */
	char controller[RSM_CONTROLLER_NAME];
	__aligned_u64 vaddr;		/* multiple of the page size */
	__aligned_u64 length;		/* bytes, multiple of the page size */
	__aligned_u64 identity;		/* out */
};

#define RSM_EXPORT_ALLOW_REBIND	0x1
/* Here and in PUBLISH: INSUFFICIENT_RESOURCES instead of waiting. */
#define RSM_EXPORT_DONTWAIT	0x2

struct rsm_acl_entry {
	__u32 node;
	__u32 permission;	/* owner, group and other digit, max 0666 */
};

#define RSM_ACL_MAX		64

/*
 * PUBLISH: BAD_SEG_HNDL, NOT_CREATOR, BAD_ACL, BAD_ADDR, RESERVED_SEGID, SEGID_IN_USE, ...
 * (4.6, 6-15)
 */
struct rsm_ioc_publish {
	__u32 status;
	__u32 flags;		/* 0 */
	__aligned_u64 identity;
	__aligned_u64 acl;		/* struct rsm_acl_entry * */
	__u32 acl_len;		/* 0..RSM_ACL_MAX; 0 = every node, creation permissions */
	__u32 segment_id;	/* 0 = choose one; out: the id */
};

/* UNPUBLISH (4.7, 3-9), DESTROY is close(2). */
struct rsm_ioc_unpublish {
	__u32 status;
	__u32 flags;		/* 0 */
	__aligned_u64 identity;
};

/*
 * REPUBLISH: replace the access list of a published segment.  Connections that
 * exist keep what they have.  SEG_NOT_PUBLISHED, NOT_CREATOR, BAD_ACL,
 * BAD_ADDR, INTERNAL_ERROR, ... (4.8, 4-10)
 */
struct rsm_ioc_republish {
	__u32 status;
	__u32 flags;		/* 0 */
	__aligned_u64 identity;
	__aligned_u64 acl;		/* struct rsm_acl_entry * */
	__u32 acl_len;		/* 0..RSM_ACL_MAX; 0 = every node, creation permissions */
	__u32 reserved;		/* 0 */
};

/*
 * REBIND: put [vaddr, vaddr + length) in the place of the exported memory;
 * length is that of the segment.  Importers stay and reach the new memory when
 * it returns.  REBIND_NOT_ALLOWED, NOT_CREATOR, BAD_ADDR, BAD_LENGTH,
 * BAD_SEG_HNDL (the memory is gone), errors of EXPORT.  (4.9, 3-10)
 */
struct rsm_ioc_rebind {
	__u32 status;
	__u32 flags;		/* 0 */
	__aligned_u64 identity;
	__aligned_u64 vaddr;
	__aligned_u64 length;
};

/* CONNECT: make this descriptor an import of `segment_id` on `node`.  (4.10, 5-12) */
struct rsm_ioc_connect {
	__u32 status;
	__u32 flags;		/* 0 */
	char controller[RSM_CONTROLLER_NAME];
	__u32 node;
	__u32 segment_id;
	__u32 permission;	/* 0400 | 0200 */
	__u32 segment;		/* out: segment number = index in the generation area */
	__aligned_u64 length;		/* out: bytes of the segment */
	__u32 generation;	/* out: the generation word of this connection */
	__u32 attributes;	/* out: RSM_CONNECT_* */
	__u32 path_offset;	/* out: of struct rsm_path_state in the RSM_MMAP_STATUS page */
	__u32 path_changes;	/* out: rsm_path_state.changes at the time of connection */
	__aligned_u64 identity;		/* out */
};

#define RSM_CONNECT_PATH	0x1	/* remote: RSM_MMAP_STATUS can be mapped */
#define RSM_CONNECT_EVENTS	0x4	/* RSM_MMAP_EVENTS may be mapped, to read and write */
#define RSM_CONNECT_BIG_ENDIAN	0x2	/* byte order of the exporter */

/*
 * The path to the exporter, live.  A span of accesses was good if, after a full
 * fence, `changes`, `errors` and `revokes` are what they were before it.  If not,
 * CHECK tells what happened to this import.
 *
 * The layout is the agent's, whatever the adapter is.  The words are written by the adapter
 * itself, for a barrier must see an error that happened before it, and whatever heard of the
 * error by an interrupt would write too late.  The rest of the mapped page has no meaning.
 */
struct rsm_path_state {
	__le32 link;		/* RSM_LINK_UP, or anything else */
	__le32 incarnation;	/* of the exporting node */
	__le32 changes;		/* of link and incarnation */
	__le32 errors;		/* failed accesses to the node */
	__le32 last_error;
	__le32 lines;
	__le32 revokes;		/* revocations of mapped pages of the node */
};

#define RSM_LINK_UP	2

/*
 * CHECK.  An import: status is CONN_ABORTED if this connection has ended, whether
 * or not the agent had heard of it before; 0 if it stands (whatever other segments
 * of that node suffered).  An export: 0 if it is published, SEG_NOT_PUBLISHED if
 * not, be it that its memory or its controller is gone.
 */
struct rsm_ioc_check {
	__u32 status;
	__u32 flags;		/* 0 */
	__aligned_u64 identity;
};

/* IDENTIFY: 0 if this is the segment of that identity, whatever became of it. */
struct rsm_ioc_identify {
	__u32 status;
	__u32 flags;		/* 0 */
	__aligned_u64 identity;
};

/*
 * The events of an export, in the memory of the exporting node and in its byte order.  Who
 * imports the segment for writing may post without asking anybody: add 1 to `posted` by an
 * atomic operation, which is a full barrier; then, if `sleeps` is not 0, POST with
 * RSM_POST_WAKE.  Unconsumed events are posted - taken.  An importer that writes anything
 * else harms those that use the same segment.
 */
struct rsm_event_words {
	__u32 posted;		/* events, ever */
	__u32 taken;		/* of them, consumed: for others to read */
	__u32 dropped;		/* not posted, for one was pending; by atomic operations as well */
	__u32 reserved[13];
	__u32 sleeps;		/* somebody waits who does not look */
};

/* POST: one event to the exporter or to all importers.  (4.18) */
struct rsm_ioc_post {
	__u32 status;
	__u32 flags;		/* RSM_POST_* */
	__aligned_u64 identity;
};

#define RSM_POST_NO_ACCUMULATE	0x1	/* drop it where one is pending */
#define RSM_POST_WAKE		0x2	/* import: no event, the exporter's is posted already */

/*
 * CONSUME: take one pending event of this descriptor; status TIMEOUT if there
 * is none.  Wait with poll(2) for POLLRDNORM (POLLIN is not raised).
 */
struct rsm_ioc_consume {
	__u32 status;
	__u32 flags;		/* RSM_CONSUME_* */
	__aligned_u64 identity;
};

#define RSM_CONSUME_LOOK	0x1	/* if there is none, look for it for a short time */

/*
 * What everybody may see of a segment, as of a System V one with ipcs(1): no
 * address, no access list.  Process and user ids are those of the caller's
 * namespaces; a process that is not in it has the id 0.
 */
struct rsm_segment_row {
	char controller[RSM_CONTROLLER_NAME];	/* empty: RSM_ROW_NEW */
	__aligned_u64 length;		/* bytes */
	__aligned_u64 received;		/* events posted to it, ever */
	__aligned_u64 dropped;		/* of them: by RSM_POST_NO_ACCUMULATE, or a full counter */
	__u32 number;		/* index in the generation area */
	__u32 kind;		/* RSM_ROW_* */
	__u32 state;		/* RSM_EXPORT_STATE_* or RSM_IMPORT_STATE_* */
	__u32 segment_id;	/* 0: not published, not connected */
	__u32 node;		/* that exports it; 0: none */
	__u32 pid;		/* that made the export, or opened the descriptor; 0: the kernel */
	__u32 uid;		/* likewise; of an import: of the importing process */
	__u32 gid;
	__u32 mode;		/* export: of its creation; import: what may be mapped */
	__u32 acl_len;		/* export: entries of the access list, 0 = every node */
	__u32 nodes;		/* export: other nodes that import it */
	__u32 imports;		/* export: of this node; import: all of its connection */
	__u32 mappings;		/* of those imports in processes of this node */
	__u32 pending;		/* events that wait to be consumed */
};

/* Of the rest only number, pid, uid and gid are valid. */
#define RSM_ROW_NEW		0
#define RSM_ROW_EXPORT		1
#define RSM_ROW_IMPORT		2

#define RSM_EXPORT_STATE_BOUND		0
#define RSM_EXPORT_STATE_PUBLISHED	1
#define RSM_EXPORT_STATE_ZOMBIE		2	/* the process no longer has the memory */

#define RSM_IMPORT_STATE_CONNECTED	0
#define RSM_IMPORT_STATE_ENDED		1	/* by the exporter or the loss of the path */

/*
 * SEGMENTS: one row per descriptor that is open for writing, and per segment of
 * the kernel's own.  Writes as many
 * rows as fit and reports how many there are, like TOPOLOGY.
 */
struct rsm_ioc_segments {
	__u32 status;
	__u32 flags;		/* 0 */
	__aligned_u64 rows;		/* struct rsm_segment_row * */
	__u32 capacity;		/* rows that fit */
	__u32 count;		/* out: rows that exist */
};

/* Indices of counts, each since the controller was registered. */
#define RSM_COUNT_MESSAGES_SENT		0
#define RSM_COUNT_MESSAGES_RECEIVED	1
#define RSM_COUNT_MESSAGES_DROPPED	2	/* received, and broke the rules */
#define RSM_COUNT_MESSAGES_FAILED	3	/* not sent: no path, no room, a signal */
#define RSM_COUNT_SESSIONS		4	/* the path became active */
#define RSM_COUNT_CONNECTS_MADE		5	/* connections to segments of the node */
#define RSM_COUNT_CONNECTS_FAILED	6	/* asked for, whatever the reason */
#define RSM_COUNT_CONNECTS_GRANTED	7	/* connections of the node to segments here */
#define RSM_COUNT_CONNECTS_REFUSED	8
#define RSM_COUNT_DISCONNECTS		9	/* ended connections to the node, by force */
#define RSM_COUNT_EVICTIONS		10	/* ended connections of the node, by unpublishing */
#define RSM_COUNT_POSTS_SENT		11	/* events */
#define RSM_COUNT_POSTS_FAILED		12
#define RSM_COUNT_POSTS_RECEIVED	13	/* for a segment that the node may post to */
#define RSM_COUNT_POSTS_DROPPED		14	/* for any other one */
#define RSM_COUNTS			24	/* those without a name are 0 */

/* What struct rsm_path_state says, as words of the machine. */
struct rsm_path_link {
	__u32 link;
	__u32 incarnation;
	__u32 changes;
	__u32 errors;
	__u32 last_error;
	__u32 lines;
	__u32 revokes;
};

/*
 * One row per controller with node 0, then one per other node that it reaches,
 * has reached, or had an error with.  In a row with node 0 the counts are of
 * what happens between programs of this node; counts of messages are 0 there.
 */
struct rsm_path_row {
	char controller[RSM_CONTROLLER_NAME];
	__u32 node;
	__u32 state;		/* RSM_PATH_*: of the agents' session; 0 with node 0 */
	struct rsm_path_link link;	/* of the adapters */
	__u32 reserved;		/* 0 */
	__aligned_u64 count[RSM_COUNTS];
};

/* COUNTERS: what of the agent is in use, and rows like TOPOLOGY. */
struct rsm_ioc_counters {
	__u32 status;
	__u32 flags;		/* 0 */
	__aligned_u64 rows;		/* struct rsm_path_row * */
	__u32 capacity;		/* rows that fit */
	__u32 count;		/* out: rows that exist */
	__aligned_u64 pinned_bytes;	/* out: by exports */
	__aligned_u64 max_pinned_bytes;	/* out: they may pin in all */
	__u32 segments;		/* out: as SEGMENTS counts them */
	__u32 max_segments;	/* out */
	__u32 ids;		/* out: segment ids that are not free */
	__u32 generated_ids;	/* out: of them, chosen by the agent */
	__u32 local_node;	/* out */
	__u32 reserved;		/* 0 */
};

/*
 * Free, as is all from 0xD0 to 0xDA, in Documentation/userspace-api/ioctl/ioctl-number.rst
 * of Linux 6.12; nothing in that source uses it either.
 */
#define RSM_IOC_MAGIC		0xD5
#define RSM_IOC_INFO		_IOWR(RSM_IOC_MAGIC, 0x00, struct rsm_ioc_info)
#define RSM_IOC_CONTROLLER	_IOWR(RSM_IOC_MAGIC, 0x01, struct rsm_ioc_controller)
#define RSM_IOC_TOPOLOGY	_IOWR(RSM_IOC_MAGIC, 0x02, struct rsm_ioc_topology)
#define RSM_IOC_EXPORT		_IOWR(RSM_IOC_MAGIC, 0x03, struct rsm_ioc_export)
#define RSM_IOC_PUBLISH		_IOWR(RSM_IOC_MAGIC, 0x04, struct rsm_ioc_publish)
#define RSM_IOC_UNPUBLISH	_IOWR(RSM_IOC_MAGIC, 0x05, struct rsm_ioc_unpublish)
#define RSM_IOC_CONNECT		_IOWR(RSM_IOC_MAGIC, 0x06, struct rsm_ioc_connect)
#define RSM_IOC_CHECK		_IOWR(RSM_IOC_MAGIC, 0x07, struct rsm_ioc_check)
#define RSM_IOC_POST		_IOWR(RSM_IOC_MAGIC, 0x08, struct rsm_ioc_post)
#define RSM_IOC_CONSUME		_IOWR(RSM_IOC_MAGIC, 0x09, struct rsm_ioc_consume)
#define RSM_IOC_REPUBLISH	_IOWR(RSM_IOC_MAGIC, 0x0a, struct rsm_ioc_republish)
#define RSM_IOC_REBIND		_IOWR(RSM_IOC_MAGIC, 0x0b, struct rsm_ioc_rebind)
#define RSM_IOC_SEGMENTS	_IOWR(RSM_IOC_MAGIC, 0x0c, struct rsm_ioc_segments)
#define RSM_IOC_COUNTERS	_IOWR(RSM_IOC_MAGIC, 0x0d, struct rsm_ioc_counters)
#define RSM_IOC_IDENTIFY	_IOWR(RSM_IOC_MAGIC, 0x0e, struct rsm_ioc_identify)

#endif /* _UAPI_RSM_H */
