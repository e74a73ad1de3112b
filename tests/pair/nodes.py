#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Nodes that die, come back, and change their drivers, while the other stays."""
import pathlib
import signal

import pairlib
from pairlib import PATH_ACTIVE, Shell, both_ways, same, storm, wait_for

MARKER = 0x5707
HALTED_S = 1    # long beside the milliseconds that unpublish takes


def _boot_id(node):
    return node.check("cat", "/proc/sys/kernel/random/boot_id")


def _aborted(shell, slot):
    """Whether a barrier says so; the stores before it must not raise a signal."""
    shell.ok(f"set {slot} 0 1")
    aborted = shell.ask(f"close {slot}")[0] == pairlib.CONN_ABORTED
    shell.ok(f"open {slot}")
    return aborted


def _talk(a, b, segment_id):
    """A new segment of A carries a word of B."""
    with Shell(a) as e, Shell(b) as i:
        e.publish(0, segment_id)
        i.load(0, a.number, segment_id)
        i.ok("set 0 8 77")
        i.ok("close 0")
        same(e.ok("get 0 8"), "77", f"word from {b.name} to {a.name}")


def _wait_active(shell, node):
    wait_for(lambda: shell.path(node.number) == PATH_ACTIVE, 60, f"active path to {node.name}")


def node_killed_and_restarted(victim, survivor):
    """The victim exports to the survivor and imports from it."""
    boot_id = _boot_id(survivor)
    with Shell(survivor) as s, storm(survivor, victim, "400200", 8192, MARKER) as st:
        with Shell(victim) as v:
            v.publish(0, "400200")
            s.publish(0, "400201")
            s.load(1, victim.number, "400200")
            v.load(1, survivor.number, "400201")
            v.ok(f"await 0 8184 {MARKER} 20000")
            v.ok("set 1 0 5")
            s.ok("await 0 0 5 5000")
            victim.kill()
            wait_for(lambda: _aborted(s, 1), 10, "CONN_ABORTED at the survivor")
        wait_for(lambda: s.path(victim.number) != PATH_ACTIVE, 10, "path that is not active")
        s.fails(f"connect 2 {victim.number} 400200", pairlib.REMOTE_NODE_UNREACHABLE)
        s.ok("unpublish 0")
        s.ok("destroy 0")
        same(_aborted(s, 1), True, "a later barrier of the dead connection is aborted")
        victim.restart()
        victim.wait_ready()
        _wait_active(s, victim)
        same(_aborted(s, 1), True, "the connection stays aborted when the node is back")
        _talk(victim, survivor, "400202")
        _talk(survivor, victim, "400203")
        pairlib.end_storm(st)
        for line in ("fini 1", "unmap 1", "disconnect 1"):
            s.ok(line)
    same(_boot_id(survivor), boot_id, "boot id of the survivor")


def unpublish_waits_for_a_halted_node(halted, exporting):
    """A machine that stands still may go on storing: only its death lets go for it."""
    for end in (signal.SIGCONT, signal.SIGKILL):
        with Shell(exporting) as e:
            with Shell(halted) as h:
                e.publish(0, "400240")
                h.load(0, exporting.number, "400240")
                with pairlib.halted(halted, end):
                    e.send("unpublish 0")
                    try:
                        e.answer("unpublish 0", HALTED_S)
                    except AssertionError:
                        pass
                    else:
                        raise AssertionError("unpublish did not wait for the halted node")
                same(e.answer("unpublish 0")[0], 0, f"error of unpublish after {end.name}")
            e.ok("destroy 0")


def drivers_unloaded_and_loaded(changing, staying):
    boot_id = _boot_id(staying)
    with Shell(staying) as s:
        with Shell(changing) as c:
            c.publish(0, "400210")
            s.load(0, changing.number, "400210")
            # The kernel agent is in use by a program.
            status, _, _ = changing.run("rmmod", "rsm")
            if status == 0:
                raise AssertionError("rsm.ko was unloaded under an open segment")
            c.ok("destroy 0")
        changing.drivers("unload")
        wait_for(lambda: s.path(changing.number) != PATH_ACTIVE, 10, "path that is not active")
        same(_aborted(s, 0), True, "connection to the unloaded driver is aborted")
        changing.drivers("load")
        _wait_active(s, changing)
        same(_aborted(s, 0), True, "the connection stays aborted")
        _talk(changing, staying, "400211")
        _talk(staying, changing, "400212")
    same(_boot_id(staying), boot_id, "boot id of the node that stayed")


def adapter_unbound_under_an_import(changing, staying):
    """The adapter goes while programs import and export over it; they get CONN_ABORTED."""
    device = changing.check("sh", "-c", "basename /sys/bus/pci/drivers/sci/0*").strip()
    with Shell(staying) as s, Shell(changing) as c:
        c.publish(0, "400220")
        s.publish(0, "400221")
        s.load(1, changing.number, "400220")
        c.load(1, staying.number, "400221")
        status, _, _ = changing.run("rmmod", "sci")
        if status == 0:
            raise AssertionError("sci.ko was unloaded under segments that use it")
        changing.check("sh", "-c", f"echo {device} >/sys/bus/pci/drivers/sci/unbind")
        wait_for(lambda: _aborted(s, 1), 10, f"CONN_ABORTED at {staying.name}")
        wait_for(lambda: _aborted(c, 1), 10, f"CONN_ABORTED at {changing.name}")
        s.ok("unpublish 0")
        for line in ("fini 1", "unmap 1", "disconnect 1", "destroy 0"):
            c.ok(line)
    changing.check("sh", "-c", f"echo {device} >/sys/bus/pci/drivers/sci/bind")
    with Shell(staying) as s:
        _wait_active(s, changing)
    _talk(changing, staying, "400222")


def drivers_replaced_as_by_reload(changing, staying):
    tray = pathlib.Path(changing.share) / "modules"
    tray.mkdir(exist_ok=True)
    changing.check("sh", "-c", "cp /lib/modules/$(uname -r)/rsm.ko "
                   "/lib/modules/$(uname -r)/sci.ko /host/modules/")
    changing.drivers("replace", "/host/modules")
    with Shell(staying) as s:
        _wait_active(s, changing)
    _talk(changing, staying, "400230")
    _talk(staying, changing, "400231")


if __name__ == "__main__":
    pairlib.main(both_ways(
        drivers_unloaded_and_loaded, adapter_unbound_under_an_import,
        drivers_replaced_as_by_reload, unpublish_waits_for_a_halted_node,
        node_killed_and_restarted))
