# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Harness of tests/guest and tests/pair: a private lab, commands, verdicts.

A test file lists functions that take the lab and raise if their expectation
does not hold; main() boots the nodes, runs them, prints TAP and tears all
down. See docs/testing.md.
"""
import concurrent.futures
import contextlib
import os
import pathlib
import re
import shutil
import signal
import sys
import time
import traceback

from . import counters, job, kernel, lab as lab_module, leaks, node as node_module, paths, ui

BAD_LOG = re.compile(
    r"WARNING:|\bBUG:|Oops|Call Trace|KASAN|KCSAN|UBSAN|Kernel panic|general protection|"
    r"possible (circular|recursive) locking|suspicious RCU|inconsistent lock state|"
    r"sleeping function called|refcount_t|unreferenced object|blocked for more than|"
    r"soft lockup|rcu_preempt detected|list_(add|del) corruption")


def kernel_name():
    """The kernel of the nodes that tests boot."""
    return os.environ.get("RSMLAB_KERNEL") or paths.default_kernel()


def scaled(seconds):
    """A deadline of a test, for the kernel it runs on."""
    return seconds * kernel.slowness(kernel_name())


class Skip(Exception):
    """The test cannot run here; the text says why."""


def wait_for(condition, deadline=10, what="condition"):
    """Wait until CONDITION() is true; its value. Fails after DEADLINE (scaled) seconds."""
    deadline = scaled(deadline)
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what} not true within {deadline:g} s")
        time.sleep(0.02)


class Process:
    """A command that runs on in a node while the test does something else."""

    def __init__(self, node, argv, with_input=True):
        self.text = {"out": "", "err": ""}
        self.stdin = self.read_end = -1
        if with_input:
            self.read_end, self.stdin = os.pipe()
        try:
            self.job = job.Job(node, argv, self.read_end if with_input else None)
        except BaseException:
            self._close_pipe()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close_input()
        self.job.__exit__()
        self._close_pipe()

    def _close_pipe(self):
        self.close_input()
        with contextlib.suppress(OSError):
            os.close(self.read_end)
        self.read_end = -1

    def _sink(self, stream, data):
        self.text[stream] += data.decode(errors="replace")

    @property
    def out(self):
        """All it has printed so far."""
        if self.job.status is None:
            self.job.poll(self._sink)
        return self.text["out"]

    @property
    def err(self):
        self.out    # reads both
        return self.text["err"]

    def feed(self, text):
        os.write(self.stdin, text.encode())

    def close_input(self):
        with contextlib.suppress(OSError):
            os.close(self.stdin)
        self.stdin = -1

    def expect(self, pattern, deadline=20):
        """Wait until PATTERN (a regular expression) is in its output; the match."""
        try:
            return wait_for(lambda: re.search(pattern, self.out), deadline, f"output {pattern!r}")
        except AssertionError as e:
            raise AssertionError(f"{e}; output: {self.out[-400:]!r}; "
                                 f"errors: {self.err[-400:]!r}") from None

    def running(self):
        self.out    # takes the status
        return self.job.status is None

    def signal(self, name):
        self.job.signal(name)

    def wait(self, deadline=30):
        """Exit status (128 + signal if it was killed)."""
        return self.job.wait(self._sink, time.monotonic() + scaled(deadline))


class TestNode(node_module.Node):
    """A node with the verbs of a test."""

    def run(self, *argv, stdin=None, timeout=60):
        """(status, stdout, stderr) of a command."""
        return job.run(self, list(argv), stdin, scaled(timeout))

    def check(self, *argv, stdin=None, timeout=60):
        """Standard output of a command that must end with 0."""
        status, out, err = self.run(*argv, stdin=stdin, timeout=timeout)
        if status:
            raise AssertionError(f"{self.name}: {' '.join(argv)} ended with {status}: "
                                 f"{(err or out).strip()[-600:]}")
        return out

    def drivers(self, *argv):
        """Load, unload or replace the kernel modules."""
        return self.check(node_module.DRIVERS, *argv)

    def spawn(self, *argv):
        return Process(self, list(argv))

    def spawn_quiet(self, *argv):
        """Without standard input."""
        return Process(self, list(argv), with_input=False)

    def kill(self):
        """The node dies as by a power cut."""
        self.stop(signal.SIGKILL)

    def qmp(self, command, **arguments):
        with self.monitor() as monitor:
            return monitor.call(command, **arguments)

    def dmesg(self):
        return self.check("dmesg")

    def log(self):
        """Kernel log of all boots of this node, also of a dead one."""
        return self.kernel_log.read_text(encoding="utf-8", errors="replace")


class TestLab(lab_module.Lab):
    """Private lab; lines of kernel logs that match `allowed` are expected."""

    node_class = TestNode

    def __init__(self, count, **options):
        super().__init__(lab_module.private_dir(), owned=True)
        self.count = count
        self.options = options      # of a node, see node.Options
        self.allowed = []

    def boot(self):
        if not self.count:
            return
        kern = kernel_name()
        lab_module.check_built(kern)
        # Standard output is for TAP.
        with contextlib.redirect_stdout(sys.stderr):
            self.start(self.count, node_module.Options(kern, **self.options))

    def heal(self):
        """Start nodes again that the test before left dead."""
        dead = [n for n in self.nodes if not n.alive()]
        for n in dead:
            n.restart()
        for n in dead:
            n.wait_ready()

    def bad_log_lines(self):
        bad = []
        for n in self.nodes:
            for line in n.log().splitlines():
                if BAD_LOG.search(line) and not any(re.search(a, line) for a in self.allowed):
                    bad.append(f"{n.name}: {line}")
        return bad


def _keep_logs(lab):
    """Copy the nodes' logs to where they outlive the lab."""
    dest = paths.LOGS / f"test-{pathlib.Path(sys.argv[0]).stem}"
    shutil.rmtree(dest, ignore_errors=True)
    for n in lab.nodes:
        for log in n.dir.glob("*.log"):
            (dest / n.name).mkdir(parents=True, exist_ok=True)
            shutil.copy(log, dest / n.name)
    _comment(f"logs of the nodes: {dest}")


