#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Random call sequences of several processes on two nodes against the model.

Each sequence starts from nothing: two processes per node. What a call returns
and the bytes it moves must be what the rules allow; at the end all memory must
be as the model has it and the agents must hold nothing. Now and then several
threads of a process call at once, on both nodes; then there must be an order
of their calls that the rules allow. A failing sequence is made smaller and can
be run again alone.
"""
import argparse
import collections
import contextlib
import json
import os
import pathlib
import random
import sys
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "scripts")]

from lab import port, testlib  # noqa: E402

from generate import Generator  # noqa: E402
from other_rules import FOREVER, AllRules  # noqa: E402
from rounds import RoundGenerator, touched, wait_ends  # noqa: E402
from together import Call, Unclear, distinct, worlds_after  # noqa: E402
from world import NODES, PAGE, REGION_PAGES, REGIONS, Process  # noqa: E402

COUNT = 200             # sequences of the suite
LENGTH = (20, 80)       # calls of a sequence
ROUNDS = 0.06           # of the steps are calls of several threads
WORLDS = 8              # that are kept after a round does not tell which it is
SHRINK_S = 60
TRIES = 3               # of a sequence with threads, until it fails again
WRONG = {               # rule -> what the model then believes
    "abort": "a barrier does not report that the connection has ended",
    "list": "an access list does not keep out a node that it does not name",
    "accumulate": "RSM_SIGPOST_NO_ACCUMULATE does nothing",
    "turns": "threads take turns, the second calls when the first is done",
}
WRONG_WITHIN = 200      # sequences, in which a wrong rule must be noticed
TRANSFERS = {"put", "get", "putv", "getv"}
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
        # Wrong rules about single calls are found sooner without.
        self.share = ROUNDS if wrong in (None, "turns") else 0
        self.calls = self.rounds = self.unclear = 0
        self.seen = collections.Counter()   # (call, result)
        self.start()

    @property
    def world(self):
        """One of the worlds that may be; they differ only in what no result has told yet."""
        return self.worlds[0]

    def start(self):
        self.log = []
        self.chosen = {}    # (node, id that the agent chose when calls were made first) -> id now
        self.worlds = [AllRules(self.wrong)]
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
        for w in self.worlds:
            w.processes[node, number] = Process(node, number)

    def _fence(self):
        for node in NODES:
            self._must(node, f"- fence {3 - node}")
        for w in self.worlds:
            w.fence()
        self.worlds = distinct(self.worlds)

    def _settle(self):
        ends = {(s.node, s.export.node, s.segment_id) for s in self.world.doomed()}
        if any({(s.node, s.export.node, s.segment_id) for s in w.doomed()} != ends
               for w in self.worlds):
            raise Unclear("which connections end")
        for node, exporter, segment_id in sorted(ends):
            self._must(node, f"- gone {exporter} {segment_id}")
        for w in self.worlds:
            for share in w.doomed():
                w.end_share(share)

    def _ask(self, key, line):
        node, number = key
        self.calls += 1
        return self._heard(key, line, self.channels[node].ask(f"{number} {line}"))

    def _heard(self, key, line, answer):
        self.log.append(f"node {key[0]} process {key[1]}: {line} -> {answer}")
        if answer.split()[0] in ("hang", "died", "no"):
            raise Broken(len(self.log), answer)
        return answer

    def _judge(self, key, rule):
        """Make a call and hold what comes back against the rule, in each world that may be."""
        steps = [rule(w, w.processes[key]) for w in self.worlds]
        if any(s is None or s[0] != steps[0][0] for s in steps):
            return
        line = steps[0][0]
        answer = self._ask(key, line)
        words = answer.split()
        self.seen[line.split()[0], words[0]] += 1
        wishes = [judge(int(words[0]), words[1:]) for _, judge in steps]
        self.worlds = distinct([w for w, wish in zip(self.worlds, wishes) if wish is None])
        if not self.worlds:
            self.worlds = [AllRules(self.wrong)]
            raise Mismatch(len(self.log), f"{answer}, expected {' or '.join(sorted(set(wishes)))}")

    def _kill(self, key):
        node, number = key
        self._must(node, f"- kill {number}")
        self.log.append(f"node {node} process {number}: killed")
        for w in self.worlds:
            w.end_process(w.processes[key])

    def _renew(self, key, region):
        """Making a call to what was lost waits until the agent has noticed."""
        lost = [w.lost_by_renewal(w.processes[key], region) for w in self.worlds]
        slots = [None if them is None else [slot for slot, _ in them] for them in lost]
        if slots[0] is None or any(s != slots[0] for s in slots):
            return
        self._judge(key, lambda w, p: w.renew(p, region))
        for slot in slots[0]:
            self._judge(key, lambda w, p, s=slot: w.unpublish(p, s))

    def step(self, call):
        node, number, name, args = call
        key = node, number
        if name not in CALM and self.world.posts_on_the_way():
            self._fence()
        if name == "settle":
            self._settle()
        elif name == "round":
            self._round(args)
        elif name == "spawn":
            if key not in self.world.processes:
                self._spawn(node, number)
        elif key not in self.world.processes:
            return
        elif name == "kill":
            self._kill(key)
        elif name == "renew":
            self._renew(key, *args)
        else:
            self._call(key, name, args)

    def _call(self, key, name, args):
        def ambiguous(w):
            p = w.processes[key]
            return (name == "connect" and w.would_be_ambiguous(p, *args[1:4])) or \
                (name in TRANSFERS and
                 w.transfer_would_be_ambiguous(p, args[0], name in ("putv", "getv")))
        args, asked = self._today(name, args), args
        if any(ambiguous(w) for w in self.worlds):
            self._settle()
        self._judge(key, lambda w, p: getattr(w, name)(p, *args))
        self._note_id(key, name, asked)

    # The agent chooses other ids each time, so a call that lets it choose has the one of the
    # first time as its last argument from then on.

    def _today(self, name, args):
        """The arguments with the ids that the agent has chosen this time."""
        if name == "connect":
            return [*args[:3], self.chosen.get(tuple(args[2:4]), args[3]), *args[4:]]
        return args[:3] if name == "publish" else args

    def _note_id(self, key, name, args):
        handle = name == "publish" and not args[1] and self.world.processes[key].exports[args[0]]
        if handle and handle.export.state == "published":
            if len(args) == 3:
                args.append(handle.export.segment_id)
            self.chosen[key[0], args[3]] = handle.export.segment_id

    # ---- threads ----

    def _round(self, threads):
        """Calls of several threads at once; there must be an order that the rules allow."""
        self._settle()
        lines, made = {}, []
        asked = [t for t in threads if tuple(t[:2]) in self.world.processes]
        threads = [(node, number, first, [(name, self._today(name, args))
                                          for name, args in calls])
                   for node, number, first, calls in asked]
        posts = [((node, number), args) for node, number, _, calls in threads
                 for name, args in calls if name == "post"]
        for node, number, first, calls in threads:
            key = node, number
            texts = [(Call(key, name, args), self._text(key, name, args)) for name, args in calls
                     if name != "wait" or args[2] != FOREVER or
                     all(wait_ends(w, key, args, posts) for w in self.worlds)]
            texts = [(call, text) for call, text in texts if text]
            if texts:
                made.append([call for call, _ in texts])
                lines.setdefault(key, []).append(("!" if first else "") +
                                                 " , ".join(text for _, text in texts))
        self._make(lines, made)
        for w in self.worlds:
            w.at_once = True
        found = [worlds_after(w, made, touched(w, made), self.wrong == "turns")
                 for w in self.worlds]
        worlds = distinct([w for some, _ in found for w in some])
        if not worlds:
            raise Mismatch(len(self.log),
                           f"no order of these calls is right; {found[0][1]}: {self.log[-2:]}")
        for w in worlds:
            w.at_once = False
        self.worlds = worlds
        for node, number, _, calls in asked:
            for name, args in calls:
                self._note_id((node, number), name, args)
        self._fence()
        if len(self.worlds) > WORLDS:
            raise Unclear("too many worlds")

    def _text(self, key, name, args):
        steps = [getattr(w, name)(w.processes[key], *args) for w in self.worlds]
        return None if any(s is None for s in steps) else steps[0][0]

    def _make(self, lines, made):
        self.rounds += 1
        whole = {key: f"together {' ; '.join(some)}" for key, some in lines.items()}
        for (node, number), line in whole.items():
            self.channels[node].tell(f"{number} {line}")
        results, heard = {}, {key: self.channels[key[0]].hear(line) for key, line in whole.items()}
        for key, line in whole.items():
            answer = self._heard(key, line, heard[key])
            results[key] = [[r.split() for r in t.split(" , ")] for t in answer.split(" ; ")]
        for thread in made:
            for call, words in zip(thread, results[thread[0].key].pop(0)):
                call.result = words
                self.calls += 1
                self.seen[call.name, words[0]] += 1

    # ---- whole sequences ----

    def finish(self):
        """All memory as it should be, then nothing left."""
        self._settle()
        for key in list(self.world.processes):
            for region in range(REGIONS):
                self._judge(key, lambda w, p, r=region: w.ownload(p, r, 0, REGION_PAGES * PAGE))
        for node in NODES:
            self._must(node, "- reset")

    def _choose(self, rng, generator):
        # The worlds may be others than after the last call.
        generator.world = self.world
        if self.world.doomed() and rng.random() < 0.5:
            return 1, 0, "settle", []
        if not self.world.processes:
            return rng.choice(NODES), rng.randrange(2), "spawn", []
        if self.share and rng.random() < self.share:
            return 1, 0, "round", RoundGenerator(generator).round()
        return generator.call()

    def generate(self, rng):
        """One new sequence: its calls and how it failed, if it did."""
        self.start()
        generator = Generator(rng, self.world)
        calls = self.made = []
        try:
            for _ in range(rng.randint(*LENGTH)):
                calls.append(self._choose(rng, generator))
                self.step(calls[-1])
            self.finish()
        except Mismatch as e:
            return calls, e
        except Unclear:
            self.unclear += 1
        return calls, None

    def replay(self, calls):
        """The same calls again: how they fail, or None."""
        for _ in range(TRIES if any(call[2] == "round" for call in calls) else 1):
            try:
                self.start()
                for call in calls:
                    self.step(call)
                self.finish()
            except Mismatch as e:
                return e
            except Broken as e:
                return Mismatch(*e.args)
            except Unclear:
                pass
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
        return self._shrink_rounds(calls, end)

    def _shrink_rounds(self, calls, end):
        for at, call in enumerate(calls):
            thread = 0
            while call[2] == "round" and thread < len(call[3]) and time.monotonic() < end:
                less = (*call[:3], call[3][:thread] + call[3][thread + 1:])
                if self.replay([*calls[:at], less, *calls[at + 1:]]):
                    call = less
                    calls = [*calls[:at], call, *calls[at + 1:]]
                else:
                    thread += 1
        return calls


def rng_of(seed, sequence):
    return random.Random(f"{seed}/{sequence}")


def again_lines(runner, seed, sequence, calls):
    command = "python3 tests/model/sequences.py" + \
        (f" --wrong {runner.wrong}" if runner.wrong else "")
    return [f"again: {command} --seed {seed} --sequence {sequence}",
            f"or {command} --calls FILE --count 100, with FILE:", json.dumps(calls)]


def explain(runner, seed, sequence, calls, error):
    """What happened, in as few calls as can be found, and how to see it again."""
    lines = [f"sequence {sequence} of seed {seed}: call {error.step}: {error}", *runner.log]
    fewer = runner.shrink(calls)
    again = runner.replay(fewer)
    if again:
        lines += [f"the same with fewer calls: call {again.step}: {again}", *runner.log]
    else:
        lines.append("it does not fail each time")
    return "\n".join(lines + again_lines(runner, seed, sequence, fewer))


def run(channels, seed, sequences, wrong=None, brief=False):
    """(number of sequences, the runner, text of the first failure or None)"""
    runner = Runner(channels, wrong)
    done = 0
    for sequence in sequences:
        try:
            calls, error = runner.generate(rng_of(seed, sequence))
        except Broken as e:
            text = "\n".join([f"sequence {sequence} of seed {seed}: {e.args[1]}", *runner.log,
                              *again_lines(runner, seed, sequence, runner.made)])
            if brief:   # no rule has noticed that
                raise AssertionError(text) from None
            return done, runner, text
        done += 1
        if error:
            return done, runner, str(error) if brief else explain(runner, seed, sequence, calls,
                                                                  error)
        if done % 200 == 0:
            print(f"# {done} sequences, {runner.calls} calls", flush=True)
    return done, runner, None


def run_calls(channels, file, times, wrong):
    """(the runner, text of the first failure or None)"""
    runner = Runner(channels, wrong)
    calls = json.loads(file.read())
    for _ in range(times):
        error = runner.replay(calls)
        if error:
            return runner, "\n".join([f"call {error.step}: {error}", *runner.log])
    return runner, None


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
            if args.calls:
                runner, failure = run_calls(channels, args.calls, args.count, args.wrong)
                done = 1
            else:
                done, runner, failure = run(channels, args.seed, range(first, first + count),
                                           args.wrong)
        print(f"# seed {args.seed}: {done} sequences, {runner.calls} calls, "
              f"{runner.rounds} times threads, "
              f"{len(runner.seen)} different pairs of call and result, {runner.unclear} unclear, "
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
            done, _, failure = run(channels, "wrong", range(WRONG_WITHIN), rule, brief=True)
        if not failure:
            raise AssertionError(f"{WRONG_WITHIN} sequences do not show: {WRONG[rule]}")
        print(f"# noticed in sequence {done}: {failure}", flush=True)
    test.__name__ = f"a_model_with_a_wrong_rule_is_caught_{rule}"
    return test


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed",
                        default=os.environ.get("RSMLAB_SEED", str(time.time_ns() % 10**6)))
    parser.add_argument("--count", type=int, default=COUNT, help="sequences (default %(default)s)")
    parser.add_argument("--sequence", type=int, help="only this one")
    parser.add_argument("--calls", type=argparse.FileType(), metavar="FILE",
                        help="the calls that a failure has printed, COUNT times")
    parser.add_argument("--verbose", action="store_true", help="count what was seen")
    parser.add_argument("--wrong", choices=WRONG, help="get a rule wrong on purpose")
    args = parser.parse_args()
    tests = [calls_do_what_the_model_says(args)]
    if args.sequence is None and not args.calls and not args.wrong:
        tests += [wrong_rule_is_noticed(rule) for rule in WRONG]
    testlib.main(tests, nodes=2, extra=["-smp", "2"], argv=[])


if __name__ == "__main__":
    main()
