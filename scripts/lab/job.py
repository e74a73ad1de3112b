# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Commands in a guest, as `rsmlab exec` and the tests run them.

The guest agent starts them, but it returns output only when they have ended
and takes standard input only before they start. So output goes to files in the
9p share, which are read here as they grow, and input through a virtio port,
as stdin.py says. The command itself is a file of the share, too: its arguments
are bytes, the agent's are text. images/rootfs/usr/libexec/rsmlab-run is the
other half.
"""
import contextlib
import fcntl
import os
import shutil
import socket
import time

from . import node as node_module, stdin as stdin_module, ui

STARTER = ["/bin/start-stop-daemon", "-S", "-b", "-x", "/usr/libexec/rsmlab-run", "--"]
CHUNK = 1 << 16
IDLE_MIN, IDLE_MAX = 0.004, 0.05
# A command that was killed has its port until its memory is given back.
DRAIN_DEADLINE = 60


def _quoted(arg):
    """An argument (bytes, or text of os.fsdecode() or in UTF-8) as a word of sh."""
    data = arg if isinstance(arg, bytes) else arg.encode("utf-8", "surrogateescape")
    if b"\0" in data:
        raise ui.Failure("an argument with a NUL byte cannot be passed to a command")
    return b"'" + data.replace(b"'", b"'\\''") + b"'"


def _number(text):
    """A number that the guest has written; it may write anything."""
    try:
        return int(text)
    except ValueError:
        raise ui.Failure(f"the node says {text[:40]!r} where it should say a number") from None


class Job:
    """One command; `status` is None while it runs."""

    def __init__(self, node, argv, stdin=None):
        words = b" ".join(map(_quoted, argv))
        self.node = node
        self.status = None
        self.asked = False      # the agent was asked to start it
        self.name = f"{os.getpid()}-{time.monotonic_ns()}"
        self.dir = node.share / "job" / self.name
        self.stack = contextlib.ExitStack()
        with self.stack:
            if not node.alive():
                raise ui.Failure(f"{node.name} is not running")
            # Filled where the guest cannot put links, then moved to where it can.
            outside = node.dir / f"job-{self.name}"
            outside.mkdir()
            self.stack.callback(shutil.rmtree, outside, True)
            (outside / "command").write_bytes(b"set -- " + words + b"\n")
            self.files = {}
            for stream in ("out", "err"):
                self.files[stream] = os.open(outside / stream, os.O_RDWR | os.O_CREAT, 0o600)
                self.stack.callback(os.close, self.files[stream])
            self.stack.callback(shutil.rmtree, self.dir, True)
            node.move_in(outside, "job", self.name)
            self.drain_deadline = DRAIN_DEADLINE * node.slowness()
            port = self._open_port(stdin) if stdin is not None else "-"
            self._start(port)
            self.stack = self.stack.pop_all()

    def _start(self, port):
        try:
            with self.node.agent() as agent:
                self.asked = True
                agent.run([*STARTER, self.name, port])
        except KeyboardInterrupt:
            if self.asked:
                self.stop()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.status is None:
            with contextlib.suppress(ui.Failure):
                self.stop()
        self.stack.close()

    def _open_port(self, source):
        for k in range(node_module.STDIN_PORTS):
            path = self.node.socket(f"stdin.{k}")
            lock = open(f"{path}.lock", "w", encoding="utf-8")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
                continue
            self.stack.callback(lock.close)
            sock = self.stack.enter_context(socket.socket(socket.AF_UNIX))
            try:
                sock.connect(str(path))
                sock.sendall(self.name.encode() + b"\n")
            except OSError as e:
                raise ui.Failure(f"{path}: {e.strerror} (is the node running?)") from None
            self.stack.callback(self._end_input, stdin_module.Feeder(source, sock, self.dir))
            return f"org.sci-rsm.stdin.{k}"
        raise ui.Failure(f"{node_module.STDIN_PORTS} commands read standard input on "
                         f"{self.node.name} already; use `exec -n`")

    def _end_input(self, feeder):
        """Hold the port until the guest has dropped what the command left unread,
        and give that back to where it came from."""
        feeder.stop()
        left = self._wait_drained() if self.asked else "all"
        feeder.settle(feeder.count if left == "all" else _number(left))

    def _wait_drained(self):
        """How many bytes it were, or "all"; 0 if the guest does not say."""
        deadline = time.monotonic() + self.drain_deadline
        while self.node.alive() and time.monotonic() < deadline:
            with contextlib.suppress(FileNotFoundError):
                return (self.dir / "drained").read_text(encoding="ascii").strip()
            time.sleep(IDLE_MIN)
        return 0

    def _read(self, stream):
        return os.read(self.files[stream], CHUNK)

    def poll(self, sink):
        """Hand new output to sink(stream, bytes); True if there was any."""
        # The status is looked at first: what was written before it is read below.
        ended = (self.dir / "status").exists()
        lost = not ended and not self.node.alive()
        any_output = False
        for stream in self.files:
            while data := self._read(stream):
                sink(stream, data)
                any_output = True
        if ended:
            self.status = _number((self.dir / "status").read_text(encoding="utf-8",
                                                                  errors="replace"))
        elif lost:
            raise ui.Failure(f"{self.node.name} ended; {self.node.why_dead()}")
        return any_output

    def wait(self, sink, deadline=None):
        """Run to the end (or time.monotonic() DEADLINE); the exit status."""
        idle = IDLE_MIN
        while self.status is None:
            idle = IDLE_MIN if self.poll(sink) else min(idle * 1.3, IDLE_MAX)
            if self.status is None:
                if deadline and time.monotonic() > deadline:
                    raise TimeoutError(f"command on {self.node.name} does not end")
                time.sleep(idle)
        return self.status

    def signal(self, name):
        """Signal the command and all it started (its session's process group)."""
        pid = (self.dir / "pid").read_text(encoding="ascii").strip()
        with self.node.agent(5) as agent:
            agent.run(["/bin/kill", f"-{name}", "--", f"-{pid}"])

    def stop(self, first="INT"):
        """End the command: asked first, then killed."""
        for name, seconds in ((first, 2), ("KILL", 5)):
            with contextlib.suppress(FileNotFoundError):
                self.signal(name)
            with contextlib.suppress(TimeoutError):
                self.wait(lambda *_: None, time.monotonic() + seconds)
            if self.status is not None:
                return


def run(node, argv, stdin=None, timeout=60):
    """Run a command to its end: (status, stdout, stderr) as int, str, str.

    STDIN is text or bytes for the command, or None.
    """
    output = {"out": bytearray(), "err": bytearray()}
    source = None
    if stdin is not None:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        source = os.memfd_create("stdin", os.MFD_CLOEXEC)
        os.write(source, data)
        os.lseek(source, 0, os.SEEK_SET)
    try:
        with Job(node, argv, source) as job:
            status = job.wait(lambda s, d: output[s].extend(d), time.monotonic() + timeout)
    finally:
        if source is not None:
            os.close(source)
    return status, *(output[s].decode(errors="replace") for s in ("out", "err"))
