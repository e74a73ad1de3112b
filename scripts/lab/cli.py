# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Command line of the lab tool: one verb, one function of verbs.py."""
import argparse
import os
import signal
import sys

from . import (bare, coverage, demo, fuzz, kernel, matrix, node, paths, power, status, testrun,
               transfer, ui, verbs)

DESCRIPTION = "Build, boot and test an emulated SCI interconnect."
EPILOG = """\
from nothing to two nodes:
  rsmlab demo                    set up, build, boot, pass ten messages
  rsmlab up -n 2                 boot two nodes and leave them running
  rsmlab exec 1 -- uname -a      run a command in node 1
  rsmlab console 2               the serial console of node 2 (Ctrl-] leaves)
  rsmlab link 1 2 down           break the link between nodes 1 and 2
  rsmlab kill 2                  node 2 dies; `rsmlab start 2` brings it back
  rsmlab reload                  rebuild the modules, replace them in the nodes
  rsmlab down                    end the nodes

environment:
  RSMLAB_BUILD   build tree (default: build/ of the source tree)
  RSMLAB_JOBS    parallel jobs (default: all CPUs)
  RSMLAB_ACCEL   tcg (default) or kvm
  RSMLAB_LAB     name of the lab (default: default)
  RSMLAB_QEMU    as --qemu
  RSMLAB_MIRROR  Debian mirror, and one for security updates (default: those of this host)
"""

EXEC_EPILOG = """\
The exit status is that of the command, or 128 + the signal that killed it.

Standard input is passed on, and what the command did not read stays for the
next reader:
  file       its offset is behind what the command consumed
  pipe       what the command did not consume is still in it, if nobody else
             reads it meanwhile. A full one that holds up its writer is made
             larger, up to 1 MiB; if it is full again, what was read is gone.
  terminal   read while rsmlab is in the foreground; lines that were read are gone
  others     what was read is gone
/dev/null and a closed standard input are an empty one, as -n is.
"""


def _verb(verbs_parser, name, func, text, **kwargs):
    sub = verbs_parser.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".",
                                  **kwargs)
    sub.set_defaults(func=func)
    return sub


def _kernel_option(sub):
    sub.add_argument("--kernel", choices=kernel.KERNELS, default=paths.default_kernel(),
                     help="guest kernel series (default: %(default)s)")
    sub.add_argument("--debug-kernel", action="store_const", dest="kernel", const=kernel.DEBUG,
                     help="the kernel with KASAN, lockdep and kmemleak, as --kernel debug")


def _source_option(sub):
    sub.add_argument("--qemu-src", metavar="DIR|debian[:SUITE]",
                     help="QEMU source to use from now on: a tree (copied, never changed) "
                          "or Debian's package of a suite (default: debian:trixie)")


def _qemu_option(sub):
    sub.add_argument("--qemu", metavar="debian|tree|PATH",
                     help="which QEMU: Debian's with the device as a module (default on Debian), "
                          "built from source with the device in it, or another one of a version "
                          "that a module was built for")


