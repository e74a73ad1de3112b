# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""The host side's meson build: library, programs, tests, SDK."""
import json
import pathlib
import shutil

from . import paths, steps, ui

GUEST_TESTS = (paths.TOP / "tests" / "guest", paths.TOP / "tests" / "pair")
SETUP = [f"--prefix={paths.SDK}", "--libdir=lib", "-Dpkgconfig.relocatable=true"]
SANITIZE = ["-Db_sanitize=address,undefined", "-Db_lundef=false"]


def _setup(builddir, options, log):
    key = steps.key_of(paths.TOP, builddir, *options)
    if steps.done(log, key) and (builddir / "build.ninja").exists():
        return
    steps.forget(log)
    shutil.rmtree(builddir, ignore_errors=True)
    ui.run(f"{builddir.name}: configure",
           ["meson", "setup", *options, builddir, paths.TOP], log)
    steps.mark(log, key)


def build():
    """Compile library and tests; leave headers, library and librsm.pc in the SDK."""
    with steps.locked("host"):
        _setup(paths.HOST, SETUP, "host-setup")
        ui.run("host: compile", ["ninja", "-j", paths.JOBS], "host", cwd=paths.HOST)
        ui.run("host: SDK", ["meson", "install", "--no-rebuild", "--only-changed",
                             "-C", paths.HOST], "host-sdk")


def build_sanitized():
    """The unit tests once more, with address and undefined behaviour checks."""
    with steps.locked("host-san"):
        _setup(paths.HOST_SAN, SETUP + SANITIZE, "host-san-setup")
        ui.run("host, sanitized: compile", ["ninja", "-j", paths.JOBS], "host-san",
               cwd=paths.HOST_SAN)


def _targets():
    return json.loads(ui.output(["meson", "introspect", "--targets", paths.HOST]))


def guest_parts():
    """(librsm's file or None, programs): what is installed and what tests run there."""
    if not (paths.HOST / "build.ninja").exists():
        return None, []
    library, programs = None, []
    for target in _targets():
        where = pathlib.Path(target["defined_in"]).parent
        built = pathlib.Path(target["filename"][0])
        if not built.exists():
            continue
        if target["type"] == "shared library" and target["name"] == "rsm":
            library = built
        elif target["type"] == "executable" and \
                (target["installed"] or any(where.is_relative_to(t) for t in GUEST_TESTS)):
            programs.append(built)
    return library, programs
