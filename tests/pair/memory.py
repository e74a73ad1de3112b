#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""The window is memory, and reaches it only while it is published."""
import re

import pairlib
from pairlib import Shell, both_ways, end_storm, same, storm

MIB = 1 << 20
PAGE = 4096
ADDITIONS = 1000000
STORES = 1000000
COPY = 65536
MARKER = 0x5707
FILL = 0x0f111ed0f111ed00
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
    """Whoever gets the exporter's pages next, the moment they are free, has them alone."""
    size = 4 * MIB
    with storm(importing, exporting, "400104", size, MARKER) as s:
        for _ in range(KILL_ROUNDS):
            with Shell(exporting) as e:
                e.publish(0, "400104", size)
                with exporting.spawn("memcheck", f"{FILL:x}", "100000") as next_owner:
                    next_owner.expect("^ready$")
                    e.ok(f"await 0 {size - 8} {MARKER} 20000")
                    e.kill()
                    # One look at all memory takes what the kill has freed, the last one
                    # sees what became of that.
                    next_owner.signal("USR1")
                    next_owner.expect("looked\n", 60)
                    next_owner.signal("TERM")
                    same(next_owner.wait(), 0, f"status of memcheck ({next_owner.out!r})")
                    taken = int(re.search(r"^bytes (\d+)", next_owner.out, re.M)[1])
                    if taken < 32 * MIB:
                        raise AssertionError(f"memcheck looked at {taken} bytes only")
        same(end_storm(s)["aborts"], KILL_ROUNDS, "aborts of storm")


if __name__ == "__main__":
    pairlib.main(both_ways(
        atomic_additions_of_both_nodes_are_exact, stores_and_loads_cause_no_exit,
        copies_through_the_window_arrive, memory_is_free_of_stores_when_unpublish_returns,
        memory_of_a_killed_exporter_is_free_of_stores))
