# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Around a run of the command line: what would end it in a traceback is one line.

Called by rsmlab.py, calls cli.py. Before: streams that take any text, a build tree
that the tools can work in. After: an error that nothing expected.
"""
import os
import pathlib
import pwd
import re
import sys
import traceback

# What make, LD_PRELOAD and QEMU's options take as it is in the path of the build tree.
FIT = re.compile(r"[\w./+@~=-]*")

# Verbs that write to the build tree.
WRITING = ("setup", "build", "demo", "test", "reload", "coverage", "build-matrix", "bare",
           "fuzz")


class Refused(Exception):
    """The run cannot begin; the text says why."""


def take_any_text():
    """In a locale that cannot show a character, show its code."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.reconfigure(errors="backslashreplace")


def unfit(path):
    """Why PATH cannot be the build tree, or an empty string."""
    if FIT.fullmatch(str(path)):
        return ""
    bad = "".join(sorted(set(FIT.sub("", str(path)))))
    return (f"the build tree cannot be {path}: not all tools can work below a path with {bad!r}; "
            "name another place, RSMLAB_BUILD=DIR")


def _shallow(tree):
    """TREE, what is in it, its stamps and logs: where every run leaves something."""
    yield tree
    for folder in (tree, tree / "stamp", tree / "log"):
        try:
            yield from folder.iterdir()
        except OSError:
            continue


def _owner(path):
    try:
        return os.lstat(path).st_uid
    except OSError:
        return os.geteuid()


def _user(uid):
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def foreign(tree):
    """Which files of the build tree belong to somebody else, and what to do; or ''."""
    me = os.geteuid()
    theirs = [path for path in _shallow(tree) if _owner(path) != me] if me else []
    if not theirs:
        return ""
    more = f" and {len(theirs) - 1} more there belong" if len(theirs) > 1 else " belongs"
    return (f"{theirs[0]}{more} to {_user(_owner(theirs[0]))}; "
            f"take them over: sudo chown -R {_user(me)} {tree}")


def _keep_traceback():
    """Where the traceback of the current exception is to be found, if anywhere."""
    try:
        from . import paths
        log = paths.LOGS / "traceback.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(traceback.format_exc(), encoding="utf-8", errors="backslashreplace")
    except Exception:       # the first error is the one to be shown
        return ""
    return f" (traceback: {log})"


def _explain(e):
    """One line about an error that nothing expected."""
    if isinstance(e, PermissionError) and e.filename:
        from . import paths
        path = pathlib.Path(os.fsdecode(e.filename))
        nearest = path if os.path.lexists(path) else path.parent
        uid = _owner(nearest)
        if path.is_relative_to(paths.BUILD) and uid != os.geteuid():
            return (f"{nearest} belongs to {_user(uid)}; "
                    f"take it over: sudo chown -R {_user(os.geteuid())} {paths.BUILD}")
    if isinstance(e, OSError) and e.strerror:
        return e.strerror + "".join(f": {os.fsdecode(name)}" for name in (e.filename, e.filename2)
                                    if isinstance(name, (str, bytes)))
    text = " ".join(str(e).split())
    return f"{type(e).__name__}{': ' if text else ''}{text}"


def _run(argv):
    from . import cli, paths
    if argv and argv[0] in WRITING and not {"-h", "--help"} & set(argv):
        why = unfit(paths.BUILD) or foreign(paths.BUILD)
        if why:
            raise Refused(why)
    return cli.main(argv)


def main(argv):
    """The exit status of the tool."""
    take_any_text()
    try:
        return _run(argv)
    except KeyboardInterrupt:
        print("rsmlab: interrupted", file=sys.stderr)
        return 130
    except Refused as e:
        print(f"rsmlab: {e}", file=sys.stderr)
    except Exception as e:
        print(f"rsmlab: {_explain(e)}{_keep_traceback()}", file=sys.stderr)
    return 1
