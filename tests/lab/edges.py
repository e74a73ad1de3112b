#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""How the lab tool starts, and how it ends where nothing can work."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "scripts"))

from lab import guard, testlib  # noqa: E402

TOOL = TOP / "scripts" / "rsmlab"


def _run(*argv, env=None, **kwargs):
    done = subprocess.run([str(a) if isinstance(a, pathlib.Path) else a for a in argv],
                          env=dict(os.environ, **(env or {})), stdin=subprocess.DEVNULL,
                          capture_output=True, encoding="utf-8", errors="replace",
                          check=False, **kwargs)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def _commands(folder, *names):
    """A directory for PATH that has only what is named."""
    folder.mkdir()
    for name in names:
        (folder / name).symlink_to(shutil.which(name))
    return folder


def _script(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)


def it_starts_from_anywhere(_):
    with tempfile.TemporaryDirectory() as scratch:
        here = pathlib.Path(scratch) / "a dir; with $odd 'name'"
        here.mkdir()
        (here / "tree").symlink_to(TOP)
        (here / "tool").symlink_to(here / "tree" / "scripts" / "rsmlab")
        shutil.copytree(TOP / "scripts", here / "copy" / "scripts",
                        ignore=shutil.ignore_patterns("__pycache__"))
        for argv in ((here / "tool",), ("sh", here / "tool"), (here / "copy/scripts/rsmlab",),
                     ("./tool",), ("tree/scripts/rsmlab",)):
            done = _run(*argv, "--help", cwd=here)
            assert done.stdout.startswith("usage: rsmlab"), (argv, done.stderr)
        assert not list((here / "copy").rglob("__pycache__"))


def a_system_without_python_says_what_to_install(_):
    with tempfile.TemporaryDirectory() as scratch:
        for tool, advice in (("dnf", "dnf install -y python3"), ("pacman", "-S"),
                             (None, "python3 (3.10 or newer) is missing")):
            path = _commands(pathlib.Path(scratch) / str(tool), "sh", "readlink", "id")
            if tool:
                _script(path / tool, "exit 1")
            done = _run("sh", TOOL, "--help", env={"PATH": str(path)})
            assert done.returncode == 1 and advice in done.stderr, done.stderr
            assert len(done.stderr.splitlines()) == 1, done.stderr


def root_gets_python_installed(_):
    with tempfile.TemporaryDirectory() as scratch:
        path = _commands(pathlib.Path(scratch) / "bin", "sh", "readlink", "env", "ln")
        _script(path / "id", "echo 0")
        _script(path / "apt-get", f'echo "$@"; case $* in *install*) '
                f"ln -sf {sys.executable} {path}/python3;; esac")
        done = _run("sh", TOOL, "--help", env={"PATH": str(path)})
        assert done.stdout.startswith("usage: rsmlab"), done
        assert "install -qy --no-install-recommends python3" in done.stderr, done.stderr
        (path / "python3").unlink()
        _script(path / "apt-get", "exit 100")
        done = _run("sh", TOOL, "--help", env={"PATH": str(path)})
        assert done.returncode == 1 and "could not be installed" in done.stderr, done


def no_locale_and_no_argument_ends_in_a_traceback(_):
    for locale in ("C", "POSIX", "C.UTF-8", "en_US.ISO-8859-1"):
        for encoding in ("", "latin-1", "ascii"):
            env = {"LC_ALL": locale, "PYTHONIOENCODING": encoding}
            done = _run(TOOL, "build", "--qemu-src", b"no\xffwhere", env=env)
            assert done.returncode and done.stderr, done
            code = "from lab import guard, ui; guard.take_any_text(); ui.say('Gr\\xfc\\u4e16')"
            shown = _run(sys.executable, "-Bc", code, env=env, cwd=TOP / "scripts")
            assert shown.returncode == 0 and shown.stdout.startswith("Gr"), shown


def a_place_where_nothing_can_be_built_is_refused_first(_):
    for folder in ("with space", "a:b", "a,b", "it's", 'say"', "50%", "a#b", "$x"):
        done = _run(TOOL, "demo", env={"RSMLAB_BUILD": f"/nonexistent/{folder}"})
        assert done.returncode == 1 and not done.stdout, done
        assert "RSMLAB_BUILD=DIR" in done.stderr and len(done.stderr.splitlines()) == 1, done
    assert not guard.unfit("/srv/Jürgen/sci-rsm_2.0/build")


def files_of_somebody_else_are_named(_):
    if os.geteuid() != 0:
        raise testlib.Skip("only root can give files away")
    with tempfile.TemporaryDirectory() as scratch:
        tree = pathlib.Path(scratch)
        tree.chmod(0o755)
        (tree / "log").mkdir()
        (tree / "log" / "qemu.log").touch()
        os.chown(tree, 65534, -1)
        code = ("import os, pathlib, sys\nfrom lab import guard\nos.setuid(65534)\n"
                "print(guard.foreign(pathlib.Path(sys.argv[1])))")
        argv = [sys.executable, "-Bc", code]
        done = _run(*argv, tree, cwd=TOP / "scripts")
        assert f"{tree}/log and 1 more there belong to root" in done.stdout, done
        assert f"sudo chown -R nobody {tree}" in done.stdout, done.stdout
        os.chown(tree / "log", 65534, -1)
        os.chown(tree / "log" / "qemu.log", 65534, -1)
        assert _run(*argv, tree, cwd=TOP / "scripts").stdout == "\n"


def an_error_that_nothing_expects_is_one_line(_):
    with tempfile.TemporaryDirectory() as scratch:
        build = pathlib.Path(scratch) / "build"
        build.mkdir()
        (build / "stamp").touch()       # a directory everywhere else
        done = _run(TOOL, "build", "modules", env={"RSMLAB_BUILD": str(build)})
        lines = done.stderr.splitlines()
        assert done.returncode == 1 and len(lines) == 1, done
        assert str(build / "stamp") in lines[0], lines
        log = build / "log" / "traceback.log"
        assert str(log) in lines[0] and "Traceback" in log.read_text(encoding="utf-8"), lines


if __name__ == "__main__":
    testlib.main([
        it_starts_from_anywhere,
        a_system_without_python_says_what_to_install,
        root_gets_python_installed,
        no_locale_and_no_argument_ends_in_a_traceback,
        a_place_where_nothing_can_be_built_is_refused_first,
        files_of_somebody_else_are_named,
        an_error_that_nothing_expects_is_one_line,
    ], nodes=0)
