// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * putv and getv: up to 16 pieces between a segment and memory that is named by
 * address or by local-memory handle, one after the other, stopping at the
 * first that fails.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "copy.h"
#include "reader.h"

struct direction {
	rsm_permission_t needs;
	rsm_copy_fn *copy;
};

static int entry_memory(const rsm_iovec_t *entry, void **memory)
{
	uintptr_t start, end;

	if (entry->io_type == RSM_HANDLE_TYPE)
		return rsm_localmemory_find(entry->local.handle, entry->local_offset,
					    entry->transfer_length, memory);
	if (!entry->local.vaddr ||
	    __builtin_add_overflow((uintptr_t)entry->local.vaddr, entry->local_offset, &start) ||
	    __builtin_add_overflow(start, entry->transfer_length, &end))
		return RSMERR_BAD_ADDR;
	*memory = (void *)start;
	return RSM_SUCCESS;
}

/* The segment is mapped and stays so. */
static int entry_transfer(rsm_memseg_import_handle_t import, const rsm_iovec_t *entry,
			  rsm_copy_fn *copy)
{
	struct rsm_barrier_span span;
	volatile void *window;
	void *memory;
	int ret;

	ret = entry_memory(entry, &memory);
	if (ret)
		return ret;
	window = rsm_mapping_at(import, entry->remote_offset, entry->transfer_length, 0);
	if (!window)
		return RSMERR_BAD_OFFSET;
	/* In either mode: what is lost already cannot even be initiated. */
	if (rsm_barrier_aborted(import))
		return RSMERR_CONN_ABORTED;
	if (__atomic_load_n(&import->mode, __ATOMIC_RELAXED) == RSM_BARRIER_MODE_EXPLICIT) {
		copy(window, memory, entry->transfer_length);
		return RSM_SUCCESS;
	}
	rsm_span_open(import, &span);
	copy(window, memory, entry->transfer_length);
	return rsm_span_close(import, &span);
}

static int vector_transfer(rsm_scat_gath_t *sg_io, const struct direction *direction)
{
	rsm_memseg_import_handle_t import;
	ulong_t i, count;
	rsm_iovec_t entry;
	int ret;

	if (!sg_io)
		return RSMERR_BAD_SGIO;
	import = sg_io->remote_handle;
	if (!rsm_import_valid(import))
		return RSMERR_BAD_SEG_HNDL;
	count = sg_io->io_request_count;
	if (count == 0 || count > RSM_MAX_SGIOREQS)
		return RSMERR_BAD_SGIO;
	sg_io->io_residual_count = count;
	if (!sg_io->iovec)
		return RSMERR_BAD_ADDR;

	ret = rsm_mapping_hold(import, direction->needs);
	if (ret)
		return ret;
	for (i = 0; i < count && !ret; i++) {
		entry = sg_io->iovec[i];	/* what is checked is what is used */
		ret = entry_transfer(import, &entry, direction->copy);
		if (!ret)
			sg_io->io_residual_count = count - i - 1;
	}
	rsm_mapping_drop();

	if (ret || !(sg_io->flags & RSM_IMPLICIT_SIGPOST))
		return ret;
	/* Whoever gets the event finds the data. */
	rsm_barrier_fence();
	return rsm_intr_signal_post(import, sg_io->flags & RSM_SIGPOST_NO_ACCUMULATE);
}

int rsm_memseg_import_putv(rsm_scat_gath_t *sg_io)
{
	static const struct direction put = { RSM_PERM_WRITE, rsm_copy_put };

	return vector_transfer(sg_io, &put);
}

int rsm_memseg_import_getv(rsm_scat_gath_t *sg_io)
{
	static const struct direction get = { RSM_PERM_READ, rsm_copy_get };

	return vector_transfer(sg_io, &get);
}
