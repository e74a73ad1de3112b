#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Barriers between two nodes: what fails a span, what does not, and its cost."""
import pairlib
from pairlib import BARRIER_FAILURE, CONN_ABORTED, Shell, both_ways, same

DOORBELL = 0x40
ABSENT_LINE = 0x7f


def spans_make_no_system_call(exporting, importing):
    with Shell(exporting) as e:
        e.publish(0, "400300")
        status, out, err = importing.run("spans", str(exporting.number), "400300", "20000")
        same(status, 0, f"status of spans ({out!r}, {err!r})")


def unpublish_in_the_span_aborts_it(exporting, importing):
    with Shell(exporting) as e, Shell(importing) as i:
        e.publish(0, "400301")
        i.load(0, exporting.number, "400301")
        e.ok("unpublish 0")
        i.fails("order 0", CONN_ABORTED)
        i.fails("close 0", CONN_ABORTED)
        i.ok("open 0")
        i.fails("close 0", CONN_ABORTED)


def other_segments_do_not_fail_it(exporting, importing):
    with Shell(exporting) as e, Shell(importing) as i:
        e.publish(0, "400302")
        e.publish(1, "400303")
        i.load(0, exporting.number, "400302")
        i.load(1, exporting.number, "400303")
        e.ok("unpublish 1")
        i.fails("close 1", CONN_ABORTED)
        i.ok("order 0")
        i.ok("close 0")
        i.ok("open 0")
        i.ok("close 0")


def _fail_an_access(node, peer):
    """Ring a line that the peer does not have: an error of the path to it."""
    device = node.check("sh", "-c", "dirname $(grep -l 0x10f5 /sys/bus/pci/devices/*/device)")
    csr = int(node.check("cat", f"{device.strip()}/resource").split()[0], 16)
    value = peer.number << 16 | ABSENT_LINE
    node.check("devmem", hex(csr + DOORBELL), "32", hex(value))


def errors_in_the_span_fail_it(exporting, importing):
    with Shell(exporting) as e, Shell(importing) as i:
        e.publish(0, "400304")
        i.load(0, exporting.number, "400304")
        _fail_an_access(importing, exporting)
        i.fails("order 0", BARRIER_FAILURE)
        i.fails("close 0", BARRIER_FAILURE)
        i.ok("open 0")
        i.ok("order 0")
        i.ok("close 0")


def errors_before_the_span_do_not_fail_it(exporting, importing):
    with Shell(exporting) as e, Shell(importing) as i:
        e.publish(0, "400305")
        i.load(0, exporting.number, "400305", barrier=False)
        i.ok("init 0")
        _fail_an_access(importing, exporting)
        i.ok("open 0")
        i.ok("close 0")


if __name__ == "__main__":
    pairlib.main(both_ways(
        spans_make_no_system_call,
        unpublish_in_the_span_aborts_it,
        other_segments_do_not_fail_it,
        errors_in_the_span_fail_it,
        errors_before_the_span_do_not_fail_it))
