// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rows of the access table: which nodes may read and write.  Equal rows are
 * shared.  A row in use never changes.  The first rows are the rings' of the nodes,
 * one each: what users export cannot take them.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "sci.h"

static void sci_access_fill(struct sci_access_row *row, const struct rsmka_access *access)
{
	u64 words[4];
	int i;

	bitmap_to_arr64(words, access->read, RSMKA_NODES);
	for (i = 0; i < 4; i++)
		row->read[i] = cpu_to_le64(words[i]);
	bitmap_to_arr64(words, access->write, RSMKA_NODES);
	for (i = 0; i < 4; i++)
		row->write[i] = cpu_to_le64(words[i]);
}

/* A row with these contents, else one that may be overwritten, else -ENOSPC. */
static int sci_access_find(struct sci_device *sd, const struct sci_access_row *row)
{
	struct sci_inbound *in = &sd->inbound;
	int free = -ENOSPC;
	int i;

	lockdep_assert_held(&in->lock);
	for (i = SCI_ACCESS_RINGS; i < in->row_top; i++) {
		if (!memcmp(&in->rows[i], row, sizeof(*row)))
			return i;
		if (free < 0 && !in->row_use[i].refs &&
		    in->row_use[i].free_after <= sd->inval.completed)
			free = i;
	}
	if (free < 0 && in->row_top < SCI_ACCESS_ROWS)
		free = in->row_top++;
	return free;
}

/* The row of the ring into which @node writes. */
u16 sci_access_ring(struct sci_inbound *in, u32 node)
{
	struct rsmka_access access = {};

	lockdep_assert_held(&in->lock);
	__set_bit(node, access.read);
	__set_bit(node, access.write);
	sci_access_fill(&in->rows[node], &access);
	in->row_use[node].refs = 1;
	return node;
}

/* For an export.  Waits for peers only if @wait and if there is no other way. */
int sci_access_get(struct sci_device *sd, const struct rsmka_access *access, bool wait)
{
	struct sci_inbound *in = &sd->inbound;
	struct sci_access_row row;
	int i;

	sci_access_fill(&row, access);
	mutex_lock(&in->lock);
	i = sci_access_find(sd, &row);
	if (i < 0 && wait) {
		/* Unused rows wait for an invalidation, of whatever. */
		mutex_unlock(&in->lock);
		if (sci_inval_nothing(sd))
			return -EINTR;
		mutex_lock(&in->lock);
		i = sci_access_find(sd, &row);
	}
	if (i >= 0) {
		/* Visible to peers before any entry names it: sci_inbound_set(). */
		in->rows[i] = row;
		in->row_use[i].refs++;
	}
	mutex_unlock(&in->lock);

	return i;
}

/*
 * A peer's adapter may have read the number of this row from an entry and not
 * yet the row: until an invalidation that starts from now on is answered, the
 * row keeps its contents.
 */
void sci_access_put(struct sci_device *sd, u16 row)
{
	struct sci_inbound *in = &sd->inbound;

	mutex_lock(&in->lock);
	if (!--in->row_use[row].refs)
		in->row_use[row].free_after = sd->inval.started + 1;
	mutex_unlock(&in->lock);
}
