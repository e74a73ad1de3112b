# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Clients of the two JSON sockets of a node: guest agent and QMP.

Both sockets serve one client at a time; a lock file beside the socket makes
the others wait instead of hanging in the kernel's backlog.
"""
import contextlib
import fcntl
import json
import os
import socket
import time

from . import ui


class Channel:
    """A connection that carries one JSON object per line."""

    def __init__(self, path, timeout):
        self.path = path
        self.deadline = time.monotonic() + timeout
        self.buffer = b""
        self.stack = contextlib.ExitStack()
        with self.stack:
            self._take_lock()
            self.sock = self.stack.enter_context(socket.socket(socket.AF_UNIX))
            self._arm()
            try:
                self.sock.connect(str(path))
            except OSError as e:
                raise ui.Failure(f"{path}: {e.strerror} (is the node running?)") from None
            self.stack = self.stack.pop_all()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stack.close()

    def _take_lock(self):
        lock = self.stack.enter_context(open(f"{self.path}.lock", "w", encoding="utf-8"))
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > self.deadline:
                    raise ui.Failure(f"{self.path} is in use by another rsmlab") from None
                time.sleep(0.01)

    def _arm(self):
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise ui.Failure(f"{self.path}: no answer in time")
        self.sock.settimeout(left)

    def _lost(self, error=None):
        reason = error.strerror if error and error.strerror else "connection closed"
        return ui.Failure(f"{self.path}: {reason} (has the node stopped?)")

    def send(self, message, lead=b""):
        try:
            self.sock.sendall(lead + json.dumps(message).encode() + b"\n")
        except OSError as e:
            raise self._lost(e) from None

    def receive(self):
        while b"\n" not in self.buffer:
            self._arm()
            try:
                chunk = self.sock.recv(65536)
            except TimeoutError:
                raise ui.Failure(f"{self.path}: no answer in time") from None
            except OSError as e:
                raise self._lost(e) from None
            if not chunk:
                raise self._lost()
            self.buffer += chunk
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line

    def call(self, command, **arguments):
        self.send({"execute": command, "arguments": arguments})
        while True:
            reply = json.loads(self.receive())
            if "return" in reply:
                return reply["return"]
            if "error" in reply:
                raise ui.Failure(f"{command}: {reply['error'].get('desc')}")


class Agent(Channel):
    """The guest agent, after a sync that drops what an earlier client left."""

    def __init__(self, path, timeout=30):
        super().__init__(path, timeout)
        try:
            token = int.from_bytes(os.urandom(4), "big")
            self.send({"execute": "guest-sync-delimited", "arguments": {"id": token}}, b"\xff")
            while True:
                line = self.receive().rpartition(b"\xff")[2]
                with contextlib.suppress(ValueError):
                    if json.loads(line).get("return") == token:
                        return
        except BaseException:
            self.stack.close()
            raise

    def run(self, argv):
        """Run a command that ends at once; its exit status."""
        pid = self.call("guest-exec", path=argv[0], arg=argv[1:])["pid"]
        while True:
            status = self.call("guest-exec-status", pid=pid)
            if status["exited"]:
                return status.get("exitcode", 128 + status.get("signal", 0))
            if time.monotonic() > self.deadline:
                raise ui.Failure(f"{argv[0]} in the guest does not end")
            time.sleep(0.005)


class Monitor(Channel):
    """QEMU's monitor (QMP)."""

    def __init__(self, path, timeout=30):
        super().__init__(path, timeout)
        try:
            self.receive()
            self.call("qmp_capabilities")
        except BaseException:
            self.stack.close()
            raise
