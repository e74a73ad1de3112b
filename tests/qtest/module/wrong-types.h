/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes the guard one for a QEMU whose PCIDevice has one more field.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "qemu/osdep.h"
#include "hw/pci/pci_device.h"

struct larger {
	PCIDevice device;
	uint64_t field;
};
#define PCIDevice struct larger
