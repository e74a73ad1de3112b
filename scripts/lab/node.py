# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""One node: a QEMU process, its sockets and files in a directory of its own."""
import contextlib
import json
import os
import shutil
import signal
import subprocess
import time

from . import agent, image, kernel, paths, proc, qemu, ui

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


def _accel():
    """TCG unless told otherwise: a /dev/kvm that is there need not work."""
    accel = os.environ.get("RSMLAB_ACCEL", "tcg")
    if accel not in ("tcg", "kvm"):
        raise ui.Failure(f"RSMLAB_ACCEL={accel}: neither tcg nor kvm")
    return ["-accel", accel, "-cpu", "max" if accel == "kvm" else "qemu64"]


def fabric_dir(lab_dir, adapter):
    """Each adapter of a node is on a fabric of its own."""
    return lab_dir / (f"fabric{adapter}" if adapter else "fabric")


class Node:
    """Files: qga, qmp, console, stdin.K (sockets), console.log, kernel.log,
    qemu.log, share/ (the guest's /host), node.json (process and options)."""

    def __init__(self, lab_dir, number):
        self.number = number
        self.name = f"node{number}"
        self.dir = lab_dir / f"n{number}"
        self.lab_dir = lab_dir
        self.share = self.dir / "share"
        self.kernel_log = self.dir / "kernel.log"
        self.console_log = self.dir / "console.log"
        self.qemu_log = self.dir / "qemu.log"
        self.console = self.dir / "console"

    def record(self):
        try:
            return json.loads((self.dir / "node.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}

    def process(self):
        return self.record().get("process")

    def alive(self):
        return proc.alive(self.process())

    def ready(self):
        return (self.share / "ready").exists()

    def _chardev(self, name, extra=""):
        return ["-chardev", f"socket,id={name},path={self.dir / name},server=on,wait=off{extra}"]

    def _argv(self, kern, memory, adapters, window, extra):
        argv = [*qemu.command(), "-name", self.name, *_accel(),
                "-machine", "pc,memory-backend=ram",
                # With one possible vCPU TCG makes no real atomics, and those
                # between nodes would lose updates.
                "-smp", "1,maxcpus=2",
                "-m", str(memory),
                "-object", f"memory-backend-memfd,id=ram,size={memory}M,share=on",
                "-nodefaults", "-no-user-config", "-display", "none", "-vga", "none",
                "-no-reboot",
                "-kernel", str(kernel.vmlinuz(kern)), "-initrd", str(image.initramfs(kern)),
                "-append", f"{CMDLINE}{kernel.cmdline(kern)} rsmlab.node={self.number}",
                *self._chardev("qmp"), "-mon", "chardev=qmp,mode=control",
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
        for k in range(adapters):
            argv += ["-device", f"sci,id=sci{k},fabric={fabric_dir(self.lab_dir, k)},"
                     f"node-id={self.number}" + (f",window-size={window}M" if window else "")]
        return argv + extra

    def start(self, kern, memory=None, extra=(), owned=False, adapters=1, window=0):
        """Start QEMU. OWNED: it dies with this process, however that ends."""
        memory = memory or kernel.memory(kern)
        shutil.rmtree(self.share, ignore_errors=True)
        (self.share / "job").mkdir(parents=True)
        argv = self._argv(kern, memory, adapters, window, list(extra))
        with open(self.qemu_log, "ab") as log:
            child = subprocess.Popen(
                (["setpriv", "--pdeathsig", "KILL"] if owned else []) + argv,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        options = {"kernel": kern, "memory": memory, "extra": list(extra), "adapters": adapters,
                   "window": window}
        paths.write_atomic(self.dir / "node.json", json.dumps(
            {"process": proc.identity(child.pid), "options": options, "argv": argv}))

    def restart(self):
        """Start a node that ended, with the options it had."""
        options = self.record()["options"]
        self.start(options["kernel"], options["memory"], options["extra"], owned=True,
                   adapters=options["adapters"], window=options["window"])

    def stop(self, signo=signal.SIGTERM):
        """End QEMU, gently first; like pulling the plug for the guest."""
        who = self.process()
        if not proc.kill(who, signo, deadline=5):
            proc.kill(who, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError, TypeError):
            os.waitpid(who["pid"], os.WNOHANG)

    def why_dead(self):
        """What the node left behind, for a message."""
        for log in (self.qemu_log, self.kernel_log):
            text = ui.tail(log, 12)
            if text:
                return f"the end of {log}:\n{text}"
        return f"no log in {self.dir}"

    def slowness(self):
        """Factor for deadlines, by the kernel that runs."""
        return kernel.slowness(self.record()["options"]["kernel"])

    def boot_deadline(self):
        return BOOT_DEADLINE * self.slowness()

    def wait_ready(self, deadline=None):
        """Wait until the guest has booted and its agent answers."""
        deadline = deadline or time.monotonic() + self.boot_deadline()
        while not self.ready():
            if not self.alive():
                raise ui.Failure(f"{self.name} ended while booting; {self.why_dead()}")
            if time.monotonic() > deadline:
                raise ui.Failure(f"{self.name} does not come up; the end of {self.kernel_log}:\n"
                                 f"{ui.tail(self.kernel_log)}")
            time.sleep(0.02)
        with self.agent():
            pass

    def agent(self, timeout=30):
        return agent.Agent(self.dir / "qga", timeout)

    def monitor(self, timeout=30):
        return agent.Monitor(self.dir / "qmp", timeout)

    def adapters(self):
        return self.record().get("options", {}).get("adapters", 0)

    def _adapter_path(self, adapter):
        if not 0 <= adapter < self.adapters():
            raise ui.Failure(f"{self.name} has no adapter {adapter}; "
                             f"adapters: {', '.join(map(str, range(self.adapters()))) or 'none'}")
        return f"/machine/peripheral/sci{adapter}"

    def _all_others(self):
        return set(range(1, MAX_NODE_ID + 1)) - {self.number}

    def links_down(self, adapter=0, timeout=30):
        """Ids of the nodes to which this node has taken its link down."""
        path = self._adapter_path(adapter)
        with self.monitor(timeout) as monitor:
            if not monitor.call("qom-get", path=path, property="link"):
                return self._all_others()
            return set(monitor.call("qom-get", path=path, property="links-down"))

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
