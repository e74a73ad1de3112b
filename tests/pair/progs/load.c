// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a parallel job does to an interconnect: many processes on each node, each
 * with segments of its own that it exports, and imports of as many of its peer on
 * the other node.  Nobody waits for all to be ready: processes connect while
 * others still publish, and end while others still connect.
 *
 * Usage: load NODE PEER ID PROCESSES EXPORTS IMPORTS BYTES POSTS
 * Run at the same time on both nodes.  Process p of a node exports the segments
 * ID + NODE * 65536 + p * EXPORTS and on, and imports the first IMPORTS of those of
 * process p of the other node.  It marks each, posts POSTS events to each, takes the
 * POSTS events of those of its own that are imported, posts one back, takes the one
 * that comes back, and ends, by turns: in order; with importers left; without a
 * word; killed.
 *
 * Output: "took N of N back N of N wrong N extra N", then the processor time of
 * each phase, "PHASE NANOSECONDS" per operation, and "all NANOSECONDS", the time
 * from start to end per import.  Exits with 1 if an event was lost or made, a
 * mark is not there, or a process did not end as it was to.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pairprog.h"

#define IDS_OF_NODE	65536
#define WAIT_MS		300000
#define PAUSE_NS	5000000

/* The last words of a segment, stored by its importer. */
struct tail {
	uint64_t mark;
	uint64_t done;		/* the importer needs the segment no more */
};

enum phase { PUBLISH, CONNECT, MAP, POST, TAKE, POST_BACK, TAKE_BACK, CHECK, PHASES };

/* What a process tells its parent, in memory that it shares with it. */
struct report {
	uint64_t ns[PHASES];
	uint64_t taken, back, wrong, extra;
};

static struct {
	rsm_node_id_t node, peer;
	rsm_memseg_id_t id;
	unsigned long processes, exports, imports, posts;
	size_t bytes;
} job;

struct segment {
	void *memory;
	rsm_memseg_export_handle_t ex;
	rsm_memseg_id_t theirs;
	rsm_memseg_import_handle_t im;
	void *map;
};

static rsmapi_controller_handle_t ctrl;
static struct report *report;		/* of this process */

static uint64_t processor_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static rsm_memseg_id_t id_of(rsm_node_id_t node, unsigned long process, unsigned long n)
{
	return job.id + (rsm_memseg_id_t)(node * IDS_OF_NODE + process * job.exports + n);
}

static volatile struct tail *tail_of(void *memory)
{
	return (volatile struct tail *)((char *)memory + job.bytes) - 1;
}

static void check(int err, const char *what, rsm_memseg_id_t id)
{
	if (err)
		pair_die("%s of %x: error %d", what, id, err);
}

/* Up to @count events; what comes beyond that should not. */
static uint64_t take(void *memseg, unsigned long count)
{
	uint64_t taken = 0;

	while (taken < count && !rsm_intr_signal_wait(memseg, WAIT_MS))
		taken++;
	while (!rsm_intr_signal_wait(memseg, 0))
		report->extra++;
	return taken;
}

/* ---- phases, for one segment ---- */

static void publish(struct segment *s, rsm_memseg_id_t id)
{
	s->ex = pair_export(ctrl, s->memory, job.bytes, id);
}

static void connect_(struct segment *s, rsm_memseg_id_t id)
{
	(void)id;
	check(pair_connect(ctrl, job.peer, s->theirs, WAIT_MS, &s->im), "connect", s->theirs);
}

static void map(struct segment *s, rsm_memseg_id_t id)
{
	(void)id;
	check(rsm_memseg_import_map(s->im, &s->map, RSM_MAP_NONE, RSM_PERM_RDWR, 0, job.bytes),
	      "map", s->theirs);
	tail_of(s->map)->mark = s->theirs;
}

static void post(struct segment *s, rsm_memseg_id_t id)
{
	(void)id;
	for (unsigned long i = 0; i < job.posts; i++)
		check(rsm_intr_signal_post(s->im, 0), "post", s->theirs);
}

static void take_posted(struct segment *s, rsm_memseg_id_t id)
{
	(void)id;
	report->taken += take(s->ex, job.posts);
}

static void post_back(struct segment *s, rsm_memseg_id_t id)
{
	check(rsm_intr_signal_post(s->ex, 0), "post", id);
}

static void take_back(struct segment *s, rsm_memseg_id_t id)
{
	(void)id;
	report->back += take(s->im, 1);
}

/* What the importer stored before its posts is there. */
static void check_mark(struct segment *s, rsm_memseg_id_t id)
{
	report->wrong += tail_of(s->memory)->mark != id;
	__atomic_store_n(&tail_of(s->map)->done, 1, __ATOMIC_RELEASE);
}

static const struct {
	const char *name;
	void (*step)(struct segment *s, rsm_memseg_id_t id);
} phases[PHASES] = {
	[PUBLISH] = { "publish", publish },
	[CONNECT] = { "connect", connect_ },
	[MAP] = { "map", map },
	[POST] = { "post", post },
	[TAKE] = { "take", take_posted },
	[POST_BACK] = { "post-back", post_back },
	[TAKE_BACK] = { "take-back", take_back },
	[CHECK] = { "check", check_mark },
};

/* ---- a process ---- */

static void disconnect_all(struct segment *segments)
{
	for (unsigned long n = 0; n < job.imports; n++) {
		struct segment *s = &segments[n];

		check(rsm_memseg_import_unmap(s->im), "unmap", s->theirs);
		check(rsm_memseg_import_disconnect(s->im), "disconnect", s->theirs);
	}
}

