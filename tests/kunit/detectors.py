#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""The debug kernel finds what it is there to find, and the harness sees it.

Errors are set off on purpose (the kernel's lkdtm and kmemleak-test). Each one
ends its node, whose log must show the report.
"""
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))

from lab import kernel, leaks, testlib  # noqa: E402

PROVOKE = "/sys/kernel/debug/provoke-crash/DIRECT"
FAULTS = {
    "use_after_free": ("READ_AFTER_FREE", r"BUG: KASAN: slab-use-after-free"),
    "overflow_of_an_object": ("SLAB_LINEAR_OVERFLOW", r"BUG: KASAN: slab-out-of-bounds"),
    "list_corruption": ("CORRUPT_LIST_ADD", r"list_add corruption"),
    # Which it is depends on what comes first, the way back to the program or an interrupt.
    "spinlock_that_stays_held": ("SPINLOCKUP", r"WARNING: lock held when returning to user|"
                                 r"BUG: (scheduling while atomic|sleeping function called)"),
    "reference_from_zero": ("REFCOUNT_INC_ZERO", r"refcount_t: addition on 0"),
    "warning": ("WARNING", r"WARNING: CPU"),
}

FOLLOWS = [r"Kernel panic", r"Call Trace", r"WARNING: CPU", r"BUG: Invalid wait context"]


def fault(name):
    trigger, pattern = FAULTS[name]

    def run(lab):
        node = lab.node(1)
        before = len(node.log())
        node.spawn("sh", "-c", f"echo {trigger} >{PROVOKE}")
        testlib.wait_for(lambda: not node.alive(), 20, f"end of the node after {trigger}")
        log = node.log()[before:]
        if not re.search(pattern, log) or "Kernel panic" not in log:
            raise AssertionError(f"no {pattern!r} and panic in the log:\n{log[-1500:]}")
        if not any(re.search(pattern, line) and testlib.BAD_LOG.search(line)
                   for line in log.splitlines()):
            raise AssertionError(f"the check of the logs does not see {pattern!r}")
        lab.allowed += [pattern, *FOLLOWS]

    run.__name__ = f"{name}_is_found"
    return run


def leak_is_found_and_named(lab):
    node = lab.node(1)
    node.check("modprobe", "kmemleak-test")
    known = leaks.symbols(node)
    node.check("rmmod", "kmemleak-test")
    report = leaks.named(leaks.scan(node, time.monotonic()), known)
    if "unreferenced object" not in report or "[kmemleak_test]" not in report:
        raise AssertionError(f"the leaks of kmemleak-test are not reported: {report!r}")
    node.check("sh", "-c", f"echo clear >{leaks.KMEMLEAK}")


def main():
    if testlib.kernel_name() != kernel.DEBUG:
        print("1..0 # SKIP only on the debug kernel: run `rsmlab test --debug-kernel`")
        return
    testlib.main([*map(fault, FAULTS), leak_is_found_and_named], nodes=1)


if __name__ == "__main__":
    main()
