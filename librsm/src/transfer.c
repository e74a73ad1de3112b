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
#include "reader.h"

struct transfer {
	rsm_permission_t needs;
	unsigned int shift;	/* an element has 1 << shift bytes */
	rsm_copy_fn *copy;
	rsm_copy_fn *swapped;	/* for an exporter of the other byte order */
};

static void transfer_copy(rsm_memseg_import_handle_t import, const struct transfer *kind,
			  volatile void *window, void *memory, size_t count)
{
	if (import->swap)
		kind->swapped(window, memory, count);
	else
		kind->copy(window, memory, count);
}

/* The segment is mapped and stays so. */
static int transfer_held(rsm_memseg_import_handle_t import, const struct transfer *kind,
			 off_t offset, void *memory, size_t count)
{
	struct rsm_barrier_span span;
	volatile void *window;

	window = rsm_mapping_at(import, (__u64)offset, count, kind->shift);
	if (!window)
		return RSMERR_BAD_OFFSET;
	if (__atomic_load_n(&import->mode, __ATOMIC_RELAXED) == RSM_BARRIER_MODE_EXPLICIT) {
		transfer_copy(import, kind, window, memory, count);
		return RSM_SUCCESS;
	}
	if (!__atomic_load_n(&import->barriers, __ATOMIC_RELAXED))
		return RSMERR_BARRIER_UNINITIALIZED;
	rsm_span_open(import, &span);
	transfer_copy(import, kind, window, memory, count);
	return rsm_span_close(import, &span);
}

/* All cases, and what is wrong with the arguments, in the order of the manual pages. */
static __attribute__((noinline)) int transfer_any(rsm_memseg_import_handle_t import,
						  const struct transfer *kind, off_t offset,
						  void *memory, size_t count)
{
	uintptr_t places = (uintptr_t)memory | (uintptr_t)offset;
	int ret;

	if (!import)
		return RSMERR_BAD_SEG_HNDL;
	if (!memory)
		return RSMERR_BAD_ADDR;
	if (places % (1u << kind->shift))
		return RSMERR_BAD_MEM_ALIGNMENT;
	if (!rsm_import_valid(import))
		return RSMERR_BAD_SEG_HNDL;
	ret = rsm_mapping_hold(import, kind->needs);
	if (ret)
		return ret;
	ret = transfer_held(import, kind, offset, memory, count);
	rsm_mapping_drop();
	return ret;
}

/*
 * The case that has to be fast, in line for each kind, so that nothing of @kind is looked up
 * at run time: the segment is mapped, and nothing has happened.  Whatever else it is,
 * nothing was copied, and transfer_any() is for it; no register is saved for its sake.
 */
static inline __attribute__((always_inline)) int transfer(rsm_memseg_import_handle_t import,
							  const struct transfer *kind,
							  off_t offset, void *memory, size_t count)
{
	uintptr_t places = (uintptr_t)memory | (uintptr_t)offset;
	struct rsm_barrier_span span;
	volatile void *window;
	int ret = RSM_SUCCESS;

	if (RSM_UNLIKELY(!import | !memory | !!(places % (1u << kind->shift))))
		return transfer_any(import, kind, offset, memory, count);
	if (RSM_UNLIKELY(!rsm_import_valid(import) || import->swap | !rsm_reader_room()))
		return transfer_any(import, kind, offset, memory, count);

	rsm_reader_note(import);
	window = rsm_mapping_ready(import, kind->needs) ?
		 rsm_mapping_at(import, (__u64)offset, count, kind->shift) : NULL;
	if (RSM_UNLIKELY(!window)) {
		rsm_reader_leave();
		return transfer_any(import, kind, offset, memory, count);
	}
	if (__atomic_load_n(&import->mode, __ATOMIC_RELAXED) == RSM_BARRIER_MODE_EXPLICIT) {
		kind->copy(window, memory, count);
	} else if (RSM_LIKELY(__atomic_load_n(&import->barriers, __ATOMIC_RELAXED))) {
		rsm_span_open(import, &span);
		kind->copy(window, memory, count);
		ret = rsm_span_close(import, &span);
	} else {
		ret = RSMERR_BARRIER_UNINITIALIZED;
	}
	rsm_reader_leave();
	return ret;
}

