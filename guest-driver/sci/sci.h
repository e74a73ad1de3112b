/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the adapter driver share: the state of one adapter and of
 * one peer, and the functions between the files.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * Locks, in the order in which they nest:
 *
 *   inval.claimed    (bit, slept on)  one invalidation at a time
 *   inbound.lock     (mutex)  SCI offsets, leaves, access rows, keys
 *   att.lock         (mutex)  granules, ATT entries, their commits
 *   tx.lock          (spinlock)  the sending side of one ring
 *     rx.lock        (spinlock, interrupts off)  the receiving side of one ring
 *
 * The state of peers, other than their tx and rx, belongs to the ordered workqueue:
 * only its work items change it, and they tell the agent who is up and who is down.
 */
#ifndef SCI_H
#define SCI_H

#include <linux/bitmap.h>
#include <linux/hashtable.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/siphash.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <sci_regs.h>

#include "../rsm/controller.h"
#include "ring.h"

/*
 * The first granules of the window are the rings of the nodes, the others are for imports.
 * Low ones are used first: the adapter gives no memory to the window above the highest one
 * that was ever in use.
 */
#define SCI_ATT_RINGS		SCI_NODES
#define SCI_ATT_RING(node)	(node)
#define SCI_ATT_IMPORTS		(SCI_ATT_ENTRIES - SCI_ATT_RINGS)

/* The first SCI pages are the rings, the others are for exports. */
#define SCI_RING_PAGES		SCI_NODES
static_assert(SCI_RING_PAGES % SCI_LEAF_ENTRIES == 0);

/* Doorbell lines of the rings, the first ones; as many as the adapter and the machine have. */
#define SCI_RING_LINES		16
#define SCI_ACCESS_ROWS		4096
#define SCI_ACCESS_RINGS	SCI_NODES	/* the first rows */
#define SCI_ERROR_KINDS		8
static_assert(SCI_ERROR_ALL == (1 << SCI_ERROR_KINDS) - 1);

/*
 * A page of the kernel is one or more SCI pages.  Functions that count both are given
 * the shift of the former, so that they can be tested with those of other machines.
 */
#define SCI_PAGE_SHIFT		12
static_assert(SCI_PAGE_SIZE == 1 << SCI_PAGE_SHIFT);
static_assert(PAGE_SHIFT >= SCI_PAGE_SHIFT);
/* Exports begin at a multiple of a page, whatever its size. */
static_assert(SCI_RING_PAGES % (PAGE_SIZE / SCI_PAGE_SIZE) == 0);

static inline unsigned long sci_pages(unsigned int shift, unsigned long pages)
{
	return pages << (shift - SCI_PAGE_SHIFT);
}

/* What an entry maps must begin at a page, as it is mapped into processes. */
static inline bool sci_granule_fits(unsigned int shift, u32 granule)
{
	return granule >> shift && !(granule & ((1u << shift) - 1));
}

/* What an ATT entry, or a run of them, is to map. */
struct sci_target {
	u32 node;
	u32 incarnation;
	u32 key;
	u64 offset;		/* SCI offset, page aligned */
	unsigned long pages;
	bool write;
};

struct sci_att {
	struct mutex lock;	/* guards granules, the entries and their commits */
	DECLARE_BITMAP(granules, SCI_ATT_ENTRIES);	/* taken by imports */
	struct sci_att_entry *entry;	/* the table: memory of the adapter */
};

/* The use of one access row; the row itself is in the table that peers read. */
struct sci_row_use {
	struct hlist_node table;	/* in inbound.row_table, by contents */
	struct list_head unused;	/* in inbound.rows_unused, by free_after */
	u32 refs;		/* exports and rings that name the row */
	u64 free_after;		/* unused: the invalidation that must be complete before reuse */
};

struct sci_inbound {
	struct mutex lock;	/* guards all below, and inval.started/completed */
	unsigned long pages;	/* SCI pages that the directory covers */
	unsigned long used;
	unsigned long *map;	/* one bit per SCI page: taken */
	__le64 *dir;
	dma_addr_t dir_dma;
	struct sci_inbound_entry **leaf;	/* as dir; once set, constant until teardown */
	struct sci_access_row *rows;
	dma_addr_t rows_dma;
	struct sci_row_use *row_use;
	int row_top;		/* rows beyond were never used */
	DECLARE_HASHTABLE(row_table, 9);	/* those of exports that were ever used */
	struct list_head rows_unused;
	siphash_aligned_key_t row_secret;	/* users choose what is in a row */
	u32 next_key;		/* 0 = all used up */
};

struct sci_inval {
	wait_queue_head_t wait;	/* in turn: claimed was cleared; all: the device is done */
	unsigned long claimed;	/* bit 0: somebody uses the INVAL registers */
	bool unsettled;		/* under it: the adapter may be busy with a disabling */
	bool over;		/* for good: no peer reaches this node, and the adapter is reset */
	u64 started;
	u64 completed;
};

