# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
#
# Compile a piece of C or C++ against the installed form of librsm's headers,
# with every compiler of the machine.

import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from lab import packages  # noqa: E402

INCLUDE = ROOT / "librsm" / "include"


def present(names):
    return [name for name in names if shutil.which(name)]


C_COMPILERS = present(["gcc", "clang"])
CXX_COMPILERS = present(["g++", "clang++"])

# clang++ comes with clang.
NEEDS = {"gcc": ("build", "command gcc"), "g++": ("test", "command g++"),
         "clang": ("test", "command clang"), "clang++": ("test", "command clang")}


def absent():
    """Each compiler that is not there, with the reason for a test to be skipped."""
    return {name: f"{name} is not installed: {packages.hint(*need)}"
            for name, need in NEEDS.items() if name not in C_COMPILERS + CXX_COMPILERS}


def run(compiler, source, flags, suffix=".c"):
    """Compile `source` with `flags`; (succeeded, what the compiler said)."""
    with tempfile.TemporaryDirectory() as scratch:
        path = pathlib.Path(scratch) / f"unit{suffix}"
        path.write_text(source)
        command = [compiler, f"-I{INCLUDE}", str(path), "-o", f"{scratch}/out", *flags]
        result = subprocess.run(command, capture_output=True, text=True)
    return result.returncode == 0, f"{' '.join(command)}\n{result.stderr}"
