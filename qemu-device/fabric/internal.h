/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts of the fabric share.  A part calls those above it in this
 * list, and those below it only where the list says so:
 *
 *   directory.c   lock, numbers and listening socket of this node
 *   limit.c       whether there are enough descriptors
 *   connection.c  a connection, its states, who owes an acknowledgement
 *   packet.c      packets with descriptors, out and in
 *   peer.c        what a HELLO brings; the same for the own node
 *   news.c        what a peer is told of us: one request at a time
 *   line.c        the rights to ring doorbells, and ringing
 *   port.c        whether a link is up (calls message.c)
 *   dial.c        how connections begin: dialled or accepted
 *   member.c      who is a peer, from its beginning to its end
 *   message.c     what the messages of a peer do
 *   turn.c        the event source: who is served when
 *   fabric.c      the functions that the device calls
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
#define FABRIC_LEAVING_MAX      64   /* dropped, not closed by the other side */
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

    FabricPlace in_all, in_node, in_ready, in_ended, in_deadlines, in_retry,
                in_leaving;

    GQueue out;             /* FabricPacket, first to send at the head */
    bool short_of_memory;   /* sending waits for the retry, not for epoll */
    bool short_of_fds;      /* so does reading */
    FabricNews news;
    FabricGrant grants[FABRIC_LINES_MAX];
    unsigned grants_due;    /* how many of them the other side must hear of */

    unsigned node;          /* 0 = unknown */
    uint32_t session;
    uint32_t last;          /* session, or greatest incarnation so far */
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
    uint32_t session;       /* of its last process that was a peer */
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
    uint32_t session;
    unsigned node;

    GSource *source;
    int epoll_fd;
    int listen_fd;
    bool listening;         /* epoll waits for listen_fd */
    bool listen_ready;
    bool short_of_fds;      /* reported; accept() waits for the retry */
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
    GQueue leaving;         /* in CONNECTION_LEAVING, the oldest at the head */
    unsigned strangers;     /* in CONNECTION_ACCEPTED */
    unsigned owing;         /* that owe an acknowledgement */
    bool waiting;           /* busy; cleared just before settled() */
    GQueue reports;         /* char *, for the end of the turn */
};

typedef struct FabricFds {
    unsigned n;
    int fd[FABRIC_FDS_MAX];
} FabricFds;

/* directory.c */
bool G_GNUC_PRINTF(3, 4) fabric_fail(GError **error, int code,
                                     const char *format, ...);
bool fabric_dir_open(Fabric *f, GError **error);
bool fabric_dir_lock(Fabric *f, GError **error);
bool fabric_dir_listen(Fabric *f, GError **error);
/* Takes the next number of this node; it is written down before. */
uint32_t fabric_dir_number(Fabric *f);
/* Connects to the socket of @node; -1 and errno. */
int fabric_dir_connect(const Fabric *f, unsigned node);
/* Marks the other nodes that have a socket; returns how many. */
unsigned fabric_dir_list(Fabric *f, bool *present);
void fabric_dir_close(Fabric *f);

/* limit.c */
/* Raises the limit of descriptors if @nodes need it; false if that fails. */
bool fabric_limit_check(Fabric *f, unsigned nodes, GError **error);
/* Whether @n descriptors are free now. */
bool fabric_limit_free(unsigned n);
/* Says once that there is none, until fabric_limit_over(). */
void fabric_limit_report(Fabric *f, const char *what);
void fabric_limit_over(Fabric *f);

/* connection.c */
extern const FabricStateInfo fabric_states[];
void fabric_place_enter(FabricPlace *place, GQueue *queue, void *data);
void fabric_place_leave(FabricPlace *place);
/* Takes @fd.  NULL, and a report, if the other end is another user. */
FabricConnection *fabric_connection_new(Fabric *f, int fd, FabricState state,
                                        unsigned node);
void fabric_connection_free(FabricConnection *conn);
void fabric_connection_set_state(FabricConnection *conn, FabricState state);
void fabric_connection_set_node(FabricConnection *conn, unsigned node);
/* Takes @fault; the connection is dropped later in the turn, or in the next. */
void fabric_connection_fail(FabricConnection *conn, char *fault);
/* The other side has closed it, or is to see that we close it. */
void fabric_connection_end(FabricConnection *conn);
bool fabric_connection_alive(const FabricConnection *conn);
/* Whether packets of it are read now. */
bool fabric_connection_reads(const FabricConnection *conn);
/* Tells epoll what this connection waits for now. */
void fabric_connection_arm(FabricConnection *conn);
/* Has this connection tried again after FABRIC_RETRY_MS. */
void fabric_connection_retry(FabricConnection *conn);
/* Counts it, or counts it no longer; to be called after each change. */
void fabric_connection_owes(FabricConnection *conn);
char *fabric_connection_name(const FabricConnection *conn);

