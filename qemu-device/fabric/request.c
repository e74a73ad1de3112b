/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What messages do: HELLO, requests of the peers and their acknowledgement,
 * requests to the peers.  Called by fabric.c for each link that has something
 * to say; calls member.c, and the device through FabricOps.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <poll.h>

#include "internal.h"

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
            .closed = f->closed[link->node],
        },
    };

    for (unsigned i = 0; i < f->self.n_ram; i++) {
        msg.hello.ram[i] = f->self.ram[i];
    }
    link->told = f->self.incarnation;
    link->closed = msg.hello.closed;
    fabric_link_send(link, &msg);
}

void fabric_link_request(FabricLink *link, FabricMessage *msg, bool wait)
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
 * change of our tables and this look pairs with the one in fabric_peer_begin().
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
            bool cut = fabric_port_cut(link);

            /* A stopped peer must not be buried in what does not concern it. */
            if (!cut || msg->type != FABRIC_INVALIDATE) {
                fabric_link_request(link, msg, wait && !cut);
            }
        } else if (link->state == LINK_LEAVING && wait) {
            link->owes = true;
        }
        f->waiting |= wait && fabric_link_owes(link);
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
    link->peer_closed = hello->closed;
    link->last = hello->incarnation ? hello->incarnation : hello->session;
    fabric_link_admit(link);
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
        fabric_port_acknowledged(link);
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
    if (msg->type != FABRIC_HELLO && msg->type != FABRIC_ACK) {
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
    case FABRIC_PORT:
        fabric_port_heard(link, msg->port.closed);
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

/* What is left is read when the event loop has served everything else. */
static void link_read(FabricLink *link)
{
    int64_t end = g_get_monotonic_time() + FABRIC_BATCH_US;

    for (unsigned i = 0; i < FABRIC_BATCH && link_reads(link) &&
                         (i == 0 || g_get_monotonic_time() < end); i++) {
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
    if (!fabric_link_alive(link)) {
        return;
    }
    if (revents & G_IO_OUT) {
        fabric_link_flush(link);
    }
    if (link->state == LINK_ANSWERING && g_queue_is_empty(&link->out) &&
        fabric_link_alive(link)) {
        fabric_peer_begin(link);
    }
    if (!link_reads(link) && (revents & (G_IO_HUP | G_IO_ERR))) {
        fabric_link_end(link);
    } else if (revents & (G_IO_IN | G_IO_HUP | G_IO_ERR)) {
        link_read(link);
    }
    if (link->deadline != 0 && now >= link->deadline &&
        fabric_link_alive(link)) {
        link_expire(link);
    }
}
