# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""`test`: build everything, run the suites through meson, count TAP points.

Suites run in groups, the programs of a group beside each other: those that need no
node first, then those that boot nodes, each program a lab of its own.
"""
import os
import subprocess
import sys

from . import host, image, kernel, limits, lint, paths, prepare, qemu, qemutree, tap, ui

# Quick ones first: a broken tree is known within seconds.
SUITES = ("style", "unit", "abi", "fuzz", "lab", "qtest", "kunit", "guest", "pair", "conformance",
          "model", "chaos")
IN_GUESTS = ("lab", "kunit", "guest", "pair", "conformance", "model", "chaos")
LAB_MIB = 2048          # that programs with nodes take, most of them less

DIAGNOSTICS = 20        # lines shown of what a failed test says


def _meson(label, meson, builddir, args, tally, env=None):
    """Run `meson test`, show its lines, add what its log says to TALLY."""
    base = f"rsmlab-{label}"
    log = builddir / "meson-logs" / f"{base}.json"
    log.unlink(missing_ok=True)
    argv = [str(a) for a in (meson, "test", "-C", builddir, "--no-rebuild", "--logbase", base,
                             "--print-errorlogs", *args)]
    ui.say(f"== {label}")
    with ui.child(argv, env=dict(os.environ, **(env or {})), stdin=subprocess.DEVNULL,
                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as proc:
        for line in proc.stdout:
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
        code = proc.wait()
    before = len(tally.failures)
    if not log.exists():
        # Meson says "No suitable tests defined." and writes no log.
        tally.add("failed", f"{label}: meson test ran nothing")
        return
    tap.add_meson_log(tally, log)
    if code and len(tally.failures) == before:
        tally.add("failed", f"{label}: meson test ended with status {code}")
    for name, why in tally.failures[before:]:
        ui.say(f"FAILED {name} (log: {log.with_suffix('.txt')})")
        for line in why[:DIAGNOSTICS]:
            ui.say(f"  {line}")


def _beside(kern):
    """How many programs with nodes run beside each other; they load one core, then a half."""
    factor = kernel.memory(kern) / kernel.memory(paths.default_kernel())
    return max(1, min(paths.JOBS, int(limits.memory_left() / (LAB_MIB * factor))))


def _patience(in_guests, beside, kern):
    """For meson's deadlines, which are made for a stock kernel, no counters and nothing beside."""
    factor = kernel.slowness(kern) if in_guests else 1
    return factor * (2 if paths.COVERAGE else 1) * (2 if beside > 1 else 1)


def _run_tree_qtests(tally):
    names = [name for name, _ in qemutree.qtests()]
    if names:
        _meson("qtest", paths.QEMU / "pyvenv" / "bin" / "meson", paths.QEMU, names, tally,
               qemutree.build_env())
    else:
        tally.add("failed", "qtest: QEMU was built without them")


def _run_group(label, suites, kern, tally):
    """Run SUITES of the host's build as one; then what they have found beyond their points."""
    reports = [paths.LOGS / f"{suite}.txt" for suite in suites]
    for report in reports:
        report.unlink(missing_ok=True)
    in_guests = label == "nodes"
    beside = _beside(kern) if in_guests else paths.JOBS
    _meson(label, "meson", paths.HOST,
           [arg for suite in suites for arg in ("--suite", suite)] +
           ["--num-processes", beside,
            "--timeout-multiplier", _patience(in_guests, beside, kern)], tally)
    for report in reports:
        if report.exists():
            ui.say(report.read_text(encoding="utf-8").rstrip())


def _run(suites, kern, tally):
    tree = "qtest" in suites and qemu.choice() == qemu.TREE
    if tree:
        _run_tree_qtests(tally)
    groups = {"host": [], "nodes": []}
    for suite in suites:
        if suite != "qtest" or not tree:
            groups["nodes" if suite in IN_GUESTS else "host"].append(suite)
    for label, members in groups.items():
        if members:
            _run_group(label, members, kern, tally)


def _fetch_linters():
    """Unstable may be out of reach, or in pieces: the suite then skips, loudly."""
    try:
        lint.fetch()
    except ui.Failure as e:
        ui.warn(str(e))


def _build(suites, kern):
    lab_needed = set(IN_GUESTS) & set(suites)
    prepare.setup(kern, test=True)
    if "style" in suites:
        _fetch_linters()
    if lab_needed or "qtest" in suites:
        qemu.build(with_tests="qtest" in suites)
    host.build()
    if lab_needed:
        kernel.build(kern)
        image.build(kern)


def main(args):
    suites = [s for s in SUITES if s in (args.suite or SUITES)]
    # Test programs that meson starts read it.
    os.environ["RSMLAB_QEMU"] = qemu.choice()
    os.environ["RSMLAB_KERNEL"] = args.kernel
    tally = tap.Tally()
    try:
        _build(suites, args.kernel)
    except ui.Failure as e:
        ui.warn(str(e))
        tally.add("failed", "build")
        suites = []
    try:
        if suites:
            _run(suites, args.kernel, tally)
    except ui.Failure as e:
        ui.warn(str(e))
        tally.add("failed", "the tests do not run")
    for name, _ in tally.failures:
        ui.say(f"failed: {name}")
    ui.say(str(tally))
    return 1 if tally.failures or not tally.count["passed"] else 0
