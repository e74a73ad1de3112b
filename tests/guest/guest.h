/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Harness of the programs that run inside one guest: each test runs in a
 * process of its own with the controller open, so that one test can neither
 * crash another nor leave segments to it.  Prints TAP.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * Usage of every program: NAME [CONTROLLER [TEST...]], by default all tests over
 * loopback.  NAME --list prints the names of the tests.
 */
#ifndef TESTS_GUEST_GUEST_H
#define TESTS_GUEST_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rsm/rsmapi.h>

struct test {
	const char *name;
	void (*run)(void);
};

#define TEST(function)	{ #function, function }
#define TESTS(tests)	tests, sizeof(tests) / sizeof((tests)[0])
#define ARRAY(array)	(sizeof(array) / sizeof((array)[0]))

/* Of the running test. */
extern rsmapi_controller_handle_t controller;
extern rsm_node_id_t local_node;
extern bool loopback;
extern size_t page;

int guest_main(int argc, char *argv[], const struct test *tests, size_t count);

/* Does not hold: the test has failed and goes on, or (require) ends. */
void expect_number(const char *file, int line, const char *what, long long got, long long wanted);
void require_number(const char *file, int line, const char *what, long long got, long long wanted);
#define expect(call, wanted)	expect_number(__FILE__, __LINE__, #call, call, wanted)
#define require(call, wanted)	require_number(__FILE__, __LINE__, #call, call, wanted)
#define expect_true(condition)	expect(!!(condition), 1)

/* The steps that most tests begin with; the test ends if one fails. */
void *memory(size_t bytes);
rsm_memseg_export_handle_t create(void *address, size_t bytes);
rsm_memseg_id_t publish(rsm_memseg_export_handle_t export);
rsm_memseg_import_handle_t connect_to(rsm_memseg_id_t id, rsm_permission_t permission);
volatile uint8_t *map(rsm_memseg_import_handle_t import, rsm_permission_t permission,
		      size_t bytes);

/* A published segment of one page and an import of it. */
struct pair {
	uint8_t *memory;
	rsm_memseg_export_handle_t export;
	rsm_memseg_id_t id;
	rsm_memseg_import_handle_t import;
	volatile uint8_t *mapping;
};
struct pair pair(void);

/*
 * Run a function in a child.  child_start() returns once the child has called
 * child_ready(), with the number given there; the child then stays until
 * child_finish(), which returns its exit status or 128 + signal.
 */
struct child {
	int pid;
	int to, from;
	long long number;
};
struct child child_start(void (*run)(void *), void *argument);
void child_ready(long long number);
/* As child_ready(), for a child that goes on and ends of itself. */
void child_runs(long long number);
int child_finish(struct child *child);
/* Both at once, for a function that calls neither; its expectations are the test's. */
void in_child(void (*run)(void *), void *argument);

/* Number of open descriptors. */
int descriptors(void);
/* KiB that count as pinned for this process (VmPin). */
long pinned_kib(void);

#endif /* TESTS_GUEST_GUEST_H */
