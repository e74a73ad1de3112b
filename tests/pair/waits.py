#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Who waits for a node that stands still, and how that ends."""
import contextlib
import json
import os
import signal
import time

import pairlib
from pairlib import Shell, both_ways, halted, same, testlib, wait_for

BAD_SEG_HNDL = 5
INTERRUPTED = 41
HUNG_S = 2              # what the detector of hung tasks bears here
HALTED_S = 3 * HUNG_S   # the time that passes is what is tested
EDGES = 20000
SEGMENTS = 600          # 512 work items of an unbound workqueue run at a time


@contextlib.contextmanager
def hung_tasks_reported_early(node):
    """A report is a line of the kernel's log that fails the file."""
    names = ["hung_task_timeout_secs", "hung_task_check_interval_secs"]
    before = [node.check("cat", f"/proc/sys/kernel/{n}").strip() for n in names]
    try:
        for name, value in zip(names, (HUNG_S, 1)):
            node.check("sh", "-c", f"echo {value} >/proc/sys/kernel/{name}")
        yield
    finally:
        for name, value in zip(names, before):
            node.check("sh", "-c", f"echo {value} >/proc/sys/kernel/{name}")


def _exports(node):
    return node.check("cat", "/sys/kernel/debug/rsm/exports").splitlines()


def _pinned(node):
    return json.loads(node.check("rsmstat", "-j"))["agent"]["pinned_bytes"]


def _meets(error):
    """What calls for a segment say that another thread unpublishes."""
    return [f"publish {error}", f"republish {error}", f"unpublish {INTERRUPTED}",
            f"get_pollfd {BAD_SEG_HNDL}"]


def _interrupted(shell, line):
    """Give a command that waits, and signals until it has given up."""
    shell.send(line)
    deadline = time.monotonic() + 20
    while True:
        shell.process.signal("USR1")
        try:
            same(shell.answer(line, 0.5)[0], INTERRUPTED, f"error of the interrupted {line}")
            return
        except AssertionError:
            if time.monotonic() > deadline:
                raise


def connect_to_a_halted_node_can_be_interrupted(exporting, importing):
    with Shell(exporting) as e, Shell(importing) as i:
        e.publish(0, "400500")
        same(i.path(exporting.number), pairlib.PATH_ACTIVE, "path before")
        with halted(exporting):
            _interrupted(i, f"connect 0 {exporting.number} 400500")
        i.connects(0, exporting.number, "400500")
        i.ok("map 0 8192")
        i.ok("set 0 0 3")
        same(e.ok("get 0 0"), "3", "word of the importer that tried again")


def interrupted_connects_cost_nothing(exporting, importing):
    """More than there are credits; with one lost each time nobody could connect any more."""
    tries = 100
    with Shell(exporting) as e, Shell(importing) as other:
        e.publish(0, "400520")
        e.publish(1, "400521")
        with importing.spawn("impatient", str(exporting.number), "400520", "400521",
                             str(tries)) as impatient:
            impatient.expect("ready")
            with halted(exporting):
                impatient.feed("\n")
                impatient.expect("interrupted")
            same(impatient.wait(), 0, f"status of impatient ({impatient.err!r})")
            same(impatient.out.split("\n")[1:-1],
                 ["full 1", f"interrupted {tries}", "connect 0"], "what impatient met")
        other.connects(0, exporting.number, "400521")


def waiters_for_a_halted_importer_are_not_hung(exporting, importing):
    with hung_tasks_reported_early(exporting), Shell(importing) as i, \
            Shell(exporting) as doomed, Shell(exporting) as frees, \
            exporting.spawn("waits", "400510", "400513") as waits:
        waits.expect("ready")
        doomed.publish(0, "400511")
        frees.publish(0, "400512")
        for slot, segment_id in enumerate(("400510", "400511", "400512", "400513")):
            i.load(slot, exporting.number, segment_id)
            i.ok(f"set {slot} 0 7")
        with halted(importing):
            waits.feed("\n")
            waits.expect("held")
            doomed.send("unpublish 0")
            doomed.kill()
            frees.ok("free 0")
            end = time.monotonic() + HALTED_S
            wait_for(lambda: time.monotonic() > end, HALTED_S + 10)
            same(len(_exports(exporting)), 4, "exports while their pages may be in use")
        same(waits.wait(), 0, f"status of waits ({waits.err!r})")
        same(waits.out.split("\n")[1:-1],
             [f"rebind {INTERRUPTED}", *_meets(pairlib.INSUFFICIENT_RESOURCES),
              f"rebind {INTERRUPTED}", *_meets(INTERRUPTED), "held", "ended 0", "ended 0"],
             "what the threads of waits met")
        frees.fails("unpublish 0", pairlib.SEG_NOT_PUBLISHED)
        frees.ok("destroy 0")
        for slot in range(4):
            i.fails(f"close {slot}", pairlib.CONN_ABORTED)
    wait_for(lambda: not _exports(exporting), 10, "exports that are gone")


