#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Modules: loading, unloading, what holds them, and their limits."""
import contextlib

import guestprograms
from guestprograms import testlib

QUICK = "barriers"      # a program that uses most of the agent


def modules_load_and_unload_again_and_again(lab):
    node = lab.node(1)
    for _ in range(20):
        node.drivers("unload")
        node.drivers("load")
    guestprograms.all_pass(node, QUICK, "loopback")
    guestprograms.all_pass(node, QUICK, "sci0")


def unloading_right_after_use_leaves_nothing(lab):
    node = lab.node(1)
    for _ in range(3):
        guestprograms.all_pass(node, QUICK, "sci0")
        node.drivers("unload")
        node.drivers("load")


def agent_works_without_an_adapter(lab):
    node = lab.node(1)
    node.check("rmmod", "sci")
    try:
        guestprograms.all_pass(node, "controllers", "loopback")
        guestprograms.all_pass(node, QUICK, "loopback")
    finally:
        node.check("modprobe", "sci")


def open_segments_hold_the_agent(lab):
    node = lab.node(1)
    with node.spawn("rsmtest", "-e") as exporter:
        exporter.expect("Mbuf is")
        for module in ("rsm", "sci"):
            status, _, err = node.run("rmmod", module)
            if not status:
                raise AssertionError(f"{module} was unloaded: {err}")
        exporter.signal("KILL")
        exporter.wait()
    node.drivers("unload")
    node.drivers("load")


def without_the_agent_there_is_no_controller(lab):
    node = lab.node(1)
    node.drivers("unload")
    try:
        status, out, err = node.run("rsmtest", "-e")
        if status != 1 or "Unable to get controller 4" not in err:
            raise AssertionError(f"status {status}: {out}{err}")
    finally:
        node.drivers("load")


@contextlib.contextmanager
def small_limits(node):
    node.drivers("unload")
    try:
        node.check("modprobe", "rsm", "max_segments=20", "max_exported_memory=10")
        yield
    finally:
        node.drivers("unload")
        node.drivers("load")


def bad_parameters_are_refused(lab):
    node = lab.node(1)
    node.drivers("unload")
    try:
        for parameter in ("max_segments=0", "max_segments=65536", "max_exported_memory=101",
                          "max_user_share=0", "max_user_share=101"):
            status, _, _ = node.run("modprobe", "rsm", parameter)
            if not status:
                raise AssertionError(f"{parameter} was accepted")
    finally:
        node.drivers("unload")
        node.drivers("load")


def tests(lab):
    return [
        modules_load_and_unload_again_and_again,
        unloading_right_after_use_leaves_nothing,
        agent_works_without_an_adapter,
        open_segments_hold_the_agent,
        without_the_agent_there_is_no_controller,
        *guestprograms.tests(lab.node(1), ["limits"], ["loopback"], small_limits),
        bad_parameters_are_refused,
    ]


if __name__ == "__main__":
    testlib.main(tests, nodes=1)
