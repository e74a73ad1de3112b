# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""The distribution's QEMU: Debian's packages, unpacked below the build tree.

Nothing is installed. What the host has for certain, the C library, is taken
from there; everything else that QEMU is linked against comes along.
"""
from . import apt, paths, qemusource, steps

PACKAGE = "qemu-system-x86"
WANTED = ("qemu-system-", "lib", "seabios", "ipxe-qemu")
HEADERS = "liburing-dev"    # QEMU's own headers include those of liburing
HOSTS = ("libc6", "libc-bin", "libgcc-s1", "libstdc++6")


def suite():
    """Suite whose QEMU runs on this host: that of the source if it fits the host's release."""
    release, source = paths.host_release(), qemusource.suite()
    if source.partition("-")[0] == release:
        return source
    # The release itself has a QEMU that is too old.
    return "bookworm-backports" if release == "bookworm" else "trixie"


def prepare():
    """Have QEMU's programs and firmware."""
    key = steps.key_of(suite())
    with steps.locked("qemu-dist"):
        if steps.done("qemu-dist", key):
            return
        root = apt.Root(suite())
        names = [p for p in root.closure([PACKAGE])
                 if p.startswith(WANTED) and p not in HOSTS]
        root.fetch("qemu packages", [*names, HEADERS], paths.QEMU_DIST)
        steps.mark("qemu-dist", key)
