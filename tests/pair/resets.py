#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""No peer stores into memory that firmware or a new kernel uses.

Two nodes store without pause into what the third one exports; their machines stand
still while it is reset, and go on later.

resets.py [TEST]                one reset in each way, as a test
resets.py rounds N              N resets of the machine, while the processors of its peers go
                                on and nothing tells them to let go: prints what was found
resets.py rounds N without      the same on a device that does not wait for its peers: the
                                new kernel finds what they store, or breaks by it
"""
import contextlib
import ctypes
import os
import pathlib
import random
import re
import sys
import time

import pairlib
from pairlib import Shell, halted, same, storm, wait_for
from lab import testlib, ui

PAGE = 4096
SIZE = 32 * PAGE
MARKER = 0x5702E5E7
FILL = 0x0F111ED0F111ED00
SECONDS = 300
STRAY_S = 1             # the time that passes is what is tested
PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17
WALL = 0x40000000       # of waitpid(): threads as well
POLLS = ("7", "232", "271", "281")      # poll, epoll_wait, ppoll, epoll_pwait on x86-64
WAITS = {"path": "/machine/peripheral/sci0", "property": "x-reset-waits"}


@contextlib.contextmanager
def under_storm(lab):
    """Nodes 2 and 3 store into node 1's memory."""
    exporter, *importers = lab.nodes
    # Nodes of a lab end where others reboot.
    exporter.qmp("set-action", reboot="reset")
    with Shell(exporter) as e, contextlib.ExitStack() as storms:
        e.publish(0, "400600", SIZE)
        for node in importers:
            storms.enter_context(storm(node, exporter, "400600", SIZE, MARKER + node.number,
                                       10 * SECONDS))
        # Each of them has stored to the last page of the segment.
        for node in importers:
            e.ok(f"await 0 {SIZE - 8} {MARKER + node.number} 20000")
        yield


@contextlib.contextmanager
def paused(node):
    """Its processors stand still, and so does its clock: it does not miss the time."""
    node.qmp("stop")
    try:
        yield
    finally:
        node.qmp("cont")


@contextlib.contextmanager
def memcheck(node):
    with node.spawn_quiet("memcheck", f"{FILL:x}", str(1000 * SECONDS)) as memory:
        memory.expect("^ready$", SECONDS)
        yield memory


def words_changed(memory):
    memory.signal("USR1")
    memory.expect("looked\n", SECONDS)
    memory.signal("TERM")
    memory.wait(SECONDS)
    taken, changed = map(int, re.search(r"^bytes (\d+) changed (\d+)", memory.out,
                                        re.M).groups())
    if taken < 32 << 20:
        raise AssertionError(f"memcheck looked at {taken} bytes only")
    return changed


@contextlib.contextmanager
def each(manager, nodes):
    with contextlib.ExitStack() as stack:
        for node in nodes:
            stack.enter_context(manager(node))
        yield


def reset_machine(node):
    node.qmp("system_reset")


def reboot_by_the_guest(node):
    node.spawn_quiet("reboot", "-f")


def _polling(node, others):
    """Threads of QEMU that wait for descriptors, the oldest first."""
    tasks = pathlib.Path(f"/proc/{node.process()['pid']}/task")
    return sorted(int(task.name) for task in tasks.iterdir() if int(task.name) not in others
                  and (task / "syscall").read_text().split()[0] in POLLS)


def _fabric_thread(node):
    """The thread of QEMU that serves the fabric; that of the monitor is older."""
    others = {node.process()["pid"], *(cpu["thread-id"] for cpu in node.qmp("query-cpus-fast"))}
    return wait_for(lambda: len(_polling(node, others)) == 2 and _polling(node, others)[-1], 10,
                    "the threads of monitor and fabric to wait")


