#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
#
# The manual pages: each function has one, with the prototype of the header;
# what they name exists; mandoc finds nothing wrong with them.
# Argument: where the lab tool has unpacked mandoc.

import pathlib
import re
import shutil
import subprocess
import sys

from compilers import INCLUDE, ROOT
from tap import Tap

MAN = ROOT / "librsm" / "man"
OF_THE_SYSTEM = {"fork 2", "mmap 2", "poll 2", "execve 2", "ipcs 1"}
# Solaris' section, which mandoc does not know, and links, which are checked here.
NOT_OURS = re.compile(r"unknown manual section: Dt .* 3rsm|referenced manual not found")
DEFINED = re.compile(r"^#define (RSM\w+)|^\t(RSM_\w+) =", re.MULTILINE)


def sources():
    return sorted(path for path in MAN.iterdir() if not path.read_text().startswith(".so "))


def links():
    """Function -> the page that its own page leads to."""
    found = {}
    for path in MAN.iterdir():
        match = re.fullmatch(r"\.so man3/(\S+)\n", path.read_text())
        if match:
            found[path.stem] = match.group(1)
    return found


def header_text():
    return "".join(path.read_text() for path in sorted((INCLUDE / "rsm").glob("rsm*.h")))


def spaces(text):
    return re.sub(r"\s+", " ", text).strip()


def declared():
    """Function -> (type, parameters) as the headers have them."""
    text = re.sub(r"/\*.*?\*/", "", header_text(), flags=re.DOTALL)
    found = re.findall(r"^(int|void) (rsm_\w+)\(([^;]*)\);", text, re.MULTILINE)
    return {name: (kind, [spaces(p) for p in parameters.split(",")])
            for kind, name, parameters in found}


def documented(path):
    """The same from the synopsis of a page."""
    blocks = re.findall(r"^\.Ft (\w+)\n\.Fo (\w+)\n(.*?)^\.Fc$", path.read_text(),
                        re.MULTILINE | re.DOTALL)
    return {name: (kind, re.findall(r'^\.Fa "(.*)"$', body, re.MULTILINE))
            for kind, name, body in blocks}


def check_functions(tap):
    prototypes = declared()
    tap.ok(len(prototypes) == 42, "the headers declare 42 functions", f"{len(prototypes)}")
    where, leads = {}, links()
    for path in sources():
        for name, prototype in documented(path).items():
            where[name] = path.name
            tap.ok(prototype == prototypes.get(name), f"{path.name} has the prototype of {name}",
                   f"page: {prototype}\nheader: {prototypes.get(name)}")
    for name in sorted(prototypes):
        page = name + ".3rsm" if (MAN / f"{name}.3rsm").exists() else None
        tap.ok(page and leads.get(name, page) == where.get(name), f"{name} has a page",
               f"page {page}, link {leads.get(name)}, described in {where.get(name)}")
    surplus = set(leads) - set(prototypes)
    tap.ok(not surplus, "there are links for functions only", f"{surplus}")


def check_names(tap):
    constants = {a or b for a, b in DEFINED.findall(header_text())}
    libraries = set(re.findall(r"^(\w+) {", (ROOT / "librsm" / "rsm.map").read_text(),
                               re.MULTILINE))
    for path in sources():
        text = path.read_text()
        named = set(re.findall(r"\bRSM(?:ERR)?_[A-Z0-9_]+\b", text)) - {"RSMERR_"}
        if path.suffix == ".3rsm":
            named = {name for name in named if name.lower() != path.stem}
            named -= {path.stem.upper()}
        unknown = named - constants - libraries
        tap.ok(not unknown, f"{path.name} names what the headers define", f"{unknown}")


def check_references(tap):
    ours = {f"{path.stem} {path.suffix[1:]}" for path in MAN.iterdir()}
    for path in sources():
        named = re.findall(r"\bXr (\S+) (\S+)", path.read_text())
        lost = {f"{name} {section}" for name, section in named} - ours - OF_THE_SYSTEM
        tap.ok(not lost, f"{path.name} refers to pages that exist", f"{lost}")
        own = f"{path.stem} {path.suffix[1:]}"
        tap.ok(own not in {f"{n} {s}" for n, s in named}, f"{path.name} does not refer to itself")


