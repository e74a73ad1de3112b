# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""The guest's kernel: Debian's image and headers, and our modules for it.

Both packages are unpacked, not installed. The modules are built in a mirror of
the sources made of symbolic links, because Kbuild writes next to them. The
kernel named "debug" is built here, debugkernel.py says how.
"""
import os
import pathlib
import re
import shutil

from . import apt, debugkernel, paths, steps, ui

DEBUG = debugkernel.NAME
KERNELS = ("6.1", "6.12", DEBUG)
PROBLEM = re.compile(r"\b(warning|error):|^(WARNING|ERROR): modpost|\*\*\* ", re.I)
LINKED = [paths.GUEST_DRIVER, paths.QEMU_DEVICE / "include"]


def _suite(kernel):
    """Suite whose headers' tools run on this host."""
    if kernel == "6.1":
        return "bookworm"
    return "bookworm-backports" if paths.host_release() == "bookworm" else "trixie"


def directory(kernel):
    return paths.per_kernel("kernel", kernel)


def stock_modules(kernel):
    """The stock kernel's modules: below /lib, or /usr/lib in later releases."""
    if kernel == DEBUG:
        return debugkernel.modules()
    found = sorted(directory(kernel).glob("lib/modules/*")) or \
        sorted(directory(kernel).glob("usr/lib/modules/*"))
    if not found:
        raise ui.Failure(f"no kernel in {directory(kernel)}; run `rsmlab setup`")
    return found[-1]


def release(kernel):
    """What uname -r says in a guest that runs it."""
    return stock_modules(kernel).name


def vmlinuz(kernel):
    if kernel == DEBUG:
        return debugkernel.vmlinuz()
    return directory(kernel) / "boot" / f"vmlinuz-{release(kernel)}"


def headers(kernel):
    if kernel == DEBUG:
        return debugkernel.OBJECTS
    return directory(kernel) / "usr" / "src" / f"linux-headers-{release(kernel)}"


def memory(kernel):
    """MiB a node gets unless told otherwise."""
    return debugkernel.MEMORY if kernel == DEBUG else 256


def cmdline(kernel):
    """What is added to the command line of every kernel."""
    return f" {debugkernel.CMDLINE}" if kernel == DEBUG else ""


def slowness(kernel):
    """Factor for deadlines in a guest; the environment may stretch them further."""
    factor = os.environ.get("RSMLAB_SLOWNESS")
    if not factor:
        return debugkernel.SLOWNESS if kernel == DEBUG else 1
    try:
        value = float(factor)
    except ValueError:
        value = 0
    if not 0 < value < 1000:
        raise ui.Failure(f"RSMLAB_SLOWNESS={factor}: not a number above 0 and below 1000")
    return value


def _unpack(kernel):
    root = apt.Root(_suite(kernel))
    image = [p for p in root.depends("linux-image-amd64") if p.startswith("linux-image-")]
    header = [p for p in root.depends("linux-headers-amd64") if p.startswith("linux-headers-")]
    parts = [p for h in header for p in root.depends(h)
             if p.startswith(("linux-headers-", "linux-kbuild-"))]
    root.fetch(f"linux {kernel}", image + header + parts, directory(kernel))
    # The packages expect to be installed: one makefile and two links are absolute. They
    # become relative, so that a build tree can be moved.
    for makefile in (directory(kernel) / "usr" / "src").glob("linux-headers-*/Makefile"):
        text = makefile.read_text(encoding="utf-8")
        makefile.write_text(text.replace("include /usr/src/", "include ../"), encoding="utf-8")
    # With it the modules would need type information (BTF) and pahole to make it.
    (headers(kernel) / "vmlinux").unlink(missing_ok=True)
    for link in stock_modules(kernel).iterdir():
        if link.is_symlink():
            target = directory(kernel) / os.readlink(link).lstrip("/")
            link.unlink()
            link.symlink_to(os.path.relpath(target, link.parent))


def fetch(kernel):
    """Have the kernel and what modules are built against; the debug kernel is built."""
    if kernel == DEBUG:
        debugkernel.build()
        return
    name = f"kernel-{kernel}"
    key = steps.key_of(_suite(kernel), "relative")
    with steps.locked(name):
        if not steps.done(name, key):
            _unpack(kernel)
            steps.mark(name, key)


def _mirror(source, dest):
    """Make DEST's sources links to those of SOURCE; leave what make built there."""
    wanted = {}
    for path in source.rglob("*"):
        if path.is_file():
            wanted[dest / path.relative_to(source)] = path
    for link in list(dest.rglob("*")):
        if link.is_symlink() and link not in wanted:
            link.unlink()
    for link, target in wanted.items():
        if link.is_symlink() and os.readlink(link) == str(target):
            continue
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(target)


def modules_dir(kernel):
    return paths.per_kernel(paths.flavoured("modules"), kernel)


def modules(kernel):
    """Our built modules, in the order in which they are loaded."""
    base = modules_dir(kernel) / "guest-driver"
    return [base / "rsm" / "rsm.ko", base / "sci" / "sci.ko"]


def client_modules(kernel):
    """The test client of the kernel agent: loaded by hand, after the others."""
    return [modules_dir(kernel) / "guest-driver" / "client" / "rsm_client_test.ko"]


def baseline_modules(kernel):
    """What tests/pair/measure.py compares with, where the kernel has UIO: loaded by hand."""
    return [modules_dir(kernel) / "guest-driver" / "baseline" / "uio_ivshmem.ko"]


def test_modules(kernel):
    """The modules of KUnit tests, where the kernel has it: loaded by hand, after the others."""
    return [module.with_name(f"{module.stem}_kunit.ko") for module in modules(kernel)] \
        if kernel == DEBUG else []


def _own_tools(kernel):
    """Variables for make where the host lacks the compiler that the headers name.

    They name that of their release, on some with a prefix that only Debian's has. A newer
    one takes the same flags; what it builds is loaded all the same.
    """
    if kernel == DEBUG:
        return []
    text = (headers(kernel) / ".kernelvariables").read_text(encoding="utf-8")
    named = re.search(r"^CC = .*?(gcc-\d+)$", text, re.M)
    if not named or shutil.which(named[1]):
        return []
    return ["CC=gcc"] + [f"{name.upper()}={name}" for name in
                         ("ld", "ar", "nm", "objcopy", "objdump", "readelf", "strip")]


def build(kernel):
    """Build the modules against KERNEL; warnings in our code are errors."""
    fetch(kernel)
    with steps.locked(paths.flavoured(f"modules-{kernel}")):
        out = modules_dir(kernel)
        for source in LINKED:
            _mirror(source, out / source.relative_to(paths.TOP))
        log = paths.flavoured(f"modules-{kernel}")
        counters = ["GCOV_PROFILE=y"] if paths.COVERAGE else []
        ui.run(f"modules for {release(kernel)}",
               ["make", "-j", paths.JOBS, "-C", headers(kernel),
                f"M={out / 'guest-driver'}", "W=1", *_own_tools(kernel),
                *counters, "modules"], log)
        _refuse_warnings(paths.LOGS / f"{log}.log", out)


def _refuse_warnings(log, out):
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    bad = [line for line in lines if PROBLEM.search(line)]
    if not bad:
        return
    for ko in pathlib.Path(out).rglob("*.o"):
        if not ko.name.endswith(".mod.o"):
            ko.unlink()     # so that the next build shows them again
    raise ui.Failure("the modules build with warnings:\n" +
                     "\n".join("  | " + line for line in bad) + f"\nsee {log}")
