/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Translation of SCI pages of a peer through the tables in that peer's RAM.
 * Called by the device when it commits ATT entries.  The tables and the
 * numbers in the control page belong to a hostile guest that may write them
 * at any time: each word is read once, and bounded before it is used.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "../include/sci_regs.h"
#include "inbound.h"

_Static_assert(SCI_NODE_MAX == FABRIC_NODE_MAX,
               "a node id fits the access rows");
_Static_assert(SCI_LINES_MAX == FABRIC_LINES_MAX, "one limit of lines");

#define INBOUND_ENTRY_BITS \
    (SCI_INBOUND_ADDRESS | SCI_INBOUND_READ | SCI_INBOUND_WRITE)

/* Second word of struct sci_inbound_entry, read as one */
#define INBOUND_KEY         0x00000000ffffffffull
#define INBOUND_ACCESS      0x0000ffff00000000ull
#define INBOUND_RESERVED    0xffff000000000000ull

/* Reads the little-endian word at @guest + @offset of the peer's RAM. */
static bool inbound_load(const FabricPeer *peer, uint64_t guest,
                         uint64_t offset, uint64_t *value)
{
    uint64_t *host;

    if (guest % sizeof(*host) != 0 || offset > UINT64_MAX - guest) {
        return false;
    }
    host = fabric_ram_host(peer, guest + offset, sizeof(*host));
    if (!host) {
        return false;
    }
    /* The exporter writes the word that makes an entry valid last. */
    *value = GUINT64_FROM_LE(__atomic_load_n(host, __ATOMIC_ACQUIRE));
    return true;
}

/* Walks directory and leaf; false if there is no entry of @key. */
static bool inbound_lookup(const FabricPeer *peer, uint64_t sci_page,
                           uint32_t key, uint64_t *entry, uint64_t *row)
{
    const FabricPage *page = peer->page;
    uint64_t base = __atomic_load_n(&page->inbound_base, __ATOMIC_RELAXED);
    uint32_t count = __atomic_load_n(&page->inbound_count, __ATOMIC_RELAXED);
    uint64_t index = sci_page / SCI_LEAF_ENTRIES;
    uint64_t dir, leaf, more;

    if (index >= count || index >= SCI_DIR_MAX ||
        !inbound_load(peer, base, index * sizeof(dir), &dir)) {
        return false;
    }
    if (!(dir & SCI_DIR_PRESENT) ||
        (dir & ~(SCI_DIR_PRESENT | SCI_DIR_ADDRESS))) {
        return false;
    }
    leaf = (dir & SCI_DIR_ADDRESS) +
           (sci_page % SCI_LEAF_ENTRIES) * sizeof(struct sci_inbound_entry);
    if (!inbound_load(peer, leaf, 0, entry) || *entry == 0 ||
        (*entry & ~INBOUND_ENTRY_BITS)) {
        return false;
    }
    if (!inbound_load(peer, leaf, sizeof(*entry), &more) ||
        (more & INBOUND_RESERVED) || (more & INBOUND_KEY) != key) {
        return false;
    }
    *row = SCI_GET(INBOUND_ACCESS, more);
    return true;
}

/* Whether the bit of @node is set in one of the two bitmaps of a row. */
static bool inbound_granted(const FabricPeer *peer, uint64_t base,
                            uint64_t bitmap, unsigned node, bool *granted)
{
    uint64_t word;

    if (!inbound_load(peer, base, bitmap + node / 64 * sizeof(word), &word)) {
        return false;
    }
    *granted = word >> (node % 64) & 1;
    return true;
}

/* What row @row gives to @node; false if there is no such row. */
static bool inbound_rights(const FabricPeer *peer, uint64_t row, unsigned node,
                           unsigned *rights)
{
    const FabricPage *page = peer->page;
    uint64_t base = __atomic_load_n(&page->access_base, __ATOMIC_RELAXED);
    uint32_t count = __atomic_load_n(&page->access_count, __ATOMIC_RELAXED);
    uint64_t offset = row * sizeof(struct sci_access_row);
    bool may_read, may_write;

    if (row >= count || row >= SCI_ACCESS_MAX) {
        return false;
    }
    if (!inbound_granted(peer, base,
                         offset + offsetof(struct sci_access_row, read), node,
                         &may_read) ||
        !inbound_granted(peer, base,
                         offset + offsetof(struct sci_access_row, write), node,
                         &may_write)) {
        return false;
    }
    *rights = (may_read ? INBOUND_READ : 0) | (may_write ? INBOUND_WRITE : 0);
    return true;
}

static bool inbound_find_ram(const FabricPeer *peer, uint64_t guest,
                             InboundPage *out)
{
    for (unsigned i = 0; i < peer->n_ram; i++) {
        const FabricRam *ram = &peer->ram[i];

        /* Page and range are both page aligned: the first byte decides. */
        if (guest >= ram->guest_base && guest - ram->guest_base < ram->size) {
            out->fd = ram->fd;
            out->fd_offset = ram->fd_offset + (guest - ram->guest_base);
            out->host = ram->host + (guest - ram->guest_base);
            return true;
        }
    }
    return false;
}

/* Whether the peer lets others translate, and is who we were told it is. */
static bool inbound_open(const FabricPeer *peer)
{
    const FabricPage *page = peer->page;

    /* Pairs with the release by the exporter once the tables are set up. */
    return __atomic_load_n(&page->inbound, __ATOMIC_ACQUIRE) == 1 &&
           peer->incarnation != 0 &&
           __atomic_load_n(&page->incarnation, __ATOMIC_ACQUIRE) ==
               peer->incarnation;
}

InboundResult inbound_translate(const FabricPeer *peer, unsigned node,
                                uint64_t sci_page, uint32_t key, unsigned want,
                                InboundPage *out)
{
    uint64_t entry, row;
    unsigned rights, allowed;
    InboundPage found;

    if (node < SCI_NODE_MIN || node > SCI_NODE_MAX || !inbound_open(peer) ||
        !inbound_lookup(peer, sci_page, key, &entry, &row) ||
        !inbound_rights(peer, row, node, &rights) ||
        !inbound_find_ram(peer, entry & SCI_INBOUND_ADDRESS, &found)) {
        return INBOUND_NO_PAGE;
    }
    allowed = (entry & SCI_INBOUND_READ ? INBOUND_READ : 0) |
              (entry & SCI_INBOUND_WRITE ? INBOUND_WRITE : 0);
    if (want == 0 || (want & ~(rights & allowed))) {
        return INBOUND_DENIED;
    }
    *out = found;
    return INBOUND_OK;
}
