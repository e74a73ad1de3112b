#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
#
# The headers between programs and the kernel agent: they need nothing but the
# kernel's, in every dialect; their ioctls are nobody else's; the numbers that
# both sides use are defined once.

import pathlib
import re
import shutil
import subprocess
import tempfile

from compilers import C_COMPILERS, CXX_COMPILERS, INCLUDE, ROOT, absent
from tap import Tap

from lab import debugkernel, packages

UAPI = ROOT / "guest-driver" / "include" / "uapi"
STRICT = ["-c", "-Wall", "-Wextra", "-Werror", "-pedantic", "-o", "/dev/null"]
REGISTRY = debugkernel.SOURCE / "Documentation" / "userspace-api" / "ioctl" / "ioctl-number.rst"


def compiles(compiler, header, dialect, suffix, flags):
    """A unit of that header alone, far from all other files of this tree."""
    with tempfile.TemporaryDirectory() as scratch:
        for path in UAPI.glob("*.h"):
            shutil.copy(path, scratch)
        unit = pathlib.Path(scratch) / f"unit{suffix}"
        unit.write_text(f'#include "{header}"\n#include "{header}"\nint unit;\n')
        result = subprocess.run([compiler, f"-std={dialect}", *STRICT, *flags, str(unit)],
                                capture_output=True, text=True)
    return result.returncode == 0, result.stderr


def stands_alone(tap):
    m32 = [[], ["-m32"]] if packages._has_m32("gcc") else [[]]
    for header in sorted(path.name for path in UAPI.glob("*.h")):
        for compilers, dialects, suffix in ((C_COMPILERS, ("c99", "c11", "c17"), ".c"),
                                            (CXX_COMPILERS, ("c++11", "c++17", "c++20"), ".cc")):
            for compiler in compilers:
                for dialect in dialects:
                    for flags in m32:
                        good, said = compiles(compiler, header, dialect, suffix, flags)
                        tap.ok(good, f"{header} {' '.join([compiler, dialect, *flags])}", said)


def includes_the_kernels_headers_only(tap):
    for path in sorted(UAPI.glob("*.h")):
        included = set(re.findall(r"^#include (\S+)", path.read_text(), re.M))
        other = {name for name in included if not name.startswith("<linux/") and
                 not (UAPI / name.strip('"')).exists()}
        tap.ok(not other, f"{path.name} includes only the kernel's headers", str(other))


def claims(text):
    """(magic, first, last) of each row of the kernel's table."""
    for code, numbers in re.findall(r"^(0x[0-9A-Fa-f]{2}|'.')\s+(all|[0-9A-Fa-f-]+)\s", text, re.M):
        magic = ord(code[1]) if code[0] == "'" else int(code, 16)
        first, _, last = ("00-FF" if numbers == "all" else numbers).partition("-")
        yield magic, int(first, 16), int(last or first, 16)


def ioctls_are_ours(tap):
    text = (UAPI / "rsm.h").read_text()
    magic = int(re.search(r"^#define RSM_IOC_MAGIC\s+(\w+)", text, re.M)[1], 0)
    name = "the kernel's table gives our ioctls to nobody"
    if not REGISTRY.exists():
        tap.skip(name, "the kernel's source is not here: run `rsmlab build --debug-kernel`")
        return
    taken = list(claims(REGISTRY.read_text(encoding="utf-8")))
    tap.ok(len(taken) > 200, "the kernel's table is understood", f"{len(taken)} rows")
    clash = [row for row in taken if row[0] == magic]
    tap.ok(not clash, name, f"{magic:#x}: {clash}")


def numbers_are_defined_once(tap):
    ours = INCLUDE / "rsm" / "rsm_errno.h"
    tap.ok(ours.samefile(UAPI / "rsm_errno.h"), "librsm's error numbers are the kernel agent's",
           f"{ours} is another file")
    # It is what is installed.
    meson = (ROOT / "librsm" / "meson.build").read_text()
    tap.ok("'../guest-driver/include/uapi/rsm_errno.h'" in meson,
           "the kernel agent's error numbers are installed")


def kernel_needs_no_header_of_the_library(tap):
    found = [str(path) for path in (ROOT / "guest-driver").rglob("*")
             if path.name in ("Kbuild", "Makefile") and "librsm" in path.read_text()]
    tap.ok(not found, "the modules are built without librsm", str(found))


tap = Tap()
for compiler, why in absent().items():
    tap.skip(f"headers with {compiler}", why)
stands_alone(tap)
includes_the_kernels_headers_only(tap)
ioctls_are_ours(tap)
numbers_are_defined_once(tap)
kernel_needs_no_header_of_the_library(tap)
tap.done()