def _build_verbs(add):
    s = _verb(add, "setup", verbs.setup, "install and download what building needs")
    _source_option(s)
    _kernel_option(s)
    _qemu_option(s)
    s.add_argument("--upgrade", action="store_true", help="look for newer versions of all parts")
    s = _verb(add, "build", verbs.build, "build all or one part, and the SDK in build/sdk")
    s.add_argument("part", nargs="?", default="all",
                   choices=["device", "modules", "host", "image", "all"])
    _source_option(s)
    _qemu_option(s)
    _kernel_option(s)
    s = _verb(add, "demo", demo.main, "set up, build, boot two nodes and pass ten messages")
    _qemu_option(s)
    _kernel_option(s)
    s = _verb(add, "test", testrun.main, "build all and run the tests")
    s.add_argument("--suite", action="append", choices=testrun.SUITES, metavar="SUITE",
                   help=f"only this suite (repeatable): {', '.join(testrun.SUITES)}")
    _qemu_option(s)
    _kernel_option(s)
    s = _verb(add, "build-matrix", matrix.main,
              "compile the modules against the kernel headers of Debian's suites, run sparse "
              "and checkpatch")
    s.add_argument("--suite", action="append", choices=matrix.SUITES, metavar="SUITE",
                   help=f"only this suite (repeatable; default: {', '.join(matrix.SUITES)})")
    s = _verb(add, "bare", bare.main, "try demo and test on Debian systems with nothing "
              "installed, as root")
    s.add_argument("suites", nargs="*", metavar="SUITE",
                   help=f"of these (default: {' '.join(bare.SUITES)})")
    s.add_argument("--run", action="append", metavar="COMMAND",
                   help="instead of demo and test (repeatable; e.g. 'test --suite abi')")
    s = _verb(add, "coverage", coverage.main,
              "run suites with counters in all that is ours, show the lines they execute")
    s.add_argument("--suite", action="append", choices=testrun.SUITES, metavar="SUITE",
                   help=f"only this suite (repeatable; default: {', '.join(coverage.SUITES)})")
    s = _verb(add, "fuzz", fuzz.main, "run QEMU's fuzzer on the device")
    s.add_argument("--minutes", type=_positive, default=30, metavar="N",
                   help="how long (default: %(default)s)")
    s.add_argument("--seed", type=_positive, metavar="S",
                   help="of the fuzzer's choices (default: another one each time)")
    s.add_argument("--target", choices=list(fuzz.SHARES), metavar="TARGET",
                   help=f"only this one: {', '.join(fuzz.SHARES)}")
    s.add_argument("--input", metavar="FILE", help="run this input once instead")
    s.add_argument("--coverage", action="store_true",
                   help="show which part of the device all inputs reach, per file")


def _lab_verb(add, name, func, text, **kwargs):
    sub = _verb(add, name, func, text, **kwargs)
    sub.add_argument("--lab", metavar="NAME",
                     help="of which lab (default: RSMLAB_LAB, or `default`)")
    return sub


def _up_verb(add):
    s = _lab_verb(add, "up", verbs.up, "boot nodes and leave them running")
    s.add_argument("-n", "--nodes", type=int, default=2, help="how many (default: 2)")
    s.add_argument("--memory", type=_positive, metavar="MIB",
                   help="memory of a node (default: 256, with the debug kernel "
                        f"{kernel.memory(kernel.DEBUG)})")
    s.add_argument("--cpus", type=_positive, default=1, metavar="N",
                   help="processors of a node (default: 1)")
    s.add_argument("--accel", choices=node.ACCELERATORS,
                   help="how QEMU runs the guests (default: RSMLAB_ACCEL, or tcg)")
    s.add_argument("--window", type=int, default=0, metavar="MIB",
                   help="remote window of an adapter, a power of two (default: 256)")
    s.add_argument("--adapters", type=int, default=1, metavar="N",
                   help="adapters of each node, sci0 and on, each on a fabric of its own "
                        "(default: 1)")
    s.add_argument("--overcommit", action="store_true",
                   help="start them although memory may not be enough for all")
    s.add_argument("--qemu-arg", action="append", default=[], metavar="ARG",
                   help="one more argument for QEMU, where {node} is the number of the node "
                        "(repeatable; --qemu-arg=-gdb --qemu-arg=tcp::123{node})")
    _qemu_option(s)
    _kernel_option(s)


