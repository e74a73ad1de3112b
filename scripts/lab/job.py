# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Commands in a guest, as `rsmlab exec` and the tests run them.

The guest agent starts them, but it returns output only when they have ended
and takes standard input only before they start. So output goes to files in the
9p share, which are read here as they grow, and input through a virtio port;
images/rootfs/usr/libexec/rsmlab-run is the other half.
"""
import contextlib
import fcntl
import os
import shutil
import socket
import threading
import time

from . import node as node_module, ui

STARTER = ["/bin/start-stop-daemon", "-S", "-b", "-x", "/usr/libexec/rsmlab-run", "--"]
CHUNK = 1 << 16
IDLE_MIN, IDLE_MAX = 0.004, 0.05
# A command that was killed has its port until its memory is given back.
DRAIN_DEADLINE = 60


def _send_all(source, sock):
    """Copy a file to the guest's port; then only our direction is shut, because
    QEMU drops what it has not read yet when the whole connection goes."""
    with contextlib.suppress(OSError):
        while True:
            data = os.read(source, CHUNK)
            if not data:
                break
            sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)


class Job:
    """One command; `status` is None while it runs."""

    def __init__(self, node, argv, stdin=None):
        self.node = node
        self.status = None
        self.name = f"{os.getpid()}-{time.monotonic_ns()}"
        self.dir = node.share / "job" / self.name
        self.stack = contextlib.ExitStack()
        with self.stack:
            if not node.alive():
                raise ui.Failure(f"{node.name} is not running")
            self.dir.mkdir()
            self.stack.callback(shutil.rmtree, self.dir, True)
            self.files = {}
            for stream in ("out", "err"):
                self.files[stream] = os.open(self.dir / stream, os.O_RDWR | os.O_CREAT, 0o600)
                self.stack.callback(os.close, self.files[stream])
            port = self._open_port(stdin) if stdin is not None else "-"
            with node.agent() as agent:
                agent.run([*STARTER, self.name, port, *argv])
            self.stack = self.stack.pop_all()

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
            self.stack.callback(self._wait_drained, DRAIN_DEADLINE * self.node.slowness())
            sock = self.stack.enter_context(socket.socket(socket.AF_UNIX))
            sock.connect(str(path))
            sock.sendall(self.name.encode() + b"\n")
            threading.Thread(target=_send_all, args=(source, sock), daemon=True).start()
            return f"org.sci-rsm.stdin.{k}"
        raise ui.Failure(f"{node_module.STDIN_PORTS} commands read standard input on "
                         f"{self.node.name} already; use `exec -n`")

    def _wait_drained(self, seconds):
        """Hold the port until the guest has dropped what the command left unread."""
        deadline = time.monotonic() + seconds
        while not (self.dir / "drained").exists() and self.node.alive():
            if time.monotonic() > deadline:
                return
            time.sleep(IDLE_MIN)

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
            self.status = int((self.dir / "status").read_text(encoding="ascii"))
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
