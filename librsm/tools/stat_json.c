// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * rsmstat for programs: one JSON object (RFC 8259) on one line per snapshot.
 * Members are only ever added.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "rsmstat.h"

/* Prints a separator before every member or element but the first. */
struct list {
	const char *separator;
};

static void next(struct list *list)
{
	fputs(list->separator, stdout);
	list->separator = ",";
}

/* At most @max bytes, fewer if there is a NUL; what is not ASCII is escaped. */
static void string(const char *text, size_t max)
{
	size_t i, n = strnlen(text, max);

	putchar('"');
	for (i = 0; i < n; i++) {
		unsigned char c = text[i];

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

static void key(struct list *list, const char *name)
{
	next(list);
	printf("\"%s\":", name);
}

static void number(struct list *list, const char *name, unsigned long long value)
{
	key(list, name);
	printf("%llu", value);
}

static void text(struct list *list, const char *name, const char *value, size_t max)
{
	key(list, name);
	string(value, max);
}

static void word(struct list *list, const char *name, const char *value)
{
	text(list, name, value, strlen(value));
}

static void print_agent(const struct rsm_ioc_counters *agent)
{
	struct list list = { "" };

	putchar('{');
	number(&list, "pinned_bytes", agent->pinned_bytes);
	number(&list, "max_pinned_bytes", agent->max_pinned_bytes);
	number(&list, "segments", agent->segments);
	number(&list, "max_segments", agent->max_segments);
	number(&list, "ids", agent->ids);
	number(&list, "generated_ids", agent->generated_ids);
	putchar('}');
}

static void print_attributes(const struct rsm_ioc_controller *attr)
{
	struct list list = { "" };

	putchar('{');
	text(&list, "name", attr->name, sizeof(attr->name));
	number(&list, "hwaddr", attr->hwaddr);
	number(&list, "direct_access_sizes", attr->direct_access_sizes);
	number(&list, "atomic_sizes", attr->atomic_sizes);
	number(&list, "page_size", attr->page_size);
	number(&list, "max_export_segment_size", attr->max_export_segment_size);
	number(&list, "tot_export_segment_size", attr->tot_export_segment_size);
	number(&list, "max_export_segments", attr->max_export_segments);
	number(&list, "max_import_map_size", attr->max_import_map_size);
	number(&list, "tot_import_map_size", attr->tot_import_map_size);
	number(&list, "max_import_segments", attr->max_import_segments);
	putchar('}');
}

static void print_controllers(const struct snapshot *snapshot)
{
	struct list list = { "" };
	__u32 i;

	putchar('[');
	for (i = 0; i < snapshot->agent.count; i++) {
		if (snapshot->paths[i].node || snapshot->attributes[i].status)
			continue;
		next(&list);
		print_attributes(&snapshot->attributes[i]);
	}
	putchar(']');
}

static void print_counters(const struct rsm_path_row *row)
{
	struct list list = { "" };
	unsigned int i;

	putchar('{');
	for (i = 0; i < RSM_COUNTS; i++)
		if (count_names[i])
			number(&list, count_names[i], row->count[i]);
	putchar('}');
}

static void print_peer(const struct rsm_path_row *row)
{
	struct list list = { "" };

	putchar('{');
	text(&list, "controller", row->controller, sizeof(row->controller));
	number(&list, "node", row->node);
	if (row->node) {
		word(&list, "link", link_name(row->link.link));
		word(&list, "session", session_name(row->state));
		number(&list, "incarnation", row->link.incarnation);
		number(&list, "link_changes", row->link.changes);
		number(&list, "link_errors", row->link.errors);
		number(&list, "last_error", row->link.last_error);
		number(&list, "revokes", row->link.revokes);
	}
	key(&list, "counters");
	print_counters(row);
	putchar('}');
}

/* Rows of this node itself (@local), or of others. */
static void print_peers(const struct snapshot *snapshot, bool local)
{
	struct list list = { "" };
	__u32 i;

	putchar('[');
	for (i = 0; i < snapshot->agent.count; i++) {
		if ((snapshot->paths[i].node == 0) != local)
			continue;
		next(&list);
		print_peer(&snapshot->paths[i]);
	}
	putchar(']');
}

static void print_segment(const struct rsm_segment_row *row)
{
	struct list list = { "" };

	putchar('{');
	number(&list, "number", row->number);
	text(&list, "controller", row->controller, sizeof(row->controller));
	word(&list, "state", segment_state_name(row));
	number(&list, "id", row->segment_id);
	number(&list, "node", row->node);
	number(&list, "bytes", row->length);
	number(&list, "mode", row->mode);
	number(&list, "pid", row->pid);
	number(&list, "uid", row->uid);
	number(&list, "gid", row->gid);
	if (row->kind == RSM_ROW_EXPORT) {
		number(&list, "access_list", row->acl_len);
		number(&list, "importing_nodes", row->nodes);
	}
	number(&list, "imports", row->imports);
	number(&list, "mappings", row->mappings);
	number(&list, "events_pending", row->pending);
	number(&list, "events_received", row->received);
	number(&list, "events_dropped", row->dropped);
	putchar('}');
}

static void print_segments(const struct snapshot *snapshot, __u32 kind)
{
	struct list list = { "" };
	__u32 i;

	putchar('[');
	for (i = 0; i < snapshot->nr_segments; i++) {
		if (snapshot->segments[i].kind != kind)
			continue;
		next(&list);
		print_segment(&snapshot->segments[i]);
	}
	putchar(']');
}

void json_print(const struct snapshot *snapshot, unsigned int parts)
{
	struct list list = { "" };

	putchar('{');
	number(&list, "version", 1);
	number(&list, "node", snapshot->agent.local_node);
	if (parts & SHOW_AGENT) {
		key(&list, "agent");
		print_agent(&snapshot->agent);
	}
	if (parts & SHOW_CONTROLLERS) {
		key(&list, "controllers");
		print_controllers(snapshot);
	}
	if (parts & SHOW_PEERS) {
		key(&list, "local");
		print_peers(snapshot, true);
		key(&list, "peers");
		print_peers(snapshot, false);
	}
	if (parts & SHOW_SEGMENTS) {
		key(&list, "exports");
		print_segments(snapshot, RSM_ROW_EXPORT);
		key(&list, "imports");
		print_segments(snapshot, RSM_ROW_IMPORT);
		key(&list, "unused");
		print_segments(snapshot, RSM_ROW_NEW);
	}
	puts("}");
}
