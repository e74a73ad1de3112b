/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Doorbell lines: the rights that this node gives to others and those that it
 * was given, and ringing.  A right is a descriptor of an eventfd; it belongs to
 * one pair of incarnations and to one time that the link is up.  When that is
 * over both ends forget it by themselves.  Called by news.c, message.c and the
 * device.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "peer.h"

static void line_close(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

static bool grant_due(const FabricGrant *grant)
{
    return grant->fd >= 0 || grant->taken;
}

void fabric_line_give(FabricConnection *conn, unsigned line, int fd)
{
    FabricGrant *grant = &conn->grants[line];

    conn->grants_due -= grant_due(grant);
    line_close(&grant->fd);
    grant->fd = fd;
    grant->taken = fd < 0 && grant->told;
    conn->grants_due += grant_due(grant);
}

int fabric_line_next(FabricConnection *conn, FabricMessage *msg)
{
    FabricGrant *grant = conn->grants;
    int fd;

    while (!grant_due(grant)) {
        grant++;
    }
    fd = grant->fd;
    msg->line.line = grant - conn->grants;
    msg->line.open = fd >= 0;
    msg->line.incarnation = conn->peer.incarnation;
    *grant = (FabricGrant) { .fd = -1, .told = fd >= 0 };
    conn->grants_due--;
    return fd;
}

void fabric_line_forget(FabricConnection *conn)
{
    for (unsigned i = 0; i < FABRIC_LINES_MAX; i++) {
        line_close(&conn->grants[i].fd);
        conn->grants[i] = (FabricGrant) { .fd = -1 };
        line_close(&conn->peer.lines[i]);
    }
    conn->grants_due = 0;
}

void fabric_line_forget_own(Fabric *f)
{
    for (unsigned i = 0; i < FABRIC_LINES_MAX; i++) {
        line_close(&f->self.lines[i]);
    }
}

void fabric_line_give_own(Fabric *f, unsigned line, int fd)
{
    line_close(&f->self.lines[line]);
    f->self.lines[line] = fd;
}

static bool line_is_eventfd(int fd)
{
    char path[32], target[32];
    ssize_t size;

    g_snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    size = readlink(path, target, sizeof(target) - 1);
    target[size < 0 ? 0 : size] = '\0';
    return strcmp(target, "anon_inode:[eventfd]") == 0;
}

bool fabric_line_heard(FabricConnection *conn, const FabricMessage *msg,
                       int fd)
{
    FabricPeer *peer = &conn->peer;
    unsigned line = msg->line.line;
    bool changed;

    if (line >= peer->n_lines) {
        fabric_connection_fail(conn, g_strdup_printf("LINE %u of %u", line,
                                                     peer->n_lines));
    } else if (fd >= 0 && !line_is_eventfd(fd)) {
        fabric_connection_fail(conn, g_strdup_printf("doorbell line %u is not "
                                                     "an eventfd", line));
    } else if (peer->linked && peer->incarnation != 0 &&
               msg->line.incarnation == conn->fabric->self.incarnation) {
        changed = fd >= 0 || peer->lines[line] >= 0;
        line_close(&peer->lines[line]);
        peer->lines[line] = fd;
        return changed;
    }
    /* It was meant for what we were before, or it is a fault. */
    line_close(&fd);
    return false;
}

bool fabric_ring(Fabric *f, unsigned node, unsigned line)
{
    const FabricPeer *peer = fabric_peer(f, node);
    const uint64_t one = 1;
    struct pollfd p = { .events = POLLOUT };

    if (!peer || line >= peer->n_lines || peer->lines[line] < 0) {
        return false;
    }
    /*
     * A full counter is signalled already.  The owner may have taken
     * O_NONBLOCK from the description that it shares with us, and then a
     * write() to a full counter would wait for him; so we ask before.
     */
    p.fd = peer->lines[line];
    if (poll(&p, 1, 0) == 1 && (p.revents & POLLOUT)) {
        while (write(p.fd, &one, sizeof(one)) < 0 && errno == EINTR) {
            continue;
        }
    }
    return true;
}
