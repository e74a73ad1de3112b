/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a fabric consists of; no function.  Those are in five layers, and each
 * calls only those below it and those before it in its own header:
 *
 *   fabric.c      the functions that the device calls
 *   turn.h        the event source
 *   member.h      who belongs to the fabric: dial.c, member.c, message.c
 *   peer.h        the other end: peer.c, line.c, news.c, call.c, port.c
 *   connection.h  a socket with packets: connection.c, packet.c
 *   local.h       this node's own: wake.c, directory.c, limit.c
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#ifndef FABRIC_INTERNAL_H
#define FABRIC_INTERNAL_H

#include "fabric.h"
#include "wire.h"

#define FABRIC_HELLO_SECONDS    5    /* a silent connection is closed then */
#define FABRIC_STRANGERS_MAX    32   /* accepted, no hello yet */
#define FABRIC_UNSENT_MAX       4    /* with more we read nothing of a peer */
#define FABRIC_BATCH            16   /* packets of one peer in a row */
#define FABRIC_FDS_MAX          253  /* what the kernel lets a packet carry */
#define FABRIC_REDIAL_SECONDS   1    /* after a loss; doubled each time ... */
#define FABRIC_REDIAL_MAX       60   /* ... up to this many seconds */
#define FABRIC_NUMBERS          64   /* reserved at once in N.lock */

/* connection.c has a table of these and a drawing of the transitions. */
typedef enum FabricState {
    CONNECTION_ACCEPTED,
    CONNECTION_PARKED,
    CONNECTION_ANSWERING,
    CONNECTION_DIALLED,
    CONNECTION_PEER,
    CONNECTION_GOING,
    CONNECTION_LEAVING,
} FabricState;

typedef struct FabricStateInfo {
    const char *name;
    bool reads;             /* its packets are read */
    bool owes;              /* it may owe an acknowledgement */
    bool deadline;          /* it lasts FABRIC_HELLO_SECONDS at most */
    const char *until;      /* what ends it, beside the connection's end */
} FabricStateInfo;

/* A place in one of the queues of the fabric; in none while @queue is NULL. */
typedef struct FabricPlace {
    GList node;
    GQueue *queue;
} FabricPlace;

/*
 * What the other side knows of us once it has read all that we sent, and what
 * it must still be told.  There is one request on its way at most.
 */
typedef struct FabricNews {
    uint32_t incarnation;
    bool closed;            /* our port to it */
    bool flap;              /* it was closed, though they were told "open" */
    bool state_awaited;     /* we shall wait for the ACK of the next STATE */
    uint64_t first, end;    /* pages to invalidate; none if they are equal */
    unsigned flight;        /* type of the request on its way; 0 = none */
    bool flight_awaited;    /* we wait for its ACK */
    uint32_t sent;          /* seq of the last request */
} FabricNews;

/* The right of the other side to ring one of our lines. */
typedef struct FabricGrant {
    int fd;                 /* goes with the next LINE; -1 = none */
    bool told;              /* the other side has it, or will have */
    bool taken;             /* the other side must hear that it has not */
} FabricGrant;

/* A callback that must be repeated until it returns true. */
typedef enum FabricAgain {
    AGAIN_NOTHING,
    AGAIN_STATE,
    AGAIN_LINKED,
    AGAIN_INVALIDATE,
    AGAIN_GONE,
} FabricAgain;

/* Only fabric_end() frees one; others mark it as ended or faulty. */
typedef struct FabricConnection {
    Fabric *fabric;
    FabricState state;
    int fd;
    pid_t pid;              /* of the process at the other end */
    bool dialled;           /* by us */
    uint32_t events;        /* that epoll waits for */
    uint32_t revents;       /* that have happened; consumed in its turn */
    int64_t deadline;       /* monotonic microseconds; valid in the queue */
    int64_t began;          /* when it became a peer */
    bool ours;              /* has sent something of our protocol */
    bool ended;             /* the other side closed the connection */
    char *fault;            /* it must be dropped, and why */
    bool linger;            /* it may hold mappings until it closes its end */
    bool lingers_owing;     /* and we wait for that */
    bool owing;             /* it is counted in Fabric.owing */
    bool lost;              /* its node is to be dialled again */

    FabricPlace in_all, in_node, in_ready, in_ended, in_deadlines, in_retry;

    GQueue out;             /* FabricPacket, first to send at the head */
    bool short_of_memory;   /* sending waits for the retry, not for epoll */
    bool short_of_fds;      /* so does reading */
    FabricNews news;
    FabricGrant grants[FABRIC_LINES_MAX];
    unsigned grants_due;    /* how many of them the other side must hear of */

    unsigned node;          /* 0 = unknown */
    uint32_t start;         /* of the process at the other side */
    uint32_t last;          /* start, or greatest incarnation so far */
    uint32_t received;      /* seq of the last request received */
    bool unacknowledged;    /* that request */
    bool peer_closed;       /* the port of the other side, as it says */
    FabricAgain again;      /* no other packet is read before that is done */
    uint64_t again_first, again_count;
    FabricPeer peer;        /* since its hello, until CONNECTION_LEAVING */
} FabricConnection;

/* What is known of a node id, whether the node is present or not. */
typedef struct FabricNode {
    GQueue connections;
    FabricConnection *peer; /* the one in CONNECTION_PEER */
    bool closed;            /* our port to it, as it should be */
    uint32_t start;         /* of its last process that was a peer */
    unsigned redial_wait;   /* seconds before the last redial; 0 = none yet */
    int64_t redial_at;      /* monotonic microseconds; 0 = never */
} FabricNode;

struct Fabric {
    const FabricOps *ops;
    void *opaque;
    char *dir;
    int dir_fd;
    int lock_fd;
    uint32_t number;        /* last one taken */
    uint32_t reserved;      /* last one that N.lock says may be taken */
    uint32_t start;         /* of this process */
    unsigned node;

    GSource *source;
    int epoll_fd;
    int listen_fd;
    bool listening;         /* epoll waits for listen_fd */
    bool listen_ready;
    bool short_of_fds;      /* accept() waits for the retry */
    int64_t shortage_told;  /* when it was reported last; 0 = never */
    bool serving;           /* inside a turn */
    int64_t turn_end;       /* of the turn */
    int64_t retry_at;       /* monotonic microseconds; 0 = nothing to retry */
    int64_t redial_at;      /* the earliest of all nodes; 0 = none */

    FabricPage *page;
    int page_fd;
    FabricPeer self;
    FabricNode nodes[FABRIC_NODE_MAX + 1];

    GQueue all;             /* every FabricConnection */
    GQueue ready;           /* to be served, the next one at the head */
    GQueue ended;           /* ended or faulty, not yet dealt with */
    GQueue deadlines;       /* the earliest at the head */
    GQueue retry;           /* to be tried again at retry_at */
    unsigned strangers;     /* in CONNECTION_ACCEPTED */
    unsigned owing;         /* that owe an acknowledgement */
    bool waiting;           /* busy; cleared just before settled() */
    GQueue reports;         /* char *, for the end of the turn */
};

typedef struct FabricFds {
    unsigned n;
    int fd[FABRIC_FDS_MAX];
} FabricFds;

#endif /* FABRIC_INTERNAL_H */
