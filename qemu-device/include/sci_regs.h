/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * All that a guest can see of the `sci` adapter: PCI identity, BARs, registers
 * and the tables in memory.  The device model, the Linux driver, the qtests
 * and docs/specs/sci.rst use this one definition.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * Everything is little-endian.  A register is 4 bytes wide, or 8 where its
 * name ends in _LO/_HI: then both halves may be accessed singly, or the LO
 * offset with 8 bytes.  Multi-bit fields are masks; SCI_GET/SCI_PUT place them.
 */
#ifndef SCI_REGS_H
#define SCI_REGS_H

#ifdef __KERNEL__
#include <linux/types.h>
#include <linux/build_bug.h>
typedef __le64 sci_le64;
typedef __le32 sci_le32;
typedef __le16 sci_le16;
#else
#include <assert.h>
#include <stdint.h>
/* Convert with the endian helper of the place where it is used. */
typedef uint64_t sci_le64;
typedef uint32_t sci_le32;
typedef uint16_t sci_le16;
#endif

#define SCI_GET(mask, v)            (((v) & (mask)) / ((mask) & -(mask)))
#define SCI_PUT(mask, v)            (((v) * ((mask) & -(mask))) & (mask))

/* PCI identity: QEMU's experimental range, class Bridge/Other. */
#define SCI_PCI_VENDOR_ID           0x1af4
#define SCI_PCI_DEVICE_ID           0x10f5
#define SCI_PCI_CLASS               0x0680
#define SCI_PCI_REVISION            0x01

/* BARs */
#define SCI_BAR_CSR                 0   /* registers, MSI-X table */
#define SCI_BAR_WINDOW              2   /* remote window, 64-bit prefetchable */
#define SCI_BAR_MEMORY              4   /* memory of the adapter: status pages, ATT */

#define SCI_CSR_SIZE                0x20000
#define SCI_MSIX_TABLE              0x01000
#define SCI_MSIX_PBA                0x02000

/* Fabric-wide limits */
#define SCI_NODE_MIN                1
#define SCI_NODE_MAX                255
#define SCI_NODES                   256 /* slots, bitmap bits; 0 is no node */
#define SCI_PAGE_SHIFT              12
#define SCI_PAGE_SIZE               4096
#define SCI_OFFSET_BITS             48  /* of a 64-bit SCI address; above: node */
#define SCI_LINES_MAX               128 /* doorbell lines a node can have */
#define SCI_WINDOW_MIN              (1ull << 24)
#define SCI_WINDOW_MAX              (1ull << 36)

/* ---- Registers (BAR0, first page) ---- */

#define SCI_REG_VERSION             0x000 /* RO  interface version */
#define SCI_VERSION_MAJOR           0xffff0000u
#define SCI_VERSION_MINOR           0x0000ffffu
#define SCI_VERSION                 0x00020000u

#define SCI_REG_FEATURES            0x004 /* RO  what this device can do */
#define SCI_FEATURE_LOOPBACK        0x00000001u /* ATT entries may name the own node */

#define SCI_REG_NODE_ID             0x008 /* RO  own node id, 1..255 */

#define SCI_REG_CONTROL             0x00c /* RW */
#define SCI_CONTROL_ENABLE          0x00000001u /* join the fabric; 0->1 takes a new incarnation */
#define SCI_CONTROL_INBOUND         0x00000002u /* peers may use the inbound table */
#define SCI_CONTROL_RESET           0x80000000u /* write 1: soft reset; reads 0 */
#define SCI_CONTROL_ALL             0x80000003u

#define SCI_REG_STATUS              0x010 /* RO */
#define SCI_STATUS_INVAL_BUSY       0x00000001u /* an invalidation waits for peers */
#define SCI_STATUS_FABRIC           0x00000002u /* the adapter is attached to its fabric */

