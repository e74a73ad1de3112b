// SPDX-License-Identifier: GPL-2.0-only
/*
 * The remote window as the kernel maps it, and the memory type that the
 * mapping really got.  Called by probe.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <linux/io.h>

#include "sci.h"

#ifdef CONFIG_X86
#include <asm/msr.h>
#include <asm/pgtable.h>

/*
 * What was asked for may not be what came out (an MTRR or an earlier mapping
 * can win), so decode the page table entry through the PAT register.
 */
static const char *sci_window_decode(const void *va)
{
	static const char * const types[8] = {
		"uncached", "write-combining", "unknown", "unknown",
		"write-through", "write-protected", "write-back", "uncached-minus",
	};
	unsigned int level;
	unsigned int index;
	u32 pat[2];
	pte_t *pte;
	u64 bits;

	pte = lookup_address((unsigned long)va, &level);
	if (!pte || !pte_present(*pte) || !boot_cpu_has(X86_FEATURE_PAT))
		return "unknown";
	bits = pte_val(*pte);
	index = bits & _PAGE_PWT ? 1 : 0;
	index |= bits & _PAGE_PCD ? 2 : 0;
	index |= bits & (level == PG_LEVEL_4K ? _PAGE_PAT : _PAGE_PAT_LARGE) ? 4 : 0;
	rdmsr(MSR_IA32_CR_PAT, pat[0], pat[1]);
	return types[pat[index / 4] >> (index % 4 * 8) & 7];
}
#else
static const char *sci_window_decode(const void *va)
{
	return "unknown";
}
#endif

int sci_window_map(struct sci_device *sd)
{
	struct device *dev = &sd->pdev->dev;

	sd->window_phys = pci_resource_start(sd->pdev, SCI_BAR_WINDOW);
	sd->window_size = pci_resource_len(sd->pdev, SCI_BAR_WINDOW);
	if (!devm_request_mem_region(dev, sd->window_phys, sd->window_size, sd->name))
		return dev_err_probe(dev, -EBUSY, "the window (BAR%d) is in use\n",
				     SCI_BAR_WINDOW);
	sd->window = devm_memremap(dev, sd->window_phys, sd->window_size, MEMREMAP_WB);
	if (IS_ERR(sd->window))
		return dev_err_probe(dev, PTR_ERR(sd->window), "cannot map the window (BAR%d)\n",
				     SCI_BAR_WINDOW);
	sd->window_type = sci_window_decode(sd->window);
	return 0;
}
