// SPDX-License-Identifier: GPL-2.0-only
/*
 * The loopback controller: segments for programs of this node only.  Imports
 * from this node never ask an adapter, so that it has little to do.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <linux/module.h>
#include <linux/slab.h>

#include "rsmka_path.h"

struct rsmka_controller *rsmka_loopback;

/* No offer: no other node reaches it. */
static const struct rsmka_controller_ops rsmka_loopback_ops = {
	.owner = THIS_MODULE,
};

static const struct rsmka_attr rsmka_loopback_attr = {
	.page_size = PAGE_SIZE / 1024,
};

int rsmka_loopback_init(void)
{
	rsmka_loopback = rsmka_controller_alloc("loopback", &rsmka_loopback_attr,
						&rsmka_loopback_ops);
	if (!rsmka_loopback)
		return -ENOMEM;
	strscpy(rsmka_loopback->name, "loopback", sizeof(rsmka_loopback->name));
	return 0;
}

void rsmka_loopback_exit(void)
{
	kfree(rsmka_loopback);
}

bool rsmka_controller_is_loopback(const struct rsmka_controller *controller)
{
	return controller == rsmka_loopback;
}
