/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The objects of the agent: segments, exports, shares, and what the files that own
 * them offer each other.  They know no descriptor, process or ioctl: whose they are
 * (rsmka_file.h, rsmka_client.c) is behind two tables of functions.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * Locks, outermost first; each says at its declaration what it guards.
 *
 *	file->lock			in rsmka_file.h
 *	  export->lock		held over ops->offer/regrant, not over what waits for peers
 *	  mmap_lock of a process
 *	    share->map_mutex	held over ops->map/unmap/mapped
 *	    share->members
 *	      share->lock	also taken by faults, which may wait for memory
 *	      rsmka_shares_lock
 *	      controller->lock
 *	        xa_lock of rsmka_published
 *	          export->visitors_lock
 *	            path->lock		interrupts off, also of share->asked
 *	            events.wait.lock	interrupts off
 *	controller->watchers_lock	with none of these held, and none is taken under it
 *
 * Events from adapters take share->members and what is below it; therefore
 * no op of an adapter is called under any of these.
 */
#ifndef RSMKA_SEGMENT_H
#define RSMKA_SEGMENT_H

#include <linux/completion.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mm_types.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/uidgid.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "controller.h"
#include "rsmka_hold.h"

struct rsmka_export;
struct rsmka_path;
struct rsmka_share;

/* A digit of a permission word: owner, group, other. */
#define RSMKA_READ		0444u
#define RSMKA_WRITE		0222u
#define RSMKA_OWNER_READ	0400u
#define RSMKA_OWNER_WRITE	0200u
#define RSMKA_MODE		0666u

static inline unsigned int rsmka_list_length(const struct list_head *list)
{
	const struct list_head *entry;
	unsigned int length = 0;

	list_for_each(entry, list)
		length++;
	return length;
}

/* ---- results (rsmka_error.c) ---- */

/*
 * Functions that return int: 0 or -errno.  What only a program can do wrong, its ioctl
 * answers itself, by the RSMERR_* number, which is > 0.
 */
u32 rsmka_error_status(int ret);
int rsmka_error(u32 status);

/* ---- users (rsmka_user.c) ---- */

/* What all users share, and what each one's use of it is counted in. */
enum rsmka_shared {
	RSMKA_SHARED_SEGMENTS,
	RSMKA_SHARED_PAGES,		/* exported, as for max_exported_memory */
	RSMKA_SHARED_WINDOW,		/* bytes of adapters' windows */
	RSMKA_SHARED_ROWS,		/* access rights that differ, in adapters */
	RSMKA_SHARED_SPACE,		/* bytes of adapters' addresses for exports */
	RSMKA_SHARED_KINDS,
};

struct rsmka_access;
struct rsmka_controller;
struct rsmka_row;
struct rsmka_user;

extern unsigned int rsmka_max_user_share;

bool rsmka_charge(atomic_long_t *used, unsigned long amount, unsigned long limit);
unsigned long rsmka_user_part(unsigned long total);
struct rsmka_user *rsmka_user_get(void);
struct rsmka_user *rsmka_user_keep(struct rsmka_user *user);
void rsmka_user_put(struct rsmka_user *user);
bool rsmka_user_charge(struct rsmka_user *user, enum rsmka_shared kind, unsigned long amount,
		       unsigned long total);
void rsmka_user_uncharge(struct rsmka_user *user, enum rsmka_shared kind, unsigned long amount);
struct rsmka_row *rsmka_row_get(struct rsmka_user *user, struct rsmka_controller *controller,
				const struct rsmka_access *access);
void rsmka_row_put(struct rsmka_row *row);

/* ---- events (rsmka_event.c) ---- */

/* For how long to look for something before sleeping; see rsmka_look.c. */
struct rsmka_look_time {
	u32 ns;
	u64 failed;		/* when a look in vain began; 0: it has come since */
};

/*
 * Events are counted in words that, if the segment is an export, programs and kernels of
 * other nodes write to as well: whatever they write, it is only the number of its events.
 */
struct rsmka_events {
	struct rsmka_look_time look_time;
	wait_queue_head_t wait;	/* its lock guards `taken`, `dropped`; taken in interrupts */
	struct rsm_event_words *words;	/* set once, by store-release */
	struct rsm_event_words own;	/* while nobody else writes to them */
	u64 taken;		/* ever */
	u64 dropped;		/* posted, never pending */
};

static inline u32 rsmka_events_pending(const struct rsmka_events *events)
{
	/* Pairs with rsmka_events_share(). */
	const struct rsm_event_words *words = smp_load_acquire(&events->words);

	return READ_ONCE(words->posted) - (u32)READ_ONCE(events->taken);
}

