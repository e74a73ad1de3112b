# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
# Sourced by everything that starts programs in a guest.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LANG=C.UTF-8
export TERM=${TERM:-linux}
# Only in nodes whose programs count what they execute.
[ ! -e /etc/coverage.sh ] || . /etc/coverage.sh
