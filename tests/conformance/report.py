# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""What the suite has found: assertions per scope, and error pairs."""
import pathlib
import re

HERE = pathlib.Path(__file__).resolve().parent
HEADER = HERE.parents[1] / "librsm" / "include" / "rsm" / "rsm_errno.h"

SCOPES = ("abi", "loopback", "self", "1->2", "2->1")
WORST = ("fail", "skip", "pass")    # a number with several tests is as good as the worst


def _table(name):
    for line in (HERE / name).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            yield line.split("\t")


def numbers_of(test):
    """Numbers of the assertions that a test is named by."""
    return [int(n) for n in re.findall(r"a(\d{3})_", re.match(r"(?:a\d{3}_)*", test)[0])]


class Assertions:
    """Results by number and scope."""

    def __init__(self):
        self.how = {int(number): how for number, _, how in _table("assertions.tsv")}
        self.results = {number: {} for number, how in self.how.items() if how == "yes"}
        self.points = dict.fromkeys(WORST, 0)

    def add(self, test, scope, outcome):
        self.points[outcome] += 1
        for number in numbers_of(test):
            cell = self.results[number]
            cell[scope] = min(cell.get(scope, outcome), outcome, key=WORST.index)

    def substitutes(self, number):
        return [int(n) for n in self.how[number].split()[1:]]

    def verdict(self, number):
        """One word for an assertion: pass, fail, skip (nowhere tested: fail), no."""
        how = self.how[number]
        if how == "no":
            return "no"
        if how == "yes":
            found = list(self.results[number].values())
        else:
            found = [self.verdict(n) for n in self.substitutes(number)]
        ran = [outcome for outcome in found if outcome != "skip"]
        if not found or "fail" in ran:
            return "fail"
        return "pass" if ran else "skip"

    def lines(self):
        yield "assertion " + " ".join(f"{scope:>8}" for scope in SCOPES)
        for number, how in self.how.items():
            if how == "yes":
                cells = [self.results[number].get(scope, "-") for scope in SCOPES]
                text = " ".join(f"{cell:>8}" for cell in cells)
            elif how == "no":
                text = "not tested, see docs/conformance.md"
            else:
                text = f"{self.verdict(number):>8} in substance, as {how[3:]}"
            yield f"{number:>9} {text}"

    def summary(self):
        verdicts = [self.verdict(number) for number in self.how]
        count = {word: verdicts.count(word) for word in ("pass", "fail", "skip", "no")}
        applicable = len(verdicts) - count["no"]
        yield (f"assertions: passed {count['pass']} of applicable {applicable} "
               f"(failed {count['fail']}, skipped {count['skip']}; "
               f"listed {len(verdicts)}, not tested {count['no']})")
        yield (f"tests by scope: passed {self.points['pass']}, failed {self.points['fail']}, "
               f"skipped {self.points['skip']}")


def error_numbers():
    text = HEADER.read_text(encoding="utf-8")
    return {int(value): name for name, value in
            re.findall(r"^#define RSMERR_(\w+)\s+(\d+)$", text, re.M)}


class Errors:
    """Which (function, error) pairs were seen, of those that can happen."""

    def __init__(self):
        rows = [(function, code, how) for function, code, _, how in _table("errors.tsv")]
        self.races = {(f, c) for f, c, how in rows if how.startswith("race: ")}
        self.excluded = {(f, c) for f, c, how in rows if how.startswith("excluded: ")}
        self.possible = {(f, c) for f, c, _ in rows} - self.races - self.excluded
        self.names = error_numbers()
        self.seen = set()

    def add(self, text):
        """What `conform record` prints: function, code, count."""
        for line in text.splitlines():
            function, code, _ = line.split()
            if code != "0":
                self.seen.add((function, self.names[int(code)]))

    def missing(self):
        return sorted(self.possible - self.seen)

    def unlisted(self):
        return sorted(self.seen - self.possible - self.races)

    def summary(self):
        provoked = len(self.possible & self.seen)
        yield (f"error pairs: provoked {provoked} of possible {len(self.possible)} "
               f"({len(self.excluded)} excluded, {len(self.races)} left to chance: errors.tsv)")
        for function, code in self.missing():
            yield f"missing: {function} {code}"
        for function, code in self.unlisted():
            yield f"unlisted: {function} {code}"
