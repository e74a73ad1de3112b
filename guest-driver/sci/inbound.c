// SPDX-License-Identifier: GPL-2.0-only
/*
 * The inbound table: SCI offsets of this node and the pages that peers reach
 * through them.  Owns the offset space, the directory, the leaves and the keys.
 * Called by the kernel agent (sci_export_*) and for the rings.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * Peers' adapters read the directory and the leaves at any time.  A leaf stays
 * until teardown: a peer may look up an offset that is long taken back.
 */
#include <linux/dma-mapping.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "sci.h"

static unsigned int export_space;
module_param(export_space, uint, 0444);
MODULE_PARM_DESC(export_space, "Address space for exports, in MiB (0 = four times the RAM)");

struct sci_export {
	unsigned long first;	/* SCI pages */
	unsigned long count;	/* with those of `last` */
	struct page **pages;	/* the caller's; NULL: none is mapped */
	struct page *last;	/* behind them; not rebound */
	u16 row;
};

/* A run of SCI pages that begins at a page of the size 1 << @shift, or -ENOSPC. */
long sci_inbound_alloc(struct sci_inbound *in, unsigned long count, unsigned int shift)
{
	unsigned long first;

	lockdep_assert_held(&in->lock);
	if (count > in->pages)
		return -ENOSPC;
	first = bitmap_find_next_zero_area(in->map, in->pages, SCI_RING_PAGES, count,
					   sci_pages(shift, 1) - 1);
	if (first >= in->pages)
		return -ENOSPC;
	bitmap_set(in->map, first, count);
	in->used += count;
	return first;
}

/* Only after an invalidation, or if no entry was ever written. */
void sci_inbound_free(struct sci_inbound *in, unsigned long first, unsigned long count)
{
	lockdep_assert_held(&in->lock);
	bitmap_clear(in->map, first, count);
	in->used -= count;
}

/*
 * Make sure that entries for these SCI pages exist.  Who exports there first is charged; those
 * of the rings are made by a thread of the kernel, and charged to nobody.
 */
int sci_inbound_leaves(struct sci_inbound *in, unsigned long first, unsigned long count)
{
	struct sci_device *sd = container_of(in, struct sci_device, inbound);
	unsigned long last = (first + count - 1) / SCI_LEAF_ENTRIES;
	dma_addr_t dma;
	unsigned long d;
	void *leaf;

	lockdep_assert_held(&in->lock);
	for (d = first / SCI_LEAF_ENTRIES; d <= last; d++) {
		if (in->leaf[d])
			continue;
		leaf = dma_alloc_coherent(&sd->pdev->dev, SCI_LEAF_SIZE, &dma,
					  GFP_KERNEL_ACCOUNT);
		if (!leaf)
			return -ENOMEM;
		in->leaf[d] = leaf;
		/* The zeroes before the pointer; partner: the lookup in a peer's adapter. */
		dma_wmb();
		WRITE_ONCE(in->dir[d], cpu_to_le64(dma | SCI_DIR_PRESENT));
	}
	return 0;
}

static struct sci_inbound_entry *sci_inbound_entry(struct sci_inbound *in, unsigned long page)
{
	return &in->leaf[page / SCI_LEAF_ENTRIES][page % SCI_LEAF_ENTRIES];
}

void sci_inbound_set(struct sci_inbound *in, unsigned long page, dma_addr_t dma, u32 key,
		     u16 row)
{
	struct sci_inbound_entry *entry = sci_inbound_entry(in, page);

	entry->key = cpu_to_le32(key);
	WRITE_ONCE(entry->access, cpu_to_le16(row));
	/* Key, row number and row before the page; partner: the lookup in a peer's adapter. */
	dma_wmb();
	WRITE_ONCE(entry->page, cpu_to_le64(dma | SCI_INBOUND_READ | SCI_INBOUND_WRITE));
}

static u32 sci_inbound_key(struct sci_inbound *in)
{
	lockdep_assert_held(&in->lock);
	return in->next_key ? in->next_key++ : 0;
}

/* All that an export needs before its entries can be written. */
static int sci_export_reserve(struct sci_device *sd, struct sci_export *export, u32 *key)
{
	struct sci_inbound *in = &sd->inbound;
	long first;
	int ret;

	mutex_lock(&in->lock);
	first = sci_inbound_alloc(in, export->count, sd->page_shift);
	if (first < 0) {
		ret = first;
		goto unlock;
	}
	export->first = first;
	ret = sci_inbound_leaves(in, export->first, export->count);
	if (ret)
		goto free_pages;
	*key = sci_inbound_key(in);
	if (!*key) {
		ret = -ENOSPC;
		goto free_pages;
	}
	mutex_unlock(&in->lock);
	return 0;

free_pages:
	sci_inbound_free(in, export->first, export->count);
unlock:
	mutex_unlock(&in->lock);
	return ret;
}

