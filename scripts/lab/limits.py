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


def _allow_files(count, adapters):
    """Raise the limit of this process, which QEMU inherits, as far as it may be raised."""
    need = files_needed(count, adapters)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    infinite = resource.RLIM_INFINITY
    if hard != infinite and hard < need:
        raise ui.Failure(f"{count} nodes need {need} open files each, and the limit here is "
                         f"{hard}: raise it (as root: `ulimit -Hn`) or start fewer nodes")
    if soft != infinite and soft < need:
        resource.setrlimit(resource.RLIMIT_NOFILE, (need, hard))


def _cgroup_left():
    """MiB that the control group of this process may still take; None: no limit."""
    try:
        group = re.search(r"^0::/(.*)$", pathlib.Path("/proc/self/cgroup").read_text("ascii"), re.M)
        folder = CGROUP / group[1]
        limit = int((folder / "memory.max").read_text("ascii"))
        return (limit - int((folder / "memory.current").read_text("ascii"))) >> 20
    except (OSError, ValueError, TypeError):
        return None


def memory_left():
    """MiB of memory and swap that are free here."""
    text = pathlib.Path("/proc/meminfo").read_text("ascii")
    values = dict(re.findall(r"^(\w+):\s+(\d+)", text, re.M))
    left = (int(values["MemAvailable"]) + int(values.get("SwapFree", 0))) >> 10
    group = _cgroup_left()
    return left if group is None else min(left, group)


def _check_memory(count, mib):
    need, left = count * (mib + QEMU_MIB), memory_left()
    if need > left:
        raise ui.Failure(f"{count} nodes of {mib} MiB can take {need} MiB, and {left} MiB are free "
                         "here: start fewer, give them less (--memory), or say --overcommit")


def check(count, options):
    """Raise if COUNT nodes with OPTIONS do not fit here; allow the files they need."""
    _allow_files(count, options.adapters)
    if not options.overcommit:
        _check_memory(count, options.mib())
