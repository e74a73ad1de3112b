// SPDX-License-Identifier: GPL-2.0-only
/*
 * Controllers: what adapter drivers register.  Keeps them reachable by name
 * and makes sure that no op is called, and nothing of theirs held, after they
 * have gone.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ctype.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "rsmka_path.h"

#define RSMKA_SETTLE_POLL	(HZ / 50)
#define RSMKA_SETTLE_REPORT	(5 * HZ)

LIST_HEAD(rsmka_controllers);
/* The list and rsmka_node. */
DEFINE_MUTEX(rsmka_controllers_lock);

/* The same for all adapters, 0 while there is none. */
static u32 rsmka_node;

u32 rsmka_local_node(void)
{
	return READ_ONCE(rsmka_node);
}

static void rsmka_controller_release(struct kref *ref)
{
	struct rsmka_controller *controller = container_of(ref, struct rsmka_controller, ref);
	u32 node;

	for (node = 0; node < RSMKA_NODES; node++)
		if (controller->paths[node])
			rsmka_path_free(controller->paths[node]);
	kfree(controller);
}

/* For who holds a reference already. */
void rsmka_controller_get(struct rsmka_controller *controller)
{
	kref_get(&controller->ref);
	__module_get(controller->ops->owner);
}

void rsmka_controller_put(struct rsmka_controller *controller)
{
	module_put(controller->ops->owner);
	kref_put(&controller->ref, rsmka_controller_release);
}

/* For who only looks at the object, and calls no op: the adapter's module may go. */
void rsmka_controller_keep(struct rsmka_controller *controller)
{
	kref_get(&controller->ref);
}

void rsmka_controller_forget(struct rsmka_controller *controller)
{
	kref_put(&controller->ref, rsmka_controller_release);
}

/*
 * A reference also keeps the adapter's module loaded.  NULL if there is no
 * such controller, or its module is being removed.
 */
struct rsmka_controller *rsmka_controller_find(const char *name)
{
	struct rsmka_controller *controller, *found = NULL;

	if (strnlen(name, RSM_CONTROLLER_NAME) == RSM_CONTROLLER_NAME)
		return NULL;
	if (!strcmp(name, rsmka_loopback->name)) {
		rsmka_controller_get(rsmka_loopback);
		return rsmka_loopback;
	}
	mutex_lock(&rsmka_controllers_lock);
	list_for_each_entry(controller, &rsmka_controllers, list) {
		if (strcmp(name, controller->name))
			continue;
		if (try_module_get(controller->ops->owner)) {
			kref_get(&controller->ref);
			found = controller;
		}
		break;
	}
	mutex_unlock(&rsmka_controllers_lock);
	return found;
}

/* Required around ops, and for as long as the adapter holds something of ours. */
bool rsmka_controller_enter(struct rsmka_controller *controller)
{
	return !READ_ONCE(controller->gone) && refcount_inc_not_zero(&controller->active);
}

void rsmka_controller_exit(struct rsmka_controller *controller)
{
	if (refcount_dec_and_test(&controller->active))
		complete(&controller->idle);
}

struct rsmka_controller *rsmka_controller_alloc(const char *type, const struct rsmka_attr *attr,
						const struct rsmka_controller_ops *ops)
{
	struct rsmka_controller *controller = kzalloc(sizeof(*controller), GFP_KERNEL);

	if (!controller)
		return NULL;
	kref_init(&controller->ref);
	refcount_set(&controller->active, 1);
	init_completion(&controller->idle);
	mutex_init(&controller->lock);
	mutex_init(&controller->paths_lock);
	mutex_init(&controller->watchers_lock);
	INIT_LIST_HEAD(&controller->watchers);
	INIT_LIST_HEAD(&controller->shares);
	INIT_LIST_HEAD(&controller->exports);
	INIT_LIST_HEAD(&controller->ends);
	INIT_WORK(&controller->end_work, rsmka_end_work);
	strscpy(controller->type, type, sizeof(controller->type));
	controller->attr = *attr;
	controller->ops = ops;
	return controller;
}

