#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Prints figures, judges nothing: `measure.py copy|put|map|connect`.

copy     time of a 64 KiB copy through the window over that of a local one
put      time of put and get of several sizes over that of memcpy() in own memory
map      time of connect, map and first touch of the 10th, 1000th and 3800th segment, over
         that of a signal there and back, and over that of the 10th
connect  time from the start of two nodes to the first successful connect
"""
import sys
import time

import pairlib
from pairlib import Shell
from lab import testlib

COPY = 65536
PUT_SIZES = [8, 64, 512, 4096, 65536, 1048576]
MARKS = [10, 1000, 3800]
NEAR = 16       # as in mapcost.c
RUNS = 5


def copy(lab):
    with Shell(lab.node(1)) as e:
        e.publish(0, "400400", COPY)
        for _ in range(RUNS):
            print(lab.node(2).check("copyratio", "1", "400400", str(COPY), timeout=120).strip(),
                  flush=True)


def put(lab):
    with Shell(lab.node(1)) as e:
        e.publish(0, "400402", PUT_SIZES[-1])
        for size in PUT_SIZES:
            print(lab.node(2).check("putratio", "1", "400402", str(size), timeout=120).strip(),
                  flush=True)


def map_segments(lab):
    count = str(MARKS[-1] + NEAR)
    for _ in range(RUNS):
        with lab.node(1).spawn("mapcost", "export", "500000", count) as e:
            e.expect("^ready$", 120)
            print(lab.node(2).check("mapcost", "import", "1", "500000", *map(str, MARKS),
                                    timeout=300).strip(), flush=True)
            e.signal("TERM")
            e.wait(120)


def connect(lab, started):
    with Shell(lab.node(1)) as e, Shell(lab.node(2)) as i:
        e.publish(0, "400401")
        i.connects(0, 1, "400401")
        print(f"two nodes booted and connected in {time.monotonic() - started:.1f} s")


def main():
    figures = {"copy": copy, "put": put, "map": map_segments, "connect": connect}
    if len(sys.argv) != 2 or sys.argv[1] not in figures:
        sys.exit(__doc__)
    lab = testlib.TestLab(2)
    started = time.monotonic()
    try:
        lab.boot()
        if sys.argv[1] == "connect":
            connect(lab, started)
        else:
            pairlib.paths_are_active(lab)
            figures[sys.argv[1]](lab)
    finally:
        lab.remove()


if __name__ == "__main__":
    main()
