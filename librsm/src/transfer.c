// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * put and get: check, copy, and in implicit mode make a barrier span of it.
 * Once the segment is mapped nothing here makes a system call.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * An implicit span is the thread's own, so that transfers of several threads,
 * and barriers that the program has open, do not disturb each other.
 */
#include "copy.h"
#include "library.h"

struct transfer {
	rsm_permission_t needs;
	size_t width;		/* bytes of an element */
	rsm_copy_fn *copy;
	rsm_copy_fn *swapped;	/* for an exporter of the other byte order */
};

/* The segment is mapped and stays so. */
static int transfer_held(rsm_memseg_import_handle_t import, const struct transfer *kind,
			 off_t offset, void *memory, size_t count)
{
	rsm_copy_fn *copy = import->swap ? kind->swapped : kind->copy;
	struct rsm_barrier_span span;
	volatile void *window;
	size_t bytes;

	if (offset < 0 || __builtin_mul_overflow(count, kind->width, &bytes))
		return RSMERR_BAD_OFFSET;
	window = rsm_mapping_at(import, (__u64)offset, bytes);
	if (!window)
		return RSMERR_BAD_OFFSET;
	if (__atomic_load_n(&import->mode, __ATOMIC_RELAXED) == RSM_BARRIER_MODE_EXPLICIT) {
		copy(window, memory, count);
		return RSM_SUCCESS;
	}
	if (!__atomic_load_n(&import->spans, __ATOMIC_RELAXED))
		return RSMERR_BARRIER_UNINITIALIZED;
	rsm_span_open(import, &span);
	copy(window, memory, count);
	return rsm_span_close(import, &span);
}

static int transfer(rsm_memseg_import_handle_t import, const struct transfer *kind, off_t offset,
		    void *memory, size_t count)
{
	int ret;

	if (!import)
		return RSMERR_BAD_SEG_HNDL;
	if (!memory)
		return RSMERR_BAD_ADDR;
	if ((uintptr_t)memory % kind->width || offset % (off_t)kind->width)
		return RSMERR_BAD_MEM_ALIGNMENT;
	if (!rsm_import_valid(import))
		return RSMERR_BAD_SEG_HNDL;
	ret = rsm_mapping_hold(import, kind->needs);
	if (ret)
		return ret;
	ret = transfer_held(import, kind, offset, memory, count);
	rsm_mapping_drop(import);
	return ret;
}

int rsm_memseg_import_get8(rsm_memseg_import_handle_t im_memseg, off_t offset, uint8_t *datap,
			   ulong_t rep_cnt)
{
	static const struct transfer kind = {
		RSM_PERM_READ, sizeof(*datap), rsm_copy_get8, rsm_copy_get8,
	};

	return transfer(im_memseg, &kind, offset, datap, rep_cnt);
}

int rsm_memseg_import_get16(rsm_memseg_import_handle_t im_memseg, off_t offset, uint16_t *datap,
			    ulong_t rep_cnt)
{
	static const struct transfer kind = {
		RSM_PERM_READ, sizeof(*datap), rsm_copy_get16, rsm_copy_get16_swapped,
	};

	return transfer(im_memseg, &kind, offset, datap, rep_cnt);
}

int rsm_memseg_import_get32(rsm_memseg_import_handle_t im_memseg, off_t offset, uint32_t *datap,
			    ulong_t rep_cnt)
{
	static const struct transfer kind = {
		RSM_PERM_READ, sizeof(*datap), rsm_copy_get32, rsm_copy_get32_swapped,
	};

	return transfer(im_memseg, &kind, offset, datap, rep_cnt);
}

int rsm_memseg_import_get64(rsm_memseg_import_handle_t im_memseg, off_t offset, uint64_t *datap,
			    ulong_t rep_cnt)
{
	static const struct transfer kind = {
		RSM_PERM_READ, sizeof(*datap), rsm_copy_get64, rsm_copy_get64_swapped,
	};

	return transfer(im_memseg, &kind, offset, datap, rep_cnt);
}

int rsm_memseg_import_get(rsm_memseg_import_handle_t im_memseg, off_t offset, void *dst_addr,
			  size_t length)
{
	static const struct transfer kind = { RSM_PERM_READ, 1, rsm_copy_get, rsm_copy_get };

	return transfer(im_memseg, &kind, offset, dst_addr, length);
}

int rsm_memseg_import_put8(rsm_memseg_import_handle_t im_memseg, off_t offset, uint8_t *datap,
			   ulong_t rep_cnt)
{
	static const struct transfer kind = {
		RSM_PERM_WRITE, sizeof(*datap), rsm_copy_put8, rsm_copy_put8,
	};

	return transfer(im_memseg, &kind, offset, datap, rep_cnt);
}

int rsm_memseg_import_put16(rsm_memseg_import_handle_t im_memseg, off_t offset, uint16_t *datap,
			    ulong_t rep_cnt)
{
	static const struct transfer kind = {
		RSM_PERM_WRITE, sizeof(*datap), rsm_copy_put16, rsm_copy_put16_swapped,
	};

	return transfer(im_memseg, &kind, offset, datap, rep_cnt);
}

int rsm_memseg_import_put32(rsm_memseg_import_handle_t im_memseg, off_t offset, uint32_t *datap,
			    ulong_t rep_cnt)
{
	static const struct transfer kind = {
		RSM_PERM_WRITE, sizeof(*datap), rsm_copy_put32, rsm_copy_put32_swapped,
	};

	return transfer(im_memseg, &kind, offset, datap, rep_cnt);
}

int rsm_memseg_import_put64(rsm_memseg_import_handle_t im_memseg, off_t offset, uint64_t *datap,
			    ulong_t rep_cnt)
{
	static const struct transfer kind = {
		RSM_PERM_WRITE, sizeof(*datap), rsm_copy_put64, rsm_copy_put64_swapped,
	};

	return transfer(im_memseg, &kind, offset, datap, rep_cnt);
}

int rsm_memseg_import_put(rsm_memseg_import_handle_t im_memseg, off_t offset, void *src_addr,
			  size_t length)
{
	static const struct transfer kind = { RSM_PERM_WRITE, 1, rsm_copy_put, rsm_copy_put };

	return transfer(im_memseg, &kind, offset, src_addr, length);
}
