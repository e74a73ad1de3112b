# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Counters of executed lines in a node: room for them, and how they get out.

The kernel keeps those of our modules in debugfs, also of unloaded ones;
programs add theirs to files below /var/gcov when they end.
"""
import os
import shutil

from . import paths, ui

DATA = paths.BUILD / "coverage-data"

# Run in a node. Files of debugfs have no size, so that cp would make them empty.
FETCH = """
cd /sys/kernel/debug/gcov && find . -name '*.gcda' | while read -r f; do
	mkdir -p "/host/gcov/${f%/*}" && cat "$f" >"/host/gcov/$f"
done
cd /var/gcov && find . -name '*.gcda' -size +0 | while read -r f; do
	mkdir -p "/host/gcov/${f%/*}" && cat "$f" >"/host/gcov/$f"
done
"""


def add_to_image(tree):
    """Where programs of any user leave their counters in a node."""
    tree.data("etc/coverage.sh", b"export GCOV_PREFIX=/var/gcov GCOV_ERROR_FILE=/dev/null\n")
    for note in (paths.HOST / "librsm").rglob("*.gcno"):
        data = f"var/gcov{note.with_suffix('.gcda')}"
        tree.data(data, b"", 0o666)     # an empty file is one without counters yet


def collect(nodes, label):
    """Fetch the counters of NODES that live; called at the end of a test file."""
    for node in nodes:
        if not node.alive():
            continue
        status, _, err = node.run("sh", "-c", FETCH, timeout=120)
        if status:
            raise ui.Failure(f"{node.name}: cannot fetch the counters: {err}")
        found = node.share / "gcov"
        if found.is_dir():
            shutil.copytree(found, DATA / f"{label}-{os.getpid()}-{node.name}")
