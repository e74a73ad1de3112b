# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Rules of barriers, events and local-memory handles; all rules together."""
from import_rules import ImportRules
from rules import (BAD_ADDR, BAD_LENGTH, BAD_MODE, BAD_SEG_HNDL, BARRIER_FAILURE,
                   BARRIER_NOT_OPENED, BARRIER_UNINITIALIZED, CONN_ABORTED, OK, TIMEOUT, exactly,
                   one_of)
from world import PAGE, REGION_PAGES, SCI, Barrier, Export, LibExport, LocalMemory

BAD_LOCALMEM_HNDL = 15
PATIENT_MS = 8000       # for an event that must come
FOREVER = -1            # until one has been woken, since what is there is found when time is over


class AllRules(ImportRules):

    # ---- barriers ----

    def init(self, p, slot, barrier):
        if p.barriers[barrier].import_:
            return None
        h = p.imports[slot]
        line = f"init {slot} {barrier}"
        if not h:
            return line, exactly(BAD_SEG_HNDL)

        def done():
            p.barriers[barrier] = Barrier()
            p.barriers[barrier].import_ = h
            h.spans += 1
        return line, exactly(OK, done)

    def open(self, p, barrier):
        b = p.barriers[barrier]
        line = f"open {barrier}"
        if not b.import_:
            return line, exactly(BARRIER_UNINITIALIZED)

        def done():
            b.opened, b.dirty = True, False
        return line, exactly(OK, done)

    def _span(self, b, ends):
        share = b.import_.share

        def end():
            b.opened = b.opened and not ends

        def aborted():
            end()
            self.end_share(share)
        if share.state == "ended" and self.wrong != "abort":
            return {CONN_ABORTED: end}
        if not b.opened:
            outcomes = {BARRIER_NOT_OPENED: None}
            if share.state == "doomed":
                outcomes[CONN_ABORTED] = aborted
            return outcomes
        outcomes = {CONN_ABORTED: aborted} if share.state == "doomed" else {OK: end}
        if share.state == "doomed" and not share.mapped():
            # Nothing was lost, and the node may not have heard of it.
            outcomes[OK] = end
        if b.dirty:
            outcomes[BARRIER_FAILURE] = end
        return outcomes

    def order(self, p, barrier):
        b = p.barriers[barrier]
        if not b.import_:
            return f"order {barrier}", exactly(BARRIER_UNINITIALIZED)
        return f"order {barrier}", one_of(self._span(b, False))

    def close(self, p, barrier):
        b = p.barriers[barrier]
        if not b.import_:
            return f"close {barrier}", exactly(BARRIER_UNINITIALIZED)
        return f"close {barrier}", one_of(self._span(b, True))

    def fini(self, p, barrier):
        b = p.barriers[barrier]
        if not b.import_:
            return f"fini {barrier}", exactly(BARRIER_UNINITIALIZED)

        def done():
            b.import_.spans -= 1
            p.barriers[barrier] = Barrier()
        return f"fini {barrier}", exactly(OK, done)

    def mode(self, p, slot, mode):
        h = p.imports[slot]
        line = f"mode {slot} {mode}"
        if not h:
            return line, exactly(BAD_SEG_HNDL)
        if mode not in (0, 1):
            return line, exactly(BAD_MODE)

        def done():
            h.implicit_mode = bool(mode)
        return line, exactly(OK, done)

    def getmode(self, p, slot):
        h = p.imports[slot]
        if not h:
            return f"getmode {slot}", exactly(BAD_SEG_HNDL)

        def judge(result, words):
            wanted = [OK, str(int(h.implicit_mode))]
            return None if [result, *words] == wanted else f"0 {wanted[1]}"
        return f"getmode {slot}", judge

    # ---- events ----

    def post_from_import(self, h, once):
        """To whatever is published there under that id by now."""
        share = h.share
        export = self.published[share.export.node].get(share.segment_id)
        if not export:
            return
        if share.remote and share not in export.shares and \
                (export.controller != SCI or not export.offer(share.node)):
            return
        export.events.post(once, share.remote)

    def _may_not_post(self, p, h):
        """An import that has ended posts only to what its process could connect to."""
        share = h.share
        return share.state != "connected" and \
            self._fresh(p, share.controller, share.export.node, share.segment_id, 0)[0] != OK

    def post(self, p, kind, slot, flags):
        h = p.segments(kind)[slot]
        line = f"post {kind} {slot} {flags}"
        once = bool(flags & 2)
        stranger = kind and h and self._may_not_post(p, h)
        if stranger and h.share.state == "doomed":
            return None     # the node may have noticed the end, or not
        if self.wrong == "accumulate":
            once = False
        if not h:
            return line, exactly(BAD_SEG_HNDL)

        def done():
            if stranger:
                return
            if kind:
                self.post_from_import(h, once)
                return
            for share in h.export.shares:
                for import_ in share.imports:
                    import_.events.post(once, share.remote or self.at_once)
        return line, exactly(OK, done)

    def wait(self, p, kind, slot, ms=None):
        """With MS others call at once: it waits so long, or until one posts, which is sure."""
        h = p.segments(kind)[slot]
        if not h:
            return f"wait {kind} {slot} {ms or 0}", exactly(BAD_SEG_HNDL)
        events = h.events
        must_come = not events.empty(True) if ms is None else ms == FOREVER
        taken, none = events.taken(), set() if must_come else events.empty(False)

        def judge(result, _words):
            states = {OK: taken, TIMEOUT: none}.get(result)
            if not states:
                return " or ".join(str(c) for c, s in ((OK, taken), (TIMEOUT, none)) if s)
            events.states = states
            return None
        if ms is None:
            ms = PATIENT_MS if must_come else 0
        return f"wait {kind} {slot} {ms}", judge

    def getpoll(self, p, kind, slot):
        h = p.segments(kind)[slot]
        line = f"getpoll {kind} {slot}"
        if not h:
            return line, exactly(BAD_SEG_HNDL)
        usable = bool(kind) or h.export.state == "published"

        def judge(result, words):
            wanted = [OK if usable else BAD_SEG_HNDL, str(int(usable)), "1"]
            if [result, *words] != wanted:
                return f"{wanted[0]} {wanted[1]} 1"
            h.polls += usable
            return None
        return line, judge

    def freepoll(self, p, kind, slot):
        h = p.segments(kind)[slot]
        line = f"freepoll {kind} {slot}"
        if not h:
            return line, exactly(BAD_SEG_HNDL)

        def done():
            h.polls = max(0, h.polls - 1)
        return line, exactly(OK, done)

    def waitpoll(self, p, picks, ms=None):
        """Of handles whose pollfd was got; PICKS: (kind, slot); MS as in wait()."""
        handles = []
        for kind, slot in picks:
            h = p.segments(kind)[slot]
            if not h or not h.polls:
                return None
            handles.append(h)
        must_come = ms is None and any(not h.events.empty(True) for h in handles)
        line = " ".join([f"waitpoll {PATIENT_MS if must_come else ms or 0}"] +
                        [f"{kind} {slot}" for kind, slot in picks])

        def judge(result, words):
            got = [int(w) for w in words]
            states = [h.events.taken() if g else h.events.empty(False)
                      for h, g in zip(handles, got[1:])]
            wanted = OK if sum(got[1:]) else TIMEOUT
            if result != wanted or got[0] != sum(got[1:]) or not all(states) or \
                    (must_come and result != OK):
                return "; ".join(f"{k} {s}: {'1 ' * bool(h.events.taken())}"
                                 f"{'0' * bool(h.events.empty(False))}"
                                 for (k, s), h in zip(picks, handles))
            for h, s in zip(handles, states):
                h.events.states = s
            return None
        return line, judge

    # ---- local-memory handles ----

    def local(self, p, slot, controller, region, offset, length):
        if p.locals[slot]:
            return None
        line = f"local {slot} {controller} {region} {offset} {length}"
        if region >= 0 and offset % PAGE:
            return line, exactly(BAD_ADDR)
        if length == 0:
            return line, exactly(BAD_LENGTH)
        if region < 0:
            return line, exactly(BAD_ADDR)
        if offset + length > REGION_PAGES * PAGE:
            return None

        def done():
            first, last = offset // PAGE, (offset + length + PAGE - 1) // PAGE
            export = Export(p, controller, p.regions[region][first:last], region, True)
            export.state = "published"
            export.acl = [(p.node, 0)]
            export.segment_id = export         # an id that nobody learns
            self.published[p.node][export] = export
            p.locals[slot] = LocalMemory(LibExport(export), region, offset, length)
        return line, exactly(OK, done)

    def freelocal(self, p, slot, controller):
        x = p.locals[slot]
        line = f"freelocal {slot} {controller}"
        if not x:
            return line, exactly(BAD_LOCALMEM_HNDL)

        def done():
            p.locals[slot] = None
            self._drop_export(x.export)
        return line, exactly(OK, done)
