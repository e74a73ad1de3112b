// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Local-memory handles: memory pinned in advance for putv and getv.  A handle
 * owns an export that no one can import.  The list of them tells a live handle
 * from a bad pointer.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <stdlib.h>

#include "library.h"

struct __rsm_localmemory_handle {
	struct __rsm_localmemory_handle *next;
	rsm_memseg_export_handle_t export;
	char *vaddr;
	size_t length;		/* as asked for; pinned are whole pages */
	unsigned int forks;	/* value of rsm_forks in the process that made it */
};

/* Guards the list. */
static pthread_mutex_t *const lock = &rsm_locks[RSM_LOCK_LOCALMEMORY];
static struct __rsm_localmemory_handle *handles;

/* The link that leads to @handle; a stale handle is compared, not followed. */
static struct __rsm_localmemory_handle **handle_link(rsm_localmemory_handle_t handle)
{
	struct __rsm_localmemory_handle **link = &handles;

	while (*link && *link != handle)
		link = &(*link)->next;
	return link;
}

int rsm_localmemory_find(rsm_localmemory_handle_t handle, size_t offset, size_t bytes,
			 void **memory)
{
	int ret = RSM_SUCCESS;

	pthread_mutex_lock(lock);
	/* A child has copies of its parent's memory, which the parent's handles do not name. */
	if (!handle || !*handle_link(handle) || handle->forks != rsm_forks)
		ret = RSMERR_BAD_SGIO;
	else if (offset > handle->length || bytes > handle->length - offset)
		ret = RSMERR_BAD_OFFSET;
	else
		*memory = handle->vaddr + offset;
	pthread_mutex_unlock(lock);
	return ret;
}

/* Pin the memory as an export whose only entry grants nothing to this node. */
static int handle_export(rsm_localmemory_handle_t handle, rsmapi_controller_handle_t controller)
{
	size_t page = rsm_page_size();
	size_t pinned = (handle->length + page - 1) / page * page;
	rsmapi_access_entry_t nobody = { .ae_permission = RSM_PERM_NONE };
	rsm_memseg_id_t id = 0;
	int ret;

	ret = rsm_memseg_export_create(controller, &handle->export, handle->vaddr, pinned,
				       RSM_ALLOW_REBIND);
	if (ret)
		return ret;
	ret = rsm_device_local_node(&nobody.ae_node);
	if (!ret)
		ret = rsm_memseg_export_publish(handle->export, &id, &nobody, 1);
	if (ret)
		rsm_memseg_export_destroy(handle->export);
	return ret;
}

int rsm_create_localmemory_handle(rsmapi_controller_handle_t handle,
				  rsm_localmemory_handle_t *l_handle, char *local_vaddr,
				  size_t length)
{
	rsm_localmemory_handle_t new;
	struct rsm_controller ctlr;
	int ret;

	if ((uintptr_t)local_vaddr % rsm_page_size())
		return RSMERR_BAD_ADDR;
	if (!rsm_controller_find(handle, &ctlr))
		return RSMERR_BAD_CTLR_HNDL;
	if (!l_handle)
		return RSMERR_BAD_LOCALMEM_HNDL;
	*l_handle = NULL;
	if (length == 0 || length > SIZE_MAX - rsm_page_size())
		return RSMERR_BAD_LENGTH;

	new = calloc(1, sizeof(*new));
	if (!new)
		return RSMERR_INSUFFICIENT_MEM;
	new->vaddr = local_vaddr;
	new->length = length;
	ret = handle_export(new, handle);
	if (ret) {
		free(new);
		return ret;
	}

	pthread_mutex_lock(lock);
	new->forks = rsm_forks;
	new->next = handles;
	handles = new;
	pthread_mutex_unlock(lock);
	*l_handle = new;
	return RSM_SUCCESS;
}

int rsm_free_localmemory_handle(rsmapi_controller_handle_t handle,
				rsm_localmemory_handle_t l_handle)
{
	struct __rsm_localmemory_handle **link;
	struct rsm_controller ctlr;
	bool found;
	int ret;

	if (!rsm_controller_find(handle, &ctlr))
		return RSMERR_BAD_CTLR_HNDL;

	pthread_mutex_lock(lock);
	link = handle_link(l_handle);
	found = l_handle && *link;
	if (found)
		*link = l_handle->next;
	pthread_mutex_unlock(lock);
	if (!found)
		return RSMERR_BAD_LOCALMEM_HNDL;
	ret = rsm_memseg_export_destroy(l_handle->export);
	free(l_handle);
	return ret ? RSMERR_BAD_LOCALMEM_HNDL : RSM_SUCCESS;
}
