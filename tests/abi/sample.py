#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
#
# Programs like the guide's sample compile unmodified and link; so does the
# sample itself, given RSM_GUIDE_TEXT=FILE, the guide's section with the sample
# (line breaks may be lost).  The guide's text is not free, so it is not here.
# Arguments: the directory of the library, and `idiom` or `guide`.

import os
import pathlib
import re
import sys

from compilers import C_COMPILERS, absent, run
from tap import Tap, skip_all

DIALECTS = {
    "gcc": ["gnu17", "gnu2x", "c99", "gnu89"],
    # clang refuses the sample's `void main` in strict C99.
    "clang": ["gnu17", "gnu2x", "gnu99", "gnu89"],
}


def restore_lines(text):
    """Give preprocessor lines of a flattened program their own lines back."""
    start = text.index("/* * Copyright") if "/* * Copyright" in text else 0
    program = text[start : text.rindex("}") + 1]
    program = re.sub(r"(#include\s+<[^>]+>)", r"\n\1\n", program)
    return re.sub(r"#define\s+(\w+)\s+(\([^)]*\)|\S+)", r"\n#define \1 \2\n", program)


def takes_idiom(compiler, dialect):
    """The sample calls functions that it declares without parameters; C23 has none such."""
    def takes(parameters):
        source = f"extern void f({parameters}); void g(void) {{ f(1); }}\n"
        return run(compiler, source, ["-c", "-w", f"-std={dialect}"])[0]

    return takes("") or not takes("int")


def compiles(tap, what, source, extra):
    link = [f"-L{sys.argv[1]}", "-lrsm"]
    for compiler, why in absent().items():
        if compiler in DIALECTS:
            tap.skip(f"{what}, {compiler}", why)
    for compiler in C_COMPILERS:
        for dialect in DIALECTS[compiler]:
            if not takes_idiom(compiler, dialect):
                tap.skip(f"{what}, {compiler} -std={dialect}",
                         "in this C a declaration without parameters takes no arguments")
                continue
            for feature in ([], ["-D_GNU_SOURCE"]):
                flags = [f"-std={dialect}", *feature, *extra, *link]
                good, said = run(compiler, source, flags)
                tap.ok(good, f"{what}, {compiler} {' '.join(flags[:-2])}", said)


def idiom(tap):
    source = pathlib.Path(__file__).with_name("sample.c").read_text()
    compiles(tap, "idiom of the sample", source, ["-Wall"])


def guide(tap):
    path = os.environ.get("RSM_GUIDE_TEXT")
    if not path:
        skip_all("RSM_GUIDE_TEXT does not name the guide's text")
    source = restore_lines(pathlib.Path(path).read_text())
    compiles(tap, "the guide's sample", source, ["-w"])


tap = Tap()
{"idiom": idiom, "guide": guide}[sys.argv[2]](tap)
tap.done()
