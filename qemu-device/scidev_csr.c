/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * BAR 0: decoding of register accesses.  What a write means is in the part that
 * owns the register.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "qemu/osdep.h"
#include "qemu/bitops.h"
#include "scidev.h"
#include "trace.h"

typedef struct SCIDevReg SCIDevReg;

/* One row of the spec's table; a pair _LO, _HI is one register of 8 bytes. */
struct SCIDevReg {
    unsigned size;
    size_t field;               /* offset in SCIDev; 0: `value` or `get` */
    uint32_t value;             /* of a constant; of a write-only register: 0 */
    uint32_t (*get)(SCIDev *s);
    /* NULL: read-only */
    void (*set)(SCIDev *s, const SCIDevReg *reg, uint64_t val);
    bool unlocked;              /* `set` is called without the adapter's lock */
};

static uint32_t scidev_get_status(SCIDev *s)
{
    return (s->inval_busy ? SCI_STATUS_INVAL_BUSY : 0) |
           (s->fabric ? SCI_STATUS_FABRIC : 0);
}

static uint32_t scidev_get_granule(SCIDev *s)
{
    return scidev_granule(s);
}

static uint64_t scidev_reg_get(SCIDev *s, const SCIDevReg *reg)
{
    if (reg->get) {
        return reg->get(s);
    }
    if (!reg->field) {
        return reg->value;
    }
    return reg->size == 8 ? *(uint64_t *)((char *)s + reg->field)
                          : *(uint32_t *)((char *)s + reg->field);
}

static void scidev_set_field(SCIDev *s, const SCIDevReg *reg, uint64_t val)
{
    if (reg->size == 8) {
        *(uint64_t *)((char *)s + reg->field) = val;
    } else {
        *(uint32_t *)((char *)s + reg->field) = val;
    }
}

static void scidev_set_table(SCIDev *s, const SCIDevReg *reg, uint64_t val)
{
    if (s->control & SCI_CONTROL_INBOUND) {
        scidev_error(s, SCI_ERROR_INBOUND, SCIDEV_NODE_NONE,
                     "inbound tables moved while in use");
        return;
    }
    scidev_set_field(s, reg, val);
}

static void scidev_change_control(SCIDev *s, uint32_t val)
{
    uint32_t set = val & ~s->control;
    uint32_t cleared = ~val & s->control;

    if (cleared & SCI_CONTROL_ENABLE) {
        scidev_disable(s);
    } else if (cleared & SCI_CONTROL_INBOUND) {
        scidev_inbound_close(s);
    }
    if (set & SCI_CONTROL_ENABLE) {
        scidev_enable(s);
    }
    if (set & SCI_CONTROL_INBOUND) {
        scidev_inbound_open(s);
    }
    scidev_status_sync(s);
}

static void scidev_set_control(SCIDev *s, const SCIDevReg *reg, uint64_t val)
{
    if (!(val & ~SCI_CONTROL_ALL) && (val & SCI_CONTROL_RESET)) {
        scidev_reset(s);
        return;
    }
    scidev_lock(s->lock);
    if (val & ~SCI_CONTROL_ALL) {
        scidev_error(s, SCI_ERROR_REGISTER, SCIDEV_NODE_NONE,
                     "unknown bits 0x%" PRIx64 " of CONTROL", val);
    } else {
        scidev_change_control(s, val);
    }
    scidev_unlock(s->lock);
}

static void scidev_set_error(SCIDev *s, const SCIDevReg *reg, uint64_t val)
{
    s->error &= ~val;
}

static void scidev_set_int_cause(SCIDev *s, const SCIDevReg *reg, uint64_t val)
{
    s->int_cause &= ~val;
}

static void scidev_set_int_mask(SCIDev *s, const SCIDevReg *reg, uint64_t val)
{
    scidev_irq_set_mask(s, val);
}

static void scidev_set_doorbell(SCIDev *s, const SCIDevReg *reg, uint64_t val)
{
    scidev_doorbell(s, val);
}

