#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""The module as such: what it fits, what it refuses, what it leaves behind.

Arguments: the build directory, the minor version of QEMU, the guard built for
another version, the guard built for other types.
"""
import os
import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(TOP / "scripts"))

from lab import qemuheaders, testlib  # noqa: E402

BUILD, MINOR = pathlib.Path(sys.argv[1]), sys.argv[2]
WRONG_VERSION, WRONG_TYPES = sys.argv[3:5]
MODULE = BUILD / "qemu-device" / "module" / f"sci-qemu-{MINOR}.so"
QEMU = os.environ["QTEST_QEMU_BINARY"]


def _qemu(*args, **variables):
    done = subprocess.run([QEMU, *args], env=dict(os.environ, **variables),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def a_qemu_of_its_version_has_the_device(_):
    status, out, err = _qemu("-device", "sci,help")
    assert status == 0 and "node-id=" in out and not err, (status, out, err)
    assert "scidev_reset" in _qemu("-trace", "help")[1]


def firmware_of_default_devices_is_found(_):
    """A network card is one, and its ROM is in a package of its own."""
    for properties, said in (("node-id=0", "'node-id' must be 1 to 255"),
                             ("node-id=1", "property 'fabric' is missing")):
        status, _, err = _qemu("-S", "-display", "none", "-machine", "pc", "-accel", "tcg",
                               "-device", f"sci,{properties}" +
                               (",fabric=/nonexistent" if "fabric" not in said else ""))
        assert status == 1 and said in err and "romfile" not in err, (status, err)


def another_version_is_refused_in_words(_):
    status, _, err = _qemu("-device", "sci,help", SCI_MODULE=WRONG_VERSION)
    assert status == 1, (status, err)
    assert re.search(rf"built for QEMU \d+\.99, this one is {re.escape(MINOR)}\.", err), err
    assert "scripts/rsmlab build" in err, err


def other_types_are_refused_in_words(_):
    status, _, err = _qemu("-device", "sci,help", SCI_MODULE=WRONG_TYPES)
    assert status == 1, (status, err)
    assert re.search(r"where 'pci-device' has \d+ bytes and its class \d+, in this one", err), err


def a_version_without_a_module_is_named(_):
    fake = BUILD / "qemu-of-no-module"
    fake.write_text("#!/bin/sh\necho QEMU emulator version 77.3.1\n", encoding="ascii")
    fake.chmod(0o755)
    try:
        status, _, err = _qemu("--version", SCI_QEMU=str(fake))
    finally:
        fake.unlink()
    assert status == 1 and "no module of the sci device for QEMU 77.3" in err, (status, err)


def programs_that_qemu_starts_do_not_get_it(_):
    """A network helper is such a program; it shows its environment and fails."""
    seen = BUILD / "qemu-helper-environment"
    helper = BUILD / "qemu-helper"
    helper.write_text(f"#!/bin/sh\nenv >{seen}\nexit 1\n", encoding="ascii")
    helper.chmod(0o755)
    try:
        _qemu("-S", "-display", "none", "-machine", "none", "-netdev",
              f"bridge,id=n,br=none,helper={helper}", SCI_PRELOAD="")
        text = seen.read_text(encoding="utf-8")
    finally:
        seen.unlink(missing_ok=True)
        helper.unlink()
    assert "LD_PRELOAD" not in text, text


def it_offers_no_symbol_of_its_own(_):
    """It is loaded before QEMU: what it offered would be taken in place of QEMU's."""
    out = subprocess.run(["nm", "-D", "--defined-only", MODULE], check=True, capture_output=True,
                         text=True).stdout
    names = [line.split()[-1] for line in out.splitlines()]
    assert not names, names


def every_switch_of_its_headers_is_decided(_):
    """A header that asks for an unknown CONFIG_ would get "no" without anybody's word."""
    known = {*qemuheaders.FACTS, *qemuheaders.ALWAYS, *qemuheaders.NEVER,
             *qemuheaders.PER_TARGET, *qemuheaders.OPTIONS.values()}
    deps = subprocess.run(["ninja", "-C", BUILD, "-t", "deps"], check=True, capture_output=True,
                          text=True).stdout
    headers, ours = set(), False
    for line in deps.splitlines():
        if not line.startswith(" "):
            ours = line.startswith(f"qemu-device/module/{MODULE.name}.p/")
        elif ours and re.search("/qemu-(src|headers)/", line):
            headers.add(BUILD / line.strip())
    assert len(headers) > 100, f"{len(headers)} headers found"
    asked = {}
    for header in headers:
        text = re.sub(r"/\*.*?\*/", "", header.read_text(encoding="utf-8"), flags=re.S)
        for line in re.findall(r"^\s*#\s*(?:if|elif).*", text, re.M):
            for name in re.findall(r"\b(?:CONFIG|HAVE)_\w+", line):
                asked[name] = header
    unknown = {name: str(where) for name, where in asked.items() if name not in known}
    assert not unknown, unknown


if __name__ == "__main__":
    testlib.main([
        a_qemu_of_its_version_has_the_device,
        firmware_of_default_devices_is_found,
        another_version_is_refused_in_words,
        other_types_are_refused_in_words,
        a_version_without_a_module_is_named,
        programs_that_qemu_starts_do_not_get_it,
        it_offers_no_symbol_of_its_own,
        every_switch_of_its_headers_is_decided,
    ], nodes=0, argv=[])
