/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of rsmstat share: one snapshot of the kernel agent, and the
 * two ways to print it.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#ifndef RSMSTAT_H
#define RSMSTAT_H

#include <stddef.h>
#include <uapi/rsm.h>

/* Which parts are printed. */
#define SHOW_AGENT		0x1
#define SHOW_CONTROLLERS	0x2
#define SHOW_PEERS		0x4
#define SHOW_SEGMENTS		0x8
#define SHOW_ALL		0xf

struct snapshot {
	struct rsm_ioc_counters agent;
	struct rsm_path_row *paths;		/* agent.count of them */
	struct rsm_ioc_controller *attributes;	/* one per path, status 0 in rows with node 0 */
	struct rsm_segment_row *segments;
	__u32 nr_segments;
};

/* stat_snapshot.c: 0, a positive RSMERR_*, or -errno; then *@out holds nothing. */
int snapshot_take(int control, struct snapshot *out);
void snapshot_free(struct snapshot *snapshot);

/* stat_names.c: never NULL */
extern const char * const count_names[RSM_COUNTS];	/* NULL: not in use */
const char *link_name(__u32 link);
const char *session_name(__u32 state);
const char *segment_state_name(const struct rsm_segment_row *row);

/* stat_text.c, stat_json.c: to standard output */
void text_print(const struct snapshot *snapshot, unsigned int parts);
void json_print(const struct snapshot *snapshot, unsigned int parts);

#endif /* RSMSTAT_H */
