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

/* Rows that a walk remembers; those of one segment are the same row. */
#define INBOUND_ROWS        16

typedef struct InboundRow {
    bool valid;
    uint64_t row;
    unsigned rights;
} InboundRow;

/*
 * One walk: what it has read of the control page, of the directory (the word
 * of leaf @index) and of the access table is not read again.
 */
typedef struct InboundWalk {
    const FabricPeer *peer;
    unsigned node;
    uint32_t key;
    unsigned want;
    uint32_t ram_gone;
    uint64_t dir_base, access_base;
    uint32_t dir_count, access_count;
    uint64_t index;         /* UINT64_MAX = none yet */
    uint64_t leaf;          /* guest address */
    InboundRow rows[INBOUND_ROWS];
} InboundWalk;

/* The range of RAM that holds [guest, guest + len) and is not gone. */
static const FabricRam *inbound_ram(const InboundWalk *walk, uint64_t guest,
                                    uint64_t len)
{
    const FabricPeer *peer = walk->peer;

    for (unsigned i = 0; i < peer->n_ram; i++) {
        const FabricRam *ram = &peer->ram[i];

        if (guest >= ram->guest_base && guest - ram->guest_base < ram->size &&
            len <= ram->size - (guest - ram->guest_base)) {
            return walk->ram_gone & (1u << i) ? NULL : ram;
        }
    }
    return NULL;
}

/* Reads the little-endian word at @guest + @offset of the peer's RAM. */
static bool inbound_load(const InboundWalk *walk, uint64_t guest,
                         uint64_t offset, uint64_t *value)
{
    const FabricRam *ram;
    const uint64_t *host;

    if (guest % sizeof(*host) != 0 || offset > UINT64_MAX - guest) {
        return false;
    }
    guest += offset;
    ram = inbound_ram(walk, guest, sizeof(*host));
    if (!ram) {
        return false;
    }
    host = (const uint64_t *)(ram->host + (guest - ram->guest_base));
    /* The exporter writes the word that makes an entry valid last. */
    *value = GUINT64_FROM_LE(__atomic_load_n(host, __ATOMIC_ACQUIRE));
    return true;
}

/* Finds leaf @index, unless it is the one that was found last. */
static bool inbound_leaf(InboundWalk *walk, uint64_t index)
{
    uint64_t dir;

    if (index == walk->index) {
        return true;
    }
    if (index >= walk->dir_count || index >= SCI_DIR_MAX ||
        !inbound_load(walk, walk->dir_base, index * sizeof(dir), &dir)) {
        return false;
    }
    if (!(dir & SCI_DIR_PRESENT) ||
        (dir & ~(SCI_DIR_PRESENT | SCI_DIR_ADDRESS))) {
        return false;
    }
    walk->index = index;
    walk->leaf = dir & SCI_DIR_ADDRESS;
    return true;
}

/* Reads the entry of a page; false if there is none of the key. */
static bool inbound_entry(InboundWalk *walk, uint64_t sci_page,
                          uint64_t *entry, uint64_t *row)
{
    uint64_t at, more;

    if (!inbound_leaf(walk, sci_page / SCI_LEAF_ENTRIES)) {
        return false;
    }
    at = walk->leaf +
         (sci_page % SCI_LEAF_ENTRIES) * sizeof(struct sci_inbound_entry);
    if (!inbound_load(walk, at, 0, entry) || *entry == 0 ||
        (*entry & ~INBOUND_ENTRY_BITS)) {
        return false;
    }
    if (!inbound_load(walk, at, sizeof(*entry), &more) ||
        (more & INBOUND_RESERVED) || (more & INBOUND_KEY) != walk->key) {
        return false;
    }
    *row = SCI_GET(INBOUND_ACCESS, more);
    return true;
}

/* Whether the bit of the node is set in one of the two bitmaps of a row. */
static bool inbound_granted(const InboundWalk *walk, uint64_t bitmap,
                            bool *granted)
{
    uint64_t word;

    if (!inbound_load(walk, walk->access_base,
                      bitmap + walk->node / 64 * sizeof(word), &word)) {
        return false;
    }
    *granted = word >> (walk->node % 64) & 1;
    return true;
}

