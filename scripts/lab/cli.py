# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Command line of the lab tool: one verb, one function of verbs.py."""
import argparse
import os
import signal
import sys

from . import coverage, demo, kernel, matrix, paths, testrun, ui, verbs

DESCRIPTION = "Build, boot and test an emulated SCI interconnect."
EPILOG = """\
from nothing to two nodes:
  rsmlab demo                    set up, build, boot, pass ten messages
  rsmlab up -n 2                 boot two nodes and leave them running
  rsmlab exec 1 -- uname -a      run a command in node 1
  rsmlab console 2               the serial console of node 2 (Ctrl-] leaves)
  rsmlab link 1 2 down           break the link between nodes 1 and 2
  rsmlab reload                  rebuild the modules, replace them in the nodes
  rsmlab down                    end the nodes

environment:
  RSMLAB_BUILD   build tree (default: build/ of the source tree)
  RSMLAB_JOBS    parallel jobs (default: all CPUs)
  RSMLAB_ACCEL   tcg (default) or kvm
  RSMLAB_MIRROR  Debian mirror (default: the one this host uses)
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


def _build_verbs(add):
    s = _verb(add, "setup", verbs.setup, "install and download what building needs")
    _source_option(s)
    _kernel_option(s)
    s.add_argument("--upgrade", action="store_true", help="look for newer versions of all parts")
    s = _verb(add, "build", verbs.build, "build all or one part, and the SDK in build/sdk")
    s.add_argument("part", nargs="?", default="all",
                   choices=["qemu", "modules", "host", "image", "all"])
    _source_option(s)
    _kernel_option(s)
    s = _verb(add, "demo", demo.main, "set up, build, boot two nodes and pass ten messages")
    _kernel_option(s)
    s = _verb(add, "test", testrun.main, "build all and run the tests")
    s.add_argument("--suite", action="append", choices=testrun.SUITES, metavar="SUITE",
                   help=f"only this suite (repeatable): {', '.join(testrun.SUITES)}")
    _kernel_option(s)
    s = _verb(add, "build-matrix", matrix.main,
              "compile the modules against the kernel headers of Debian's suites, run sparse "
              "and checkpatch")
    s.add_argument("--suite", action="append", choices=matrix.SUITES, metavar="SUITE",
                   help=f"only this suite (repeatable; default: {', '.join(matrix.SUITES)})")
    s = _verb(add, "coverage", coverage.main,
              "run suites with counters in all that is ours, show the lines they execute")
    s.add_argument("--suite", action="append", choices=testrun.SUITES, metavar="SUITE",
                   help=f"only this suite (repeatable; default: {', '.join(coverage.SUITES)})")


def _lab_verbs(add):
    s = _verb(add, "up", verbs.up, "boot nodes and leave them running")
    s.add_argument("-n", "--nodes", type=int, default=2, help="how many (default: 2)")
    s.add_argument("--memory", type=int, metavar="MIB",
                   help="memory of a node (default: 256, with the debug kernel "
                        f"{kernel.memory(kernel.DEBUG)})")
    s.add_argument("--window", type=int, default=0, metavar="MIB",
                   help="remote window of an adapter, a power of two (default: 256)")
    s.add_argument("--adapters", type=int, default=1, metavar="N",
                   help="adapters of each node, sci0 and on, each on a fabric of its own "
                        "(default: 1)")
    s.add_argument("--qemu-arg", action="append", default=[], metavar="ARG",
                   help="one more argument for QEMU (repeatable; --qemu-arg=-s)")
    _kernel_option(s)
    _verb(add, "down", verbs.down, "end all nodes and remove the run directory")
    _verb(add, "status", verbs.status, "show nodes, node ids, processes and links")
    s = _verb(add, "link", verbs.link, "take a node's end of a link up or down; a link is up "
              "only if neither end has taken it down")
    s.add_argument("node", type=int, help="the node that does it")
    s.add_argument("peer", help="the node at the other end, or `all`")
    s.add_argument("state", choices=["up", "down"])
    s.add_argument("--adapter", type=int, default=0, metavar="K",
                   help="of which adapter, sciK (default: 0)")
    s = _verb(add, "console", verbs.run_console,
              "connect this terminal to a node's serial console; Ctrl-] leaves it")
    s.add_argument("node", type=int)
    s = _verb(add, "logs", verbs.logs, "show a node's log")
    s.add_argument("node", type=int)
    s.add_argument("which", nargs="?", default="kernel", choices=["kernel", "console", "qemu"])
    s.add_argument("-f", "--follow", action="store_true", help="go on as it grows")
    s = _verb(add, "exec", verbs.execute, "run a command in a node: its streams, its exit status",
              epilog=EXEC_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter)
    s.add_argument("-n", "--no-stdin", action="store_true", help="do not pass standard input on")
    s.add_argument("node", type=int)
    s.add_argument("command", nargs=argparse.REMAINDER, metavar="[--] CMD ARG...")
    s = _verb(add, "push", verbs.push, "copy files into a node")
    s.add_argument("node", type=int)
    s.add_argument("file", nargs="+", metavar="FILE... [DEST/]",
                   help="files or directories; DEST/ is a directory in the node (default: /root/)")
    s = _verb(add, "reload", verbs.reload,
              "rebuild the modules and replace them in all running nodes")
    _kernel_option(s)


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