def exporters_leave_a_halted_importer_behind(exporting, importing):
    """Calls are interrupted, closing and being killed wait for nobody; ids are free at once."""
    ids = [f"{0x400550 + n:x}" for n in range(8)]
    pinned = _pinned(exporting)
    with Shell(importing) as i, Shell(exporting) as e, Shell(exporting) as doomed, \
            Shell(exporting) as other:
        for slot, segment_id in enumerate(ids):
            (doomed if slot > 2 else e).publish(slot, segment_id)
            i.load(slot, exporting.number, segment_id)
        e.ok("export 10 8192 1")
        e.ok("publish 10 40055f")
        i.load(10, exporting.number, "40055f")
        with halted(importing):
            _interrupted(e, "unpublish 0")
            _interrupted(e, "unpublish 0")
            e.ok("destroy 1", 5)
            e.ok("destroy 2", 5)
            before = time.monotonic()
            doomed.kill()
            if time.monotonic() - before > testlib.scaled(8):
                raise AssertionError("a killed exporter waits for the importer")
            same(len(_exports(exporting)), len(ids) + 1, "exports while their pages may be in use")
            for slot, segment_id in enumerate(ids):
                other.publish(slot, segment_id)
            same(_pinned(exporting) - pinned, (2 * len(ids) + 1) * 8192,
                 "bytes pinned, those that may be in use and new ones")
        e.ok("unpublish 0")
        e.fails("unpublish 0", pairlib.SEG_NOT_PUBLISHED)
        e.ok("destroy 0")
        same(e.ok("get 10 0"), "0", "word of a segment that nobody touched")
        for slot in range(len(ids)):
            other.ok(f"destroy {slot}")
        e.ok("destroy 10")
    wait_for(lambda: not _exports(exporting), 10, "exports that are gone")
    same(_pinned(exporting), pinned, "bytes pinned at the end")


def an_interrupted_rebind_goes_on(exporting, importing):
    with Shell(importing) as i, exporting.spawn("rebinds", "400570") as rebinds:
        rebinds.expect("ready")
        i.load(0, exporting.number, "400570")
        with halted(importing):
            rebinds.feed("\n")
            rebinds.expect(f"rebind {INTERRUPTED}\n")
        rebinds.feed("\n")
        rebinds.expect("rebind 0\n")
        wait_for(lambda: i.ok("get 0 0") == "2", 10, "the word of the new memory")
        rebinds.feed("\n")
        same(rebinds.wait(), 0, f"status of rebinds ({rebinds.err!r})")


def unbinding_says_for_whom_it_waits(exporting, importing):
    driver = "/sys/bus/pci/drivers/sci"
    device = exporting.check("sh", "-c", f"basename {driver}/0*").strip()
    with Shell(exporting) as e, Shell(importing) as i:
        e.publish(0, "400580")
        i.load(0, exporting.number, "400580")
        with halted(importing), \
                exporting.spawn("sh", "-c", f"echo {device} >{driver}/unbind") as unbind:
            wait_for(lambda: f"exported memory: {importing.number}\n" in exporting.dmesg(), 30,
                     "the node that is waited for, in the log")
            same(unbind.running(), True, "that the unbinding waits")
            os.kill(importing.process()["pid"], signal.SIGCONT)
            same(unbind.wait(60), 0, f"status of the unbinding ({unbind.err!r})")
        exporting.check("sh", "-c", f"echo {device} >{driver}/bind")


