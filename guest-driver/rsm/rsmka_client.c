// SPDX-License-Identifier: GPL-2.0-only
/*
 * Clients of the kernel: segments whose owner is a module (rsm_client.h), as
 * rsmka_file.c is for segments of programs.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <linux/export.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "../include/rsm/rsm_client.h"
#include "rsmka_path.h"

/* A segment, and who is told of it. */
struct rsmka_client {
	struct rsmka_segment segment;
	const struct rsm_client_ops *ops;	/* NULL: nobody; events.wait.lock */
	void *priv;
};

struct rsm_client_export {
	struct rsmka_client client;		/* the first, see rsmka_client_free() */
	struct rsmka_memory memory;		/* a reference to each page */
};

struct rsm_client_import {
	struct rsmka_client client;		/* the first */
	void *address;				/* NULL: not mapped */
	struct rsmka_window window;		/* of a segment on another node */
	struct page **pages;			/* of one on this node: references */
};

static_assert(offsetof(struct rsm_client_export, client.segment) == 0);
static_assert(offsetof(struct rsm_client_import, client.segment) == 0);

/* ---- the owner of a segment ---- */

static void rsmka_client_event(struct rsmka_segment *seg)
{
	struct rsmka_client *client = container_of(seg, struct rsmka_client, segment);

	if (client->ops && client->ops->event)
		client->ops->event(client->priv);
}

/* Who silences it then waits for the members of the share, before the priv goes. */
static void rsmka_client_ended(struct rsmka_segment *seg)
{
	struct rsmka_client *client = container_of(seg, struct rsmka_client, segment);
	const struct rsm_client_ops *ops = READ_ONCE(client->ops);

	if (ops && ops->ended)
		ops->ended(client->priv);
}

/* The kernel may what its node may. */
static bool rsmka_client_permitted(const struct rsmka_grant *grant, u32 mode, u32 wanted)
{
	return mode && !rsmka_access_missing(mode, 6, wanted);
}

static void rsmka_client_free(struct rsmka_segment *seg)
{
	kfree_rcu(seg, rcu);
}

static const struct rsmka_segment_ops rsmka_client_ops = {
	.permitted = rsmka_client_permitted,
	.event = rsmka_client_event,
	.ended = rsmka_client_ended,
	.free = rsmka_client_free,
};

static const struct rsmka_owner rsmka_client_owner = {
	.uid = GLOBAL_ROOT_UID,
	.gid = GLOBAL_ROOT_GID,
};

/* As a segment that others can find.  On error the caller frees it. */
static int rsmka_client_init(struct rsmka_client *client, const struct rsm_client_ops *ops,
			     void *priv)
{
	client->ops = ops;
	client->priv = priv;
	return rsmka_segment_init(&client->segment, &rsmka_client_ops, NULL, &rsmka_client_owner);
}

/* No event callback is running on return, and none will. */
static void rsmka_client_silence(struct rsmka_client *client)
{
	wait_queue_head_t *wait = &client->segment.events.wait;

	spin_lock_irq(&wait->lock);
	WRITE_ONCE(client->ops, NULL);
	spin_unlock_irq(&wait->lock);
}

/* ---- exports ---- */

static void rsmka_client_memory_drop(struct rsmka_memory *memory)
{
	unsigned long i;

	for (i = 0; memory->pages && i < memory->nr_pages; i++)
		put_page(memory->pages[i]);
	kvfree(memory->pages);
	memory->pages = NULL;
}

/* The object goes with its segment. */
static const struct rsmka_memory_ops rsmka_client_memory_ops = {
	.drop = rsmka_client_memory_drop,
	.free = rsmka_client_memory_drop,
};

static int rsmka_client_memory_init(struct rsmka_memory *memory, void *address, size_t length)
{
	unsigned long i;

	memory->ops = &rsmka_client_memory_ops;
	memory->nr_pages = length >> PAGE_SHIFT;
	memory->pages = kvcalloc(memory->nr_pages, sizeof(*memory->pages), GFP_KERNEL);
	if (!memory->pages)
		return -ENOMEM;
	for (i = 0; i < memory->nr_pages; i++, address += PAGE_SIZE) {
		memory->pages[i] = is_vmalloc_addr(address) ? vmalloc_to_page(address) :
							      virt_to_page(address);
		get_page(memory->pages[i]);
	}
	return 0;
}

static int rsmka_client_memory_check(const struct rsmka_controller *controller, void *address,
				     size_t length)
{
	u64 max = controller->attr.max_export_segment_size;

	if (!length || !PAGE_ALIGNED(length) || !PAGE_ALIGNED(address))
		return -EINVAL;
	if (!is_vmalloc_addr(address) && !virt_addr_valid(address))
		return -EINVAL;
	return max && length > max ? -ENOSPC : 0;
}

