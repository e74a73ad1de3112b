# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Counts what meson's test logs say: TAP points, or whole programs without TAP."""
import collections
import json
import re

_POINT = re.compile(r"^(not )?ok\b\s*\d*\s*-?\s*([^#]*)(?:#\s*(skip|todo)\b.*)?", re.I)
_PLAN = re.compile(r"^1\.\.(\d+)\s*(?:#\s*skip\b.*)?", re.I)


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
    """Outcome, name and the comments before each TAP point, and the number planned."""
    points, plan, why = [], None, []
    for line in text.splitlines():
        if line.startswith("#"):
            why.append(line)
        elif m := _PLAN.match(line):
            plan = int(m[1])
        elif m := _POINT.match(line):
            marker = (m[3] or "").lower()
            bad = bool(m[1]) and marker != "todo"
            points.append(("skipped" if marker == "skip" else "failed" if bad else "passed",
                           m[2].strip(), why))
            why = []
    return points, plan


def add_program(tally, name, result, text):
    """One program: RESULT is meson's word, TEXT what it printed."""
    points, plan = _points(text)
    for outcome, point, why in points:
        tally.add(outcome, f"{name}: {point}", why)
    failed = any(outcome == "failed" for outcome, _, _ in points)
    if result in ("OK", "EXPECTEDFAIL"):
        if plan is not None and len(points) < plan:
            tally.add("failed", f"{name}: {len(points)} of {plan} planned tests reported")
        elif not points and plan != 0:
            tally.add("passed", name)
        elif not points:
            tally.add("skipped", name)
    elif result == "SKIP":
        if not points:
            tally.add("skipped", name)
    elif not failed:
        tally.add("failed", f"{name}: {result.lower()}")


def add_meson_log(tally, path):
    """All programs of a meson test log (one JSON object per line)."""
    with open(path, encoding="utf-8", errors="replace") as f:
        for line in f:
            entry = json.loads(line)
            add_program(tally, entry["name"], entry["result"], entry.get("stdout", ""))
