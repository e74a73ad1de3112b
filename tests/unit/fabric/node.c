// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Nodes for the fabric tests.  A child is this same program, started again
 * with --node: a fork alone would share the parent's connections.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "node.h"

#define DEADLINE_SECONDS	20

char *test_dir_new(void)
{
	GError *error = NULL;
	char *dir = g_dir_make_tmp("fabric-XXXXXX", &error);

	g_assert_no_error(error);
	return dir;
}

void test_dir_remove(char *dir)
{
	GDir *d = g_dir_open(dir, 0, NULL);
	const char *name;

	while (d && (name = g_dir_read_name(d))) {
		char *path = g_build_filename(dir, name, NULL);

		g_assert_cmpint(remove(path), ==, 0);
		g_free(path);
	}
	g_clear_pointer(&d, g_dir_close);
	g_assert_cmpint(rmdir(dir), ==, 0);
	g_free(dir);
}

int test_ram_new(size_t size)
{
	int fd = memfd_create("test-ram", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	g_assert_cmpint(fd, >=, 0);
	g_assert_cmpint(ftruncate(fd, size), ==, 0);
	g_assert_cmpint(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), ==, 0);
	return fd;
}

int test_line_new(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	g_assert_cmpint(fd, >=, 0);
	return fd;
}

static void G_GNUC_PRINTF(2, 3) node_event(struct node *node, const char *format, ...)
{
	va_list args;
	char *line;

	va_start(args, format);
	line = g_strdup_vprintf(format, args);
	va_end(args);
	g_string_append_printf(node->log, "%s\n", line);
	if (node->on_event)
		node->on_event(node, line);
	g_free(line);
}

static void on_present(void *opaque, const FabricPeer *peer)
{
	node_event(opaque, "present %u %u", peer->node, peer->incarnation);
}

/* What the callbacks answer that may refuse. */
static bool node_unmaps(struct node *node)
{
	return !node->stuck;
}

static bool on_state(void *opaque, const FabricPeer *peer)
{
	node_event(opaque, "state %u %u", peer->node, peer->incarnation);
	return node_unmaps(opaque);
}

static bool on_linked(void *opaque, const FabricPeer *peer)
{
	node_event(opaque, "link %u %s", peer->node, peer->linked ? "up" : "down");
	return node_unmaps(opaque);
}

static bool on_gone(void *opaque, const FabricPeer *peer)
{
	node_event(opaque, "gone %u", peer->node);
	return node_unmaps(opaque);
}

static void on_lines(void *opaque, const FabricPeer *peer)
{
	GString *lines = g_string_new(NULL);

	for (unsigned int i = 0; i < peer->n_lines; i++)
		g_string_append_c(lines, peer->lines[i] >= 0 ? '1' : '0');
	node_event(opaque, "lines %u %s", peer->node, lines->str);
	g_string_free(lines, TRUE);
}

static bool on_invalidate(void *opaque, const FabricPeer *peer, uint64_t first, uint64_t count)
{
	node_event(opaque, "invalidate %u %" PRIu64 " %" PRIu64, peer->node, first, count);
	return node_unmaps(opaque);
}

static void on_settled(void *opaque)
{
	struct node *node = opaque;

	g_assert_false(fabric_busy(node->fabric));
	node_event(node, "settled");
}

static void on_report(void *opaque, const char *message)
{
	node_event(opaque, "report %s", message);
}

static const FabricOps node_ops = {
	.peer_present = on_present,
	.peer_state = on_state,
	.peer_linked = on_linked,
	.peer_gone = on_gone,
	.peer_lines = on_lines,
	.peer_invalidate = on_invalidate,
	.settled = on_settled,
	.report = on_report,
};

const FabricOps *node_ops_of(struct node *node, Fabric *fabric)
{
	node->fabric = fabric;
	return &node_ops;
}

static void node_free(struct node *node)
{
	fabric_free(node->fabric);
	close(node->ram_fd);
	for (unsigned int i = 0; i < NODE_LINES; i++)
		close(node->lines[i]);
	g_string_free(node->log, TRUE);
	g_free(node);
}

void node_config(struct node *node, const char *dir, unsigned int id, FabricConfig *config)
{
	node->id = id;
	node->log = g_string_new(NULL);
	node->ram_fd = test_ram_new(NODE_RAM_SIZE);
	for (unsigned int i = 0; i < NODE_LINES; i++)
		node->lines[i] = test_line_new();
	/* Two ranges with a hole between them, swapped in the file. */
	*config = (FabricConfig) {
		.dir = dir,
		.node = id,
		.n_ram = 2,
		.ram = {
			{ .guest_base = 0, .size = NODE_RAM_SIZE / 2,
			  .fd_offset = NODE_RAM_SIZE / 2, .fd = node->ram_fd },
			{ .guest_base = 0x100000000, .size = NODE_RAM_SIZE / 2,
			  .fd_offset = 0, .fd = node->ram_fd },
		},
		.n_lines = NODE_LINES,
	};
}

struct node *node_start_config(struct node *node, const FabricConfig *config, GError **error)
{
	node->fabric = fabric_new(config, &node_ops, node, error);
	if (node->fabric)
		return node;
	node_free(node);
	return NULL;
}

static struct node *node_create(const char *dir, unsigned int id, GMainContext *context,
				unsigned int closed, GError **error)
{
	struct node *node = g_new0(struct node, 1);
	FabricConfig config;

	node_config(node, dir, id, &config);
	config.context = context;
	config.closed[closed] = closed != 0;
	return node_start_config(node, &config, error);
}

struct node *node_new(const char *dir, unsigned int id, GMainContext *context, GError **error)
{
	return node_create(dir, id, context, 0, error);
}