/* A page of the kernel is 1 << this SCI pages. */
static unsigned int sci_page_order(const struct sci_device *sd)
{
	return sd->page_shift - SCI_PAGE_SHIFT;
}

/* Pages of the kernel, but for the last. */
static unsigned long sci_export_pages(const struct sci_device *sd, const struct sci_export *export)
{
	return (export->count >> sci_page_order(sd)) - 1;
}

/* No peer reaches these pages of an export. */
static void sci_export_unmap(struct sci_device *sd, struct page **pages, unsigned long nr_pages)
{
	unsigned long i;

	for (i = 0; i < nr_pages; i++)
		sci_dma_unmap(sd, page_to_phys(pages[i]));
}

/* The bus has no address for a page, although it had one for others: no peer gets it. */
static void sci_export_lacks(struct sci_device *sd, const struct page *page)
{
	dev_err_ratelimited(&sd->pdev->dev, "page %#llx cannot be exported\n",
			    (u64)page_to_phys(page));
}

static int sci_export_map(struct sci_device *sd, struct page **pages, unsigned long nr_pages)
{
	unsigned long i;

	for (i = 0; i < nr_pages; i++)
		if (sci_dma_map(sd, pages[i]) == DMA_MAPPING_ERROR) {
			sci_export_lacks(sd, pages[i]);
			sci_export_unmap(sd, pages, i);
			return -ENOMEM;
		}
	return 0;
}

/* Where SCI page @index of an export is: its mapping has the address of the memory. */
static dma_addr_t sci_export_address(const struct sci_device *sd, const struct sci_export *export,
				     unsigned long index)
{
	unsigned long i = index >> sci_page_order(sd);
	struct page *page = i < sci_export_pages(sd, export) ? export->pages[i] : export->last;

	return page_to_phys(page) + (index - (i << sci_page_order(sd))) * SCI_PAGE_SIZE;
}

int sci_export_offer(void *adapter, struct page **pages, unsigned long nr_pages,
		     struct page *last, const struct rsmka_access *access, bool wait,
		     struct rsmka_address *address, void **handle)
{
	struct sci_device *sd = adapter;
	struct sci_export *export;
	unsigned long i;
	int ret;
	u32 key;

	if (!nr_pages)
		return -EINVAL;
	export = kzalloc(sizeof(*export), GFP_KERNEL_ACCOUNT);
	if (!export)
		return -ENOMEM;
	export->count = sci_pages(sd->page_shift, nr_pages + 1);
	export->pages = pages;
	export->last = last;

	ret = sci_export_map(sd, pages, nr_pages);
	if (ret)
		goto free_export;
	ret = sci_export_map(sd, &last, 1);
	if (ret)
		goto unmap_pages;
	ret = sci_access_get(sd, access, wait);
	if (ret < 0)
		goto unmap_last;
	export->row = ret;
	ret = sci_export_reserve(sd, export, &key);
	if (ret)
		goto put_row;

	for (i = 0; i < export->count; i++)
		sci_inbound_set(&sd->inbound, export->first + i, sci_export_address(sd, export, i),
				key, export->row);
	address->offset = (u64)export->first * SCI_PAGE_SIZE;
	address->key = key;
	*handle = export;
	return 0;

put_row:
	sci_access_put(sd, export->row);
unmap_last:
	sci_export_unmap(sd, &last, 1);
unmap_pages:
	sci_export_unmap(sd, pages, nr_pages);
free_export:
	kfree(export);
	return ret;
}

/* Mappings that exist keep their rights, so no peer is asked. */
int sci_export_regrant(void *adapter, void *handle, const struct rsmka_access *access,
		       bool wait)
{
	struct sci_device *sd = adapter;
	struct sci_export *export = handle;
	u16 old = export->row;
	unsigned long i;
	int ret;

	ret = sci_access_get(sd, access, wait);
	if (ret < 0)
		return ret;
	export->row = ret;
	/* The row before its number; partner: the lookup in a peer's adapter. */
	dma_wmb();
	for (i = export->first; i < export->first + export->count; i++)
		WRITE_ONCE(sci_inbound_entry(&sd->inbound, i)->access, cpu_to_le16(export->row));
	sci_access_put(sd, old);
	return 0;
}

