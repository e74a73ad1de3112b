#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""The programs of this folder inside one guest, over loopback and over sci0."""
import guestprograms
from guestprograms import testlib

PROGRAMS = ["controllers", "exports", "imports", "barriers", "transfers", "implicit", "vectors",
            "signals", "stale", "pollfds", "segmentids", "lifecycle", "users", "changes", "losses",
            "status"]
ELSEWHERE = ["faults", "hotplug", "limits", "races"]    # run by scripts of their own


def every_program_is_run(lab):
    out = lab.node(1).check("sh", "-c", "cd /usr/bin && ls -d guest-*")
    found = {name.removeprefix("guest-") for name in out.split()}
    if found != {*PROGRAMS, *ELSEWHERE}:
        raise AssertionError(f"programs in the node: {sorted(found)}")


if __name__ == "__main__":
    testlib.main(lambda lab: [every_program_is_run, *guestprograms.tests(lab.node(1), PROGRAMS)],
                 nodes=1)