#define SCI_REG_ERROR               0x014 /* RW1C  sticky, one bit per kind of illegal use */
#define SCI_ERROR_REGISTER          0x00000001u /* access to no register, or of bad size */
#define SCI_ERROR_NODE              0x00000002u /* doorbell to an absent node */
#define SCI_ERROR_LINE              0x00000004u /* doorbell to a line that is absent or not open to us */
#define SCI_ERROR_ATT               0x00000008u /* bad commit range, or entry not mappable */
#define SCI_ERROR_INBOUND           0x00000010u /* bad inbound or access table set-up */
#define SCI_ERROR_INVAL             0x00000020u /* bad range, or start while busy */
#define SCI_ERROR_WINDOW            0x00000040u /* access that trapped and was not performed */
#define SCI_ERROR_LINK              0x00000080u /* a transmission failed and was repeated */
#define SCI_ERROR_ALL               0x000000ffu

#define SCI_REG_INT_CAUSE           0x018 /* RW1C  why vector 0 was raised */
#define SCI_REG_INT_MASK            0x01c /* RW  1 = cause raises vector 0 */
#define SCI_INT_PEER                0x00000001u /* a peer slot changed, see PEER_EVENT */
#define SCI_INT_INVAL               0x00000002u /* the invalidation is complete */
#define SCI_INT_ERROR               0x00000004u /* a bit of ERROR was newly set */
#define SCI_INT_ALL                 0x00000007u

#define SCI_REG_WINDOW_SIZE_LO      0x020 /* RO  bytes of BAR2 */
#define SCI_REG_WINDOW_SIZE_HI      0x024
#define SCI_REG_ATT_ENTRIES         0x028 /* RO  always SCI_ATT_ENTRIES */
#define SCI_REG_ATT_GRANULE         0x02c /* RO  bytes of window per ATT entry */
#define SCI_REG_LINES               0x030 /* RO  own doorbell lines; line n is vector n + 1 */
#define SCI_REG_INCARNATION         0x034 /* RO  own incarnation, never 0 while ENABLE is set */

#define SCI_REG_DOORBELL            0x040 /* WO  ring a line of a node */
#define SCI_DOORBELL_NODE           0xffff0000u
#define SCI_DOORBELL_LINE           0x0000ffffu

#define SCI_REG_ATT_COMMIT          0x04c /* WO  apply a range of ATT entries */
#define SCI_COMMIT_FIRST            0xffff0000u
#define SCI_COMMIT_COUNT            0x0000ffffu
#define SCI_REG_ATT_FAILED          0x050 /* RO  valid entries of the last commit not fully mapped */

#define SCI_REG_INBOUND_BASE_LO     0x058 /* RW  guest address of the inbound directory */
#define SCI_REG_INBOUND_BASE_HI     0x05c
#define SCI_REG_INBOUND_COUNT       0x060 /* RW  directory entries */
#define SCI_REG_ACCESS_COUNT        0x064 /* RW  access rows */
#define SCI_REG_ACCESS_BASE_LO      0x068 /* RW  guest address of the access table */
#define SCI_REG_ACCESS_BASE_HI      0x06c

#define SCI_REG_INVAL_FIRST_LO      0x070 /* RW  first SCI page to invalidate */
#define SCI_REG_INVAL_FIRST_HI      0x074
#define SCI_REG_INVAL_COUNT_LO      0x078 /* RW  number of SCI pages */
#define SCI_REG_INVAL_COUNT_HI      0x07c
#define SCI_REG_INVAL_START         0x080 /* WO  any value: start */

#define SCI_REG_TRAP_READS_LO       0x088 /* RO  window reads that trapped since reset */
#define SCI_REG_TRAP_READS_HI       0x08c
#define SCI_REG_TRAP_WRITES_LO      0x090 /* RO  window writes that trapped since reset */
#define SCI_REG_TRAP_WRITES_HI      0x094

#define SCI_REG_LINE_OPEN           0x098 /* WO  let a node ring an own line */
#define SCI_REG_LINE_CLOSE          0x09c /* WO  take that back */
#define SCI_LINE_NODE               SCI_DOORBELL_NODE
#define SCI_LINE_LINE               SCI_DOORBELL_LINE
#define SCI_LINES_OPEN_MAX          256 /* rights that a node gives at a time */

#define SCI_REG_PEER_EVENT          0x100 /* RW1C  bitmap: slot of node n changed */
#define SCI_PEER_EVENT_WORDS        8
#define SCI_REG_END                 0x120

