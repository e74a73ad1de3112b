#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""A node whose driver lies: what it writes into the message rings, and whom it rings.

The lies are written from outside, into the memory of the nodes' QEMU processes:
into the ring at the victim that is the hostile node's to write, and into the
hostile node's own memory, which the victim reads. The rings are made by a program
that uses the hostile node's adapter beside its driver.
"""
import contextlib
import os
import random
import re
import struct

import pairlib
from pairlib import (REMOTE_NODE_UNREACHABLE, Shell, both_ways, halted, path_is_active, same,
                     talk, wait_for)

# guest-driver/sci/ring.h
MAGIC = struct.pack("<II", 0x676e7253, 2)
PAGE, ENTRIES, MESSAGE_MAX = 4096, 32, 88
OWNER, LINE, CONSUMER, PRODUCER, HELLO, WRITER, ENTRY = 8, 12, 64, 128, 192, 200, 256
ENTRY_SIZE = 96
LINES = 16          # of the driver: that of a ring is the number of its writer, modulo this

# guest-driver/rsm/message.h
HEADER = "<BBHI"
VERSION = 2
SIZES = (24, 24, 24, 56, 24, 24)
TYPES = len(SIZES)
SEED = int(os.environ.get("RSMLAB_SEED", 20261126))
BATCHES = 80
ROUNDS = 20         # of rings of all lines
ERROR_LINE = 4      # SCI_ERROR_LINE
OPEN_LINE = 20      # a line that no driver uses


class Memory:
    """Of a node, from outside."""

    def __init__(self, node):
        self.node = node
        pid = node.process()["pid"]
        for entry in os.scandir(f"/proc/{pid}/fd"):
            with contextlib.suppress(FileNotFoundError):
                if "memory-backend-memfd" in os.readlink(entry.path):
                    self.fd = os.open(entry.path, os.O_RDWR | os.O_CLOEXEC)
                    return
        raise AssertionError(f"{node.name} has no memory")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.fd)

    def get(self, form, at):
        return struct.unpack(form, os.pread(self.fd, struct.calcsize(form), at))[0]

    def put(self, form, at, *values):
        os.pwrite(self.fd, struct.pack(form, *values), at)

    def ring(self, owner, writer, node):
        """Where the ring of an incarnation is that one of another node writes."""
        size, chunk, found = os.fstat(self.fd).st_size, 1 << 20, []
        for start in range(0, size, chunk):
            data = os.pread(self.fd, chunk, start)
            found += [start + at for at in range(0, len(data), PAGE)
                      if data.startswith(MAGIC, at) and
                      struct.unpack_from("<I", data, at + OWNER)[0] == owner and
                      struct.unpack_from("<I", data, at + WRITER)[0] == writer and
                      struct.unpack_from("<I", data, at + LINE)[0] == node.number % LINES]
        same(len(found), 1, f"rings of {self.node.name} that {node.name} writes")
        return found[0]


def _peer(node, peer):
    """What the driver of NODE says of PEER: incarnation and state of the ring."""
    out = node.check("cat", "/sys/kernel/debug/sci/sci0/peers")
    line = re.search(rf"^{peer.number} \S+ (\d+) \d+ \d+ \d+ (.*)$", out, re.M)
    return int(line.group(1)), line.group(2)


class Lies:
    """The two rings between a victim and a hostile node."""

    def __init__(self, stack, victim, hostile):
        self.victim, self.hostile = victim, hostile
        theirs, _ = _peer(victim, hostile)
        own, _ = _peer(hostile, victim)
        self.at_victim = stack.enter_context(Memory(victim))
        self.at_hostile = stack.enter_context(Memory(hostile))
        self.inbox = self.at_victim.ring(own, theirs, hostile)
        self.outbox = self.at_hostile.ring(theirs, own, victim)

    def inbox_add(self, field, number):
        """Add to what the hostile node says in the ring at the victim."""
        at = self.inbox + field
        self.at_victim.put("<I", at, (self.at_victim.get("<I", at) + number) & 0xffffffff)

    def consume(self, number):
        """Claim to have taken that many messages more."""
        at = self.outbox + CONSUMER
        self.at_hostile.put("<I", at, (self.at_hostile.get("<I", at) + number) & 0xffffffff)

    def send(self, payload, length=None, sequence=0):
        """A message, well-formed but for what is said here."""
        producer = self.at_victim.get("<I", self.inbox + PRODUCER)
        self.at_victim.put("<II88s", self.inbox + ENTRY + producer % ENTRIES * ENTRY_SIZE,
                           len(payload) if length is None else length,
                           (producer + sequence) & 0xffffffff, payload)
        self.inbox_add(PRODUCER, 1)

    def empty(self):
        """Take all that the victim has sent."""
        self.at_hostile.put("<I", self.outbox + CONSUMER,
                            self.at_hostile.get("<I", self.outbox + PRODUCER))

    def pending(self):
        return self.at_victim.get("<I", self.inbox + PRODUCER) - \
            self.at_victim.get("<I", self.inbox + CONSUMER)


def _let_ring(victim, hostile, other):
    """Let another node ring the line of the ring that the hostile one writes."""
    victim.check("sciprobe", "open", str(other.number), str(hostile.number % LINES))


def _ring_for(victim, hostile, other):
    """Have the victim look at that ring, whatever its writer says."""
    other.check("sciprobe", "bell", str(victim.number), str(hostile.number % LINES))


def _taken(lies, other):
    """Have the victim look, and room for what it answers."""
    lies.empty()
    _ring_for(lies.victim, lies.hostile, other)
    return not lies.pending()


def _broken(victim, hostile):
    return "(broken)" in _peer(victim, hostile)[1]


def _repent(victim, hostile):
    """A new incarnation of the adapter is another peer."""
    hostile.drivers("unload")
    hostile.drivers("load")
    with Shell(victim) as v, Shell(hostile) as h:
        path_is_active(v, hostile)
        path_is_active(h, victim)


def _they_talk(victim, hostile):
    with Shell(victim) as v, Shell(hostile) as h:
        talk(v, h, 0, "400700")


def nonsense_stops_no_sender(victim, hostile, _other):
    """A count that cannot be, and a session that is not the connection's."""
    with contextlib.ExitStack() as stack, Shell(victim) as v, Shell(hostile) as h:
        h.publish(0, "400701")
        # Without the right to write events are posted by messages.
        v.ok(f"connect 0 {hostile.number} 400701 400")
        lies = Lies(stack, victim, hostile)
        lies.consume(1000)
        lies.inbox_add(HELLO + 4, 1)
        same(v.ask("post 0")[0], REMOTE_NODE_UNREACHABLE, "error of the post")
        same(v.ask("post 0")[0], REMOTE_NODE_UNREACHABLE, "error of the second one")
    _repent(victim, hostile)
    _they_talk(victim, hostile)


