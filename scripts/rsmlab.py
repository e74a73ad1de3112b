# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Entry point of the lab tool, started by rsmlab; all of it lives in scripts/lab/."""
import os
import signal
import sys

# Before anything that an older Python cannot even read.
if sys.version_info < (3, 10):
    sys.exit("rsmlab: python3 is %d.%d here; 3.10 or newer is needed" % sys.version_info[:2])

# A stream that is closed would give its descriptor to the next file that is opened.
for stream, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
    if getattr(sys, stream) is None:
        setattr(sys, stream, open(os.devnull, mode, encoding="utf-8"))

# An interrupt just ends us until there is somebody to catch it.
interruptible = signal.getsignal(signal.SIGINT) is signal.default_int_handler
if interruptible:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

try:
    from lab import guard
except ModuleNotFoundError as e:
    sys.exit("rsmlab: this python3 has no module %s; install all of Python's standard library "
             "(Debian: the package python3)" % e.name)

if interruptible:
    signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(guard.main(sys.argv[1:]))
