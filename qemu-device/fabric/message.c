/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the messages of other nodes do: HELLO, requests, acknowledgements.  A
 * request is acknowledged once the device has done its part; while it cannot,
 * nothing else of that peer is read.  Called by turn.c for each connection to
 * which something has happened; calls member.c, and the device by FabricOps.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <sys/epoll.h>

#include "member.h"

static void message_hello(FabricConnection *conn, const FabricHello *hello,
                          FabricFds *fds)
{
    char *fault;

    if (hello->node == conn->fabric->node) {
        fault = g_strdup("it says that it is this node");
    } else if (conn->node != 0 && conn->node != hello->node) {
        fault = g_strdup_printf("it says that it is node %u", hello->node);
    } else {
        fabric_connection_set_node(conn, hello->node);
        fault = fabric_peer_init(&conn->peer, hello, fds);
    }
    if (fault) {
        fabric_connection_fail(conn, fault);
        return;
    }
    fabric_place_leave(&conn->in_deadlines);
    conn->start = hello->start;
    conn->peer_closed = hello->closed;
    conn->last = hello->incarnation ? hello->incarnation : hello->start;
    fabric_admit(conn);
}

static void message_state(FabricConnection *conn, uint32_t incarnation)
{
    if (incarnation == 0 ? conn->peer.incarnation == 0
                         : !fabric_newer(incarnation, conn->last)) {
        fabric_connection_fail(conn, g_strdup_printf("incarnation %u after %u",
                                                     incarnation, conn->last));
        return;
    }
    if (incarnation != 0) {
        conn->last = incarnation;
    }
    conn->peer.incarnation = incarnation;
    fabric_line_forget(conn);
    fabric_call(conn, AGAIN_STATE);
}

static void message_invalidate(FabricConnection *conn, uint64_t first,
                               uint64_t count)
{
    conn->again_first = first;
    conn->again_count = count;
    fabric_call(conn, AGAIN_INVALIDATE);
}

static void message_line(FabricConnection *conn, const FabricMessage *msg,
                         FabricFds *fds)
{
    const Fabric *f = conn->fabric;
    int fd = fds->n != 0 ? fds->fd[0] : -1;

    fds->n = 0;
    if (fabric_line_heard(conn, msg, fd)) {
        f->ops->peer_lines(f->opaque, &conn->peer);
    }
}

static void message_ack(FabricConnection *conn, uint32_t seq)
{
    const FabricNews *news = &conn->news;

    if (news->flight == 0) {
        fabric_connection_fail(conn, g_strdup_printf("ACK of %u, nothing was "
                                                     "asked", seq));
    } else if (seq != news->sent) {
        fabric_connection_fail(conn, g_strdup_printf("ACK of %u instead of %u",
                                                     seq, news->sent));
    } else if (fabric_news_acknowledged(conn) == FABRIC_PORT) {
        fabric_port_update(conn);
    }
}

static void message_request(FabricConnection *conn, const FabricMessage *msg,
                            FabricFds *fds)
{
    if (msg->seq != conn->received + 1) {
        fabric_connection_fail(conn, g_strdup_printf("request %u instead of %u",
                                                     msg->seq,
                                                     conn->received + 1));
        return;
    }
    conn->received = msg->seq;
    conn->unacknowledged = true;
    switch (msg->type) {
    case FABRIC_STATE:
        message_state(conn, msg->state.incarnation);
        break;
    case FABRIC_INVALIDATE:
        message_invalidate(conn, msg->invalidate.first, msg->invalidate.count);
        break;
    case FABRIC_PORT:
        fabric_port_heard(conn, msg->port.closed);
        break;
    case FABRIC_LINE:
        message_line(conn, msg, fds);
        break;
    }
    /* Those that did not have to call the device, or not for its consent. */
    if (conn->unacknowledged && conn->again == AGAIN_NOTHING) {
        fabric_acknowledge(conn);
    }
}

static void message_dispatch(FabricConnection *conn, const FabricMessage *msg,
                             FabricFds *fds)
{
    bool peer = conn->state == CONNECTION_PEER;

    if ((msg->type == FABRIC_HELLO) == peer) {
        fabric_connection_fail(conn,
                               g_strdup_printf("a message of type %u %s HELLO",
                                               msg->type,
                                               peer ? "after" : "before"));
    } else if (msg->type == FABRIC_HELLO) {
        message_hello(conn, &msg->hello, fds);
    } else if (msg->type == FABRIC_ACK) {
        message_ack(conn, msg->seq);
    } else {
        message_request(conn, msg, fds);
    }
    fabric_fds_close(fds);
}

/* What is left when the batch is full is read after all others were served. */
static void connection_read(FabricConnection *conn)
{
    for (unsigned i = 0; i < FABRIC_BATCH; i++) {
        FabricMessage msg;
        FabricFds fds;

        if (!fabric_connection_reads(conn) ||
            !fabric_packet_receive(conn, &msg, &fds)) {
            return;
        }
        message_dispatch(conn, &msg, &fds);
        if (fabric_turn_over(conn->fabric)) {
            break;
        }
    }
    conn->revents |= EPOLLIN;
    fabric_place_enter(&conn->in_ready, &conn->fabric->ready, conn);
}

void fabric_answered(FabricConnection *conn)
{
    if (conn->state == CONNECTION_ANSWERING && g_queue_is_empty(&conn->out) &&
        fabric_connection_alive(conn)) {
        fabric_peer_begin(conn);
    }
}

void fabric_serve(FabricConnection *conn)
{
    uint32_t revents = conn->revents;

    conn->revents = 0;
    if (revents & EPOLLOUT) {
        fabric_packet_flush(conn);
    }
    fabric_answered(conn);
    if (!fabric_connection_reads(conn)) {
        if (revents & (EPOLLHUP | EPOLLERR)) {
            fabric_connection_end(conn);
        }
    } else if (revents & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        connection_read(conn);
    }
    fabric_connection_arm(conn);
}

void fabric_expire(FabricConnection *conn)
{
    fabric_place_leave(&conn->in_deadlines);
    if (conn->state == CONNECTION_ACCEPTED) {
        fabric_connection_fail(conn,
                               g_strdup_printf("no HELLO within %u seconds",
                                               FABRIC_HELLO_SECONDS));
    } else {
        fabric_report(conn->fabric, "node %u (process %d) has not answered for "
                      "%u seconds: it is stopped, or its socket is not that of "
                      "a node", conn->node, (int)conn->pid,
                      FABRIC_HELLO_SECONDS);
    }
}
