/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The name that <rsm/rsm_common.h> has in the Solaris source tree.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <rsm/rsm_common.h>
