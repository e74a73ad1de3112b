// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The numbers that a compiled program carries: sizes and offsets of structures,
 * values of constants, for the RSMAPI (64-bit) and for the interface between
 * librsm and the kernel agent, which programs of 32 bits see no other way.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <stddef.h>
#include <stdio.h>

#include <rsmapi.h>
#include <uapi/rsm.h>

struct number {
	const char *name;
	unsigned long long got;
	unsigned long long wanted;
};

#define VALUE(expression, wanted)	{ #expression, (unsigned long long)(expression), wanted }
#define SIZE(type, wanted)		VALUE(sizeof(type), wanted)
#define MEMBER(type, member, wanted)	VALUE(offsetof(type, member), wanted)
#define RSMERR(name, wanted)		VALUE(RSMERR_##name, wanted)

static const struct number errors[] = {
	VALUE(RSM_SUCCESS, 0),
	RSMERR(BAD_LIBRARY_VERSION, 1), RSMERR(BAD_TOPOLOGY_PTR, 2), RSMERR(BAD_CTLR_HNDL, 3),
	RSMERR(CTLR_NOT_PRESENT, 4), RSMERR(BAD_SEG_HNDL, 5), RSMERR(SEG_ALREADY_PUBLISHED, 6),
	RSMERR(SEG_NOT_PUBLISHED, 7), RSMERR(SEG_NOT_PUBLISHED_TO_NODE, 8),
	RSMERR(SEG_ALREADY_MAPPED, 9), RSMERR(SEG_STILL_MAPPED, 10), RSMERR(SEG_NOT_MAPPED, 11),
	RSMERR(NOT_CREATOR, 12), RSMERR(BAD_BARRIER_PTR, 13), RSMERR(BAD_SGIO, 14),
	RSMERR(BAD_LOCALMEM_HNDL, 15), RSMERR(BAD_ADDR, 16), RSMERR(BAD_MEM_ALIGNMENT, 17),
	RSMERR(BAD_OFFSET, 18), RSMERR(MISALIGNED_OFFSET, 19), RSMERR(BAD_LENGTH, 20),
	RSMERR(BAD_ACL, 21), RSMERR(BAD_SEGID, 22), RSMERR(RESERVED_SEGID, 23),
	RSMERR(SEGID_IN_USE, 24), RSMERR(BAD_MODE, 25), RSMERR(BAD_PERMS, 26),
	RSMERR(PERM_DENIED, 27), RSMERR(LOCKS_NOT_SUPPORTED, 28), RSMERR(LOCKS_NOT_ENABLED, 29),
	RSMERR(REBIND_NOT_ALLOWED, 30), RSMERR(INSUFFICIENT_RESOURCES, 31),
	RSMERR(INSUFFICIENT_MEM, 32), RSMERR(MAP_FAILED, 33), RSMERR(POLLFD_IN_USE, 34),
	RSMERR(BARRIER_UNINITIALIZED, 35), RSMERR(BARRIER_OPEN_FAILED, 36),
	RSMERR(BARRIER_NOT_OPENED, 37), RSMERR(BARRIER_FAILURE, 38),
	RSMERR(REMOTE_NODE_UNREACHABLE, 39), RSMERR(CONN_ABORTED, 40), RSMERR(INTERRUPTED, 41),
	RSMERR(TIMEOUT, 42), RSMERR(BAD_APPID, 43), RSMERR(BAD_CONF, 44),
	RSMERR(SEG_NOT_CONNECTED, 45), RSMERR(INTERNAL_ERROR, 100),
	RSMERR(BAD_DRIVER_VERSION, 101), RSMERR(UNSUPPORTED_VERSION, 102),
	RSMERR(DRIVER_NAME_IN_USE, 103), RSMERR(DRIVER_NOT_REGISTERED, 104),
	RSMERR(DRIVER_THREAD_RUNNING, 105), RSMERR(NEED_THREAD_INIT, 106),
	RSMERR(THREAD_NOT_INITED, 107), RSMERR(CTLRS_REGISTERED, 108),
	RSMERR(CTLR_NOT_REGISTERED, 109), RSMERR(CTLR_ALREADY_REGISTERED, 110),
	RSMERR(CTLR_IN_USE, 111), RSMERR(NAME_TOO_LONG, 112), RSMERR(SEG_PUBLISHED, 113),
	RSMERR(SEG_NOT_PUBLISHED_TO_RSM_ADDR, 114), RSMERR(SEG_IN_USE, 115),
	RSMERR(BAD_SENDQ_HNDL, 116), RSMERR(BAD_ARGS_ERRORS, 117), RSMERR(BAD_MSTYPE, 118),
	RSMERR(NO_BACKING_MEM, 119), RSMERR(NOT_MEM, 120), RSMERR(MEM_ALREADY_BOUND, 121),
	RSMERR(MEM_NOT_BOUND, 122), RSMERR(HANDLER_NOT_REGISTERED, 123), RSMERR(NO_HANDLER, 124),
	RSMERR(UNBIND_REBIND_NOT_ALLOWED, 125), RSMERR(CALLBACKS_NOT_SUPPORTED, 126),
	RSMERR(UNSUPPORTED_OPERATION, 127), RSMERR(RSM_ADDR_UNREACHABLE, 128),
	RSMERR(UNKNOWN_RSM_ADDR, 129), RSMERR(BAD_BARRIER_HNDL, 130),
	RSMERR(COMM_ERR_MAYBE_DELIVERED, 131), RSMERR(COMM_ERR_NOT_DELIVERED, 132),
	RSMERR(QUEUE_FENCE_UP, 133), RSMERR(QUEUE_FULL, 134),
};

