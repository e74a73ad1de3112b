/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Encodes and decodes the messages between nodes.  Decoding checks all that
 * can be said of a message without knowing what was sent before it; nothing
 * of a message that fails is used.  Called by packet.c.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <string.h>

#include "wire.h"

static size_t fabric_wire_length(unsigned type)
{
    switch (type) {
    case FABRIC_HELLO:
        return sizeof(FabricWireHello);
    case FABRIC_STATE:
        return sizeof(FabricWireState);
    case FABRIC_INVALIDATE:
        return sizeof(FabricWireInvalidate);
    case FABRIC_ACK:
        return sizeof(FabricWireHeader);
    case FABRIC_PORT:
        return sizeof(FabricWirePort);
    case FABRIC_LINE:
        return sizeof(FabricWireLine);
    default:
        return 0;
    }
}

static void fabric_hello_encode(const FabricHello *hello, FabricWireHello *wire)
{
    wire->node = GUINT32_TO_LE(hello->node);
    wire->start = GUINT32_TO_LE(hello->start);
    wire->incarnation = GUINT32_TO_LE(hello->incarnation);
    wire->n_lines = GUINT32_TO_LE(hello->n_lines);
    wire->n_ram = GUINT32_TO_LE(hello->n_ram);
    wire->closed = GUINT32_TO_LE(hello->closed);
    for (unsigned i = 0; i < hello->n_ram; i++) {
        wire->ram[i].guest_base = GUINT64_TO_LE(hello->ram[i].guest_base);
        wire->ram[i].size = GUINT64_TO_LE(hello->ram[i].size);
        wire->ram[i].fd_offset = GUINT64_TO_LE(hello->ram[i].fd_offset);
    }
}

static void fabric_line_encode(const FabricMessage *msg, FabricWireLine *wire)
{
    wire->line = GUINT32_TO_LE(msg->line.line);
    wire->open = GUINT32_TO_LE(msg->line.open);
    wire->incarnation = GUINT32_TO_LE(msg->line.incarnation);
}

size_t fabric_wire_encode(const FabricMessage *msg, void *data)
{
    union {
        FabricWireHeader header;
        FabricWireHello hello;
        FabricWireState state;
        FabricWireInvalidate invalidate;
        FabricWirePort port;
        FabricWireLine line;
    } wire = { 0 };
    size_t length = fabric_wire_length(msg->type);

    wire.header.magic = GUINT32_TO_LE(FABRIC_WIRE_MAGIC);
    wire.header.version = GUINT16_TO_LE(FABRIC_WIRE_VERSION);
    wire.header.type = GUINT16_TO_LE(msg->type);
    wire.header.length = GUINT32_TO_LE(length);
    wire.header.seq = GUINT32_TO_LE(msg->seq);
    switch (msg->type) {
    case FABRIC_HELLO:
        fabric_hello_encode(&msg->hello, &wire.hello);
        break;
    case FABRIC_STATE:
        wire.state.incarnation = GUINT32_TO_LE(msg->state.incarnation);
        break;
    case FABRIC_INVALIDATE:
        wire.invalidate.first = GUINT64_TO_LE(msg->invalidate.first);
        wire.invalidate.count = GUINT64_TO_LE(msg->invalidate.count);
        break;
    case FABRIC_PORT:
        wire.port.closed = GUINT32_TO_LE(msg->port.closed);
        break;
    case FABRIC_LINE:
        fabric_line_encode(msg, &wire.line);
        break;
    default:
        break;
    }
    memcpy(data, &wire, length);
    return length;
}

static bool fabric_ram_overlap(const FabricRam *a, const FabricRam *b)
{
    return a->guest_base < b->guest_base + b->size &&
           b->guest_base < a->guest_base + a->size;
}

