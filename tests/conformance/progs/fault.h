/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lets a call that the library makes fail once, as the system would let it
 * fail: for what no limit of a process can bring about.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#ifndef TESTS_CONFORMANCE_FAULT_H
#define TESTS_CONFORMANCE_FAULT_H

enum fault {
	FAULT_NONE,
	FAULT_MEMORY,		/* malloc(), calloc(), realloc() */
	FAULT_IOCTL,
	FAULT_POLL,
	FAULT_MMAP,
	FAULT_OPEN,
};

/* The @nth call of that kind from now on (1 = the next) fails with @error. */
void fault_arm(enum fault fault, int nth, int error);

/* Disarm; whether the fault has happened. */
int fault_happened(void);

/* From now on the agent says that its interface has another version. */
void fault_agent_version(void);

#endif /* TESTS_CONFORMANCE_FAULT_H */
