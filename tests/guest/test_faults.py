#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""The kernel runs out of memory at each place of each call, once.

faults.c says how; only the debug kernel can do that. What a call leaves behind
when it fails is looked for at the end, by kmemleak.
"""
import re

import guestprograms
from guestprograms import testlib

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


def enough_have_failed(controller, said):
    def test(_):
        count = sum(int(n) for text in said for n in re.findall(r"^faults: (\d+)$", text, re.M))
        print(f"# {count} faults", flush=True)
        if count < MANY:
            raise AssertionError(f"only {count} allocations have failed")

    test.__name__ = f"enough_allocations_have_failed_over_{controller}"
    return test


def no_segment_is_left(controller):
    def test(lab):
        segments = lab.node(1).check("cat", "/sys/kernel/debug/rsm/exports",
                                     "/sys/kernel/debug/rsm/imports").splitlines()
        if segments:
            raise AssertionError("\n".join(["segments are left:", *segments]))

    test.__name__ = f"no_segment_is_left_over_{controller}"
    return test


def tests(lab):
    node = lab.node(1)
    if node.run("test", "-e", "/proc/self/fail-nth")[0]:
        raise testlib.Skip("no fault injection in this kernel: try --debug-kernel")
    node.check("sh", "-c", PREPARE)
    found = []
    for controller in guestprograms.CONTROLLERS:
        said = []
        found += [*guestprograms.tests(node, ["faults"], [controller], seen=said.append),
                  enough_have_failed(controller, said), no_segment_is_left(controller)]
    return found


if __name__ == "__main__":
    testlib.main(tests, nodes=1)
