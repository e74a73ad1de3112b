# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Chooses the next call: mostly one that does something, sometimes nonsense."""
from world import (LOOPBACK, NODES, PAGE, READ, REGION_PAGES, REGIONS, SCI, SLOTS,
                   WRITE)

IDS = [0x400000 + i for i in range(4)]
BAD_IDS = [0x3fffff, 0x80000001, 1]
USERS = [(0, 0, 0), (1001, 1001, 1001), (1002, 1002, 1001), (1002, 1002, 1002), (0, 1002, 0)]
MASKS = [0o022, 0o022, 0, 0o077, 0o066, 0o222]
MODES = [0o666, 0o666, 0o600, 0o400, 0o644, 0o060, 0o006, 0o620, 0]
WIDTHS = [0, 8, 16, 32, 64]

# How often; most calls need a handle first, so what makes them comes often.
WEIGHTS = {
    "create": 12, "publish": 14, "unpublish": 3, "republish": 4, "rebind": 4, "destroy": 2,
    "connect": 24, "disconnect": 3, "map": 10, "unmap": 4, "init": 12, "open": 6, "order": 3,
    "close": 7, "fini": 2, "mode": 4, "getmode": 1, "store": 8, "load": 8, "put": 10, "get": 10,
    "putv": 5, "getv": 5, "local": 2, "freelocal": 1, "post": 10, "wait": 10, "getpoll": 5,
    "freepoll": 4, "waitpoll": 6, "ownstore": 6, "ownload": 6, "ids": 3, "umask": 2, "fork": 1,
    "renew": 1, "kill": 1, "spawn": 1,
}


def _creates(p):
    return any(h and h.export.creator is p for h in p.exports)


def _publishes(p):
    return any(h and h.export.state == "published" for h in p.exports)


# What a process must have, or the call can only fail for the lack of it.
NEEDS = {
    "create": lambda p: not all(p.exports),
    "publish": lambda p: any(h and h.export.state != "published" for h in p.exports),
    "unpublish": _publishes, "republish": _publishes, "rebind": _creates,
    "destroy": lambda p: any(p.exports), "connect": lambda p: not all(p.imports),
    "local": lambda p: not all(p.locals), "freelocal": lambda p: any(p.locals),
    "store": lambda p: any(h and h.mapping for h in p.imports),
    "post": lambda p: any(p.exports + p.imports),
    "waitpoll": lambda p: any(h and h.polls for h in p.exports + p.imports),
    "spawn": lambda p: True, "kill": lambda p: True, "fork": lambda p: not p.parent,
    "ids": lambda p: True, "umask": lambda p: True, "renew": lambda p: True,
    "ownstore": lambda p: True, "ownload": lambda p: True,
}
NEEDS["load"] = NEEDS["store"]
NEEDS["wait"] = NEEDS["getpoll"] = NEEDS["freepoll"] = NEEDS["post"]
for _name in ("open", "order", "close", "fini"):
    NEEDS[_name] = lambda p: any(b.import_ for b in p.barriers)
for _name in set(WEIGHTS) - set(NEEDS):
    NEEDS[_name] = lambda p: any(p.imports)


