# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""One node: a QEMU process, its sockets and files in a directory of its own."""
import contextlib
import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import time

from . import agent, image, kernel, locks, paths, proc, qemu, ui

STDIN_PORTS = 6
# Quick and deterministic under TCG; a guest that oopses ends, so that it is seen.
# Root may map the adapter's BARs beside the driver (iomem): for tools that probe it.
# Firmware puts a window of up to 1 GiB below 4 GiB, where its MTRRs say uncached;
# with nopat the kernel maps it write-back all the same, which is what it is.
# In a node: load, unload or replace DIR the kernel modules
DRIVERS = "/usr/libexec/rsmlab-drivers"
CMDLINE = ("console=ttyS1 loglevel=8 panic=-1 oops=panic nokaslr mitigations=off "
           "tsc=reliable no_timer_check cryptomgr.notests audit=0 lsm= iomem=relaxed nopat")
BOOT_DEADLINE = 120
MAX_NODE_ID = 255


ACCELERATORS = ("tcg", "kvm")
REASONS = re.compile(r"Kernel panic|Out of memory|Initramfs unpacking|No working init|"
                     r"Failed to execute|Unable to mount|no space left", re.I)


def default_accel():
    """TCG unless told otherwise: a /dev/kvm that is there need not work."""
    accel = os.environ.get("RSMLAB_ACCEL", "tcg")
    if accel not in ACCELERATORS:
        raise ui.Failure(f"RSMLAB_ACCEL={accel}: neither {' nor '.join(ACCELERATORS)}")
    return accel


def fabric(adapter):
    """Directory in a lab: each adapter of a node is on a fabric of its own."""
    return f"fabric{adapter}" if adapter else "fabric"


@dataclasses.dataclass
class Options:
    """How a node is started, and started again."""

    kernel: str
    memory: int = 0         # MiB; 0: what the kernel needs
    cpus: int = 1
    adapters: int = 1
    window: int = 0         # MiB; 0: the device's default
    extra: list = dataclasses.field(default_factory=list)   # arguments for QEMU
    accel: str = dataclasses.field(default_factory=default_accel)
    qemu: str = dataclasses.field(default_factory=qemu.choice)
    overcommit: bool = False

    def mib(self):
        return self.memory or kernel.memory(self.kernel)


