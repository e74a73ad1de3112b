/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The event source of the fabric: one epoll descriptor for all connections.  A
 * turn serves those that are ready, one after the other, and the next turn goes
 * on with those that it had no time for; what it costs does not depend on how
 * many others there are.  Calls the device by FabricOps.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "turn.h"

#define TURN_EVENTS     64

/* Outlives a fabric that is freed while another thread waits for the lock. */
typedef struct FabricSource {
    GSource source;
    Fabric *fabric;         /* NULL once it is freed; under the lock */
    void (*lock)(void *opaque);
    void (*unlock)(void *opaque);
    void (*free)(void *opaque);
    void *opaque;
} FabricSource;

static void turn_collect(Fabric *f)
{
    struct epoll_event events[TURN_EVENTS];
    int n = epoll_wait(f->epoll_fd, events, TURN_EVENTS, 0);

    for (int i = 0; i < n; i++) {
        FabricConnection *conn = events[i].data.ptr;

        if (conn) {
            conn->revents |= events[i].events;
            fabric_place_enter(&conn->in_ready, &f->ready, conn);
        } else {
            f->listen_ready = true;
        }
    }
}

static void connection_retry(FabricConnection *conn)
{
    fabric_place_leave(&conn->in_retry);
    conn->short_of_fds = false;
    if (conn->short_of_memory) {
        fabric_packet_flush(conn);
        fabric_answered(conn);
    }
    if (conn->again == AGAIN_GONE) {
        fabric_end(conn);
        return;
    }
    if (conn->again != AGAIN_NOTHING) {
        fabric_call(conn, conn->again);
    }
    fabric_connection_arm(conn);
}

static void turn_retry(Fabric *f, int64_t now)
{
    unsigned n = g_queue_get_length(&f->retry);

    if (f->retry_at == 0 || now < f->retry_at) {
        return;
    }
    f->retry_at = 0;
    f->listen_ready |= f->short_of_fds;
    /* Those that fail again stand at the end. */
    for (; n > 0 && !g_queue_is_empty(&f->retry); n--) {
        connection_retry(g_queue_peek_head(&f->retry));
    }
}

static void turn_deadlines(Fabric *f, int64_t now)
{
    FabricConnection *conn;

    while ((conn = g_queue_peek_head(&f->deadlines)) &&
           now >= conn->deadline) {
        fabric_expire(conn);
    }
}

static void turn_accept(Fabric *f)
{
    if (f->listen_ready) {
        f->listen_ready = false;
        fabric_accept(f);
    }
}

static void turn_serve(Fabric *f)
{
    FabricConnection *conn;

    while ((conn = g_queue_peek_head(&f->ready))) {
        fabric_place_leave(&conn->in_ready);
        fabric_serve(conn);
        if (fabric_turn_over(f)) {
            break;
        }
    }
}

static void turn_ends(Fabric *f)
{
    FabricConnection *conn;

    while ((conn = g_queue_peek_head(&f->ended))) {
        fabric_place_leave(&conn->in_ended);
        fabric_end(conn);
        if (fabric_turn_over(f)) {
            break;
        }
    }
}

static void turn_tell_device(Fabric *f)
{
    char *message;

    if (f->waiting && f->owing == 0) {
        f->waiting = false;
        f->ops->settled(f->opaque);
    }
    while ((message = g_queue_pop_head(&f->reports))) {
        f->ops->report(f->opaque, message);
        g_free(message);
    }
}

static int64_t earlier(int64_t a, int64_t b)
{
    return b == 0 || (a != -1 && a < b) ? a : b;
}

/* When the next turn must begin without an event; -1 = never. */
static int64_t turn_next(const Fabric *f)
{
    const FabricConnection *first = g_queue_peek_head((GQueue *)&f->deadlines);
    int64_t next = -1;

    if (!g_queue_is_empty((GQueue *)&f->ready) ||
        !g_queue_is_empty((GQueue *)&f->ended) ||
        !g_queue_is_empty((GQueue *)&f->reports) ||
        (f->waiting && f->owing == 0)) {
        return 0;
    }
    next = earlier(next, f->retry_at);
    next = earlier(next, f->redial_at);
    return first ? earlier(next, first->deadline) : next;
}

static void fabric_turn(Fabric *f)
{
    int64_t now = g_get_monotonic_time();

    f->serving = true;
    f->turn_end = now + FABRIC_TURN_US;
    turn_collect(f);
    turn_retry(f, now);
    fabric_redial(f, now);
    turn_deadlines(f, now);
    turn_accept(f);
    turn_serve(f);
    turn_ends(f);
    turn_tell_device(f);
    fabric_accept_arm(f);
    f->serving = false;
    g_source_set_ready_time(f->source, turn_next(f));
}

static gboolean source_dispatch(GSource *source, GSourceFunc callback,
                                gpointer data)
{
    FabricSource *s = (FabricSource *)source;

    if (s->lock) {
        s->lock(s->opaque);
    }
    if (s->fabric) {
        fabric_turn(s->fabric);
    }
    if (s->unlock) {
        s->unlock(s->opaque);
    }
    return G_SOURCE_CONTINUE;
}

static void source_finalize(GSource *source)
{
    FabricSource *s = (FabricSource *)source;

    if (s->free) {
        s->free(s->opaque);
    }
}

static GSourceFuncs source_funcs = {
    .dispatch = source_dispatch,
    .finalize = source_finalize,
};

void fabric_turn_init(Fabric *f, const FabricConfig *config)
{
    FabricSource *s;

    f->source = g_source_new(&source_funcs, sizeof(FabricSource));
    g_source_set_static_name(f->source, "fabric");
    s = (FabricSource *)f->source;
    s->fabric = f;
    s->lock = config->lock;
    s->unlock = config->unlock;
    s->free = config->lock_free;
    s->opaque = config->lock_opaque;
    f->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
}

bool fabric_turn_attach(Fabric *f, GMainContext *context, GError **error)
{
    struct epoll_event event = { .events = EPOLLIN };

    if (f->epoll_fd < 0 ||
        epoll_ctl(f->epoll_fd, EPOLL_CTL_ADD, f->listen_fd, &event) < 0) {
        return fabric_fail(error, FABRIC_ERROR_SYSTEM,
                           "cannot wait for events: %s", g_strerror(errno));
    }
    f->listening = true;
    g_source_add_unix_fd(f->source, f->epoll_fd, G_IO_IN);
    g_source_attach(f->source, context);
    return true;
}

void fabric_turn_fini(Fabric *f)
{
    ((FabricSource *)f->source)->fabric = NULL;
    g_source_destroy(f->source);
    g_source_unref(f->source);
    if (f->epoll_fd >= 0) {
        close(f->epoll_fd);
    }
    g_queue_clear_full(&f->reports, g_free);
}
