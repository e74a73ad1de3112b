// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Gives up to connect to a halted node, again and again: its message ring is
 * full, so each try is interrupted before anything of it is sent.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * Usage: NODE ID OTHER TRIES.  Connects to ID, prints "ready", goes on when it
 * has read a line.  Prints whether posts to ID have filled the ring and how many
 * tries of OTHER were interrupted, then connects to that with patience.  The posts are
 * those of an import without the right to write, which are messages.
 */
#include <stdio.h>

#include "pairprog.h"

#define POSTS_MAX	10000

int main(int argc, char *argv[])
{
	rsm_memseg_import_handle_t first, im;
	unsigned long tries, interrupted = 0;
	rsmapi_controller_handle_t ctrl;
	rsm_memseg_id_t other;
	rsm_node_id_t node;
	int posts = 0;
	char line[8];

	if (argc != 5)
		pair_die("usage: impatient NODE ID OTHER TRIES");
	node = pair_number(argv[1], 10);
	other = pair_number(argv[3], 16);
	tries = pair_number(argv[4], 10);
	ctrl = pair_controller();
	if (pair_connect(ctrl, node, pair_number(argv[2], 16), 10000, &im) ||
	    rsm_memseg_import_connect(ctrl, node, pair_number(argv[2], 16), RSM_PERM_READ, &first))
		pair_die("cannot connect");
	printf("ready\n");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return 1;

	pair_interrupt(20);
	while (posts < POSTS_MAX && rsm_intr_signal_post(first, 0) != RSMERR_INTERRUPTED)
		posts++;
	for (unsigned long n = 0; n < tries; n++)
		interrupted += rsm_memseg_import_connect(ctrl, node, other, RSM_PERM_RDWR, &im) ==
			       RSMERR_INTERRUPTED;
	pair_interrupt(0);
	printf("full %d\ninterrupted %lu\n", posts < POSTS_MAX, interrupted);
	fflush(stdout);
	printf("connect %d\n", rsm_memseg_import_connect(ctrl, node, other, RSM_PERM_RDWR, &im));
	return 0;
}
