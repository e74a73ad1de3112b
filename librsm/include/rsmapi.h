/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The RSMAPI under the name of the man pages; all of it is in <rsm/rsmapi.h>.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <rsm/rsmapi.h>
