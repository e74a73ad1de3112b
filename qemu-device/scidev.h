/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The `sci` adapter: its state, and what each part of the device model offers
 * to the others.  docs/specs/sci.rst is the specification.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * Three kinds of threads come here:
 *
 *  - vCPUs, with accesses to BAR 0 and to what traps of the window, and the
 *    main loop, with resets, properties and interrupts.  They hold the big QEMU
 *    lock.
 *  - an IOThread, which runs the fabric: what peers say, and the revocations
 *    that they ask for.  It never takes the big lock.
 *
 * What both use is guarded by the adapter's own lock (scidev_lock()), which
 * nests inside the big lock.  Nothing waits, and nothing of QEMU's memory
 * topology changes, while it is held.  What is guarded by the big lock alone
 * says so below.
 */
#ifndef HW_SCI_SCIDEV_H
#define HW_SCI_SCIDEV_H

#include "qemu/bitmap.h"
#include "qemu/event_notifier.h"
#include "qemu/notify.h"
#include "qemu/thread.h"
#include "hw/pci/pci_device.h"
#include "system/iothread.h"
#include "system/runstate.h"
#include "scidev_compat.h"
#include "include/sci_regs.h"
#include "fabric/fabric.h"
#include "fabric/inbound.h"

#define TYPE_SCIDEV "sci"
OBJECT_DECLARE_SIMPLE_TYPE(SCIDev, SCIDEV)

#define SCIDEV_NODE_NONE 0      /* in errors: no node is concerned */

typedef struct SCIDevEntry {
    /* As committed; while n_maps is not 0, what lies there */
    uint64_t address;
    uint32_t key;
    uint32_t incarnation;       /* that the node must have at each access */
    uint32_t n_pages;
    uint32_t n_maps;            /* host mappings it counts for; 0: scratch */
    uint8_t state;              /* SCI_ATT_ST_* */
    bool traps;                 /* big lock: its granule is to trap */
} SCIDevEntry;

/* The right of a node to ring a line of ours, and the eventfd that it uses. */
typedef struct SCIDevLine {
    EventNotifier ring;
    SCIDev *dev;
    unsigned node;
    unsigned line;
    bool closed;                /* taken back: the main loop is to free it */
    bool irqfd;                 /* big lock: KVM listens to it, not QEMU */
    int virq;                   /* as which interrupt */
} SCIDevLine;

typedef struct SCIDevLock SCIDevLock;
typedef struct SCIDevMember SCIDevMember;

/* A range of RAM that the fabric describes to peers; under the big lock. */
typedef struct SCIDevRam {
    const MemoryRegion *mr;     /* compared only */
    uint64_t guest_base;
    uint64_t offset;            /* of its first byte in `mr` */
    bool gone;                  /* unplugged since */
} SCIDevRam;

struct SCIDev {
    PCIDevice parent_obj;

    /* Properties; the last two may be set at any time */
    char *fabric_dir;
    uint32_t node_id;
    uint64_t window_size;
    uint32_t lines;
    bool allow_lost_atomics;
    IOThread *iothread;         /* NULL: one of our own */
    bool ioeventfd;
    bool reset_waits;           /* false: as a device that does not */
    bool link;                  /* false takes all links down */
    DECLARE_BITMAP(links_down, SCI_NODES);      /* by node; these are down */

    /* Guest-visible; scidev_reset() restores it to the spec's reset column */
    uint32_t control;
    uint32_t error;
    uint32_t int_cause;
    uint32_t int_mask;
    uint32_t incarnation;
    uint32_t att_failed;
    uint64_t inbound_base;
    uint32_t inbound_count;
    uint32_t access_count;
    uint64_t access_base;
    uint64_t inval_first;
    uint64_t inval_count;
    bool inval_busy;
    bool inval_silent;          /* busy since a reset: its end is no event */
    uint64_t trap_reads;
    uint64_t trap_writes;
    uint32_t peer_event[SCI_PEER_EVENT_WORDS];
    SCIDevEntry att[SCI_ATT_ENTRIES];

