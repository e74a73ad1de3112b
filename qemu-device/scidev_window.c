/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host side of the remote window (BAR 2): which peer pages lie in the two
 * reserved host ranges.  Called when ATT entries are committed or revoked.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * Byte x of the window is byte x of both ranges.  Where no peer page is mapped
 * they hold private zero pages, never a hole and never PROT_NONE: a vCPU or a
 * device may still use a translation that the topology has dropped.  Everything
 * that a guest must notice traps, because only runs of mapped entries have an
 * alias above the trapping region.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"
#include "qemu/rcu.h"
#include "scidev.h"
#include "trace.h"

/* Part of vm.max_map_count that is left to the rest of QEMU. */
#define SCIDEV_MAPS_SPARE   8
#define SCIDEV_MAPS_DEFAULT 65530

/* Host ranges that outlive the regions over them by an RCU grace period. */
typedef struct SCIDevRange {
    struct rcu_head rcu;
    void *base;
    size_t size;
} SCIDevRange;

static uint64_t scidev_maps;    /* bound of all windows' host mappings */
static uint64_t scidev_maps_max;

static const char *const scidev_backing_name[SCIDEV_BACKINGS] = {
    [SCIDEV_BACKING_RAM] = "ram",
    [SCIDEV_BACKING_ROM] = "rom",
};

static void *scidev_scratch(void *where, size_t size)
{
    return mmap(where, size, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
                    (where ? MAP_FIXED : 0),
                -1, 0);
}

/* Take the peer's pages out of a range.  There is no way to go on without. */
static void scidev_replace(void *where, size_t size)
{
    if (scidev_scratch(where, size) == MAP_FAILED) {
        /* No guest can cause it: mappings are budgeted, the range exists. */
        error_report("sci: cannot replace a host mapping: %s", strerror(errno));
        abort();
    }
}

static uint64_t scidev_maps_limit(void)
{
    g_autofree char *text = NULL;
    uint64_t max;

    if (!g_file_get_contents("/proc/sys/vm/max_map_count", &text, NULL, NULL) ||
        qemu_strtou64(text, NULL, 10, &max) < 0) {
        max = SCIDEV_MAPS_DEFAULT;
    }
    return max - max / SCIDEV_MAPS_SPARE;
}

static uint8_t *scidev_entry_host(SCIDev *s, unsigned index,
                                  SCIDevBacking backing)
{
    return s->host[backing] + index * scidev_granule(s);
}

/* Pages from @i on that one mmap can cover. */
static unsigned scidev_contiguous(const InboundPage *pages, unsigned i,
                                  unsigned n)
{
    unsigned count = 1;

    while (i + count < n && pages[i + count].fd == pages[i].fd &&
           pages[i + count].fd_offset ==
           pages[i].fd_offset + (uint64_t)count * SCI_PAGE_SIZE) {
        count++;
    }
    return count;
}

/* Host mappings that an entry of these pages is counted with. */
static unsigned scidev_count_maps(const InboundPage *pages, unsigned n)
{
    unsigned maps = 1;          /* what is left of the range behind the entry */

    for (unsigned i = 0; i < n; i += scidev_contiguous(pages, i, n)) {
        maps++;
    }
    return maps;
}

/* Returns how many pages, from the first on, are or may be mapped. */
static unsigned scidev_place(uint8_t *host, const InboundPage *pages,
                             unsigned n, bool *ok)
{
    unsigned i, count;

    *ok = true;
    for (i = 0; *ok && i < n; i += count) {
        count = scidev_contiguous(pages, i, n);
        /* Writable even for ROM: a debugger may write to it. */
        *ok = mmap(host + (uint64_t)i * SCI_PAGE_SIZE,
                   (uint64_t)count * SCI_PAGE_SIZE, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_FIXED, pages[i].fd,
                   pages[i].fd_offset) != MAP_FAILED;
    }
    return i;
}

bool scidev_window_map(SCIDev *s, unsigned index, SCIDevBacking backing,
                       const InboundPage *pages)
{
    SCIDevEntry *e = &s->att[index];
    uint8_t *host = scidev_entry_host(s, index, backing);
    unsigned maps = scidev_count_maps(pages, e->n_pages);
    unsigned placed;
    bool ok;

    if (maps > scidev_maps_max - scidev_maps) {
        return false;
    }
    placed = scidev_place(host, pages, e->n_pages, &ok);
    if (!ok) {
        /* The failed call may have left a hole. */
        scidev_replace(host, (uint64_t)placed * SCI_PAGE_SIZE);
        return false;
    }
    scidev_maps += maps;
    e->n_maps = maps;
    e->backing = backing;
    trace_scidev_map(s->node_id, index, e->n_pages, maps - 1,
                     scidev_backing_name[backing]);
    return true;
}