def errors(path):
    """Function -> the errors that its page lists."""
    text = path.read_text()
    functions = list(documented(path))
    found = {name: set() for name in functions}
    body = text.partition("\n.Sh ERRORS\n")[2].partition("\n.Sh ")[0]
    # Before each list: the functions that it is for, all of the page or those before if none.
    heads, inside = functions, False
    named = []
    for line in body.splitlines():
        if line.startswith(".Bl "):
            inside, heads, named = True, named or heads, []
        elif line == ".El":
            inside = False
        elif not inside and line.startswith(".Fn "):
            named.append(line.split()[1])
        elif inside and line.startswith(".It Bq Er RSMERR_"):
            for name in heads:
                found[name].add(line.split("RSMERR_")[1])
    return found


def check_errors(tap):
    """Pages and the conformance suite know the same errors."""
    lines = (ROOT / "tests" / "conformance" / "errors.tsv").read_text().splitlines()
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    for path in sources():
        for name, listed in errors(path).items():
            known = {row[1] for row in rows if row[0] == name}
            happen = {row[1] for row in rows
                      if row[0] == name and not row[3].startswith("excluded: ")}
            tap.ok(happen <= listed <= known, f"{path.name} lists the errors of {name}",
                   f"not in the page: {happen - listed}; not in errors.tsv: {listed - known}")


def check_sections(tap):
    wanted = ["NAME", "LIBRARY", "SYNOPSIS", "DESCRIPTION", "RETURN VALUES", "ERRORS", "SEE ALSO",
              "THREADS", "DIFFERENCES FROM SOLARIS"]
    for path in sources():
        if path.suffix != ".3rsm" or path.stem == "librsm":
            continue
        found = re.findall(r"^\.Sh (.*)$", path.read_text(), re.MULTILINE)
        tap.ok([s for s in found if s in wanted] == wanted, f"{path.name} has all sections",
               f"{found}")


def check_options(tap):
    """rsmstat(1) has the options of rsmstat."""
    program = (ROOT / "librsm" / "tools" / "rsmstat.c").read_text()
    options = set(re.findall(r"\{ \"([a-z]+)\", (?:no|required)_argument, NULL, '([a-z])' \}",
                             program))
    page = set((long, short) for short, long in re.findall(
        r"^\.It Fl (\w) , -(\w+)", (MAN / "rsmstat.1").read_text(), re.MULTILINE))
    tap.ok(options and options == page, "rsmstat(1) has the options of rsmstat",
           f"program {options}, page {page}")


def check_parameters(tap):
    """rsm(7) has the parameters of rsm.ko."""
    sources_of = (ROOT / "guest-driver" / "rsm").glob("*.c")
    text = "".join(path.read_text() for path in sources_of)
    has = set(re.findall(r"module_param(?:_named)?\((\w+)", text))
    page = (MAN / "rsm.7").read_text().partition(".Sh MODULE PARAMETERS")[2].partition(".Sh ")[0]
    named = set(re.findall(r"^\.It Cm (\w+)", page, re.MULTILINE))
    tap.ok(has == named, "rsm(7) has the parameters of the module", f"module {has}, page {named}")


def check_mandoc(tap):
    mandoc = sys.argv[1] if pathlib.Path(sys.argv[1]).exists() else shutil.which("mandoc")
    for path in sources():
        if not mandoc:
            tap.skip(f"{path.name} is good mdoc", "mandoc is not there: scripts/rsmlab setup")
            continue
        said = subprocess.run([mandoc, "-Tlint", path], capture_output=True, text=True,
                              check=False).stdout.splitlines()
        bad = [line for line in said if not NOT_OURS.search(line)]
        tap.ok(not bad, f"{path.name} is good mdoc", "\n".join(bad))


tap = Tap()
check_functions(tap)
check_names(tap)
check_references(tap)
check_errors(tap)
check_sections(tap)
check_options(tap)
check_parameters(tap)
check_mandoc(tap)
tap.done()
