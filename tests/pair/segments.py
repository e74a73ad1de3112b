#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Segments between two nodes: rsmtest, connecting, ends of either side."""
import re

import pairlib
from pairlib import Shell, both_ways, end_storm, same, storm, wait_for

LINES = [
    "hello", "", " two blanks  ", "x", "Grüße, 世界, приве́т, 🦀", "y" * 64, "z" * 4000,
    "100% %s %d %n \\n", "?", "the tenth and last",
]
MARKER = 0x5707
CROWD = 16


def messages(out):
    """What an exporting rsmtest has shown."""
    return re.findall(r"^msg \[0x[0-9a-f]+ -?\d+ -?\d+\] (.*)$", out, re.M)


def rsmtest_passes_ten_lines(exporting, importing):
    with exporting.spawn("rsmtest", "-e", "-n", str(importing.number)) as e, \
            importing.spawn("rsmtest", "-i", "-n", str(exporting.number)) as i:
        i.feed("\n".join(LINES) + "\n")
        same(i.wait(60), 0, f"status of the importer ({i.err!r})")
        same(e.wait(60), 0, f"status of the exporter ({e.err!r})")
        same(messages(e.out), LINES, "lines at the exporter")


def rsmtest_importer_waits_for_the_exporter(exporting, importing):
    with importing.spawn("rsmtest", "-i", "-n", str(exporting.number)) as i:
        i.feed("\n".join(LINES) + "\n")
        wait_for(lambda: "segment 400000 err 7" in i.err, 20, "err 7 at the importer")
        with exporting.spawn("rsmtest", "-e", "-n", str(importing.number)) as e:
            same(i.wait(60), 0, f"status of the importer ({i.err!r})")
            same(e.wait(60), 0, f"status of the exporter ({e.err!r})")
            same(messages(e.out), LINES, "lines at the exporter")


def rsmtest_runs_both_roles_on_one_node(lab):
    node = lab.node(1)
    with node.spawn("rsmtest", "-e") as e, node.spawn("rsmtest", "-i") as i:
        i.feed("\n".join(LINES) + "\n")
        same(i.wait(60), 0, f"status of the importer ({i.err!r})")
        same(e.wait(60), 0, f"status of the exporter ({e.err!r})")
        same(messages(e.out), LINES, "lines at the exporter")


def rsmtest_importer_reports_a_killed_exporter(exporting, importing):
    with exporting.spawn("rsmtest", "-e", "-n", str(importing.number)) as e, \
            importing.spawn("rsmtest", "-i", "-n", str(exporting.number)) as i:
        i.feed("\n".join(LINES[:5]) + "\n")
        wait_for(lambda: len(messages(e.out)) == 5, 30, "five messages")
        e.signal("KILL")
        e.wait()
        i.feed("into the void\n")
        same(i.wait(), 1, f"status of the importer ({i.err!r})")
        if "Barrier close failed, 40" not in i.err:
            raise AssertionError(f"the importer says {i.err!r}")


def connect_before_publish_fails(exporting, importing):
    with Shell(exporting) as e, Shell(importing) as i:
        e.ok("export 0 8192")
        i.fails(f"connect 0 {exporting.number} 400001", pairlib.SEG_NOT_PUBLISHED)
        e.ok("publish 0 400001")
        i.ok(f"connect 0 {exporting.number} 400001")
        e.ok("unpublish 0")
        i.fails(f"connect 1 {exporting.number} 400001", pairlib.SEG_NOT_PUBLISHED)


def connect_to_an_absent_node_fails(lab):
    with Shell(lab.node(1)) as i:
        i.fails("connect 0 9 400001", pairlib.INTERNAL_ERROR)


def connect_without_being_in_the_list_fails(exporting, importing):
    with Shell(exporting) as e, Shell(importing) as i:
        e.publish(0, "400002", acl=f"{exporting.number}:0666")
        i.fails(f"connect 0 {exporting.number} 400002", pairlib.SEG_NOT_PUBLISHED_TO_NODE)


def a_mapping_without_rights_leaves_the_connection_alone(exporting, importing):
    """Root may connect to what is only for others, who get nothing of the adapter."""
    with Shell(exporting) as e, Shell(importing) as i:
        e.publish(0, "40000a", acl=f"{importing.number}:0006")
        for slot in (0, 1):
            i.ok(f"connect {slot} {exporting.number} 40000a")
            i.ok(f"init {slot}")
            i.ok(f"open {slot}")
        i.fails("map 0 8192 0600", pairlib.BAD_PERMS)
        i.ok("map 0 8192 0")
        for slot in (0, 1):
            i.ok(f"close {slot}")


def stores_arrive_and_loads_see_them(exporting, importing):
    with Shell(exporting) as e, Shell(importing) as i:
        e.publish(0, "400003", 1 << 20)
        i.load(0, exporting.number, "400003", 1 << 20)
        i.ok("fill 0 7")
        i.ok("close 0")
        same(e.ok("check 0 7"), "0", "words that differ at the exporter")
        e.ok("fill 0 8")
        same(i.ok("check 0 8"), "0", "words that differ at the importer")


