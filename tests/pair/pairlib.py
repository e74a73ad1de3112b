# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""What the pair tests share: rsmsh in a node, both directions, error numbers."""
import contextlib
import functools
import os
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))

from lab import proc, testlib  # noqa: E402

wait_for = testlib.wait_for

SEG_NOT_PUBLISHED = 7
SEG_NOT_PUBLISHED_TO_NODE = 8
BAD_PERMS = 26
PERM_DENIED = 27
INSUFFICIENT_RESOURCES = 31
BARRIER_FAILURE = 38
REMOTE_NODE_UNREACHABLE = 39
CONN_ABORTED = 40
TIMEOUT = 42
INTERNAL_ERROR = 100

PATH_ACTIVE = 3


def same(found, wanted, what):
    if found != wanted:
        raise AssertionError(f"{what}: {found!r}, expected {wanted!r}")


class Shell:
    """rsmsh in a node: one process that exports and imports as it is told."""

    def __init__(self, node, controller="sci0", by=()):
        self.node = node
        self.process = node.spawn(*by, "rsmsh", controller)
        self.sent = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.__exit__()

    def send(self, line):
        """Give a command; its answer is taken by answer(), in order."""
        self.process.feed(line + "\n")
        self.sent += 1

    def _lines(self):
        lines = self.process.out.split("\n")[:-1]
        if len(lines) < self.sent and not self.process.running():
            raise AssertionError(f"rsmsh on {self.node.name} ended with "
                                 f"{self.process.job.status}: {self.process.out[-200:]!r} "
                                 f"{self.process.err[-400:]!r}")
        return lines if len(lines) >= self.sent else None

    def answer(self, what, deadline=30):
        """Answer to the last command: the error number and the rest."""
        line = wait_for(self._lines, deadline, f"answer of {self.node.name} to {what!r}")[-1]
        number, _, rest = line.partition(" ")
        return int(number), rest

    def ask(self, line, deadline=30):
        self.send(line)
        return self.answer(line, deadline)

    def ok(self, line, deadline=30):
        """What the command yields; it must not fail."""
        error, rest = self.ask(line, deadline)
        same(error, 0, f"{self.node.name}: error of {line!r}")
        return rest

    def fails(self, line, error):
        same(self.ask(line)[0], error, f"{self.node.name}: error of {line!r}")

    def publish(self, slot, segment_id, size=8192, acl=""):
        self.ok(f"export {slot} {size}")
        self.ok(f"publish {slot} {segment_id} {acl}".rstrip())

    def load(self, slot, node, segment_id, size=8192, barrier=True):
        """Connect, map, and open a barrier."""
        self.ok(f"connect {slot} {node} {segment_id}")
        self.ok(f"map {slot} {size}")
        if barrier:
            self.ok(f"init {slot}")
            self.ok(f"open {slot}")

    def connects(self, slot, node, segment_id, deadline=30):
        """Wait until a connect succeeds."""
        wait_for(lambda: self.ask(f"connect {slot} {node} {segment_id}")[0] == 0, deadline,
                 f"connect from {self.node.name} to {segment_id} on node {node}")

    def path(self, node, controller=""):
        """State of the path to a node; over its own controller, if none is named."""
        return int(self.ok(f"path {node} {controller}".rstrip()))

    def kill(self):
        self.process.signal("KILL")
        same(self.process.wait(), 128 + 9, f"status of the killed rsmsh on {self.node.name}")


def path_is_active(shell, peer, controller="", deadline=60):
    """Wait until the shell's node sees PEER over a controller, else over the shell's own."""
    wait_for(lambda: shell.path(peer.number, controller) == PATH_ACTIVE, deadline,
             f"active path {controller} from {shell.node.name} to {peer.name}")


def talk(e, i, slot, segment_id):
    """A new segment of E carries a word and an event of I."""
    e.publish(slot, segment_id)
    i.load(slot, e.node.number, segment_id)
    i.ok(f"set {slot} 8 77")
    i.ok(f"close {slot}")
    same(e.ok(f"get {slot} 8"), "77", f"word from {i.node.name} to {e.node.name}")
    i.ok(f"post {slot}")
    e.ok(f"wait {slot} 20000")


@contextlib.contextmanager
def halted(node, end=signal.SIGCONT):
    """A machine that stands still, until END lets it go on, or kills it."""
    pid = node.process()["pid"]
    try:
        same(proc.halt(pid), True, f"whether {node.name} stands still")
        yield
    finally:
        os.kill(pid, end)


def both_ways(*tests, third=False):
    """Each TEST(exporting node, importing node[, third node]) as two tests of a lab."""
    result = []
    for test in tests:
        for a, b in ((1, 2), (2, 1)):
            def run(lab, test=test, a=a, b=b):
                test(lab.node(a), lab.node(b), *([lab.node(3)] if third else []))
            functools.update_wrapper(run, test)
            run.__name__ = f"{test.__name__}_{a}_to_{b}"
            result.append(run)
    return result


def paths_are_active(lab, deadline=60):
    """Wait until every node sees every other one, over every adapter."""
    for node in lab.nodes:
        with Shell(node) as shell:
            for k in range(node.adapters()):
                for peer in lab.nodes:
                    if peer is not node:
                        path_is_active(shell, peer, f"sci{k}", deadline)


def with_paths(tests):
    """The same tests, each started only when all paths are active."""
    def wrap(test):
        @functools.wraps(test)
        def run(lab):
            paths_are_active(lab)
            test(lab)
        return run
    return [wrap(t) for t in tests]


def storm(node, exporter, segment_id, size, marker, seconds=120):
    """An importer that stores MARKER without pause until it is ended."""
    return node.spawn("storm", str(exporter.number), segment_id, str(size), f"{marker:x}",
                      str(seconds * 1000))


def end_storm(process):
    """End it: its counts.  It must not have met a signal."""
    process.signal("TERM")
    status = process.wait()
    same(status, 0, f"status of storm ({process.out!r}, {process.err!r})")
    words = process.out.split()
    return dict(zip(words[::2], map(int, words[1::2])))


def main(tests, nodes=2, **kwargs):
    testlib.main(with_paths(tests), nodes, **kwargs)
