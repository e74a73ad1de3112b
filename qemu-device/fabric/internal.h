/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts of the fabric share.  From the bottom up: directory.c (lock,
 * sockets), link.c (one connection: queue, packets), peer.c (what a HELLO
 * brings), member.c (who is a peer), port.c (whether its link is up), request.c
 * (what a message does), fabric.c (API and event loop).
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#ifndef FABRIC_INTERNAL_H
#define FABRIC_INTERNAL_H

#include "fabric.h"
#include "wire.h"

#define FABRIC_HELLO_SECONDS    5    /* a silent connection is closed then */
#define FABRIC_STRANGERS_MAX    32   /* accepted, no hello yet */
#define FABRIC_QUEUE_MAX        1024 /* messages a peer may leave unread */
#define FABRIC_LEAVING_MAX      64   /* dropped, not closed by the other side */
#define FABRIC_RETRY_MS         50   /* after what poll() does not wait for */
#define FABRIC_BATCH            64   /* packets of one peer in a row */
#define FABRIC_BATCH_US         5000 /* unless they take so long to deal with */
#define FABRIC_FDS_MAX          253  /* what the kernel lets a packet carry */

typedef enum FabricLinkState {
    LINK_ACCEPTED,  /* they dialled; their hello is awaited */
    LINK_PARKED,    /* they said hello, but our own dial to them comes first */
    LINK_ANSWERING, /* they said hello; ours is still in the queue */
    LINK_DIALLED,   /* we dialled and said hello; theirs is awaited */
    LINK_PEER,      /* both said hello */
    LINK_LEAVING,   /* dropped by us; they have not closed their end yet */
} FabricLinkState;

/* One connection.  Lives until fabric_reap() finds `ended` or `fault` set. */
typedef struct FabricLink {
    Fabric *fabric;
    FabricLinkState state;
    int fd;
    pid_t pid;              /* of the process at the other end */
    gpointer tag;           /* of fd in the event source */
    GIOCondition events;    /* what is waited for */
    GIOCondition revents;   /* what has happened; consumed by fabric_serve() */
    int64_t deadline;       /* of the hello, monotonic microseconds; 0 = none */
    bool ours;              /* has sent something of our protocol */
    bool ended;             /* the other side closed the connection */
    char *fault;            /* it must be dropped, and why */

    GQueue out;             /* FabricPacket, first to send at the head */
    bool short_of_memory;   /* sending waits for retry_at, not for poll() */
    uint32_t sent;          /* seq of the last request sent */
    uint32_t acked;         /* seq of the last request acknowledged */
    uint32_t awaited;       /* up to this seq ACKs make us wait */
    bool linger;            /* LINK_LEAVING: may hold mappings until closed */
    bool owes;              /* LINK_LEAVING: we wait for that */
    uint32_t told;          /* our incarnation as the other side will know it */
    bool closed;            /* our port as the other side will know it */
    bool port_asked;        /* ... once it has acknowledged port_seq */
    uint32_t port_seq;
    bool peer_closed;       /* the port of the other side, as it says */

    unsigned node;          /* 0 = unknown */
    uint32_t session;
    uint32_t last;          /* session, or greatest incarnation so far */
    uint32_t received;      /* seq of the last request received */
    FabricPeer peer;        /* from LINK_PARKED on, until LINK_LEAVING */
} FabricLink;

static inline bool fabric_link_alive(const FabricLink *link)
{
    return !link->ended && !link->fault;
}

struct Fabric {
    const FabricOps *ops;
    void *opaque;
    char *dir;
    int dir_fd;
    int lock_fd;
    uint32_t number;        /* last one taken, as N.lock says */
    uint32_t session;
    unsigned node;

    int listen_fd;
    gpointer listen_tag;
    GIOCondition listen_events;
    GIOCondition listen_revents;
    bool redial[FABRIC_NODE_MAX + 1];   /* the listen queue was full */
    bool accept_short;      /* no descriptor was free: try again at retry_at */
    int64_t retry_at;       /* monotonic microseconds; 0 = nothing to retry */

