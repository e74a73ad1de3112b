# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Command line: one verb, one function."""
import argparse
import signal
import sys

from . import qemu, ui


def _on_term(_signo, _frame):
    raise KeyboardInterrupt


def _build(args):
    if args.qemu_src:
        qemu.set_origin(args.qemu_src)
    qemu.build(with_tests=True)
    return 0


def main(argv):
    parser = argparse.ArgumentParser(prog="rsmlab")
    verbs = parser.add_subparsers(dest="verb", required=True)
    b = verbs.add_parser("build")
    b.add_argument("part", nargs="?", default="all")
    b.add_argument("--qemu-src")
    b.set_defaults(func=_build)
    args = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, _on_term)
    signal.signal(signal.SIGHUP, _on_term)
    try:
        return args.func(args)
    except ui.Failure as e:
        print(f"rsmlab: {e}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("rsmlab: interrupted", file=sys.stderr)
        return 130
