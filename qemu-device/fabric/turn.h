/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The event source: who is served when.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#ifndef FABRIC_TURN_H
#define FABRIC_TURN_H

#include "member.h"

/* turn.c: one turn after the other */
void fabric_turn_init(Fabric *f, const FabricConfig *config);
bool fabric_turn_attach(Fabric *f, GMainContext *context, GError **error);
void fabric_turn_fini(Fabric *f);

#endif /* FABRIC_TURN_H */
