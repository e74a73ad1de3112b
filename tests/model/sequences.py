#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Random call sequences of several processes on two nodes against the model.

Each sequence starts from nothing: two processes per node. What a call returns
and the bytes it moves must be what the rules allow; at the end all memory must
be as the model has it and the agents must hold nothing. A failing sequence is
made smaller and can be run again alone.
"""
import argparse
import collections
import contextlib
import os
import pathlib
import random
import sys
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "scripts")]

from lab import port, testlib  # noqa: E402

from generate import Generator  # noqa: E402
from other_rules import AllRules  # noqa: E402
from world import NODES, PAGE, REGION_PAGES, REGIONS, Process  # noqa: E402

COUNT = 400             # sequences of the suite
LENGTH = (20, 80)       # calls of a sequence
SHRINK_S = 60
WRONG = {               # rule -> what the model then believes
    "abort": "a barrier does not report that the connection has ended",
    "list": "an access list does not keep out a node that it does not name",
    "accumulate": "RSM_SIGPOST_NO_ACCUMULATE does nothing",
}
WRONG_WITHIN = 200      # sequences, in which a wrong rule must be noticed
# Calls that do not care what is on its way to whom.
CALM = {"wait", "waitpoll", "post", "store", "load", "put", "get", "open", "order", "close",
        "ownstore", "ownload", "mode", "getmode", "getpoll", "freepoll", "umask", "ids"}


class Mismatch(Exception):
    """A call did not do what the rules say."""

    def __init__(self, step, text):
        super().__init__(text)
        self.step = step


class Broken(Exception):
    """A process hangs or died: nothing can be tried after that."""


class Runner:
    """Makes calls in the nodes and holds them against the rules."""

    def __init__(self, channels, wrong=None):
        self.channels = channels
        self.wrong = wrong
        self.calls = 0
        self.seen = collections.Counter()   # (call, result)
        self.start()

    def start(self):
        self.log = []
        self.world = AllRules(self.wrong)
        for node in NODES:
            self._must(node, "- reset")
        for node in NODES:
            for number in (0, 1):
                self._spawn(node, number)

    def _must(self, node, line, wanted="0"):
        answer = self.channels[node].ask(line)
        if answer != wanted:
            self.log.append(f"node {node}: {line}")
            raise (Broken if answer.startswith(("hang", "died")) else Mismatch)(
                len(self.log), f"{answer!r}, expected {wanted}")

    def _spawn(self, node, number):
        self._must(node, f"- spawn {number}")
        self.world.processes[node, number] = Process(node, number)

    def _fence(self):
        for node in NODES:
            self._must(node, f"- fence {3 - node}")
        self.world.fence()

    def _settle(self):
        for share in self.world.doomed():
            self._must(share.node, f"- gone {share.export.node} {share.segment_id}")
            self.world.end_share(share)

    def _judge(self, node, number, line, judge):
        """Make a call and hold what comes back against the rule."""
        self.calls += 1
        answer = self.channels[node].ask(f"{number} {line}")
        self.log.append(f"node {node} process {number}: {line} -> {answer}")
        words = answer.split()
        self.seen[line.split()[0], words[0]] += 1
        if words[0] in ("hang", "died", "no"):
            raise Broken(len(self.log), answer)
        wanted = judge(int(words[0]), words[1:])
        if wanted is not None:
            raise Mismatch(len(self.log), f"{answer}, expected {wanted}")

    def _kill(self, p):
        self._must(p.node, f"- kill {p.number}")
        self.log.append(f"node {p.node} process {p.number}: killed")
        self.world.end_process(p)

    def _renew(self, p, region):
        """Making a call to what was lost waits until the agent has noticed."""
        lost = self.world.lost_by_renewal(p, region)
        step = self.world.renew(p, region)
        if step is None:
            return
        self._judge(p.node, p.number, *step)
        for slot, _ in lost:
            self._judge(p.node, p.number, *self.world.unpublish(p, slot))

    def step(self, call):
        node, number, name, args = call
        if name not in CALM and self.world.posts_on_the_way():
            self._fence()
        if name == "settle":
            self._settle()
            return
        p = self.world.processes.get((node, number))
        if name == "spawn":
            if not p:
                self._spawn(node, number)
            return
        if not p:
            return
        if name == "kill":
            self._kill(p)
        elif name == "renew":
            self._renew(p, *args)
        else:
            self._call(p, name, args)

    def _call(self, p, name, args):
        vector = name in ("putv", "getv")
        if name == "connect" and self.world.would_be_ambiguous(p, *args[1:4]):
            self._settle()
        if (vector or name in ("put", "get")) and \
                self.world.transfer_would_be_ambiguous(p, args[0], vector):
            self._settle()
        if vector:
            step = self.world.vector(p, name == "putv", *args)
        else:
            step = getattr(self.world, name)(p, *args)
        if step:
            self._judge(p.node, p.number, *step)

    def finish(self):
        """All memory as it should be, then nothing left."""
        self._settle()
        for p in list(self.world.processes.values()):
            for region in range(REGIONS):
                self._judge(p.node, p.number,
                            *self.world.ownload(p, region, 0, REGION_PAGES * PAGE))
        for node in NODES:
            self._must(node, "- reset")

    def generate(self, rng):
        """One new sequence: its calls and how it failed, if it did."""
        self.start()
        generator = Generator(rng, self.world)
        calls = []
        try:
            for _ in range(rng.randint(*LENGTH)):
                if self.world.doomed() and rng.random() < 0.5:
                    call = (1, 0, "settle", [])
                elif not self.world.processes:
                    call = (rng.choice(NODES), rng.randrange(2), "spawn", [])
                else:
                    call = generator.call()
                calls.append(call)
                self.step(call)
            self.finish()
        except Mismatch as e:
            return calls, e
        return calls, None

    def replay(self, calls):
        """The same calls again: how they fail, or None."""
        try:
            self.start()
            for call in calls:
                self.step(call)
            self.finish()
        except Mismatch as e:
            return e
        return None

    def shrink(self, calls):
        """Fewer calls that fail as well."""
        end = time.monotonic() + SHRINK_S
        size = max(1, len(calls) // 2)
        while size:
            at = 0
            while at < len(calls) and time.monotonic() < end:
                fewer = calls[:at] + calls[at + size:]
                if self.replay(fewer):
                    calls = fewer
                else:
                    at += size
            size //= 2
        return calls


def rng_of(seed, sequence):
    return random.Random(f"{seed}/{sequence}")


def explain(runner, seed, sequence, calls, error):
    """What happened, in as few calls as can be found, and how to see it again."""
    lines = [f"sequence {sequence} of seed {seed}: call {error.step}: {error}", *runner.log]
    fewer = runner.shrink(calls)
    again = runner.replay(fewer)
    if again:
        lines += [f"the same with fewer calls: call {again.step}: {again}", *runner.log]
    else:
        lines.append("it does not fail each time")
    wrong = f" --wrong {runner.wrong}" if runner.wrong else ""
    lines.append(f"again: python3 tests/model/sequences.py --seed {seed} --sequence {sequence}"
                 f"{wrong}")
    return "\n".join(lines)


def run(channels, seed, sequences, wrong=None):
    """(number of sequences, the runner, text of the first failure or None)"""
    runner = Runner(channels, wrong)
    done = 0
    for sequence in sequences:
        try:
            calls, error = runner.generate(rng_of(seed, sequence))
        except Broken as e:
            return done, runner, "\n".join(
                [f"sequence {sequence} of seed {seed}: {e.args[1]}", *runner.log])
        done += 1
        if error:
            return done, runner, explain(runner, seed, sequence, calls, error)
        if done % 200 == 0:
            print(f"# {done} sequences, {runner.calls} calls", flush=True)
    return done, runner, None


@contextlib.contextmanager
def rsmmodel(lab):
    """It runs in both nodes, while a test does."""
    with contextlib.ExitStack() as stack:
        yield {n: stack.enter_context(port.Program(lab.node(n), "rsmmodel")) for n in NODES}


def calls_do_what_the_model_says(args):
    def random_calls_do_what_the_model_says(lab):
        first = args.sequence or 0
        count = 1 if args.sequence is not None else args.count
        began = time.monotonic()
        with rsmmodel(lab) as channels:
            done, runner, failure = run(channels, args.seed, range(first, first + count),
                                       args.wrong)
        print(f"# seed {args.seed}: {done} sequences, {runner.calls} calls, "
              f"{len(runner.seen)} different pairs of call and result, "
              f"{int(bool(failure))} mismatches, {time.monotonic() - began:.0f} s", flush=True)
        if args.verbose:
            for (name, result), times in sorted(runner.seen.items()):
                print(f"#   {name} {result}: {times}", flush=True)
        if failure:
            raise AssertionError(failure)
    return random_calls_do_what_the_model_says


def wrong_rule_is_noticed(rule):
    def test(lab):
        with rsmmodel(lab) as channels:
            _, _, failure = run(channels, "wrong", range(WRONG_WITHIN), rule)
        if not failure:
            raise AssertionError(f"{WRONG_WITHIN} sequences do not show: {WRONG[rule]}")
    test.__name__ = f"a_model_with_a_wrong_rule_is_caught_{rule}"
    return test


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed",
                        default=os.environ.get("RSMLAB_SEED", str(time.time_ns() % 10**6)))
    parser.add_argument("--count", type=int, default=COUNT, help="sequences (default %(default)s)")
    parser.add_argument("--sequence", type=int, help="only this one")
    parser.add_argument("--verbose", action="store_true", help="count what was seen")
    parser.add_argument("--wrong", choices=WRONG, help="get a rule wrong on purpose")
    args = parser.parse_args()
    tests = [calls_do_what_the_model_says(args)]
    if args.sequence is None and not args.wrong:
        tests += [wrong_rule_is_noticed(rule) for rule in WRONG]
    testlib.main(tests, nodes=2, argv=[])


if __name__ == "__main__":
    main()
