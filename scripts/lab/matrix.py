# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""`build-matrix`: our modules against the kernel headers of Debian's suites.

The tools in the headers of a newer suite do not run with this host's libc, and
its kernels want a compiler of their own. So each suite gets a root of its own:
headers, compiler and make of that suite, unpacked, not installed, and entered by
chroot in a mount (and, without root, a user) namespace.

Sparse comes from the newest suite for all of them, with its libc: backports bring
kernels whose headers the release's own sparse cannot parse.
"""
import collections
import os
import re
import shutil

from . import apt, debugkernel, kernel, paths, prepare, steps, ui

SUITES = ("bookworm", "bookworm-backports", "trixie", "trixie-backports", "forky", "sid")
PACKAGES = ["linux-headers-amd64", "make", "gcc", "perl", "dash", "coreutils", "sed", "grep",
            "findutils", "mawk", "base-files"]
# Nothing of the root is needed but what runs in it: no maintainer script has run there.
LINKS = {"usr/bin/awk": "mawk", "usr/bin/sh": "dash"}

# Modules outside the kernel's tree need kernel versions, which it does not like and takes
# for a constant on the left; table rows are no functions; a uapi header has no BIT_ULL().
CHECKPATCH_IGNORE = ["--ignore", "LINUX_VERSION_CODE,CONSTANT_COMPARISON,MACRO_ARG_REUSE,BIT_MACRO"]

# A program may define RSM_PERM_RDWR again, in these very characters.
CHECKPATCH_AS_IS = r"rsm_errno\.h:\d+: CHECK: spaces preferred around that '\|'"

SPARSE_SUITE = "sid"
SPARSE_PACKAGES = ["sparse", "libc6"]
# In a root, where its libc is not the root's.
SPARSE = ("/sparse/usr/lib64/ld-linux-x86-64.so.2 "
          "--library-path /sparse/usr/lib/x86_64-linux-gnu /sparse/usr/bin/sparse")

ENTER = """
root=$1; sparse=$2; shift 2
bind() {
	mkdir -p "$root/$2" && mount --rbind "$1" "$root/$2" || exit
}
bind /dev dev
bind /proc proc
bind "$sparse" sparse
exec chroot "$root" /usr/bin/env -i PATH=/usr/bin:/bin LC_ALL=C.UTF-8 "$@"
"""

Result = collections.namedtuple("Result", "suite release compiler problems")


def _root(suite):
    return paths.BUILD / "matrix" / suite


def _merge_usr(root):
    """Older suites have /bin and /lib apart; the tools expect one of them."""
    for name in ("bin", "sbin", "lib", "lib64"):
        old = root / name
        if old.is_dir() and not old.is_symlink():
            shutil.copytree(old, root / "usr" / name, symlinks=True, dirs_exist_ok=True)
            shutil.rmtree(old)
        if not old.is_symlink():
            old.symlink_to(f"usr/{name}")


def _fetch(suite):
    name = f"matrix-{suite}"
    key = steps.key_of(_root(suite), *PACKAGES)
    if steps.done(name, key):
        return
    apt_root = apt.Root(suite)
    apt_root.fetch(f"headers and compiler of {suite}", apt_root.closure(PACKAGES), _root(suite))
    _merge_usr(_root(suite))
    for link, target in LINKS.items():
        path = _root(suite) / link
        path.unlink(missing_ok=True)
        path.symlink_to(target)
    # Newer kernels ask this script whether sparse is good enough, but Debian's
    # headers leave it out.
    for scripts in (_root(suite) / "usr" / "src").glob("linux-headers-*-common/scripts"):
        script = scripts.resolve() / "checker-valid.sh"
        if not script.exists():
            script.write_text("#!/bin/sh\necho 1\n", encoding="utf-8")
            script.chmod(0o755)
    steps.mark(name, key)


def _fetch_sparse():
    key = steps.key_of(SPARSE_SUITE, *SPARSE_PACKAGES)
    if not steps.done("matrix-sparse", key):
        apt.Root(SPARSE_SUITE).fetch(f"sparse of {SPARSE_SUITE}", SPARSE_PACKAGES,
                                     _root("sparse"))
        steps.mark("matrix-sparse", key)


def _run(suite, label, log, argv):
    root = _root(suite)
    isolate = ["unshare", "--mount"] + ([] if os.geteuid() == 0 else ["--map-root-user"])
    ui.run(label, [*isolate, "sh", "-c", ENTER, "enter", root, _root("sparse"),
                   *argv], log, ok=(0, 2))


def _problems(log):
    """Lines of LOG that make a build one with problems."""
    text = (paths.LOGS / f"{log}.log").read_text(encoding="utf-8", errors="replace")
    found = [line for line in text.splitlines() if kernel.PROBLEM.search(line)]
    return found if re.search(r"^\s+CHECK ", text, re.M) else [*found, "sparse did not run"]


def _build(suite):
    """Compile in the suite's root, from a fresh copy: W=1, then with sparse."""
    root = _root(suite)
    headers = sorted((root / "usr" / "src").glob("linux-headers-*-amd64"))
    if not headers:
        raise ui.Failure(f"linux-headers-amd64 of {suite} brought no headers")
    release = headers[-1].name.removeprefix("linux-headers-")
    shutil.rmtree(root / "work", ignore_errors=True)
    ui.output(["make", "-C", paths.GUEST_DRIVER, "copy", f"O={root / 'work'}"])
    log = f"matrix-{suite}"
    _run(suite, f"modules for {release} ({suite})", log,
         ["make", "-j", paths.JOBS, "-C", f"/usr/src/{headers[-1].name}",
          "M=/work/guest-driver", "W=1", "C=2", f"CHECK={SPARSE}", "--keep-going", "modules"])
    compiler = _compiler(root / "work" / "guest-driver" / "rsm" / "rsm.ko")
    return Result(suite, release, compiler, _problems(log))


def _compiler(module):
    if not module.exists():
        return ""
    found = re.search(rb"GCC: \([^)]*\) [0-9.]+", module.read_bytes())
    return found[0].decode() if found else ""


def checkpatch():
    """What the kernel's checkpatch says about the driver's sources."""
    debugkernel.fetch()
    sources = sorted(p for p in paths.GUEST_DRIVER.rglob("*.[ch]") if not p.name.endswith(".mod.c"))
    log = "checkpatch"
    ui.run("checkpatch", ["perl", debugkernel.SOURCE / "scripts" / "checkpatch.pl", "--no-tree",
                          "--terse", "--no-summary", "--strict", "--file", *CHECKPATCH_IGNORE,
                          *sources], log, ok=(0, 1))
    text = (paths.LOGS / f"{log}.log").read_text(encoding="utf-8", errors="replace")
    return [line for line in text.splitlines() if re.search(r": (ERROR|WARNING|CHECK): ", line)
            and not re.search(CHECKPATCH_AS_IS, line)]


def main(args):
    prepare.install("matrix")
    results, failed = [], 0
    with steps.locked("matrix-sparse"):
        _fetch_sparse()
    for suite in args.suite or SUITES:
        with steps.locked(f"matrix-{suite}"):
            _fetch(suite)
            results.append(_build(suite))
    said = checkpatch()
    for result in results:
        ok = result.compiler and not result.problems
        failed += not ok
        ui.say(f"{'ok' if ok else 'FAILED':7}{result.release:28} {result.suite:20} "
               f"{result.compiler}")
        for line in result.problems[:20]:
            ui.say(f"  | {line}")
    ui.say(f"{'FAILED' if said else 'ok':7}checkpatch")
    for line in said[:40]:
        ui.say(f"  | {line}")
    return 1 if failed or said else 0
