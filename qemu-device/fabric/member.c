/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is a peer: the choice between the connections to one node, the beginning
 * and the end of a peer, connections that are over.  Called by message.c and
 * turn.c; calls the device by FabricOps.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <sys/socket.h>

#include "member.h"

static FabricNode *node_of(const FabricConnection *conn)
{
    return &conn->fabric->nodes[conn->node];
}

/* Those whose turn has come because another one has begun or ended. */
static void unpark(Fabric *f, unsigned node)
{
    GList *l = f->nodes[node].connections.head;

    for (; l; l = l->next) {
        FabricConnection *conn = l->data;

        if (conn->state == CONNECTION_PARKED &&
            fabric_connection_alive(conn)) {
            fabric_admit(conn);
        }
    }
}

void fabric_peer_begin(FabricConnection *conn)
{
    Fabric *f = conn->fabric;
    FabricNode *node = node_of(conn);

    fabric_connection_set_state(conn, CONNECTION_PEER);
    conn->began = g_get_monotonic_time();
    node->peer = conn;
    if (node->start != conn->start) {
        /* Another process: what its predecessor did is forgotten. */
        node->start = conn->start;
        node->redial_wait = 0;
    }
    /* Our HELLO is out: see news_concern() of the other side. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    fabric_port_begin(conn);
    f->ops->peer_present(f->opaque, &conn->peer);
    fabric_news_tell(conn);
    unpark(f, conn->node);
}

/* Another connection of that node that is, or is about to be, its peer's. */
static FabricConnection *find_rival(const FabricConnection *conn)
{
    for (GList *l = node_of(conn)->connections.head; l; l = l->next) {
        FabricConnection *other = l->data;

        if (other != conn && (other->state == CONNECTION_PEER ||
                              other->state == CONNECTION_ANSWERING)) {
            return other;
        }
    }
    return NULL;
}

/*
 * Whether a former connection is not over: the node is mapped here still, or
 * the same process has this node's memory mapped still.
 */
static bool predecessor_remains(const FabricConnection *conn)
{
    for (GList *l = node_of(conn)->connections.head; l; l = l->next) {
        const FabricConnection *other = l->data;

        if (other->state == CONNECTION_GOING ||
            (other->state == CONNECTION_LEAVING && other->pid == conn->pid)) {
            return true;
        }
    }
    return false;
}

/* Whether our own dial to the node of @conn may still be answered. */
static bool dial_pending(const FabricConnection *conn)
{
    for (GList *l = node_of(conn)->connections.head; l; l = l->next) {
        FabricConnection *other = l->data;

        if (other->state == CONNECTION_DIALLED &&
            fabric_connection_alive(other)) {
            if (other->pid == conn->pid) {
                return true;
            }
            /* What we dialled is not the process that holds the lock. */
            fabric_connection_end(other);
        }
    }
    return false;
}

/* Who dials again has given up what it dialled before: one of them may wait. */
static void park(FabricConnection *conn)
{
    for (GList *l = node_of(conn)->connections.head; l; l = l->next) {
        FabricConnection *other = l->data;

        if (other != conn && other->state == CONNECTION_PARKED &&
            other->dialled == conn->dialled &&
            fabric_connection_alive(other)) {
            fabric_connection_end(other);
        }
    }
    fabric_connection_set_state(conn, CONNECTION_PARKED);
}

/* Says hello; a peer once that is out. */
static void answer(FabricConnection *conn)
{
    fabric_connection_set_state(conn, CONNECTION_ANSWERING);
    fabric_news_hello(conn);
    if (g_queue_is_empty(&conn->out) && fabric_connection_alive(conn)) {
        fabric_peer_begin(conn);
    }
}

/* Whether @rival, which came first, is a living connection to that process. */
static bool rival_stays(const FabricConnection *conn,
                        const FabricConnection *rival)
{
    return fabric_connection_alive(rival) && !fabric_packet_at_end(rival) &&
           !fabric_newer(conn->start, rival->start);
}

void fabric_admit(FabricConnection *conn)
{
    FabricConnection *rival = find_rival(conn);

    if (predecessor_remains(conn)) {
        park(conn);
    } else if (rival && rival_stays(conn, rival)) {
        fabric_connection_end(conn);
    } else if (rival) {
        /* One that is being dropped may map our memory until it closes. */
        if (!rival->fault) {
            fabric_connection_end(rival);
        }
        park(conn);
    } else if (conn->dialled) {
        fabric_peer_begin(conn);
    } else if (conn->fabric->node > conn->node && dial_pending(conn)) {
        park(conn);
    } else {
        answer(conn);
    }
}

static void report_fault(const FabricConnection *conn)
{
    if (conn->fault) {
        char *name = fabric_connection_name(conn);

        fabric_report(conn->fabric, "%s was dropped: %s", name, conn->fault);
        g_free(name);
    }
}

/* A peer that was one for long starts anew with the intervals of redialling. */
static void note_loss(FabricConnection *conn, bool peer)
{
    const int64_t steady = FABRIC_REDIAL_MAX * G_USEC_PER_SEC;

    conn->lost = peer || conn->dialled;
    if (peer && g_get_monotonic_time() - conn->began >= steady) {
        node_of(conn)->redial_wait = 0;
    }
}

/* Whatever it was, from here on it only comes to its end. */
static void end_begin(FabricConnection *conn)
{
    bool peer = conn->state == CONNECTION_PEER;

    report_fault(conn);
    note_loss(conn, peer);
    conn->linger = conn->ours && (peer || conn->dialled);
    conn->lingers_owing = conn->linger && conn->owing;
    conn->short_of_fds = conn->short_of_memory = false;
    conn->again = AGAIN_NOTHING;
    fabric_news_cut(conn);
    fabric_packet_clear(conn);
    fabric_line_forget(conn);
    fabric_place_leave(&conn->in_retry);
    fabric_connection_set_state(conn, CONNECTION_GOING);
    if (peer) {
        node_of(conn)->peer = NULL;
        conn->again = AGAIN_GONE;
    }
}

/* False if the device must be asked again. */
static bool end_at_device(FabricConnection *conn)
{
    const Fabric *f = conn->fabric;

    if (conn->again == AGAIN_GONE &&
        !f->ops->peer_gone(f->opaque, &conn->peer)) {
        fabric_connection_retry(conn);
        return false;
    }
    conn->again = AGAIN_NOTHING;
    fabric_peer_fini(&conn->peer);
    return true;
}

/* It may map our memory until it closes its end, which this asks it to do. */
static void leave(FabricConnection *conn)
{
    g_clear_pointer(&conn->fault, g_free);
    fabric_connection_set_state(conn, CONNECTION_LEAVING);
    shutdown(conn->fd, SHUT_WR);
}

void fabric_end(FabricConnection *conn)
{
    Fabric *f = conn->fabric;
    unsigned node = conn->node;
    bool lost;

    if (conn->state != CONNECTION_GOING && conn->state != CONNECTION_LEAVING) {
        end_begin(conn);
    }
    if (!end_at_device(conn)) {
        return;
    }
    lost = conn->lost;
    conn->lost = false;
    if (conn->ended || !conn->linger) {
        fabric_connection_free(conn);
    } else {
        leave(conn);
    }
    if (lost) {
        fabric_redial_later(f, node);
    }
    unpark(f, node);
}