static bool inbound_read_row(InboundWalk *walk, uint64_t row, unsigned *rights)
{
    uint64_t offset = row * sizeof(struct sci_access_row);
    bool may_read, may_write;

    if (row >= walk->access_count || row >= SCI_ACCESS_MAX ||
        !inbound_granted(walk, offset + offsetof(struct sci_access_row, read),
                         &may_read) ||
        !inbound_granted(walk, offset + offsetof(struct sci_access_row, write),
                         &may_write)) {
        return false;
    }
    *rights = (may_read ? INBOUND_READ : 0) | (may_write ? INBOUND_WRITE : 0);
    return true;
}

/* What row @row gives to the node; false if there is no such row. */
static bool inbound_rights(InboundWalk *walk, uint64_t row, unsigned *rights)
{
    InboundRow *known = &walk->rows[row % INBOUND_ROWS];

    if (!known->valid || known->row != row) {
        known->valid = inbound_read_row(walk, row, &known->rights);
        known->row = row;
    }
    *rights = known->rights;
    return known->valid;
}

static InboundResult inbound_page(InboundWalk *walk, uint64_t sci_page,
                                  InboundPage *out)
{
    uint64_t entry, row, guest;
    unsigned rights, allowed;
    const FabricRam *ram;

    if (!inbound_entry(walk, sci_page, &entry, &row) ||
        !inbound_rights(walk, row, &rights)) {
        return INBOUND_NO_PAGE;
    }
    guest = entry & SCI_INBOUND_ADDRESS;
    /* Page and range are both page aligned: the first byte decides. */
    ram = inbound_ram(walk, guest, 1);
    if (!ram) {
        return INBOUND_NO_PAGE;
    }
    allowed = (entry & SCI_INBOUND_READ ? INBOUND_READ : 0) |
              (entry & SCI_INBOUND_WRITE ? INBOUND_WRITE : 0);
    if (walk->want == 0 || (walk->want & ~(rights & allowed))) {
        return INBOUND_DENIED;
    }
    *out = (InboundPage) {
        .host = ram->host + (guest - ram->guest_base),
        .ram = ram,
    };
    return INBOUND_OK;
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

static void inbound_begin(InboundWalk *walk)
{
    const FabricPage *page = walk->peer->page;

    walk->index = UINT64_MAX;
    walk->dir_base = __atomic_load_n(&page->inbound_base, __ATOMIC_RELAXED);
    walk->dir_count = __atomic_load_n(&page->inbound_count, __ATOMIC_RELAXED);
    walk->access_base = __atomic_load_n(&page->access_base, __ATOMIC_RELAXED);
    walk->access_count = __atomic_load_n(&page->access_count,
                                         __ATOMIC_RELAXED);
    /* Pairs with the release in fabric_ram_gone(). */
    walk->ram_gone = __atomic_load_n(&page->ram_gone, __ATOMIC_ACQUIRE);
}

InboundResult inbound_walk(const FabricPeer *peer, unsigned node,
                           uint64_t first, unsigned n, uint32_t key,
                           unsigned want, InboundPage *out)
{
    InboundWalk walk = {
        .peer = peer, .node = node, .key = key, .want = want,
    };

    if (node < SCI_NODE_MIN || node > SCI_NODE_MAX || !inbound_open(peer)) {
        return INBOUND_NO_PAGE;
    }
    inbound_begin(&walk);
    for (unsigned i = 0; i < n; i++) {
        InboundResult result = inbound_page(&walk, first + i, &out[i]);

        if (result != INBOUND_OK) {
            return result;
        }
    }
    return INBOUND_OK;
}

InboundResult inbound_translate(const FabricPeer *peer, unsigned node,
                                uint64_t sci_page, uint32_t key, unsigned want,
                                InboundPage *out)
{
    return inbound_walk(peer, node, sci_page, 1, key, want, out);
}
