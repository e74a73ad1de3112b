# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""`bare`: what the README promises, tried on a Debian with nothing installed.

Each suite is installed below build/bare by debootstrap, gets what is committed, and
runs the commands in mount and pid namespaces of its own: their end unmounts and ends
all that was begun there. apt goes where this host's goes.
"""
import os
import pathlib
import re
import shlex
import shutil
import time

from . import distro, paths, prepare, sources, steps, ui

SUITES = distro.RELEASES
COMMANDS = ("demo", "test")
CHECKOUT = "root/sci-rsm"

# No chroot: in one, a user namespace cannot be had. The shell stays as the parent of the
# processes that lose theirs.
NAMESPACE = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", """\
root=$1; shift
mount --make-rprivate / &&
mount --bind "$root" "$root" &&
mount -t proc proc "$root/proc" &&
mount --rbind /dev "$root/dev" &&
mount -t tmpfs tmpfs "$root/dev/shm" &&
mount -t tmpfs tmpfs "$root/tmp" &&
cd "$root" && pivot_root . mnt && cd / && umount -l /mnt && "$@"
exit $?
""", "enter"]
PRIVATE = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]

# Of apt's configuration, what says how to get there: no files, no programs of this host.
ACQUIRE = re.compile(r"^Acquire::(?!IndexTargets|CompressionTypes|Changelogs|.*Detect).*;$", re.M)
PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy")


def _root(suite):
    return paths.BUILD / "bare" / suite


def _plain(uri):
    """An address that debootstrap can follow, too."""
    if uri.startswith("mirror+file:"):
        listed = pathlib.Path("/" + uri.partition(":")[2].lstrip("/"))
        uri = next((line.split()[0] for line in listed.read_text(encoding="utf-8").splitlines()
                    if line.strip() and not line.startswith("#")), uri)
    if not uri.startswith(("http://", "https://", "file:")):
        raise ui.Failure(f"debootstrap cannot follow {uri}; name a mirror, RSMLAB_MIRROR=URL")
    return uri


def _debootstrap(suite):
    entry = sources.entries_for(suite)[0]
    key = entry.options.get("Signed-By", "")
    command = ["debootstrap", "--variant=minbase", "--arch=amd64",
               f"--cache-dir={paths.BUILD / 'bare' / 'cache'}"]
    if entry.options.get("Trusted", "").lower() in ("yes", "true"):
        command.append("--no-check-gpg")
    elif key.startswith("/"):
        command.append(f"--keyring={key.split()[0]}")
    if any(e.uri.partition("+")[2].startswith("https") or e.uri.startswith("https")
           for e in sources.entries_for(suite)):
        command.append("--include=ca-certificates")
    (paths.BUILD / "bare" / "cache").mkdir(parents=True, exist_ok=True)
    ui.run(f"bare {suite}: debootstrap",
           [*PRIVATE, *command, suite, _root(suite), _plain(entry.uri)], f"bare-{suite}")


def _copy(root, path):
    """A file or directory of this host, where the system has none of its own."""
    path = pathlib.Path(path)
    to = root / str(path).lstrip("/")
    if path.is_dir():
        for inner in path.iterdir():
            _copy(root, inner)
    elif path.is_file() and not to.exists():
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, to)


def _lead_apt(suite):
    """Sources, keys, passwords and proxies of this host."""
    root = _root(suite)
    (root / "etc/apt/sources.list").unlink(missing_ok=True)
    paths.write_atomic(root / "etc/apt/sources.list.d/debian.sources", sources.text_for(suite))
    settings = ACQUIRE.findall(ui.output(["apt-config", "dump"]))
    paths.write_atomic(root / "etc/apt/apt.conf.d/90host", "\n".join(settings) + "\n")
    files = ["/etc/apt/trusted.gpg.d", "/etc/apt/auth.conf", "/etc/apt/auth.conf.d"]
    for entry in sources.entries_for(suite):
        files += [word for word in entry.options.get("Signed-By", "").split() if word[0] == "/"]
        if entry.uri.startswith("mirror+file:"):
            files.append("/" + entry.uri.partition(":")[2].lstrip("/"))
    for name in files:
        _copy(root, name)
    for name in ("resolv.conf", "hosts"):
        (root / "etc" / name).unlink(missing_ok=True)
        _copy(root, f"/etc/{name}")


def _check_out(suite):
    """What is committed, without its history."""
    archive = paths.BUILD / "bare" / "checkout.tar"
    git = ["git", "-c", f"safe.directory={paths.TOP}", "-C", paths.TOP]
    ui.output([*git, "archive", "-o", archive, "HEAD"])
    if ui.output([*git, "status", "--porcelain", "--untracked-files=no"]):
        ui.warn("what is not committed is left out")
    (_root(suite) / CHECKOUT).mkdir(parents=True)
    ui.output(["tar", "-xf", archive, "-C", _root(suite) / CHECKOUT])
    archive.unlink()


def _install(suite):
    root = _root(suite)
    for mounted in (root / "proc", root / "dev", root / "tmp"):
        if os.path.ismount(mounted):
            raise ui.Failure(f"something is mounted on {mounted}")
    shutil.rmtree(root, ignore_errors=True)
    _debootstrap(suite)
    _lead_apt(suite)
    _check_out(suite)


def _run(suite, command):
    """Whether `rsmlab COMMAND` succeeded there; prints the time and its last line."""
    words = shlex.split(command)
    log = f"bare-{suite}-{words[0]}"
    proxies = [f"{name}={os.environ[name]}" for name in PROXIES if name in os.environ]
    argv = [*NAMESPACE, _root(suite), "/usr/bin/env", "-i", "HOME=/root", "TERM=dumb",
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", *proxies,
            f"/{CHECKOUT}/scripts/rsmlab", *words]
    start = time.monotonic()
    status = 0
    try:
        ui.run(f"bare {suite}: rsmlab {command}", argv, log)
    except ui.Failure as e:
        ui.warn(str(e))
        status = 1
    text = (paths.LOGS / f"{log}.log").read_text(encoding="utf-8", errors="replace")
    last = text.strip().splitlines()[-1]
    ui.say(f"{'FAILED' if status else 'ok':7}{suite}: rsmlab {command}: "
           f"{time.monotonic() - start:.0f} s: {last}")
    return not status


def main(args):
    if os.geteuid() != 0:
        raise ui.Failure("bare installs whole systems: it needs root")
    for suite in args.suites:
        if suite not in SUITES:
            raise ui.Failure(f"{suite}: not one of {', '.join(SUITES)}")
    prepare.install("bare")
    good = True
    for suite in args.suites or SUITES:
        with steps.locked(f"bare-{suite}"):
            _install(suite)
            # The second command finds what the first has built, as a person's would.
            passed = all([_run(suite, command) for command in args.run or COMMANDS])
            good = good and passed
            if passed:
                shutil.rmtree(_root(suite))
            else:
                ui.say(f"{_root(suite)} is kept")
    return 0 if good else 1
