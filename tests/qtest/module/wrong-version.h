/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes the guard one for another minor version of QEMU.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "config-host.h"
#undef QEMU_VERSION_MINOR
#define QEMU_VERSION_MINOR 99
