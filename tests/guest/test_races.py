#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Threads that meet in the agent, on a node with two CPUs."""
import guestprograms
from guestprograms import testlib

if __name__ == "__main__":
    testlib.main(lambda lab: guestprograms.tests(lab.node(1), ["races"]), nodes=1,
                 extra=["-smp", "2"])
