// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rows of the access table: which nodes may read and write.  Equal rows are
 * shared.  A row in use never changes.  The first rows are the rings' of the nodes,
 * one each: what users export cannot take them.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <linux/random.h>

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

void sci_access_init(struct sci_inbound *in)
{
	in->row_top = SCI_ACCESS_RINGS;
	hash_init(in->row_table);
	INIT_LIST_HEAD(&in->rows_unused);
	get_random_bytes(&in->row_secret, sizeof(in->row_secret));
}

static u64 sci_access_hash(const struct sci_inbound *in, const struct sci_access_row *row)
{
	return siphash(row, sizeof(*row), &in->row_secret);
}

/* An unused row that may be overwritten, else one that was never used, else NULL. */
static struct sci_row_use *sci_access_free(struct sci_device *sd)
{
	struct sci_inbound *in = &sd->inbound;
	struct sci_row_use *use;

	lockdep_assert_held(&in->lock);
	use = list_first_entry_or_null(&in->rows_unused, struct sci_row_use, unused);
	if (use && use->free_after <= sd->inval.completed) {
		list_del_init(&use->unused);
		hash_del(&use->table);
		return use;
	}
	if (in->row_top == SCI_ACCESS_ROWS)
		return NULL;
	use = &in->row_use[in->row_top++];
	INIT_LIST_HEAD(&use->unused);
	return use;
}

/*
 * A row with these contents, else one that gets them, else -ENOSPC.  How many rows users have
 * makes no difference.
 */
static int sci_access_find(struct sci_device *sd, const struct sci_access_row *row)
{
	struct sci_inbound *in = &sd->inbound;
	u64 hash = sci_access_hash(in, row);
	struct sci_row_use *use;
	int i;

	lockdep_assert_held(&in->lock);
	hash_for_each_possible(in->row_table, use, table, hash) {
		i = use - in->row_use;
		if (memcmp(&in->rows[i], row, sizeof(*row)))
			continue;
		list_del_init(&use->unused);
		return i;
	}
	use = sci_access_free(sd);
	if (!use)
		return -ENOSPC;
	i = use - in->row_use;
	/* Visible to peers before any entry names it: sci_inbound_set(). */
	in->rows[i] = *row;
	hash_add(in->row_table, &use->table, hash);
	return i;
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
	if (i >= 0)
		in->row_use[i].refs++;
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
	struct sci_row_use *use = &in->row_use[row];

	mutex_lock(&in->lock);
	if (!--use->refs) {
		use->free_after = sd->inval.started + 1;
		list_add_tail(&use->unused, &in->rows_unused);
	}
	mutex_unlock(&in->lock);
}
