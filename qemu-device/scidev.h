/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The `sci` adapter: its state, and what each part of the device model offers
 * to the others.  docs/specs/sci.rst is the specification.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * Everything here runs under the big QEMU lock: register accesses, traps,
 * callbacks of the fabric, doorbells.
 */
#ifndef HW_SCI_SCIDEV_H
#define HW_SCI_SCIDEV_H

#include "qemu/bitmap.h"
#include "qemu/event_notifier.h"
#include "qemu/notify.h"
#include "hw/pci/pci_device.h"
#include "scidev_compat.h"
#include "include/sci_regs.h"
#include "fabric/fabric.h"
#include "fabric/inbound.h"

#define TYPE_SCIDEV "sci"
OBJECT_DECLARE_SIMPLE_TYPE(SCIDev, SCIDEV)

#define SCIDEV_NODE_NONE 0      /* in errors: no node is concerned */

/* Which of the two host ranges holds the pages of an ATT entry. */
typedef enum SCIDevBacking {
    SCIDEV_BACKING_NONE,        /* none: the entry's range traps */
    SCIDEV_BACKING_RAM,         /* loads and stores go to the peer's pages */
    SCIDEV_BACKING_ROM,         /* loads do, stores trap */
    SCIDEV_BACKINGS
} SCIDevBacking;

typedef struct SCIDevEntry {
    /* As the guest wrote it; means nothing before the next commit. */
    uint64_t address;
    uint32_t key;
    uint32_t pages;             /* SCI_ATT_PAGES only */

    /* As committed. */
    uint64_t live_address;
    uint32_t live_key;
    uint32_t incarnation;       /* that the node must have at each access */
    uint32_t n_pages;
    uint32_t n_maps;            /* host mappings it takes from the budget */
    uint8_t state;              /* SCI_ATT_ST_* */
    uint8_t backing;            /* SCIDevBacking; not NONE only while MAPPED */
} SCIDevEntry;

typedef struct SCIDevLine {
    EventNotifier ring;         /* peers hold its eventfd */
    SCIDev *dev;
    unsigned line;
} SCIDevLine;

struct SCIDev {
    PCIDevice parent_obj;

    /* Properties; the last two may be set at any time */
    char *fabric_dir;
    uint32_t node_id;
    uint64_t window_size;
    uint32_t lines;
    bool link;                  /* false takes all links down */
    DECLARE_BITMAP(links_down, SCI_NODES);      /* by node; these are down */

    /* Guest-visible; scidev_reset() restores it to the spec's reset column */
    uint32_t control;
    uint32_t error;
    uint32_t int_cause;
    uint32_t int_mask;
    uint32_t incarnation;
    uint32_t att_expect;
    uint32_t att_failed;
    uint64_t inbound_base;
    uint32_t inbound_count;
    uint32_t access_count;
    uint64_t access_base;
    uint64_t inval_first;
    uint64_t inval_count;
    bool inval_busy;
    uint64_t trap_reads;
    uint64_t trap_writes;
    uint32_t peer_event[SCI_PEER_EVENT_WORDS];
    SCIDevEntry att[SCI_ATT_ENTRIES];

    /* Host side */
    Fabric *fabric;             /* NULL until the machine is complete */
    Notifier machine_done;
    Error *migration_blocker;
    bool discard_required;      /* we hold a ram_block_discard_require() */

    MemoryRegion csr;           /* BAR 0 */
    MemoryRegion window;        /* BAR 2: `trap`, over it aliases of `runs` */
    MemoryRegion trap;
    MemoryRegion backing[SCIDEV_BACKINGS];
    uint8_t *host[SCIDEV_BACKINGS];     /* `window_size` bytes each */
    GPtrArray *runs;            /* of SCIDevRun by offset: does not trap now */
    bool render_queued;         /* `runs` will follow the entries soon */
    InboundPage *walk;          /* one granule's pages, for a commit */
    MemoryRegion status;        /* BAR 4 */
    uint8_t *status_host;

    QEMUBH *status_bh;          /* sends the status interrupt */
    SCIDevLine line[SCI_LINES_MAX];
    unsigned n_lines;           /* of `line` that are set up */
};

static inline uint64_t scidev_granule(const SCIDev *s)
{
    return s->window_size / SCI_ATT_ENTRIES;
}

/*
 * False before the machine is complete, and once the device is unplugged: a
 * vCPU may have been waiting for the lock with an access to a BAR that is gone.
 */
static inline bool scidev_attached(const SCIDev *s)
{
    return s->fabric;
}

static inline unsigned scidev_entry_node(const SCIDevEntry *e)
{
    return SCI_GET(SCI_ATT_NODE, e->live_address);
}

/* scidev.c */
void scidev_reset(SCIDev *s);

/* scidev_ram.c: the guest's RAM as the fabric wants it described */
bool scidev_ram_collect(FabricConfig *config, Error **errp);

/* scidev_csr.c */
extern const MemoryRegionOps scidev_csr_ops;

