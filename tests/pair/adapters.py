#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Two adapters per node, each on a fabric of its own."""
import pairlib
from pairlib import (CONN_ABORTED, PATH_ACTIVE, REMOTE_NODE_UNREACHABLE, Shell, both_ways,
                     path_is_active, same, wait_for)

SEGID_IN_USE = 24
ADAPTERS = ("sci0", "sci1")


def both_adapters_work_side_by_side(exporting, importing):
    with Shell(exporting, "sci0") as e0, Shell(exporting, "sci1") as e1, \
            Shell(importing, "sci0") as i0, Shell(importing, "sci1") as i1:
        for n, (e, i) in enumerate(((e0, i0), (e1, i1))):
            e.publish(0, f"40080{n}")
            i.load(0, exporting.number, f"40080{n}")
        for n, i in enumerate((i0, i1)):
            i.ok(f"fill 0 {n}")
            i.ok("close 0")
            i.ok("post 0")
        for n, e in enumerate((e0, e1)):
            same(e.ok(f"check 0 {n}"), "0", f"words that differ behind sci{n}")
            e.ok("wait 0 20000")
            e.fails("wait 0 0", pairlib.TIMEOUT)


def topology_lists_both(exporting, importing):
    with Shell(exporting) as e:
        for name in ADAPTERS:
            same(e.path(importing.number, name), PATH_ACTIVE, f"path over {name}")
        same(e.path(importing.number, "sci2"), 0, "path over an adapter that is not there")


def a_segment_id_is_unique_on_the_node(exporting, _):
    with Shell(exporting, "sci0") as e0, Shell(exporting, "sci1") as e1:
        e0.publish(0, "400810")
        e1.ok("export 0 8192")
        e1.fails("publish 0 400810", SEGID_IN_USE)
        e0.ok("unpublish 0")
        e1.ok("publish 0 400810")


def a_segment_is_found_over_its_own_adapter_only(exporting, importing):
    with Shell(exporting, "sci0") as e, Shell(importing, "sci0") as i0, \
            Shell(importing, "sci1") as i1:
        e.publish(0, "400820")
        i1.fails(f"connect 0 {exporting.number} 400820", pairlib.SEG_NOT_PUBLISHED)
        i0.ok(f"connect 0 {exporting.number} 400820")


def each_handle_gets_one_event_per_post(exporting, importing):
    """Also if several adapters lead a node to its own segment."""
    with Shell(exporting, "sci0") as e, Shell(exporting, "sci0") as own0, \
            Shell(exporting, "sci1") as own1, Shell(importing, "sci0") as i:
        e.publish(0, "400830")
        importers = (own0, own1, i)
        for shell in importers:
            for slot in (0, 1):
                shell.ok(f"connect {slot} {exporting.number} 400830")
        e.ok("post 0")
        for shell in importers:
            for slot in (0, 1):
                shell.ok(f"wait {slot} 20000")
                shell.fails(f"wait {slot} 100", pairlib.TIMEOUT)


def a_link_that_is_down_leaves_the_other_adapter_working(exporting, importing):
    for down in (0, 1):
        names = (ADAPTERS[down], ADAPTERS[1 - down])
        with Shell(exporting, names[0]) as e0, Shell(exporting, names[1]) as e1, \
                Shell(importing, names[0]) as i0, Shell(importing, names[1]) as i1:
            for n, (e, i) in enumerate(((e0, i0), (e1, i1))):
                e.publish(0, f"40084{n}")
                i.load(0, exporting.number, f"40084{n}")
            exporting.take_link(importing.number, False, down)
            try:
                wait_for(lambda i=i0: i.path(exporting.number) != PATH_ACTIVE, 20,
                         f"end of the path over {names[0]}")
                i0.fails("close 0", CONN_ABORTED)
                i0.fails(f"connect 1 {exporting.number} 400840", REMOTE_NODE_UNREACHABLE)
                i0.fails("post 0", REMOTE_NODE_UNREACHABLE)
                same(i1.path(exporting.number), PATH_ACTIVE, f"path over {names[1]}")
                i1.ok("set 0 0 5")
                i1.ok("close 0")
                same(e1.ok("get 0 0"), "5", f"word over {names[1]}")
                i1.ok("post 0")
                e1.ok("wait 0 20000")
            finally:
                exporting.take_link(importing.number, True, down)
            path_is_active(i0, exporting)
            path_is_active(e0, importing)
            i0.load(1, exporting.number, "400840")
            i0.ok("close 1")


def _named(node):
    """Which PCI device each adapter is, as the driver said last."""
    lines = [line.partition("sci 0000:")[2].split() for line in node.dmesg().splitlines()
             if "mapped write" in line]
    return {words[1].rstrip(":"): words[0].rstrip(":") for words in lines}


def adapters_keep_their_names(changing, staying):
    """In whatever order they are bound."""
    before = _named(changing)
    same(sorted(before), list(ADAPTERS), "names of the adapters")
    driver = "/sys/bus/pci/drivers/sci"
    script = "; ".join([f"echo 0000:{before[n]} >{driver}/unbind" for n in ADAPTERS] +
                       [f"echo 0000:{before[n]} >{driver}/bind" for n in reversed(ADAPTERS)])
    changing.check("sh", "-ec", script)
    same(_named(changing), before, "names after they were bound again")
    for name in ADAPTERS:
        with Shell(changing, name) as c, Shell(staying, name) as s:
            path_is_active(c, staying)
            path_is_active(s, changing)
            c.publish(0, "400850")
            s.load(0, changing.number, "400850")
            s.ok("close 0")


def an_adapter_of_another_node_id_is_refused(lab):
    node = lab.node(1)
    node.qmp("device_add", driver="sci", id="odd", fabric=str(lab.dir / "odd"), **{
        "node-id": 9, "window-size": 16 << 20})
    wait_for(lambda: "says that this is node 9, other adapters say node 1" in node.dmesg(), 30,
             "message of the agent")
    with Shell(node) as s:
        for name in ADAPTERS:
            same(s.path(2, name), PATH_ACTIVE, f"path over {name}")
    node.qmp("device_del", id="odd")
    wait_for(lambda: "odd" not in [child["name"] for child in
                                   node.qmp("qom-list", path="/machine/peripheral")], 30,
             "end of the device")


if __name__ == "__main__":
    pairlib.main([
        *both_ways(both_adapters_work_side_by_side, topology_lists_both,
                   a_segment_id_is_unique_on_the_node,
                   a_segment_is_found_over_its_own_adapter_only,
                   each_handle_gets_one_event_per_post,
                   a_link_that_is_down_leaves_the_other_adapter_working,
                   adapters_keep_their_names),
        an_adapter_of_another_node_id_is_refused,
    ], adapters=2)
