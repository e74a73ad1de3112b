// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * rsmstat for people: tables, each with a line of headings.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <inttypes.h>
#include <stdio.h>

#include "rsmstat.h"

static void print_agent(const struct rsm_ioc_counters *agent)
{
	printf("node %u  pinned %llu of %llu kB  segments %u of %u  ids %u, generated %u\n",
	       agent->local_node, agent->pinned_bytes / 1024, agent->max_pinned_bytes / 1024,
	       agent->segments, agent->max_segments, agent->ids, agent->generated_ids);
}

static void print_controllers(const struct snapshot *snapshot)
{
	const struct rsm_ioc_controller *attr;
	__u32 i;

	printf("%-12s %6s %6s %6s %6s %14s %14s %9s\n", "CONTROLLER", "ADDR", "ACCESS", "ATOMIC",
	       "PAGES", "MAX EXPORT kB", "MAX IMPORT kB", "IMPORTS");
	for (i = 0; i < snapshot->agent.count; i++) {
		attr = &snapshot->attributes[i];
		if (snapshot->paths[i].node || attr->status)
			continue;
		printf("%-12.*s %6llu %#6x %#6x %#6llx %14llu %14llu %9llu\n", RSM_CONTROLLER_NAME,
		       attr->name, attr->hwaddr, attr->direct_access_sizes, attr->atomic_sizes,
		       attr->page_size, attr->max_export_segment_size / 1024,
		       attr->max_import_map_size / 1024, attr->max_import_segments);
	}
}

/* The sum of the counts of what went wrong with messages. */
static unsigned long long message_errors(const struct rsm_path_row *row)
{
	return row->count[RSM_COUNT_MESSAGES_DROPPED] + row->count[RSM_COUNT_MESSAGES_FAILED];
}

static void print_peers(const struct snapshot *snapshot)
{
	const struct rsm_path_row *row;
	__u32 i;

	printf("%-12s %5s %-8s %-10s %7s %8s %8s %8s %11s %11s %11s %5s %5s\n", "CONTROLLER", "NODE",
	       "LINK", "SESSION", "CHANGES", "ERRORS", "SENT", "RECEIVED", "MSG ERRORS",
	       "CONN OUT/-", "CONN IN/-", "DISC", "EVICT");
	for (i = 0; i < snapshot->agent.count; i++) {
		char out[32], in[32];

		row = &snapshot->paths[i];
		snprintf(out, sizeof(out), "%llu/%llu", row->count[RSM_COUNT_CONNECTS_MADE],
			 row->count[RSM_COUNT_CONNECTS_FAILED]);
		snprintf(in, sizeof(in), "%llu/%llu", row->count[RSM_COUNT_CONNECTS_GRANTED],
			 row->count[RSM_COUNT_CONNECTS_REFUSED]);
		printf("%-12.*s ", RSM_CONTROLLER_NAME, row->controller);
		if (row->node)
			printf("%5u %-8s %-10s %7u %8u ", row->node, link_name(row->link.link),
			       session_name(row->state), row->link.changes, row->link.errors);
		else
			printf("%5s %-8s %-10s %7s %8s ", "here", "-", "-", "-", "-");
		printf("%8llu %8llu %11llu %11s %11s %5llu %5llu\n",
		       row->count[RSM_COUNT_MESSAGES_SENT], row->count[RSM_COUNT_MESSAGES_RECEIVED],
		       message_errors(row), out, in, row->count[RSM_COUNT_DISCONNECTS],
		       row->count[RSM_COUNT_EVICTIONS]);
	}
	printf("%-12s %5s %11s %11s %11s %11s\n", "CONTROLLER", "NODE", "POSTS SENT", "FAILED",
	       "RECEIVED", "DROPPED");
	for (i = 0; i < snapshot->agent.count; i++) {
		char node[12];

		row = &snapshot->paths[i];
		snprintf(node, sizeof(node), row->node ? "%u" : "here", row->node);
		printf("%-12.*s %5s %11llu %11llu %11llu %11llu\n", RSM_CONTROLLER_NAME,
		       row->controller, node, row->count[RSM_COUNT_POSTS_SENT],
		       row->count[RSM_COUNT_POSTS_FAILED], row->count[RSM_COUNT_POSTS_RECEIVED],
		       row->count[RSM_COUNT_POSTS_DROPPED]);
	}
}

static void print_segments(const struct snapshot *snapshot)
{
	const struct rsm_segment_row *row;
	__u32 i;

	printf("%6s %-6s %-12s %-9s %8s %5s %12s %4s %8s %6s %6s %5s %7s %4s %8s %8s %7s\n",
	       "NUMBER", "KIND", "CONTROLLER", "STATE", "ID", "NODE", "BYTES", "MODE", "PID", "UID",
	       "GID", "NODES", "IMPORTS", "MAPS", "PENDING", "RECEIVED", "DROPPED");
	for (i = 0; i < snapshot->nr_segments; i++) {
		static const char * const kinds[] = { "new", "export", "import" };
		char id[12] = "-";

		row = &snapshot->segments[i];
		if (row->segment_id)
			snprintf(id, sizeof(id), "%x", row->segment_id);
		printf("%6u %-6s %-12.*s %-9s %8s %5u %12llu %04o %8u %6u %6u %5u %7u %4u %8u %8llu %7llu\n",
		       row->number, row->kind < 3 ? kinds[row->kind] : "?", RSM_CONTROLLER_NAME,
		       row->kind ? row->controller : "-", segment_state_name(row), id, row->node,
		       row->length, row->mode, row->pid, row->uid, row->gid, row->nodes,
		       row->imports, row->mappings, row->pending, row->received, row->dropped);
	}
}

void text_print(const struct snapshot *snapshot, unsigned int parts)
{
	static const struct {
		unsigned int part;
		void (*print)(const struct snapshot *snapshot);
	} tables[] = {
		{ SHOW_CONTROLLERS, print_controllers },
		{ SHOW_PEERS, print_peers },
		{ SHOW_SEGMENTS, print_segments },
	};
	const char *before = "";
	size_t i;

	if (parts & SHOW_AGENT) {
		print_agent(&snapshot->agent);
		before = "\n";
	}
	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		if (!(parts & tables[i].part))
			continue;
		fputs(before, stdout);
		tables[i].print(snapshot);
		before = "\n";
	}
}
