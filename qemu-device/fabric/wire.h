/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The messages between nodes, as docs/specs/fabric.rst lays them out, and
 * their translation from and to the form that the rest of the fabric uses.
 * Knows no socket and no descriptor: the fuzzer drives it alone.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#ifndef FABRIC_WIRE_H
#define FABRIC_WIRE_H

#include "fabric.h"

#define FABRIC_WIRE_MAGIC   0x46494353u /* "SCIF" */
#define FABRIC_WIRE_VERSION 3

#define FABRIC_HELLO        1
#define FABRIC_STATE        2
#define FABRIC_INVALIDATE   3
#define FABRIC_ACK          4
#define FABRIC_PORT         5
#define FABRIC_LINE         6

/* SCI pages of a node: 48-bit offsets, pages of 4 KiB */
#define FABRIC_SCI_PAGES    (UINT64_C(1) << 36)
/* Guest addresses that a table entry can name */
#define FABRIC_GUEST_LIMIT  (UINT64_C(1) << 52)
#define FABRIC_PAGE_SIZE    4096

typedef struct FabricWireHeader {
    uint32_t magic;
    uint16_t version;
    uint16_t type;
    uint32_t length;
    uint32_t seq;
} FabricWireHeader;

typedef struct FabricWireRam {
    uint64_t guest_base;
    uint64_t size;
    uint64_t fd_offset;
} FabricWireRam;

typedef struct FabricWireHello {
    FabricWireHeader header;
    uint32_t node;
    uint32_t start;
    uint32_t incarnation;
    uint32_t n_lines;
    uint32_t n_ram;
    uint32_t closed;
    FabricWireRam ram[FABRIC_RAM_MAX];
} FabricWireHello;

typedef struct FabricWireState {
    FabricWireHeader header;
    uint32_t incarnation;
    uint32_t reserved;
} FabricWireState;

typedef struct FabricWireInvalidate {
    FabricWireHeader header;
    uint64_t first;
    uint64_t count;
} FabricWireInvalidate;

typedef struct FabricWirePort {
    FabricWireHeader header;
    uint32_t closed;
    uint32_t reserved;
} FabricWirePort;

typedef struct FabricWireLine {
    FabricWireHeader header;
    uint32_t line;
    uint32_t open;
    uint32_t incarnation;
    uint32_t reserved;
} FabricWireLine;

#define FABRIC_WIRE_MAX     sizeof(FabricWireHello)

_Static_assert(sizeof(FabricWireHeader) == 16, "header is on the wire");
_Static_assert(sizeof(FabricWireHello) == 232, "HELLO is on the wire");
_Static_assert(sizeof(FabricWireState) == 24, "STATE is on the wire");
_Static_assert(sizeof(FabricWireInvalidate) == 32, "INVALIDATE is on the wire");
_Static_assert(sizeof(FabricWirePort) == 24, "PORT is on the wire");
_Static_assert(sizeof(FabricWireLine) == 32, "LINE is on the wire");
_Static_assert(sizeof(FabricPage) == 40, "the control page is shared");

typedef struct FabricHello {
    unsigned node;
    uint32_t start;
    uint32_t incarnation;
    unsigned n_lines;
    unsigned n_ram;
    bool closed;                    /* the sender's port to the receiver */
    FabricRam ram[FABRIC_RAM_MAX];  /* without descriptors and mappings */
} FabricHello;

typedef struct FabricMessage {
    unsigned type;
    uint32_t seq;
    union {
        FabricHello hello;
        struct {
            uint32_t incarnation;
        } state;
        struct {
            uint64_t first;
            uint64_t count;
        } invalidate;
        struct {
            bool closed;
        } port;
        struct {
            unsigned line;          /* of the sender */
            bool open;
            uint32_t incarnation;   /* of the receiver */
        } line;
    };
} FabricMessage;

/* Whether number a of a node was taken after its number b. */
static inline bool fabric_newer(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) > 0;
}

/* How many descriptors belong to a message: control page and RAM; a line. */
static inline unsigned fabric_message_fds(const FabricMessage *msg)
{
    switch (msg->type) {
    case FABRIC_HELLO:
        return 1 + msg->hello.n_ram;
    case FABRIC_LINE:
        return msg->line.open;
    default:
        return 0;
    }
}

/* Writes at most FABRIC_WIRE_MAX bytes to @data; returns how many. */
size_t fabric_wire_encode(const FabricMessage *msg, void *data);

/*
 * Whether @data is a message of our protocol at all, of whatever version and
 * however wrong: its sender is a node and not a stray program.
 */
bool fabric_wire_ours(const void *data, size_t size);

/*
 * Checks and decodes the packet of @size bytes that came with @n_fds
 * descriptors.  Returns NULL, or what is wrong with it (g_free it); then @msg
 * is undefined.
 */
char *fabric_wire_decode(const void *data, size_t size, unsigned n_fds,
                         FabricMessage *msg);

/* What is wrong with a RAM layout, to be freed; NULL if nothing. */
char *fabric_ram_fault(const FabricRam *ram, unsigned n_ram);

#endif /* FABRIC_WIRE_H */