/* packet.c */
/* Takes @fd, which goes with a LINE that opens one; else -1. */
void fabric_packet_send(FabricConnection *conn, const FabricMessage *msg,
                        int fd);
void fabric_packet_flush(FabricConnection *conn);
void fabric_packet_clear(FabricConnection *conn);
/* Reads one packet.  False if there is none, or the connection is not alive. */
bool fabric_packet_receive(FabricConnection *conn, FabricMessage *msg,
                           FabricFds *fds);
/* Whether the other side has ended the connection, read or not. */
bool fabric_packet_at_end(const FabricConnection *conn);
bool fabric_packet_waits(const FabricConnection *conn);
void fabric_fds_close(FabricFds *fds);

/* peer.c */
bool fabric_self_init(Fabric *f, const FabricConfig *config, GError **error);
void fabric_self_fini(Fabric *f);
/* Checks and maps what came with @hello.  NULL, or what is wrong (g_free). */
char *fabric_peer_init(FabricPeer *peer, const FabricHello *hello,
                       FabricFds *fds);
void fabric_peer_fini(FabricPeer *peer);

/* news.c */
void fabric_news_hello(FabricConnection *conn);
/* Sends the next request if none is on its way and there is news. */
void fabric_news_tell(FabricConnection *conn);
/* The request on its way was acknowledged. */
void fabric_news_acknowledged(FabricConnection *conn);
/* The other side holds no mapping now: nothing is waited for any more. */
void fabric_news_cut(FabricConnection *conn);
/* The other side maps nothing of ours and will not, until it hears from us. */
bool fabric_news_is_cut(const FabricConnection *conn);
/* Our incarnation has changed; whether what peers have mapped is awaited. */
void fabric_news_state(Fabric *f, bool enabled_before);
void fabric_news_invalidate(Fabric *f, uint64_t first, uint64_t count);

/* line.c */
/* Encodes what the next LINE says, and its descriptor; grants_due is not 0. */
int fabric_line_next(FabricConnection *conn, FabricMessage *msg);
/* Takes @fd, or -1; true if the rights have changed. */
bool fabric_line_heard(FabricConnection *conn, const FabricMessage *msg,
                       int fd);
/* The pair of incarnations, or the link, is no longer the one of the rights. */
void fabric_line_forget(FabricConnection *conn);
void fabric_line_forget_own(Fabric *f);

/* port.c */
/* Before peer_present(): peer.linked, without a callback. */
void fabric_port_begin(FabricConnection *conn);
/* The other side has said what its port is. */
void fabric_port_heard(FabricConnection *conn, bool closed);
/* Our port may have become something else to the other side. */
void fabric_port_update(FabricConnection *conn);

/* dial.c */
void fabric_dial(Fabric *f, unsigned node);
void fabric_accept(Fabric *f);
/* Tells epoll whether connections are accepted now. */
void fabric_accept_arm(Fabric *f);
/* A connection to @node was lost: it is dialled again after a while. */
void fabric_redial_later(Fabric *f, unsigned node);
/* Dials those whose time has come. */
void fabric_redial(Fabric *f, int64_t now);

/* member.c */
/* Decides what becomes of a connection that has said hello. */
void fabric_admit(FabricConnection *conn);
/* Both said hello, and ours is out. */
void fabric_peer_begin(FabricConnection *conn);
/* Deals with one that has ended or failed; the only place that frees one. */
void fabric_end(FabricConnection *conn);

/* message.c */
/* What has happened to a connection: reads, sends, or ends it. */
void fabric_serve(FabricConnection *conn);
/* Calls the device; acknowledges once that returns true, until then retries. */
void fabric_call(FabricConnection *conn, FabricAgain again);
void fabric_expire(FabricConnection *conn);

/* turn.c */
void fabric_turn_init(Fabric *f, const FabricConfig *config);
bool fabric_turn_attach(Fabric *f, GMainContext *context, GError **error);
void fabric_turn_fini(Fabric *f);
void fabric_report(Fabric *f, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* Has a turn begin soon, if none is going on. */
void fabric_kick(Fabric *f);
/* Has what could not be done tried again after FABRIC_RETRY_MS. */
void fabric_retry(Fabric *f);
/* Whether this turn has lasted long enough. */
bool fabric_turn_over(const Fabric *f);

#endif /* FABRIC_INTERNAL_H */
