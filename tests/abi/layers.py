#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
#
# The objects of the kernel agent know no process: they may wait in the thread that calls
# them, and ask nothing else about it.  What objects are is said in the Kbuild file.

import re

from compilers import ROOT
from tap import Tap

AGENT = ROOT / "guest-driver" / "rsm"
PROCESS = re.compile(r"\bcurrent(_\w+\(|->|\))|\b(capable|in_e?group_p|rsmka_user_get)\(")
WAITS = re.compile(r"signal_pending\(current\)")

# What counts for users begins with who the calling process is.
ASKED = {"rsmka_user.c"}


def objects():
    block = re.search(r"^# The objects\.\n((?:rsm-y .*\n)+)", (AGENT / "Kbuild").read_text(), re.M)
    return [f"{name}.c" for name in re.findall(r"(\w+)\.o", block[1])]


def code(name):
    return re.sub(r"/\*.*?\*/", "", (AGENT / name).read_text(), flags=re.DOTALL)


tap = Tap()
names = objects()
tap.ok(len(names) > 10, "the Kbuild file names objects", str(names))
for name in names:
    if name in ASKED:
        continue
    found = [line.strip() for line in code(name).splitlines()
             if PROCESS.search(WAITS.sub("", line))]
    tap.ok(not found, f"{name} asks nothing about the calling process", "\n".join(found))
tap.done()
