#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
#
# docs/specs/sci.rst and qemu-device/include/sci_regs.h say the same: every
# register, bit, state and member of a structure, in both directions.

import re
import subprocess
import tempfile

from compilers import C_COMPILERS, ROOT
from tap import Tap

SPEC = ROOT / "docs" / "specs" / "sci.rst"
HEADER = ROOT / "qemu-device" / "include" / "sci_regs.h"

# Tables of members in the order of the document.
STRUCTURES = ["sci_att_entry", "sci_inbound_entry", "sci_adapter_status", "sci_peer_slot"]

RULER = re.compile(r"^=+(  +=+)+$")


def tables():
    """The simple tables of the document: (column names, rows as dictionaries)."""
    lines = SPEC.read_text().splitlines()
    rulers = [i for i, line in enumerate(lines) if RULER.match(line)]
    for top, under, bottom in zip(rulers[::3], rulers[1::3], rulers[2::3]):
        starts = [match.start() for match in re.finditer(r"=+", lines[top])]
        ends = [*starts[1:], None]

        def cells(line):
            return [line[a:b].strip() for a, b in zip(starts, ends)]

        names = cells(lines[top + 1])
        rows = [dict(zip(names, cells(line))) for line in lines[under + 1 : bottom]]
        yield names, [row for row in rows if row[names[0]]]


def evaluate(expressions):
    """The values that the compiler gives to expressions over the header."""
    prints = "".join(f'printf("%llu\\n", (unsigned long long)({e}));\n' for e in expressions)
    source = (
        f'#include <stddef.h>\n#include <stdio.h>\n#include "{HEADER}"\n'
        f"int main(void)\n{{\n{prints}return 0;\n}}\n"
    )
    with tempfile.TemporaryDirectory() as scratch:
        command = [C_COMPILERS[0], "-x", "c", "-", "-o", f"{scratch}/values"]
        subprocess.run(command, input=source, text=True, check=True)
        values = subprocess.run([f"{scratch}/values"], text=True, capture_output=True, check=True)
    return dict(zip(expressions, map(int, values.stdout.split())))


def macros(pattern):
    return set(re.findall(rf"^#define\s+({pattern})\s", HEADER.read_text(), re.MULTILINE))


def members(structure):
    text = HEADER.read_text()
    body = re.search(rf"^struct {structure} {{(.*?)^}};", text, re.DOTALL | re.MULTILINE).group(1)
    body = re.sub(r"/\*.*?\*/", "", body, flags=re.DOTALL)
    return set(re.findall(r"sci_le\d+ (\w+)", body))


def compare(tap, wanted):
    """wanted: expression over the header -> value that the document gives."""
    known = evaluate(list(wanted))
    for expression, value in wanted.items():
        got = known[expression]
        tap.ok(got == value, f"{expression} is {value:#x}", f"the header has {got:#x}")


def check_macros(tap, what, rows, prefix, column, in_header):
    documented = {f"{prefix}{row['Name']}": int(row[column], 16) for row in rows}
    undefined = documented.keys() - in_header
    tap.ok(not undefined, f"every documented {what} is defined", f"not in the header: {undefined}")
    missing = in_header - documented.keys()
    tap.ok(not missing, f"every defined {what} is documented", f"not in the document: {missing}")
    compare(tap, {name: documented[name] for name in documented.keys() & in_header})


def check_structure(tap, structure, rows):
    names = {row["Name"] for row in rows}
    same = names == members(structure)
    tap.ok(same, f"members of {structure}", f"in one place only: {names ^ members(structure)}")
    if not same:
        return
    wanted = {}
    for row in rows:
        member = row["Name"]
        wanted[f"offsetof(struct {structure}, {member})"] = int(row["Offset"], 16)
        wanted[f"sizeof(((struct {structure} *)0)->{member})"] = int(row["Size"])
    compare(tap, wanted)


def bits():
    words = macros(r"SCI_(?:FEATURE|CONTROL|STATUS|ERROR|INT)_\w+")
    other = re.compile(r"_ALL$|^SCI_STATUS_(SIZE|ADAPTER|SLOTS)$")
    return {name for name in words if not other.search(name)}


tap = Tap()
structures = iter(STRUCTURES)
for names, rows in tables():
    if names[:2] == ["Offset", "Name"] and "Reset" in names:
        registers = macros(r"SCI_REG_\w+") - {"SCI_REG_END"}
        check_macros(tap, "register", rows, "SCI_REG_", "Offset", registers)
        resets = {row["Name"]: row["Reset"] for row in rows}
        constants = ("VERSION", "ATT_ENTRIES")
        compare(tap, {f"SCI_{name}": int(resets[name], 16) for name in constants})
    elif names[:2] == ["Name", "Mask"]:
        check_macros(tap, "bit", rows, "SCI_", "Mask", bits())
    elif names[:2] == ["State", "Name"]:
        check_macros(tap, "state", rows, "SCI_ATT_ST_", "State", macros(r"SCI_ATT_ST_\w+"))
    elif names[:3] == ["Offset", "Name", "Size"]:
        check_structure(tap, next(structures), rows)
tap.ok(next(structures, None) is None, "every structure of the header has its table")
tap.done()