    FabricPage *page;
    int page_fd;
    FabricPeer self;
    GPtrArray *links;       /* every FabricLink */
    FabricLink *peers[FABRIC_NODE_MAX + 1];     /* LINK_PEER, by node */
    bool closed[FABRIC_NODE_MAX + 1];   /* our ports as they should be */

    bool waiting;           /* busy; cleared just before settled() */
    bool serving;           /* inside fabric_serve() and callbacks */
    bool kicked;            /* fabric_serve() has work without any event */
    GQueue reports;         /* char *, delivered by fabric_serve() */
    GSource *source;
};

typedef struct FabricFds {
    unsigned n;
    int fd[FABRIC_FDS_MAX];
} FabricFds;

/* directory.c */
bool fabric_dir_open(Fabric *f, GError **error);
bool fabric_dir_lock(Fabric *f, GError **error);
bool fabric_dir_listen(Fabric *f, GError **error);
/* Takes the next number of this node and writes it down. */
uint32_t fabric_dir_number(Fabric *f);
void fabric_dir_scan(Fabric *f);
void fabric_dir_redial(Fabric *f);
void fabric_dir_accept(Fabric *f);
/* Tells the event source whether connections are accepted now. */
void fabric_dir_arm(Fabric *f);
void fabric_dir_close(Fabric *f);

/* link.c */
/* Takes @fd.  NULL, and a report, if the other end is another user. */
FabricLink *fabric_link_new(Fabric *f, int fd, FabricLinkState state,
                            unsigned node);
void fabric_link_free(FabricLink *link);
/* Takes @fault; the link is dropped when fabric_reap() runs. */
void fabric_link_fail(FabricLink *link, char *fault);
/* The other side has closed it; fabric_reap() will notice. */
void fabric_link_end(FabricLink *link);
/* Whether the other side has ended the connection, read or not. */
bool fabric_link_at_end(const FabricLink *link);
void fabric_link_send(FabricLink *link, const FabricMessage *msg);
void fabric_link_flush(FabricLink *link);
/* Reads one packet.  False if there is none, or the link is not alive. */
bool fabric_link_receive(FabricLink *link, FabricMessage *msg, FabricFds *fds);
/* Tells the event source what this link waits for now. */
void fabric_link_arm(FabricLink *link);
bool fabric_link_owes(const FabricLink *link);
char *fabric_link_name(const FabricLink *link);
void fabric_fds_close(FabricFds *fds);

/* peer.c */
bool fabric_self_init(Fabric *f, const FabricConfig *config, GError **error);
void fabric_self_fini(Fabric *f);
/* Checks and takes the descriptors.  NULL, or what is wrong (g_free it). */
char *fabric_peer_init(FabricPeer *peer, const FabricHello *hello,
                       FabricFds *fds);
void fabric_peer_fini(FabricPeer *peer);

/* member.c */
/* Decides what becomes of a link that has said hello. */
void fabric_link_admit(FabricLink *link);
/* Both said hello, and ours is out. */
void fabric_peer_begin(FabricLink *link);
/* Lets go of the links that have ended or failed; the only place that does. */
void fabric_reap(Fabric *f);

/* port.c */
/* Before peer_present(): peer.linked, without a callback. */
void fabric_port_begin(FabricLink *link);
/* Says what our port is, if that is news and nothing older is on its way. */
void fabric_port_tell(FabricLink *link);
/* The other side has said what its port is, or acknowledged ours. */
void fabric_port_heard(FabricLink *link, bool closed);
void fabric_port_acknowledged(FabricLink *link);
/* The other side maps nothing of ours and will not, until it hears from us. */
bool fabric_port_cut(const FabricLink *link);

/* request.c */
void fabric_say_hello(FabricLink *link);
void fabric_link_request(FabricLink *link, FabricMessage *msg, bool wait);
/* Tells all who may hold mappings; with @wait, busy until they have none. */
void fabric_request(Fabric *f, FabricMessage *msg, bool wait);
void fabric_link_serve(FabricLink *link, int64_t now);

/* fabric.c */
void fabric_report(Fabric *f, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* Makes the event source run fabric_serve() soon. */
void fabric_kick(Fabric *f);
void fabric_retry(Fabric *f);

#endif /* FABRIC_INTERNAL_H */