/* Key and row stay, so that each word is valid by itself whichever page it names. */
void sci_export_rebind(void *adapter, void *handle, struct page **pages)
{
	struct sci_device *sd = adapter;
	struct sci_export *export = handle;
	unsigned long count = export->count - sci_pages(sd->page_shift, 1);
	unsigned long nr_pages = sci_export_pages(sd, export);
	bool mapped = !sci_export_map(sd, pages, nr_pages);
	struct page **old = export->pages;
	unsigned long i;
	u64 page;

	export->pages = mapped ? pages : NULL;
	for (i = 0; i < count; i++) {
		page = mapped ? sci_export_address(sd, export, i) | SCI_INBOUND_READ |
				SCI_INBOUND_WRITE : 0;
		WRITE_ONCE(sci_inbound_entry(&sd->inbound, export->first + i)->page,
			   cpu_to_le64(page));
	}
	/* Peers translate anew what they have mapped. */
	sci_inval_range(sd, export->first, count);
	if (old)
		sci_export_unmap(sd, old, nr_pages);
}

void sci_export_withdraw(void *adapter, void *handle)
{
	struct sci_device *sd = adapter;
	struct sci_export *export = handle;
	unsigned long i;

	for (i = export->first; i < export->first + export->count; i++)
		WRITE_ONCE(sci_inbound_entry(&sd->inbound, i)->page, 0);
	sci_access_put(sd, export->row);
	sci_inval_range(sd, export->first, export->count);
	if (export->pages)
		sci_export_unmap(sd, export->pages, sci_export_pages(sd, export));
	sci_export_unmap(sd, &export->last, 1);

	mutex_lock(&sd->inbound.lock);
	sci_inbound_free(&sd->inbound, export->first, export->count);
	mutex_unlock(&sd->inbound.lock);
	kfree(export);
}

static unsigned long sci_inbound_dirs(void)
{
	u64 mib = export_space ?: 4 * (((u64)totalram_pages() << PAGE_SHIFT) >> 20);

	/* One directory entry per MiB, the first for the rings. */
	return clamp_t(u64, mib, 1024, SCI_DIR_MAX - 1) + 1;
}

/* By devres, after the adapter was disabled: no peer reads the tables any more. */
static void sci_inbound_exit(void *data)
{
	struct sci_device *sd = data;
	struct sci_inbound *in = &sd->inbound;
	unsigned long dirs = in->pages / SCI_LEAF_ENTRIES;
	struct device *dev = &sd->pdev->dev;
	unsigned long d;

	for (d = 0; in->leaf && d < dirs; d++)
		if (in->leaf[d])
			dma_free_coherent(dev, SCI_LEAF_SIZE, in->leaf[d],
					  le64_to_cpu(in->dir[d]) & SCI_DIR_ADDRESS);
	kvfree(in->leaf);
	kvfree(in->map);
	kvfree(in->row_use);
	if (in->rows)
		dma_free_coherent(dev, SCI_ACCESS_ROWS * sizeof(*in->rows), in->rows,
				  in->rows_dma);
	if (in->dir)
		dma_free_coherent(dev, dirs * sizeof(*in->dir), in->dir, in->dir_dma);
}

/* Tell the adapter, while it is disabled, where the tables are. */
void sci_tables_set(struct sci_device *sd)
{
	struct sci_inbound *in = &sd->inbound;

	writeq(in->dir_dma, sd->csr + SCI_REG_INBOUND_BASE_LO);
	writeq(in->rows_dma, sd->csr + SCI_REG_ACCESS_BASE_LO);
	sci_write(sd, SCI_REG_INBOUND_COUNT, in->pages / SCI_LEAF_ENTRIES);
	sci_write(sd, SCI_REG_ACCESS_COUNT, SCI_ACCESS_ROWS);
}

int sci_inbound_init(struct sci_device *sd)
{
	struct sci_inbound *in = &sd->inbound;
	unsigned long dirs = sci_inbound_dirs();
	struct device *dev = &sd->pdev->dev;
	int ret;

	in->pages = dirs * SCI_LEAF_ENTRIES;
	in->next_key = 1;
	sci_access_init(in);
	ret = devm_add_action(dev, sci_inbound_exit, sd);
	if (ret)
		return ret;
	in->dir = dma_alloc_coherent(dev, dirs * sizeof(*in->dir), &in->dir_dma, GFP_KERNEL);
	in->rows = dma_alloc_coherent(dev, SCI_ACCESS_ROWS * sizeof(*in->rows), &in->rows_dma,
				      GFP_KERNEL);
	in->row_use = kvcalloc(SCI_ACCESS_ROWS, sizeof(*in->row_use), GFP_KERNEL);
	in->map = kvcalloc(BITS_TO_LONGS(in->pages), sizeof(*in->map), GFP_KERNEL);
	in->leaf = kvcalloc(dirs, sizeof(*in->leaf), GFP_KERNEL);
	if (!in->dir || !in->rows || !in->row_use || !in->map || !in->leaf)
		return -ENOMEM;

	sci_tables_set(sd);
	return 0;
}
