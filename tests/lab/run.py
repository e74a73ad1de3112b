#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""What `rsmlab exec` and the test harness promise, in one node."""
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))

from lab import testlib  # noqa: E402
import inputs  # noqa: E402


def streams_and_status_come_back(lab):
    result = lab.node(1).run("sh", "-c", "echo to-out; echo to-err >&2; exit 7")
    assert result == (7, "to-out\n", "to-err\n"), result


def a_killed_command_reports_its_signal(lab):
    status, _, _ = lab.node(1).run("sh", "-c", "kill -KILL $$")
    assert status == 128 + 9, status


def a_missing_command_ends_with_127(lab):
    status, out, err = lab.node(1).run("no-such-command")
    assert (status, out) == (127, "") and "not found" in err, (status, out, err)


def arguments_arrive_unchanged(lab):
    odd = ["", " a  b ", "*", "$HOME `id` ;|&", "'\"\\", "Grüße\nzwei", "--"]
    out = lab.node(1).check("sh", "-c", 'for a; do printf "<%s>" "$a"; done', "sh", *odd)
    assert out == "".join(f"<{a}>" for a in odd), out


def input_of_megabytes_arrives_whole(lab):
    data = bytes(range(256)) * 16384
    out = lab.node(1).check("sh", "-c", "wc -c; exit 0", stdin=data)
    assert int(out) == len(data), out


def input_left_unread_does_not_reach_the_next_command(lab):
    for _ in range(3):
        lab.node(1).check("head", "-c", "10", stdin=b"leftover\n" * 100000)
        assert lab.node(1).check("cat", stdin="fresh") == "fresh"


def output_streams_while_the_command_runs(lab):
    with lab.node(1).spawn("sh", "-c", "echo ready; read line; echo got $line; exit 3") as p:
        p.expect("ready")
        assert p.running()
        p.feed("this\n")
        p.expect("got this")
        assert p.wait() == 3


def an_interrupt_ends_the_command_and_its_children(lab):
    with lab.node(1).spawn("sh", "-c", "sleep 1234 | cat; echo unreached") as p:
        testlib.wait_for(lambda: "sleep 1234" in lab.node(1).check("ps"), what="sleep running")
        p.signal("INT")
        assert p.wait(5) == 130
        assert "unreached" not in p.out
    assert "sleep 1234" not in lab.node(1).check("ps")


def commands_run_side_by_side(lab):
    with lab.node(1).spawn("cat") as first, lab.node(1).spawn("cat") as second:
        second.feed("two\n")
        first.feed("one\n")
        first.expect("^one$")
        second.expect("^two$")


def a_killed_node_is_noticed_and_comes_back(lab):
    node = lab.node(1)
    node.kill()
    assert not node.alive()
    node.restart()
    node.wait_ready()
    assert node.check("hostname").strip() == "node1"


def users_without_privileges_exist(lab):
    for user, uid in (("user1", 1001), ("user2", 1002)):
        assert lab.node(1).check("su", user, "-c", "id -u").strip() == str(uid)


def a_deadline_that_passes_fails(_lab):
    start = time.monotonic()
    try:
        testlib.wait_for(lambda: False, 0.1, "never")
    except AssertionError as e:
        assert "never" in str(e) and time.monotonic() - start < 5
    else:
        raise AssertionError("wait_for returned")


if __name__ == "__main__":
    testlib.main([
        streams_and_status_come_back,
        a_killed_command_reports_its_signal,
        a_missing_command_ends_with_127,
        arguments_arrive_unchanged,
        input_of_megabytes_arrives_whole,
        input_left_unread_does_not_reach_the_next_command,
        output_streams_while_the_command_runs,
        an_interrupt_ends_the_command_and_its_children,
        commands_run_side_by_side,
        *inputs.TESTS,
        a_killed_node_is_noticed_and_comes_back,
        users_without_privileges_exist,
        a_deadline_that_passes_fails,
    ], nodes=1)
