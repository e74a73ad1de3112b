/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The other end as a node: its memory, its rights, what it knows of this node,
 * and what the device has to do for it.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#ifndef FABRIC_PEER_H
#define FABRIC_PEER_H

#include "connection.h"

/* peer.c: control pages and RAM */
bool fabric_self_init(Fabric *f, const FabricConfig *config, GError **error);
void fabric_self_fini(Fabric *f);
/* Checks and maps what came with @hello.  NULL, or what is wrong (g_free). */
char *fabric_peer_init(FabricPeer *peer, const FabricHello *hello,
                       FabricFds *fds);
void fabric_peer_fini(FabricPeer *peer);

/* line.c: the rights to ring */
/* Gives the right to ring @line, and takes @fd; or takes it back, -1. */
void fabric_line_give(FabricConnection *conn, unsigned line, int fd);
/* Encodes what the next LINE says, and its descriptor; grants_due is not 0. */
int fabric_line_next(FabricConnection *conn, FabricMessage *msg);
/* Takes @fd, or -1; true if the rights have changed. */
bool fabric_line_heard(FabricConnection *conn, const FabricMessage *msg,
                       int fd);
/* The pair of incarnations, or the link, is no longer the one of the rights. */
void fabric_line_forget(FabricConnection *conn);
void fabric_line_forget_own(Fabric *f);
/* The same for the own node, which needs no message. */
void fabric_line_give_own(Fabric *f, unsigned line, int fd);

/* news.c: what it is told, one request at a time */
void fabric_news_hello(FabricConnection *conn);
/* Sends the next request if none is on its way and there is news. */
void fabric_news_tell(FabricConnection *conn);
/* The request on its way was acknowledged; returns its type. */
unsigned fabric_news_acknowledged(FabricConnection *conn);
/* The other side holds no mapping now: nothing is waited for any more. */
void fabric_news_cut(FabricConnection *conn);
/* The other side maps nothing of ours and will not, until it hears from us. */
bool fabric_news_is_cut(const FabricConnection *conn);
/* Our incarnation has changed; whether what peers have mapped is awaited. */
void fabric_news_state(Fabric *f, bool enabled_before);
void fabric_news_invalidate(Fabric *f, uint64_t first, uint64_t count);

/* call.c: calls of the device */
/* Calls the device; acknowledges once that returns true, until then retries. */
void fabric_call(FabricConnection *conn, FabricAgain again);
/* The device has done its part of the last request, or had none. */
void fabric_acknowledge(FabricConnection *conn);

/* port.c: whether the link is up */
/* Before peer_present(): peer.linked, without a callback. */
void fabric_port_begin(FabricConnection *conn);
/* The other side has said what its port is. */
void fabric_port_heard(FabricConnection *conn, bool closed);
/* Our port may have become something else to the other side. */
void fabric_port_update(FabricConnection *conn);

#endif /* FABRIC_PEER_H */
