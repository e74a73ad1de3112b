# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""The debug kernel: Debian's linux-source, images/debug.config, built once.

6.12, because it is the newest series that both supported releases carry as a
source package of their own and keep up to date. Built again when the package,
the options or the place of the build tree change.
"""
import re

from . import apt, paths, steps, ui

NAME = "debug"
SERIES = "6.12"
MEMORY = 640            # MiB of a node: an eighth is KASAN's, and all is bigger
# TCG runs instrumented code this much slower, so deadlines are that much longer.
SLOWNESS = 5
# A warning ends the node, so that nothing after it can hide it.
CMDLINE = "panic_on_warn=1"

CONFIG = paths.IMAGES / "debug.config"
SOURCE = paths.BUILD / "linux-src"
OBJECTS = paths.BUILD / "kernel-debug"


def vmlinuz():
    return OBJECTS / "arch" / "x86" / "boot" / "bzImage"


def modules():
    """A directory named as the release, with the modules below kernel/."""
    try:
        text = (OBJECTS / "include" / "config" / "kernel.release").read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ui.Failure("the debug kernel is not built; "
                         "run `rsmlab build --debug-kernel`") from None
    return OBJECTS / "modules" / text.strip()


def _package():
    return f"linux-source-{SERIES}"


def fetch():
    """Unpack the source package, and the archive in it, to SOURCE."""
    key = steps.key_of(paths.host_release(), SERIES)
    if steps.done("linux-src", key):
        return
    package = paths.BUILD / "linux-src-package"
    apt.Root(paths.host_release()).fetch(f"linux source {SERIES}", [_package()], package)
    archive = package / "usr" / "src" / f"{_package()}.tar.xz"
    with steps.fresh_dir(SOURCE) as tmp:
        ui.run(f"linux source {SERIES}: unpack",
               ["tar", "-xf", archive, "-C", tmp, "--strip-components=1"], "unpack-linux-source")
    ui.output(["rm", "-rf", package])
    steps.mark("linux-src", key)


def _wanted():
    """The lines of CONFIG that set an option, or say that it is off."""
    lines = CONFIG.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if re.match(r"(# )?CONFIG_\w+(=| is not set)", line)]


def _make(label, log, *targets):
    ui.run(label, ["make", "-j", paths.JOBS, "-C", SOURCE, f"O={OBJECTS}",
                   f"KCONFIG_ALLCONFIG={CONFIG}", "KBUILD_BUILD_USER=rsmlab",
                   "KBUILD_BUILD_HOST=rsmlab", *targets], log)


def _configure():
    """allnoconfig drops silently what depends on something absent: look."""
    OBJECTS.mkdir(parents=True, exist_ok=True)
    _make("debug kernel: configure", "kernel-debug-config", "allnoconfig")
    got = (OBJECTS / ".config").read_text(encoding="utf-8").splitlines()
    lost = [line for line in _wanted() if line not in got]
    if lost:
        raise ui.Failure("this kernel cannot be configured as images/debug.config says:\n" +
                         "\n".join("  | " + line for line in lost))


def _collect_modules():
    """Links to the kernel's own modules, in the shape of /lib/modules."""
    to = modules() / "kernel"
    to.mkdir(parents=True, exist_ok=True)
    found = [p for p in OBJECTS.rglob("*.ko") if not p.is_relative_to(OBJECTS / "modules")]
    for link, target in [(to / p.name, p) for p in found] + \
            [(modules() / "modules.builtin", OBJECTS / "modules.builtin")]:
        link.unlink(missing_ok=True)
        link.symlink_to(target)


def build():
    """Have the kernel; about ten minutes on two cores, then nothing."""
    with steps.locked("kernel-debug"):
        fetch()
        key = steps.key_of((paths.STAMPS / "linux-src").read_text(encoding="utf-8"),
                           OBJECTS, *_wanted())
        if steps.done("kernel-debug", key):
            return
        steps.forget("kernel-debug")
        _configure()
        _make("debug kernel: compile", "kernel-debug", "bzImage", "modules")
        _collect_modules()
        steps.mark("kernel-debug", key)
