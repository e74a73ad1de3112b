# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""`test`: build everything, run the suites through meson, count TAP points."""
import os
import subprocess
import sys

from . import host, image, kernel, paths, prepare, qemu, qemutree, tap, ui

# Quick ones first: a broken tree is known within seconds.
SUITES = ("unit", "abi", "fuzz", "lab", "qtest", "kunit", "guest", "pair", "conformance", "model",
          "chaos")
IN_GUESTS = ("lab", "kunit", "guest", "pair", "conformance", "model", "chaos")

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


def _patience(suite, kern):
    """For meson's deadlines, which are made for a stock kernel without counters."""
    factor = kernel.slowness(kern) if suite in IN_GUESTS else 1
    return factor * (2 if paths.COVERAGE else 1)


def _run_suite(suite, kern, tally):
    if suite == "qtest" and qemu.choice() == qemu.TREE:
        names = [name for name, _ in qemutree.qtests()]
        if names:
            _meson("qtest", paths.QEMU / "pyvenv" / "bin" / "meson", paths.QEMU, names, tally,
                   qemutree.build_env())
        else:
            tally.add("failed", "qtest: QEMU was built without them")
        return
    report = paths.LOGS / f"{suite}.txt"
    report.unlink(missing_ok=True)
    _meson(suite, "meson", paths.HOST,
           ["--suite", suite, "--timeout-multiplier", _patience(suite, kern)], tally)
    # What a suite has found beyond its points.
    if report.exists():
        ui.say(report.read_text(encoding="utf-8").rstrip())


def _build(suites, kern):
    lab_needed = set(IN_GUESTS) & set(suites)
    prepare.setup(kern, test=True)
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
    for suite in suites:
        try:
            _run_suite(suite, args.kernel, tally)
        except ui.Failure as e:
            ui.warn(str(e))
            tally.add("failed", f"{suite}: does not run")
    for name, _ in tally.failures:
        ui.say(f"failed: {name}")
    ui.say(str(tally))
    return 1 if tally.failures or not tally.count["passed"] else 0
