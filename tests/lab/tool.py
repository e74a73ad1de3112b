#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""The parts of the lab tool that need no node: counting, archives, processes."""
import io
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "scripts"))

from lab import console, cpio, elf, proc, tap, testlib  # noqa: E402


def _count(result, text):
    tally = tap.Tally()
    tap.add_program(tally, "prog", result, text)
    c = tally.count
    return c["passed"], c["failed"], c["skipped"]


def tap_points_are_counted(_):
    for result, text, expected in (
            ("OK", "1..2\nok 1 - a\nok 2 - b\n", (2, 0, 0)),
            ("FAIL", "1..2\nok 1 - a\nnot ok 2 - b\n", (1, 1, 0)),
            ("OK", "1..2\nok 1 - a # SKIP no kvm\nok 2\n", (1, 0, 1)),
            ("OK", "1..1\nnot ok 1 - a # TODO later\n", (1, 0, 0)),
            ("ERROR", "ok 1 - the plan may come last\nnot ok 2 - b\n1..2\n", (1, 1, 0)),
            ("SKIP", "1..1\nok 1 - a # SKIP no kvm\n", (0, 0, 1)),
            ("SKIP", "1..0 # SKIP nothing here\n", (0, 0, 1))):
        assert _count(result, text) == expected, (text, _count(result, text))


def a_program_that_does_not_keep_its_plan_is_a_failure(_):
    for result, text, expected in (
            ("TIMEOUT", "1..3\nok 1\n", (1, 1, 0)),
            ("OK", "1..3\nok 1\n", (1, 1, 0)),
            ("ERROR", "1..3\nok 1\nnot ok 2\n", (1, 2, 0)),
            ("SKIP", "1..2\nok 1 # SKIP no kvm\n", (0, 1, 1)),
            ("OK", "1..1\nok 1\nok 2\n", (2, 1, 0)),
            ("OK", "ok 1\nok 2\n", (2, 1, 0)),
            ("OK", "1..0\n", (0, 1, 0)),
            ("SKIP", "", (0, 1, 0)),
            ("OK", "no tap at all", (0, 1, 0)),
            ("FAIL", "no tap at all", (0, 1, 0))):
        assert _count(result, text) == expected, (text, _count(result, text))


def a_failure_keeps_what_was_said_before_it(_):
    tally = tap.Tally()
    tap.add_program(tally, "prog", "FAIL", "1..2\n# fine\nok 1 - a\n# broken\nnot ok 2 - b\n")
    assert tally.failures == [("prog: b", ["# broken"])], tally.failures


def log_scan_finds_kernel_trouble(_):
    for line in ("WARNING: CPU: 0 PID: 1 at x.c:3", "BUG: unable to handle page fault",
                 "Call Trace:", "BUG: KASAN: use-after-free", "Oops: 0002 [#1]",
                 "WARNING: possible circular locking dependency detected"):
        assert testlib.BAD_LOG.search(line), line
    for line in ("rsm: loading out-of-tree module taints kernel.", "Debug: all well"):
        assert not testlib.BAD_LOG.search(line), line


def equal_inputs_give_equal_archives(_):
    def write():
        tree = cpio.Tree()
        tree.data("etc/b", b"12345", 0o600)
        tree.symlink("bin/sh", "busybox")
        tree.chardev("dev/console", 5, 1)
        out = io.BytesIO()
        tree.write(out)
        return tree.describe(), out.getvalue()
    assert write() == write()
    assert write()[1].count(b"070701") == 3 + 3 + 1     # files, folders, trailer


def shared_libraries_of_a_program_are_found(_):
    names, interp = elf.needed(os.path.realpath("/bin/ls"))
    assert "libc.so.6" in names and interp.startswith("/lib64/ld-linux"), (names, interp)


def a_process_is_known_by_more_than_its_pid(_):
    with subprocess.Popen(["sleep", "60"]) as child:
        who = proc.identity(child.pid)
        assert proc.alive(who)
        other = dict(who, start=who["start"] - 1)
        assert not proc.alive(other)
        assert proc.kill(other) and child.poll() is None
        assert proc.kill(who)
        child.wait()
        assert not proc.alive(who)


COUNTS = """
import mmap, sys, threading
file = open(sys.argv[1], "r+b")
memory = mmap.mmap(file.fileno(), 8)
def count():
    n = 0
    while True:
        n += 1
        memory[:] = n.to_bytes(8, "little")
threading.Thread(target=count, daemon=True).start()
sys.stdin.read()
"""


def a_halted_process_does_nothing_more(_):
    with tempfile.NamedTemporaryFile() as file:
        file.write(bytes(8))
        file.flush()

        def counted():
            return pathlib.Path(file.name).read_bytes()

        with subprocess.Popen([sys.executable, "-c", COUNTS, file.name],
                              stdin=subprocess.PIPE) as child:
            for _turn in range(20):
                before = counted()
                testlib.wait_for(lambda before=before: counted() != before, 10, "counting")
                assert proc.halt(child.pid)
                before = counted()
                time.sleep(0.005)
                assert counted() == before
                os.kill(child.pid, signal.SIGCONT)


def terminal_control_is_not_shown(_):
    shown = []
    session = console.Session(None, shown.append)
    session.accept(b"node1:~# \x1b[6ntext\r\nGr\xc3\xbc\xc3\x9fe\r\nrest")
    assert shown == ["node1:~# text", "Grüße"], shown


def help_names_every_verb(_):
    tool = TOP / "scripts" / "rsmlab"
    text = subprocess.run([tool, "--help"], capture_output=True, text=True, check=True).stdout
    for verb in ("setup", "build", "demo", "test", "up", "down", "status", "console", "logs",
                 "exec", "push", "reload", "link", "bare"):
        assert f"    {verb}" in text, verb
        subprocess.run([tool, verb, "--help"], capture_output=True, check=True)


if __name__ == "__main__":
    testlib.main([
        tap_points_are_counted,
        a_program_that_does_not_keep_its_plan_is_a_failure,
        a_failure_keeps_what_was_said_before_it,
        log_scan_finds_kernel_trouble,
        equal_inputs_give_equal_archives,
        shared_libraries_of_a_program_are_found,
        a_process_is_known_by_more_than_its_pid,
        a_halted_process_does_nothing_more,
        terminal_control_is_not_shown,
        help_names_every_verb,
    ], nodes=0)
