# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Standard input of `rsmlab exec`, and that it never ends with a traceback.

TESTS are run by run.py, in its node, mostly by the command line itself.
"""
import hashlib
import os
import pathlib
import pty
import re
import select
import signal
import socket
import subprocess
import tempfile
import time

from lab import job, node as node_module, pipe, testlib, ui

TOOL = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "rsmlab"
DATA = b"".join(b"line %d of what is to be read\n" % k for k in range(40000))


def _env(lab, **more):
    """For a shell in which $RSMLAB is the tool and the test's lab the current one."""
    return {**os.environ, "RSMLAB_LAB": lab.name, "RSMLAB": str(TOOL), **more}


def _shell(lab, script, source=subprocess.DEVNULL, **more):
    """(status, stdout, stderr) of a script; bytes."""
    done = subprocess.run(["sh", "-c", script], stdin=source, env=_env(lab, **more),
                          capture_output=True, check=False, timeout=testlib.scaled(120))
    assert b"Traceback" not in done.stderr, done.stderr.decode(errors="replace")
    return done.returncode, done.stdout, done.stderr


def _file(data):
    f = tempfile.TemporaryFile()
    f.write(data)
    f.seek(0)
    return f


def _expect(result, out, status=0):
    assert result[:2] == (status, out), (result[0], result[1][-300:], result[2][-600:])


def loops_over_a_file_and_a_pipe_run_all_rounds(lab):
    loop = 'while read -r x; do $RSMLAB exec 1 -- echo "$x" again; done'
    expected = b"1 again\n2 again\n3 again\n"
    with _file(b"1\n2\n3\n") as f:
        _expect(_shell(lab, loop, f), expected)
    _expect(_shell(lab, f"printf '1\\n2\\n3\\n' | {loop}"), expected)


def what_the_command_did_not_read_stays_for_the_next(lab):
    # dd prints what it reads, also when it gets less than a block.
    both = "{ $RSMLAB exec 1 -- dd bs=5000 count=%d; cat; }"
    for count in (1, 40):
        with _file(DATA) as f:
            _expect(_shell(lab, both % count, f), DATA)
            f.seek(0)
            _expect(_shell(lab, f"cat | {both % count}", f), DATA)


def a_file_is_left_where_the_command_stopped(lab):
    with _file(b"unrelated\n" + DATA) as f:
        f.seek(10)
        status, out, _ = _shell(lab, "$RSMLAB exec 1 -- dd bs=4096 count=3", f)
        assert (status, 0 < len(out) < len(DATA)) == (0, True), (status, len(out))
        assert out == DATA[:len(out)]
        assert os.lseek(f.fileno(), 0, os.SEEK_CUR) == 10 + len(out)


def a_pipe_keeps_what_is_much_and_what_comes_late(lab):
    # Far more than a pipe holds, and a command that reads nothing for a while.
    _expect(_shell(lab, "head -c 3000000 /dev/zero | { $RSMLAB exec 1 -- sleep 1; wc -c; }"),
            b"3000000\n")
    read_end, write_end = os.pipe()
    with open(read_end, "rb", 0) as reader, open(write_end, "wb", 0) as writer:
        writer.write(b"one\n")
        _expect(_shell(lab, "$RSMLAB exec 1 -- head -n1", reader), b"one\n")
        writer.write(b"two\n")
        assert reader.read(100) == b"two\n"


def a_pipe_without_data_ends(lab):
    _expect(_shell(lab, ": | $RSMLAB exec 1 -- cat"), b"")
    _expect(_shell(lab, "printf x | $RSMLAB exec 1 -- cat"), b"x")


def megabytes_pass_through_a_pipe(lab):
    data = os.urandom(1 << 20) * 12
    with _file(data) as f:
        _expect(_shell(lab, "cat | $RSMLAB exec 1 -- md5sum", f),
                hashlib.md5(data).hexdigest().encode() + b"  -\n")


def writes_that_leave_pages_half_empty_lose_nothing(lab):
    """Such a pipe is full with half the bytes it could have."""
    write = "python3 -c 'import os\nfor _ in range(1500): os.write(1, bytes(2049))'"
    _expect(_shell(lab, f"{write} | $RSMLAB exec 1 -- wc -c"), b"3073500\n")
    _expect(_shell(lab, f"{write} | {{ $RSMLAB exec 1 -- sleep 1; wc -c; }}"), b"3073500\n")


def lines_pass_while_the_writer_lives(lab):
    with lab.node(1).spawn("sh", "-c", "while read x; do echo got $x; done; echo end") as p:
        for k in range(20):
            p.feed(f"{k}\n")
            p.expect(f"got {k}\n")
        p.close_input()
        p.expect("end")


def without_tee_and_from_a_socket_input_arrives(lab):
    ours, theirs = socket.socketpair()
    tee, pipe._LIBC_TEE = pipe._LIBC_TEE, None
    try:
        with ours, theirs:
            ours.sendall(b"by a socket")
            ours.shutdown(socket.SHUT_WR)
            output = []
            with job.Job(lab.node(1), ["cat"], theirs.fileno()) as running:
                running.wait(lambda _, data: output.append(data))
        assert b"".join(output) == b"by a socket", output
        with lab.node(1).spawn("cat") as p:
            p.feed("plain\n")
            p.expect("plain")
    finally:
        pipe._LIBC_TEE = tee


