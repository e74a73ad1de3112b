#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Four nodes, each with a segment that all others import."""
import contextlib

import pairlib
from pairlib import Shell, same, wait_for

ROUNDS = 20


def _segment(number):
    return f"{0x400300 + number:x}"


def _open_all(shells):
    """Slot 0 is the own segment, slot n the import from node n."""
    for n, shell in shells.items():
        shell.publish(0, _segment(n))
    for n, shell in shells.items():
        for peer in shells:
            if peer != n:
                shell.load(peer, peer, _segment(peer))


def _round(shells, value):
    """Everyone stores a word at everyone; all words arrive, all barriers are good."""
    for n, shell in shells.items():
        for peer in shells:
            if peer != n:
                shell.ok(f"set {peer} {8 * n} {value * 10 + n}")
                shell.ok(f"close {peer}")
                shell.ok(f"open {peer}")
    for n, shell in shells.items():
        found = [shell.ok(f"get 0 {8 * peer}") for peer in shells if peer != n]
        same(found, [str(value * 10 + peer) for peer in shells if peer != n],
             f"words at node {n}")


def everyone_imports_from_everyone_and_one_dies(lab):
    with contextlib.ExitStack() as stack:
        shells = {n.number: stack.enter_context(Shell(n)) for n in lab.nodes}
        _open_all(shells)
        _round(shells, 1)
        victim = shells.pop(4)
        lab.node(4).kill()
        del victim
        for value in range(2, 2 + ROUNDS):
            _round(shells, value)
        for shell in shells.values():
            shell.ok("set 4 0 1")
            wait_for(lambda s=shell: s.ask("close 4")[0] == pairlib.CONN_ABORTED, 10,
                     f"CONN_ABORTED at {shell.node.name}")
            shell.ok("open 4")
            shell.ok("unpublish 0")


def the_dead_node_comes_back(lab):
    with contextlib.ExitStack() as stack:
        shells = {n.number: stack.enter_context(Shell(n)) for n in lab.nodes}
        _open_all(shells)
        _round(shells, 1)


if __name__ == "__main__":
    pairlib.main([everyone_imports_from_everyone_and_one_dies, the_dead_node_comes_back], nodes=4)
