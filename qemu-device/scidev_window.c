/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host side of the remote window (BAR 2): which pages of peers lie in it.
 * Called when ATT entries are committed or revoked.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * The window is one range of host memory that is RAM to QEMU for good.  A page
 * of a peer is put there by a mapping of the host that replaces what was there
 * before in one step: at no time is there a hole, whatever vCPUs do meanwhile,
 * and from the return of the call on nothing of the guest reaches the old page,
 * not even through a stale entry of a soft TLB.
 *
 * What is not mapped shows scratch memory: page x of the window page x of
 * `scratch`, which is zero when it appears.  It is shared memory without a
 * file: it was accounted for when it was made, if the host accounts for memory
 * at all (vm.overcommit_memory=2), so that mapping a part of it anew cannot
 * fail for want of memory.  mremap() with an old size of 0 maps a range a
 * second time.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/atomic.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"
#include "qemu/rcu.h"
#include "scidev.h"
#include "trace.h"

/* Part of vm.max_map_count that is left to the rest of QEMU. */
#define SCIDEV_MAPS_SPARE   8
#define SCIDEV_MAPS_DEFAULT 65530

/* Host ranges that outlive the region over them by an RCU grace period. */
typedef struct SCIDevRange {
    struct rcu_head rcu;
    void *host;
    void *scratch;
    size_t size;
} SCIDevRange;

/* Bound of all windows' host mappings, of all adapters; atomic. */
static uint64_t scidev_maps;
static uint64_t scidev_maps_max;

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

/* Show what lies at @from, memory that is shared, at @where as well. */
static bool scidev_remap(void *where, void *from, size_t size)
{
    return mremap(from, 0, size, MREMAP_MAYMOVE | MREMAP_FIXED, where) !=
           MAP_FAILED;
}

/*
 * Show a copy of what lies in a peer's RAM, page by page its own once it is
 * written to.  Made elsewhere and then moved: a private mapping may need memory
 * accounted for, and a call that fails for want of it leaves a hole behind.
 */
static bool scidev_remap_copy(void *where, const InboundPage *page, size_t size)
{
    void *made = mmap(NULL, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_NORESERVE, page->ram->fd,
                      page->ram->fd_offset + (page->host - page->ram->host));

    if (made == MAP_FAILED) {
        return false;
    }
    /* A peer's memory is no part of a core dump of ours. */
    if (madvise(made, size, MADV_DONTDUMP) < 0 ||
        mremap(made, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, where) ==
        MAP_FAILED) {
        munmap(made, size);
        return false;
    }
    return true;
}

/* Pages from @i on that one mapping can cover. */
static unsigned scidev_contiguous(const InboundPage *pages, unsigned i,
                                  unsigned n)
{
    unsigned count = 1;

    while (i + count < n && pages[i + count].ram == pages[i].ram &&
           pages[i + count].host ==
           pages[i].host + (uint64_t)count * SCI_PAGE_SIZE) {
        count++;
    }
    return count;
}

/* Count the entry with @maps mappings from now on; false if too many. */
static bool scidev_window_charge(SCIDevEntry *e, uint32_t maps)
{
    uint64_t more = (uint64_t)maps - e->n_maps; /* modulo 2^64 */

    if (qatomic_add_fetch(&scidev_maps, more) > scidev_maps_max &&
        maps > e->n_maps) {
        qatomic_sub(&scidev_maps, more);
        return false;
    }
    e->n_maps = maps;
    return true;
}

bool scidev_window_reserve(SCIDev *s, unsigned index, const InboundPage *pages)
{
    SCIDevEntry *e = &s->att[index];
    uint32_t maps = 1;          /* what is left of the granule behind it */

    for (unsigned i = 0; i < e->n_pages;
         i += scidev_contiguous(pages, i, e->n_pages)) {
        maps++;
    }
    return scidev_window_charge(e, maps);
}

bool scidev_window_place(SCIDev *s, const SCIDevPlace *place)
{
    size_t size = (size_t)place->n * SCI_PAGE_SIZE;
    void *where = s->host + (uint64_t)place->first * SCI_PAGE_SIZE;
    bool ok = place->copy ? scidev_remap_copy(where, &place->page, size)
                          : scidev_remap(where, place->page.host, size);

    trace_scidev_map(s->node_id, place->first, place->n, place->copy, ok);
    for (unsigned i = 0; ok && i < place->n; i++) {
        s->page[place->first + i] =
            place->page.host + (uint64_t)i * SCI_PAGE_SIZE;
    }
    return ok;
}

/* The mappings that an entry takes as it is. */
static uint32_t scidev_window_count(SCIDev *s, unsigned index)
{
    const SCIDevEntry *e = &s->att[index];
    uint8_t **page = s->page + index * scidev_granule_pages(s);
    uint32_t maps = 2;

    for (unsigned i = 1; i < e->n_pages; i++) {
        maps += page[i] != page[i - 1] + SCI_PAGE_SIZE;
    }
    return maps;
}

