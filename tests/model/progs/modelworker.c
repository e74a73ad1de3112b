// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A worker of rsmmodel: makes one RSMAPI call per line, or several at once in
 * threads, and answers with results and what the calls yield.  It knows nothing
 * of what ought to happen.  Here are its loop, what it is (user, children),
 * barriers and events.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <grp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "modelworker.h"

#define WAIT_MS_MAX	10000
#define TOGETHER	"together "

rsmapi_controller_handle_t controllers[CONTROLLERS];
rsm_memseg_export_handle_t exports[SLOTS];
struct import imports[SLOTS];
rsmapi_barrier_t barriers[BARRIERS];
uint8_t *regions[REGIONS];
_Thread_local char yield[MODEL_LINE - 16];

static struct pollfd pollfds[2][SLOTS];
static const int *worker_sockets;
static int worker_socket;

/* ---- arguments ---- */

long number(char **arg, int i)
{
	return strtol(arg[i], NULL, 10);
}

unsigned int slot(char **arg, int i, unsigned int most)
{
	unsigned long value = (unsigned long)number(arg, i);

	if (value >= most)
		model_die("no such slot: %s", arg[i]);
	return (unsigned int)value;
}

size_t bounded(char **arg, int i)
{
	unsigned long bytes = (unsigned long)number(arg, i);

	if (bytes > REGION_BYTES)
		model_die("too many bytes: %s", arg[i]);
	return bytes;
}

uint8_t *address(char **arg, int i)
{
	if (number(arg, i) < 0)
		return NULL;
	return regions[slot(arg, i, REGIONS)] + number(arg, i + 1);
}

/* "KIND SLOT": 0 an export handle, 1 an import handle. */
static void *either(char **arg, int i)
{
	unsigned int s = slot(arg, i + 1, SLOTS);

	return slot(arg, i, 2) ? (void *)imports[s].handle : (void *)exports[s];
}

/* ---- barriers ---- */

static int call_init(int n, char **arg)
{
	(void)n;
	return rsm_memseg_import_init_barrier(imports[slot(arg, 0, SLOTS)].handle,
					      RSM_BAR_DEFAULT, &barriers[slot(arg, 1, BARRIERS)]);
}

static int call_open(int n, char **arg)
{
	(void)n;
	return rsm_memseg_import_open_barrier(&barriers[slot(arg, 0, BARRIERS)]);
}

static int call_order(int n, char **arg)
{
	(void)n;
	return rsm_memseg_import_order_barrier(&barriers[slot(arg, 0, BARRIERS)]);
}

static int call_close(int n, char **arg)
{
	(void)n;
	return rsm_memseg_import_close_barrier(&barriers[slot(arg, 0, BARRIERS)]);
}

static int call_fini(int n, char **arg)
{
	(void)n;
	return rsm_memseg_import_destroy_barrier(&barriers[slot(arg, 0, BARRIERS)]);
}

static int call_mode(int n, char **arg)
{
	(void)n;
	return rsm_memseg_import_set_mode(imports[slot(arg, 0, SLOTS)].handle,
					  (rsm_barrier_mode_t)number(arg, 1));
}

static int call_get_mode(int n, char **arg)
{
	rsm_barrier_mode_t mode = RSM_BARRIER_MODE_EXPLICIT;
	int ret = rsm_memseg_import_get_mode(imports[slot(arg, 0, SLOTS)].handle, &mode);

	(void)n;
	snprintf(yield, sizeof(yield), "%d", (int)mode);
	return ret;
}

/* ---- events ---- */

static int call_post(int n, char **arg)
{
	(void)n;
	return rsm_intr_signal_post(either(arg, 0), (uint_t)number(arg, 2));
}

static int call_wait(int n, char **arg)
{
	int ms = (int)number(arg, 2);

	(void)n;
	/* Or -1, for ever: then the dispatcher has the deadline. */
	if (ms < -1 || ms > WAIT_MS_MAX)
		model_die("no such time: %s", arg[2]);
	return rsm_intr_signal_wait(either(arg, 0), ms);
}

static int call_get_pollfd(int n, char **arg)
{
	struct pollfd fd = { .fd = -1 };
	int ret = rsm_memseg_get_pollfd(either(arg, 0), &fd);

	(void)n;
	if (!ret)
		pollfds[slot(arg, 0, 2)][slot(arg, 1, SLOTS)] = fd;
	snprintf(yield, sizeof(yield), "%d %d", fd.fd >= 0, fd.events == POLLRDNORM);
	return ret;
}

static int call_release_pollfd(int n, char **arg)
{
	(void)n;
	return rsm_memseg_release_pollfd(either(arg, 0));
}

/* "MS [KIND SLOT]...": of handles whose pollfd was got. */
static int call_wait_pollfd(int n, char **arg)
{
	struct pollfd fds[2 * SLOTS];
	int count = 0, ready = -1, length, ret;
	int ms = (int)number(arg, 0);

	if (ms < 0 || ms > WAIT_MS_MAX)
		model_die("no such time: %s", arg[0]);
	for (int i = 1; i + 1 < n && count < 2 * SLOTS; i += 2)
		fds[count++] = pollfds[slot(arg, i, 2)][slot(arg, i + 1, SLOTS)];
	ret = rsm_intr_signal_wait_pollfd(fds, (nfds_t)count, ms, &ready);
	length = snprintf(yield, sizeof(yield), "%d", ready);
	for (int i = 0; i < count; i++)
		length += snprintf(yield + length, sizeof(yield) - (size_t)length, " %d",
				   ret ? 0 : fds[i].revents == POLLRDNORM);
	return ret;
}

