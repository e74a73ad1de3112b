// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Events that come at the moment when an exporter who waits for an edge of its
 * descriptor has taken the last one.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * Usage: edges wait ID COUNT        export ID; take events until there are none, wait for the
 *                                   next edge, until COUNT were taken
 *        edges post NODE ID COUNT   post each when the one before it is being taken
 * "wait" prints "ready", and the number of edges and of events at the end.  It calls the agent
 * itself: the library polls after an empty take, and so asks once more.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "pairprog.h"
#include "uapi/rsm.h"

#define PAGE		4096
#define PATIENCE_MS	20000
#define SPINS		2000	/* longer than it takes to find that there is none */

struct segment {
	int fd;
	uint64_t identity;
};

static struct segment export_and_publish(void *memory, rsm_memseg_id_t id)
{
	struct rsm_ioc_export export = {
		.controller = PAIR_CONTROLLER, .vaddr = (uintptr_t)memory, .length = PAGE,
	};
	struct segment seg = { .fd = open(RSM_DEVICE, O_RDWR | O_CLOEXEC) };
	struct rsm_ioc_publish publish = { .segment_id = id };

	if (seg.fd < 0 || ioctl(seg.fd, RSM_IOC_EXPORT, &export) || export.status)
		pair_die("cannot export: status %u", export.status);
	seg.identity = publish.identity = export.identity;
	if (ioctl(seg.fd, RSM_IOC_PUBLISH, &publish) || publish.status)
		pair_die("cannot publish: status %u", publish.status);
	return seg;
}

static void take_all(const struct segment *seg, volatile uint64_t *taken)
{
	struct rsm_ioc_consume consume;

	for (;;) {
		consume = (struct rsm_ioc_consume){ .identity = seg->identity };
		if (ioctl(seg->fd, RSM_IOC_CONSUME, &consume))
			pair_die("cannot take events");
		if (consume.status == RSMERR_TIMEOUT)
			return;
		if (consume.status)
			pair_die("cannot take events: status %u", consume.status);
		++*taken;
	}
}

static void wait_for_edges(rsm_memseg_id_t id, uint64_t count)
{
	struct epoll_event edge = { .events = EPOLLIN | EPOLLRDNORM | EPOLLET };
	volatile uint64_t *taken = pair_memory(PAGE);
	struct segment seg = export_and_publish((void *)taken, id);
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	unsigned long edges = 0;

	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, seg.fd, &edge))
		pair_die("cannot wait for edges");
	printf("ready\n");
	fflush(stdout);
	for (take_all(&seg, taken); *taken < count; take_all(&seg, taken)) {
		if (epoll_wait(epoll, &edge, 1, PATIENCE_MS) != 1)
			pair_die("no edge after event %lu", (unsigned long)*taken);
		edges++;
	}
	printf("edges %lu events %lu\n", edges, (unsigned long)*taken);
}

static void post(rsm_node_id_t node, rsm_memseg_id_t id, uint64_t count)
{
	rsm_memseg_import_handle_t im;
	const volatile uint64_t *taken = pair_import(pair_controller(), node, id, PAGE, &im);

	for (uint64_t n = 0; n < count; n++) {
		if (!pair_await(taken, n, PATIENCE_MS))
			pair_die("event %lu was not taken", (unsigned long)n);
		/* Each length of the pause in turn, in steps that have no common divisor with it. */
		for (volatile unsigned int spin = n * 611 % SPINS; spin; spin--)
			;
		if (rsm_intr_signal_post(im, 0))
			pair_die("cannot post event %lu", (unsigned long)n);
	}
}

int main(int argc, char *argv[])
{
	if (argc == 4 && !strcmp(argv[1], "wait"))
		wait_for_edges(pair_number(argv[2], 16), pair_number(argv[3], 10));
	else if (argc == 5 && !strcmp(argv[1], "post"))
		post(pair_number(argv[2], 10), pair_number(argv[3], 16),
		     pair_number(argv[4], 10));
	else
		pair_die("usage: edges wait ID COUNT | edges post NODE ID COUNT");
	return 0;
}
