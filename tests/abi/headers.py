#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
#
# Each public header stands alone in every dialect of C and C++, and keeps
# what programs written for Solaris count on.

from compilers import C_COMPILERS, CXX_COMPILERS, INCLUDE, absent, run
from tap import Tap

STRICT = ["-c", "-Wall", "-Wextra", "-Werror", "-pedantic"]
C_DIALECTS = ["c89", "gnu89", "c99", "gnu99", "c11", "c17", "gnu17", "c2x"]
CXX_DIALECTS = ["c++98", "c++11", "c++17", "c++20"]

# The shim serves one C program; its macros take what C89 and C++ lack.
SHIM = "rsm/rsmpai.h"

CONTRACTS = {
    "sleep() can be declared as the guide's sample does": "extern void sleep();",
    "permissions can be defined again": """
        #define RSM_PERM_READ 0400
        #define RSM_PERM_WRITE 0200
        #define RSM_PERM_RDWR (RSM_PERM_READ|RSM_PERM_WRITE)
        #define RSM_ACCESS_TRUSTED 0666""",
    "POLLRDNORM and struct pollfd are visible": """
        struct pollfd fds; int event = POLLRDNORM;""",
    "Solaris' scalar types are visible": """
        uint_t a; ulong_t b; uchar_t c; ushort_t d; offset_t e; size_t f;""",
    "MAXNAMELEN is 256": """
        char check[MAXNAMELEN == 256 ? 1 : -1];""",
    "barrier types can be named by the documents' name": """
        rsm_barrier_type_t type = RSM_BAR_DEFAULT;""",
    "names of the sample are not macros": """
        int mode, test, status, offset, list; static int export(void); static int import(void);
        int use(void) { return export() + import(); }
        static int export(void) { return 0; } static int import(void) { return 0; }""",
}


def public_headers():
    return sorted(str(path.relative_to(INCLUDE)) for path in INCLUDE.rglob("*.h"))


def stands_alone(tap):
    for header in public_headers():
        source = f"#include <{header}>\n#include <{header}>\nint unit;\n"
        for compiler in C_COMPILERS:
            for dialect in C_DIALECTS:
                if header == SHIM and dialect in ("c89", "gnu89"):
                    continue
                for feature in ([], ["-D_GNU_SOURCE"]):
                    flags = [*STRICT, f"-std={dialect}", *feature]
                    good, said = run(compiler, source, flags)
                    tap.ok(good, f"{header} {compiler} {' '.join(flags[5:])}", said)
        for compiler in CXX_COMPILERS if header != SHIM else []:
            for dialect in CXX_DIALECTS:
                good, said = run(compiler, source, [*STRICT, f"-std={dialect}"], ".cc")
                tap.ok(good, f"{header} {compiler} {dialect}", said)


def contracts_hold(tap):
    for name, text in CONTRACTS.items():
        source = f"#include <rsmapi.h>\n{text}\n"
        for compiler in C_COMPILERS:
            for feature in ("-std=c99", "-std=gnu17", "-D_GNU_SOURCE"):
                good, said = run(compiler, source, ["-c", "-Wall", "-Werror", feature])
                tap.ok(good, f"{name}, {compiler} {feature}", said)


def own_types_are_respected(tap):
    source = (
        "#define RSM_NO_SOLARIS_TYPES\n"
        "typedef unsigned uint_t; typedef unsigned long ulong_t; typedef long offset_t;\n"
        "#include <rsmapi.h>\n"
    )
    for compiler in C_COMPILERS:
        good, said = run(compiler, source, [*STRICT, "-std=c99"])
        tap.ok(good, f"a program may bring its own scalar types, {compiler}", said)


tap = Tap()
for compiler, why in absent().items():
    tap.skip(f"public headers with {compiler}", why)
stands_alone(tap)
contracts_hold(tap)
own_types_are_respected(tap)
tap.done()
