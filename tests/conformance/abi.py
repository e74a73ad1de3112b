# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""The assertions about headers and library that a compiler or a linker decides.

What tests/abi checks in all dialects is checked in one here, under the number
of the assertion; the values are those of tests/abi/layout.c.
"""
import pathlib
import subprocess
import sys

ABI = pathlib.Path(__file__).resolve().parents[1] / "abi"
sys.path.insert(0, str(ABI))
sys.path.insert(0, str(ABI.parents[1] / "scripts"))

from compilers import C_COMPILERS, CXX_COMPILERS, absent, run  # noqa: E402
from lab import paths, testlib  # noqa: E402

FLAGS = ["-c", "-Wall", "-Werror"]


def _compiles(source, flags=(), compiler=None, suffix=".c"):
    good, said = run(compiler or C_COMPILERS[0], source, [*FLAGS, *flags], suffix)
    if not good:
        raise AssertionError(said)


def _layout(*prefixes):
    """All points of tests/abi/layout.c that begin so hold, and there are some."""
    out = subprocess.run([paths.HOST / "tests" / "abi" / "abi-layout"], capture_output=True,
                         text=True).stdout
    points = [line.partition(" - ") for line in out.splitlines() if " - " in line]
    wanted = [(head, what) for head, _, what in points if what.startswith(prefixes)]
    for prefix in prefixes:
        if not any(what.startswith(prefix) for _, what in wanted):
            raise AssertionError(f"nothing checks {prefix}")
    bad = [what for head, what in wanted if head.startswith("not")]
    if bad:
        raise AssertionError(", ".join(bad))


def _script(name, *args):
    done = subprocess.run([sys.executable, ABI / f"{name}.py", *args], capture_output=True,
                          text=True)
    if done.returncode:
        raise AssertionError("\n".join(line for line in done.stdout.splitlines()
                                       if line.startswith(("not ok", "#"))))


USE = "struct pollfd fds; uint_t number = POLLRDNORM;\n"


def a001_the_header_alone_compiles_in_c_and_cxx():
    _compiles(f"#include <rsmapi.h>\n{USE}", ["-std=c99"])
    if not CXX_COMPILERS:
        raise testlib.Skip(f"C compiles it; {absent()['g++']}")
    _compiles(f"#include <rsmapi.h>\n{USE}", compiler=CXX_COMPILERS[0], suffix=".cc")


def a002_the_same_is_reached_as_rsm_rsmapi_h():
    _compiles("#include <rsm/rsmapi.h>\n#include <rsmapi.h>\n"
              f"{USE}int (*post)(void *, uint_t) = rsm_intr_signal_post;\n")


def a003_the_header_leaves_unistd_out():
    for feature in ("-std=gnu17", "-D_GNU_SOURCE"):
        _compiles("#include <rsmapi.h>\nextern void sleep();\n", [feature])


def a004_permissions_can_be_defined_again():
    _compiles("#include <rsmapi.h>\n#define RSM_PERM_READ 0400\n#define RSM_PERM_WRITE 0200\n"
              "#define RSM_PERM_RDWR (RSM_PERM_READ|RSM_PERM_WRITE)\n")


def a006_errors_of_the_api_have_their_values():
    _layout("RSM_SUCCESS", "RSMERR_BAD_LIBRARY_VERSION", "RSMERR_SEG_NOT_CONNECTED",
            "RSMERR_INTERNAL_ERROR", "RSMERR_")


def a007_errors_of_the_kernel_have_their_values():
    _layout("RSMERR_BAD_DRIVER_VERSION", "RSMERR_QUEUE_FULL", "RSMERR_")


def a008_barrier_types_have_their_values():
    _layout("RSM_BARRIER_SEGMENT is", "RSM_BARRIER_NODE is", "RSM_BARRIER_SEGMENT_THREAD is",
            "RSM_BARRIER_NODE_THREAD is")


def a009_barrier_modes_have_their_values():
    _layout("RSM_BARRIER_MODE_EXPLICIT is", "RSM_BARRIER_MODE_IMPLICIT is")


def a011_creation_flags_have_their_values():
    _layout("RSM_ALLOW_REBIND is", "RSM_CREATE_SEG_DONTWAIT is")


def a012_scatter_gather_constants_have_their_values():
    _layout("RSM_HANDLE_TYPE is", "RSM_VA_TYPE is", "RSM_MAX_SGIOREQS is",
            "RSM_IMPLICIT_SIGPOST is", "RSM_SIGPOST_NO_ACCUMULATE is")


def a013_ranges_of_segment_ids_have_their_values():
    _layout(*(f"RSM_{name}_ID_{end} is" for end in ("BASE", "END") for name in
              ("DRIVER_PRIVATE", "CLUSTER_TRANSPORT", "RSMLIB", "DLPI", "HPC", "OPS",
               "USER_APP")))


def a014_controller_attributes_have_their_layout():
    _layout("sizeof(rsmapi_controller_attr_t)", "offsetof(rsmapi_controller_attr_t,")


def a016_barriers_have_their_layout():
    _layout("sizeof(rsmapi_barrier_t)", "offsetof(rsmapi_barrier_t,")


def a017_vector_entries_have_their_layout():
    _layout("sizeof(rsm_iovec_t)", "offsetof(rsm_iovec_t,")


def a018_vectors_have_their_layout():
    _layout("sizeof(rsm_scat_gath_t)", "offsetof(rsm_scat_gath_t,")


def a019_topologies_have_their_layout():
    _layout("sizeof(rsm_topology_hdr_t)", "sizeof(rsm_connections_hdr_t)",
            "sizeof(rsm_remote_cntlr_t)", "sizeof(rsm_connections_t)", "sizeof(rsm_topology_t)",
            "offsetof(struct rsm_topology", "offsetof(struct rsm_connection",
            "offsetof(struct rsm_remote_cntlr", "MAXNAMELEN is")


def a021_scalars_have_their_width_and_sign():
    _layout("sizeof(rsm_addr_t)", "sizeof(rsm_node_id_t)", "sizeof(rsm_memseg_id_t)",
            "sizeof(rsm_permission_t)", "(rsm_node_id_t)-1", "(rsm_memseg_id_t)-1",
            "(rsm_permission_t)-1", "(rsm_addr_t)-1")


def a022_the_library_exports_the_42_names():
    library = paths.HOST / "librsm" / "librsm.so"
    out = subprocess.run(["nm", "-D", "--defined-only", library], check=True,
                         capture_output=True, text=True).stdout
    names = {line.split()[2].partition("@")[0] for line in out.splitlines()
             if line.split()[1] != "A"}
    listed = set(_functions())
    if len(listed) != 42 or names != listed:
        raise AssertionError(f"{len(listed)} functions; missing {sorted(listed - names)}, "
                             f"surplus {sorted(names - listed)}")


def _functions():
    """The functions of tests/conformance/errors.tsv, and the one that returns nothing."""
    text = pathlib.Path(__file__).with_name("errors.tsv").read_text(encoding="utf-8")
    rows = {line.split("\t")[0] for line in text.splitlines() if line and line[0] != "#"}
    return rows | {"rsm_free_interconnect_topology"}


def a023_every_prototype_fits():
    _script("symbols", str(paths.HOST / "librsm" / "librsm.so"))


def a024_programs_like_the_sample_compile():
    _script("sample", str(paths.HOST / "librsm"), "idiom")


TESTS = [function for name, function in sorted(globals().items()) if name.startswith("a0")]
