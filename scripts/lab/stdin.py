# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Standard input of a command in a guest: what it did not read stays here.

job.py has a Feeder send a source to the guest's port and is told by the guest
how much the command left unread. A source looks ahead without taking anything,
where the descriptor lets it, and at the end takes what the command consumed:

  File      a regular file: pread, then one lseek
  Pipe      tee(2) copies what is in the pipe; read when the command has had it
  Terminal  read only in the foreground, where that does not stop us
  Stream    sockets and other devices: what was read is gone
"""
import contextlib
import errno
import fcntl
import os
import select
import signal
import socket
import stat
import sys
import termios
import threading

try:
    import ctypes
    _LIBC_TEE = ctypes.CDLL(None, use_errno=True).tee
    _LIBC_TEE.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_size_t, ctypes.c_uint]
    _LIBC_TEE.restype = ctypes.c_ssize_t
except (ImportError, AttributeError, OSError):
    _LIBC_TEE = None

CHUNK = 1 << 18
WINDOW = 1 << 18        # sent, but not yet read by the command as far as we know
PIPE_SIZE = 1 << 20     # of a pipe that is full while the command has not read it
GRAIN = 1 << 16
PAUSE_MIN, PAUSE_MAX = 0.001, 0.015
BACKGROUND_PAUSE = 0.1
STUCK_READ = 0.5


def _tee(source, target, size):
    """tee(2) that does not block; 0 if there is nothing to copy or no room."""
    count = _LIBC_TEE(source, target, size, os.SPLICE_F_NONBLOCK)
    if count >= 0:
        return count
    error = ctypes.get_errno()
    if error == errno.EAGAIN:
        return 0
    raise OSError(error, os.strerror(error))


def _has_tee(fd):
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


def _wait(halt, seconds=None, fd=None, wanted=select.POLLIN):
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
        while not _wait(halt, fd=self.fd):
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
                if _wait(halt, BACKGROUND_PAUSE):
                    return b""
                continue
            if _wait(halt, fd=self.fd):
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


class Pipe(Stream):
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
            if self.full and not self.progress.over():
                self._make_room()
            elif self.seen == 0:
                if _wait(halt, fd=self.fd):
                    return b""
            elif _wait(halt, pause):
                return b""
            else:
                pause = min(pause * 1.3, PAUSE_MAX)

    def _look(self):
        """A copy of all that is in the pipe."""
        count = _tee(self.fd, self.copy_in, PIPE_SIZE)
        self.full = not _events(self.copy_in, select.POLLOUT) & select.POLLOUT
        return os.read(self.copy, count) if count else b""

    def _make_room(self):
        self.full = False
        if not self._take_consumed(1) and not self._enlarge():
            self._take(self.seen)

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
                self.full = False

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


def _source(fd, progress):
    """The source that fits the descriptor."""
    mode = os.fstat(fd).st_mode
    if stat.S_ISREG(mode):
        return File(fd)
    if stat.S_ISFIFO(mode) and _has_tee(fd):
        return Pipe(fd, progress)
    return Terminal(fd) if os.isatty(fd) else Stream(fd)


class Progress:
    """What the guest says in files of the job's directory, while it goes on."""

    def __init__(self, directory):
        self.status = directory / "status"
        self.reports = os.open(directory / "consumed", os.O_RDONLY | os.O_CREAT, 0o600)
        self.rest = b""
        self.consumed = 0

    def look(self):
        """The command has read at least so many bytes."""
        *lines, self.rest = (self.rest + os.read(self.reports, CHUNK)).split(b"\n")
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
            if _wait(self.halt, PAUSE_MIN):
                return 0
        return 0 if _wait(self.halt, fd=self.sock.fileno(), wanted=select.POLLOUT) else room

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
