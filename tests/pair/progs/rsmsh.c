// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The RSMAPI by hand: reads one command per line, answers each with one line,
 * the error number followed by what the command yields.  The pair tests drive
 * one per role; it is handy at a console, too ("help").
 *
 * Usage: rsmsh [CONTROLLER]	(sci0)
 *
 * A segment is named by a slot, 0..31, that `export` or `connect` fills.
 * Ids are hexadecimal, permissions octal, all else decimal.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pairprog.h"

#define SLOTS		32
#define ARGS_MAX	72
#define LINE_MAX_BYTES	8192
#define NOT_AN_ERROR	(-1)	/* the command itself was wrong */

struct slot {
	rsm_memseg_export_handle_t ex;
	rsm_memseg_import_handle_t im;
	rsmapi_barrier_t bar;
	volatile uint64_t *mem;		/* own memory or mapping; NULL if neither */
	size_t bytes;			/* of mem, or of the segment to map */
};

static rsmapi_controller_handle_t ctrl;
static char *controller = (char[]){ PAIR_CONTROLLER };
static struct slot slots[SLOTS];
static char reply[LINE_MAX_BYTES];	/* what follows the error number */

static struct slot *slot_of(const char *arg)
{
	return &slots[pair_number(arg, 10) % SLOTS];
}

/* The word at a byte offset; ends the program if the script is wrong. */
static volatile uint64_t *word(struct slot *s, const char *offset)
{
	unsigned long off = pair_number(offset, 10);

	if (!s->mem || off % 8 || off >= s->bytes)
		pair_die("no such word: %s", offset);
	return &s->mem[off / 8];
}

static int cmd_export(int n, char **arg)
{
	struct slot *s = slot_of(arg[0]);

	s->bytes = pair_number(arg[1], 10);
	s->mem = pair_memory(s->bytes);
	return rsm_memseg_export_create(ctrl, &s->ex, (void *)s->mem, s->bytes,
					n > 2 ? pair_number(arg[2], 10) : 0);
}

/* NODE:PERM arguments; how many. */
static uint_t access_list(int n, char **arg, rsmapi_access_entry_t *acl)
{
	for (int i = 0; i < n; i++) {
		char *colon = strchr(arg[i], ':');

		if (!colon)
			pair_die("not NODE:PERMISSION: %s", arg[i]);
		*colon = '\0';
		acl[i].ae_node = pair_number(arg[i], 10);
		acl[i].ae_permission = pair_number(colon + 1, 8);
	}
	return n;
}

static int cmd_publish(int n, char **arg)
{
	rsmapi_access_entry_t acl[ARGS_MAX];
	rsm_memseg_id_t id = pair_number(arg[1], 16);
	uint_t length = access_list(n - 2, arg + 2, acl);
	int err = rsm_memseg_export_publish(slot_of(arg[0])->ex, &id, acl, length);

	snprintf(reply, sizeof(reply), "%x", id);
	return err;
}

static int cmd_republish(int n, char **arg)
{
	rsmapi_access_entry_t acl[ARGS_MAX];
	uint_t length = access_list(n - 1, arg + 1, acl);

	return rsm_memseg_export_republish(slot_of(arg[0])->ex, acl, length);
}

/* To fresh memory; the old one is unmapped at once. */
static int cmd_rebind(int n, char **arg)
{
	struct slot *s = slot_of(arg[0]);
	void *mem = pair_memory(s->bytes);
	int err = rsm_memseg_export_rebind(s->ex, mem, 0, s->bytes);

	(void)n;
	if (munmap(err ? mem : (void *)s->mem, s->bytes))
		pair_die("munmap failed");
	if (!err)
		s->mem = mem;
	return err;
}

static int cmd_unpublish(int n, char **arg)
{
	(void)n;
	return rsm_memseg_export_unpublish(slot_of(arg[0])->ex);
}

static int cmd_destroy(int n, char **arg)
{
	struct slot *s = slot_of(arg[0]);
	int err = rsm_memseg_export_destroy(s->ex);

	(void)n;
	if (!err)
		s->ex = NULL;
	return err;
}

static int cmd_free(int n, char **arg)
{
	struct slot *s = slot_of(arg[0]);

	(void)n;
	if (munmap((void *)s->mem, s->bytes))
		pair_die("munmap failed");
	s->mem = NULL;
	return 0;
}

static int cmd_connect(int n, char **arg)
{
	struct slot *s = slot_of(arg[0]);

	return rsm_memseg_import_connect(ctrl, pair_number(arg[1], 10), pair_number(arg[2], 16),
					 n > 3 ? pair_number(arg[3], 8) : RSM_PERM_RDWR, &s->im);
}

