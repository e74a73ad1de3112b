# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""What a person sees: messages, progress of long steps, ends of logs.

run() is the one way in which the tool starts a build command: its output goes
to build/log/NAME.log, one line with the elapsed time to the terminal.
"""
import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time

from . import paths

TAIL_LINES = 25
WIDTH = 400             # of a line of a log: compiler commands are longer
QUIET_INTERVAL = 30     # seconds between progress lines when nobody watches


class Failure(Exception):
    """A failure whose text is meant for the user; the tool exits with 1."""


def say(text):
    print(text, flush=True)


def warn(text):
    print(f"rsmlab: {text}", file=sys.stderr, flush=True)


def tail(path, lines=TAIL_LINES):
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    shown = (line if len(line) <= WIDTH else f"{line[:WIDTH - 60]} ... {line[-50:]}"
             for line in text.splitlines()[-lines:])
    return "\n".join("  | " + line for line in shown)


class Progress:
    """One line per step: redrawn in place on a terminal, rare otherwise."""

    def __init__(self, label):
        self.label = label
        self.note = ""
        self.start = time.monotonic()
        self.tty = sys.stdout.isatty()
        self.drawn = self.start
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._ticker, daemon=True)

    def __enter__(self):
        if self.tty:
            self._draw()
        self.thread.start()
        return self

    def __exit__(self, kind, value, tb):
        self.stop.set()
        self.thread.join()
        elapsed = self._elapsed()
        done = "done" if kind is None else "stopped" if kind is KeyboardInterrupt else "failed"
        lead = "\r\033[K" if self.tty else ""
        say(f"{lead}{self.label}: {done} ({elapsed})")

    def _elapsed(self):
        seconds = int(time.monotonic() - self.start)
        return f"{seconds // 60}:{seconds % 60:02d}"

    def _draw(self):
        note = f" {self.note}" if self.note else ""
        if self.tty:
            width = max(20, os.get_terminal_size(sys.stdout.fileno()).columns - 1)
            line = f"{self.label}: {self._elapsed()}{note}"[:width]
            print(f"\r\033[K{line}", end="", flush=True)
        else:
            say(f"{self.label}: {self._elapsed()}{note}")
        self.drawn = time.monotonic()

    def _ticker(self):
        while not self.stop.wait(0.5 if self.tty else 1):
            if self.tty or time.monotonic() - self.drawn >= QUIET_INTERVAL:
                self._draw()


_NINJA = re.compile(r"^\[(\d+)/(\d+)\]")


def _note(progress, line):
    m = _NINJA.match(line)
    if m:
        done, total = int(m[1]), int(m[2])
        progress.note = f"[{done * 100 // max(total, 1):3d}%]"


@contextlib.contextmanager
def child(argv, **kwargs):
    """A process in a group of its own that never outlives this block."""
    proc = subprocess.Popen(argv, start_new_session=True, **kwargs)
    try:
        yield proc
    finally:
        if proc.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(proc.pid, signal.SIGTERM)
            try:
                proc.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(proc.pid, signal.SIGKILL)
                proc.wait()
        for pipe in (proc.stdin, proc.stdout, proc.stderr):
            if pipe:
                pipe.close()


def run(label, argv, log, env=None, cwd=None, append=False, ok=(0,), note=_note):
    """Run one long step; raise Failure with the end of its log.

    NOTE finds in a line of its output how far it is.
    """
    paths.LOGS.mkdir(parents=True, exist_ok=True)
    logfile = paths.LOGS / f"{log}.log"
    full_env = dict(os.environ, LC_ALL="C.UTF-8", **(env or {}))
    with Progress(label) as progress, \
            open(logfile, "a" if append else "w", buffering=1, encoding="utf-8",
                 errors="backslashreplace") as out:
        out.write(f"$ cd {cwd or os.getcwd()}; {' '.join(map(str, argv))}\n")
        out.flush()
        with child(list(map(str, argv)), stdin=subprocess.DEVNULL,
                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=full_env,
                   cwd=cwd, text=True, encoding="utf-8", errors="replace") as proc:
            for line in proc.stdout:
                out.write(line)
                note(progress, line)
            code = proc.wait()
        out.flush()
        if code not in ok:
            raise Failure(f"{label} failed (exit status {code}); the end of {logfile}:\n"
                          f"{tail(logfile)}")
    return code


def output(argv, env=None, cwd=None):
    """Standard output of a short command; Failure with its stderr."""
    done = subprocess.run(list(map(str, argv)), env=dict(os.environ, LC_ALL="C.UTF-8",
                          **(env or {})), cwd=cwd, stdin=subprocess.DEVNULL,
                          capture_output=True, encoding="utf-8",
                          errors="surrogateescape", check=False)
    if done.returncode:
        raise Failure(f"{' '.join(map(str, argv))} failed (exit status {done.returncode}):\n"
                      f"{done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
