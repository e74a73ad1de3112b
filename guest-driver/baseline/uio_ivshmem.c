// SPDX-License-Identifier: GPL-2.0-only
/*
 * QEMU's ivshmem-doorbell as a UIO device: map 0 is the registers, a read of /dev/uioN
 * waits for a doorbell.  As short as such a driver can be, so what it measures is what
 * shared memory with interrupts costs here without an interconnect.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <linux/interrupt.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/uio_driver.h>

static irqreturn_t ivshmem_doorbell(int irq, struct uio_info *info)
{
	return IRQ_HANDLED;
}

static int ivshmem_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct uio_info *info = devm_kzalloc(&pdev->dev, sizeof(*info), GFP_KERNEL);
	int ret;

	if (!info)
		return -ENOMEM;
	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;
	pci_set_master(pdev);
	/* Managed, as the device is: freed by itself. */
	ret = pci_alloc_irq_vectors(pdev, 1, 1, PCI_IRQ_MSIX);
	if (ret < 0)
		return ret;

	info->name = "ivshmem";
	info->version = "1";
	info->irq = pci_irq_vector(pdev, 0);
	info->handler = ivshmem_doorbell;
	info->mem[0].addr = pci_resource_start(pdev, 0);
	info->mem[0].size = max_t(resource_size_t, pci_resource_len(pdev, 0), PAGE_SIZE);
	info->mem[0].memtype = UIO_MEM_PHYS;
	return devm_uio_register_device(&pdev->dev, info);
}

static const struct pci_device_id ivshmem_ids[] = {
	{ PCI_DEVICE(PCI_VENDOR_ID_REDHAT_QUMRANET, 0x1110) },
	{ }
};
MODULE_DEVICE_TABLE(pci, ivshmem_ids);

static struct pci_driver ivshmem_driver = {
	.name = "uio_ivshmem",
	.id_table = ivshmem_ids,
	.probe = ivshmem_probe,
};
module_pci_driver(ivshmem_driver);

MODULE_DESCRIPTION("Doorbells of QEMU's ivshmem, to measure against");
MODULE_AUTHOR("The sci-rsm authors");
MODULE_LICENSE("GPL");
