/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A connection and the packets on it, whoever is at its other end.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#ifndef FABRIC_CONNECTION_H
#define FABRIC_CONNECTION_H

#include "local.h"

/* connection.c: its states, its places, what it owes */
extern const FabricStateInfo fabric_states[];
void fabric_place_enter(FabricPlace *place, GQueue *queue, void *data);
void fabric_place_leave(FabricPlace *place);
/* Takes @fd.  NULL, and a report, if the other end is another user. */
FabricConnection *fabric_connection_new(Fabric *f, int fd, FabricState state,
                                        unsigned node);
void fabric_connection_free(FabricConnection *conn);
void fabric_connection_set_state(FabricConnection *conn, FabricState state);
void fabric_connection_set_node(FabricConnection *conn, unsigned node);
/* Takes @fault; the connection is dropped later in the turn, or in the next. */
void fabric_connection_fail(FabricConnection *conn, char *fault);
/* The other side has closed it, or is to see that we close it. */
void fabric_connection_end(FabricConnection *conn);
bool fabric_connection_alive(const FabricConnection *conn);
/* Whether packets of it are read now. */
bool fabric_connection_reads(const FabricConnection *conn);
/* Tells epoll what this connection waits for now. */
void fabric_connection_arm(FabricConnection *conn);
/* Has this connection tried again after FABRIC_RETRY_MS. */
void fabric_connection_retry(FabricConnection *conn);
/* Counts it, or counts it no longer; to be called after each change. */
void fabric_connection_owes(FabricConnection *conn);
char *fabric_connection_name(const FabricConnection *conn);

/* packet.c: packets with descriptors, out and in */
/* Takes @fd, which goes with a LINE that opens one; else -1. */
void fabric_packet_send(FabricConnection *conn, const FabricMessage *msg,
                        int fd);
void fabric_packet_flush(FabricConnection *conn);
void fabric_packet_clear(FabricConnection *conn);
/* Reads one packet.  False if there is none, or the connection is not alive. */
bool fabric_packet_receive(FabricConnection *conn, FabricMessage *msg,
                           FabricFds *fds);
/* Whether the other side has ended the connection, read or not. */
bool fabric_packet_at_end(const FabricConnection *conn);
bool fabric_packet_waits(const FabricConnection *conn);
void fabric_fds_close(FabricFds *fds);

#endif /* FABRIC_CONNECTION_H */
