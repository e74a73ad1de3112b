/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The address translation table: memory that the guest fills, what a commit
 * makes of it, and what an exporter's invalidation does to that: entries get
 * its new pages, or end by revocation.  Called from register accesses and from
 * the fabric's callbacks; calls the host side of the window.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/atomic.h"
#include "qemu/bitmap.h"
#include "qemu/bswap.h"
#include "scidev.h"
#include "trace.h"

/* Pages that a commit translates before others may have the lock, about. */
#define SCIDEV_BATCH_PAGES  1024

static bool scidev_entry_live(const SCIDevEntry *e)
{
    return e->state == SCI_ATT_ST_MAPPED || e->state == SCI_ATT_ST_TRAP;
}

/* What the guest reads of an entry; what it writes there means nothing. */
static void scidev_entry_show(SCIDev *s, unsigned index)
{
    const SCIDevEntry *e = &s->att[index];
    uint32_t mapped = scidev_entry_live(e) ? e->n_pages : 0;

    qatomic_set(&s->att_host[index].status,
                cpu_to_le32(SCI_PUT(SCI_ATT_STATE, e->state) |
                            SCI_PUT(SCI_ATT_MAPPED, mapped)));
}

bool scidev_att_init(SCIDev *s, Error **errp)
{
    uint64_t size = SCI_ATT_ENTRIES * sizeof(struct sci_att_entry);

    if (!memory_region_init_ram_flags_nomigrate(&s->att_memory, OBJECT(s),
                                                "sci-att", size, 0, errp)) {
        return false;
    }
    memory_region_add_subregion(&s->adapter, SCI_ATT, &s->att_memory);
    s->att_host = memory_region_get_ram_ptr(&s->att_memory);
    return true;
}

static bool scidev_entry_bad(SCIDev *s, const SCIDevEntry *e)
{
    uint64_t size = (uint64_t)e->n_pages * SCI_PAGE_SIZE;

    return (e->address & SCI_ATT_RESERVED) ||
           !(e->address & (SCI_ATT_READ | SCI_ATT_WRITE)) || e->n_pages == 0 ||
           size > scidev_granule(s) ||
           (e->address & SCI_ATT_OFFSET) + size > 1ull << SCI_OFFSET_BITS;
}

static uint64_t scidev_entry_page(const SCIDevEntry *e)
{
    return (e->address & SCI_ATT_OFFSET) / SCI_PAGE_SIZE;
}

uint8_t scidev_att_walk(SCIDev *s, const SCIDevEntry *e, unsigned first,
                        unsigned n, unsigned want, InboundPage *out)
{
    unsigned node = scidev_entry_node(e);
    const FabricPeer *peer = scidev_peer(s, node, e->incarnation);
    InboundResult result;

    if (!peer) {
        return SCI_ATT_ST_NO_NODE;
    }
    result = inbound_walk(peer, s->node_id, scidev_entry_page(e) + first, n,
                          e->key, want, out);
    if (result != INBOUND_OK) {
        return result == INBOUND_DENIED ? SCI_ATT_ST_DENIED
                                        : SCI_ATT_ST_NO_PAGE;
    }
    /*
     * Tables of a newer incarnation are not what the guest asked for.  Pairs
     * with the peer's fabric, which changes its incarnation before the tables.
     */
    smp_rmb();
    return scidev_peer(s, node, e->incarnation) ? SCI_ATT_ST_MAPPED
                                                : SCI_ATT_ST_NO_NODE;
}

static unsigned scidev_entry_want(const SCIDevEntry *e)
{
    return (e->address & SCI_ATT_READ ? INBOUND_READ : 0) |
           (e->address & SCI_ATT_WRITE ? INBOUND_WRITE : 0);
}

/* Memory cannot be written but not read: such an entry traps as well. */
static bool scidev_entry_traps(const SCIDevEntry *e)
{
    return (e->address & SCI_ATT_TRAP) || !(e->address & SCI_ATT_READ);
}

/* Only its own guest stores into it; the peer has not given that right. */
static bool scidev_entry_copies(const SCIDevEntry *e)
{
    return !(e->address & SCI_ATT_WRITE);
}

