# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""QEMU with the sci device in it: hook, configuration, build.

For work on QEMU itself, for coverage, sanitizers and QEMU's fuzzer; nodes run
the distribution's QEMU otherwise. qemu-device/ is linked into the source as hw/sci,
tests/qtest/ as tests/qtest/sci, and qemu-device/qemu.patch makes QEMU's build
see both.
"""
import collections
import json
import os
import pathlib
import shutil

from . import apt, paths, qemusource, steps, ui

OPTIONS = [
    "--python=/usr/bin/python3", "--target-list=x86_64-softmmu",
    "--without-default-features", "--enable-tcg", "--enable-kvm", "--enable-slirp",
    "--enable-virtfs", "--enable-attr", "--enable-fdt=system", "--disable-docs",
    "--disable-install-blobs", "--enable-trace-backends=log",
]
# Sanitizers and libFuzzer need one compiler; what is not fuzzed need not be there.
FUZZER_OPTIONS = [
    "--python=/usr/bin/python3", "--target-list=x86_64-softmmu", "--cc=clang", "--host-cc=clang",
    "--without-default-features", "--without-default-devices",
    "--with-devices-x86_64=../../../hw/sci/fuzz/machine", "--enable-kvm", "--enable-fdt=disabled",
    "--disable-docs", "--disable-install-blobs", "--enable-trace-backends=log",
    "--enable-fuzzing", "--enable-asan", "--enable-ubsan", "-Doptimization=1",
]
# Counters only in our files: in all of QEMU they cost more than they tell.
COUNTING_CC = paths.TOP / "scripts" / "lab" / "coverage-cc"
PATCH = paths.QEMU_DEVICE / "qemu.patch"

# A directory that the source is built in; NAME is in the names of its stamp and its logs.
Build = collections.namedtuple("Build", "name directory options")


def build_env():
    """QEMU needs meson >= 1.5 and pycotap; Debian 12 has neither, so bring them."""
    site = paths.QEMU_TOOLS / "usr/lib/python3/dist-packages"
    return {"PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"}


def _fetch_tools():
    key = steps.key_of(qemusource.suite())
    if not steps.done("qemu-tools", key):
        apt.Root(qemusource.suite()).fetch("qemu build tools",
                                             ["meson", "python3-pycotap"], paths.QEMU_TOOLS)
        steps.mark("qemu-tools", key)


def _link(link, target):
    if link.is_symlink() and os.readlink(link) == str(target):
        return
    if link.is_symlink():
        link.unlink()
    link.symlink_to(target)


def _hook_key():
    return steps.key_of(PATCH.read_text(encoding="utf-8"), paths.TOP)


def _hook():
    """Join qemu-device/ and tests/qtest/ to the tree; redone if the patch changes."""
    _link(paths.QEMU_SRC / "hw" / "sci", paths.QEMU_DEVICE)
    _link(paths.QEMU_SRC / "tests" / "qtest" / "sci", paths.QTESTS)
    if steps.done(qemusource.HOOK, _hook_key()):
        return
    # An older tool, which had a shorter list, left the others as they were.
    qemusource.keep_pristine(rel for rel in qemusource.PATCHED
                             if not qemusource.pristine(rel).exists())
    for rel in qemusource.PATCHED:
        shutil.copy(qemusource.pristine(rel), paths.QEMU_SRC / rel)
    ui.run("qemu: join the device", ["patch", "-p1", "--forward", "--batch",
                                     "--no-backup-if-mismatch", "-i", PATCH],
           qemusource.HOOK, cwd=paths.QEMU_SRC)
    steps.mark(qemusource.HOOK, _hook_key())


def _werror():
    return ["--enable-werror"] if qemusource.origin().startswith("debian:") else []


def _tree():
    counting = [f"--cc={COUNTING_CC}", f"--host-cc={COUNTING_CC}"] if paths.COVERAGE else []
    return Build(paths.flavoured("qemu"), paths.QEMU, OPTIONS + _werror() + counting)


def _fuzzer():
    return Build("qemu-fuzz", paths.QEMU_FUZZ, FUZZER_OPTIONS)


def _configure(where):
    stamp = f"{where.name}-configure"
    key = steps.key_of(paths.QEMU_SRC, *where.options)
    if steps.done(stamp, key) and (where.directory / "build.ninja").exists():
        return
    steps.forget(stamp)
    shutil.rmtree(where.directory, ignore_errors=True)
    where.directory.mkdir(parents=True)
    ui.run("qemu: configure", [paths.QEMU_SRC / "configure", *where.options], stamp,
           env=build_env(), cwd=where.directory)
    steps.mark(stamp, key)


def qtests():
    """(name, executable) of our tests in QEMU's build, as meson knows them."""
    meson = paths.QEMU / "pyvenv" / "bin" / "meson"
    tests = json.loads(ui.output([meson, "introspect", "--tests", paths.QEMU], env=build_env()))
    ours = paths.QEMU / "tests" / "qtest" / "sci"
    return [(t["name"], pathlib.Path(t["cmd"][0])) for t in tests
            if t["cmd"] and pathlib.Path(t["cmd"][0]).is_relative_to(ours)]


def _ninja(where, label, log, targets):
    ui.run(label, ["ninja", "-j", paths.JOBS, *targets], log, env=build_env(),
           cwd=where.directory)


def prepare():
    """Have the source and what it is built with."""
    qemusource.prepare()
    with steps.locked("qemu"):
        _fetch_tools()


def build(with_tests=False):
    """Bring qemu-system-x86_64 up to date; seconds after an edit of the device."""
    prepare()
    tree = _tree()
    with steps.locked("qemu"):
        _hook()
        _configure(tree)
        _ninja(tree, "qemu: compile", "qemu", ["qemu-system-x86_64"])
        if with_tests:
            targets = sorted({str(exe.relative_to(paths.QEMU)) for _, exe in qtests()})
            if targets:
                _ninja(tree, "qemu: compile the qtests", "qemu-qtests", targets)


def build_fuzzer():
    """Bring QEMU as a fuzzer of its devices up to date; returns the program."""
    prepare()
    fuzzer = _fuzzer()
    program = "qemu-fuzz-x86_64"
    with steps.locked("qemu"):
        _hook()
        _configure(fuzzer)
        _ninja(fuzzer, "qemu: compile the fuzzer", "qemu-fuzz", [program])
        # Debian's source has no firmware; a machine does not start without, although
        # nothing of it is run.
        _link(fuzzer.directory / "qemu-bundle/usr/local/share/qemu-firmware",
              paths.QEMU_DIST / "usr/share/seabios")
    return fuzzer.directory / program