static int rsmka_client_export_init(struct rsm_client_export *export,
				    struct rsmka_controller *controller, size_t length)
{
	struct rsmka_segment *seg = &export->client.segment;
	struct rsmka_export *object;

	rsmka_controller_get(controller);
	object = rsmka_export_alloc(seg, controller, length, &rsmka_client_owner,
				    RSMKA_OWNER_READ | RSMKA_OWNER_WRITE, true);
	if (!object) {
		rsmka_controller_put(controller);
		return -ENOMEM;
	}
	rsmka_export_bind(object, &export->memory);
	rsmka_export_show(object);
	/* From now on it is told of events. */
	rsmka_events_take_all(&seg->events);
	return 0;
}

struct rsm_client_export *rsm_client_export_create(struct rsmka_controller *controller,
						   void *memory, size_t length,
						   const struct rsm_client_ops *ops, void *priv)
{
	struct rsm_client_export *export;
	int ret;

	ret = rsmka_client_memory_check(controller, memory, length);
	if (ret)
		return ERR_PTR(ret);
	export = kzalloc(sizeof(*export), GFP_KERNEL);
	if (!export)
		return ERR_PTR(-ENOMEM);
	ret = rsmka_client_memory_init(&export->memory, memory, length);
	if (ret)
		goto free_export;
	ret = rsmka_client_init(&export->client, ops, priv);
	if (ret)
		goto drop_memory;
	ret = rsmka_client_export_init(export, controller, length);
	if (!ret)
		return export;

	rsmka_client_memory_drop(&export->memory);
	/* Others may have found the segment: it goes when they let go of it. */
	rsmka_segment_close(&export->client.segment);
	return ERR_PTR(ret);

drop_memory:
	rsmka_client_memory_drop(&export->memory);
free_export:
	kfree(export);
	return ERR_PTR(ret);
}
EXPORT_SYMBOL_GPL(rsm_client_export_create);

static int rsmka_client_acl(struct rsmka_acl *acl, const struct rsm_acl_entry *entries, u32 len)
{
	u32 i;

	if (len > RSM_ACL_MAX)
		return -EINVAL;
	for (i = 0; i < len; i++) {
		if (!entries[i].node || entries[i].node >= RSMKA_NODES ||
		    entries[i].permission > RSMKA_MODE)
			return -EINVAL;
		acl->entry[i] = entries[i];
	}
	acl->len = len;
	return 0;
}

int rsm_client_export_publish(struct rsm_client_export *export, u32 *segment_id,
			      const struct rsm_acl_entry *entries, u32 len)
{
	struct rsmka_acl *acl;
	int ret;

	if (*segment_id >= RSM_USER_APP_ID_BASE)
		return -EADDRNOTAVAIL;
	acl = kzalloc(sizeof(*acl), GFP_KERNEL);
	if (!acl)
		return -ENOMEM;
	ret = rsmka_client_acl(acl, entries, len);
	if (!ret)
		ret = rsmka_export_publish(export->client.segment.export, segment_id, acl);
	kfree(acl);
	return ret;
}
EXPORT_SYMBOL_GPL(rsm_client_export_publish);

int rsm_client_export_unpublish(struct rsm_client_export *export)
{
	return rsmka_export_unpublish(export->client.segment.export);
}
EXPORT_SYMBOL_GPL(rsm_client_export_unpublish);

int rsm_client_export_post(struct rsm_client_export *export)
{
	return rsmka_published_post(export->client.segment.export, 0, RSMKA_NO_WAIT);
}
EXPORT_SYMBOL_GPL(rsm_client_export_post);

u32 rsm_client_export_events(struct rsm_client_export *export)
{
	return rsmka_events_take_all(&export->client.segment.events);
}
EXPORT_SYMBOL_GPL(rsm_client_export_events);

void rsm_client_export_destroy(struct rsm_client_export *export)
{
	rsmka_client_silence(&export->client);
	rsmka_segment_close(&export->client.segment);
}
EXPORT_SYMBOL_GPL(rsm_client_export_destroy);

/* ---- imports ---- */

struct rsm_client_import *rsm_client_connect(struct rsmka_controller *controller, u32 node,
					     u32 segment_id, u32 permission,
					     const struct rsm_client_ops *ops, void *priv,
					     long timeout)
{
	unsigned long deadline = jiffies + timeout;
	struct rsm_client_import *import;
	u32 generation;
	int ret;

	if (permission & ~(u32)RSM_PERM_RDWR || timeout < 0)
		return ERR_PTR(-EINVAL);
	import = kzalloc(sizeof(*import), GFP_KERNEL);
	if (!import)
		return ERR_PTR(-ENOMEM);
	ret = rsmka_client_init(&import->client, ops, priv);
	if (ret) {
		kfree(import);
		return ERR_PTR(ret);
	}
	ret = rsmka_import_connect(&import->client.segment, controller, node, segment_id,
				   permission, timeout == MAX_SCHEDULE_TIMEOUT ? NULL : &deadline,
				   &generation);
	if (!ret)
		return import;
	rsm_client_disconnect(import);
	return ERR_PTR(ret);
}
EXPORT_SYMBOL_GPL(rsm_client_connect);

