#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Labs as a user has them: `rsmlab` itself, one lab of a name of its own."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "scripts"))

from lab import lab as lab_module, locks, node, paths, testlib, ui  # noqa: E402

TOOL = TOP / "scripts" / "rsmlab"
NAME = f"test-{os.getpid()}"
UP_DEADLINE = 300


def start(*args, lab=NAME, before=(), **kwargs):
    """A process of the tool that acts on LAB, after a logout has taken the user's directory."""
    return subprocess.Popen([*before, TOOL, *args],
                            env=dict(os.environ, RSMLAB_LAB=lab, COLUMNS="200",
                                     XDG_RUNTIME_DIR="/nonexistent"),
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, **kwargs)


def rsmlab(*args, **kwargs):
    """(exit status, all it printed)."""
    with start(*args, **kwargs) as tool:
        out = tool.communicate(timeout=testlib.scaled(UP_DEADLINE))[0]
    assert "Traceback" not in out, out
    return tool.returncode, out


def check(*args, **kwargs):
    status, out = rsmlab(*args, **kwargs)
    assert status == 0, f"rsmlab {' '.join(args)} ended with {status}: {out}"
    return out


def refused(*args, saying, **kwargs):
    status, out = rsmlab(*args, **kwargs)
    assert status == 1, f"rsmlab {' '.join(args)} ended with {status}: {out}"
    assert re.search(saying, out), out
    return out


def nodes(lab=NAME):
    return {n["node"]: n for n in json.loads(check("status", "--json", lab=lab))["nodes"]}


def ours():
    """The lab's processes, as only their locks tell."""
    return sorted(h.pid for h in locks.holders(paths.LABS / NAME))


def _up(count=1, *args):
    if ours():
        check("down")
    return check("up", "-n", str(count), *args)


def two_that_start_one_lab_get_one(_):
    check("down")
    both = [start("up", "-n", "1") for _ in range(2)]
    outs = [tool.communicate(timeout=testlib.scaled(UP_DEADLINE))[0] for tool in both]
    assert sorted(tool.returncode for tool in both) == [0, 1], outs
    said = outs[0] if both[0].returncode else outs[1]
    assert re.search("another rsmlab|is up already", said), said
    assert len(ours()) == 1, ours()
    assert nodes()[1]["state"] == "up"


def a_lab_whose_files_are_gone_is_found_and_ended(_):
    _up()
    pid, = ours()
    shutil.rmtree(paths.LABS / NAME)
    assert f"pid {pid} is a node whose files were removed" in check("status")
    refused("up", "-n", "1", saying=f"is up already: pid {pid}")
    assert "1 nodes ended" in check("down")
    assert not ours()


def a_copy_of_a_lab_is_not_the_lab(_):
    _up()
    copy = f"{NAME}-copy"
    # Without its sockets, which cp -a would make as well.
    shutil.copytree(paths.LABS / NAME, paths.LABS / copy,
                    ignore=lambda folder, names: [n for n in names
                                                  if pathlib.Path(folder, n).is_socket()])
    assert nodes(copy)[1]["state"] == "ended"
    assert "no node was running" in check("down", lab=copy)
    assert nodes()[1]["state"] == "up" and len(ours()) == 1
    (paths.LABS / f"{copy}.lock").unlink()


def a_lab_is_seen_from_another_pid_namespace(_):
    isolate = ["unshare", "--pid", "--fork", "--mount-proc"]
    if os.geteuid():
        isolate += ["--user", "--map-current-user"]
    if subprocess.run([*isolate, "true"], capture_output=True, check=False).returncode:
        raise testlib.Skip("no PID namespace can be made here")
    _up()
    pid, = ours()
    assert f"pid {pid} of another PID namespace" in check("status", before=isolate)
    refused("up", "-n", "1", saying="is up already: node1", before=isolate)
    assert ours() == [pid]
    assert "1 nodes ended" in check("down", before=isolate)
    assert not ours()


def one_node_is_ended_and_started_by_itself(_):
    _up(2)
    first, second = (nodes()[n]["pid"] for n in (1, 2))
    check("kill", "2")
    assert nodes()[2]["state"] == "ended" and ours() == [first]
    refused("kill", "2", saying="node2 is not running; `rsmlab start 2`")
    refused("start", "1", saying="node1 running already")
    refused("start", "3", saying="there is no node 3; nodes: 1, 2")
    check("start", "2")
    check("reboot", "1")
    after = nodes()
    assert first != after[1]["pid"] and second != after[2]["pid"], after
    assert [link["node"] for link in after[1]["adapters"][0]["links"]] == [2], after


def a_paused_node_goes_on(_):
    _up(2)
    for option in ([], ["--process"]):
        check("pause", "2", *option)
        assert nodes()[2]["state"] in ("paused", "does not answer"), nodes()
        check("resume", "2")
        assert nodes()[2]["state"] == "up"
    check("pause", "2", "--process")
    assert "2 nodes ended" in check("down")


def the_monitor_answers(_):
    _up()
    assert json.loads(check("qmp", "1", "query-status"))["running"] is True
    path = ["path=/machine/peripheral/sci0", "property=node-id"]
    assert json.loads(check("qmp", "1", "qom-get", *path)) == 1
    refused("qmp", "1", "no-such-command", saying="no-such-command")
    refused("qmp", "1", "qom-get", "{bad", saying="not JSON")
    refused("qmp", "1", "qom-get", "path", saying="NAME=VALUE")