struct node *node_start(const char *dir, unsigned int id)
{
	return node_start_closed(dir, id, 0);
}

struct node *node_start_closed(const char *dir, unsigned int id, unsigned int closed)
{
	GError *error = NULL;
	struct node *node = node_create(dir, id, NULL, closed, &error);

	g_assert_no_error(error);
	return node;
}

void node_stop(struct node *node)
{
	node_free(node);
}

static gboolean child_output(gint fd, GIOCondition condition, gpointer data)
{
	struct child *child = data;
	char text[4096];
	ssize_t size = read(fd, text, sizeof(text));

	if (size > 0) {
		g_string_append_len(child->log, text, size);
		return G_SOURCE_CONTINUE;
	}
	child->watch = 0;
	return G_SOURCE_REMOVE;
}

struct child *child_start(const char *dir, unsigned int id)
{
	struct child *child = g_new0(struct child, 1);
	char *number = g_strdup_printf("%u", id);
	char *argv[] = { (char *)"/proc/self/exe", (char *)"--node", (char *)dir, number, NULL };
	GError *error = NULL;

	child->id = id;
	child->log = g_string_new(NULL);
	g_spawn_async_with_pipes(NULL, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL,
				 &child->pid, &child->in, &child->out, NULL, &error);
	g_assert_no_error(error);
	g_free(number);
	child->watch = g_unix_fd_add(child->out, G_IO_IN | G_IO_HUP, child_output, child);
	return child;
}

void child_tell(struct child *child, const char *command)
{
	char *line = g_strdup_printf("%s\n", command);

	g_assert_cmpint(write(child->in, line, strlen(line)), ==, strlen(line));
	g_free(line);
}

static void child_free(struct child *child, int expected_signal)
{
	int status;

	g_assert_cmpint(waitpid(child->pid, &status, 0), ==, child->pid);
	if (expected_signal) {
		g_assert_true(WIFSIGNALED(status));
		g_assert_cmpint(WTERMSIG(status), ==, expected_signal);
	} else {
		g_assert_true(WIFEXITED(status));
		g_assert_cmpint(WEXITSTATUS(status), ==, 0);
	}
	if (child->watch)
		g_source_remove(child->watch);
	close(child->in);
	close(child->out);
	g_string_free(child->log, TRUE);
	g_free(child);
}

void child_kill(struct child *child)
{
	kill(child->pid, SIGKILL);
	child_free(child, SIGKILL);
}

void child_stop(struct child *child)
{
	child_tell(child, "quit");
	child_free(child, 0);
}

static void child_print(struct node *node, const char *line)
{
	printf("%s\n", line);
	fflush(stdout);
}

static bool child_command(struct node *node, const char *line)
{
	uint64_t first, count;
	unsigned int peer;

	if (strcmp(line, "enable") == 0)
		printf("enabled %u\n", fabric_enable(node->fabric));
	else if (strcmp(line, "disable") == 0)
		fabric_disable(node->fabric);
	else if (sscanf(line, "invalidate %" SCNu64 " %" SCNu64, &first, &count) == 2)
		fabric_invalidate(node->fabric, first, count);
	else if (sscanf(line, "close %u", &peer) == 1)
		fabric_set_port(node->fabric, peer, false);
	else if (sscanf(line, "open %u", &peer) == 1)
		fabric_set_port(node->fabric, peer, true);
	else if (strcmp(line, "ping") == 0)
		printf("pong\n");
	else
		return false;
	fflush(stdout);
	return true;
}

static gboolean child_input(gint fd, GIOCondition condition, gpointer data)
{
	char line[128];

	/* The parent writes whole lines, and stdio reads no further here. */
	if (fgets(line, sizeof(line), stdin)) {
		g_strchomp(line);
		if (child_command(data, line))
			return G_SOURCE_CONTINUE;
	}
	node_stop(data);
	exit(0);
}

void child_main(int argc, char **argv)
{
	GError *error = NULL;
	struct node *node;

	if (argc != 4 || strcmp(argv[1], "--node") != 0)
		return;
	setvbuf(stdin, NULL, _IONBF, 0);
	node = node_new(argv[2], atoi(argv[3]), NULL, &error);
	if (!node) {
		printf("refused %s\n", error->message);
		g_error_free(error);
		exit(0);
	}
	node->on_event = child_print;
	printf("ready\n");
	fflush(stdout);
	g_unix_fd_add(0, G_IO_IN | G_IO_HUP, child_input, node);
	for (;;)
		g_main_context_iteration(NULL, TRUE);
}

unsigned int saw(const GString *log, const char *format, ...)
{
	unsigned int count = 0;
	va_list args;
	char *line;

	va_start(args, format);
	line = g_strdup_vprintf(format, args);
	va_end(args);
	for (const char *p = log->str; p; p = strchr(p, '\n')) {
		p += *p == '\n';
		count += g_str_has_prefix(p, line);
	}
	g_free(line);
	return count;
}

static gboolean deadline_passed(gpointer data)
{
	struct deadline *deadline = data;

	g_error("%s: not within %u s: %s", deadline->where, DEADLINE_SECONDS, deadline->what);
	return G_SOURCE_REMOVE;
}

void deadline_start(struct deadline *deadline, const char *where, const char *what)
{
	deadline->where = where;
	deadline->what = what;
	deadline->timer = g_timeout_add_seconds(DEADLINE_SECONDS, deadline_passed, deadline);
}

void deadline_iterate(struct deadline *deadline)
{
	(void)deadline;
	g_main_context_iteration(NULL, TRUE);
}

void deadline_stop(struct deadline *deadline)
{
	g_source_remove(deadline->timer);
}

void run_idle(void)
{
	while (g_main_context_iteration(NULL, FALSE))
		continue;
}

unsigned int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int count = 0;

	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}
