// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How a fabric grows: as many members as it is told join one directory, each a
 * process with a little RAM and no machine, and a table says what that costs.
 *
 *   scale [--tap] MEMBERS...
 *
 * A member does what one line of text tells it and answers with one line.  The
 * numbers are for people; with --tap the program only checks that each step
 * comes to its end.  The columns:
 *
 *   all met      from the start of the first process until all are peers
 *   CPU idle     of all processes, while nothing happens but two questions
 *   invalidate   one member invalidates, all others acknowledge; and the CPU
 *                time of all processes for it
 *   link flap    one member closes and opens its port to one other
 *   leave        until all others know that one has left
 *   descriptors  open in a member, of which 15 belong to no peer
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <glib-unix.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "node.h"

#define DEADLINE_MS	120000
#define ROUNDS		20
#define IDLE_MS		2000

/* ---- A member, in its own process ---- */

struct own {
	struct node *node;
	unsigned int id;
	unsigned int peers;
	bool waits;		/* for the end of an invalidation */
};

static struct own own;

static double cpu_seconds(void)
{
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return used.tv_sec + used.tv_nsec / 1e9;
}

static void say(const char *format, ...) G_GNUC_PRINTF(1, 2);

static void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

static void member_event(struct node *node, const char *line)
{
	own.peers += g_str_has_prefix(line, "present ");
	own.peers -= g_str_has_prefix(line, "gone ");
	if (g_str_has_prefix(line, "report "))
		fprintf(stderr, "# member %u: %s\n", own.id, line);
	if (own.waits && g_str_equal(line, "settled")) {
		own.waits = false;
		say("settled");
	}
	g_string_truncate(node->log, 0);
}

static void member_command(const char *line)
{
	Fabric *fabric = own.node->fabric;
	unsigned int to;

	if (g_str_equal(line, "peers")) {
		say("%u", own.peers);
	} else if (g_str_equal(line, "cpu")) {
		say("%.9f", cpu_seconds());
	} else if (g_str_equal(line, "fds")) {
		/* Beside ".", ".." and the descriptor of the look itself. */
		say("%u", count_fds() - 3);
	} else if (g_str_equal(line, "enable")) {
		say("%u", fabric_enable(fabric));
	} else if (g_str_equal(line, "invalidate")) {
		own.waits = true;
		fabric_invalidate(fabric, 0, 16);
		if (!fabric_busy(fabric)) {
			own.waits = false;
			say("settled");
		}
	} else if (sscanf(line, "link %u", &to) == 1) {
		/* One request to one peer and its acknowledgement. */
		fabric_set_port(fabric, to, false);
		fabric_set_port(fabric, to, true);
		while (!fabric_peer(fabric, to)->linked)
			g_main_context_iteration(NULL, TRUE);
		say("linked");
	} else {
		exit(1);
	}
}

static gboolean member_input(gint fd, GIOCondition condition, gpointer data)
{
	char line[64];

	if (fgets(line, sizeof(line), stdin)) {
		g_strchomp(line);
		if (!g_str_equal(line, "quit")) {
			member_command(line);
			return G_SOURCE_CONTINUE;
		}
	}
	node_stop(own.node);
	say("left");
	exit(0);
}

static void member_main(const char *dir, unsigned int id)
{
	FabricConfig config;
	GError *error = NULL;

	setvbuf(stdin, NULL, _IONBF, 0);
	own.id = id;
	own.node = g_new0(struct node, 1);
	own.node->on_event = member_event;
	node_config(own.node, dir, id, &config);
	own.node = node_start_config(own.node, &config, &error);
	if (!own.node) {
		say("refused %s", error->message);
		exit(1);
	}
	say("ready");
	g_unix_fd_add(0, G_IO_IN | G_IO_HUP, member_input, NULL);
	for (;;)
		g_main_context_iteration(NULL, TRUE);
}

/* ---- The one who starts and measures them ---- */

struct member {
	GPid pid;
	FILE *in, *out;
};

static struct member members[FABRIC_NODE_MAX];
static unsigned int n_members;

static double now(void)
{
	return g_get_monotonic_time() / 1e6;
}

