/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The address translation table: entries as the guest writes them, what a
 * commit makes of them, and what an exporter's invalidation does to them: they
 * get its new pages, or end by revocation.  Called from register
 * accesses and from the fabric's callbacks; calls the host side of the window.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qemu/bitmap.h"
#include "qemu/bitops.h"
#include "scidev.h"
#include "trace.h"

#define SCIDEV_ENTRY_SIZE   sizeof(struct sci_att_entry)

static bool scidev_entry_live(const SCIDevEntry *e)
{
    return e->state == SCI_ATT_ST_MAPPED || e->state == SCI_ATT_ST_TRAP;
}

static uint32_t scidev_entry_status(const SCIDevEntry *e)
{
    uint32_t mapped = scidev_entry_live(e) ? e->n_pages : 0;

    return e->pages | SCI_PUT(SCI_ATT_STATE, e->state) |
           SCI_PUT(SCI_ATT_MAPPED, MIN(mapped, 0xffff));
}

/* The upper 8 bytes of an entry: key and status. */
static uint64_t scidev_entry_upper(const SCIDevEntry *e)
{
    return deposit64(e->key, 32, 32, scidev_entry_status(e));
}

/* @offset and @size are aligned, @size is 4 or 8. */
uint64_t scidev_att_read(SCIDev *s, hwaddr offset, unsigned size)
{
    const SCIDevEntry *e = &s->att[offset / SCIDEV_ENTRY_SIZE];
    uint64_t val = offset & 8 ? scidev_entry_upper(e) : e->address;

    return size == 8 ? val : extract64(val, (offset & 4) * 8, 32);
}

void scidev_att_write(SCIDev *s, hwaddr offset, uint64_t val, unsigned size)
{
    SCIDevEntry *e = &s->att[offset / SCIDEV_ENTRY_SIZE];
    uint64_t old = offset & 8 ? scidev_entry_upper(e) : e->address;

    if (size == 4) {
        val = deposit64(old, (offset & 4) * 8, 32, val);
    }
    if (offset & 8) {
        e->key = extract64(val, 0, 32);
        e->pages = extract64(val, 32, 32) & SCI_ATT_PAGES;
    } else {
        e->address = val;
    }
}

static bool scidev_entry_bad(SCIDev *s, const SCIDevEntry *e)
{
    uint64_t size = (uint64_t)e->n_pages * SCI_PAGE_SIZE;

    return (e->live_address & SCI_ATT_RESERVED) ||
           !(e->live_address & (SCI_ATT_READ | SCI_ATT_WRITE)) ||
           size > scidev_granule(s) ||
           (e->live_address & SCI_ATT_OFFSET) + size > 1ull << SCI_OFFSET_BITS;
}