def exporter_killed_under_stores_aborts_the_import(exporting, importing):
    with Shell(importing) as i:
        with Shell(exporting) as e, storm(importing, exporting, "400004", 8192, MARKER) as s:
            e.publish(0, "400004")
            i.load(0, exporting.number, "400004")
            e.ok(f"await 0 8184 {MARKER} 20000")
            i.ok("set 0 0 1")
            i.ok("close 0")
            i.ok("open 0")
            e.kill()
            for _ in range(3):
                i.ok("set 0 0 2")
                i.fails("close 0", pairlib.CONN_ABORTED)
                i.ok("open 0")
            counts = end_storm(s)
            same(counts["aborts"], 1, "aborts of storm")
        with Shell(exporting) as e:
            e.publish(0, "400004")
            i.load(1, exporting.number, "400004")
            i.ok("set 1 0 5")
            i.ok("close 1")
            same(e.ok("get 0 0"), "5", "what arrived after the id was published again")
        for line in ("fini 0", "unmap 0", "disconnect 0"):
            i.ok(line)


def importer_killed_lets_the_exporter_go_on(exporting, importing):
    with Shell(exporting) as e:
        e.publish(0, "400005")
        with Shell(importing) as i, storm(importing, exporting, "400005", 8192, MARKER) as s:
            i.load(0, exporting.number, "400005")
            e.ok(f"await 0 8184 {MARKER} 20000")
            i.kill()
            s.signal("KILL")
            s.wait()
        e.ok("unpublish 0")
        e.ok("destroy 0")
        e.publish(1, "400005")
        with Shell(importing) as i:
            i.load(0, exporting.number, "400005")
            i.ok("set 0 0 6")
            same(e.ok("await 1 0 6 5000"), "", "store of the next importer")


def n_posts_satisfy_n_waits(exporting, importing):
    with Shell(exporting) as e, Shell(importing) as i:
        e.publish(0, "400006")
        i.ok(f"connect 0 {exporting.number} 400006")
        for poster, waiter in ((i, e), (e, i)):
            waiter.fails("wait 0 0", pairlib.TIMEOUT)
            waiter.send("wait 0 20000")
            poster.ok("post 0")
            same(waiter.answer("wait 0 20000")[0], 0, "error of a wait that was posted to")
            for _ in range(25):
                poster.ok("post 0")
            for _ in range(25):
                waiter.ok("wait 0 20000")
            waiter.fails("wait 0 100", pairlib.TIMEOUT)


def signals_reach_every_importer_and_come_from_each(exporting, importing):
    with Shell(exporting) as e, Shell(exporting) as own, \
            Shell(importing) as a, Shell(importing) as b:
        e.publish(0, "400007")
        importers = (own, a, b)
        for i in importers:
            i.ok(f"connect 0 {exporting.number} 400007")
        e.ok("post 0")
        for i in importers:
            i.ok("wait 0 20000")
            i.fails("wait 0 100", pairlib.TIMEOUT)
        for i in importers:
            i.ok("post 0")
            i.ok("post 0")
        for _ in range(2 * len(importers)):
            e.ok("wait 0 20000")
        e.fails("wait 0 100", pairlib.TIMEOUT)


def many_connects_at_once_complete(exporting, importing):
    with Shell(exporting) as e:
        e.publish(0, "400008")
        script = (f"for i in $(seq {CROWD}); do "
                  f"printf 'connect 0 {exporting.number} 400008\\nmap 0 8192\\n' | rsmsh & "
                  "done; wait")
        out = importing.check("sh", "-c", script)
        same(out.split(), ["0"] * 2 * CROWD, "errors of connects and maps")
        e.ok("unpublish 0")


def two_hundred_segments_come_and_go(exporting, importing):
    with storm(importing, exporting, "400009", 4096, MARKER) as s:
        out = exporting.check("reuse", "400009", "4096", "200", "0", f"{MARKER:x}", timeout=100)
        same(out.strip(), "rounds 200 violations 0", "reuse")
        counts = end_storm(s)
        same((counts["connects"], counts["aborts"]), (200, 200), "connects and aborts of storm")


if __name__ == "__main__":
    pairlib.main([
        *both_ways(rsmtest_passes_ten_lines, rsmtest_importer_waits_for_the_exporter),
        rsmtest_runs_both_roles_on_one_node,
        *both_ways(rsmtest_importer_reports_a_killed_exporter, connect_before_publish_fails),
        connect_to_an_absent_node_fails,
        *both_ways(connect_without_being_in_the_list_fails,
                   a_mapping_without_rights_leaves_the_connection_alone,
                   stores_arrive_and_loads_see_them,
                   exporter_killed_under_stores_aborts_the_import,
                   importer_killed_lets_the_exporter_go_on, n_posts_satisfy_n_waits,
                   signals_reach_every_importer_and_come_from_each,
                   many_connects_at_once_complete, two_hundred_segments_come_and_go),
    ])