/* ---- MSI-X ---- */
#define SCI_VECTOR_STATUS           0
#define SCI_VECTOR_LINE(line)       ((line) + 1)
#define SCI_VECTORS_MAX             (SCI_LINES_MAX + 1)

/* ---- Address translation table, outbound (memory at BAR4 + SCI_ATT) ----
 *
 * The guest fills entries without a trap; nothing happens before it commits them.
 * The adapter reads each field once at a commit and keeps a copy.
 */
#define SCI_ATT                     0x20000
#define SCI_ATT_ENTRIES             4096

struct sci_att_entry {
    sci_le64 address;   /* SCI_ATT_NODE | SCI_ATT_OFFSET | flags */
    sci_le32 key;       /* must equal the key of each inbound entry it maps */
    sci_le32 expect;    /* incarnation that the node must have */
    sci_le32 pages;     /* SCI pages to map from the granule's start, 1.. */
    sci_le32 status;    /* SCI_ATT_STATE, SCI_ATT_MAPPED; written by the adapter */
    sci_le64 reserved;  /* ignored */
};

#define SCI_ATT_NODE                0xffff000000000000ull
#define SCI_ATT_OFFSET              0x0000fffffffff000ull /* in place: mask, do not shift */
#define SCI_ATT_VALID               0x0000000000000001ull
#define SCI_ATT_READ                0x0000000000000002ull
#define SCI_ATT_WRITE               0x0000000000000004ull
#define SCI_ATT_TRAP                0x0000000000000008ull /* never map, always trap */
#define SCI_ATT_RESERVED            0x0000000000000ff0ull

#define SCI_ATT_STATE               0x0000000fu /* enum below */
#define SCI_ATT_MAPPED              0xffff0000u /* pages mapped */

/* SCI_ATT_STATE: what the last commit, or what came after it, made of the entry. */
#define SCI_ATT_ST_IDLE             0   /* not valid, or not committed */
#define SCI_ATT_ST_MAPPED           1   /* all pages mapped */
#define SCI_ATT_ST_TRAP             2   /* valid, accesses trap and are performed one by one */
#define SCI_ATT_ST_NO_NODE          3   /* node absent, down, or of another incarnation */
#define SCI_ATT_ST_NO_PAGE          4   /* inbound entry absent, or key differs */
#define SCI_ATT_ST_DENIED           5   /* the exporter's access row forbids it */
#define SCI_ATT_ST_BAD              6   /* reserved bits set, or range beyond the granule */
#define SCI_ATT_ST_NOSPC            7   /* the host ran out of mappings, or of ranges that trap */
#define SCI_ATT_ST_REVOKED          8   /* was mapped; the exporter took pages back */
#define SCI_ATT_ST_PEER_LOST        9   /* was mapped; the peer or the link went away */

/* ---- Inbound table (in the exporter's RAM) ----
 *
 * INBOUND_BASE points at a directory of 8-byte entries, each the guest address
 * of one leaf page (bit 0 = present).  A leaf translates SCI_LEAF_ENTRIES
 * consecutive SCI pages, i.e. 1 MiB of the node's SCI offset space.
 */
#define SCI_DIR_PRESENT             0x0000000000000001ull
#define SCI_DIR_ADDRESS             0x000ffffffffff000ull
#define SCI_DIR_MAX                 65536 /* directory entries: 64 GiB of SCI offsets */

struct sci_inbound_entry {
    sci_le64 page;      /* guest page address | SCI_INBOUND_*; 0 = absent; written last */
    sci_le32 key;       /* chosen by the exporter, must match the importer's ATT entry */
    sci_le16 access;    /* row of the access table */
    sci_le16 reserved;  /* 0 */
};

#define SCI_INBOUND_READ            0x0000000000000001ull
#define SCI_INBOUND_WRITE           0x0000000000000002ull
#define SCI_INBOUND_ADDRESS         0x000ffffffffff000ull
#define SCI_LEAF_ENTRIES            256
#define SCI_LEAF_SIZE               4096

