/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The status pages (in BAR 4) and the errors that show in them.  Guests read
 * the pages while we write them, without a trap and without a lock: each field
 * is one aligned store.  Called by every other part.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qemu/bswap.h"
#include "qemu/log.h"
#include "scidev.h"
#include "trace.h"

static struct sci_adapter_status *scidev_adapter(SCIDev *s)
{
    return (struct sci_adapter_status *)(s->status_host + SCI_STATUS_ADAPTER);
}

static struct sci_peer_slot *scidev_slot(SCIDev *s, unsigned node)
{
    return (struct sci_peer_slot *)(s->status_host + SCI_STATUS_SLOT(node));
}

static void scidev_put(uint32_t *field, uint32_t val)
{
    qatomic_set(field, cpu_to_le32(val));
}

static void scidev_count(uint32_t *field)
{
    scidev_put(field, le32_to_cpu(*field) + 1);
}

bool scidev_status_init(SCIDev *s, Error **errp)
{
    if (!memory_region_init_ram_flags_nomigrate(
            &s->status, OBJECT(s), "sci-status", SCI_STATUS_SIZE, 0, errp)) {
        return false;
    }
    memory_region_set_readonly(&s->status, true);
    memory_region_init(&s->adapter, OBJECT(s), "sci-adapter", SCI_MEMORY_SIZE);
    memory_region_add_subregion(&s->adapter, 0, &s->status);
    s->status_host = memory_region_get_ram_ptr(&s->status);
    if (!scidev_att_init(s, errp)) {
        return false;
    }
    pci_register_bar(PCI_DEVICE(s), SCI_BAR_MEMORY,
                     PCI_BASE_ADDRESS_MEM_TYPE_64 |
                         PCI_BASE_ADDRESS_MEM_PREFETCH,
                     &s->adapter);
    return true;
}

/* As scidev_window_exit(): regions stay, but not one inside the other. */
void scidev_status_exit(SCIDev *s)
{
    if (s->status_host) {
        memory_region_del_subregion(&s->adapter, &s->status);
    }
    if (s->att_host) {
        memory_region_del_subregion(&s->adapter, &s->att_memory);
    }
}

void scidev_status_sync(SCIDev *s)
{
    struct sci_adapter_status *st = scidev_adapter(s);

    scidev_put(&st->incarnation, s->incarnation);
    scidev_put(&st->control, s->control);
    qatomic_set(&st->trap_reads, cpu_to_le64(s->trap_reads));
    qatomic_set(&st->trap_writes, cpu_to_le64(s->trap_writes));
}

void scidev_status_reset(SCIDev *s)
{
    memset(s->status_host, 0, SCI_STATUS_SIZE);
    scidev_put(&scidev_adapter(s)->version, SCI_VERSION);
    scidev_put(&scidev_adapter(s)->node_id, s->node_id);
    scidev_status_sync(s);
}

void scidev_slot_event(SCIDev *s, unsigned node)
{
    s->peer_event[node / 32] |= 1u << (node % 32);
    scidev_irq_raise(s, SCI_INT_PEER);
}

void scidev_slot_set(SCIDev *s, unsigned node, uint32_t link,
                     uint32_t incarnation, uint32_t lines)
{
    struct sci_peer_slot *slot = scidev_slot(s, node);

    scidev_put(&slot->lines, lines);
    if (le32_to_cpu(slot->link) == link &&
        le32_to_cpu(slot->incarnation) == incarnation) {
        return;
    }
    trace_scidev_link(s->node_id, node, link, incarnation);
    scidev_put(&slot->link, link);
    scidev_put(&slot->incarnation, incarnation);
    /* After the fields: who sees the new count sees them. */
    qatomic_store_release(&slot->changes,
                          cpu_to_le32(le32_to_cpu(slot->changes) + 1));
    scidev_slot_event(s, node);
}

/* @lines as FabricPeer has them: -1 = we may not ring it; NULL = none. */
void scidev_slot_set_open(SCIDev *s, unsigned node, const int *lines)
{
    struct sci_peer_slot *slot = scidev_slot(s, node);
    bool changed = false;

    for (unsigned i = 0; i < ARRAY_SIZE(slot->open); i++) {
        uint32_t word = 0;

        for (unsigned bit = 0; lines && bit < 32; bit++) {
            word |= (uint32_t)(lines[i * 32 + bit] >= 0) << bit;
        }
        changed |= le32_to_cpu(slot->open[i]) != word;
        scidev_put(&slot->open[i], word);
    }
    if (changed) {
        scidev_eventfd_rings(s);
        scidev_slot_event(s, node);
    }
}

uint32_t scidev_slot_link(SCIDev *s, unsigned node)
{
    return le32_to_cpu(scidev_slot(s, node)->link);
}

void scidev_slot_revoked(SCIDev *s, unsigned node)
{
    /* After the entries' states: pairs with loads of the count, then of one. */
    smp_wmb();
    scidev_count(&scidev_slot(s, node)->revokes);
    /* Before the mappings go: pairs with the guest's load after its stores. */
    smp_mb();
}

static bool scidev_node_valid(unsigned node)
{
    return node >= SCI_NODE_MIN && node <= SCI_NODE_MAX;
}

void scidev_error(SCIDev *s, uint32_t kind, unsigned node, const char *fmt, ...)
{
    bool fresh = !(s->error & kind);

    trace_scidev_error(s->node_id, kind, node);
    if (qemu_loglevel_mask(LOG_GUEST_ERROR)) {
        va_list ap;
        g_autofree char *what = NULL;

        va_start(ap, fmt);
        what = g_strdup_vprintf(fmt, ap);
        va_end(ap);
        qemu_log("sci: node %u: %s\n", s->node_id, what);
    }
    if (scidev_node_valid(node)) {
        scidev_put(&scidev_slot(s, node)->last_error, kind);
        scidev_count(&scidev_slot(s, node)->errors);
    } else {
        scidev_put(&scidev_adapter(s)->last_error, kind);
        scidev_count(&scidev_adapter(s)->errors);
    }
    s->error |= kind;
    if (fresh) {
        scidev_irq_raise(s, SCI_INT_ERROR);
    }
}
