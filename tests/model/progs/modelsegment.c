// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A worker's calls that make and end segments and mappings.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "modelworker.h"

/* "N node permission ...": N entries; a negative N is -N without a list. */
static unsigned int access_list(int n, char **arg, int i, rsmapi_access_entry_t *list,
				rsmapi_access_entry_t **out)
{
	long count = number(arg, i);

	*out = count < 0 ? NULL : list;
	if (count < 0)
		return (unsigned int)-count;
	for (long k = 0; k < count && i + 2 + 2 * k < n; k++) {
		list[k].ae_node = (rsm_node_id_t)number(arg, i + 1 + 2 * k);
		list[k].ae_permission = (rsm_permission_t)number(arg, i + 2 + 2 * k);
	}
	return (unsigned int)count;
}

/* ---- exports ---- */

int call_create(int n, char **arg)
{
	(void)n;
	return rsm_memseg_export_create(controllers[slot(arg, 1, CONTROLLERS)],
					&exports[slot(arg, 0, SLOTS)],
					address(arg, 2), (size_t)number(arg, 4),
					(uint_t)number(arg, 5));
}

int call_publish(int n, char **arg)
{
	rsmapi_access_entry_t list[MODEL_ARGS], *acl;
	rsm_memseg_id_t id = (rsm_memseg_id_t)number(arg, 1);
	unsigned int count = access_list(n, arg, 2, list, &acl);
	int ret = rsm_memseg_export_publish(exports[slot(arg, 0, SLOTS)], &id, acl, count);

	snprintf(yield, sizeof(yield), "%u", id);
	return ret;
}

int call_republish(int n, char **arg)
{
	rsmapi_access_entry_t list[MODEL_ARGS], *acl;
	unsigned int count = access_list(n, arg, 1, list, &acl);

	return rsm_memseg_export_republish(exports[slot(arg, 0, SLOTS)], acl, count);
}

int call_rebind(int n, char **arg)
{
	(void)n;
	return rsm_memseg_export_rebind(exports[slot(arg, 0, SLOTS)], address(arg, 1), 0,
					(size_t)number(arg, 3));
}

int call_unpublish(int n, char **arg)
{
	(void)n;
	return rsm_memseg_export_unpublish(exports[slot(arg, 0, SLOTS)]);
}

int call_destroy(int n, char **arg)
{
	rsm_memseg_export_handle_t *e = &exports[slot(arg, 0, SLOTS)];
	int ret = rsm_memseg_export_destroy(*e);

	(void)n;
	if (!ret)
		*e = NULL;
	return ret;
}

/* New zeroed memory in place of a region. */
int call_renew(int n, char **arg)
{
	uint8_t *at = regions[slot(arg, 0, REGIONS)];

	(void)n;
	if (munmap(at, REGION_BYTES) ||
	    mmap(at, REGION_BYTES, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != at)
		model_die("cannot renew a region");
	return 0;
}

/* ---- imports ---- */

int call_connect(int n, char **arg)
{
	struct import *m = &imports[slot(arg, 0, SLOTS)];

	(void)n;
	return rsm_memseg_import_connect(controllers[slot(arg, 1, CONTROLLERS)],
					 (rsm_node_id_t)number(arg, 2),
					 (rsm_memseg_id_t)number(arg, 3),
					 (rsm_permission_t)number(arg, 4), &m->handle);
}

int call_disconnect(int n, char **arg)
{
	struct import *m = &imports[slot(arg, 0, SLOTS)];
	rsm_memseg_import_handle_t gone = m->handle;
	int ret = rsm_memseg_import_disconnect(m->handle);

	(void)n;
	if (ret)
		return ret;
	m->handle = NULL;
	/* A barrier must not outlive its import; forgetting it is the program's part. */
	for (int i = 0; i < BARRIERS; i++)
		if (gone && barriers[i].seg == gone)
			memset(&barriers[i], 0, sizeof(barriers[i]));
	return ret;
}

int call_map(int n, char **arg)
{
	struct import *m = &imports[slot(arg, 0, SLOTS)];
	void *at = NULL;
	int ret = rsm_memseg_import_map(m->handle, &at, RSM_MAP_NONE,
					(rsm_permission_t)number(arg, 3), number(arg, 1),
					(size_t)number(arg, 2));

	(void)n;
	if (!ret)
		m->mapping = at;
	return ret;
}

int call_unmap(int n, char **arg)
{
	struct import *m = &imports[slot(arg, 0, SLOTS)];
	int ret = rsm_memseg_import_unmap(m->handle);

	(void)n;
	if (!ret)
		m->mapping = NULL;
	return ret;
}
