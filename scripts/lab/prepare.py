# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""`setup`: packages of the host, and everything that has to be downloaded."""
import os

from . import distro, host, image, kernel, packages, paths, qemu, qemusource, steps, ui


def _refuse(absent, names):
    """One line with all that is to be installed, so that it is done once."""
    command = packages.install_command(
        names, {m.package for m in (*absent, *packages.missing(packages.TOGETHER, names))})
    if command:
        raise ui.Failure(f"packages are missing; run: sudo {' '.join(command)}")
    tools = " ".join(sorted({m.tool for m in absent}))
    raise ui.Failure(f"these are missing: {tools}; Debian has them in the packages "
                     f"{' '.join(sorted({m.package for m in absent}))}")


def install(*groups):
    """Have the packages of GROUPS; only root installs, and only what is missing."""
    names = distro.names(distro.read())
    absent = packages.missing(groups, names)
    if not absent:
        return
    command = packages.install_command(names, {m.package for m in absent})
    if not command or os.geteuid() != 0:
        _refuse(absent, names)
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    if command[0] == "apt-get":
        ui.run("host packages: lists", ["apt-get", "-q", "update"], "apt-update", env)
    ui.run("host packages: install", command, "apt-install", env)


def _forget_downloads(kern):
    for name in ("qemu-src", "qemu-tools", "qemu-dist", "guest-packages", "host-tools",
                 f"kernel-{kern}", "linux-src"):
        steps.forget(name)
    for stamp in paths.STAMPS.glob("apt-*"):
        stamp.unlink()


def _warn_of_libc():
    """Programs that are built here run in the guest with the guest's libc."""
    here, guest = distro.libc_version(), image.libc_version()
    if here and guest and here > guest:
        ui.warn(f"this host's libc {'.'.join(map(str, here))} is newer than the guest's, "
                f"{'.'.join(map(str, guest))}: a program may not start there")


def setup(kern, qemu_src=None, upgrade=False, test=False):
    """Make `build` possible, with TEST the tests; with UPGRADE look for newer versions."""
    wanted = {"build": True, "tree": qemu.choice() == qemu.TREE, "test": test,
              "debug": kern == kernel.DEBUG}
    install(*(group for group, needed in wanted.items() if needed))
    if qemu_src:
        qemusource.set_origin(qemu_src)
    if upgrade:
        _forget_downloads(kern)
    qemu.prepare()
    kernel.fetch(kern)
    image.fetch()
    host.fetch()
    _warn_of_libc()
