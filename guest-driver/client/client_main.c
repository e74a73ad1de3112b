// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading and unloading of the test client, the peers that it hears of, and
 * /sys/kernel/debug/rsm_client_test: `counts` of each peer, and `send`, to which "NODE COUNT"
 * is written; a count of 0 stops it.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>

#include "client.h"

static char *controller = "sci0";
module_param(controller, charp, 0444);
MODULE_PARM_DESC(controller, "Controller over which messages are exchanged (sci0)");

/* Runs what peers have to do, which may wait for other nodes. */
struct workqueue_struct *client_workqueue;

static struct rsmka_controller *client_controller;
static struct rsm_client_paths *client_paths;
/* Set once, by store-release, and freed when the module goes. */
static struct client_peer *client_peers[CLIENT_NODES];
static struct dentry *client_debugfs;

static struct client_peer *client_peer_find(u32 node)
{
	/* Pairs with client_up(). */
	return node < CLIENT_NODES ? smp_load_acquire(&client_peers[node]) : NULL;
}

/* ---- paths ---- */

static void client_up(void *priv, u32 node)
{
	struct client_peer *peer = client_peer_find(node);

	if (!peer) {
		peer = client_peer_new(client_controller, node);
		if (!peer)
			return;
		/* Pairs with client_peer_find(). */
		smp_store_release(&client_peers[node], peer);
	}
	set_bit(CLIENT_UP, &peer->bits);
	client_peer_tell(peer);
}

static void client_down(void *priv, u32 node)
{
	struct client_peer *peer = client_peer_find(node);

	if (peer)
		clear_bit(CLIENT_UP, &peer->bits);
}

static void client_gone(void *priv)
{
	struct client_peer *peer;
	u32 node;

	for (node = 0; node < CLIENT_NODES; node++) {
		peer = client_peer_find(node);
		if (!peer)
			continue;
		set_bit(CLIENT_GONE, &peer->bits);
		client_peer_tell(peer);
	}
}

static const struct rsm_client_paths_ops client_paths_ops = {
	.up = client_up,
	.down = client_down,
	.gone = client_gone,
};

/* ---- debugfs ---- */

static int counts_show(struct seq_file *s, void *unused)
{
	struct client_peer *peer;
	u32 node;

	for (node = 0; node < CLIENT_NODES; node++) {
		peer = client_peer_find(node);
		if (!peer)
			continue;
		seq_printf(s, "node %u up %d sink %d source %d left %lld sent %llu sent_bytes %llu received %llu received_bytes %llu bad %llu connects %llu ends %llu\n",
			   node, test_bit(CLIENT_UP, &peer->bits), !!READ_ONCE(peer->export),
			   !!READ_ONCE(peer->import), atomic64_read(&peer->left),
			   READ_ONCE(peer->sent), READ_ONCE(peer->sent_bytes),
			   READ_ONCE(peer->received), READ_ONCE(peer->received_bytes),
			   READ_ONCE(peer->bad), READ_ONCE(peer->connects),
			   READ_ONCE(peer->ends));
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(counts);

static ssize_t client_send_write(struct file *file, const char __user *user, size_t length,
				 loff_t *position)
{
	struct client_peer *peer;
	char text[40] = {};
	u64 count;
	u32 node;

	if (length >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, user, length))
		return -EFAULT;
	if (sscanf(text, "%u %llu", &node, &count) != 2 || count > S64_MAX)
		return -EINVAL;
	peer = client_peer_find(node);
	if (!peer)
		return -EHOSTUNREACH;
	atomic64_set(&peer->left, count);
	client_peer_tell(peer);
	return length;
}

static const struct file_operations client_send_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = client_send_write,
};

/* ---- life ---- */

static int __init client_init(void)
{
	int ret = -ENOMEM;

	client_controller = rsm_client_controller_get(controller);
	if (!client_controller)
		return -ENODEV;
	client_workqueue = alloc_workqueue("rsm-client", WQ_UNBOUND, WQ_MAX_ACTIVE);
	if (!client_workqueue)
		goto put_controller;
	ret = client_pattern_init();
	if (ret)
		goto destroy_workqueue;
	client_paths = rsm_client_paths_watch(client_controller, &client_paths_ops, NULL);
	if (IS_ERR(client_paths)) {
		ret = PTR_ERR(client_paths);
		goto free_pattern;
	}
	client_debugfs = debugfs_create_dir("rsm_client_test", NULL);
	debugfs_create_file("counts", 0444, client_debugfs, NULL, &counts_fops);
	debugfs_create_file("send", 0200, client_debugfs, NULL, &client_send_fops);
	return 0;

free_pattern:
	client_pattern_free();
destroy_workqueue:
	destroy_workqueue(client_workqueue);
put_controller:
	rsm_client_controller_put(client_controller);
	return ret;
}

static void __exit client_exit(void)
{
	u32 node;

	debugfs_remove_recursive(client_debugfs);
	rsm_client_paths_unwatch(client_paths);
	for (node = 0; node < CLIENT_NODES; node++)
		if (client_peers[node])
			client_peer_free(client_peers[node]);
	client_pattern_free();
	destroy_workqueue(client_workqueue);
	rsm_client_controller_put(client_controller);
}

module_init(client_init);
module_exit(client_exit);

MODULE_DESCRIPTION("Test of clients of the remote shared memory kernel agent");
MODULE_AUTHOR("The sci-rsm authors");
MODULE_LICENSE("GPL");
