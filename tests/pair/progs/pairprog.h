/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the guest programs of the pair suite share: time with deadlines, an
 * end with a message, and connecting to a segment that may not be there yet.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#ifndef PAIRPROG_H
#define PAIRPROG_H

#include <stddef.h>
#include <stdint.h>
#include <rsm/rsmapi.h>

#define PAIR_CONTROLLER	"sci0"

uint64_t pair_now_ms(void);
uint64_t pair_now_ns(void);

/* From the least to the greatest, for medians and percentiles. */
void pair_sort(double *values, size_t count);

/* Print to stderr and exit with 2: the program could not do its job. */
void pair_die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

rsmapi_controller_handle_t pair_controller(void);

/* Have room for @count descriptors, one per segment, and some; or die. */
void pair_descriptors(unsigned long count);

/* Page-aligned zeroed memory of its own mapping. */
void *pair_memory(size_t bytes);

/* Create and publish to all nodes, or die. */
rsm_memseg_export_handle_t pair_export(rsmapi_controller_handle_t ctrl, void *mem,
				       size_t bytes, rsm_memseg_id_t id);

/* Connect read-write; retried until @ms have passed. */
int pair_connect(rsmapi_controller_handle_t ctrl, rsm_node_id_t node, rsm_memseg_id_t id,
		 unsigned int ms, rsm_memseg_import_handle_t *im);

/* Connect and map all @bytes of a segment, or die. */
void *pair_import(rsmapi_controller_handle_t ctrl, rsm_node_id_t node, rsm_memseg_id_t id,
		  size_t bytes, rsm_memseg_import_handle_t *im);

/* Poll a word that somebody else stores to; false when @ms have passed. */
int pair_await(const volatile uint64_t *word, uint64_t value, unsigned int ms);

/* Have SIGALRM interrupt what the calling thread does every @ms (below 1000); 0: no more. */
void pair_interrupt(unsigned int ms);

unsigned long pair_number(const char *text, int base);

#endif /* PAIRPROG_H */
