// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that the adapter, and peers through it, reach: the tables, the rings
 * and the pages that are exported.  Called by what owns them.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * What is written into a table is a bus address, and peers map the memory that is
 * there.  So it must be the memory itself: no bounce buffer stands for it, and no
 * IOMMU translates, as the adapter does not pass through one.
 */
#include <linux/dma-mapping.h>
#include <linux/mm.h>

#include "sci.h"

/* Peers' processors write what they write: there is nothing to copy or to flush. */
#define SCI_DMA_ATTRS	DMA_ATTR_SKIP_CPU_SYNC

/* The address of a page for the tables, or DMA_MAPPING_ERROR. */
dma_addr_t sci_dma_map(struct sci_device *sd, struct page *page)
{
	struct device *dev = &sd->pdev->dev;
	dma_addr_t dma = dma_map_page_attrs(dev, page, 0, PAGE_SIZE, DMA_BIDIRECTIONAL,
					    SCI_DMA_ATTRS);

	if (dma_mapping_error(dev, dma))
		return DMA_MAPPING_ERROR;
	if (dma == page_to_phys(page))
		return dma;
	dma_unmap_page_attrs(dev, dma, PAGE_SIZE, DMA_BIDIRECTIONAL, SCI_DMA_ATTRS);
	return DMA_MAPPING_ERROR;
}

void sci_dma_unmap(struct sci_device *sd, dma_addr_t dma)
{
	if (dma != DMA_MAPPING_ERROR)
		dma_unmap_page_attrs(&sd->pdev->dev, dma, PAGE_SIZE, DMA_BIDIRECTIONAL,
				     SCI_DMA_ATTRS);
}

/* Refuse an adapter whose bus addresses are not those of the memory. */
int sci_dma_init(struct sci_device *sd)
{
	struct device *dev = &sd->pdev->dev;
	struct page *page;
	dma_addr_t dma;
	int ret;

	ret = dma_set_mask_and_coherent(dev, DMA_BIT_MASK(64));
	if (ret)
		return dev_err_probe(dev, ret, "cannot address all memory\n");
	page = alloc_page(GFP_KERNEL);
	if (!page)
		return -ENOMEM;
	dma = sci_dma_map(sd, page);
	sci_dma_unmap(sd, dma);
	__free_page(page);
	if (dma == DMA_MAPPING_ERROR)
		return dev_err_probe(dev, -ENODEV,
				     "an IOMMU translates or a bounce buffer replaces what the adapter is to reach, but it reaches memory directly: give its IOMMU group the type identity, boot with iommu=pt, and without swiotlb=force\n");
	return 0;
}