static int cmd_map(int n, char **arg)
{
	struct slot *s = slot_of(arg[0]);
	void *mem = NULL;
	int err;

	s->bytes = pair_number(arg[1], 10);
	err = rsm_memseg_import_map(s->im, &mem, RSM_MAP_NONE,
				    n > 2 ? pair_number(arg[2], 8) : RSM_PERM_RDWR, 0, s->bytes);
	s->mem = err ? NULL : mem;
	return err;
}

static int cmd_unmap(int n, char **arg)
{
	struct slot *s = slot_of(arg[0]);

	(void)n;
	s->mem = NULL;
	return rsm_memseg_import_unmap(s->im);
}

static int cmd_disconnect(int n, char **arg)
{
	struct slot *s = slot_of(arg[0]);
	int err = rsm_memseg_import_disconnect(s->im);

	(void)n;
	if (!err)
		s->im = NULL;
	return err;
}

static int cmd_init(int n, char **arg)
{
	struct slot *s = slot_of(arg[0]);

	(void)n;
	return rsm_memseg_import_init_barrier(s->im, RSM_BARRIER_NODE, &s->bar);
}

static int cmd_open(int n, char **arg)
{
	(void)n;
	return rsm_memseg_import_open_barrier(&slot_of(arg[0])->bar);
}

static int cmd_order(int n, char **arg)
{
	(void)n;
	return rsm_memseg_import_order_barrier(&slot_of(arg[0])->bar);
}

static int cmd_close(int n, char **arg)
{
	(void)n;
	return rsm_memseg_import_close_barrier(&slot_of(arg[0])->bar);
}

static int cmd_fini(int n, char **arg)
{
	(void)n;
	return rsm_memseg_import_destroy_barrier(&slot_of(arg[0])->bar);
}

static int cmd_set(int n, char **arg)
{
	struct slot *s = slot_of(arg[0]);

	(void)n;
	__atomic_store_n(word(s, arg[1]), pair_number(arg[2], 10), __ATOMIC_SEQ_CST);
	return 0;
}

static int cmd_get(int n, char **arg)
{
	(void)n;
	snprintf(reply, sizeof(reply), "%" PRIu64, *word(slot_of(arg[0]), arg[1]));
	return 0;
}

static int cmd_await(int n, char **arg)
{
	volatile uint64_t *w = word(slot_of(arg[0]), arg[1]);

	(void)n;
	return pair_await(w, pair_number(arg[2], 10), pair_number(arg[3], 10)) ? 0 :
		RSMERR_TIMEOUT;
}

static int cmd_stores(int n, char **arg)
{
	struct slot *s = slot_of(arg[0]);
	unsigned long count = pair_number(arg[1], 10);

	(void)n;
	word(s, "0");
	for (unsigned long i = 0; i < count; i++)
		s->mem[i % (s->bytes / 8)] = i;
	return 0;
}

/* What fill leaves and check expects; differs per word and seed. */
static uint64_t pattern(uint64_t i, uint64_t seed)
{
	return (i + seed) * 0x9e3779b97f4a7c15ull;
}

static int cmd_fill(int n, char **arg)
{
	struct slot *s = slot_of(arg[0]);
	uint64_t seed = pair_number(arg[1], 10);

	(void)n;
	word(s, "0");
	for (size_t i = 0; i < s->bytes / 8; i++)
		s->mem[i] = pattern(i, seed);
	return 0;
}

static int cmd_check(int n, char **arg)
{
	struct slot *s = slot_of(arg[0]);
	uint64_t seed = pair_number(arg[1], 10);
	size_t bad = 0;

	(void)n;
	word(s, "0");
	for (size_t i = 0; i < s->bytes / 8; i++)
		bad += s->mem[i] != pattern(i, seed);
	snprintf(reply, sizeof(reply), "%zu", bad);
	return 0;
}

static void *either(struct slot *s)
{
	return s->ex ? (void *)s->ex : (void *)s->im;
}

static int cmd_post(int n, char **arg)
{
	return rsm_intr_signal_post(either(slot_of(arg[0])), n > 1 ? pair_number(arg[1], 10) : 0);
}

static int cmd_wait(int n, char **arg)
{
	(void)n;
	return rsm_intr_signal_wait(either(slot_of(arg[0])), pair_number(arg[1], 10));
}

/* The state of the path to a node; 0 if the topology does not list it. */
static int cmd_path(int n, char **arg)
{
	rsm_node_id_t node = pair_number(arg[0], 10);
	unsigned int state = 0;
	rsm_topology_t *t;
	int err = rsm_get_interconnect_topology(&t);

	if (err)
		return err;
	for (unsigned int c = 0; c < t->topology_hdr.local_cntlr_count; c++) {
		rsm_connections_t *con = t->connections[c];

		for (int r = 0; r < con->hdr.remote_cntlr_count; r++)
			if (!strcmp(con->hdr.cntlr_name, n > 1 ? arg[1] : controller) &&
			    con->remote_cntlr[r].remote_nodeid == node)
				state = con->remote_cntlr[r].connection_state;
	}
	rsm_free_interconnect_topology(t);
	snprintf(reply, sizeof(reply), "%u", state);
	return 0;
}

