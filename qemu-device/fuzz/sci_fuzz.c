/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzer of the `sci` adapter: what the guests of two nodes may do to each
 * other.  The generic fuzzer does not get that far: it writes neither to RAM,
 * where the tables of exporters are, nor to the memory of an adapter, where the
 * ATT is, and it cannot hand an incarnation, which each run has others of, from
 * a register to an entry.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * An input is a sequence of records of 16 bytes; scripts/lab/fuzzseeds.py
 * writes the first ones.  After each the nodes get the time to tell each other
 * about it, so that an input does the same each time.  It is an error if they
 * do not come to agree, if an invalidation does not end or if the machine does
 * not run again after a reset: a guest must not be able to hang one of them.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/bitops.h"
#include "qemu/main-loop.h"
#include "qom/object.h"
#include "hw/pci/msix.h"
#include "system/runstate.h"
#include "tests/qtest/libqtest.h"
#include "tests/qtest/fuzz/fuzz.h"
#include "../scidev.h"
#include "sci_fuzz_args.h"

#define FUZZ_NODES      2

/* Guest-physical layout; each node has tables of its own in the same RAM. */
#define FUZZ_MSI        0x00100000ull
#define FUZZ_TABLES     0x00200000ull
#define FUZZ_TABLES_SIZE 0x00010000ull
#define FUZZ_DIR        0x0000ull       /* in the tables of a node */
#define FUZZ_ACCESS     0x1000ull
#define FUZZ_LEAF       0x2000ull
#define FUZZ_DATA       0x01000000ull
#define FUZZ_RAM_END    0x20000000ull
#define FUZZ_BARS       0xa0000000ull
#define FUZZ_BARS_SIZE  0x10000000ull   /* of a node */

#define FUZZ_LEAVES     8
#define FUZZ_ROWS       8
#define FUZZ_VECTORS    8               /* MSI-X entries that are set up */

#define FUZZ_PCI_CFG    0xcf8
#define FUZZ_PCI_DATA   0xcfc

#define FUZZ_HANG_US    (20 * G_USEC_PER_SEC)
#define FUZZ_SOON_US    2000

typedef struct QEMU_PACKED FuzzOp {
    uint8_t code;
    uint8_t node;
    uint16_t index;
    uint32_t how;
    uint64_t value;
} FuzzOp;

typedef struct FuzzNode {
    SCIDev *dev;
    unsigned number;            /* 0, 1: where its tables and BARs are */
} FuzzNode;

static FuzzNode fuzz_nodes[FUZZ_NODES];

static uint64_t fuzz_tables(const FuzzNode *n)
{
    return FUZZ_TABLES + n->number * FUZZ_TABLES_SIZE;
}

/* False if the guest has not mapped it. */
static bool fuzz_bar(const FuzzNode *n, unsigned bar, uint64_t *addr)
{
    *addr = PCI_DEVICE(n->dev)->io_regions[bar].addr;
    return *addr != PCI_BAR_UNMAPPED;
}

static uint32_t fuzz_get(QTestState *s, FuzzNode *n, uint32_t reg)
{
    uint64_t csr;

    return fuzz_bar(n, SCI_BAR_CSR, &csr) ? qtest_readl(s, csr + reg) : 0;
}

static void fuzz_set(QTestState *s, FuzzNode *n, uint32_t reg, uint32_t val)
{
    uint64_t csr;

    if (fuzz_bar(n, SCI_BAR_CSR, &csr)) {
        qtest_writel(s, csr + reg, val);
    }
}

static void fuzz_set64(QTestState *s, FuzzNode *n, uint32_t reg, uint64_t val)
{
    uint64_t csr;

    if (fuzz_bar(n, SCI_BAR_CSR, &csr)) {
        qtest_writeq(s, csr + reg, val);
    }
}

/* An address that a guest may find interesting, or any. */
static uint64_t fuzz_address(FuzzNode *n, uint32_t how, uint64_t raw)
{
    uint64_t tables = fuzz_tables(n), bar;

    switch (how % 8) {
    case 0:
        return FUZZ_DATA + raw % 64 * SCI_PAGE_SIZE;
    case 1:
        return tables + FUZZ_LEAF + raw % FUZZ_LEAVES * SCI_LEAF_SIZE;
    case 2:
        return tables + FUZZ_DIR + raw % 64;
    case 3:
        return tables + FUZZ_ACCESS + raw % 512;
    case 4:
        return fuzz_bar(n, SCI_BAR_CSR, &bar) ? bar + raw % SCI_CSR_SIZE : raw;
    case 5:
        return fuzz_bar(n, SCI_BAR_WINDOW, &bar)
                   ? bar + raw % n->dev->window_size : raw;
    case 6:
        return FUZZ_RAM_END - SCI_PAGE_SIZE + raw % (2 * SCI_PAGE_SIZE);
    default:
        return raw;
    }
}

