# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""A lab: a directory below build/lab with fabrics and nodes.

Everything of a lab is in that directory, so that it survives logouts and the
cleaning of /tmp. NAME.lock beside it is held while somebody starts or ends
nodes; the lock of a lab of one test or demo is held until that process ends.
"""
import concurrent.futures
import contextlib
import fcntl
import os
import pathlib
import re
import shutil
import tempfile
import time

from . import image, kernel, limits, locks, node, paths, proc, qemu, ui

MAX_NODES = node.MAX_NODE_ID
MAX_ADAPTERS = 4
DEFAULT = "default"
PRIVATE = "t-"          # begins the name of a lab of one process
CONNECT_DEADLINE = 30


class Lab:
    """Nodes 1..N in DIR; `owned` nodes die with this process."""

    node_class = node.Node

    def __init__(self, directory, owned=False):
        self.dir = pathlib.Path(directory)
        self.name = self.dir.name
        self.owned = owned
        self.nodes = []
        if self.dir.is_dir():
            numbers = [int(p.name[1:]) for p in self.dir.glob("n[0-9]*") if p.name[1:].isdigit()]
            self.nodes = [self.node_class(self, n) for n in sorted(numbers)]

    def running(self):
        return [n for n in self.nodes if n.alive()]

    def strays(self):
        """Processes of nodes whose files somebody has removed."""
        return [h for h in locks.holders(self.dir) if h.removed]

    def node(self, number):
        for n in self.nodes:
            if n.number == number:
                return n
        raise ui.Failure(f"there is no node {number}; "
                         f"nodes: {', '.join(str(n.number) for n in self.nodes) or 'none'}")

    @contextlib.contextmanager
    def changing(self):
        """One rsmlab at a time starts or ends nodes of a lab."""
        if self.owned:
            yield
            return
        paths.LABS.mkdir(parents=True, exist_ok=True)
        with locks.taken(f"{self.dir}.lock") as mine:
            if not mine:
                raise ui.Failure(f"another rsmlab is starting or ending nodes of lab "
                                 f"`{self.name}`; try again when it has finished")
            yield

    def start(self, count, options):
        """Start nodes 1..COUNT, wait until all have booted and know each other."""
        limits.check(count, options)
        self.dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        for k in range(options.adapters):
            (self.dir / node.fabric(k)).mkdir(mode=0o700, exist_ok=True)
        self.nodes = [self.node_class(self, n) for n in range(1, count + 1)]
        try:
            for n in self.nodes:
                n.dir.mkdir()
                n.start(options)
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
            self.wait_connected()

    def wait_connected(self):
        """Raise unless all nodes that run have met on each fabric."""
        deadline = time.monotonic() + CONNECT_DEADLINE
        running = {n.number: n for n in self.running()}
        for number, n in running.items():
            for k in range(n.options().adapters):
                absent = set(running) - {number} - n.peers(k)
                while absent and time.monotonic() < deadline:
                    time.sleep(0.05)
                    absent = set(running) - {number} - n.peers(k)
                if absent:
                    raise ui.Failure(f"{n.name} has not met node {min(absent)} on its adapter "
                                     f"sci{k}; {n.why_dead()}")

    def stop(self):
        """End all nodes, at the same time."""
        nodes = self.running()
        if nodes:
            with concurrent.futures.ThreadPoolExecutor(len(nodes)) as pool:
                list(pool.map(lambda n: n.stop(), nodes))

    def remove(self):
        """End all nodes and remove their files; how many were running."""
        strays = self.strays()
        count = len(self.running()) + len(strays)
        self.stop()
        for stray in strays:
            if stray.pid != os.getpid():
                proc.end(proc.identity(stray.pid))
        if self.dir.exists():
            remove_tree(self.dir)
        paths.short_link(self.dir).unlink(missing_ok=True)
        if self.owned:
            pathlib.Path(f"{self.dir}.lock").unlink(missing_ok=True)
        return count


def remove_tree(directory):
    """Remove it, although a guest may have forbidden that by its modes (see node.Node.share)."""
    def allow(function, path, _error):
        with contextlib.suppress(OSError):
            os.chmod(os.path.dirname(path), 0o700)
            if not os.path.islink(path):
                os.chmod(path, 0o700)
            function(path)

    # Twice: what was made readable by the first is emptied by the second.
    for _ in range(2):
        shutil.rmtree(directory, onerror=allow)
        if not os.path.lexists(directory):
            return
    raise ui.Failure(f"{directory} cannot be removed; remove it by hand")


def _forget_abandoned():
    """Remove what processes left that were killed; their nodes died with them."""
    for directory in paths.LABS.glob(f"{PRIVATE}*"):
        lock = directory if directory.suffix == ".lock" else directory.with_name(
            f"{directory.name}.lock")
        with locks.taken(lock) as mine:
            if mine:
                shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
                lock.unlink(missing_ok=True)


def private_dir():
    """A fresh directory for a lab that ends with this process."""
    paths.LABS.mkdir(parents=True, exist_ok=True)
    # One at a time: a directory whose lock is not yet taken looks abandoned.
    with open(paths.LABS / ".private", "w", encoding="ascii") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        _forget_abandoned()
        directory = pathlib.Path(tempfile.mkdtemp(prefix=PRIVATE, dir=paths.LABS))
        lock = locks.take(f"{directory}.lock")      # until this process ends
    if lock is None:
        raise ui.Failure(f"{directory}.lock is held by another process")
    return directory


def private():
    """A lab for one test or demo: gone when this process is."""
    return Lab(private_dir(), owned=True)


def _checked_name(name):
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,30}", name) or name.endswith(".lock"):
        raise ui.Failure(f"`{name}` cannot be the name of a lab: letters, digits, `_`, `.` and "
                         f"`-`, 31 at most")
    return name


def current():
    """The lab that --lab or RSMLAB_LAB names; without nodes if there is none."""
    return Lab(paths.LABS / _checked_name(os.environ.get("RSMLAB_LAB") or DEFAULT))


def everyone():
    """All labs of this build tree that users started."""
    return [Lab(d) for d in sorted(paths.LABS.glob("*"))
            if d.is_dir() and not d.name.startswith(PRIVATE)]


def running():
    found = current()
    if not found.running():
        raise ui.Failure(f"no node of lab `{found.name}` is running; "
                         "start them with `rsmlab up`")
    return found


def check_built(kern):
    qemu.check()
    if not image.initramfs(kern).exists():
        raise ui.Failure(f"{image.initramfs(kern)} is missing; run `rsmlab build`")
    kernel.release(kern)


def up(count, options):
    """Start the user's lab; refuse if it runs, remove what a dead one left."""
    if not 1 <= count <= MAX_NODES:
        raise ui.Failure(f"-n takes 1 to {MAX_NODES} nodes")
    if not 1 <= options.adapters <= MAX_ADAPTERS:
        raise ui.Failure(f"--adapters takes 1 to {MAX_ADAPTERS}")
    check_built(options.kernel)
    lab = current()
    if lab.name.startswith(PRIVATE):
        raise ui.Failure(f"labs whose names begin with `{PRIVATE}` are for tests")
    with lab.changing():
        lab = current()     # as it is now that nobody else changes it
        alive = [n.name for n in lab.running()] + [f"pid {s.pid}" for s in lab.strays()]
        if alive:
            raise ui.Failure(f"lab `{lab.name}` is up already: {', '.join(alive)}; "
                             "`rsmlab down` first, or choose another name with --lab")
        lab.remove()
        lab.start(count, options)
    return lab


def down():
    """End the user's lab and remove its directory; how many nodes were running."""
    lab = current()
    with lab.changing():
        return current().remove()
