# SPDX-License-Identifier: GPL-2.0-or-later
# What the fuzzer's QEMU has: a machine and the adapter.
CONFIG_I440FX=y
CONFIG_SCI_ADAPTER=y
