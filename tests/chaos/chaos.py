#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Processes and nodes are killed and links taken down, under checked traffic.

Two processes of two users on each of three nodes export to all others and
import from them, with four threads each. Some of what they export is not for
all: who must not get at it is refused at all times. A cycle is one fault: a
process is killed and started again, a link fails and comes back, or, seldom, a
node dies and boots. The others must go on. At the end nothing may have hung, no
byte may be wrong after a good close of a barrier, and on nodes that lived
everything must be as it was at the start.
"""
import argparse
import collections
import contextlib
import json
import os
import pathlib
import random
import re
import sys
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "scripts"))

from lab import port, testlib  # noqa: E402

NODES = 3
WORKERS = 2
CYCLES = 15
SHARE_NODE, SHARE_LINK = 0.04, 0.15     # of the cycles; the others kill a process
WAITED = 0.3        # of the cycles wait until traffic flows again, so that others overlap
RECOVERY_S = 90
REPORT_EVERY = 25
PAGE = 4096
SLOPE_KIB = 2048    # kernel memory that may differ between two times of rest
FIELDS = ("blocks", "acked", "checked", "boards", "events", "connects", "aborts", "denied",
          "granted", "wrong", "odd", "stalls", "breaches")
# What each worker must do more of, or traffic does not flow.
FLOW = ("acked", "checked", "boards", "denied")


class Hang(Exception):
    """Somebody does not come back."""


class Node:
    """A node, its rsmchaos, and what it had when nothing ran."""

    def __init__(self, node):
        self.node = node
        self.number = node.number
        self.program = None
        self.before = self.last = None
        self.lost = dict.fromkeys(FIELDS, 0)    # counted by programs of earlier boots

    def ask(self, line):
        try:
            answer = self.program.ask(line)
        except AssertionError as e:
            raise Hang(str(e)) from None
        if answer.startswith("hang"):
            raise Hang(f"{self.node.name}: {answer}")
        return answer

    def begin(self):
        self.program = port.Program(self.node, "rsmchaos", str(self.number), str(NODES))
        for k in range(WORKERS):
            self.ask(f"spawn {k}")

    def counts(self):
        """(one dictionary per worker, remarks)"""
        rows, remarks = [], []
        for row in self.ask("counts").split(";")[:WORKERS]:
            words = row.split(maxsplit=len(FIELDS))
            rows.append(dict(zip(FIELDS, map(int, words))))
            if len(words) > len(FIELDS):
                remarks.append(f"{self.node.name}: {words[-1]}")
        return rows, remarks

    def rest(self):
        """All workers end in good order; what is then in use."""
        self.ask("stop")
        return testlib.wait_for(self._used, 30, f"{self.node.name}: nothing in use")

    def _used(self):
        """What the node has, None while something still ends in the background."""
        agent = json.loads(self.node.check("rsmstat", "--agent", "--json"))["agent"]
        vmstat = dict(line.split() for line in
                      self.node.check("cat", "/proc/vmstat").splitlines())
        att = self.node.check("head", "-1", "/sys/kernel/debug/sci/sci0/att")
        inbound = self.node.check("cat", "/sys/kernel/debug/sci/sci0/inbound").splitlines()
        used = {
            "pinned pages": int(vmstat["nr_foll_pin_acquired"]) -
            int(vmstat["nr_foll_pin_released"]),
            "pinned bytes": agent["pinned_bytes"],
            "segment numbers": agent["segments"],
            "segment ids": agent["ids"],
            "window granules": int(att.split()[-3]),
            "sci pages": int(inbound[0].split()[1]),
            "access rows": sum(1 for line in inbound if line[:1].isdigit()),
        }
        self.last = used
        if used["pinned pages"] * PAGE != used["pinned bytes"]:
            return None     # the transport of a command pins pages as well, for a moment
        return used if self.before in (None, used) else None

    def memory(self):
        """KiB that the kernel holds and cannot take back, and descriptors of QEMU."""
        self.node.check("sh", "-c", "sync; echo 3 >/proc/sys/vm/drop_caches")
        info = dict(line.split(":") for line in
                    self.node.check("cat", "/proc/meminfo").splitlines())
        kib = sum(int(info[k].split()[0]) for k in ("SUnreclaim", "KernelStack", "PageTables",
                                                    "VmallocUsed", "Percpu"))
        return kib, self._descriptors()

    def _descriptors(self):
        """Kinds of descriptors of QEMU, and how many of each."""
        directory = pathlib.Path(f"/proc/{self.node.process()['pid']}/fd")
        kinds = collections.Counter()
        for fd in directory.iterdir():
            with contextlib.suppress(FileNotFoundError):
                to = os.readlink(fd)
                if "/share/" not in to:     # files of commands, which come and go
                    kinds[re.sub(r"\[\d+\]", "", to)] += 1
        return kinds


class Chaos:
    def __init__(self, lab, seed, say):
        self.lab, self.say = lab, say
        self.rng = random.Random(seed)
        self.nodes = [Node(n) for n in lab.nodes]
        self.done = self.hangs = self.leaks = 0
        self.faults = {"process": 0, "node": 0, "link": 0}
        self.problems = []

    # ---- rest and traffic ----

    def start(self):
        for n in self.nodes:
            n.begin()
        self.flows(self.nodes)

    def flows(self, nodes):
        """Wait until every worker of NODES has sent and checked something new."""
        began = {n.number: n.counts()[0] for n in nodes}

        def moved():
            for n in list(began):
                now = self.nodes[n - 1].counts()[0]
                if all(w[f] > b[f] for w, b in zip(now, began[n]) for f in FLOW):
                    del began[n]
            return not began
        try:
            testlib.wait_for(moved, RECOVERY_S, "traffic flows again")
        except AssertionError as e:
            raise Hang(f"{e}: {began}") from None

    def at_rest(self):
        """Stop everything, and hold every node against what it had before."""
        for n in self.nodes:
            n.ask("stop")
        for n in self.nodes:
            first = n.before is None
            try:
                used = n.rest()
            except AssertionError:
                self._leak(f"{n.node.name} is left with {n.last}, had {n.before}")
                used = n.before
            memory, fds = n.memory()
            if first:
                n.before, n.start_memory, n.start_fds = used, memory, fds
            if memory > n.start_memory + SLOPE_KIB:
                self._leak(f"{n.node.name}: {memory} KiB of kernel memory, "
                           f"{n.start_memory} at the start")
            if fds != n.start_fds:
                self._leak(f"{n.node.name}: QEMU has descriptors that it had not at the start: "
                           f"{dict(fds - n.start_fds)}, and lacks {dict(n.start_fds - fds)}")
            for k in range(WORKERS):
                n.ask(f"spawn {k}")

    def _leak(self, text):
        self.leaks += 1
        self.problems.append(text)

    # ---- faults ----

    def process_dies(self):
        n, k = self.rng.choice(self.nodes), self.rng.randrange(WORKERS)
        n.ask(f"kill {k}")
        n.ask(f"spawn {k}")
        return [n]

    def node_dies(self):
        n = self.rng.choice(self.nodes)
        rows, remarks = n.counts()
        self.problems += remarks
        for row in rows:
            for field in FIELDS:
                n.lost[field] += row[field]
        n.node.kill()
        n.program.forget()
        n.before = None
        others = [o for o in self.nodes if o is not n]
        self.flows(others)
        n.node.restart()
        n.node.wait_ready()
        n.begin()
        return self.nodes

    def link_fails(self):
        a, b = self.rng.sample(self.nodes, 2)
        a.node.take_link(b.number, False)
        third = [o for o in self.nodes if o not in (a, b)]
        if self.rng.random() < 0.5:
            self.flows(third)
        a.node.take_link(b.number, True)
        return [a, b]

    def cycle(self):
        dice = self.rng.random()
        waits = self.rng.random() < WAITED
        kind = "node" if dice < SHARE_NODE else \
            "link" if dice < SHARE_NODE + SHARE_LINK else "process"
        strike = {"node": self.node_dies, "link": self.link_fails, "process": self.process_dies}
        hit = strike[kind]()
        self.faults[kind] += 1
        if waits:
            self.flows(hit)
        self.done += 1

    # ---- the whole ----

    def totals(self):
        sums = dict.fromkeys(FIELDS, 0)
        for n in self.nodes:
            rows, remarks = n.counts()
            self.problems += [r for r in remarks if r not in self.problems]
            for row in [*rows, n.lost]:
                for field in FIELDS:
                    sums[field] += row[field]
        return sums

    def end(self):
        for n in self.nodes:
            if n.program and n.node.alive():
                n.program.__exit__()

    def run(self, cycles):
        began = time.monotonic()
        try:
            self.start()
            self.at_rest()
            for i in range(cycles):
                self.cycle()
                if (i + 1) % REPORT_EVERY == 0:
                    self.say(f"{i + 1} cycles, {time.monotonic() - began:.0f} s, "
                             f"{self.totals()['checked']} blocks checked")
                if (i + 1) % max(1, cycles // 4) == 0:
                    self.flows(self.nodes)
                    self.at_rest()
            sums = self.totals()
        except Hang as e:
            self.hangs += 1
            self.problems.append(str(e))
            sums = dict.fromkeys(FIELDS, 0)
        self.hangs += sums["stalls"]
        self.end()
        self.say(f"faults: {', '.join(f'{k} {v}' for k, v in self.faults.items())}; "
                 f"{time.monotonic() - began:.0f} s")
        self.say("; ".join(f"{k} {v}" for k, v in sums.items()))
        self.say(f"chaos: {self.done} cycles, {self.hangs} hangs, {self.leaks} leaks, "
                 f"{sums['wrong']} wrong bytes, {sums['breaches']} breaches")
        if not sums["granted"]:
            self.problems.append("nobody has got at what was for him")
        return self.hangs or self.leaks or sums["wrong"] or sums["odd"] or sums["breaches"] or \
            not sums["granted"]


def chaos(args):
    def the_living_go_on_and_nothing_is_lost(lab):
        def say(text):
            print(f"# {text}", flush=True)
        say(f"seed {args.seed}")
        run = Chaos(lab, args.seed, say)
        if run.run(args.cycles):
            raise AssertionError("\n".join([f"seed {args.seed}", *run.problems]))
    return the_living_go_on_and_nothing_is_lost


def _mischief_is_caught(lab, order, field):
    """A worker of each node does wrong; it must be counted."""
    run = Chaos(lab, "", print)
    try:
        run.start()
        for n in run.nodes:
            before = run.totals()[field]
            n.ask(f"{order} 0")
            testlib.wait_for(lambda b=before: run.totals()[field] > b, RECOVERY_S,
                             f"{order} of {n.node.name} is caught")
    finally:
        run.end()


def a_wrong_bit_is_caught(lab):
    _mischief_is_caught(lab, "spoil", "wrong")


def an_open_vault_is_caught(lab):
    _mischief_is_caught(lab, "unlock", "breaches")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cycles", type=int, default=CYCLES, help="faults (default %(default)s)")
    parser.add_argument("--seed",
                        default=os.environ.get("RSMLAB_SEED", str(time.time_ns() % 10**6)))
    args = parser.parse_args()
    testlib.main([chaos(args), a_wrong_bit_is_caught, an_open_vault_is_caught], nodes=NODES,
                 argv=[])


if __name__ == "__main__":
    main()
