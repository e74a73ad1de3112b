/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the peers are told of this node.  Each connection remembers what the
 * other side knows and what it should know; one request is on its way at most,
 * and its acknowledgement has the next difference sent: first the incarnation,
 * then the port, then the pages to invalidate, then a doorbell line.  So what
 * changes many times while a peer is stopped is told it once.
 *
 * A change that others must let go of is awaited: until the ACK of a request
 * that was sent after the change was made.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "peer.h"

void fabric_news_hello(FabricConnection *conn)
{
    const Fabric *f = conn->fabric;
    FabricMessage msg = {
        .type = FABRIC_HELLO,
        .hello = {
            .node = f->node,
            .start = f->start,
            .incarnation = f->self.incarnation,
            .n_lines = f->self.n_lines,
            .n_ram = f->self.n_ram,
            .closed = f->nodes[conn->node].closed,
        },
    };

    for (unsigned i = 0; i < f->self.n_ram; i++) {
        msg.hello.ram[i] = f->self.ram[i];
    }
    conn->news.incarnation = f->self.incarnation;
    conn->news.closed = msg.hello.closed;
    fabric_packet_send(conn, &msg, -1);
}

static void news_request(FabricConnection *conn, FabricMessage *msg, int fd,
                         bool awaited)
{
    FabricNews *news = &conn->news;

    msg->seq = ++news->sent;
    news->flight = msg->type;
    news->flight_awaited = awaited;
    fabric_packet_send(conn, msg, fd);
    fabric_connection_owes(conn);
}

static void news_say_state(FabricConnection *conn)
{
    FabricNews *news = &conn->news;
    FabricMessage msg = {
        .type = FABRIC_STATE,
        .state.incarnation = conn->fabric->self.incarnation,
    };
    /* Whoever reads it drops all mappings, so no INVALIDATE is needed. */
    bool awaited = news->state_awaited || news->first != news->end;

    news->incarnation = msg.state.incarnation;
    news->state_awaited = false;
    news->first = news->end = 0;
    news_request(conn, &msg, -1, awaited);
}

/* However short it was closed: the rights of before are void at both ends. */
static void news_say_port(FabricConnection *conn)
{
    FabricNews *news = &conn->news;
    FabricMessage msg = {
        .type = FABRIC_PORT,
        .port.closed = news->flap || conn->fabric->nodes[conn->node].closed,
    };

    news->closed = msg.port.closed;
    news->flap = false;
    news_request(conn, &msg, -1, false);
}

static void news_say_invalidate(FabricConnection *conn)
{
    FabricNews *news = &conn->news;
    FabricMessage msg = {
        .type = FABRIC_INVALIDATE,
        .invalidate = { news->first, news->end - news->first },
    };

    news->first = news->end = 0;
    news_request(conn, &msg, -1, true);
}

static void news_say_line(FabricConnection *conn)
{
    FabricMessage msg = { .type = FABRIC_LINE };
    int fd = fabric_line_next(conn, &msg);

    news_request(conn, &msg, fd, false);
}

void fabric_news_tell(FabricConnection *conn)
{
    const Fabric *f = conn->fabric;
    const FabricNews *news = &conn->news;

    if (conn->state != CONNECTION_PEER || !fabric_connection_alive(conn) ||
        news->flight != 0) {
        return;
    }
    if (news->incarnation != f->self.incarnation) {
        news_say_state(conn);
    } else if (news->flap || news->closed != f->nodes[conn->node].closed) {
        news_say_port(conn);
    } else if (news->first != news->end) {
        news_say_invalidate(conn);
    } else if (conn->grants_due != 0) {
        news_say_line(conn);
    }
}

bool fabric_news_is_cut(const FabricConnection *conn)
{
    return conn->peer_closed ||
           (conn->news.closed && conn->news.flight != FABRIC_PORT);
}

void fabric_news_cut(FabricConnection *conn)
{
    FabricNews *news = &conn->news;

    news->flight_awaited = news->state_awaited = false;
    news->first = news->end = 0;
    fabric_connection_owes(conn);
}

unsigned fabric_news_acknowledged(FabricConnection *conn)
{
    unsigned type = conn->news.flight;

    conn->news.flight = 0;
    conn->news.flight_awaited = false;
    if (fabric_news_is_cut(conn)) {
        fabric_news_cut(conn);
    }
    fabric_connection_owes(conn);
    fabric_news_tell(conn);
    return type;
}

/*
 * Whether the other side may have mapped our memory and will hear of a change
 * only by a request.  A node that we have dialled may regard us as its peer
 * already, but it sends its HELLO before it maps anything.  So the fence of
 * those who call this, between the change of our tables and this look, pairs
 * with the one in fabric_peer_begin().
 */
static bool news_concern(const FabricConnection *conn)
{
    switch (conn->state) {
    case CONNECTION_PEER:
        return !fabric_news_is_cut(conn);
    case CONNECTION_PARKED:
        return conn->dialled && !fabric_news_is_cut(conn);
    case CONNECTION_DIALLED:
        return !fabric_news_is_cut(conn) && fabric_packet_waits(conn);
    default:
        return false;
    }
}

/* One that leaves hears nothing any more; it keeps what it holds. */
static void news_lingering(FabricConnection *conn)
{
    if (conn->linger) {
        conn->lingers_owing = true;
        fabric_connection_owes(conn);
    }
}

void fabric_news_state(Fabric *f, bool enabled_before)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    fabric_line_forget_own(f);
    for (GList *l = f->all.head; l; l = l->next) {
        FabricConnection *conn = l->data;

        fabric_line_forget(conn);
        if (enabled_before) {
            news_lingering(conn);
            /* One that was told 0 last maps nothing, whatever we were since. */
            if (conn->news.incarnation != 0 && news_concern(conn)) {
                conn->news.state_awaited = true;
                fabric_connection_owes(conn);
            }
        }
        fabric_news_tell(conn);
    }
}

/* The union of what is pending and this; also what lies between them. */
static void news_add_range(FabricNews *news, uint64_t first, uint64_t end)
{
    if (news->first == news->end) {
        news->first = first;
        news->end = end;
    } else {
        news->first = MIN(news->first, first);
        news->end = MAX(news->end, end);
    }
}

void fabric_news_invalidate(Fabric *f, uint64_t first, uint64_t count)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    for (GList *l = f->all.head; l; l = l->next) {
        FabricConnection *conn = l->data;

        news_lingering(conn);
        if (news_concern(conn)) {
            news_add_range(&conn->news, first, first + count);
            fabric_connection_owes(conn);
            fabric_news_tell(conn);
        }
    }
}
