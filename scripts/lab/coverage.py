# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""`coverage`: which lines of driver, library and device the suites execute.

All that is ours is built a second time with gcov's counters (build/coverage-*)
and the suites run on the debug kernel. Programs on the host and QEMU write
their counters beside their objects when they end; counters.py fetches those
of a node at the end of a test file. A process or a node that is killed takes
its counters with it, so the figures are a lower bound.
"""
import collections
import json
import os
import pathlib
import shutil
import subprocess
import sys

from . import counters, kernel, paths, testrun, ui

SUITES = [s for s in testrun.SUITES if s not in ("style", "abi", "lab")]
PARTS = {"driver": "guest-driver/", "library": "librsm/src/", "device": "qemu-device/"}
BATCH = 40      # files for one call of gcov


def _trees():
    """Directories of objects that are ours."""
    return [paths.HOST, paths.QEMU, kernel.modules_dir(kernel.DEBUG)]


def _forget():
    shutil.rmtree(counters.DATA, ignore_errors=True)
    counters.DATA.mkdir(parents=True)
    for tree in _trees():
        for old in tree.rglob("*.gcda"):
            old.unlink()


def _gcov(files):
    """What gcov says about object files, as parsed JSON."""
    for start in range(0, len(files), BATCH):
        done = subprocess.run(["gcov", "--json-format", "--stdout",
                               *map(str, files[start:start + BATCH])],
                              cwd=counters.DATA, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ui.Failure(f"gcov failed:\n{done.stderr.strip()[-2000:]}")
        for line in done.stdout.splitlines():
            if line.startswith("{"):
                yield json.loads(line)


def _collected():
    """Counters from the nodes, each beside a link to the notes of its object."""
    found = []
    for root in sorted(counters.DATA.iterdir()):
        for data in root.rglob("*.gcda"):
            note = pathlib.Path("/", data.relative_to(root)).with_suffix(".gcno")
            if note.exists():
                data.with_suffix(".gcno").symlink_to(note)
                found.append(data)
    return found


def _source(name, cwd):
    """Path below the top of the tree, or None if it is not one of ours."""
    path = pathlib.Path(cwd, name).resolve()
    if not path.is_relative_to(paths.TOP):
        return None
    rel = str(path.relative_to(paths.TOP))
    # Lines of generated code are said to be of what it was generated from.
    if not rel.startswith(tuple(PARTS.values())) or not rel.endswith((".c", ".h")) or \
            rel.endswith("_test.c"):
        return None
    return rel


def lines():
    """source -> line -> how often it was executed, in all objects and runs."""
    counts = collections.defaultdict(collections.Counter)
    notes = sorted(note for tree in _trees() for note in tree.rglob("*.gcno"))
    for report in _gcov(notes + _collected()):
        for file in report["files"]:
            source = _source(file["file"], report["current_working_directory"])
            if source:
                for line in file["lines"]:
                    counts[source][line["line_number"]] += line["count"]
    return counts


def _row(name, executed, total):
    percent = 100 * executed / total if total else 0
    return f"{percent:6.1f} %  {executed:6d} of {total:6d}  {name}"


def report(counts):
    """One line per file, then one per part and one for all."""
    text, totals = [], collections.Counter()
    for part, prefix in PARTS.items():
        for source in sorted(s for s in counts if s.startswith(prefix)):
            executed = sum(1 for n in counts[source].values() if n)
            text.append(_row(source, executed, len(counts[source])))
            for name in (part, "total"):
                totals[name, "executed"] += executed
                totals[name, "lines"] += len(counts[source])
    text.append("")
    text += [_row(name, totals[name, "executed"], totals[name, "lines"])
             for name in (*PARTS, "total")]
    return "\n".join(text)


def main(args):
    if not paths.COVERAGE:
        os.execve(sys.executable, [sys.executable, *sys.argv],
                  dict(os.environ, RSMLAB_COVERAGE="1"))
    args.kernel = kernel.DEBUG
    args.suite = args.suite or SUITES
    _forget()
    status = testrun.main(args)
    ui.say(f"== lines executed by the suites {', '.join(args.suite)} on the debug kernel")
    ui.say(report(lines()))
    return status
