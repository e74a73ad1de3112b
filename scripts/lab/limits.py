# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Limits of the host, looked at before the first node of a lab starts."""
import pathlib
import re
import resource

from . import ui

# Of one QEMU: its own files and sockets; of each adapter its memory and lines; of each
# peer on each adapter a connection, memory and the 32 lines of a node.
BASE_FILES, ADAPTER_FILES, PEER_FILES = 70, 45, 36
QEMU_MIB = 120      # what a QEMU takes beside the memory of its guest
CGROUP = pathlib.Path("/sys/fs/cgroup")


def files_needed(count, adapters):
    """Descriptors of each QEMU of a lab."""
    return BASE_FILES + adapters * (ADAPTER_FILES + PEER_FILES * (count - 1))


def allow_files(count, adapters):
    """Raise the limit of this process, which QEMU inherits, as far as it may be raised."""
    need = files_needed(count, adapters)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    infinite = resource.RLIM_INFINITY
    if hard != infinite and hard < need:
        raise ui.Failure(f"{count} nodes need {need} open files each, and the limit here is "
                         f"{hard}: raise it (as root: `ulimit -Hn`) or start fewer nodes")
    if soft != infinite and soft < need:
        resource.setrlimit(resource.RLIMIT_NOFILE, (need, hard))


def _group_left(folder):
    """MiB that a control group may still take; files that are cached make room."""
    try:
        limit = int((folder / "memory.max").read_text("ascii"))
        used = int((folder / "memory.current").read_text("ascii"))
        counts = dict(line.split() for line in
                      (folder / "memory.stat").read_text("ascii").splitlines())
    except (OSError, ValueError):       # it has no limit
        return None
    cached = int(counts.get("active_file", 0)) + int(counts.get("inactive_file", 0))
    return (limit - max(0, used - cached)) >> 20


def _groups():
    """The control group of this process and those around it."""
    try:
        text = pathlib.Path("/proc/self/cgroup").read_text("ascii")
    except OSError:
        return []
    name = re.search(r"^0::/(.*)$", text, re.M)
    if not name:
        return []
    folder = CGROUP / name[1]
    return [folder, *(p for p in folder.parents if p.is_relative_to(CGROUP))]


def memory_left():
    """MiB of memory and swap that are free here."""
    text = pathlib.Path("/proc/meminfo").read_text("ascii")
    values = dict(re.findall(r"^(\w+):\s+(\d+)", text, re.M))
    left = (int(values["MemAvailable"]) + int(values.get("SwapFree", 0))) >> 10
    return min([left, *(m for m in map(_group_left, _groups()) if m is not None)])


def _check_memory(count, mib):
    need, left = count * (mib + QEMU_MIB), memory_left()
    if need > left:
        raise ui.Failure(f"{count} nodes of {mib} MiB can take {need} MiB, and {left} MiB are free "
                         "here: start fewer, give them less (--memory), or say --overcommit")


def check(count, options):
    """Raise if COUNT nodes with OPTIONS do not fit here; allow the files they need."""
    allow_files(count, options.adapters)
    if not options.overcommit:
        _check_memory(count, options.mib())
