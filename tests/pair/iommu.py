#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""An IOMMU before the adapter, which reaches memory directly and obeys none."""
import contextlib

from pairlib import Shell, path_is_active, same, talk, testlib

PCI = "/sys/bus/pci/devices"
REASON = "it reaches memory directly"


def _adapter(node):
    """Its place on the bus."""
    return node.check("sh", "-c", f"grep -l 0x10f5 {PCI}/*/device").split("/")[-2]


def _group(node):
    path = f"{PCI}/{_adapter(node)}/iommu_group/type"
    if node.run("test", "-e", path)[0]:
        raise testlib.Skip("this kernel has no driver for this IOMMU")
    return path


@contextlib.contextmanager
def _type(node, kind):
    """The group has a type only while no driver uses the device."""
    path = _group(node)
    node.drivers("unload")
    node.check("sh", "-c", f"echo {kind} >{path}")
    same(node.check("cat", path).strip(), kind, "type of the group")
    yield


def an_adapter_whose_addresses_are_translated_is_refused(lab):
    for node in lab.nodes:
        with _type(node, "DMA"):
            node.run("dmesg", "-c")
            node.run("/usr/libexec/rsmlab-drivers", "load")
            log = node.dmesg()
            same(REASON in log, True, f"the log says why ({log!r})")
            status, _, _ = node.run("test", "-e", f"{PCI}/{_adapter(node)}/driver")
            same(status != 0, True, "the adapter has no driver")
            # The agent works without it.
            same("loopback" in node.check("rsmstat"), True, "loopback")


def an_adapter_that_the_iommu_lets_pass_works(lab):
    for node in lab.nodes:
        with _type(node, "identity"):
            node.drivers("load")
    one, two = lab.nodes
    with Shell(one) as a, Shell(two) as b:
        path_is_active(a, two)
        path_is_active(b, one)
        talk(a, b, 0, "400b00")
        talk(b, a, 1, "400b01")


if __name__ == "__main__":
    testlib.main([an_adapter_whose_addresses_are_translated_is_refused,
                  an_adapter_that_the_iommu_lets_pass_works],
                 extra=["-machine", "q35", "-device", "intel-iommu"])