VIOLATIONS = {
    "more messages than there is room for": lambda lies: lies.inbox_add(PRODUCER, ENTRIES + 1),
    "a message that is too long": lambda lies: lies.send(b"", length=MESSAGE_MAX + 1),
    "a message out of order": lambda lies: lies.send(b"x" * 32, sequence=1),
    "a message taken that was never sent": lambda lies: lies.consume(1),
}


def violations_end_the_connection_and_nothing_else(victim, hostile, other):
    for what, violate in VIOLATIONS.items():
        with contextlib.ExitStack() as stack, Shell(victim) as v, Shell(hostile) as h, \
                Shell(other) as o:
            v.publish(0, "400702")
            h.load(0, victim.number, "400702")
            o.load(0, victim.number, "400702")
            v.publish(1, "400703")
            _let_ring(victim, hostile, other)
            violate(Lies(stack, victim, hostile))
            _ring_for(victim, hostile, other)
            wait_for(lambda: _broken(victim, hostile), 10, f"peer that is broken by {what}")
            o.ok("set 0 0 5")
            o.ok("close 0")
            same(v.ok("get 0 0"), "5", f"word of another node after {what}")
            # That one was told: its import has ended, and there is no new one.
            wait_for(lambda: v.path(hostile.number) != pairlib.PATH_ACTIVE, 10, "end of the path")
            wait_for(lambda: h.ask(f"connect 1 {victim.number} 400703")[0] != 0, 10,
                     f"refusal after {what}")
        _repent(victim, hostile)
    _they_talk(victim, hostile)


def a_ring_of_another_kind_is_left_alone(victim, hostile, _other):
    with contextlib.ExitStack() as stack:
        lies = Lies(stack, victim, hostile)
        lies.at_hostile.put("<I", lies.outbox, 0)
        victim.take_link(hostile.number, False)
        victim.take_link(hostile.number, True)
        wait_for(lambda: _broken(victim, hostile), 20, "peer without a ring")
    _repent(victim, hostile)
    _they_talk(victim, hostile)


