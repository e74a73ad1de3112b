/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who belongs to the fabric: how connections begin, which of them makes a peer,
 * what messages do, how it ends.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#ifndef FABRIC_MEMBER_H
#define FABRIC_MEMBER_H

#include "peer.h"

/* dial.c: dialled or accepted */
void fabric_dial(Fabric *f, unsigned node);
void fabric_accept(Fabric *f);
/* Tells epoll whether connections are accepted now. */
void fabric_accept_arm(Fabric *f);
/* A connection to @node was lost: it is dialled again after a while. */
void fabric_redial_later(Fabric *f, unsigned node);
/* Dials those whose time has come. */
void fabric_redial(Fabric *f, int64_t now);

/* member.c: the beginning and the end of a peer */
/* Decides what becomes of a connection that has said hello. */
void fabric_admit(FabricConnection *conn);
/* Both said hello, and ours is out. */
void fabric_peer_begin(FabricConnection *conn);
/* Deals with one that has ended or failed; the only place that frees one. */
void fabric_end(FabricConnection *conn);

/* message.c: what the messages of a peer do */
/* What has happened to a connection: reads, sends, or ends it. */
void fabric_serve(FabricConnection *conn);
/*
 * If our HELLO is out, the other side may map from now on: it is a peer before
 * anybody else gets the lock.
 */
void fabric_answered(FabricConnection *conn);
/* It has not said HELLO in time. */
void fabric_expire(FabricConnection *conn);

#endif /* FABRIC_MEMBER_H */
