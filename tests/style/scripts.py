#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Every script passes its linter: ruff for Python, shellcheck for shell."""
import pathlib
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "scripts"))

from lab import lint, testlib  # noqa: E402

PLACES = ("scripts", "tests", "images", ".ci")


def _passes(program, *args):
    if not (lint.TOOLS / "usr" / "bin" / program).exists():
        raise testlib.Skip(f"{program} could not be fetched; `rsmlab setup` tries again")
    done = subprocess.run([*lint.command(program), *map(str, args)], cwd=TOP, check=False,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def _shell_scripts():
    for place in PLACES:
        for path in sorted((TOP / place).rglob("*")):
            if path.is_file():
                with open(path, "rb") as f:
                    first = f.readline()
                shell = first.split(b"/")[-1].split()[-1:]
                if first.startswith(b"#!") and shell in ([b"sh"], [b"bash"]):
                    yield path


def python_passes_ruff(_):
    _passes("ruff", "check", "--no-cache", "--quiet", *PLACES)


def shell_passes_shellcheck(_):
    scripts = list(_shell_scripts())
    assert len(scripts) >= 8, scripts
    # A guest's file is not where a guest finds it.
    _passes("shellcheck", "--exclude=SC1091", *scripts)


if __name__ == "__main__":
    testlib.main([python_passes_ruff, shell_passes_shellcheck], nodes=0)