bool scidev_window_renew(SCIDev *s, unsigned index, unsigned from, unsigned n,
                         const InboundPage *pages, bool copy)
{
    SCIDevEntry *e = &s->att[index];
    unsigned base = index * scidev_granule_pages(s) + from;
    unsigned changed = 0, count;

    for (unsigned i = 0; i < n; i++) {
        changed += s->page[base + i] != pages[i].host;
    }
    /* Each changed page takes a mapping and may split another one. */
    if (!changed || !scidev_window_charge(e, e->n_maps + 2 * changed)) {
        return !changed;
    }
    for (unsigned i = 0; i < n; i += count) {
        SCIDevPlace run = {
            .first = base + i,
            .page = pages[i],
            .copy = copy,
        };

        count = scidev_contiguous(pages, i, n);
        while (run.n < count && s->page[run.first + run.n] !=
               pages[i + run.n].host) {
            run.n++;
        }
        count = MAX(run.n, 1);
        if (run.n && !scidev_window_place(s, &run)) {
            return false;
        }
    }
    trace_scidev_renew(s->node_id, index, changed);
    return scidev_window_charge(e, scidev_window_count(s, index));
}

bool scidev_window_unmap(SCIDev *s, unsigned first, unsigned count)
{
    uint64_t offset = first * scidev_granule(s);
    size_t size = count * scidev_granule(s);

    /* What was stored there when it was last seen; nobody has it mapped now. */
    madvise(s->scratch + offset, size, MADV_REMOVE);
    if (!scidev_remap(s->host + offset, s->scratch + offset, size)) {
        warn_report_once("sci: the host refuses to map memory (%s); pages that "
                         "other nodes take back stay in use until it does: "
                         "raise vm.max_map_count", strerror(errno));
        return false;
    }
    memset(&s->page[offset / SCI_PAGE_SIZE], 0,
           size / SCI_PAGE_SIZE * sizeof(s->page[0]));
    for (unsigned i = first; i < first + count; i++) {
        scidev_window_charge(&s->att[i], 0);
    }
    trace_scidev_unmap(s->node_id, first, count);
    return true;
}

void scidev_window_discard(SCIDev *s)
{
    madvise(s->scratch, s->window_size, MADV_REMOVE);
}

/* The two views of the memory without pages; MAP_FAILED, and errno, if not. */
static void *scidev_window_allocate(SCIDev *s)
{
    s->scratch = mmap(NULL, s->window_size, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (s->scratch == MAP_FAILED) {
        s->scratch = NULL;
        return MAP_FAILED;
    }
    madvise(s->scratch, s->window_size, MADV_DONTDUMP);
    return mremap(s->scratch, 0, s->window_size, MREMAP_MAYMOVE);
}

bool scidev_window_init(SCIDev *s, Error **errp)
{
    ERRP_GUARD();
    void *host = scidev_window_allocate(s);

    if (host == MAP_FAILED) {
        error_setg_errno(errp, errno,
                         "cannot reserve memory for the window");
        error_append_hint(errp, "Use a smaller window-size.\n");
        return false;
    }
    if (!scidev_maps_max) {
        scidev_maps_max = scidev_maps_limit();
    }
    s->host = host;
    s->page = g_new0(uint8_t *, s->window_size / SCI_PAGE_SIZE);
    s->walk = g_new0(InboundPage, scidev_granule_pages(s));

    memory_region_init(&s->window, OBJECT(s), "sci-window", s->window_size);
    memory_region_init_ram_ptr(&s->memory, OBJECT(s), "sci-memory",
                               s->window_size, s->host);
    memory_region_add_subregion(&s->window, 0, &s->memory);
    memory_region_init_io(&s->trap, OBJECT(s), &scidev_trap_ops, s, "sci-trap",
                          s->window_size);
    scidev_topology_init(s);
    /* QEMU's madvise() would keep the range from merging with later scratch. */
    if (!scidev_remap(s->host, s->scratch, s->window_size)) {
        error_setg_errno(errp, errno, "cannot map the window");
        return false;
    }
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
        scidev_topology_exit(s);
        memory_region_del_subregion(&s->window, &s->memory);
        g_clear_pointer(&s->walk, g_free);
        g_clear_pointer(&s->page, g_free);
    }
}

static void scidev_range_free(SCIDevRange *range)
{
    if (range->host) {
        munmap(range->host, range->size);
    }
    munmap(range->scratch, range->size);
    g_free(range);
}

/* The regions are gone; a reader of QEMU's RAM list may still be about. */
void scidev_window_finalize(SCIDev *s)
{
    SCIDevRange *range;

    if (!s->scratch) {
        return;
    }
    range = g_new0(SCIDevRange, 1);
    range->host = s->host;
    range->scratch = s->scratch;
    range->size = s->window_size;
    call_rcu(range, scidev_range_free, rcu);
}
