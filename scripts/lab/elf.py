# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""The two facts the image needs from an ELF file: its shared libraries and,
of a kernel module, the modules it depends on.
"""
import struct

PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3
DT_NEEDED, DT_STRTAB = 1, 5


def _segments(data):
    """(type, offset, address, size) of each program header of an ELF64 file."""
    if data[:5] != b"\x7fELF\x02":
        return []
    phoff, = struct.unpack_from("<Q", data, 32)
    phentsize, phnum = struct.unpack_from("<HH", data, 54)
    out = []
    for i in range(phnum):
        kind, _, offset, vaddr, _, size = struct.unpack_from("<IIQQQQ", data, phoff + i * phentsize)
        out.append((kind, offset, vaddr, size))
    return out


def _string(data, offset):
    return data[offset:data.index(b"\0", offset)].decode()


def needed(path):
    """Sonames PATH is linked against, and its interpreter if it has one."""
    with open(path, "rb") as f:
        data = f.read()
    segments = _segments(data)
    names, strtab = [], 0
    for kind, offset, _, size in segments:
        if kind != PT_DYNAMIC:
            continue
        for tag, value in struct.iter_unpack("<QQ", data[offset:offset + size]):
            if tag == DT_NEEDED:
                names.append(value)
            elif tag == DT_STRTAB:
                strtab = value
    for kind, offset, vaddr, size in segments:
        if kind == PT_LOAD and vaddr <= strtab < vaddr + size:
            strtab += offset - vaddr
            break
    sonames = [_string(data, strtab + n) for n in names]
    interp = [_string(data, offset) for kind, offset, _, _ in segments if kind == PT_INTERP]
    return sonames, interp[0] if interp else None


def module_depends(data):
    """Names of the modules a kernel module (its bytes) depends on directly."""
    for entry in data.split(b"\0"):
        if entry.startswith(b"depends="):
            return [name for name in entry[8:].decode().split(",") if name]
    return []
