// SPDX-License-Identifier: GPL-2.0-only
/*
 * The address translation table: granules of the window, the entries that map
 * a peer's pages into them, and imports, which are runs of entries.  Called by
 * the kernel agent (sci_import_*) and for the rings; calls only the device.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <linux/slab.h>

#include "sci.h"

struct sci_import {
	struct sci_target target;
	u32 first;	/* entries */
	u32 count;
	u32 revokes;	/* of the peer's slot, when all entries were last seen mapped */
};

static u32 sci_att_pages(struct sci_device *sd)
{
	return sd->granule / SCI_PAGE_SIZE;
}

/* Memory only: the adapter does not look at an entry before it is committed. */
static void sci_att_write(struct sci_device *sd, u32 entry, u64 address, u32 pages,
			  const struct sci_target *target)
{
	struct sci_att_entry *at = &sd->att.entry[entry];

	/* Partner of each: the adapter's read at the commit. */
	WRITE_ONCE(at->address, cpu_to_le64(address));
	WRITE_ONCE(at->key, cpu_to_le32(target->key));
	WRITE_ONCE(at->expect, cpu_to_le32(target->incarnation));
	WRITE_ONCE(at->pages, cpu_to_le32(pages));
}

/* What the adapter has made of an entry: at a commit, or at a revocation before `revokes` rose. */
u32 sci_att_state(struct sci_device *sd, u32 entry)
{
	return SCI_GET(SCI_ATT_STATE, le32_to_cpu(READ_ONCE(sd->att.entry[entry].status)));
}

/* On return the entries are in effect and their states are those of this commit, or later ones. */
static void sci_att_commit(struct sci_device *sd, u32 first, u32 count)
{
	/* The entries, then the commit.  Partner: the adapter reads them because of it. */
	dma_wmb();
	sci_write(sd, SCI_REG_ATT_COMMIT,
		  SCI_PUT(SCI_COMMIT_FIRST, first) | SCI_PUT(SCI_COMMIT_COUNT, count));
	/* The commit, then the states.  Partner: the adapter writes them before it is finished. */
	mb();
}

static void sci_att_clear_locked(struct sci_device *sd, u32 first, u32 count)
{
	u32 i;

	lockdep_assert_held(&sd->att.lock);
	for (i = first; i < first + count; i++)
		WRITE_ONCE(sd->att.entry[i].address, 0);
	sci_att_commit(sd, first, count);
}

static int sci_att_errno(struct sci_device *sd, u32 state, const struct sci_target *target)
{
	u32 incarnation;

	switch (state) {
	case SCI_ATT_ST_NO_NODE:
	case SCI_ATT_ST_PEER_LOST:
		incarnation = le32_to_cpu(READ_ONCE(sci_slot(sd, target->node)->incarnation));
		return incarnation && incarnation != target->incarnation ? -ESTALE : -EHOSTUNREACH;
	case SCI_ATT_ST_NO_PAGE:
	case SCI_ATT_ST_REVOKED:
		return -ENXIO;
	case SCI_ATT_ST_DENIED:
		return -EACCES;
	case SCI_ATT_ST_NOSPC:
		return -ENOSPC;
	default:
		/* All ones, or what a working adapter does not answer. */
		return -ENODEV;
	}
}

/* The verdict on entries that were just committed. */
static int sci_att_verdict(struct sci_device *sd, u32 first, u32 count,
			   const struct sci_target *target)
{
	u32 state;
	u32 i;

	for (i = first; i < first + count; i++) {
		state = sci_att_state(sd, i);
		if (state != SCI_ATT_ST_MAPPED)
			return sci_att_errno(sd, state, target);
	}
	return 0;
}

/* Map all of the target from entry @first on, or nothing: one register access, the commit. */
int sci_att_set(struct sci_device *sd, u32 first, const struct sci_target *target)
{
	u64 flags = SCI_ATT_VALID | SCI_ATT_READ | (target->write ? SCI_ATT_WRITE : 0);
	u64 offset = target->offset;
	unsigned long left = target->pages;
	u32 count = DIV_ROUND_UP(left, sci_att_pages(sd));
	u32 pages;
	u32 i;
	int ret;

	mutex_lock(&sd->att.lock);
	for (i = first; i < first + count; i++) {
		pages = min_t(unsigned long, left, sci_att_pages(sd));
		sci_att_write(sd, i,
			      SCI_PUT(SCI_ATT_NODE, (u64)target->node) |
			      (offset & SCI_ATT_OFFSET) | flags, pages, target);
		offset += sd->granule;
		left -= pages;
	}
	sci_att_commit(sd, first, count);
	ret = sci_att_verdict(sd, first, count, target);
	if (ret)
		sci_att_clear_locked(sd, first, count);
	mutex_unlock(&sd->att.lock);

	return ret;
}

