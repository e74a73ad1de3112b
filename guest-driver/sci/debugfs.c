// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/debug/sci/sciN/{status,peers,att,inbound}: what the adapter and
 * the driver know, for people.  The format is no interface.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <linux/debugfs.h>
#include <linux/seq_file.h>

#include "sci.h"

static struct dentry *sci_debugfs_root;

static int sci_status_show(struct seq_file *m, void *unused)
{
	static const char * const kinds[SCI_ERROR_KINDS] = {
		"register", "node", "line", "att", "inbound", "inval", "window", "link",
	};
	struct sci_device *sd = m->private;
	int i;

	seq_printf(m, "version      %#010x\n", sci_read(sd, SCI_REG_VERSION));
	seq_printf(m, "features     %#010x\n", sci_read(sd, SCI_REG_FEATURES));
	seq_printf(m, "node         %u\n", sd->node);
	seq_printf(m, "incarnation  %u\n", sci_read(sd, SCI_REG_INCARNATION));
	seq_printf(m, "control      %#010x\n", sci_read(sd, SCI_REG_CONTROL));
	seq_printf(m, "status       %#010x\n", sci_read(sd, SCI_REG_STATUS));
	seq_printf(m, "window       %llu MiB at %pa, mapped %s\n", sd->window_size >> 20,
		   &sd->window_phys, sd->window_type);
	seq_printf(m, "granule      %u\n", sd->granule);
	seq_printf(m, "trap reads   %llu\n", readq(sd->csr + SCI_REG_TRAP_READS_LO));
	seq_printf(m, "trap writes  %llu\n", readq(sd->csr + SCI_REG_TRAP_WRITES_LO));
	seq_puts(m, "errors      ");
	for (i = 0; i < SCI_ERROR_KINDS; i++)
		seq_printf(m, " %s %d", kinds[i], atomic_read(&sd->errors[i]));
	seq_putc(m, '\n');
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(sci_status);

static int sci_peers_show(struct seq_file *m, void *unused)
{
	static const char * const states[] = {
		[SCI_PEER_DOWN] = "down",
		[SCI_PEER_CONNECTING] = "connecting",
		[SCI_PEER_UP] = "up",
	};
	static const char * const links[] = {
		[SCI_LINK_ABSENT] = "absent",
		[SCI_LINK_PRESENT] = "present",
		[SCI_LINK_UP] = "up",
		[SCI_LINK_DOWN] = "down",
	};
	struct sci_device *sd = m->private;
	const struct sci_peer_slot *slot;
	struct sci_peer *peer;
	u32 node;
	u32 link;

	seq_puts(m, "node link incarnation changes errors revokes ring hello/peer sent taken rung unrung\n");
	for (node = SCI_NODE_MIN; node <= SCI_NODE_MAX; node++) {
		slot = sci_slot(sd, node);
		peer = smp_load_acquire(&sd->peers[node]);	/* partner: sci_peer_get() */
		link = le32_to_cpu(READ_ONCE(slot->link));
		if (!peer && link == SCI_LINK_ABSENT)
			continue;
		seq_printf(m, "%u %s %u %u %u %u", node,
			   link < ARRAY_SIZE(links) ? links[link] : "?",
			   le32_to_cpu(READ_ONCE(slot->incarnation)),
			   le32_to_cpu(READ_ONCE(slot->changes)),
			   le32_to_cpu(READ_ONCE(slot->errors)),
			   le32_to_cpu(READ_ONCE(slot->revokes)));
		if (node == sd->node)
			seq_puts(m, " self\n");
		else if (!peer)
			seq_puts(m, " none\n");
		else
			seq_printf(m, " %s%s%s %u/%u %u %u %llu %llu\n",
				   states[READ_ONCE(peer->state)],
				   peer->broken && peer->broken == peer->incarnation ?
				   " (broken)" : "",
				   sci_ring_allowed(sd, node) ? "" : " (closed)",
				   peer->hello, peer->peer_hello, peer->tx.producer,
				   peer->rx.consumer, peer->tx.rung, peer->tx.unrung);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(sci_peers);

static int sci_att_show(struct seq_file *m, void *unused)
{
	static const char * const states[] = {
		"idle", "mapped", "trap", "no-node", "no-page", "denied", "bad", "nospc",
		"revoked", "peer-lost",
	};
	struct sci_device *sd = m->private;
	const struct sci_att_entry *at;
	u64 address;
	u32 state;
	u32 i;

	seq_printf(m, "granules in use by imports: %u of %u\n",
		   bitmap_weight(sd->att.granules, SCI_ATT_ENTRIES), SCI_ATT_IMPORTS);
	seq_puts(m, "entry node offset access key incarnation pages state\n");
	for (i = 0; i < SCI_ATT_ENTRIES; i++) {
		at = &sd->att.entry[i];
		address = le64_to_cpu(READ_ONCE(at->address));
		if (!(address & SCI_ATT_VALID))
			continue;
		state = sci_att_state(sd, i);
		seq_printf(m, "%u %llu %#llx %s%s %#x %u %u %s\n", i,
			   SCI_GET(SCI_ATT_NODE, address), address & SCI_ATT_OFFSET,
			   address & SCI_ATT_READ ? "r" : "", address & SCI_ATT_WRITE ? "w" : "",
			   le32_to_cpu(READ_ONCE(at->key)), le32_to_cpu(READ_ONCE(at->expect)),
			   le32_to_cpu(READ_ONCE(at->pages)),
			   state < ARRAY_SIZE(states) ? states[state] : "?");
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(sci_att);

static int sci_inbound_show(struct seq_file *m, void *unused)
{
	struct sci_device *sd = m->private;
	struct sci_inbound *in = &sd->inbound;
	unsigned long leaves = 0;
	unsigned long d;
	int row;

	mutex_lock(&in->lock);
	for (d = 0; d < in->pages / SCI_LEAF_ENTRIES; d++)
		leaves += !!in->leaf[d];
	seq_printf(m, "pages         %lu of %lu\n", in->used, in->pages - SCI_RING_PAGES);
	seq_printf(m, "leaves        %lu\n", leaves);
	seq_printf(m, "next key      %#x\n", in->next_key);
	seq_printf(m, "invalidations %llu of %llu complete\n", sd->inval.completed,
		   sd->inval.started);
	seq_puts(m, "row users read write\n");
	for (row = 0; row < in->row_top; row++) {
		if (!in->row_use[row].refs)
			continue;
		seq_printf(m, "%d %u %*pbl %*pbl\n", row, in->row_use[row].refs,
			   SCI_NODES, in->rows[row].read, SCI_NODES, in->rows[row].write);
	}
	mutex_unlock(&in->lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(sci_inbound);

static void sci_debugfs_remove(void *data)
{
	struct sci_device *sd = data;

	debugfs_remove_recursive(sd->debugfs);
}

/* As everywhere with debugfs, that there are no files is no error. */
int sci_debugfs_add(struct sci_device *sd)
{
	sd->debugfs = debugfs_create_dir(sd->name, sci_debugfs_root);
	debugfs_create_file("status", 0400, sd->debugfs, sd, &sci_status_fops);
	debugfs_create_file("peers", 0400, sd->debugfs, sd, &sci_peers_fops);
	debugfs_create_file("att", 0400, sd->debugfs, sd, &sci_att_fops);
	debugfs_create_file("inbound", 0400, sd->debugfs, sd, &sci_inbound_fops);
	return devm_add_action_or_reset(&sd->pdev->dev, sci_debugfs_remove, sd);
}

void sci_debugfs_init(void)
{
	sci_debugfs_root = debugfs_create_dir("sci", NULL);
}

void sci_debugfs_exit(void)
{
	debugfs_remove_recursive(sci_debugfs_root);
}
