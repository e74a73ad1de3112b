/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ports: whether the link to a peer is up, which both ends decide.  Called by
 * request.c and member.c; calls the device through FabricOps.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * Who closes a port has unmapped the peer before it says so, and after it has
 * opened the port maps nothing before the peer has acknowledged that.  So what
 * the other side has said, and what it has acknowledged, is enough to know that
 * it holds no mapping: nobody needs to wait for a node whose link is down.
 */
#include "internal.h"

static bool port_linked(const FabricLink *link)
{
    return !link->fabric->closed[link->node] && !link->closed &&
           !link->port_asked && !link->peer_closed;
}

static void port_update(FabricLink *link)
{
    Fabric *f = link->fabric;
    bool linked = port_linked(link);

    if (link->peer.linked != linked) {
        link->peer.linked = linked;
        f->ops->peer_link(f->opaque, &link->peer);
    }
}

bool fabric_port_cut(const FabricLink *link)
{
    return link->peer_closed || (link->closed && !link->port_asked);
}

void fabric_port_begin(FabricLink *link)
{
    link->peer.linked = port_linked(link);
}

/* One at a time: a port that flaps fills no queue. */
void fabric_port_tell(FabricLink *link)
{
    FabricMessage msg = {
        .type = FABRIC_PORT,
        .port.closed = link->fabric->closed[link->node],
    };

    if (link->port_asked || link->closed == msg.port.closed) {
        return;
    }
    link->closed = msg.port.closed;
    link->port_asked = true;
    fabric_link_request(link, &msg, false);
    link->port_seq = msg.seq;
}

void fabric_port_heard(FabricLink *link, bool closed)
{
    if (closed == link->peer_closed) {
        fabric_link_fail(link, g_strdup_printf("PORT says %s twice",
                                               closed ? "closed" : "open"));
        return;
    }
    link->peer_closed = closed;
    if (closed) {
        /* It has unmapped everything: whatever it was asked is done. */
        link->awaited = link->acked;
    }
    port_update(link);
}

void fabric_port_acknowledged(FabricLink *link)
{
    if (link->port_asked && link->acked == link->port_seq) {
        link->port_asked = false;
        fabric_port_tell(link);
        port_update(link);
    }
}

void fabric_set_port(Fabric *f, unsigned node, bool open)
{
    FabricLink *link;

    g_return_if_fail(node >= 1 && node <= FABRIC_NODE_MAX && node != f->node);
    f->closed[node] = !open;
    link = f->peers[node];
    if (!link) {
        return;
    }
    if (!open) {
        link->peer.linked = false;
    }
    fabric_port_tell(link);
}
