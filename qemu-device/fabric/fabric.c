/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fabric as the device sees it: creation and end, the event source that
 * serves all connections, requests to the peers.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <string.h>

#include "internal.h"

typedef struct FabricSource {
    GSource source;
    Fabric *fabric;
} FabricSource;

G_DEFINE_QUARK(fabric_error, fabric_error)

void fabric_report(Fabric *f, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_queue_push_tail(&f->reports, g_strdup_vprintf(format, args));
    va_end(args);
    fabric_kick(f);
}

void fabric_kick(Fabric *f)
{
    f->kicked = true;
    if (!f->serving) {
        g_source_set_ready_time(f->source, 0);
    }
}

void fabric_retry(Fabric *f)
{
    if (f->retry_at == 0) {
        f->retry_at = g_get_monotonic_time() + FABRIC_RETRY_MS * 1000;
        fabric_kick(f);
    }
}

static void fabric_retry_now(Fabric *f)
{
    f->retry_at = 0;
    for (unsigned i = 0; i < f->links->len; i++) {
        FabricLink *link = g_ptr_array_index(f->links, i);

        if (link->short_of_memory) {
            fabric_link_flush(link);
        }
    }
    fabric_dir_redial(f);
    if (f->accept_short) {
        fabric_dir_accept(f);
    }
}

static int64_t fabric_next_deadline(const Fabric *f)
{
    int64_t next = f->retry_at != 0 ? f->retry_at : INT64_MAX;

    for (unsigned i = 0; i < f->links->len; i++) {
        const FabricLink *link = g_ptr_array_index(f->links, i);

        if (link->deadline != 0) {
            next = MIN(next, link->deadline);
        }
    }
    return next;
}

static bool fabric_owed(const Fabric *f)
{
    for (unsigned i = 0; i < f->links->len; i++) {
        if (fabric_link_owes(g_ptr_array_index(f->links, i))) {
            return true;
        }
    }
    return false;
}

static void fabric_arm(Fabric *f)
{
    int64_t next;

    for (unsigned i = 0; i < f->links->len; i++) {
        fabric_link_arm(g_ptr_array_index(f->links, i));
    }
    fabric_dir_arm(f);
    next = fabric_next_deadline(f);
    if (f->kicked) {
        next = 0;
    } else if (next == INT64_MAX) {
        next = -1;
    }
    g_source_set_ready_time(f->source, next);
}

static void fabric_deliver_reports(Fabric *f)
{
    char *message;

    while ((message = g_queue_pop_head(&f->reports))) {
        f->ops->report(f->opaque, message);
        g_free(message);
    }
}

/* Deals with the revents of listener and links, and with what is due. */
static void fabric_serve(Fabric *f)
{
    int64_t now = g_get_monotonic_time();

    f->serving = true;
    if (f->retry_at != 0 && now >= f->retry_at) {
        fabric_retry_now(f);
    }
    if (f->listen_revents) {
        f->listen_revents = 0;
        fabric_dir_accept(f);
    }
    for (unsigned i = 0; i < f->links->len; i++) {
        fabric_link_serve(g_ptr_array_index(f->links, i), now);
    }
    fabric_reap(f);
    /* From here on only callbacks can make something that is not done below. */
    f->kicked = false;
    if (f->waiting && !fabric_owed(f)) {
        f->waiting = false;
        f->ops->settled(f->opaque);
    }
    fabric_deliver_reports(f);
    f->serving = false;
    fabric_arm(f);
}

