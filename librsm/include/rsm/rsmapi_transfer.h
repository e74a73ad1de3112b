/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The part of the RSMAPI that moves data: barriers, put and get, vectors and
 * local-memory handles.  Included by <rsm/rsmapi.h>, which says what holds for
 * all functions.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#ifndef RSM_RSMAPI_TRANSFER_H
#define RSM_RSMAPI_TRANSFER_H

#include <rsm/rsm_common.h>
#include <rsm/rsmapi_common.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * ---- Barriers (Guide: Barrier Operations) ----
 *
 * A successful close says that every load and store to the segment since open
 * was completed; after an error redo all of it.  On a healthy connection
 * open, order and close make no system call.
 */

/*
 * Attach a barrier to an import.  @type is not examined: all barriers span one
 * segment.
 *
 * BAD_SEG_HNDL @im_memseg is NULL or no import; BAD_BARRIER_PTR @barrier is
 * NULL; INSUFFICIENT_MEM.
 */
int rsm_memseg_import_init_barrier(rsm_memseg_import_handle_t im_memseg,
				   rsm_barrier_type_t type,
				   rsmapi_barrier_t *barrier);

/*
 * Begin a span; an open barrier begins a new one.  A connection that has
 * ended is reported by order and close, not here.
 *
 * BAD_BARRIER_PTR @barrier is NULL; BARRIER_UNINITIALIZED.
 */
int rsm_memseg_import_open_barrier(rsmapi_barrier_t *barrier);

/*
 * All accesses of the span so far complete before those that follow.  The
 * span stays open.
 *
 * BAD_BARRIER_PTR @barrier is NULL; BARRIER_UNINITIALIZED; CONN_ABORTED the
 * connection has ended; BARRIER_NOT_OPENED; BARRIER_FAILURE an access of the
 * span failed.
 */
int rsm_memseg_import_order_barrier(rsmapi_barrier_t *barrier);

/*
 * End the span, whatever the result, and tell whether it was good.  What was
 * stored is visible to the exporter before anything done afterwards.
 *
 * Errors as rsm_memseg_import_order_barrier().
 */
int rsm_memseg_import_close_barrier(rsmapi_barrier_t *barrier);

/*
 * Detach the barrier from its import, before that is disconnected.
 *
 * BAD_BARRIER_PTR @barrier is NULL; BARRIER_UNINITIALIZED, also if it was
 * destroyed already.
 */
int rsm_memseg_import_destroy_barrier(rsmapi_barrier_t *barrier);

/*
 * Whether put, get, putv and getv make a barrier span of themselves: implicit
 * (the default) or explicit.  Loads and stores through a mapping never do.
 *
 * BAD_SEG_HNDL @im_memseg is NULL or no import; BAD_MODE.
 */
int rsm_memseg_import_set_mode(rsm_memseg_import_handle_t im_memseg, rsm_barrier_mode_t mode);

/* BAD_SEG_HNDL @im_memseg is NULL or no import; BAD_ADDR @mode is NULL. */
int rsm_memseg_import_get_mode(rsm_memseg_import_handle_t im_memseg, rsm_barrier_mode_t *mode);

/*
 * ---- put and get (Guide: Import-Side Memory Segment Operations) ----
 *
 * Copy to or from a segment.  @offset is in bytes from the start of the segment,
 * @rep_cnt counts elements.  A segment that is not mapped is mapped as a whole,
 * until rsm_memseg_import_unmap() or the end of the connection; one that is
 * mapped can be reached only within the mapping.
 *
 * The segment is accessed element by element in ascending order, no element in
 * parts; its bytes are swapped if the exporter's byte order differs from the
 * importer's.  rsm_memseg_import_put() and _get() have no alignment rule and
 * swap nothing.  After the first one on a healthy connection they make no system
 * call.
 *
 * In implicit mode (rsm_memseg_import_set_mode()) a barrier must have been
 * initialized for @im_memseg, and success means that the copy was good.  In
 * explicit mode only a barrier of the program tells.
 *
 * BAD_SEG_HNDL @im_memseg is NULL; BAD_ADDR the data pointer is NULL;
 * BAD_MEM_ALIGNMENT the data pointer or @offset is no multiple of the element's
 * size; BAD_SEG_HNDL no import; when it must be mapped: BAD_PERMS the connection
 * has no rights or fewer than were asked for, BAD_LENGTH no address space is
 * left, CONN_ABORTED, INSUFFICIENT_RESOURCES, MAP_FAILED; PERM_DENIED connected
 * or mapped without RSM_PERM_READ (get) or RSM_PERM_WRITE (put); BAD_OFFSET
 * beyond the segment or the mapping; in implicit mode: BARRIER_UNINITIALIZED,
 * CONN_ABORTED the connection has ended, BARRIER_FAILURE an access failed.
 */
