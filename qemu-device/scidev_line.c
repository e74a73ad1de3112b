/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Doorbells: the lines that this node opens to others, their rings, and our
 * ringing of theirs.  Called by register accesses, by the fabric's callbacks,
 * and by the main loop when somebody rings.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * Each pair of node and line has an eventfd of its own, so that a right can be
 * taken back without asking anybody: nobody listens to it any more.  It is the
 * main loop that frees it, since the handler may be running when the fabric's
 * thread closes the line.
 */
#include "qemu/osdep.h"
#include <sys/uio.h>
#include "qemu/atomic.h"
#include "qemu/main-loop.h"
#include "scidev.h"
#include "trace.h"

/*
 * Whether it was rung.  The other process has the same open file and could make
 * it one that blocks, so that a plain read() might wait for ever.
 */
static bool scidev_line_rung(SCIDevLine *l)
{
    uint64_t count;
    struct iovec iov = { .iov_base = &count, .iov_len = sizeof(count) };
    ssize_t ret;

    do {
        ret = preadv2(event_notifier_get_fd(&l->ring), &iov, 1, -1,
                      RWF_NOWAIT);
    } while (ret < 0 && errno == EINTR);
    return ret == sizeof(count);
}

/* Somebody rang.  A masked vector keeps the ring in its pending bit. */
static void scidev_line_ring(EventNotifier *e)
{
    SCIDevLine *l = container_of(e, SCIDevLine, ring);
    SCIDev *s = l->dev;
    bool open = !qatomic_read(&l->closed);

    if (!scidev_line_rung(l)) {
        return;
    }
    trace_scidev_line(s->node_id, l->node, l->line, open);
    if (open) {
        scidev_irq_notify(s, SCI_VECTOR_LINE(l->line));
    }
}

static SCIDevLine *scidev_line_at(const GPtrArray *lines, unsigned i)
{
    return g_ptr_array_index(lines, i);
}

/* The index in `line`, or its length if it is not open. */
static unsigned scidev_line_find(SCIDev *s, unsigned node, unsigned line)
{
    unsigned i = 0;

    while (i < s->line->len && (scidev_line_at(s->line, i)->node != node ||
                                scidev_line_at(s->line, i)->line != line)) {
        i++;
    }
    return i;
}

void scidev_line_listen(SCIDevLine *l, bool listen)
{
    event_notifier_set_handler(&l->ring, listen ? scidev_line_ring : NULL);
}

void scidev_lines_foreach(SCIDev *s, unsigned line,
                          void (*func)(SCIDev *s, SCIDevLine *l))
{
    scidev_lock(s->lock);
    for (unsigned i = 0; i < s->line->len + s->closed_lines->len; i++) {
        SCIDevLine *l = i < s->line->len
            ? scidev_line_at(s->line, i)
            : scidev_line_at(s->closed_lines, i - s->line->len);

        if (l->line == line) {
            func(s, l);
        }
    }
    scidev_unlock(s->lock);
}

static void scidev_line_free(SCIDevLine *l)
{
    scidev_eventfd_detach(l->dev, l);
    scidev_line_listen(l, false);
    event_notifier_cleanup(&l->ring);
    g_free(l);
}

/* By the main loop, with the big lock. */
static void scidev_lines_free(void *opaque)
{
    SCIDev *s = opaque;
    GPtrArray *closed;

    scidev_lock(s->lock);
    closed = s->closed_lines;
    s->closed_lines = g_ptr_array_new();
    scidev_unlock(s->lock);
    for (unsigned i = 0; i < closed->len; i++) {
        scidev_line_free(scidev_line_at(closed, i));
    }
    g_ptr_array_free(closed, true);
}

static void scidev_line_end(SCIDev *s, unsigned index)
{
    SCIDevLine *l = scidev_line_at(s->line, index);

    trace_scidev_line_open(s->node_id, l->node, l->line, false);
    g_ptr_array_remove_index_fast(s->line, index);
    qatomic_set(&l->closed, true);
    g_ptr_array_add(s->closed_lines, l);
    qemu_bh_schedule(s->lines_bh);
}

/* The fabric calls nobody about the own node. */
static void scidev_line_own(SCIDev *s, unsigned node)
{
    if (node == s->node_id) {
        scidev_slot_set_open(s, node, fabric_peer(s->fabric, node)->lines);
    }
}

