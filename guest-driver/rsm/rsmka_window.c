// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where importers reach the memory of a segment on another node: in the window of
 * the adapter.  All programs of a share use one mapping of it, clients of the kernel have
 * their own.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <linux/math64.h>

#include "rsmka_path.h"

/* Bytes of the window that a mapping of the segment and its events takes: whole granules. */
static unsigned long rsmka_window_bytes(const struct rsmka_share *share)
{
	const struct rsmka_attr *attr = &share->controller->attr;
	u64 granule = attr->max_import_segments ?
		      div64_u64(attr->tot_import_map_size, attr->max_import_segments) : 0;
	u64 bytes = share->grant.length + PAGE_SIZE;

	if (granule)
		bytes = DIV64_U64_ROUND_UP(bytes, granule) * granule;
	/* The largest ones have no room for events. */
	return min(bytes, max(attr->tot_import_map_size, share->grant.length));
}

/* Whoever makes the mapping is charged for it until it goes, whoever else uses it. */
static int rsmka_window_charge(const struct rsmka_share *share, struct rsmka_window *window,
			       struct rsmka_user *payer)
{
	u64 total = share->controller->attr.tot_import_map_size;

	if (!rsmka_user_charge(payer, RSMKA_SHARED_WINDOW, rsmka_window_bytes(share), total))
		return -ENOSPC;
	window->user = rsmka_user_keep(payer);
	return 0;
}

static void rsmka_window_uncharge(const struct rsmka_share *share, struct rsmka_user *user)
{
	rsmka_user_uncharge(user, RSMKA_SHARED_WINDOW, rsmka_window_bytes(share));
	rsmka_user_put(user);
}

/* -errno of ops->map, -ENODEV. */
static int rsmka_window_open(struct rsmka_share *share, struct rsmka_window *window,
			     struct rsmka_user *payer, bool writes)
{
	unsigned long pages = share->grant.length >> PAGE_SHIFT;
	struct rsmka_controller *controller = share->controller;
	int ret;

	window->writes = writes;
	window->events = writes;
	ret = rsmka_window_charge(share, window, payer);
	if (ret)
		return ret;
	ret = -ENODEV;
	if (!rsmka_controller_enter(controller))
		goto uncharge;
	ret = controller->ops->map(controller->adapter, share->node, share->session,
				   &share->grant.address, pages + window->events, writes,
				   &window->phys, &window->handle);
	if ((ret == -ENOSPC || ret == -ENXIO) && window->events) {
		/*
		 * The largest segments fill the window, and if pages are larger here than
		 * those of the exporter, its events do not fill one: they are posted by
		 * messages.
		 */
		window->events = false;
		ret = controller->ops->map(controller->adapter, share->node, share->session,
					   &share->grant.address, pages, writes, &window->phys,
					   &window->handle);
	}
	if (!ret)
		return 0;
	window->handle = NULL;
	rsmka_controller_exit(controller);
uncharge:
	rsmka_window_uncharge(share, window->user);
	return ret;
}

/* Nobody has it mapped any more. */
void rsmka_window_close(struct rsmka_share *share, struct rsmka_window *window)
{
	struct rsmka_controller *controller = share->controller;

	controller->ops->unmap(controller->adapter, window->handle);
	rsmka_window_uncharge(share, window->user);
	rsmka_controller_exit(controller);
	window->handle = NULL;
}

/*
 * The mapping gets the rights that the node has by now.  If the exporter has
 * granted more since the segment was mapped, and an import needs it, everything
 * goes over to a second mapping of the same memory.
 */
static int rsmka_share_map_locked(struct rsmka_share *share, struct rsmka_user *payer, bool write)
{
	struct rsmka_window fresh, old = share->window;
	int ret;

	lockdep_assert_held(&share->map_mutex);
	if (old.handle && (old.writes || !write))
		return 0;
	ret = rsmka_window_open(share, &fresh, payer, READ_ONCE(share->writable));
	if (ret)
		return ret;
	down_write(&share->lock);
	share->window = fresh;
	up_write(&share->lock);
	if (old.handle) {
		rsmka_share_zap(share);
		rsmka_window_close(share, &old);
	}
	return 0;
}

