/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between the files of the harness.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#ifndef TESTS_CONFORMANCE_HARNESS_H
#define TESTS_CONFORMANCE_HARNESS_H

#define TEST_SECONDS	100	/* after which a test hangs, before slow() */

/* Of the expectations of this process: forget them; 1 if one did not hold. */
void verdict_clear(void);
int verdict(void);

void local_node_find(void);

/*
 * Kill what a process has left in its group, and wait until it is gone: what it
 * had open is closed then.  The caller is its subreaper.
 */
void group_end(int pid);

#endif /* TESTS_CONFORMANCE_HARNESS_H */
