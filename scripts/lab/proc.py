# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Processes known by pid and start time, so that a reused pid is never hit."""
import os
import pathlib
import select
import signal
import time


def start_time(pid):
    """When PID started, in clock ticks since boot; None if there is none."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
            fields = f.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def boot_id():
    with open("/proc/sys/kernel/random/boot_id", encoding="utf-8") as f:
        return f.read().strip()


def identity(pid):
    return {"pid": pid, "start": start_time(pid), "boot": boot_id()}


def alive(who):
    """Whether the process that identity() described still runs."""
    return who is not None and who["boot"] == boot_id() and \
        start_time(who["pid"]) == who["start"] is not None


def _stands(task):
    try:
        stat = (task / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return True     # it has ended
    return stat.rpartition(")")[2].split()[0] in "TtZX"


def halt(pid, deadline=10):
    """Stop the process; on return none of its threads runs any more.

    The signal alone is taken by one thread when it next has a processor, and only
    then stops the others. False if they go on until DEADLINE.
    """
    os.kill(pid, signal.SIGSTOP)
    end = time.monotonic() + deadline
    while not all(map(_stands, pathlib.Path(f"/proc/{pid}/task").iterdir())):
        if time.monotonic() > end:
            return False
        time.sleep(0.001)
    return True


def kill(who, signo=signal.SIGKILL, deadline=10):
    """Signal the process and wait for its end; False if it outlives DEADLINE."""
    if who is None or who["boot"] != boot_id():
        return True
    try:
        pidfd = os.pidfd_open(who["pid"])
    except ProcessLookupError:
        return True
    try:
        # The pidfd pins the pid: what is checked now is what gets the signal.
        if not alive(who):
            return True
        signal.pidfd_send_signal(pidfd, signo)
        return bool(select.select([pidfd], [], [], deadline)[0])
    except ProcessLookupError:
        return True
    finally:
        os.close(pidfd)


def end(who, signo=signal.SIGTERM):
    """End the process, asked first, also if it is stopped; whether it has ended."""
    if signo == signal.SIGTERM and alive(who):
        os.kill(who["pid"], signal.SIGCONT)
    return kill(who, signo, deadline=5) or kill(who, signal.SIGKILL)
