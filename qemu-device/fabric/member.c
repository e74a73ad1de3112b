/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is a peer: the choice between two connections to one node, the beginning
 * and the end of a peer, links that are over.  Called by request.c and
 * fabric.c; calls the device through FabricOps.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <sys/socket.h>

#include "internal.h"

static void unpark(Fabric *f, unsigned node);

void fabric_peer_begin(FabricLink *link)
{
    Fabric *f = link->fabric;

    link->state = LINK_PEER;
    f->peers[link->node] = link;
    /* Our HELLO is out: see link_answered() of the other side. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    fabric_port_begin(link);
    f->ops->peer_present(f->opaque, &link->peer);
    if (link->told != f->self.incarnation) {
        FabricMessage msg = {
            .type = FABRIC_STATE,
            .state.incarnation = f->self.incarnation,
        };

        fabric_link_request(link, &msg, false);
    }
    fabric_port_tell(link);
    unpark(f, link->node);
}

/* The end of a link as a peer; its connection may have to stay open a while. */
static void peer_end(FabricLink *link)
{
    Fabric *f = link->fabric;
    bool peer = link->state == LINK_PEER;

    link->linger = link->ours && (peer || link->state == LINK_DIALLED);
    link->owes = fabric_link_owes(link);
    link->state = LINK_LEAVING;
    link->deadline = 0;
    g_queue_clear_full(&link->out, g_free);
    if (peer) {
        f->peers[link->node] = NULL;
        f->ops->peer_gone(f->opaque, &link->peer);
    }
    fabric_peer_fini(&link->peer);
}

/* Another link of that node that is, or is about to be, its peer's. */
static FabricLink *find_rival(const FabricLink *link)
{
    GPtrArray *links = link->fabric->links;

    for (unsigned i = 0; i < links->len; i++) {
        FabricLink *other = g_ptr_array_index(links, i);

        if (other != link && other->node == link->node &&
            (other->state == LINK_PEER || other->state == LINK_ANSWERING)) {
            return other;
        }
    }
    return NULL;
}

/* Whether our own dial to the node of @link may still be answered. */
static bool dial_pending(const FabricLink *link)
{
    GPtrArray *links = link->fabric->links;

    for (unsigned i = 0; i < links->len; i++) {
        FabricLink *other = g_ptr_array_index(links, i);

        if (other->state == LINK_DIALLED && other->node == link->node &&
            fabric_link_alive(other)) {
            if (other->pid == link->pid) {
                return true;
            }
            /* What we dialled is not the process that holds the lock. */
            fabric_link_end(other);
        }
    }
    return false;
}

/* Who dials again has given up what it dialled before: one of them may wait. */
static void park(FabricLink *link)
{
    GPtrArray *links = link->fabric->links;

    for (unsigned i = 0; i < links->len; i++) {
        FabricLink *other = g_ptr_array_index(links, i);

        if (other != link && other->state == LINK_PARKED &&
            other->node == link->node && fabric_link_alive(other)) {
            fabric_link_end(other);
        }
    }
    link->state = LINK_PARKED;
}

/* Decides what becomes of a link that has said hello. */
void fabric_link_admit(FabricLink *link)
{
    Fabric *f = link->fabric;
    FabricLink *rival = find_rival(link);

    if (rival) {
        if (fabric_link_alive(rival) && !fabric_link_at_end(rival) &&
            !fabric_newer(link->session, rival->session)) {
            fabric_link_end(link);
            return;
        }
        if (!rival->fault) {
            fabric_link_end(rival);
        }
        peer_end(rival);
    }
    if (link->state == LINK_DIALLED) {
        fabric_peer_begin(link);
    } else if (f->node > link->node && dial_pending(link)) {
        park(link);
    } else {
        link->state = LINK_ANSWERING;
        fabric_say_hello(link);
        if (g_queue_is_empty(&link->out) && fabric_link_alive(link)) {
            fabric_peer_begin(link);
        }
    }
}

/* Our dial to @node has come to an end: those that waited for that go on. */
static void unpark(Fabric *f, unsigned node)
{
    for (unsigned i = 0; i < f->links->len; i++) {
        FabricLink *link = g_ptr_array_index(f->links, i);

        if (link->state == LINK_PARKED && link->node == node &&
            fabric_link_alive(link)) {
            fabric_link_admit(link);
        }
    }
}

/* Makes room for one more link that waits for the other side to close it. */
static void limit_leaving(Fabric *f)
{
    FabricLink *oldest = NULL;
    unsigned n = 0;

    for (unsigned i = 0; i < f->links->len; i++) {
        FabricLink *link = g_ptr_array_index(f->links, i);

        if (link->state == LINK_LEAVING && fabric_link_alive(link)) {
            oldest = oldest ? oldest : link;
            n++;
        }
    }
    if (n >= FABRIC_LEAVING_MAX) {
        fabric_link_end(oldest);
    }
}

/* True if it is over; false if it stays until the other side closes it. */
static bool link_finish(Fabric *f, FabricLink *link)
{
    if (link->fault) {
        char *name = fabric_link_name(link);

        fabric_report(f, "%s was dropped: %s", name, link->fault);
        g_free(name);
    }
    if (link->state != LINK_LEAVING) {
        peer_end(link);
    }
    if (link->ended || !link->linger) {
        return true;
    }
    limit_leaving(f);
    g_clear_pointer(&link->fault, g_free);
    /* The other side reads the end, unmaps all that is ours, and closes. */
    shutdown(link->fd, SHUT_WR);
    return false;
}

void fabric_reap(Fabric *f)
{
    for (unsigned i = 0; i < f->links->len; ) {
        FabricLink *link = g_ptr_array_index(f->links, i);
        unsigned node = link->node;

        if (fabric_link_alive(link)) {
            i++;
            continue;
        }
        if (link_finish(f, link)) {
            g_ptr_array_remove_index(f->links, i);
            fabric_link_free(link);
        }
        unpark(f, node);
        /* All of that may have ended other links. */
        i = 0;
    }
}