char *fabric_ram_fault(const FabricRam *ram, unsigned n_ram)
{
    if (n_ram < 1 || n_ram > FABRIC_RAM_MAX) {
        return g_strdup_printf("%u RAM ranges, not 1..%u", n_ram,
                               FABRIC_RAM_MAX);
    }
    for (unsigned i = 0; i < n_ram; i++) {
        const FabricRam *r = &ram[i];

        if ((r->guest_base | r->size | r->fd_offset) % FABRIC_PAGE_SIZE) {
            return g_strdup_printf("RAM range %u is not made of pages", i);
        }
        if (r->size == 0 || r->size > FABRIC_GUEST_LIMIT ||
            r->guest_base > FABRIC_GUEST_LIMIT - r->size) {
            return g_strdup_printf("RAM range %u is empty or ends beyond 2^52",
                                   i);
        }
        if (r->fd_offset > INT64_MAX - r->size) {
            return g_strdup_printf("RAM range %u ends beyond any file", i);
        }
        for (unsigned j = 0; j < i; j++) {
            if (fabric_ram_overlap(r, &ram[j])) {
                return g_strdup_printf("RAM ranges %u and %u overlap", j, i);
            }
        }
    }
    return NULL;
}

/* The ranges beyond those that are counted must be zero. */
static char *fabric_hello_ram(const FabricWireHello *wire, FabricHello *hello)
{
    static const FabricWireRam none;

    for (unsigned i = 0; i < FABRIC_RAM_MAX; i++) {
        if (i >= hello->n_ram &&
            memcmp(&wire->ram[i], &none, sizeof(none)) != 0) {
            return g_strdup_printf("RAM range %u is not counted but not zero",
                                   i);
        }
        hello->ram[i].guest_base = GUINT64_FROM_LE(wire->ram[i].guest_base);
        hello->ram[i].size = GUINT64_FROM_LE(wire->ram[i].size);
        hello->ram[i].fd_offset = GUINT64_FROM_LE(wire->ram[i].fd_offset);
        hello->ram[i].fd = -1;
    }
    return NULL;
}

static char *fabric_hello_fault(const FabricHello *hello)
{
    if (hello->node < 1 || hello->node > FABRIC_NODE_MAX) {
        return g_strdup_printf("node id %u, not 1..%u", hello->node,
                               FABRIC_NODE_MAX);
    }
    if (hello->start == 0) {
        return g_strdup("start 0");
    }
    if (hello->incarnation != 0 &&
        !fabric_newer(hello->incarnation, hello->start)) {
        return g_strdup_printf("incarnation %u is older than start %u",
                               hello->incarnation, hello->start);
    }
    if (hello->n_lines < 1 || hello->n_lines > FABRIC_LINES_MAX) {
        return g_strdup_printf("%u doorbell lines, not 1..%u", hello->n_lines,
                               FABRIC_LINES_MAX);
    }
    return fabric_ram_fault(hello->ram, hello->n_ram);
}

static char *fabric_hello_decode(const void *data, FabricMessage *msg)
{
    FabricHello *hello = &msg->hello;
    FabricWireHello wire;
    char *fault;

    memcpy(&wire, data, sizeof(wire));
    memset(hello, 0, sizeof(*hello));
    hello->node = GUINT32_FROM_LE(wire.node);
    hello->start = GUINT32_FROM_LE(wire.start);
    hello->incarnation = GUINT32_FROM_LE(wire.incarnation);
    hello->n_lines = GUINT32_FROM_LE(wire.n_lines);
    hello->n_ram = GUINT32_FROM_LE(wire.n_ram);
    hello->closed = wire.closed != 0;
    if (msg->seq != 0) {
        return g_strdup("HELLO with a sequence number");
    }
    if (GUINT32_FROM_LE(wire.closed) > 1) {
        return g_strdup_printf("HELLO of a port in state %u",
                               GUINT32_FROM_LE(wire.closed));
    }
    fault = fabric_hello_ram(&wire, hello);
    return fault ? fault : fabric_hello_fault(hello);
}

static char *fabric_state_decode(const void *data, FabricMessage *msg)
{
    FabricWireState wire;

    memcpy(&wire, data, sizeof(wire));
    if (wire.reserved != 0) {
        return g_strdup("reserved field of STATE is not 0");
    }
    msg->state.incarnation = GUINT32_FROM_LE(wire.incarnation);
    return NULL;
}

