# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""A lab: a run directory with a fabric and its nodes."""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import shutil
import stat
import tempfile
import time

from . import image, kernel, node, paths, proc, qemu, ui

RECORD = paths.BUILD / "lab.json"
MAX_NODES = node.MAX_NODE_ID
MAX_ADAPTERS = 4


def _base():
    return pathlib.Path(os.environ.get("XDG_RUNTIME_DIR") or "/tmp")


def _default_dir():
    """Short, because a UNIX socket's path has 107 bytes; one per build tree."""
    tag = hashlib.sha256(str(paths.BUILD).encode()).hexdigest()[:6]
    return _base() / f"rsmlab-{os.getuid()}-{tag}"


def _make_private(path):
    """Create a directory nobody else can enter; refuse one that is not ours."""
    path.mkdir(mode=0o700, exist_ok=True)
    st = path.lstat()
    if not stat.S_ISDIR(st.st_mode) or st.st_uid != os.getuid() or st.st_mode & 0o077:
        raise ui.Failure(f"{path} exists, but is not a private directory of yours")


class Lab:
    """Nodes 1..N in DIR; `owned` nodes die with this process."""

    node_class = node.Node

    def __init__(self, directory, owned=False):
        self.dir = pathlib.Path(directory)
        self.owned = owned
        self.nodes = []
        if self.dir.is_dir():
            numbers = [int(p.name[1:]) for p in self.dir.glob("n[0-9]*") if p.name[1:].isdigit()]
            self.nodes = [self.node_class(self.dir, n) for n in sorted(numbers)]

    def running(self):
        return [n for n in self.nodes if n.alive()]

    def node(self, number):
        for n in self.nodes:
            if n.number == number:
                return n
        raise ui.Failure(f"there is no node {number}; "
                         f"nodes: {', '.join(str(n.number) for n in self.nodes) or 'none'}")

    def start(self, count, kern, memory=None, extra=(), adapters=1, window=0):
        """Start nodes 1..COUNT and wait until all have booted."""
        _make_private(self.dir)
        for k in range(adapters):
            _make_private(node.fabric_dir(self.dir, k))
        self.nodes = [self.node_class(self.dir, n) for n in range(1, count + 1)]
        try:
            for n in self.nodes:
                n.dir.mkdir()
                n.start(kern, memory, extra, self.owned, adapters, window)
            self.wait_ready()
        except BaseException:
            self.stop()
            raise

    def wait_ready(self):
        deadline = time.monotonic() + max((n.boot_deadline() for n in self.nodes), default=0) * \
            max(1, len(self.nodes) // paths.JOBS)
        with ui.Progress(f"boot {len(self.nodes)} nodes") as progress:
            for n in self.nodes:
                progress.note = f"waiting for {n.name}"
                n.wait_ready(deadline)

    def stop(self):
        """End all nodes, at the same time."""
        nodes = [n for n in self.nodes if n.record()]
        if nodes:
            with concurrent.futures.ThreadPoolExecutor(len(nodes)) as pool:
                list(pool.map(lambda n: n.stop(), nodes))

    def remove(self):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)


def private_dir():
    """A fresh directory; those of processes that were killed are removed."""
    for old in _base().glob("rsmlab-t*"):
        try:
            owner = json.loads((old / "owner").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if not proc.alive(owner):
            shutil.rmtree(old, ignore_errors=True)
    directory = pathlib.Path(tempfile.mkdtemp(prefix="rsmlab-t", dir=_base()))
    (directory / "owner").write_text(json.dumps(proc.identity(os.getpid())), encoding="utf-8")
    return directory


def private():
    """A lab for one test or demo: gone when this process is."""
    return Lab(private_dir(), owned=True)


def current():
    """The user's lab, as `up` recorded it; without nodes if there is none."""
    try:
        directory = json.loads(RECORD.read_text(encoding="utf-8"))["dir"]
    except (FileNotFoundError, ValueError, KeyError):
        directory = _default_dir()
    return Lab(directory)


def running():
    found = current()
    if not found.running():
        raise ui.Failure("no node is running; start them with `rsmlab up`")
    return found


def check_built(kern):
    qemu.check()
    if not image.initramfs(kern).exists():
        raise ui.Failure(f"{image.initramfs(kern)} is missing; run `rsmlab build`")
    kernel.release(kern)


def up(count, kern, memory, extra, adapters=1, window=0):
    """Start the user's lab; refuse if it runs, remove what a dead one left."""
    if not 1 <= count <= MAX_NODES:
        raise ui.Failure(f"-n takes 1 to {MAX_NODES} nodes")
    if not 1 <= adapters <= MAX_ADAPTERS:
        raise ui.Failure(f"--adapters takes 1 to {MAX_ADAPTERS}")
    check_built(kern)
    old = current()
    if old.running():
        names = ", ".join(f"{n.name} (pid {n.process()['pid']})" for n in old.running())
        raise ui.Failure(f"already up: {names}; `rsmlab down` first")
    old.remove()
    lab = Lab(_default_dir())
    lab.remove()
    paths.write_atomic(RECORD, json.dumps({"dir": str(lab.dir)}) + "\n")
    lab.start(count, kern, memory, extra, adapters, window)
    return lab


def down():
    """End the user's lab and remove its directory; how many nodes were running."""
    lab = current()
    count = len(lab.running())
    lab.remove()
    RECORD.unlink(missing_ok=True)
    return count
