#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""The window is memory, and only the exporter's published memory."""
import re

import pairlib
from pairlib import Shell, both_ways, end_storm, same, storm

MIB = 1 << 20
PAGE = 4096
ADDITIONS = 1000000
STORES = 1000000
COPY = 65536
MARKER = 0x5707
SECRET = 0x9e3779b97f4a7c15
HUNT_PAGES = 270000     # the driver's table has 1025 x 256 in a node of 256 MiB
KILL_ROUNDS = 3


def atomic_additions_of_both_nodes_are_exact(exporting, importing):
    with exporting.spawn("xadd", "export", "400100", str(ADDITIONS)) as e, \
            importing.spawn("xadd", "import", str(exporting.number), "400100",
                            str(ADDITIONS)) as i:
        same(i.wait(120), 0, f"status of the importer ({i.err!r})")
        same(e.wait(120), 0, f"status of the exporter ({e.err!r})")
        same(e.out.strip(), f"total {2 * ADDITIONS}", "sum")


def _traps(nodes):
    return [n.check("sciprobe", "traps").strip() for n in nodes]


def stores_and_loads_cause_no_exit(exporting, importing):
    with Shell(exporting) as e, Shell(importing) as i:
        e.publish(0, "400101", MIB)
        i.load(0, exporting.number, "400101", MIB)
        before = _traps((exporting, importing))
        i.ok(f"stores 0 {STORES}", 60)
        i.ok("close 0")
        i.ok("fill 0 3")
        same(i.ok("check 0 3"), "0", "words that differ at the importer")
        same(e.ok("check 0 3"), "0", "words that differ at the exporter")
        same(_traps((exporting, importing)), before, "trapped accesses of the nodes")


def copies_through_the_window_arrive(exporting, importing):
    with Shell(exporting) as e:
        e.publish(0, "400102", COPY)
        print("#", importing.check("copyratio", str(exporting.number), "400102", str(COPY),
                                   timeout=120).strip(), flush=True)
        same(e.ok("check 0 0"), "0", "words that differ at the exporter")


def memory_is_free_of_stores_when_unpublish_returns(exporting, importing):
    size = 64 * PAGE
    with storm(importing, exporting, "400103", size, MARKER) as s:
        out = exporting.check("reuse", "400103", str(size), "12", "150", f"{MARKER:x}",
                              timeout=110)
        same(out.strip(), "rounds 12 violations 0", "reuse")
        counts = end_storm(s)
        same((counts["connects"], counts["aborts"]), (12, 12), "connects and aborts of storm")


def memory_of_a_killed_exporter_is_free_of_stores(exporting, importing):
    size = 4 * MIB
    with storm(importing, exporting, "400104", size, MARKER) as s:
        for _ in range(KILL_ROUNDS):
            with Shell(exporting) as e:
                e.publish(0, "400104", size)
                e.ok(f"await 0 {size - 8} {MARKER} 20000")
                e.kill()
            out = exporting.check("memcheck", f"{SECRET:x}", "1500")
            if not re.search(r"^bytes [1-9]\d{7,} changed 0$", out, re.M):
                raise AssertionError(f"memcheck: {out!r}")
        same(end_storm(s)["aborts"], KILL_ROUNDS, "aborts of storm")


def nothing_but_the_published_is_reachable(exporting, importing):
    with Shell(exporting) as e, Shell(importing) as i, \
            exporting.spawn("memcheck", f"{SECRET:x}", "100000") as memory:
        e.publish(0, "400105", 8 * PAGE, f"{importing.number}:0666")
        e.publish(1, "400106", 8 * PAGE, f"{importing.number}:0444")
        e.publish(2, "400107", 8 * PAGE, f"{exporting.number}:0666")
        e.ok("fill 0 1")
        e.ok("fill 1 2")
        for page in range(8):
            e.ok(f"set 2 {page * PAGE} {SECRET}")
        i.load(0, exporting.number, "400105", 8 * PAGE)
        i.ok(f"connect 1 {exporting.number} 400106 400")
        i.ok(f"map 1 {8 * PAGE} 400")
        same(i.ok("check 1 2"), "0", "words of the read-only segment that differ")
        memory.expect("^ready$", 30)
        status, out, err = importing.run("sciprobe", "hunt", str(exporting.number),
                                         str(HUNT_PAGES), f"{SECRET:x}", timeout=180)
        print("#", out.strip(), flush=True)
        same(status, 0, f"sciprobe ({out.strip()!r}, {err.strip()!r})")
        # 17 pages are allowed; were none mapped, the tool would be blind.
        if int(out.split()[3]) < 17:
            raise AssertionError(f"sciprobe does not even reach what is allowed: {out!r}")
        same((e.ok("check 0 1"), e.ok("check 1 2")), ("0", "0"), "words changed by the probe")
        same([e.ok(f"get 2 {page * PAGE}") for page in range(8)], [str(SECRET)] * 8,
             "words of the unreachable segment")
        memory.signal("TERM")
        same(memory.wait(), 0, f"status of memcheck ({memory.out!r})")
        # The probe's failed accesses count against the node; a new span is good.
        i.ok("open 0")
        i.ok("set 0 0 1")
        i.ok("close 0")


if __name__ == "__main__":
    pairlib.main(both_ways(
        atomic_additions_of_both_nodes_are_exact, stores_and_loads_cause_no_exit,
        copies_through_the_window_arrive, memory_is_free_of_stores_when_unpublish_returns,
        memory_of_a_killed_exporter_is_free_of_stores, nothing_but_the_published_is_reachable))
