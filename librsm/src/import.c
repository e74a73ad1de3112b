// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The importer's side of a segment: connect and disconnect.  Connect also lays
 * out what barriers watch: the generation word of the segment and
 * the state of the path to the exporter.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "library.h"
#include "span.h"

#define BIG_ENDIAN_HERE	(__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)

/* Of an exporter on this machine, to which there is no path. */
static const struct rsm_path_state no_path;

/*
 * Map the path state.  The check comes after the first reading of the counts:
 * a revocation that they already include must not pass for an old one.
 */
static int import_watch_path(rsm_memseg_import_handle_t import, int fd,
			     const struct rsm_ioc_connect *connect)
{
	struct rsm_path_link now;
	void *page;

	if (connect->path_offset % _Alignof(struct rsm_path_state) ||
	    connect->path_offset > rsm_page_size() - sizeof(struct rsm_path_state))
		return RSMERR_INTERNAL_ERROR;
	page = mmap(NULL, rsm_page_size(), PROT_READ, MAP_SHARED, fd, (off_t)RSM_MMAP_STATUS);
	if (page == MAP_FAILED)
		return rsmerr_of_status(-errno);

	import->status_page = page;
	import->path = (const void *)((const char *)page + connect->path_offset);
	rsm_import_path_read(import, &now);
	import->good_changes = connect->path_changes;
	import->good_revokes = now.revokes;
	return rsmerr_of_call(rsm_segment_check(&import->segment));
}

static int import_open(rsm_memseg_import_handle_t import, struct rsm_ioc_connect *connect)
{
	int fd = import->segment.fd;
	int ret;

	ret = rsm_device_call(fd, RSM_IOC_CONNECT, connect);
	if (ret)
		return rsmerr_of_call(ret);

	import->segment.identity = connect->identity;
	import->length = connect->length;
	import->posts = connect->attributes & RSM_CONNECT_EVENTS;
	import->swap = !!(connect->attributes & RSM_CONNECT_BIG_ENDIAN) != BIG_ENDIAN_HERE;
	import->generation = (__u16)connect->generation;
	import->generation_word = rsm_device_generation(connect->segment);
	if (!import->generation_word)
		return RSMERR_INTERNAL_ERROR;
	if (connect->attributes & RSM_CONNECT_PATH)
		return import_watch_path(import, fd, connect);
	return RSM_SUCCESS;
}

/* All but the descriptor. */
static void import_free(rsm_memseg_import_handle_t import)
{
	if (import->events)
		munmap(import->events, rsm_page_size());
	if (import->status_page)
		munmap(import->status_page, rsm_page_size());
	pthread_mutex_destroy(&import->segment.lock);
	free(import);
}

int rsm_memseg_import_connect(rsmapi_controller_handle_t controller, rsm_node_id_t node_id,
			      rsm_memseg_id_t segment_id, rsm_permission_t perm,
			      rsm_memseg_import_handle_t *im_memseg)
{
	struct rsm_ioc_connect connect = {
		.node = node_id, .segment_id = segment_id, .permission = perm,
	};
	rsm_memseg_import_handle_t import;
	struct rsm_controller ctlr;
	int ret;

	if (!rsm_controller_find(controller, &ctlr))
		return RSMERR_BAD_CTLR_HNDL;
	if (!im_memseg)
		return RSMERR_BAD_SEG_HNDL;
	*im_memseg = NULL;
	if (perm & ~(rsm_permission_t)RSM_PERM_RDWR)
		return RSMERR_PERM_DENIED;

	import = calloc(1, sizeof(*import));
	if (!import)
		return RSMERR_INSUFFICIENT_MEM;
	pthread_mutex_init(&import->segment.lock, NULL);
	import->segment.kind = RSM_SEGMENT_IMPORT;
	import->path = &no_path;
	import->mode = RSM_BARRIER_MODE_IMPLICIT;
	import->permission = perm;
	import->segment.fd = rsm_device_open_segment();
	if (import->segment.fd < 0) {
		ret = rsmerr_of_open(import->segment.fd);
		import_free(import);
		return ret;
	}
	memcpy(connect.controller, ctlr.name, sizeof(connect.controller));
	ret = import_open(import, &connect);
	if (ret) {
		rsm_device_close(import->segment.fd);
		import_free(import);
		return ret;
	}
	rsm_segment_add(&import->segment);
	*im_memseg = import;
	return RSM_SUCCESS;
}

int rsm_memseg_import_disconnect(rsm_memseg_import_handle_t im_memseg)
{
	int ret;

	if (!rsm_import_valid(im_memseg))
		return RSMERR_BAD_SEG_HNDL;
	if (rsm_mapping_explicit(im_memseg))
		return RSMERR_SEG_STILL_MAPPED;
	if (rsm_pollfd_held(&im_memseg->segment))
		return RSMERR_POLLFD_IN_USE;
	rsm_mapping_end(im_memseg);
	rsm_barriers_end(im_memseg);
	rsm_segment_remove(&im_memseg->segment);
	ret = rsm_segment_close(&im_memseg->segment);
	import_free(im_memseg);
	return ret;
}
