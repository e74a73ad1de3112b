/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The RSMAPI: a program exports a piece of its memory, programs on other nodes
 * of the interconnect import it and load and store into it directly.  Source
 * compatible with Solaris; "Guide" names the section of the Solaris
 * Programming Interfaces Guide, chapter "Remote Shared Memory API".
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * Every function returns RSM_SUCCESS (0) or an RSMERR_* code; errno is not part
 * of the contract.  The codes of a function are listed in the order in which
 * they are tested.  All functions may be called by several threads at once; a
 * handle must not be used once it was given to the function that ends it, and
 * one rsmapi_barrier_t belongs to one thread at a time.  Each handle uses one
 * file descriptor, close-on-exec, numbered from 256 if the soft limit of
 * descriptors is above 256.  A child of fork() may use what it inherited,
 * except a handle that another thread was using at that moment; only the
 * creator of an export may publish, republish, rebind or unpublish it.
 */
#ifndef RSM_RSMAPI_H
#define RSM_RSMAPI_H

#include <poll.h>

#include <rsm/rsm_common.h>
#include <rsm/rsmapi_common.h>
#include <rsm/rsmapi_transfer.h>

/* The event of rsm_intr_signal_post(); <poll.h> hides it from strict ISO C. */
#ifndef POLLRDNORM
#define POLLRDNORM	0x040
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of a controller name, with its NUL; MAXNAMELEN is Solaris' name for it. */
#define RSM_MAXNAMELEN	256
#ifndef MAXNAMELEN
#define MAXNAMELEN	RSM_MAXNAMELEN
#endif

typedef enum {
	RSM_MAP_NONE = 0x0,
	RSM_MAP_FIXED = 0x1,		/* at *address, replacing what is there */
	RSM_MAP_RESERVED = 0x2		/* no effect */
} rsm_attribute_t;

typedef rsm_attribute_t rsm_map_attr_t;	/* the guide's name */

/* connection_state: the only one that can be used. */
#define RSM_CONNECTION_ACTIVE	3

typedef struct rsm_topology_hdr {
	rsm_node_id_t local_nodeid;
	uint_t local_cntlr_count;	/* entries of connections[] */
} rsm_topology_hdr_t;

typedef struct rsm_connections_hdr {
	char cntlr_name[RSM_MAXNAMELEN];	/* type and unit, "sci0" */
	rsm_addr_t local_hwaddr;
	int remote_cntlr_count;			/* entries of remote_cntlr[] */
} rsm_connections_hdr_t;

typedef struct rsm_remote_cntlr {
	rsm_node_id_t remote_nodeid;
	char remote_cntlrname[RSM_MAXNAMELEN];
	rsm_addr_t remote_hwaddr;
	uint_t connection_state;	/* RSM_CONNECTION_ACTIVE, or not usable */
} rsm_remote_cntlr_t;

typedef struct rsm_connection {
	rsm_connections_hdr_t hdr;
	rsm_remote_cntlr_t remote_cntlr[1];
} rsm_connections_t;

typedef struct rsm_topology {
	rsm_topology_hdr_t topology_hdr;
	rsm_connections_t *connections[1];
} rsm_topology_t;

/* ---- Controllers (Guide: Interconnect Controller Operations) ---- */

/*
 * Open a controller.  @name is its type and unit, "sci0"; no digits mean unit
 * 0; "loopback", whatever its unit, and NULL mean the controller for segments
 * of this machine.  Opening a controller again gives the same handle; each
 * success needs one release.
 *
 * BAD_CTLR_HNDL @controller is NULL; CTLR_NOT_PRESENT no such controller, or no
 * kernel agent; PERM_DENIED, INSUFFICIENT_RESOURCES the agent cannot be opened;
 * BAD_LIBRARY_VERSION the agent has another interface; INSUFFICIENT_MEM.
 */
int rsm_get_controller(char *name, rsmapi_controller_handle_t *controller);

/*
 * Undo one rsm_get_controller().  Segments made through the controller stay.
 *
 * BAD_CTLR_HNDL @controller is NULL or not open.
 */
int rsm_release_controller(rsmapi_controller_handle_t controller);

/*
 * Copy the attributes as they were when the controller was opened.
 *
 * BAD_CTLR_HNDL @controller is NULL; BAD_ADDR @attr is NULL; CTLR_NOT_PRESENT
 * @controller is not open.
 */
