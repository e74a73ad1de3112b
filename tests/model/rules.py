# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""The rules: for each call what may come back, and what is then true.

A method takes a process and arguments and returns None if the call makes no
sense now (a replay without some earlier call may come there), else the line
for the worker and a function that is given the result and what the call
yielded: it returns what was expected, None if that is what came, and brings
the world up to date.
"""
import zlib

from world import (PAGE, REGION_PAGES, SCI, Export, LibExport, LibImport, new_pages, pattern, peek,
                   poke)

OK = 0
BAD_SEG_HNDL, SEG_ALREADY_PUBLISHED, SEG_NOT_PUBLISHED, SEG_NOT_PUBLISHED_TO_NODE = 5, 6, 7, 8
SEG_ALREADY_MAPPED, SEG_STILL_MAPPED, SEG_NOT_MAPPED, NOT_CREATOR = 9, 10, 11, 12
BAD_SGIO, BAD_ADDR, BAD_MEM_ALIGNMENT, BAD_OFFSET, BAD_LENGTH, BAD_ACL = 14, 16, 17, 18, 20, 21
RESERVED_SEGID, SEGID_IN_USE, BAD_MODE, BAD_PERMS, PERM_DENIED = 23, 24, 25, 26, 27
REBIND_NOT_ALLOWED, POLLFD_IN_USE, BARRIER_UNINITIALIZED = 30, 34, 35
BARRIER_NOT_OPENED, BARRIER_FAILURE, CONN_ABORTED, TIMEOUT = 37, 38, 40, 42
CTLR_NOT_PRESENT, INTERNAL_ERROR = 4, 100

MAX_PERM = 0o600


def exactly(code, then=None):
    """A judge for one possible result."""
    def judge(result, _words):
        if result != code:
            return str(code)
        if then:
            then()
        return None
    return judge


def one_of(outcomes):
    """A judge for results that the exporter's end may or may not have reached yet."""
    def judge(result, _words):
        if result not in outcomes:
            return " or ".join(str(c) for c in sorted(outcomes))
        if outcomes[result]:
            outcomes[result]()
        return None
    return judge


