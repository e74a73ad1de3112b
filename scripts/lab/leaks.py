# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""What our modules leave behind in a node with the debug kernel.

Called by testlib after the tests of a file. The modules are unloaded first:
what only their data pointed to has then lost its last reference, and nothing
else in that kernel is a module, so that an address of the module area in a
backtrace is ours.
"""
import bisect
import re
import time

from . import node as node_module, testlib

KMEMLEAK = "/sys/kernel/debug/kmemleak"
MIN_AGE = 5.5           # kmemleak reports nothing younger than 5 s
SCAN_DEADLINE = 120     # seconds, before scaling


def symbols(node):
    """(address, name) of the modules' functions, in order."""
    text = node.check("sh", "-c", "grep ' [tT] .*\\[' /proc/kallsyms || true")
    found = [line.split() for line in text.splitlines()]
    return sorted((int(f[0], 16), f"{f[2]} {f[3]}") for f in found)


def _name(known, address):
    at = bisect.bisect_right(known, (address, "\x7f")) - 1
    if at < 0:
        return f"{address:#x}"
    return f"{known[at][1]}+{address - known[at][0]:#x}"


def named(report, known):
    """REPORT with names instead of the addresses of modules that are gone."""
    return re.sub(r"\b0xf{8}[0-9a-f]{8}\b",
                  lambda m: _name(known, int(m[0], 16)), report)


def scan(node, since):
    """Unreferenced objects; SINCE is when the last of them can have got lost.

    An object counts if two scans find it, unchanged, and it is old enough.
    """
    node.check("sh", "-c", f"echo scan >{KMEMLEAK}", timeout=SCAN_DEADLINE)
    testlib.wait_for(lambda: time.monotonic() > since + MIN_AGE, SCAN_DEADLINE)
    node.check("sh", "-c", f"echo scan >{KMEMLEAK}", timeout=SCAN_DEADLINE)
    return node.check("cat", KMEMLEAK, timeout=SCAN_DEADLINE)


def unload(node):
    """Unload our modules: what holds them would be a leak, too; their symbols."""
    found = symbols(node)

    def gone():
        return node.run(node_module.DRIVERS, "unload")[0] == 0

    testlib.wait_for(gone, 30, f"modules of {node.name} can be unloaded")
    return found


def check(node):
    """Raise if NODE's modules do not unload or something was lost."""
    known = unload(node)
    report = scan(node, time.monotonic())
    if report:
        raise AssertionError(f"{node.name} leaks:\n{named(report, known)}")
