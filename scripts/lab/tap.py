# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Counts the TAP points in meson's test logs; a program that has not reported all failed."""
import collections
import json
import re

_POINT = re.compile(r"^(not )?ok\b\s*\d*\s*-?\s*([^#]*)(?:#\s*(skip|todo)\b.*)?", re.I)
_PLAN = re.compile(r"^1\.\.(\d+)\s*(#\s*skip\b.*)?", re.I)


class Tally:
    """Sums over programs; `failures` has name and diagnostics of what did not pass."""

    def __init__(self):
        self.count = collections.Counter(passed=0, failed=0, skipped=0)
        self.failures = []

    def add(self, outcome, name="", why=()):
        self.count[outcome] += 1
        if outcome == "failed":
            self.failures.append((name, list(why)))

    def __str__(self):
        c = self.count
        return f"{c['passed']} passed, {c['failed']} failed, {c['skipped']} skipped"


def _points(text):
    """Outcome, name and the comments before each TAP point; the match of the plan, or None."""
    points, plan, why = [], None, []
    for line in text.splitlines():
        if line.startswith("#"):
            why.append(line)
        elif m := _PLAN.match(line):
            plan = m
        elif m := _POINT.match(line):
            marker = (m[3] or "").lower()
            bad = bool(m[1]) and marker != "todo"
            points.append(("skipped" if marker == "skip" else "failed" if bad else "passed",
                           m[2].strip(), why))
            why = []
    return points, plan


def _breach(points, plan):
    """How a program has not kept its plan; "" if it has."""
    if not plan:
        return "no plan of tests"
    planned = int(plan[1])
    if len(points) != planned:
        return f"{len(points)} of {planned} planned tests reported"
    return "" if planned or plan[2] else "no tests, and no word why"


def add_program(tally, name, result, text):
    """One program: RESULT is meson's word, TEXT what it printed."""
    points, plan = _points(text)
    for outcome, point, why in points:
        tally.add(outcome, f"{name}: {point}", why)
    faults = []
    # Meson's word for a failed test stands for its points as well.
    if result not in ("OK", "EXPECTEDFAIL", "SKIP") and \
            not any(outcome == "failed" for outcome, _, _ in points):
        faults.append(result.lower())
    if breach := _breach(points, plan):
        faults.append(breach)
    if faults:
        tally.add("failed", f"{name}: {', '.join(faults)}")
    elif not points:
        tally.add("skipped", name)


def add_meson_log(tally, path):
    """All programs of a meson test log (one JSON object per line)."""
    with open(path, encoding="utf-8", errors="replace") as f:
        for line in f:
            entry = json.loads(line)
            add_program(tally, entry["name"], entry["result"], entry.get("stdout", ""))
