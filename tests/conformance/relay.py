# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Runs `conform` in a node and carries its requests to its peer in the other
node and to the host; progs/channel.h says how they look."""
import math
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))

from lab import testlib  # noqa: E402

IDLE = 0.001
SILENCE = 170       # seconds without a line, before scaling: the program hangs
AGENT_DEADLINE = 60


class Program:
    """A `conform` whose output is taken line by line."""

    def __init__(self, node, *argv):
        self.node = node
        self.process = node.spawn("env", f"CONFORM_SLOWNESS={math.ceil(testlib.scaled(1))}",
                                  "conform", *argv)
        self.taken = 0

    def close(self):
        self.process.__exit__()

    def lines(self):
        """The lines that it has printed since the last call."""
        text = self.process.out
        end = text.rfind("\n") + 1
        new, self.taken = text[self.taken:end], max(end, self.taken)
        return new.splitlines()

    def feed(self, line):
        self.process.feed(line + "\n")


def path_is_active(node, peer):
    """Whether the agent of a node has a session with that of its peer."""
    text = node.check("cat", "/sys/kernel/debug/rsm/controllers")
    return any(line.split()[:3] == ["node", str(peer.number), "active"]
               for line in text.splitlines())


def wait_for_paths(*nodes):
    for node in nodes:
        for peer in nodes:
            if peer is not node:
                testlib.wait_for(lambda n=node, p=peer: path_is_active(n, p), AGENT_DEADLINE,
                                 f"active path from {node.name} to {peer.name}")


class Host:
    """What a test can ask of the machine; restore() undoes what it left."""

    def __init__(self, node, peer):
        self.node = node
        self.peer = peer
        self.server = None      # the peer's program
        self.undo = {}          # request that undoes it, by what was done

    def serve(self):
        self.server = Program(self.peer, "serve")

    def close(self):
        if self.server:
            self.server.close()

    def request(self, text):
        """0, or -1 if it is none."""
        action = getattr(self, "do_" + text.replace(" ", "_"), None)
        if not action:
            return -1
        action()
        return 0

    def restore(self):
        for text in reversed(list(self.undo.values())):
            self.request(text)

    def do_pause(self):
        self.peer.qmp("stop")
        self.undo["pause"] = "resume"

    def do_resume(self):
        self.peer.qmp("cont")
        self.undo.pop("pause", None)

    def do_cut(self):
        self.node.take_link(self.peer.number, up=False)
        self.undo["link"] = "link up"

    def do_link_down(self):
        self.do_cut()
        for a, b in ((self.node, self.peer), (self.peer, self.node)):
            testlib.wait_for(lambda a=a, b=b: not path_is_active(a, b), AGENT_DEADLINE,
                             f"loss of the path from {a.name}")

    def do_link_up(self):
        self.node.take_link(self.peer.number, up=True)
        self.undo.pop("link", None)
        wait_for_paths(self.node, self.peer)

    def do_error(self):
        self.node.inject_link_error(self.peer.number)

    def do_crash(self):
        self.undo = {"crash": "boot"}
        self.peer.kill()
        self.close()
        self.server = None

    def do_boot(self):
        self.peer.restart()
        self.peer.wait_ready()
        wait_for_paths(self.node, self.peer)
        self.serve()
        self.undo.pop("crash", None)

    def do_unload(self):
        self.peer.drivers("unload")
        self.undo["unload"] = "load"

    def do_load(self):
        self.peer.drivers("load")
        self.undo.pop("unload", None)
        wait_for_paths(self.node, self.peer)


def _carry(line, program, host):
    """A line that is a request: answer it, or hand it on."""
    kind, _, request = line.partition(" ")
    number, _, text = request.partition(" ")
    if kind == ">peer":
        if host.server:
            host.server.feed(request)
        else:
            program.feed(f"{number} {0 if text == 'end' else -1} 0")
    else:
        program.feed(f"{number} {host.request(text)} 0")


def _results(program, host):
    """(verdict, name, diagnostics) of each test as it ends."""
    last, why = time.monotonic(), []
    silence = testlib.scaled(SILENCE)
    while True:
        running = program.process.running()
        lines = program.lines()
        for line in lines:
            last = time.monotonic()
            if line.startswith(">"):
                _carry(line, program, host)
            elif line.startswith("#"):
                why.append(line[1:].strip())
            elif line == "done":
                return
            elif line.startswith(("ok ", "not ok ", "skip ")):
                verdict, _, name = line.rpartition(" ")
                host.restore()
                yield verdict, name, why
                why = []
        for line in host.server.lines() if host.server else ():
            program.feed(line)
        if not lines and not running:
            raise AssertionError(f"conform ended: {program.process.err[-500:]} {' '.join(why)}")
        if time.monotonic() - last > silence:
            raise AssertionError(f"conform hangs: {program.process.out[-500:]} {why}")
        time.sleep(IDLE)


def run(node, peer, *argv):
    """Run `conform ARGV` in a node; its peer is in `peer` if that is another one.

    Yields (verdict, name, diagnostics) of each test.
    """
    host = Host(node, peer)
    if peer is not node:
        host.serve()
    program = Program(node, *argv)
    try:
        yield from _results(program, host)
    finally:
        host.restore()
        program.close()
        host.close()