class Node:
    """Files: lock (held by QEMU), qga, qmp, console, stdin.K (sockets), console.log,
    kernel.log, qemu.log, share/ (the guest's /host), node.json (process and options)."""

    def __init__(self, lab, number):
        self.number = number
        self.name = f"node{number}"
        self.lab = lab
        self.dir = lab.dir / f"n{number}"
        self.share = self.dir / "share"
        self.lock = self.dir / "lock"
        self.kernel_log = self.dir / "kernel.log"
        self.console_log = self.dir / "console.log"
        self.qemu_log = self.dir / "qemu.log"

    def socket(self, name):
        """Path of one of the node's sockets, short enough for connect()."""
        return paths.short(self.lab.dir) / self.dir.name / name

    def record(self):
        try:
            return json.loads((self.dir / "node.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}

    def options(self):
        """Options it was started with."""
        try:
            return Options(**self.record()["options"])
        except (KeyError, TypeError):
            raise ui.Failure(f"{self.dir} has no record of a node; `rsmlab down`, then "
                             "`rsmlab up`") from None

    def process(self):
        return self.record().get("process")

    def alive(self):
        """Whether its QEMU runs, seen or not seen from here."""
        return locks.held(self.lock)

    def visible(self):
        """Whether its process is one of this PID namespace."""
        return proc.alive(self.process())

    def move_in(self, path, *names):
        """Move PATH into the share, where the guest may have put links, as NAMES say."""
        folder = os.open(self.share, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            for name in names[:-1]:
                outer, folder = folder, os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW,
                                                dir_fd=folder)
                os.close(outer)
            os.rename(path, names[-1], dst_dir_fd=folder)
        except OSError as e:
            raise ui.Failure(f"{self.share}: {e.strerror} (has the guest changed /host?)") from None
        finally:
            os.close(folder)

    def ready(self):
        return (self.share / "ready").exists()

    def _chardev(self, name, extra=""):
        return ["-chardev", f"socket,id={name},path={self.socket(name)},server=on,wait=off{extra}"]

    def _machine(self, options):
        return [*qemu.command(options.qemu), "-name", self.name, "-accel", options.accel,
                "-cpu", "max" if options.accel == "kvm" else "qemu64",
                "-machine", "pc,memory-backend=ram",
                # With one possible vCPU TCG makes no real atomics, and those
                # between nodes would lose updates.
                "-smp", f"{options.cpus},maxcpus={max(2, options.cpus)}",
                "-m", str(options.mib()),
                "-object", f"memory-backend-memfd,id=ram,size={options.mib()}M,share=on",
                "-nodefaults", "-no-user-config", "-display", "none", "-vga", "none",
                "-no-reboot",
                "-kernel", str(kernel.vmlinuz(options.kernel)),
                "-initrd", str(image.initramfs(options.kernel)), "-append",
                f"{CMDLINE}{kernel.cmdline(options.kernel)} rsmlab.node={self.number}"]

    def _channels(self):
        argv = [*self._chardev("qmp"), "-mon", "chardev=qmp,mode=control",
                *self._chardev("console", f",logfile={self.console_log},logappend=on"),
                "-serial", "chardev:console",
                "-chardev", f"file,id=kernel,path={self.kernel_log},append=on",
                "-serial", "chardev:kernel",
                "-device", "virtio-serial-pci",
                *self._chardev("qga"),
                "-device", "virtserialport,chardev=qga,name=org.qemu.guest_agent.0",
                "-fsdev", f"local,id=host,path={self.share},security_model=none",
                "-device", "virtio-9p-pci,fsdev=host,mount_tag=host"]
        for k in range(STDIN_PORTS):
            argv += [*self._chardev(f"stdin.{k}"), "-device",
                     f"virtserialport,chardev=stdin.{k},name=org.sci-rsm.stdin.{k}"]
        return argv

    def _adapters(self, options):
        argv = []
        for k in range(options.adapters):
            window = f",window-size={options.window}M" if options.window else ""
            argv += ["-device", f"sci,id=sci{k},fabric={paths.short(self.lab.dir) / fabric(k)},"
                     f"node-id={self.number}{window}"]
        return argv

    def start(self, options):
        """Start QEMU. If the lab is owned it dies with this process, however that ends."""
        lock = locks.take(self.lock)
        if lock is None:
            raise ui.Failure(f"{self.name} is running already")
        # Whatever fails, this process must not be the one that holds it.
        try:
            shutil.rmtree(self.share, ignore_errors=True)
            (self.share / "job").mkdir(parents=True)
            extra = [arg.replace("{node}", str(self.number)) for arg in options.extra]
            argv = [*self._machine(options), *self._channels(), *self._adapters(options), *extra]
            with open(self.qemu_log, "ab") as log:
                child = subprocess.Popen(
                    (["setpriv", "--pdeathsig", "KILL"] if self.lab.owned else []) + argv,
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                    pass_fds=[lock])
        finally:
            os.close(lock)
        paths.write_atomic(self.dir / "node.json", json.dumps(
            {"process": proc.identity(child.pid), "options": dataclasses.asdict(options),
             "argv": argv}))

    def restart(self):
        """Start a node that ended, with the options it had."""
        self.start(self.options())

    def stop(self, signo=signal.SIGTERM):
        """End QEMU, gently first; like pulling the plug for the guest."""
        if not self.alive():
            return
        who = self.process()
        if self.visible():
            proc.end(who, signo)
        with contextlib.suppress(ChildProcessError, TypeError):
            os.waitpid(who["pid"], os.WNOHANG)
        # What the process had started itself, the wrapper's look at the version, may go on.
        if not self._has_ended(2):
            self._end_unseen()
        if not self._has_ended(5):
            raise ui.Failure(f"{self.name} does not end; its process is in another PID namespace "
                             f"or on another machine (there it has pid {who and who['pid']})")

    def _has_ended(self, seconds):
        deadline = time.monotonic() + seconds
        while self.alive() and time.monotonic() < deadline:
            time.sleep(0.01)
        return not self.alive()

    def _end_unseen(self):
        """Its process is not what the record says: who has the lock, or whoever answers."""
        holders = [h for h in locks.holders(self.dir) if h.pid != os.getpid()]
        for holder in holders:
            proc.end(proc.identity(holder.pid))
        if not holders:
            with contextlib.suppress(ui.Failure, OSError):
                with self.monitor(5) as monitor:
                    monitor.call("quit")

    def _reason(self):
        """The line of the kernel log that says why, or None."""
        with contextlib.suppress(OSError):
            for line in self.kernel_log.read_text("utf-8", errors="replace").splitlines():
                if REASONS.search(line):
                    return line.strip()
        return None

    def why_dead(self):
        """What the node left behind, for a message."""
        reason = self._reason()
        lead = f"its kernel says: {reason}\n" if reason else ""
        for log in (self.qemu_log, self.kernel_log):
            text = ui.tail(log, 12)
            if text:
                return f"{lead}the end of {log}:\n{text}"
        return (f"neither QEMU nor its kernel said why (logs: {self.dir}); a kernel with too "
                f"little memory ends so, and it has {self.options().mib()} MiB (--memory)")

    def slowness(self):
        """Factor for deadlines, by the kernel that runs."""
        return kernel.slowness(self.options().kernel)

    def boot_deadline(self):
        return BOOT_DEADLINE * self.slowness()

    def wait_ready(self, deadline=None):
        """Wait until the guest has booted and its agent answers."""
        deadline = deadline or time.monotonic() + self.boot_deadline()
        while not self.ready():
            if not self.alive():
                raise ui.Failure(f"{self.name} ended while booting; {self.why_dead()}")
            if time.monotonic() > deadline:
                raise ui.Failure(f"{self.name} does not come up; {self.why_dead()}")
            time.sleep(0.02)
        # Of a machine that was reset only the agent tells that it has booted again.
        with self.agent(max(deadline - time.monotonic(), 30)):
            pass

    def agent(self, timeout=30):
        return agent.Agent(self.socket("qga"), timeout)

    def monitor(self, timeout=30):
        return agent.Monitor(self.socket("qmp"), timeout)

    def adapters(self):
        return self.options().adapters

    def _adapter_path(self, adapter):
        if not 0 <= adapter < self.adapters():
            raise ui.Failure(f"{self.name} has no adapter {adapter}; "
                             f"adapters: {', '.join(map(str, range(self.adapters()))) or 'none'}")
        return f"/machine/peripheral/sci{adapter}"

    def _all_others(self):
        return set(range(1, MAX_NODE_ID + 1)) - {self.number}

    def peers(self, adapter=0, timeout=30):
        """Ids of the nodes that this one is connected with."""
        with self.monitor(timeout) as monitor:
            return set(monitor.call("qom-get", path=self._adapter_path(adapter),
                                    property="peers"))

    def links_down(self, adapter=0, timeout=30):
        """Ids of the nodes to which this node has taken its link down."""
        path = self._adapter_path(adapter)
        with self.monitor(timeout) as monitor:
            if not monitor.call("qom-get", path=path, property="link"):
                return self._all_others()
            return set(monitor.call("qom-get", path=path, property="links-down"))

    def waits_for(self, adapter=0, timeout=30):
        """Whom the machine waits for after a reset, with its vCPUs stopped; "": nobody."""
        path = self._adapter_path(adapter)
        with self.monitor(timeout) as monitor:
            return monitor.call("qom-get", path=path, property="waits-for")

    def take_link(self, peer, up, adapter=0):
        """Take this node's end of the link to PEER (None: all nodes) up or down."""
        path = self._adapter_path(adapter)
        peers = self._all_others() if peer is None else {peer}
        down = self.links_down(adapter)
        down = down - peers if up else down | peers
        with self.monitor() as monitor:
            monitor.call("qom-set", path=path, property="links-down", value=sorted(down))
            # Second: what is in the list stays down meanwhile.
            monitor.call("qom-set", path=path, property="link", value=True)

    def inject_link_error(self, peer, adapter=0):
        """A transmission of this node to PEER fails now."""
        path = self._adapter_path(adapter)
        with self.monitor() as monitor:
            monitor.call("qom-set", path=path, property="inject-link-error", value=peer)
