#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Segments of 2 GiB and more, from end to end, and the end of the SCI address space."""
import functools
import pathlib
import re

import pairlib
from lab import kernel
from pairlib import Shell, same, testlib

BAD_LENGTH = 20
INSUFFICIENT_RESOURCES = 31
GIB = 1 << 30
SIZE = 9 * GIB // 4
# Of a node; the debug kernel keeps more than a quarter of it for itself.
MEMORY_MIB = 4096 if testlib.kernel_name() == kernel.DEBUG else 3072
WINDOW_MIB = 4096
HOST_BYTES = 2 * (SIZE + GIB) * MEMORY_MIB // 3072
SECONDS = 180           # to pin and to map all of it, under TCG on a busy host
# Where a 31-bit or 32-bit number of bytes, or of pages' bytes, would go wrong.
OFFSETS = [0, 8, GIB, 2 * GIB - 8, 2 * GIB, 2 * GIB + 8, 2 * GIB + 4096, SIZE - 4096, SIZE - 8]


def _available():
    text = pathlib.Path("/proc/meminfo").read_text(encoding="ascii")
    return int(re.search(r"MemAvailable: +(\d+) kB", text)[1]) << 10


def large_segment_works_to_its_last_word(lab, a, b):
    exporting, importing = lab.node(a), lab.node(b)
    with Shell(exporting) as e, Shell(importing) as i:
        e.ok(f"export 0 {SIZE}", SECONDS)
        e.ok("publish 0 400400", SECONDS)
        i.ok(f"connect 0 {exporting.number} 400400")
        i.fails(f"map 0 {SIZE + 4096}", BAD_LENGTH)
        i.ok(f"map 0 {SIZE}", SECONDS)
        i.ok("init 0")
        i.ok("open 0")
        for n, offset in enumerate(OFFSETS, 1):
            i.ok(f"set 0 {offset} {1000 + n}")
        i.ok("close 0")
        for n, offset in enumerate(OFFSETS, 1):
            same(e.ok(f"get 0 {offset}"), str(1000 + n), f"word at {offset:#x} of the exporter")
            e.ok(f"set 0 {offset} {2000 + n}")
        for n, offset in enumerate(OFFSETS, 1):
            same(i.ok(f"get 0 {offset}"), str(2000 + n), f"word at {offset:#x} of the importer")
        e.ok("unpublish 0", SECONDS)
        i.ok("open 0")
        i.ok(f"set 0 {SIZE - 8} 1")
        i.fails("close 0", pairlib.CONN_ABORTED)
        same(e.ok(f"get 0 {SIZE - 8}"), str(2000 + len(OFFSETS)), "last word after unpublishing")
        e.ok("destroy 0", SECONDS)
        # All that memory goes with the programs, which takes its time as well.
        for shell in (e, i):
            shell.process.close_input()
            same(shell.process.wait(SECONDS), 0, f"status of rsmsh on {shell.node.name}")
    pinned = exporting.check("sh", "-c", "cat /sys/kernel/debug/rsm/exports | wc -l").strip()
    same(pinned, "0", "exports that are left")


def _inbound(node):
    return node.check("grep", "^pages", "/sys/kernel/debug/sci/sci0/inbound")


def sci_address_space_runs_out_and_comes_back(lab):
    """Less of it than memory: what does not fit is not published, and later can be."""
    exporting, importing = lab.node(1), lab.node(2)
    exporting.drivers("unload")
    try:
        exporting.check("modprobe", "sci", "export_space=1024")
        pairlib.paths_are_active(lab)
        before = _inbound(exporting)
        with Shell(exporting) as e, Shell(importing) as i:
            for k, mib in enumerate((700, 323, 323)):
                e.ok(f"export {k} {mib << 20}", SECONDS)
            for _ in range(3):
                e.ok("publish 0 400410", SECONDS)
                e.ok("publish 1 400411", SECONDS)
                e.fails("publish 2 400412", INSUFFICIENT_RESOURCES)
                i.fails(f"connect 2 {exporting.number} 400412", pairlib.SEG_NOT_PUBLISHED)
                e.ok("unpublish 1", SECONDS)
                e.ok("publish 2 400412", SECONDS)
                i.load(2, exporting.number, "400412", 323 << 20)
                i.ok(f"set 2 {(323 << 20) - 8} 6")
                i.ok("close 2")
                same(e.ok(f"get 2 {(323 << 20) - 8}"), "6", "last word of what fits now")
                for command in ("fini", "unmap", "disconnect"):
                    i.ok(f"{command} 2")
                e.ok("unpublish 0", SECONDS)
                e.ok("unpublish 2", SECONDS)
                same(_inbound(exporting), before, "SCI pages in use")
            e.process.close_input()
            same(e.process.wait(SECONDS), 0, "status of rsmsh")
    finally:
        exporting.drivers("unload")
        exporting.drivers("load")


def _direction(a, b):
    @functools.wraps(large_segment_works_to_its_last_word)
    def run(lab):
        large_segment_works_to_its_last_word(lab, a, b)
    run.__name__ += f"_{a}_to_{b}"
    return run


def no_room(_lab):
    raise testlib.Skip(f"needs {HOST_BYTES >> 30} GiB of free memory on the host")


if __name__ == "__main__":
    if _available() < HOST_BYTES:
        testlib.main([no_room], nodes=0)
    pairlib.main([_direction(1, 2), _direction(2, 1),
                  sci_address_space_runs_out_and_comes_back], memory=MEMORY_MIB, window=WINDOW_MIB)
