# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""First inputs of QEMU's fuzzers of the device: each reaches one part of it.

Those of `sci-fuzz` are records of 16 bytes as qemu-device/fuzz/sci_fuzz.c reads
them, those of `generic-fuzz-sci` the operations of QEMU's generic_fuzz.c. What
they do not reach the fuzzer finds from there.
"""
import struct

A, B = 0, 1             # the nodes: numbers in records, one less than their ids
READ, WRITE, TRAP = 2, 4, 8
PAGE = 4096

(CSR, REGISTER, ENABLE, ENTRY, COMMIT, EXPORT, DIRECTORY, ACCESS, INVALIDATE, WINDOW, DOORBELL,
 LINE_OPEN, LINE_CLOSE, CONTROL, MACHINE_RESET, LINK, PCI, VECTOR, RAM, MEMORY,
 CLOCK, FILL) = range(22)

LOAD, LOAD_64, STORE, STORE_64 = 2, 3, 6, 7     # of WINDOW: 8 and 64 bytes


def _op(code, node, index=0, how=0, value=0):
    return struct.pack("<BBHIQ", code, node, index, how, value % (1 << 64))


def _enable(node, how=1):
    return _op(ENABLE, node, how=how)


def _both():
    return _enable(A) + _enable(B)


def _export(node, page, rights=3, guest=0, key=0, row=0):
    return _op(EXPORT, node, page, rights << 24 | row << 8 | key << 4, guest)


def _map(node, index, peer, page, flags=READ | WRITE, pages=1, key=0, count=1, stale=0):
    """An entry of NODE for pages of node PEER (2: absent), committed."""
    how = peer | stale << 2 | key << 3 | (pages - 1) << 4 | 0x80 | (count - 1) << 8
    return _op(ENTRY, node, index, how, page * PAGE | flags | 1)


def _window(node, index, how, offset=0, value=0x1122334455667788):
    return _op(WINDOW, node, index, how | offset << 8, value)


def _use(node, index):
    return b"".join(_window(node, index, how) for how in range(8))


def _exports(node, count=8):
    return b"".join(_export(node, page, guest=page) for page in range(count))


def _mapped(flags=READ | WRITE):
    """Each node has mapped a page of the other."""
    return (_both() + _exports(A) + _exports(B) + _map(A, 5, B, 1, flags) +
            _map(B, 6, A, 2, flags, pages=4))


def _invalidate(node, page, count=1):
    return _op(INVALIDATE, node, page, count << 8)


def _line(code, node, line, peer, raw=None):
    return _op(code, node, line, peer + 1 if raw is None else 0x80 | raw << 16)


def sci_fuzz():
    """name -> input of the target `sci-fuzz`."""
    used = _use(A, 5) + _use(B, 6)
    seeds = {
        "registers": b"".join(_op(REGISTER, B, reg, value=0xffffffff) for reg in range(72)),
        "csr": b"".join(_op(CSR, A, offset, how, 0x5a5a5a5a5a5a5a5a) for how in range(8)
                        for offset in (0, 3, 0x18, 0x20, 0x100, 0x800, 0x1004, 0x2000, 0x3000)),
        "reads": b"".join(_op(CSR, A, 4 * reg, 6) for reg in range(72)),
        "map": _mapped() + used,
        "copy": _mapped(READ) + used,
        "write-only": _mapped(WRITE) + used,
        "trap": _mapped(READ | WRITE | TRAP) + used,
        "trap-read": _mapped(READ | TRAP) + used,
        "loopback": _both() + _exports(A) + _map(A, 9, A, 3) + _use(A, 9) + _invalidate(A, 3),
        "scattered": _both() + b"".join(_export(A, i, guest=7 * i % 5) for i in range(4)) +
        _map(B, 0, A, 0, pages=4) + _use(B, 0),
        "many": _both() + _exports(B, 16) + b"".join(_map(A, i, B, i) for i in range(16)) +
        _op(COMMIT, A, 0, 16) + _use(A, 3) + _op(COMMIT, A, 0, 4096) + _op(COMMIT, A, 4000, 97) +
        _op(COMMIT, A, 0, 0),
        "full": _both() + _exports(B) + _op(FILL, A, 0, 4095 << 16, 2 * PAGE | 7) + _use(A, 4000) +
        _op(FILL, A, 0, 4095 << 16 | 1, 2 * PAGE | 3) + _export(B, 2, guest=9) + _invalidate(B, 2),
        "full-traps": _both() + _exports(B) + _op(FILL, A, 0, 4095 << 16 | 1, 2 * PAGE | 15) +
        _exports(A) + _op(FILL, B, 0, 4095 << 16 | 1, 2 * PAGE | 15) + _use(A, 2),
        "holes": _both() + _exports(B, 16) + b"".join(
            _map(A, i, B, i, READ | (TRAP if i % 2 else WRITE)) for i in range(8)) + _use(A, 3) +
        _use(A, 4),
        "no-node": _both() + _map(A, 1, 2, 0) + _map(A, 2, B, 0, stale=1) +
        _op(ENTRY, A, 3, 0x83, 0xffff << 48 | 7),
        "no-page": _both() + _map(A, 1, B, 500) + _export(B, 4) + _map(A, 2, B, 4, key=1),
        "denied": _both() + _export(B, 1, rights=1) + _export(B, 2, row=1) +
        _export(B, 3, row=0xffff) + _map(A, 1, B, 1) + _map(A, 2, B, 2) + _map(A, 3, B, 3),
        "bad": _both() + _map(A, 1, B, 0, flags=0) + _map(A, 2, B, 0, flags=0xff6) +
        _map(A, 3, B, 0, pages=2) + _map(B, 3, A, 0xfffffffff, pages=2),
        "revoked": _mapped() + _export(B, 1, rights=0) + _invalidate(B, 0, 8) +
        _export(A, 2, rights=0) + _invalidate(A, 2) + used,
        "renewed": _mapped() + _export(B, 1, guest=40) + _invalidate(B, 0, 8) +
        _export(A, 3, guest=41) + _invalidate(A, 0, 255) + used,
        "renewed-copy": _mapped(READ) + _window(A, 5, STORE) + _export(B, 1, guest=40) +
        _invalidate(B, 0, 8) + _export(A, 3, guest=41) + _invalidate(A, 0, 255) + used,
        "renewed-trap": _mapped(READ | WRITE | TRAP) + _export(B, 1, guest=40) +
        _invalidate(B, 0, 8) + used,
        "denied-later": _mapped() + _op(ACCESS, B, 0, value=0) + _invalidate(B, 1) + used,
        "bad-invalidation": _both() + _op(INVALIDATE, A, 0, 3, 1 << 40) + _invalidate(A, 0, 0) +
        _op(INVALIDATE, A, 0, 1, 0xffffff) + _op(INVALIDATE, A, 0, 0x201, 0xffffff),
        "disabled": _mapped() + _op(CONTROL, B, how=1) + used + _enable(B) + _map(A, 5, B, 1) +
        _op(CONTROL, A, how=1, value=1) + _op(CONTROL, A, how=1, value=0),
        "closed": _mapped() + _op(CONTROL, B, how=1, value=1) + used +
        _op(CONTROL, B, how=1, value=3) + _map(A, 5, B, 1) + used,
        "bad-control": _op(CONTROL, A, how=1, value=2) + _op(CONTROL, A, how=1, value=0x40) +
        _enable(A, 0x1e) + _enable(A, 2 | 7 << 8) + _enable(A, 4 | 7 << 16) + _enable(A, 0x20),
        "reset": _mapped() + _op(CONTROL, A) + _both() + _map(A, 5, B, 1) + used,
        "machine-reset": _mapped() + _op(MACHINE_RESET, A) + _both() + _exports(B) +
        _map(A, 5, B, 1) + used,
        "reset-trap": _mapped(WRITE) + _op(CONTROL, B) + _op(CONTROL, A),
        "lines": _both() + _line(LINE_OPEN, A, 1, B) + _line(LINE_OPEN, B, 127, A) +
        _line(DOORBELL, B, 1, A) + _line(DOORBELL, A, 127, B) + _line(LINE_CLOSE, A, 1, B) +
        _line(DOORBELL, B, 1, A) + _line(LINE_CLOSE, A, 1, B) + _line(LINE_OPEN, A, 1, B) +
        _line(LINE_OPEN, A, 1, B),
        "own-line": _both() + _line(LINE_OPEN, A, 0, A) + _line(DOORBELL, A, 0, A) +
        _line(LINE_CLOSE, A, 0, A) + _line(DOORBELL, A, 0, A),
        "bad-lines": _both() + _line(LINE_OPEN, A, 4, B) + _line(LINE_OPEN, A, 0, B, raw=77) +
        _line(DOORBELL, A, 0, B, raw=77) + _line(DOORBELL, A, 5, B) +
        _line(DOORBELL, A, 0xffff, B, raw=0xffff) + _line(LINE_CLOSE, A, 0xffff, B),
        "all-lines": _both() + b"".join(_line(LINE_OPEN, B, n, peer) for peer in (A, B)
                                        for n in range(128)) + _line(LINE_OPEN, B, 0, A) +
        _line(LINE_CLOSE, B, 0, A) + _line(LINE_OPEN, B, 0, A) + _op(CONTROL, A),
        "lines-lost": _both() + _line(LINE_OPEN, A, 1, B) + _line(LINE_OPEN, B, 1, A) +
        _op(CONTROL, B) + _line(DOORBELL, A, 1, B) + _enable(B) + _line(LINE_OPEN, A, 1, B) +
        _line(DOORBELL, B, 1, A),
        "links": _mapped() + _line(LINE_OPEN, A, 1, B) + _op(LINK, A, how=1) + used +
        _line(DOORBELL, B, 1, A) + _op(LINK, A, how=2) + _map(A, 5, B, 1) + _op(LINK, B) + used +
        _op(LINK, B, value=1) + _op(LINK, B, how=3) + _op(CONTROL, B),
        "vectors": _both() + _op(VECTOR, A, 1, 0x10) + _line(LINE_OPEN, A, 0, B) +
        _line(DOORBELL, B, 0, A) + _op(VECTOR, A, 1) + _op(VECTOR, A, 0, 4, 0x80) +
        _op(REGISTER, A, 0x60, value=1),
        "vector-rings": _both() + _line(LINE_OPEN, A, 0, B) + _line(LINE_OPEN, B, 0, A) +
        _op(VECTOR, A, 1, 4 | 2 << 24, 0x40) + _op(VECTOR, B, 1, 4 | 1 << 24, 0x40) +
        _line(DOORBELL, B, 0, A) + _line(DOORBELL, A, 0, B),
        "vector-resets": _both() + _op(VECTOR, A, 0, 4 | 0x80 << 24, 0xc) +
        _op(REGISTER, A, 1, value=1),
        "msix-off": _both() + _line(LINE_OPEN, A, 0, B) + b"".join(
            _op(PCI, A, offset, 1, 0) + _line(DOORBELL, B, 0, A)
            for offset in range(0x40, 0x70, 2)),
        "bars": _mapped() + _op(PCI, A, 0x18, 2, 0x01000000) + _use(A, 5) +
        _op(PCI, A, 0x10, 2, 0x02000000) + _op(PCI, A, 4, 1, 0) + _op(PCI, A, 4, 1, 7) +
        _op(PCI, A, 0x20, 2, 0xffffffff) + used,
        "odd-tables": _both() + _op(DIRECTORY, B, 0, 0x105, 0) + _map(A, 0, B, 1) +
        _op(DIRECTORY, B, 0, 0x106, 0x1000) + _map(A, 0, B, 1) +
        _op(DIRECTORY, B, 1, 0x107, 0x1fff000) + _map(A, 1, B, 256) +
        _op(DIRECTORY, B, 1, 0x102, 0) + _map(A, 1, B, 256),
        "odd-pages": _both() + b"".join(
            _op(EXPORT, B, i, 3 << 24 | i, 0x1000) + _map(A, i, B, i) + _use(A, i)
            for i in range(8)) + _invalidate(B, 0, 255),
        "memory": _mapped() + b"".join(_op(MEMORY, A, 0, where, 0x0f0f0f0f0f0f0f0f) for where in
                                       (0, 0x1000, 0x7ff8, 0x8000, 0x20000, 0x20014, 0x3fff8)) +
        _op(COMMIT, A, 0, 8) + _op(RAM, B, 0, 0x1000, 1) + _op(CLOCK, A),
    }
    return seeds


def _generic(*ops):
    return b"FUZZ".join(ops)


def _write(region, offset, value, size=2):
    return struct.pack("<BBBxxIQ", 3, size, region, offset, value)


def generic():
    """name -> input of the target `generic-fuzz-sci`."""
    seeds = {}
    for region in range(16):
        writes = [_write(region, reg, 0xffffffff) for reg in range(0, 0x120, 4)]
        reads = [struct.pack("<BBBxxI", 2, 2, region, reg) for reg in range(0, 0x120, 4)]
        seeds[f"region-{region}"] = _generic(*writes, *reads, b"\x09")
        seeds[f"enable-{region}"] = _generic(
            _write(region, 0x1c, 7), _write(region, 0x0c, 1), _write(region, 0x4c, 16),
            _write(region, 0x98, 1 << 16), _write(region, 0x98, 2 << 16),
            _write(region, 0x40, 1 << 16), _write(region, 0x40, 2 << 16), _write(region, 0x80, 1),
            _write(region, 0x0c, 0x80000000), b"\x09")
    for device in (0, 1):
        seeds[f"config-{device}"] = _generic(
            *(struct.pack("<BBBBxI", 5, 2, device, offset, 0xffffffff)
              for offset in range(0, 0x80, 4)))
    return seeds


TARGETS = {"sci-fuzz": sci_fuzz, "generic-fuzz-sci": generic}
