#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Links that are taken down and up while the nodes at their ends go on."""
import contextlib
import random
import re

import pairlib
from pairlib import (BARRIER_FAILURE, CONN_ABORTED, PATH_ACTIVE, REMOTE_NODE_UNREACHABLE, Shell,
                     both_ways, path_is_active, same, talk, wait_for)

FLAPS = 100


@contextlib.contextmanager
def link_down(node, peer):
    """NODE has its end down (PEER None: of all links); put up again, whatever happens."""
    number = peer.number if peer else None
    node.take_link(number, False)
    try:
        yield
    finally:
        node.take_link(number, True)


def _link(node, peer):
    """What the status page of NODE says of its link to PEER."""
    out = node.check("cat", "/sys/kernel/debug/sci/sci0/peers")
    return re.search(rf"^{peer.number} (\S+)", out, re.M).group(1)


def _aborts(shell, slot):
    """Wait until a span of an import is aborted; its accesses must not raise a signal."""
    def aborted():
        shell.ok(f"set {slot} 0 1")
        error = shell.ask(f"close {slot}")[0]
        shell.ok(f"open {slot}")
        return error == CONN_ABORTED
    wait_for(aborted, 20, f"CONN_ABORTED at {shell.node.name}")


def _path_goes(shell, peer):
    wait_for(lambda: shell.path(peer.number) != PATH_ACTIVE, 20,
             f"end of the path from {shell.node.name} to {peer.name}")


def link_down_aborts_and_link_up_recovers(exporting, importing):
    for taker in (exporting, importing):
        with Shell(exporting) as e, Shell(importing) as i:
            e.publish(0, "400700")
            i.load(0, exporting.number, "400700")
            i.publish(5, "400701")
            e.load(5, importing.number, "400701")
            with link_down(taker, importing if taker is exporting else exporting):
                _aborts(i, 0)
                _aborts(e, 5)
                _path_goes(i, exporting)
                _path_goes(e, importing)
                same((_link(exporting, importing), _link(importing, exporting)),
                     ("down", "down"), "links on the status pages")
                i.fails(f"connect 1 {exporting.number} 400700", REMOTE_NODE_UNREACHABLE)
                i.fails("post 0", REMOTE_NODE_UNREACHABLE)
                # An exporter posts to whom it can reach.
                e.ok("post 0")
                e.ok("unpublish 0")
                e.ok("publish 0 400700")
            path_is_active(i, exporting)
            path_is_active(e, importing)
            _aborts(i, 0)
            _aborts(e, 5)
            # The import names its segment until it is disconnected.
            i.ok("post 0")
            e.ok("wait 0 20000")
            i.load(1, exporting.number, "400700")
            i.ok("close 1")
            talk(e, i, 2, "400702")
            talk(i, e, 3, "400703")
            for line in ("fini 0", "unmap 0", "disconnect 0"):
                i.ok(line)


def other_links_stay_up(lab):
    one, two, three = lab.nodes
    with Shell(one) as a, Shell(two) as b, Shell(three) as c:
        a.publish(0, "400710")
        b.load(0, 1, "400710")
        c.load(0, 1, "400710")
        b.publish(1, "400711")
        c.load(1, 2, "400711")
        with link_down(one, two):
            _aborts(b, 0)
            _path_goes(a, two)
            for slot in (0, 1):
                c.ok(f"set {slot} 0 5")
                c.ok(f"close {slot}")
                c.ok(f"open {slot}")
            same(a.ok("get 0 0"), "5", "word of node 3")
            c.ok("post 0")
            a.ok("wait 0 20000")
        path_is_active(a, two)
        path_is_active(b, one)
        c.ok("close 0")


def all_links_go_down_at_once(lab):
    one, two, three = lab.nodes
    with Shell(one) as a, Shell(two) as b, Shell(three) as c:
        a.publish(0, "400720")
        b.load(0, 1, "400720")
        c.load(0, 1, "400720")
        with Shell(one) as own, link_down(one, None):
            _aborts(b, 0)
            _aborts(c, 0)
            # The way to the own memory is no link.
            own.load(0, 1, "400720")
            own.ok("set 0 0 9")
            own.ok("close 0")
            same(a.ok("get 0 0"), "9", "word of node 1 itself")
            same(b.path(3), PATH_ACTIVE, "path from node 2 to node 3")
        for shell, peer in ((a, two), (a, three), (b, one), (c, one)):
            path_is_active(shell, peer)


def a_link_error_fails_the_span_and_not_the_next(exporting, importing):
    with Shell(exporting) as e, Shell(importing) as i:
        e.publish(0, "400730")
        i.load(0, exporting.number, "400730")
        i.ok("set 0 0 1")
        importing.inject_link_error(exporting.number)
        i.fails("order 0", BARRIER_FAILURE)
        i.fails("close 0", BARRIER_FAILURE)
        i.ok("open 0")
        i.ok("set 0 0 2")
        i.ok("close 0")
        same(e.ok("get 0 0"), "2", "what was stored again")
        same(i.path(exporting.number), PATH_ACTIVE, "state of the path")
        # The other direction has its own counts.
        i.ok("open 0")
        exporting.inject_link_error(importing.number)
        i.ok("close 0")


