#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
#
# The library exports what its map lists, which is what its header declares;
# each declaration is in the form of the RSMAPI.  Argument: the library.

import re
import subprocess
import sys

from compilers import C_COMPILERS, INCLUDE, ROOT, run
from tap import Tap

# The parameters of every RSMAPI function that the library has.
PROTOTYPES = {
    "rsm_get_controller": "char *, rsmapi_controller_handle_t *",
    "rsm_release_controller": "rsmapi_controller_handle_t",
    "rsm_get_controller_attr": "rsmapi_controller_handle_t, rsmapi_controller_attr_t *",
    "rsm_get_interconnect_topology": "rsm_topology_t **",
    "rsm_free_interconnect_topology": "rsm_topology_t *",
    "rsm_memseg_export_create": "rsmapi_controller_handle_t, rsm_memseg_export_handle_t *,"
    " void *, size_t, uint_t",
    "rsm_memseg_export_destroy": "rsm_memseg_export_handle_t",
    "rsm_memseg_export_publish": "rsm_memseg_export_handle_t, rsm_memseg_id_t *,"
    " rsmapi_access_entry_t [], uint_t",
    "rsm_memseg_export_rebind": "rsm_memseg_export_handle_t, void *, off_t, size_t",
    "rsm_memseg_export_republish": "rsm_memseg_export_handle_t, rsmapi_access_entry_t [], uint_t",
    "rsm_memseg_export_unpublish": "rsm_memseg_export_handle_t",
    "rsm_memseg_import_connect": "rsmapi_controller_handle_t, rsm_node_id_t, rsm_memseg_id_t,"
    " rsm_permission_t, rsm_memseg_import_handle_t *",
    "rsm_memseg_import_disconnect": "rsm_memseg_import_handle_t",
    "rsm_memseg_import_map": "rsm_memseg_import_handle_t, void **, rsm_attribute_t,"
    " rsm_permission_t, off_t, size_t",
    "rsm_memseg_import_unmap": "rsm_memseg_import_handle_t",
    "rsm_memseg_import_init_barrier": "rsm_memseg_import_handle_t, rsm_barrier_type_t,"
    " rsmapi_barrier_t *",
    "rsm_memseg_import_open_barrier": "rsmapi_barrier_t *",
    "rsm_memseg_import_order_barrier": "rsmapi_barrier_t *",
    "rsm_memseg_import_close_barrier": "rsmapi_barrier_t *",
    "rsm_memseg_import_destroy_barrier": "rsmapi_barrier_t *",
    "rsm_intr_signal_post": "void *, uint_t",
    "rsm_intr_signal_wait": "void *, int",
    "rsm_memseg_import_get8": "rsm_memseg_import_handle_t, off_t, uint8_t *, ulong_t",
    "rsm_memseg_import_get16": "rsm_memseg_import_handle_t, off_t, uint16_t *, ulong_t",
    "rsm_memseg_import_get32": "rsm_memseg_import_handle_t, off_t, uint32_t *, ulong_t",
    "rsm_memseg_import_get64": "rsm_memseg_import_handle_t, off_t, uint64_t *, ulong_t",
    "rsm_memseg_import_get": "rsm_memseg_import_handle_t, off_t, void *, size_t",
    "rsm_memseg_import_put8": "rsm_memseg_import_handle_t, off_t, uint8_t *, ulong_t",
    "rsm_memseg_import_put16": "rsm_memseg_import_handle_t, off_t, uint16_t *, ulong_t",
    "rsm_memseg_import_put32": "rsm_memseg_import_handle_t, off_t, uint32_t *, ulong_t",
    "rsm_memseg_import_put64": "rsm_memseg_import_handle_t, off_t, uint64_t *, ulong_t",
    "rsm_memseg_import_put": "rsm_memseg_import_handle_t, off_t, void *, size_t",
    "rsm_memseg_import_getv": "rsm_scat_gath_t *",
    "rsm_memseg_import_putv": "rsm_scat_gath_t *",
    "rsm_memseg_import_get_mode": "rsm_memseg_import_handle_t, rsm_barrier_mode_t *",
    "rsm_memseg_import_set_mode": "rsm_memseg_import_handle_t, rsm_barrier_mode_t",
    "rsm_create_localmemory_handle": "rsmapi_controller_handle_t,"
    " rsm_localmemory_handle_t *, char *, size_t",
    "rsm_free_localmemory_handle": "rsmapi_controller_handle_t, rsm_localmemory_handle_t",
    "rsm_intr_signal_wait_pollfd": "struct pollfd [], nfds_t, int, int *",
    "rsm_memseg_get_pollfd": "void *, struct pollfd *",
    "rsm_memseg_release_pollfd": "void *",
    "rsm_get_segmentid_range": "const char *, rsm_memseg_id_t *, uint32_t *",
}
RETURNS_NOTHING = {"rsm_free_interconnect_topology"}


