// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Names of the agent's numbers.  They are keys and values of the JSON form:
 * what is here stays as it is.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "rsmstat.h"

const char * const count_names[RSM_COUNTS] = {
	[RSM_COUNT_MESSAGES_SENT] = "messages_sent",
	[RSM_COUNT_MESSAGES_RECEIVED] = "messages_received",
	[RSM_COUNT_MESSAGES_DROPPED] = "messages_dropped",
	[RSM_COUNT_MESSAGES_FAILED] = "messages_failed",
	[RSM_COUNT_SESSIONS] = "sessions",
	[RSM_COUNT_CONNECTS_MADE] = "connects_made",
	[RSM_COUNT_CONNECTS_FAILED] = "connects_failed",
	[RSM_COUNT_CONNECTS_GRANTED] = "connects_granted",
	[RSM_COUNT_CONNECTS_REFUSED] = "connects_refused",
	[RSM_COUNT_DISCONNECTS] = "disconnects",
	[RSM_COUNT_EVICTIONS] = "evictions",
	[RSM_COUNT_POSTS_SENT] = "posts_sent",
	[RSM_COUNT_POSTS_FAILED] = "posts_failed",
	[RSM_COUNT_POSTS_RECEIVED] = "posts_received",
	[RSM_COUNT_POSTS_DROPPED] = "posts_dropped",
};

static const char *name_of(const char * const *names, size_t n, __u32 number)
{
	return number < n && names[number] ? names[number] : "unknown";
}

#define NAME(names, number)	name_of(names, sizeof(names) / sizeof((names)[0]), number)

const char *link_name(__u32 link)
{
	static const char * const names[] = { "absent", "present", "up", "down" };

	return NAME(names, link);
}

const char *session_name(__u32 state)
{
	static const char * const names[] = {
		[RSM_PATH_DOWN] = "down",
		[RSM_PATH_UP] = "up",
		[RSM_PATH_ACTIVE] = "active",
		[RSM_PATH_GOING_DOWN] = "going-down",
	};

	return NAME(names, state);
}

const char *segment_state_name(const struct rsm_segment_row *row)
{
	static const char * const exports[] = {
		[RSM_EXPORT_STATE_BOUND] = "bound",
		[RSM_EXPORT_STATE_PUBLISHED] = "published",
		[RSM_EXPORT_STATE_ZOMBIE] = "zombie",
	};
	static const char * const imports[] = {
		[RSM_IMPORT_STATE_CONNECTED] = "connected",
		[RSM_IMPORT_STATE_ENDED] = "ended",
	};

	switch (row->kind) {
	case RSM_ROW_EXPORT:
		return NAME(exports, row->state);
	case RSM_ROW_IMPORT:
		return NAME(imports, row->state);
	default:
		return "new";
	}
}
