// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The mapping of an import: made by rsm_memseg_import_map(), or implicitly by
 * the first transfer.  Transfers hold it while they copy, so that an unmap in
 * another thread waits for them.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * The kernel agent maps a segment into the adapter's window as a whole, however
 * small the part that a process maps.  So a segment larger than the window
 * cannot be used in pieces: RSMERR_INSUFFICIENT_RESOURCES.
 */
#include <errno.h>
#include <sys/mman.h>

#include "library.h"

static int mapping_make(rsm_memseg_import_handle_t import, void *where, int flags,
			rsm_permission_t perm, __u64 offset, size_t length)
{
	struct rsm_mapping *mapping = &import->mapping;
	int prot = PROT_NONE;
	void *address;

	if (perm & RSM_PERM_READ)
		prot |= PROT_READ;
	if (perm & RSM_PERM_WRITE)
		prot |= PROT_WRITE;
	address = mmap(where, length, prot, MAP_SHARED | flags, import->segment.fd, (off_t)offset);
	if (address == MAP_FAILED)
		return rsmerr_of_mmap(-errno);
	mapping->address = address;
	mapping->offset = offset;
	mapping->length = length;
	mapping->permission = perm;
	mapping->implicit = false;
	return RSM_SUCCESS;
}

static void mapping_remove(struct rsm_mapping *mapping)
{
	munmap(mapping->address, mapping->length);
	mapping->address = NULL;
}

/* ---- for transfers ---- */

/*
 * All of the segment with all rights of the connection, so that one that was
 * made to read can be read.
 */
static int mapping_make_implicit(rsm_memseg_import_handle_t import)
{
	struct rsm_mapping *mapping = &import->mapping;
	int ret = RSM_SUCCESS;

	if (!import->permission)
		return RSMERR_BAD_PERMS;
	/* As mmap() says of what is just too long. */
	if ((size_t)import->length != import->length)
		return RSMERR_BAD_LENGTH;
	pthread_rwlock_wrlock(&mapping->lock);
	if (!mapping->address) {
		ret = mapping_make(import, NULL, 0, import->permission, 0,
				   (size_t)import->length);
		if (!ret)
			mapping->implicit = true;
	}
	pthread_rwlock_unlock(&mapping->lock);
	return ret;
}

int rsm_mapping_hold(rsm_memseg_import_handle_t import, rsm_permission_t needs)
{
	struct rsm_mapping *mapping = &import->mapping;
	int ret;

	pthread_rwlock_rdlock(&mapping->lock);
	/* Between the locks another thread may unmap it again. */
	while (!mapping->address) {
		pthread_rwlock_unlock(&mapping->lock);
		ret = mapping_make_implicit(import);
		if (ret)
			return ret;
		pthread_rwlock_rdlock(&mapping->lock);
	}
	if (!(needs & ~(import->permission & mapping->permission)))
		return RSM_SUCCESS;
	pthread_rwlock_unlock(&mapping->lock);
	return RSMERR_PERM_DENIED;
}

volatile void *rsm_mapping_at(rsm_memseg_import_handle_t import, __u64 offset, size_t bytes)
{
	const struct rsm_mapping *mapping = &import->mapping;

	if (offset < mapping->offset || offset - mapping->offset > mapping->length ||
	    bytes > mapping->length - (offset - mapping->offset))
		return NULL;
	return mapping->address + (size_t)(offset - mapping->offset);
}

void rsm_mapping_drop(rsm_memseg_import_handle_t import)
{
	pthread_rwlock_unlock(&import->mapping.lock);
}

/* ---- for the end of a connection ---- */

bool rsm_mapping_explicit(rsm_memseg_import_handle_t import)
{
	bool is;

	pthread_rwlock_rdlock(&import->mapping.lock);
	is = import->mapping.address && !import->mapping.implicit;
	pthread_rwlock_unlock(&import->mapping.lock);
	return is;
}

void rsm_mapping_end(rsm_memseg_import_handle_t import)
{
	pthread_rwlock_wrlock(&import->mapping.lock);
	if (import->mapping.address)
		mapping_remove(&import->mapping);
	pthread_rwlock_unlock(&import->mapping.lock);
}

/* ---- the public calls ---- */

static int import_map_locked(rsm_memseg_import_handle_t import, void **address,
			     rsm_attribute_t attr, rsm_permission_t perm, off_t offset,
			     size_t length)
{
	int ret, flags = 0;

	if (import->mapping.address)
		return RSMERR_SEG_ALREADY_MAPPED;
	if (perm > RSM_PERM_RDWR)
		return RSMERR_BAD_PERMS;
	if (length == 0 || offset < 0 || (__u64)offset > import->length ||
	    length > import->length - (__u64)offset)
		return RSMERR_BAD_LENGTH;
	if ((__u64)offset % rsm_page_size())
		return RSMERR_BAD_MEM_ALIGNMENT;
	if (attr & RSM_MAP_FIXED) {
		if ((uintptr_t)*address % rsm_page_size())
			return RSMERR_BAD_MEM_ALIGNMENT;
		flags = MAP_FIXED;
	}
	ret = mapping_make(import, *address, flags, perm, (__u64)offset, length);
	if (!ret)
		*address = import->mapping.address;
	return ret;
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
	if (!rsm_import_valid(im_memseg))
		return RSMERR_BAD_SEG_HNDL;

	pthread_rwlock_wrlock(&im_memseg->mapping.lock);
	ret = import_map_locked(im_memseg, address, attr, perm, offset, length);
	pthread_rwlock_unlock(&im_memseg->mapping.lock);
	return ret;
}

int rsm_memseg_import_unmap(rsm_memseg_import_handle_t im_memseg)
{
	int ret = RSM_SUCCESS;

	if (!rsm_import_valid(im_memseg))
		return RSMERR_BAD_SEG_HNDL;

	pthread_rwlock_wrlock(&im_memseg->mapping.lock);
	if (!im_memseg->mapping.address)
		ret = RSMERR_SEG_NOT_MAPPED;
	else if (rsm_pollfd_held(&im_memseg->segment))
		ret = RSMERR_POLLFD_IN_USE;
	else
		mapping_remove(&im_memseg->mapping);
	pthread_rwlock_unlock(&im_memseg->mapping.lock);
	return ret;
}
