# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Steps that are done once: stamps, fingerprints of inputs, locks.

A step is done when its stamp holds the key of its inputs. The stamp is written
last, so that an interrupted step runs again and a finished one costs nothing.
"""
import contextlib
import fcntl
import hashlib
import os
import pathlib
import shutil

from . import paths, ui


def key_of(*parts):
    h = hashlib.sha256()
    for part in parts:
        h.update(str(part).encode(errors="surrogateescape") + b"\0")
    return h.hexdigest()[:24]


def done(name, key):
    try:
        return (paths.STAMPS / name).read_text(encoding="utf-8").strip() == key
    except FileNotFoundError:
        return False


def mark(name, key):
    paths.write_atomic(paths.STAMPS / name, key + "\n")


def forget(name):
    (paths.STAMPS / name).unlink(missing_ok=True)


@contextlib.contextmanager
def locked(name):
    """One rsmlab at a time works on a part of the build tree."""
    paths.STAMPS.mkdir(parents=True, exist_ok=True)
    with open(paths.STAMPS / f"{name}.lock", "a+", encoding="utf-8") as f:
        try:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            f.seek(0)
            ui.say(f"{name}: waiting for rsmlab with pid {f.read().strip() or '?'}")
            fcntl.flock(f, fcntl.LOCK_EX)
        f.seek(0)
        f.truncate()
        f.write(str(os.getpid()))
        f.flush()
        yield


@contextlib.contextmanager
def fresh_dir(path):
    """Fill PATH.tmp, then rename it to PATH: nobody sees it half filled."""
    path = pathlib.Path(path)
    tmp = path.with_name(path.name + ".tmp")
    shutil.rmtree(tmp, ignore_errors=True)
    tmp.mkdir(parents=True)
    yield tmp
    shutil.rmtree(path, ignore_errors=True)
    tmp.rename(path)
