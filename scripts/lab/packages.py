# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""What building and testing need of the host: the one list, and what of it is missing.

A need is met if its package is installed, or if its probe finds the thing itself:
a host with all the tools is never refused, whatever it is called.
"""
import collections
import ctypes
import os
import pathlib
import shutil
import subprocess

from . import distro

# The columns of packages.txt. The first word of PROBE names one of the functions _has_*.
Need = collections.namedtuple("Need", "group probe names")

LIST = pathlib.Path(__file__).with_name("packages.txt")
NEEDS = [Need(*(column.strip() for column in line.split("|")[:3]))
         for line in LIST.read_text(encoding="utf-8").splitlines()
         if line and not line.startswith("#")]

# What a person without root is told to install at once, so that sudo is needed once.
TOGETHER = ("build", "test", "debug")

Missing = collections.namedtuple("Missing", "tool package")


def packages_of(need, names):
    """What to install for NEED on the system called NAMES (see distro.names)."""
    default, *others = need.names.split()
    known = dict(other.split("=", 1) for other in others)
    for name in names:
        if name in known:
            default = known[name]
            break
    return [] if default == "-" else default.split(",")


def _succeeds(*argv, text=""):
    try:
        return subprocess.run(argv, input=text.encode(), capture_output=True,
                              check=False).returncode == 0
    except OSError:
        return False


def _links(compiler, *flags, text):
    return _succeeds(compiler, *flags, "-x", "c", "-", "-o", "/dev/null", text=text)


def _has_command(name):
    # Where root's programs are is not in everyone's PATH.
    return shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin")


def _has_file(name):
    return pathlib.Path(name).exists()


def _has_header(name):
    return _succeeds("gcc", "-E", "-x", "c", "-", text=f"#include <{name}>\n")


def _has_library(soname):
    try:
        ctypes.CDLL(soname)
    except OSError:
        return False
    return True


def _has_module(name):
    return _succeeds("pkg-config", "--exists", name)


def _has_python(*modules):
    return _succeeds("python3", "-c", f"import {', '.join(modules)}")


def _has_sanitizers(compiler):
    return _links(compiler, "-fsanitize=address,undefined", text="int main(void) { return 0; }")


def _has_m32(compiler):
    return _links(compiler, "-m32", "-static", text="#include <stdio.h>\nint main(void) "
                  '{ return puts(""); }')


def _has_fuzzer(compiler):
    return _links(compiler, "-fsanitize=fuzzer,address,undefined",
                  text="int LLVMFuzzerTestOneInput(const char *d, unsigned long n) "
                       "{ return !d && n; }")


def _is_there(need):
    kind, *args = need.probe.split()
    return bool(globals()[f"_has_{kind}"](*args))


def _installed(packages):
    """Those of PACKAGES that dpkg or rpm knows as installed."""
    if shutil.which("dpkg-query"):
        query = ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n"]
    elif shutil.which("rpm"):
        query = ["rpm", "-q", "--qf", "%{NAME} installed\n"]
    else:
        return set()
    out = subprocess.run([*query, *packages], capture_output=True, encoding="utf-8",
                         errors="replace", check=False).stdout
    return {line.split()[0] for line in out.splitlines() if line.endswith(" installed")}


def missing(groups, names, installed=_installed, is_there=_is_there):
    """What is missing of GROUPS on the system called NAMES: tools with their packages."""
    needs = [need for need in NEEDS if need.group in groups]
    present = installed(sorted({p for need in needs for p in packages_of(need, names)}))
    absent = []
    for need in needs:
        wanted = packages_of(need, names)
        if set(wanted) <= present:
            continue
        if not is_there(need):
            absent += [Missing(need.probe.split()[-1], p) for p in wanted if p not in present]
    return absent


def install_command(names, packages):
    """The command that installs PACKAGES here, or None on an unknown system."""
    packages = sorted(set(packages))
    if "debian" in names or "ubuntu" in names:
        return ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    if "fedora" in names:
        return ["dnf", "install", "-y", "--setopt=install_weak_deps=False", *packages]
    return None


def hint(group, probe):
    """For a test that skips: how to install what PROBE of GROUP looks for."""
    names = distro.names(distro.read())
    need = next(n for n in NEEDS if (n.group, n.probe) == (group, probe))
    command = install_command(names, packages_of(need, names))
    if not command:
        return f"in Debian it is in the package {packages_of(need, ['debian'])[0]}"
    return " ".join(word for word in command if not word.startswith("-"))
