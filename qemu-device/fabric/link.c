/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One connection to another node: its socket, the queue of what it has not
 * taken yet, packets with descriptors in and out.  Never blocks; never frees
 * a link that is in use, only marks it for fabric_reap().  Called by request.c,
 * member.c and directory.c.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "internal.h"

typedef struct FabricPacket {
    size_t size;
    bool hello;     /* carries our descriptors */
    uint8_t data[];
} FabricPacket;

FabricLink *fabric_link_new(Fabric *f, int fd, FabricLinkState state,
                            unsigned node)
{
    struct ucred cred;
    socklen_t size = sizeof(cred);
    FabricLink *link;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0 ||
        cred.uid != geteuid()) {
        fabric_report(f, "a connection of another user was refused");
        close(fd);
        return NULL;
    }
    link = g_new0(FabricLink, 1);
    link->fabric = f;
    link->state = state;
    link->fd = fd;
    link->pid = cred.pid;
    link->node = node;
    link->deadline =
        g_get_monotonic_time() + FABRIC_HELLO_SECONDS * G_USEC_PER_SEC;
    link->events = G_IO_IN;
    link->tag = g_source_add_unix_fd(f->source, fd, link->events);
    g_queue_init(&link->out);
    g_ptr_array_add(f->links, link);
    /* Its deadline counts for the next wake-up. */
    fabric_kick(f);
    return link;
}

void fabric_link_free(FabricLink *link)
{
    g_source_remove_unix_fd(link->fabric->source, link->tag);
    close(link->fd);
    g_queue_clear_full(&link->out, g_free);
    g_free(link->fault);
    g_free(link);
}

char *fabric_link_name(const FabricLink *link)
{
    if (link->node == 0) {
        return g_strdup_printf("a connection from process %d", (int)link->pid);
    }
    return g_strdup_printf("node %u (process %d)", link->node, (int)link->pid);
}

void fabric_link_fail(FabricLink *link, char *fault)
{
    if (link->ended || link->fault) {
        g_free(fault);
        return;
    }
    link->fault = fault;
    fabric_kick(link->fabric);
}

void fabric_link_end(FabricLink *link)
{
    link->ended = true;
    fabric_kick(link->fabric);
}

bool fabric_link_owes(const FabricLink *link)
{
    switch (link->state) {
    case LINK_LEAVING:
        return link->owes;
    case LINK_DIALLED:
    case LINK_PEER:
        return fabric_newer(link->awaited, link->acked);
    default:
        return false;
    }
}

void fabric_link_arm(FabricLink *link)
{
    GIOCondition events = G_IO_HUP;

    if (link->state == LINK_ACCEPTED || link->state == LINK_DIALLED ||
        link->state == LINK_PEER) {
        events |= G_IO_IN;
    }
    if (!g_queue_is_empty(&link->out) && !link->short_of_memory) {
        events |= G_IO_OUT;
    }
    if (events != link->events) {
        link->events = events;
        g_source_modify_unix_fd(link->fabric->source, link->tag, events);
    }
}

static unsigned own_descriptors(const Fabric *f, int *fds)
{
    unsigned n = 0;

    fds[n++] = f->page_fd;
    for (unsigned i = 0; i < f->self.n_ram; i++) {
        fds[n++] = f->self.ram[i].fd;
    }
    for (unsigned i = 0; i < f->self.n_lines; i++) {
        fds[n++] = f->self.lines[i];
    }
    return n;
}