def _comment(text):
    for line in text.splitlines():
        print(f"# {line}")


def _run_one(number, name, function, *args):
    """One TAP point; whether it passed (None: skipped)."""
    try:
        function(*args)
    except Skip as e:
        print(f"ok {number} - {name} # SKIP {e}", flush=True)
        return None
    except KeyboardInterrupt:
        raise
    except Exception as e:      # any error in a test is a failed test
        known = isinstance(e, (AssertionError, ui.Failure, TimeoutError))
        _comment(str(e) or repr(e))
        _comment("" if known and str(e) else traceback.format_exc())
        print(f"not ok {number} - {name}", flush=True)
        return False
    print(f"ok {number} - {name}", flush=True)
    return True


def _logs_are_clean(lab):
    bad = lab.bad_log_lines()
    if bad:
        _keep_logs(lab)
        raise AssertionError("\n".join(bad[:40]))


def _nothing_leaks(lab):
    """On the debug kernel; all nodes at a time, since a scan takes its time."""
    alive = [n for n in lab.nodes if n.alive()]
    with concurrent.futures.ThreadPoolExecutor(max(1, len(alive))) as pool:
        for _ in pool.map(leaks.check, alive):
            pass


def closing_checks():
    """What is looked at after the tests of a file, the logs last."""
    checks = [("modules_unload_and_nothing_leaks", _nothing_leaks)] \
        if kernel_name() == kernel.DEBUG else []
    return [*checks, ("kernel_logs_stay_clean", _logs_are_clean)]


def keep_counters(lab):
    """For `rsmlab coverage`, when all else is done."""
    if paths.COVERAGE:
        counters.collect(lab.nodes, pathlib.Path(sys.argv[0]).stem)


def _healed(function, lab):
    lab.heal()
    function(lab)


def _on_signal(_signo, _frame):
    raise KeyboardInterrupt


def _chosen(tests, wanted):
    """Those of the tests that the command line names; all if it names none."""
    unknown = set(wanted) - {t.__name__ for t in tests}
    if unknown:
        sys.exit(f"no such test: {', '.join(sorted(unknown))}")
    return [t for t in tests if not wanted or t.__name__ in wanted]


def _learned(tests, lab, wanted):
    """The tests that TESTS(lab) finds; a file that cannot run has none, and says why."""
    try:
        return _chosen(tests(lab), wanted)
    except Skip as e:
        print(f"1..0 # SKIP {e}")
        sys.exit(0)
    except (AssertionError, TimeoutError) as e:
        raise ui.Failure(str(e)) from e


def main(tests, nodes=2, argv=None, **options):
    """Run TESTS (functions of the lab) with NODES nodes; exits 0 or 1.

    TESTS may be a function of the lab instead, which finds them when the nodes
    run; it may skip them all. OPTIONS are those of node.Options: memory and window
    in MiB, adapters, extra.

    Names on the command line select tests. A skip is told by TAP alone: meson
    takes exit status 77 for an error from a test that speaks TAP.
    """
    wanted = sys.argv[1:] if argv is None else argv
    if not callable(tests):
        tests = _chosen(tests, wanted)
    signal.signal(signal.SIGTERM, _on_signal)
    signal.signal(signal.SIGHUP, _on_signal)
    lab = TestLab(nodes, **options)
    try:
        lab.boot()
        if callable(tests):
            tests = _learned(tests, lab, wanted)
        closing = closing_checks() if nodes else []
        print(f"1..{len(tests) + len(closing)}", flush=True)
        verdicts = [_run_one(i, t.__name__, _healed, t, lab) for i, t in enumerate(tests, 1)]
        if nodes and False in verdicts:
            _keep_logs(lab)
        for i, (name, check) in enumerate(closing, len(tests) + 1):
            verdicts.append(_run_one(i, name, check, lab))
        keep_counters(lab)
    except ui.Failure as e:
        print(f"Bail out! {str(e).splitlines()[0]}")
        _comment(str(e))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        lab.remove()
    sys.exit(1 if False in verdicts else 0)