def files_come_back(_):
    _up()
    here = paths.LABS / f"{NAME}.pulled"
    here.mkdir()
    try:
        check("exec", "-n", "1", "--", "sh", "-c",
              "mkdir -p /root/d && echo text >/root/d/file && ln -s /etc/passwd /root/d/link")
        check("pull", "1", "/root/d", "/etc/hosts", f"{here}/")
        assert (here / "d" / "file").read_text(encoding="utf-8") == "text\n"
        # A guest must not choose what is copied from the host, or where to.
        assert (here / "d" / "link").is_symlink()
        assert (here / "hosts").is_file()
        refused("pull", "1", "/root/d", f"{here}/", saying="is there already")
        refused("pull", "1", "/no/such/file", f"{here}/", saying="No such file")
        refused("pull", "1", "/etc/hosts", f"{here}/no/", saying="no such directory")
        check("push", "1", str(here / "hosts"), "/root/new/")
        check("exec", "-n", "1", "--", "cmp", "/root/new/hosts", "/etc/hosts")
        # Nor may it keep a lab from being removed.
        check("exec", "-n", "1", "--", "sh", "-c", "mkdir -p /host/a/b && chmod 0 /host/a")
    finally:
        shutil.rmtree(here)


def each_node_gets_arguments_of_its_own(_):
    out = check("up", "--help")
    example = re.search(r"--qemu-arg=\S+ --qemu-arg=\S+\{node\}", out)
    assert example, out
    path = paths.LABS / f"{NAME}-{{node}}"
    _up(2, "--qemu-arg=-gdb", f"--qemu-arg=unix:{path},server=on,wait=off")
    made = sorted(paths.LABS.glob(f"{NAME}-[0-9]"))
    assert len(made) == 2, made
    for one in made:
        one.unlink()


def limits_are_said_before_a_node_starts(_):
    check("down")
    few = ["sh", "-c", 'ulimit -n 256 && exec "$@"', "sh"]
    refused("up", "-n", "8", before=few,
            saying="8 nodes need [0-9]+ open files each, and the limit here is 256")
    refused("up", "--memory", "100000000", saying="nodes of 100000000 MiB can take")
    refused("up", "-n", "256", saying="1 to 255")
    refused("up", "--adapters", "9", saying="1 to 4")
    refused("up", "--lab", "../up", saying="cannot be the name of a lab")
    assert not ours() and not (paths.LABS / NAME).exists()


def a_node_without_memory_says_so(_):
    check("down")
    out = refused("up", "-n", "1", "--memory", "100",
                  saying="its kernel says: .*(Out of memory|Initramfs unpacking)")
    assert "ended while booting" in out or "does not come up" in out, out
    refused("up", "-n", "1", "--memory", "40", saying="it has 40 MiB")
    assert not ours()


def _split(lab):
    """A fabric whose nodes have not all met is not called up."""
    lab.nodes[1].stop()
    (lab.dir / "fabric").rename(lab.dir / "fabric-of-node1")
    (lab.dir / "fabric").mkdir(mode=0o700)
    lab.nodes[1].restart()
    lab.nodes[1].wait_ready()
    lab_module.CONNECT_DEADLINE = 1
    try:
        lab.wait_connected()
    except ui.Failure as e:
        assert "node1 has not met node 2 on its adapter sci0" in str(e), e
    else:
        raise AssertionError("a fabric in two parts is complete")


def a_long_path_and_a_split_fabric_are_noticed(_):
    directory = lab_module.private_dir() / ("x" * 90)
    deep = lab_module.Lab(directory, owned=True)
    try:
        assert len(str(deep.dir)) > 107
        # Standard output is for TAP.
        with contextlib.redirect_stdout(sys.stderr):
            deep.start(2, node.Options(testlib.kernel_name()))
        with deep.nodes[0].agent():
            pass
        assert paths.short_link(deep.dir).is_symlink()
        _split(deep)
    finally:
        deep.remove()
        shutil.rmtree(directory.parent)
        pathlib.Path(f"{directory.parent}.lock").unlink()
    assert not paths.short_link(deep.dir).is_symlink()


def whoever_ends_the_tool_ends_its_nodes(_):
    check("down")
    with start("up", "-n", "1") as tool:
        testlib.wait_for(ours, what="a node")
        tool.terminate()
        out = tool.communicate(timeout=60)[0]
    assert tool.returncode == 130 and "Traceback" not in out, out
    assert not ours(), ours()


if __name__ == "__main__":
    try:
        testlib.main([
            two_that_start_one_lab_get_one,
            a_copy_of_a_lab_is_not_the_lab,
            the_monitor_answers,
            files_come_back,
            a_lab_whose_files_are_gone_is_found_and_ended,
            a_lab_is_seen_from_another_pid_namespace,
            one_node_is_ended_and_started_by_itself,
            a_paused_node_goes_on,
            each_node_gets_arguments_of_its_own,
            limits_are_said_before_a_node_starts,
            a_node_without_memory_says_so,
            whoever_ends_the_tool_ends_its_nodes,
            a_long_path_and_a_split_fabric_are_noticed,
        ], nodes=0)
    finally:
        rsmlab("down")
        (paths.LABS / f"{NAME}.lock").unlink(missing_ok=True)