static const struct number constants[] = {
	VALUE(RSM_VERSION, 5),
	VALUE(RSM_PERM_NONE, 0), VALUE(RSM_PERM_READ, 0400), VALUE(RSM_PERM_WRITE, 0200),
	VALUE(RSM_PERM_RDWR, 0600),
	VALUE(RSM_DRIVER_PRIVATE_ID_BASE, 0), VALUE(RSM_DRIVER_PRIVATE_ID_END, 0xfffff),
	VALUE(RSM_CLUSTER_TRANSPORT_ID_BASE, 0x100000),
	VALUE(RSM_CLUSTER_TRANSPORT_ID_END, 0x1fffff),
	VALUE(RSM_RSMLIB_ID_BASE, 0x200000), VALUE(RSM_RSMLIB_ID_END, 0x2fffff),
	VALUE(RSM_DLPI_ID_BASE, 0x300000), VALUE(RSM_DLPI_ID_END, 0x3fffff),
	VALUE(RSM_HPC_ID_BASE, 0x400000), VALUE(RSM_HPC_ID_END, 0x4fffff),
	VALUE(RSM_OPS_ID_BASE, 0x500000), VALUE(RSM_OPS_ID_END, 0x5fffff),
	VALUE(RSM_USER_APP_ID_BASE, 0x80000000), VALUE(RSM_USER_APP_ID_END, 0xffffffff),
	VALUE(RSM_DAS8, 1), VALUE(RSM_DAS16, 2), VALUE(RSM_DAS32, 4), VALUE(RSM_DAS64, 8),
	VALUE(RSM_BARRIER_SEGMENT, 0x01), VALUE(RSM_BARRIER_NODE, 0x02),
	VALUE(RSM_BARRIER_SEGMENT_THREAD, 0x11), VALUE(RSM_BARRIER_NODE_THREAD, 0x12),
	VALUE(RSM_BARRIER_MODE_EXPLICIT, 0), VALUE(RSM_BARRIER_MODE_IMPLICIT, 1),
	VALUE(RSM_MAP_NONE, 0), VALUE(RSM_MAP_FIXED, 1), VALUE(RSM_MAP_RESERVED, 2),
	VALUE(RSM_ALLOW_REBIND, 1), VALUE(RSM_CREATE_SEG_DONTWAIT, 2),
	VALUE(RSM_HANDLE_TYPE, 1), VALUE(RSM_VA_TYPE, 2), VALUE(RSM_MAX_SGIOREQS, 16),
	VALUE(RSM_IMPLICIT_SIGPOST, 1), VALUE(RSM_SIGPOST_NO_ACCUMULATE, 2),
	VALUE(RSM_BAR_DEFAULT, RSM_BARRIER_SEGMENT), VALUE(RSMERR_BAD_ADDRESS, RSMERR_BAD_ADDR),
	VALUE(RSM_SIG_POST_NO_ACCUMULATE, RSM_SIGPOST_NO_ACCUMULATE),
	VALUE(RSM_CONNECTION_ACTIVE, 3), VALUE(MAXNAMELEN, 256), VALUE(POLLRDNORM, 0x40),
};