int rsm_get_controller_attr(rsmapi_controller_handle_t controller,
			    rsmapi_controller_attr_t *attr);

/* ---- Topology (Guide: Cluster Topology Operations) ---- */

/*
 * A snapshot of all controllers but loopback and of the nodes they are
 * connected to, in one block that rsm_free_interconnect_topology() frees.
 * *topology is NULL after a failure.
 *
 * BAD_TOPOLOGY_PTR @topology is NULL; CTLR_NOT_PRESENT, PERM_DENIED,
 * INSUFFICIENT_RESOURCES the kernel agent cannot be opened; INSUFFICIENT_MEM.
 */
int rsm_get_interconnect_topology(rsm_topology_t **topology);

/* NULL is accepted. */
void rsm_free_interconnect_topology(rsm_topology_t *topology);

/*
 * ---- Exports (Guide: Export-Side Memory Segment Operations) ----
 *
 * A segment lives until it is destroyed, its process ends or any part of its
 * address range is unmapped; importers then get RSMERR_CONN_ABORTED.
 */

/*
 * Pin [@vaddr, @vaddr + @size) as a segment that nobody can see yet.  @vaddr
 * and @size (bytes) are multiples of the system's page size.  @flags:
 * RSM_ALLOW_REBIND; RSM_CREATE_SEG_DONTWAIT, with which creating, publishing
 * and republishing the segment is INSUFFICIENT_RESOURCES where it would wait for
 * other threads or nodes to give something back; others are ignored.  Who may
 * connect is fixed here: caller's user and group, and 0777 less the umask.
 * *@memseg is NULL after a failure.
 *
 * BAD_CTLR_HNDL @controller is NULL or not open; BAD_SEG_HNDL @memseg is NULL;
 * BAD_ADDR @vaddr is NULL; BAD_LENGTH @size is 0; BAD_MEM_ALIGNMENT;
 * BAD_LENGTH @size above attr_max_export_segment_size (not on loopback);
 * INSUFFICIENT_MEM; INSUFFICIENT_RESOURCES no descriptor or segment left;
 * CTLR_NOT_PRESENT; INTERRUPTED; INSUFFICIENT_MEM memory limits; BAD_ADDR not
 * mapped, or not memory that can be pinned; PERM_DENIED not writable.
 */
int rsm_memseg_export_create(rsmapi_controller_handle_t controller,
			     rsm_memseg_export_handle_t *memseg,
			     void *vaddr, size_t size, uint_t flags);

/*
 * Put [@vaddr, @vaddr + @size), other memory of the calling process, in the
 * place of the segment's, published or not, which is unpinned.  @size is the
 * segment's, @off is ignored.  Importers stay connected; on return their
 * mappings show the new memory, and each access before that has reached either
 * the old or the new.  The contents are not copied.  Waits, not interruptibly,
 * for importing nodes.  Memory limits count both while it lasts.  To rebind to
 * the address that is bound does nothing.
 *
 * BAD_SEG_HNDL @memseg is NULL or no export; BAD_ADDR @vaddr is NULL;
 * REBIND_NOT_ALLOWED created without RSM_ALLOW_REBIND; NOT_CREATOR; BAD_LENGTH;
 * INTERRUPTED; BAD_SEG_HNDL the segment's memory is gone; BAD_ADDR not aligned;
 * INSUFFICIENT_MEM; BAD_ADDR not mapped, or not memory that can be pinned;
 * PERM_DENIED not writable.  After an error the old memory stays.
 */
int rsm_memseg_export_rebind(rsm_memseg_export_handle_t memseg, void *vaddr,
			     off_t off, size_t size);

/*
 * Unpublish if necessary and unpin.  Waits for importers to be cut off.
 *
 * BAD_SEG_HNDL @memseg is NULL or no export; POLLFD_IN_USE.
 */
int rsm_memseg_export_destroy(rsm_memseg_export_handle_t memseg);

/*
 * Let importers connect.  *@segment_id names the segment on this node, from
 * 0x400000 to 0x7fffffff; 0 asks for a free id, which is stored there.
 * @access_list: the nodes that may connect and what their users may do, at
 * most 64 entries, on loopback one; with @access_list_length 0 all nodes may,
 * with the permissions of the creation.  After a failure the segment can be
 * published again.
 *
 * BAD_SEGID @segment_id is NULL; BAD_SEG_HNDL @memseg is NULL or no export;
 * BAD_ACL length without list; SEG_ALREADY_PUBLISHED; RESERVED_SEGID;
 * NOT_CREATOR; BAD_ACL too long, bad node or permission; BAD_ADDR list not
 * readable; INTERRUPTED; INSUFFICIENT_RESOURCES ids exhausted; BAD_SEG_HNDL
 * the memory is gone; SEGID_IN_USE; INTERNAL_ERROR a node of the list has no
 * path; INSUFFICIENT_MEM.
 */