class Rules:
    """The world and its rules; `wrong` names a rule to get wrong on purpose."""

    def __init__(self, wrong=None):
        self.wrong = wrong
        self.processes = {}
        self.published = {1: {}, 2: {}}     # segment id -> Export
        # (node, controller, exporting node, segment id) -> Share
        self.shares = {}
        self.at_once = False                # threads run: what an export posts arrives in between

    # ---- facts ----

    def doomed(self):
        return [s for s in self.shares.values() if s.state == "doomed"]

    def posts_on_the_way(self):
        return any(h.events.coming for p in self.processes.values() for h in p.handles())

    def fence(self):
        for p in self.processes.values():
            for h in p.handles():
                h.events.fence()

    def _dirty(self, share):
        """An access of the node to the exporter's node failed."""
        for p in self.processes.values():
            for b in p.barriers:
                if p.node == share.node and b.import_ and b.import_.share.remote:
                    b.dirty = b.dirty or b.opened

    # ---- ends ----

    def end_share(self, share):
        """The node has noticed."""
        if share.state == "ended":
            return
        share.state = "ended"
        key = (share.node, share.controller, share.export.node, share.segment_id)
        if self.shares.get(key) is share:
            del self.shares[key]
        if share in share.export.shares:
            share.export.shares.remove(share)

    def _withdraw(self, export):
        """An export is published no more."""
        if export.state == "published":
            self.published[export.node].pop(export.segment_id, None)
            for share in list(export.shares):
                export.shares.remove(share)
                if share.remote:
                    share.state = "doomed"
                else:
                    self.end_share(share)
            export.state = "bound"

    def _lose(self, export):
        self._withdraw(export)
        export.state = "zombie"

    def _drop_export(self, handle):
        handle.export.users -= 1
        if handle.export.users == 0:
            self._lose(handle.export)

    def _drop_import(self, handle):
        handle.mapping = None
        handle.import_.handles.remove(handle)
        if not handle.import_.handles:
            share = handle.share
            share.imports.remove(handle.import_)
            if not share.imports:
                self.end_share(share)

    def end_process(self, p):
        """Killed: what it had alone is gone, what it exported is gone anyway."""
        for h in p.handles():
            (self._drop_import if isinstance(h, LibImport) else self._drop_export)(h)
        for q in self.processes.values():
            for h in q.handles():
                if isinstance(h, LibExport) and h.export.creator is p:
                    self._lose(h.export)
        del self.processes[p.node, p.number]

    # ---- exports ----

    def create(self, p, slot, controller, region, offset, length, flags):
        if p.exports[slot]:
            return None
        line = f"create {slot} {controller} {region} {offset} {length} {flags}"

        def done():
            first = offset // PAGE
            pages = p.regions[region][first:first + length // PAGE]
            p.exports[slot] = LibExport(Export(p, controller, pages, region, bool(flags & 1)))
        if region < 0:
            return line, exactly(BAD_ADDR)
        if length == 0:
            return line, exactly(BAD_LENGTH)
        if offset % PAGE or length % PAGE:
            return line, exactly(BAD_MEM_ALIGNMENT)
        if offset + length > REGION_PAGES * PAGE:
            return None
        return line, exactly(OK, done)

    def _acl_error(self, p, export, acl):
        loopback = export.controller != SCI
        if len(acl) > (1 if loopback else 64):
            return BAD_ACL
        for node, mode in acl:
            if node > 255 or (node != p.node if loopback else node == 0) or mode > 0o666:
                return BAD_ACL
        return None

    def _acl_unknown(self, acl):
        return any(node not in (1, 2) for node, _ in acl)

    @staticmethod
    def _acl_text(acl):
        if acl is None:
            return "-1"
        return " ".join([str(len(acl))] + [f"{n} {m}" for n, m in acl])

    def publish(self, p, slot, segment_id, acl):
        h = p.exports[slot]
        line = f"publish {slot} {segment_id} {self._acl_text(acl)}"
        if not h:
            return line, exactly(BAD_SEG_HNDL)
        if acl is None:
            return line, exactly(BAD_ACL)
        if h.export.state == "published":
            return line, exactly(SEG_ALREADY_PUBLISHED)
        if segment_id and (segment_id < 0x400000 or segment_id >= 0x80000000):
            return line, exactly(RESERVED_SEGID)
        export = h.export
        error = self._acl_error(p, export, acl)
        if export.creator is not p:
            error = NOT_CREATOR
        elif error:
            pass
        elif export.state == "zombie":
            error = BAD_SEG_HNDL
        elif segment_id in self.published[p.node]:
            error = SEGID_IN_USE
        elif self._acl_unknown(acl):
            error = INTERNAL_ERROR
        if error:
            return line, exactly(error)

        def judge(result, words):
            got = int(words[0])
            if result or (got != segment_id if segment_id else got < 0x80000000):
                return f"0 {segment_id or 'a generated id'}"
            export.segment_id, export.acl, export.state = got, acl, "published"
            self.published[p.node][got] = export
            return None
        return line, judge

    def unpublish(self, p, slot):
        h = p.exports[slot]
        line = f"unpublish {slot}"
        if not h:
            return line, exactly(BAD_SEG_HNDL)
        if h.export.state != "published":
            return line, exactly(SEG_NOT_PUBLISHED)
        if h.polls:
            return line, exactly(POLLFD_IN_USE)
        if h.export.creator is not p:
            return line, exactly(NOT_CREATOR)

        def done():
            self._withdraw(h.export)
        return line, exactly(OK, done)

    def republish(self, p, slot, acl):
        h = p.exports[slot]
        line = f"republish {slot} {self._acl_text(acl)}"
        if not h:
            return line, exactly(BAD_SEG_HNDL)
        export = h.export
        if export.state != "published":
            return line, exactly(SEG_NOT_PUBLISHED)
        if acl is None:
            return line, exactly(BAD_ACL)
        if export.creator is not p:
            return line, exactly(NOT_CREATOR)
        error = self._acl_error(p, export, acl)
        if not error and self._acl_unknown(acl):
            error = INTERNAL_ERROR
        if error:
            return line, exactly(error)

        def done():
            export.acl = acl
            for share in export.shares:
                offer = export.offer(share.node)
                if share.remote:
                    share.offers.append(offer)
                else:
                    share.offers = [offer]
        return line, exactly(OK, done)

    def rebind(self, p, slot, region, offset, length):
        h = p.exports[slot]
        line = f"rebind {slot} {region} {offset} {length}"
        if not h:
            return line, exactly(BAD_SEG_HNDL)
        if region < 0:
            return line, exactly(BAD_ADDR)
        export = h.export
        if not export.allow_rebind:
            return line, exactly(REBIND_NOT_ALLOWED)
        if export.creator is not p:
            return line, exactly(NOT_CREATOR)
        if length != export.length:
            return line, exactly(BAD_LENGTH)
        if export.state == "zombie":
            return line, exactly(BAD_SEG_HNDL)
        if offset % PAGE:
            return line, exactly(BAD_ADDR)
        if offset + length > REGION_PAGES * PAGE:
            return None

        def done():
            first = offset // PAGE
            export.pages = p.regions[region][first:first + length // PAGE]
            export.region = region
        return line, exactly(OK, done)

    def destroy(self, p, slot):
        h = p.exports[slot]
        line = f"destroy {slot}"
        if not h:
            return line, exactly(BAD_SEG_HNDL)
        if h.polls:
            return line, exactly(POLLFD_IN_USE)

        def done():
            p.exports[slot] = None
            self._drop_export(h)
        return line, exactly(OK, done)

    def lost_by_renewal(self, p, region):
        """Exports of the process that lose their memory with a region; None: no way to wait."""
        lost = [(slot, h) for slot, h in enumerate(p.exports)
                if h and h.export.creator is p and h.export.region == region and
                h.export.state != "zombie"]
        known = {h.export for _, h in lost}
        for q in self.processes.values():
            for h in q.handles():
                if isinstance(h, LibExport) and h.export.creator is p and \
                        h.export.region == region and h.export.state != "zombie" and \
                        h.export not in known:
                    return None
        if any(h.polls for _, h in lost) or \
                any(x and x.region == region for x in p.locals):
            return None
        return lost

    def renew(self, p, region):
        """The memory of a region is unmapped, and new there."""
        lost = self.lost_by_renewal(p, region)
        if lost is None:
            return None

        def done():
            for _, h in lost:
                self._lose(h.export)
            p.regions[region] = new_pages()
        return f"renew {region}", exactly(OK, done)

    def ownstore(self, p, region, offset, length, seed):
        def done():
            poke(p.regions[region], offset, pattern(seed, length))
        return f"ownstore {region} {offset} {length} {seed}", exactly(OK, done)

    def ownload(self, p, region, offset, length):
        return (f"ownload {region} {offset} {length}",
                self._bytes(OK, p.regions[region], offset, length))

    @staticmethod
    def _bytes(code, pages, offset, length):
        """A judge that also compares the bytes that were read."""
        wanted = str(zlib.crc32(peek(pages, offset, length)))

        def judge(result, words):
            return None if [result, *words] == [code, wanted] else f"{code} {wanted}"
        return judge

    # ---- the process ----

    def ids(self, p, euid, egid, extra):
        def done():
            p.euid, p.egid, p.extra = euid, egid, extra
        return f"ids {euid} {egid} {extra}", exactly(OK, done)

    def umask(self, p, mask):
        def done():
            p.umask = mask
        return f"umask {mask}", exactly(OK, done)

    def fork(self, p, number):
        if (p.node, number) in self.processes or p.parent:
            return None

        def done():
            self.processes[p.node, number] = p.fork(number)
        return f"fork {number}", exactly(OK, done)
