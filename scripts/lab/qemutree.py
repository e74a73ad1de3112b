# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""QEMU with the sci device in it: hook, configuration, build.

For work on QEMU itself, for coverage and sanitizers; nodes run the
distribution's QEMU otherwise. qemu-device/ is linked into the source as hw/sci,
tests/qtest/ as tests/qtest/sci, and qemu-device/qemu.patch makes QEMU's build
see both.
"""
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
CONFIGURED = paths.flavoured("qemu-configure")
# Counters only in our files: in all of QEMU they cost more than they tell.
COUNTING_CC = paths.TOP / "scripts" / "lab" / "coverage-cc"
PATCH = paths.QEMU_DEVICE / "qemu.patch"


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
    for rel in qemusource.PATCHED:
        shutil.copy(qemusource.pristine(rel), paths.QEMU_SRC / rel)
    ui.run("qemu: join the device", ["patch", "-p1", "--forward", "--batch",
                                     "--no-backup-if-mismatch", "-i", PATCH],
           qemusource.HOOK, cwd=paths.QEMU_SRC)
    steps.mark(qemusource.HOOK, _hook_key())


def _configure():
    werror = ["--enable-werror"] if qemusource.origin().startswith("debian:") else []
    counting = [f"--cc={COUNTING_CC}", f"--host-cc={COUNTING_CC}"] if paths.COVERAGE else []
    options = OPTIONS + werror + counting
    key = steps.key_of(paths.QEMU_SRC, *options)
    if steps.done(CONFIGURED, key) and (paths.QEMU / "build.ninja").exists():
        return
    steps.forget(CONFIGURED)
    shutil.rmtree(paths.QEMU, ignore_errors=True)
    paths.QEMU.mkdir(parents=True)
    ui.run("qemu: configure", [paths.QEMU_SRC / "configure", *options], "qemu-configure",
           env=build_env(), cwd=paths.QEMU)
    steps.mark(CONFIGURED, key)


def qtests():
    """(name, executable) of our tests in QEMU's build, as meson knows them."""
    meson = paths.QEMU / "pyvenv" / "bin" / "meson"
    tests = json.loads(ui.output([meson, "introspect", "--tests", paths.QEMU], env=build_env()))
    ours = paths.QEMU / "tests" / "qtest" / "sci"
    return [(t["name"], pathlib.Path(t["cmd"][0])) for t in tests
            if t["cmd"] and pathlib.Path(t["cmd"][0]).is_relative_to(ours)]


def _ninja(label, log, targets):
    ui.run(label, ["ninja", "-j", paths.JOBS, *targets], log, env=build_env(), cwd=paths.QEMU)


def prepare():
    """Have the source and what it is built with."""
    qemusource.prepare()
    with steps.locked("qemu"):
        _fetch_tools()


def build(with_tests=False):
    """Bring qemu-system-x86_64 up to date; seconds after an edit of the device."""
    prepare()
    with steps.locked("qemu"):
        _hook()
        _configure()
        _ninja("qemu: compile", "qemu", ["qemu-system-x86_64"])
        if with_tests:
            targets = sorted({str(exe.relative_to(paths.QEMU)) for _, exe in qtests()})
            if targets:
                _ninja("qemu: compile the qtests", "qemu-qtests", targets)
