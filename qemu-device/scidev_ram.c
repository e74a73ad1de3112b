/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which guest RAM peers can reach: the memory backends that the machine uses,
 * described for the fabric's hello.  Called when the device is realized (to
 * refuse a machine whose RAM peers could not use) and when it attaches; then
 * watches for RAM that is unplugged.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * A guest takes its tables and the pages it exports from any RAM it has.  So
 * RAM that peers cannot use is refused, all of it, and not left out; but for
 * persistent memory (NVDIMM), which guests do not use as RAM by themselves.
 */
#include "qemu/osdep.h"
#include <linux/memfd.h>
#include <sys/vfs.h>
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/rcu.h"
#include "qemu/units.h"
#include "system/hostmem.h"
#include "scidev.h"

/* PC firmware maps and unmaps RAM here at will (VGA, option ROMs, PAM). */
#define SCIDEV_LEGACY_START (640 * KiB)
#define SCIDEV_LEGACY_END   (1 * MiB)

typedef struct SCIDevRamScan {
    SCIDev *dev;
    FabricConfig *config;
    Error **errp;
    bool failed;
} SCIDevRamScan;

/* One piece of the memory map, of a region that is RAM. */
typedef struct SCIDevRamPiece {
    MemoryRegion *mr;
    uint64_t base;
    uint64_t end;
    uint64_t offset;            /* of `base` in `mr` */
} SCIDevRamPiece;

static const char *scidev_ram_name(MemoryRegion *mr)
{
    return object_get_canonical_path_component(
        memory_region_owner(mr));
}

/* What is wrong with a backend's RAM, and *@remedy; NULL: nothing. */
static const char *scidev_ram_fault(MemoryRegion *mr, const char **remedy)
{
    const int wanted = F_SEAL_SHRINK | F_SEAL_SEAL;
    int fd = memory_region_get_fd(mr);
    int seals;

    *remedy = "Use for all of the machine's RAM: -object memory-backend-memfd,"
              "id=ram0,size=SIZE,share=on -machine memory-backend=ram0";
    if (!mr->ram_block || !qemu_ram_is_shared(mr->ram_block) || fd < 0) {
        return "is not shared, so other nodes could not map it";
    }
    if (qemu_ram_pagesize(mr->ram_block) != SCI_PAGE_SIZE) {
        *remedy = "Leave out 'hugetlb' and use memory-backend-memfd.";
        return "has huge pages, which cannot be mapped singly";
    }
    seals = fcntl(fd, F_GET_SEALS);
    if (seals >= 0 && (seals & wanted) == wanted) {
        return NULL;
    }
    /* One in a tmpfs says that it has seals, as a memfd with seal=off does. */
    if (seals < 0 || object_dynamic_cast(memory_region_owner(mr),
                                         "memory-backend-file")) {
        *remedy = "Use memory-backend-memfd.";
        return "is a file, which can be cut short while others have it mapped";
    }
    *remedy = "Leave out 'seal=off'.";
    return "is not sealed, so that it can be cut short while others have "
           "it mapped";
}

/* A flag of the place where it is, not of the backend's memory. */
static bool scidev_ram_nonvolatile(const SCIDevRamPiece *piece)
{
    MemoryRegionSection section =
        memory_region_find(get_system_memory(), piece->base, SCI_PAGE_SIZE);

    if (section.mr) {
        memory_region_unref(section.mr);
    }
    return section.nonvolatile;
}

static bool scidev_ram_refuse(SCIDevRamScan *scan, const SCIDevRamPiece *piece)
{
    const char *name = scidev_ram_name(piece->mr);
    const char *remedy;
    const char *fault = scidev_ram_fault(piece->mr, &remedy);

    if (!fault) {
        return false;
    }
    if (scidev_ram_nonvolatile(piece)) {
        warn_report_once("sci: persistent memory '%s' %s; it is left out: the "
                         "guest cannot export it", name, fault);
        return true;
    }
    error_setg(scan->errp, "guest RAM at 0x%" PRIx64 " to 0x%" PRIx64
               " (memory backend '%s') %s", piece->base, piece->end - 1, name,
               fault);
    error_append_hint(scan->errp, "%s\n", remedy);
    scan->failed = true;
    return true;
}

static void scidev_ram_add(SCIDevRamScan *scan, const SCIDevRamPiece *piece,
                           uint64_t base, uint64_t end)
{
    FabricConfig *config = scan->config;
    int fd = memory_region_get_fd(piece->mr);
    FabricRam *last = config->n_ram ? &config->ram[config->n_ram - 1] : NULL;
    uint64_t offset, fd_offset;

    base = ROUND_UP(base, SCI_PAGE_SIZE);
    end = ROUND_DOWN(end, SCI_PAGE_SIZE);
    if (base >= end) {
        return;
    }
    offset = piece->offset + (base - piece->base);
    fd_offset = piece->mr->ram_block->fd_offset + offset;
    if (last && last->fd == fd && last->guest_base + last->size == base &&
        last->fd_offset + last->size == fd_offset) {
        last->size += end - base;
        return;
    }
    if (config->n_ram == FABRIC_RAM_MAX) {
        error_setg(scan->errp, "guest RAM is in more than %d pieces",
                   FABRIC_RAM_MAX);
        error_append_hint(scan->errp, "Use one memory backend for all of the "
                                      "machine's RAM.\n");
        scan->failed = true;
        return;
    }
    scan->dev->ram[config->n_ram] = (SCIDevRam) {
        .mr = piece->mr,
        .guest_base = base,
        .offset = offset,
    };
    config->ram[config->n_ram++] = (FabricRam) {
        .guest_base = base,
        .size = end - base,
        .fd_offset = fd_offset,
        .fd = fd,
    };
}

