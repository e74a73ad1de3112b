/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The node-to-node wire of the emulated interconnect: membership of a fabric
 * directory, what a peer's adapter needs to reach this node (descriptors of
 * its RAM and doorbells, its control page), state changes and invalidations.
 * Used by the device model and by the unit tests; uses glib2 and the C library
 * only.  docs/specs/fabric.rst describes the wire.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * A node has one port for each other node.  The link to a peer is up while the
 * ports at both ends are open; while it is not, neither maps anything of the
 * other.  They go on talking: of their state, invalidations, and their ports.
 *
 * Threads: the functions below do not lock; their callers serialise them, in
 * QEMU by the adapter's own lock.  The fabric takes that lock by itself
 * (FabricConfig.lock) when its main context, which may belong to another
 * thread, dispatches it, and holds it while it calls back.  All callbacks come
 * from there, none from inside a function below.  A callback may call any of
 * them but fabric_free().  One turn of the main context works for about
 * FABRIC_TURN_US in sum for all peers; what is left is the next turn's.
 */
#ifndef FABRIC_H
#define FABRIC_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FABRIC_NODE_MAX     255
#define FABRIC_RAM_MAX      8
#define FABRIC_LINES_MAX    128
#define FABRIC_TURN_US      5000
#define FABRIC_RETRY_MS     50

typedef struct Fabric Fabric;

/* A range of guest RAM: the bytes [fd_offset, fd_offset + size) of fd. */
typedef struct FabricRam {
    uint64_t guest_base;
    uint64_t size;          /* bytes, multiple of 4096, not 0 */
    uint64_t fd_offset;     /* multiple of 4096 */
    int fd;
    /*
     * FabricPeer only: the range mapped in this process, shared, readable and
     * writable, not part of core dumps.  mremap() with an old size of 0 maps a
     * part of it a second time.
     */
    uint8_t *host;
} FabricRam;

/*
 * The control page of a node: a sealed memfd written by its own process and
 * mapped read-only by its peers, so that a peer sees a change of the tables
 * without waiting for a message.  The table fields change only while `inbound`
 * is 0; `inbound`, `incarnation` and `ram_gone` are accessed atomically.
 */
typedef struct FabricPage {
    uint32_t magic;             /* FABRIC_PAGE_MAGIC */
    uint32_t incarnation;       /* 0 = adapter not enabled */
    uint32_t inbound;           /* 1 = peers may translate through the tables */
    uint32_t inbound_count;     /* directory entries */
    uint64_t inbound_base;      /* guest address of the directory */
    uint64_t access_base;       /* guest address of the access table */
    uint32_t access_count;      /* rows */
    uint32_t ram_gone;          /* bit i: nobody may translate into ram[i] */
} FabricPage;

#define FABRIC_PAGE_MAGIC   0x50494353u /* "SCIP" */

/* A node whose hello was accepted.  Valid until peer_gone() returns. */
typedef struct FabricPeer {
    unsigned node;
    uint32_t incarnation;       /* 0 = its adapter is not enabled */
    bool linked;                /* both ports are open: it may be mapped */
    const FabricPage *page;
    unsigned n_ram;
    FabricRam ram[FABRIC_RAM_MAX];
    unsigned n_lines;           /* doorbell lines that the node has */
    int lines[FABRIC_LINES_MAX];    /* eventfds of those we may ring, or -1 */
} FabricPeer;

/*
 * None may be NULL.  Those that return a bool return false if something that
 * must not stay mapped could not be unmapped now.  The fabric then does not
 * acknowledge, deals with nothing else of that peer, and asks again after
 * FABRIC_RETRY_MS, until it is true.
 */
typedef struct FabricOps {
    /* The node is in the fabric; its adapter may or may not be enabled. */
    void (*peer_present)(void *opaque, const FabricPeer *peer);
    /*
     * peer->incarnation has changed; 0 = disabled.  On return nothing of the
     * old incarnation may be mapped any more: the fabric then acknowledges.
     */
    bool (*peer_state)(void *opaque, const FabricPeer *peer);
    /*
     * peer->linked has changed.  On return nothing of the peer may be mapped
     * if it is not linked: the fabric then acknowledges.
     */
    bool (*peer_linked)(void *opaque, const FabricPeer *peer);
    /*
     * It left or was dropped.  On return nothing of it may be mapped, and no
     * use of @peer remain (false: the same as above, for all of it).
     */
    bool (*peer_gone)(void *opaque, const FabricPeer *peer);
    /* peer->lines has changed: a right to ring was given or taken. */
    void (*peer_lines)(void *opaque, const FabricPeer *peer);
    /*
     * On return none of these SCI pages of the peer may be mapped as they were
     * before: the fabric then acknowledges.
     */
    bool (*peer_invalidate)(void *opaque, const FabricPeer *peer,
                            uint64_t first, uint64_t count);
    /*
     * Every peer has acknowledged (or left) all that was asked of it.  Called
     * once whenever fabric_busy() becomes false again; not called for a
     * request that nobody had to be waited for.
     */
    void (*settled)(void *opaque);
    /* One line for a person, without newline: who was dropped, and why. */
    void (*report)(void *opaque, const char *message);
} FabricOps;

