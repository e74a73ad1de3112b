/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls of the device that it may have to be asked again, because something is
 * still mapped.  Until then the request is not acknowledged.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "peer.h"

void fabric_acknowledge(FabricConnection *conn)
{
    FabricMessage msg = { .type = FABRIC_ACK, .seq = conn->received };

    conn->unacknowledged = false;
    fabric_packet_send(conn, &msg, -1);
}

static bool call_device(FabricConnection *conn)
{
    const FabricOps *ops = conn->fabric->ops;
    void *opaque = conn->fabric->opaque;

    switch (conn->again) {
    case AGAIN_STATE:
        return ops->peer_state(opaque, &conn->peer);
    case AGAIN_LINKED:
        return ops->peer_linked(opaque, &conn->peer);
    case AGAIN_INVALIDATE:
        return ops->peer_invalidate(opaque, &conn->peer, conn->again_first,
                                    conn->again_count);
    default:
        return true;
    }
}

void fabric_call(FabricConnection *conn, FabricAgain again)
{
    conn->again = again;
    if (!call_device(conn)) {
        fabric_connection_arm(conn);
        fabric_connection_retry(conn);
        return;
    }
    conn->again = AGAIN_NOTHING;
    if (conn->unacknowledged) {
        fabric_acknowledge(conn);
    }
    fabric_connection_arm(conn);
}
