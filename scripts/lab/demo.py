# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""`demo`: from nothing to ten messages from node 2 to node 1.

Types them into rsmtest on node 2's serial console as a person would, and
compares what rsmtest shows on node 1's console, line by line.
"""
import re
import time

from . import console, image, lab, node, prepare, ui, verbs

# What a person might type, and what has tripped programs like this one.
MESSAGES = [
    "hello from node 2",
    "",
    " leading and trailing blanks ",
    "Grüße, 世界, приве́т, 🦀",
    "x" * 64,
    "a line of several hundred bytes: " + "0123456789abcdef" * 40,
    r"backslashes \n \0 \\ and 100% %s %d %n",
    "quotes ' \" ` $HOME $(id) ; | & > <",
    "?",
    "the tenth and last",
]
ENDED = "rsmtest ended with status"


def _open_shell(session):
    session.type("\n")
    session.expect("# ")


def _start(session, options):
    # In two parts, so that the echo of the command is not taken for its end.
    session.type(f'rsmtest {options}; echo "rsmtest ended"" with status $?"\n')


def _exchange(number, message, exporter, importer):
    """Type one line when asked; fail unless exactly it appears at the exporter."""
    importer.expect("Enter msg [0x")
    importer.expect("]: ")
    importer.type(message + "\n")
    importer.expect("\n")       # its echo
    exporter.expect("msg [0x")
    shown = exporter.expect("\n").rstrip("\r\n")
    m = re.fullmatch(r"[0-9a-f]+ (-?\d+) (-?\d+)\] (.*)", shown)
    if not m or (int(m[1]), int(m[2]), m[3]) != (number, number + 1, message):
        raise ui.Failure(f"message {number + 1}: typed {message!r}, "
                         f"the exporter shows {('msg [0x' + shown)!r}")


def _end_status(session, name):
    session.expect(ENDED + " ")
    status = session.expect("\n").strip()
    if status != "0":
        raise ui.Failure(f"rsmtest on {name} ended with status {status}")


def _talk(node1, node2):
    def show(node):
        return lambda line: ui.say(f"{node.name} | {line}")

    with console.connection(node1) as first, console.connection(node2) as second:
        exporter = console.Session(first, show(node1))
        importer = console.Session(second, show(node2))
        _open_shell(exporter)
        _open_shell(importer)
        _start(exporter, "-e -n 2")
        exporter.expect("Mbuf is")
        exporter.expect("\n")
        _start(importer, "-i -n 1")
        for number, message in enumerate(MESSAGES):
            _exchange(number, message, exporter, importer)
        _end_status(importer, node2.name)
        _end_status(exporter, node1.name)


def main(args):
    start = time.monotonic()
    prepare.setup(args.kernel)
    verbs.build_parts("all", args.kernel, with_tests=False)
    missing = image.missing(args.kernel)
    if missing:
        raise ui.Failure(f"the demo needs what is not built: {', '.join(missing)}")
    machines = lab.private()
    try:
        machines.start(2, node.Options(args.kernel))
        _talk(*machines.nodes)
    finally:
        machines.remove()
    ui.say(f"demo: all {len(MESSAGES)} messages arrived, in order and unchanged "
           f"({time.monotonic() - start:.0f} s)")
    return 0
