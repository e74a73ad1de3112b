#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Segments by the thousand, all mapped at once: each works as the first one does."""
import pairlib
from pairlib import both_ways, same

COUNTS = (1, 1300, 3800)
ADDITIONS = 100000
SECONDS = 200       # to connect to and map all of them, or to end them


def atomics_are_exact(exporting, importing, count):
    arguments = (str(count), str(ADDITIONS))
    with exporting.spawn("many", "export", "500000", *arguments) as e, \
            importing.spawn("many", "import", str(exporting.number), "500000", *arguments) as i:
        same(i.wait(SECONDS), 0, f"status of the importer ({i.err!r})")
        total, expected, wrong = e.expect(r"total (\d+) of (\d+) wrong (\d+)\n").groups()
        same(total, expected, f"sum in segment {count}")
        same(wrong, "0", "segments without their own mark")
        e.close_input()
        same(e.wait(SECONDS), 0, f"status of the exporter ({e.err!r})")


def with_segments(count):
    def run(exporting, importing):
        atomics_are_exact(exporting, importing, count)
    run.__name__ = f"atomics_are_exact_with_{count}_segments"
    return run


if __name__ == "__main__":
    pairlib.main(both_ways(*map(with_segments, COUNTS)))
