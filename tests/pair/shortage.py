#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""What runs out between two nodes, and comes back whole."""
import pairlib
from pairlib import Shell, both_ways, same, wait_for

INSUFFICIENT_RESOURCES = 31
WINDOW_MIB = 16         # 15 of them for imports
STEP = 4 << 20
FIT = 3
SEGMENTS = FIT + 2


def _left(node):
    """What is in use of the adapter and of the agent."""
    return node.check("sh", "-c", "cd /sys/kernel/debug; cat rsm/imports rsm/exports; "
                      "head -n 1 sci/sci0/att; grep ^pages sci/sci0/inbound")


def window_space_runs_out_and_comes_back(exporting, importing):
    before = _left(importing), _left(exporting)
    with Shell(exporting) as e, Shell(importing) as i:
        for k in range(SEGMENTS):
            e.publish(k, f"40060{k}", STEP)
            i.ok(f"connect {k} {exporting.number} 40060{k}")
        for _ in range(3):
            for k in range(FIT):
                i.ok(f"map {k} {STEP}")
            for k in range(FIT, SEGMENTS):
                i.fails(f"map {k} {STEP}", INSUFFICIENT_RESOURCES)
            # What is there works, and what did not fit is still connected.
            i.ok(f"set {FIT - 1} {STEP - 8} 5")
            same(e.ok(f"get {FIT - 1} {STEP - 8}"), "5", "last word of the last that fits")
            i.ok("unmap 0")
            i.ok(f"map {FIT} {STEP}")
            i.ok(f"set {FIT} 0 6")
            same(e.ok(f"get {FIT} 0"), "6", "word of the one that took its place")
            for k in range(1, FIT + 1):
                i.ok(f"unmap {k}")
        # An import that dies with its program gives its space back as well.
        for k in range(FIT):
            i.ok(f"map {k} {STEP}")
        i.kill()
        with Shell(importing) as other:
            for k in range(FIT):
                other.ok(f"connect {k} {exporting.number} 40060{k}")
            wait_for(lambda: not other.ask(f"map {FIT - 1} {STEP}")[0], 10, "space of the dead")
            for k in range(FIT - 1):
                other.ok(f"map {k} {STEP}")
    wait_for(lambda: (_left(importing), _left(exporting)) == before, 10, "all of it back")


def many_imports_of_one_segment_take_the_space_of_one(exporting, importing):
    with Shell(exporting) as e, Shell(importing) as i:
        e.publish(0, "400610", STEP)
        for k in range(20):
            i.ok(f"connect {k} {exporting.number} 400610")
            i.ok(f"map {k} {STEP}")
        i.ok("set 19 0 9")
        same(i.ok("get 0 0"), "9", "word through another handle")


if __name__ == "__main__":
    pairlib.main(both_ways(
        window_space_runs_out_and_comes_back,
        many_imports_of_one_segment_take_the_space_of_one), window=WINDOW_MIB)