    /* Host side */
    SCIDevMember *member;       /* big lock; from realize to unplug */
    SCIDevLock *lock;           /* the member's */
    Fabric *fabric;             /* NULL until the machine is complete */
    Notifier machine_done;
    Error *migration_blocker;
    bool discard_required;      /* we hold a ram_block_discard_require() */
    SCIDevRam ram[FABRIC_RAM_MAX];
    unsigned n_ram;
    MemoryListener ram_listener;
    bool ram_listening;
    bool ram_removed;           /* in this transaction of the memory topology */

    MemoryRegion csr;           /* BAR 0 */
    MemoryRegion window;        /* BAR 2: `memory`, above it parts of `trap` */
    MemoryRegion memory;
    MemoryRegion trap;
    MemoryRegion above;         /* of `trap`, from `top` on */
    uint64_t top;               /* big lock: bytes of window that are memory */
    GPtrArray *runs;            /* big lock: of SCIDevRun, traps below `top` */
    bool render_queued;         /* big lock: the topology will follow soon */
    uint8_t *host;              /* `window_size` bytes: what the guest sees */
    uint8_t *scratch;           /* as many: what lies where no page does */
    uint8_t **page;             /* by page of the window: what lies there */
    bool own_stuck;             /* own pages in the own window are to go */
    QEMUTimer *own_retry;
    InboundPage *walk;          /* pages of a granule being translated */

    MemoryRegion adapter;       /* BAR 4: `status` and `att_memory` */
    MemoryRegion status;
    MemoryRegion att_memory;
    uint8_t *status_host;
    struct sci_att_entry *att_host;

    QEMUBH *status_bh;          /* sends the status interrupt */
    QEMUBH *lines_bh;           /* frees lines that were closed */
    GPtrArray *line;            /* of SCIDevLine */
    GPtrArray *closed_lines;    /* of SCIDevLine */

    /* Big lock */
    QEMUBH *rings_bh;           /* NULL: QEMU rings for all doorbells */
    GPtrArray *rings;           /* of SCIDevRing, whose writes KVM deals with */
    int *virq;                  /* by line: KVM's interrupt, -1; NULL: no KVM */
    unsigned n_irqfds;
};

static inline uint64_t scidev_granule(const SCIDev *s)
{
    return s->window_size / SCI_ATT_ENTRIES;
}

static inline unsigned scidev_granule_pages(const SCIDev *s)
{
    return scidev_granule(s) / SCI_PAGE_SIZE;
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
    return SCI_GET(SCI_ATT_NODE, e->address);
}

/* scidev.c */
void scidev_reset(SCIDev *s);

/* scidev_lock.c */
SCIDevLock *scidev_lock_new(void);
SCIDevLock *scidev_lock_ref(SCIDevLock *lock);
void scidev_lock_unref(SCIDevLock *lock);
void scidev_lock_unref_opaque(void *lock);
/* By vCPUs and the main loop. */
void scidev_lock(SCIDevLock *lock);
void scidev_unlock(SCIDevLock *lock);
/* By the fabric, which waits for one holder at most, however many come. */
void scidev_lock_urgent(void *lock);
void scidev_unlock_urgent(void *lock);

/* scidev_ram.c: the guest's RAM as the fabric wants it described */
bool scidev_ram_collect(SCIDev *s, FabricConfig *config, Error **errp);
/* From here on RAM that is unplugged is taken from the peers. */
void scidev_ram_watch(SCIDev *s);
void scidev_ram_unwatch(SCIDev *s);

/* scidev_csr.c */
extern const MemoryRegionOps scidev_csr_ops;

/* scidev_att.c; all but scidev_att_commit() are called with the lock held */
bool scidev_att_init(SCIDev *s, Error **errp);
/* Takes the lock, and lets go of it between entries. */
void scidev_att_commit(SCIDev *s, uint32_t val);
void scidev_att_reset(SCIDev *s);

