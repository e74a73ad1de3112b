/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Harness of the conformance tests.  A test is written once and runs in each
 * of its scopes: it exports and imports through `controller`, and what the
 * exporting side has to do it asks of its peer, a process that is on this node
 * or on the other one.  Each test, and its peer, is a process of its own.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * The name of a test begins with the number of the assertion: a042_...
 */
#ifndef TESTS_CONFORMANCE_CONFORM_H
#define TESTS_CONFORMANCE_CONFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rsm/rsmapi.h>

enum scope {
	LOOPBACK = 1,		/* controller loopback */
	SELF = 2,		/* sci0, to the own node */
	CROSS = 4,		/* sci0, the peer is the other node */
	LOCAL = LOOPBACK | SELF,
	ALL = LOCAL | CROSS,
	/* Not a scope: the agent is loaded with small limits for it. */
	SMALL = 8,
};

struct test {
	const char *name;
	unsigned int scopes;
	void (*run)(void);
};

#define TEST(scopes, function)	{ #function, scopes, function }
#define ARRAY(array)		(sizeof(array) / sizeof((array)[0]))

/* One table per section of the list of assertions. */
struct section {
	const struct test *tests;
	size_t count;
};

#define SECTION(name)	const struct section name = { tests, ARRAY(tests) }
extern const struct section controllers, exports, rebinding, publishing, connections, mappings,
	transfers, vectors, barriers, events, interconnect, lifecycle, waits, failures,
	shortages;

/* Of the running test. */
extern enum scope scope;
extern rsmapi_controller_handle_t controller;
extern char *controller_name;
extern rsm_node_id_t local_node, peer_node;
extern size_t page;

/* Does not hold: the test has failed and goes on, or (require) ends. */
void expect_number(const char *file, int line, const char *what, long long got, long long wanted);
void require_number(const char *file, int line, const char *what, long long got, long long wanted);
#define expect(call, wanted)	expect_number(__FILE__, __LINE__, #call, call, wanted)
#define require(call, wanted)	require_number(__FILE__, __LINE__, #call, call, wanted)
#define expect_true(condition)	expect(!!(condition), 1)
#define require_true(condition)	require(!!(condition), 1)
/* What the test needs is not there. */
__attribute__((noreturn)) void skip(const char *why);

/*
 * A request to the peer: what it answered, an RSMERR_* or 0, with a number in
 * peer_value.  peer.c lists the requests.  Split in two for one that takes its
 * time.
 */
extern long long peer_value;
__attribute__((format(printf, 1, 2))) int peer(const char *format, ...);
__attribute__((format(printf, 1, 2))) void peer_send(const char *format, ...);
int peer_answer(void);
/* A request that must succeed. */
#define peer_ok(...)	require(peer(__VA_ARGS__), 0)
/* Export segment @slot of @bytes there, published under the test's id + @slot. */
void peer_export(int slot, size_t bytes);

/* A request to the machine that the nodes run on; conformance.py lists them. */
__attribute__((format(printf, 1, 2))) int host(const char *format, ...);
#define host_ok(...)	require(host(__VA_ARGS__), 0)

/* Ids that no other test uses at the same time: ID, ID + 1 ... ID + 15. */
#define ID	0x430000

/* The steps that most tests begin with; the test ends if one fails. */
void *memory(size_t bytes);
rsm_memseg_export_handle_t create(void *address, size_t bytes);
rsm_memseg_id_t publish(rsm_memseg_export_handle_t export);
/* Connect to an id of the peer's node; of the own node. */
rsm_memseg_import_handle_t connect_to(rsm_memseg_id_t id, rsm_permission_t permission);
rsm_memseg_import_handle_t connect_here(rsm_memseg_id_t id, rsm_permission_t permission);
int try_connect(rsm_memseg_id_t id, rsm_permission_t permission, rsm_memseg_import_handle_t *out);
volatile uint8_t *map(rsm_memseg_import_handle_t import, rsm_permission_t permission,
		      size_t bytes);
/* A segment of the peer, imported here, with an initialised barrier. */
struct imported {
	rsm_memseg_import_handle_t import;
	rsmapi_barrier_t barrier;
	volatile uint8_t *mapping;	/* NULL if not mapped */
};
struct imported import(size_t bytes);		/* connected */
struct imported import_mapped(size_t bytes);	/* connected and mapped */

/* Bytes that depend on their place and a seed; how many are other ones. */
void pattern_fill(void *at, size_t bytes, unsigned int seed);
size_t pattern_differs(const volatile void *at, size_t bytes, unsigned int seed);
/* KiB that this process has pinned (VmPin). */
long pinned_kib(void);

/*
 * Run a function in a process of its own: its pid, and its exit status or 128
 * + signal.  It ends with 1 if an expectation did not hold.
 */
int fork_test(void (*run)(void *), void *argument);
int wait_test(int pid);

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
int child_finish(struct child *child);
/* Both at once, for a function that calls neither; its expectations are the test's. */
void in_child(void (*run)(void *), void *argument);
/* Write the node's file of segment ids; NULL removes it. */
void segmentid_file(const char *text);
/* An ordinary user, without privileges. */
void become(unsigned int uid, unsigned int gid);

/* A time that is long enough for a stock kernel, on the one that runs. */
unsigned int slow(unsigned int time);
/* Wait for something that another process or node does. */
bool eventually(bool (*condition)(void *), void *argument);
/* Milliseconds of a clock that only goes forward. */
long long now(void);

/* The peer: serve requests from a descriptor until it ends. */
void peer_serve(int in, int out);

#endif /* TESTS_CONFORMANCE_CONFORM_H */
