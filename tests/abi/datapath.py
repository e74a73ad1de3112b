#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
#
# docs/data-path.md leads through the code: each `file.c:function` that it
# names is defined in that file.

import re

from compilers import ROOT
from tap import Tap

DOCUMENT = ROOT / "docs" / "data-path.md"
TREES = ["librsm", "guest-driver", "qemu-device"]

# `dir/file.c:name`, `name`: what follows a file in one table cell is in that file as well.
CELL = re.compile(r"`((?:[\w-]+/)*[\w-]+\.c):(\w+)`((?:, `\w+`)*)")


def defines(source, function):
    return re.search(rf"^(?:[\w*].*\b|){function}\([^;]*?\)\n\{{", source, re.MULTILINE | re.DOTALL)


def sources(name):
    return [path for tree in TREES for path in (ROOT / tree).rglob("*.c")
            if path.as_posix().endswith("/" + name)]


tap = Tap()
named = set()
for name, first, more in CELL.findall(DOCUMENT.read_text()):
    named.update((name, function) for function in [first, *re.findall(r"\w+", more)])
tap.ok(len(named) > 30, "the document names functions", f"{len(named)} found")
for name, function in sorted(named):
    files = sources(name)
    tap.ok(len(files) == 1 and defines(files[0].read_text(), function),
           f"{name} defines {function}", f"files of that name: {len(files)}")
tap.done()
