// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A program in the idiom of the guide's sample: everything by which the sample
 * differs from the RSMAPI headers, and nothing else.  Compiled and linked by
 * sample.py in several dialects, never run.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <stdio.h>
#include <rsm/rsmpai.h>
#include <errno.h>

#define EXPORT	0
#define IMPORT	1
#define RSM_PERM_READ	0400
#define RSM_PERM_WRITE	0200
#define RSM_PERM_RDWR	(RSM_PERM_READ|RSM_PERM_WRITE)
#define RSM_ACCESS_TRUSTED	0666

extern void *valloc(size_t);
extern void exit();
extern void sleep();
extern int atoi(const char *);

int mode = EXPORT;
int test, status, offset;
volatile char *iva;
rsm_topology_t *tp;
rsm_access_entry_t list[2];
rsm_memseg_export_handle_t seg;
rsm_memseg_import_handle_t imseg;

static int export(rsmapi_controller_handle_t ctrl, char *buf)
{
	rsm_memseg_id_t id = RSM_HPC_ID_BASE;

	list[0].ae_node = tp->topology_hdr.local_nodeid;
	list[0].ae_permission = RSM_ACCESS_TRUSTED;
	if (rsm_memseg_export_create(ctrl, &seg, (void *)buf, 8192))
		exit(1);
	if (rsm_memseg_export_create(ctrl, &seg, (void *)buf, 8192, RSM_ALLOW_REBIND))
		exit(1);
	while (rsm_memseg_export_publish(seg, &id, list, 0))
		sleep(1);
	return rsm_intr_signal_wait(seg, 1000);
}

static int import(rsmapi_controller_handle_t ctrl, rsm_node_id_t dest)
{
	rsmapi_barrier_t bar;

	status = rsm_memseg_import_connect(ctrl, dest, RSM_HPC_ID_BASE, RSM_PERM_RDWR, &imseg);
	status = rsm_memseg_import_map(imseg, (void **)&iva, RSM_MAP_NONE, RSM_PERM_RDWR, 0, 8192);
	status = rsm_memseg_import_init_barrier(imseg, RSM_BARRIER_NODE, &bar);
	printf("%x %x\n", (uint_t)(size_t)iva, status);
	return rsm_intr_signal_post(imseg) + rsm_intr_signal_post(imseg, 0);
}

int main(int argc, char *argv[])
{
	rsmapi_controller_handle_t ctrl;
	rsm_node_id_t dest = 0;
	int c;

	while ((c = getopt(argc, argv, "ein:")) != -1) {
		if (c == 'n')
			dest = atoi(optarg);
		else
			mode = c == 'i' ? IMPORT : EXPORT;
	}
	if (rsm_get_controller("sci0", &ctrl) || rsm_get_interconnect_topology(&tp))
		exit(errno);
	return mode == EXPORT ? export(ctrl, (char *)valloc(8192)) : import(ctrl, dest);
}
