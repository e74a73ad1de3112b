#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""One user and all others: what one of them takes, and what it holds up."""
import contextlib
import re

import pairlib
from pairlib import INSUFFICIENT_RESOURCES, Shell, both_ways, same, wait_for

BAD_SEG_HNDL = 5
STUCK = 600             # 512 work items of an unbound workqueue run at a time
SHARE = 1               # percent of everything that a user gets
MEMORY = 1280           # MiB of a node: a user's part of it is more than of the addresses
ADDRESSES = 1024        # MiB for exports, the least
UNLIMITED = ("sh", "-c", 'ulimit -l unlimited && exec "$@"', "sh")
CGROUP = "/tmp/cgroup"
FEW, MANY = 64, 4096    # segments of another user, exported and imported on each node
TIMES = 6               # that a step may take beside many, of what it takes beside few
ROUNDS = 300
LEAF, COVERS = 4096, 1 << 20    # of the inbound table: bytes of a leaf, and of what it is for


@contextlib.contextmanager
def small_share(node):
    """The agent with little for each user; its path to others comes up again."""
    node.drivers("unload")
    try:
        node.check("modprobe", "rsm", f"max_user_share={SHARE}")
        node.check("modprobe", "sci", f"export_space={ADDRESSES}")
        node.drivers("load")
        yield
    finally:
        node.drivers("unload")
        node.drivers("load")


def _window(node):
    """Bytes of the node's window."""
    found = re.findall(r"window (\d+) MiB", node.dmesg())
    return int(found[-1]) << 20


def pages_that_never_come_hold_up_no_other(exporting, importing):
    exporting.check("sh", "-c", "grep -qw fuse /proc/filesystems || modprobe fuse")
    with exporting.spawn("stuck", str(STUCK)) as stuck, Shell(exporting) as e, \
            Shell(importing) as i:
        stuck.expect("stuck", 60)
        e.publish(0, "400900")
        i.load(0, exporting.number, "400900")
        e.ok("free 0")
        wait_for(lambda: i.ask("order 0")[0] == pairlib.CONN_ABORTED, 20,
                 "end of a segment without memory")
        e.ok("export 1 8192")
        e.ok("free 1")
        e.fails("publish 1 400901", BAD_SEG_HNDL)
        stuck.feed("\n")
        same(stuck.wait(60), 0, f"status of stuck ({stuck.err!r})")
    wait_for(lambda: not exporting.check("cat", "/sys/kernel/debug/rsm/exports"), 30,
             "exports that are gone")


def a_user_takes_a_part_of_the_window(exporting, importing):
    with small_share(importing), Shell(exporting) as e, Shell(importing) as root, \
            Shell(importing) as user, Shell(importing) as other:
        size = _window(importing) * SHARE // 100 * 6 // 10 // 65536 * 65536
        pairlib.path_is_active(root, exporting)
        for shell, uid in ((user, 1000), (other, 1001)):
            shell.ok(f"become {uid}")
        for slot in range(3):
            e.publish(slot, f"{0x400910 + slot:x}", size, f"{importing.number}:0666")
            for shell in (root, user, other):
                shell.ok(f"connect {slot} {exporting.number} {0x400910 + slot:x}")
        user.ok(f"map 0 {size}")
        user.fails(f"map 1 {size}", INSUFFICIENT_RESOURCES)
        other.ok(f"map 1 {size}")
        root.ok(f"map 2 {size}")
        root.ok(f"map 0 {size}")
        root.ok("unmap 0")
        user.ok("unmap 0")
        user.ok(f"map 2 {size}")
        user.ok("unmap 2")
        root.ok("unmap 2")
        user.ok(f"map 2 {size}")
        user.fails(f"map 0 {size}", INSUFFICIENT_RESOURCES)


def a_user_takes_a_part_of_the_addresses(exporting, importing):
    with small_share(exporting), Shell(importing) as i, \
            Shell(exporting, by=UNLIMITED) as user, Shell(exporting, by=UNLIMITED) as other:
        size = ADDRESSES * (1 << 20) * SHARE // 100 * 54 // 100 // 4096 * 4096
        for shell, uid in ((user, 1000), (other, 1001)):
            shell.ok(f"become {uid}")
        pairlib.path_is_active(user, importing)
        for slot in (0, 1):
            user.ok(f"export {slot} {size}")
        user.ok("publish 0 400920")
        user.fails("publish 1 400921", INSUFFICIENT_RESOURCES)
        other.publish(0, "400922", size)
        i.connects(0, exporting.number, "400922")
        user.ok("unpublish 0")
        user.ok("publish 1 400921")
        user.fails("publish 0 400920", INSUFFICIENT_RESOURCES)


