/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ground that everything stands on: when the next turn begins, what this
 * node has in the directory, its descriptors.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#ifndef FABRIC_LOCAL_H
#define FABRIC_LOCAL_H

#include "internal.h"

/* wake.c: what is put off until a turn */
void fabric_report(Fabric *f, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* Has a turn begin soon, if none is going on. */
void fabric_kick(Fabric *f);
/* Has what could not be done tried again after FABRIC_RETRY_MS. */
void fabric_retry(Fabric *f);
/* Whether this turn has lasted long enough. */
bool fabric_turn_over(const Fabric *f);
bool G_GNUC_PRINTF(3, 4) fabric_fail(GError **error, int code,
                                     const char *format, ...);

/* directory.c: lock, numbers and socket of this node */
bool fabric_dir_open(Fabric *f, GError **error);
bool fabric_dir_lock(Fabric *f, GError **error);
bool fabric_dir_listen(Fabric *f, GError **error);
/* Takes the next number of this node; it is written down before. */
uint32_t fabric_dir_number(Fabric *f);
/* Connects to the socket of @node; -1 and errno. */
int fabric_dir_connect(const Fabric *f, unsigned node);
/* Marks the other nodes that have a socket; returns how many. */
unsigned fabric_dir_list(Fabric *f, bool *present);
void fabric_dir_close(Fabric *f);

/* limit.c: whether there are enough descriptors */
/* Raises the limit of descriptors if @nodes need it; false if that fails. */
bool fabric_limit_check(Fabric *f, unsigned nodes, GError **error);
/* Whether @n descriptors are free now. */
bool fabric_limit_free(unsigned n);
/* Says that there is none, and what has to wait; not too often. */
void fabric_limit_report(Fabric *f, const char *what);

#endif /* FABRIC_LOCAL_H */
