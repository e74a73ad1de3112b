/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupts: the status vector with its causes and mask, the doorbell lines
 * that peers ring, and our ringing of theirs.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/main-loop.h"
#include "hw/pci/msix.h"
#include "scidev.h"
#include "trace.h"

/*
 * An interrupt is a memory write that the guest can aim at anything, also at
 * the slot of this device, which then unplugs or resets it at once.  So it is
 * sent from the main loop only, with nothing going on in device and fabric, and
 * nothing may follow it.  Our own registers it does not reach.
 */
static void scidev_notify(SCIDev *s, unsigned vector)
{
    MemReentrancyGuard *guard = &DEVICE(s)->mem_reentrancy_guard;
    bool engaged = guard->engaged_in_io;

    object_ref(OBJECT(s));
    guard->engaged_in_io = true;
    msix_notify(PCI_DEVICE(s), vector);
    guard->engaged_in_io = engaged;
    object_unref(OBJECT(s));
}

static void scidev_status_notify(void *opaque)
{
    SCIDev *s = opaque;

    /* The guest may have looked at it meanwhile. */
    if (s->int_cause & s->int_mask) {
        scidev_notify(s, SCI_VECTOR_STATUS);
    }
}

void scidev_irq_raise(SCIDev *s, uint32_t cause)
{
    uint32_t fresh = cause & ~s->int_cause;

    s->int_cause |= cause;
    trace_scidev_irq(s->node_id, cause, s->int_cause, s->int_mask);
    if (fresh & s->int_mask) {
        qemu_bh_schedule(s->status_bh);
    }
}

void scidev_irq_set_mask(SCIDev *s, uint32_t mask)
{
    uint32_t opened = mask & ~s->int_mask & SCI_INT_ALL;

    s->int_mask = mask & SCI_INT_ALL;
    if (s->int_cause & opened) {
        qemu_bh_schedule(s->status_bh);
    }
}

/* A peer rang.  A masked vector keeps the ring in its pending bit. */
static void scidev_line_ring(EventNotifier *e)
{
    SCIDevLine *line = container_of(e, SCIDevLine, ring);
    SCIDev *s = line->dev;
    bool enabled = s->control & SCI_CONTROL_ENABLE;

    if (!event_notifier_test_and_clear(e)) {
        return;
    }
    trace_scidev_line(s->node_id, line->line, enabled);
    if (enabled) {
        scidev_notify(s, SCI_VECTOR_LINE(line->line));
    }
}

void scidev_lines_drain(SCIDev *s)
{
    for (unsigned i = 0; i < s->n_lines; i++) {
        event_notifier_test_and_clear(&s->line[i].ring);
    }
}

void scidev_doorbell(SCIDev *s, uint32_t val)
{
    unsigned node = SCI_GET(SCI_DOORBELL_NODE, val);
    unsigned line = SCI_GET(SCI_DOORBELL_LINE, val);

    if (node < SCI_NODE_MIN || node > SCI_NODE_MAX ||
        scidev_slot_link(s, node) != SCI_LINK_UP) {
        scidev_error(s, SCI_ERROR_NODE, node,
                     "doorbell to node %u, which is not up", node);
        return;
    }
    if (!fabric_ring(s->fabric, node, line)) {
        scidev_error(s, SCI_ERROR_LINE, node,
                     "doorbell to line %u, which node %u lacks", line, node);
        return;
    }
    trace_scidev_doorbell(s->node_id, node, line);
}

bool scidev_irq_init(SCIDev *s, Error **errp)
{
    PCIDevice *pdev = PCI_DEVICE(s);
    int ret;

    if (msix_init(pdev, s->lines + 1, &s->csr, SCI_BAR_CSR, SCI_MSIX_TABLE,
                  &s->csr, SCI_BAR_CSR, SCI_MSIX_PBA, 0, errp) < 0) {
        return false;
    }
    for (unsigned i = 0; i <= s->lines; i++) {
        msix_vector_use(pdev, i);
    }
    /* Not a guarded one: that touches the device again after the call. */
    s->status_bh = qemu_bh_new(scidev_status_notify, s);
    for (unsigned i = 0; i < s->lines; i++) {
        SCIDevLine *line = &s->line[i];

        ret = event_notifier_init(&line->ring, 0);
        if (ret < 0) {
            error_setg_errno(errp, -ret, "cannot create an eventfd for line %u",
                             i);
            return false;
        }
        line->dev = s;
        line->line = i;
        event_notifier_set_handler(&line->ring, scidev_line_ring);
        s->n_lines++;
    }
    return true;
}

void scidev_irq_exit(SCIDev *s)
{
    while (s->n_lines) {
        SCIDevLine *line = &s->line[--s->n_lines];

        event_notifier_set_handler(&line->ring, NULL);
        event_notifier_cleanup(&line->ring);
    }
    g_clear_pointer(&s->status_bh, qemu_bh_delete);
    msix_uninit(PCI_DEVICE(s), &s->csr, &s->csr);
}
