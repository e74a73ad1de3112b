/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of a worker share: its handles and memory, the reading of
 * arguments, and one function per call.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * Handles live in slots; an empty slot stands for NULL.  All numbers are
 * decimal.  Regions are the memory to export and to transfer from; they keep
 * their addresses, so that a child finds its copies there.
 */
#ifndef TESTS_MODEL_MODELWORKER_H
#define TESTS_MODEL_MODELWORKER_H

#include "model.h"

#define SLOTS		4
#define BARRIERS	4
#define REGIONS		3
#define CONTROLLERS	2	/* sci0, loopback */
#define PAGE		4096ul
#define REGION_BYTES	(4 * PAGE)

struct import {
	rsm_memseg_import_handle_t handle;
	volatile uint8_t *mapping;	/* by import_map(); NULL: none */
};

extern rsmapi_controller_handle_t controllers[CONTROLLERS];
extern rsm_memseg_export_handle_t exports[SLOTS];
extern struct import imports[SLOTS];
extern rsmapi_barrier_t barriers[BARRIERS];
extern uint8_t *regions[REGIONS];
extern _Thread_local char yield[MODEL_LINE - 16];	/* what follows the result in the answer */

/* The argument at @i; the script is wrong if it does not fit. */
long number(char **arg, int i);
unsigned int slot(char **arg, int i, unsigned int most);
size_t bounded(char **arg, int i);	/* at most a region */
uint8_t *address(char **arg, int i);	/* "REGION OFFSET"; a negative region is NULL */

/* Make the call that a line says; changes the line. */
int model_make(char *line);

/*
 * Make calls in several threads: "CALL , CALL ; CALL", one thread between two
 * semicolons.  With '!' before the calls of some the others begin when those
 * sleep or are done.  @answer has the same form.
 */
void model_together(char *line, char answer[MODEL_LINE]);

/* modeldata.c; before there are threads */
void model_data_prepare(void);

/* modelsegment.c */
int call_create(int n, char **arg);
int call_publish(int n, char **arg);
int call_republish(int n, char **arg);
int call_rebind(int n, char **arg);
int call_unpublish(int n, char **arg);
int call_destroy(int n, char **arg);
int call_renew(int n, char **arg);
int call_connect(int n, char **arg);
int call_disconnect(int n, char **arg);
int call_map(int n, char **arg);
int call_unmap(int n, char **arg);

/* modeldata.c */
int call_own_store(int n, char **arg);
int call_own_load(int n, char **arg);
int call_store(int n, char **arg);
int call_load(int n, char **arg);
int call_put(int n, char **arg);
int call_get(int n, char **arg);
int call_putv(int n, char **arg);
int call_getv(int n, char **arg);
int call_local(int n, char **arg);
int call_free_local(int n, char **arg);

#endif /* TESTS_MODEL_MODELWORKER_H */
