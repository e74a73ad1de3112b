/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What each RSMAPI function has returned in this guest since it booted: a
 * program that is linked with record.c calls the library through it.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#ifndef TESTS_CONFORMANCE_RECORD_H
#define TESTS_CONFORMANCE_RECORD_H

/* Print "function code count" for each pair that was seen. */
void record_print(void);

#endif /* TESTS_CONFORMANCE_RECORD_H */
