#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""The KUnit cases beside the driver's code, each a test here.

They run when the module that they are is loaded, and leave their results in
debugfs. What is expected comes from the sources: a case that did not run fails as well.
"""
import functools
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))

from lab import kernel, paths, testlib, ui  # noqa: E402

RESULT = re.compile(r"^ {4}(ok|not ok) \d+ (\S+)(?: # (SKIP.*))?$", re.M)


def expected():
    """(suite, case) of all suites; a file holds one suite."""
    found = []
    for source in sorted(paths.GUEST_DRIVER.rglob("*_test.c")):
        text = source.read_text(encoding="utf-8")
        suite = re.search(r'\.name = "(\w+)"', text)[1]
        found += [(suite, case) for case in re.findall(r"KUNIT_CASE(?:_SLOW)?\((\w+)\)", text)]
    return found


@functools.lru_cache
def load(node):
    for module in kernel.test_modules(kernel.DEBUG):
        node.check("modprobe", module.stem)


@functools.lru_cache
def results(node, suite):
    load(node)
    text = node.check("cat", f"/sys/kernel/debug/kunit/{suite}/results")
    return text, {case: (verdict, skip) for verdict, case, skip in RESULT.findall(text)}


def test(suite, case):
    def run(lab):
        text, verdicts = results(lab.node(1), suite)
        verdict, skip = verdicts.get(case, ("absent", ""))
        if skip:
            raise testlib.Skip(skip)
        if verdict != "ok":
            raise AssertionError(f"{suite}.{case}: {verdict}\n{text}")

    run.__name__ = f"{suite}.{case}"
    return run


def _undefined(module):
    return set(ui.output(["nm", "--undefined-only", "--format=just-symbols", module]).split())


def modules_have_no_tests_in_them(_lab):
    for module in kernel.modules(kernel.DEBUG):
        found = {name for name in _undefined(module) if "kunit" in name}
        if found:
            raise AssertionError(f"{module.name} uses {found}")


def every_suite_of_the_modules_is_in_the_sources(lab):
    load(lab.node(1))
    found = set(lab.node(1).check("ls", "/sys/kernel/debug/kunit").split())
    known = {suite for suite, _ in expected()}
    if found != known:
        raise AssertionError(f"suites in the kernel: {found}, in the sources: {known}")


if __name__ == "__main__":
    if testlib.kernel_name() != kernel.DEBUG:
        print("1..0 # SKIP this kernel has no KUnit: run `rsmlab test --debug-kernel`")
        sys.exit(0)
    testlib.main([test(*c) for c in expected()] +
                 [every_suite_of_the_modules_is_in_the_sources, modules_have_no_tests_in_them],
                 nodes=1)
