#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""rsmstat on two nodes: what each end sees of the other, and what is left."""
import json

import pairlib
from pairlib import Shell, both_ways, same, wait_for

NO_ACCUMULATE = 2


def stat(node):
    return json.loads(node.check("rsmstat", "--json"))


def peer(node, other):
    rows = [row for row in stat(node)["peers"]
            if row["controller"] == "sci0" and row["node"] == other.number]
    same(len(rows), 1, f"rows of {node.name} for {other.name}")
    return rows[0]


def counters(node, other):
    return peer(node, other)["counters"]


def rows(node, kind, segment_id):
    return [row for row in stat(node)[kind] if row["id"] == segment_id]


def row(node, kind, segment_id):
    found = rows(node, kind, segment_id)
    same(len(found), 1, f"{kind} of {node.name} with id {segment_id:x}")
    return found[0]


def has(found, **wanted):
    same({name: found[name] for name in wanted}, wanted, f"members of {found}")


def rose(before, after, **wanted):
    same({name: after[name] - before[name] for name in wanted}, wanted, "rise of counters")


def both_ends_show_a_segment(exporting, importing):
    with Shell(exporting) as e, Shell(importing) as i:
        e.publish(0, "400100", 12288, f"{importing.number}:640")
        i.load(0, exporting.number, "400100", 12288)
        i.ok(f"connect 1 {exporting.number} 400100 400")
        has(row(exporting, "exports", 0x400100), state="published", controller="sci0",
            node=exporting.number, bytes=12288, access_list=1, importing_nodes=1, imports=0,
            uid=0, events_pending=0)
        found = rows(importing, "imports", 0x400100)
        same(len(found), 2, "imports")
        for each in found:
            has(each, state="connected", node=exporting.number, bytes=12288, imports=2,
                mappings=1, uid=0)
        same(sorted(each["mode"] for each in found), [0o440, 0o640], "modes of the imports")


def leaving_brings_all_numbers_back(exporting, importing):
    # The shells take no segment before their first command.
    with Shell(exporting) as e, Shell(importing) as i:
        before = [stat(node)["agent"] for node in (exporting, importing)]
        e.publish(0, "400101", 65536)
        e.publish(1, "0", 8192)
        i.load(0, exporting.number, "400101", 65536)
        during = stat(exporting)["agent"]
        rose(before[0], during, pinned_bytes=65536 + 8192, segments=2, ids=2, generated_ids=1)
        rose(before[1], stat(importing)["agent"], pinned_bytes=0, segments=1, ids=0)
        i.ok("fini 0")
        i.ok("unmap 0")
        same(row(importing, "imports", 0x400101)["mappings"], 0, "mappings after unmap")
        i.ok("disconnect 0")
        wait_for(lambda: row(exporting, "exports", 0x400101)["importing_nodes"] == 0, 10,
                 "no importing node")
        e.ok("unpublish 0")
        e.ok("destroy 0")
        e.ok("destroy 1")
        same([stat(node)["agent"] for node in (exporting, importing)], before,
             "numbers of the agents")


def killed_programs_leave_nothing(exporting, importing):
    with Shell(exporting) as e, Shell(importing) as i:
        before = [stat(node)["agent"] for node in (exporting, importing)]
        e.publish(0, "400102", 65536)
        i.load(0, exporting.number, "400102", 65536)
        i.kill()
        wait_for(lambda: row(exporting, "exports", 0x400102)["importing_nodes"] == 0, 10,
                 "no importing node")
        e.kill()
        wait_for(lambda: [stat(node)["agent"] for node in (exporting, importing)] == before, 10,
                 "numbers of the agents as before")


def events_are_counted_at_both_ends(exporting, importing):
    with Shell(exporting) as e, Shell(importing) as i:
        e.publish(0, "400103")
        # Without the right to write events are posted by messages, and those are counted.
        i.ok(f"connect 0 {exporting.number} 400103 400")
        i.ok(f"connect 1 {exporting.number} 400103")
        sent, received = counters(importing, exporting), counters(exporting, importing)
        for flags in (0, 0, 0, NO_ACCUMULATE):
            i.ok(f"post 0 {flags}")
        wait_for(lambda: row(exporting, "exports", 0x400103)["events_received"] == 4, 10,
                 "four events at the exporter")
        has(row(exporting, "exports", 0x400103), events_pending=3, events_dropped=1)
        rose(sent, counters(importing, exporting), posts_sent=4, posts_failed=0)
        rose(received, counters(exporting, importing), posts_received=4, posts_dropped=0)
        i.ok("post 1")
        same(row(exporting, "exports", 0x400103)["events_received"], 5, "events by memory")
        rose(sent, counters(importing, exporting), posts_sent=4, posts_failed=0)
        i.ok("disconnect 1")
        for _ in range(2):
            e.ok("wait 0 0")
        same(row(exporting, "exports", 0x400103)["events_pending"], 2, "events pending")
        e.ok("post 0")
        wait_for(lambda: row(importing, "imports", 0x400103)["events_pending"] == 1, 10,
                 "an event at the importer")
        e.ok("unpublish 0")
        wait_for(lambda: row(importing, "imports", 0x400103)["state"] == "ended", 10,
                 "an import that has ended")
        i.ok("post 0")
        # The importing node asks whether it could connect, and does not send it.
        wait_for(lambda: counters(importing, exporting)["posts_dropped"] ==
                 sent["posts_dropped"] + 1, 10, "a dropped event")