/* scidev_att.c */
uint64_t scidev_att_read(SCIDev *s, hwaddr offset, unsigned size);
void scidev_att_write(SCIDev *s, hwaddr offset, uint64_t val, unsigned size);
void scidev_att_commit(SCIDev *s, uint32_t val);
void scidev_att_reset(SCIDev *s);

/* Check and translate @n pages of a committed entry.  Returns SCI_ATT_ST_*. */
uint8_t scidev_att_walk(SCIDev *s, const SCIDevEntry *e, unsigned first,
                        unsigned n, unsigned want, InboundPage *out);

/*
 * Unmap the entries that hold one of these SCI pages of @node and give them
 * @state.  On return no store of the guest reaches one of the pages.
 */
void scidev_att_revoke(SCIDev *s, unsigned node, uint64_t first, uint64_t count,
                       uint8_t state);

/*
 * The exporter's tables have changed: entries that hold one of these pages get
 * what the tables say now; those that get nothing are revoked.
 */
void scidev_att_invalidate(SCIDev *s, unsigned node, uint64_t first,
                           uint64_t count);

/* Revoke every entry: own adapter disabled or reset. */
void scidev_att_revoke_all(SCIDev *s);

/* scidev_window.c */
bool scidev_window_init(SCIDev *s, Error **errp);
void scidev_window_exit(SCIDev *s);
void scidev_window_finalize(SCIDev *s);
/* All pages or none; false if the host has no room. */
bool scidev_window_map(SCIDev *s, unsigned index, SCIDevBacking backing,
                       const InboundPage *pages);
/*
 * Other pages in place of those mapped, one by one, without a moment in which
 * there is none.  If false some are still the old ones: unmap it.
 */
bool scidev_window_renew(SCIDev *s, unsigned index, const InboundPage *pages);
/* The guest's accesses no longer reach the pages; the topology must follow. */
void scidev_window_unmap(SCIDev *s, unsigned index);

/* scidev_runs.c */
void scidev_runs_init(SCIDev *s);
void scidev_runs_exit(SCIDev *s);
/* Make the memory topology follow the entries; with TCG when no vCPU runs. */
void scidev_runs_update(SCIDev *s);

/* scidev_trap.c */
extern const MemoryRegionOps scidev_trap_ops;

/* scidev_inbound.c */
void scidev_inbound_open(SCIDev *s);
void scidev_inbound_close(SCIDev *s);
void scidev_inval_start(SCIDev *s);
/* Something was asked of the peers: be busy until all of them answered. */
void scidev_inval_wait(SCIDev *s);
void scidev_inval_settled(SCIDev *s);

/* scidev_irq.c */
bool scidev_irq_init(SCIDev *s, Error **errp);
void scidev_irq_exit(SCIDev *s);
void scidev_irq_raise(SCIDev *s, uint32_t cause);
void scidev_irq_set_mask(SCIDev *s, uint32_t mask);
void scidev_doorbell(SCIDev *s, uint32_t val);
/* Forget rings that were meant for an earlier incarnation. */
void scidev_lines_drain(SCIDev *s);

/* scidev_status.c */
bool scidev_status_init(SCIDev *s, Error **errp);
/* Registers that the adapter page mirrors have changed. */
void scidev_status_sync(SCIDev *s);
void scidev_status_reset(SCIDev *s);
void scidev_slot_set(SCIDev *s, unsigned node, uint32_t link,
                     uint32_t incarnation, uint32_t lines);
uint32_t scidev_slot_link(SCIDev *s, unsigned node);
/* Call before the pages are replaced. */
void scidev_slot_revoked(SCIDev *s, unsigned node);
void scidev_slot_event(SCIDev *s, unsigned node);
/* The one place where illegal use ends: log, sticky bit, count, interrupt. */
void scidev_error(SCIDev *s, uint32_t kind, unsigned node, const char *fmt, ...)
    G_GNUC_PRINTF(4, 5);

/* scidev_link.c */
void scidev_link_init(SCIDev *s);
void scidev_link_class_init(ObjectClass *klass);
/* Whether this node can have a link to @node. */
bool scidev_link_check(const SCIDev *s, unsigned node, Error **errp);
/* The ports as the properties want them; SCI_NODES elements. */
void scidev_ports(const SCIDev *s, bool *closed);

/* scidev_fabric.c */
bool scidev_fabric_attach(SCIDev *s, Error **errp);
void scidev_fabric_detach(SCIDev *s);
void scidev_enable(SCIDev *s);
void scidev_disable(SCIDev *s);
/* Disabled, and peers have unmapped our pages or had their time. */
void scidev_fabric_quiesce(SCIDev *s);
void scidev_slot_update(SCIDev *s, const FabricPeer *peer);
/* Slots of all nodes from what the fabric knows. */
void scidev_slots_refresh(SCIDev *s);
/* The node, if it may be used as @incarnation; NULL otherwise. */
const FabricPeer *scidev_peer(SCIDev *s, unsigned node, uint32_t incarnation);

#endif /* HW_SCI_SCIDEV_H */
