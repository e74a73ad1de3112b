#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Two kernels exchange messages, as clients of the agent: rsm_client_test.ko."""
import contextlib

import pairlib
from pairlib import Shell, both_ways, halted, path_is_active, same, wait_for

MODULE = "rsm_client_test"
FILES = f"/sys/kernel/debug/{MODULE}"
ENDLESS = 10 ** 15
SOME = 200              # messages that show that it runs
SEGMENT_ID = 0x2000     # of the sink for node 0


def _counts(node, peer):
    """What NODE has counted of PEER; empty if it has not heard of it."""
    for line in node.check("cat", f"{FILES}/counts").splitlines():
        words = line.split()
        counts = dict(zip(words[::2], map(int, words[1::2])))
        if counts["node"] == peer.number:
            return counts
    return {}


def _send(node, peer, count):
    node.check("sh", "-c", f"echo {peer.number} {count} >{FILES}/send")


def _reaches(node, peer, name, value, deadline=60):
    """Wait until a count is VALUE or more: all counts."""
    def enough():
        counts = _counts(node, peer)
        return counts if counts.get(name, -1) >= value else None

    return wait_for(enough, deadline, f"{name} of {node.name} from {peer.name}: {value}")


def _load(*nodes):
    for node in nodes:
        node.check("modprobe", MODULE)


def _has(node, peer, **wanted):
    counts = _counts(node, peer)
    return all(counts.get(name) == value for name, value in wanted.items())


def _connected(a, b, deadline=60):
    for one, other in ((a, b), (b, a)):
        wait_for(lambda one=one, other=other: _has(one, other, source=1), deadline,
                 f"connection from {one.name} to {other.name}")


@contextlib.contextmanager
def clients(*nodes):
    """The client on the nodes; it may have gone from them meanwhile."""
    _load(*nodes)
    try:
        _connected(*nodes)
        yield
    finally:
        for node in nodes:
            if node.alive():
                node.run("rmmod", MODULE)


def _exactly(sender, receiver, count):
    """COUNT messages arrive, no more and no less, each as it was sent."""
    before = _counts(sender, receiver), _counts(receiver, sender)
    _send(sender, receiver, count)
    _reaches(receiver, sender, "received", before[1]["received"] + count)
    wait_for(lambda: _has(sender, receiver, left=0), 30, "nothing left to be sent")
    after = _counts(sender, receiver), _counts(receiver, sender)

    def more(end, name):
        return after[end][name] - before[end][name]

    same((more(0, "sent"), more(1, "received"), more(1, "bad")), (count, count, 0),
         "messages sent, received, and bad")
    same(more(1, "received_bytes"), more(0, "sent_bytes"), "bytes received and sent")


def messages_arrive_whole(receiver, sender):
    with clients(receiver, sender):
        for count in (1, 2, 63, 64, 65, 3000):
            _exactly(sender, receiver, count)
        for a, b in ((sender, receiver), (receiver, sender)):
            counts = _counts(a, b)
            same((counts["connects"], counts["ends"]), (1, 0), "connects and ends")


def messages_cross(one, other):
    count = 3000
    with clients(one, other):
        _send(one, other, count)
        _send(other, one, count)
        for a, b in ((one, other), (other, one)):
            counts = _reaches(a, b, "received", count)
            same((counts["received"], counts["bad"]), (count, 0), "messages received, and bad")
        same(_counts(one, other)["received_bytes"], _counts(other, one)["sent_bytes"], "bytes")


def client_unloaded_while_the_peer_sends(receiver, sender):
    with clients(receiver, sender):
        _send(sender, receiver, ENDLESS)
        for turn in range(1, 4):
            same(_reaches(receiver, sender, "received", SOME)["bad"], 0, "bad messages")
            receiver.check("rmmod", MODULE)
            counts = _reaches(sender, receiver, "ends", turn)
            same((counts["up"], counts["source"]), (1, 0), "path and connection to who has gone")
            _load(receiver)
            _reaches(sender, receiver, "connects", turn + 1)
        _reaches(receiver, sender, "received", SOME)
        _send(sender, receiver, 0)
        _connected(receiver, sender)
        wait_for(lambda: _settled(receiver, sender), 30, "messages on their way")
        _exactly(sender, receiver, SOME)
        _exactly(receiver, sender, SOME)


