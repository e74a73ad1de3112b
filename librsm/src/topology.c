// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The interconnect as the agent sees it: its table of rows becomes the block
 * of structures with pointers into itself that the RSMAPI gives out.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <stdlib.h>
#include <string.h>

#include "library.h"

#define ROWS_MAX	65536	/* more is not a topology but a mistake */

struct table {
	struct rsm_topology_row *rows;
	__u32 count;
	rsm_node_id_t local_node;
};

/* Ask until the table fits; it may grow between two questions. */
static int table_fetch(int control, struct table *table)
{
	struct rsm_ioc_topology query;
	__u32 capacity = 64;
	int ret;

	for (;;) {
		table->rows = calloc(capacity, sizeof(*table->rows));
		if (!table->rows)
			return RSMERR_INSUFFICIENT_MEM;
		query = (struct rsm_ioc_topology){
			.rows = (uintptr_t)table->rows, .capacity = capacity,
		};
		ret = rsm_device_call(control, RSM_IOC_TOPOLOGY, &query);
		if (!ret && query.count <= capacity)
			break;
		free(table->rows);
		if (ret)
			return rsmerr_of_call(ret);
		if (query.count > ROWS_MAX)
			return RSMERR_INTERNAL_ERROR;
		capacity = query.count;
	}
	table->count = query.count;
	table->local_node = query.local_node;
	return RSM_SUCCESS;
}

static bool row_is_controller(const struct rsm_topology_row *row)
{
	return row->remote_node == 0;
}

static void name_copy(char *to, const char from[RSM_CONTROLLER_NAME])
{
	memcpy(to, from, RSM_CONTROLLER_NAME - 1);	/* the rest is zero */
}

/* Bytes of the block, 0 if the table does not begin with a controller. */
static size_t table_size(const struct table *table, __u32 *controllers)
{
	size_t bytes;
	__u32 i;

	*controllers = 0;
	for (i = 0; i < table->count; i++)
		*controllers += row_is_controller(&table->rows[i]);
	if (table->count && !row_is_controller(&table->rows[0]))
		return 0;

	bytes = sizeof(rsm_topology_hdr_t) + *controllers * sizeof(rsm_connections_t *);
	bytes += *controllers * sizeof(rsm_connections_hdr_t);
	bytes += (table->count - *controllers) * sizeof(rsm_remote_cntlr_t);
	return bytes < sizeof(rsm_topology_t) ? sizeof(rsm_topology_t) : bytes;
}

/* Whatever follows in the block is aligned: as 8 bytes are, which is 4 on i386. */
#define ALIGNED(type)	(sizeof(type) % _Alignof(rsm_connections_t) == 0)
_Static_assert(ALIGNED(rsm_topology_hdr_t) && ALIGNED(rsm_connections_t *) &&
	       ALIGNED(rsm_connections_hdr_t) && ALIGNED(rsm_remote_cntlr_t),
	       "parts of the block are aligned");

static void table_fill(const struct table *table, rsm_topology_t *topology, __u32 controllers)
{
	rsm_connections_t *connections = NULL;
	rsm_connections_t **next = topology->connections;
	char *end = (char *)(next + controllers);
	const struct rsm_topology_row *row;
	rsm_remote_cntlr_t *remote;
	__u32 i;

	topology->topology_hdr.local_nodeid = table->local_node;
	topology->topology_hdr.local_cntlr_count = controllers;
	for (i = 0; i < table->count; i++) {
		row = &table->rows[i];
		if (row_is_controller(row)) {
			connections = (rsm_connections_t *)end;
			end += sizeof(connections->hdr);
			*next++ = connections;
			name_copy(connections->hdr.cntlr_name, row->controller);
			connections->hdr.local_hwaddr = row->local_hwaddr;
			continue;
		}
		remote = (rsm_remote_cntlr_t *)end;
		end += sizeof(*remote);
		remote->remote_nodeid = row->remote_node;
		name_copy(remote->remote_cntlrname, row->remote_controller);
		remote->remote_hwaddr = row->remote_hwaddr;
		remote->connection_state = row->state;
		connections->hdr.remote_cntlr_count++;
	}
}

static int topology_build(int control, rsm_topology_t **topology)
{
	struct table table = { 0 };
	__u32 controllers;
	size_t bytes;
	int ret;

	ret = table_fetch(control, &table);
	if (ret)
		return ret;
	bytes = table_size(&table, &controllers);
	if (!bytes) {
		free(table.rows);
		return RSMERR_INTERNAL_ERROR;
	}
	*topology = calloc(1, bytes);
	if (*topology)
		table_fill(&table, *topology, controllers);
	else
		ret = RSMERR_INSUFFICIENT_MEM;
	free(table.rows);
	return ret;
}

int rsm_get_interconnect_topology(rsm_topology_t **topology)
{
	int control, ret;

	if (!topology)
		return RSMERR_BAD_TOPOLOGY_PTR;
	*topology = NULL;
	control = rsm_device_open_control();
	if (control < 0)
		return rsmerr_of_open(control);
	ret = topology_build(control, topology);
	rsm_device_close(control);
	return ret;
}

void rsm_free_interconnect_topology(rsm_topology_t *topology)
{
	free(topology);
}
