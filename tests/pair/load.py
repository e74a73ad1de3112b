#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Jobs of many processes with many segments each: exact counts, no hang, nothing left."""
import contextlib
import pathlib
import re

import pairlib
from pairlib import same, testlib, wait_for

PAGE = 4096
PROCESSES = 64
EXPORTS = 4096
IMPORTS = 3840          # as many as the window has entries for
POSTS = 8
GIB = 1 << 30
MIB = 1 << 20
BIG = 4416              # exports of 1 MiB: more than 4 GiB
# What is not touched costs the host nothing.
LARGE = {"memory": 10240, "window": 16384}
SMALL = {"memory": 2048, "window": 1024}
HOST_BYTES = 2 * BIG * MIB + 4 * GIB
SECONDS = 900           # under TCG on a busy host
FIGURES = re.compile(r"^([a-z-]+) (\d+)$", re.M)


def run(lab, processes, exports, imports, size=PAGE, posts=POSTS):
    """The costs of both nodes, by phase; EXPORTS and IMPORTS of all processes of a node."""
    numbers = processes, exports // processes, imports // processes, size, posts
    with contextlib.ExitStack() as stack:
        jobs = [stack.enter_context(
            node.spawn_quiet("load", str(node.number), str(peer.number), "700000",
                             *map(str, numbers)))
            for node, peer in (lab.nodes, lab.nodes[::-1])]
        for node, job in zip(lab.nodes, jobs):
            same(job.wait(SECONDS), 0, f"status of load on {node.name} ({job.out!r} {job.err!r})")
        return [dict(FIGURES.findall(job.out)) for job in jobs]


def nothing_is_left(lab):
    for node in lab.nodes:
        for what in ("exports", "imports"):
            wait_for(lambda node=node, what=what:
                     not node.check("cat", f"/sys/kernel/debug/rsm/{what}").strip(), 60,
                     f"{what} of {node.name} that are gone")


def jobs_of_many_processes_lose_nothing(lab):
    run(lab, PROCESSES, EXPORTS, IMPORTS)
    nothing_is_left(lab)


def exports_of_more_than_4_gib_lose_nothing(lab):
    """With the same ids: what the others left would be in the way."""
    run(lab, PROCESSES, BIG, IMPORTS, MIB, 1)
    nothing_is_left(lab)


def _available():
    text = pathlib.Path("/proc/meminfo").read_text(encoding="ascii")
    return int(re.search(r"MemAvailable: +(\d+) kB", text)[1]) << 10


def no_room(_lab):
    raise testlib.Skip(f"needs {HOST_BYTES >> 30} GiB of free memory on the host")


if __name__ == "__main__":
    large = _available() >= HOST_BYTES
    pairlib.main([jobs_of_many_processes_lose_nothing,
                  exports_of_more_than_4_gib_lose_nothing if large else no_room],
                 **(LARGE if large else SMALL))
