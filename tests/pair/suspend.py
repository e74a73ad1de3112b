#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Nodes that sleep: paths end, memory stays exported and is offered again.

The 9p share does not survive a suspend, and with it no command of the harness. So
it is unmounted before, mounted again after, and what lives through the sleep is
driven through the guest agent and files in /tmp.
"""
import base64
import contextlib
import shlex
import time

import pairlib
from pairlib import (CONN_ABORTED, PATH_ACTIVE, REMOTE_NODE_UNREACHABLE, Shell, both_ways, halted,
                     path_is_active, same, talk, testlib, wait_for)

KEYBOARD = "/sys/devices/platform/i8042/serio0/power/wakeup"
REFUSED_S = 60      # 5 s of the driver's, and what TCG adds


def _agent(node, script, deadline=60):
    """(status, output) of a shell script, by the guest agent alone."""
    with node.agent(testlib.scaled(deadline)) as agent:
        pid = agent.call("guest-exec", path="/bin/sh", arg=["-c", script],
                         **{"capture-output": True})["pid"]
        while True:
            status = agent.call("guest-exec-status", pid=pid)
            if status["exited"]:
                output = base64.b64decode(status.get("out-data", ""))
                return status.get("exitcode", -1), output.decode(errors="replace")
            time.sleep(0.02)


def _must(node, script):
    status, out = _agent(node, script)
    same(status, 0, f"status of {script!r} on {node.name} ({out!r})")
    return out


class Sleeper(Shell):
    """rsmsh that lives through a suspend of its node."""

    def __init__(self, node, controller="sci0"):
        self.node = node
        self.sent = 0
        _must(node, "cd /tmp && rm -f in out && mkfifo in && : >out && "
              "start-stop-daemon -S -b -x /bin/sh -- -c "
              f"{shlex.quote(f'exec 3<>/tmp/in; rsmsh {controller} <&3 >/tmp/out 2>&1')}")

    def __exit__(self, *_):
        _agent(self.node, "killall -9 rsmsh")

    def send(self, line):
        _must(self.node, f"echo {shlex.quote(line)} >/tmp/in")
        self.sent += 1

    def _lines(self):
        lines = _must(self.node, "cat /tmp/out").split("\n")[:-1]
        return lines if len(lines) >= self.sent else None


@contextlib.contextmanager
def share_away(node):
    """Without the 9p share, whose driver knows no suspend."""
    _must(node, "umount /host && rmmod 9pnet_virtio")
    try:
        yield
    finally:
        _must(node, "modprobe 9pnet_virtio && mount -t 9p -o "
              "trans=virtio,version=9p2000.L,msize=262144,cache=none host /host")


def _state(node):
    return node.qmp("query-status")["status"]


def _start_sleep(node, how):
    """Suspend in a process of its own; its status comes to /tmp/slept.  Where its log begins."""
    before = len(node.log())
    test = "devices" if how == "devices" else "none"
    state = "mem" if how == "mem" else "freeze"
    script = (f"rm -f /tmp/slept; echo {test} >/sys/power/pm_test; echo enabled >{KEYBOARD}; "
              f"echo {state} >/sys/power/state; echo $? >/tmp/slept.new; "
              "mv /tmp/slept.new /tmp/slept")
    # The agent may be asleep as well before it can answer; what follows shows whether it began.
    with contextlib.suppress(testlib.ui.Failure):
        _agent(node, f"start-stop-daemon -S -b -x /bin/sh -- -c {shlex.quote(script)}", 10)
    return before


def _over(node, before):
    """
    Whether the suspend is, by the log: the agent is left alone meanwhile, for a
    program that it starts while tasks are being frozen can make that fail.
    """
    return "PM: suspend exit" in node.log()[before:]


def _over_or_key(node, before):
    """An idle machine does not say that it idles: press a key until it has woken."""
    node.qmp("send-key", keys=[{"type": "qcode", "data": "shift"}])
    return _over(node, before)


def _slept(node, before, over=_over, deadline=120):
    """Status of the suspend when it is over."""
    wait_for(lambda: over(node, before), deadline, f"end of the sleep of {node.name}")
    return wait_for(lambda: _agent(node, "cat /tmp/slept")[1].strip(), 20, "its status")


def _sleep(node, how):
    before = _start_sleep(node, how)
    if how == "mem":
        wait_for(lambda: _state(node) == "suspended", 60, f"suspend of {node.name}")
        node.qmp("system_wakeup")
    elif how == "freeze":
        wait_for(lambda: "Suspending console" in node.log()[before:], 60, "the suspend")
    same(_slept(node, before, _over_or_key if how == "freeze" else _over), "0",
         f"status of the sleep of {node.name}")


def _supports(node):
    if node.run("grep", "-q", "freeze", "/sys/power/state")[0]:
        raise testlib.Skip("this kernel knows no suspend")
    if node.run("test", "-e", "/sys/power/pm_test")[0] or node.run("test", "-e", KEYBOARD)[0]:
        raise testlib.Skip("this kernel has no PM_DEBUG or no keyboard that wakes it")


def _incarnation(node):
    text = node.check("cat", "/sys/kernel/debug/sci/sci0/status")
    return int(text.split("incarnation")[1].split()[0])


def _sleeps_and_goes_on(sleeping, waking, how):
    _supports(sleeping)
    before = _incarnation(sleeping)
    with Shell(waking) as w, Sleeper(sleeping) as s:
        s.publish(0, "400a00")
        w.publish(1, "400a01")
        w.load(0, sleeping.number, "400a00")
        s.load(1, waking.number, "400a01")
        w.ok("set 0 0 41")
        w.ok("close 0")
        s.ok("close 1")
        w.ok("open 0")
        s.ok("open 1")
        with share_away(sleeping):
            _sleep(sleeping, how)
            # Either side has lost what it imported.
            wait_for(lambda: w.ask("close 0")[0] == CONN_ABORTED, 20, "end of the import")
            same(s.ask("close 1")[0], CONN_ABORTED, "error of the sleeper's import")
            path_is_active(w, sleeping)
            path_is_active(s, waking)
            # The exports are those of before, with what is in them.
            w.load(2, sleeping.number, "400a00")
            same(w.ok("get 2 0"), "41", "word that was exported all the time")
            w.ok("set 2 0 42")
            w.ok("close 2")
            w.ok("post 2")
            s.ok("wait 0 20000")
            same(s.ok("get 0 0"), "42", "word stored after the sleep")
            s.load(3, waking.number, "400a01")
            s.ok("set 3 8 43")
            s.ok("close 3")
            same(w.ok("get 1 8"), "43", "word of the sleeper")
    same(_incarnation(sleeping) > before, True, "the incarnation is a new one")
    with Shell(waking) as w, Shell(sleeping) as s:
        talk(s, w, 4, "400a02")
        talk(w, s, 5, "400a03")


def devices_suspend_and_resume(sleeping, waking):
    _sleeps_and_goes_on(sleeping, waking, "devices")


def a_node_idles_and_goes_on(sleeping, waking):
    _sleeps_and_goes_on(sleeping, waking, "freeze")


def a_node_sleeps_in_its_memory_and_goes_on(sleeping, waking):
    _sleeps_and_goes_on(sleeping, waking, "mem")


def while_a_node_sleeps_it_is_not_reached(sleeping, waking):
    _supports(sleeping)
    with Shell(waking) as w, Sleeper(sleeping) as s:
        s.publish(0, "400a10")
        w.load(0, sleeping.number, "400a10")
        with share_away(sleeping):
            before = _start_sleep(sleeping, "mem")
            wait_for(lambda: _state(sleeping) == "suspended", 60, "suspend")
            same(w.path(sleeping.number) != PATH_ACTIVE, True, "the path is down")
            same(w.ask("close 0")[0], CONN_ABORTED, "error of the import")
            w.fails(f"connect 1 {sleeping.number} 400a10", REMOTE_NODE_UNREACHABLE)
            sleeping.qmp("system_wakeup")
            same(_slept(sleeping, before), "0", "its status")
            path_is_active(w, sleeping)
            w.load(2, sleeping.number, "400a10")


def a_peer_that_does_not_answer_prevents_the_sleep_only(sleeping, waking):
    _supports(sleeping)
    with Shell(waking) as w, Sleeper(sleeping) as s:
        s.publish(0, "400a20")
        w.load(0, sleeping.number, "400a20")
        with share_away(sleeping):
            with halted(waking):
                before = _start_sleep(sleeping, "devices")
                status = _slept(sleeping, before, deadline=REFUSED_S)
                same(status != "0", True, "the sleep is refused")
                log = _must(sleeping, "dmesg | grep 'does not answer'")
                same("no suspend" in log, True, "the log says why")
                # All goes on, but for what waits for the peer.
                s.ok("export 4 8192")
                s.ok("publish 4 400a21")
            wait_for(lambda: w.ask("close 0")[0] == CONN_ABORTED, 20, "end of the import")
            path_is_active(w, sleeping)
            w.load(2, sleeping.number, "400a20")
            w.ok("set 2 0 7")
            w.ok("close 2")
            same(s.ok("get 0 0"), "7", "word after the refusal")
            s.ok("unpublish 4", 60)
            s.ok("unpublish 0", 60)
            # Now it answers.
            _sleep(sleeping, "devices")


if __name__ == "__main__":
    pairlib.main(both_ways(devices_suspend_and_resume, a_node_idles_and_goes_on,
                           a_node_sleeps_in_its_memory_and_goes_on,
                           while_a_node_sleeps_it_is_not_reached,
                           a_peer_that_does_not_answer_prevents_the_sleep_only))
