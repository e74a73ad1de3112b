# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""`push` and `pull`: files into a node and out of it, through its 9p share."""
import contextlib
import os
import pathlib
import shutil

from . import job, lab, ui

COPY_DEADLINE = 600


@contextlib.contextmanager
def _tray(node, name):
    """A directory that host and guest see; gone with the block."""
    tray = node.share / f"{name}-{os.getpid()}"
    tray.mkdir()
    try:
        yield tray
    finally:
        shutil.rmtree(tray, ignore_errors=True)


def _in_node(node, script, *args):
    state, _, err = job.run(node, ["sh", "-c", script, "rsmlab", *args], timeout=COPY_DEADLINE)
    if state:
        raise ui.Failure(f"{node.name}: {err.strip() or f'copying ended with status {state}'}")


def push(args):
    node = lab.running().node(args.node)
    files, dest = args.file, "/root/"
    if len(files) > 1 and files[-1].endswith("/"):
        files, dest = files[:-1], files[-1]
    with _tray(node, "push") as tray:
        for name in files:
            source = pathlib.Path(name)
            if source.is_dir():
                shutil.copytree(source, tray / source.resolve().name)
            elif source.is_file():
                shutil.copy(source, tray / source.name)
            else:
                raise ui.Failure(f"{name}: no such file")
        _in_node(node, 'mkdir -p "$2" && cp -r "/host/$1/." "$2"', tray.name, dest)
    return 0


def _take(found, dest):
    """Copy what a guest left to DEST. A guest may lie: links are copied as links."""
    target = dest / found.name if dest.is_dir() else dest
    if found.is_symlink() or found.is_file():
        target.unlink(missing_ok=True)
        shutil.copy2(found, target, follow_symlinks=False)
    elif found.is_dir():
        shutil.copytree(found, target, symlinks=True, dirs_exist_ok=True)
    else:
        raise ui.Failure(f"{found.name}: neither a file nor a directory")


def pull(args):
    node = lab.running().node(args.node)
    *files, last = args.file
    dest = pathlib.Path(last if files else ".")
    files = files or [last]
    if len(files) > 1 and not dest.is_dir():
        raise ui.Failure(f"{dest}: several files need a directory to go to")
    if not dest.absolute().parent.is_dir():
        raise ui.Failure(f"{dest.absolute().parent}: no such directory")
    with _tray(node, "pull") as tray:
        for k, name in enumerate(files):
            part = tray / str(k)
            part.mkdir()
            _in_node(node, 'cp -a "$2" "/host/$1/"', f"{tray.name}/{k}", name)
            for found in part.iterdir():
                _take(found, dest)
    return 0
