# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Which QEMU nodes run, and how the sci device gets into it.

`debian`, the default on Debian: the distribution's QEMU below the build tree,
and the device as a module that the wrapper build/bin/qemu-system-x86_64
preloads. A path: another QEMU of a version that a module was built for. `tree`,
the default elsewhere, where Debian's programs may lack their C library: QEMU
built here with the device in it.
"""
import os
import re
import shutil
import subprocess

from . import distro, host, paths, qemudist, qemuheaders, qemusource, qemutree, ui

DEBIAN, TREE = "debian", "tree"
WRAPPER = paths.BUILD / "bin" / "qemu-system-x86_64"
WRAPPER_SOURCE = paths.TOP / "scripts" / "lab" / "qemu-wrapper"
FIRMWARE = ("seabios", "qemu")


def _default():
    return DEBIAN if distro.is_debian(distro.read()) and not paths.COVERAGE else TREE


def choice(wanted=None):
    """`debian`, `tree` or the absolute path of a QEMU: WANTED, or RSMLAB_QEMU, or the default."""
    wanted = wanted or os.environ.get("RSMLAB_QEMU") or _default()
    if wanted in (DEBIAN, TREE):
        return wanted
    found = shutil.which(wanted)
    if not found:
        raise ui.Failure(f"--qemu {wanted}: neither `{DEBIAN}` nor `{TREE}` nor a QEMU to run")
    return os.path.abspath(found)


def command(wanted=None):
    """What starts a QEMU with the device in it, without options of the machine."""
    chosen = choice(wanted)
    if chosen == TREE:
        share = paths.QEMU_DIST / "usr" / "share"
        return [str(paths.QEMU_BIN), *(a for f in FIRMWARE for a in ("-L", str(share / f)))]
    if chosen == DEBIAN:
        return [str(WRAPPER)]
    return ["env", f"SCI_QEMU={chosen}", str(WRAPPER)]


def program(wanted=None):
    """The file that a qtest or a debugger takes for QEMU."""
    return paths.QEMU_BIN if choice(wanted) == TREE else WRAPPER


def check(wanted=None):
    """Raise if the QEMU cannot be run with the device, in words that help."""
    if not program(wanted).exists():
        option = "" if choice(wanted) == _default() else f" --qemu {choice(wanted)}"
        raise ui.Failure(f"{program(wanted)} is missing; run `rsmlab build{option}`")
    done = subprocess.run([*command(wanted), "-device", "sci,help"], capture_output=True,
                          text=True, check=False)
    if done.returncode or not re.search(r"^\s*node-id=", done.stdout, re.M):
        raise ui.Failure(f"{' '.join(command(wanted))} does not run with the sci device:\n"
                         f"{done.stderr.strip() or done.stdout.strip()}")


def prepare(wanted=None):
    """Have everything that has to be downloaded."""
    if choice(wanted) == TREE:
        qemutree.prepare()
    else:
        qemusource.prepare()
    qemudist.prepare()


def build(wanted=None, with_tests=False):
    """Bring the device up to date in the QEMU that is wanted."""
    prepare(wanted)
    if choice(wanted) == TREE:
        qemutree.build(with_tests)
        return
    host.build_device(qemuheaders.build())
    WRAPPER.parent.mkdir(parents=True, exist_ok=True)
    if not WRAPPER.exists() or WRAPPER.read_bytes() != WRAPPER_SOURCE.read_bytes():
        shutil.copy(WRAPPER_SOURCE, WRAPPER)
