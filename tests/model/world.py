# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""What the model knows: processes, descriptors, publications, shares, events.

The kernel's objects (Export, Import, Share) are shared by a process and its
children; the library's (LibExport, LibImport, Barrier) are copied by fork.
"""

NODES = (1, 2)
SLOTS = 4
REGIONS = 3
PAGE = 4096
REGION_PAGES = 4
SCI, LOOPBACK = 0, 1
READ, WRITE = 0o400, 0o200


class Events:
    """Pending events of a descriptor as a set of possibilities.

    What another node posted is on its way until a fence; what has arrived is
    (pending, number of those on their way that have arrived).
    """

    def __init__(self):
        self.coming = []
        self.states = {(0, 0)}

    @staticmethod
    def _add(pending, once):
        return pending if once and pending else pending + 1

    def _closure(self):
        todo, seen = list(self.states), set(self.states)
        while todo:
            pending, k = todo.pop()
            if k < len(self.coming):
                state = (self._add(pending, self.coming[k]), k + 1)
                if state not in seen:
                    seen.add(state)
                    todo.append(state)
        return seen

    def post(self, once, remote):
        if remote:
            self.coming.append(once)
        else:
            self.states = {(self._add(p, once), k) for p, k in self._closure()}

    def fence(self):
        self.states = {(p, 0) for p, k in self._closure() if k == len(self.coming)}
        self.coming = []

    def taken(self):
        """States after a wait that got an event; empty if it cannot have."""
        return {(p - 1, k) for p, k in self._closure() if p}

    def empty(self, patient):
        """States after one that got none; a patient one saw all arrive."""
        return {(p, k) for p, k in self._closure()
                if not p and (not patient or k == len(self.coming))}


class Process:
    def __init__(self, node, number, parent=None):
        self.node, self.number, self.parent = node, number, parent
        self.euid = self.egid = self.extra = 0
        self.umask = 0o022
        self.regions = [new_pages() for _ in range(REGIONS)]
        self.exports = [None] * SLOTS
        self.imports = [None] * SLOTS
        self.barriers = [Barrier() for _ in range(SLOTS)]
        self.locals = [None] * SLOTS

    def segments(self, kind):
        return self.imports if kind else self.exports

    def handles(self):
        return [h for h in self.exports + self.imports if h] + \
            [x.export for x in self.locals if x]

    def fork(self, number):
        child = Process(self.node, number, self)
        child.euid, child.egid, child.extra, child.umask = \
            self.euid, self.egid, self.extra, self.umask
        child.regions = [[bytearray(p) for p in r] for r in self.regions]
        child.exports = [h and h.copy() for h in self.exports]
        child.imports = [h and h.copy() for h in self.imports]
        child.locals = [x and LocalMemory(x.export.copy(), x.region, x.offset, x.length, True)
                        for x in self.locals]
        own = {id(h): c for h, c in zip(self.imports, child.imports)}
        for mine, his in zip(self.barriers, child.barriers):
            if mine.import_:
                his.import_ = own[id(mine.import_)]
                his.opened, his.dirty = mine.opened, mine.dirty
        return child


def new_pages():
    return [bytearray(PAGE) for _ in range(REGION_PAGES)]


class Export:
    """A descriptor that exports: the agent's side."""

    def __init__(self, creator, controller, pages, region, allow_rebind):
        self.node, self.creator, self.controller = creator.node, creator, controller
        self.uid, self.gid = creator.euid, creator.egid
        self.mode = 0o666 & ~creator.umask
        self.pages, self.region = pages, region
        self.allow_rebind = allow_rebind
        self.state = "bound"
        self.segment_id = 0
        self.acl = []
        self.shares = []    # that stand
        self.events = Events()
        self.users = 1

    @property
    def length(self):
        return len(self.pages) * PAGE

    def offer(self, node):
        """Mode that a node gets, None if it is not listed."""
        if not self.acl:
            return self.mode
        for n, mode in self.acl:
            if n == node:
                return mode & 0o666
        return None


class Share:
    """All imports of one segment by one node over one controller."""

    def __init__(self, node, controller, export):
        self.node, self.controller, self.export = node, controller, export
        self.segment_id = export.segment_id
        self.length, self.uid, self.gid = export.length, export.uid, export.gid
        self.offers = [export.offer(node)]  # the last one counts once the node has heard of it
        self.state = "connected"            # doomed: the node has not noticed the end yet
        self.imports = []

    @property
    def remote(self):
        return self.node != self.export.node

    def mapped(self):
        """Over the adapter, which a mapping without rights does not need."""
        return any(h.mapping for i in self.imports if any(m & 0o600 for m in i.modes)
                   for h in i.handles)


class Import:
    """A descriptor that imports: the agent's side."""

    def __init__(self, share, modes):
        self.share = share
        self.modes = modes  # that it may have got: more than one while a new list is on its way
        self.events = Events()
        self.handles = []   # of the library, one per process


class LibExport:
    def __init__(self, export):
        self.export, self.polls = export, 0

    @property
    def events(self):
        return self.export.events

    def copy(self):
        other = LibExport(self.export)
        other.polls = self.polls
        self.export.users += 1
        return other


class Mapping:
    def __init__(self, offset, length, permission, implicit):
        self.offset, self.length, self.permission = offset, length, permission
        self.implicit = implicit


class LibImport:
    def __init__(self, import_, permission):
        self.import_, self.permission = import_, permission
        self.mapping = None
        self.implicit_mode = True
        self.spans = 0      # barriers attached
        self.polls = 0
        import_.handles.append(self)

    @property
    def events(self):
        return self.import_.events

    @property
    def share(self):
        return self.import_.share

    def copy(self):
        other = LibImport(self.import_, self.permission)
        other.mapping, other.implicit_mode = self.mapping, self.implicit_mode
        other.spans, other.polls = self.spans, self.polls
        return other


class Barrier:
    def __init__(self):
        self.import_ = None
        self.opened = False
        self.dirty = False  # an access to that node failed since open


class LocalMemory:
    def __init__(self, export, region, offset, length, inherited=False):
        self.export, self.region, self.offset, self.length = export, region, offset, length
        self.inherited = inherited


# ---- bytes ----

def pattern(seed, length):
    return bytes((seed * (i + 1) + (i >> 8)) & 0xff for i in range(length))


def peek(pages, offset, length):
    data = bytearray()
    while length:
        page, at = divmod(offset, PAGE)
        part = pages[page][at:at + length]
        data += part
        offset += len(part)
        length -= len(part)
    return bytes(data)


def poke(pages, offset, data):
    while data:
        page, at = divmod(offset, PAGE)
        part = data[:PAGE - at]
        pages[page][at:at + len(part)] = part
        offset += len(part)
        data = data[len(part):]