/* The ring into which we write at a peer. */
struct sci_tx {
	spinlock_t lock;	/* guards all below, and the order of messages */
	struct sci_ring *ring;	/* in the window; NULL = not mapped */
	u32 line;		/* of the peer, for this ring */
	u32 session;		/* that the agent was told; 0 = no messages may be put */
	u32 producer;
	u32 revokes;		/* of the peer's slot, when the mapping was last known good */
	u64 rung;		/* doorbells, ever */
	u64 unrung;		/* messages, ever, for which the peer was awake */
	wait_queue_head_t wait;	/* senders, in turn: room in the ring, or another session */
};

/* The ring into which a peer writes. */
struct sci_rx {
	spinlock_t lock;	/* in interrupts; guards all below, and the order of messages */
	struct sci_ring *ring;	/* once provided, constant until teardown */
	dma_addr_t dma;		/* of the ring, likewise */
	bool up;		/* messages go to the agent */
	bool deferred;		/* only the work may take the next one */
	const char *violation;	/* what the peer did; its work ends the session */
	u32 consumer;
	unsigned int lookers;	/* threads that look at the ring: no doorbell is needed */
	struct work_struct work;	/* messages that cannot be handled in an interrupt */
};

enum sci_peer_state {
	SCI_PEER_DOWN,
	SCI_PEER_CONNECTING,	/* enabled; rings are being set up */
	SCI_PEER_UP,		/* as the agent was told */
};

struct sci_peer {
	struct sci_device *sd;
	u32 node;
	enum sci_peer_state state;
	u32 incarnation;
	u32 changes;		/* of the slot, when it was last looked at */
	u32 broken;		/* incarnation that broke the protocol; 0 = none */
	u32 hello;		/* our number; while not DOWN, not 0 */
	u32 peer_hello;		/* theirs, 0 = not seen */
	u64 expected;		/* what the peer writes while the session stands; rx.lock */
	struct sci_tx tx;
	struct sci_rx rx;
};

/* A doorbell line, for the rings of all nodes whose number gives it as remainder. */
struct sci_line {
	struct sci_device *sd;
	u32 number;
};

struct sci_device {
	struct pci_dev *pdev;
	int unit;
	char name[16];
	u32 node;
	u32 incarnation;
	u32 granule;		/* bytes of window per ATT entry */
	unsigned int page_shift;	/* PAGE_SHIFT, but in tests */

	void __iomem *csr;
	u8 *window;
	phys_addr_t window_phys;
	u64 window_size;
	const char *window_type;
	const u8 *status;	/* the status pages: memory of the adapter */
	phys_addr_t status_phys;

	struct sci_att att;
	struct sci_inbound inbound;
	struct sci_inval inval;
	atomic_t errors[SCI_ERROR_KINDS];	/* times each bit of SCI_REG_ERROR was set */

	struct rsmka_controller *controller;
	struct workqueue_struct *wq;	/* ordered */
	struct work_struct peer_work;	/* slots have changed, or rings need to be looked at */
	struct delayed_work retry;	/* queues peer_work */
	DECLARE_BITMAP(events, SCI_NODES);	/* atomic: slots that have changed */
	DECLARE_BITMAP(attention, SCI_NODES);	/* atomic: rings that say more than a message */
	DECLARE_BITMAP(active, SCI_NODES);	/* atomic: peers that are not DOWN */
	u32 last_session;	/* sessions are numbered, whosever they are */
	u32 lines;
	struct sci_line line[SCI_RING_LINES];
	struct sci_peer *peers[SCI_NODES];	/* once set, constant until teardown */
	/* Between start and stop, which write it: otherwise no peer comes up. */
	bool running;

	struct dentry *debugfs;
};

static inline u32 sci_read(struct sci_device *sd, u32 reg)
{
	return readl(sd->csr + reg);
}

static inline void sci_write(struct sci_device *sd, u32 reg, u32 value)
{
	writel(value, sd->csr + reg);
}

static inline const struct sci_peer_slot *sci_slot(struct sci_device *sd, u32 node)
{
	return (const struct sci_peer_slot *)(sd->status + SCI_STATUS_SLOT(node));
}

/* probe.c */
int sci_reset(struct sci_device *sd);
int sci_tables_enable(struct sci_device *sd);

/* suspend.c */
extern const struct dev_pm_ops sci_pm_ops;

/* bars.c */
int sci_csr_map(struct sci_device *sd);
int sci_memory_map(struct sci_device *sd);

/* dma.c */
int sci_dma_init(struct sci_device *sd);
dma_addr_t sci_dma_map(struct sci_device *sd, struct page *page);
void sci_dma_unmap(struct sci_device *sd, dma_addr_t dma);

