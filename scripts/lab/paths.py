# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Where things are: the source tree, the build tree and the host's release.

Everything generated lies below BUILD; nothing else in this package spells
out a path of the build tree.
"""
import hashlib
import json
import os
import pathlib
import re
import sys
import tempfile

from . import distro

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("RSMLAB_BUILD") or TOP / "build").absolute()

APT = BUILD / "apt"
DOWNLOAD = BUILD / "download"
STAMPS = BUILD / "stamp"
LOGS = BUILD / "log"
CONFIG = BUILD / "config.json"
LABS = BUILD / "lab"

# `coverage` builds all that is ours a second time, with counters in it.
COVERAGE = bool(os.environ.get("RSMLAB_COVERAGE"))


def flavoured(name):
    """NAME of a directory, a stamp or a log of what exists with and without counters."""
    return f"coverage-{name}" if COVERAGE else name


QEMU_SRC = BUILD / "qemu-src"
QEMU = BUILD / flavoured("qemu")
QEMU_FUZZ = BUILD / "qemu-fuzz"
QEMU_TOOLS = BUILD / "qemu-tools"
QEMU_BIN = QEMU / "qemu-system-x86_64"
QEMU_DIST = BUILD / "qemu-dist"
QEMU_HEADERS = BUILD / "qemu-headers"
FUZZ = BUILD / "fuzz"
HOST = BUILD / flavoured("host")
HOST_TOOLS = BUILD / "host-tools"
SDK = BUILD / flavoured("sdk")

QEMU_DEVICE = TOP / "qemu-device"
QTESTS = TOP / "tests" / "qtest"
GUEST_DRIVER = TOP / "guest-driver"
IMAGES = TOP / "images"

_JOBS = os.environ.get("RSMLAB_JOBS") or str(len(os.sched_getaffinity(0)))
if not re.fullmatch(r"[1-9][0-9]{0,3}", _JOBS):
    sys.exit(f"rsmlab: RSMLAB_JOBS={_JOBS}: not a number of jobs, 1 to 9999")
JOBS = int(_JOBS)


def per_kernel(name, kernel):
    """build/NAME for the default guest kernel, build/NAME-VERSION for others."""
    return BUILD / (name if kernel == default_kernel() else f"{name}-{kernel}")


def host_release():
    """Code name of the Debian release whose packages and guests go with this host."""
    return distro.release(distro.read())


def default_kernel():
    return "6.1" if host_release() == "bookworm" else "6.12"


# A UNIX socket's path has 107 bytes; this is left for what lies below a lab.
LAB_ROOM = 107 - len("/fabric3/255.sock")


def short_link(directory):
    """Where short() puts its link to DIRECTORY."""
    tag = hashlib.sha256(str(directory).encode()).hexdigest()[:12]
    return pathlib.Path(tempfile.gettempdir(), f"rsmlab-{os.getuid()}-{tag}")


def short(directory):
    """DIRECTORY by a path that is short enough for the sockets in it."""
    if len(os.fsencode(directory)) <= LAB_ROOM:
        return directory
    link = short_link(directory)
    try:
        link.symlink_to(directory)
    except FileExistsError:
        # The name is known to others, and who owns the link decides where it leads.
        if link.lstat().st_uid != os.getuid() or os.readlink(link) != str(directory):
            raise
    return link


def config():
    """Choices that outlive one run (`setup --qemu-src`), or {}."""
    try:
        return json.loads(CONFIG.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}


def config_set(key, value):
    values = config()
    values[key] = value
    write_atomic(CONFIG, json.dumps(values, indent=1) + "\n")


def write_atomic(path, text):
    """Readers see the old text or the new one, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tmp = path.with_name(path.name + f".{os.getpid()}.tmp")
    tmp.write_text(text, encoding="utf-8", errors="surrogateescape")
    tmp.rename(path)
