# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Calls that threads made at once: is there an order in which the rules allow it?

The calls of one thread have an order, those of different threads may have
taken effect in any. worlds_after() tries all orders and gives each world in
which one of them may have ended: none means that the rules were broken, more
than one that what came back does not tell which it was. Later calls tell.
"""
import pickle

from world import Events, Export, Import, LibImport, Share

SIMPLE = (int, str, bytes, type(None))


class Unclear(Exception):
    """The rules do not say what is right."""


def copy(world):
    return pickle.loads(pickle.dumps(world, pickle.HIGHEST_PROTOCOL))


class _Digest:
    """A world as a tuple, the same for worlds that differ in names of objects only.

    Of events only those are in it that are on their way; what may be pending is
    in `events`, in an order that is the same for equal digests.
    """

    def __init__(self, world):
        self.out, self.events, self.seen = [], [], {}
        self.places = {id(h): (key, slot) for key, p in world.processes.items()
                       for slot, h in enumerate(p.imports) if h}
        for part in (world.processes, world.published, world.shares):
            self.walk(part)
        self.key = tuple(self.out)

    def _place(self, x):
        if isinstance(x, LibImport):
            return self.places.get(id(x), ())
        if isinstance(x, Import):
            return min(map(self._place, x.handles), default=())
        return x.node, x.controller, str(x.segment_id)

    def walk(self, x):
        if isinstance(x, SIMPLE):
            self.out.append(x)
        elif isinstance(x, tuple):
            self.out.append(x)
        elif id(x) in self.seen:
            self.out += ("again", self.seen[id(x)])
        else:
            self.seen[id(x)] = len(self.seen)
            self._enter(x)

    def _enter(self, x):
        self.out.append(type(x).__name__)
        if isinstance(x, bytearray):
            self.out.append(bytes(x))
        elif isinstance(x, list):
            self._all(x)
        elif isinstance(x, dict):
            # Segments that have no id are found at their processes.
            keys = sorted(k for k in x if not isinstance(k, Export))
            self.out.append(len(keys))
            for k in keys:
                self.out.append(k)
                self.walk(x[k])
        elif isinstance(x, Events):
            self.events.append(x)
            self.out.append(tuple(x.coming))
        else:
            for name, value in sorted(vars(x).items()):
                self._attribute(x, name, value)

    def _attribute(self, owner, name, value):
        if isinstance(owner, (Export, Share, Import)) and name in ("shares", "imports", "handles"):
            self._all(sorted(value, key=self._place))   # their order means nothing
        else:
            self.walk(value)

    def _all(self, items):
        self.out.append(len(items))
        for item in items:
            self.walk(item)


def distinct(worlds):
    """Each world once; worlds that differ in pending events only become one."""
    if len(worlds) < 2:
        return worlds
    known = {}
    for w in worlds:
        digest = _Digest(w)
        if digest.key not in known:
            known[digest.key] = (w, digest)
            continue
        for mine, his in zip(known[digest.key][1].events, digest.events):
            mine.states = mine.states | his.states
    return [w for w, _ in known.values()]


class Call:
    """A call of a thread and what came of it."""

    def __init__(self, key, name, args):
        self.key, self.name, self.args = key, name, args
        self.result = None      # words

    def judge(self, world):
        """What WORLD expected, None if that is what came; the world is then brought up to date."""
        step = getattr(world, self.name)(world.processes[self.key], *self.args)
        if step is None:
            raise Unclear(self.name)
        return step[1](int(self.result[0]), self.result[1:])


def _groups(threads, touched):
    """Threads that have to do with each other, directly or by others."""
    groups = []
    for thread, what in zip(threads, touched):
        near = [g for g in groups if g[1] & what]
        groups = [g for g in groups if not g[1] & what]
        groups.append(([t for g in near for t in g[0]] + [thread],
                       set(what).union(*(g[1] for g in near))))
    return [g[0] for g in groups]


def worlds_after(world, threads, touched, in_turn=False):
    """(worlds, text about what the calls should have given if there is none).

    THREADS are lists of calls, TOUCHED the things that each of them has to do
    with: the order of threads that have none in common does not matter. IN_TURN
    knows one order only: thread by thread.
    """
    worlds, text = [world], None
    for group in [threads] if in_turn else _groups(threads, touched):
        found = [_search(w, group, in_turn) for w in worlds]
        worlds, text = distinct([w for some, _ in found for w in some]), found[0][1]
        if not worlds:
            break
    return worlds, text


def _search(world, threads, in_turn):
    reached = {(0,) * len(threads): [world]}
    total = sum(map(len, threads))
    for done in range(total):
        later, wishes = {}, []
        for at, worlds in reached.items():
            for i, thread in enumerate(threads):
                if at[i] == len(thread):
                    continue
                after = (*at[:i], at[i] + 1, *at[i + 1:])
                later.setdefault(after, []).extend(_make(worlds, thread[at[i]], wishes, i))
                if in_turn:
                    break
        reached = {at: distinct(worlds) for at, worlds in later.items() if worlds}
        if not reached:
            return [], f"after {done} of {total} calls: " + "; ".join(sorted(set(wishes)))
    return next(iter(reached.values())), None


def _make(worlds, call, wishes, i):
    for w in worlds:
        w = copy(w)
        wish = call.judge(w)
        if wish is None:
            yield w
        else:
            wishes.append(f"thread {i}: {call.name} gives {wish or 'nothing yet'}")
