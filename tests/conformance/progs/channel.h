/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests and answers as lines of text, between a test and its peer and
 * between a test and the machine that the nodes run on:
 *
 *   NUMBER REQUEST         NUMBER CODE VALUE
 *
 * A local peer has a socket of its own.  Whatever goes out of the node goes
 * through the program's standard output, ">peer " or ">host " before it, and
 * its answer comes in on standard input.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#ifndef TESTS_CONFORMANCE_CHANNEL_H
#define TESTS_CONFORMANCE_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>

#define LINE	1024	/* bytes of a line, with its end */

/* Read a line, without its end; false at the end of the input. */
bool line_read(int fd, char line[LINE]);
bool line_write(int fd, const char *line);

/* Where the peer is from now on: a local one is started first. */
void channel_open(bool local);

#endif /* TESTS_CONFORMANCE_CHANNEL_H */
