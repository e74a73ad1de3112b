/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * /dev/rsm, by which programs use the objects of the agent: descriptors, their ioctls and
 * mappings, and the memory of processes that they export.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * Handlers of ioctls return 0, -errno as objects do, or the RSMERR_* number of what only
 * a program can do wrong.
 */
#ifndef RSMKA_FILE_H
#define RSMKA_FILE_H

#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>

#include "rsmka_path.h"

/* How many work items look, or are to look, at the memory of one export. */
struct rsmka_looks {
	atomic_t pending;
	wait_queue_head_t wait;		/* pending is 0 */
};

/* ---- descriptors (rsmka_file.c) ---- */

enum rsmka_role {
	RSMKA_NEW,
	RSMKA_EXPORTER,
	RSMKA_IMPORTER,
};

/* One descriptor that was opened with write access. */
struct rsmka_file {
	struct rsmka_segment segment;
	u64 identity;			/* no other descriptor has or had it */
	struct inode *inode;		/* all mappings of the descriptor */
	struct mutex lock;		/* EXPORT and CONNECT: role, and what it has become */
	enum rsmka_role role;		/* leaves RSMKA_NEW once */
	u32 export_flags;		/* RSM_EXPORT_*; set before the export */
	struct rsmka_looks looks;
};

static inline struct rsmka_file *rsmka_file(struct rsmka_segment *seg)
{
	return container_of(seg, struct rsmka_file, segment);
}

struct rsmka_file *rsmka_file_open(void);
void rsmka_file_ended(struct rsmka_segment *seg);
void rsmka_file_close(struct rsmka_file *file);
bool rsmka_file_claim(struct rsmka_file *file, enum rsmka_role role);
void rsmka_file_owner(struct rsmka_owner *owner);
bool rsmka_file_is_creator(struct rsmka_file *file);

int rsmka_file_publish(struct rsmka_file *file, struct rsm_ioc_publish *arg);
int rsmka_file_republish(struct rsmka_file *file, struct rsm_ioc_republish *arg);
int rsmka_file_unpublish(struct rsmka_file *file);
int rsmka_file_connect(struct rsmka_file *file, struct rsm_ioc_connect *arg);
int rsmka_file_check(struct rsmka_file *file);

/* ---- mappings of programs (rsmka_mapping.c) ---- */

struct inode *rsmka_inode_new(void);
void rsmka_inode_free(struct inode *inode);
int rsmka_file_mmap(struct rsmka_file *file, struct vm_area_struct *vma);

/* ---- what the calling process may (rsmka_credentials.c) ---- */

bool rsmka_credentials_permit(const struct rsmka_grant *grant, u32 mode, u32 wanted);

/* ---- memory of processes (rsmka_pin.c, rsmka_watch.c, rsmka_hotplug.c) ---- */

struct rsmka_pinned {
	struct rsmka_memory memory;
	struct list_head list;		/* rsmka_pinned_list while something is pinned */
	struct mm_struct *mm;		/* charged; mm_count held */
	struct rsmka_user *user;	/* charged; of the segment */
	struct user_struct *locker;	/* charged against RLIMIT_MEMLOCK; may be NULL */
	unsigned long start;
};

extern unsigned int rsmka_max_exported_memory;
extern bool rsmka_dynamic_reconfiguration;

extern struct list_head rsmka_pinned_list;	/* of bindings */
extern struct mutex rsmka_pinned_lock;		/* the list; pages of its members stay */

int rsmka_range_verdict(struct mm_struct *mm, unsigned long start, unsigned long end);
int rsmka_pin(struct rsmka_pinned *pinned, struct rsmka_user *user, unsigned long start,
	      unsigned long nr_pages);
void rsmka_unpin(struct rsmka_pinned *pinned);
unsigned long rsmka_pinned_pages(void);
unsigned long rsmka_pinned_limit(void);

int rsmka_hotplug_init(void);
void rsmka_hotplug_exit(void);

void rsmka_looks_init(struct rsmka_looks *looks);
bool rsmka_looks_settled(const struct rsmka_looks *looks);
/* Returns when everything that was unmapped up to now has been noticed, or -EINTR. */
int rsmka_looks_settle(struct rsmka_looks *looks);

extern struct workqueue_struct *rsmka_look_workqueue;

/* Watches that a process keeps an exported range as it was when it was pinned. */
struct rsmka_watch {
	struct mmu_interval_notifier notifier;
	struct mm_struct *mm;		/* NULL: not started, or stopped */
	struct rsmka_looks *looks;
	struct delayed_work work;
	unsigned int delay;		/* jiffies until it tries again; only the work uses it */
	spinlock_t lock;		/* first, last, lost */
	unsigned long first;		/* addresses to look at again; */
	unsigned long last;		/* first > last: none */
	bool lost;			/* the address space is gone */
};

int rsmka_watch_start(struct rsmka_watch *watch, struct rsmka_looks *looks,
		      struct mm_struct *mm, unsigned long start, unsigned long length);
void rsmka_watch_resume(struct rsmka_watch *watch);
void rsmka_watch_stop(struct rsmka_watch *watch);

/* ---- the memory of a process as that of an export (rsmka_binding.c) ---- */

struct rsmka_binding {
	struct rsmka_export *export;
	struct rsmka_watch watch;
	struct rsmka_pinned pinned;
};

static inline struct rsmka_binding *rsmka_binding(struct rsmka_memory *memory)
{
	return container_of(memory, struct rsmka_binding, pinned.memory);
}

int rsmka_file_export(struct rsmka_file *file, struct rsm_ioc_export *arg);
int rsmka_file_rebind(struct rsmka_file *file, struct rsm_ioc_rebind *arg);

/* ---- what programs ask (rsmka_topology.c, rsmka_stat.c) ---- */

int rsmka_topology_info(struct rsm_ioc_info *arg);
int rsmka_topology_controller(struct rsm_ioc_controller *arg);
int rsmka_topology_rows(struct rsm_ioc_topology *arg);
int rsmka_stat_segments(struct rsm_ioc_segments *arg);
int rsmka_stat_counters(struct rsm_ioc_counters *arg);

int rsmka_cdev_init(void);
void rsmka_cdev_exit(void);

#endif /* RSMKA_FILE_H */
