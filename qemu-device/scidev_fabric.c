/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where device and fabric meet: attaching, enabling, and what the fabric
 * reports of peers.  When a callback returns true the fabric acknowledges to
 * the peer, so nothing that must go may still be mapped by then.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/atomic.h"
#include "qemu/error-report.h"
#include "scidev.h"
#include "trace.h"

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
    bool up = false;

    if (!peer->linked) {
        link = SCI_LINK_DOWN;
    } else if (scidev_enabled(s) && peer->incarnation) {
        link = SCI_LINK_UP;
        up = true;
    }
    if (!up) {
        scidev_lines_close(s, peer->node);
    }
    scidev_slot_set_open(s, peer->node, up ? peer->lines : NULL);
    scidev_slot_set(s, peer->node, link, up ? peer->incarnation : 0,
                    peer->n_lines);
}

static void scidev_slot_absent(SCIDev *s, unsigned node)
{
    scidev_lines_close(s, node);
    scidev_slot_set_open(s, node, NULL);
    scidev_slot_set(s, node, SCI_LINK_ABSENT, 0, 0);
}

void scidev_slots_refresh(SCIDev *s)
{
    for (unsigned node = SCI_NODE_MIN; node <= SCI_NODE_MAX; node++) {
        const FabricPeer *peer =
            s->fabric ? fabric_peer(s->fabric, node) : NULL;

        if (peer) {
            scidev_slot_update(s, peer);
        } else {
            scidev_slot_absent(s, node);
        }
    }
}

static void scidev_peer_present(void *opaque, const FabricPeer *peer)
{
    SCIDev *s = opaque;

    trace_scidev_peer_present(s->node_id, peer->node, peer->incarnation);
    scidev_slot_update(s, peer);
}

static bool scidev_peer_state(void *opaque, const FabricPeer *peer)
{
    SCIDev *s = opaque;
    bool done = scidev_att_revoke(s, peer->node, SCI_ATT_ST_PEER_LOST);

    trace_scidev_peer_state(s->node_id, peer->node, peer->incarnation);
    /* What was opened to an incarnation is not open to the next. */
    scidev_lines_close(s, peer->node);
    scidev_slot_update(s, peer);
    return done;
}

static bool scidev_peer_linked(void *opaque, const FabricPeer *peer)
{
    SCIDev *s = opaque;
    bool done = true;

    trace_scidev_peer_linked(s->node_id, peer->node, peer->linked);
    if (!peer->linked) {
        done = scidev_att_revoke(s, peer->node, SCI_ATT_ST_PEER_LOST);
    }
    scidev_slot_update(s, peer);
    return done;
}

static bool scidev_peer_gone(void *opaque, const FabricPeer *peer)
{
    SCIDev *s = opaque;
    bool done = scidev_att_revoke(s, peer->node, SCI_ATT_ST_PEER_LOST);

    trace_scidev_peer_gone(s->node_id, peer->node);
    scidev_slot_absent(s, peer->node);
    return done;
}

static void scidev_peer_lines(void *opaque, const FabricPeer *peer)
{
    scidev_slot_update(opaque, peer);
    /* One that was given anew has the same bit, but another eventfd. */
    scidev_eventfd_rings(opaque);
}

static bool scidev_peer_invalidate(void *opaque, const FabricPeer *peer,
                                   uint64_t first, uint64_t count)
{
    SCIDev *s = opaque;

    trace_scidev_peer_invalidate(s->node_id, peer->node, first, count);
    return scidev_att_invalidate(s, peer->node, first, count);
}

static void scidev_fabric_settled(void *opaque)
{
    SCIDev *s = opaque;

    scidev_inval_settled(s);
    scidev_member_settled(s);
}

static void scidev_fabric_report(void *opaque, const char *message)
{
    SCIDev *s = opaque;

    warn_report("sci: node %u: %s", s->node_id, message);
}

static const FabricOps scidev_fabric_ops = {
    .peer_present = scidev_peer_present,
    .peer_state = scidev_peer_state,
    .peer_linked = scidev_peer_linked,
    .peer_gone = scidev_peer_gone,
    .peer_lines = scidev_peer_lines,
    .peer_invalidate = scidev_peer_invalidate,
    .settled = scidev_fabric_settled,
    .report = scidev_fabric_report,
};

bool scidev_fabric_attach(SCIDev *s, Error **errp)
{
    FabricConfig config = {
        .dir = s->fabric_dir,
        .node = s->node_id,
        .n_lines = s->lines,
    };

    if (!scidev_ram_collect(s, &config, errp)) {
        return false;
    }
    for (unsigned i = 0; i < config.n_ram; i++) {
        trace_scidev_ram(s->node_id, config.ram[i].guest_base,
                         config.ram[i].size, config.ram[i].fd_offset);
    }
    scidev_ports(s, config.closed);
    if (!scidev_member_join(s, &config, &scidev_fabric_ops, errp)) {
        return false;
    }
    scidev_ram_watch(s);
    scidev_lock(s->lock);
    scidev_slots_refresh(s);
    scidev_unlock(s->lock);
    return true;
}

void scidev_fabric_detach(SCIDev *s)
{
    if (!s->fabric) {
        return;
    }
    scidev_ram_unwatch(s);
    scidev_lock(s->lock);
    if (scidev_enabled(s)) {
        scidev_disable(s);
    }
    scidev_unlock(s->lock);
    scidev_member_leave(s);
}

void scidev_enable(SCIDev *s)
{
    s->incarnation = fabric_enable(s->fabric);
    s->control |= SCI_CONTROL_ENABLE;
    trace_scidev_enable(s->node_id, s->incarnation);
    scidev_slots_refresh(s);
}

void scidev_disable(SCIDev *s)
{
    trace_scidev_disable(s->node_id);
    if (!scidev_att_revoke_all(s)) {
        scidev_own_invalidate(s, 0, SCI_PAGES_MAX);
    }
    fabric_disable(s->fabric);
    s->control &= ~(SCI_CONTROL_ENABLE | SCI_CONTROL_INBOUND);
    s->incarnation = 0;
    scidev_slots_refresh(s);
    scidev_inval_wait(s);
}
