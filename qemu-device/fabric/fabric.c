/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fabric as the device sees it: creation and end, and what changes of the
 * own node.  Calls no callback: all come from turn.c.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <fcntl.h>

#include "turn.h"

G_DEFINE_QUARK(fabric_error, fabric_error)

static Fabric *fabric_alloc(const FabricConfig *config, const FabricOps *ops,
                            void *opaque)
{
    Fabric *f = g_new0(Fabric, 1);

    f->ops = ops;
    f->opaque = opaque;
    f->node = config->node;
    f->dir = g_strdup(config->dir);
    f->dir_fd = f->lock_fd = f->listen_fd = f->page_fd = -1;
    for (unsigned i = 0; i <= FABRIC_NODE_MAX; i++) {
        f->nodes[i].closed = config->closed[i];
    }
    for (unsigned i = 0; i < FABRIC_LINES_MAX; i++) {
        f->self.lines[i] = -1;
    }
    fabric_turn_init(f, config);
    return f;
}

/* Listens first: of two nodes that start, at least one sees the other. */
static bool fabric_join(Fabric *f, GMainContext *context, GError **error)
{
    bool present[FABRIC_NODE_MAX + 1] = { false };

    f->start = fabric_dir_number(f);
    if (!fabric_dir_listen(f, error) ||
        !fabric_limit_check(f, fabric_dir_list(f, present), error)) {
        return false;
    }
    for (unsigned node = 1; node <= FABRIC_NODE_MAX; node++) {
        if (present[node]) {
            fabric_dial(f, node);
        }
    }
    /* Last: from here on another thread may dispatch it. */
    return fabric_turn_attach(f, context, error);
}

Fabric *fabric_new(const FabricConfig *config, const FabricOps *ops,
                   void *opaque, GError **error)
{
    Fabric *f;

    if (config->node < 1 || config->node > FABRIC_NODE_MAX) {
        fabric_fail(error, FABRIC_ERROR_ARGUMENT, "node id %u, not 1..%u",
                    config->node, FABRIC_NODE_MAX);
        return NULL;
    }
    f = fabric_alloc(config, ops, opaque);
    if (!fabric_self_init(f, config, error) || !fabric_dir_open(f, error) ||
        !fabric_dir_lock(f, error) ||
        !fabric_join(f, config->context, error)) {
        g_clear_pointer(&f, fabric_free);
    }
    return f;
}

void fabric_free(Fabric *f)
{
    FabricConnection *conn;

    if (!f) {
        return;
    }
    g_return_if_fail(!f->serving);
    while ((conn = g_queue_peek_head(&f->all))) {
        fabric_peer_fini(&conn->peer);
        fabric_line_forget(conn);
        fabric_packet_clear(conn);
        fabric_connection_free(conn);
    }
    fabric_turn_fini(f);
    fabric_line_forget_own(f);
    fabric_self_fini(f);
    fabric_dir_close(f);
    g_free(f->dir);
    g_free(f);
}

void fabric_set_ops(Fabric *f, const FabricOps *ops, void *opaque)
{
    f->ops = ops;
    f->opaque = opaque;
}

FabricPage *fabric_page(Fabric *f)
{
    return f->page;
}

static void set_incarnation(Fabric *f, uint32_t incarnation)
{
    bool enabled = f->self.incarnation != 0;

    f->self.incarnation = incarnation;
    /* Pairs with the acquire in inbound_walk() of the peers. */
    __atomic_store_n(&f->page->incarnation, incarnation, __ATOMIC_RELEASE);
    fabric_news_state(f, enabled);
}

uint32_t fabric_enable(Fabric *f)
{
    uint32_t incarnation = fabric_dir_number(f);

    set_incarnation(f, incarnation);
    return incarnation;
}

void fabric_disable(Fabric *f)
{
    if (f->self.incarnation == 0) {
        return;
    }
    __atomic_store_n(&f->page->inbound, 0, __ATOMIC_RELEASE);
    set_incarnation(f, 0);
}

void fabric_invalidate(Fabric *f, uint64_t first, uint64_t count)
{
    if (count != 0 && first < FABRIC_SCI_PAGES) {
        fabric_news_invalidate(f, first, MIN(count, FABRIC_SCI_PAGES - first));
    }
}

bool fabric_set_line(Fabric *f, unsigned node, unsigned line, int fd)
{
    const FabricPeer *peer = fabric_peer(f, node);

    if (!peer || !peer->linked || f->self.incarnation == 0 ||
        peer->incarnation == 0 || line >= f->self.n_lines) {
        return false;
    }
    if (fd >= 0) {
        fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        if (fd < 0) {
            return false;
        }
    }
    if (node == f->node) {
        fabric_line_give_own(f, line, fd);
    } else {
        fabric_line_give(f->nodes[node].peer, line, fd);
        fabric_news_tell(f->nodes[node].peer);
    }
    return true;
}

bool fabric_busy(const Fabric *f)
{
    return f->waiting;
}

static void add_debtor(GString *names, const FabricConnection *conn)
{
    g_string_append_printf(names, "%snode %u (process %d",
                           names->len ? ", " : "", conn->node,
                           (int)conn->pid);
    if (conn->state != CONNECTION_PEER) {
        g_string_append_printf(names, ", %s until %s",
                               fabric_states[conn->state].name,
                               fabric_states[conn->state].until);
    }
    g_string_append_c(names, ')');
}

char *fabric_debtors(const Fabric *f)
{
    GString *names = g_string_new(NULL);

    for (GList *l = f->all.head; l; l = l->next) {
        const FabricConnection *conn = l->data;

        if (conn->owing) {
            add_debtor(names, conn);
        }
    }
    return g_string_free(names, names->len == 0);
}
