# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Where Debian's packages come from: the host's own apt sources, for any suite.

apt.py calls text_for(), bare.py entries_for(). An entry of the host is taken over with its
options; what the host has no entry for comes from the place of its own release, with the
suite replaced.
"""
import collections
import functools
import os
import pathlib
import re
import shlex
import subprocess

from . import distro, ui

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
DEFAULT = "http://deb.debian.org/debian http://deb.debian.org/debian-security"

# Of one-line entries, where it is not the same word: `arch=` is Architectures.
FIELDS = {"arch": "Architectures", "lang": "Languages", "target": "Targets"}
# What a private root decides for itself, and what only people read.
NOT_TAKEN = ("types", "uris", "suites", "components", "enabled", "architectures", "languages",
             "targets", "description", "x-repolib-name")
# What a host's sources may call its release, if not by its code name.
ALIASES = ("stable", "oldstable", "oldoldstable")
UNRELEASED = ("testing", "unstable", "sid", "forky")
# Parts of a release with suites of their own, which belong to it wherever there are any.
POCKETS = ("", "-updates", "-security")
OFF = ("no", "false", "without", "off", "disable")


class Entry(collections.namedtuple("Entry", "uri suite options")):
    """One address with one suite; OPTIONS are other fields of a .sources file."""

    def with_suite(self, suite):
        return self._replace(suite=suite)

    def text(self):
        fields = {"Types": "deb deb-src", "URIs": self.uri, "Suites": self.suite,
                  "Components": "main", **self.options}
        return "".join(f"{name}: {value}\n" for name, value in fields.items())


def _split(types, uris, suites, components, options):
    """Entries of one line or stanza, if it is for packages of amd64 in main."""
    wanted = options.get("architectures", "amd64").replace(",", " ").split()
    if "deb" not in types or "main" not in components or "amd64" not in wanted:
        return []
    kept = {name.title(): value for name, value in options.items() if name not in NOT_TAKEN}
    return [Entry(uri, suite, kept) for uri in uris for suite in suites
            if not uri.startswith("cdrom:")]


def _one_line(text):
    found = []
    for line in text.splitlines():
        m = re.match(r"\s*(deb)\s+(?:\[([^\]]*)\]\s*)?([^\s\[]\S*)\s+(\S+)\s+(.*)",
                     line.partition("#")[0])
        if not m:
            continue
        options = {}
        for name, sign, value in re.findall(r"([\w-]+?)([-+]?)=(\S+)", m[2] or ""):
            suffix = {"": "", "+": "-Add", "-": "-Remove"}[sign]
            options[(FIELDS.get(name, name) + suffix).lower()] = value.replace(",", " ")
        found += _split([m[1]], [m[3]], [m[4]], m[5].split(), options)
    return found


def _stanzas(text):
    """The fields of each stanza; what a field goes on with stays as it is written."""
    for block in re.split(r"\n[ \t]*\n", text):
        lines = [line for line in block.splitlines() if not line.startswith("#")]
        fields, name = {}, None
        for line in lines:
            if name and line[:1] in " \t":
                fields[name] += "\n" + line
            elif ":" in line:
                name, _, value = line.partition(":")
                name = name.strip().lower()
                fields[name] = value.strip()
        if fields:
            yield fields


def _deb822(text):
    found = []
    for fields in _stanzas(text):
        if fields.get("enabled", "yes").lower() in OFF:
            continue
        found += _split(*(fields.get(name, "").split()
                          for name in ("types", "uris", "suites", "components")), fields)
    return found


def parse(name, text):
    """Entries of the file NAME, in the format that its name says."""
    return (_deb822 if name.endswith(".sources") else _one_line)(text)


def site(uri):
    """As apt names it: without a password and trailing slashes."""
    uri = re.sub(r"^([\w+]+://)[^/@]*@", r"\1", uri)
    return re.sub(r"^([\w+]+):///", r"\1:/", uri).rstrip("/")


def is_debians(entry, origins):
    """Whether ENTRY is Debian's own archive; without lists, whether it looks like it."""
    known = origins.get((site(entry.uri), entry.suite))
    if known is not None:
        return known.startswith("Debian")
    signed = entry.options.get("Signed-By", "")
    by_debian = not signed or "debian-archive" in signed or "BEGIN PGP" in signed
    return by_debian and bool(re.search(r"debian|^mirror\+", entry.uri))


