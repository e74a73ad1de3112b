# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Chooses calls for several threads at once, in a process of one node or of both.

They may do anything to each other that the rules can judge afterwards. claims()
says what a call needs so that they can: a handle must not be used while it is
made or ended, bytes must not be written while others are at them (a transfer
is not atomic), and so on.
"""
from generate import NEEDS
from other_rules import FOREVER
from world import NODES, SLOTS, WRITE

SILENT_MS = 20      # of a wait for which nothing is sure to come
MOST_PER_NODE = 3
CLASH = [{"r", "w"}, {"w"}, {"publish", "withdraw"}]
# How often; most make or end what others use.
WEIGHTS = {
    "create": 3, "publish": 14, "unpublish": 8, "republish": 5, "rebind": 4, "destroy": 3,
    "connect": 22, "disconnect": 5, "map": 9, "unmap": 6, "init": 4, "open": 3, "order": 2,
    "close": 4, "fini": 1, "mode": 2, "getmode": 1, "store": 4, "load": 6, "put": 10, "get": 12,
    "putv": 5, "getv": 5, "local": 2, "freelocal": 1, "post": 12, "wait": 10, "getpoll": 6,
    "freepoll": 3, "waitpoll": 3, "ownstore": 3, "ownload": 3,
}
FOLLOWS = {"create": "publish", "connect": "map", "open": "close", "map": "unmap",
           "getpoll": "freepoll", "put": "post"}
# What a handle is after these is not known beforehand, so the thread leaves it alone.
CHANGES = {"create", "publish", "republish", "rebind", "destroy", "connect", "disconnect", "local",
           "freelocal"}
BARRIERS = {"init": 1, "open": 0, "order": 0, "close": 0, "fini": 0}    # which argument it is
TRANSFERS = {"put", "get", "putv", "getv"}
EITHER = {"post", "wait", "getpoll", "freepoll"}                        # kind and slot


def _pages(pages, writes):
    return {(("page", id(p)), "w" if writes else "r") for p in pages}


def _withdrawn(p, h):
    """What is true no more once the export is published no more."""
    return {(("published", id(h.export)), "w"),
            (("id", p.node, h.export.segment_id), "withdraw")}


def _exporting(p, name, args):
    h = p.exports[args[0]]
    taken = {(("export", p.node, p.number, args[0]), "w" if name in ("create", "destroy") else "r")}
    if name == "publish":
        taken |= {(("id", p.node, args[1]), "publish")}
    if not h:
        return taken
    taken |= {(("export of fork", id(h.export)), "w" if name == "destroy" else "r")}
    if name in ("unpublish", "destroy"):
        taken |= _withdrawn(p, h)
    elif name == "rebind":
        taken |= _pages(h.export.pages, True) | {(("memory", id(h.export)), "w")}
        if args[1] >= 0:
            taken |= _pages(p.regions[args[1]], True)
    elif name == "republish":
        taken |= {(("list", id(h.export)), "w")}
    return taken


def _importing(p, name, args):
    slot = args[0]
    h = p.imports[slot]
    taken = {(("import", p.node, p.number, slot),
              "w" if name in ("connect", "disconnect") else "r")}
    if name in ("map", "unmap", "load", "store"):
        # The program's pointer: it must not be gone, and is not there before map returns.
        taken |= {(("pointer", p.node, p.number, slot), "w" if name == "unmap" else "r")}
    if name == "init":
        taken |= {(("barrier", p.node, p.number, args[1]), "w")}
    if h and name == "disconnect":
        taken |= {(("barrier", p.node, p.number, i), "w")
                  for i, b in enumerate(p.barriers) if b.import_ is h}
    if not h or name not in TRANSFERS | {"store", "load"}:
        return taken
    writes = name in ("put", "putv", "store")
    export = h.share.export
    taken |= _pages(export.pages, writes)
    if writes or name == "getv" or not h.mapping:
        taken |= {(("published", id(export)), "r")}
    if name in ("putv", "getv"):
        for local, region, *_ in args[2]:
            if local is not None:
                taken |= {(("local", p.node, p.number, local), "r")}
                region = p.locals[local].region if p.locals[local] else -1
            if region >= 0:
                taken |= _pages(p.regions[region], name == "getv")
        if args[1] & 1:
            taken |= {(("published", id(export)), "r")}
    return taken


def _posting(p, name, kind, slot):
    taken = {(("import" if kind else "export", p.node, p.number, slot), "r")}
    h = p.segments(kind)[slot]
    if name == "freepoll":
        taken |= {(("descriptor", p.node, p.number, kind, slot), "w")}
    if name in ("wait", "waitpoll"):
        taken |= {(("events", p.node, p.number, kind, slot), "r")}
    if h and name == "post":
        taken |= {(("published", id(h.share.export if kind else h.export)), "r")}
        if kind:
            taken |= {(("id", h.share.export.node, h.share.segment_id), "publish"),
                      (("id", h.share.export.node, h.share.segment_id), "withdraw")}
    return taken


def claims(p, name, args):
    """(what, how) a call of P claims; two of the same thing that clash are not made at once."""
    if name in EITHER:
        return _posting(p, name, *args[:2])
    if name == "waitpoll":
        return {c for kind, slot in args[0]
                for c in (*_posting(p, name, kind, slot),
                          (("descriptor", p.node, p.number, kind, slot), "r"))}
    if name in ("ownstore", "ownload"):
        return _pages(p.regions[args[0]], name == "ownstore")
    if name in ("local", "freelocal"):
        return {(("local", p.node, p.number, args[0]), "w")}
    if name in BARRIERS and name != "init":
        b = p.barriers[args[0]]
        taken = {(("barrier", p.node, p.number, args[0]), "w")}
        if b.import_ in p.imports:
            taken |= {(("import", p.node, p.number, p.imports.index(b.import_)), "r")}
        return taken
    if name in ("create", "publish", "unpublish", "republish", "rebind", "destroy"):
        return _exporting(p, name, args)
    return _importing(p, name, args)


def touched(world, threads):
    """What the calls of each thread have to do with."""
    ends = any(c.name in ("unpublish", "destroy") for calls in threads for c in calls)
    return [_touched(world.processes[calls[0].key], calls, ends) for calls in threads]


def _touched(p, calls, ends):
    """ENDS: some call of the round ends connections, so that accesses may fail."""
    what = set()
    for c in calls:
        what |= {token for token, _ in claims(p, c.name, c.args) if token[0] != "page"}
        if c.name == "connect":
            what |= {("id", c.args[2], c.args[3])}
        if ends and (c.name in BARRIERS or c.name in TRANSFERS or c.name in ("load", "store")):
            what |= {("failed accesses", p.node)}
    for kind, slot in {(c[0] == "import", c[3]) for c in what if c[0] in ("import", "export")}:
        h = p.segments(kind)[slot]
        if h:
            export = h.share.export if kind else h.export
            segment_id = h.share.segment_id if kind else export.segment_id
            what |= {("segment", id(export)), ("id", export.node, segment_id)}
    return what


def reaches(x, kind, h):
    """Whether what is posted by X, a handle of the other side, comes to H."""
    if kind:
        return bool(x and h) and h.share in x.export.shares
    return bool(x and h) and x.share in h.export.shares and h.export.state == "published"


def wait_ends(world, key, args, posts):
    """Whether one of POSTS, (process, arguments), ends a wait that has no limit."""
    kind, slot = args[:2]
    h = world.processes[key].segments(kind)[slot]
    return any(post[0] != kind and not post[2] & 2 and
               reaches(world.processes[other].segments(post[0])[post[1]], kind, h)
               for other, post in posts)


def clash(some, others):
    return any(a == b and {x, y} in CLASH for a, x in some for b, y in others)


class RoundGenerator:
    """Makes rounds; the generator of single calls makes the arguments."""

    def __init__(self, generator):
        self.generator, self.rng, self.world = generator, generator.rng, generator.world
        self.taken = []     # per thread
        self.threads = []

    def round(self):
        """[[node, number, first, [[name, args], ...]], ...], one per thread"""
        self.taken, self.threads = [], []
        dice = self.rng.random()
        if dice < 0.35:
            self._wake()
        elif dice < 0.45:
            self._wait_in_vain()
        keys = self._processes()
        for _ in range(self.rng.randint(2, 4)):
            key = self.rng.choice(keys)
            if sum(t[:2] == list(key) for t in self.threads) < MOST_PER_NODE:
                self._thread(key)
        return self.threads

    def _processes(self):
        """One of each node, mostly; one of a node that is in it already."""
        keys = {t[0]: tuple(t[:2]) for t in self.threads}
        for node in self.rng.sample(NODES, 2 if self.rng.random() < 0.6 else 1):
            fit = [k for k in sorted(self.world.processes) if k[0] == node]
            if node not in keys and fit:
                keys[node] = self.rng.choice(fit)
        return list(keys.values()) or [self.rng.choice(sorted(self.world.processes))]

    def _add(self, key, first, calls, taken):
        self.threads.append([*key, first, calls])
        self.taken.append(taken)

    def _fits(self, taken):
        return not any(clash(taken, other) for other in self.taken)

    def _thread(self, key):
        p = self.world.processes[key]
        calls, taken = [], set()
        for _ in range(self.rng.choice([1, 1, 2])):
            call = self._call(p, calls)
            if call:
                calls.append(call)
                taken |= claims(p, *call)
        if calls:
            self._add(key, False, calls, taken)

    def _call(self, p, before):
        for _ in range(8):
            call = self._follow(p, before)
            if not call:
                call = self._same(p) or self._any(p)
                if call and before and self._unknown(p, before[-1], call):
                    continue
            if call and self._fits(claims(p, *call)) and \
                    getattr(self.world, call[0])(p, *call[1]):
                return call
        return None

    @staticmethod
    def _unknown(p, before, call):
        """Whether claims() of a call are wrong after the one before."""
        was, now = claims(p, *before), claims(p, *call)
        handles = {c for c, _ in was if c[0] in ("export", "import", "local")}
        return (before[0] in CHANGES and any(c in handles for c, _ in now)) or \
            any(a == b and a[0] == "id" and x != y for a, x in was for b, y in now)

    def _args(self, p, name):
        args = getattr(self.generator, f"_{name}")(p)
        if name == "wait":
            return [*args, self.rng.choice([0, 0, SILENT_MS])]
        if name == "waitpoll":
            return [args[0][:1], 0]
        return args

    def _any(self, p):
        fit = [n for n in WEIGHTS if NEEDS[n](p)]
        if not fit:
            return None
        name = self.rng.choices(fit, [WEIGHTS[n] for n in fit])[0]
        return [name, self._args(p, name)]

    def _follow(self, p, before):
        name = FOLLOWS.get(before[-1][0]) if before else None
        if not name or self.rng.random() < 0.4:
            return None
        if name == "post":
            return [name, [1, before[-1][1][0], 0]]
        args = self._args(p, name)
        count = 2 if name == "freepoll" else 1
        return [name, [*before[-1][1][:count], *args[count:]]]

    def _same(self, p):
        """What another thread of the process does, to the same thing."""
        others = [c for t in self.threads if t[:2] == [p.node, p.number] for c in t[3]]
        if not others or self.rng.random() < 0.5:
            return None
        name, args = self.rng.choice(others)
        new = self._args(p, name)
        if name == "connect":
            return [name, [new[0], *args[1:4], new[4]]]
        count = 2 if name in EITHER else 0 if name in BARRIERS else 1
        return [name, [*args[:count], *new[count:]]]

    # ---- waiters ----

    def _posters(self, key, kind, h):
        """(process, arguments of post) that reach a handle of the process."""
        for other, q in sorted(self.world.processes.items()):
            if other[0] == key[0] and other != key:
                continue    # one process of a node
            for slot, x in enumerate(q.segments(1 - kind)):
                if reaches(x, kind, h):
                    yield other, [1 - kind, slot, 0]

    def _wake(self):
        """A thread waits for an event that another posts."""
        pairs = [(key, kind, slot, *post) for key, p in sorted(self.world.processes.items())
                 for kind in (0, 1) for slot, h in enumerate(p.segments(kind))
                 if h and not h.events.taken() for post in self._posters(key, kind, h)]
        # Who may write posts without the agent, if nobody sleeps.
        direct = [pair for pair in pairs if not pair[1] and
                  self.world.processes[pair[3]].imports[pair[4][1]].permission & WRITE]
        if not pairs:
            return
        key, kind, slot, other, post = self.rng.choice(
            direct if direct and self.rng.random() < 0.7 else pairs)
        p, q = self.world.processes[key], self.world.processes[other]
        events = p.segments(kind)[slot].events
        # No other waiter may take it, in this process or one that has inherited the handle.
        mine = claims(p, "wait", [kind, slot]) | {(("events", id(events)), "w")}
        for r in self.world.processes.values():
            for k in (0, 1):
                mine |= {(("events", r.node, r.number, k, s), "w")
                         for s, h in enumerate(r.segments(k)) if h and h.events is events}
        self._add(key, self.rng.random() < 0.6, [["wait", [kind, slot, FOREVER]]], mine)
        calls = [["post", post]]
        his = claims(q, "post", post)
        before = self._call(q, []) if self.rng.random() < 0.3 else None
        if before and not clash(claims(q, *before), his):
            calls.insert(0, before)
            his |= claims(q, *before)
        self._add(other, False, calls, his)

    def _wait_in_vain(self):
        """A thread waits, and the others give it no event, whatever else they do."""
        handles = [(key, kind, slot) for key, p in sorted(self.world.processes.items())
                   for kind in (0, 1) for slot in range(SLOTS)
                   if p.segments(kind)[slot] and not p.segments(kind)[slot].events.taken()]
        if handles:
            key, kind, slot = self.rng.choice(handles)
            self._add(key, True, [["wait", [kind, slot, SILENT_MS]]],
                      claims(self.world.processes[key], "wait", [kind, slot]))
