# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""The lab tool: builds QEMU, kernel modules, library and guest; runs nodes."""