static uint32_t fuzz_link_wanted(const SCIDev *s, const SCIDev *peer)
{
    if (!s->link || !peer->link || test_bit(peer->node_id, s->links_down) ||
        test_bit(s->node_id, peer->links_down)) {
        return SCI_LINK_DOWN;
    }
    return s->control & peer->control & SCI_CONTROL_ENABLE ? SCI_LINK_UP
                                                           : SCI_LINK_PRESENT;
}

/* Whether nothing is under way between the nodes. */
static bool fuzz_settled(void)
{
    bool settled = runstate_is_running();

    for (unsigned i = 0; i < FUZZ_NODES; i++) {
        SCIDev *s = fuzz_nodes[i].dev;
        SCIDev *peer = fuzz_nodes[1 - i].dev;

        scidev_lock(s->lock);
        settled &= !s->inval_busy && scidev_slot_link(s, peer->node_id) ==
                                         fuzz_link_wanted(s, peer);
        scidev_unlock(s->lock);
    }
    return settled;
}

static void fuzz_settle(QTestState *s)
{
    int64_t end = g_get_monotonic_time() + FUZZ_HANG_US;

    flush_events(s);
    while (!fuzz_settled()) {
        if (g_get_monotonic_time() > end) {
            fprintf(stderr, "sci: the nodes do not come to rest\n");
            abort();
        }
        g_usleep(20);
        flush_events(s);
    }
}

static void fuzz_config(QTestState *s, FuzzNode *n, unsigned offset,
                        unsigned size, uint32_t val)
{
    qtest_outl(s, FUZZ_PCI_CFG, BIT(31) | PCI_DEVICE(n->dev)->devfn << 8 |
                                    (offset & 0xfc));
    switch (size) {
    case 1:
        qtest_outb(s, FUZZ_PCI_DATA + offset % 4, val);
        break;
    case 2:
        qtest_outw(s, FUZZ_PCI_DATA + (offset & 2), val);
        break;
    default:
        qtest_outl(s, FUZZ_PCI_DATA, val);
        break;
    }
}

static uint64_t fuzz_set_up_csr(const FuzzNode *n)
{
    return FUZZ_BARS + n->number * FUZZ_BARS_SIZE + 0x0f000000;
}

