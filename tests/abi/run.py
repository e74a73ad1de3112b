#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
#
# Run a program of 32 bits, where the host's kernel can.

import errno
import os
import sys

try:
    os.execv(sys.argv[1], sys.argv[1:])
except OSError as error:
    if error.errno != errno.ENOEXEC:
        raise
    print("1..0 # SKIP this kernel runs no programs of 32 bits")
