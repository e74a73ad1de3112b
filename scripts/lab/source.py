# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Where standard input of a command comes from: what is sent, what stays.

A source gives its bytes one after the other (next), hears how many of them were
sent, and at the end how many the command consumed (settle). It takes nothing
for good before that, where the descriptor lets it; pipe.py has pipes.
"""
import contextlib
import os
import select

CHUNK = 1 << 18
BACKGROUND_PAUSE = 0.1


def wait(halt, seconds=None, fd=None, wanted=select.POLLIN):
    """Wait until FD is ready, SECONDS pass or HALT is set; True if HALT is set."""
    poll = select.poll()
    poll.register(halt, select.POLLIN)
    if fd is not None:
        poll.register(fd, wanted)
    return halt in dict(poll.poll(None if seconds is None else seconds * 1000))


class Stream:
    """What is read of it is gone, whether the command consumes it or not."""

    def __init__(self, fd):
        self.fd = fd

    def next(self, halt):
        """The bytes after those that it gave before; b"" at the end or at HALT."""
        while not wait(halt, fd=self.fd):
            with contextlib.suppress(BlockingIOError):
                return os.read(self.fd, CHUNK)
        return b""

    def sent(self, count):
        """COUNT more bytes are on their way to the command."""

    def settle(self, consumed):
        """The command is over and has consumed so many bytes."""

    def close(self):
        pass


class Terminal(Stream):
    """A read in the background would stop us, so there is none.

    The thread that reads has SIGTTIN blocked: if we lose the foreground after
    the last look, the read fails with EIO instead.
    """

    def _in_foreground(self):
        try:
            return os.tcgetpgrp(self.fd) == os.getpgrp()
        except OSError:
            return True     # not our controlling terminal: nothing stops us

    def next(self, halt):
        while True:
            if not self._in_foreground():
                if wait(halt, BACKGROUND_PAUSE):
                    return b""
                continue
            if wait(halt, fd=self.fd):
                return b""
            if self._in_foreground():
                try:
                    return os.read(self.fd, CHUNK)
                except BlockingIOError:
                    continue
                except OSError:
                    if self._in_foreground():
                        raise


class File(Stream):
    """Its offset moves once, at the end: others may hold the same open file."""

    def __init__(self, fd):
        super().__init__(fd)
        self.start = self.position = os.lseek(fd, 0, os.SEEK_CUR)

    def next(self, halt):
        return os.pread(self.fd, CHUNK, self.position)

    def sent(self, count):
        self.position += count

    def settle(self, consumed):
        if consumed:
            os.lseek(self.fd, self.start + consumed, os.SEEK_SET)