static void fuzz_set_up_bars(QTestState *s, FuzzNode *n)
{
    uint64_t bars = FUZZ_BARS + n->number * FUZZ_BARS_SIZE;

    fuzz_config(s, n, PCI_BASE_ADDRESS_0, 4, fuzz_set_up_csr(n));
    fuzz_config(s, n, PCI_BASE_ADDRESS_2, 4, bars);
    fuzz_config(s, n, PCI_BASE_ADDRESS_3, 4, 0);
    fuzz_config(s, n, PCI_BASE_ADDRESS_4, 4, bars + 0x0e000000);
    fuzz_config(s, n, PCI_BASE_ADDRESS_5, 4, 0);
    fuzz_config(s, n, PCI_COMMAND, 2,
                PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    fuzz_config(s, n, PCI_DEVICE(n->dev)->msix_cap + PCI_MSIX_FLAGS, 2,
                PCI_MSIX_FLAGS_ENABLE);
}

static void fuzz_set_up_vectors(QTestState *s, FuzzNode *n)
{
    for (unsigned i = 0; i < MIN(FUZZ_VECTORS, n->dev->lines + 1); i++) {
        uint64_t entry = fuzz_set_up_csr(n) + SCI_MSIX_TABLE +
                         i * PCI_MSIX_ENTRY_SIZE;

        qtest_writel(s, entry, FUZZ_MSI + n->number * 0x1000 + i * 4);
        qtest_writel(s, entry + PCI_MSIX_ENTRY_UPPER_ADDR, 0);
        qtest_writel(s, entry + PCI_MSIX_ENTRY_DATA, i + 1);
        qtest_writel(s, entry + PCI_MSIX_ENTRY_VECTOR_CTRL, 0);
    }
}

/* As firmware and a driver leave the adapters; resets undo that. */
static void fuzz_set_up(QTestState *s)
{
    /* Each BAR by itself would have QEMU make its memory map anew. */
    memory_region_transaction_begin();
    for (unsigned i = 0; i < FUZZ_NODES; i++) {
        fuzz_set_up_bars(s, &fuzz_nodes[i]);
    }
    memory_region_transaction_commit();
    for (unsigned i = 0; i < FUZZ_NODES; i++) {
        fuzz_set_up_vectors(s, &fuzz_nodes[i]);
    }
}

static void fuzz_reset_machine(QTestState *s)
{
    memory_region_transaction_begin();
    qemu_system_reset(SHUTDOWN_CAUSE_GUEST_RESET);
    memory_region_transaction_commit();
    fuzz_settle(s);
}

/* Any access of any size to BAR 0: registers, MSI-X, what is between. */
static void fuzz_csr(QTestState *s, FuzzNode *n, const FuzzOp *op)
{
    uint64_t addr;

    if (!fuzz_bar(n, SCI_BAR_CSR, &addr)) {
        return;
    }
    addr += op->index % SCI_CSR_SIZE;
    switch (op->how % 8) {
    case 0:
        qtest_writeb(s, addr, op->value);
        break;
    case 1:
        qtest_writew(s, addr, op->value);
        break;
    case 2:
        qtest_writel(s, addr, op->value);
        break;
    case 3:
        qtest_writeq(s, addr, op->value);
        break;
    case 4:
        qtest_readb(s, addr);
        break;
    case 5:
        qtest_readw(s, addr);
        break;
    case 6:
        qtest_readl(s, addr);
        break;
    default:
        qtest_readq(s, addr);
        break;
    }
}

static void fuzz_register(QTestState *s, FuzzNode *n, const FuzzOp *op)
{
    fuzz_set(s, n, op->index % (SCI_REG_END / 4) * 4, op->value);
}

/* Enable, with the tables of this node or others. */
static void fuzz_enable(QTestState *s, FuzzNode *n, const FuzzOp *op)
{
    uint64_t tables = fuzz_tables(n);

    if (op->how & 1) {
        fuzz_set(s, n, SCI_REG_INT_MASK, SCI_INT_ALL);
    }
    fuzz_set64(s, n, SCI_REG_INBOUND_BASE_LO,
               op->how & 2 ? fuzz_address(n, op->how >> 8, op->value)
                           : tables + FUZZ_DIR);
    fuzz_set64(s, n, SCI_REG_ACCESS_BASE_LO,
               op->how & 4 ? fuzz_address(n, op->how >> 16, op->value)
                           : tables + FUZZ_ACCESS);
    fuzz_set(s, n, SCI_REG_INBOUND_COUNT,
             op->how & 8 ? op->value : FUZZ_LEAVES);
    fuzz_set(s, n, SCI_REG_ACCESS_COUNT,
             op->how & 16 ? op->value >> 32 : FUZZ_ROWS);
    fuzz_set(s, n, SCI_REG_CONTROL, op->how & 32 ? SCI_CONTROL_ENABLE
                 : SCI_CONTROL_ENABLE | SCI_CONTROL_INBOUND);
}

/*
 * An ATT entry: `value` is its first word but for the node, which is one of the
 * two, an absent one or the one of `value`; `how` has the rest.
 */
static void fuzz_entry(QTestState *s, FuzzNode *n, const FuzzOp *op)
{
    uint64_t address = op->value, memory, entry;
    unsigned which = op->how % 4;
    uint32_t expect = op->how >> 16;

    if (!fuzz_bar(n, SCI_BAR_MEMORY, &memory)) {
        return;
    }
    if (which < 3) {
        address &= ~SCI_ATT_NODE;
        address |= SCI_PUT(SCI_ATT_NODE, (uint64_t)which + 1);
    }
    if (which < FUZZ_NODES && !(op->how & 4)) {
        expect = fuzz_get(s, &fuzz_nodes[which], SCI_REG_INCARNATION);
    }
    entry = memory + SCI_ATT +
            op->index % SCI_ATT_ENTRIES * sizeof(struct sci_att_entry);
    qtest_writeq(s, entry, address);
    qtest_writel(s, entry + offsetof(struct sci_att_entry, key),
                 op->how >> 3 & 1);
    qtest_writel(s, entry + offsetof(struct sci_att_entry, expect), expect);
    qtest_writel(s, entry + offsetof(struct sci_att_entry, pages),
                 (op->how >> 4 & 7) + 1);
    if (op->how & 0x80) {
        fuzz_set(s, n, SCI_REG_ATT_COMMIT,
                 SCI_PUT(SCI_COMMIT_FIRST, (uint32_t)op->index) |
                     SCI_PUT(SCI_COMMIT_COUNT, (op->how >> 8 & 0xff) + 1));
    }
}

static void fuzz_commit(QTestState *s, FuzzNode *n, const FuzzOp *op)
{
    fuzz_set(s, n, SCI_REG_ATT_COMMIT,
             SCI_PUT(SCI_COMMIT_FIRST, (uint32_t)op->index) |
                 SCI_PUT(SCI_COMMIT_COUNT, op->how));
}

/* An inbound entry, with its leaf in the directory. */
static void fuzz_export(QTestState *s, FuzzNode *n, const FuzzOp *op)
{
    uint64_t tables = fuzz_tables(n);
    unsigned page = op->index % (FUZZ_LEAVES * SCI_LEAF_ENTRIES);
    unsigned dir = page / SCI_LEAF_ENTRIES;
    uint64_t leaf = tables + FUZZ_LEAF + dir * SCI_LEAF_SIZE;
    uint64_t entry = leaf + page % SCI_LEAF_ENTRIES *
                                sizeof(struct sci_inbound_entry);

    qtest_writeq(s, entry + 8, (op->how >> 4 & 1) |
                                   (uint64_t)(op->how >> 8 & 0xffff) << 32);
    qtest_writeq(s, entry, (fuzz_address(n, op->how, op->value) &
                            SCI_INBOUND_ADDRESS) | (op->how >> 24 & 3));
    qtest_writeq(s, tables + FUZZ_DIR + dir * 8, leaf | SCI_DIR_PRESENT);
}

static void fuzz_directory(QTestState *s, FuzzNode *n, const FuzzOp *op)
{
    qtest_writeq(s, fuzz_tables(n) + FUZZ_DIR + op->index % FUZZ_LEAVES * 8,
                 fuzz_address(n, op->how, op->value) | (op->how >> 8 & 1));
}

static void fuzz_access(QTestState *s, FuzzNode *n, const FuzzOp *op)
{
    qtest_writeq(s, fuzz_tables(n) + FUZZ_ACCESS + op->index % 64 * 8,
                 op->value);
}

static void fuzz_invalidate(QTestState *s, FuzzNode *n, const FuzzOp *op)
{
    fuzz_set64(s, n, SCI_REG_INVAL_FIRST_LO,
               op->how & 1 ? op->value : op->index);
    fuzz_set64(s, n, SCI_REG_INVAL_COUNT_LO,
               op->how & 2 ? op->value : (op->how >> 8 & 0xff));
    fuzz_set(s, n, SCI_REG_INVAL_START, 1);
}

static void fuzz_window(QTestState *s, FuzzNode *n, const FuzzOp *op)
{
    uint64_t window;
    uint8_t buf[64];

    if (!fuzz_bar(n, SCI_BAR_WINDOW, &window)) {
        return;
    }
    window += (op->index % SCI_ATT_ENTRIES * scidev_granule(n->dev) +
               (op->how >> 8) % scidev_granule(n->dev)) % n->dev->window_size;
    switch (op->how % 8) {
    case 0:
        qtest_readb(s, window);
        break;
    case 1:
        qtest_readl(s, window);
        break;
    case 2:
        qtest_readq(s, window);
        break;
    case 3:
        qtest_memread(s, window, buf, sizeof(buf));
        break;
    case 4:
        qtest_writeb(s, window, op->value);
        break;
    case 5:
        qtest_writew(s, window, op->value);
        break;
    case 6:
        qtest_writeq(s, window, op->value);
        break;
    default:
        memset(buf, op->value, sizeof(buf));
        qtest_memwrite(s, window, buf, sizeof(buf));
        break;
    }
}

static uint32_t fuzz_node_line(const FuzzOp *op)
{
    uint32_t node = op->how & 0x80 ? op->how >> 16 : op->how % 4;

    return SCI_PUT(SCI_LINE_NODE, node) | op->index;
}

static void fuzz_doorbell(QTestState *s, FuzzNode *n, const FuzzOp *op)
{
    fuzz_set(s, n, SCI_REG_DOORBELL, fuzz_node_line(op));
}

/* The other node learns that it may ring, if it may. */
static void fuzz_line_open(QTestState *s, FuzzNode *n, const FuzzOp *op)
{
    int64_t end = g_get_monotonic_time() + FUZZ_SOON_US;
    SCIDev *peer = fuzz_nodes[1 - n->number].dev;
    const uint8_t *open = peer->status_host +
        SCI_STATUS_SLOT(n->dev->node_id) + offsetof(struct sci_peer_slot, open);

    fuzz_set(s, n, SCI_REG_LINE_OPEN, fuzz_node_line(op));
    if (op->index >= n->dev->lines || op->how & 0x80 ||
        op->how % 4 != peer->node_id) {
        return;
    }
    while (!(qatomic_read(open + op->index / 8) >> op->index % 8 & 1) &&
           g_get_monotonic_time() < end) {
        g_usleep(20);
    }
}

static void fuzz_line_close(QTestState *s, FuzzNode *n, const FuzzOp *op)
{
    fuzz_set(s, n, SCI_REG_LINE_CLOSE, fuzz_node_line(op));
}

static void fuzz_control(QTestState *s, FuzzNode *n, const FuzzOp *op)
{
    fuzz_set(s, n, SCI_REG_CONTROL,
             op->how & 1 ? op->value : SCI_CONTROL_RESET);
}

static void fuzz_machine_reset(QTestState *s, FuzzNode *n, const FuzzOp *op)
{
    fuzz_reset_machine(s);
    fuzz_set_up(s);
}

/* What the administrator does meanwhile. */
static void fuzz_link(QTestState *s, FuzzNode *n, const FuzzOp *op)
{
    unsigned peer = fuzz_nodes[1 - n->number].dev->node_id;
    Object *obj = OBJECT(n->dev);

    switch (op->how % 4) {
    case 0:
        object_property_set_bool(obj, "link", op->value & 1, NULL);
        break;
    case 1:
        object_property_parse(obj, "links-down", peer == 1 ? "1" : "2", NULL);
        break;
    case 2:
        object_property_parse(obj, "links-down", "", NULL);
        break;
    default:
        object_property_set_uint(obj, "inject-link-error", peer, NULL);
        break;
    }
}

static void fuzz_pci(QTestState *s, FuzzNode *n, const FuzzOp *op)
{
    fuzz_config(s, n, op->index % 0x100, 1 << op->how % 3, op->value);
}

static void fuzz_vector(QTestState *s, FuzzNode *n, const FuzzOp *op)
{
    uint64_t csr, entry, to;

    if (!fuzz_bar(n, SCI_BAR_CSR, &csr)) {
        return;
    }
    entry = csr + SCI_MSIX_TABLE +
            op->index % (n->dev->lines + 1) * PCI_MSIX_ENTRY_SIZE;
    to = fuzz_address(n, op->how, op->value);
    qtest_writel(s, entry, to);
    qtest_writel(s, entry + PCI_MSIX_ENTRY_UPPER_ADDR, to >> 32);
    qtest_writel(s, entry + PCI_MSIX_ENTRY_DATA, op->how >> 8);
    qtest_writel(s, entry + PCI_MSIX_ENTRY_VECTOR_CTRL, op->how >> 4 & 1);
}

static void fuzz_ram(QTestState *s, FuzzNode *n, const FuzzOp *op)
{
    qtest_writeq(s, fuzz_tables(n) + (op->how % FUZZ_TABLES_SIZE & ~7ull),
                 op->value);
}

/* Adapter memory: status pages, the ATT, what is between. */
static void fuzz_memory(QTestState *s, FuzzNode *n, const FuzzOp *op)
{
    uint64_t memory;

    if (fuzz_bar(n, SCI_BAR_MEMORY, &memory)) {
        qtest_writeq(s, memory + op->how % SCI_MEMORY_SIZE, op->value);
    }
}

static void fuzz_clock(QTestState *s, FuzzNode *n, const FuzzOp *op)
{
    qtest_clock_step_next(s);
}

/* Many entries for pages of the other node: all, or every second one, ... */
static void fuzz_fill(QTestState *s, FuzzNode *n, const FuzzOp *op)
{
    FuzzNode *peer = &fuzz_nodes[1 - n->number];
    unsigned first = op->index % SCI_ATT_ENTRIES;
    unsigned count = MIN((op->how >> 16) + 1u, SCI_ATT_ENTRIES - first);
    struct sci_att_entry entry = {
        .address = cpu_to_le64(SCI_PUT(SCI_ATT_NODE,
                                       (uint64_t)peer->dev->node_id) |
                               (op->value & (SCI_ATT_OFFSET | 0xf))),
        .expect = cpu_to_le32(fuzz_get(s, peer, SCI_REG_INCARNATION)),
        .pages = cpu_to_le32(1),
    };
    g_autofree struct sci_att_entry *entries = g_new0(struct sci_att_entry,
                                                      count);
    uint64_t memory;

    if (!fuzz_bar(n, SCI_BAR_MEMORY, &memory)) {
        return;
    }
    for (unsigned i = 0; i < count; i += op->how % 8 + 1) {
        entries[i] = entry;
    }
    qtest_memwrite(s, memory + SCI_ATT + first * sizeof(entry), entries,
                   count * sizeof(entry));
    fuzz_set(s, n, SCI_REG_ATT_COMMIT, SCI_PUT(SCI_COMMIT_FIRST, first) |
                                           SCI_PUT(SCI_COMMIT_COUNT, count));
}

/* Only ever appended to: inputs have their numbers. */
static void (*const fuzz_ops[])(QTestState *s, FuzzNode *n,
                                const FuzzOp *op) = {
    fuzz_csr, fuzz_register, fuzz_enable, fuzz_entry, fuzz_commit, fuzz_export,
    fuzz_directory, fuzz_access, fuzz_invalidate, fuzz_window, fuzz_doorbell,
    fuzz_line_open, fuzz_line_close, fuzz_control, fuzz_machine_reset,
    fuzz_link, fuzz_pci, fuzz_vector, fuzz_ram, fuzz_memory, fuzz_clock,
    fuzz_fill,
};

/* Nothing of an input is left for the next one but greater incarnations. */
static void fuzz_clean_up(QTestState *s)
{
    /* Not qtest_memset(): the fuzzer's version of it leaks. */
    static const uint8_t zero[FUZZ_NODES * FUZZ_TABLES_SIZE];

    for (unsigned i = 0; i < FUZZ_NODES; i++) {
        Object *obj = OBJECT(fuzz_nodes[i].dev);

        object_property_set_bool(obj, "link", true, &error_abort);
        object_property_parse(obj, "links-down", "", &error_abort);
    }
    fuzz_reset_machine(s);
    qtest_memwrite(s, FUZZ_TABLES, zero, sizeof(zero));
}

static void sci_fuzz(QTestState *s, const unsigned char *data, size_t size)
{
    struct sci_access_row everybody;

    memset(&everybody, 0xff, sizeof(everybody));
    fuzz_set_up(s);
    for (unsigned i = 0; i < FUZZ_NODES; i++) {
        qtest_memwrite(s, fuzz_tables(&fuzz_nodes[i]) + FUZZ_ACCESS,
                       &everybody, sizeof(everybody));
    }
    for (; size >= sizeof(FuzzOp); size -= sizeof(FuzzOp)) {
        FuzzOp op;

        memcpy(&op, data, sizeof(op));
        data += sizeof(op);
        fuzz_ops[op.code % ARRAY_SIZE(fuzz_ops)](
            s, &fuzz_nodes[op.node % FUZZ_NODES], &op);
        fuzz_settle(s);
    }
    fuzz_clean_up(s);
}

static void sci_fuzz_find_nodes(QTestState *s)
{
    for (unsigned i = 0; i < FUZZ_NODES; i++) {
        g_autofree char *path = g_strdup_printf("/machine/peripheral/sci%u", i);

        fuzz_nodes[i].dev = SCIDEV(object_resolve_path(path, NULL));
        fuzz_nodes[i].number = i;
    }
    fuzz_settle(s);
}

static GString *sci_fuzz_cmdline(FuzzTarget *t)
{
    g_autofree char *args = sci_fuzz_args("");
    GString *cmdline = g_string_new(TARGET_NAME);

    g_string_append_printf(cmdline, " -display none -machine accel=qtest "
                           "-m 512M %s ", args);
    return cmdline;
}

static void sci_fuzz_register(void)
{
    fuzz_add_target(&(FuzzTarget) {
        .name = "sci-fuzz",
        .description = "Two nodes of one SCI fabric, fuzzed by their guests",
        .get_init_cmdline = sci_fuzz_cmdline,
        .pre_fuzz = sci_fuzz_find_nodes,
        .fuzz = sci_fuzz,
    });
}

fuzz_target_init(sci_fuzz_register);
