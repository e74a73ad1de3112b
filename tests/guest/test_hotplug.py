#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Memory that holds exported pages is not taken out of the machine."""
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))

from lab import testlib  # noqa: E402

BLOCKS = "/sys/devices/system/memory"
PARAMETER = "/sys/module/rsm/parameters/enable_dynamic_reconfiguration"
DIMM = ["-m", "slots=2,maxmem=2G",
        "-object", "memory-backend-memfd,id=dimm,size=512M,share=on",
        "-device", "pc-dimm,memdev=dimm"]


def _blocks_online(node):
    """Have all blocks online; the size of a block, and the numbers of those that can go."""
    size = int(node.check("cat", f"{BLOCKS}/block_size_bytes"), 16)
    # Ordinary memory, as the kernel may use it for anything: not ZONE_MOVABLE,
    # from which pinned pages are moved away.
    script = (f"cd {BLOCKS}; for b in memory*; do [ $(cat $b/state) = online ] || "
              "echo online_kernel >$b/state; done; "
              "for b in memory*; do echo ${b#memory} $(cat $b/phys_index) $(cat $b/state); done")
    rows = [line.split() for line in node.check("sh", "-c", script).splitlines()]
    blocks = [int(n) for n, _, state in rows if state == "online"]
    # Those in which the kernel has nothing of its own.
    free = [n for n in blocks if n * size >= 256 << 20 and _offline(node, n)]
    for n in free:
        node.check("sh", "-c", f"echo online_kernel >{BLOCKS}/memory{n}/state")
    if not free:
        raise testlib.Skip(f"no memory block can be taken offline: {rows}")
    return size, free


def _offline(node, block, seconds=10):
    """Whether the kernel took the block offline within SECONDS."""
    status, _, _ = node.run("timeout", str(seconds), "sh", "-c",
                            f"echo offline >{BLOCKS}/memory{block}/state")
    return status == 0


def _refusals(node):
    return re.findall(r"rsm: (\d+) pages are exported by process (\d+) \(segment (\d+), id",
                      node.dmesg())


def _exporter(node):
    size, blocks = _blocks_online(node)
    return node.spawn("guest-hotplug", str(size), *map(str, blocks))


def exported_memory_stays_until_it_is_no_longer_exported(lab):
    node = lab.node(1)
    with _exporter(node) as exporter:
        block = exporter.expect(r"block (\d+)", 60)[1]
        before = len(_refusals(node))
        if _offline(node, block):
            raise AssertionError("a block with an exported page was taken offline")
        said = _refusals(node)[before:]
        pid = node.check("pidof", "guest-hotplug").strip()
        if [row[:2] for row in said] != [("1", pid)]:
            raise AssertionError(f"one page of process {pid}, the log says {said}")
        exporter.feed("\n")
        exporter.expect("destroyed")
        # Whether the kernel can is its business; the agent has nothing against it.
        gone = _offline(node, block, 30)
        if len(_refusals(node)) != before + 1:
            raise AssertionError("refused though nothing was exported any more")
        print(f"# block {block} {'went' if gone else 'did not go'} offline afterwards")


def without_the_parameter_it_is_the_kernels_business(lab):
    node = lab.node(1)
    node.check("sh", "-c", f"echo 0 >{PARAMETER}")
    try:
        with _exporter(node) as exporter:
            block = exporter.expect(r"block (\d+)", 60)[1]
            before = len(_refusals(node))
            if _offline(node, block, 3):
                raise AssertionError("a pinned page went away")
            if len(_refusals(node)) != before:
                raise AssertionError("the agent refused though it was told not to")
    finally:
        node.check("sh", "-c", f"echo 1 >{PARAMETER}")


if __name__ == "__main__":
    testlib.main([
        exported_memory_stays_until_it_is_no_longer_exported,
        without_the_parameter_it_is_the_kernels_business,
    ], nodes=1, extra=DIMM)