static char *fabric_invalidate_decode(const void *data, FabricMessage *msg)
{
    FabricWireInvalidate wire;
    uint64_t first, count;

    memcpy(&wire, data, sizeof(wire));
    first = GUINT64_FROM_LE(wire.first);
    count = GUINT64_FROM_LE(wire.count);
    if (count < 1 || count > FABRIC_SCI_PAGES ||
        first > FABRIC_SCI_PAGES - count) {
        return g_strdup("INVALIDATE of no pages or of pages beyond 2^36");
    }
    msg->invalidate.first = first;
    msg->invalidate.count = count;
    return NULL;
}

static char *fabric_port_decode(const void *data, FabricMessage *msg)
{
    FabricWirePort wire;

    memcpy(&wire, data, sizeof(wire));
    if (GUINT32_FROM_LE(wire.closed) > 1 || wire.reserved != 0) {
        return g_strdup_printf("PORT in state %u, or its reserved field is "
                               "not 0", GUINT32_FROM_LE(wire.closed));
    }
    msg->port.closed = wire.closed != 0;
    return NULL;
}

static char *fabric_line_decode(const void *data, FabricMessage *msg)
{
    FabricWireLine wire;
    uint32_t line, open;

    memcpy(&wire, data, sizeof(wire));
    line = GUINT32_FROM_LE(wire.line);
    open = GUINT32_FROM_LE(wire.open);
    if (open > 1 || wire.reserved != 0) {
        return g_strdup_printf("LINE in state %u, or its reserved field is "
                               "not 0", open);
    }
    if (line >= FABRIC_LINES_MAX || wire.incarnation == 0) {
        return g_strdup_printf("LINE of line %u, or for incarnation 0", line);
    }
    msg->line.line = line;
    msg->line.open = open;
    msg->line.incarnation = GUINT32_FROM_LE(wire.incarnation);
    return NULL;
}

static char *fabric_body_decode(const void *data, FabricMessage *msg)
{
    switch (msg->type) {
    case FABRIC_HELLO:
        return fabric_hello_decode(data, msg);
    case FABRIC_STATE:
        return fabric_state_decode(data, msg);
    case FABRIC_INVALIDATE:
        return fabric_invalidate_decode(data, msg);
    case FABRIC_PORT:
        return fabric_port_decode(data, msg);
    case FABRIC_LINE:
        return fabric_line_decode(data, msg);
    default:
        return NULL;
    }
}

bool fabric_wire_ours(const void *data, size_t size)
{
    FabricWireHeader header;

    if (size < sizeof(header)) {
        return false;
    }
    memcpy(&header, data, sizeof(header));
    return GUINT32_FROM_LE(header.magic) == FABRIC_WIRE_MAGIC;
}

char *fabric_wire_decode(const void *data, size_t size, unsigned n_fds,
                         FabricMessage *msg)
{
    FabricWireHeader header;
    size_t length;
    unsigned version;
    char *fault;

    if (!fabric_wire_ours(data, size)) {
        return g_strdup_printf("a packet of %zu bytes that is not of this "
                               "protocol", size);
    }
    memcpy(&header, data, sizeof(header));
    version = GUINT16_FROM_LE(header.version);
    if (version != FABRIC_WIRE_VERSION) {
        return g_strdup_printf("it speaks version %u of the fabric protocol, "
                               "we speak %u: use the same build for all nodes",
                               version, FABRIC_WIRE_VERSION);
    }
    msg->type = GUINT16_FROM_LE(header.type);
    msg->seq = GUINT32_FROM_LE(header.seq);
    length = fabric_wire_length(msg->type);
    if (length == 0) {
        return g_strdup_printf("message of unknown type %u", msg->type);
    }
    if (size != length || GUINT32_FROM_LE(header.length) != length) {
        return g_strdup_printf("message of type %u has %zu bytes and says %u, "
                               "should be %zu", msg->type, size,
                               GUINT32_FROM_LE(header.length), length);
    }
    fault = fabric_body_decode(data, msg);
    if (!fault && n_fds != fabric_message_fds(msg)) {
        fault = g_strdup_printf("message of type %u with %u descriptors "
                                "instead of %u", msg->type, n_fds,
                                fabric_message_fds(msg));
    }
    return fault;
}
