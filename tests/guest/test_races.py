#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Threads that meet in the agent, on a node with two CPUs."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))

from lab import testlib  # noqa: E402
from test_programs import test  # noqa: E402

if __name__ == "__main__":
    testlib.main([test("races", c) for c in ("loopback", "sci0")], nodes=1,
                 extra=["-smp", "2"])
