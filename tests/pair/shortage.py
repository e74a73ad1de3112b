#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""What runs out between two nodes, and comes back whole."""
import contextlib

import pairlib
from lab import leaks
from pairlib import Shell, both_ways, path_is_active, same, testlib, wait_for

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


# Those that may wait for memory fail as well, in every thread, without a call trace.
FAIL = """cd /sys/kernel/debug/{kind} &&
echo {start:#x} >require-start && echo {end:#x} >require-end &&
echo N >ignore-gfp-wait && echo N >task-filter && echo 0 >verbose && echo 1 >interval &&
if [ -e min-order ]; then echo 0 >min-order; fi && echo {times} >times && echo 100 >probability"""


@contextlib.contextmanager
def _failing(node, kind, module, times):
    """The next allocations of this kind below functions of a module fail."""
    known = [at for at, name in leaks.symbols(node) if name.endswith(f"[{module}]")]
    node.check("sh", "-c", FAIL.format(kind=kind, start=min(known), end=max(known) + 1,
                                       times=times))
    try:
        yield
    finally:
        node.check("sh", "-c", f"echo 0 >/sys/kernel/debug/{kind}/probability")


def peers_are_tried_again_when_there_is_memory(exporting, importing):
    """What a node needs for a peer fails twice each: its state, the path, ring and leaf."""
    if exporting.run("test", "-e", "/sys/kernel/debug/failslab/require-start")[0]:
        raise testlib.Skip("the kernel cannot let allocations of a module fail")
    for kind, module, what in (("failslab", "sci", "its state"), ("failslab", "rsm", "the path"),
                               ("fail_page_alloc", "sci", "its ring")):
        exporting.take_link(None, False)
        try:
            # Without that it has all from before.
            exporting.drivers("unload")
            exporting.drivers("load")
            before = exporting.dmesg().count("trying again")
            with _failing(exporting, kind, module, 2):
                exporting.take_link(None, True)
                wait_for(lambda: exporting.dmesg().count("trying again") == before + 2, 20,
                         f"two attempts without memory for {what}")
        finally:
            exporting.take_link(None, True)
        same(exporting.dmesg().count(f"no memory for {what}; trying again") > 0, True,
             f"whether memory for {what} was missing")
        with Shell(exporting) as e, Shell(importing) as i:
            path_is_active(e, importing)
            path_is_active(i, exporting)
            e.publish(0, "400620")
            i.load(0, exporting.number, "400620")
            i.ok("set 0 0 4")
            same(e.ok("get 0 0"), "4", f"word after memory for {what} was missing")


if __name__ == "__main__":
    pairlib.main(both_ways(
        window_space_runs_out_and_comes_back,
        many_imports_of_one_segment_take_the_space_of_one,
        peers_are_tried_again_when_there_is_memory), window=WINDOW_MIB)
