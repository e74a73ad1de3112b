# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Each test of an in-guest program of this folder as a test of the lab.

The program says which tests it has before it runs them (`--list`), so that one
that stops early, or leaves one out, fails those that are missing.
"""
import contextlib
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))

from lab import testlib, ui  # noqa: E402, F401 (the scripts of this folder take it here)

CONTROLLERS = ("loopback", "sci0")
POINT = re.compile(r"(not )?ok \d+ - (\w+)$")
DEADLINE = 300
TEST_SECONDS = 60       # of one test


class Run:
    """One program over one controller; it runs when the first result is asked for.

    AROUND(node) is a context manager that it runs in.
    """

    def __init__(self, program, controller, around=contextlib.nullcontext):
        self.argv = (f"guest-{program}", controller)
        self.around = around
        self.listed = []
        self.ended = ""         # how, once it has
        self.results = {}       # test -> whether it passed, and what was said before

    def names(self, node):
        """The tests that the program has."""
        self.listed = node.check(self.argv[0], "--list").split()
        if not self.listed:
            raise AssertionError(f"{self.argv[0]} lists no test")
        return self.listed

    def _take(self, out):
        """Sort the output by tests; what follows the last point."""
        said = []
        for line in out.splitlines():
            if point := POINT.match(line):
                self.results[point[2]] = (not point[1], "\n".join(said))
                said = []
            elif not line.startswith("1.."):
                said.append(line.removeprefix("# "))
        return said

    def _run(self, node):
        limit = f"TEST_SECONDS={testlib.scaled(TEST_SECONDS):.0f}"
        with self.around(node), node.spawn_quiet("env", limit, *self.argv) as process:
            try:
                status = process.wait(DEADLINE)
                ended = f"it ended with status {status}"
            except (ui.Failure, TimeoutError) as e:
                status, ended = None, str(e)
        rest = self._take(process.text["out"])
        self.ended = "\n".join([ended, *rest, process.text["err"]]).rstrip()
        passed = all(good for good, _ in self.results.values())
        if set(self.results) == set(self.listed) and status != (0 if passed else 1):
            # Its points are not the whole truth.
            self.results.clear()

    def result(self, node, name):
        """Whether a test passed, and what was said about it."""
        if not self.ended:
            self.ended = "it could not be run"
            self._run(node)
        return self.results.get(name, (False, f"{' '.join(self.argv)} did not report it: "
                                              f"{self.ended}"))


def _test(run, program, name, controller, seen):
    def test(lab):
        good, said = run.result(lab.node(1), name)
        if not good:
            raise AssertionError(said or "the program does not say why")
        seen(said)

    test.__name__ = f"{program}.{name}_over_{controller}"
    return test


def tests(node, programs, controllers=CONTROLLERS, around=contextlib.nullcontext,
          seen=lambda said: None):
    """A test of the lab for each test of the programs over each controller.

    SEEN takes what a test that passes has said.
    """
    found = []
    for controller in controllers:
        for program in programs:
            run = Run(program, controller, around)
            found += [_test(run, program, name, controller, seen) for name in run.names(node)]
    return found


def all_pass(node, program, controller):
    """For what is not about the program: it runs, and all its tests pass."""
    run = Run(program, controller)
    bad = [f"{name}: {said}" for name in run.names(node)
           for good, said in [run.result(node, name)] if not good]
    if bad:
        raise AssertionError("\n".join(bad))