static ssize_t packet_send(FabricLink *link, FabricPacket *packet)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * FABRIC_FDS_MAX)];
    } control = { 0 };
    struct iovec iov = { .iov_base = packet->data, .iov_len = packet->size };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

    if (packet->hello) {
        int fds[FABRIC_FDS_MAX];
        size_t size = sizeof(int) * own_descriptors(link->fabric, fds);
        struct cmsghdr *cmsg;

        msg.msg_control = control.bytes;
        msg.msg_controllen = CMSG_SPACE(size);
        cmsg = CMSG_FIRSTHDR(&msg);
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(size);
        memcpy(CMSG_DATA(cmsg), fds, size);
    }
    return sendmsg(link->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void fabric_link_flush(FabricLink *link)
{
    FabricPacket *packet;

    link->short_of_memory = false;
    while (!link->ended && !link->fault &&
           (packet = g_queue_peek_head(&link->out))) {
        if (packet_send(link, packet) >= 0) {
            g_free(g_queue_pop_head(&link->out));
        } else if (errno == EAGAIN) {
            break;
        } else if (errno == ETOOMANYREFS || errno == ENOBUFS ||
                   errno == ENOMEM) {
            /* Descriptors in flight, or memory: poll() does not wait for it. */
            link->short_of_memory = true;
            fabric_retry(link->fabric);
            break;
        } else if (errno == EPIPE || errno == ECONNRESET) {
            fabric_link_end(link);
        } else if (errno != EINTR) {
            fabric_link_fail(link, g_strdup_printf("cannot send: %s",
                                                   g_strerror(errno)));
        }
    }
    fabric_link_arm(link);
}

void fabric_link_send(FabricLink *link, const FabricMessage *msg)
{
    FabricPacket *packet;

    if (link->ended || link->fault) {
        return;
    }
    if (g_queue_get_length(&link->out) >= FABRIC_QUEUE_MAX) {
        fabric_link_fail(link, g_strdup_printf("it has not read %u messages",
                                               FABRIC_QUEUE_MAX));
        return;
    }
    packet = g_malloc(sizeof(*packet) + FABRIC_WIRE_MAX);
    packet->size = fabric_wire_encode(msg, packet->data);
    packet->hello = msg->type == FABRIC_HELLO;
    g_queue_push_tail(&link->out, packet);
    fabric_link_flush(link);
}

void fabric_fds_close(FabricFds *fds)
{
    for (unsigned i = 0; i < fds->n; i++) {
        if (fds->fd[i] >= 0) {
            close(fds->fd[i]);
        }
    }
    fds->n = 0;
}

static void fds_collect(struct msghdr *msg, FabricFds *fds)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
            size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

            /* The control buffer holds no more than this. */
            g_assert(n <= FABRIC_FDS_MAX - fds->n);
            memcpy(&fds->fd[fds->n], CMSG_DATA(c), n * sizeof(int));
            fds->n += n;
        }
    }
}

bool fabric_link_at_end(const FabricLink *link)
{
    struct pollfd p = { .fd = link->fd, .events = POLLRDHUP };

    return poll(&p, 1, 0) == 1 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

bool fabric_link_receive(FabricLink *link, FabricMessage *msg, FabricFds *fds)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * FABRIC_FDS_MAX)];
    } control;
    uint8_t data[FABRIC_WIRE_MAX];
    struct iovec iov = { .iov_base = data, .iov_len = sizeof(data) };
    struct msghdr m = {
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof(control.bytes),
    };
    ssize_t size;
    char *fault;

    fds->n = 0;
    if (link->ended || link->fault) {
        return false;
    }
    size = recvmsg(link->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (size < 0) {
        if (errno == EAGAIN || errno == EINTR) {
            return false;
        }
        fabric_link_end(link);
        return false;
    }
    fds_collect(&m, fds);
    /* An empty packet reads as 0 bytes, too. */
    if (size == 0 && fds->n == 0 && fabric_link_at_end(link)) {
        fabric_link_end(link);
        return false;
    }
    link->ours |= fabric_wire_ours(data, size);
    if (m.msg_flags & MSG_CTRUNC) {
        fault = g_strdup("its descriptors do not fit: "
                         "raise the limit of open files (ulimit -n)");
    } else if (m.msg_flags & MSG_TRUNC) {
        fault = g_strdup_printf("a packet of more than %zu bytes",
                                FABRIC_WIRE_MAX);
    } else {
        fault = fabric_wire_decode(data, size, fds->n, msg);
    }
    if (fault) {
        fabric_fds_close(fds);
        fabric_link_fail(link, fault);
        return false;
    }
    return true;
}