def _settled(receiver, sender):
    """Whether nothing comes any more: two looks at the counts say the same."""
    first = _counts(receiver, sender)["received"]
    return _counts(sender, receiver)["left"] == 0 and \
        _counts(receiver, sender)["received"] == first


def sending_client_unloaded_and_loaded(receiver, sender):
    """A later source goes on where the first was interrupted."""
    with clients(receiver, sender):
        _send(sender, receiver, ENDLESS)
        _reaches(receiver, sender, "received", SOME)
        sender.check("rmmod", MODULE)
        _load(sender)
        _connected(receiver, sender)
        wait_for(lambda: _settled(receiver, sender), 30, "messages on their way")
        _exactly(sender, receiver, SOME)
        same(_counts(receiver, sender)["bad"], 0, "bad messages")


def node_killed_while_it_receives(victim, survivor):
    _killed(victim, survivor, survivor)


def node_killed_while_it_sends(victim, survivor):
    _killed(victim, survivor, victim)


def _killed(victim, survivor, sender):
    receiver = victim if sender is survivor else survivor
    with clients(victim, survivor):
        _send(sender, receiver, ENDLESS)
        _reaches(receiver, sender, "received", SOME)
        victim.kill()
        _reaches(survivor, victim, "ends", 1)
        wait_for(lambda: _has(survivor, victim, up=0), 30, "path that is down")
        _send(survivor, victim, 0)
        victim.restart()
        victim.wait_ready()
        _load(victim)
        _reaches(survivor, victim, "connects", 2)
        _connected(victim, survivor)
        wait_for(lambda: _settled(receiver, sender), 30, "messages on their way")
        _exactly(survivor, victim, SOME)
        _exactly(victim, survivor, SOME)


def halted_node_holds_nobody(stopped, going):
    """The sender can be unloaded, and what was sent arrives when the node goes on."""
    with clients(stopped, going):
        _send(going, stopped, ENDLESS)
        _reaches(stopped, going, "received", SOME)
        with halted(stopped):
            going.check("rmmod", MODULE)
        _load(going)
        _connected(stopped, going)
        wait_for(lambda: _settled(stopped, going), 30, "messages on their way")
        _exactly(going, stopped, SOME)


def adapter_unbound_under_a_client(changing, staying):
    """The client lets go of what it has over the adapter, which waits for that."""
    device = changing.check("sh", "-c", "basename /sys/bus/pci/drivers/sci/0*").strip()
    with clients(changing, staying):
        _send(staying, changing, ENDLESS)
        _send(changing, staying, ENDLESS)
        _reaches(changing, staying, "received", SOME)
        status, _, _ = changing.run("rmmod", "sci")
        same(status != 0, True, "that the client holds the adapter's module")
        changing.check("sh", "-c", f"echo {device} >/sys/bus/pci/drivers/sci/unbind")
        wait_for(lambda: _has(changing, staying, up=0, sink=0, source=0), 10,
                 "nothing that the client has over the adapter")
        changing.check("rmmod", MODULE)
        changing.check("sh", "-c", f"echo {device} >/sys/bus/pci/drivers/sci/bind")
        with Shell(staying) as s, Shell(changing) as c:
            path_is_active(s, changing)
            path_is_active(c, staying)
        _send(staying, changing, 0)
        _load(changing)
        _connected(changing, staying)
        wait_for(lambda: _settled(changing, staying), 30, "messages on their way")
        _exactly(staying, changing, SOME)


def programs_cannot_take_a_client_s_place(one, other):
    """Neither publish under its ids, nor connect without the kernel's privileges."""
    segment_id = f"{SEGMENT_ID + other.number:x}"
    with clients(one, other), Shell(one) as e, Shell(other) as i:
        e.ok("export 0 8192")
        same(e.ask(f"publish 0 {segment_id}")[0] != 0, True, "refusal of an id of the kernel's")
        # Root may, with all its privileges: so the list is right, and the mode.
        i.ok(f"connect 0 {one.number} {segment_id}")
        same(_counts(one, other)["bad"], 0, "bad messages")


if __name__ == "__main__":
    pairlib.main(both_ways(
        messages_arrive_whole, messages_cross, client_unloaded_while_the_peer_sends,
        sending_client_unloaded_and_loaded, halted_node_holds_nobody,
        adapter_unbound_under_a_client, programs_cannot_take_a_client_s_place,
        node_killed_while_it_receives, node_killed_while_it_sends))
