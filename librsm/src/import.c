// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The importer's side of a segment: connect, map, unmap, disconnect.  Connect
 * also lays out what barriers watch: the generation word of the segment and
 * the state of the path to the exporter.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "library.h"

static bool import_valid(rsm_memseg_import_handle_t import)
{
	return import && import->segment.kind == RSM_SEGMENT_IMPORT;
}

int rsm_import_check(rsm_memseg_import_handle_t import)
{
	struct rsm_ioc_check check = { 0 };

	return rsm_device_call(import->segment.fd, RSM_IOC_CHECK, &check);
}

void rsm_import_path_read(rsm_memseg_import_handle_t import, struct rsm_path_state *now)
{
	now->changes = __atomic_load_n(&import->path->changes, __ATOMIC_RELAXED);
	now->errors = __atomic_load_n(&import->path->errors, __ATOMIC_RELAXED);
	now->revokes = __atomic_load_n(&import->path->revokes, __ATOMIC_RELAXED);
}

/*
 * Map the path state.  The check comes after the first reading of the counts:
 * a revocation that they already include must not pass for an old one.
 */
static int import_watch_path(rsm_memseg_import_handle_t import, int fd,
			     const struct rsm_ioc_connect *connect)
{
	struct rsm_path_state now;
	void *page;

	if (connect->path_offset % _Alignof(struct rsm_path_state) ||
	    connect->path_offset > rsm_page_size() - sizeof(struct rsm_path_state))
		return RSMERR_INTERNAL_ERROR;
	page = mmap(NULL, rsm_page_size(), PROT_READ, MAP_SHARED, fd, (off_t)RSM_MMAP_STATUS);
	if (page == MAP_FAILED)
		return rsmerr_of_mmap(-errno);

	import->status_page = page;
	import->path = (const void *)((const char *)page + connect->path_offset);
	rsm_import_path_read(import, &now);
	import->good_changes = connect->path_changes;
	import->good_revokes = now.revokes;
	return rsmerr_of_call(rsm_import_check(import));
}

static int import_open(rsm_memseg_import_handle_t import, struct rsm_ioc_connect *connect)
{
	int fd = import->segment.fd;
	int ret;

	ret = rsm_device_call(fd, RSM_IOC_CONNECT, connect);
	if (ret)
		return rsmerr_of_call(ret);

	import->length = connect->length;
	import->generation = (__u16)connect->generation;
	import->generation_word = rsm_device_generation(connect->segment);
	if (!import->generation_word)
		return RSMERR_INTERNAL_ERROR;
	if (connect->attributes & RSM_CONNECT_PATH)
		return import_watch_path(import, fd, connect);
	return RSM_SUCCESS;
}

static void import_free(rsm_memseg_import_handle_t import)
{
	struct rsm_barrier_span *span;

	while ((span = import->spans)) {
		import->spans = span->next;
		free(span);
	}
	if (import->status_page)
		munmap(import->status_page, rsm_page_size());
	if (import->segment.fd >= 0)
		close(import->segment.fd);
	pthread_mutex_destroy(&import->segment.lock);
	free(import);
}

int rsm_memseg_import_connect(rsmapi_controller_handle_t controller, rsm_node_id_t node_id,
			      rsm_memseg_id_t segment_id, rsm_permission_t perm,
			      rsm_memseg_import_handle_t *im_memseg)
{
	struct rsm_ioc_connect connect = {
		.node = node_id, .key = segment_id, .permission = perm,
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
	import->segment.fd = rsm_device_open_segment();
	if (import->segment.fd < 0) {
		ret = rsmerr_of_open(import->segment.fd);
	} else {
		memcpy(connect.controller, ctlr.name, sizeof(connect.controller));
		ret = import_open(import, &connect);
	}
	if (ret) {
		import_free(import);
		return ret;
	}
	*im_memseg = import;
	return RSM_SUCCESS;
}

int rsm_memseg_import_disconnect(rsm_memseg_import_handle_t im_memseg)
{
	bool mapped;

	if (!import_valid(im_memseg))
		return RSMERR_BAD_SEG_HNDL;

	pthread_mutex_lock(&im_memseg->segment.lock);
	mapped = im_memseg->mapping;
	pthread_mutex_unlock(&im_memseg->segment.lock);
	if (mapped)
		return RSMERR_SEG_STILL_MAPPED;
	import_free(im_memseg);
	return RSM_SUCCESS;
}

static int import_map_locked(rsm_memseg_import_handle_t import, void **address,
			     rsm_attribute_t attr, rsm_permission_t perm, off_t offset,
			     size_t length)
{
	int flags = MAP_SHARED, prot = PROT_NONE;
	void *mapping;

	if (import->mapping)
		return RSMERR_SEG_ALREADY_MAPPED;
	if (perm > RSM_PERM_RDWR)
		return RSMERR_BAD_PERMS;
	if (length == 0 || offset < 0 || (size_t)offset > import->length ||
	    length > import->length - (size_t)offset)
		return RSMERR_BAD_LENGTH;
	if ((size_t)offset % rsm_page_size())
		return RSMERR_BAD_MEM_ALIGNMENT;
	if (attr & RSM_MAP_FIXED) {
		if ((uintptr_t)*address % rsm_page_size())
			return RSMERR_BAD_MEM_ALIGNMENT;
		flags |= MAP_FIXED;
	}

	if (perm & RSM_PERM_READ)
		prot |= PROT_READ;
	if (perm & RSM_PERM_WRITE)
		prot |= PROT_WRITE;
	mapping = mmap(*address, length, prot, flags, import->segment.fd, offset);
	if (mapping == MAP_FAILED)
		return rsmerr_of_mmap(-errno);
	import->mapping = mapping;
	import->mapping_length = length;
	*address = mapping;
	return RSM_SUCCESS;
}

int rsm_memseg_import_map(rsm_memseg_import_handle_t im_memseg, void **address,
			  rsm_attribute_t attr, rsm_permission_t perm, off_t offset,
			  size_t length)
{
	int ret;

	if (!im_memseg)
		return RSMERR_BAD_SEG_HNDL;
	if (!address)
		return RSMERR_BAD_ADDR;
	if (!import_valid(im_memseg))
		return RSMERR_BAD_SEG_HNDL;

	pthread_mutex_lock(&im_memseg->segment.lock);
	ret = import_map_locked(im_memseg, address, attr, perm, offset, length);
	pthread_mutex_unlock(&im_memseg->segment.lock);
	return ret;
}

int rsm_memseg_import_unmap(rsm_memseg_import_handle_t im_memseg)
{
	int ret = RSM_SUCCESS;

	if (!import_valid(im_memseg))
		return RSMERR_BAD_SEG_HNDL;

	pthread_mutex_lock(&im_memseg->segment.lock);
	if (im_memseg->mapping) {
		munmap(im_memseg->mapping, im_memseg->mapping_length);
		im_memseg->mapping = NULL;
	} else {
		ret = RSMERR_SEG_NOT_MAPPED;
	}
	pthread_mutex_unlock(&im_memseg->segment.lock);
	return ret;
}
