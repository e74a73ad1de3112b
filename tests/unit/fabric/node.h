/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Nodes for the fabric tests: in this process, on its default main context,
 * or as processes of their own that can be killed.  What a node sees is
 * written to its log, one line per event; tests wait for lines.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#ifndef TEST_FABRIC_NODE_H
#define TEST_FABRIC_NODE_H

#include <sys/types.h>

#include "fabric.h"

#define NODE_RAM_SIZE	0x10000
#define NODE_LINES	3

struct node {
	unsigned int id;
	Fabric *fabric;
	GString *log;
	int ram_fd;
	int lines[NODE_LINES];
	/* Its callbacks cannot unmap anything: they return false. */
	bool stuck;
	void (*on_event)(struct node *node, const char *line);
};

/* A node in a process of its own. */
struct child {
	unsigned int id;
	GPid pid;
	int in, out;
	guint watch;
	GString *log;
};

/* A fresh directory for a fabric; test_dir_remove() removes and frees it. */
char *test_dir_new(void);
void test_dir_remove(char *dir);

/* Descriptors as a device would have them: a sealed memfd, eventfds. */
int test_ram_new(size_t size);
int test_line_new(void);

/* @context NULL: the default context, which wait_until() serves. */
struct node *node_new(const char *dir, unsigned int id, GMainContext *context, GError **error);
struct node *node_start(const char *dir, unsigned int id);
/* Its port to node @closed is closed from the beginning. */
struct node *node_start_closed(const char *dir, unsigned int id, unsigned int closed);
void node_stop(struct node *node);
/* What a node is by default, for those who start one of another kind. */
void node_config(struct node *node, const char *dir, unsigned int id, FabricConfig *config);
struct node *node_start_config(struct node *node, const FabricConfig *config, GError **error);

/* Callbacks for @node, to take over the fabric of another one. */
const FabricOps *node_ops_of(struct node *node, Fabric *fabric);

struct child *child_start(const char *dir, unsigned int id);
/* Commands: enable, disable, invalidate FIRST COUNT, open|close NODE, ping, quit. */
void child_tell(struct child *child, const char *command);
void child_kill(struct child *child);
void child_stop(struct child *child);
/* The main() of a child; does not return if this process is one. */
void child_main(int argc, char **argv);

/* How often the line @format occurs in the log; a line may go on after it. */
unsigned int saw(const GString *log, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Serves the default context until @condition holds; fails the test after 20 s. */
#define wait_until(condition)							\
	do {									\
		struct deadline deadline_;					\
										\
		deadline_start(&deadline_, G_STRLOC, #condition);		\
		while (!(condition))						\
			deadline_iterate(&deadline_);				\
		deadline_stop(&deadline_);					\
	} while (0)

struct deadline {
	const char *where, *what;
	guint timer;
};

void deadline_start(struct deadline *deadline, const char *where, const char *what);
void deadline_iterate(struct deadline *deadline);
void deadline_stop(struct deadline *deadline);

/* Serves the default context until nothing more is ready. */
void run_idle(void);

unsigned int count_fds(void);

#endif /* TEST_FABRIC_NODE_H */