@contextlib.contextmanager
def deaf(node):
    """Its processors go on, but the thread that lets go of others' memory stands still."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    thread = _fabric_thread(node)
    for request in (PTRACE_SEIZE, PTRACE_INTERRUPT):
        if libc.ptrace(request, thread, None, None):
            raise OSError(ctypes.get_errno(), f"cannot halt thread {thread} of {node.name}")
    os.waitpid(thread, WALL)
    try:
        yield
    finally:
        libc.ptrace(PTRACE_DETACH, thread, None, None)


def waiting_reset(lab, reset, silent=halted):
    """Words that the peers changed after a reset of node 1 that waits for them; they are SILENT."""
    victim, *others = lab.nodes
    with under_storm(lab):
        with each(silent, others):
            reset(victim)
            held = wait_for(victim.waits_for, 30, "node 1 to wait for its peers")
            same(sorted(re.findall(r"node (\d+)", held)), ["2", "3"], "who is waited for")
            same(victim.qmp("query-status")["running"], False, "whether node 1 runs")
        # They have let go by now, and store into nothing.
        wait_for(lambda: not victim.waits_for(), 30, "node 1 to go on")
        with contextlib.ExitStack() as stack:
            # Not while it boots, which would take long on a small host.
            with each(paused, others):
                victim.wait_ready()
                memory = stack.enter_context(memcheck(victim))
            return words_changed(memory)


def careless_reset(lab):
    """
    The same with nothing that waits: the peers store for a while into what the new kernel
    has.  Its driver, which would wait for them, is loaded later.
    """
    victim, *others = lab.nodes
    no_drivers = victim.share / "no-drivers"
    victim.qmp("qom-set", **WAITS, value=False)
    no_drivers.touch()
    try:
        with under_storm(lab):
            with each(deaf, others), contextlib.ExitStack() as stack:
                with each(paused, others):
                    reset_machine(victim)
                    same(victim.waits_for(), "", "who is waited for")
                    victim.wait_ready()
                    memory = stack.enter_context(memcheck(victim))
                time.sleep(STRAY_S)
                with each(paused, others):
                    changed = words_changed(memory)
            victim.drivers("load")
            return changed
    finally:
        no_drivers.unlink()
        victim.qmp("qom-set", **WAITS, value=True)


def after(reset):
    def run(lab):
        same(waiting_reset(lab, reset), 0, "words that peers have changed")
    return run


def after_a_reset_no_store_of_a_peer_arrives(lab):
    after(reset_machine)(lab)


def after_a_reboot_no_store_of_a_peer_arrives(lab):
    after(reboot_by_the_guest)(lab)


REBIND = """
cd /sys/bus/pci/drivers/sci
for device in 0000:*; do break; done
k=0
while [ $k -lt 30 ]; do
    echo "$device" > unbind && echo "$device" > bind || exit 1
    k=$((k + 1))
done
"""


def adapters_are_reset_again_and_again_under_peers_that_halt(lab):
    """The peer lets go at any time: before, while and after the vCPUs are stopped for it."""
    victim, other, _ = lab.nodes
    with victim.spawn("sh", "-c", REBIND) as binds:
        while binds.running():
            # As long as a peer may take before and after the machine is stopped.
            with halted(other):
                time.sleep(random.uniform(0, 0.03))
        same(binds.wait(), 0, f"status of binding the driver ({binds.err!r})")
    pairlib.paths_are_active(lab)


def describe(node):
    """What a node that broke is at, as far as it still says."""
    for command in (["ps"], ["sh", "-c", "head -n 3 /proc/meminfo; "
                              "for p in /proc/[0-9]*; do [ -s $p/cmdline ] || continue; "
                              "tr '\\0' ' ' <$p/cmdline; echo; cat $p/stack; done"]):
        with contextlib.suppress(AssertionError, ui.Failure, OSError):
            print(node.check(*command, timeout=20), flush=True)
    for text in (str(node.qmp("query-status")), node.waits_for(),
                 *node.log().splitlines()[-20:]):
        print(f"# {text}", flush=True)


def rounds(count, waits):
    lab = testlib.TestLab(3)
    found = broken = 0
    try:
        lab.boot()
        for k in range(count):
            pairlib.paths_are_active(lab)
            try:
                changed = waiting_reset(lab, reset_machine, deaf) if waits else careless_reset(lab)
            except (AssertionError, ui.Failure, OSError) as error:
                broken += 1
                print(f"reset {k + 1}: node 1 broke: {error}", flush=True)
                describe(lab.node(1))
                lab.node(1).kill()
                lab.heal()
                continue
            found += changed
            print(f"reset {k + 1}: {changed} words changed", flush=True)
    finally:
        lab.remove()
    print(f"{count} resets, {found} words changed, node 1 broke {broken} times")


if __name__ == "__main__":
    if sys.argv[1:2] == ["rounds"]:
        rounds(int(sys.argv[2]), sys.argv[3:] != ["without"])
    else:
        pairlib.main([after_a_reset_no_store_of_a_peer_arrives,
                      after_a_reboot_no_store_of_a_peer_arrives,
                      adapters_are_reset_again_and_again_under_peers_that_halt], nodes=3)
