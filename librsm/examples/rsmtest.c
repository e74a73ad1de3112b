// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * rsmtest: one node exports a segment and prints the lines that a program on
 * another node stores into it.
 *
 *	node 1 (exporter): rsmtest -e -n 2
 *	node 2 (importer): rsmtest -i -n 1
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * The messages on the wire, the options and the output are those of the
 * program in the Solaris guide, so that either can talk to the other.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rsm/rsmapi.h>

#define SEGMENT_ID	0x400000
#define SEGMENT_SIZE	8192
#define MESSAGES	10
#define TEXT_MAX	(SEGMENT_SIZE - 3)	/* counters before, NUL after */

#define WAIT_MS		1000	/* how long the exporter sleeps at most */
#define POLL_MS		100	/* and the importer, whose exporter may not signal */
#define TAKEN_S		60	/* a live exporter takes a message within */
#define GOODBYE_S	2	/* the importer says goodbye within */
#define TRIES		10	/* of a message that meets errors on the way */

/* The segment: a message is waiting while the counters differ. */
struct mailbox {
	char out;		/* messages taken, written by the exporter */
	char in;		/* messages stored, written by the importer */
	char text[SEGMENT_SIZE - 2];
};

static void die(const char *what, int error)
{
	fprintf(stderr, "%s %d\n", what, error);
	exit(1);
}

static time_t seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* %x of a pointer, as the guide prints it: the low 32 bits. */
static unsigned int low(volatile void *pointer)
{
	return (unsigned int)(uintptr_t)pointer;
}

/* ---- Exporter ---- */

/* Wait for one signal; true if there was one. */
static bool exporter_wait(rsm_memseg_export_handle_t segment)
{
	int error = rsm_intr_signal_wait(segment, WAIT_MS);

	if (error && error != RSMERR_TIMEOUT && error != RSMERR_INTERRUPTED)
		die("unable to wait for a signal", error);
	return !error;
}

static void exporter_print(volatile struct mailbox *mailbox)
{
	size_t i;

	printf("msg [0x%x %d %d] ", low(mailbox), mailbox->out, mailbox->in);
	for (i = 0; i < TEXT_MAX && mailbox->text[i] != '\0'; i++) {
		putchar(mailbox->text[i]);
		mailbox->text[i] = '?';
	}
	putchar('\n');
}

/*
 * The importer signals each message and then, once it has seen the last one
 * taken, its goodbye: unpublishing earlier would break its last barrier.  The
 * guide's importer says no goodbye; it gets GOODBYE_S to leave.
 */
static void exporter_goodbye(rsm_memseg_export_handle_t segment, int signals)
{
	time_t deadline = seconds() + GOODBYE_S;

	while (signals <= MESSAGES && seconds() < deadline)
		signals += exporter_wait(segment);
}

static int exporter(rsmapi_controller_handle_t controller)
{
	rsm_memseg_id_t id = SEGMENT_ID;
	rsm_memseg_export_handle_t segment;
	volatile struct mailbox *mailbox;
	int error, i, signals = 0;
	void *memory;

	if (posix_memalign(&memory, (size_t)sysconf(_SC_PAGESIZE), SEGMENT_SIZE)) {
		fprintf(stderr, "Unable to allocate memory\n");
		return 1;
	}
	memset(memory, 0, SEGMENT_SIZE);
	error = rsm_memseg_export_create(controller, &segment, memory, SEGMENT_SIZE, 0);
	if (error)
		die("unable to create an exported segment", error);
	error = rsm_memseg_export_publish(segment, &id, NULL, 0);
	if (error)
		die("unable to publish segment", error);

	mailbox = memory;
	printf("Mbuf is %x\n", low(mailbox));
	for (i = 0; i < MESSAGES; i++) {
		while (mailbox->out == mailbox->in)
			signals += exporter_wait(segment);
		/* Pairs with the order barrier: text before `in`. */
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		exporter_print(mailbox);
		/* The text is done with before the importer may store the next. */
		__atomic_thread_fence(__ATOMIC_RELEASE);
		mailbox->out++;
		rsm_intr_signal_post(segment, 0);
	}
	exporter_goodbye(segment, signals);

	error = rsm_memseg_export_unpublish(segment);
	if (error)
		die("unable to unpublish segment", error);
	error = rsm_memseg_export_destroy(segment);
	if (error)
		die("unable to destroy segment", error);
	free(memory);
	return 0;
}

/* ---- Importer ---- */

struct importer {
	rsm_memseg_import_handle_t segment;
	volatile struct mailbox *mailbox;
	rsmapi_barrier_t barrier;
	char in;			/* the counter after the last good message */
};

/* Read a line without its newline; false at the end of input. */
static bool line_read(char text[TEXT_MAX + 1])
{
	size_t length = 0, lost = 0;
	int c;

	while ((c = getchar()) != EOF && c != '\n') {
		if (length < TEXT_MAX)
			text[length++] = (char)c;
		else
			lost++;
	}
	text[length] = '\0';
	if (lost)
		fprintf(stderr, "line cut to %d bytes, %zu lost\n", TEXT_MAX, lost);
	return c == '\n' || length > 0;
}

static void importer_connect(struct importer *importer, rsmapi_controller_handle_t controller,
			     rsm_node_id_t node)
{
	void *address = NULL;
	int error;

	/* The exporter may be started later. */
	while ((error = rsm_memseg_import_connect(controller, node, SEGMENT_ID, RSM_PERM_RDWR,
						  &importer->segment))) {
		fprintf(stderr, "unable to connect to segment %x err %x\n", SEGMENT_ID, error);
		sleep(1);
	}
	error = rsm_memseg_import_map(importer->segment, &address, RSM_MAP_NONE, RSM_PERM_RDWR, 0,
				      SEGMENT_SIZE);
	if (error)
		die("unable to mmap segment", error);
	error = rsm_memseg_import_init_barrier(importer->segment, RSM_BARRIER_NODE,
					       &importer->barrier);
	if (error)
		die("unable to initialize barrier", error);
	importer->mailbox = address;
	importer->in = importer->mailbox->in;
}

