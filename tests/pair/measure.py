#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Prints figures, judges nothing: `measure.py copy|put|barrier|map|revoke|signal|load|connect`.

copy     time of a 64 KiB copy through the window over that of a local one
put      time of put and get of several sizes over that of memcpy() in own memory
barrier  time of barrier spans and of transfers of few bytes over that of a locked addition
map      time of connect, map and first touch of the 10th, 1000th and 3800th segment, over
         that of a signal there and back to who sleeps, and over that of the 10th
revoke   time of taking a page back from all nodes while the other one has nothing to do,
         and while its kernel commits mappings without pause
signal   times of a post and of a signal there and back, while the receiver looks and while it
         sleeps, over that of two eventfds between two processes of this machine; beside it
         the same eventfds within a node, and doorbells of ivshmem with UIO between the nodes;
         doorbells rung
load     processor time of each step of jobs with 256, 1024, 4096 segments on each node, over
         that with 64
connect  time from the start of two nodes to the first successful connect
"""
import contextlib
import pathlib
import re
import statistics
import sys
import tempfile
import time

import ivshmem
import load
import pairlib
from pairlib import Shell
from lab import paths, testlib, ui

COPY = 65536
PUT_SIZES = [8, 64, 512, 4096, 65536, 1048576]
MARKS = [10, 1000, 3800]
NEAR = 16       # as in mapcost.c
REVOCATIONS = 5000
LOADS = (64, 256, 1024, 4096)
RUNS = 5
SIGNALS = "5000"
BUSY_POLL = "/sys/module/rsm/parameters/busy_poll"


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


def barrier(lab):
    with Shell(lab.node(1)) as e:
        e.publish(0, "400403")
        for _ in range(RUNS):
            print(lab.node(2).check("barriercost", "1", "400403", timeout=120), flush=True)


def _set_busy_poll(lab, microseconds):
    for node in lab.nodes:
        node.check("sh", "-c", f"echo {microseconds} > {BUSY_POLL}")


def map_segments(lab):
    _set_busy_poll(lab, 0)
    count = str(MARKS[-1] + NEAR)
    for _ in range(RUNS):
        with lab.node(1).spawn("mapcost", "export", "500000", count) as e:
            e.expect("^ready$", 120)
            print(lab.node(2).check("mapcost", "import", "1", "500000", *map(str, MARKS),
                                    timeout=300).strip(), flush=True)
            e.close_input()
            e.wait(120)


def _unpublish(node):
    out = node.check("revokecost", "500001", str(REVOCATIONS), timeout=300)
    return tuple(map(int, re.match(r"unpublish p50 (\d+) p99 (\d+)", out).groups()))


def revoke(lab):
    one, two = lab.nodes
    ratios = []
    for _ in range(RUNS):
        idle = _unpublish(one)
        with two.spawn("sciprobe", "commit", "1", "600000") as commits:
            commits.expect("^ready$")
            busy = _unpublish(one)
        ratios.append(busy[1] / idle[1])
        print(f"unpublish, the other node idle: p50 {idle[0]} p99 {idle[1]} us; while it commits: "
              f"p50 {busy[0]} p99 {busy[1]} us; ratio of p99 {ratios[-1]:.2f}", flush=True)
    print(f"median ratio of p99 {statistics.median(ratios):.2f}")


def _signals(*argv, node=None):
    """What the program `signals` prints, in a node or on this machine."""
    if node:
        out = node.check("signals", *argv, timeout=120)
    else:
        out = ui.output([paths.HOST / "tests" / "pair" / "signals", *argv])
    return {name: float(value) for name, value in re.findall(r"(\S+) ([\d.]+)", out)}


def _rung(node, peer):
    """Doorbells that the driver of NODE rang at PEER, and messages that needed none."""
    out = node.check("cat", "/sys/kernel/debug/sci/sci0/peers")
    return [int(n) for n in re.search(rf"^{peer.number} .* (\d+) (\d+)$", out, re.M).groups()]


def _figure(name, times, floor):
    return (f"{name}: p50 {times['p50']:.2f} p90 {times['p90']:.2f} p99 {times['p99']:.2f} us, "
            f"p50 {times['p50'] / floor['p50']:.2f} x the floor, "
            f"p99 {times['p99'] / times['p50']:.1f} x p50")


def _ivshmem(one, two):
    """Times of its doorbells there and back."""
    here, there = (node.check("signals", "ivshmem").strip() for node in (two, one))
    with one.spawn("signals", "ivshmem-echo", here) as echo:
        echo.expect("^ready$")
        times = _signals("ivshmem-ping", there, SIGNALS, node=two)
        echo.close_input()
        echo.wait(30)
    return times


def signal(lab):
    one, two = lab.nodes
    for node in lab.nodes:
        node.check("modprobe", "uio_ivshmem")
    for _ in range(RUNS):
        floor = _signals("floor", SIGNALS)
        print(f"floor: p50 {floor['p50']:.2f} p99 {floor['p99']:.2f} us", flush=True)
        print(_figure("eventfds of one node", _signals("floor", SIGNALS, node=two), floor),
              flush=True)
        print(_figure("ivshmem, there and back", _ivshmem(one, two), floor), flush=True)
        for busy_poll in (500, 0):
            _set_busy_poll(lab, busy_poll)
            state = "receiver looks" if busy_poll else "receiver sleeps"
            with one.spawn("signals", "echo", "400900") as echo:
                echo.expect("^ready$")
                before = _rung(two, one)
                post = _signals("post", "1", "400900", SIGNALS, node=two)
                rung, unrung = (new - old for old, new in zip(before, _rung(two, one)))
                trip = _signals("ping", "1", "400900", SIGNALS, node=two)
                echo.close_input()
                echo.wait(30)
            print(_figure(f"{state}, post alone", post, floor))
            print(f"  doorbells {rung}, messages without {unrung}, of {SIGNALS} posts")
            print(_figure(f"{state}, there and back", trip, floor), flush=True)


def load_of_jobs(lab):
    costs = {exports: load.run(lab, load.PROCESSES, exports, min(exports, load.IMPORTS))
             for exports in LOADS}
    for phase in costs[LOADS[0]][0]:
        ns = [statistics.mean(int(node[phase]) for node in costs[k]) for k in LOADS]
        print(f"{phase}: {ns[0] / 1000:.1f} us with {LOADS[0]} segments; " +
              ", ".join(f"{n / ns[0]:.2f} times that with {k}" for n, k in zip(ns[1:], LOADS[1:])),
              flush=True)


def connect(lab, started):
    with Shell(lab.node(1)) as e, Shell(lab.node(2)) as i:
        e.publish(0, "400401")
        i.connects(0, 1, "400401")
        print(f"two nodes booted and connected in {time.monotonic() - started:.1f} s")


def _options(figure, stack):
    """Of the nodes; what they need ends with the STACK."""
    if figure == "load":
        return load.SMALL
    if figure == "signal":
        path = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory())) / "ivshmem"
        stack.enter_context(ivshmem.Server(path))
        return {"extra": ivshmem.arguments(path)}
    return {}


def main():
    figures = {"copy": copy, "put": put, "barrier": barrier, "map": map_segments,
               "revoke": revoke, "signal": signal, "load": load_of_jobs, "connect": connect}
    if len(sys.argv) != 2 or sys.argv[1] not in figures:
        sys.exit(__doc__)
    with contextlib.ExitStack() as stack:
        lab = testlib.TestLab(2, **_options(sys.argv[1], stack))
        stack.callback(lab.remove)
        started = time.monotonic()
        lab.boot()
        if sys.argv[1] == "connect":
            connect(lab, started)
        else:
            pairlib.paths_are_active(lab)
            figures[sys.argv[1]](lab)


if __name__ == "__main__":
    main()