uint8_t scidev_att_walk(SCIDev *s, const SCIDevEntry *e, unsigned first,
                        unsigned n, unsigned want, InboundPage *out)
{
    unsigned node = scidev_entry_node(e);
    uint64_t page = (e->live_address & SCI_ATT_OFFSET) / SCI_PAGE_SIZE + first;
    const FabricPeer *peer = scidev_peer(s, node, e->incarnation);

    if (!peer) {
        return SCI_ATT_ST_NO_NODE;
    }
    for (unsigned i = 0; i < n; i++) {
        switch (inbound_translate(peer, s->node_id, page + i, e->live_key, want,
                                  &out[i])) {
        case INBOUND_OK:
            break;
        case INBOUND_DENIED:
            return SCI_ATT_ST_DENIED;
        default:
            return SCI_ATT_ST_NO_PAGE;
        }
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
    return (e->live_address & SCI_ATT_READ ? INBOUND_READ : 0) |
           (e->live_address & SCI_ATT_WRITE ? INBOUND_WRITE : 0);
}

/* How an entry is accessed.  NONE: by traps. */
static SCIDevBacking scidev_entry_backing(const SCIDevEntry *e)
{
    if ((e->live_address & SCI_ATT_TRAP) || !(e->live_address & SCI_ATT_READ)) {
        return SCIDEV_BACKING_NONE;
    }
    return e->live_address & SCI_ATT_WRITE ? SCIDEV_BACKING_RAM
                                           : SCIDEV_BACKING_ROM;
}

/* Take over what the guest wrote; returns the new state. */
static uint8_t scidev_entry_commit(SCIDev *s, unsigned index)
{
    SCIDevEntry *e = &s->att[index];
    SCIDevBacking backing;
    uint8_t state;

    scidev_window_unmap(s, index);
    e->live_address = e->address;
    e->live_key = e->key;
    e->n_pages = e->pages + 1;
    e->incarnation = s->att_expect;
    if (!(e->address & SCI_ATT_VALID)) {
        return SCI_ATT_ST_IDLE;
    }
    if (scidev_entry_bad(s, e)) {
        return SCI_ATT_ST_BAD;
    }
    state = scidev_att_walk(s, e, 0, e->n_pages, scidev_entry_want(e), s->walk);
    if (state != SCI_ATT_ST_MAPPED) {
        return state;
    }
    backing = scidev_entry_backing(e);
    if (backing != SCIDEV_BACKING_NONE &&
        !scidev_window_map(s, index, backing, s->walk)) {
        return SCI_ATT_ST_NOSPC;
    }
    return e->live_address & SCI_ATT_TRAP ? SCI_ATT_ST_TRAP : SCI_ATT_ST_MAPPED;
}

void scidev_att_commit(SCIDev *s, uint32_t val)
{
    unsigned first = SCI_GET(SCI_COMMIT_FIRST, val);
    unsigned count = SCI_GET(SCI_COMMIT_COUNT, val);
    unsigned failed = 0;

    if (count == 0 || count > SCI_ATT_ENTRIES ||
        first > SCI_ATT_ENTRIES - count) {
        scidev_error(s, SCI_ERROR_ATT, SCIDEV_NODE_NONE,
                     "commit of %u entries at %u", count, first);
        return;
    }
    for (unsigned i = first; i < first + count; i++) {
        SCIDevEntry *e = &s->att[i];

        e->state = scidev_entry_commit(s, i);
        trace_scidev_commit_entry(s->node_id, i, e->live_address, e->n_pages,
                                  e->state);
        if (e->state != SCI_ATT_ST_IDLE && !scidev_entry_live(e)) {
            failed++;
            /* Not in the node's slot: nobody has lost an access. */
            scidev_error(s, SCI_ERROR_ATT, SCIDEV_NODE_NONE,
                         "entry %u: state %u", i, e->state);
        }
    }
    s->att_failed = failed;
    trace_scidev_commit(s->node_id, first, count, s->att_expect, failed);
    scidev_runs_update(s);
}

/* Whether the entry holds a page of [first, end) of the node. */
static bool scidev_entry_hit(const SCIDevEntry *e, unsigned node,
                             uint64_t first, uint64_t end)
{
    uint64_t page = (e->live_address & SCI_ATT_OFFSET) / SCI_PAGE_SIZE;

    return scidev_entry_live(e) && scidev_entry_node(e) == node && page < end &&
           page + e->n_pages > first;
}

/*
 * Translate a live entry anew.  What it maps is replaced page by page, so that
 * each access reaches either the page that was or the page that is.
 */
static bool scidev_entry_renew(SCIDev *s, unsigned index)
{
    SCIDevEntry *e = &s->att[index];

    return scidev_att_walk(s, e, 0, e->n_pages, scidev_entry_want(e),
                           s->walk) == SCI_ATT_ST_MAPPED &&
           (e->backing == SCIDEV_BACKING_NONE ||
            scidev_window_renew(s, index, s->walk));
}

static void scidev_att_change(SCIDev *s, unsigned node, uint64_t first,
                              uint64_t count, bool renew, uint8_t state)
{
    uint64_t end = count > UINT64_MAX - first ? UINT64_MAX : first + count;
    unsigned hits = 0;

    for (unsigned i = 0; i < SCI_ATT_ENTRIES; i++) {
        SCIDevEntry *e = &s->att[i];

        if (!scidev_entry_hit(e, node, first, end) ||
            (renew && scidev_entry_renew(s, i))) {
            continue;
        }
        if (hits++ == 0) {
            scidev_slot_revoked(s, node);
        }
        scidev_window_unmap(s, i);
        e->state = state;
    }
    if (hits) {
        trace_scidev_revoke(s->node_id, node, first, count, hits, state);
        scidev_runs_update(s);
        scidev_slot_event(s, node);
    }
}

void scidev_att_revoke(SCIDev *s, unsigned node, uint64_t first, uint64_t count,
                       uint8_t state)
{
    scidev_att_change(s, node, first, count, false, state);
}

void scidev_att_invalidate(SCIDev *s, unsigned node, uint64_t first,
                           uint64_t count)
{
    scidev_att_change(s, node, first, count, true, SCI_ATT_ST_REVOKED);
}

void scidev_att_revoke_all(SCIDev *s)
{
    DECLARE_BITMAP(nodes, SCI_NODES) = {};

    for (unsigned i = 0; i < SCI_ATT_ENTRIES; i++) {
        if (scidev_entry_live(&s->att[i])) {
            set_bit(scidev_entry_node(&s->att[i]), nodes);
        }
    }
    memory_region_transaction_begin();
    for (unsigned node = find_first_bit(nodes, SCI_NODES); node < SCI_NODES;
         node = find_next_bit(nodes, SCI_NODES, node + 1)) {
        scidev_att_revoke(s, node, 0, UINT64_MAX, SCI_ATT_ST_PEER_LOST);
    }
    memory_region_transaction_commit();
}

/* After scidev_att_revoke_all(): nothing is mapped any more. */
void scidev_att_reset(SCIDev *s)
{
    memset(s->att, 0, sizeof(s->att));
}
