#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Programs of 32 bits, with a librsm of 32 bits, beside those of 64."""
import functools

import pairlib
from pairlib import same, testlib

NATIVE, I386 = "rsmtest", "rsmtest-i386"
LINES = [f"message {n}" for n in range(10)]


def _runs(node, program):
    """Skip where it was not built, or the node's kernel has no IA32_EMULATION."""
    if node.run("test", "-e", f"/usr/bin/{program}")[0]:
        raise testlib.Skip("the host compiles no programs of 32 bits: install gcc-multilib")
    elf = "/proc/sys/abi/vsyscall32"
    if program == I386 and node.run("test", "-e", elf)[0]:
        raise testlib.Skip("this kernel runs no programs of 32 bits")


def _messages_pass(exporting, importing, programs):
    for node, program in zip((exporting, importing), programs):
        _runs(node, program)
    with exporting.spawn(programs[0], "-e", "-n", str(importing.number)) as exporter:
        exporter.expect("Mbuf is")
        with importing.spawn(programs[1], "-i", "-n", str(exporting.number)) as importer:
            for line in LINES:
                importer.feed(f"{line}\n")
                exporter.expect(rf"\] {line}\n")
            same(importer.wait(), 0, f"status of the importer ({importer.err!r})")
        same(exporter.wait(), 0, f"status of the exporter ({exporter.err!r})")


def pairs():
    for programs in ((I386, NATIVE), (NATIVE, I386), (I386, I386)):
        def run(exporting, importing, programs=programs):
            _messages_pass(exporting, importing, programs)
        functools.update_wrapper(run, _messages_pass)
        bits = ["32" if program == I386 else "64" for program in programs]
        run.__name__ = f"a_program_of_{bits[0]}_bits_hears_one_of_{bits[1]}"
        yield run


def the_program_has_32_bits(lab):
    node = lab.node(1)
    _runs(node, I386)
    # The class in the ELF header.
    same(node.check("sh", "-c", f"dd if=/usr/bin/{I386} bs=1 skip=4 count=1 2>/dev/null | "
                    "od -An -tu1").strip(), "1", "class of the program")


if __name__ == "__main__":
    pairlib.main([the_program_has_32_bits, *pairlib.both_ways(*pairs())])
