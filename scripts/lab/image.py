# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""The guest's initramfs: images/ says what is in it, this puts it together.

Debian packages unpacked, modules of the stock kernel, our modules, librsm,
and the programs of librsm/examples, images/ and the suites with nodes. What is not
built yet is left out, and named.
"""
import lzma
import os
import pathlib
import re

from . import apt, counters, cpio, elf, host, kernel, paths, steps, ui

LIBDIRS = ["lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu", "lib64", "usr/lib64"]


def _list(name):
    lines = (paths.IMAGES / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def packages_dir():
    return paths.BUILD / "guest-packages"


def directory(kern):
    return paths.per_kernel(paths.flavoured("guest"), kern)


def initramfs(kern):
    return directory(kern) / "initramfs.cpio"


def fetch():
    """Debian's packages of the host's release: programs built here run there."""
    wanted = _list("packages")
    suite = paths.host_release()
    key = steps.key_of(suite, *wanted)
    with steps.locked("guest-packages"):
        if steps.done("guest-packages", key):
            return
        root = apt.Root(suite)
        names = [p for p in root.closure(wanted) if p in wanted or p.startswith("lib")]
        root.fetch("guest packages", names, packages_dir())
        steps.mark("guest-packages", key)


def libc_version():
    """(2, 41): of the libc that programs meet in the guest."""
    found = re.search(rb"GNU C Library .* release version (\d+)\.(\d+)",
                      _find_library("libc.so.6").read_bytes())
    return (int(found[1]), int(found[2])) if found else None


def _find_library(soname):
    for folder in LIBDIRS:
        path = packages_dir() / folder / soname
        if path.exists():
            return path
    raise ui.Failure(f"no package of images/packages has the library {soname}")


def _add_program(tree, path, source, own=()):
    """A program or library with all it is linked against; OWN ones are there."""
    tree.file(path, source)
    todo = [source]
    while todo:
        sonames, interp = elf.needed(todo.pop())
        if interp:
            tree.file(interp, _find_library(os.path.basename(interp)), 0o755)
        for soname in sonames:
            to = f"usr/lib/x86_64-linux-gnu/{soname}"
            if soname in own or to in tree.entries or soname.startswith("ld-linux"):
                continue
            library = _find_library(soname).resolve()
            tree.file(to, library, 0o755)
            todo.append(library)


def _add_busybox(tree):
    busybox = packages_dir() / "bin" / "busybox"
    if not busybox.exists():
        busybox = packages_dir() / "usr" / "bin" / "busybox"
    tree.file("bin/busybox", busybox, 0o755)
    for applet in ui.output([busybox, "--list"]).split():
        if applet != "busybox":
            tree.symlink(f"bin/{applet}", "busybox")


def _add_rootfs(tree):
    root = paths.IMAGES / "rootfs"
    for path in sorted(root.rglob("*")):
        if path.is_file():
            tree.file(str(path.relative_to(root)), path)
    for name in ("proc", "sys", "dev", "run", "host", "mnt", "var/log"):
        tree.directory(name)
    tree.symlink("var/run", "../run")
    tree.directory("tmp", 0o1777)
    tree.directory("root", 0o700)
    for uid in (1001, 1002):
        tree.directory(f"home/user{uid - 1000}", 0o755, owner=uid)
    tree.chardev("dev/console", 5, 1)


def _stock_modules(kern):
    """name -> path of every module of the stock kernel."""
    base = kernel.stock_modules(kern) / "kernel"
    return {p.name.partition(".ko")[0].replace("-", "_"): p for p in base.rglob("*.ko*")}


def _module_bytes(path):
    data = path.read_bytes()
    return lzma.decompress(data) if path.suffix == ".xz" else data


def _add_modules(tree, kern):
    """Our modules and the stock ones needed, with a modules.dep for modprobe."""
    stock = _stock_modules(kern)
    ours = {p.stem: p for p in (*kernel.modules(kern), *kernel.client_modules(kern),
                                *kernel.baseline_modules(kern), *kernel.test_modules(kern))
            if p.exists()}
    depends, todo = {}, _list("modules") + list(ours)
    if kern == kernel.DEBUG:
        todo += list(stock)
    base = f"lib/modules/{kernel.release(kern)}"
    while todo:
        name = todo.pop().replace("-", "_")
        path = ours.get(name) or stock.get(name)
        if name in depends or path is None:     # built in: nothing to load
            continue
        data = _module_bytes(path)
        depends[name] = elf.module_depends(data)
        todo += depends[name]
        tree.data(f"{base}/{name}.ko", data)

    def closure(name, seen):
        for dep in depends.get(name, []):
            if dep in depends and dep not in seen:
                closure(dep, seen)
                seen.append(dep)
        return seen

    lines = [f"{name}.ko:" + "".join(f" {d}.ko" for d in reversed(closure(name, [])))
             for name in sorted(depends)]
    builtin = kernel.stock_modules(kern) / "modules.builtin"
    if builtin.exists():    # so that modprobe knows what needs no loading
        tree.file(f"{base}/modules.builtin", builtin)
    tree.data(f"{base}/modules.dep", ("\n".join(lines) + "\n").encode())
    for conf in sorted(paths.GUEST_DRIVER.rglob("modprobe.d/*.conf")):
        tree.file(f"etc/modprobe.d/{conf.name}", conf)


def _add_host_parts(tree):
    library, programs = host.guest_parts()
    own = set()
    if library:
        for path in sorted(library.parent.glob(library.name.partition(".so")[0] + ".so*")):
            if path.is_file() and not path.name.endswith((".p", ".symbols")):
                own.add(path.name)
                tree.file(f"usr/lib/x86_64-linux-gnu/{path.name}", path.resolve(), 0o755)
    for program in programs:
        _add_program(tree, f"usr/bin/{program.name}", program, own)


def missing(kern):
    """Parts a complete guest has that are not built yet."""
    absent = [p.name for p in kernel.modules(kern) if not p.exists()]
    return absent if host.guest_parts()[0] else absent + ["librsm"]


def build(kern):
    """Write the image if anything in it changed."""
    fetch()
    tree = cpio.Tree()
    _add_busybox(tree)
    _add_rootfs(tree)
    _add_program(tree, "usr/sbin/qemu-ga", packages_dir() / "usr/sbin/qemu-ga")
    _add_modules(tree, kern)
    _add_host_parts(tree)
    if paths.COVERAGE:
        counters.add_to_image(tree)
    absent = missing(kern)
    if absent:
        ui.warn(f"not built, so not in the guest: {', '.join(absent)}")
    name = paths.flavoured(f"image-{kern}")
    with steps.locked(name):
        key = steps.key_of(tree.describe())
        out = initramfs(kern)
        if steps.done(name, key) and out.exists():
            return
        out.parent.mkdir(parents=True, exist_ok=True)
        tmp = pathlib.Path(f"{out}.tmp")
        with ui.Progress("guest image"):
            with open(tmp, "wb") as f:
                tree.write(f)
            tmp.rename(out)
        steps.mark(name, key)
