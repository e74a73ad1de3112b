/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Translation of an SCI page of a peer into a page of that peer's RAM, by the
 * tables its driver keeps in that RAM.  The importer's adapter calls it when
 * it commits ATT entries.  The tables belong to a hostile guest: each number
 * read from them is read once and bounded.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#ifndef FABRIC_INBOUND_H
#define FABRIC_INBOUND_H

#include "fabric.h"

#define INBOUND_READ    1u
#define INBOUND_WRITE   2u

typedef struct InboundPage {
    uint8_t *host;          /* the 4 KiB page, mapped in this process */
    const FabricRam *ram;   /* the range that it belongs to */
} InboundPage;

typedef enum {
    INBOUND_OK,
    INBOUND_NO_PAGE,    /* beyond the tables, absent, another key, or not RAM */
    INBOUND_DENIED,     /* page or access row does not give `want` */
} InboundResult;

/*
 * inbound_walk: may @node use the @n SCI pages of @peer from @first on, under
 * @key, in the ways @want (INBOUND_READ | INBOUND_WRITE)?  INBOUND_OK if all of
 * them, and @out holds them in their order.  Else the answer for the first one
 * that may not be used; @out holds those before it, and nothing from it on.
 */
InboundResult inbound_walk(const FabricPeer *peer, unsigned node,
                           uint64_t first, unsigned n, uint32_t key,
                           unsigned want, InboundPage *out);

/* The same for one page. */
InboundResult inbound_translate(const FabricPeer *peer, unsigned node,
                                uint64_t sci_page, uint32_t key, unsigned want,
                                InboundPage *out);

#endif /* FABRIC_INBOUND_H */
