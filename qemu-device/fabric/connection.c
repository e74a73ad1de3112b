/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One connection to another node: its state, the queues it stands in, and
 * whether it owes an acknowledgement.  Never frees a connection that is in
 * use, only marks it for fabric_end().
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 *      they dial                            we dial and say hello
 *          |                                          |
 *      ACCEPTED                                    DIALLED
 *          | their hello                              | their hello
 *          |                                          |
 *          +----> PARKED <----------------------------+
 *          |      |    | what must come first has     |
 *          |      |    | ended; we dialled            |
 *          |<-----'    +----------------------------->+
 *          | they dialled                             |
 *      ANSWERING -- our hello is out -------------> PEER
 *                                                     |
 *      any state -- fault, or end of connection --> GOING
 *                                                     | unmapped here; it may
 *                                                     | have mapped us
 *                                                  LEAVING
 *
 * A connection that ends without any chance that the other side has mapped
 * this node's memory is freed in GOING.
 */
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connection.h"

/* Name, reads, owes, deadline, until. */
const FabricStateInfo fabric_states[] = {
    [CONNECTION_ACCEPTED] = { "accepted", true, false, true,
                              "its HELLO comes" },
    /* Our dial to its node, or its predecessor, comes first. */
    [CONNECTION_PARKED] = { "parked", false, true, false,
                            "another connection of its node ends" },
    [CONNECTION_ANSWERING] = { "answering", false, false, false,
                               "our HELLO is out" },
    [CONNECTION_DIALLED] = { "dialled", true, true, true,
                             "its HELLO comes" },
    [CONNECTION_PEER] = { "peer", true, true, false,
                          "it leaves or is dropped" },
    [CONNECTION_GOING] = { "going", false, true, false,
                           "it is unmapped here" },
    [CONNECTION_LEAVING] = { "leaving", false, true, false,
                             "it closes its end" },
};

void fabric_place_enter(FabricPlace *place, GQueue *queue, void *data)
{
    if (!place->queue) {
        place->node.data = data;
        place->queue = queue;
        g_queue_push_tail_link(queue, &place->node);
    }
}

void fabric_place_leave(FabricPlace *place)
{
    if (place->queue) {
        g_queue_unlink(place->queue, &place->node);
        place->queue = NULL;
    }
}

static bool connection_watch(FabricConnection *conn)
{
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = conn };

    conn->events = EPOLLIN;
    return epoll_ctl(conn->fabric->epoll_fd, EPOLL_CTL_ADD, conn->fd,
                     &event) == 0;
}

FabricConnection *fabric_connection_new(Fabric *f, int fd, FabricState state,
                                        unsigned node)
{
    struct ucred cred;
    socklen_t size = sizeof(cred);
    FabricConnection *conn;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0 ||
        cred.uid != geteuid()) {
        fabric_report(f, "a connection of another user was refused");
        close(fd);
        return NULL;
    }
    conn = g_new0(FabricConnection, 1);
    conn->fabric = f;
    conn->fd = fd;
    conn->pid = cred.pid;
    conn->dialled = state == CONNECTION_DIALLED;
    conn->state = CONNECTION_PARKED;
    g_queue_init(&conn->out);
    for (unsigned i = 0; i < FABRIC_LINES_MAX; i++) {
        conn->grants[i].fd = conn->peer.lines[i] = -1;
    }
    fabric_place_enter(&conn->in_all, &f->all, conn);
    if (node) {
        fabric_connection_set_node(conn, node);
    }
    if (!connection_watch(conn)) {
        fabric_connection_fail(conn, g_strdup("cannot wait for its messages"));
    }
    fabric_connection_set_state(conn, state);
    return conn;
}

void fabric_connection_free(FabricConnection *conn)
{
    FabricPlace *places[] = {
        &conn->in_all, &conn->in_node, &conn->in_ready, &conn->in_ended,
        &conn->in_deadlines, &conn->in_retry,
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(places); i++) {
        fabric_place_leave(places[i]);
    }
    conn->fabric->owing -= conn->owing;
    close(conn->fd);
    g_free(conn->fault);
    g_free(conn);
}

