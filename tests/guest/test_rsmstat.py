#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""rsmstat on one node: its options, its two forms, what an ordinary user sees."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))

from lab import testlib  # noqa: E402

PARTS = {
    "-a": {"agent"},
    "-c": {"controllers"},
    "-p": {"local", "peers"},
    "-s": {"exports", "imports", "unused"},
}
HEADINGS = {"-a": "pinned", "-c": "ATOMIC", "-p": "SESSION", "-s": "IMPORTS"}


def same(found, wanted, what):
    if found != wanted:
        raise AssertionError(f"{what}: {found!r}, expected {wanted!r}")


def stat(node, *options):
    return json.loads(node.check("rsmstat", "--json", *options))


def json_has_the_parts_that_are_asked_for(lab):
    node = lab.node(1)
    everything = stat(node)
    same(set(everything), {"version", "node"}.union(*PARTS.values()), "members")
    same((everything["version"], everything["node"]), (1, 1), "version and node")
    for option, members in PARTS.items():
        same(set(stat(node, option)), {"version", "node"} | members, f"members with {option}")
    same([c["name"] for c in everything["controllers"]], ["loopback", "sci0"], "controllers")
    sci0 = everything["controllers"][1]
    same(sci0["max_import_map_size"] > 2**20, True, f"limits of {sci0}")
    same([row["controller"] for row in everything["local"]], ["loopback", "sci0"], "local rows")
    same(everything["peers"], [], "peers of a lone node")


def tables_have_the_parts_that_are_asked_for(lab):
    node = lab.node(1)
    for option in PARTS:
        out = node.check("rsmstat", option)
        same(HEADINGS[option] in out, True, f"heading with {option} in {out!r}")
        same(out.count("\n\n"), 0, f"tables with {option}: {out!r}")
    same(node.check("rsmstat").count("\n\n"), 3, "tables without an option")


def both_forms_show_the_same_segments(lab):
    node = lab.node(1)
    with node.spawn("rsmtest", "-e") as exporter:
        exporter.expect("Mbuf is")
        row = stat(node, "-s")["exports"][0]
        lines = node.check("rsmstat", "-s").splitlines()
        words = dict(zip(lines[0].split(), lines[1].split()))
        same(int(words["BYTES"]), row["bytes"], "bytes")
        same(int(words["ID"], 16), row["id"], "id")
        same(int(words["MODE"], 8), row["mode"], "mode")
        same(int(words["PID"]), row["pid"], "pid")
        same((words["STATE"], words["KIND"]), (row["state"], "export"), "state")
        exporter.signal("KILL")
        exporter.wait()
    same(stat(node, "-s")["exports"], [], "exports after the end of the process")
    same(stat(node, "-a")["agent"]["pinned_bytes"], 0, "pinned bytes")


def an_ordinary_user_sees_the_same(lab):
    node = lab.node(1)
    with node.spawn("rsmtest", "-e") as exporter:
        exporter.expect("Mbuf is")
        seen = node.check("su", "user1", "-c", "rsmstat --json -s")
        same(json.loads(seen), stat(node, "-s"), "segments")
        exporter.signal("KILL")
        exporter.wait()


def a_repetition_ends_after_the_count(lab):
    node = lab.node(1)
    lines = node.check("rsmstat", "-a", "-j", "-i", "0.05", "-n", "3").splitlines()
    same(len(lines), 3, "objects")
    for line in lines:
        same(json.loads(line)["node"], 1, "node")


def wrong_options_are_refused(lab):
    node = lab.node(1)
    for options in (["-x"], ["-n", "2"], ["-i", "0"], ["-i", "x"], ["-i", "1", "-n", "0"],
                    ["-i", "nan"], ["-i", "1", "-n", "-1"], ["surplus"], ["--jsonx"]):
        status, out, err = node.run("rsmstat", *options)
        same((status, out), (2, ""), f"status and output with {options}")
        same(bool(err), True, f"message with {options}")
    same("Usage: rsmstat" in node.check("rsmstat", "--help"), True, "help")


def a_full_output_is_an_error(lab):
    node = lab.node(1)
    status, _, err = node.run("sh", "-c", "rsmstat >/dev/full")
    same((status, "No space left" in err), (1, True), f"status and message {err!r}")


def without_the_agent_it_says_so(lab):
    node = lab.node(1)
    node.drivers("unload")
    try:
        status, out, err = node.run("rsmstat")
        same((status, out), (1, ""), "status and output")
        same("/dev/rsm" in err, True, f"message {err!r}")
    finally:
        node.drivers("load")


def without_an_adapter_there_is_loopback(lab):
    node = lab.node(1)
    node.check("rmmod", "sci")
    try:
        found = stat(node)
        same([c["name"] for c in found["controllers"]], ["loopback"], "controllers")
        same(found["node"], 0, "node")
    finally:
        node.check("modprobe", "sci")


if __name__ == "__main__":
    testlib.main([
        json_has_the_parts_that_are_asked_for,
        tables_have_the_parts_that_are_asked_for,
        both_forms_show_the_same_segments,
        an_ordinary_user_sees_the_same,
        a_repetition_ends_after_the_count,
        wrong_options_are_refused,
        a_full_output_is_an_error,
        without_the_agent_it_says_so,
        without_an_adapter_there_is_loopback,
    ], nodes=1)
