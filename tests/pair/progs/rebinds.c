// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rebinds a segment while its importer stands still, until a signal comes; then
 * once more, to the same memory.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * Usage: ID.  The first word is 1 in the old memory, 2 in the new.  Prints
 * "ready" and the result of each rebind, each time after it has read a line.
 */
#include <stdio.h>

#include "pairprog.h"

#define BYTES	8192

static void await_line(void)
{
	char line[8];

	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		pair_die("no line");
}

int main(int argc, char *argv[])
{
	rsm_memseg_export_handle_t export;
	uint64_t *old = pair_memory(BYTES), *new = pair_memory(BYTES);
	rsm_memseg_id_t id;

	if (argc != 2)
		pair_die("usage: rebinds ID");
	id = pair_number(argv[1], 16);
	old[0] = 1;
	new[0] = 2;
	if (rsm_memseg_export_create(pair_controller(), &export, old, BYTES, RSM_ALLOW_REBIND) ||
	    rsm_memseg_export_publish(export, &id, NULL, 0))
		pair_die("cannot publish");
	printf("ready\n");
	await_line();
	pair_interrupt(100);
	printf("rebind %d\n", rsm_memseg_export_rebind(export, new, 0, BYTES));
	pair_interrupt(0);
	await_line();
	printf("rebind %d\n", rsm_memseg_export_rebind(export, new, 0, BYTES));
	await_line();
	return 0;
}
