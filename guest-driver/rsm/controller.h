/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The contract between the kernel agent (rsm.ko) and adapter drivers: one ops
 * table down, a few events up.  The agent knows no register, the adapter knows
 * no segment id, no file and no access list beyond node bitmaps.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#ifndef RSMKA_CONTROLLER_H
#define RSMKA_CONTROLLER_H

#include <linux/bitmap.h>
#include <linux/mm_types.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/types.h>

#include "../include/uapi/rsm.h"

#define RSMKA_NODES		256	/* node ids 1..255 */
#define RSMKA_MESSAGE_MAX	88	/* bytes of one message between agents */

struct rsmka_controller;		/* the agent's object, one per adapter */

struct rsmka_attr {
	u32 direct_access_sizes;	/* as in struct rsm_ioc_controller */
	u32 atomic_sizes;
	u64 page_size;
	u64 max_export_segment_size;
	u64 tot_export_segment_size;
	u64 max_export_segments;
	u64 max_import_map_size;
	u64 tot_import_map_size;
	u64 max_import_segments;
	u32 max_access_lists;		/* that differ, among all exports; 0 = no limit */
};

/* Which nodes may read and write an export. */
struct rsmka_access {
	DECLARE_BITMAP(read, RSMKA_NODES);
	DECLARE_BITMAP(write, RSMKA_NODES);
};

/* What the exporter's agent tells the importer's: where the pages are in the fabric. */
struct rsmka_address {
	u64 offset;	/* fabric address within the node, a multiple of 4 KiB */
	u32 key;	/* never used twice by one incarnation of a node */
};

/*
 * How long to wait while there is no room for a message: jiffies, until a signal comes
 * (-EINTR) or the time is over (-ETIMEDOUT), or one of these.
 */
#define RSMKA_NO_WAIT		0L	/* -EAGAIN */
#define RSMKA_WAIT		MAX_SCHEDULE_TIMEOUT	/* until a signal comes */
#define RSMKA_WAIT_IDLE		(-1L)	/* for as long as the session lasts, whatever comes */

/* A node that has come up. */
struct rsmka_peer_info {
	u32 session;	/* not 0; another one each time that a node of the adapter comes up */
	u32 unit;	/* in the name of the node's adapter; the node may say anything */
	u64 hwaddr;
};

/*
 * Ops down.  All may sleep, but for the looks, and are called without any lock of the agent
 * that an event below takes.  -errno: EHOSTUNREACH peer not up, ESTALE another
 * session, ENXIO the exporter took the pages back, EACCES the exporter does
 * not allow it, ENOSPC adapter resources exhausted, ENOMEM, ENODEV adapter gone.
 */
struct rsmka_controller_ops {
	struct module *owner;

	/*
	 * Offer pages to other nodes, @pages and after them @last.  The caller has pinned them
	 * and keeps them, and the array, until withdraw() has returned, or rebind() those
	 * that it replaces.  @handle and @address are valid on 0.  Waits for a peer only
	 * if @wait, until a signal comes (-EINTR), otherwise -ENOSPC.
	 */
	int (*offer)(void *adapter, struct page **pages, unsigned long nr_pages,
		     struct page *last, const struct rsmka_access *access, bool wait,
		     struct rsmka_address *address, void **handle);
	/* Replace the access rights; mappings that exist keep theirs. */
	int (*regrant)(void *adapter, void *handle, const struct rsmka_access *access,
		       bool wait);
	/*
	 * Put other pages in the place of those offered, but for the last.  Mappings
	 * of peers go over to them, page by page, without a gap.  On return no
	 * peer reaches the old ones.  Waits as withdraw() does; never fails.
	 */
	void (*rebind)(void *adapter, void *handle, struct page **pages);
	/*
	 * On return no peer reaches the pages and none will.  Waits, not
	 * interruptibly, for peers that live; never fails.
	 */
	void (*withdraw)(void *adapter, void *handle);

	/*
	 * Map pages of a peer into the window.  @phys: where, contiguous, of
	 * ordinary memory type (map it write-back).
	 */
	int (*map)(void *adapter, u32 node, u32 session, const struct rsmka_address *address,
		   unsigned long nr_pages, bool write, phys_addr_t *phys, void **handle);
	/* The caller has removed every mapping of the window range. */
	void (*unmap)(void *adapter, void *handle);
	/* Whether all pages are still the exporter's (false after revocation or loss). */
	bool (*mapped)(void *adapter, void *handle);

	/*
	 * The path state of a node, readable at any time while the controller is registered;
	 * @phys is its physical address, its page may be mapped to user space read-only.
	 *
	 * Its layout is the agent's contract with programs, which the adapter provides.  So is
	 * what a program concludes from it: whoever reads a word after an access that failed and
	 * a full fence sees `changes`, `errors` or `revokes` raised.  Only the adapter can do
	 * that; a copy that anybody keeps in memory would be raised later.
	 */
	const struct rsm_path_state *(*path_state)(void *adapter, u32 node, phys_addr_t *phys);

	/*
	 * Send one message of a session, in order, to the agent on a node.  0 = it is in
	 * the peer's memory.
	 */
	int (*send)(void *adapter, u32 node, u32 session, const void *message, size_t length,
		    long patience);

	/*
	 * For a thread that expects a message and does not want to be woken for it: look()
	 * receives what has come and says whether there was anything.  Between begin and end
	 * of a look the node need not interrupt this one.  @node was up once.  They do not
	 * sleep.  All of them or none; without them messages come by themselves.
	 */
	bool (*look)(void *adapter, u32 node);
	void (*look_begin)(void *adapter, u32 node);
	void (*look_end)(void *adapter, u32 node);
};

/*
 * Events up.  Called in process context by the adapter, but for rsmka_receive(); one at a
 * time per peer, in the order in which things happened; they do not wait for a peer.
 */

/*
 * Register an adapter as controller <type><unit>, e.g. "sci" 0.  The node id is
 * the same for all adapters of a machine: -EINVAL with a message if not.
 * Other errors: -EEXIST, -EINVAL (name), -ENOMEM.  Returns an ERR_PTR.
 */
struct rsmka_controller *rsmka_controller_register(const char *type, unsigned int unit,
						   u32 node, u64 hwaddr,
						   const struct rsmka_attr *attr,
						   const struct rsmka_controller_ops *ops,
						   void *adapter);
/*
 * The adapter goes away: imports over it are force-disconnected, exports over
 * it unpublished.  On return no op is running and none will be called.  Before
 * it calls this, the adapter stops its events and lets send() fail, so that
 * nobody sleeps in it.
 */
void rsmka_controller_unregister(struct rsmka_controller *controller);

/*
 * A peer can be mapped and sent to, and so can we by its agent; always preceded by peer_down
 * for an earlier session.  -ENOMEM: nothing has happened, call it again.
 */
int rsmka_peer_up(struct rsmka_controller *controller, u32 node,
		  const struct rsmka_peer_info *info);
/* The session is over, what was mapped of the peer is gone. */
void rsmka_peer_down(struct rsmka_controller *controller, u32 node);
/*
 * A message of the present session; length is bounded, content is hostile.  In any context;
 * false: not handled, it must be given again by a thread that may sleep.
 */
bool rsmka_receive(struct rsmka_controller *controller, u32 node, const void *message,
		   size_t length, bool may_sleep);

#endif /* RSMKA_CONTROLLER_H */