#ifdef __LP64__
static const struct number types[] = {
	SIZE(uint_t, 4), SIZE(ulong_t, 8), SIZE(offset_t, 8), SIZE(rsm_addr_t, 8),
	SIZE(rsm_node_id_t, 4), SIZE(rsm_memseg_id_t, 4), SIZE(rsm_permission_t, 4),
	VALUE((offset_t)-1 < 0, 1), VALUE((rsm_node_id_t)-1 > 0, 1),
	VALUE((rsm_memseg_id_t)-1 > 0, 1), VALUE((rsm_permission_t)-1 > 0, 1),
	VALUE((rsm_addr_t)-1 > 0, 1),
	SIZE(rsm_barrier_component_t, 8), SIZE(rsm_barrier_t, 32),
	SIZE(rsmapi_controller_attr_t, 64),
	MEMBER(rsmapi_controller_attr_t, attr_direct_access_sizes, 0),
	MEMBER(rsmapi_controller_attr_t, attr_atomic_sizes, 4),
	MEMBER(rsmapi_controller_attr_t, attr_page_size, 8),
	MEMBER(rsmapi_controller_attr_t, attr_max_export_segment_size, 16),
	MEMBER(rsmapi_controller_attr_t, attr_tot_export_segment_size, 24),
	MEMBER(rsmapi_controller_attr_t, attr_max_export_segments, 32),
	MEMBER(rsmapi_controller_attr_t, attr_max_import_map_size, 40),
	MEMBER(rsmapi_controller_attr_t, attr_tot_import_map_size, 48),
	MEMBER(rsmapi_controller_attr_t, attr_max_import_segments, 56),
	SIZE(rsmapi_access_entry_t, 8),
	MEMBER(rsmapi_access_entry_t, ae_node, 0), MEMBER(rsmapi_access_entry_t, ae_permission, 4),
	MEMBER(rsmapi_access_entry_t, ae_permissions, 4),
	SIZE(rsmapi_barrier_t, 24),
	MEMBER(rsmapi_barrier_t, seg, 0), MEMBER(rsmapi_barrier_t, gnum, 8),
	MEMBER(rsmapi_barrier_t, privdata, 16), SIZE(((rsmapi_barrier_t *)0)->gnum, 2),
	SIZE(rsm_iovec_t, 40),
	MEMBER(rsm_iovec_t, io_type, 0), MEMBER(rsm_iovec_t, local, 8),
	MEMBER(rsm_iovec_t, local.handle, 8), MEMBER(rsm_iovec_t, local.vaddr, 8),
	MEMBER(rsm_iovec_t, local_offset, 16), MEMBER(rsm_iovec_t, remote_offset, 24),
	MEMBER(rsm_iovec_t, transfer_length, 32),
	SIZE(rsm_scat_gath_t, 48),
	MEMBER(rsm_scat_gath_t, local_nodeid, 0), MEMBER(rsm_scat_gath_t, io_request_count, 8),
	MEMBER(rsm_scat_gath_t, io_residual_count, 16), MEMBER(rsm_scat_gath_t, flags, 24),
	MEMBER(rsm_scat_gath_t, remote_handle, 32), MEMBER(rsm_scat_gath_t, iovec, 40),
	SIZE(rsm_topology_hdr_t, 8), SIZE(rsm_connections_hdr_t, 272),
	SIZE(rsm_remote_cntlr_t, 280), SIZE(rsm_connections_t, 552), SIZE(rsm_topology_t, 16),
	MEMBER(struct rsm_topology_hdr, local_nodeid, 0),
	MEMBER(struct rsm_topology_hdr, local_cntlr_count, 4),
	MEMBER(struct rsm_connections_hdr, cntlr_name, 0),
	MEMBER(struct rsm_connections_hdr, local_hwaddr, 256),
	MEMBER(struct rsm_connections_hdr, remote_cntlr_count, 264),
	MEMBER(struct rsm_remote_cntlr, remote_nodeid, 0),
	MEMBER(struct rsm_remote_cntlr, remote_cntlrname, 4),
	MEMBER(struct rsm_remote_cntlr, remote_hwaddr, 264),
	MEMBER(struct rsm_remote_cntlr, connection_state, 272),
	MEMBER(struct rsm_connection, hdr, 0), MEMBER(struct rsm_connection, remote_cntlr, 272),
	MEMBER(struct rsm_topology, topology_hdr, 0), MEMBER(struct rsm_topology, connections, 8),
};
#endif

