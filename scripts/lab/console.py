# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""The serial console of a node: interactive, and as an object for the demo."""
import contextlib
import fcntl
import os
import re
import select
import shutil
import socket
import sys
import termios
import time
import tty

from . import job, ui

ESCAPE = b"\x1d"        # Ctrl-]
_CONTROL = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")


@contextlib.contextmanager
def connection(node):
    """The console's socket; one user at a time."""
    with contextlib.ExitStack() as stack:
        lock = stack.enter_context(open(f"{node.socket('console')}.lock", "a+", encoding="utf-8"))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise ui.Failure(f"the console of {node.name} is in use by pid "
                             f"{lock.read().strip()}") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        sock = stack.enter_context(socket.socket(socket.AF_UNIX))
        try:
            sock.connect(str(node.socket("console")))
        except OSError as e:
            raise ui.Failure(f"{node.name} has no console: {e.strerror}") from None
        yield sock


@contextlib.contextmanager
def _raw_terminal():
    saved = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, saved)


def attach(node):
    """Connect the terminal to the node's console until Ctrl-]."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ui.Failure("console needs a terminal; scripts use `rsmlab exec`")
    size = shutil.get_terminal_size()
    with connection(node) as sock:
        with contextlib.suppress(ui.Failure, TimeoutError):
            job.run(node, ["stty", "-F", "/dev/ttyS0", "rows", str(size.lines),
                           "columns", str(size.columns)], timeout=5)
        ui.say(f"console of {node.name}: Ctrl-] leaves it, Enter shows a prompt")
        with _raw_terminal():
            why = _relay(sock)
    ui.say(f"\n{why} console of {node.name}")
    return 0


def _relay(sock):
    while True:
        ready = select.select([0, sock], [], [])[0]
        if sock in ready:
            data = sock.recv(4096)
            if not data:
                return "node ended:"
            os.write(1, data)
        if 0 in ready:
            data = os.read(0, 1024)
            if not data or ESCAPE in data:
                return "left the"
            sock.sendall(data)


class Session:
    """A console read line by line; `show` gets each complete line."""

    def __init__(self, sock, show):
        self.sock = sock
        self.show = show
        self.seen = b""         # everything since the last expect()
        self.line = b""         # the unfinished line

    def type(self, text):
        self.sock.sendall(text.encode())

    def _pump(self, timeout):
        if not select.select([self.sock], [], [], timeout)[0]:
            return
        data = self.sock.recv(4096)
        if not data:
            raise ui.Failure("the console was closed")
        self.accept(data)

    def accept(self, data):
        """Take what the console sent."""
        self.seen += data
        *lines, self.line = (self.line + data).split(b"\n")
        for line in lines:
            self.show(_CONTROL.sub(b"", line).decode(errors="replace"))

    def expect(self, text, timeout=30):
        """Read until TEXT has appeared; what came before and including it."""
        wanted = text.encode()
        deadline = time.monotonic() + timeout
        while wanted not in self.seen:
            left = deadline - time.monotonic()
            if left <= 0:
                raise ui.Failure(f"{text!r} did not appear on the console; the last of it:\n"
                                 f"{self.seen[-500:].decode(errors='replace')}")
            self._pump(left)
        before, _, self.seen = self.seen.partition(wanted)
        return (before + wanted).decode(errors="replace")
