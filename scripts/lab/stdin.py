# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Standard input of a command in a guest: what it did not read stays here.

job.py has a Feeder send a descriptor's bytes to the guest's port, and is told by
the guest how many of them the command left unread. By the kind of descriptor:

  File      a regular file: pread, then one lseek
  Pipe      tee(2) copies what is in the pipe; read when the command has had it
  Terminal  read only in the foreground, where that does not stop us
  Stream    sockets and other devices: what was read is gone
"""
import contextlib
import os
import select
import signal
import socket
import stat
import threading

from . import pipe, source

WINDOW = 1 << 18        # sent, but not yet read by the command as far as we know
WINDOW_PAUSE = 0.001
STUCK_READ = 0.5


def _source(fd, progress):
    """The source that fits the descriptor."""
    mode = os.fstat(fd).st_mode
    if stat.S_ISREG(mode):
        return source.File(fd)
    if stat.S_ISFIFO(mode) and pipe.usable(fd):
        return pipe.Pipe(fd, progress)
    return source.Terminal(fd) if os.isatty(fd) else source.Stream(fd)


class Progress:
    """What the guest says in files of the job's directory, while it goes on."""

    def __init__(self, directory):
        self.status = directory / "status"
        self.reports = os.open(directory / "consumed",
                               os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        self.rest = b""
        self.consumed = 0

    def look(self):
        """The command has read at least so many bytes."""
        *lines, self.rest = (self.rest + os.read(self.reports, source.CHUNK)).split(b"\n")
        # In this order: when the command is over the guest itself reads the rest.
        if lines and not self.over():
            self.consumed = int(lines[-1])
        return self.consumed

    def over(self):
        return self.status.exists()

    def close(self):
        os.close(self.reports)


class Feeder:
    """Sends a descriptor's bytes by a socket until their end, or stop()."""

    def __init__(self, fd, sock, directory):
        self.sock = sock
        self.count = 0
        self.progress = Progress(directory)
        self.source = _source(fd, self.progress)
        self.halt = os.eventfd(0)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTIN})
        with contextlib.suppress(OSError):
            while data := self.source.next(self.halt):
                if not self._send(data):
                    break
        self._shut()

    def _shut(self):
        """Only our direction: QEMU drops what it has not read yet when the
        whole connection goes."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)

    def _room(self):
        """How many bytes may be sent now; 0 if the command was over first."""
        while (room := WINDOW - (self.count - self.progress.look())) <= 0:
            if source.wait(self.halt, WINDOW_PAUSE):
                return 0
        return 0 if source.wait(self.halt, fd=self.sock.fileno(), wanted=select.POLLOUT) else room

    def _send(self, data):
        """Whether all of it was sent before the command was over."""
        rest = memoryview(data)
        while rest:
            room = self._room()
            if not room:
                return False
            with contextlib.suppress(BlockingIOError):
                done = self.sock.send(rest[:room], socket.MSG_DONTWAIT)
                rest = rest[done:]
                self.count += done
                self.source.sent(done)
        return True

    def stop(self):
        """Send no more; the guest sees the end."""
        os.eventfd_write(self.halt, 1)
        # A read of a terminal or a device can last, if somebody else was faster.
        self.thread.join(STUCK_READ)
        self._shut()

    def settle(self, left):
        """After stop(): the command has not consumed the last LEFT bytes."""
        if self.thread.is_alive():
            return
        with contextlib.suppress(OSError):
            self.source.settle(max(0, self.count - left))
        self.source.close()
        self.progress.close()
        os.close(self.halt)
