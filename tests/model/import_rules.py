# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Rules of the importer's side: connections, mappings, transfers."""
import zlib

from rules import (BAD_ADDR, BAD_LENGTH, BAD_MEM_ALIGNMENT, BAD_OFFSET, BAD_PERMS, BAD_SEG_HNDL,
                   BAD_SGIO, BARRIER_UNINITIALIZED, CONN_ABORTED, CTLR_NOT_PRESENT, INTERNAL_ERROR,
                   MAX_PERM, OK, PERM_DENIED, POLLFD_IN_USE, SEG_ALREADY_MAPPED, SEG_NOT_MAPPED,
                   SEG_NOT_PUBLISHED, SEG_NOT_PUBLISHED_TO_NODE, SEG_STILL_MAPPED, Rules, exactly,
                   one_of)
from world import (LOOPBACK, NODES, PAGE, READ, REGION_PAGES, SCI, WRITE, Barrier, Import,
                   LibImport, Mapping, Share, pattern, peek, poke)


def import_mode(wish, offer):
    mode = (0o444 if wish & READ else 0) | (0o222 if wish & WRITE else 0)
    return mode & offer


class ImportRules(Rules):

    # ---- connections ----

    def _verdict(self, p, share, offer, wish):
        """What a share says to one who wants to be part of it."""
        if offer is None:
            if self.wrong == "list":
                return OK
            return SEG_NOT_PUBLISHED_TO_NODE
        if not offer:
            return PERM_DENIED
        if p.euid == 0:
            return OK
        if p.euid == share.uid:
            digit = offer >> 6
        elif share.gid in (p.egid, p.extra):
            digit = offer >> 3
        else:
            digit = offer
        rights = (digit & 6) << 6
        return OK if rights and not wish & ~rights else PERM_DENIED

    def _add_import(self, p, slot, share, offers, wish):
        import_ = Import(share, [import_mode(wish, o) for o in offers])
        share.imports.append(import_)
        p.imports[slot] = LibImport(import_, wish)

    def _fresh(self, p, controller, node, segment_id, wish):
        """(result, share) of a connect that has to ask the exporter."""
        export = self.published[node].get(segment_id)
        if not export or (node != p.node and export.controller != SCI):
            return SEG_NOT_PUBLISHED, None
        share = Share(p.node, controller, export)
        result = self._verdict(p, share, share.offers[0], wish)
        return result, share

    def would_be_ambiguous(self, p, controller, node, segment_id):
        """A connect whose success would not tell to which publication."""
        share = self.shares.get((p.node, controller, node, segment_id))
        return share and share.state == "doomed" and segment_id in self.published.get(node, {})

    def transfer_would_be_ambiguous(self, p, slot, vector):
        """A transfer that would fail alike whether it came to map the segment or not."""
        h = p.imports[slot]
        return h and not h.mapping and h.share.state == "doomed" and h.share.mapped() and \
            (vector or h.implicit_mode)

    def connect(self, p, slot, controller, node, segment_id, wish):
        if p.imports[slot]:
            return None
        line = f"connect {slot} {controller} {node} {segment_id} {wish}"
        if wish & ~0o600:
            return line, exactly(PERM_DENIED)
        if controller == LOOPBACK and node != p.node:
            return line, exactly(CTLR_NOT_PRESENT)
        if node not in NODES:
            return line, exactly(INTERNAL_ERROR)
        share = self.shares.get((p.node, controller, node, segment_id))
        if share and share.state == "connected":
            return line, self._joining(p, slot, share, wish)
        result, fresh = self._fresh(p, controller, node, segment_id, wish)
        if share:
            return line, self._joining_doomed(p, slot, share, wish, result)

        def done():
            fresh.export.shares.append(fresh)
            self.shares[p.node, controller, node, segment_id] = fresh
            self._add_import(p, slot, fresh, fresh.offers, wish)
        return line, exactly(result, done if result == OK else None)

    def _joining(self, p, slot, share, wish):
        """The node has a share; it may not know the latest access list yet."""
        def judge(result, _words):
            verdicts = [self._verdict(p, share, o, wish) for o in share.offers]
            if result not in verdicts:
                return " or ".join(str(v) for v in sorted(set(verdicts)))
            first = verdicts.index(result)
            verdicts, share.offers = verdicts[first:], share.offers[first:]
            if result == OK:
                offers = [o for o, v in zip(share.offers, verdicts) if v == OK]
                self._add_import(p, slot, share, offers, wish)
            return None
        return judge

    def _joining_doomed(self, p, slot, share, wish, fresh):
        """The exporter has ended it; the node may have noticed, or still let others in."""
        outcomes = {fresh: None, CONN_ABORTED: lambda: self.end_share(share)}
        verdicts = [self._verdict(p, share, offer, wish) for offer in share.offers]
        outcomes |= dict.fromkeys(verdicts)
        if OK in verdicts:
            offers = [o for o, v in zip(share.offers, verdicts) if v == OK]
            outcomes[OK] = lambda: self._add_import(p, slot, share, offers, wish)
        return one_of(outcomes)

    def disconnect(self, p, slot):
        h = p.imports[slot]
        line = f"disconnect {slot}"
        if not h:
            return line, exactly(BAD_SEG_HNDL)
        if h.mapping and not h.mapping.implicit:
            return line, exactly(SEG_STILL_MAPPED)
        if h.polls:
            return line, exactly(POLLFD_IN_USE)

        def done():
            p.imports[slot] = None
            for i, b in enumerate(p.barriers):
                if b.import_ is h:
                    p.barriers[i] = Barrier()
            self._drop_import(h)
        return line, exactly(OK, done)

    # ---- mappings ----

    def _mmap(self, h, mapping):
        """Results of making a mapping, and what each does."""
        outcomes, fit = {}, {}
        for mode in h.import_.modes:
            for code, effect in self._mmap_with(h, mapping, mode).items():
                outcomes[code] = effect
                fit.setdefault(code, []).append(mode)

        def learn(code):
            h.import_.modes = fit[code]
            if outcomes[code]:
                outcomes[code]()
        return {code: lambda c=code: learn(c) for code in outcomes}

    def _mmap_with(self, h, mapping, mode):
        share = h.share
        denied = mapping.permission & ~mode & 0o600

        def mapped():
            h.mapping = mapping

        def aborted():
            self.end_share(share)
        if share.state == "ended":
            return {CONN_ABORTED: None}
        if share.state == "connected":
            return {BAD_PERMS: None} if denied else {OK: mapped}
        if denied:
            return {BAD_PERMS: None, CONN_ABORTED: aborted}
        if not mode & 0o600:
            return {OK: mapped, CONN_ABORTED: aborted}
        self._dirty(share)
        if share.mapped():
            return {OK: mapped, CONN_ABORTED: aborted}
        return {CONN_ABORTED: aborted}

    def map(self, p, slot, offset, length, perm):
        h = p.imports[slot]
        line = f"map {slot} {offset} {length} {perm}"
        if not h:
            return line, exactly(BAD_SEG_HNDL)
        if h.mapping:
            return line, exactly(SEG_ALREADY_MAPPED)
        if perm > MAX_PERM:
            return line, exactly(BAD_PERMS)
        if length == 0 or offset + length > h.share.length:
            return line, exactly(BAD_LENGTH)
        if offset % PAGE:
            return line, exactly(BAD_MEM_ALIGNMENT)
        return line, one_of(self._mmap(h, Mapping(offset, length, perm & 0o600, False)))

    def unmap(self, p, slot):
        h = p.imports[slot]
        line = f"unmap {slot}"
        if not h:
            return line, exactly(BAD_SEG_HNDL)
        if not h.mapping:
            return line, exactly(SEG_NOT_MAPPED)
        if h.polls:
            return line, exactly(POLLFD_IN_USE)

        def done():
            h.mapping = None
        return line, exactly(OK, done)

    # ---- plain loads and stores ----

    def _reach(self, p, slot, offset, length, needs):
        """The import, if an access by the program itself makes sense."""
        h = p.imports[slot]
        if not h or not h.mapping or h.mapping.implicit or \
                needs & ~h.mapping.permission or offset + length > h.mapping.length:
            return None
        if h.share.state == "doomed":
            self._dirty(h.share)
        return h

    def store(self, p, slot, offset, length, seed):
        h = self._reach(p, slot, offset, length, WRITE)
        if not h:
            return None

        def done():
            if h.share.state == "connected":
                poke(h.share.export.pages, h.mapping.offset + offset, pattern(seed, length))
        return f"store {slot} {offset} {length} {seed}", exactly(OK, done)

    def load(self, p, slot, offset, length):
        h = self._reach(p, slot, offset, length, READ)
        if not h:
            return None
        line = f"load {slot} {offset} {length}"
        if h.share.state != "connected":
            return line, exactly(OK)
        return line, self._bytes(OK, h.share.export.pages, h.mapping.offset + offset, length)

    # ---- put and get ----

    def _transfer(self, p, slot, width, offset, count, shift, needs, move):
        """Results of a transfer; MOVE(pages) is done if it reaches the exporter."""
        h = p.imports[slot]
        size = width // 8 or 1
        if not h:
            return {BAD_SEG_HNDL: None}
        if shift < 0:
            return {BAD_ADDR: None}
        if shift % size or offset % size:
            return {BAD_MEM_ALIGNMENT: None}
        return self._held(h, needs, lambda: self._copy(h, offset, count * size, move))

    def _held(self, h, needs, then):
        """A transfer maps the segment first, if it is not mapped."""
        if h.mapping:
            return self._allowed(h, h.mapping, needs, then)
        if not h.permission:
            return {BAD_PERMS: None}
        implicit = Mapping(0, h.share.length, h.permission, True)
        outcomes = dict(self._mmap(h, implicit))
        mapped = outcomes.pop(OK, None)
        if mapped:
            for code, effect in self._allowed(h, implicit, needs, then).items():
                outcomes[code] = lambda e=effect: (mapped(), e and e())
        return outcomes

    @staticmethod
    def _allowed(h, mapping, needs, then):
        if needs & ~(h.permission & mapping.permission):
            return {PERM_DENIED: None}
        return then()

    def _copy(self, h, offset, length, move):
        mapping = h.mapping or Mapping(0, h.share.length, h.permission, True)
        share = h.share
        if offset < mapping.offset or offset + length > mapping.offset + mapping.length:
            return {BAD_OFFSET: None}
        if not h.implicit_mode:
            if share.state == "doomed":
                self._dirty(share)
            return {OK: move if share.state == "connected" else None}
        if not h.spans:
            return {BARRIER_UNINITIALIZED: None}
        if share.state == "connected":
            return {OK: move}
        self._dirty(share)
        return {CONN_ABORTED: lambda: self.end_share(share)}

    def put(self, p, slot, width, offset, count, shift, seed):
        size = width // 8 or 1
        line = f"put {slot} {width} {offset} {count} {shift} {seed}"
        h = p.imports[slot]

        def move():
            poke(h.share.export.pages, offset, pattern(seed, count * size))
        return line, one_of(self._transfer(p, slot, width, offset, count, shift, WRITE, move))

    def get(self, p, slot, width, offset, count, shift):
        size = width // 8 or 1
        line = f"get {slot} {width} {offset} {count} {shift} 0"
        h = p.imports[slot]
        wanted = []

        def move():
            wanted.append(str(zlib.crc32(peek(h.share.export.pages, offset, count * size))))
        simple = one_of(self._transfer(p, slot, width, offset, count, shift, READ, move))

        def judge(result, words):
            error = simple(result, words)
            if not error and wanted and words != wanted:
                return f"0 {wanted[0]}"
            return error
        return line, judge

    # ---- vectors ----

    def putv(self, p, slot, flags, entries):
        return self._vector(p, True, slot, flags, entries)

    def getv(self, p, slot, flags, entries):
        return self._vector(p, False, slot, flags, entries)

    def _vector(self, p, put, slot, flags, entries):
        """ENTRIES: (local slot or None, region, base, local offset, remote offset, length)."""
        h = p.imports[slot]
        words = []
        for local, region, base, at, remote, length in entries:
            words.append(f"{int(local is not None)} {region if local is None else local} {base} "
                         f"{at} {remote} {length}")
        line = f"{'putv' if put else 'getv'} {slot} {flags} {len(entries)} {' '.join(words)}"
        if not h:
            return line, exactly(BAD_SEG_HNDL)
        if not 1 <= len(entries) <= 16:
            return line, exactly(BAD_SGIO)
        if not self._apart(p, h, entries):
            return None
        if not put and h.share.state == "doomed":
            return None     # it may read anything into the region
        needs = WRITE if put else READ
        outcomes = {}       # by result and entries left: an end may be met at any of them
        for code, effect in self._held(h, needs, lambda: {OK: None}).items():
            outcomes[code, len(entries)] = ([], effect)
        if (OK, len(entries)) in outcomes:
            _, effect = outcomes.pop((OK, len(entries)))
            for code, left, moves, more in self._entries(p, h, put, entries):
                outcomes[code, left] = (moves, lambda e=effect, m=more: (e and e(), m and m()))

        def judge(result, got):
            met = result, int(got[0])
            if met not in outcomes or int(got[1]) != flags:
                return " or ".join(f"{code} {left} {flags}" for code, left in sorted(outcomes))
            moves, effect = outcomes[met]
            for move in moves:
                move()
            if effect:
                effect()
            if result == OK and flags & 1:
                self.post_from_import(h, bool(flags & 2))
            return None
        return line, judge

    def _apart(self, p, h, entries):
        """Source and destination are not the same memory, and all addresses are good."""
        for local, region, base, at, _remote, length in entries:
            if local is not None:
                x = p.locals[local]
                region = x.region if x else -1
            elif region >= 0 and base + at + length > REGION_PAGES * PAGE:
                return False
            if region >= 0 and any(a is b for a in p.regions[region]
                                   for b in h.share.export.pages):
                return False
        return True

    def _entry_memory(self, p, entry):
        """(error, region, offset)"""
        local, region, base, at, _remote, length = entry
        if local is None:
            return (BAD_ADDR, 0, 0) if region < 0 else (OK, region, base + at)
        x = p.locals[local]
        if not x or x.inherited:
            return BAD_SGIO, 0, 0
        if at > x.length or length > x.length - at:
            return BAD_OFFSET, 0, 0
        return OK, x.region, x.offset + at

    def _entries(self, p, h, put, entries):
        """Yields (result, entries left, what is moved, effect)."""
        share, moves = h.share, []
        mapping = h.mapping or Mapping(0, share.length, h.permission, True)
        for i, entry in enumerate(entries):
            remote, length = entry[4:]
            error, region, at = self._entry_memory(p, entry)
            left = len(entries) - i
            if not error and (remote < mapping.offset or
                              remote + length > mapping.offset + mapping.length):
                error = BAD_OFFSET
            if error:
                yield error, left, moves, None
                return
            if share.state == "connected":
                moves.append(self._mover(p, share.export, put, region, at, remote, length))
                continue
            self._dirty(share)
            yield CONN_ABORTED, left, moves, lambda: self.end_share(share)
            if share.state == "ended" or h.implicit_mode:
                return
        yield OK, 0, moves, None

    @staticmethod
    def _mover(p, export, put, region, at, remote, length):
        memory, pages = p.regions[region], export.pages
        if put:
            return lambda: poke(pages, remote, peek(memory, at, length))
        return lambda: poke(memory, at, peek(pages, remote, length))