def an_unbinding_that_is_killed_gives_nothing_back_early(exporting, importing):
    """The machine stands still as long as a peer may reach its memory."""
    driver = "/sys/bus/pci/drivers/sci"
    device = exporting.check("sh", "-c", f"basename {driver}/0*").strip()
    pinned = _pinned(exporting)
    line = f"exported memory: {importing.number}\n"
    said = exporting.dmesg().count(line)
    with Shell(exporting) as e, Shell(exporting) as doomed, Shell(importing) as i:
        e.publish(0, "400590")
        doomed.publish(0, "400591")
        for slot, segment_id in enumerate(("400590", "400591")):
            i.load(slot, exporting.number, segment_id)
        with halted(importing):
            doomed.kill()
            # It stands still before a call of its agent that kills could return.
            with exporting.spawn("sh", "-c", f"echo {device} >{driver}/unbind & read go; "
                                             "kill -9 $!; wait $!; echo killed $?") as unbind:
                wait_for(lambda: exporting.dmesg().count(line) > said, 30,
                         "the node that is waited for, in the log")
                same(_pinned(exporting) - pinned, 2 * 8192, "bytes pinned while it waits")
                unbind.feed("\n")
                held = wait_for(exporting.waits_for, 30, "the machine to wait")
                same(f"node {importing.number} " in held, True, f"who is waited for ({held})")
                same(exporting.qmp("query-status")["running"], False, "whether it runs")
                os.kill(importing.process()["pid"], signal.SIGCONT)
                wait_for(lambda: not exporting.waits_for(), 30, "the machine to go on")
                unbind.expect(f"killed {128 + 9}\n", 60)
        same(_pinned(exporting) - pinned, 8192, "bytes pinned by who is still there")
        e.ok("destroy 0")
        same(_pinned(exporting), pinned, "bytes pinned at the end")
        exporting.check("sh", "-c", f"echo {device} >{driver}/bind")
        for slot in (0, 1):
            i.fails(f"close {slot}", pairlib.CONN_ABORTED)
    pairlib.paths_are_active(exporting.lab)
    with Shell(exporting) as e, Shell(importing) as i:
        pairlib.talk(e, i, 0, "400590")


def no_edge_is_lost(exporting, importing):
    """The one before it has been taken, and nobody sleeps yet."""
    with exporting.spawn("edges", "wait", "4005a0", str(EDGES)) as waits:
        waits.expect("ready")
        with importing.spawn("edges", "post", str(exporting.number), "4005a0",
                             str(EDGES)) as posts:
            same(waits.wait(120), 0, f"status of edges wait ({waits.err!r})")
            same(posts.wait(), 0, f"status of edges post ({posts.err!r})")
        same(waits.out.split()[-1], str(EDGES), "events that were taken")


def a_close_by_the_kernel_holds_up_no_other(exporting, importing):
    """One thread of the kernel closes what io_uring, or a lost message, held last."""
    with Shell(importing) as i, exporting.spawn("leave", "close", "400530") as leaver:
        leaver.expect("ready")
        i.load(0, exporting.number, "400530", 4096)
        with halted(importing):
            leaver.feed("\n")
            same(leaver.wait(), 0, f"status of leave ({leaver.err!r})")
            wait_for(lambda: " remote 0 " in _exports(exporting)[0], 10,
                     "segment that is being closed")
            exporting.check("leave", "pipe")
            same(len(_exports(exporting)), 1, "exports while their pages may be in use")
        wait_for(lambda: not _exports(exporting), 10, "exports that are gone")
        i.fails("close 0", pairlib.CONN_ABORTED)


def lost_segments_hold_up_no_terminal(exporting, importing):
    """More of them than a workqueue runs at a time, all waiting for the peer."""
    with exporting.spawn("leave", "lose", "400540", str(SEGMENTS)) as loser:
        loser.expect("ready", 60)
        with halted(importing):
            loser.feed("\n")
            loser.expect("lost", 60)
            exporting.check("leave", "tty")
            same(len(_exports(exporting)), SEGMENTS, "exports while their pages may be in use")
        loser.feed("\n")
        same(loser.wait(60), 0, f"status of leave ({loser.err!r})")
    wait_for(lambda: not _exports(exporting), 10, "exports that are gone")


if __name__ == "__main__":
    pairlib.main(both_ways(
        connect_to_a_halted_node_can_be_interrupted,
        interrupted_connects_cost_nothing,
        waiters_for_a_halted_importer_are_not_hung,
        exporters_leave_a_halted_importer_behind,
        an_interrupted_rebind_goes_on,
        unbinding_says_for_whom_it_waits,
        an_unbinding_that_is_killed_gives_nothing_back_early,
        no_edge_is_lost,
        a_close_by_the_kernel_holds_up_no_other,
        lost_segments_hold_up_no_terminal))
