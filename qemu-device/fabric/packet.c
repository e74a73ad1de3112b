/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets of a connection, with the descriptors that travel with them.  What
 * the other side has not taken waits in a queue; the requests are one at a
 * time and we stop to read from who takes no acknowledgements, so the queue
 * stays short.  Never blocks.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connection.h"

typedef union FabricControl {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int) * FABRIC_FDS_MAX)];
} FabricControl;

typedef struct FabricPacket {
    size_t size;
    bool hello;     /* carries our descriptors */
    int fd;         /* carries this one and owns it; -1 = none */
    uint8_t data[];
} FabricPacket;

static void packet_free(void *data)
{
    FabricPacket *packet = data;

    if (packet->fd >= 0) {
        close(packet->fd);
    }
    g_free(packet);
}

void fabric_packet_clear(FabricConnection *conn)
{
    g_queue_clear_full(&conn->out, packet_free);
}

static unsigned packet_descriptors(const Fabric *f, const FabricPacket *packet,
                                   int *fds)
{
    unsigned n = 0;

    if (packet->hello) {
        fds[n++] = f->page_fd;
        for (unsigned i = 0; i < f->self.n_ram; i++) {
            fds[n++] = f->self.ram[i].fd;
        }
    } else if (packet->fd >= 0) {
        fds[n++] = packet->fd;
    }
    return n;
}

static ssize_t packet_write(FabricConnection *conn, FabricPacket *packet)
{
    FabricControl control = { 0 };
    struct iovec iov = { .iov_base = packet->data, .iov_len = packet->size };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
    int fds[1 + FABRIC_RAM_MAX];
    size_t size = sizeof(int) * packet_descriptors(conn->fabric, packet, fds);

    if (size != 0) {
        struct cmsghdr *cmsg;

        msg.msg_control = control.bytes;
        msg.msg_controllen = CMSG_SPACE(size);
        cmsg = CMSG_FIRSTHDR(&msg);
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(size);
        memcpy(CMSG_DATA(cmsg), fds, size);
    }
    return sendmsg(conn->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Deals with errno of a packet that was not sent; false if that must wait. */
static bool packet_unsent(FabricConnection *conn)
{
    switch (errno) {
    case EINTR:
        return true;
    case EAGAIN:
        return false;
    case ETOOMANYREFS:
    case ENOBUFS:
    case ENOMEM:
        /* Descriptors in flight, or memory: epoll does not wait for it. */
        conn->short_of_memory = true;
        fabric_connection_retry(conn);
        return false;
    case EPIPE:
    case ECONNRESET:
        fabric_connection_end(conn);
        return false;
    default:
        fabric_connection_fail(conn, g_strdup_printf("cannot send: %s",
                                                     g_strerror(errno)));
        return false;
    }
}

void fabric_packet_flush(FabricConnection *conn)
{
    FabricPacket *packet;

    conn->short_of_memory = false;
    while (fabric_connection_alive(conn) &&
           (packet = g_queue_peek_head(&conn->out))) {
        if (packet_write(conn, packet) >= 0) {
            packet_free(g_queue_pop_head(&conn->out));
        } else if (!packet_unsent(conn)) {
            break;
        }
    }
    fabric_connection_arm(conn);
}

void fabric_packet_send(FabricConnection *conn, const FabricMessage *msg,
                        int fd)
{
    FabricPacket *packet = g_malloc(sizeof(*packet) + FABRIC_WIRE_MAX);

    packet->fd = fd;
    if (!fabric_connection_alive(conn)) {
        packet_free(packet);
        return;
    }
    packet->size = fabric_wire_encode(msg, packet->data);
    packet->hello = msg->type == FABRIC_HELLO;
    g_queue_push_tail(&conn->out, packet);
    if (!conn->short_of_memory) {
        fabric_packet_flush(conn);
    }
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

static short packet_poll(const FabricConnection *conn, short events)
{
    struct pollfd p = { .fd = conn->fd, .events = events };

    return poll(&p, 1, 0) == 1 ? p.revents : 0;
}

bool fabric_packet_at_end(const FabricConnection *conn)
{
    return packet_poll(conn, POLLRDHUP) & (POLLRDHUP | POLLHUP | POLLERR);
}

bool fabric_packet_waits(const FabricConnection *conn)
{
    return packet_poll(conn, POLLIN) & POLLIN;
}

/*
 * Whether all descriptors of the next packet would find room.  One that finds
 * none is lost with its message, so the packet is left where it is.
 */
/* Whether the next packet of a peer brings no descriptor, as most do not. */
static bool packet_needs_none(const FabricConnection *conn)
{
    FabricWireHeader header;

    return recv(conn->fd, &header, sizeof(header), MSG_PEEK | MSG_DONTWAIT) ==
               sizeof(header) &&
           GUINT16_FROM_LE(header.type) != FABRIC_HELLO &&
           GUINT16_FROM_LE(header.type) != FABRIC_LINE;
}

static bool packet_has_room(FabricConnection *conn)
{
    bool hello = conn->state != CONNECTION_PEER;

    if (fabric_limit_free(hello ? 1 + FABRIC_RAM_MAX : 1) ||
        (!hello && packet_needs_none(conn))) {
        return true;
    }
    fabric_limit_report(conn->fabric, "a message");
    conn->short_of_fds = true;
    fabric_connection_retry(conn);
    return false;
}

static char *packet_fault(const struct msghdr *m, ssize_t size, unsigned n_fds,
                          FabricMessage *msg)
{
    if (m->msg_flags & MSG_CTRUNC) {
        return g_strdup("its descriptors do not fit: "
                        "raise the limit of open files (ulimit -n)");
    }
    if (m->msg_flags & MSG_TRUNC) {
        return g_strdup_printf("a packet of more than %zu bytes",
                               FABRIC_WIRE_MAX);
    }
    return fabric_wire_decode(m->msg_iov->iov_base, size, n_fds, msg);
}

bool fabric_packet_receive(FabricConnection *conn, FabricMessage *msg,
                           FabricFds *fds)
{
    FabricControl control;
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
    if (!fabric_connection_alive(conn) || !packet_has_room(conn)) {
        return false;
    }
    size = recvmsg(conn->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (size < 0) {
        /* Anything else does not mean that its process is gone. */
        if (errno == ECONNRESET) {
            fabric_connection_end(conn);
        } else if (errno != EAGAIN && errno != EINTR) {
            fabric_connection_fail(conn, g_strdup_printf("cannot receive: %s",
                                                         g_strerror(errno)));
        }
        return false;
    }
    fds_collect(&m, fds);
    /* An empty packet reads as 0 bytes, too. */
    if (size == 0 && fds->n == 0 && fabric_packet_at_end(conn)) {
        fabric_connection_end(conn);
        return false;
    }
    conn->ours |= fabric_wire_ours(data, size);
    fault = packet_fault(&m, size, fds->n, msg);
    if (fault) {
        fabric_fds_close(fds);
        fabric_connection_fail(conn, fault);
    }
    return !fault;
}
