#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""An exporter's memory and access list change under importers of another node."""
import pairlib
from pairlib import Shell, both_ways, end_storm, same, storm

ALLOW_REBIND = 1
MARKER = 0x5707
SIZE = 1 << 20


def importer_follows_a_rebind(exporting, importing):
    with Shell(exporting) as e, Shell(importing) as i:
        e.ok(f"export 0 {SIZE} {ALLOW_REBIND}")
        e.ok("rebind 0")
        e.ok("publish 0 400300")
        i.load(0, exporting.number, "400300", SIZE)
        i.ok("fill 0 1")
        for seed in range(2, 22):
            e.ok("rebind 0")
            same(i.ok("get 0 8"), "0", "the importer's word of the new memory")
            i.ok(f"fill 0 {seed}")
            i.ok("close 0")
            i.ok("open 0")
            same(e.ok(f"check 0 {seed}"), "0", "words that differ at the exporter")
        i.ok(f"connect 1 {exporting.number} 400300")
        i.ok(f"map 1 {SIZE}")
        same(i.ok("check 1 21"), "0", "words that differ at a later importer")
        e.ok("unpublish 0")
        i.fails("close 0", pairlib.CONN_ABORTED)


def rebinds_under_stores_abort_nobody(exporting, importing):
    with Shell(exporting) as e, storm(importing, exporting, "400301", SIZE, MARKER) as s:
        e.ok(f"export 0 {SIZE} {ALLOW_REBIND}")
        e.ok("publish 0 400301")
        for _ in range(50):
            e.ok(f"await 0 {SIZE - 8} {MARKER} 20000")
            e.ok("rebind 0")
        e.ok(f"await 0 {SIZE - 8} {MARKER} 20000")
        counts = end_storm(s)
        same((counts["connects"], counts["aborts"]), (1, 0), "connects and aborts of storm")


def node_taken_off_the_list_keeps_its_import(exporting, importing):
    with Shell(exporting) as e, Shell(importing) as i, Shell(importing) as other, \
            Shell(importing) as reader:
        e.publish(0, "400302", acl=f"{importing.number}:0666")
        i.load(0, exporting.number, "400302")
        i.ok(f"connect 1 {exporting.number} 400302")
        reader.ok(f"connect 0 {exporting.number} 400302 0400")
        e.ok(f"republish 0 {exporting.number}:0666")
        pairlib.wait_for(lambda: other.ask(f"connect 0 {exporting.number} 400302")[0] ==
                         pairlib.SEG_NOT_PUBLISHED_TO_NODE, 10, "refusal at the importing node")
        i.ok("set 0 0 11")
        i.ok("close 0")
        same(e.ok("get 0 0"), "11", "word of the importer that was there before")
        # Connected before, mapped now, also by itself.
        for line in ("fini 0", "unmap 0", "disconnect 0", "map 1 8192", "set 1 0 12"):
            i.ok(line)
        same(e.ok("get 0 0"), "12", "word of the import that was not mapped before")
        # Who can store into the event words posts by that, who cannot by a message.
        for shell, slot in (i, 1), (reader, 0):
            e.fails("wait 0 0", pairlib.TIMEOUT)
            shell.ok(f"post {slot}")
            e.ok("wait 0 20000")
        i.ok("unmap 1")
        i.ok("disconnect 1")
        reader.ok("disconnect 0")
        i.fails(f"connect 1 {exporting.number} 400302", pairlib.SEG_NOT_PUBLISHED_TO_NODE)
        e.ok("republish 0")
        i.ok(f"connect 1 {exporting.number} 400302")
        i.ok("map 1 8192")
        i.ok("set 1 0 13")
        same(e.ok("get 0 0"), "13", "word of the importer that is on the list again")


def less_is_given_to_those_who_join(exporting, importing):
    with Shell(exporting) as e, Shell(importing) as i, Shell(importing) as other:
        e.publish(0, "400303", acl=f"{importing.number}:0666")
        i.load(0, exporting.number, "400303")
        e.ok(f"republish 0 {importing.number}:0444")

        def joined_without_write():
            other.ok(f"connect 0 {exporting.number} 400303")
            error = other.ask("map 0 8192")[0]
            if not error:
                other.ok("unmap 0")
            other.ok("disconnect 0")
            return error == pairlib.BAD_PERMS
        pairlib.wait_for(joined_without_write, 10, "lack of the right to write")
        other.ok(f"connect 0 {exporting.number} 400303 0400")
        other.ok("map 0 8192 0400")
        i.ok("set 0 16 21")
        i.ok("close 0")
        same(other.ok("get 0 16"), "21", "word that the reader sees")


def more_is_given_to_those_who_join(exporting, importing):
    with Shell(exporting) as e, Shell(importing) as i, Shell(importing) as other:
        e.publish(0, "400304", acl=f"{importing.number}:0444")
        i.ok(f"connect 0 {exporting.number} 400304 0400")
        i.ok("map 0 8192 0400")
        same(i.ok("get 0 0"), "0", "word before")
        e.ok(f"republish 0 {importing.number}:0666")

        def joined_with_write():
            other.ok(f"connect 0 {exporting.number} 400304")
            error = other.ask("map 0 8192")[0]
            if error:
                other.ok("disconnect 0")
            return not error
        pairlib.wait_for(joined_with_write, 10, "the right to write")
        other.ok("set 0 0 31")
        same(e.ok("get 0 0"), "31", "word of the writer")
        same(i.ok("get 0 0"), "31", "the reader's mapping has gone over to the same memory")
        e.ok("unpublish 0")


def rights_reach_a_node_that_connected_without_any(exporting, importing):
    with Shell(exporting) as e, Shell(importing) as i:
        e.publish(0, "400306", acl=f"{importing.number}:0006")
        i.ok(f"connect 0 {exporting.number} 400306")
        i.fails("map 0 8192", pairlib.BAD_PERMS)
        e.ok(f"republish 0 {importing.number}:0666")

        def joined_with_rights():
            i.ok(f"connect 1 {exporting.number} 400306")
            error = i.ask("map 1 8192")[0]
            if error:
                same(error, pairlib.BAD_PERMS, "error of map before the node has heard of it")
                i.ok("disconnect 1")
            return not error
        pairlib.wait_for(joined_with_rights, 10, "rights")
        i.ok("set 1 0 51")
        same(e.ok("get 0 0"), "51", "word of the importer")


def segment_of_this_node_only_becomes_everybodys(exporting, importing):
    with Shell(exporting) as e, Shell(importing) as i:
        e.publish(0, "400305", acl=f"{exporting.number}:0666")
        i.fails(f"connect 0 {exporting.number} 400305", pairlib.SEG_NOT_PUBLISHED_TO_NODE)
        e.ok("republish 0")
        i.load(0, exporting.number, "400305")
        i.ok("set 0 0 41")
        i.ok("close 0")
        same(e.ok("get 0 0"), "41", "word of the importer")


if __name__ == "__main__":
    pairlib.main(both_ways(
        importer_follows_a_rebind, rebinds_under_stores_abort_nobody,
        node_taken_off_the_list_keeps_its_import, less_is_given_to_those_who_join,
        more_is_given_to_those_who_join, rights_reach_a_node_that_connected_without_any,
        segment_of_this_node_only_becomes_everybodys))
