#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""What a hostile kernel reaches of another node: what was published to it."""
import pairlib
from pairlib import Shell, both_ways, same, wait_for

PAGE = 4096
SECRET = 0x9e3779b97f4a7c15
SECRET_SLOTS = (2, 3)   # exported to the own node, and to the third one
HUNT_PAGES = 270000     # the driver's table has 1025 x 256 in a node of 256 MiB
SIZE = 1 << 20
MARKER = 0x5707
STORM_MS = 6000


def nothing_but_the_published_is_reachable(exporting, importing):
    other = 6 - exporting.number - importing.number
    with Shell(exporting) as e, Shell(importing) as i, \
            exporting.spawn("memcheck", f"{SECRET:x}", "100000") as memory:
        e.publish(0, "400105", 8 * PAGE, f"{importing.number}:0666")
        e.publish(1, "400106", 8 * PAGE, f"{importing.number}:0444")
        e.publish(2, "400107", 8 * PAGE, f"{exporting.number}:0666")
        e.publish(3, "400108", 8 * PAGE, f"{other}:0666")
        e.ok("fill 0 1")
        e.ok("fill 1 2")
        for page in range(8):
            for slot in SECRET_SLOTS:
                e.ok(f"set {slot} {page * PAGE} {SECRET}")
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
        for slot in SECRET_SLOTS:
            same([e.ok(f"get {slot} {page * PAGE}") for page in range(8)], [str(SECRET)] * 8,
                 f"words of the unreachable segment {slot}")
        memory.signal("TERM")
        same(memory.wait(), 0, f"status of memcheck ({memory.out!r})")
        # The probe's failed accesses count against the node; a new span is good.
        i.ok("open 0")
        i.ok("set 0 0 1")
        i.ok("close 0")


def hostile_importer_loses_the_memory(exporting, importing):
    """No message to the importer's driver helps here: its adapter must let go."""
    size, last = SIZE, SIZE - 8
    for end in ("unpublish", "kill"):
        with Shell(exporting) as e, Shell(importing) as i, \
                exporting.spawn("memcheck", f"{SECRET:x}", "100000") as next_owner:
            e.publish(0, "400109", size)
            i.load(0, exporting.number, "400109", size)
            next_owner.expect("^ready$")
            with importing.spawn("sciprobe", "storm", str(exporting.number), f"{MARKER:x}",
                                 str(STORM_MS)) as s:
                s.expect(r"entries (\d+) mapped \1\n")
                e.ok(f"set 0 {last} 0")
                e.ok(f"await 0 {last} {MARKER} 10000")
                if end == "unpublish":
                    e.ok("unpublish 0")
                    e.ok("fill 0 9")
                    # The storm goes on; this sees it if it still reaches the memory.
                    wait_for(lambda: e.ok("check 0 9") != "0" or not s.running(), 60,
                             "end of storm")
                    same(e.ok("check 0 9"), "0", "words that changed after unpublish")
                else:
                    e.kill()
                same(s.wait(60), 0, f"status of sciprobe ({s.err!r})")
            next_owner.signal("TERM")
            same(next_owner.wait(), 0, f"status of memcheck ({next_owner.out!r})")


def who_has_no_right_does_nothing_to_a_segment(exporting, importing):
    node = importing.number
    with Shell(exporting) as e, Shell(importing) as root, Shell(importing) as stranger:
        stranger.ok("become 1000")
        e.publish(0, "40010a", PAGE, f"{node}:0600")
        e.publish(1, "40010b", PAGE, f"{node}:0000")
        for wish in ("600", "400", "0"):
            stranger.fails(f"connect 0 {exporting.number} 40010a {wish}", pairlib.PERM_DENIED)
            root.fails(f"connect 1 {exporting.number} 40010b {wish}", pairlib.PERM_DENIED)
        # A connection that ends does not become one to whatever gets the id next.
        e.publish(2, "40010c", PAGE, f"{node}:0666")
        stranger.ok(f"connect 2 {exporting.number} 40010c 400")
        root.ok(f"connect 2 {exporting.number} 40010c 400")
        e.ok("destroy 2")
        e.publish(3, "40010c", PAGE, f"{node}:0600")
        wait_for(lambda: stranger.ask(f"connect 3 {exporting.number} 40010c 0")[0] ==
                 pairlib.PERM_DENIED, 20, "end of the old connection")
        stranger.ok("post 2")
        stranger.ok("post 2")
        root.ok("post 2")
        e.ok("wait 3 20000")
        # What the stranger posted was before that.
        e.fails("wait 3 0", pairlib.TIMEOUT)


if __name__ == "__main__":
    pairlib.main(both_ways(nothing_but_the_published_is_reachable,
                           hostile_importer_loses_the_memory,
                           who_has_no_right_does_nothing_to_a_segment), nodes=3)