def mapped():
    text = (ROOT / "librsm" / "rsm.map").read_text()
    return set(re.findall(r"^\t(rsm_\w+);", text, re.MULTILINE))


def declared():
    headers = ["rsmapi.h", "rsmapi_transfer.h"]
    text = "".join((INCLUDE / "rsm" / header).read_text() for header in headers)
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    return set(re.findall(r"^(?:int|void) (rsm_\w+)\(", text, re.MULTILINE))


def exported(library):
    lines = subprocess.run(
        ["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    symbols = [line.split() for line in lines]
    return {name.split("@")[0] for _, kind, name in symbols if kind != "A"}


def versions(library):
    lines = subprocess.run(
        ["nm", "-D", "--defined-only", "--with-symbol-versions", library],
        check=True, capture_output=True, text=True,
    ).stdout.splitlines()
    names = [line.split()[-1] for line in lines if line.split()[-2] != "A"]
    return {name.partition("@")[2].lstrip("@") for name in names}


def relocated(library):
    """Own functions that the library would call through a table that others can fill."""
    lines = subprocess.run(
        ["readelf", "-rW", library], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    return {name for line in lines for name in re.findall(r"\brsm_\w+", line)}


def never_unloaded(library):
    text = subprocess.run(
        ["readelf", "-dW", library], check=True, capture_output=True, text=True
    ).stdout
    return "NODELETE" in text


def soname(library):
    text = subprocess.run(
        ["readelf", "-dW", library], check=True, capture_output=True, text=True
    ).stdout
    return re.search(r"soname: \[(.*)\]", text).group(1)


def same(tap, name, got, wanted):
    tap.ok(got == wanted, name, f"missing {wanted - got}, surplus {got - wanted}")


tap = Tap()
same(tap, "the library exports its map", exported(sys.argv[1]), mapped())
tap.ok(len(mapped()) == 42, "the map has the 42 functions of the RSMAPI", str(len(mapped())))
tap.ok(versions(sys.argv[1]) == {"RSM_1"}, "all are of version RSM_1", versions(sys.argv[1]))
same(tap, "the header declares the map", declared(), mapped())
same(tap, "every function has its prototype here", set(PROTOTYPES), mapped())
tap.ok(soname(sys.argv[1]) == "librsm.so.2", "soname is librsm.so.2", soname(sys.argv[1]))
same(tap, "the library's calls of itself cannot be interposed", relocated(sys.argv[1]), set())
tap.ok(never_unloaded(sys.argv[1]), "it stays for the threads that have used it", "no NODELETE")
for function, parameters in PROTOTYPES.items():
    result = "void" if function in RETURNS_NOTHING else "int"
    source = f"#include <rsmapi.h>\n{result} (*pointer)({parameters}) = {function};\n"
    good, said = run(C_COMPILERS[0], source, ["-c", "-std=c99", "-Wall", "-Werror"])
    tap.ok(good, f"{function}({parameters})", said)
tap.done()
