# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""A server for QEMU's ivshmem-doorbell: an interrupt between nodes, to measure against.

The protocol is that of QEMU's docs/specs/ivshmem-spec: numbers of 8 bytes, some with a
descriptor. Each of our peers has one vector. A node that leaves is not told of.
"""
import contextlib
import os
import socket
import struct
import threading

VERSION = 0
MEMORY = -1     # in place of a peer's number: the descriptor is the shared memory
BYTES = 1 << 20


def _say(connection, number, *fds):
    socket.send_fds(connection, [struct.pack("<q", number)], fds)


class Server:
    """Serves until it is closed; PATH is its socket's."""

    def __init__(self, path):
        self.stack = contextlib.ExitStack()
        self.peers = []         # connection and eventfd of each
        self.memory = os.memfd_create("ivshmem")
        self.stack.callback(os.close, self.memory)
        os.ftruncate(self.memory, BYTES)
        self.socket = self.stack.enter_context(socket.socket(socket.AF_UNIX))
        self.socket.bind(str(path))
        self.socket.listen()
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self):
        # Ends when the socket is shut down.
        with contextlib.suppress(OSError):
            while True:
                self._join(self.socket.accept()[0])

    def _join(self, connection):
        self.stack.enter_context(connection)
        eventfd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.stack.callback(os.close, eventfd)
        number = len(self.peers)
        _say(connection, VERSION)
        _say(connection, number)
        _say(connection, MEMORY, self.memory)
        for other, (their_connection, their_eventfd) in enumerate(self.peers):
            _say(their_connection, number, eventfd)
            _say(connection, other, their_eventfd)
        _say(connection, number, eventfd)
        self.peers.append((connection, eventfd))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.stack.close()


def arguments(path):
    """Of a node with one such device."""
    return ["-chardev", f"socket,id=ivshmem,path={path}",
            "-device", "ivshmem-doorbell,chardev=ivshmem,vectors=1"]
