#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""The kernel runs out of memory at each place of each call, once.

faults.c says how; only the debug kernel can do that. What a call leaves behind
when it fails is looked for at the end, by kmemleak.
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))

import test_programs  # noqa: E402
from lab import testlib  # noqa: E402

# No call trace for each fault; and those that could wait for memory fail as well. Copies
# are left alone (a range that no stack is in): a program whose argument cannot be written
# learns so when all is done.
PREPARE = """
cd /sys/kernel/debug || exit
for kind in failslab fail_page_alloc fail_usercopy; do
	echo 0 >$kind/verbose || exit
done
echo 1 >fail_usercopy/require-start && echo 2 >fail_usercopy/require-end || exit
echo N >failslab/ignore-gfp-wait && echo N >fail_page_alloc/ignore-gfp-wait &&
echo N >fail_page_alloc/ignore-gfp-highmem && echo 0 >fail_page_alloc/min-order
"""
MANY = 50


def faults(controller):
    run = test_programs.test("faults", controller)

    def test(lab):
        node = lab.node(1)
        if node.run("test", "-e", "/proc/self/fail-nth")[0]:
            raise testlib.Skip("no fault injection in this kernel: try --debug-kernel")
        node.check("sh", "-c", PREPARE)
        out = run(lab)
        count = sum(int(line.split()[1]) for line in out.splitlines() if line.startswith("faults:"))
        print(f"# {count} faults", flush=True)
        if count < MANY:
            raise AssertionError(f"only {count} allocations have failed")
        segments = node.check("cat", "/sys/kernel/debug/rsm/exports",
                              "/sys/kernel/debug/rsm/imports").splitlines()
        if segments:
            raise AssertionError("\n".join(["segments are left:", *segments]))

    test.__name__ = run.__name__
    return test


if __name__ == "__main__":
    testlib.main([faults(c) for c in ("loopback", "sci0")], nodes=1)