def _base_and_pocket(suite):
    base, dash, pocket = suite.partition("-")
    return base, dash + pocket


def _wanted(suite):
    """SUITE without its pocket, and the pockets to look into."""
    base, pocket = _base_and_pocket(suite)
    always = POCKETS[:1] if base in ("sid", "unstable") else POCKETS
    return base, [*always, *([] if pocket in always else [pocket])]


def own(entries, release):
    """pocket -> the ENTRIES of the host's release."""
    for names in ((release,), ALIASES, UNRELEASED):
        found = {}
        for entry in entries:
            base, pocket = _base_and_pocket(entry.suite)
            if base in names:
                found.setdefault(pocket, []).append(entry)
        if "" in found:
            return found
    return {}


def pick(suite, entries, release):
    """The entries for SUITE from those of the host, whose release is RELEASE.

    A mirror has no updates or security updates, if the host takes none from there.
    """
    mine = own(entries, release)
    base, pockets = _wanted(suite)
    chosen = []
    for pocket in pockets if mine else ():
        name = base + pocket
        place = mine.get(pocket, [] if pocket in POCKETS else mine[""])
        chosen += [e for e in entries if e.suite == name] or \
            [e.with_suite(name) for e in place]
    return chosen


def named(places, suite):
    """Entries for SUITE at "MIRROR" or "MIRROR SECURITY-MIRROR"."""
    main, *security = places.split()
    base, pockets = _wanted(suite)
    return [Entry(uri.rstrip("/"), base + pocket, {"Signed-By": KEYRING}) for pocket in pockets
            for uri in (security if pocket == "-security" else [main])]


def _output(*argv):
    return subprocess.run(argv, capture_output=True, encoding="utf-8",
                          errors="surrogateescape", check=False).stdout


def _files():
    """The files that apt reads its sources from."""
    assignments = shlex.split(_output("apt-config", "shell", "main", "Dir::Etc::sourcelist/f",
                                      "parts", "Dir::Etc::sourceparts/d"))
    where = dict(assignment.split("=", 1) for assignment in assignments)
    parts = pathlib.Path(where.get("parts", "/nonexistent"))
    return [pathlib.Path(where.get("main", "/nonexistent")),
            *sorted(p for p in parts.glob("*") if re.fullmatch(r"[\w.-]+\.(list|sources)", p.name))]


def _entries():
    found = []
    for path in _files():
        try:
            text = path.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            continue
        found += parse(path.name, text)
    return found


def _origins():
    """(site, suite) -> whose it is, of all that apt has lists of."""
    lines = _output("apt-get", "indextargets", "--format", "$(SITE)\t$(RELEASE)\t$(ORIGIN)",
                    "Created-By: Packages").splitlines()
    rows = [line.split("\t") for line in lines if line.count("\t") == 2]
    return {(site(where), suite): origin for where, suite, origin in rows
            if not origin.startswith("$")}


@functools.lru_cache(maxsize=None)
def entries_for(suite):
    """Where SUITE is, its updates and what it is based on; the release comes first."""
    places = os.environ.get("RSMLAB_MIRROR")
    system = distro.read()
    if places:
        chosen = named(places, suite)
    else:
        origins = _origins()
        chosen = pick(suite, [e for e in _entries() if is_debians(e, origins)],
                      distro.release(system))
        if not chosen and not distro.is_debian(system):
            chosen = named(DEFAULT, suite)
    if not chosen:
        raise ui.Failure("apt has no source of Debian's packages here; "
                         "name one, RSMLAB_MIRROR=http://HOST/debian")
    return chosen


def text_for(suite):
    """The same as a .sources file."""
    return "\n".join(entry.text() for entry in entries_for(suite))
