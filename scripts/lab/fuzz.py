# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""`fuzz`: QEMU's fuzzer on the device, for a time.

Two targets: `sci-fuzz` is the guests of two nodes that use each other
(qemu-device/fuzz), `generic-fuzz-sci` QEMU's generic fuzzer. What they find new
is kept in build/fuzz/corpus, and the next run goes on from there; an input that
fails is kept in build/fuzz/found.
"""
import collections
import pathlib
import re
import tempfile

from . import fuzzseeds, paths, prepare, qemudist, qemutree, ui

SECONDS_PER_INPUT = 60  # longer is a hang
MAX_LENGTH = 2048       # bytes of an input
RSS_MIB = 4096

FOUND = paths.FUZZ / "found"
# Parts of the time, of which the first is the target that gets further.
SHARES = {"sci-fuzz": 0.8, "generic-fuzz-sci": 0.2}

# QEMU frees little of what it sets up at its start.
SUPPRESSIONS = paths.QEMU_DEVICE / "fuzz" / "leaks.supp"

_STATUS = re.compile(r"^#(\d+)\s+\w+\s+cov: (\d+) .*exec/s: (\d+)")
# Whether a function was called, and its file.
_COVERED = re.compile(r"^(UN)?COVERED_FUNC: .*/hw/sci/(\S+?):\d+")


def _note(progress, line):
    m = _STATUS.match(line)
    if m:
        progress.note = f"[{m[1]} inputs, {m[3]} per second, coverage {m[2]}]"


def _environment(scratch):
    return {
        "TMPDIR": scratch,      # for the fabric of a process that crashes
        "ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=0:handle_abort=1",
        "LSAN_OPTIONS": f"suppressions={SUPPRESSIONS}:print_suppressions=0",
        "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    }


def _seeds(target):
    folder = paths.FUZZ / "seeds" / target
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for name, data in fuzzseeds.TARGETS[target]().items():
        (folder / name).write_bytes(data)
    return folder


def _corpus(target):
    folder = paths.FUZZ / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _found():
    return set(FOUND.iterdir()) if FOUND.exists() else set()


def _target_of(file):
    """An input that was found has the target in its name."""
    for target in SHARES:
        if file.name.startswith(f"{target}-"):
            return target
    raise ui.Failure(f"{file}: whose input is it? Say --target {' or '.join(SHARES)}")


def _run(program, target, args):
    """Run the fuzzer; whether it found nothing."""
    FOUND.mkdir(parents=True, exist_ok=True)
    before = _found()
    log = f"fuzz-{target}"
    with tempfile.TemporaryDirectory(prefix="rsmlab-fuzz.") as scratch:
        argv = [program, f"--fuzz-target={target}", f"-timeout={SECONDS_PER_INPUT}",
                f"-rss_limit_mb={RSS_MIB}", f"-artifact_prefix={FOUND}/{target}-", *args]
        try:
            ui.run(f"fuzz: {target}", argv, log, env=_environment(scratch), note=_note)
            return True
        except ui.Failure as e:
            ui.warn(str(e))
    for file in sorted(_found() - before):
        ui.say(f"fuzz: found {file}; again: scripts/rsmlab fuzz --input {file}")
    return False


def _fuzz(program, target, seconds, seed):
    args = [f"-max_total_time={seconds}", f"-max_len={MAX_LENGTH}", "-print_final_stats=1",
            "-reload=0"]
    if seed is not None:
        args.append(f"-seed={seed}")
    good = _run(program, target, [*args, _corpus(target), _seeds(target)])
    ui.say(f"fuzz: {target}: {'nothing found' if good else 'FAILED'}; "
           f"log: {paths.LOGS / f'fuzz-{target}.log'}")
    return good


def _report_coverage(program, target):
    """How many functions of the device all inputs call that are known, per file.

    Not edges: most of those that are missing are the failures of UBSan's checks.
    """
    _run(program, target, ["-runs=0", "-print_coverage=1", _corpus(target), _seeds(target)])
    called, functions = collections.Counter(), collections.Counter()
    text = (paths.LOGS / f"fuzz-{target}.log").read_text(encoding="utf-8", errors="replace")
    for line in text.splitlines():
        m = _COVERED.match(line)
        if m and not m[2].startswith("fuzz/"):
            for name in (m[2], "total"):
                called[name] += not m[1]
                functions[name] += 1
    for name in sorted(functions, key=lambda name: (name == "total", name)):
        ui.say(f"{called[name]:4d} of {functions[name]:4d} functions  {name}")


def main(args):
    prepare.install("build", "fuzz")
    qemudist.prepare()
    program = qemutree.build_fuzzer()
    if args.input:
        file = pathlib.Path(args.input).absolute()
        if not file.is_file():
            raise ui.Failure(f"{file} is not a file")
        target = args.target or _target_of(file)
        good = _run(program, target, [file])
        if good:
            ui.say(ui.tail(paths.LOGS / f"fuzz-{target}.log"))
        return 0 if good else 1
    targets = [args.target] if args.target else list(SHARES)
    whole = sum(SHARES[target] for target in targets)
    good = True
    for target in targets:
        seconds = max(1, int(args.minutes * 60 * SHARES[target] / whole))
        good = _fuzz(program, target, seconds, args.seed) and good
        if args.coverage:
            _report_coverage(program, target)
    return 0 if good else 1