void rsmka_look_init(struct rsmka_look_time *time);
void rsmka_look_came(struct rsmka_look_time *time);
void rsmka_events_init(struct rsmka_events *events);
void rsmka_events_share(struct rsmka_events *events, struct rsm_event_words *words);
void rsmka_events_unshare(struct rsmka_events *events);
bool rsmka_events_sleep(struct rsmka_events *events);
void rsmka_events_wake(struct rsmka_events *events);
void rsmka_events_add(struct rsmka_events *events, u32 post_flags);
bool rsmka_events_take(struct rsmka_events *events);
u32 rsmka_events_take_all(struct rsmka_events *events);

/* ---- segments (rsmka_segment.c) ---- */

/* Whose something is, for who looks at it: nothing is decided by that. */
struct rsmka_owner {
	struct pid *pid;		/* thread group; NULL: the kernel */
	kuid_t uid;
	kgid_t gid;
};

struct rsmka_grant;
struct rsmka_segment;

/* What a segment wants of its owner.  Those that may be NULL say so. */
struct rsmka_segment_ops {
	/*
	 * Whether the owner may connect with @wanted (owner bits), if @mode is what his node
	 * gets of the grant.  In the thread that calls for him.  NULL: it never imports.
	 */
	bool (*permitted)(const struct rsmka_grant *grant, u32 mode, u32 wanted);
	/* An event has come.  In any context, under events.wait.lock. */
	void (*event)(struct rsmka_segment *seg);
	/*
	 * The pages of the connection are others now: take them from whoever has them mapped.
	 * Under share->members.  May be NULL.
	 */
	void (*zap)(struct rsmka_segment *seg);
	/* The connection has ended.  Under share->members.  May be NULL. */
	void (*ended)(struct rsmka_segment *seg);
	/* It is closed, and peers have let go of what it exported.  May sleep.  May be NULL. */
	void (*gone)(struct rsmka_segment *seg);
	/* Nobody has a reference; those under RCU may still read. */
	void (*free)(struct rsmka_segment *seg);
};

/* An export or an import, or what is to become one of them. */
struct rsmka_segment {
	struct kref ref;		/* its owner; whoever found it in a table */
	u32 number;			/* index of its generation word */
	const struct rsmka_segment_ops *ops;
	struct rsmka_user *user;	/* charged for what it takes; NULL: the kernel's own */
	struct rsmka_owner owner;
	struct rsmka_export *export;	/* set once, by store-release */
	struct rsmka_share *share;	/* set once, by store-release, after mode */
	u32 mode;			/* import: what may be mapped, owner bits count */
	struct list_head sharers;	/* in share->imports */
	bool sharing;			/* it is there; rsmka_shares_lock */
	struct rcu_head rcu;
	struct rsmka_events events;
};

/* What a segment has become, complete; NULL if it is not that. */
static inline struct rsmka_export *rsmka_segment_export(const struct rsmka_segment *seg)
{
	return smp_load_acquire(&seg->export);	/* pairs with rsmka_export_show() */
}

static inline struct rsmka_share *rsmka_segment_share(const struct rsmka_segment *seg)
{
	return smp_load_acquire(&seg->share);	/* pairs with rsmka_import_connect() */
}

extern struct xarray rsmka_segments;	/* all of them, by number */
extern atomic_t rsmka_segments_open;	/* how many */
extern u16 *rsmka_generations;
extern size_t rsmka_generation_bytes;
extern unsigned int rsmka_max_segments;
extern struct workqueue_struct *rsmka_close_workqueue;

int rsmka_segments_init(void);
void rsmka_segments_exit(void);
int rsmka_segment_init(struct rsmka_segment *seg, const struct rsmka_segment_ops *ops,
		       struct rsmka_user *user, const struct rsmka_owner *owner);
bool rsmka_segment_close(struct rsmka_segment *seg);
void rsmka_segment_gone(struct rsmka_segment *seg);
void rsmka_segment_put(struct rsmka_segment *seg);
struct rsmka_segment *rsmka_segment_next(unsigned long *number);
bool rsmka_segment_over(const struct rsmka_segment *seg);
u16 rsmka_generation_raise(const struct rsmka_segment *seg);

/* ---- access control (rsmka_access.c) ---- */

struct rsmka_acl {
	u32 len;			/* 0: every node, creation permissions */
	struct rsm_acl_entry entry[RSM_ACL_MAX];
};