int rsm_memseg_export_publish(rsm_memseg_export_handle_t memseg,
			      rsm_memseg_id_t *segment_id,
			      rsmapi_access_entry_t access_list[],
			      uint_t access_list_length);

/*
 * Replace the access list of a published segment; arguments as of
 * rsm_memseg_export_publish().  Importers that are connected keep what they
 * have; who connects from then on is judged by the new list.
 *
 * BAD_SEG_HNDL @memseg is NULL or no export; SEG_NOT_PUBLISHED, also if the
 * memory is gone; BAD_ACL length without list; NOT_CREATOR; BAD_ACL too long,
 * bad node or permission; BAD_ADDR list not readable; INTERRUPTED;
 * INTERNAL_ERROR a node of the list has no path; INSUFFICIENT_MEM;
 * INSUFFICIENT_RESOURCES.  After an error the old list is in force.
 */
int rsm_memseg_export_republish(rsm_memseg_export_handle_t memseg,
				rsmapi_access_entry_t access_list[],
				uint_t access_list_length);

/*
 * Cut off all importers and free the id.  On return no importer reaches the
 * memory; the segment can be published again.
 *
 * BAD_SEG_HNDL @memseg is NULL or no export; SEG_NOT_PUBLISHED; POLLFD_IN_USE;
 * NOT_CREATOR; INTERRUPTED; SEG_NOT_PUBLISHED the memory is gone.
 */
int rsm_memseg_export_unpublish(rsm_memseg_export_handle_t memseg);

/*
 * ---- Imports (Guide: Import-Side Memory Segment Operations) ----
 *
 * A connection ends when the exporter unpublishes, ends, or cannot be reached
 * any more.  A mapping then stays and can be accessed, without effect on the
 * exporter and with no meaning of what is read; barriers report
 * RSMERR_CONN_ABORTED.  The handle must still be unmapped and disconnected.
 */

/*
 * Connect to segment @segment_id of node @node_id, which may be the own node.
 * @perm: RSM_PERM_READ, RSM_PERM_WRITE, both or none.  Waits for the exporter's
 * answer as long as there is a path to it.  *@im_memseg is NULL after a
 * failure.
 *
 * BAD_CTLR_HNDL @controller is NULL or not open; BAD_SEG_HNDL @im_memseg is
 * NULL; PERM_DENIED bits other than those of @perm; INSUFFICIENT_MEM;
 * INSUFFICIENT_RESOURCES no descriptor or segment left; CTLR_NOT_PRESENT, also
 * for another node through loopback; INTERNAL_ERROR no path is known to
 * the node; REMOTE_NODE_UNREACHABLE; CONN_ABORTED the path was lost meanwhile;
 * INTERRUPTED; SEG_NOT_PUBLISHED; SEG_NOT_PUBLISHED_TO_NODE; PERM_DENIED the
 * exporter does not grant @perm to the caller's user.
 */
int rsm_memseg_import_connect(rsmapi_controller_handle_t controller,
			      rsm_node_id_t node_id, rsm_memseg_id_t segment_id,
			      rsm_permission_t perm,
			      rsm_memseg_import_handle_t *im_memseg);

/*
 * End the connection and free the handle; a mapping that put or get made ends,
 * barriers of it that were not destroyed become invalid.
 *
 * BAD_SEG_HNDL @im_memseg is NULL or no import; SEG_STILL_MAPPED by
 * rsm_memseg_import_map(); POLLFD_IN_USE.
 */
int rsm_memseg_import_disconnect(rsm_memseg_import_handle_t im_memseg);

