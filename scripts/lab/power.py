# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Verbs that end, start, stop and go on with nodes of a running lab, and QMP."""
import json
import os
import signal

from . import lab, limits, proc, ui

ALL = "all"


def _chosen(current, text):
    """The nodes that TEXT names: a number, or all."""
    if text == ALL:
        if not current.nodes:
            raise ui.Failure(f"lab `{current.name}` has no node; `rsmlab up` starts one")
        return current.nodes
    try:
        return [current.node(int(text))]
    except ValueError:
        raise ui.Failure(f"{text}: neither the number of a node nor `{ALL}`") from None


def _running(current, text):
    nodes = _chosen(current, text)
    dead = [n.name for n in nodes if not n.alive()]
    if dead and text != ALL:
        raise ui.Failure(f"{dead[0]} is not running; `rsmlab start {text}` starts it")
    return [n for n in nodes if n.alive()]


def _start(current, nodes):
    limits.allow_files(len(current.nodes), max(n.options().adapters for n in nodes))
    for n in nodes:
        n.restart()
    with ui.Progress(f"boot {', '.join(n.name for n in nodes)}"):
        for n in nodes:
            n.wait_ready()
        current.wait_connected()


def again(current, nodes):
    """Power-cycle NODES, all at a time."""
    with current.changing():
        for n in nodes:
            n.stop()
        if nodes:
            _start(current, nodes)


def kill(args):
    """As by a power cut: neither guest nor QEMU get to know."""
    current = lab.current()
    with current.changing():
        nodes = _running(current, args.node)
        for n in nodes:
            n.stop(signal.SIGKILL)
    ui.say(f"kill: {', '.join(n.name for n in nodes) or 'no node was running'}")
    return 0


def start(args):
    current = lab.current()
    with current.changing():
        nodes = [n for n in _chosen(current, args.node) if not n.alive()]
        if not nodes:
            raise ui.Failure("nothing to start: " + ", ".join(
                n.name for n in _chosen(current, args.node)) + " running already")
        _start(current, nodes)
    ui.say(f"start: {', '.join(n.name for n in nodes)}")
    return 0


def reboot(args):
    current = lab.current()
    nodes = _running(current, args.node)
    again(current, nodes)
    ui.say(f"reboot: {', '.join(n.name for n in nodes) or 'no node was running'}")
    return 0


def _halt(n):
    if not n.visible():
        raise ui.Failure(f"{n.name} is in another PID namespace; stop its process there")
    if not proc.halt(n.process()["pid"]):
        raise ui.Failure(f"{n.name} does not stop: a thread of it waits in the kernel")


def pause(args):
    """Stop the vCPUs, or with --process all of QEMU, as on a host that hangs."""
    for n in _running(lab.current(), args.node):
        if args.process:
            _halt(n)
        else:
            with n.monitor() as monitor:
                monitor.call("stop")
        ui.say(f"pause: {n.name}")
    return 0


def resume(args):
    """Undo either kind of pause."""
    for n in _running(lab.current(), args.node):
        if n.visible():
            os.kill(n.process()["pid"], signal.SIGCONT)
        with n.monitor() as monitor:
            monitor.call("cont")
        ui.say(f"resume: {n.name}")
    return 0


def _arguments(words):
    """{NAME: VALUE} of NAME=VALUE words (a value that is JSON is taken as JSON), or one object."""
    if len(words) == 1 and words[0].startswith("{"):
        try:
            return json.loads(words[0])
        except ValueError as e:
            raise ui.Failure(f"{words[0]}: not JSON: {e}") from None
    found = {}
    for word in words:
        name, sep, value = word.partition("=")
        if not sep:
            raise ui.Failure(f"{word}: arguments are NAME=VALUE, or one JSON object")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


def qmp(args):
    """One command of QEMU's monitor; its answer as JSON."""
    n = lab.running().node(args.node)
    if not n.alive():
        raise ui.Failure(f"{n.name} is not running; `rsmlab start {n.number}` starts it")
    with n.monitor() as monitor:
        print(json.dumps(monitor.call(args.command, **_arguments(args.argument)), indent=1))
    return 0
