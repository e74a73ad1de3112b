# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""A pipe as the source of standard input: it is looked at with tee(2), and read
when the guest has said that the command had it."""
import contextlib
import errno
import fcntl
import os
import select
import sys
import termios

from . import source

try:
    import ctypes
    _LIBC_TEE = ctypes.CDLL(None, use_errno=True).tee
    _LIBC_TEE.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_size_t, ctypes.c_uint]
    _LIBC_TEE.restype = ctypes.c_ssize_t
except (ImportError, AttributeError, OSError):
    _LIBC_TEE = None

PIPE_SIZE = 1 << 20     # of a pipe that is full while the command has not read it
GRAIN = 1 << 16         # of what is taken while bytes are sent
PAUSE_MIN, PAUSE_MAX = 0.001, 0.015


def _tee(origin, target, size):
    """tee(2) that does not block; 0 if there is nothing to copy or no room."""
    count = _LIBC_TEE(origin, target, size, os.SPLICE_F_NONBLOCK)
    if count >= 0:
        return count
    error = ctypes.get_errno()
    if error == errno.EAGAIN:
        return 0
    raise OSError(error, os.strerror(error))


def usable(fd):
    """Whether there is such a call: with size 0 it looks at nothing."""
    try:
        return _LIBC_TEE is not None and _tee(fd, fd, 0) == 0
    except OSError:
        return False


def _waiting(fd):
    """How many bytes could be read."""
    return int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, bytes(4)), sys.byteorder)


def _events(fd, wanted):
    """What poll() says about FD now."""
    poll = select.poll()
    poll.register(fd, wanted)
    return dict(poll.poll(0)).get(fd, 0)


class Pipe(source.Stream):
    """Its bytes stay in it until the command is known to have consumed them.

    A writer that is held up because the pipe is full, though all of it is sent
    and it cannot be made larger, must go on: then all is taken at once.
    """

    def __init__(self, fd, progress):
        super().__init__(fd)
        self.progress = progress
        self.seen = 0       # bytes at its beginning that were sent and not taken
        self.taken = 0
        self.full = False   # when it was last looked at
        self.copy, self.copy_in = os.pipe()
        # Never larger: that the copy is full is how a full pipe is noticed.
        size = fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ)
        if size < fcntl.fcntl(self.copy, fcntl.F_GETPIPE_SZ):
            fcntl.fcntl(self.copy, fcntl.F_SETPIPE_SZ, size)

    def next(self, halt):
        pause = PAUSE_MIN
        while True:
            # Before the bytes are counted: none come after the last writer.
            ended = _events(self.fd, select.POLLIN) & select.POLLHUP
            if _waiting(self.fd) > self.seen:
                if data := self._look()[self.seen:]:
                    return data
            elif ended:
                return b""
            if self.full and self._make_room():
                continue
            if self.seen == 0:
                if source.wait(halt, fd=self.fd):
                    return b""
            elif source.wait(halt, pause):
                return b""
            else:
                pause = min(pause * 1.3, PAUSE_MAX)

    def _look(self):
        """A copy of all that is in the pipe."""
        count = _tee(self.fd, self.copy_in, PIPE_SIZE)
        self.full = not _events(self.copy_in, select.POLLOUT) & select.POLLOUT
        return os.read(self.copy, count) if count else b""

    def _make_room(self):
        """All of a full pipe is sent; whether its writer can go on now."""
        if self._take_consumed(1):
            self._look()
        if self.full:
            if self.progress.over():
                return False
            if not self._enlarge():
                self._take(self.seen)
            self.full = False
        return True

    def _enlarge(self):
        """Whether more of the pipe can be looked at than before."""
        before = fcntl.fcntl(self.copy, fcntl.F_GETPIPE_SZ)
        with contextlib.suppress(OSError):
            if fcntl.fcntl(self.fd, fcntl.F_GETPIPE_SZ) < PIPE_SIZE:
                fcntl.fcntl(self.fd, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
        with contextlib.suppress(OSError):
            fcntl.fcntl(self.copy, fcntl.F_SETPIPE_SZ, fcntl.fcntl(self.fd, fcntl.F_GETPIPE_SZ))
        return fcntl.fcntl(self.copy, fcntl.F_GETPIPE_SZ) > before

    def _take(self, count):
        """Remove COUNT bytes that are there; fewer if another reader had some."""
        with contextlib.suppress(BlockingIOError):
            while count > 0:
                done = os.splice(self.fd, self.copy_in, count, flags=os.SPLICE_F_NONBLOCK)
                if not done:
                    return
                os.read(self.copy, done)
                count -= done
                self.seen -= done
                self.taken += done

    def _take_consumed(self, least):
        """Take what the command is known to have read, if that is LEAST bytes."""
        count = self.progress.look() - self.taken
        if count < least:
            return False
        self._take(count)
        return True

    def sent(self, count):
        self.seen += count
        if self.seen >= GRAIN:
            self._take_consumed(GRAIN)

    def settle(self, consumed):
        self._take(consumed - self.taken)

    def close(self):
        os.close(self.copy)
        os.close(self.copy_in)
