/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupts: the vectors, and the status interrupt with its causes and mask.
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
 * registers of this device, or at the PCI slot in which it is, which then
 * unplugs or resets it at once.  So it is sent by the main loop only, without
 * our lock and with nothing going on in device and fabric, and nothing may
 * follow it.
 */
void scidev_irq_notify(SCIDev *s, unsigned vector)
{
    object_ref(OBJECT(s));
    msix_notify(PCI_DEVICE(s), vector);
    object_unref(OBJECT(s));
}

static void scidev_status_notify(void *opaque)
{
    SCIDev *s = opaque;
    bool pending;

    scidev_lock(s->lock);
    /* The guest may have looked at it meanwhile. */
    pending = s->int_cause & s->int_mask;
    scidev_unlock(s->lock);
    if (pending) {
        scidev_irq_notify(s, SCI_VECTOR_STATUS);
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

bool scidev_irq_init(SCIDev *s, Error **errp)
{
    PCIDevice *pdev = PCI_DEVICE(s);

    if (msix_init(pdev, s->lines + 1, &s->csr, SCI_BAR_CSR, SCI_MSIX_TABLE,
                  &s->csr, SCI_BAR_CSR, SCI_MSIX_PBA, 0, errp) < 0) {
        return false;
    }
    for (unsigned i = 0; i <= s->lines; i++) {
        msix_vector_use(pdev, i);
    }
    s->status_bh = qemu_bh_new(scidev_status_notify, s);
    return true;
}

void scidev_irq_exit(SCIDev *s)
{
    g_clear_pointer(&s->status_bh, qemu_bh_delete);
    msix_uninit(PCI_DEVICE(s), &s->csr, &s->csr);
}
