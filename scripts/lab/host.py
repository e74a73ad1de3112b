# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""The host side's meson build: library, programs, tests, SDK."""
import json
import pathlib
import shutil

from . import apt, distro, packages, paths, qemuheaders, steps, ui

GUEST_PROGRAMS = (paths.IMAGES, *(paths.TOP / "tests" / suite for suite in
                                  ("guest", "pair", "conformance", "model", "chaos")))
SETUP = [f"--prefix={paths.SDK}", f"--pkg-config-path={paths.QEMU_HEADERS}", "--libdir=lib",
         "-Dpkgconfig.relocatable=true", *(["-Db_coverage=true"] if paths.COVERAGE else [])]
STAMP = paths.flavoured("host-setup")

TOOLS = ["mandoc"]      # programs of tests, which need no more libraries than the host has


def fetch():
    """Unpack programs that tests use and the host may not have."""
    suite = paths.host_release()
    key = steps.key_of(suite, *TOOLS)
    with steps.locked("host-tools"):
        if steps.done("host-tools", key):
            return
        apt.Root(suite).fetch("host tools", TOOLS, paths.HOST_TOOLS)
        steps.mark("host-tools", key)


def _setup():
    # Meson looks for compilers once: what it did not find then may be there now.
    absent = packages.missing(["test"], distro.names(distro.read()))
    key = steps.key_of(paths.TOP, paths.HOST, *SETUP, qemuheaders.key(), *absent)
    if steps.done(STAMP, key) and (paths.HOST / "build.ninja").exists():
        return
    steps.forget(STAMP)
    shutil.rmtree(paths.HOST, ignore_errors=True)
    ui.run("host: configure", ["meson", "setup", *SETUP, paths.HOST, paths.TOP], "host-setup")
    steps.mark(STAMP, key)


def build_device(minor):
    """Compile the device as a module for QEMU's MINOR version, whose headers are there."""
    with steps.locked(paths.flavoured("host")):
        _setup()
        ui.run("device: compile", ["ninja", "-j", paths.JOBS,
                                   f"qemu-device/module/sci-qemu-{minor}.so"], "device",
               cwd=paths.HOST)


def _products():
    """What is not a test: library, examples, tools and the modules, as ninja names them."""
    tests = paths.TOP / "tests"
    return [str(pathlib.Path(t["filename"][0]).relative_to(paths.HOST)) for t in _targets()
            if t["build_by_default"] and not pathlib.Path(t["defined_in"]).is_relative_to(tests)]


def build(with_tests=True):
    """Compile library and tests; leave headers, library and librsm.pc in the SDK."""
    with steps.locked(paths.flavoured("host")):
        _setup()
        targets = [] if with_tests else _products()
        ui.run("host: compile", ["ninja", "-j", paths.JOBS, *targets], "host", cwd=paths.HOST)
        ui.run("host: SDK", ["meson", "install", "--no-rebuild", "--only-changed",
                             "-C", paths.HOST], "host-sdk")


def _targets():
    return json.loads(ui.output(["meson", "introspect", "--targets", paths.HOST]))


def guest_parts():
    """(librsm's file or None, programs): what is installed, and what lab and tests run there."""
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
                (target["installed"] or any(where.is_relative_to(t) for t in GUEST_PROGRAMS)):
            programs.append(built)
    return library, programs