/* Check and translate @n pages of a committed entry.  Returns SCI_ATT_ST_*. */
uint8_t scidev_att_walk(SCIDev *s, const SCIDevEntry *e, unsigned first,
                        unsigned n, unsigned want, InboundPage *out);

/*
 * Unmap the entries that hold pages of @node and give them @state.  On return
 * no store of the guest reaches one of the pages; false if the host refused
 * that for some, which stay as they are: to be tried again.
 */
bool scidev_att_revoke(SCIDev *s, unsigned node, uint8_t state);

/*
 * The exporter's tables have changed: entries that hold one of these pages get
 * what the tables say now; those that get nothing are revoked.  As above.
 */
bool scidev_att_invalidate(SCIDev *s, unsigned node, uint64_t first,
                           uint64_t count);

/* Revoke every entry: own adapter disabled or reset.  As above. */
bool scidev_att_revoke_all(SCIDev *s);

/* scidev_window.c; with the lock held but for the first three */
bool scidev_window_init(SCIDev *s, Error **errp);
void scidev_window_exit(SCIDev *s);
void scidev_window_finalize(SCIDev *s);
/*
 * A run of pages that one call to the host can map: @n pages from page @first
 * of the window on.
 */
typedef struct SCIDevPlace {
    unsigned first;
    unsigned n;
    InboundPage page;           /* the first one */
    bool copy;                  /* stores change a private copy */
} SCIDevPlace;

/* Whether the entry may have the mappings for @pages; counts them. */
bool scidev_window_reserve(SCIDev *s, unsigned index, const InboundPage *pages);
/* False if the host refused; what is there now is undefined but memory. */
bool scidev_window_place(SCIDev *s, const SCIDevPlace *place);
/*
 * Put @n pages in place of those of an entry from page @from on, those that are
 * other ones.  If false some are still the old ones: unmap it.
 */
bool scidev_window_renew(SCIDev *s, unsigned index, unsigned from, unsigned n,
                         const InboundPage *pages, bool copy);
/*
 * Scratch memory in the granules of entries that follow each other.  On true
 * the guest's accesses to them no longer reach any page.
 */
bool scidev_window_unmap(SCIDev *s, unsigned first, unsigned count);
/* Give the memory back that stores into nothing took; takes time, no lock. */
void scidev_window_discard(SCIDev *s);

/* scidev_topology.c; with the big lock */
void scidev_topology_init(SCIDev *s);
void scidev_topology_exit(SCIDev *s);
/* Whether a granule is to trap; false if there is no room for one more run. */
bool scidev_topology_trap(SCIDev *s, unsigned index, bool traps);
/* Everything below @end is to be memory. */
void scidev_topology_raise(SCIDev *s, uint64_t end);
/* No granule traps by request, and none is memory. */
void scidev_topology_clear(SCIDev *s);
/*
 * Have the memory topology follow all that; with TCG when no vCPU runs.  Call
 * it without our lock.
 */
void scidev_topology_update(SCIDev *s);

/* scidev_trap.c */
extern const MemoryRegionOps scidev_trap_ops;

/* scidev_inbound.c; with the lock held but for the first two */
void scidev_inbound_init(SCIDev *s);
void scidev_inbound_exit(SCIDev *s);
void scidev_inbound_open(SCIDev *s);
void scidev_inbound_close(SCIDev *s);
/* Take own pages out of the own window, later if the host refuses it now. */
void scidev_own_invalidate(SCIDev *s, uint64_t first, uint64_t count);
void scidev_inval_start(SCIDev *s);
/* Something was asked of the peers: be busy until all of them answered. */
void scidev_inval_wait(SCIDev *s);
/* Perhaps all of them have. */
void scidev_inval_settled(SCIDev *s);

