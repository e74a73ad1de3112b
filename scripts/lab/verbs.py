# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""What the verbs of the command line do; cli.py parses, this acts."""
import os
import pathlib
import select
import shutil
import signal
import sys
import time

from . import console, host, image, job, kernel, lab, node as node_module, prepare, qemu, ui


def setup(args):
    prepare.setup(args.kernel, args.qemu_src, args.upgrade)
    ui.say("setup: everything is there; `rsmlab build` comes next")
    return 0


def build_parts(part, kern):
    if part in ("qemu", "all"):
        qemu.build()
    if part in ("modules", "all"):
        kernel.build(kern)
    if part in ("host", "all"):
        host.build()
    if part in ("image", "all"):
        kernel.fetch(kern)
        image.build(kern)


def build(args):
    if args.qemu_src:
        qemu.set_origin(args.qemu_src)
    if args.part == "all":
        prepare.setup(args.kernel)
    build_parts(args.part, args.kernel)
    return 0


def up(args):
    started = lab.up(args.nodes, args.kernel, args.memory, args.qemu_arg, args.adapters,
                     args.window)
    names = ", ".join(n.name for n in started.nodes)
    ui.say(f"up: {names}; try `rsmlab exec 1 uname -a`, `rsmlab console 1`, `rsmlab down`")
    return 0


def down(_args):
    count = lab.down()
    ui.say(f"down: {count} nodes ended" if count else "down: no node was running")
    return 0


def status(_args):
    current = lab.current()
    if not current.nodes:
        ui.say("no lab; `rsmlab up` starts one")
        return 0
    ui.say(f"run directory {current.dir}")
    for n in current.nodes:
        record = n.record()
        if n.alive():
            state = "up" if n.ready() else "booting"
            ui.say(f"{n.name}: {state}, node id {n.number}, pid {record['process']['pid']}, "
                   f"kernel {record['options']['kernel']}, {_links(n)}")
        else:
            ui.say(f"{n.name}: ended; see `rsmlab logs {n.number}`")
    return 0


def _links(node):
    """Link states as the adapters' driver shows them in debugfs."""
    script = 'for f in /sys/kernel/debug/sci/sci*/peers; do cat "$f" || exit; echo; done'
    try:
        state, out, _ = job.run(node, ["sh", "-c", script], timeout=10)
    except (ui.Failure, TimeoutError):
        return "does not answer"
    if state:
        return "no adapter driver loaded"
    tables = [table.splitlines()[1:] for table in out.split("\n\n") if table]
    texts = [_links_of(node, k, table) for k, table in enumerate(tables)]
    if len(texts) == 1:
        return f"links to: {texts[0]}"
    return ", ".join(f"sci{k} links to: {text}" for k, text in enumerate(texts))


def _links_of(node, adapter, table):
    try:
        here = node.links_down(adapter, timeout=10)
    except ui.Failure:
        here = ()
    links = []
    for peer, state, *_ in map(str.split, table):
        if int(peer) != node.number:
            links.append(f"{peer} {state}" + (" (taken down here)" if int(peer) in here else ""))
    return ", ".join(links) or "nobody"


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


def push(args):
    node = lab.running().node(args.node)
    files, dest = args.file, "/root/"
    if len(files) > 1 and files[-1].endswith("/"):
        files, dest = files[:-1], files[-1]
    tray = node.share / f"push-{os.getpid()}"
    tray.mkdir()
    try:
        for name in files:
            source = pathlib.Path(name)
            if source.is_dir():
                shutil.copytree(source, tray / source.resolve().name)
            elif source.is_file():
                shutil.copy(source, tray / source.name)
            else:
                raise ui.Failure(f"{name}: no such file")
        script = 'mkdir -p "$2" && cp -r "/host/$1/." "$2"'
        state, _, err = job.run(node, ["sh", "-c", script, "push", tray.name, dest], timeout=600)
    finally:
        shutil.rmtree(tray, ignore_errors=True)
    if state:
        raise ui.Failure(f"cannot copy to {node.name}:{dest}: {err.strip()}")
    return 0


def reload(args):
    """New modules in the image and in every running node."""
    current = lab.current()
    kern = next((n.record()["options"]["kernel"] for n in current.running()), args.kernel)
    kernel.build(kern)
    image.build(kern)
    failed = [n.name for n in current.running() if not _replace_modules(n, kern)]
    if failed:
        raise ui.Failure(f"not replaced on {', '.join(failed)}")
    ui.say(f"reload: new modules on {len(current.running())} running nodes")
    return 0


def _replace_modules(node, kern):
    tray = node.share / "modules"
    shutil.rmtree(tray, ignore_errors=True)
    tray.mkdir()
    for module in kernel.modules(kern):
        if module.exists():
            shutil.copy(module, tray)
    state, _, err = job.run(node, [node_module.DRIVERS, "replace", "/host/modules"])
    if state:
        ui.warn(f"{node.name}: {err.strip()}; see `rsmlab logs {node.number}`")
    return state == 0
