# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Locks that tell whether a process lives, and who it is.

A node's QEMU inherits the descriptor of a locked file (an open file
description lock): the lock is there as long as the process is. That holds
across PID namespaces, after the file was removed, and not for a copy of it.
"""
import collections
import contextlib
import errno
import fcntl
import os
import struct

_FLOCK = "hhqqi4x"      # struct flock of x86-64: type, whence, start, length, pid

Holder = collections.namedtuple("Holder", "path pid removed")


def _flock(kind):
    return struct.pack(_FLOCK, kind, os.SEEK_SET, 0, 0, 0)


def take(path):
    """Descriptor of PATH, locked, which a child may inherit; None if somebody holds it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _flock(fcntl.F_WRLCK))
    except OSError as e:
        os.close(fd)
        if e.errno in (errno.EAGAIN, errno.EACCES):
            return None
        raise
    return fd


def held(path):
    """Whether a process has PATH locked; it is only looked at."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        answer = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, _flock(fcntl.F_WRLCK))
        return struct.unpack(_FLOCK, answer)[0] != fcntl.F_UNLCK
    finally:
        os.close(fd)


@contextlib.contextmanager
def taken(path):
    """Hold PATH for the block; yields False if somebody else does."""
    fd = take(path)
    try:
        yield fd is not None
    finally:
        if fd is not None:
            os.close(fd)


def _locked_files(pid):
    """Paths of the files that the process has locked, as its descriptors name them."""
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            path = os.readlink(f"/proc/{pid}/fd/{fd}")
            if path.startswith("/") and "lock" in path:
                with open(f"/proc/{pid}/fdinfo/{fd}", encoding="ascii") as f:
                    if "OFDLCK" in f.read():
                        yield path


def holders(folder):
    """Processes, as far as they can be seen, that have files below FOLDER locked."""
    gone = " (deleted)"
    folder = os.path.realpath(folder)
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            for path in _locked_files(pid):
                if path.startswith(f"{folder}/"):
                    found.add(Holder(path.removesuffix(gone), int(pid), path.endswith(gone)))
    return sorted(found)