static int rsmka_controller_add(struct rsmka_controller *controller, u32 node)
{
	struct rsmka_controller *other;
	int ret = 0;

	mutex_lock(&rsmka_controllers_lock);
	list_for_each_entry(other, &rsmka_controllers, list)
		if (!strcmp(other->name, controller->name))
			ret = -EEXIST;
	if (!ret && rsmka_node && rsmka_node != node) {
		pr_err("%s says that this is node %u, other adapters say node %u\n",
		       controller->name, node, rsmka_node);
		ret = -EINVAL;
	}
	if (!ret) {
		WRITE_ONCE(rsmka_node, node);
		list_add_tail(&controller->list, &rsmka_controllers);
	}
	mutex_unlock(&rsmka_controllers_lock);
	return ret;
}

struct rsmka_controller *rsmka_controller_register(const char *type, unsigned int unit,
						   u32 node, u64 hwaddr,
						   const struct rsmka_attr *attr,
						   const struct rsmka_controller_ops *ops,
						   void *adapter)
{
	struct rsmka_controller *controller;
	int length, ret;

	/* A type that ends in a digit, or that of loopback, would make names ambiguous. */
	length = strlen(type);
	if (length == 0 || length >= RSMKA_TYPE_MAX || isdigit(type[length - 1]) ||
	    !strcmp(type, rsmka_loopback->type) || node == 0 || node >= RSMKA_NODES)
		return ERR_PTR(-EINVAL);
	controller = rsmka_controller_alloc(type, attr, ops);
	if (!controller)
		return ERR_PTR(-ENOMEM);
	snprintf(controller->name, sizeof(controller->name), "%s%u", type, unit);
	controller->unit = unit;
	controller->node = node;
	controller->hwaddr = hwaddr;
	controller->adapter = adapter;
	ret = rsmka_controller_add(controller, node);
	if (ret) {
		kfree(controller);
		return ERR_PTR(ret);
	}
	return controller;
}
EXPORT_SYMBOL_GPL(rsmka_controller_register);

static void rsmka_controller_unpublish_all(struct rsmka_controller *controller)
{
	struct rsmka_export *export;
	struct rsmka_segment *seg;

	for (;;) {
		mutex_lock(&controller->lock);
		export = list_first_entry_or_null(&controller->exports, struct rsmka_export,
						  on_controller);
		seg = export ? export->segment : NULL;
		if (seg)
			kref_get(&seg->ref);
		mutex_unlock(&controller->lock);
		if (!seg)
			break;
		rsmka_export_controller_gone(export);
		rsmka_segment_put(seg);
	}
}

/*
 * Nothing that the adapter does for us goes on, or is held by it.  That can take
 * as long as a peer likes, so it is an idle wait, and says for whom.
 */
static void rsmka_controller_settle(struct rsmka_controller *controller)
{
	unsigned long report = jiffies + RSMKA_SETTLE_REPORT;

	while (!try_wait_for_completion(&controller->idle)) {
		schedule_timeout_idle(RSMKA_SETTLE_POLL);
		if (time_before(jiffies, report))
			continue;
		rsmka_end_report(controller);
		report = jiffies + RSMKA_SETTLE_REPORT;
	}
}

void rsmka_controller_unregister(struct rsmka_controller *controller)
{
	u32 node;

	mutex_lock(&rsmka_controllers_lock);
	list_del(&controller->list);
	if (list_empty(&rsmka_controllers))
		WRITE_ONCE(rsmka_node, 0);
	mutex_unlock(&rsmka_controllers_lock);

	/* What starts after this gives up; what started before is found below. */
	mutex_lock(&controller->lock);
	WRITE_ONCE(controller->gone, true);
	mutex_unlock(&controller->lock);

	for (node = 1; node < RSMKA_NODES; node++)
		rsmka_peer_down(controller, node);
	rsmka_shares_controller_gone(controller);
	rsmka_controller_unpublish_all(controller);
	for (node = 1; node < RSMKA_NODES; node++)
		if (controller->paths[node])
			rsmka_path_stop(controller->paths[node]);
	/* They unmap what they have over it, which settling waits for. */
	rsmka_watchers_gone(controller);

	rsmka_controller_exit(controller);
	rsmka_controller_settle(controller);
	kref_put(&controller->ref, rsmka_controller_release);
}
EXPORT_SYMBOL_GPL(rsmka_controller_unregister);
