/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ports: whether the link to a peer is up, which both ends decide.  Called by
 * message.c, member.c and the device.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * Who closes a port has unmapped the peer before it says so, and after it has
 * opened the port maps nothing before the peer has acknowledged that.  So what
 * the other side has said, and what it has acknowledged, is enough to know that
 * it holds no mapping: nobody needs to wait for a node whose link is down.
 */
#include "peer.h"

static bool port_linked(const FabricConnection *conn)
{
    const FabricNews *news = &conn->news;

    return !conn->fabric->nodes[conn->node].closed && !news->closed &&
           !news->flap && news->flight != FABRIC_PORT && !conn->peer_closed;
}

void fabric_port_begin(FabricConnection *conn)
{
    conn->peer.linked = port_linked(conn);
}

void fabric_port_update(FabricConnection *conn)
{
    bool linked = port_linked(conn);

    if (conn->peer.linked == linked) {
        return;
    }
    conn->peer.linked = linked;
    if (!linked) {
        fabric_line_forget(conn);
    }
    fabric_call(conn, AGAIN_LINKED);
}

void fabric_port_heard(FabricConnection *conn, bool closed)
{
    if (closed == conn->peer_closed) {
        fabric_connection_fail(conn, g_strdup_printf("PORT says %s twice",
                                                     closed ? "closed"
                                                            : "open"));
        return;
    }
    conn->peer_closed = closed;
    if (closed) {
        /* It has unmapped everything: whatever it was asked is done. */
        fabric_news_cut(conn);
    }
    fabric_port_update(conn);
}

void fabric_set_port(Fabric *f, unsigned node, bool open)
{
    FabricConnection *conn;

    g_return_if_fail(node >= 1 && node <= FABRIC_NODE_MAX && node != f->node);
    f->nodes[node].closed = !open;
    conn = f->nodes[node].peer;
    if (!conn) {
        return;
    }
    if (!open) {
        conn->news.flap |= !conn->news.closed;
        conn->peer.linked = false;
        fabric_line_forget(conn);
    }
    fabric_news_tell(conn);
}
