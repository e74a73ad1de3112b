#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
#
# A bounded run of a fuzzer as a TAP test: it finds nothing, and it has tried
# as many inputs as it was told to.  Arguments: fuzzer, number of inputs, and
# further options of the fuzzer.

import re
import subprocess
import sys

TAIL = 40       # lines shown of what a fuzzer says that has found something

program, runs, *options = sys.argv[1:]
print("1..1", flush=True)
done = subprocess.run([program, f"-runs={runs}", *options], stdin=subprocess.DEVNULL,
                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                      errors="replace")
tried = re.search(r"^Done (\d+) runs", done.stdout, re.M)
good = done.returncode == 0 and tried is not None and int(tried[1]) >= int(runs)
if not good:
    for line in [*done.stdout.splitlines()[-TAIL:], f"status {done.returncode}"]:
        print(f"# {line}")
print(f"{'ok' if good else 'not ok'} 1 - {runs}_new_inputs_keep_the_bounds")
sys.exit(0 if good else 1)