def _node_verbs(add):
    """Verbs for one node at a time."""
    for name, func, text in (
            ("kill", power.kill, "end a node as by a power cut; its files stay"),
            ("start", power.start, "start a node that ended, with the options it had"),
            ("reboot", power.reboot, "end a node and start it with what is built now"),
            ("resume", power.resume, "let a paused node go on")):
        s = _lab_verb(add, name, func, text)
        s.add_argument("node", help="its number, or `all`")
    s = _lab_verb(add, "pause", power.pause, "stop the processors of a node")
    s.add_argument("node", help="its number, or `all`")
    s.add_argument("--process", action="store_true",
                   help="stop the whole process of QEMU, as on a host that hangs")
    s = _lab_verb(add, "qmp", power.qmp, "give a command to a node's QEMU (QMP), print the answer")
    s.add_argument("node", type=int)
    s.add_argument("command", help="for example query-status")
    s.add_argument("argument", nargs="*", metavar="NAME=VALUE",
                   help="an argument of the command; or all of them as one JSON object")
    s = _lab_verb(add, "link", verbs.link, "take a node's end of a link up or down; a link is up "
                  "only if neither end has taken it down")
    s.add_argument("node", type=int, help="the node that does it")
    s.add_argument("peer", help="the node at the other end, or `all`")
    s.add_argument("state", choices=["up", "down"])
    s.add_argument("--adapter", type=int, default=0, metavar="K",
                   help="of which adapter, sciK (default: 0)")


def _guest_verbs(add):
    """Verbs that look into a node."""
    s = _lab_verb(add, "console", verbs.run_console,
                  "connect this terminal to a node's serial console; Ctrl-] leaves it")
    s.add_argument("node", type=int)
    s = _lab_verb(add, "logs", verbs.logs, "show a node's log")
    s.add_argument("node", type=int)
    s.add_argument("which", nargs="?", default="kernel", choices=["kernel", "console", "qemu"])
    s.add_argument("-f", "--follow", action="store_true", help="go on as it grows")
    s = _lab_verb(add, "exec", verbs.execute,
                  "run a command in a node: its streams, its exit status", epilog=EXEC_EPILOG,
                  formatter_class=argparse.RawDescriptionHelpFormatter)
    s.add_argument("-n", "--no-stdin", action="store_true", help="do not pass standard input on")
    s.add_argument("node", type=int)
    s.add_argument("command", nargs=argparse.REMAINDER, metavar="[--] CMD ARG...")
    s = _lab_verb(add, "push", transfer.push, "copy files into a node")
    s.add_argument("node", type=int)
    s.add_argument("file", nargs="+", metavar="FILE... [DEST/]",
                   help="files or directories; DEST/ is a directory in the node (default: /root/)")
    s = _lab_verb(add, "pull", transfer.pull, "copy files out of a node")
    s.add_argument("node", type=int)
    s.add_argument("file", nargs="+", metavar="FILE... [DEST/]",
                   help="files or directories in the node; DEST/ is a directory of the host "
                        "(default: the current one)")


def _lab_verbs(add):
    _up_verb(add)
    _lab_verb(add, "down", verbs.down, "end all nodes of a lab and remove its directory")
    s = _lab_verb(add, "status", status.status, "show nodes, node ids, processes and links")
    s.add_argument("--json", action="store_true", help="as JSON")
    s.add_argument("--all", action="store_true", help="of all labs of this build tree")
    _node_verbs(add)
    _guest_verbs(add)
    s = _lab_verb(add, "reload", verbs.reload,
                  "rebuild the modules and replace them in all running nodes")
    s.add_argument("--device", action="store_true",
                   help="rebuild the device as well, and reboot the nodes with both")
    _kernel_option(s)


def _positive(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


def _to_environment(args):
    """Choices that hold for everything this run starts."""
    for option, name in (("lab", "RSMLAB_LAB"), ("accel", "RSMLAB_ACCEL"),
                         ("qemu", "RSMLAB_QEMU")):
        if getattr(args, option, None):
            os.environ[name] = getattr(args, option)


def _on_signal(_signo, _frame):
    raise KeyboardInterrupt


def main(argv):
    parser = argparse.ArgumentParser(prog="rsmlab", description=DESCRIPTION, epilog=EPILOG,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    _build_verbs(add)
    _lab_verbs(add)
    args = parser.parse_args(argv)
    for signo in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signo, _on_signal)
    try:
        _to_environment(args)
        return args.func(args)
    except ui.Failure as e:
        print(f"rsmlab: {e}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
    except KeyboardInterrupt:
        print("rsmlab: interrupted", file=sys.stderr)
        return 130
