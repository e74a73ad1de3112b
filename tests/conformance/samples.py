# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""The sample program of the guide, run as users run it."""
import segments
from pairlib import same, wait_for

ANOTHER_USER = "umask 022; exec su -s /bin/sh {user} -c 'umask 022; exec rsmtest {options}'"


def _as_user(node, user, options):
    return node.spawn("sh", "-c", ANOTHER_USER.format(user=user, options=options))


def a291_the_importer_waits_for_the_exporter(exporting, importing):
    segments.rsmtest_importer_waits_for_the_exporter(exporting, importing)


def a292_another_user_is_denied(exporting, importing):
    with _as_user(exporting, "user1", f"-e -n {importing.number}") as e:
        e.expect("Mbuf is")
        with _as_user(importing, "user2", f"-i -n {exporting.number}") as i:
            wait_for(lambda: i.err.count("err 1b") >= 2, 20, "err 1b at the importer, twice")
        same(segments.messages(e.out), [], "lines at the exporter")


def a293_both_roles_run_on_one_node(lab):
    segments.rsmtest_runs_both_roles_on_one_node(lab)


def a294_the_importer_reports_a_killed_exporter(exporting, importing):
    segments.rsmtest_importer_reports_a_killed_exporter(exporting, importing)


TWO_NODES = [a291_the_importer_waits_for_the_exporter, a292_another_user_is_denied,
             a294_the_importer_reports_a_killed_exporter]
ONE_NODE = [a293_both_roles_run_on_one_node]