/* Each field is read once: the guest may write it at any time. */
static void scidev_entry_read(SCIDev *s, unsigned index)
{
    const struct sci_att_entry *guest = &s->att_host[index];
    SCIDevEntry *e = &s->att[index];

    e->address = le64_to_cpu(qatomic_read(&guest->address));
    e->key = le32_to_cpu(qatomic_read(&guest->key));
    e->incarnation = le32_to_cpu(qatomic_read(&guest->expect));
    e->n_pages = le32_to_cpu(qatomic_read(&guest->pages));
}

/* Nothing in the granules of these entries any more; false if some refuse. */
static bool scidev_entries_unmap(SCIDev *s, const unsigned long *entries)
{
    unsigned first = find_first_bit(entries, SCI_ATT_ENTRIES);
    bool done = true;

    while (first < SCI_ATT_ENTRIES) {
        unsigned end = find_next_zero_bit(entries, SCI_ATT_ENTRIES, first);

        done &= scidev_window_unmap(s, first, end - first);
        first = find_next_bit(entries, SCI_ATT_ENTRIES, end);
    }
    return done;
}

/* Unmap those of a range that have something mapped. */
static void scidev_range_unmap(SCIDev *s, unsigned first, unsigned end)
{
    DECLARE_BITMAP(mapped, SCI_ATT_ENTRIES) = {};

    for (unsigned i = first; i < end; i++) {
        if (s->att[i].n_maps) {
            set_bit(i, mapped);
        }
    }
    scidev_entries_unmap(s, mapped);
}

/* A run of pages of entries that follow each other, not mapped yet. */
typedef struct SCIDevCommit {
    unsigned first;             /* entry */
    unsigned end;
    SCIDevPlace run;
    unsigned failed;
    bool topology;              /* what traps has changed */
} SCIDevCommit;

static void scidev_commit_flush(SCIDev *s, SCIDevCommit *c)
{
    unsigned pages = scidev_granule_pages(s);

    if (c->run.n && !scidev_window_place(s, &c->run)) {
        for (unsigned i = c->run.first / pages;
             i <= (c->run.first + c->run.n - 1) / pages; i++) {
            s->att[i].state = SCI_ATT_ST_NOSPC;
        }
    }
    c->run.n = 0;
}

static bool scidev_commit_continues(const SCIDevPlace *run, unsigned first,
                                    const InboundPage *page, bool copy)
{
    return run->n && run->first + run->n == first && run->copy == copy &&
           run->page.ram == page->ram &&
           run->page.host + (uint64_t)run->n * SCI_PAGE_SIZE == page->host;
}

static void scidev_commit_place(SCIDev *s, SCIDevCommit *c, unsigned index)
{
    const SCIDevEntry *e = &s->att[index];
    unsigned first = index * scidev_granule_pages(s);
    bool copy = scidev_entry_copies(e);

    for (unsigned i = 0; i < e->n_pages; i++) {
        if (!scidev_commit_continues(&c->run, first + i, &s->walk[i], copy)) {
            scidev_commit_flush(s, c);
            c->run.first = first + i;
            c->run.page = s->walk[i];
            c->run.copy = copy;
        }
        c->run.n++;
    }
}

/* Whether the granule traps as @traps says; else there is no room for it. */
static bool scidev_commit_trap(SCIDev *s, SCIDevCommit *c, unsigned index,
                               bool traps)
{
    c->topology |= s->att[index].traps != traps;
    return scidev_topology_trap(s, index, traps);
}

