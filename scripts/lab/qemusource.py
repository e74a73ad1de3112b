# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""QEMU's source: Debian's package, or a copy of a tree of the user's.

The module of the device needs its headers, the tree build all of it.
"""
import filecmp
import os
import pathlib
import shutil

from . import apt, paths, steps, ui

# The files that qemu-device/qemu.patch changes; they are kept unpatched as well.
PATCHED = ["MAINTAINERS", "hw/Kconfig", "hw/meson.build", "meson.build",
           "tests/qtest/fuzz/generic_fuzz_configs.h", "tests/qtest/fuzz/meson.build",
           "tests/qtest/meson.build"]
NOT_COPIED = {".git", "build", "__pycache__"}
DEFAULT = "debian:trixie"
HOOK = "qemu-hook"      # stamp of qemutree.py: the patch is applied


def origin():
    """Where the source comes from: debian:SUITE or a directory."""
    return paths.config().get("qemu_src", DEFAULT)


def set_origin(value):
    """Remember another source; debian[:SUITE] or a directory with a QEMU tree."""
    if value == "debian":
        value = DEFAULT
    if not value.startswith("debian:"):
        tree = pathlib.Path(value).resolve()
        if not (tree / "configure").is_file() or not (tree / "hw" / "Kconfig").is_file():
            raise ui.Failure(f"{tree} is not a QEMU source tree (no configure, no hw/Kconfig)")
        value = str(tree)
    if value != origin():
        paths.config_set("qemu_src", value)


def suite():
    """The suite of Debian that build tools and programs around the source come from."""
    where = origin()
    return where.partition(":")[2] if where.startswith("debian:") else "trixie"


def pristine(rel):
    return paths.BUILD / "qemu-pristine" / rel


def _fetch_source():
    """Debian's source, once; `setup --upgrade` looks for a newer version."""
    key = steps.key_of(origin())
    if steps.done("qemu-src", key):
        return
    steps.forget("qemu-src")
    steps.forget(HOOK)
    root = apt.Root(suite())
    root.fetch_source("qemu", root.source_version("qemu"), paths.QEMU_SRC)
    shutil.rmtree(paths.QEMU, ignore_errors=True)
    keep_pristine(PATCHED)
    steps.mark("qemu-src", key)


def keep_pristine(rels):
    """Keep files of the source as they are, before they are patched."""
    for rel in rels:
        pristine(rel).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(paths.QEMU_SRC / rel, pristine(rel))


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
            to = pristine(rel) if rel in PATCHED else dest / rel
            if not _same(src, to):
                _copy_file(src, to)
                if rel in PATCHED:
                    steps.forget(HOOK)
    for folder, _, files in os.walk(dest):
        rel_folder = pathlib.Path(folder).relative_to(dest)
        for name in files:
            if str(rel_folder / name) not in seen and "subprojects" not in rel_folder.parts:
                (dest / rel_folder / name).unlink()


def _copy_source():
    """Follow the user's tree; it is never written to."""
    source = pathlib.Path(origin())
    key = steps.key_of(source)
    if not steps.done("qemu-src", key):
        steps.forget(HOOK)
        for old in (paths.QEMU_SRC, paths.QEMU, paths.BUILD / "qemu-pristine"):
            shutil.rmtree(old, ignore_errors=True)
    with ui.Progress(f"copy of {source}"):
        _sync_tree(source, paths.QEMU_SRC)
    steps.mark("qemu-src", key)


def prepare():
    """Have the source, or a current copy of the user's tree."""
    with steps.locked("qemu-src"):
        if origin().startswith("debian:"):
            _fetch_source()
        else:
            _copy_source()


def version():
    """Version of the source, MAJOR.MINOR.MICRO."""
    try:
        return (paths.QEMU_SRC / "VERSION").read_text(encoding="utf-8").strip()
    except OSError:
        raise ui.Failure(f"no QEMU source in {paths.QEMU_SRC}; run `rsmlab setup`") from None
