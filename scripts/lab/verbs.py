# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""What the verbs of the command line do; cli.py parses, this acts."""
import os
import select
import shutil
import signal
import sys
import time

from . import console, host, image, job, kernel, lab, node as node_module, power, prepare, qemu, \
    qemusource, ui


def setup(args):
    prepare.setup(args.kernel, args.qemu_src, args.upgrade)
    ui.say("setup: everything is there; `rsmlab build` comes next")
    return 0


def build_parts(part, kern, with_tests=True):
    if part in ("device", "all"):
        qemu.build()
    if part in ("modules", "all"):
        kernel.build(kern)
    if part in ("host", "all"):
        host.build(with_tests)
    if part in ("image", "all"):
        kernel.fetch(kern)
        image.build(kern)


def build(args):
    if args.qemu_src:
        qemusource.set_origin(args.qemu_src)
    if args.part == "all":
        prepare.setup(args.kernel)
    build_parts(args.part, args.kernel)
    return 0


def up(args):
    start = time.monotonic()
    options = node_module.Options(
        kernel=args.kernel, memory=args.memory or 0, cpus=args.cpus, adapters=args.adapters,
        window=args.window, extra=args.qemu_arg, overcommit=args.overcommit)
    started = lab.up(args.nodes, options)
    names = ", ".join(n.name for n in started.nodes)
    ui.say(f"up: {names} ({time.monotonic() - start:.1f} s); try `rsmlab exec 1 uname -a`, "
           "`rsmlab console 1`, `rsmlab down`")
    return 0


def down(_args):
    count = lab.down()
    ui.say(f"down: {count} nodes ended" if count else "down: no node was running")
    return 0


def link(args):
    current = lab.current()
    node = current.node(args.node)
    if not node.alive():
        raise ui.Failure(f"{node.name} is not running")
    peer = None if args.peer == "all" else current.node(_node_id(args.peer)).number
    if peer == node.number:
        raise ui.Failure(f"{node.name} has no link to itself")
    node.take_link(peer, args.state == "up", args.adapter)
    return 0


def _node_id(text):
    try:
        return int(text)
    except ValueError:
        raise ui.Failure(f"{text}: neither the number of a node nor `all`") from None


def run_console(args):
    return console.attach(lab.running().node(args.node))


def logs(args):
    node = lab.current().node(args.node)
    path = {"kernel": node.kernel_log, "console": node.console_log,
            "qemu": node.qemu_log}[args.which]
    if not path.exists():
        raise ui.Failure(f"{path} does not exist")
    with open(path, "rb") as f:
        shutil.copyfileobj(f, sys.stdout.buffer)
        while args.follow and node.alive():
            sys.stdout.buffer.flush()
            time.sleep(0.1)
            shutil.copyfileobj(f, sys.stdout.buffer)
    return 0


def _stdin_of(args):
    """Descriptor to pass on, or None: closed, /dev/null or not wanted."""
    if args.no_stdin:
        return None
    try:
        if os.fstat(0).st_rdev == os.stat(os.devnull).st_rdev:
            return None
    except OSError:
        return None
    return 0


def _emit(stream, data):
    fd, name = (1, "standard output") if stream == "out" else (2, "standard error")
    while data:
        try:
            data = data[os.write(fd, data):]
        except BlockingIOError:
            select.select([], [fd], [])
        except BrokenPipeError:
            raise
        except OSError as e:
            raise ui.Failure(f"{name}: {e.strerror}") from None


def execute(args):
    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    if not command:
        raise ui.Failure("exec needs a command")
    node = lab.running().node(args.node)
    # The bytes that came, whatever the locale made of them.
    with job.Job(node, [os.fsencode(arg) for arg in command], _stdin_of(args)) as running:
        try:
            return running.wait(_emit)
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_DFL)    # a second one ends us
            running.stop()
            return 130
        except BrokenPipeError:
            running.stop("PIPE")
            return 141


def reload(args):
    """New modules in the image and in every running node; with --device new nodes."""
    start = time.monotonic()
    current = lab.current()
    running = current.running()
    kern = running[0].options().kernel if running else args.kernel
    if args.device:
        qemu.build()
    kernel.build(kern)
    image.build(kern)
    if args.device:
        power.again(current, running)
    else:
        failed = [n.name for n in running if not _replace_modules(n, kern)]
        if failed:
            raise ui.Failure(f"not replaced on {', '.join(failed)}")
    what = "device and modules" if args.device else "modules"
    ui.say(f"reload: new {what} on {len(running)} running nodes "
           f"({time.monotonic() - start:.1f} s)")
    return 0


def _replace_modules(node, kern):
    tray = node.share / "modules"
    shutil.rmtree(tray, ignore_errors=True)
    tray.mkdir()
    for module in kernel.modules(kern) + kernel.client_modules(kern):
        if module.exists():
            shutil.copy(module, tray)
    state, _, err = job.run(node, [node_module.DRIVERS, "replace", "/host/modules"])
    if state:
        ui.warn(f"{node.name}: {err.strip()}; see `rsmlab logs {node.number}`")
    return state == 0
