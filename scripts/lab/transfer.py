# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""`push` and `pull`: files into a node and out of it, through its 9p share.

The guest owns what is in the share and may put links there at any time. So a tray is
filled elsewhere and moved in, and what a guest left is opened without following links,
each name in a directory that is open already.
"""
import contextlib
import os
import pathlib
import shutil
import stat
import tempfile

from . import job, lab, ui

COPY_DEADLINE = 600
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
# A pipe must not hold us up.
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK


@contextlib.contextmanager
def _tray(node, fill=lambda tray: None):
    """A directory in the share that FILL has filled; yields its name, gone with the block."""
    tray = pathlib.Path(tempfile.mkdtemp(prefix="tray-", dir=node.dir))
    inside = node.share / tray.name
    try:
        fill(tray)
        tray.chmod(0o755)
        node.move_in(tray, tray.name)
        yield tray.name
    finally:
        shutil.rmtree(tray, ignore_errors=True)
        lab.remove_tree(inside)


def _in_node(node, script, *args):
    state, _, err = job.run(node, ["sh", "-c", script, "rsmlab", *args], timeout=COPY_DEADLINE)
    if state:
        raise ui.Failure(f"{node.name}: {err.strip() or f'copying ended with status {state}'}")


def _fill(tray, files):
    for name in files:
        source = pathlib.Path(name)
        if source.is_dir():
            shutil.copytree(source, tray / source.resolve().name)
        elif source.is_file():
            shutil.copy(source, tray / source.name)
        else:
            raise ui.Failure(f"{name}: no such file")


def push(args):
    node = lab.running().node(args.node)
    files, dest = args.file, "/root/"
    if len(files) > 1 and files[-1].endswith("/"):
        files, dest = files[:-1], files[-1]
    with _tray(node, lambda tray: _fill(tray, files)) as tray:
        _in_node(node, 'mkdir -p "$2" && cp -r "/host/$1/." "$2"', tray, dest)
    return 0


def _copy_file(folder, name, to):
    with open(os.open(name, FILE, dir_fd=folder), "rb") as source:
        mode = os.fstat(source.fileno()).st_mode
        if not stat.S_ISREG(mode):
            raise ui.Failure(f"{name}: neither a file nor a directory")
        with open(to, "xb") as out:
            shutil.copyfileobj(source, out)
            os.fchmod(out.fileno(), mode & 0o777)


def _copy(folder, name, to):
    """Copy NAME of the open directory FOLDER to TO, which is not there yet."""
    mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    if stat.S_ISLNK(mode):
        os.symlink(os.readlink(name, dir_fd=folder), to)
    elif stat.S_ISDIR(mode):
        to.mkdir()
        inner = os.open(name, DIRECTORY, dir_fd=folder)
        try:
            for entry in os.listdir(inner):
                _copy(inner, entry, to / entry)
        finally:
            os.close(inner)
        to.chmod(mode & 0o777)
    else:
        _copy_file(folder, name, to)


def _take(node, tray, dest):
    """Move all that the guest has put into TRAY to the directory DEST."""
    folder = os.open(node.share / tray, DIRECTORY)
    try:
        with tempfile.TemporaryDirectory(prefix=".rsmlab-", dir=dest) as fresh:
            for name in os.listdir(folder):
                target, copied = dest / name, pathlib.Path(fresh, name)
                _copy(folder, name, copied)
                if os.path.lexists(target) and (target.is_dir() or copied.is_dir()):
                    raise ui.Failure(f"{target} is there already; remove it, or pull to another "
                                     "directory")
                os.replace(copied, target)
    finally:
        os.close(folder)


def pull(args):
    node = lab.running().node(args.node)
    files, dest = args.file, "."
    if len(files) > 1 and (files[-1].endswith("/") or files[-1] in (".", "..")):
        files, dest = files[:-1], files[-1]
    dest = pathlib.Path(dest)
    if not dest.is_dir():
        raise ui.Failure(f"{dest}: no such directory on this host")
    for name in files:
        with _tray(node) as tray:
            _in_node(node, 'cp -a "$2" "/host/$1/"', tray, name)
            _take(node, tray, dest)
    return 0
