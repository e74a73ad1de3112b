/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The exporter's side: opening the inbound tables to peers, by the control
 * page, and invalidations.  Peers' adapters read the tables themselves.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qemu/timer.h"
#include "scidev.h"
#include "trace.h"

/* Until the host may let our own window go, which it refused. */
#define SCIDEV_RETRY_MS     50

/* NULL, or what is wrong with a table. */
static const char *scidev_table_check(SCIDev *s, uint64_t base, uint32_t count,
                                      uint32_t max, uint64_t element)
{
    if (count == 0 || count > max) {
        return "count out of range";
    }
    if (base % element) {
        return "base not aligned";
    }
    if (!fabric_ram_host(fabric_peer(s->fabric, s->node_id), base,
                         count * element)) {
        return "not within one range of shared RAM";
    }
    return NULL;
}

void scidev_inbound_open(SCIDev *s)
{
    FabricPage *page = fabric_page(s->fabric);
    const char *wrong;

    if (!(s->control & SCI_CONTROL_ENABLE)) {
        scidev_error(s, SCI_ERROR_INBOUND, SCIDEV_NODE_NONE,
                     "INBOUND without ENABLE");
        return;
    }
    wrong = scidev_table_check(s, s->inbound_base, s->inbound_count,
                               SCI_DIR_MAX, SCI_DIR_ALIGN);
    if (wrong) {
        scidev_error(s, SCI_ERROR_INBOUND, SCIDEV_NODE_NONE,
                     "inbound directory: %s", wrong);
        return;
    }
    wrong = scidev_table_check(s, s->access_base, s->access_count,
                               SCI_ACCESS_MAX, SCI_ACCESS_ALIGN);
    if (wrong) {
        scidev_error(s, SCI_ERROR_INBOUND, SCIDEV_NODE_NONE, "access table: %s",
                     wrong);
        return;
    }
    trace_scidev_inbound(s->node_id, true);
    qatomic_set(&page->inbound_base, s->inbound_base);
    qatomic_set(&page->inbound_count, s->inbound_count);
    qatomic_set(&page->access_base, s->access_base);
    qatomic_set(&page->access_count, s->access_count);
    /* Pairs with the acquire in the peers' inbound_translate(). */
    qatomic_store_release(&page->inbound, 1);
    s->control |= SCI_CONTROL_INBOUND;
}

/* The fabric calls nobody about the own node. */
void scidev_own_invalidate(SCIDev *s, uint64_t first, uint64_t count)
{
    if (!scidev_att_invalidate(s, s->node_id, first, count)) {
        s->own_stuck = true;
        timer_mod(s->own_retry, qemu_clock_get_ms(QEMU_CLOCK_REALTIME) +
                  SCIDEV_RETRY_MS);
    }
}

static void scidev_invalidate(SCIDev *s, uint64_t first, uint64_t count)
{
    trace_scidev_invalidate(s->node_id, first, count);
    scidev_own_invalidate(s, first, count);
    fabric_invalidate(s->fabric, first, count);
    scidev_inval_wait(s);
}

void scidev_inbound_close(SCIDev *s)
{
    trace_scidev_inbound(s->node_id, false);
    s->control &= ~SCI_CONTROL_INBOUND;
    qatomic_set(&fabric_page(s->fabric)->inbound, 0);
    scidev_invalidate(s, 0, SCI_PAGES_MAX);
}

void scidev_inval_start(SCIDev *s)
{
    uint64_t first = s->inval_first;
    uint64_t count = s->inval_count;

    if (s->inval_busy) {
        scidev_error(s, SCI_ERROR_INVAL, SCIDEV_NODE_NONE,
                     "invalidation while one is busy");
        return;
    }
    if (count == 0 || count > SCI_PAGES_MAX || first > SCI_PAGES_MAX - count) {
        scidev_error(s, SCI_ERROR_INVAL, SCIDEV_NODE_NONE,
                     "invalidation of 0x%" PRIx64 " pages at 0x%" PRIx64, count,
                     first);
        return;
    }
    scidev_invalidate(s, first, count);
}

void scidev_inval_wait(SCIDev *s)
{
    s->inval_busy = true;
    s->inval_silent = false;
    scidev_inval_settled(s);
}

void scidev_inval_settled(SCIDev *s)
{
    if (!s->inval_busy || s->own_stuck || fabric_busy(s->fabric)) {
        return;
    }
    trace_scidev_settled(s->node_id);
    s->inval_busy = false;
    if (!s->inval_silent) {
        scidev_irq_raise(s, SCI_INT_INVAL);
    }
    s->inval_silent = false;
}

static void scidev_own_retry(void *opaque)
{
    SCIDev *s = opaque;

    scidev_lock(s->lock);
    s->own_stuck = false;
    scidev_own_invalidate(s, 0, SCI_PAGES_MAX);
    scidev_inval_settled(s);
    scidev_unlock(s->lock);
}

void scidev_inbound_init(SCIDev *s)
{
    s->own_retry = timer_new_ms(QEMU_CLOCK_REALTIME, scidev_own_retry, s);
}

void scidev_inbound_exit(SCIDev *s)
{
    g_clear_pointer(&s->own_retry, timer_free);
}
