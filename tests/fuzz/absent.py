#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
#
# Stands for the fuzzer of that name where it cannot be built, and says what is
# missing.

import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))

from lab import packages  # noqa: E402

hints = [packages.hint("test", "fuzzer clang")]
if not shutil.which("clang"):
    hints.insert(0, packages.hint("test", "command clang"))
print("1..1")
print(f"ok 1 - {sys.argv[1]} # SKIP clang with libFuzzer is not installed: "
      f"{', '.join(hints)}")