void sci_att_clear(struct sci_device *sd, u32 first, u32 count)
{
	mutex_lock(&sd->att.lock);
	sci_att_clear_locked(sd, first, count);
	mutex_unlock(&sd->att.lock);
}

/* A run of granules for an import, the lowest there is: the first one, or -ENOSPC. */
int sci_att_alloc(struct sci_att *att, u32 count)
{
	unsigned long first;

	mutex_lock(&att->lock);
	first = bitmap_find_next_zero_area(att->granules, SCI_ATT_ENTRIES, SCI_ATT_RINGS,
					   count, 0);
	if (first < SCI_ATT_ENTRIES)
		bitmap_set(att->granules, first, count);
	mutex_unlock(&att->lock);

	return first < SCI_ATT_ENTRIES ? first : -ENOSPC;
}

void sci_att_free(struct sci_att *att, u32 first, u32 count)
{
	mutex_lock(&att->lock);
	bitmap_clear(att->granules, first, count);
	mutex_unlock(&att->lock);
}

static u32 sci_import_revokes(struct sci_device *sd, u32 node)
{
	return le32_to_cpu(READ_ONCE(sci_slot(sd, node)->revokes));
}

/* The address comes from the peer's agent and is bounded here. */
static int sci_import_check(struct sci_device *sd, const struct sci_target *target)
{
	u64 limit = (1ull << SCI_OFFSET_BITS) / SCI_PAGE_SIZE;

	if (target->node < SCI_NODE_MIN || target->node > SCI_NODE_MAX)
		return -EHOSTUNREACH;
	if (target->offset % SCI_PAGE_SIZE || target->offset / SCI_PAGE_SIZE >= limit)
		return -ENXIO;
	if (target->pages > limit - target->offset / SCI_PAGE_SIZE)
		return -ENXIO;
	if (!target->pages || target->pages > (u64)SCI_ATT_IMPORTS * sci_att_pages(sd))
		return -ENOSPC;
	return 0;
}

int sci_import_map(void *adapter, u32 node, u32 session, const struct rsmka_address *address,
		   unsigned long nr_pages, bool write, phys_addr_t *phys, void **handle)
{
	struct sci_device *sd = adapter;
	struct sci_import *import;
	int ret;

	import = kzalloc(sizeof(*import), GFP_KERNEL_ACCOUNT);
	if (!import)
		return -ENOMEM;
	import->target = (struct sci_target) {
		.node = node,
		.incarnation = sci_peer_incarnation(sd, node, session),
		.key = address->key,
		.offset = address->offset,
		.pages = sci_pages(sd->page_shift, nr_pages),
		.write = write,
	};
	ret = import->target.incarnation ? sci_import_check(sd, &import->target) : -ESTALE;
	if (ret)
		goto free_import;

	import->count = DIV_ROUND_UP(import->target.pages, sci_att_pages(sd));
	ret = sci_att_alloc(&sd->att, import->count);
	if (ret < 0)
		goto free_import;
	import->first = ret;

	/* Before the commit: a later revocation raises the count beyond this value. */
	import->revokes = sci_import_revokes(sd, node);
	ret = sci_att_set(sd, import->first, &import->target);
	if (ret)
		goto free_granules;

	*phys = sd->window_phys + (u64)import->first * sd->granule;
	*handle = import;
	return 0;

free_granules:
	sci_att_free(&sd->att, import->first, import->count);
free_import:
	kfree(import);
	return ret;
}

void sci_import_unmap(void *adapter, void *handle)
{
	struct sci_device *sd = adapter;
	struct sci_import *import = handle;

	sci_att_clear(sd, import->first, import->count);
	sci_att_free(&sd->att, import->first, import->count);
	kfree(import);
}

/*
 * The entries are looked at only if something of the node was revoked since
 * they were last seen mapped: a large import has thousands.
 */
bool sci_import_mapped(void *adapter, void *handle)
{
	struct sci_device *sd = adapter;
	struct sci_import *import = handle;
	bool mapped = true;
	u32 revokes;
	u32 i;

	mutex_lock(&sd->att.lock);
	revokes = sci_import_revokes(sd, import->target.node);
	if (revokes != import->revokes) {
		/* The count, then the states.  Partner: the adapter writes the states first. */
		dma_rmb();
		for (i = import->first; mapped && i < import->first + import->count; i++)
			mapped = sci_att_state(sd, i) == SCI_ATT_ST_MAPPED;
		if (mapped)
			import->revokes = revokes;
	}
	mutex_unlock(&sd->att.lock);

	return mapped;
}
