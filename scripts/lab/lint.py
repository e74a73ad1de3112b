# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Linters of the scripts, the same on every host: unstable's, with the libraries they need.

No release that is supported has ruff; a linter that differs from host to host finds
other things on each.
"""
from . import apt, paths, steps

SUITE = "sid"
PROGRAMS = ("ruff", "shellcheck")
TOOLS = paths.BUILD / "lint-tools"
LIBRARIES = ("lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu")


def fetch():
    """Unpack them below the build tree."""
    key = steps.key_of(SUITE, *PROGRAMS)
    with steps.locked("lint-tools"):
        if steps.done("lint-tools", key):
            return
        root = apt.Root(SUITE)
        names = [p for p in root.closure(PROGRAMS) if p in PROGRAMS or p.startswith("lib")]
        root.fetch("linters", names, TOOLS)
        steps.mark("lint-tools", key)


def command(program):
    """What runs PROGRAM with the libraries that came with it."""
    libraries = ":".join(str(TOOLS / folder) for folder in LIBRARIES)
    return [str(TOOLS / "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"),
            "--library-path", libraries, str(TOOLS / "usr/bin" / program)]