def _message(rng):
    """Anything; small numbers are likely to mean something."""
    def word(bits):
        return rng.choice((0, 1, rng.randrange(64), 0x400704, rng.getrandbits(bits),
                           (1 << bits) - 1))

    kind = rng.randrange(TYPES + 2)
    header = struct.pack(HEADER, VERSION, kind, 0, word(32))
    body = struct.pack("<IIQQIIIIQ", word(32), word(32), word(64), word(64), word(32), word(32),
                       word(32), word(32), word(64))
    size = SIZES[kind] if kind < TYPES and rng.random() < 0.9 else rng.randrange(MESSAGE_MAX + 1)
    return (header + body + bytes(MESSAGE_MAX))[:size]


def any_message_is_survived(victim, hostile, other):
    rng = random.Random(SEED)
    print(f"# seed {SEED}", flush=True)
    with contextlib.ExitStack() as stack, Shell(victim) as v, Shell(hostile) as h, \
            Shell(other) as o:
        v.publish(0, "400704")
        h.load(0, victim.number, "400704")
        h.publish(1, "400705")
        v.load(1, hostile.number, "400705")
        o.load(0, victim.number, "400704")
        _let_ring(victim, hostile, other)
        lies = Lies(stack, victim, hostile)
        # Its driver would find out at once that others send in its name.
        with halted(hostile):
            for _ in range(BATCHES):
                for _ in range(ENTRIES):
                    lies.send(_message(rng))
                wait_for(lambda: _taken(lies, other), 20, "messages that are taken")
            same(_broken(victim, hostile), False, "whether the messages end the connection")
            o.ok("set 0 0 6")
            o.ok("close 0")
            same(v.ok("get 0 0"), "6", "word of another node")
    _repent(victim, hostile)
    _they_talk(victim, hostile)


def _pending(node):
    """Lines that were rung, but for those of the driver."""
    return set(node.check("sciprobe", "pending").split()) - set(map(str, range(LINES)))


def _line_errors(node):
    """How often the driver found the kind LINE in the adapter's error register."""
    status = node.check("cat", "/sys/kernel/debug/sci/sci0/status")
    return int(re.search(r"^errors .* line (\d+)", status, re.M)[1])


def _ring_all(node, peer, rounds=1):
    """Rings of lines of PEER without a right, errors in its slot, kind of the last one."""
    out = node.check("sciprobe", "ring", str(rounds), timeout=120)
    found = re.search(rf"^node {peer.number} closed (\d+) errors (\d+) kind (\d+)$", out, re.M)
    return tuple(map(int, found.groups()))


def only_lines_that_are_open_can_be_rung(victim, hostile, other):
    with Shell(victim) as v, Shell(hostile) as h:
        v.publish(0, "400706")
        h.load(0, victim.number, "400706")
        h.publish(1, "400707")
        v.load(1, hostile.number, "400707")
        before = [_pending(node) for node in (victim, other)]
        errors = _line_errors(hostile)
        closed, counted, kind = _ring_all(hostile, victim, ROUNDS)
        same((counted, kind), (closed, ERROR_LINE), "errors at the hostile node, and their kind")
        wait_for(lambda: _line_errors(hostile) > errors, 10, "LINE in the error register")
        same([_pending(node) for node in (victim, other)], before, "lines that were rung")
        same(_broken(victim, hostile), False, "whether the rings end the connection")

        # The session goes on: messages both ways, and the victim's span was a good one.
        v.ok("set 1 0 7")
        v.ok("close 1")
        h.ok("post 0")
        v.ok("wait 0 20000")
        v.ok("post 1")
        h.ok("wait 1 20000")
        talk(v, h, 2, "400708")

        # That the probe rings at all: with the right it does, and only that line.
        victim.check("sciprobe", "open", str(hostile.number), str(OPEN_LINE))
        wait_for(lambda: _ring_all(hostile, victim)[0] < closed // ROUNDS, 10, "an open line")
        same(_pending(victim), before[0] | {str(OPEN_LINE)}, "lines rung with the right")
        same(_pending(other), before[1], "lines of another node that were rung")
        victim.check("sciprobe", "close", str(hostile.number), str(OPEN_LINE))
        wait_for(lambda: _ring_all(hostile, victim)[0] == closed // ROUNDS, 10, "a closed line")


if __name__ == "__main__":
    pairlib.main(both_ways(
        nonsense_stops_no_sender,
        violations_end_the_connection_and_nothing_else,
        a_ring_of_another_kind_is_left_alone,
        any_message_is_survived,
        only_lines_that_are_open_can_be_rung, third=True), nodes=3)