int rsm_memseg_import_get8(rsm_memseg_import_handle_t im_memseg, off_t offset,
			   uint8_t *datap, ulong_t rep_cnt);
int rsm_memseg_import_get16(rsm_memseg_import_handle_t im_memseg, off_t offset,
			    uint16_t *datap, ulong_t rep_cnt);
int rsm_memseg_import_get32(rsm_memseg_import_handle_t im_memseg, off_t offset,
			    uint32_t *datap, ulong_t rep_cnt);
int rsm_memseg_import_get64(rsm_memseg_import_handle_t im_memseg, off_t offset,
			    uint64_t *datap, ulong_t rep_cnt);
int rsm_memseg_import_get(rsm_memseg_import_handle_t im_memseg, off_t offset,
			  void *dst_addr, size_t length);
int rsm_memseg_import_put8(rsm_memseg_import_handle_t im_memseg, off_t offset,
			   uint8_t *datap, ulong_t rep_cnt);
int rsm_memseg_import_put16(rsm_memseg_import_handle_t im_memseg, off_t offset,
			    uint16_t *datap, ulong_t rep_cnt);
int rsm_memseg_import_put32(rsm_memseg_import_handle_t im_memseg, off_t offset,
			    uint32_t *datap, ulong_t rep_cnt);
int rsm_memseg_import_put64(rsm_memseg_import_handle_t im_memseg, off_t offset,
			    uint64_t *datap, ulong_t rep_cnt);
int rsm_memseg_import_put(rsm_memseg_import_handle_t im_memseg, off_t offset,
			  void *src_addr, size_t length);

/* ---- Vectors (Guide: Scatter-Gather Access) ---- */

/*
 * Copy up to RSM_MAX_SGIOREQS pieces in the order of @sg_io->iovec, stopping at
 * the first that fails; io_residual_count tells how many were not done.  In
 * implicit mode each piece is a barrier span of its own, without a barrier of
 * the program.  With RSM_IMPLICIT_SIGPOST success posts an event as
 * rsm_intr_signal_post() does, whose result is then that of the call.  An
 * io_type other than RSM_HANDLE_TYPE means an address.
 *
 * BAD_SGIO @sg_io is NULL; BAD_SEG_HNDL remote_handle is NULL or no import;
 * BAD_SGIO io_request_count; BAD_ADDR iovec is NULL; when it must be mapped, and
 * PERM_DENIED, as for put and get; of a piece: BAD_SGIO a handle that this
 * process does not have, BAD_ADDR no address, BAD_OFFSET beyond the handle, the
 * segment or its mapping, CONN_ABORTED, BARRIER_FAILURE; of the event:
 * REMOTE_NODE_UNREACHABLE, CONN_ABORTED, INTERRUPTED.
 */
int rsm_memseg_import_putv(rsm_scat_gath_t *sg_io);
int rsm_memseg_import_getv(rsm_scat_gath_t *sg_io);

/*
 * Pin [@local_vaddr, @local_vaddr + @length), in whole pages, for use in vectors,
 * best in many of them.  @local_vaddr is a multiple of the system's page size.
 * The handle takes a descriptor, a segment and a generated segment id that
 * nobody can import; it is of use to this process only, not to children.
 * *@l_handle is NULL after a failure.
 *
 * BAD_ADDR @local_vaddr is not aligned; BAD_CTLR_HNDL @handle is NULL or not
 * open; BAD_LOCALMEM_HNDL @l_handle is NULL; BAD_LENGTH @length is 0 or too
 * large; then the codes of rsm_memseg_export_create() and
 * rsm_memseg_export_publish().
 */
int rsm_create_localmemory_handle(rsmapi_controller_handle_t handle,
				  rsm_localmemory_handle_t *l_handle,
				  char *local_vaddr, size_t length);

/*
 * Unpin the memory.
 *
 * BAD_CTLR_HNDL @handle is NULL or not open; BAD_LOCALMEM_HNDL @l_handle is NULL
 * or none of this process.
 */
int rsm_free_localmemory_handle(rsmapi_controller_handle_t handle,
				rsm_localmemory_handle_t l_handle);

#ifdef __cplusplus
}
#endif

#endif /* RSM_RSMAPI_TRANSFER_H */