/* What an exporter tells an importing node. */
struct rsmka_grant {
	u64 length;
	u32 mode;			/* at most 0666 */
	u32 uid;			/* of the exporter, as in the initial namespace */
	u32 gid;
	struct rsmka_address address;
	bool big_endian;
};

bool rsmka_acl_lookup(const struct rsmka_acl *acl, u32 creation_mode, u32 node, u32 *mode);
bool rsmka_acl_grants(const struct rsmka_acl *acl, u32 creation_mode, u32 node);
void rsmka_row_add(struct rsmka_access *access, u32 node, u32 mode);
bool rsmka_acl_admits_others(const struct rsmka_acl *acl, u32 local_node);
void rsmka_acl_rows(const struct rsmka_acl *acl, u32 creation_mode, u32 local_node,
		    struct rsmka_access *access);
u32 rsmka_access_missing(u32 granted, unsigned int shift, u32 wanted);

/* ---- memory of exports ---- */

struct rsmka_memory;

struct rsmka_memory_ops {
	/* Nobody reaches the pages any more.  Does nothing when repeated; may sleep. */
	void (*drop)(struct rsmka_memory *memory);
	/* Likewise, and the object goes.  Never under export->lock. */
	void (*free)(struct rsmka_memory *memory);
};

/* Pages that are exported, embedded in what their owner keeps with them. */
struct rsmka_memory {
	const struct rsmka_memory_ops *ops;
	struct page **pages;		/* NULL: dropped */
	unsigned long nr_pages;
};

/* ---- exports (rsmka_export.c, rsmka_publish.c) ---- */

enum rsmka_export_state {
	RSMKA_BOUND,
	RSMKA_PUBLISHED,
	RSMKA_ZOMBIE,			/* the exporter's memory went away */
};

/* What goes on until peers have answered, in a work item of the controller. */
enum rsmka_ending {
	RSMKA_NOTHING,
	RSMKA_WITHDRAWING,		/* the adapter takes the pages back */
	RSMKA_REBINDING,		/* the adapter takes the pages of `replaced` back */
};

struct rsmka_export {
	struct rsmka_segment *segment;
	struct rsmka_controller *controller;
	struct rsmka_owner owner;	/* when it was created: pid is a reference */
	u32 mode;			/* what an empty access list gives every node */
	u64 length;
	bool waits;			/* publishing may wait for peers and other threads */
	struct page *event_page;	/* struct rsm_event_words */

	struct rsmka_hold lock;		/* all below up to the next lock */
	enum rsmka_export_state state;
	enum rsmka_ending ending;	/* while it is not NOTHING, handle is the work's */
	bool lost;			/* meanwhile: the memory is gone */
	bool closing;			/* its owner has gone */
	bool untold;			/* unpublished, but the caller was told -EINTR */
	struct rsmka_memory *replaced;	/* REBINDING: the old memory */
	wait_queue_head_t ended;	/* ending is NOTHING, or progress is FINISHED */
	int progress;			/* of closing: RSMKA_END_*; by xchg and cmpxchg */
	struct list_head on_ends;	/* controller->lock */
	u32 segment_id;
	void *handle;			/* of the adapter; NULL if no other node has access */
	struct rsmka_row *row;		/* of the handle */
	struct rsmka_memory *memory;	/* changed under visitors_lock as well */
	struct list_head on_controller;	/* controller->lock */

	/* What connecting nodes read and write. */
	spinlock_t visitors_lock;	/* all below */
	bool open;
	struct rsmka_acl acl;
	struct rsmka_address address;
	struct list_head tokens;	/* one per importing node */
	unsigned int nr_tokens;
	/* Nodes whose events it hears while it is open; read without the lock. */
	DECLARE_BITMAP(posters, RSMKA_NODES);
	struct rcu_head rcu;
	DECLARE_BITMAP(visited, RSMKA_NODES);	/* nodes that imported it since it is published */
	struct list_head local;		/* shares of this node */
};

struct rsmka_export *rsmka_export_alloc(struct rsmka_segment *seg,
					struct rsmka_controller *controller, u64 length,
					const struct rsmka_owner *owner, u32 mode, bool waits);
void rsmka_export_bind(struct rsmka_export *export, struct rsmka_memory *memory);
void rsmka_export_show(struct rsmka_export *export);
void rsmka_export_rebind_locked(struct rsmka_export *export, struct rsmka_memory *fresh,
				struct rsmka_memory **unneeded);
