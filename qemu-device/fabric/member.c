/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is a peer, and what its messages mean: HELLO and the choice between two
 * connections to one node, requests and their acknowledgement, and the end of
 * a link.  Called by fabric.c; calls the device through FabricOps.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <poll.h>
#include <sys/socket.h>

#include "internal.h"

static bool link_alive(const FabricLink *link)
{
    return !link->ended && !link->fault;
}

void fabric_say_hello(FabricLink *link)
{
    const Fabric *f = link->fabric;
    FabricMessage msg = {
        .type = FABRIC_HELLO,
        .hello = {
            .node = f->node,
            .session = f->session,
            .incarnation = f->self.incarnation,
            .n_lines = f->self.n_lines,
            .n_ram = f->self.n_ram,
        },
    };

    for (unsigned i = 0; i < f->self.n_ram; i++) {
        msg.hello.ram[i] = f->self.ram[i];
    }
    link->told = f->self.incarnation;
    fabric_link_send(link, &msg);
}

static void link_request(FabricLink *link, FabricMessage *msg, bool wait)
{
    msg->seq = ++link->sent;
    if (wait) {
        link->awaited = link->sent;
    }
    if (msg->type == FABRIC_STATE) {
        link->told = msg->state.incarnation;
    }
    fabric_link_send(link, msg);
}

static void link_acknowledge(FabricLink *link)
{
    FabricMessage msg = { .type = FABRIC_ACK, .seq = link->received };

    fabric_link_send(link, &msg);
}

/*
 * Whether the other side may regard us as its peer already.  It sends its
 * HELLO before it maps anything, so the fence of fabric_request() between the
 * change of our tables and this look pairs with the one in peer_begin().
 */
static bool link_answered(const FabricLink *link)
{
    struct pollfd p = { .fd = link->fd, .events = POLLIN };

    return poll(&p, 1, 0) == 1 && (p.revents & POLLIN);
}

void fabric_request(Fabric *f, FabricMessage *msg, bool wait)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < f->links->len; i++) {
        FabricLink *link = g_ptr_array_index(f->links, i);

        if (link->state == LINK_PEER ||
            (link->state == LINK_DIALLED && link_answered(link))) {
            link_request(link, msg, wait);
        } else if (link->state == LINK_LEAVING && wait) {
            link->owes = true;
        }
        f->waiting |= wait && fabric_link_owes(link);
    }
}

static void unpark(Fabric *f, unsigned node);

static void peer_begin(FabricLink *link)
{
    Fabric *f = link->fabric;

    link->state = LINK_PEER;
    f->peers[link->node] = link;
    /* Our HELLO is out: see link_answered() of the other side. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    f->ops->peer_present(f->opaque, &link->peer);
    if (link->told != f->self.incarnation) {
        FabricMessage msg = {
            .type = FABRIC_STATE,
            .state.incarnation = f->self.incarnation,
        };

        link_request(link, &msg, false);
    }
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
            link_alive(other)) {
            if (other->pid == link->pid) {
                return true;
            }
            /* What we dialled is not the process that holds the lock. */
            fabric_link_end(other);
        }
    }
    return false;
}

/* Decides what becomes of a link that has said hello. */
static void link_admit(FabricLink *link)
{
    Fabric *f = link->fabric;
    FabricLink *rival = find_rival(link);

    if (rival) {
        if (link_alive(rival) && !fabric_newer(link->session, rival->session) &&
            !fabric_link_at_end(rival)) {
            fabric_link_end(link);
            return;
        }
        if (!rival->fault) {
            fabric_link_end(rival);
        }
        peer_end(rival);
    }
    if (link->state == LINK_DIALLED) {
        peer_begin(link);
    } else if (f->node > link->node && dial_pending(link)) {
        link->state = LINK_PARKED;
    } else {
        link->state = LINK_ANSWERING;
        fabric_say_hello(link);
        if (g_queue_is_empty(&link->out) && link_alive(link)) {
            peer_begin(link);
        }
    }
}

/* Our dial to @node has come to an end: those that waited for that go on. */
static void unpark(Fabric *f, unsigned node)
{
    for (unsigned i = 0; i < f->links->len; i++) {
        FabricLink *link = g_ptr_array_index(f->links, i);

        if (link->state == LINK_PARKED && link->node == node &&
            link_alive(link)) {
            link_admit(link);
        }
    }
}

static void link_hello(FabricLink *link, const FabricHello *hello,
                       FabricFds *fds)
{
    char *fault;

    if (hello->node == link->fabric->node) {
        fault = g_strdup("it says that it is this node");
    } else if (link->node != 0 && link->node != hello->node) {
        fault = g_strdup_printf("it says that it is node %u", hello->node);
    } else {
        link->node = hello->node;
        fault = fabric_peer_init(&link->peer, hello, fds);
    }
    fabric_fds_close(fds);
    if (fault) {
        fabric_link_fail(link, fault);
        return;
    }
    link->deadline = 0;
    link->session = hello->session;
    link->last = hello->incarnation ? hello->incarnation : hello->session;
    link_admit(link);
}