def a_child_left_behind_holds_no_port(lab):
    node = lab.node(1)
    try:
        for _ in range(node_module.STDIN_PORTS + 1):
            node.check("sh", "-c", "exec 5<&0; sleep 4321 <&5 >/dev/null 2>&1 &", stdin=DATA)
            assert node.check("cat", stdin="fresh") == "fresh"
    finally:
        node.run("pkill", "-f", "sleep 4321")


class _Terminal:
    """A shell with job control on a terminal of its own."""

    def __init__(self, lab, script):
        env = _env(lab)
        self.text = ""
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.execvpe("sh", ["sh", "-c", script], env)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.fd)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)

    def type(self, text):
        os.write(self.fd, text.encode())

    def expect(self, pattern):
        deadline = time.monotonic() + testlib.scaled(30)
        while not re.search(pattern, self.text):
            assert time.monotonic() < deadline, (pattern, self.text)
            if select.select([self.fd], [], [], 0.1)[0]:
                self.text += os.read(self.fd, 4096).decode(errors="replace")


def the_terminal_is_read_in_the_foreground_only(lab):
    script = """
        set -m
        $RSMLAB exec 1 -- sh -c 'echo started; read x; echo "node read $x"' &
        read line; echo "shell read $line"
        fg
        echo "ended $?"
        """
    with _Terminal(lab, script) as t:
        t.expect("started")
        t.type("one\n")
        t.expect("shell read one")
        t.type("two\n")
        t.expect("node read two")
        t.expect("ended 0")


def closed_streams_and_early_readers_end_it_quietly(lab):
    _expect(_shell(lab, "$RSMLAB exec 1 -- cat <&-"), b"")
    _expect(_shell(lab, "$RSMLAB exec 1 -- sh -c 'echo x; exit 3' >&-"), b"", 3)
    _expect(_shell(lab, "echo in | $RSMLAB exec 1 -- sh -c 'cat; exit 3' >&- 2>&-"), b"", 3)
    _expect(_shell(lab, "$RSMLAB exec 1 -- yes | head -n1"), b"y\n")
    status, _, err = _shell(lab, "$RSMLAB exec 1 -- echo x >/dev/full")
    assert status == 1 and err == b"rsmlab: standard output: No space left on device\n", err
    status, _, err = _shell(lab, "$RSMLAB exec 1")
    assert status == 1 and err == b"rsmlab: exec needs a command\n", err


def arguments_are_bytes_in_any_locale(lab):
    odd = bytes(range(1, 256)) + b" $HOME 'x' \n"
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for locale in ({"LC_ALL": "C.UTF-8"}, {"LC_ALL": "C"}, ascii_only,
                   {"LC_ALL": "en_US.ISO-8859-1", "PYTHONUTF8": "0"}):
        done = subprocess.run([TOOL, "exec", "1", "--", "printf", "%s", odd], check=False,
                              capture_output=True, stdin=subprocess.DEVNULL,
                              env=_env(lab, **locale))
        assert (done.returncode, done.stdout) == (0, odd), (locale, done)
    try:
        lab.node(1).run("echo", "a\0b")
    except ui.Failure as e:
        assert "NUL" in str(e)
    else:
        raise AssertionError("an argument was cut off")


def an_interrupt_at_any_time_ends_the_command(lab):
    node = lab.node(1)
    for delay in (0, 0.02, 0.1, 0.5):
        with subprocess.Popen([TOOL, "exec", "1", "--", "sleep", "2345"], env=_env(lab),
                              stdin=subprocess.PIPE, stderr=subprocess.PIPE) as p:
            testlib.wait_for(lambda: list((node.share / "job").glob(f"{p.pid}-*")), what="job")
            time.sleep(delay)
            p.send_signal(signal.SIGINT)
            assert p.wait(testlib.scaled(30)) == 130
            err = p.stderr.read()
            assert b"Traceback" not in err, err
        assert "sleep 2345" not in node.check("ps"), delay


def a_node_that_dies_ends_it_with_a_message(lab):
    node = lab.node(1)
    with subprocess.Popen([TOOL, "exec", "1", "--", "sh", "-c", "echo started; sleep 100"],
                          env=_env(lab), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as p:
        assert p.stdout.readline() == b"started\n"
        node.kill()
        assert p.wait(testlib.scaled(30)) == 1
        err = p.stderr.read()
        assert err.startswith(b"rsmlab: node1 ended") and b"Traceback" not in err, err


TESTS = [
    loops_over_a_file_and_a_pipe_run_all_rounds,
    what_the_command_did_not_read_stays_for_the_next,
    a_file_is_left_where_the_command_stopped,
    a_pipe_keeps_what_is_much_and_what_comes_late,
    a_pipe_without_data_ends,
    megabytes_pass_through_a_pipe,
    writes_that_leave_pages_half_empty_lose_nothing,
    lines_pass_while_the_writer_lives,
    without_tee_and_from_a_socket_input_arrives,
    a_child_left_behind_holds_no_port,
    the_terminal_is_read_in_the_foreground_only,
    closed_streams_and_early_readers_end_it_quietly,
    arguments_are_bytes_in_any_locale,
    an_interrupt_at_any_time_ends_the_command,
    a_node_that_dies_ends_it_with_a_message,
]