/* att.c */
int sci_att_set(struct sci_device *sd, u32 first, const struct sci_target *target);
void sci_att_clear(struct sci_device *sd, u32 first, u32 count);
u32 sci_att_state(struct sci_device *sd, u32 entry);
int sci_att_alloc(struct sci_att *att, u32 count);
void sci_att_free(struct sci_att *att, u32 first, u32 count);
int sci_import_map(void *adapter, u32 node, u32 session, const struct rsmka_address *address,
		   unsigned long nr_pages, bool write, phys_addr_t *phys, void **handle);
void sci_import_unmap(void *adapter, void *handle);
bool sci_import_mapped(void *adapter, void *handle);

/* access.c */
void sci_access_init(struct sci_inbound *in);
u16 sci_access_ring(struct sci_inbound *in, u32 node);
int sci_access_get(struct sci_device *sd, const struct rsmka_access *access, bool wait);
void sci_access_put(struct sci_device *sd, u16 row);

/* inbound.c */
int sci_inbound_init(struct sci_device *sd);
void sci_tables_set(struct sci_device *sd);
long sci_inbound_alloc(struct sci_inbound *in, unsigned long count, unsigned int shift);
void sci_inbound_free(struct sci_inbound *in, unsigned long first, unsigned long count);
int sci_inbound_leaves(struct sci_inbound *in, unsigned long first, unsigned long count);
void sci_inbound_set(struct sci_inbound *in, unsigned long page, dma_addr_t dma, u32 key,
		     u16 row);
int sci_export_offer(void *adapter, struct page **pages, unsigned long nr_pages,
		     struct page *last, const struct rsmka_access *access, bool wait,
		     struct rsmka_address *address, void **handle);
int sci_export_regrant(void *adapter, void *handle, const struct rsmka_access *access,
		       bool wait);
void sci_export_rebind(void *adapter, void *handle, struct page **pages);
void sci_export_withdraw(void *adapter, void *handle);

/* inval.c */
void sci_inval_range(struct sci_device *sd, u64 first, u64 count);
int sci_inval_nothing(struct sci_device *sd);
void sci_inval_settle(struct sci_device *sd);
bool sci_inval_settle_timeout(struct sci_device *sd, long patience);
int sci_inval_settle_aloud(struct sci_device *sd);
void sci_inval_force(struct sci_device *sd);
bool sci_inval_claim(struct sci_device *sd, long patience);
void sci_inval_release(struct sci_device *sd);
void sci_inval_poll(struct sci_device *sd);
void sci_inval_interrupt(struct sci_device *sd);

/* ring.c */
bool sci_ring_allowed(struct sci_device *sd, u32 node);
void sci_ring_allow(struct sci_device *sd, u32 node);
void sci_ring_forbid(struct sci_device *sd, u32 node);
void sci_ring_doorbell(struct sci_peer *peer);
int sci_ring_provide(struct sci_peer *peer);
void sci_ring_offer(struct sci_peer *peer);
void sci_ring_free(struct sci_peer *peer);
int sci_ring_open(struct sci_peer *peer);
bool sci_ring_intact(struct sci_peer *peer);
bool sci_ring_intact_locked(struct sci_peer *peer);
void sci_ring_hello(struct sci_peer *peer);
void sci_ring_bye(struct sci_peer *peer);
void sci_ring_up(struct sci_peer *peer, u32 session);
void sci_ring_down(struct sci_peer *peer);
void sci_ring_close(struct sci_peer *peer);
u64 sci_ring_heard(struct sci_peer *peer);
bool sci_ring_sane(struct sci_peer *peer);

/* message.c */
void sci_message_start(struct sci_peer *peer);
void sci_message_stop(struct sci_peer *peer);
void sci_message_bell(struct sci_peer *peer);
void sci_message_work(struct work_struct *work);
bool sci_message_look(void *adapter, u32 node);
void sci_message_look_begin(void *adapter, u32 node);
void sci_message_look_end(void *adapter, u32 node);
int sci_message_send(void *adapter, u32 node, u32 session, const void *data, size_t length,
		     long patience);

/* peer.c */
int sci_peer_init(struct sci_device *sd);
void sci_peer_start(struct sci_device *sd);
void sci_peer_quiesce(struct sci_device *sd);
void sci_peer_stop(struct sci_device *sd);
void sci_peer_attend(struct sci_peer *peer);
struct sci_peer *sci_peer_find(struct sci_device *sd, u32 node);
u32 sci_peer_incarnation(struct sci_device *sd, u32 node, u32 session);

/* irq.c */
int sci_irq_init(struct sci_device *sd);

/* agent.c */
int sci_agent_register(struct sci_device *sd);

/* debugfs.c */
int sci_debugfs_add(struct sci_device *sd);
void sci_debugfs_init(void);
void sci_debugfs_exit(void);

#endif /* SCI_H */
