/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Doorbells that KVM deals with, without an exit to QEMU: a write to DOORBELL
 * that rings a line open to us becomes a signal of the owner's eventfd
 * (ioeventfd), and a signal of ours becomes an interrupt (irqfd).  Called when
 * lines are opened and closed, and by MSI-X when a vector can be used.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * Both are limited resources of the host.  What is beyond the limits takes the
 * way through QEMU, which is slower and no different.  Everything here holds
 * the big lock; rights change by the fabric's thread as well, so that what is
 * set up here follows a little later, in the main loop.
 */
#include "qemu/osdep.h"
#include "qemu/main-loop.h"
#include "hw/pci/msi.h"
#include "hw/pci/msix.h"
#include "system/kvm.h"
#include "scidev.h"
#include "trace.h"

#define SCIDEV_RINGS_MAX    64  /* ioeventfds of one adapter */
#define SCIDEV_IRQFDS_MAX   64  /* irqfds of one adapter */

/* A value of DOORBELL, and what is signalled when it is written. */
typedef struct SCIDevRing {
    EventNotifier line;
    uint32_t val;
} SCIDevRing;

static void scidev_ring_add(SCIDev *s, unsigned node, unsigned line, int fd)
{
    SCIDevRing *r;
    /* Of our own: the owner of the right may close its descriptor any time. */
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);

    if (own < 0) {
        return;
    }
    r = g_new0(SCIDevRing, 1);
    event_notifier_init_fd(&r->line, own);
    r->val = SCI_PUT(SCI_DOORBELL_NODE, node) |
             SCI_PUT(SCI_DOORBELL_LINE, line);
    memory_region_add_eventfd(&s->csr, SCI_REG_DOORBELL, 4, true, r->val,
                              &r->line);
    g_ptr_array_add(s->rings, r);
}

/* KVM is told at the end of the transaction, and must find them until then. */
static void scidev_rings_clear(SCIDev *s)
{
    memory_region_transaction_begin();
    for (unsigned i = 0; i < s->rings->len; i++) {
        SCIDevRing *r = g_ptr_array_index(s->rings, i);

        memory_region_del_eventfd(&s->csr, SCI_REG_DOORBELL, 4, true, r->val,
                                  &r->line);
    }
    memory_region_transaction_commit();
    for (unsigned i = 0; i < s->rings->len; i++) {
        SCIDevRing *r = g_ptr_array_index(s->rings, i);

        close(event_notifier_get_fd(&r->line));
        g_free(r);
    }
    g_ptr_array_set_size(s->rings, 0);
}

static void scidev_rings_fill(SCIDev *s)
{
    for (unsigned node = SCI_NODE_MIN; node <= SCI_NODE_MAX; node++) {
        const FabricPeer *peer = fabric_peer(s->fabric, node);

        if (!peer || scidev_slot_link(s, node) != SCI_LINK_UP) {
            continue;
        }
        for (unsigned line = 0; line < SCI_LINES_MAX; line++) {
            if (s->rings->len == SCIDEV_RINGS_MAX) {
                return;
            }
            if (peer->lines[line] >= 0) {
                scidev_ring_add(s, node, line, peer->lines[line]);
            }
        }
    }
}

/*
 * By the main loop: what we may ring has changed.  All are made anew, since the
 * eventfd of a right that was given again is another one; meanwhile QEMU rings.
 */
static void scidev_rings_follow(void *opaque)
{
    SCIDev *s = opaque;

    scidev_rings_clear(s);
    if (scidev_attached(s)) {
        memory_region_transaction_begin();
        scidev_lock(s->lock);
        scidev_rings_fill(s);
        scidev_unlock(s->lock);
        memory_region_transaction_commit();
    }
    trace_scidev_rings(s->node_id, s->rings->len);
}

void scidev_eventfd_rings(SCIDev *s)
{
    if (s->rings_bh) {
        qemu_bh_schedule(s->rings_bh);
    }
}

void scidev_eventfd_attach(SCIDev *s, SCIDevLine *l)
{
    int virq = s->virq ? s->virq[l->line] : -1;

    if (virq < 0 || l->irqfd || s->n_irqfds == SCIDEV_IRQFDS_MAX ||
        kvm_irqchip_add_irqfd_notifier_gsi(kvm_state, &l->ring, NULL, virq) <
        0) {
        return;
    }
    scidev_line_listen(l, false);
    l->irqfd = true;
    l->virq = virq;
    s->n_irqfds++;
}

void scidev_eventfd_detach(SCIDev *s, SCIDevLine *l)
{
    if (l->irqfd) {
        kvm_irqchip_remove_irqfd_notifier_gsi(kvm_state, &l->ring, l->virq);
        l->irqfd = false;
        s->n_irqfds--;
        scidev_line_listen(l, true);
    }
}

static void scidev_vector_release(PCIDevice *pdev, unsigned vector)
{
    SCIDev *s = SCIDEV(pdev);

    if (vector == SCI_VECTOR_STATUS || s->virq[vector - 1] < 0) {
        return;
    }
    scidev_lines_foreach(s, vector - 1, scidev_eventfd_detach);
    kvm_irqchip_release_virq(kvm_state, s->virq[vector - 1]);
    s->virq[vector - 1] = -1;
}

/* The vector can be used from now on.  Must not fail: QEMU can do it, too. */
static int scidev_vector_use(PCIDevice *pdev, unsigned vector, MSIMessage msg)
{
    SCIDev *s = SCIDEV(pdev);
    KVMRouteChange change;

    if (vector == SCI_VECTOR_STATUS) {
        return 0;
    }
    scidev_vector_release(pdev, vector);
    change = kvm_irqchip_begin_route_changes(kvm_state);
    s->virq[vector - 1] = kvm_irqchip_add_msi_route(&change, vector, pdev);
    kvm_irqchip_commit_route_changes(&change);
    scidev_lines_foreach(s, vector - 1, scidev_eventfd_attach);
    return 0;
}

void scidev_eventfd_msix_off(SCIDev *s)
{
    for (unsigned line = 0; s->virq && line < s->lines; line++) {
        scidev_vector_release(PCI_DEVICE(s), SCI_VECTOR_LINE(line));
    }
}

void scidev_eventfd_init(SCIDev *s)
{
    s->rings = g_ptr_array_new();
    if (s->ioeventfd && kvm_enabled()) {
        s->rings_bh = qemu_bh_new(scidev_rings_follow, s);
    }
    if (kvm_enabled() && kvm_msi_via_irqfd_enabled()) {
        s->virq = g_new(int, SCI_LINES_MAX);
        for (unsigned i = 0; i < SCI_LINES_MAX; i++) {
            s->virq[i] = -1;
        }
        /* A masked vector is handled by QEMU, which keeps its pending bit. */
        msix_set_vector_notifiers(PCI_DEVICE(s), scidev_vector_use,
                                  scidev_vector_release, NULL);
    }
}

/* Before the lines end, which the vectors refer to. */
void scidev_eventfd_exit(SCIDev *s)
{
    if (!s->rings) {
        return;
    }
    if (s->virq) {
        msix_unset_vector_notifiers(PCI_DEVICE(s));
        scidev_eventfd_msix_off(s);
        g_clear_pointer(&s->virq, g_free);
    }
    g_clear_pointer(&s->rings_bh, qemu_bh_delete);
    scidev_rings_clear(s);
    g_ptr_array_free(g_steal_pointer(&s->rings), true);
}