/*
 * Map [@offset, @offset + @length) of the segment, in bytes; one mapping per
 * handle, that of put and get included.  @offset is a multiple of the page size.
 * *@address is where to map with RSM_MAP_FIXED, otherwise a hint, best NULL; on
 * success it is the mapping.  @perm: RSM_PERM_READ, RSM_PERM_WRITE, both or
 * none, within what was connected with.
 *
 * BAD_SEG_HNDL @im_memseg is NULL; BAD_ADDR @address is NULL;
 * SEG_ALREADY_MAPPED; BAD_SEG_HNDL no import; BAD_PERMS above 0600; BAD_LENGTH
 * @length is 0 or reaches beyond the segment; BAD_MEM_ALIGNMENT @offset, or
 * *@address with RSM_MAP_FIXED; BAD_PERMS not granted; CONN_ABORTED the
 * connection has ended; INSUFFICIENT_RESOURCES; MAP_FAILED.
 */
int rsm_memseg_import_map(rsm_memseg_import_handle_t im_memseg, void **address,
			  rsm_attribute_t attr, rsm_permission_t perm,
			  off_t offset, size_t length);

/*
 * Undo rsm_memseg_import_map(), or the mapping that put or get made; also after
 * the connection has ended.
 *
 * BAD_SEG_HNDL @im_memseg is NULL or no import; SEG_NOT_MAPPED; POLLFD_IN_USE.
 */
int rsm_memseg_import_unmap(rsm_memseg_import_handle_t im_memseg);

/* ---- Events (Guide: Event Operations) ---- */

/*
 * Post one event: by an import handle to its exporter, by an export handle to
 * every import of the segment.  An event posted to a segment that is not
 * published or not imported is dropped.  @flags: RSM_SIGPOST_NO_ACCUMULATE
 * drops it where an event is pending already; others are ignored.
 *
 * BAD_SEG_HNDL @memseg is NULL; REMOTE_NODE_UNREACHABLE and CONN_ABORTED, for
 * an import handle only; INTERRUPTED.
 */
int rsm_intr_signal_post(void *memseg, uint_t flags);

/*
 * Take one event of an export or import handle, waiting up to @timeout
 * milliseconds for it; 0 does not wait, a negative one waits for ever.  Each
 * event satisfies one wait.  The end of a connection does not wake a waiter.
 *
 * BAD_SEG_HNDL @memseg is NULL; INTERRUPTED by a signal handler; TIMEOUT;
 * INSUFFICIENT_RESOURCES.
 */
int rsm_intr_signal_wait(void *memseg, int timeout);

/*
 * Fill @fd with the descriptor of a published export or of an import, and with
 * the event to poll for; each call needs one rsm_memseg_release_pollfd().
 * Until then unpublish, destroy, unmap and disconnect fail with POLLFD_IN_USE.
 * poll(2) on the descriptor works and consumes nothing.  After BAD_SEG_HNDL
 * for an export @fd->fd is -1.
 *
 * BAD_SEG_HNDL @memseg is NULL; BAD_ADDR @fd is NULL; BAD_SEG_HNDL the export is
 * not published.
 */
int rsm_memseg_get_pollfd(void *memseg, struct pollfd *fd);

/*
 * Surplus calls have no effect.
 *
 * BAD_SEG_HNDL @memseg is NULL.
 */
int rsm_memseg_release_pollfd(void *memseg);

/*
 * poll(2) for segments and anything else; takes one event of each segment that
 * has one and whose descriptor is from rsm_memseg_get_pollfd().  *@numfdsp
 * (may be NULL) is the number of entries with revents, 0 after a failure.
 *
 * INSUFFICIENT_RESOURCES; BAD_ADDR @fds cannot be accessed; INTERRUPTED by a
 * signal handler; BAD_ARGS_ERRORS @nfds is too large; TIMEOUT.
 */
int rsm_intr_signal_wait_pollfd(struct pollfd fds[], nfds_t nfds, int timeout, int *numfdsp);

/* ---- Segment ids (Guide: Segment Allocation) ---- */

/*
 * The range of ids that /etc/rsm/rsm.segmentid reserves for application
 * @appid, *@length ids from *@baseid.  Nothing enforces it.  A line of the file:
 * `reserved APPLICATION BASE LENGTH`, BASE in hexadecimal, LENGTH in decimal;
 * case does not matter; lines that are blank or begin with # are skipped.
 *
 * BAD_ADDR an argument is NULL; BAD_CONF no such file, or a malformed line
 * before or at that of @appid; BAD_APPID not in the file; INSUFFICIENT_MEM.
 */
int rsm_get_segmentid_range(const char *appid, rsm_memseg_id_t *baseid, uint32_t *length);

#ifdef __cplusplus
}
#endif

#endif /* RSM_RSMAPI_H */
