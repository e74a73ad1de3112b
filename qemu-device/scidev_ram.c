/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which guest RAM peers can reach: the shared, descriptor-backed parts of the
 * system address space, described for the fabric's hello.  Called when the
 * device is realized (to refuse a machine without) and when it attaches.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/rcu.h"
#include "qemu/units.h"
#include "scidev.h"

/* PC firmware maps and unmaps RAM here at will (VGA, option ROMs, PAM). */
#define SCIDEV_LEGACY_START (640 * KiB)
#define SCIDEV_LEGACY_END   (1 * MiB)

typedef struct SCIDevRamScan {
    FabricConfig *config;
    bool huge;                  /* found RAM that has no 4 KiB pages */
    bool overflow;
} SCIDevRamScan;

static void scidev_ram_add(SCIDevRamScan *scan, int fd, uint64_t base,
                           uint64_t end, uint64_t fd_offset)
{
    FabricConfig *config = scan->config;
    FabricRam *last = config->n_ram ? &config->ram[config->n_ram - 1] : NULL;
    uint64_t skip = ROUND_UP(base, SCI_PAGE_SIZE) - base;

    base += skip;
    fd_offset += skip;
    end = ROUND_DOWN(end, SCI_PAGE_SIZE);
    if (base >= end) {
        return;
    }
    if (last && last->fd == fd && last->guest_base + last->size == base &&
        last->fd_offset + last->size == fd_offset) {
        last->size += end - base;
        return;
    }
    if (config->n_ram == FABRIC_RAM_MAX) {
        scan->overflow = true;
        return;
    }
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
    RAMBlock *block = mr->ram_block;
    uint64_t base = int128_get64(start);
    uint64_t end = base + int128_getlo(len);
    uint64_t fd_offset;

    if (!mr->ram || mr->readonly || mr->ram_device || !block ||
        !qemu_ram_is_shared(block) || block->fd < 0) {
        return false;
    }
    if (qemu_ram_pagesize(block) != SCI_PAGE_SIZE) {
        scan->huge = true;
        return false;
    }
    fd_offset = block->fd_offset + offset_in_region;
    if (base < SCIDEV_LEGACY_START) {
        scidev_ram_add(scan, block->fd, base, MIN(end, SCIDEV_LEGACY_START),
                       fd_offset);
    }
    if (end > SCIDEV_LEGACY_END) {
        uint64_t skip = MAX(base, SCIDEV_LEGACY_END) - base;

        scidev_ram_add(scan, block->fd, base + skip, end, fd_offset + skip);
    }
    return false;
}

bool scidev_ram_collect(FabricConfig *config, Error **errp)
{
    ERRP_GUARD();
    SCIDevRamScan scan = { .config = config };

    config->n_ram = 0;
    WITH_RCU_READ_LOCK_GUARD() {
        flatview_for_each_range(
            address_space_to_flatview(&address_space_memory), scidev_ram_range,
            &scan);
    }
    if (scan.overflow) {
        error_setg(errp, "guest RAM is in more than %d pieces", FABRIC_RAM_MAX);
        error_append_hint(
            errp, "Use one memory backend for all of the machine's RAM.\n");
        return false;
    }
    if (config->n_ram == 0 && scan.huge) {
        error_setg(
            errp,
            "guest RAM has pages larger than %d bytes, which cannot be mapped "
            "singly",
            SCI_PAGE_SIZE);
        error_append_hint(
            errp, "Leave out 'hugetlb' and use memory-backend-memfd.\n");
        return false;
    }
    if (config->n_ram == 0) {
        error_setg(errp,
                   "guest RAM is not shared, so other nodes could not map it");
        error_append_hint(
            errp,
            "Add: -object memory-backend-memfd,id=ram0,size=SIZE,share=on "
            "-machine memory-backend=ram0\n");
        return false;
    }
    return true;
}