static void tell(const struct member *member, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void tell(const struct member *member, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(member->in, format, args);
	va_end(args);
	fputc('\n', member->in);
	fflush(member->in);
}

/* The next line of a member, which has to come. */
static const char *hear(const struct member *member)
{
	static char line[512];
	struct pollfd p = { .fd = fileno(member->out), .events = POLLIN };

	if (poll(&p, 1, DEADLINE_MS) != 1 || !fgets(line, sizeof(line), member->out))
		g_error("member %zu of %u does not answer", member - members + 1, n_members);
	return g_strchomp(line);
}

static double ask(const struct member *member, const char *what)
{
	tell(member, "%s", what);
	return g_ascii_strtod(hear(member), NULL);
}

static void member_start(struct member *member, const char *dir, unsigned int id)
{
	char *number = g_strdup_printf("%u", id);
	char *argv[] = { (char *)"/proc/self/exe", (char *)"--member", (char *)dir, number, NULL };
	GError *error = NULL;
	int in, out;

	g_spawn_async_with_pipes(NULL, argv, NULL,
				 G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_CLOEXEC_PIPES, NULL, NULL,
				 &member->pid, &in, &out, NULL, &error);
	g_assert_no_error(error);
	g_free(number);
	member->in = fdopen(in, "w");
	member->out = fdopen(out, "r");
	/* Lines are read one by one: none may hide in a buffer from poll(). */
	setvbuf(member->out, NULL, _IONBF, 0);
}

static void member_end(struct member *member)
{
	int status;

	g_assert_cmpint(waitpid(member->pid, &status, 0), ==, member->pid);
	g_assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	fclose(member->in);
	fclose(member->out);
}

static double sum(const char *what)
{
	double total = 0;

	for (unsigned int i = 0; i < n_members; i++)
		total += ask(&members[i], what);
	return total;
}

static void wait_for_peers(unsigned int n, unsigned int from)
{
	for (unsigned int i = from; i < n_members; i++) {
		double end = now() + DEADLINE_MS / 1000;

		while (ask(&members[i], "peers") != n) {
			g_assert_cmpfloat(now(), <, end);
			g_usleep(2000);
		}
	}
}

struct figures {
	double join, idle_cpu, invalidate, invalidate_cpu, request, leave, fds;
};

/* Seconds that one takes, of ROUNDS that the first member is told. */
static double measure(const char *format, unsigned int other, const char *answer)
{
	double start = now();

	for (unsigned int i = 0; i < ROUNDS; i++) {
		char *command = g_strdup_printf(format, other);

		tell(&members[0], "%s", command);
		g_assert_cmpstr(hear(&members[0]), ==, answer);
		g_free(command);
	}
	return (now() - start) / ROUNDS;
}

static void join_all(const char *dir, struct figures *figures)
{
	double start = now();

	for (unsigned int i = 0; i < n_members; i++)
		member_start(&members[i], dir, i + 1);
	for (unsigned int i = 0; i < n_members; i++)
		g_assert_cmpstr(hear(&members[i]), ==, "ready");
	wait_for_peers(n_members - 1, 0);
	figures->join = now() - start;
}

static void leave_all(struct figures *figures)
{
	double start;

	/* One of them: how long until all others know. */
	start = now();
	tell(&members[0], "quit");
	g_assert_cmpstr(hear(&members[0]), ==, "left");
	member_end(&members[0]);
	wait_for_peers(n_members - 2, 1);
	figures->leave = now() - start;
	for (unsigned int i = 1; i < n_members; i++)
		tell(&members[i], "quit");
	for (unsigned int i = 1; i < n_members; i++)
		member_end(&members[i]);
}

static void run(unsigned int n, unsigned int idle_ms, struct figures *figures)
{
	char *dir = test_dir_new();
	double cpu;

	n_members = n;
	join_all(dir, figures);
	figures->fds = sum("fds") / n;
	for (unsigned int i = 0; i < n; i++)
		ask(&members[i], "enable");
	measure("invalidate", 0, "settled");

	cpu = sum("cpu");
	g_usleep(idle_ms * 1000);
	figures->idle_cpu = (sum("cpu") - cpu) / (idle_ms / 1000.0);
	cpu = sum("cpu");
	figures->invalidate = measure("invalidate", 0, "settled");
	figures->invalidate_cpu = (sum("cpu") - cpu) / ROUNDS;
	figures->request = measure("link %u", n, "linked");
	leave_all(figures);
	test_dir_remove(dir);
}

static void table(int argc, char **argv)
{
	printf("members | all met | CPU idle | invalidate | its CPU | link flap | leave | descrip-\n"
	       "        |       s |   ms / s |         us |      us |        us |    ms |     tors\n");
	for (int i = 0; i < argc; i++) {
		struct figures f;

		run(atoi(argv[i]), IDLE_MS, &f);
		printf("%7s | %7.2f | %8.2f | %10.0f | %7.0f | %9.0f | %5.1f | %8.1f\n", argv[i],
		       f.join, f.idle_cpu * 1e3, f.invalidate * 1e6, f.invalidate_cpu * 1e6,
		       f.request * 1e6, f.leave * 1e3, f.fds);
		fflush(stdout);
	}
}

static void members_meet_settle_and_leave(gconstpointer data)
{
	struct figures f;

	run(GPOINTER_TO_UINT(data), 1, &f);
	g_test_message("all met after %.2f s; an invalidation took %.0f us", f.join,
		       f.invalidate * 1e6);
}

/* Each member costs this process two pipes. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int main(int argc, char **argv)
{
	bool tap = argc > 1 && g_str_equal(argv[1], "--tap");
	const char *size = argv[argc - 1];

	if (argc == 4 && g_str_equal(argv[1], "--member"))
		member_main(argv[2], atoi(argv[3]));
	if (argc < 2 + tap) {
		fprintf(stderr, "usage: scale [--tap] MEMBERS...\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	raise_limit();
	if (!tap) {
		table(argc - 1, argv + 1);
		return 0;
	}
	g_test_init(&argc, &argv, NULL);
	char *path = g_strdup_printf("/scale/%s_members_meet_settle_and_leave", size);
	g_test_add_data_func(path, GUINT_TO_POINTER(atoi(size)), members_meet_settle_and_leave);
	g_free(path);
	return g_test_run();
}