int rsmka_export_enter(struct rsmka_export *export);
int rsmka_export_publish(struct rsmka_export *export, u32 *segment_id, const struct rsmka_acl *acl);
int rsmka_export_republish(struct rsmka_export *export, const struct rsmka_acl *acl);
int rsmka_export_unpublish(struct rsmka_export *export);
int rsmka_export_await(struct rsmka_export *export);
void rsmka_export_unpublish_locked(struct rsmka_export *export);
void rsmka_export_from_adapter(struct rsmka_export *export);
void rsmka_export_memory_lost(struct rsmka_export *export);
void rsmka_export_controller_gone(struct rsmka_export *export);
bool rsmka_export_close(struct rsmka_export *export);
void rsmka_export_gone(struct rsmka_export *export);
void rsmka_export_free(struct rsmka_export *export);

/* ---- ends that wait for peers (rsmka_end.c) ---- */

/* How far a closing has come that a closing process waits for a short time. */
#define RSMKA_END_RUNNING	0
#define RSMKA_END_OVERDUE	1	/* nobody waits any more */
#define RSMKA_END_FINISHED	2

/* How the thread that has closed an export waits, for a short time, until it is gone. */
enum rsmka_close_wait {
	RSMKA_CLOSE_NO_WAIT,
	RSMKA_CLOSE_KILLABLE,
	RSMKA_CLOSE_IDLE,		/* whatever signals have come */
};

void rsmka_export_close_wait(struct rsmka_export *export, enum rsmka_close_wait how);
void rsmka_end_begin(struct rsmka_export *export);
void rsmka_end_work(struct work_struct *work);
void rsmka_end_report(struct rsmka_controller *controller);

/* ---- published segments, as importers see them (rsmka_published.c) ---- */

extern struct xarray rsmka_published;	/* export segments by id */
extern u32 rsmka_next_segment_id;	/* from here on a free id is looked for; xa_lock */
extern atomic_t rsmka_ids;		/* that are not free */
extern atomic_t rsmka_generated_ids;	/* of them, from RSM_USER_APP_ID_BASE on */

int rsmka_published_reserve(u32 *segment_id);
void rsmka_published_release(u32 segment_id);
void rsmka_published_open(struct rsmka_export *export, const struct rsmka_acl *acl,
			  const struct rsmka_address *address);
void rsmka_published_shut(struct rsmka_export *export);
void rsmka_published_set_address(struct rsmka_export *export,
				 const struct rsmka_address *address);
void rsmka_published_set_acl(struct rsmka_export *export, const struct rsmka_acl *acl,
			     struct rsmka_acl *old);
void rsmka_published_rows(struct rsmka_export *export, struct rsmka_access *access);
void rsmka_published_announce(struct rsmka_export *export);
void rsmka_published_rebound(struct rsmka_export *export, struct page **old);
int rsmka_published_connect(struct rsmka_path *path, u32 session, u32 segment_id, u64 cookie,
			    struct rsmka_grant *grant);
void rsmka_published_disconnect(struct rsmka_path *path, u32 segment_id, u64 cookie);
void rsmka_published_node_lost(struct rsmka_path *path);
int rsmka_published_attach(struct rsmka_share *share);
void rsmka_published_detach(struct rsmka_share *share);
int rsmka_published_post(struct rsmka_export *export, u32 post_flags, long patience);
bool rsmka_published_bell(struct rsmka_path *path, u32 segment_id, u32 post_flags);

/* ---- shares (rsmka_share.c) ---- */

/* The whole segment in the window of an adapter, which stays entered meanwhile. */
struct rsmka_window {
	void *handle;			/* of the adapter; NULL: not mapped */
	struct rsmka_user *user;	/* charged for it */
	phys_addr_t phys;
	bool writes;
	bool events;			/* the page after the last is that of the events */
};

enum rsmka_share_state {
	RSMKA_CONNECTING,
	RSMKA_CONNECTED,
	RSMKA_ENDING,			/* who has it mapped still reaches the exporter's pages */
	RSMKA_ENDED,			/* for good */
};

/*
 * All imports of one segment of one node over one controller.  It talks to the
 * exporter once and maps the segment once.
 */
struct rsmka_share {
	struct hlist_node table;	/* by segment id until ENDING; rsmka_shares_lock, RCU */
	struct list_head on_path;	/* of the path or the controller until ENDED; likewise */
	struct rcu_head rcu;
	unsigned int users;		/* imports, threads that use it; rsmka_shares_lock */
	/* Taken before rsmka_shares_lock, for walks, which may be as long as users like. */
	struct mutex members;
	/* Segments; read under either or RCU, written under both locks. */
	struct list_head imports;
	unsigned int nr_imports;	/* likewise */
	int outcome;			/* why CONNECTING must end; rsmka_shares_lock */
	wait_queue_head_t asked;	/* who connects it, for the reply */
	struct completion settled;	/* CONNECTING is over */