void fabric_connection_set_node(FabricConnection *conn, unsigned node)
{
    conn->node = node;
    fabric_place_enter(&conn->in_node, &conn->fabric->nodes[node].connections,
                       conn);
}

void fabric_connection_set_state(FabricConnection *conn, FabricState state)
{
    Fabric *f = conn->fabric;

    f->strangers += state == CONNECTION_ACCEPTED;
    f->strangers -= conn->state == CONNECTION_ACCEPTED;
    conn->state = state;
    fabric_place_leave(&conn->in_deadlines);
    if (fabric_states[state].deadline) {
        conn->deadline =
            g_get_monotonic_time() + FABRIC_HELLO_SECONDS * G_USEC_PER_SEC;
        fabric_place_enter(&conn->in_deadlines, &f->deadlines, conn);
        /* The turn after this call takes the deadline into account. */
        fabric_kick(f);
    }
    fabric_connection_owes(conn);
    fabric_connection_arm(conn);
}

char *fabric_connection_name(const FabricConnection *conn)
{
    if (conn->node == 0) {
        return g_strdup_printf("a connection from process %d", (int)conn->pid);
    }
    return g_strdup_printf("node %u (process %d)", conn->node, (int)conn->pid);
}

bool fabric_connection_alive(const FabricConnection *conn)
{
    return !conn->ended && !conn->fault;
}

void fabric_connection_fail(FabricConnection *conn, char *fault)
{
    if (!fabric_connection_alive(conn)) {
        g_free(fault);
        return;
    }
    conn->fault = fault;
    fabric_connection_arm(conn);
    fabric_place_enter(&conn->in_ended, &conn->fabric->ended, conn);
    fabric_kick(conn->fabric);
}

void fabric_connection_end(FabricConnection *conn)
{
    if (conn->ended) {
        return;
    }
    conn->ended = true;
    /* Or epoll would report the end until the connection is freed. */
    epoll_ctl(conn->fabric->epoll_fd, EPOLL_CTL_DEL, conn->fd, NULL);
    fabric_connection_owes(conn);
    fabric_place_enter(&conn->in_ended, &conn->fabric->ended, conn);
    fabric_kick(conn->fabric);
}

bool fabric_connection_reads(const FabricConnection *conn)
{
    return fabric_connection_alive(conn) && fabric_states[conn->state].reads &&
           conn->again == AGAIN_NOTHING && !conn->short_of_fds &&
           g_queue_get_length((GQueue *)&conn->out) <= FABRIC_UNSENT_MAX;
}

void fabric_connection_arm(FabricConnection *conn)
{
    struct epoll_event event = { .data.ptr = conn };

    if (conn->ended) {
        return;
    }
    if (fabric_connection_reads(conn)) {
        event.events |= EPOLLIN;
    }
    if (!g_queue_is_empty(&conn->out) && !conn->short_of_memory) {
        event.events |= EPOLLOUT;
    }
    if (event.events != conn->events) {
        conn->events = event.events;
        epoll_ctl(conn->fabric->epoll_fd, EPOLL_CTL_MOD, conn->fd, &event);
    }
}

void fabric_connection_retry(FabricConnection *conn)
{
    fabric_place_enter(&conn->in_retry, &conn->fabric->retry, conn);
    fabric_retry(conn->fabric);
}

static bool connection_owes(const FabricConnection *conn)
{
    const FabricNews *news = &conn->news;

    if (!fabric_states[conn->state].owes || conn->ended) {
        return false;
    }
    return conn->lingers_owing || news->flight_awaited || news->state_awaited ||
           news->first != news->end;
}

void fabric_connection_owes(FabricConnection *conn)
{
    Fabric *f = conn->fabric;
    bool owes = connection_owes(conn);

    if (owes == conn->owing) {
        return;
    }
    conn->owing = owes;
    if (owes) {
        f->owing++;
        f->waiting = true;
    } else if (--f->owing == 0) {
        fabric_kick(f);
    }
}
