// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The mapping of an import: made by rsm_memseg_import_map(), or implicitly by
 * the first transfer.  Transfers hold it while they copy (reader.h), so that an
 * unmap in another thread waits for them.
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

/* What a thread that forks meanwhile leaves to its child is in this order. */
static void mapping_changes(struct rsm_mapping *mapping, bool changing)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n(&mapping->changing, changing, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static int mapping_make_locked(rsm_memseg_import_handle_t import, void *where, int flags,
			       rsm_permission_t perm, __u64 offset, size_t length)
{
	struct rsm_mapping *mapping = &import->mapping;
	int ret, prot = PROT_NONE;
	void *address;

	if (perm & RSM_PERM_READ)
		prot |= PROT_READ;
	if (perm & RSM_PERM_WRITE)
		prot |= PROT_WRITE;
	ret = rsm_segment_identify(&import->segment);
	if (ret)
		return ret;
	address = mmap(where, length, prot, MAP_SHARED | flags, import->segment.fd, (off_t)offset);
	if (address == MAP_FAILED)
		return rsmerr_of_mmap(-errno);
	mapping_changes(mapping, true);
	mapping->offset = offset;
	mapping->length = length;
	mapping->implicit = false;
	mapping->address = address;
	/* Pairs with rsm_mapping_hold(): who sees the rights sees the rest. */
	__atomic_store_n(&mapping->rights, import->permission & perm, __ATOMIC_RELEASE);
	mapping_changes(mapping, false);
	return RSM_SUCCESS;
}

/* Transfers that begin from now on find no mapping and wait for the lock, or have ended. */
static void mapping_remove_locked(rsm_memseg_import_handle_t import)
{
	struct rsm_mapping *mapping = &import->mapping;
	void *address = mapping->address;

	mapping_changes(mapping, true);
	__atomic_store_n(&mapping->rights, 0, __ATOMIC_RELAXED);
	rsm_readers_wait(import);
	mapping->address = NULL;
	mapping_changes(mapping, false);
	munmap(address, mapping->length);
}

/*
 * In a child, whose parent may have been in the middle of making the mapping or of taking
 * it away: it has none then.
 */
void rsm_mapping_forked(rsm_memseg_import_handle_t import)
{
	struct rsm_mapping *mapping = &import->mapping;

	if (!mapping->changing)
		return;
	if (mapping->address)
		munmap(mapping->address, mapping->length);
	mapping->address = NULL;
	mapping->rights = 0;
	mapping->changing = false;
}

/*
 * For a transfer that found no mapping with the rights that it needs.  If there is
 * none: all of the segment with all rights of the connection, so that one that was
 * made to read can be read.
 */
int rsm_mapping_make_implicit(rsm_memseg_import_handle_t import, rsm_permission_t needs)
{
	struct rsm_mapping *mapping = &import->mapping;
	int ret = RSM_SUCCESS;

	pthread_mutex_lock(&import->segment.lock);
	if (mapping->address) {
		ret = needs & ~mapping->rights ? RSMERR_PERM_DENIED : RSM_SUCCESS;
	} else if (!import->permission) {
		ret = RSMERR_BAD_PERMS;
	} else if ((size_t)import->length != import->length) {
		/* As of what is just too long for the address space. */
		ret = RSMERR_INSUFFICIENT_MEM;
	} else {
		ret = mapping_make_locked(import, NULL, 0, import->permission, 0,
					  (size_t)import->length);
		if (!ret)
			mapping->implicit = true;
	}
	pthread_mutex_unlock(&import->segment.lock);
	return ret;
}

/* ---- for the end of a connection ---- */

bool rsm_mapping_explicit(rsm_memseg_import_handle_t import)
{
	bool is;

	pthread_mutex_lock(&import->segment.lock);
	is = import->mapping.address && !import->mapping.implicit;
	pthread_mutex_unlock(&import->segment.lock);
	return is;
}

void rsm_mapping_end(rsm_memseg_import_handle_t import)
{
	pthread_mutex_lock(&import->segment.lock);
	if (import->mapping.address)
		mapping_remove_locked(import);
	pthread_mutex_unlock(&import->segment.lock);
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
	ret = mapping_make_locked(import, *address, flags, perm, (__u64)offset, length);
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

	pthread_mutex_lock(&im_memseg->segment.lock);
	ret = import_map_locked(im_memseg, address, attr, perm, offset, length);
	pthread_mutex_unlock(&im_memseg->segment.lock);
	return ret;
}

int rsm_memseg_import_unmap(rsm_memseg_import_handle_t im_memseg)
{
	int ret = RSM_SUCCESS;

	if (!rsm_import_valid(im_memseg))
		return RSMERR_BAD_SEG_HNDL;

	pthread_mutex_lock(&im_memseg->segment.lock);
	if (!im_memseg->mapping.address)
		ret = RSMERR_SEG_NOT_MAPPED;
	else if (rsm_pollfd_held(&im_memseg->segment))
		ret = RSMERR_POLLFD_IN_USE;
	else
		mapping_remove_locked(im_memseg);
	pthread_mutex_unlock(&im_memseg->segment.lock);
	return ret;
}
