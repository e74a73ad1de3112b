// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Asks the kernel agent for all that rsmstat prints.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <rsm/rsm_errno.h>

#include "rsmstat.h"

#define ROWS_FIRST	64
#define ROWS_MAX	(1u << 20)	/* more is not a table but a mistake */

/* Every argument begins with its status. */
static int call(int control, unsigned long request, void *argument)
{
	const __u32 *status = argument;

	if (ioctl(control, request, argument) < 0)
		return -errno;
	return (int)*status;
}

/* Room for what there is now and a little that comes meanwhile. */
static int room_for(__u32 count, __u32 *capacity)
{
	if (count > ROWS_MAX)
		return -EOVERFLOW;
	*capacity = count + count / 8;
	return 0;
}

static int take_counters(int control, struct snapshot *out)
{
	__u32 capacity = ROWS_FIRST;
	int ret;

	for (;;) {
		out->paths = calloc(capacity, sizeof(*out->paths));
		if (!out->paths)
			return -ENOMEM;
		out->agent = (struct rsm_ioc_counters){
			.rows = (uintptr_t)out->paths, .capacity = capacity,
		};
		ret = call(control, RSM_IOC_COUNTERS, &out->agent);
		if (ret || out->agent.count <= capacity)
			return ret;
		free(out->paths);
		out->paths = NULL;
		ret = room_for(out->agent.count, &capacity);
		if (ret)
			return ret;
	}
}

static int take_segments(int control, struct snapshot *out)
{
	struct rsm_ioc_segments query;
	__u32 capacity = ROWS_FIRST;
	int ret;

	for (;;) {
		out->segments = calloc(capacity, sizeof(*out->segments));
		if (!out->segments)
			return -ENOMEM;
		query = (struct rsm_ioc_segments){
			.rows = (uintptr_t)out->segments, .capacity = capacity,
		};
		ret = call(control, RSM_IOC_SEGMENTS, &query);
		if (ret)
			return ret;
		if (query.count <= capacity)
			break;
		free(out->segments);
		out->segments = NULL;
		ret = room_for(query.count, &capacity);
		if (ret)
			return ret;
	}
	out->nr_segments = query.count;
	return 0;
}

/* A controller that has gone since keeps its row, with a status. */
static int take_attributes(int control, struct snapshot *out)
{
	struct rsm_ioc_controller *query;
	__u32 i;
	int ret;

	out->attributes = calloc(out->agent.count + 1, sizeof(*out->attributes));
	if (!out->attributes)
		return -ENOMEM;
	for (i = 0; i < out->agent.count; i++) {
		if (out->paths[i].node)
			continue;
		query = &out->attributes[i];
		memcpy(query->name, out->paths[i].controller, sizeof(query->name));
		ret = call(control, RSM_IOC_CONTROLLER, query);
		if (ret && ret != RSMERR_CTLR_NOT_PRESENT)
			return ret;
	}
	return 0;
}

int snapshot_take(int control, struct snapshot *out)
{
	int ret;

	*out = (struct snapshot){ 0 };
	ret = take_counters(control, out);
	if (!ret)
		ret = take_attributes(control, out);
	if (!ret)
		ret = take_segments(control, out);
	if (ret)
		snapshot_free(out);
	return ret;
}

void snapshot_free(struct snapshot *snapshot)
{
	free(snapshot->paths);
	free(snapshot->attributes);
	free(snapshot->segments);
	*snapshot = (struct snapshot){ 0 };
}