def unpublish_does_not_wait_behind_a_link_that_is_down(halted, exporting):
    with Shell(exporting) as e, Shell(halted) as h:
        e.publish(0, "400740")
        h.load(0, exporting.number, "400740")
        with link_down(exporting, halted):
            _aborts(h, 0)
            with pairlib.halted(halted):
                e.ok("unpublish 0")
                e.ok("destroy 0")
        path_is_active(e, halted)
        path_is_active(h, exporting)


def a_link_stays_down_through_reload_and_restart(changing, staying):
    with Shell(staying) as s:
        with link_down(staying, changing):
            _path_goes(s, changing)
            changing.drivers("unload")
            changing.drivers("load")
            same(_link(changing, staying), "down", "link after the driver was loaded again")
            changing.kill()
            wait_for(lambda: _link(staying, changing) == "absent", 20, "absence of the node")
            changing.restart()
            changing.wait_ready()
            same((_link(changing, staying), _link(staying, changing)), ("down", "down"),
                 "links after the node came back")
            s.fails(f"connect 0 {changing.number} 400750", REMOTE_NODE_UNREACHABLE)
        path_is_active(s, changing)
        with Shell(changing) as c:
            path_is_active(c, staying)
            talk(c, s, 0, "400750")
            talk(s, c, 1, "400751")


def _in_use(node):
    """Granules of the window and SCI pages that are taken."""
    att = node.check("head", "-n1", "/sys/kernel/debug/sci/sci0/att")
    pages = node.check("head", "-n1", "/sys/kernel/debug/sci/sci0/inbound")
    return int(att.split()[5]), int(pages.split()[1])


def _words(process, what):
    process.signal("TERM")
    same(process.wait(), 0, f"status of {what} ({process.out!r}, {process.err!r})")
    words = process.out.split()
    return dict(zip(words[::2], map(int, words[1::2])))


def spans_that_close_have_stored_while_links_flap(lab):
    """Traffic both ways; what is taken down is put up at once, or when the other end knows."""
    seed = random.randrange(1 << 32)
    print(f"# seed {seed}", flush=True)
    rng = random.Random(seed)
    one, two = lab.nodes[:2]
    before = _in_use(one), _in_use(two)
    with contextlib.ExitStack() as stack:
        flap = {}
        for node, peer in ((one, two), (two, one)):
            segment_id = f"40076{node.number}"
            flap[node, "export"] = stack.enter_context(
                node.spawn("flap", "export", "sci0", segment_id))
            flap[peer, "import"] = stack.enter_context(
                peer.spawn("flap", "import", "sci0", segment_id, str(node.number)))
        shells = [stack.enter_context(Shell(n)) for n in (one, two)]
        for _ in range(FLAPS):
            node, peer = rng.sample((one, two), 2)
            with link_down(node, peer):
                if rng.random() < 0.3:
                    _path_goes(shells[peer.number - 1], node)
            if rng.random() < 0.7:
                path_is_active(shells[0], two)
                path_is_active(shells[1], one)
        path_is_active(shells[0], two)
        path_is_active(shells[1], one)
        for node in (one, two):
            counts = _words(flap[node, "import"], f"the importer on {node.name}")
            print(f"# {node.name}: {counts}", flush=True)
            if counts["good"] < FLAPS or counts["aborts"] < FLAPS / 4:
                raise AssertionError(f"no traffic between the flaps: {counts}")
        for node in (one, two):
            counts = _words(flap[node, "export"], f"the exporter on {node.name}")
            print(f"# {node.name}: {counts}", flush=True)
            same(counts["violations"], 0, f"wrong words at {node.name}")
            if counts["claims"] < FLAPS or counts["ends"] < FLAPS / 4:
                raise AssertionError(f"too little was checked: {counts}")
        talk(*shells, 0, "400768")
        talk(*reversed(shells), 1, "400769")
    wait_for(lambda: (_in_use(one), _in_use(two)) == before, 20,
             f"window and SCI pages as before ({before})")


if __name__ == "__main__":
    pairlib.main([
        *both_ways(link_down_aborts_and_link_up_recovers),
        other_links_stay_up, all_links_go_down_at_once,
        *both_ways(a_link_error_fails_the_span_and_not_the_next,
                   unpublish_does_not_wait_behind_a_link_that_is_down),
        spans_that_close_have_stored_while_links_flap,
        *both_ways(a_link_stays_down_through_reload_and_restart),
    ], nodes=3)
