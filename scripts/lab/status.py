# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""`status`: what runs, and how the nodes see each other."""
import json

from . import job, lab, ui

# The adapters' driver shows its peers there, one table for each adapter.
PEERS = 'for f in /sys/kernel/debug/sci/sci*/peers; do cat "$f" || exit; echo; done'


def _tables(node):
    """{peer: link state} for each adapter, as the driver says; None if nobody answers."""
    try:
        state, out, _ = job.run(node, ["sh", "-c", PEERS], timeout=10)
        if state:
            return []
        rows = [table.splitlines()[1:] for table in out.split("\n\n") if table]
        return [{int(peer): link for peer, link, *_ in map(str.split, table)
                 if int(peer) != node.number} for table in rows]
    except (ui.Failure, OSError, ValueError):       # its share, and what it says, are the guest's
        return None


def _paused(node):
    """Whether its vCPUs are stopped; None if QEMU does not answer."""
    try:
        with node.monitor(2) as monitor:
            return monitor.call("query-status")["status"] == "paused"
    except (ui.Failure, OSError):
        return None


def _down_here(node, adapter):
    try:
        return sorted(node.links_down(adapter, timeout=10))
    except (ui.Failure, OSError):
        return []


def _held_by(node, options):
    """Who still holds memory of a machine that was reset, and so keeps it from running."""
    try:
        return ", ".join(filter(None, (node.waits_for(k, timeout=2)
                                       for k in range(options.adapters))))
    except (ui.Failure, OSError):
        return ""


def _adapter(node, k, links):
    down = [peer for peer in _down_here(node, k) if peer in links]
    return {"name": f"sci{k}", "taken_down": down,
            "links": [{"node": peer, "state": state} for peer, state in sorted(links.items())]}


def _state(node):
    if not node.alive():
        return "ended"
    paused = _paused(node)
    if paused is None:
        return "does not answer"
    return "paused" if paused else "up" if node.ready() else "booting"


def describe(node):
    """All that is known of a node, as `status --json` prints it."""
    record = node.record()
    try:
        options = node.options()
    except ui.Failure:
        options = None
    text = {"node": node.number, "name": node.name, "state": _state(node),
            "directory": str(node.dir), "adapters": [], "driver": False}
    if text["state"] == "ended" or options is None:
        return text
    text |= {"pid": record["process"]["pid"], "visible": node.visible(),
             "kernel": options.kernel, "memory_mib": options.mib(), "cpus": options.cpus,
             "accel": options.accel, "qemu": options.qemu}
    held_by = _held_by(node, options) if text["state"] in ("paused", "booting") else ""
    if held_by:
        text |= {"state": "held", "held_by": held_by}
    tables = _tables(node) if text["state"] == "up" else None
    if tables is None and text["state"] == "up":
        text["state"] = "does not answer"
    text["driver"] = bool(tables)
    text["adapters"] = [_adapter(node, k, t) for k, t in enumerate(tables or [])]
    return text


def _links(adapter):
    return ", ".join(
        f"{link['node']} {link['state']}" +
        (" (taken down here)" if link["node"] in adapter["taken_down"] else "")
        for link in adapter["links"]) or "nobody"


def _line(node):
    if node["state"] == "ended":
        return f"{node['name']}: ended; see `rsmlab logs {node['node']}`"
    text = f"{node['name']}: {node['state']}"
    if "pid" in node:
        where = "" if node["visible"] else " of another PID namespace"
        text += f", node id {node['node']}, pid {node['pid']}{where}, kernel {node['kernel']}"
    if node["state"] == "held":
        return (f"{text}; was reset, and waits until other nodes let go of its memory: "
                f"{node['held_by']}")
    if node["state"] != "up":
        return text
    if not node["driver"]:
        return f"{text}, no adapter driver loaded"
    if len(node["adapters"]) == 1:
        return f"{text}, links to: {_links(node['adapters'][0])}"
    return text + "".join(f", {a['name']} links to: {_links(a)}" for a in node["adapters"])


def _describe_lab(current):
    return {"lab": current.name, "directory": str(current.dir),
            "nodes": [describe(n) for n in current.nodes],
            "strays": [{"pid": h.pid, "lock": h.path} for h in current.strays()]}


def _say(text):
    if not text["nodes"] and not text["strays"]:
        ui.say(f"no lab `{text['lab']}`; `rsmlab up` starts one")
        return
    ui.say(f"lab `{text['lab']}`, directory {text['directory']}")
    for node in text["nodes"]:
        ui.say(_line(node))
    for stray in text["strays"]:
        ui.say(f"pid {stray['pid']} is a node whose files were removed ({stray['lock']}); "
               "`rsmlab down` ends it")


def status(args):
    labs = lab.everyone() if args.all else [lab.current()]
    described = [_describe_lab(current) for current in labs]
    if args.json:
        print(json.dumps(described if args.all else described[0], indent=1))
        return 0
    for text in described:
        _say(text)
    if not described:
        ui.say("no lab; `rsmlab up` starts one")
    return 0