static void scidev_set_line_open(SCIDev *s, const SCIDevReg *reg, uint64_t val)
{
    scidev_line_open(s, val);
}

static void scidev_set_line_close(SCIDev *s, const SCIDevReg *reg, uint64_t val)
{
    scidev_line_close(s, val);
}

static void scidev_set_commit(SCIDev *s, const SCIDevReg *reg, uint64_t val)
{
    scidev_att_commit(s, val);
}

static void scidev_set_inval_start(SCIDev *s, const SCIDevReg *reg,
                                   uint64_t val)
{
    scidev_inval_start(s);
}

static void scidev_set_peer_event(SCIDev *s, const SCIDevReg *reg, uint64_t val)
{
    *(uint32_t *)((char *)s + reg->field) &= ~val;
}

#define SCIDEV_FIELD(name) .field = offsetof(SCIDev, name)
#define SCIDEV_PEER_EVENT(n)                                                   \
    [(SCI_REG_PEER_EVENT + 4 * (n)) / 4] = { 4, SCIDEV_FIELD(peer_event[n]),   \
                                             .set = scidev_set_peer_event }

/* By offset / 4.  The second half of a pair is found through the first. */
static const SCIDevReg scidev_regs[SCI_REG_END / 4] = {
    [SCI_REG_VERSION / 4] = { 4, .value = SCI_VERSION },
    [SCI_REG_FEATURES / 4] = { 4, .value = SCI_FEATURE_LOOPBACK },
    [SCI_REG_NODE_ID / 4] = { 4, SCIDEV_FIELD(node_id) },
    [SCI_REG_CONTROL / 4] = { 4, SCIDEV_FIELD(control),
                              .set = scidev_set_control, .unlocked = true },
    [SCI_REG_STATUS / 4] = { 4, .get = scidev_get_status },
    [SCI_REG_ERROR / 4] = { 4, SCIDEV_FIELD(error), .set = scidev_set_error },
    [SCI_REG_INT_CAUSE / 4] = { 4, SCIDEV_FIELD(int_cause),
                                .set = scidev_set_int_cause },
    [SCI_REG_INT_MASK / 4] = { 4, SCIDEV_FIELD(int_mask),
                               .set = scidev_set_int_mask },
    [SCI_REG_WINDOW_SIZE_LO / 4] = { 8, SCIDEV_FIELD(window_size) },
    [SCI_REG_ATT_ENTRIES / 4] = { 4, .value = SCI_ATT_ENTRIES },
    [SCI_REG_ATT_GRANULE / 4] = { 4, .get = scidev_get_granule },
    [SCI_REG_LINES / 4] = { 4, SCIDEV_FIELD(lines) },
    [SCI_REG_INCARNATION / 4] = { 4, SCIDEV_FIELD(incarnation) },
    [SCI_REG_DOORBELL / 4] = { 4, .set = scidev_set_doorbell },
    [SCI_REG_ATT_COMMIT / 4] = { 4, .set = scidev_set_commit,
                                 .unlocked = true },
    [SCI_REG_ATT_FAILED / 4] = { 4, SCIDEV_FIELD(att_failed) },
    [SCI_REG_INBOUND_BASE_LO / 4] = { 8, SCIDEV_FIELD(inbound_base),
                                      .set = scidev_set_table },
    [SCI_REG_INBOUND_COUNT / 4] = { 4, SCIDEV_FIELD(inbound_count),
                                    .set = scidev_set_table },
    [SCI_REG_ACCESS_COUNT / 4] = { 4, SCIDEV_FIELD(access_count),
                                   .set = scidev_set_table },
    [SCI_REG_ACCESS_BASE_LO / 4] = { 8, SCIDEV_FIELD(access_base),
                                     .set = scidev_set_table },
    [SCI_REG_INVAL_FIRST_LO / 4] = { 8, SCIDEV_FIELD(inval_first),
                                     .set = scidev_set_field },
    [SCI_REG_INVAL_COUNT_LO / 4] = { 8, SCIDEV_FIELD(inval_count),
                                     .set = scidev_set_field },
    [SCI_REG_INVAL_START / 4] = { 4, .set = scidev_set_inval_start },
    [SCI_REG_TRAP_READS_LO / 4] = { 8, SCIDEV_FIELD(trap_reads) },
    [SCI_REG_TRAP_WRITES_LO / 4] = { 8, SCIDEV_FIELD(trap_writes) },
    [SCI_REG_LINE_OPEN / 4] = { 4, .set = scidev_set_line_open },
    [SCI_REG_LINE_CLOSE / 4] = { 4, .set = scidev_set_line_close },
    SCIDEV_PEER_EVENT(0),
    SCIDEV_PEER_EVENT(1),
    SCIDEV_PEER_EVENT(2),
    SCIDEV_PEER_EVENT(3),
    SCIDEV_PEER_EVENT(4),
    SCIDEV_PEER_EVENT(5),
    SCIDEV_PEER_EVENT(6),
    SCIDEV_PEER_EVENT(7),
};