typedef struct FabricConfig {
    const char *dir;            /* created with mode 0700 if absent */
    unsigned node;              /* 1..FABRIC_NODE_MAX */
    unsigned n_ram;             /* 1..FABRIC_RAM_MAX */
    /*
     * Descriptors stay the caller's.  Sealed against shrinking, not hugetlb:
     * memory-backend-memfd,share=on seals by default.
     */
    FabricRam ram[FABRIC_RAM_MAX];
    unsigned n_lines;           /* 1..FABRIC_LINES_MAX */
    bool closed[FABRIC_NODE_MAX + 1];   /* ports, by node, that start closed */
    GMainContext *context;      /* NULL = the default context */
    /*
     * Around each dispatch; NULL if all happens in one thread.  A dispatch may
     * wait for the lock while fabric_free() is called with it, and then does
     * nothing: the lock has to outlive that.
     */
    void (*lock)(void *lock_opaque);
    void (*unlock)(void *lock_opaque);
    void *lock_opaque;
    void (*lock_free)(void *lock_opaque);   /* when that is over; may be NULL */
} FabricConfig;

/*
 * fabric_new: lock DIR/N.lock, listen on DIR/N.sock, dial every other node
 * found.  Hellos complete later, from the main context.
 *
 * Returns NULL and sets *error (domain FABRIC_ERROR, a message that says what
 * to do) if the id is taken, the directory is unusable or not ours, or an
 * argument is out of range.  @ops and the caller's descriptors must outlive
 * the fabric.
 */
Fabric *fabric_new(const FabricConfig *config, const FabricOps *ops,
                   void *opaque, GError **error);

/* Leave: peers see peer_gone(); no callback comes any more.  NULL is fine. */
void fabric_free(Fabric *fabric);

typedef enum {
    FABRIC_ERROR_ARGUMENT,  /* id, RAM layout or line count out of range */
    FABRIC_ERROR_BUSY,      /* another live process is this node */
    FABRIC_ERROR_SYSTEM,    /* directory, lock, socket or memfd */
} FabricErrorCode;

#define FABRIC_ERROR fabric_error_quark()
GQuark fabric_error_quark(void);

/* The own control page; only `inbound*` and `access*` are the caller's. */
FabricPage *fabric_page(Fabric *fabric);

/*
 * fabric_enable: take a new incarnation and tell all peers.  Returns it: never
 * 0, greater than every earlier one of this node in this directory (numbers
 * start again at 1 after 2^32; compare by (int32_t)(a - b)).
 * fabric_disable: incarnation 0, page->inbound 0; peers unmap and acknowledge.
 */
uint32_t fabric_enable(Fabric *fabric);
void fabric_disable(Fabric *fabric);

/*
 * Ask all peers to unmap a range of this node's SCI pages.  What lies beyond
 * page 2^36 is cut off.
 */
void fabric_invalidate(Fabric *fabric, uint64_t first, uint64_t count);

/*
 * fabric_set_port: open or close this node's port to another node, whether
 * that is present or not.  It stays so until the next call, whatever becomes
 * of that node.  To close it, the caller first unmaps all that it has mapped
 * of the node; on return peer->linked is false, without a callback.  A link
 * that comes up is reported by peer_linked(), once the peer has acknowledged.
 */
void fabric_set_port(Fabric *fabric, unsigned node, bool open);

/* Whether a request still waits for a peer; true until settled() is called. */
bool fabric_busy(const Fabric *fabric);

/*
 * Who is waited for: "node 2 (process 4711), node 3 (process 4712)", to be
 * freed with g_free(); NULL if nobody is, which settled() may still have to
 * tell.  One that is no peer now, but was or may be one, has its state after
 * the number.
 */
char *fabric_debtors(const Fabric *fabric);

/*
 * Other callbacks from here on.  For a device that ends while the fabric is
 * busy: what is left of it waits for settled() and then frees the fabric.
 */
void fabric_set_ops(Fabric *fabric, const FabricOps *ops, void *opaque);

/*
 * RAM range @index of the configuration is no longer the guest's memory
 * (unplugged).  From here on no peer translates into it; what peers have mapped
 * of it stays until the next invalidation.  There is no way back.
 */
void fabric_ram_gone(Fabric *fabric, unsigned index);

/*
 * NULL if absent.  The own node is present as well, described as its peers see
 * it (RAM mapped, page, incarnation; the lines that fabric_set_line() opened to
 * itself); no callback ever concerns it.
 */
const FabricPeer *fabric_peer(const Fabric *fabric, unsigned node);

/*
 * fabric_set_line: let @node, which may be the own one, ring @line of this node
 * by @fd, an eventfd that stays the caller's (the fabric keeps a duplicate); -1
 * takes the right back.  Returns false, and changes nothing, if the node is not
 * present or not linked, one of the two adapters is not enabled, the line does
 * not exist, or there is no descriptor left.
 *
 * A right belongs to this pair of incarnations and this link: when one of them
 * changes or ends, both sides forget all rights between the two, without a call
 * and without a message.  The other node learns of a right by message; until
 * then, and after one was taken back until it learns of that, it uses what it
 * knew before.  So who takes one back also stops to listen to the eventfd.
 */
bool fabric_set_line(Fabric *fabric, unsigned node, unsigned line, int fd);

/*
 * Signal a doorbell line.  False if there is no such node or no right to ring
 * that line.  Never blocks, whatever the owner has made of the eventfd.
 */
bool fabric_ring(Fabric *fabric, unsigned node, unsigned line);

/*
 * Where [guest, guest + len) of a peer's RAM is mapped here; NULL unless within
 * one range.
 */
void *fabric_ram_host(const FabricPeer *peer, uint64_t guest, uint64_t len);

#endif /* FABRIC_H */
