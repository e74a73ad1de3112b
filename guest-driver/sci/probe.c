// SPDX-License-Identifier: GPL-2.0-only
/*
 * sci.ko, driver of the emulated SCI adapter: probe in the order state, BARs,
 * reset, vectors, tables, enable, agent.  Every step registers its undoing with
 * devres, which runs them in the opposite order at unbind, unload, unplugging,
 * and where probe fails.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <linux/idr.h>
#include <linux/module.h>

#include "sci.h"

static DEFINE_IDA(sci_units);

static void sci_unit_free(void *data)
{
	struct sci_device *sd = data;

	ida_free(&sci_units, sd->unit);
}

/* Position among the adapters of this machine, in the order of the bus. */
static unsigned int sci_unit_wanted(struct pci_dev *pdev)
{
	struct pci_dev *other = NULL;
	unsigned int unit = 0;

	while ((other = pci_get_device(SCI_PCI_VENDOR_ID, SCI_PCI_DEVICE_ID, other))) {
		if (other == pdev)
			break;
		unit++;
	}
	pci_dev_put(other);
	return unit;
}

static int sci_state_init(struct sci_device *sd)
{
	mutex_init(&sd->att.lock);
	mutex_init(&sd->inbound.lock);
	init_waitqueue_head(&sd->inval.wait);
	sd->page_shift = PAGE_SHIFT;

	/*
	 * In whatever order they are bound, adapters have the same names; only
	 * one that is plugged in before others finds its number taken.
	 */
	sd->unit = ida_alloc_min(&sci_units, sci_unit_wanted(sd->pdev), GFP_KERNEL);
	if (sd->unit < 0)
		return sd->unit;
	snprintf(sd->name, sizeof(sd->name), "sci%d", sd->unit);
	return devm_add_action_or_reset(&sd->pdev->dev, sci_unit_free, sd);
}

static int sci_version_check(struct sci_device *sd)
{
	u32 version = sci_read(sd, SCI_REG_VERSION);

	if (SCI_GET(SCI_VERSION_MAJOR, version) != SCI_GET(SCI_VERSION_MAJOR, SCI_VERSION))
		return dev_err_probe(&sd->pdev->dev, -ENODEV,
				     "interface version %#x is not known\n", version);
	return 0;
}

/* Reset, then take and check what the adapter says of itself. */
int sci_reset(struct sci_device *sd)
{
	u64 window;

	sci_write(sd, SCI_REG_CONTROL, SCI_CONTROL_RESET);
	/* Until then peers may use memory that whoever drove the adapter before had exported. */
	sci_inval_poll(sd);

	sd->node = sci_read(sd, SCI_REG_NODE_ID);
	sd->granule = sci_read(sd, SCI_REG_ATT_GRANULE);
	window = readq(sd->csr + SCI_REG_WINDOW_SIZE_LO);
	if (sd->node < SCI_NODE_MIN || sd->node > SCI_NODE_MAX ||
	    sci_read(sd, SCI_REG_ATT_ENTRIES) != SCI_ATT_ENTRIES ||
	    window != sd->window_size || window < SCI_WINDOW_MIN || window > SCI_WINDOW_MAX ||
	    window != (u64)sd->granule * SCI_ATT_ENTRIES || sd->granule % SCI_PAGE_SIZE ||
	    !sci_read(sd, SCI_REG_LINES))
		return dev_err_probe(&sd->pdev->dev, -ENODEV, "the adapter contradicts itself\n");
	if (!sci_granule_fits(sd->page_shift, sd->granule))
		return dev_err_probe(&sd->pdev->dev, -ENODEV,
				     "pages of %lu KiB need a larger window-size=\n",
				     PAGE_SIZE / 1024);
	return 0;
}

/* By devres.  On return no peer reaches this node's memory: the tables can go. */
static void sci_disable(void *data)
{
	struct sci_device *sd = data;

	sci_write(sd, SCI_REG_CONTROL, 0);
	if (sci_inval_settle_aloud(sd))
		sci_inval_force(sd);
	sci_write(sd, SCI_REG_INT_MASK, 0);
}

