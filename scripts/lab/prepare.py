# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""`setup`: packages of the host, and everything that has to be downloaded."""
import os
import subprocess

from . import debugkernel, host, image, kernel, paths, qemu, qemusource, steps, ui

# Named one by one, also where another brings them along. The kernel's objtool needs
# libelf, whose package has a name of its own in each release but for the -dev one.
PACKAGES = [
    "binutils", "dpkg-dev", "gcc", "libattr1-dev", "libc6-dev",
    "libelf-dev", "libfdt-dev", "libglib2.0-dev", "libslirp-dev", "make", "meson",
    "ninja-build", "patch", "pkg-config", "python3-venv", "util-linux", "xz-utils",
    "zlib1g-dev",
]
RELEASES = ("bookworm", "trixie")


def _missing(packages):
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n",
                           *packages], capture_output=True, text=True, check=False)
    present = {line.split()[0] for line in done.stdout.splitlines() if line.endswith(" installed")}
    if {"pkgconf", "pkg-config"} & present:
        present.add("pkg-config")
    return [p for p in packages if p not in present]


def _install(packages):
    missing = _missing(packages)
    if not missing:
        return
    command = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
    if os.geteuid() != 0:
        raise ui.Failure("packages are missing; install them with\n"
                         f"  sudo {' '.join(command)}\nand run `rsmlab setup` again")
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    ui.run("host packages: lists", ["apt-get", "-q", "update"], "apt-update", env)
    ui.run("host packages: install", command, "apt-install", env)


def _forget_downloads(kern):
    for name in ("qemu-src", "qemu-tools", "qemu-dist", "guest-packages", "host-tools",
                 f"kernel-{kern}", "linux-src"):
        steps.forget(name)
    for stamp in paths.STAMPS.glob("apt-*"):
        stamp.unlink()


def setup(kern, qemu_src=None, upgrade=False):
    """Make `build` possible; with UPGRADE look for newer versions of it all."""
    release = paths.host_release()
    if release not in RELEASES:
        raise ui.Failure(f"this host's release is {release or 'unknown'}; "
                         f"supported are Debian's {' and '.join(RELEASES)}")
    _install(PACKAGES + (debugkernel.PACKAGES if kern == kernel.DEBUG else []))
    if qemu_src:
        qemusource.set_origin(qemu_src)
    if upgrade:
        _forget_downloads(kern)
    qemu.prepare()
    kernel.fetch(kern)
    image.fetch()
    host.fetch()