/* Why a line cannot be opened, and *@kind of error; NULL: it can. */
static const char *scidev_line_fault(SCIDev *s, unsigned node, unsigned line,
                                     uint32_t *kind)
{
    *kind = SCI_ERROR_NODE;
    if (node < SCI_NODE_MIN || node > SCI_NODE_MAX ||
        scidev_slot_link(s, node) != SCI_LINK_UP) {
        return "the node is not up";
    }
    *kind = SCI_ERROR_LINE;
    if (line >= s->lines) {
        return "there is no such line";
    }
    /* Also those that have a descriptor until the main loop frees them. */
    if (s->line->len + s->closed_lines->len >= SCI_LINES_OPEN_MAX) {
        return "too many are open";
    }
    return NULL;
}

void scidev_line_open(SCIDev *s, uint32_t val)
{
    unsigned node = SCI_GET(SCI_LINE_NODE, val);
    unsigned line = SCI_GET(SCI_LINE_LINE, val);
    uint32_t kind;
    const char *fault = scidev_line_fault(s, node, line, &kind);
    SCIDevLine *l;

    if (!fault && scidev_line_find(s, node, line) < s->line->len) {
        return;
    }
    l = g_new0(SCIDevLine, 1);
    l->dev = s;
    l->node = node;
    l->line = line;
    if (!fault && event_notifier_init(&l->ring, 0) < 0) {
        fault = "the host has no descriptor left";
    } else if (!fault && !fabric_set_line(s->fabric, node, line,
                                          event_notifier_get_fd(&l->ring))) {
        event_notifier_cleanup(&l->ring);
        fault = "the node is going, or the host has no descriptor left";
    }
    if (fault) {
        g_free(l);
        scidev_error(s, kind, SCIDEV_NODE_NONE,
                     "line %u cannot be opened to node %u: %s", line, node,
                     fault);
        return;
    }
    trace_scidev_line_open(s->node_id, node, line, true);
    g_ptr_array_add(s->line, l);
    scidev_line_listen(l, true);
    scidev_eventfd_attach(s, l);
    scidev_line_own(s, node);
}

void scidev_line_close(SCIDev *s, uint32_t val)
{
    unsigned node = SCI_GET(SCI_LINE_NODE, val);
    unsigned line = SCI_GET(SCI_LINE_LINE, val);
    unsigned index = scidev_line_find(s, node, line);

    if (index < s->line->len) {
        fabric_set_line(s->fabric, node, line, -1);
        /* From here on nobody hears it: see scidev_line_ring(). */
        scidev_eventfd_detach(s, scidev_line_at(s->line, index));
        scidev_line_end(s, index);
        scidev_line_own(s, node);
    }
}

void scidev_lines_close(SCIDev *s, unsigned node)
{
    for (unsigned i = s->line->len; i > 0; i--) {
        if (node == SCIDEV_NODE_NONE ||
            scidev_line_at(s->line, i - 1)->node == node) {
            scidev_line_end(s, i - 1);
        }
    }
}

void scidev_doorbell(SCIDev *s, uint32_t val)
{
    unsigned node = SCI_GET(SCI_DOORBELL_NODE, val);
    unsigned line = SCI_GET(SCI_DOORBELL_LINE, val);

    if (node < SCI_NODE_MIN || node > SCI_NODE_MAX ||
        scidev_slot_link(s, node) != SCI_LINK_UP) {
        scidev_error(s, SCI_ERROR_NODE, node,
                     "doorbell to node %u, which is not up", node);
        return;
    }
    if (!fabric_ring(s->fabric, node, line)) {
        scidev_error(s, SCI_ERROR_LINE, node,
                     "doorbell to line %u, which node %u has not opened to us",
                     line, node);
        return;
    }
    trace_scidev_doorbell(s->node_id, node, line);
}

void scidev_lines_init(SCIDev *s)
{
    s->line = g_ptr_array_new();
    s->closed_lines = g_ptr_array_new();
    s->lines_bh = qemu_bh_new(scidev_lines_free, s);
}

/* The fabric is gone: nobody else closes lines. */
void scidev_lines_exit(SCIDev *s)
{
    if (!s->line) {
        return;
    }
    scidev_lock(s->lock);
    scidev_lines_close(s, SCIDEV_NODE_NONE);
    scidev_unlock(s->lock);
    scidev_lines_free(s);
    qemu_bh_delete(s->lines_bh);
    g_ptr_array_free(g_steal_pointer(&s->line), true);
    g_ptr_array_free(g_steal_pointer(&s->closed_lines), true);
}