u64 rsm_client_import_length(const struct rsm_client_import *import)
{
	return import->client.segment.share->grant.length;
}
EXPORT_SYMBOL_GPL(rsm_client_import_length);

/* References to the pages of an exporter on this node that is the kernel's as well. */
static int rsmka_client_hold_pages(struct rsmka_share *share, struct page **pages,
				   unsigned long nr_pages)
{
	unsigned long i;
	int ret = 0;

	down_read(&share->lock);
	if (share->state != RSMKA_CONNECTED)
		ret = -ECONNABORTED;
	else if (share->exporter->user)
		/* It may rebind its memory, and expects to have it for itself afterwards. */
		ret = -EOPNOTSUPP;
	for (i = 0; !ret && i < nr_pages; i++) {
		pages[i] = share->pages[i];
		get_page(pages[i]);
	}
	up_read(&share->lock);
	return ret;
}

static void rsmka_client_put_pages(struct page **pages, unsigned long nr_pages)
{
	unsigned long i;

	for (i = 0; i < nr_pages; i++)
		put_page(pages[i]);
	kvfree(pages);
}

static void *rsmka_client_map_local(struct rsm_client_import *import)
{
	const struct rsmka_segment *seg = &import->client.segment;
	unsigned long nr_pages = seg->share->grant.length >> PAGE_SHIFT;
	struct page **pages;
	void *address;
	int ret;

	if (!(seg->mode & RSMKA_OWNER_READ))
		return ERR_PTR(-EACCES);
	pages = kvmalloc_array(nr_pages, sizeof(*pages), GFP_KERNEL);
	if (!pages)
		return ERR_PTR(-ENOMEM);
	ret = rsmka_client_hold_pages(seg->share, pages, nr_pages);
	if (ret) {
		kvfree(pages);
		return ERR_PTR(ret);
	}
	address = vmap(pages, nr_pages, VM_MAP,
		       seg->mode & RSMKA_OWNER_WRITE ? PAGE_KERNEL : PAGE_KERNEL_RO);
	if (!address) {
		rsmka_client_put_pages(pages, nr_pages);
		return ERR_PTR(-ENOMEM);
	}
	import->pages = pages;
	return address;
}

static void *rsmka_client_map_remote(struct rsm_client_import *import)
{
	const struct rsmka_segment *seg = &import->client.segment;
	struct rsmka_share *share = seg->share;
	void *address;
	int ret;

	ret = rsmka_share_window(share, seg, &import->window);
	if (ret)
		return ERR_PTR(ret);
	address = memremap(import->window.phys, share->grant.length, MEMREMAP_WB);
	if (address)
		return address;
	rsmka_window_close(share, &import->window);
	return ERR_PTR(-ENOMEM);
}

void *rsm_client_map(struct rsm_client_import *import)
{
	void *address;

	if (import->address)
		return ERR_PTR(-EBUSY);
	if (import->client.segment.share->path)
		address = rsmka_client_map_remote(import);
	else
		address = rsmka_client_map_local(import);
	if (!IS_ERR(address))
		import->address = address;
	return address;
}
EXPORT_SYMBOL_GPL(rsm_client_map);

void rsm_client_unmap(struct rsm_client_import *import)
{
	struct rsmka_share *share = import->client.segment.share;

	if (share->path) {
		memunmap(import->address);
		rsmka_window_close(share, &import->window);
	} else {
		vunmap(import->address);
		rsmka_client_put_pages(import->pages, share->grant.length >> PAGE_SHIFT);
	}
	import->address = NULL;
}
EXPORT_SYMBOL_GPL(rsm_client_unmap);

int rsm_client_check(struct rsm_client_import *import)
{
	return rsmka_import_check(&import->client.segment, &import->window);
}
EXPORT_SYMBOL_GPL(rsm_client_check);

/* Unlike a program it asks for nobody else's segment after the end. */
int rsm_client_post(struct rsm_client_import *import)
{
	struct rsmka_share *share = import->client.segment.share;

	if (!rsmka_share_is_connected(share))
		return -ECONNABORTED;
	return rsmka_share_post(share, 0, RSMKA_NO_WAIT);
}
EXPORT_SYMBOL_GPL(rsm_client_post);

u32 rsm_client_import_events(struct rsm_client_import *import)
{
	return rsmka_events_take_all(&import->client.segment.events);
}
EXPORT_SYMBOL_GPL(rsm_client_import_events);

void rsm_client_disconnect(struct rsm_client_import *import)
{
	WARN_ON(import->address);
	rsmka_client_silence(&import->client);
	rsmka_segment_close(&import->client.segment);
}
EXPORT_SYMBOL_GPL(rsm_client_disconnect);
