// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The exporter's side of a segment: create, rebind, publish, republish,
 * unpublish, destroy.  The descriptor is the segment; what is tested here is
 * only what the agent cannot know.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#define _GNU_SOURCE	/* sem_clockwait() */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "library.h"

_Static_assert(sizeof(rsmapi_access_entry_t) == sizeof(struct rsm_acl_entry),
	       "access lists are passed as they are");

static bool export_valid(rsm_memseg_export_handle_t export)
{
	return export && export->segment.kind == RSM_SEGMENT_EXPORT;
}

static int export_range_check(const struct rsm_controller *controller, const void *vaddr,
			      size_t size)
{
	size_t page = rsm_page_size();

	if (!vaddr)
		return RSMERR_BAD_ADDR;
	if (size == 0)
		return RSMERR_BAD_LENGTH;
	if ((uintptr_t)vaddr % page || size % page)
		return RSMERR_BAD_MEM_ALIGNMENT;
	if (!controller->loopback && size > controller->max_export_segment_size)
		return RSMERR_BAD_LENGTH;
	return RSM_SUCCESS;
}

static int export_bind(struct rsm_segment *segment, const struct rsm_controller *controller,
		       void *vaddr, size_t size, uint_t flags)
{
	struct rsm_ioc_export export = { .vaddr = (uintptr_t)vaddr, .length = size };
	int ret;

	if (flags & RSM_ALLOW_REBIND)
		export.flags |= RSM_EXPORT_ALLOW_REBIND;
	if (flags & RSM_CREATE_SEG_DONTWAIT)
		export.flags |= RSM_EXPORT_DONTWAIT;
	memcpy(export.controller, controller->name, sizeof(export.controller));
	ret = rsm_device_call(segment->fd, RSM_IOC_EXPORT, &export);
	segment->identity = export.identity;
	return ret;
}

int rsm_memseg_export_create(rsmapi_controller_handle_t controller,
			     rsm_memseg_export_handle_t *memseg, void *vaddr, size_t size,
			     uint_t flags)
{
	rsm_memseg_export_handle_t export;
	struct rsm_controller ctlr;
	int ret;

	if (!rsm_controller_find(controller, &ctlr))
		return RSMERR_BAD_CTLR_HNDL;
	if (!memseg)
		return RSMERR_BAD_SEG_HNDL;
	*memseg = NULL;
	ret = export_range_check(&ctlr, vaddr, size);
	if (ret)
		return ret;

	export = calloc(1, sizeof(*export));
	if (!export)
		return RSMERR_INSUFFICIENT_MEM;
	export->segment.fd = rsm_device_open_segment();
	if (export->segment.fd < 0) {
		ret = rsmerr_of_open(export->segment.fd);
		free(export);
		return ret;
	}
	ret = export_bind(&export->segment, &ctlr, vaddr, size, flags);
	if (ret) {
		rsm_device_close(export->segment.fd);
		free(export);
		return rsmerr_of_call(ret);
	}

	export->segment.kind = RSM_SEGMENT_EXPORT;
	export->dontwait = flags & RSM_CREATE_SEG_DONTWAIT;
	pthread_mutex_init(&export->segment.lock, NULL);
	sem_init(&export->turn, 0, 1);
	rsm_segment_add(&export->segment);
	*memseg = export;
	return RSM_SUCCESS;
}

/* The handle does not know its address, so its lock has nothing to guard here. */
int rsm_memseg_export_rebind(rsm_memseg_export_handle_t memseg, void *vaddr, off_t off,
			     size_t size)
{
	struct rsm_ioc_rebind rebind = { .vaddr = (uintptr_t)vaddr, .length = size };

	(void)off;
	if (!export_valid(memseg))
		return RSMERR_BAD_SEG_HNDL;
	if (!vaddr)
		return RSMERR_BAD_ADDR;
	rebind.identity = memseg->segment.identity;
	return rsmerr_of_call(rsm_device_call(memseg->segment.fd, RSM_IOC_REBIND, &rebind));
}

int rsm_memseg_export_destroy(rsm_memseg_export_handle_t memseg)
{
	int ret;

	if (!export_valid(memseg))
		return RSMERR_BAD_SEG_HNDL;
	if (rsm_pollfd_held(&memseg->segment))
		return RSMERR_POLLFD_IN_USE;
	rsm_segment_remove(&memseg->segment);
	ret = rsm_segment_close(&memseg->segment);
	sem_destroy(&memseg->turn);
	pthread_mutex_destroy(&memseg->segment.lock);
	free(memseg);
	return ret;
}

/*
 * Another thread may have the turn until a peer answers.  Only a wait with a
 * limit is ended by every handler of a signal, as waits in the agent are.
 */
