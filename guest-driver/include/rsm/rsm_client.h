/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What modules of the kernel use of the agent rsm.ko: export memory of the kernel, import
 * segments of other nodes, post events, hear of paths.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * The objects are those of /dev/rsm: kernels and programs reach each other's segments.
 * The kernel is no user: nothing is charged, it exports as root, and it may import what
 * the access list gives its node.
 *
 * Functions may sleep unless they say that they do not.  They return 0 or -errno, or an
 * ERR_PTR.  Calls for one object are made one at a time, but for those that do not sleep.
 *
 * Segment ids.  Programs cannot publish RSM_DRIVER_PRIVATE, RSM_CLUSTER_TRANSPORT and
 * RSM_DLPI ones, so what is found there was published by a kernel.  That kernel may be
 * hostile all the same, and writes to what it imports whenever it likes.
 */
#ifndef RSM_CLIENT_H
#define RSM_CLIENT_H

#include <linux/types.h>

#include "../uapi/rsm.h"

struct rsmka_controller;
struct rsm_client_export;
struct rsm_client_import;
struct rsm_client_paths;

/**
 * struct rsm_client_ops - what a client wants to hear of a segment
 * @event: An event has come, or several.  In any context, with interrupts off: it may wake
 *	somebody or queue work, and calls no function of this header.  After that it is not
 *	called again for events in memory until rsm_client_export_events() has returned 0.
 * @ended: The connection of an import has ended, for good.  Process context, under locks of
 *	the agent: it may wake somebody or queue work, and calls no function of this header.
 *	Called at most once, maybe before rsm_client_connect() has returned.
 *
 * Both may be NULL.  Neither is called any more once the segment's last function has
 * returned, rsm_client_export_destroy() or rsm_client_disconnect().
 */
struct rsm_client_ops {
	void (*event)(void *priv);
	void (*ended)(void *priv);
};

/* ---- controllers ---- */

/**
 * rsm_client_controller_get - find a controller by its name
 * @name: "loopback", or type and unit of an adapter such as "sci0"
 *
 * The reference keeps the adapter's module loaded, not the adapter.
 *
 * Return: NULL if there is none of that name.
 */
struct rsmka_controller *rsm_client_controller_get(const char *name);

/**
 * rsm_client_controller_put - let go of a controller
 * @controller: from rsm_client_controller_get()
 */
void rsm_client_controller_put(struct rsmka_controller *controller);

/**
 * rsm_client_local_node - the number of this node
 *
 * Any context.
 *
 * Return: 0 while there is no adapter.
 */
u32 rsm_client_local_node(void);

/* ---- paths ---- */

/**
 * struct rsm_client_paths_ops - what a client wants to hear of the paths of a controller
 * @up: The agent on a node can be reached: connecting makes sense now.
 * @down: It cannot any more; connections to it have ended.  Follows an @up of the node.
 * @gone: The adapter goes, and waits until the client has unmapped and unpublished what
 *	it has over it.  Nothing follows.
 *
 * Process context, one at a time.  They must not wait for a peer: they queue work, and call
 * no function of this header.  All three are set.
 */
struct rsm_client_paths_ops {
	void (*up)(void *priv, u32 node);
	void (*down)(void *priv, u32 node);
	void (*gone)(void *priv);
};

/**
 * rsm_client_paths_watch - hear of paths from now on
 * @controller: a controller that the caller has a reference to
 * @ops: what to call
 * @priv: for @ops
 *
 * Calls @up for each path that is up already.  Holds the controller, but not the module of
 * its adapter.
 *
 * Return: an ERR_PTR: -ENODEV the adapter is going, -ENOMEM.
 */
struct rsm_client_paths *rsm_client_paths_watch(struct rsmka_controller *controller,
						const struct rsm_client_paths_ops *ops,
						void *priv);

/**
 * rsm_client_paths_unwatch - hear of paths no more
 * @paths: from rsm_client_paths_watch(), also after @gone
 *
 * Not from a callback of it.  On return no callback is running.
 */
void rsm_client_paths_unwatch(struct rsm_client_paths *paths);

/* ---- exports ---- */

/**
 * rsm_client_export_create - make memory of the kernel a segment
 * @controller: over which others find it; a reference to it is taken
 * @memory: from vmalloc() or of the page allocator, page aligned; not of slab
 * @length: bytes, whole pages
 * @ops: what to call, or NULL
 * @priv: for @ops
 *
 * Takes a reference to each page, and keeps it until no node reaches the page, also beyond
 * rsm_client_export_destroy(): the client may free the memory when it likes.
 *
 * Return: an ERR_PTR: -EINVAL no such memory, -ENOSPC longer than the controller can, -EAGAIN no
 * segment number is free, -ENOMEM.
 */
struct rsm_client_export *rsm_client_export_create(struct rsmka_controller *controller,
						   void *memory, size_t length,
						   const struct rsm_client_ops *ops, void *priv);