class Generator:
    """Makes calls for a world; all chance comes from RNG."""

    def __init__(self, rng, world):
        self.rng, self.world = rng, world
        self.names = list(WEIGHTS)
        self.weights = list(WEIGHTS.values())
        self.last = None

    def call(self):
        """(node, worker, name, arguments)"""
        self.last = (self._next() if self.last else None) or self._any()
        return self.last

    def _next(self):
        """What a program would do after the last call, if that went well."""
        node, number, name, args = self.last
        p = self.world.processes.get((node, number))
        if not p or self.rng.random() < 0.4:
            return None
        if name == "create" and p.exports[args[0]]:
            return node, number, "publish", [args[0], *self._publish(p)[1:]]
        if name == "connect" and p.imports[args[0]]:
            return node, number, "init", [args[0], self._slot(self._attached(p), False)]
        if name == "init" and p.imports[args[0]]:
            return self.rng.choice([(node, number, "open", [args[1]]),
                                    (node, number, "map", [args[0], *self._map(p, args[0])[1:]])])
        if name == "open" and p.barriers[args[0]].import_ in p.imports:
            slot = p.imports.index(p.barriers[args[0]].import_)
            move = self.rng.choice(["put", "get", "putv", "getv", "store", "load"])
            return node, number, move, getattr(self, f"_{move}")(p, slot)
        if name in ("put", "store", "load", "get"):
            opened = [i for i, b in enumerate(p.barriers) if b.opened]
            return (node, number, self.rng.choice(["order", "close"]),
                    [self.rng.choice(opened)]) if opened else None
        if name == "post":
            return self._await()
        return None

    def _await(self):
        waiters = [(key, kind, slot) for key, p in sorted(self.world.processes.items())
                   for kind in (0, 1) for slot, h in enumerate(p.segments(kind))
                   if h and h.events.taken()]
        if not waiters:
            return None
        key, kind, slot = self.rng.choice(waiters)
        return (*key, "wait", [kind, slot])

    @staticmethod
    def _attached(p):
        return [b.import_ for b in p.barriers]

    def _any(self):
        while True:
            name = self.rng.choices(self.names, self.weights)[0]
            keys = sorted(self.world.processes)
            fit = [k for k in keys if NEEDS[name](self.world.processes[k])]
            if name == "connect" and not any(self.world.published.values()):
                fit = []
            if fit or self.rng.random() < 0.02:
                break
        key = self.rng.choice(fit or keys)
        p = self.world.processes[key]
        if name == "spawn":
            return (*self._absent(), "spawn", [])
        if name == "kill":
            return (*key, "kill", [])
        return (*key, name, getattr(self, f"_{name}")(p))

    def _absent(self):
        places = [(n, w) for n in NODES for w in (0, 1) if (n, w) not in self.world.processes]
        return self.rng.choice(places or [(1, 0)])

    # ---- choices ----

    def _slot(self, slots, full=True):
        """A slot, mostly one that is full (or empty)."""
        fit = [i for i, s in enumerate(slots) if bool(s) == full]
        if fit and self.rng.random() < 0.93:
            return self.rng.choice(fit)
        return self.rng.randrange(SLOTS)

    def _rare(self, usual, odd, chance=0.04):
        return self.rng.choice(odd) if self.rng.random() < chance else usual

    def _extent(self, pages=REGION_PAGES):
        """Byte offset and length of some whole pages."""
        first = self.rng.randrange(pages)
        return first * PAGE, self.rng.randint(1, min(3, pages - first)) * PAGE

    def _piece(self, length):
        """Offset and length of a few bytes, seldom of all."""
        if self.rng.random() < 0.05:
            return 0, length
        size = self.rng.randint(1, min(64, length))
        at = self.rng.randrange(length - size + 1)
        if length > PAGE and self.rng.random() < 0.2:   # over the edge of a page
            at = min(PAGE - self.rng.randint(1, size), length - size)
        return at, size

    def _seed(self):
        return self.rng.randrange(1, 10000)

    def _region(self):
        return self.rng.randrange(REGIONS)

    def _acl(self, p):
        if self.rng.random() < 0.5:
            return []
        if self.rng.random() < 0.03:
            return None
        nodes = self.rng.sample(NODES, self.rng.randint(1, 2))
        return [(self._rare(n, [0, 9, 300], 0.02), self._rare(self.rng.choice(MODES), [0o1666, 7]))
                for n in nodes]

    # ---- exports ----

    def _create(self, p):
        offset, length = self._extent()
        controller = SCI if self.rng.random() < 0.8 else LOOPBACK
        return [self._slot(p.exports, False), controller, self._rare(self._region(), [-1]),
                self._rare(offset, [512]), self._rare(length, [0, 100]), self.rng.randrange(2)]

    def _publish(self, p):
        fresh = [i for i, h in enumerate(p.exports) if h and h.export.state != "published"]
        slot = self.rng.choice(fresh) if fresh else self._slot(p.exports)
        segment_id = self._rare(self.rng.choice(IDS), BAD_IDS + [0, 0, 0], 0.1)
        return [slot, segment_id, self._acl(p)]

    def _unpublish(self, p):
        return [self._slot(p.exports)]

    def _republish(self, p):
        return [self._slot(p.exports), self._acl(p)]

    def _rebind(self, p):
        slot = self._slot(p.exports)
        length = p.exports[slot].export.length if p.exports[slot] else PAGE
        first = self.rng.randrange(REGION_PAGES - length // PAGE + 1) * PAGE
        return [slot, self._rare(self._region(), [-1]), self._rare(first, [8]),
                self._rare(length, [0, 4 * PAGE])]

    def _destroy(self, p):
        return [self._slot(p.exports)]

    def _renew(self, p):
        return [self._region()]

    def _ownstore(self, p):
        offset, length = self._piece(REGION_PAGES * PAGE)
        return [self._region(), offset, length, self._seed()]

    def _ownload(self, p):
        offset, length = self._piece(REGION_PAGES * PAGE)
        if self.rng.random() < 0.3:
            offset, length = 0, REGION_PAGES * PAGE
        return [self._region(), offset, length]

    # ---- imports ----

    def _connect(self, p):
        known = [(n, k) for n in NODES for k, e in self.world.published[n].items()
                 if isinstance(k, int) and (n == p.node or e.controller == SCI)]
        node, segment_id = self.rng.choice(NODES), self.rng.choice(IDS)
        if known and self.rng.random() < 0.93:
            node, segment_id = self.rng.choice(known)
        controller = LOOPBACK if node == p.node and self.rng.random() < 0.3 else SCI
        wish = self._rare(READ | WRITE, [READ, WRITE, READ, WRITE, 0, 0o666], 0.3)
        return [self._slot(p.imports, False), self._rare(controller, [LOOPBACK], 0.02),
                self._rare(node, [9, 0], 0.02), segment_id, wish]

    def _disconnect(self, p):
        return [self._slot(p.imports)]

    def _length(self, p, slot):
        return p.imports[slot].share.length if p.imports[slot] else PAGE

    def _map(self, p, slot=None):
        slot = self._slot(p.imports) if slot is None else slot
        length = self._length(p, slot)
        offset, size = (0, length) if self.rng.random() < 0.5 else self._extent(length // PAGE)
        rights = p.imports[slot].permission if p.imports[slot] else READ
        return [slot, self._rare(offset, [100, 8 * PAGE]),
                self._rare(size, [0, 5, length + 1, size - 7], 0.15),
                self._rare(rights, [READ, WRITE, READ | WRITE, 0, 0o601, 1], 0.2)]

    def _unmap(self, p):
        return [self._slot(p.imports)]

    def _mapped_piece(self, p, slot):
        if slot is None:
            slot = self._slot([h and h.mapping for h in p.imports])
        h = p.imports[slot]
        offset, length = self._piece(h.mapping.length if h and h.mapping else PAGE)
        return slot, offset, length

    def _store(self, p, slot=None):
        return [*self._mapped_piece(p, slot), self._seed()]

    def _load(self, p, slot=None):
        return [*self._mapped_piece(p, slot)]

    def _ready(self, p):
        """An import, mostly one that transfers will not refuse."""
        ready = [i for i, h in enumerate(p.imports) if h and (h.spans or not h.implicit_mode)]
        return self.rng.choice(ready) if ready and self.rng.random() < 0.8 else \
            self._slot(p.imports)

    def _transfer(self, p, slot):
        slot = self._ready(p) if slot is None else slot
        width = self.rng.choice(WIDTHS)
        size = width // 8 or 1
        offset, length = self._piece(self._length(p, slot))
        offset -= offset % size
        count = max(0, length // size)
        return [slot, width, self._rare(offset, [1, 3 * PAGE - 8, 20 * PAGE, -8], 0.05),
                self._rare(count, [0]), self._rare(0, [-1, 1, 4, 8], 0.06)]

    def _put(self, p, slot=None):
        return [*self._transfer(p, slot), self._seed()]

    def _get(self, p, slot=None):
        return self._transfer(p, slot)

    def _entry(self, p, slot):
        remote, length = self._piece(self._length(p, slot))
        remote = self._rare(remote, [2 * PAGE, 5 * PAGE], 0.05)
        local = None
        if any(p.locals) and self.rng.random() < 0.4:
            local = self._slot(p.locals)
            x = p.locals[local]
            room = x.length if x else PAGE
            at = self.rng.randrange(room)
            if self.rng.random() < 0.9:
                length = min(length, room - at)
            return local, 0, 0, at, remote, length
        base = self.rng.randrange(REGION_PAGES * PAGE - length + 1)
        at = self.rng.randint(0, base)
        return local, self._rare(self._region(), [-1], 0.03), base - at, at, remote, length

    def _putv(self, p, slot=None):
        slot = self._ready(p) if slot is None else slot
        entries = [self._entry(p, slot) for _ in range(self._rare(self.rng.randint(1, 4), [0, 9]))]
        return [slot, self.rng.choice([0, 0, 0, 1, 3]), entries]

    _getv = _putv

    def _local(self, p):
        offset, length = self._extent()
        return [self._slot(p.locals, False), self._rare(SCI, [LOOPBACK], 0.2),
                self._rare(self._region(), [-1]), self._rare(offset, [16]),
                self._rare(length, [0, 10, length - 100], 0.2)]

    def _freelocal(self, p):
        return [self._slot(p.locals), SCI]

    # ---- barriers, events ----

    def _init(self, p):
        return [self._slot(p.imports), self._slot(self._attached(p), False)]

    def _barrier(self, p):
        return [self._slot(self._attached(p))]

    def _opened(self, p):
        opened = [i for i, b in enumerate(p.barriers) if b.opened]
        return [self.rng.choice(opened)] if opened and self.rng.random() < 0.8 else \
            self._barrier(p)

    _open = _fini = _barrier
    _order = _close = _opened

    def _mode(self, p):
        return [self._slot(p.imports), self._rare(self.rng.randrange(2), [2, 77])]

    def _getmode(self, p):
        return [self._slot(p.imports)]

    def _handle(self, p):
        kind = self.rng.randrange(2)
        if not any(p.segments(kind)):
            kind = 1 - kind
        return [kind, self._slot(p.segments(kind))]

    def _post(self, p):
        return [*self._handle(p), self.rng.choice([0, 0, 2])]

    _wait = _getpoll = _freepoll = _handle

    def _waitpoll(self, p):
        polled = [(k, s) for k in (0, 1) for s, h in enumerate(p.segments(k)) if h and h.polls]
        return [self.rng.sample(polled, self.rng.randint(min(1, len(polled)), len(polled)))]

    # ---- the process ----

    def _ids(self, p):
        return list(self.rng.choice(USERS))

    def _umask(self, p):
        return [self.rng.choice(MASKS)]

    def _fork(self, p):
        return [p.number + 2]