int rsm_memseg_import_get8(rsm_memseg_import_handle_t im_memseg, off_t offset, uint8_t *datap,
			   ulong_t rep_cnt)
{
	static const struct transfer kind = {
		RSM_PERM_READ, 0, rsm_copy_get8, rsm_copy_get8,
	};

	return transfer(im_memseg, &kind, offset, datap, rep_cnt);
}

int rsm_memseg_import_get16(rsm_memseg_import_handle_t im_memseg, off_t offset, uint16_t *datap,
			    ulong_t rep_cnt)
{
	static const struct transfer kind = {
		RSM_PERM_READ, 1, rsm_copy_get16, rsm_copy_get16_swapped,
	};

	return transfer(im_memseg, &kind, offset, datap, rep_cnt);
}

int rsm_memseg_import_get32(rsm_memseg_import_handle_t im_memseg, off_t offset, uint32_t *datap,
			    ulong_t rep_cnt)
{
	static const struct transfer kind = {
		RSM_PERM_READ, 2, rsm_copy_get32, rsm_copy_get32_swapped,
	};

	return transfer(im_memseg, &kind, offset, datap, rep_cnt);
}

int rsm_memseg_import_get64(rsm_memseg_import_handle_t im_memseg, off_t offset, uint64_t *datap,
			    ulong_t rep_cnt)
{
	static const struct transfer kind = {
		RSM_PERM_READ, 3, rsm_copy_get64, rsm_copy_get64_swapped,
	};

	return transfer(im_memseg, &kind, offset, datap, rep_cnt);
}

int rsm_memseg_import_get(rsm_memseg_import_handle_t im_memseg, off_t offset, void *dst_addr,
			  size_t length)
{
	static const struct transfer kind = { RSM_PERM_READ, 0, rsm_copy_get, rsm_copy_get };

	return transfer(im_memseg, &kind, offset, dst_addr, length);
}

int rsm_memseg_import_put8(rsm_memseg_import_handle_t im_memseg, off_t offset, uint8_t *datap,
			   ulong_t rep_cnt)
{
	static const struct transfer kind = {
		RSM_PERM_WRITE, 0, rsm_copy_put8, rsm_copy_put8,
	};

	return transfer(im_memseg, &kind, offset, datap, rep_cnt);
}

int rsm_memseg_import_put16(rsm_memseg_import_handle_t im_memseg, off_t offset, uint16_t *datap,
			    ulong_t rep_cnt)
{
	static const struct transfer kind = {
		RSM_PERM_WRITE, 1, rsm_copy_put16, rsm_copy_put16_swapped,
	};

	return transfer(im_memseg, &kind, offset, datap, rep_cnt);
}

int rsm_memseg_import_put32(rsm_memseg_import_handle_t im_memseg, off_t offset, uint32_t *datap,
			    ulong_t rep_cnt)
{
	static const struct transfer kind = {
		RSM_PERM_WRITE, 2, rsm_copy_put32, rsm_copy_put32_swapped,
	};

	return transfer(im_memseg, &kind, offset, datap, rep_cnt);
}

int rsm_memseg_import_put64(rsm_memseg_import_handle_t im_memseg, off_t offset, uint64_t *datap,
			    ulong_t rep_cnt)
{
	static const struct transfer kind = {
		RSM_PERM_WRITE, 3, rsm_copy_put64, rsm_copy_put64_swapped,
	};

	return transfer(im_memseg, &kind, offset, datap, rep_cnt);
}

int rsm_memseg_import_put(rsm_memseg_import_handle_t im_memseg, off_t offset, void *src_addr,
			  size_t length)
{
	static const struct transfer kind = { RSM_PERM_WRITE, 0, rsm_copy_put, rsm_copy_put };

	return transfer(im_memseg, &kind, offset, src_addr, length);
}
