/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where device and fabric meet: attaching, enabling, and what the fabric
 * reports of peers.  On return from a callback the fabric acknowledges to the
 * peer, so nothing that must go may still be mapped by then.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/atomic.h"
#include "qemu/error-report.h"
#include "scidev.h"
#include "trace.h"

#define SCIDEV_SETTLE_MS    2000

static bool scidev_enabled(const SCIDev *s)
{
    return s->control & SCI_CONTROL_ENABLE;
}

const FabricPeer *scidev_peer(SCIDev *s, unsigned node, uint32_t incarnation)
{
    const FabricPeer *peer;

    if (!scidev_enabled(s) || incarnation == 0 || node < SCI_NODE_MIN ||
        node > SCI_NODE_MAX) {
        return NULL;
    }
    peer = fabric_peer(s->fabric, node);
    /* It may have left this incarnation, the message being on its way. */
    if (!peer || !peer->linked || peer->incarnation != incarnation ||
        qatomic_load_acquire(&peer->page->incarnation) != incarnation) {
        return NULL;
    }
    return peer;
}

void scidev_slot_update(SCIDev *s, const FabricPeer *peer)
{
    uint32_t link = SCI_LINK_PRESENT;

    if (!peer->linked) {
        link = SCI_LINK_DOWN;
    } else if (scidev_enabled(s) && peer->incarnation) {
        link = SCI_LINK_UP;
    }
    scidev_slot_set(s, peer->node, link,
                    link == SCI_LINK_UP ? peer->incarnation : 0, peer->n_lines);
}

void scidev_slots_refresh(SCIDev *s)
{
    for (unsigned node = SCI_NODE_MIN; node <= SCI_NODE_MAX; node++) {
        const FabricPeer *peer =
            s->fabric ? fabric_peer(s->fabric, node) : NULL;

        if (peer) {
            scidev_slot_update(s, peer);
        } else {
            scidev_slot_set(s, node, SCI_LINK_ABSENT, 0, 0);
        }
    }
}

static void scidev_peer_present(void *opaque, const FabricPeer *peer)
{
    SCIDev *s = opaque;

    trace_scidev_peer_present(s->node_id, peer->node, peer->incarnation);
    scidev_slot_update(s, peer);
}

static void scidev_peer_state(void *opaque, const FabricPeer *peer)
{
    SCIDev *s = opaque;

    trace_scidev_peer_state(s->node_id, peer->node, peer->incarnation);
    scidev_att_revoke(s, peer->node, 0, UINT64_MAX, SCI_ATT_ST_PEER_LOST);
    scidev_slot_update(s, peer);
}

static void scidev_peer_link(void *opaque, const FabricPeer *peer)
{
    SCIDev *s = opaque;

    trace_scidev_peer_link(s->node_id, peer->node, peer->linked);
    if (!peer->linked) {
        scidev_att_revoke(s, peer->node, 0, UINT64_MAX, SCI_ATT_ST_PEER_LOST);
    }
    scidev_slot_update(s, peer);
}

static void scidev_peer_gone(void *opaque, const FabricPeer *peer)
{
    SCIDev *s = opaque;

    trace_scidev_peer_gone(s->node_id, peer->node);
    scidev_att_revoke(s, peer->node, 0, UINT64_MAX, SCI_ATT_ST_PEER_LOST);
    scidev_slot_set(s, peer->node, SCI_LINK_ABSENT, 0, 0);
}

static void scidev_peer_invalidate(void *opaque, const FabricPeer *peer,
                                   uint64_t first, uint64_t count)
{
    SCIDev *s = opaque;

    trace_scidev_peer_invalidate(s->node_id, peer->node, first, count);
    scidev_att_invalidate(s, peer->node, first, count);
}

static void scidev_fabric_settled(void *opaque)
{
    scidev_inval_settled(opaque);
}

static void scidev_fabric_report(void *opaque, const char *message)
{
    SCIDev *s = opaque;

    warn_report("sci: node %u: %s", s->node_id, message);
}

static const FabricOps scidev_fabric_ops = {
    .peer_present = scidev_peer_present,
    .peer_state = scidev_peer_state,
    .peer_link = scidev_peer_link,
    .peer_gone = scidev_peer_gone,
    .peer_invalidate = scidev_peer_invalidate,
    .settled = scidev_fabric_settled,
    .report = scidev_fabric_report,
};

bool scidev_fabric_attach(SCIDev *s, Error **errp)
{
    int lines[SCI_LINES_MAX];
    FabricConfig config = {
        .dir = s->fabric_dir,
        .node = s->node_id,
        .n_lines = s->n_lines,
        .lines = lines,
    };
    g_autoptr(GError) gerror = NULL;

    if (!scidev_ram_collect(&config, errp)) {
        return false;
    }
    for (unsigned i = 0; i < config.n_ram; i++) {
        trace_scidev_ram(s->node_id, config.ram[i].guest_base,
                         config.ram[i].size, config.ram[i].fd_offset);
    }
    for (unsigned i = 0; i < s->n_lines; i++) {
        lines[i] = event_notifier_get_fd(&s->line[i].ring);
    }
    scidev_ports(s, config.closed);
    s->fabric = fabric_new(&config, &scidev_fabric_ops, s, &gerror);
    if (!s->fabric) {
        error_setg(errp, "cannot join fabric '%s' as node %u: %s",
                   s->fabric_dir, s->node_id, gerror->message);
        return false;
    }
    scidev_slots_refresh(s);
    return true;
}

void scidev_fabric_detach(SCIDev *s)
{
    if (s->fabric) {
        scidev_fabric_quiesce(s);
        g_clear_pointer(&s->fabric, fabric_free);
    }
}

void scidev_enable(SCIDev *s)
{
    scidev_lines_drain(s);
    s->incarnation = fabric_enable(s->fabric);
    s->control |= SCI_CONTROL_ENABLE;
    trace_scidev_enable(s->node_id, s->incarnation);
    scidev_slots_refresh(s);
}

void scidev_disable(SCIDev *s)
{
    trace_scidev_disable(s->node_id);
    scidev_att_revoke_all(s);
    fabric_disable(s->fabric);
    s->control &= ~(SCI_CONTROL_ENABLE | SCI_CONTROL_INBOUND);
    s->incarnation = 0;
    scidev_slots_refresh(s);
    scidev_inval_wait(s);
}

void scidev_fabric_quiesce(SCIDev *s)
{
    if (scidev_enabled(s)) {
        scidev_disable(s);
    }
    fabric_settle(s->fabric, SCIDEV_SETTLE_MS);
}
