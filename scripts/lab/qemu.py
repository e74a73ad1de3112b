# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""QEMU with the sci device: source, hook, configuration, build, firmware.

The source is Debian's (default, suite trixie) or a copy of a tree of the
user's. qemu-device/ is linked into it as hw/sci, tests/qtest/ as
tests/qtest/sci, and qemu-device/qemu.patch makes QEMU's build see both.
"""
import filecmp
import json
import os
import pathlib
import shutil

from . import apt, paths, steps, ui

DEFAULT_SOURCE = "debian:trixie"
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
PATCHED = ["hw/Kconfig", "hw/meson.build", "meson.build", "tests/qtest/meson.build"]
NOT_COPIED = {".git", "build", "__pycache__"}


def origin():
    """Where the source comes from: debian:SUITE or a directory."""
    return paths.config().get("qemu_src", DEFAULT_SOURCE)


def set_origin(value):
    """Remember another source; debian[:SUITE] or a directory with a QEMU tree."""
    if value == "debian":
        value = DEFAULT_SOURCE
    if not value.startswith("debian:"):
        tree = pathlib.Path(value).resolve()
        if not (tree / "configure").is_file() or not (tree / "hw" / "Kconfig").is_file():
            raise ui.Failure(f"{tree} is not a QEMU source tree (no configure, no hw/Kconfig)")
        value = str(tree)
    if value != origin():
        paths.config_set("qemu_src", value)


def _suite():
    where = origin()
    return where.partition(":")[2] if where.startswith("debian:") else "trixie"


def build_env():
    """QEMU needs meson >= 1.5 and pycotap; Debian 12 has neither, so bring them."""
    site = paths.QEMU_TOOLS / "usr/lib/python3/dist-packages"
    return {"PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"}


def _fetch_tools():
    key = steps.key_of(_suite())
    if not steps.done("qemu-tools", key):
        apt.Root(_suite()).fetch("qemu build tools", ["meson", "python3-pycotap"],
                                 paths.QEMU_TOOLS)
        steps.mark("qemu-tools", key)


def _fetch_firmware():
    """BIOS and option ROMs of the same Debian release as QEMU, for -L."""
    key = steps.key_of(_suite())
    if not steps.done("firmware", key):
        apt.Root(_suite()).fetch("firmware", ["seabios", "qemu-system-data"], paths.FIRMWARE)
        steps.mark("firmware", key)


def _pristine(rel):
    return paths.BUILD / "qemu-pristine" / rel


def _fetch_source():
    """Debian's source, once; `setup --upgrade` looks for a newer version."""
    key = steps.key_of(origin())
    if steps.done("qemu-src", key):
        return
    steps.forget("qemu-src")
    steps.forget("qemu-hook")
    _fetch_tools()
    root = apt.Root(_suite())
    root.fetch_source("qemu", root.source_version("qemu"), paths.QEMU_SRC)
    shutil.rmtree(paths.QEMU, ignore_errors=True)
    _keep_pristine()
    steps.mark("qemu-src", key)


def _keep_pristine():
    for rel in PATCHED:
        _pristine(rel).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(paths.QEMU_SRC / rel, _pristine(rel))


def _same(src, to):
    if src.is_symlink() or to.is_symlink():
        return src.is_symlink() and to.is_symlink() and os.readlink(src) == os.readlink(to)
    return to.exists() and filecmp.cmp(src, to)


def _copy_file(src, to):
    updated = os.path.lexists(to)
    to.unlink(missing_ok=True)
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(src, to, follow_symlinks=False)
    if updated and not to.is_symlink():
        os.utime(to)    # older content is new to ninja all the same


def _sync_tree(source, dest):
    """Make DEST a copy of SOURCE without touching what is the same already.

    The files of the hook go to their unpatched copies; _hook() does the rest.
    """
    seen = set()
    for folder, dirs, files in os.walk(source):
        dirs[:] = [d for d in dirs if d not in NOT_COPIED or folder != str(source)]
        links = [d for d in dirs if os.path.islink(os.path.join(folder, d))]
        for name in files + links:
            src = pathlib.Path(folder, name)
            rel = str(src.relative_to(source))
            seen.add(rel)
            to = _pristine(rel) if rel in PATCHED else dest / rel
            if not _same(src, to):
                _copy_file(src, to)
                if rel in PATCHED:
                    steps.forget("qemu-hook")
    for folder, _, files in os.walk(dest):
        rel_folder = pathlib.Path(folder).relative_to(dest)
        for name in files:
            if str(rel_folder / name) not in seen and "subprojects" not in rel_folder.parts:
                (dest / rel_folder / name).unlink()


def _copy_source():
    """Follow the user's tree; it is never written to."""
    source = pathlib.Path(origin())
    key = steps.key_of(source)
    _fetch_tools()
    if not steps.done("qemu-src", key):
        steps.forget("qemu-hook")
        for old in (paths.QEMU_SRC, paths.QEMU, paths.BUILD / "qemu-pristine"):
            shutil.rmtree(old, ignore_errors=True)
    with ui.Progress(f"copy of {source}"):
        _sync_tree(source, paths.QEMU_SRC)
    steps.mark("qemu-src", key)


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
    if steps.done("qemu-hook", _hook_key()):
        return
    for rel in PATCHED:
        shutil.copy(_pristine(rel), paths.QEMU_SRC / rel)
    ui.run("qemu: join the device", ["patch", "-p1", "--forward", "--batch",
                                     "--no-backup-if-mismatch", "-i", PATCH],
           "qemu-hook", cwd=paths.QEMU_SRC)
    steps.mark("qemu-hook", _hook_key())


def _configure():
    werror = ["--enable-werror"] if origin().startswith("debian:") else []
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
    """Have the source, its build tools and the firmware; or a current copy."""
    with steps.locked("qemu"):
        if origin().startswith("debian:"):
            _fetch_source()
        else:
            _copy_source()
        _fetch_firmware()


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
