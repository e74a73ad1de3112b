# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Writes an initramfs: a cpio archive in the kernel's "newc" format.

Owners, modes and device nodes come from the entries, not from the file
system, so that no root is needed and equal inputs give equal archives.
"""
import hashlib
import os
import stat


class Tree:
    """What the archive will hold: path -> (mode, source, device)."""

    def __init__(self):
        self.entries = {}

    def _parents(self, path):
        parent = os.path.dirname(path)
        while parent:
            self.entries.setdefault(parent, (stat.S_IFDIR | 0o755, b"", 0, 0))
            parent = os.path.dirname(parent)

    def _add(self, path, mode, source, device=0, owner=0):
        path = path.strip("/")
        self._parents(path)
        self.entries[path] = (mode, source, device, owner)

    def directory(self, path, mode=0o755, owner=0):
        self._add(path, stat.S_IFDIR | mode, b"", owner=owner)

    def data(self, path, data, mode=0o644):
        self._add(path, stat.S_IFREG | mode, data)

    def file(self, path, source, mode=None):
        """SOURCE is read when the archive is written; its x bit is kept."""
        if mode is None:
            mode = 0o755 if os.stat(source).st_mode & 0o100 else 0o644
        self._add(path, stat.S_IFREG | mode, os.fspath(source))

    def symlink(self, path, target):
        self._add(path, stat.S_IFLNK | 0o777, target.encode())

    def chardev(self, path, major, minor, mode=0o600):
        self._add(path, stat.S_IFCHR | mode, b"", device=(major, minor))

    def describe(self):
        """Text that changes whenever the archive would."""
        lines = []
        for path, (mode, source, device, owner) in sorted(self.entries.items()):
            if isinstance(source, str):
                st = os.stat(source)
                source = f"{source} {st.st_size} {st.st_mtime_ns}"
            else:
                source = hashlib.sha256(source).hexdigest()
            lines.append(f"{path} {mode:o} {source} {device} {owner}")
        return "\n".join(lines)

    def write(self, out):
        number = 0
        for number, path in enumerate(sorted(self.entries), 1):
            mode, source, device, owner = self.entries[path]
            if isinstance(source, str):
                with open(source, "rb") as f:
                    source = f.read()
            _record(out, number, path, mode, source, device or (0, 0), owner)
        _record(out, number + 1, "TRAILER!!!", 0, b"", (0, 0), 0)


def _record(out, inode, path, mode, data, device, owner):
    name = path.encode() + b"\0"
    fields = (inode, mode, owner, owner, 1, 0, len(data), 0, 0, *device, len(name), 0)
    head = b"070701" + b"".join(b"%08x" % f for f in fields) + name
    out.write(head + b"\0" * (-len(head) % 4))
    out.write(data + b"\0" * (-len(data) % 4))