/* The register for an access of this place and size; NULL if there is none. */
static const SCIDevReg *scidev_reg_find(hwaddr addr, unsigned size)
{
    const SCIDevReg *reg;

    if (addr >= SCI_REG_END || addr % size || (size != 4 && size != 8)) {
        return NULL;
    }
    reg = &scidev_regs[addr / 4];
    if (reg->size == 0 && addr % 8 == 4 && reg[-1].size == 8) {
        reg--;
    }
    return size <= reg->size ? reg : NULL;
}

static uint64_t scidev_csr_read(void *opaque, hwaddr addr, unsigned size)
{
    SCIDev *s = opaque;
    const SCIDevReg *reg = scidev_reg_find(addr, size);
    uint64_t val = UINT64_MAX;

    if (!scidev_attached(s)) {
        return val;
    }
    scidev_lock(s->lock);
    if (reg) {
        val = scidev_reg_get(s, reg);
        if (size < reg->size) {
            val = extract64(val, addr % 8 * 8, 32);
        }
    } else {
        scidev_error(s, SCI_ERROR_REGISTER, SCIDEV_NODE_NONE,
                     "read of %u bytes at 0x%" HWADDR_PRIx, size, addr);
    }
    scidev_unlock(s->lock);
    trace_scidev_csr_read(s->node_id, addr, val, size);
    return val;
}

static void scidev_csr_write(void *opaque, hwaddr addr, uint64_t val,
                             unsigned size)
{
    SCIDev *s = opaque;
    const SCIDevReg *reg = scidev_reg_find(addr, size);

    trace_scidev_csr_write(s->node_id, addr, val, size);
    if (!scidev_attached(s)) {
        return;
    }
    if (reg && reg->unlocked) {
        /* It has four bytes, so this is all of it. */
        reg->set(s, reg, val);
        return;
    }
    scidev_lock(s->lock);
    if (reg && reg->set) {
        if (size < reg->size) {
            val = deposit64(scidev_reg_get(s, reg), addr % 8 * 8, 32, val);
        }
        reg->set(s, reg, val);
    } else {
        scidev_error(s, SCI_ERROR_REGISTER, SCIDEV_NODE_NONE,
                     "write of %u bytes at 0x%" HWADDR_PRIx, size, addr);
    }
    scidev_unlock(s->lock);
}

/* Every size and alignment arrives here, so that bad ones are counted. */
const MemoryRegionOps scidev_csr_ops = {
    .read = scidev_csr_read,
    .write = scidev_csr_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid.min_access_size = 1,
    .valid.max_access_size = 8,
    .valid.unaligned = true,
    .impl.min_access_size = 1,
    .impl.max_access_size = 8,
    .impl.unaligned = true,
};
