/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What differs between QEMU 10.0, the version that is tested, and the versions
 * since: places of headers, and const in class_init().
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#ifndef HW_SCI_SCIDEV_COMPAT_H
#define HW_SCI_SCIDEV_COMPAT_H

#if __has_include("system/memory.h")
#include "system/address-spaces.h"
#include "system/memory.h"
#include "system/ramblock.h"
#else
#include "exec/address-spaces.h"
#include "exec/memory.h"
#include "exec/ramblock.h"
#endif

#if __has_include("hw/core/qdev-properties.h")
#include "hw/core/boards.h"
#include "hw/core/qdev-properties.h"
#else
#include "hw/boards.h"
#include "hw/qdev-properties.h"
#endif

#if QEMU_VERSION_MAJOR == 10 && QEMU_VERSION_MINOR == 0
typedef void SCIDevClassData;
#else
typedef const void SCIDevClassData;
#endif

#endif /* HW_SCI_SCIDEV_COMPAT_H */