def refused_connects_are_counted_at_both_ends(exporting, importing):
    with Shell(exporting) as e, Shell(importing) as i:
        e.publish(0, "400104", 8192, f"{exporting.number}:600")
        asked, refused = counters(importing, exporting), counters(exporting, importing)
        i.fails(f"connect 0 {exporting.number} 400104", pairlib.SEG_NOT_PUBLISHED_TO_NODE)
        i.fails(f"connect 0 {exporting.number} 400105", pairlib.SEG_NOT_PUBLISHED)
        rose(asked, counters(importing, exporting), connects_made=0, connects_failed=2)
        rose(refused, counters(exporting, importing), connects_granted=0, connects_refused=2)


def unpublishing_is_counted_at_both_ends(exporting, importing):
    with Shell(exporting) as e, Shell(importing) as i:
        e.publish(0, "400106")
        i.load(0, exporting.number, "400106")
        ours, theirs = counters(importing, exporting), counters(exporting, importing)
        e.ok("unpublish 0")
        wait_for(lambda: row(importing, "imports", 0x400106)["state"] == "ended", 10,
                 "an import that has ended")
        rose(ours, counters(importing, exporting), disconnects=1, evictions=0)
        rose(theirs, counters(exporting, importing), disconnects=0, evictions=1)


def messages_add_up(exporting, importing):
    """What one end has sent, the other has received, nothing is lost or refused."""
    with Shell(exporting) as e, Shell(importing) as i:
        before = counters(exporting, importing), counters(importing, exporting)
        e.publish(0, "400107")
        for _ in range(40):
            i.ok(f"connect 0 {exporting.number} 400107")
            i.ok("disconnect 0")
        wait_for(lambda: counters(importing, exporting)["connects_made"] ==
                 before[1]["connects_made"] + 40, 10, "forty connects")
        wait_for(lambda: row(exporting, "exports", 0x400107)["importing_nodes"] == 0, 10,
                 "no importing node")
        after = counters(exporting, importing), counters(importing, exporting)
        for old, new in zip(before, after):
            rose(old, new, messages_dropped=0, messages_failed=0)
        moved = [[new[name] - old[name] for name in ("messages_sent", "messages_received")]
                 for old, new in zip(before, after)]
        same(moved[0], moved[1][::-1], "messages sent and received")


def both_levels_of_a_peer_are_shown(lab):
    one, two = lab.nodes
    sessions = counters(one, two)["sessions"]
    has(peer(one, two), link="up", session="active", link_errors=0)
    two.check("rmmod", "sci")
    wait_for(lambda: peer(one, two)["link"] == "present", 10, "an adapter that is not enabled")
    wait_for(lambda: peer(one, two)["session"] == "down", 10, "no session")
    two.check("modprobe", "sci")
    wait_for(lambda: peer(one, two)["session"] == "active", 30, "a session")
    has(peer(one, two), link="up")
    same(counters(one, two)["sessions"], sessions + 1, "sessions")
    two.kill()
    wait_for(lambda: peer(one, two)["link"] == "absent", 10, "an absent node")
    wait_for(lambda: peer(one, two)["session"] == "down", 10, "no session")
    two.restart()
    two.wait_ready()
    wait_for(lambda: peer(one, two)["session"] == "active", 60, "a session")


if __name__ == "__main__":
    pairlib.main([
        *both_ways(both_ends_show_a_segment,
                   leaving_brings_all_numbers_back,
                   killed_programs_leave_nothing,
                   events_are_counted_at_both_ends,
                   refused_connects_are_counted_at_both_ends,
                   unpublishing_is_counted_at_both_ends,
                   messages_add_up),
        both_levels_of_a_peer_are_shown,
    ])
