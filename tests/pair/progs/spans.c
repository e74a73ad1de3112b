// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Barriers over a live path make no system call: after the connection is made,
 * seccomp's strict mode lets nothing pass but write and exit.
 *
 * Usage: spans NODE ID COUNT
 * Killed by the kernel if a span makes a system call, 1 if one fails.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pairprog.h"

#define SEGMENT		4096UL

static int span(rsmapi_barrier_t *barrier, volatile uint64_t *word, uint64_t value)
{
	int error = rsm_memseg_import_open_barrier(barrier);

	*word = value;
	error |= rsm_memseg_import_order_barrier(barrier);
	*word = value + 1;
	error |= rsm_memseg_import_close_barrier(barrier);
	return error || *word != value + 1;
}

int main(int argc, char **argv)
{
	rsm_memseg_import_handle_t im;
	volatile uint64_t *word;
	rsmapi_barrier_t barrier;
	unsigned long i, count;
	int bad = 0;

	if (argc != 4)
		pair_die("usage: spans NODE ID COUNT");
	word = pair_import(pair_controller(), pair_number(argv[1], 10), pair_number(argv[2], 16),
			   SEGMENT, &im);
	count = pair_number(argv[3], 10);
	if (rsm_memseg_import_init_barrier(im, RSM_BAR_DEFAULT, &barrier))
		pair_die("init_barrier failed");
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		pair_die("no seccomp");
	for (i = 0; i < count; i++)
		bad |= span(&barrier, word, i);
	/* exit_group(), which _exit() makes, is not among the four calls allowed. */
	syscall(SYS_exit, bad);
}