static int export_take_turn(rsm_memseg_export_handle_t export, bool wait)
{
	const struct timespec never = { .tv_sec = INT_MAX };
	int ret, state;

	if (!wait)
		return sem_trywait(&export->turn) ? RSMERR_INSUFFICIENT_RESOURCES : RSM_SUCCESS;
	/* It is a cancellation point, the call is none. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	ret = sem_clockwait(&export->turn, CLOCK_MONOTONIC, &never);
	pthread_setcancelstate(state, NULL);
	return ret ? RSMERR_INTERRUPTED : RSM_SUCCESS;
}

/*
 * 0 if it is published, RSMERR_SEG_NOT_PUBLISHED, or why the agent cannot tell.  Only
 * the agent knows: its memory or the controller may go, and processes that share it
 * by fork() change it.
 */
static int export_check(rsm_memseg_export_handle_t export)
{
	return rsmerr_of_call(rsm_segment_check(&export->segment));
}

static bool segment_id_reserved(rsm_memseg_id_t id)
{
	return id != 0 && (id < RSM_HPC_ID_BASE || id >= RSM_USER_APP_ID_BASE);
}

static int export_publish(rsm_memseg_export_handle_t export, rsm_memseg_id_t *segment_id,
			  rsmapi_access_entry_t access_list[], uint_t access_list_length)
{
	struct rsm_ioc_publish publish = {
		.identity = export->segment.identity, .segment_id = *segment_id,
	};
	int ret;

	ret = export_check(export);
	if (ret != RSMERR_SEG_NOT_PUBLISHED)
		return ret ? ret : RSMERR_SEG_ALREADY_PUBLISHED;
	if (segment_id_reserved(*segment_id))
		return RSMERR_RESERVED_SEGID;

	if (access_list_length) {
		publish.acl = (uintptr_t)access_list;
		publish.acl_len = access_list_length;
	}
	ret = rsm_device_call(export->segment.fd, RSM_IOC_PUBLISH, &publish);
	if (ret)
		return rsmerr_of_call(ret);
	if (*segment_id == 0)
		*segment_id = publish.segment_id;
	return RSM_SUCCESS;
}

int rsm_memseg_export_publish(rsm_memseg_export_handle_t memseg, rsm_memseg_id_t *segment_id,
			      rsmapi_access_entry_t access_list[], uint_t access_list_length)
{
	int ret;

	if (!segment_id)
		return RSMERR_BAD_SEGID;
	if (!export_valid(memseg))
		return RSMERR_BAD_SEG_HNDL;
	if (access_list_length && !access_list)
		return RSMERR_BAD_ACL;

	ret = export_take_turn(memseg, !memseg->dontwait);
	if (ret)
		return ret;
	ret = export_publish(memseg, segment_id, access_list, access_list_length);
	sem_post(&memseg->turn);
	return ret;
}

static int export_republish(rsm_memseg_export_handle_t export,
			    rsmapi_access_entry_t access_list[], uint_t access_list_length)
{
	struct rsm_ioc_republish republish = {
		.identity = export->segment.identity,
		.acl = access_list_length ? (uintptr_t)access_list : 0,
		.acl_len = access_list_length,
	};
	int ret;

	ret = export_check(export);
	if (ret)
		return ret;
	if (access_list_length && !access_list)
		return RSMERR_BAD_ACL;
	return rsmerr_of_call(rsm_device_call(export->segment.fd, RSM_IOC_REPUBLISH,
					      &republish));
}

int rsm_memseg_export_republish(rsm_memseg_export_handle_t memseg,
				rsmapi_access_entry_t access_list[], uint_t access_list_length)
{
	int ret;

	if (!export_valid(memseg))
		return RSMERR_BAD_SEG_HNDL;

	ret = export_take_turn(memseg, !memseg->dontwait);
	if (ret)
		return ret;
	ret = export_republish(memseg, access_list, access_list_length);
	sem_post(&memseg->turn);
	return ret;
}

/* RSMERR_POLLFD_IN_USE, or from here on nobody gets a descriptor to poll. */
static int export_begin_end(rsm_memseg_export_handle_t export)
{
	int ret = RSM_SUCCESS;

	pthread_mutex_lock(&export->segment.lock);
	if (rsm_pollfd_held(&export->segment))
		ret = RSMERR_POLLFD_IN_USE;
	else
		export->ends++;
	pthread_mutex_unlock(&export->segment.lock);
	return ret;
}

static void export_end_over(rsm_memseg_export_handle_t export)
{
	pthread_mutex_lock(&export->segment.lock);
	export->ends++;
	pthread_mutex_unlock(&export->segment.lock);
}

static int export_unpublish(rsm_memseg_export_handle_t export)
{
	struct rsm_ioc_unpublish unpublish = { .identity = export->segment.identity };
	int ret;

	ret = export_check(export);
	if (ret)
		return ret;
	ret = export_begin_end(export);
	if (ret)
		return ret;
	ret = rsm_device_call(export->segment.fd, RSM_IOC_UNPUBLISH, &unpublish);
	export_end_over(export);
	return rsmerr_of_call(ret);
}

int rsm_memseg_export_unpublish(rsm_memseg_export_handle_t memseg)
{
	int ret;

	if (!export_valid(memseg))
		return RSMERR_BAD_SEG_HNDL;

	ret = export_take_turn(memseg, true);
	if (ret)
		return ret;
	ret = export_unpublish(memseg);
	sem_post(&memseg->turn);
	return ret;
}