static gboolean fabric_source_dispatch(GSource *source, GSourceFunc callback,
                                       gpointer data)
{
    Fabric *f = ((FabricSource *)source)->fabric;

    f->listen_revents = g_source_query_unix_fd(source, f->listen_tag);
    for (unsigned i = 0; i < f->links->len; i++) {
        FabricLink *link = g_ptr_array_index(f->links, i);

        link->revents = g_source_query_unix_fd(source, link->tag);
    }
    fabric_serve(f);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs fabric_source_funcs = {
    .dispatch = fabric_source_dispatch,
};

/* Serves what is ready now or becomes ready until @deadline. */
static void fabric_poll(Fabric *f, int64_t deadline)
{
    int64_t until = MIN(deadline, fabric_next_deadline(f));
    int64_t wait = until - g_get_monotonic_time();
    unsigned n = f->links->len;
    g_autofree GPollFD *fds = g_new0(GPollFD, n + 1);

    for (unsigned i = 0; i < n; i++) {
        FabricLink *link = g_ptr_array_index(f->links, i);

        fds[i].fd = link->fd;
        fds[i].events = link->events;
    }
    fds[n].fd = f->listen_fd;
    fds[n].events = f->listen_events;
    g_poll(fds, n + 1, wait <= 0 || f->kicked ? 0 : (wait + 999) / 1000);
    for (unsigned i = 0; i < n; i++) {
        FabricLink *link = g_ptr_array_index(f->links, i);

        link->revents = fds[i].revents;
    }
    f->listen_revents = fds[n].revents;
    fabric_serve(f);
}

bool fabric_settle(Fabric *f, unsigned timeout_ms)
{
    int64_t deadline = g_get_monotonic_time() + (int64_t)timeout_ms * 1000;

    g_return_val_if_fail(!f->serving, false);
    while (f->waiting) {
        fabric_poll(f, deadline);
        if (g_get_monotonic_time() >= deadline) {
            break;
        }
    }
    for (unsigned i = 0; f->waiting && i < f->links->len; i++) {
        const FabricLink *link = g_ptr_array_index(f->links, i);

        if (fabric_link_owes(link)) {
            char *name = fabric_link_name(link);

            fabric_report(f, "%s has not let go of this node's memory within "
                          "%u ms", name, timeout_ms);
            g_free(name);
        }
    }
    fabric_deliver_reports(f);
    return !f->waiting;
}

Fabric *fabric_new(const FabricConfig *config, const FabricOps *ops,
                   void *opaque, GError **error)
{
    Fabric *f;

    if (config->node < 1 || config->node > FABRIC_NODE_MAX) {
        g_set_error(error, FABRIC_ERROR, FABRIC_ERROR_ARGUMENT,
                    "node id %u, not 1..%u", config->node, FABRIC_NODE_MAX);
        return NULL;
    }
    f = g_new0(Fabric, 1);
    f->ops = ops;
    f->opaque = opaque;
    f->node = config->node;
    f->dir = g_strdup(config->dir);
    memcpy(f->closed, config->closed, sizeof(f->closed));
    f->dir_fd = f->lock_fd = f->listen_fd = f->page_fd = -1;
    f->links = g_ptr_array_new();
    g_queue_init(&f->reports);
    f->source = g_source_new(&fabric_source_funcs, sizeof(FabricSource));
    g_source_set_static_name(f->source, "fabric");
    ((FabricSource *)f->source)->fabric = f;

    if (!fabric_self_init(f, config, error) || !fabric_dir_open(f, error) ||
        !fabric_dir_lock(f, error)) {
        fabric_free(f);
        return NULL;
    }
    f->session = fabric_dir_number(f);
    if (!fabric_dir_listen(f, error)) {
        fabric_free(f);
        return NULL;
    }
    /* Listen first: of two nodes that start, at least one sees the other. */
    fabric_dir_scan(f);
    g_source_attach(f->source, config->context);
    return f;
}

void fabric_free(Fabric *f)
{
    if (!f) {
        return;
    }
    g_return_if_fail(!f->serving);
    for (unsigned i = 0; i < f->links->len; i++) {
        FabricLink *link = g_ptr_array_index(f->links, i);

        fabric_peer_fini(&link->peer);
        fabric_link_free(link);
    }
    g_ptr_array_free(f->links, TRUE);
    g_source_destroy(f->source);
    g_source_unref(f->source);
    fabric_self_fini(f);
    fabric_dir_close(f);
    g_queue_clear_full(&f->reports, g_free);
    g_free(f->dir);
    g_free(f);
}

FabricPage *fabric_page(Fabric *f)
{
    return f->page;
}

static void fabric_set_incarnation(Fabric *f, uint32_t incarnation)
{
    FabricMessage msg = {
        .type = FABRIC_STATE,
        .state.incarnation = incarnation,
    };
    bool enabled = f->self.incarnation != 0;

    f->self.incarnation = incarnation;
    /* Pairs with the acquire in inbound_translate() of the peers. */
    __atomic_store_n(&f->page->incarnation, incarnation, __ATOMIC_RELEASE);
    fabric_request(f, &msg, enabled);
}

uint32_t fabric_enable(Fabric *f)
{
    uint32_t incarnation = fabric_dir_number(f);

    fabric_set_incarnation(f, incarnation);
    return incarnation;
}

void fabric_disable(Fabric *f)
{
    if (f->self.incarnation == 0) {
        return;
    }
    __atomic_store_n(&f->page->inbound, 0, __ATOMIC_RELEASE);
    fabric_set_incarnation(f, 0);
}

void fabric_invalidate(Fabric *f, uint64_t first, uint64_t count)
{
    FabricMessage msg = { .type = FABRIC_INVALIDATE };

    if (count == 0 || first >= FABRIC_SCI_PAGES) {
        return;
    }
    msg.invalidate.first = first;
    msg.invalidate.count = MIN(count, FABRIC_SCI_PAGES - first);
    fabric_request(f, &msg, true);
}

bool fabric_busy(const Fabric *f)
{
    return f->waiting;
}

const FabricPeer *fabric_peer(const Fabric *f, unsigned node)
{
    if (node == f->node) {
        return &f->self;
    }
    if (node > FABRIC_NODE_MAX || !f->peers[node]) {
        return NULL;
    }
    return &f->peers[node]->peer;
}