/* Begin an incarnation with the tables that the adapter knows. */
int sci_tables_enable(struct sci_device *sd)
{
	u32 control = SCI_CONTROL_ENABLE | SCI_CONTROL_INBOUND;

	/* Not yet for peers: there is no agent whom to tell of them. */
	sci_write(sd, SCI_REG_INT_MASK, SCI_INT_INVAL | SCI_INT_ERROR);
	sci_write(sd, SCI_REG_CONTROL, control);
	if (sci_read(sd, SCI_REG_CONTROL) != control)
		return dev_err_probe(&sd->pdev->dev, -EIO, "the adapter refuses its tables\n");
	sd->incarnation = sci_read(sd, SCI_REG_INCARNATION);
	return 0;
}

static int sci_enable(struct sci_device *sd)
{
	int ret = devm_add_action(&sd->pdev->dev, sci_disable, sd);

	return ret ? ret : sci_tables_enable(sd);
}

static int sci_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct sci_device *sd;
	int ret;

	sd = devm_kzalloc(&pdev->dev, sizeof(*sd), GFP_KERNEL);
	if (!sd)
		return -ENOMEM;
	sd->pdev = pdev;
	pci_set_drvdata(pdev, sd);
	ret = sci_state_init(sd);
	if (ret)
		return ret;

	ret = sci_csr_map(sd);
	if (ret)
		return ret;
	ret = sci_version_check(sd);
	if (ret)
		return ret;
	ret = sci_dma_init(sd);
	if (ret)
		return ret;
	ret = sci_memory_map(sd);
	if (ret)
		return ret;
	ret = sci_reset(sd);
	if (ret)
		return ret;
	ret = sci_peer_init(sd);
	if (ret)
		return ret;
	/* MSI-X messages are writes of the adapter. */
	pci_set_master(pdev);
	ret = sci_irq_init(sd);
	if (ret)
		return ret;
	ret = sci_inbound_init(sd);
	if (ret)
		return ret;
	ret = sci_enable(sd);
	if (ret)
		return ret;
	ret = sci_agent_register(sd);
	if (ret)
		return ret;
	ret = sci_debugfs_add(sd);
	if (ret)
		return ret;

	dev_info(&pdev->dev, "%s: node %u, window %llu MiB, mapped %s\n", sd->name, sd->node,
		 sd->window_size >> 20, sd->window_type);
	return 0;
}

/*
 * What comes next must not find peers storing into its memory.  The reset disables the
 * adapter and its interrupts.  If a peer does not answer, the device holds this machine until
 * it does; the driver waits for nothing, so no peer can keep a shutdown from getting here.
 */
static void sci_shutdown(struct pci_dev *pdev)
{
	struct sci_device *sd = pci_get_drvdata(pdev);

	sci_peer_quiesce(sd);
	sci_write(sd, SCI_REG_CONTROL, SCI_CONTROL_RESET);
}

static const struct pci_device_id sci_ids[] = {
	{ PCI_DEVICE(SCI_PCI_VENDOR_ID, SCI_PCI_DEVICE_ID) },
	{ }
};
MODULE_DEVICE_TABLE(pci, sci_ids);

static struct pci_driver sci_driver = {
	.name = "sci",
	.id_table = sci_ids,
	.probe = sci_probe,
	.shutdown = sci_shutdown,
	.driver.pm = pm_sleep_ptr(&sci_pm_ops),
};

static int __init sci_init(void)
{
	int ret;

	sci_debugfs_init();
	ret = pci_register_driver(&sci_driver);
	if (ret)
		sci_debugfs_exit();
	return ret;
}
module_init(sci_init);

static void __exit sci_exit(void)
{
	pci_unregister_driver(&sci_driver);
	sci_debugfs_exit();
}
module_exit(sci_exit);

MODULE_DESCRIPTION("Emulated SCI adapter");
MODULE_AUTHOR("The sci-rsm authors");
MODULE_LICENSE("GPL");