/* Take over what the guest wrote; returns the new state. */
static uint8_t scidev_commit_entry(SCIDev *s, SCIDevCommit *c, unsigned index)
{
    SCIDevEntry *e = &s->att[index];
    uint8_t state;
    bool traps;

    if (e->n_maps) {
        /* What it was stays, so that its exporter can still take it back. */
        return SCI_ATT_ST_NOSPC;
    }
    scidev_entry_read(s, index);
    traps = (e->address & SCI_ATT_VALID) && scidev_entry_traps(e);
    if (!scidev_commit_trap(s, c, index, traps)) {
        return SCI_ATT_ST_NOSPC;
    }
    if (!(e->address & SCI_ATT_VALID)) {
        return SCI_ATT_ST_IDLE;
    }
    if (scidev_entry_bad(s, e)) {
        return SCI_ATT_ST_BAD;
    }
    state = scidev_att_walk(s, e, 0, e->n_pages, scidev_entry_want(e), s->walk);
    if (state != SCI_ATT_ST_MAPPED || traps) {
        return state == SCI_ATT_ST_MAPPED ? SCI_ATT_ST_TRAP : state;
    }
    if (!scidev_window_reserve(s, index, s->walk)) {
        return SCI_ATT_ST_NOSPC;
    }
    /* Before: the host may refuse a part of it at once. */
    e->state = SCI_ATT_ST_MAPPED;
    scidev_commit_place(s, c, index);
    return e->state;
}

/* What has become of an entry, now that the last run is mapped or refused. */
static void scidev_commit_finish(SCIDev *s, SCIDevCommit *c, unsigned index)
{
    SCIDevEntry *e = &s->att[index];

    if (e->state == SCI_ATT_ST_MAPPED) {
        uint64_t end = (index + 1) * scidev_granule(s);

        if (end > s->top) {
            scidev_topology_raise(s, end);
            c->topology = true;
        }
    } else if (e->n_maps) {
        /* A part of it was mapped before the host refused. */
        scidev_window_unmap(s, index, 1);
    }
    scidev_entry_show(s, index);
    trace_scidev_commit_entry(s->node_id, index, e->address, e->n_pages,
                              e->state);
    if (e->state != SCI_ATT_ST_IDLE && !scidev_entry_live(e)) {
        c->failed++;
        /* Not in the node's slot: nobody has lost an access. */
        scidev_error(s, SCI_ERROR_ATT, SCIDEV_NODE_NONE, "entry %u: state %u",
                     index, e->state);
    }
}

/* As many entries from @c->first on as one hold of the lock may take. */
static void scidev_commit_batch(SCIDev *s, SCIDevCommit *c)
{
    unsigned first = c->first;
    unsigned count = MAX(SCIDEV_BATCH_PAGES / scidev_granule_pages(s), 1);

    c->first = MIN(first + count, c->end);
    scidev_lock(s->lock);
    scidev_range_unmap(s, first, c->first);
    for (unsigned i = first; i < c->first; i++) {
        s->att[i].state = scidev_commit_entry(s, c, i);
    }
    scidev_commit_flush(s, c);
    for (unsigned i = first; i < c->first; i++) {
        scidev_commit_finish(s, c, i);
    }
    s->att_failed = c->failed;
    scidev_unlock(s->lock);
}

void scidev_att_commit(SCIDev *s, uint32_t val)
{
    SCIDevCommit c = { .first = SCI_GET(SCI_COMMIT_FIRST, val) };
    unsigned first = c.first;
    unsigned count = SCI_GET(SCI_COMMIT_COUNT, val);

    if (count == 0 || count > SCI_ATT_ENTRIES ||
        first > SCI_ATT_ENTRIES - count) {
        scidev_lock(s->lock);
        scidev_error(s, SCI_ERROR_ATT, SCIDEV_NODE_NONE,
                     "commit of %u entries at %u", count, first);
        scidev_unlock(s->lock);
        return;
    }
    c.end = first + count;
    while (c.first < c.end) {
        scidev_commit_batch(s, &c);
    }
    trace_scidev_commit(s->node_id, first, count, c.failed);
    if (c.topology) {
        scidev_topology_update(s);
    }
}

/* Whether the entry holds a page of [first, end) of the node. */
static bool scidev_entry_hit(const SCIDevEntry *e, unsigned node,
                             uint64_t first, uint64_t end)
{
    uint64_t page = scidev_entry_page(e);

    return (scidev_entry_live(e) || e->n_maps) &&
           scidev_entry_node(e) == node && page < end &&
           page + e->n_pages > first;
}

/*
 * Translate the pages of a live entry anew that the exporter names.  Those that
 * have changed are replaced run by run, so that each access reaches either the
 * page that was or the page that is.
 */
