// SPDX-License-Identifier: GPL-2.0-only
/*
 * The BARs: enable the device, claim and map its registers, its memory and the
 * remote window, and tell the memory type that the window's mapping really got.
 * Called by probe.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <linux/io.h>
#include <linux/string_helpers.h>

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

static const char * const sci_bar_names[] = {
	[SCI_BAR_CSR] = "the registers",
	[SCI_BAR_WINDOW] = "the window",
	[SCI_BAR_MEMORY] = "the memory",
};

static int sci_bar_no_room(struct sci_device *sd, int bar, u64 size)
{
	char text[16];

	string_get_size(size, 1, STRING_UNITS_2, text, sizeof(text));
	return dev_err_probe(&sd->pdev->dev, -ENOSPC,
			     "the PCI bridge left no room for %s (BAR%d) of %s: give the adapter a smaller window-size=, plug it into the root bus, have the bridge reserve room (pref64-reserve=), or boot with pci=realloc\n",
			     sci_bar_names[bar], bar, text);
}

/* The PCI core does not enable a device with a BAR that it knows to have no address. */
static int sci_bars_enable(struct sci_device *sd)
{
	int ret = pcim_enable_device(sd->pdev);
	int bar;

	if (!ret)
		return 0;
	for (bar = 0; bar < ARRAY_SIZE(sci_bar_names); bar++)
		if (sd->pdev->resource[bar].flags & IORESOURCE_UNSET)
			return sci_bar_no_room(sd, bar, pci_resource_len(sd->pdev, bar));
	return ret;
}

/*
 * Claim a BAR of at least @size bytes.  Of one that does not fit below its bridge the
 * PCI core may have left nothing, not even the size.
 */
static int sci_bar_claim(struct sci_device *sd, int bar, u64 size)
{
	struct device *dev = &sd->pdev->dev;
	struct resource *res = &sd->pdev->resource[bar];

	if (res->flags & IORESOURCE_UNSET || !res->start || !res->parent)
		return sci_bar_no_room(sd, bar, size);
	if (resource_size(res) < size)
		return dev_err_probe(dev, -ENODEV, "%s (BAR%d): too small\n",
				     sci_bar_names[bar], bar);
	if (!devm_request_mem_region(dev, res->start, resource_size(res), sd->name))
		return dev_err_probe(dev, -EBUSY, "%s (BAR%d): in use\n",
				     sci_bar_names[bar], bar);
	return 0;
}

/* The whole BAR as memory. */
static void *sci_bar_memory(struct sci_device *sd, int bar)
{
	struct resource *res = &sd->pdev->resource[bar];
	void *memory = devm_memremap(&sd->pdev->dev, res->start, resource_size(res), MEMREMAP_WB);

	if (IS_ERR(memory))
		dev_err_probe(&sd->pdev->dev, PTR_ERR(memory), "cannot map %s (BAR%d)\n",
			      sci_bar_names[bar], bar);
	return memory;
}

/* Enable the device and map its registers. */
int sci_csr_map(struct sci_device *sd)
{
	struct device *dev = &sd->pdev->dev;
	int ret;

	ret = sci_bars_enable(sd);
	if (ret)
		return ret;
	ret = sci_bar_claim(sd, SCI_BAR_CSR, SCI_CSR_SIZE);
	if (ret)
		return ret;
	sd->csr = devm_ioremap(dev, pci_resource_start(sd->pdev, SCI_BAR_CSR), SCI_CSR_SIZE);
	if (!sd->csr)
		return dev_err_probe(dev, -ENOMEM, "cannot map the registers (BAR%d)\n",
				     SCI_BAR_CSR);
	return 0;
}

/* Map what is memory; the registers say how large the window must be. */
int sci_memory_map(struct sci_device *sd)
{
	u8 *memory;
	int ret;

	ret = sci_bar_claim(sd, SCI_BAR_MEMORY, SCI_MEMORY_SIZE);
	if (ret)
		return ret;
	memory = sci_bar_memory(sd, SCI_BAR_MEMORY);
	if (IS_ERR(memory))
		return PTR_ERR(memory);
	sd->status = memory;
	sd->status_phys = pci_resource_start(sd->pdev, SCI_BAR_MEMORY);
	sd->att.entry = (struct sci_att_entry *)(memory + SCI_ATT);

	ret = sci_bar_claim(sd, SCI_BAR_WINDOW, readq(sd->csr + SCI_REG_WINDOW_SIZE_LO));
	if (ret)
		return ret;
	sd->window = sci_bar_memory(sd, SCI_BAR_WINDOW);
	if (IS_ERR(sd->window))
		return PTR_ERR(sd->window);
	sd->window_phys = pci_resource_start(sd->pdev, SCI_BAR_WINDOW);
	sd->window_size = pci_resource_len(sd->pdev, SCI_BAR_WINDOW);
	sd->window_type = sci_window_decode(sd->window);
	return 0;
}
