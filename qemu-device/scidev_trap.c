/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Window accesses that are not plain memory: each is one transaction with the
 * peer, translated and checked when it happens, or an error.  Called by QEMU's
 * memory core for the parts of BAR 2 that trap.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "scidev.h"
#include "trace.h"

/* Where the access goes in the peer's RAM; NULL if it must not. */
static void *scidev_trap_resolve(SCIDev *s, const SCIDevEntry *e, hwaddr addr,
                                 unsigned size, unsigned want)
{
    uint64_t page = addr % scidev_granule(s) / SCI_PAGE_SIZE;
    unsigned offset = addr % SCI_PAGE_SIZE;
    uint64_t right = want == INBOUND_WRITE ? SCI_ATT_WRITE : SCI_ATT_READ;
    InboundPage out;

    if (e->state != SCI_ATT_ST_MAPPED && e->state != SCI_ATT_ST_TRAP) {
        return NULL;
    }
    if (page >= e->n_pages || !(e->address & right) ||
        size > SCI_PAGE_SIZE - offset) {
        return NULL;
    }
    if (scidev_att_walk(s, e, page, 1, want, &out) != SCI_ATT_ST_MAPPED) {
        return NULL;
    }
    return out.host + offset;
}

/*
 * The access is over when the lock is given back: whoever revokes the page
 * later comes after it.
 */
static void scidev_trap(SCIDev *s, hwaddr addr, uint64_t *val, unsigned size,
                        unsigned want)
{
    const SCIDevEntry *e = &s->att[addr / scidev_granule(s)];
    bool write = want == INBOUND_WRITE;
    void *host = scidev_trap_resolve(s, e, addr, size, want);

    trace_scidev_trap(s->node_id, addr, size, write, host);
    if (write) {
        s->trap_writes++;
    } else {
        s->trap_reads++;
    }
    scidev_status_sync(s);
    if (!host) {
        unsigned node = e->state == SCI_ATT_ST_IDLE ? SCIDEV_NODE_NONE
                                                    : scidev_entry_node(e);

        scidev_error(s, SCI_ERROR_WINDOW, node,
                     "%s of %u bytes at 0x%" HWADDR_PRIx " of the window",
                     write ? "store" : "load", size, addr);
    } else if (write) {
        stn_le_p(host, size, *val);
    } else {
        *val = ldn_le_p(host, size);
    }
}

static uint64_t scidev_trap_read(void *opaque, hwaddr addr, unsigned size)
{
    SCIDev *s = opaque;
    uint64_t val = UINT64_MAX;

    if (scidev_attached(s)) {
        scidev_lock(s->lock);
        scidev_trap(s, addr, &val, size, INBOUND_READ);
        scidev_unlock(s->lock);
    }
    return val;
}

static void scidev_trap_write(void *opaque, hwaddr addr, uint64_t val,
                              unsigned size)
{
    SCIDev *s = opaque;

    if (scidev_attached(s)) {
        scidev_lock(s->lock);
        scidev_trap(s, addr, &val, size, INBOUND_WRITE);
        scidev_unlock(s->lock);
    }
}

/*
 * CPUs may access at any offset within a page; QEMU splits what crosses one,
 * and DMA at natural alignment.
 */
const MemoryRegionOps scidev_trap_ops = {
    .read = scidev_trap_read,
    .write = scidev_trap_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid.min_access_size = 1,
    .valid.max_access_size = 8,
    .valid.unaligned = true,
    .impl.min_access_size = 1,
    .impl.max_access_size = 8,
};
