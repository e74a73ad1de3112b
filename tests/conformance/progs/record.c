// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Records each (function, returned code) of the RSMAPI.  The program's own
 * definition of a function comes before the library's, so it is called by
 * the tests and by the library itself; it calls the library's.  The counts are
 * in a file of the guest that all programs map: they survive whatever happens
 * to a process.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#define _GNU_SOURCE
#include "record.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rsm/rsmapi.h>

#define FILE_NAME	"/run/conformance-record"
#define CODES		135	/* 0 and all RSMERR_* */

#define CTLR	rsmapi_controller_handle_t
#define EXPORT	rsm_memseg_export_handle_t
#define IMPORT	rsm_memseg_import_handle_t
#define MOVE(name, type) \
	F(rsm_memseg_import_##name, (IMPORT im, off_t at, type *data, ulong_t n), (im, at, data, n))

#define FUNCTIONS \
	F(rsm_get_controller, (char *name, CTLR *c), (name, c)) \
	F(rsm_release_controller, (CTLR c), (c)) \
	F(rsm_get_controller_attr, (CTLR c, rsmapi_controller_attr_t *attr), (c, attr)) \
	F(rsm_memseg_export_create, (CTLR c, EXPORT *e, void *v, size_t n, uint_t flags), \
	  (c, e, v, n, flags)) \
	F(rsm_memseg_export_destroy, (EXPORT e), (e)) \
	F(rsm_memseg_export_rebind, (EXPORT e, void *v, offset_t off, size_t n), (e, v, off, n)) \
	F(rsm_memseg_export_publish, \
	  (EXPORT e, rsm_memseg_id_t *id, rsmapi_access_entry_t list[], uint_t n), \
	  (e, id, list, n)) \
	F(rsm_memseg_export_unpublish, (EXPORT e), (e)) \
	F(rsm_memseg_export_republish, (EXPORT e, rsmapi_access_entry_t list[], uint_t n), \
	  (e, list, n)) \
	F(rsm_memseg_import_connect, \
	  (CTLR c, rsm_node_id_t node, rsm_memseg_id_t id, rsm_permission_t perm, IMPORT *im), \
	  (c, node, id, perm, im)) \
	F(rsm_memseg_import_disconnect, (IMPORT im), (im)) \
	F(rsm_memseg_import_map, \
	  (IMPORT im, void **at, rsm_attribute_t attr, rsm_permission_t perm, off_t off, \
	   size_t n), (im, at, attr, perm, off, n)) \
	F(rsm_memseg_import_unmap, (IMPORT im), (im)) \
	MOVE(get8, uint8_t) MOVE(get16, uint16_t) MOVE(get32, uint32_t) MOVE(get64, uint64_t) \
	MOVE(get, void) \
	MOVE(put8, uint8_t) MOVE(put16, uint16_t) MOVE(put32, uint32_t) MOVE(put64, uint64_t) \
	MOVE(put, void) \
	F(rsm_memseg_import_putv, (rsm_scat_gath_t *sg), (sg)) \
	F(rsm_memseg_import_getv, (rsm_scat_gath_t *sg), (sg)) \
	F(rsm_memseg_import_init_barrier, \
	  (IMPORT im, rsm_barrier_type_t type, rsmapi_barrier_t *b), (im, type, b)) \
	F(rsm_memseg_import_open_barrier, (rsmapi_barrier_t *b), (b)) \
	F(rsm_memseg_import_order_barrier, (rsmapi_barrier_t *b), (b)) \
	F(rsm_memseg_import_close_barrier, (rsmapi_barrier_t *b), (b)) \
	F(rsm_memseg_import_destroy_barrier, (rsmapi_barrier_t *b), (b)) \
	F(rsm_memseg_import_get_mode, (IMPORT im, rsm_barrier_mode_t *mode), (im, mode)) \
	F(rsm_memseg_import_set_mode, (IMPORT im, rsm_barrier_mode_t mode), (im, mode)) \
	F(rsm_intr_signal_post, (void *s, uint_t flags), (s, flags)) \
	F(rsm_intr_signal_wait, (void *s, int timeout), (s, timeout)) \
	F(rsm_intr_signal_wait_pollfd, \
	  (struct pollfd fds[], nfds_t n, int timeout, int *ready), (fds, n, timeout, ready)) \
	F(rsm_memseg_get_pollfd, (void *s, struct pollfd *fd), (s, fd)) \
	F(rsm_memseg_release_pollfd, (void *s), (s)) \
	F(rsm_get_interconnect_topology, (rsm_topology_t **topology), (topology)) \
	F(rsm_create_localmemory_handle, \
	  (CTLR c, rsm_localmemory_handle_t *l, caddr_t v, size_t n), (c, l, v, n)) \
	F(rsm_free_localmemory_handle, (CTLR c, rsm_localmemory_handle_t l), (c, l)) \
	F(rsm_get_segmentid_range, (const char *app, rsm_memseg_id_t *base, uint32_t *n), \
	  (app, base, n))

enum function {
#define F(name, parameters, arguments)	at_##name,
	FUNCTIONS
#undef F
	function_count
};

static const char *const names[] = {
#define F(name, parameters, arguments)	#name,
	FUNCTIONS
#undef F
};

static struct {
#define F(name, parameters, arguments)	__typeof__(name) *name;
	FUNCTIONS
#undef F
} library;

typedef uint32_t counts_t[function_count][CODES];
static counts_t *counts;

static int seen(enum function function, int code)
{
	if (code >= 0 && code < CODES)
		__atomic_fetch_add(&(*counts)[function][code], 1, __ATOMIC_RELAXED);
	else
		fprintf(stderr, "%s returned %d, no RSMERR_*\n", names[function], code);
	return code;
}

#define F(name, parameters, arguments) \
int name parameters \
{ \
	return seen(at_##name, library.name arguments); \
}
FUNCTIONS
#undef F

static void *library_function(const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);

	if (!found) {
		fprintf(stderr, "librsm has no %s\n", name);
		exit(2);
	}
	return found;
}

__attribute__((constructor)) static void record_start(void)
{
	int fd = open(FILE_NAME, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	void *map = MAP_FAILED;

	/* For the users that tests become, whatever the umask. */
	if (fd >= 0 && (fchmod(fd, 0666) == 0 || access(FILE_NAME, W_OK) == 0) &&
	    ftruncate(fd, sizeof(counts_t)) == 0)
		map = mmap(NULL, sizeof(counts_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		perror(FILE_NAME);
		exit(2);
	}
	close(fd);
	counts = map;
#define F(name, parameters, arguments)	library.name = library_function(#name);
	FUNCTIONS
#undef F
}

void record_print(void)
{
	size_t f, code;

	for (f = 0; f < function_count; f++)
		for (code = 0; code < CODES; code++)
			if ((*counts)[f][code])
				printf("%s %zu %u\n", names[f], code, (*counts)[f][code]);
}
