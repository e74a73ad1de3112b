#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""The programs of this folder inside one guest, over loopback and over sci0."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))

from lab import testlib  # noqa: E402

PROGRAMS = ["controllers", "exports", "imports", "barriers", "transfers", "implicit", "vectors",
            "signals", "pollfds", "segmentids", "lifecycle", "users", "changes", "losses",
            "status"]


def test(program, controller):
    def run(lab):
        status, out, err = lab.node(1).run(f"guest-{program}", controller, timeout=300)
        bad = [line for line in out.splitlines() if line.startswith(("not ok", "#"))]
        planned = out.partition("\n")[0].removeprefix("1..")
        done = sum(line.startswith(("ok ", "not ok ")) for line in out.splitlines())
        if status or bad or str(done) != planned:
            raise AssertionError("\n".join(
                [*bad, f"status {status}, {done} of {planned} tests", err]))
        return out

    run.__name__ = f"{program}_over_{controller}"
    return run


if __name__ == "__main__":
    testlib.main([test(p, c) for c in ("loopback", "sci0") for p in PROGRAMS], nodes=1)
