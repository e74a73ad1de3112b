// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts: vector 0 says what has changed in the adapter and passes that on to
 * inval.c and the work of peer.c; the others are the doorbells of the message rings, from
 * which message.c takes what has come.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <linux/interrupt.h>

#include "sci.h"

/* Kinds that only a fault of this driver can cause; peers and programs cause the others. */
#define SCI_ERROR_OURS	(SCI_ERROR_REGISTER | SCI_ERROR_INBOUND | SCI_ERROR_INVAL)

static void sci_irq_error(struct sci_device *sd)
{
	unsigned long error = sci_read(sd, SCI_REG_ERROR) & SCI_ERROR_ALL;
	unsigned int kind;

	sci_write(sd, SCI_REG_ERROR, error);
	for_each_set_bit(kind, &error, SCI_ERROR_KINDS)
		atomic_inc(&sd->errors[kind]);
	if (error & SCI_ERROR_OURS)
		dev_err_ratelimited(&sd->pdev->dev, "adapter used wrongly: error register %#lx\n",
				    error);
}

static void sci_irq_peers(struct sci_device *sd)
{
	unsigned long word;
	unsigned int bit;
	u32 reg;
	u32 i;

	for (i = 0; i < SCI_PEER_EVENT_WORDS; i++) {
		reg = SCI_REG_PEER_EVENT + i * sizeof(u32);
		word = sci_read(sd, reg);
		if (!word)
			continue;
		sci_write(sd, reg, word);
		for_each_set_bit(bit, &word, 32)
			set_bit(i * 32 + bit, sd->events);
	}
	queue_work(sd->wq, &sd->peer_work);
}

static irqreturn_t sci_irq_status(int irq, void *data)
{
	struct sci_device *sd = data;
	u32 cause = sci_read(sd, SCI_REG_INT_CAUSE);

	/* Gone: whoever waits will see that, too. */
	if (cause == U32_MAX) {
		sci_inval_interrupt(sd);
		return IRQ_HANDLED;
	}
	/* Cleared first: what happens after this raises the vector again. */
	sci_write(sd, SCI_REG_INT_CAUSE, cause);
	if (cause & SCI_INT_PEER)
		sci_irq_peers(sd);
	if (cause & SCI_INT_INVAL)
		sci_inval_interrupt(sd);
	if (cause & SCI_INT_ERROR)
		sci_irq_error(sd);
	return IRQ_HANDLED;
}

/* The rings of the line; those who ring it for another reason are found by the work. */
static irqreturn_t sci_irq_line(int irq, void *data)
{
	struct sci_line *line = data;
	struct sci_device *sd = line->sd;
	u32 node;

	for (node = line->number; node < SCI_NODES; node += sd->lines)
		if (test_bit(node, sd->active))
			sci_message_bell(sci_peer_find(sd, node));
	return IRQ_HANDLED;
}

static int sci_irq_lines(struct sci_device *sd)
{
	struct sci_line *line;
	int ret = 0;
	u32 i;

	for (i = 0; i < sd->lines && !ret; i++) {
		line = &sd->line[i];
		line->sd = sd;
		line->number = i;
		ret = devm_request_irq(&sd->pdev->dev,
				       pci_irq_vector(sd->pdev, SCI_VECTOR_LINE(i)),
				       sci_irq_line, 0, sd->name, line);
	}
	return ret;
}

int sci_irq_init(struct sci_device *sd)
{
	u32 lines = min_t(u32, sci_read(sd, SCI_REG_LINES), SCI_RING_LINES);
	struct device *dev = &sd->pdev->dev;
	int ret;

	ret = pci_alloc_irq_vectors(sd->pdev, SCI_VECTOR_LINE(0) + 1, SCI_VECTOR_LINE(lines),
				    PCI_IRQ_MSIX);
	if (ret < 0)
		return dev_err_probe(dev, ret, "cannot get %d MSI-X vectors\n",
				     SCI_VECTOR_LINE(0) + 1);
	sd->lines = ret - SCI_VECTOR_LINE(0);

	ret = devm_request_threaded_irq(dev, pci_irq_vector(sd->pdev, SCI_VECTOR_STATUS), NULL,
					sci_irq_status, IRQF_ONESHOT, sd->name, sd);
	if (!ret)
		ret = sci_irq_lines(sd);
	if (ret)
		return dev_err_probe(dev, ret, "cannot request an interrupt\n");
	return 0;
}