static bool scidev_entry_renew(SCIDev *s, unsigned index, uint64_t first,
                               uint64_t end)
{
    const SCIDevEntry *e = &s->att[index];
    uint64_t page = scidev_entry_page(e);
    unsigned from = MAX(first, page) - page;
    unsigned n = MIN(end, page + e->n_pages) - page - from;

    if (!scidev_entry_live(e) ||
        scidev_att_walk(s, e, from, n, scidev_entry_want(e), s->walk) !=
            SCI_ATT_ST_MAPPED) {
        return false;
    }
    return e->n_maps == 0 || scidev_window_renew(s, index, from, n, s->walk,
                                                 scidev_entry_copies(e));
}

/* An entry of which pages must go: says so, whatever becomes of them. */
static void scidev_entry_end(SCIDev *s, unsigned index, uint8_t state)
{
    s->att[index].state = state;
    scidev_entry_show(s, index);
}

typedef struct SCIDevRevoke {
    unsigned node;
    uint64_t first;
    uint64_t end;
    bool renew;                 /* what the tables still give stays */
    uint8_t state;              /* of what does not */
} SCIDevRevoke;

static bool scidev_att_change(SCIDev *s, const SCIDevRevoke *r)
{
    DECLARE_BITMAP(hit, SCI_ATT_ENTRIES) = {};
    unsigned hits = 0;
    bool done;

    for (unsigned i = 0; i < SCI_ATT_ENTRIES; i++) {
        SCIDevEntry *e = &s->att[i];

        if (!scidev_entry_hit(e, r->node, r->first, r->end) ||
            (r->renew && scidev_entry_renew(s, i, r->first, r->end))) {
            continue;
        }
        if (e->n_maps) {
            set_bit(i, hit);
        }
        /* One that was hit before and that the host did not let go then. */
        if (scidev_entry_live(e)) {
            hits++;
            scidev_entry_end(s, i, r->state);
        }
    }
    if (hits) {
        scidev_slot_revoked(s, r->node);
    }
    done = scidev_entries_unmap(s, hit);
    if (hits) {
        trace_scidev_revoke(s->node_id, r->node, r->first, r->end, hits,
                            r->state);
        scidev_slot_event(s, r->node);
    }
    return done;
}

bool scidev_att_revoke(SCIDev *s, unsigned node, uint8_t state)
{
    return scidev_att_change(s, &(SCIDevRevoke) {
        .node = node,
        .end = UINT64_MAX,
        .state = state,
    });
}

bool scidev_att_invalidate(SCIDev *s, unsigned node, uint64_t first,
                           uint64_t count)
{
    return scidev_att_change(s, &(SCIDevRevoke) {
        .node = node,
        .first = first,
        .end = count > UINT64_MAX - first ? UINT64_MAX : first + count,
        .renew = true,
        .state = SCI_ATT_ST_REVOKED,
    });
}

bool scidev_att_revoke_all(SCIDev *s)
{
    DECLARE_BITMAP(nodes, SCI_NODES) = {};
    bool done = true;

    for (unsigned i = 0; i < SCI_ATT_ENTRIES; i++) {
        if (scidev_entry_live(&s->att[i]) || s->att[i].n_maps) {
            set_bit(scidev_entry_node(&s->att[i]), nodes);
        }
    }
    for (unsigned node = find_first_bit(nodes, SCI_NODES); node < SCI_NODES;
         node = find_next_bit(nodes, SCI_NODES, node + 1)) {
        /* What the host does not let go, the exporter can still take back. */
        done &= scidev_att_revoke(s, node, SCI_ATT_ST_PEER_LOST);
    }
    return done;
}

/* After scidev_att_revoke_all() and scidev_topology_clear(). */
void scidev_att_reset(SCIDev *s)
{
    for (unsigned i = 0; i < SCI_ATT_ENTRIES; i++) {
        SCIDevEntry *e = &s->att[i];

        if (e->n_maps) {
            e->state = SCI_ATT_ST_IDLE;
        } else {
            *e = (SCIDevEntry) { .state = SCI_ATT_ST_IDLE };
        }
    }
    memset(s->att_host, 0, SCI_ATT_ENTRIES * sizeof(*s->att_host));
}