/**
 * rsm_client_export_publish - let others find an export
 * @export: an export that is not published
 * @segment_id: below RSM_USER_APP_ID_BASE; 0: one is chosen and stored there
 * @acl: which nodes may connect, with what permission, 0400 | 0200 for kernels
 * @len: entries of @acl, at most RSM_ACL_MAX; 0: every node, 0600
 *
 * Return: 0; -EINVAL (access list), -EADDRNOTAVAIL (id), -EADDRINUSE, -EALREADY it is published,
 * -ENETUNREACH a node was never reachable, -ENODEV the adapter is gone, -ENOSPC, -ENOMEM, -EINTR.
 */
int rsm_client_export_publish(struct rsm_client_export *export, u32 *segment_id,
			      const struct rsm_acl_entry *acl, u32 len);

/**
 * rsm_client_export_unpublish - end all imports of an export
 * @export: a published export
 *
 * On return nobody finds it and its id is free; waits, until a signal comes, for peers to let
 * go of the memory.
 *
 * Return: 0; -ENOENT it is not published; -EINTR the rest goes on, call it again to wait.
 */
int rsm_client_export_unpublish(struct rsm_client_export *export);

/**
 * rsm_client_export_post - one event to every import of the segment
 * @export: an export
 *
 * Waits for no peer: it is sent when there is room in the queue of the node.  Nodes that
 * cannot be reached do not get it.
 *
 * Return: 0 or -ENOMEM.
 */
int rsm_client_export_post(struct rsm_client_export *export);

/**
 * rsm_client_export_events - take what events have come
 * @export: an export
 *
 * Does not sleep, any context but @event.
 *
 * Return: how many.  0: @event is called when there is one.
 */
u32 rsm_client_export_events(struct rsm_client_export *export);

/**
 * rsm_client_export_destroy - let go of an export
 * @export: published or not
 *
 * Unpublishes it without waiting for peers.  On return no callback is running.
 */
void rsm_client_export_destroy(struct rsm_client_export *export);

/* ---- imports ---- */

/**
 * rsm_client_connect - import a segment
 * @controller: over which to look for it
 * @node: that exports it; the own one is allowed
 * @segment_id: of the segment
 * @permission: RSM_PERM_READ, RSM_PERM_WRITE; 0: only to post
 * @ops: what to call, or NULL
 * @priv: for @ops
 * @timeout: jiffies to wait for the node, or MAX_SCHEDULE_TIMEOUT
 *
 * Waits for the node, until a signal comes or the time is over.
 *
 * Return: an ERR_PTR: -ENOENT not published, -EACCES not to this node, -EPERM not with that
 * permission, -EHOSTUNREACH no path, -ENETUNREACH there never was one, -ECONNABORTED the path
 * was lost meanwhile, -ETIMEDOUT, -EINTR, -ENODEV, -EPROTO, -ENOSPC, -EAGAIN, -ENOMEM, -EINVAL.
 */
struct rsm_client_import *rsm_client_connect(struct rsmka_controller *controller, u32 node,
					     u32 segment_id, u32 permission,
					     const struct rsm_client_ops *ops, void *priv,
					     long timeout);

/**
 * rsm_client_import_length - how long the segment is
 * @import: an import
 *
 * Any context.
 *
 * Return: bytes, whole pages of this node.
 */
u64 rsm_client_import_length(const struct rsm_client_import *import);

/**
 * rsm_client_map - map all of the segment
 * @import: an import that is not mapped
 *
 * The address is ordinary memory, that of the exporter.  It stays valid until
 * rsm_client_unmap(), also when the connection has ended: from when the exporter has its
 * memory back on, or its node is lost, nothing that is written arrives, and what is read is
 * nothing.  Pages of a kernel on this node are kept instead.  The window and the adapter wait
 * for the client, so it unmaps soon.
 *
 * Return: an ERR_PTR: -ECONNABORTED it has ended, -EACCES, -ENOSPC no room in the window, -ENOMEM,
 * -EBUSY it is mapped, -EOPNOTSUPP a program of this node exports it.
 */
void *rsm_client_map(struct rsm_client_import *import);

/**
 * rsm_client_unmap - undo rsm_client_map()
 * @import: an import; nobody uses the address any more
 */
void rsm_client_unmap(struct rsm_client_import *import);

/**
 * rsm_client_check - whether the connection stands
 * @import: an import
 *
 * Asks the adapter, which may know before the agent.
 *
 * Return: 0, or -ECONNABORTED; @ended has been called then.
 */
int rsm_client_check(struct rsm_client_import *import);

/**
 * rsm_client_post - one event to the exporter
 * @import: an import
 *
 * Waits for no peer: it is sent when there is room in the queue of the node.
 *
 * Return: 0; -ECONNABORTED it has ended, -EHOSTUNREACH, -ENOBUFS thousands of messages to the node
 * have not been sent yet.
 */
int rsm_client_post(struct rsm_client_import *import);

/**
 * rsm_client_import_events - take what events have come
 * @import: an import
 *
 * As rsm_client_export_events().
 *
 * Return: how many.
 */
u32 rsm_client_import_events(struct rsm_client_import *import);

/**
 * rsm_client_disconnect - let go of an import
 * @import: an import that is not mapped
 *
 * On return no callback is running.
 */
void rsm_client_disconnect(struct rsm_client_import *import);

#endif /* RSM_CLIENT_H */
