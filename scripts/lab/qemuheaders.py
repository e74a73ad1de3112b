# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""QEMU's headers as the device's module needs them, made without configuring QEMU.

A module is compiled against the source of the same minor version. Of what
QEMU's build generates it needs three things: config-host.h, which says how the
running QEMU was configured, the types of the QAPI, and the trace events of the
device. They are made below build/qemu-headers/MINOR; qemu-headers.pc beside it
tells meson where those of the present source are.
"""
import shutil

from . import paths, qemusource, steps, ui

# What is so on every x86-64 Linux with glibc that QEMU 10 supports.
FACTS = (
    "CONFIG_ATOMIC64", "CONFIG_INT128", "CONFIG_INT128_TYPE", "CONFIG_IOVEC", "CONFIG_LINUX",
    "CONFIG_POSIX", "CONFIG_SYSMACROS", "CONFIG_EVENTFD", "CONFIG_PTHREAD_CONDATTR_SETCLOCK",
    "CONFIG_PTHREAD_SETNAME_NP_W_TID", "CONFIG_MADVISE", "CONFIG_POSIX_MEMALIGN",
    "CONFIG_FALLOCATE", "CONFIG_CPUID_H", "CONFIG_MEMFD", "CONFIG_GETAUXVAL", "CONFIG_PPOLL",
    "CONFIG_TIMERFD", "CONFIG_SIGNALFD", "CONFIG_ACCEPT4", "CONFIG_DUP3", "CONFIG_SPLICE",
    "CONFIG_PREADV", "CONFIG_VALLOC",
    "HAVE_STRCHRNUL", "HAVE_SYSTEM_FUNCTION", "HAVE_HOST_BLOCK_DEVICE", "HAVE_IPPROTO_MPTCP",
    "HAVE_SIGEV_NOTIFY_THREAD_ID", "HAVE_COPY_FILE_RANGE", "HAVE_GETIFADDRS", "HAVE_MLOCKALL",
)
# What every distribution's system emulator has, whatever it lists.
ALWAYS = ("CONFIG_TCG", "CONFIG_MODULES", "CONFIG_PLUGIN", "CONFIG_REPLICATION",
          "CONFIG_QOM_CAST_DEBUG", "CONFIG_COROUTINE_POOL", "CONFIG_SECRET_KEYRING",
          "CONFIG_TRACE_LOG")
# Options of configure (the distribution's list has them) -> what they define.
OPTIONS = {
    "blkio": "CONFIG_BLKIO", "capstone": "CONFIG_CAPSTONE", "fdt": "CONFIG_FDT",
    "linux-aio": "CONFIG_LINUX_AIO", "linux-io-uring": "CONFIG_LINUX_IO_URING",
    "membarrier": "CONFIG_MEMBARRIER", "qatzip": "CONFIG_QATZIP", "qpl": "CONFIG_QPL",
    "uadk": "CONFIG_UADK", "zstd": "CONFIG_ZSTD",
}
# What Debian's list says, for sources that come without one.
TYPICAL = ("blkio", "capstone", "fdt", "linux-aio", "linux-io-uring", "zstd")
# What a distribution does not build with: debugging, other systems, other programs.
# tests/abi/module.py fails if a header asks for anything that none of these names.
NEVER = (
    "CONFIG_ASAN_IFACE_FIBER", "CONFIG_CFI", "CONFIG_COCOA", "CONFIG_DARWIN",
    "CONFIG_DEBUG_MUTEX", "CONFIG_DEBUG_TCG", "CONFIG_FUZZ",
    "CONFIG_RELOCATABLE", "CONFIG_SAFESTACK", "CONFIG_SOLARIS", "CONFIG_TCG_INTERPRETER",
    "CONFIG_TSAN", "CONFIG_USER_ONLY", "CONFIG_WIN32", "CONFIG_XEN_BACKEND",
    "HAVE_BROKEN_SIZE_MAX", "HAVE_MADVISE_WITHOUT_PROTOTYPE", "HAVE_OPTRESET",
)
# Asked for where code is compiled for one target, which a module is not; kvm.h defines
# the second one itself then.
PER_TARGET = ("CONFIG_KVM", "CONFIG_KVM_IS_POSSIBLE")
TREE_GROUP = "hw_sci"       # of the trace events: the device is hw/sci there

OLDEST = (10, 0)
DESCRIPTION = paths.QEMU_HEADERS / "qemu-headers.pc"
PC = """\
Name: qemu-headers
Description: headers of QEMU {version} for a module of a device
Version: {version}
source={source}
trace={here}/trace/trace-{group}.c
Cflags: -iquote{here} -iquote{source} -iquote{source}/include \
-iquote{source}/host/include/x86_64 -iquote{source}/host/include/generic \
-I{here} -isystem{source}/linux-headers -isystem{here}/linux-headers -isystem{dist}/usr/include
"""


def directory(minor):
    return paths.QEMU_HEADERS / minor


def key():
    """Changes when meson has to look at the headers again."""
    try:
        return steps.key_of(DESCRIPTION.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ""


def _options():
    """Names of the features that the distribution enables."""
    script = paths.QEMU_SRC / "debian" / "extract-config-opts"
    if not script.exists():
        return TYPICAL
    text = ui.output(["sh", script, "linux-amd64", paths.QEMU_SRC / "debian" / "control"])
    return [line.removeprefix("--enable-") for line in text.split()
            if line.startswith("--enable-")]


def config_host(version, options):
    """Text of config-host.h for a QEMU of VERSION with OPTIONS enabled."""
    major, minor, micro = (version.split(".") + ["0", "0"])[:3]
    names = [*FACTS, *ALWAYS, *(OPTIONS[o] for o in options if o in OPTIONS)]
    values = {"CONFIG_TCG": "1", "HOST_X86_64": "1", "QEMU_VERSION": f'"{version}"',
              "QEMU_VERSION_MAJOR": major, "QEMU_VERSION_MINOR": minor,
              "QEMU_VERSION_MICRO": micro, "CONFIG_HOST_DSOSUF": '".so"',
              "CONFIG_KVM_TARGETS": '"x86_64-softmmu"'}
    lines = [f"#define {name} {values.get(name, '')}".rstrip()
             for name in sorted({*names, *values})]
    return "#pragma once\n" + "\n".join(lines) + "\n"


def _generate(into, version):
    source = paths.QEMU_SRC
    (into / "config-host.h").write_text(config_host(version, _options()), encoding="utf-8")
    # It forbids names to code that is compiled once for all targets; QEMU's build checks that.
    (into / "config-poison.h").write_text("", encoding="utf-8")
    (into / "linux-headers").mkdir()
    (into / "linux-headers" / "asm").symlink_to(source / "linux-headers" / "asm-x86")
    ui.run(f"QEMU {version}: generate headers",
           ["python3", "-B", source / "scripts" / "qapi-gen.py", "-o", into / "qapi", "-b",
            source / "qapi" / "qapi-schema.json"], "qemu-headers")


def _trace(minor):
    """Code of the device's trace events; it is written again when the list has changed."""
    events = paths.QEMU_DEVICE / "trace-events"
    out = directory(minor) / "trace"
    out.mkdir(exist_ok=True)
    for kind in ("h", "c"):
        path = out / f"trace-{TREE_GROUP}.{kind}"
        if path.exists() and path.stat().st_mtime > events.stat().st_mtime:
            continue
        ui.output(["python3", "-B", paths.QEMU_SRC / "scripts" / "tracetool.py",
                   f"--group={TREE_GROUP}", "--backend=log", f"--format={kind}", events, path])


def build():
    """Bring the headers of the present source up to date; its minor version."""
    version = qemusource.version()
    minor = ".".join(version.split(".")[:2])
    if tuple(map(int, minor.split("."))) < OLDEST:
        raise ui.Failure(f"QEMU {version} is too old: the device needs "
                         f"{'.'.join(map(str, OLDEST))} or newer (--qemu-src)")
    here = directory(minor)
    pc = PC.format(version=version, source=paths.QEMU_SRC, here=here,
                   dist=paths.QEMU_DIST, group=TREE_GROUP)
    text = config_host(version, _options())
    made_of = steps.key_of(pc, text, qemusource.origin())
    name = f"qemu-headers-{minor}"
    with steps.locked(name):
        if not steps.done(name, made_of):
            shutil.rmtree(here, ignore_errors=True)
            with steps.fresh_dir(here) as tmp:
                _generate(tmp, version)
            steps.mark(name, made_of)
        if not DESCRIPTION.exists() or DESCRIPTION.read_text(encoding="utf-8") != pc:
            paths.write_atomic(DESCRIPTION, pc)
        _trace(minor)
    return minor
