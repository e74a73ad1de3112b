/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How connections begin.  Every other node is dialled once at the start, and
 * again after its connection was lost although its process lives; those that
 * dial this node are accepted.  Called by fabric.c, member.c and turn.c.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "member.h"

static void redial_in(Fabric *f, unsigned node, int64_t milliseconds)
{
    int64_t time = g_get_monotonic_time() + milliseconds * 1000;

    f->nodes[node].redial_at = time;
    if (f->redial_at == 0 || time < f->redial_at) {
        f->redial_at = time;
        fabric_kick(f);
    }
}

void fabric_redial_later(Fabric *f, unsigned node)
{
    FabricNode *n = &f->nodes[node];

    if (n->redial_at != 0 || n->peer) {
        return;
    }
    n->redial_wait = n->redial_wait == 0
                         ? FABRIC_REDIAL_SECONDS
                         : MIN(2 * n->redial_wait, FABRIC_REDIAL_MAX);
    redial_in(f, node, n->redial_wait * 1000);
}

static void dial_failed(Fabric *f, unsigned node)
{
    switch (errno) {
    case EAGAIN:
        /* Its listen queue is full. */
        redial_in(f, node, FABRIC_RETRY_MS);
        break;
    case ECONNREFUSED:
    case ENOENT:
        /* There is no process. */
        f->nodes[node].redial_wait = 0;
        break;
    case EMFILE:
    case ENFILE:
        fabric_limit_report(f, "a connection to another node");
        fabric_redial_later(f, node);
        break;
    default:
        fabric_report(f, "cannot reach node %u at '%s/%u.sock': %s", node,
                      f->dir, node, g_strerror(errno));
    }
}

void fabric_dial(Fabric *f, unsigned node)
{
    int fd = fabric_dir_connect(f, node);
    FabricConnection *conn;

    if (fd < 0) {
        dial_failed(f, node);
        return;
    }
    conn = fabric_connection_new(f, fd, CONNECTION_DIALLED, node);
    if (conn) {
        fabric_news_hello(conn);
    }
}

static void redial_node(Fabric *f, unsigned node)
{
    FabricNode *n = &f->nodes[node];

    n->redial_at = 0;
    if (n->peer) {
        return;
    }
    if (!g_queue_is_empty(&n->connections)) {
        /* One may still make it a peer, or must be closed before another. */
        redial_in(f, node, FABRIC_REDIAL_SECONDS * 1000);
    } else {
        fabric_dial(f, node);
    }
}

void fabric_redial(Fabric *f, int64_t now)
{
    int64_t next = 0;

    if (f->redial_at == 0 || now < f->redial_at) {
        return;
    }
    for (unsigned node = 1; node <= FABRIC_NODE_MAX; node++) {
        FabricNode *n = &f->nodes[node];

        if (n->redial_at != 0 && now >= n->redial_at) {
            redial_node(f, node);
        }
        if (n->redial_at != 0 && (next == 0 || n->redial_at < next)) {
            next = n->redial_at;
        }
    }
    f->redial_at = next;
}

/* False if there is no other one now, or it must wait. */
static bool accept_one(Fabric *f)
{
    int fd = accept4(f->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd >= 0) {
        f->short_of_fds = false;
        fabric_connection_new(f, fd, CONNECTION_ACCEPTED, 0);
        return true;
    }
    switch (errno) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        fabric_limit_report(f, "a connection of another node");
        f->short_of_fds = true;
        fabric_retry(f);
        return false;
    case EINTR:
    case ECONNABORTED:
        return true;
    default:
        f->short_of_fds = false;
        return false;
    }
}

void fabric_accept(Fabric *f)
{
    while (f->strangers < FABRIC_STRANGERS_MAX && accept_one(f) &&
           !fabric_turn_over(f)) {
        continue;
    }
}

void fabric_accept_arm(Fabric *f)
{
    bool listening =
        f->strangers < FABRIC_STRANGERS_MAX && !f->short_of_fds;
    struct epoll_event event = { .events = listening ? EPOLLIN : 0 };

    if (listening != f->listening) {
        f->listening = listening;
        epoll_ctl(f->epoll_fd, EPOLL_CTL_MOD, f->listen_fd, &event);
    }
}