@contextlib.contextmanager
def cgroup(node):
    """A memory cgroup; its directory."""
    name = f"{CGROUP}/user"
    node.check("sh", "-c", f"mkdir {CGROUP} && mount -t cgroup2 none {CGROUP} && "
                           f"echo +memory >{CGROUP}/cgroup.subtree_control && mkdir {name}")
    try:
        yield name
    finally:
        node.check("sh", "-c", f"rmdir {name}; umount {CGROUP} && rmdir {CGROUP}")


def _kernel_bytes(node, name):
    return int(re.search(r"^kernel (\d+)$", node.check("cat", f"{name}/memory.stat"), re.M)[1])


def _leaves(node):
    inbound = node.check("cat", "/sys/kernel/debug/sci/sci0/inbound")
    return int(re.search(r"^leaves +(\d+)$", inbound, re.M)[1])


def the_tables_of_an_export_count_in_the_cgroup(exporting, _importing):
    exporting.drivers("unload")
    exporting.drivers("load")
    with cgroup(exporting) as name:
        with Shell(exporting) as e:
            for slot in range(8):
                e.ok(f"export {slot} {8 * COVERS}")
            exporting.check("sh", "-c", f"pidof rsmsh >{name}/cgroup.procs")
            before, leaves = _kernel_bytes(exporting, name), _leaves(exporting)
            for slot in range(8):
                e.ok(f"publish {slot} {0x400930 + slot:x}")
            made = _leaves(exporting) - leaves
            if made < 8 * 8:
                raise AssertionError(f"{made} leaves for exports of {8 * 8} MiB")
            # The kernel adds up what it has charged every two seconds.
            wait_for(lambda: _kernel_bytes(exporting, name) - before >= made * LEAF, 20,
                     f"{made} leaves in the cgroup, which had {before} bytes")
        wait_for(lambda: not exporting.check("cat", f"{name}/cgroup.procs"), 10, "an empty cgroup")


def _times_beside(exporting, importing, count):
    """What steps take, in us, while another process of each node has COUNT segments."""
    with contextlib.ExitStack() as stack:
        def crowd(node, *argv):
            process = stack.enter_context(node.spawn("crowd", *argv))
            process.expect("ready", 120)

        for node in (exporting, importing):
            crowd(node, "export", "600000", str(count))
        for node, peer in ((exporting, importing), (importing, exporting)):
            crowd(node, "import", str(peer.number), "600000", str(count))
        crowd(exporting, "export", "400940", "1")
        out = importing.check("crowd", "time", str(exporting.number), "400940", "400942",
                              str(ROUNDS), timeout=120)
        echo = stack.enter_context(exporting.spawn("signals", "echo", "400941"))
        echo.expect("ready", 30)
        pinged = importing.check("signals", "ping", str(exporting.number), "400941", str(ROUNDS),
                                 timeout=120)
        times = {name: float(us) for name, us in re.findall(r"(\S+) ([\d.]+)", out)}
        times["signal"] = float(re.match(r"min ([\d.]+)", pinged)[1])
        return times


@contextlib.contextmanager
def sleeping_at_once(*nodes):
    """Who waits for an event is asleep, and woken by a message."""
    parameter = "/sys/module/rsm/parameters/busy_poll"
    before = nodes[0].check("cat", parameter).strip()
    try:
        for node in nodes:
            node.check("sh", "-c", f"echo 0 >{parameter}")
        yield
    finally:
        for node in nodes:
            node.check("sh", "-c", f"echo {before} >{parameter}")


def segments_of_others_take_no_time(exporting, importing):
    with sleeping_at_once(exporting, importing):
        few = _times_beside(exporting, importing, FEW)
        many = _times_beside(exporting, importing, MANY)
    for step, us in few.items():
        print(f"# {step}: {us} us beside {FEW} segments, {many[step]} us beside {MANY}", flush=True)
    slow = {step for step, us in few.items() if many[step] > TIMES * us}
    same(slow, set(), f"steps of which {MANY // FEW} times the segments make more than {TIMES}")


if __name__ == "__main__":
    pairlib.main(both_ways(pages_that_never_come_hold_up_no_other,
                           a_user_takes_a_part_of_the_window,
                           a_user_takes_a_part_of_the_addresses,
                           the_tables_of_an_export_count_in_the_cgroup,
                           segments_of_others_take_no_time), memory=MEMORY)
