#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""The assertions of the RSMAPI reference, each under its number, and which
errors the functions return.

One lab of two nodes; TAP, then the tables of report.py as comments and in
build/log/conformance.txt. Arguments select tests by a part of their names.
"""
import concurrent.futures
import pathlib
import re
import signal
import sys
import threading

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "scripts"))
sys.path.insert(0, str(HERE.parent / "pair"))

import abi  # noqa: E402
import relay  # noqa: E402
import report  # noqa: E402
import samples  # noqa: E402
from lab import paths, testlib, ui  # noqa: E402

REPORT = paths.LOGS / "conformance.txt"
SMALL = ("max_segments=40", "max_exported_memory=10")


class Suite:
    """Runs everything and keeps the results; TAP points come from two threads."""

    def __init__(self, lab, wanted):
        self.lab = lab
        self.wanted = wanted
        self.assertions = report.Assertions()
        self.errors = report.Errors()
        self.lock = threading.Lock()
        self.count = 0
        self.failed = 0
        self.programs = {}      # test -> its scopes, of the program in the guests

    def is_wanted(self, name):
        return not self.wanted or any(part in name for part in self.wanted)

    def point(self, good, name, why=(), skip=""):
        with self.lock:
            self.count += 1
            self.failed += not good
            for line in () if good else why:
                print(f"# {line}")
            print(f"{'ok' if good else 'not ok'} {self.count} - {name}"
                  f"{' # SKIP ' + skip if skip else ''}", flush=True)

    def result(self, test, scope, outcome, why=()):
        skip = " ".join(line.removeprefix("SKIP ") for line in why) if outcome == "skip" else ""
        with self.lock:
            self.assertions.add(test, scope, outcome)
        self.point(outcome != "fail", f"{test} over {scope}", why, skip)

    def function(self, test, scope, function, *args):
        """A test that is a Python function."""
        if not self.is_wanted(test):
            return
        try:
            function(*args)
        except testlib.Skip as e:
            self.result(test, scope, "skip", [str(e)])
        except (AssertionError, ui.Failure, TimeoutError) as e:
            self.result(test, scope, "fail", str(e).splitlines())
        else:
            self.result(test, scope, "pass")

    def learn_programs(self):
        for line in self.lab.node(1).check("conform", "list").splitlines():
            test, *scopes = line.split()
            self.programs[test] = scopes

    def program(self, verb, scope, column, node, peer):
        """All tests of the program in one scope; one that is not reported has failed."""
        left = {test for test, scopes in self.programs.items()
                if scope in scopes and ("small" in scopes) == (verb == "small")
                and self.is_wanted(test)}
        if not left:
            return
        names = sorted(left) if self.wanted else []
        why = ["no result"]
        try:
            for verdict, test, said in relay.run(node, peer, verb, scope, *names):
                left.discard(test)
                outcome = {"ok": "pass", "not ok": "fail", "skip": "skip"}[verdict]
                self.result(test, column, outcome, said)
        except (AssertionError, ui.Failure, TimeoutError) as e:
            why = str(e).splitlines()
        for test in sorted(left):
            self.result(test, column, "fail", why)

    def one_node(self, node, scope):
        """One scope of one node, with the limits as they are and with small ones."""
        self.program("run", scope, scope, node, node)
        node.drivers("unload")
        node.check("modprobe", "rsm", *SMALL)
        node.check("modprobe", "sci")
        self.program("small", scope, scope, node, node)
        node.drivers("unload")
        node.drivers("load")

    def one_node_scopes(self):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            jobs = [pool.submit(self.one_node, self.lab.node(n), scope)
                    for n, scope in ((1, "loopback"), (2, "self"))]
            for job in jobs:
                job.result()

    def two_node_scopes(self):
        for exporter, importer in ((1, 2), (2, 1)):
            relay.wait_for_paths(*self.lab.nodes)
            e, i = self.lab.node(exporter), self.lab.node(importer)
            scope = f"{exporter}->{importer}"
            self.program("run", "cross", scope, i, e)
            relay.wait_for_paths(*self.lab.nodes)
            for test in samples.TWO_NODES:
                self.function(test.__name__, scope, test, e, i)
        for test in samples.ONE_NODE:
            self.function(test.__name__, "self", test, self.lab)

    def errors_are_as_listed(self):
        for node in self.lab.nodes:
            self.errors.add(node.check("conform", "record"))
        if self.wanted:
            return
        surplus = [f"{f} returned {code}" for f, code in self.errors.unlisted()]
        self.point(not surplus, "no function returns an error that is not listed", surplus)
        missing = [f"{f} never returned {code}" for f, code in self.errors.missing()]
        self.point(not missing, "every error that is listed was provoked", missing)

    def nothing_is_left(self):
        left = []
        for node in self.lab.nodes:
            for what in ("exports", "imports"):
                text = node.check("cat", f"/sys/kernel/debug/rsm/{what}")
                left += [f"{node.name}: {line}" for line in text.splitlines()]
        self.point(not left, "no segment is left", left)
        for name, check in testlib.closing_checks():
            try:
                check(self.lab)
            except (AssertionError, ui.Failure, TimeoutError) as e:
                self.point(False, name, str(e).splitlines())
            else:
                self.point(True, name)

    def run(self):
        for test in abi.TESTS:
            self.function(test.__name__, "abi", test)
        self.lab.boot()
        relay.wait_for_paths(*self.lab.nodes)
        self.learn_programs()
        self.one_node_scopes()
        # A node that was killed has lost what it had recorded.
        for node in self.lab.nodes:
            self.errors.add(node.check("conform", "record"))
        self.two_node_scopes()
        self.errors_are_as_listed()
        self.nothing_is_left()
        testlib.keep_counters(self.lab)

    def report(self):
        lines = [*self.assertions.lines(), *self.assertions.summary(), *self.errors.summary()]
        if not self.wanted:
            paths.write_atomic(REPORT, "\n".join(lines) + "\n")
        for line in lines:
            print(f"# {line}")


def _documents_agree(suite):
    """docs/conformance.md explains each assertion that is not tested, and no other."""
    text = (HERE.parents[1] / "docs" / "conformance.md").read_text(encoding="utf-8")
    section = text.partition("## Not tested")[2].partition("\n## ")[0]
    explained = {int(n) for n in re.findall(r"^\| (\d+) \|", section, re.M)}
    untested = {n for n, how in suite.assertions.how.items() if how == "no"}
    suite.point(explained == untested, "the documents explain what is not tested",
                [f"explained {sorted(explained)}, not tested {sorted(untested)}"])


def _on_signal(_signo, _frame):
    raise KeyboardInterrupt


def main():
    signal.signal(signal.SIGTERM, _on_signal)
    signal.signal(signal.SIGHUP, _on_signal)
    REPORT.unlink(missing_ok=True)
    lab = testlib.TestLab(2)
    suite = Suite(lab, sys.argv[1:])
    try:
        suite.run()
    except ui.Failure as e:
        print(f"Bail out! {str(e).splitlines()[0]}")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        lab.remove()
    _documents_agree(suite)
    print(f"1..{suite.count}")
    suite.report()
    sys.exit(1 if suite.failed else 0)


if __name__ == "__main__":
    main()
