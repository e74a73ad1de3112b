// SPDX-License-Identifier: GPL-2.0-only
/*
 * What rsm_kunit.ko, the tests of the agent, calls.  Part of rsm.ko if the kernel
 * has KUnit.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "../include/kunit_exports.h"
#include "rsmka_path.h"

KUNIT_EXPORT(rsmka_access_missing);
KUNIT_EXPORT(rsmka_access_permitted);
KUNIT_EXPORT(rsmka_acl_admits_others);
KUNIT_EXPORT(rsmka_acl_lookup);
KUNIT_EXPORT(rsmka_acl_rows);
KUNIT_EXPORT(rsmka_ipc_bell);
KUNIT_EXPORT(rsmka_ipc_header);
KUNIT_EXPORT(rsmka_ipc_post);
KUNIT_EXPORT(rsmka_local_node);
KUNIT_EXPORT(rsmka_next_key);
KUNIT_EXPORT(rsmka_path_active);
KUNIT_EXPORT(rsmka_path_current);
KUNIT_EXPORT(rsmka_path_find);
KUNIT_EXPORT(rsmka_published_release);
KUNIT_EXPORT(rsmka_published_reserve);
KUNIT_EXPORT(rsmka_row_add);