static void destroy_all(struct segment *segments, unsigned long process)
{
	for (unsigned long n = 0; n < job.exports; n++) {
		rsm_memseg_id_t id = id_of(job.node, process, n);

		check(rsm_memseg_export_unpublish(segments[n].ex), "unpublish", id);
		check(rsm_memseg_export_destroy(segments[n].ex), "destroy", id);
	}
}

/* Without running all the time, as many do this at once. */
static int await_done(void *memory)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	uint64_t deadline = pair_now_ms() + WAIT_MS;

	while (!__atomic_load_n(&tail_of(memory)->done, __ATOMIC_ACQUIRE)) {
		if (pair_now_ms() >= deadline)
			return 0;
		nanosleep(&pause, NULL);
	}
	return 1;
}

static void run(unsigned long process)
{
	struct segment *segments = calloc(job.exports, sizeof(*segments));
	char *memory = pair_memory(job.exports * job.bytes);
	unsigned long n;
	uint64_t began;

	if (!segments)
		pair_die("no memory");
	for (n = 0; n < job.exports; n++) {
		segments[n].memory = memory + n * job.bytes;
		segments[n].theirs = id_of(job.peer, process, n);
	}
	ctrl = pair_controller();
	for (int phase = 0; phase < PHASES; phase++) {
		began = processor_ns();
		for (n = 0; n < (phase == PUBLISH ? job.exports : job.imports); n++)
			phases[phase].step(&segments[n], id_of(job.node, process, n));
		report->ns[phase] = processor_ns() - began;
	}
	for (n = 0; n < job.imports; n++)
		if (!await_done(segments[n].memory))
			pair_die("no end of the importer of %x", id_of(job.node, process, n));

	switch (process % 4) {
	case 0:
		disconnect_all(segments);
		destroy_all(segments, process);
		break;
	case 1:
		destroy_all(segments, process);
		break;
	case 2:
		_exit(0);
	default:
		kill(getpid(), SIGKILL);
	}
	free(segments);
	exit(0);
}

static int ended_well(unsigned long process, int status)
{
	if (process % 4 == 3)
		return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

/* ---- all of them ---- */

/* How many did not end as they were to. */
static unsigned long run_all(struct report *reports)
{
	pid_t *pids = calloc(job.processes, sizeof(*pids));
	unsigned long p, failed = 0;
	int status;

	if (!pids)
		pair_die("no memory");
	for (p = 0; p < job.processes; p++) {
		report = &reports[p];
		pids[p] = fork();
		if (pids[p] < 0)
			pair_die("cannot fork");
		if (!pids[p])
			run(p);
	}
	for (p = 0; p < job.processes; p++)
		failed += waitpid(pids[p], &status, 0) < 0 || !ended_well(p, status);
	free(pids);
	return failed;
}

static int print(const struct report *reports, uint64_t ns)
{
	uint64_t imports = job.processes * job.imports, events = imports * job.posts;
	const uint64_t operations[PHASES] = {
		[PUBLISH] = job.processes * job.exports, [CONNECT] = imports, [MAP] = imports,
		[POST] = events, [TAKE] = events, [POST_BACK] = imports, [TAKE_BACK] = imports,
		[CHECK] = imports,
	};
	struct report sum = { 0 };

	for (unsigned long p = 0; p < job.processes; p++) {
		sum.taken += reports[p].taken;
		sum.back += reports[p].back;
		sum.wrong += reports[p].wrong;
		sum.extra += reports[p].extra;
		for (int phase = 0; phase < PHASES; phase++)
			sum.ns[phase] += reports[p].ns[phase];
	}
	printf("took %" PRIu64 " of %" PRIu64 " back %" PRIu64 " of %" PRIu64 " wrong %" PRIu64
	       " extra %" PRIu64 "\n", sum.taken, events, sum.back, imports, sum.wrong,
	       sum.extra);
	for (int phase = 0; phase < PHASES; phase++)
		printf("%s %" PRIu64 "\n", phases[phase].name, sum.ns[phase] / operations[phase]);
	printf("all %" PRIu64 "\n", ns / imports);
	return sum.taken != events || sum.back != imports || sum.wrong || sum.extra;
}

int main(int argc, char **argv)
{
	struct report *reports;
	unsigned long failed;
	uint64_t began;
	int ret;

	if (argc != 9)
		pair_die("usage: load NODE PEER ID PROCESSES EXPORTS IMPORTS BYTES POSTS");
	job.node = pair_number(argv[1], 10);
	job.peer = pair_number(argv[2], 10);
	job.id = pair_number(argv[3], 16);
	job.processes = pair_number(argv[4], 10);
	job.exports = pair_number(argv[5], 10);
	job.imports = pair_number(argv[6], 10);
	job.bytes = pair_number(argv[7], 10);
	job.posts = pair_number(argv[8], 10);
	if (!job.processes || !job.imports || job.imports > job.exports || !job.posts ||
	    job.processes > IDS_OF_NODE / job.exports || job.bytes < sizeof(struct tail))
		pair_die("a number is out of its range");
	pair_descriptors(job.exports + job.imports);
	reports = mmap(NULL, job.processes * sizeof(*reports), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (reports == MAP_FAILED)
		pair_die("no memory");

	began = pair_now_ns();
	failed = run_all(reports);
	ret = print(reports, pair_now_ns() - began);
	if (failed)
		pair_die("%lu processes did not end as they were to", failed);
	return ret;
}