/* ---- the process ---- */

/* "USER GROUP SUPPLEMENTARY" */
static int call_ids(int n, char **arg)
{
	gid_t extra = (gid_t)number(arg, 2);

	(void)n;
	if (seteuid(0) || setgroups(1, &extra) || setegid((gid_t)number(arg, 1)) ||
	    seteuid((uid_t)number(arg, 0)))
		model_die("cannot change the user");
	return 0;
}

static int call_umask(int n, char **arg)
{
	(void)n;
	umask((mode_t)number(arg, 0));
	return 0;
}

/* "WORKER": the child serves that number; it belongs to the dispatcher. */
static int call_fork(int n, char **arg)
{
	unsigned int child = slot(arg, 0, MODEL_WORKERS);
	int link[2], status;
	pid_t pid, middle;

	(void)n;
	if (pipe(link))
		model_die("cannot make a pipe");
	middle = fork();
	if (middle == 0) {
		pid = fork();
		if (pid != 0) {
			status = write(link[1], &pid, sizeof(pid)) != sizeof(pid);
			_exit(status);
		}
		close(link[0]);
		close(link[1]);
		worker_socket = worker_sockets[child];
		return 0;
	}
	if (middle < 0 || read(link[0], &pid, sizeof(pid)) != sizeof(pid) ||
	    waitpid(middle, &status, 0) != middle || pid < 0)
		model_die("cannot fork");
	close(link[0]);
	close(link[1]);
	snprintf(yield, sizeof(yield), "%d", pid);
	return 0;
}

static const struct call {
	const char *name;
	int least;
	int (*make)(int n, char **arg);
} calls[] = {
	{ "create", 6, call_create },
	{ "publish", 3, call_publish },
	{ "republish", 2, call_republish },
	{ "rebind", 4, call_rebind },
	{ "unpublish", 1, call_unpublish },
	{ "destroy", 1, call_destroy },
	{ "renew", 1, call_renew },
	{ "ownstore", 4, call_own_store },
	{ "ownload", 3, call_own_load },
	{ "connect", 5, call_connect },
	{ "disconnect", 1, call_disconnect },
	{ "map", 4, call_map },
	{ "unmap", 1, call_unmap },
	{ "store", 4, call_store },
	{ "load", 3, call_load },
	{ "put", 6, call_put },
	{ "get", 5, call_get },
	{ "putv", 3, call_putv },
	{ "getv", 3, call_getv },
	{ "local", 5, call_local },
	{ "freelocal", 2, call_free_local },
	{ "init", 2, call_init },
	{ "open", 1, call_open },
	{ "order", 1, call_order },
	{ "close", 1, call_close },
	{ "fini", 1, call_fini },
	{ "mode", 2, call_mode },
	{ "getmode", 1, call_get_mode },
	{ "post", 3, call_post },
	{ "wait", 3, call_wait },
	{ "getpoll", 2, call_get_pollfd },
	{ "freepoll", 2, call_release_pollfd },
	{ "waitpoll", 1, call_wait_pollfd },
	{ "ids", 3, call_ids },
	{ "umask", 1, call_umask },
	{ "fork", 1, call_fork },
};

int model_make(char *line)
{
	char *words[MODEL_ARGS];
	int n = model_words(line, words, MODEL_ARGS);

	for (size_t i = 0; n && i < sizeof(calls) / sizeof(calls[0]); i++)
		if (!strcmp(words[0], calls[i].name) && n - 1 >= calls[i].least)
			return calls[i].make(n - 1, words + 1);
	model_die("no such call: %s", n ? words[0] : "");
}

static void prepare(void)
{
	char sci[] = "sci0", loopback[] = "loopback";

	if (rsm_get_controller(sci, &controllers[0]) ||
	    rsm_get_controller(loopback, &controllers[1]))
		model_die("no controller");
	for (int i = 0; i < REGIONS; i++) {
		regions[i] = mmap(NULL, REGION_BYTES, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (regions[i] == MAP_FAILED)
			model_die("no memory");
	}
	umask(0022);
	model_data_prepare();
}

void model_worker(int number, const int sockets[MODEL_WORKERS])
{
	char line[MODEL_LINE], answer[MODEL_LINE];
	ssize_t got;
	int ret;

	worker_sockets = sockets;
	worker_socket = sockets[number];
	prepare();
	while ((got = read(worker_socket, line, sizeof(line) - 1)) > 0) {
		const int *child = NULL;

		line[got] = '\0';
		if (!strncmp(line, TOGETHER, strlen(TOGETHER))) {
			model_together(line + strlen(TOGETHER), answer);
			if (write(worker_socket, answer, strlen(answer)) < 0)
				break;
			continue;
		}
		yield[0] = '\0';
		ret = model_make(line);
		/* A child goes on without an answer: its number changed in fork. */
		if (worker_socket != sockets[number]) {
			for (child = sockets; *child != worker_socket; child++)
				;
			number = (int)(child - sockets);
			continue;
		}
		snprintf(answer, sizeof(answer), "%d%s%s", ret, *yield ? " " : "", yield);
		if (write(worker_socket, answer, strlen(answer)) < 0)
			break;
	}
	exit(0);
}
