# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""A line-by-line conversation with a program in a node, over a virtio port.

Much quicker than a command per question; the program opens the port that it is
given as its first argument and answers each line with one line.
"""
import contextlib
import fcntl
import socket

from . import ui

PORT = 0
SILENCE_S = 120     # the programs report hangs themselves, sooner


class Program:
    """A program that runs in a node until it is closed."""

    def __init__(self, node, name, *args):
        self.node = node
        self.rest = b""
        path = node.socket(f"stdin.{PORT}")
        with contextlib.ExitStack() as stack:
            # The lock of those who give a command its standard input by this port.
            lock = stack.enter_context(open(f"{path}.lock", "w", encoding="utf-8"))
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.socket = stack.enter_context(socket.socket(socket.AF_UNIX))
            self.socket.settimeout(SILENCE_S)
            self.socket.connect(str(path))
            self.process = stack.enter_context(node.spawn_quiet(
                name, f"/dev/virtio-ports/org.sci-rsm.stdin.{PORT}", *args))
            self.stack = stack.pop_all()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # Its node may be dead, or the program; both are ended in any case.
        with contextlib.suppress(OSError, TimeoutError, ui.Failure):
            self.socket.sendall(b"end\n")
            self.process.wait(20)
        self.stack.close()

    def forget(self):
        """The node is dead."""
        self.stack.close()

    def ask(self, line):
        """The answer to a line."""
        self.tell(line)
        return self.hear(line)

    def tell(self, line):
        """Send a line; hear() has the answer."""
        try:
            self.socket.sendall(line.encode() + b"\n")
        except OSError as e:
            raise self._silent(line, e) from None

    def hear(self, line):
        """The answer to LINE, which was sent."""
        try:
            while b"\n" not in self.rest:
                data = self.socket.recv(65536)
                if not data:
                    raise ConnectionError("the port was closed")
                self.rest += data
        except OSError as e:
            raise self._silent(line, e) from None
        answer, _, self.rest = self.rest.partition(b"\n")
        return answer.decode(errors="replace")

    def _silent(self, line, error):
        return AssertionError(f"{self.node.name} does not answer {line!r} ({error}); "
                              f"the program says {self._errors()!r}")

    def _errors(self):
        try:
            return self.process.err
        except ui.Failure as e:
            return str(e)