/* scidev_irq.c */
bool scidev_irq_init(SCIDev *s, Error **errp);
void scidev_irq_exit(SCIDev *s);
/* By the main loop, without the lock; must be the last thing it does. */
void scidev_irq_notify(SCIDev *s, unsigned vector);
/* With the lock held */
void scidev_irq_raise(SCIDev *s, uint32_t cause);
void scidev_irq_set_mask(SCIDev *s, uint32_t mask);

/* scidev_line.c; with the lock held but for the first four */
void scidev_lines_init(SCIDev *s);
void scidev_lines_exit(SCIDev *s);
/* Whether QEMU itself listens to the line's eventfd; with the big lock. */
void scidev_line_listen(SCIDevLine *l, bool listen);
/* For each eventfd of @line, also of those not freed yet; with the big lock. */
void scidev_lines_foreach(SCIDev *s, unsigned line,
                          void (*func)(SCIDev *s, SCIDevLine *l));
void scidev_line_open(SCIDev *s, uint32_t val);
void scidev_line_close(SCIDev *s, uint32_t val);
/* @node, or SCIDEV_NODE_NONE for all, may ring no line any more. */
void scidev_lines_close(SCIDev *s, unsigned node);
void scidev_doorbell(SCIDev *s, uint32_t val);

/* scidev_eventfd.c; with the big lock but for the last */
void scidev_eventfd_init(SCIDev *s);
void scidev_eventfd_exit(SCIDev *s);
/* MSI-X was disabled, which says nothing to each vector. */
void scidev_eventfd_msix_off(SCIDev *s);
/* KVM listens to the line instead of QEMU, if it can. */
void scidev_eventfd_attach(SCIDev *s, SCIDevLine *l);
void scidev_eventfd_detach(SCIDev *s, SCIDevLine *l);
/* Which lines of others we may ring has changed; with the lock held. */
void scidev_eventfd_rings(SCIDev *s);

/* scidev_status.c; with the lock held but for the first two */
bool scidev_status_init(SCIDev *s, Error **errp);
void scidev_status_exit(SCIDev *s);
/* Registers that the adapter page mirrors have changed. */
void scidev_status_sync(SCIDev *s);
void scidev_status_reset(SCIDev *s);
void scidev_slot_set(SCIDev *s, unsigned node, uint32_t link,
                     uint32_t incarnation, uint32_t lines);
void scidev_slot_set_open(SCIDev *s, unsigned node, const int *lines);
uint32_t scidev_slot_link(SCIDev *s, unsigned node);
/* Call after the entries' states say so and before the pages are replaced. */
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
/* With the lock held */
void scidev_enable(SCIDev *s);
void scidev_disable(SCIDev *s);
void scidev_slot_update(SCIDev *s, const FabricPeer *peer);
/* Slots of all nodes from what the fabric knows. */
void scidev_slots_refresh(SCIDev *s);
/* The node, if it may be used as @incarnation; NULL otherwise. */
const FabricPeer *scidev_peer(SCIDev *s, unsigned node, uint32_t incarnation);

/*
 * scidev_member.c: this machine as a member of a fabric.  It outlives the
 * device if peers still hold memory of the machine when that is unplugged.
 */
bool scidev_member_new(SCIDev *s, Error **errp);
/* Joins the fabric. */
bool scidev_member_join(SCIDev *s, const FabricConfig *config,
                        const FabricOps *ops, Error **errp);
/* Nothing of it concerns the device any more; with the adapter disabled. */
void scidev_member_leave(SCIDev *s);
/* Leaves it, at once or when the peers have let go.  The lock is gone then. */
void scidev_member_end(SCIDev *s);
/*
 * Keep the vCPUs from running until the peers have let go of this machine's
 * memory.  Called with the big lock, without ours.
 */
void scidev_member_hold(SCIDev *s);
/* The fabric has settled; with the lock held, by its thread. */
void scidev_member_settled(SCIDev *s);
/* Who is waited for with the vCPUs held; NULL if they are not held. */
char *scidev_member_waits_for(SCIDev *s);

#endif /* HW_SCI_SCIDEV_H */