bool scidev_window_renew(SCIDev *s, unsigned index, const InboundPage *pages)
{
    SCIDevEntry *e = &s->att[index];
    unsigned maps = scidev_count_maps(pages, e->n_pages);
    bool ok;

    if (maps > scidev_maps_max - scidev_maps + e->n_maps) {
        return false;
    }
    scidev_place(scidev_entry_host(s, index, e->backing), pages, e->n_pages,
                 &ok);
    /* If it failed, unmapping replaces the whole entry. */
    if (ok) {
        scidev_maps += maps - e->n_maps;
        e->n_maps = maps;
        trace_scidev_renew(s->node_id, index, e->n_pages, maps - 1);
    }
    return ok;
}

void scidev_window_unmap(SCIDev *s, unsigned index)
{
    SCIDevEntry *e = &s->att[index];

    if (e->backing == SCIDEV_BACKING_NONE) {
        return;
    }
    scidev_replace(scidev_entry_host(s, index, e->backing),
                   (uint64_t)e->n_pages * SCI_PAGE_SIZE);
    scidev_maps -= e->n_maps;
    e->n_maps = 0;
    e->backing = SCIDEV_BACKING_NONE;
    trace_scidev_unmap(s->node_id, index, e->n_pages);
}

static void scidev_window_init_rom(SCIDev *s)
{
    MemoryRegion *mr = &s->backing[SCIDEV_BACKING_ROM];

    /*
     * A ROM device over memory of ours: loads are direct, stores go to
     * `scidev_trap_ops`.  memory_region_init_rom_device() would allocate and
     * account for the whole window, and a read-only RAM region would lose
     * stores without telling us.
     */
    memory_region_init_ram_ptr(mr, OBJECT(s), "sci-rom", s->window_size,
                               s->host[SCIDEV_BACKING_ROM]);
    mr->ram = false;
    mr->rom_device = true;
    mr->ops = &scidev_trap_ops;
    mr->opaque = s;
}

bool scidev_window_init(SCIDev *s, Error **errp)
{
    ERRP_GUARD();
    uint8_t *base = scidev_scratch(NULL, 2 * s->window_size);

    if (base == MAP_FAILED) {
        error_setg_errno(errp, errno,
                         "cannot reserve address space for the window");
        error_append_hint(errp, "Use a smaller window-size.\n");
        return false;
    }
    if (!scidev_maps_max) {
        scidev_maps_max = scidev_maps_limit();
    }
    s->host[SCIDEV_BACKING_RAM] = base;
    s->host[SCIDEV_BACKING_ROM] = base + s->window_size;
    s->walk = g_new0(InboundPage, scidev_granule(s) / SCI_PAGE_SIZE);
    scidev_runs_init(s);

    memory_region_init(&s->window, OBJECT(s), "sci-window", s->window_size);
    memory_region_init_io(&s->trap, OBJECT(s), &scidev_trap_ops, s, "sci-trap",
                          s->window_size);
    memory_region_add_subregion(&s->window, 0, &s->trap);
    memory_region_init_ram_ptr(&s->backing[SCIDEV_BACKING_RAM], OBJECT(s),
                               "sci-ram", s->window_size, base);
    scidev_window_init_rom(s);
    /* QEMU's madvise() would keep the range from merging with later scratch. */
    scidev_replace(base, 2 * s->window_size);
    pci_register_bar(PCI_DEVICE(s), SCI_BAR_WINDOW,
                     PCI_BASE_ADDRESS_MEM_TYPE_64 |
                         PCI_BASE_ADDRESS_MEM_PREFETCH,
                     &s->window);
    return true;
}

/*
 * The device is disabled, no entry is mapped.  The regions stay until it is
 * finalized, but not one inside the other: that would be a reference to it.
 */
void scidev_window_exit(SCIDev *s)
{
    if (s->walk) {
        scidev_runs_exit(s);
        memory_region_del_subregion(&s->window, &s->trap);
        g_clear_pointer(&s->walk, g_free);
    }
}

static void scidev_range_free(SCIDevRange *range)
{
    munmap(range->base, range->size);
    g_free(range);
}

/* The regions are gone; a reader of QEMU's RAM list may still be about. */
void scidev_window_finalize(SCIDev *s)
{
    SCIDevRange *range;

    if (!s->host[SCIDEV_BACKING_RAM]) {
        return;
    }
    range = g_new0(SCIDevRange, 1);
    range->base = s->host[SCIDEV_BACKING_RAM];
    range->size = 2 * s->window_size;
    call_rcu(range, scidev_range_free, rcu);
}