/* The share has ended, and its pages were taken from all programs. */
void rsmka_share_unmap_all(struct rsmka_share *share)
{
	mutex_lock(&share->map_mutex);
	if (share->window.handle)
		rsmka_window_close(share, &share->window);
	mutex_unlock(&share->map_mutex);
}

bool rsmka_share_is_connected(const struct rsmka_share *share)
{
	/* Who has seen its generation word raised is told why.  Partner: rsmka_share_dissolve(). */
	smp_rmb();
	return READ_ONCE(share->state) == RSMKA_CONNECTED;
}

/* What a mapping failed for: -EACCES, -ENOSPC, -ENOMEM, or the connection has ended. */
static int rsmka_share_map_error(struct rsmka_share *share, int ret)
{
	switch (ret) {
	case 0:
	case -EACCES:
	case -ENOSPC:
	case -ENOMEM:
		return ret;
	default:
		/* The exporter, its node or the adapter is gone. */
		rsmka_share_abort(share);
		return -ECONNABORTED;
	}
}

/*
 * For one more user of the share's window, counted in @mappings, with the rights of @seg.
 * @payer is charged for the window if it is not there yet.
 */
int rsmka_share_map(struct rsmka_share *share, const struct rsmka_segment *seg,
		    struct rsmka_user *payer, unsigned long *mappings)
{
	int ret = 0;

	mutex_lock(&share->map_mutex);
	if (!rsmka_share_is_connected(share)) {
		/* Its reaper may have been here already: nobody would unmap. */
		ret = -ECONNABORTED;
	} else if (share->path && (seg->mode & (RSMKA_OWNER_READ | RSMKA_OWNER_WRITE))) {
		/*
		 * The exporter's own pages are there already.  Without rights nothing
		 * can be touched, and the adapter may not give the node anything.
		 */
		ret = rsmka_share_map_locked(share, payer, seg->mode & RSMKA_OWNER_WRITE);
	}
	/* If it has ended since, its reaper waits for the mutex, then unmaps. */
	if (!ret && !rsmka_share_is_connected(share))
		ret = -ECONNABORTED;
	if (!ret)
		(*mappings)++;
	mutex_unlock(&share->map_mutex);
	return rsmka_share_map_error(share, ret);
}

/* For one user less. */
void rsmka_share_unmap(struct rsmka_share *share, unsigned long *mappings)
{
	mutex_lock(&share->map_mutex);
	(*mappings)--;
	if (!share->mappings && !share->event_mappings && share->window.handle)
		rsmka_window_close(share, &share->window);
	mutex_unlock(&share->map_mutex);
}

/* A window for the kernel alone, which closes it when it likes. */
int rsmka_share_window(struct rsmka_share *share, const struct rsmka_segment *seg,
		       struct rsmka_window *window)
{
	int ret = -ECONNABORTED;

	mutex_lock(&share->map_mutex);
	if (rsmka_share_is_connected(share))
		ret = rsmka_window_open(share, window, NULL, seg->mode & RSMKA_OWNER_WRITE);
	mutex_unlock(&share->map_mutex);
	return rsmka_share_map_error(share, ret);
}

/*
 * Is the connection as it was made?  Asks the adapter, which may know before us, about
 * a window if it is open.
 */
bool rsmka_share_intact(struct rsmka_share *share, const struct rsmka_window *window)
{
	struct rsmka_controller *controller = share->controller;
	bool intact = false;

	if (!share->path)
		return rsmka_share_is_connected(share);
	mutex_lock(&share->map_mutex);
	if (rsmka_share_is_connected(share) && rsmka_controller_enter(controller)) {
		if (window->handle)
			intact = controller->ops->mapped(controller->adapter, window->handle);
		else
			intact = le32_to_cpu(READ_ONCE(share->path_state->changes)) ==
				 share->path_changes;
		rsmka_controller_exit(controller);
	}
	mutex_unlock(&share->map_mutex);
	return intact;
}
