// SPDX-License-Identifier: GPL-2.0-only
/*
 * What rsm_kunit.ko, the tests of the agent, calls.  Part of rsm.ko if the kernel
 * has KUnit.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "../include/kunit_exports.h"
#include "rsmka_file.h"

KUNIT_EXPORT(rsmka_access_missing);
KUNIT_EXPORT(rsmka_acl_admits_others);
KUNIT_EXPORT(rsmka_acl_grants);
KUNIT_EXPORT(rsmka_acl_lookup);
KUNIT_EXPORT(rsmka_acl_rows);
KUNIT_EXPORT(rsmka_charge);
KUNIT_EXPORT(rsmka_credentials_permit);
KUNIT_EXPORT(rsmka_generations);
KUNIT_EXPORT(rsmka_import_check);
KUNIT_EXPORT(rsmka_import_connect);
KUNIT_EXPORT(rsmka_ipc_bell);
KUNIT_EXPORT(rsmka_ipc_queue);
KUNIT_EXPORT(rsmka_local_node);
KUNIT_EXPORT(rsmka_look);
KUNIT_EXPORT(rsmka_look_came);
KUNIT_EXPORT(rsmka_look_init);
KUNIT_EXPORT(rsmka_max_user_share);
KUNIT_EXPORT(rsmka_next_segment_id);
KUNIT_EXPORT(rsmka_path_find);
KUNIT_EXPORT(rsmka_path_state);
KUNIT_EXPORT(rsmka_published_release);
KUNIT_EXPORT(rsmka_published_reserve);
KUNIT_EXPORT(rsmka_row_add);
KUNIT_EXPORT(rsmka_row_get);
KUNIT_EXPORT(rsmka_row_put);
KUNIT_EXPORT(rsmka_segment_close);
KUNIT_EXPORT(rsmka_segment_init);
KUNIT_EXPORT(rsmka_shares_lock);
KUNIT_EXPORT(rsmka_user_get);
KUNIT_EXPORT(rsmka_user_part);
KUNIT_EXPORT(rsmka_user_put);