static bool scidev_ram_range(Int128 start, Int128 len, const MemoryRegion *mr,
                             hwaddr offset_in_region, void *opaque)
{
    SCIDevRamScan *scan = opaque;
    SCIDevRamPiece piece = {
        .mr = (MemoryRegion *)mr,
        .base = int128_get64(start),
        .end = int128_get64(start) + int128_getlo(len),
        .offset = offset_in_region,
    };
    Object *owner = memory_region_owner(piece.mr);

    /* RAM of devices, as a screen's, is no RAM to a guest. */
    if (!memory_region_is_ram(piece.mr) || piece.mr->readonly || !owner ||
        !object_dynamic_cast(owner, TYPE_MEMORY_BACKEND)) {
        return false;
    }
    if (scidev_ram_refuse(scan, &piece)) {
        return scan->failed;
    }
    if (piece.base < SCIDEV_LEGACY_START) {
        scidev_ram_add(scan, &piece, piece.base,
                       MIN(piece.end, SCIDEV_LEGACY_START));
    }
    if (piece.end > SCIDEV_LEGACY_END) {
        scidev_ram_add(scan, &piece, MAX(piece.base, SCIDEV_LEGACY_END),
                       piece.end);
    }
    return scan->failed;
}

bool scidev_ram_collect(SCIDev *s, FabricConfig *config, Error **errp)
{
    ERRP_GUARD();
    SCIDevRamScan scan = { .dev = s, .config = config, .errp = errp };

    config->n_ram = 0;
    WITH_RCU_READ_LOCK_GUARD() {
        flatview_for_each_range(
            address_space_to_flatview(&address_space_memory), scidev_ram_range,
            &scan);
    }
    s->n_ram = config->n_ram;
    if (!scan.failed && config->n_ram == 0) {
        error_setg(errp, "the machine has no RAM that is a memory backend");
        error_append_hint(
            errp, "Add: -object memory-backend-memfd,id=ram0,size=SIZE,"
                  "share=on -machine memory-backend=ram0\n");
        return false;
    }
    return !scan.failed;
}

static void scidev_ram_removed(MemoryListener *listener,
                               MemoryRegionSection *section)
{
    SCIDev *s = container_of(listener, SCIDev, ram_listener);

    for (unsigned i = 0; i < s->n_ram; i++) {
        s->ram_removed |= section->mr == s->ram[i].mr;
    }
}

/* Whether the range still begins where it was described. */
static bool scidev_ram_present(const SCIDevRam *ram)
{
    MemoryRegionSection section =
        memory_region_find(get_system_memory(), ram->guest_base, SCI_PAGE_SIZE);
    bool present = section.mr == ram->mr &&
                   section.offset_within_region == ram->offset;

    if (section.mr) {
        memory_region_unref(section.mr);
    }
    return present;
}

/*
 * A range that is gone is nobody's memory any more, whatever is plugged in at
 * its addresses later: the peers' adapters would still find the old file there.
 */
static void scidev_ram_commit(MemoryListener *listener)
{
    SCIDev *s = container_of(listener, SCIDev, ram_listener);
    bool gone = false;

    if (!s->ram_removed) {
        return;
    }
    s->ram_removed = false;
    scidev_lock(s->lock);
    for (unsigned i = 0; i < s->n_ram; i++) {
        SCIDevRam *ram = &s->ram[i];

        if (!ram->gone && !scidev_ram_present(ram)) {
            warn_report("sci: node %u: RAM at 0x%" PRIx64 " was unplugged; "
                        "what takes its place cannot be exported", s->node_id,
                        ram->guest_base);
            ram->gone = gone = true;
            fabric_ram_gone(s->fabric, i);
        }
    }
    if (gone) {
        scidev_own_invalidate(s, 0, SCI_PAGES_MAX);
        fabric_invalidate(s->fabric, 0, SCI_PAGES_MAX);
    }
    scidev_unlock(s->lock);
}

void scidev_ram_watch(SCIDev *s)
{
    s->ram_listener = (MemoryListener) {
        .name = "sci",
        .region_del = scidev_ram_removed,
        .commit = scidev_ram_commit,
    };
    memory_listener_register(&s->ram_listener, &address_space_memory);
    s->ram_listening = true;
}

void scidev_ram_unwatch(SCIDev *s)
{
    if (s->ram_listening) {
        memory_listener_unregister(&s->ram_listener);
        s->ram_listening = false;
    }
}