static int cmd_become(int n, char **arg)
{
	unsigned int id = (unsigned int)pair_number(arg[0], 10);

	(void)n;
	if (setgroups(0, NULL) || setgid(id) || setuid(id))
		pair_die("cannot become %u", id);
	return 0;
}

static int cmd_help(int n, char **arg);

static const struct command {
	const char *name;
	int least;
	const char *usage;
	int (*run)(int n, char **arg);
} commands[] = {
	{ "export", 2, "SLOT BYTES [FLAGS]", cmd_export },
	{ "publish", 2, "SLOT ID [NODE:PERM]...", cmd_publish },
	{ "republish", 1, "SLOT [NODE:PERM]...", cmd_republish },
	{ "rebind", 1, "SLOT: to fresh memory", cmd_rebind },
	{ "unpublish", 1, "SLOT", cmd_unpublish },
	{ "destroy", 1, "SLOT", cmd_destroy },
	{ "free", 1, "SLOT: munmap exported memory", cmd_free },
	{ "connect", 3, "SLOT NODE ID [PERM]", cmd_connect },
	{ "map", 2, "SLOT BYTES [PERM]", cmd_map },
	{ "unmap", 1, "SLOT", cmd_unmap },
	{ "disconnect", 1, "SLOT", cmd_disconnect },
	{ "init", 1, "SLOT: init_barrier", cmd_init },
	{ "open", 1, "SLOT: open_barrier", cmd_open },
	{ "order", 1, "SLOT: order_barrier", cmd_order },
	{ "close", 1, "SLOT: close_barrier", cmd_close },
	{ "fini", 1, "SLOT: destroy_barrier", cmd_fini },
	{ "set", 3, "SLOT OFFSET VALUE", cmd_set },
	{ "get", 2, "SLOT OFFSET", cmd_get },
	{ "await", 4, "SLOT OFFSET VALUE MS", cmd_await },
	{ "stores", 2, "SLOT COUNT", cmd_stores },
	{ "fill", 2, "SLOT SEED", cmd_fill },
	{ "check", 2, "SLOT SEED: how many words differ", cmd_check },
	{ "post", 1, "SLOT [FLAGS]", cmd_post },
	{ "wait", 2, "SLOT MS", cmd_wait },
	{ "path", 1, "NODE [CONTROLLER]: state of the path", cmd_path },
	{ "become", 1, "UID: and the group of that number", cmd_become },
	{ "help", 0, "", cmd_help },
};

#define COMMANDS	(sizeof(commands) / sizeof(commands[0]))

static int cmd_help(int n, char **arg)
{
	(void)n;
	(void)arg;
	for (size_t i = 0; i < COMMANDS; i++)
		printf("%s %s\n", commands[i].name, commands[i].usage);
	return 0;
}

static int run(char *line)
{
	char *args[ARGS_MAX], *save = NULL;
	int n = 0;

	for (char *a = strtok_r(line, " \n", &save); a && n < ARGS_MAX;
	     a = strtok_r(NULL, " \n", &save))
		args[n++] = a;
	for (size_t i = 0; n && i < COMMANDS; i++)
		if (!strcmp(args[0], commands[i].name) && n - 1 >= commands[i].least)
			return commands[i].run(n - 1, args + 1);
	return NOT_AN_ERROR;
}

static void on_fault(int sig)
{
	static const char text[] = "an access raised a signal\n";
	ssize_t n = write(STDOUT_FILENO, text, sizeof(text) - 1);

	(void)sig;
	(void)n;
	_exit(3);
}

/* SIGUSR1 interrupts the call that runs. */
static void on_interrupt(int sig)
{
	(void)sig;
}

int main(int argc, char **argv)
{
	struct sigaction interrupt = { .sa_handler = on_interrupt };	/* without SA_RESTART */
	static char line[LINE_MAX_BYTES];

	sigaction(SIGUSR1, &interrupt, NULL);
	signal(SIGBUS, on_fault);
	signal(SIGSEGV, on_fault);
	if (argc > 1)
		controller = argv[1];
	if (rsm_get_controller(controller, &ctrl))
		pair_die("no controller %s", controller);
	for (;;) {
		int err;

		errno = 0;
		if (!fgets(line, sizeof(line), stdin)) {
			if (errno != EINTR)
				break;
			clearerr(stdin);
			continue;
		}
		reply[0] = '\0';
		err = run(line);
		printf("%d%s%s\n", err, *reply ? " " : "", reply);
		fflush(stdout);
	}
	return 0;
}