/* One row of the access table: which nodes may read, which may write. */
struct sci_access_row {
    sci_le64 read[4];   /* bit n % 64 of word n / 64: node n */
    sci_le64 write[4];
};

#define SCI_ACCESS_MAX              65536 /* rows */

/* SCI pages a node can export: what the largest directory translates. */
#define SCI_PAGES_MAX               (SCI_DIR_MAX * SCI_LEAF_ENTRIES)

/* INBOUND_BASE and ACCESS_BASE are aligned to an element; neither table leaves its RAM range. */
#define SCI_DIR_ALIGN               8
#define SCI_ACCESS_ALIGN            64

/* ---- Status pages (read-only memory at BAR4 + 0) ----
 *
 * Page 0 holds the adapter's state, pages 1..4 one 64-byte slot per node.
 * Mappable to user space: a barrier reads a slot without a system call.
 */
#define SCI_MEMORY_SIZE             0x40000 /* bytes of BAR4 */
#define SCI_STATUS_SIZE             0x8000  /* read-only part */
#define SCI_STATUS_ADAPTER          0x0000
#define SCI_STATUS_SLOTS            0x1000
#define SCI_SLOT_SIZE               64
#define SCI_STATUS_SLOT(node)       (SCI_STATUS_SLOTS + (node) * SCI_SLOT_SIZE)

struct sci_adapter_status {
    sci_le32 version;       /* SCI_VERSION */
    sci_le32 node_id;
    sci_le32 incarnation;   /* as SCI_REG_INCARNATION */
    sci_le32 control;       /* as SCI_REG_CONTROL */
    sci_le64 trap_reads;
    sci_le64 trap_writes;
    sci_le32 errors;        /* errors that belong to no node */
    sci_le32 last_error;    /* one bit of SCI_ERROR_* */
};

struct sci_peer_slot {
    sci_le32 link;          /* SCI_LINK_* */
    sci_le32 incarnation;   /* of the peer; 0 while it is not up */
    sci_le32 changes;       /* counts changes of link and incarnation */
    sci_le32 errors;        /* counts failed accesses and doorbells to this node */
    sci_le32 last_error;    /* one bit of SCI_ERROR_* */
    sci_le32 lines;         /* doorbell lines of the peer */
    /*
     * Counts revocations that hit mapped pages of this node (invalidate, peer
     * lost).  Raised after the status of all entries that are hit says so, and
     * before their pages are replaced: a store that did not reach the peer is
     * followed by a read of the raised count, and that by a read of the status.
     */
    sci_le32 revokes;
    sci_le32 open[SCI_LINES_MAX / 32];  /* bit n % 32 of word n / 32: we may ring line n */
    sci_le32 reserved[5];
};

#define SCI_LINK_ABSENT             0   /* no such node in the fabric */
#define SCI_LINK_PRESENT            1   /* the machine is there, its adapter is not enabled */
#define SCI_LINK_UP                 2   /* both adapters enabled: may be mapped and rung */
#define SCI_LINK_DOWN               3   /* the node is there; an administrator of one end took the link down */

#ifdef __KERNEL__
#define SCI_ASSERT(cond) static_assert(cond)
#else
#define SCI_ASSERT(cond) _Static_assert(cond, #cond)
#endif
SCI_ASSERT(sizeof(struct sci_att_entry) == 32);
SCI_ASSERT(sizeof(struct sci_inbound_entry) * SCI_LEAF_ENTRIES == SCI_LEAF_SIZE);
SCI_ASSERT(sizeof(struct sci_access_row) == 64);
SCI_ASSERT(sizeof(struct sci_peer_slot) == SCI_SLOT_SIZE);
SCI_ASSERT(SCI_STATUS_SLOT(SCI_NODES) <= SCI_STATUS_SIZE);
SCI_ASSERT(SCI_MSIX_TABLE + SCI_VECTORS_MAX * 16 <= SCI_MSIX_PBA);
SCI_ASSERT(SCI_STATUS_SIZE <= SCI_ATT);
SCI_ASSERT(SCI_ATT + SCI_ATT_ENTRIES * sizeof(struct sci_att_entry) <= SCI_MEMORY_SIZE);

#endif /* SCI_REGS_H */
