// SPDX-License-Identifier: GPL-2.0-only
/*
 * What sci_kunit.ko, the tests of the driver, calls.  Part of sci.ko if the kernel
 * has KUnit.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "../include/kunit_exports.h"
#include "sci.h"

KUNIT_EXPORT(sci_access_get);
KUNIT_EXPORT(sci_access_init);
KUNIT_EXPORT(sci_access_put);
KUNIT_EXPORT(sci_access_ring);
KUNIT_EXPORT(sci_att_alloc);
KUNIT_EXPORT(sci_att_free);
KUNIT_EXPORT(sci_dma_map);
KUNIT_EXPORT(sci_dma_unmap);
KUNIT_EXPORT(sci_export_offer);
KUNIT_EXPORT(sci_export_rebind);
KUNIT_EXPORT(sci_export_withdraw);
KUNIT_EXPORT(sci_import_map);
KUNIT_EXPORT(sci_import_mapped);
KUNIT_EXPORT(sci_import_unmap);
KUNIT_EXPORT(sci_inbound_alloc);
KUNIT_EXPORT(sci_inbound_free);
KUNIT_EXPORT(sci_inbound_leaves);
KUNIT_EXPORT(sci_message_bell);
KUNIT_EXPORT(sci_message_look);
KUNIT_EXPORT(sci_message_look_begin);
KUNIT_EXPORT(sci_message_look_end);
KUNIT_EXPORT(sci_message_send);
KUNIT_EXPORT(sci_message_start);
KUNIT_EXPORT(sci_message_stop);
KUNIT_EXPORT(sci_message_work);
KUNIT_EXPORT(sci_peer_incarnation);
KUNIT_EXPORT(sci_ring_allowed);
KUNIT_EXPORT(sci_ring_doorbell);
KUNIT_EXPORT(sci_ring_down);
KUNIT_EXPORT(sci_ring_free);
KUNIT_EXPORT(sci_ring_offer);
KUNIT_EXPORT(sci_ring_open);
KUNIT_EXPORT(sci_ring_provide);
KUNIT_EXPORT(sci_ring_up);
