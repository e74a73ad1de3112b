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
 * Threads: no function locks.  Every call, and every dispatch of the
 * GMainContext given at creation, must be serialised by the caller (in QEMU:
 * the big lock).  Callbacks are never invoked from inside fabric_new(),
 * fabric_ring(), fabric_enable(), fabric_disable(), fabric_invalidate() or
 * fabric_set_port(); they come from the main context and from fabric_settle().
 * A callback may call anything but fabric_settle() and fabric_free().
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

typedef struct Fabric Fabric;

/* A range of guest RAM: the bytes [fd_offset, fd_offset + size) of fd. */
typedef struct FabricRam {
    uint64_t guest_base;
    uint64_t size;          /* bytes, multiple of 4096, not 0 */
    uint64_t fd_offset;     /* multiple of 4096 */
    int fd;
    uint8_t *host;          /* peers only: the range mapped in this process */
} FabricRam;

/*
 * The control page of a node: a sealed memfd written by its own process and
 * mapped read-only by its peers, so that a peer sees a change of the tables
 * without waiting for a message.  The table fields change only while
 * `inbound` is 0; `inbound` and `incarnation` are accessed atomically.
 */
typedef struct FabricPage {
    uint32_t magic;             /* FABRIC_PAGE_MAGIC */
    uint32_t incarnation;       /* 0 = adapter not enabled */
    uint32_t inbound;           /* 1 = peers may translate through the tables */
    uint32_t inbound_count;     /* directory entries */
    uint64_t inbound_base;      /* guest address of the directory */
    uint64_t access_base;       /* guest address of the access table */
    uint32_t access_count;      /* rows */
    uint32_t reserved;
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
    unsigned n_lines;
    int lines[FABRIC_LINES_MAX];    /* eventfds, non-blocking */
} FabricPeer;

/* None may be NULL. */
typedef struct FabricOps {
    /* The node is in the fabric; its adapter may or may not be enabled. */
    void (*peer_present)(void *opaque, const FabricPeer *peer);
    /*
     * peer->incarnation has changed; 0 = disabled.  On return nothing of the
     * old incarnation may be mapped any more: the fabric then acknowledges.
     */
    void (*peer_state)(void *opaque, const FabricPeer *peer);
    /*
     * peer->linked has changed.  On return nothing of the peer may be mapped
     * if it is not linked: the fabric then acknowledges.
     */
    void (*peer_link)(void *opaque, const FabricPeer *peer);
    /* It left or was dropped.  On return no use of it may remain. */
    void (*peer_gone)(void *opaque, const FabricPeer *peer);
    /*
     * On return none of these SCI pages of the peer may be mapped: the fabric
     * then acknowledges.
     */
    void (*peer_invalidate)(void *opaque, const FabricPeer *peer,
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
    const int *lines;           /* eventfds, non-blocking; stay the caller's */
    bool closed[FABRIC_NODE_MAX + 1];   /* ports, by node, that start closed */
    GMainContext *context;      /* NULL = the default context */
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
 * that comes up is reported by peer_link(), once the peer has acknowledged.
 */
void fabric_set_port(Fabric *fabric, unsigned node, bool open);

/* Whether a request still waits for a peer; true until settled() is called. */
bool fabric_busy(const Fabric *fabric);

/*
 * fabric_settle: serve the fabric's own sockets, nothing else, until it is no
 * longer busy or the time is over.  For a reset, which must not return while
 * peers still store into the RAM that firmware is about to use.
 * Returns whether it settled; what did not is reported by name.
 */
bool fabric_settle(Fabric *fabric, unsigned timeout_ms);

/*
 * NULL if absent.  The own node is present as well, described as its peers see
 * it (RAM mapped, lines, page, incarnation); no callback ever concerns it.
 */
const FabricPeer *fabric_peer(const Fabric *fabric, unsigned node);

/* Signal a doorbell line.  False if the node or the line does not exist. */
bool fabric_ring(Fabric *fabric, unsigned node, unsigned line);

/*
 * Where [guest, guest + len) of a peer's RAM is mapped here; NULL unless within
 * one range.
 */
void *fabric_ram_host(const FabricPeer *peer, uint64_t guest, uint64_t len);

#endif /* FABRIC_H */
