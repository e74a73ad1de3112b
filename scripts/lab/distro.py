# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Which system this host is, from os-release; the functions take its text."""
import os
import re

FILES = ("/etc/os-release", "/usr/lib/os-release")

# Debian's releases that a host can share with its guests. Any other host takes the newest.
RELEASES = ("bookworm", "trixie")


def read():
    for name in FILES:
        try:
            with open(name, encoding="utf-8", errors="replace") as f:
                return f.read()
        except OSError:
            continue
    return ""


def parse(text):
    found = re.findall(r"^([A-Z_]+)=(.*?)\s*$", text, re.M)
    return {key: value.strip("\"'") for key, value in found}


def names(text):
    """What the system is called, the most exact name first: noble ubuntu debian."""
    info = parse(text)
    called = [info.get("VERSION_CODENAME", ""), info.get("ID", ""),
              *info.get("ID_LIKE", "").split()]
    return [name for name in called if name]


def is_debian(text):
    return parse(text).get("ID") == "debian"


def release(text):
    """Code name of the Debian release whose packages suit this host."""
    info = parse(text)
    for key in ("VERSION_CODENAME", "DEBIAN_CODENAME"):
        if info.get(key) in RELEASES:
            return info[key]
    return RELEASES[-1]


def libc_version():
    """(2, 41), or None where the libc is not GNU's."""
    try:
        found = re.fullmatch(r"glibc (\d+)\.(\d+)\S*", os.confstr("CS_GNU_LIBC_VERSION") or "")
    except (OSError, ValueError):
        return None
    return (int(found[1]), int(found[2])) if found else None