/* A request's number contains its structure's size; this pins the order of members too. */
static const struct number agent[] = {
	VALUE(RSM_UAPI_VERSION, 2), VALUE(RSM_CONTROLLER_NAME, 32), VALUE(RSM_ACL_MAX, 64),
	VALUE(RSM_MMAP_STATUS, 1ull << 43), VALUE(RSM_MMAP_EVENTS, 3ull << 42),
	VALUE(RSM_MMAP_GENERATION, 0),
	VALUE(RSM_IOC_INFO, 0xc020d500), VALUE(RSM_IOC_CONTROLLER, 0xc070d501),
	VALUE(RSM_IOC_TOPOLOGY, 0xc020d502), VALUE(RSM_IOC_EXPORT, 0xc040d503),
	VALUE(RSM_IOC_PUBLISH, 0xc020d504), VALUE(RSM_IOC_UNPUBLISH, 0xc010d505),
	VALUE(RSM_IOC_CONNECT, 0xc058d506), VALUE(RSM_IOC_CHECK, 0xc010d507),
	VALUE(RSM_IOC_POST, 0xc010d508), VALUE(RSM_IOC_CONSUME, 0xc010d509),
	VALUE(RSM_IOC_REPUBLISH, 0xc020d50a), VALUE(RSM_IOC_REBIND, 0xc020d50b),
	VALUE(RSM_IOC_SEGMENTS, 0xc018d50c), VALUE(RSM_IOC_COUNTERS, 0xc040d50d),
	VALUE(RSM_IOC_IDENTIFY, 0xc010d50e),
	VALUE(RSM_CONNECT_PATH, 1), VALUE(RSM_CONNECT_BIG_ENDIAN, 2),
	VALUE(RSM_CONNECT_EVENTS, 4),
	VALUE(RSM_POST_NO_ACCUMULATE, 1), VALUE(RSM_POST_WAKE, 2), VALUE(RSM_CONSUME_LOOK, 1),
	MEMBER(struct rsm_ioc_info, version, 8), MEMBER(struct rsm_ioc_info, local_node, 12),
	MEMBER(struct rsm_ioc_info, max_segments, 16),
	MEMBER(struct rsm_ioc_info, generation_bytes, 24),
	MEMBER(struct rsm_ioc_controller, name, 8),
	MEMBER(struct rsm_ioc_controller, direct_access_sizes, 40),
	MEMBER(struct rsm_ioc_controller, atomic_sizes, 44),
	MEMBER(struct rsm_ioc_controller, page_size, 48),
	MEMBER(struct rsm_ioc_controller, max_export_segment_size, 56),
	MEMBER(struct rsm_ioc_controller, tot_export_segment_size, 64),
	MEMBER(struct rsm_ioc_controller, max_export_segments, 72),
	MEMBER(struct rsm_ioc_controller, max_import_map_size, 80),
	MEMBER(struct rsm_ioc_controller, tot_import_map_size, 88),
	MEMBER(struct rsm_ioc_controller, max_import_segments, 96),
	MEMBER(struct rsm_ioc_controller, hwaddr, 104),
	SIZE(struct rsm_topology_row, 88),
	MEMBER(struct rsm_topology_row, remote_controller, 32),
	MEMBER(struct rsm_topology_row, local_hwaddr, 64),
	MEMBER(struct rsm_topology_row, remote_hwaddr, 72),
	MEMBER(struct rsm_topology_row, remote_node, 80),
	MEMBER(struct rsm_topology_row, state, 84),
	MEMBER(struct rsm_ioc_topology, rows, 8), MEMBER(struct rsm_ioc_topology, capacity, 16),
	MEMBER(struct rsm_ioc_topology, count, 20),
	MEMBER(struct rsm_ioc_topology, local_node, 24),
	MEMBER(struct rsm_ioc_export, controller, 8), MEMBER(struct rsm_ioc_export, vaddr, 40),
	MEMBER(struct rsm_ioc_export, length, 48), MEMBER(struct rsm_ioc_export, identity, 56),
	SIZE(struct rsm_acl_entry, 8), MEMBER(struct rsm_acl_entry, permission, 4),
	MEMBER(struct rsm_ioc_publish, identity, 8), MEMBER(struct rsm_ioc_publish, acl, 16),
	MEMBER(struct rsm_ioc_publish, acl_len, 24), MEMBER(struct rsm_ioc_publish, segment_id, 28),
	MEMBER(struct rsm_ioc_unpublish, identity, 8),
	SIZE(struct rsm_ioc_republish, 32), MEMBER(struct rsm_ioc_republish, identity, 8),
	MEMBER(struct rsm_ioc_republish, acl, 16),
	MEMBER(struct rsm_ioc_republish, acl_len, 24),
	SIZE(struct rsm_ioc_rebind, 32), MEMBER(struct rsm_ioc_rebind, identity, 8),
	MEMBER(struct rsm_ioc_rebind, vaddr, 16), MEMBER(struct rsm_ioc_rebind, length, 24),
	MEMBER(struct rsm_ioc_connect, controller, 8), MEMBER(struct rsm_ioc_connect, node, 40),
	MEMBER(struct rsm_ioc_connect, segment_id, 44),
	MEMBER(struct rsm_ioc_connect, permission, 48),
	MEMBER(struct rsm_ioc_connect, segment, 52), MEMBER(struct rsm_ioc_connect, length, 56),
	MEMBER(struct rsm_ioc_connect, generation, 64),
	MEMBER(struct rsm_ioc_connect, attributes, 68),
	MEMBER(struct rsm_ioc_connect, path_offset, 72),
	MEMBER(struct rsm_ioc_connect, path_changes, 76),
	MEMBER(struct rsm_ioc_connect, identity, 80),
	MEMBER(struct rsm_ioc_check, identity, 8), MEMBER(struct rsm_ioc_post, identity, 8),
	MEMBER(struct rsm_ioc_consume, identity, 8),
	MEMBER(struct rsm_ioc_identify, identity, 8),
	SIZE(struct rsm_event_words, 68), MEMBER(struct rsm_event_words, posted, 0),
	MEMBER(struct rsm_event_words, taken, 4), MEMBER(struct rsm_event_words, dropped, 8),
	MEMBER(struct rsm_event_words, sleeps, 64),
	SIZE(struct rsm_path_state, 28), SIZE(struct rsm_path_link, 28),
	MEMBER(struct rsm_path_link, changes, 8), MEMBER(struct rsm_path_link, errors, 12),
	MEMBER(struct rsm_path_link, revokes, 24), VALUE(RSM_LINK_UP, 2),
	MEMBER(struct rsm_path_state, changes, 8), MEMBER(struct rsm_path_state, errors, 12),
	MEMBER(struct rsm_path_state, revokes, 24),
	SIZE(struct rsm_segment_row, 112),
	MEMBER(struct rsm_segment_row, length, 32), MEMBER(struct rsm_segment_row, received, 40),
	MEMBER(struct rsm_segment_row, dropped, 48), MEMBER(struct rsm_segment_row, number, 56),
	MEMBER(struct rsm_segment_row, kind, 60), MEMBER(struct rsm_segment_row, state, 64),
	MEMBER(struct rsm_segment_row, segment_id, 68), MEMBER(struct rsm_segment_row, node, 72),
	MEMBER(struct rsm_segment_row, pid, 76), MEMBER(struct rsm_segment_row, uid, 80),
	MEMBER(struct rsm_segment_row, gid, 84), MEMBER(struct rsm_segment_row, mode, 88),
	MEMBER(struct rsm_segment_row, acl_len, 92), MEMBER(struct rsm_segment_row, nodes, 96),
	MEMBER(struct rsm_segment_row, imports, 100),
	MEMBER(struct rsm_segment_row, mappings, 104),
	MEMBER(struct rsm_segment_row, pending, 108),
	MEMBER(struct rsm_ioc_segments, rows, 8), MEMBER(struct rsm_ioc_segments, capacity, 16),
	MEMBER(struct rsm_ioc_segments, count, 20),
	SIZE(struct rsm_path_row, 264),
	MEMBER(struct rsm_path_row, node, 32), MEMBER(struct rsm_path_row, state, 36),
	MEMBER(struct rsm_path_row, link, 40), MEMBER(struct rsm_path_row, count, 72),
	MEMBER(struct rsm_ioc_counters, rows, 8), MEMBER(struct rsm_ioc_counters, capacity, 16),
	MEMBER(struct rsm_ioc_counters, count, 20),
	MEMBER(struct rsm_ioc_counters, pinned_bytes, 24),
	MEMBER(struct rsm_ioc_counters, max_pinned_bytes, 32),
	MEMBER(struct rsm_ioc_counters, segments, 40),
	MEMBER(struct rsm_ioc_counters, max_segments, 44),
	MEMBER(struct rsm_ioc_counters, ids, 48),
	MEMBER(struct rsm_ioc_counters, generated_ids, 52),
	MEMBER(struct rsm_ioc_counters, local_node, 56),
	VALUE(RSM_COUNTS, 24), VALUE(RSM_COUNT_MESSAGES_SENT, 0),
	VALUE(RSM_COUNT_MESSAGES_RECEIVED, 1), VALUE(RSM_COUNT_MESSAGES_DROPPED, 2),
	VALUE(RSM_COUNT_MESSAGES_FAILED, 3), VALUE(RSM_COUNT_SESSIONS, 4),
	VALUE(RSM_COUNT_CONNECTS_MADE, 5), VALUE(RSM_COUNT_CONNECTS_FAILED, 6),
	VALUE(RSM_COUNT_CONNECTS_GRANTED, 7), VALUE(RSM_COUNT_CONNECTS_REFUSED, 8),
	VALUE(RSM_COUNT_DISCONNECTS, 9), VALUE(RSM_COUNT_EVICTIONS, 10),
	VALUE(RSM_COUNT_POSTS_SENT, 11), VALUE(RSM_COUNT_POSTS_FAILED, 12),
	VALUE(RSM_COUNT_POSTS_RECEIVED, 13), VALUE(RSM_COUNT_POSTS_DROPPED, 14),
	VALUE(RSM_ROW_NEW, 0), VALUE(RSM_ROW_EXPORT, 1), VALUE(RSM_ROW_IMPORT, 2),
	VALUE(RSM_EXPORT_STATE_BOUND, 0), VALUE(RSM_EXPORT_STATE_PUBLISHED, 1),
	VALUE(RSM_EXPORT_STATE_ZOMBIE, 2), VALUE(RSM_IMPORT_STATE_CONNECTED, 0),
	VALUE(RSM_IMPORT_STATE_ENDED, 1),
};

static int count, failed;

static void check(const struct number *numbers, size_t n)
{
	const struct number *number;

	for (number = numbers; number < numbers + n; number++) {
		int good = number->got == number->wanted;

		printf("%s %d - %s is %#llx\n", good ? "ok" : "not ok", ++count, number->name,
		       number->wanted);
		if (!good)
			printf("# it is %#llx\n", number->got);
		failed += !good;
	}
}

#define CHECK(numbers)	check(numbers, sizeof(numbers) / sizeof((numbers)[0]))

int main(void)
{
	CHECK(errors);
	CHECK(constants);
#ifdef __LP64__
	CHECK(types);
#endif
	CHECK(agent);
	printf("1..%d\n", count);
	return failed ? 1 : 0;
}