	u32 segment_id;
	u32 node;
	u64 cookie;			/* names this share in messages, never used twice */
	struct rsmka_controller *controller;
	struct rsmka_grant grant;	/* valid from CONNECTED on */
	/*
	 * What an import gets that connects now: mode and RSMKA_LISTED.  The
	 * exporter may change it; rsmka_shares_lock, or its visitors_lock.
	 */
	u32 rights;
	bool republished;		/* before its reply had come */
	bool writable;			/* given at any time; rsmka_shares_lock */

	/* Exporter on this node. */
	struct rsmka_segment *exporter;	/* holds a reference; NULL: another node */
	struct page **pages;		/* the exporter's, pinned while CONNECTED; lock */
	struct list_head local;		/* in export->local; its visitors_lock */

	/* Exporter on another node. */
	struct rsmka_path *path;	/* NULL: this node */
	u32 session;			/* of the path when connecting */
	const struct rsm_path_state *path_state;	/* live while CONNECTED */
	phys_addr_t path_state_phys;
	u32 path_changes;		/* before the exporter was asked */
	struct page *path_page;		/* stands in for it afterwards */

	struct page *trash;		/* what importers see after the end */
	struct rw_semaphore lock;	/* what faults insert: ENDED or not, pages, window */
	enum rsmka_share_state state;	/* up to ENDING it changes under rsmka_shares_lock */

	struct mutex map_mutex;		/* window, mappings */
	struct rsmka_window window;	/* of all programs; changed under lock as well */
	unsigned long mappings;		/* VMAs of the segment */
	unsigned long event_mappings;	/* of its events */
	struct work_struct reap;	/* after the end: takes it all from processes, unmaps it */
};

extern struct mutex rsmka_shares_lock;	/* the tables, users, imports of all shares */

void rsmka_share_notify(struct rsmka_share *share, u32 post_flags);

int rsmka_share_connect(struct rsmka_controller *controller, u32 node, u32 segment_id,
			const unsigned long *deadline, struct rsmka_share **out);
bool rsmka_share_add(struct rsmka_share *share, struct rsmka_segment *seg, u32 *generation);
void rsmka_share_leave(struct rsmka_share *share, struct rsmka_segment *seg);
void rsmka_share_end(struct rsmka_share *share, int outcome);
void rsmka_share_abort(struct rsmka_share *share);
void rsmka_share_zap(struct rsmka_share *share);
void rsmka_shares_disconnected(struct rsmka_path *path, u32 segment_id, u64 cookie);
void rsmka_shares_controller_gone(struct rsmka_controller *controller);
void rsmka_shares_node_lost(struct rsmka_path *path);
void rsmka_shares_republished(struct rsmka_path *path, u32 segment_id, u64 cookie, u32 rights);
void rsmka_share_rebound(struct rsmka_share *share, struct page **pages);
bool rsmka_shares_bell(struct rsmka_path *path, u32 segment_id, u64 cookie, u32 post_flags,
		       bool may_sleep, bool *heard);

/* ---- imports (rsmka_import.c) ---- */

int rsmka_import_connect(struct rsmka_segment *seg, struct rsmka_controller *controller, u32 node,
			 u32 segment_id, u32 wanted, const unsigned long *deadline,
			 u32 *generation);
int rsmka_import_check(struct rsmka_segment *seg, const struct rsmka_window *window);
int rsmka_share_post(struct rsmka_share *share, u32 post_flags, long patience);
int rsmka_segment_post(struct rsmka_segment *seg, u32 post_flags);

/* ---- where an importer reaches the memory (rsmka_window.c) ---- */

int rsmka_share_map(struct rsmka_share *share, const struct rsmka_segment *seg,
		    struct rsmka_user *payer, unsigned long *mappings);
void rsmka_share_unmap(struct rsmka_share *share, unsigned long *mappings);
void rsmka_share_unmap_all(struct rsmka_share *share);
bool rsmka_share_is_connected(const struct rsmka_share *share);
bool rsmka_share_intact(struct rsmka_share *share, const struct rsmka_window *window);
int rsmka_share_window(struct rsmka_share *share, const struct rsmka_segment *seg,
		       struct rsmka_window *window);
void rsmka_window_close(struct rsmka_share *share, struct rsmka_window *window);

#endif /* RSMKA_SEGMENT_H */