static int importer_store(struct importer *importer, const char *text)
{
	volatile struct mailbox *mailbox = importer->mailbox;
	size_t i = 0;
	int error;

	error = rsm_memseg_import_open_barrier(&importer->barrier);
	if (error)
		return error;
	do {
		mailbox->text[i] = text[i];
	} while (text[i++] != '\0');
	error = rsm_memseg_import_order_barrier(&importer->barrier);
	if (error)
		return error;
	mailbox->in = (char)(importer->in + 1);
	return rsm_memseg_import_close_barrier(&importer->barrier);
}

/* Store a message and signal it; storing it again after an error does no harm. */
static int importer_send(struct importer *importer, const char *text)
{
	int error, tries;

	for (tries = 0; tries < TRIES; tries++) {
		error = importer_store(importer, text);
		if (!error) {
			importer->in++;
			return rsm_intr_signal_post(importer->segment, 0);
		}
		fprintf(stderr, "Barrier close failed, %d\n", error);
		if (error == RSMERR_CONN_ABORTED)
			break;
	}
	return error;
}

/* Wait until the exporter has taken all; what was read counts only if the barrier agrees. */
static int importer_taken(struct importer *importer)
{
	time_t deadline = seconds() + TAKEN_S;
	char out;
	int error;

	for (;;) {
		error = rsm_memseg_import_open_barrier(&importer->barrier);
		if (error)
			return error;
		out = importer->mailbox->out;
		error = rsm_memseg_import_close_barrier(&importer->barrier);
		if (error == RSM_SUCCESS && out == importer->in)
			return RSM_SUCCESS;
		if (error && error != RSMERR_BARRIER_FAILURE) {
			fprintf(stderr, "Barrier close failed, %d\n", error);
			return error;
		}
		if (seconds() >= deadline)
			return RSMERR_TIMEOUT;
		rsm_intr_signal_wait(importer->segment, POLL_MS);
	}
}

static void importer_close(struct importer *importer)
{
	int error;

	rsm_memseg_import_destroy_barrier(&importer->barrier);
	error = rsm_memseg_import_unmap(importer->segment);
	if (error)
		die("unable to unmap segment", error);
	error = rsm_memseg_import_disconnect(importer->segment);
	if (error)
		die("unable to disconnect segment", error);
}

static int importer_run(struct importer *importer)
{
	static char text[TEXT_MAX + 1];
	int error, i;

	/* Another importer may have left a message that is not taken yet. */
	error = importer_taken(importer);
	if (error) {
		fprintf(stderr, "the exporter takes no messages, err %d\n", error);
		return 1;
	}
	for (i = 0; i < MESSAGES; i++) {
		printf("Enter msg [0x%x %d]: ", low(importer->mailbox), importer->mailbox->out);
		fflush(stdout);
		if (!line_read(text)) {
			fprintf(stderr, "\nend of input after %d of %d messages\n", i, MESSAGES);
			return 1;
		}
		error = importer_send(importer, text);
		if (!error)
			error = importer_taken(importer);
		/* Having the last message, an exporter may be gone before it is asked. */
		if (error == RSMERR_CONN_ABORTED && i == MESSAGES - 1) {
			fprintf(stderr, "the exporter has closed the segment\n");
			return 0;
		}
		if (error) {
			fprintf(stderr, "message %d of %d not taken by the exporter, err %d\n",
				i + 1, MESSAGES, error);
			return 1;
		}
	}
	rsm_intr_signal_post(importer->segment, 0);
	return 0;
}

static int import(rsmapi_controller_handle_t controller, rsm_node_id_t node)
{
	struct importer importer;
	int status;

	importer_connect(&importer, controller, node);
	printf("Mbuf is %x\n", low(importer.mailbox));
	status = importer_run(&importer);
	importer_close(&importer);
	return status;
}

int main(int argc, char *argv[])
{
	rsmapi_controller_handle_t controller;
	rsm_topology_t *topology;
	rsm_node_id_t node = 0;
	bool importing = false;
	int option, error, status;

	while ((option = getopt(argc, argv, "OCGeid:b:sl:n:k:t:c:u:v")) != -1) {
		switch (option) {
		case 'e':
			importing = false;
			break;
		case 'i':
			importing = true;
			break;
		case 'n':
			node = atoi(optarg) > 0 ? (rsm_node_id_t)atoi(optarg) : 0;
			break;
		default:
			fprintf(stderr, "Usage: %s -ei -n dest\n", argv[0]);
			return 1;
		}
	}
	setvbuf(stdout, NULL, _IOLBF, 0);

	error = rsm_get_controller("sci0", &controller);
	if (error)
		die("Unable to get controller", error);
	error = rsm_get_interconnect_topology(&topology);
	if (error)
		die("Unable to get topology", error);
	printf("Local node id = %d\n", (int)topology->topology_hdr.local_nodeid);
	if (node == 0) {
		node = topology->topology_hdr.local_nodeid;
		printf("Dest is adjusted to %d\n", (int)node);
	}
	rsm_free_interconnect_topology(topology);

	status = importing ? import(controller, node) : exporter(controller);
	rsm_release_controller(controller);
	return status;
}