static void link_state(FabricLink *link, uint32_t incarnation)
{
    Fabric *f = link->fabric;

    if (incarnation == 0 ? link->peer.incarnation == 0
                         : !fabric_newer(incarnation, link->last)) {
        fabric_link_fail(link, g_strdup_printf("incarnation %u after %u",
                                               incarnation, link->last));
        return;
    }
    if (incarnation != 0) {
        link->last = incarnation;
    }
    link->peer.incarnation = incarnation;
    f->ops->peer_state(f->opaque, &link->peer);
    link_acknowledge(link);
}

static void link_acknowledged(FabricLink *link, uint32_t seq)
{
    if (link->acked == link->sent) {
        fabric_link_fail(link,
                         g_strdup_printf("ACK of %u, nothing was asked", seq));
    } else if (seq != link->acked + 1) {
        fabric_link_fail(link, g_strdup_printf("ACK of %u instead of %u", seq,
                                               link->acked + 1));
    } else {
        link->acked = seq;
    }
}

static void link_message(FabricLink *link, const FabricMessage *msg,
                         FabricFds *fds)
{
    Fabric *f = link->fabric;
    bool peer = link->state == LINK_PEER;

    if ((msg->type == FABRIC_HELLO) == peer) {
        fabric_fds_close(fds);
        fabric_link_fail(link, g_strdup_printf("a message of type %u %s HELLO",
                                               msg->type,
                                               peer ? "after" : "before"));
        return;
    }
    if (msg->type == FABRIC_STATE || msg->type == FABRIC_INVALIDATE) {
        if (msg->seq != link->received + 1) {
            fabric_link_fail(link, g_strdup_printf("request %u instead of %u",
                                                   msg->seq,
                                                   link->received + 1));
            return;
        }
        link->received = msg->seq;
    }
    switch (msg->type) {
    case FABRIC_HELLO:
        link_hello(link, &msg->hello, fds);
        break;
    case FABRIC_STATE:
        link_state(link, msg->state.incarnation);
        break;
    case FABRIC_INVALIDATE:
        f->ops->peer_invalidate(f->opaque, &link->peer, msg->invalidate.first,
                                msg->invalidate.count);
        link_acknowledge(link);
        break;
    case FABRIC_ACK:
        link_acknowledged(link, msg->seq);
        break;
    }
}

static bool link_reads(const FabricLink *link)
{
    return link->state == LINK_ACCEPTED || link->state == LINK_DIALLED ||
           link->state == LINK_PEER;
}

static void link_read(FabricLink *link)
{
    for (unsigned i = 0; i < FABRIC_BATCH && link_reads(link); i++) {
        FabricMessage msg;
        FabricFds fds;

        if (!fabric_link_receive(link, &msg, &fds)) {
            break;
        }
        link_message(link, &msg, &fds);
    }
}

static void link_expire(FabricLink *link)
{
    link->deadline = 0;
    if (link->state == LINK_ACCEPTED) {
        fabric_link_fail(link, g_strdup_printf("no HELLO within %u seconds",
                                               FABRIC_HELLO_SECONDS));
    } else if (link->state == LINK_DIALLED) {
        fabric_report(link->fabric, "node %u (process %d) has not answered for "
                      "%u seconds: it is stopped, or its socket is not that of "
                      "a node", link->node, (int)link->pid,
                      FABRIC_HELLO_SECONDS);
    }
}

void fabric_link_serve(FabricLink *link, int64_t now)
{
    GIOCondition revents = link->revents;

    link->revents = 0;
    if (!link_alive(link)) {
        return;
    }
    if (revents & G_IO_OUT) {
        fabric_link_flush(link);
    }
    if (link->state == LINK_ANSWERING && g_queue_is_empty(&link->out) &&
        link_alive(link)) {
        peer_begin(link);
    }
    if (!link_reads(link) && (revents & (G_IO_HUP | G_IO_ERR))) {
        fabric_link_end(link);
    } else if (revents & (G_IO_IN | G_IO_HUP | G_IO_ERR)) {
        link_read(link);
    }
    if (link->deadline != 0 && now >= link->deadline && link_alive(link)) {
        link_expire(link);
    }
}

/* Makes room for one more link that waits for the other side to close it. */
static void limit_leaving(Fabric *f)
{
    FabricLink *oldest = NULL;
    unsigned n = 0;

    for (unsigned i = 0; i < f->links->len; i++) {
        FabricLink *link = g_ptr_array_index(f->links, i);

        if (link->state == LINK_LEAVING && link_alive(link)) {
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

        if (link_alive(link)) {
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
