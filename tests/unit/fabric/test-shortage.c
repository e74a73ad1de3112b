// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What poll() does not announce: full listen queues, no free descriptors, too
 * many descriptors in flight.  Nodes meet as soon as there is room again.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "node.h"
#include "raw.h"

/* The lowest descriptor that is free: with this limit there is none. */
static unsigned int next_fd(void)
{
	int fd = fcntl(0, F_DUPFD_CLOEXEC, 0);

	g_assert_cmpint(fd, >=, 0);
	close(fd);
	return fd;
}

static struct rlimit limit_files(rlim_t soft)
{
	struct rlimit was, now;

	g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &was), ==, 0);
	now = was;
	now.rlim_cur = soft;
	g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &now), ==, 0);
	return was;
}

static bool reported(const struct node *node, const char *what)
{
	return saw(node->log, "report") && strstr(node->log->str, what);
}

static void full_listen_queue_is_dialled_again(void)
{
	char *dir = test_dir_new();
	int listener = raw_listen(dir, "9.sock", SOCK_SEQPACKET);
	int crowd[9], fd = -1;
	struct raw_hello hello;
	struct node *a;

	for (size_t i = 0; i < G_N_ELEMENTS(crowd); i++)
		crowd[i] = raw_dial(dir, 9);
	a = node_start(dir, 1);
	run_idle();
	for (size_t i = 0; i < G_N_ELEMENTS(crowd); i++) {
		close(accept(listener, NULL, NULL));
		close(crowd[i]);
	}
	wait_until((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0);
	raw_hello_init(&hello, 9);
	raw_send_hello(fd, &hello);
	raw_hello_fini(&hello);
	wait_until(saw(a->log, "present 9"));
	g_assert_cmpuint(saw(a->log, "report"), ==, 0);
	close(fd);
	close(listener);
	node_stop(a);
	test_dir_remove(dir);
}

static void no_free_descriptor_delays_acceptance(void)
{
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1);
	int fd = raw_join(dir, 1, 9);
	struct rlimit was = limit_files(next_fd());
	int64_t until;

	wait_until(reported(a, "no descriptor is free for a connection"));
	/* Tried again, but reported once, and not in a busy loop. */
	until = g_get_monotonic_time() + 300000;
	for (unsigned int turns = 0; g_get_monotonic_time() < until; turns++) {
		g_main_context_iteration(NULL, TRUE);
		g_assert_cmpuint(turns, <, 50);
	}
	g_assert_cmpuint(saw(a->log, "report"), ==, 1);
	g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &was), ==, 0);
	wait_until(saw(a->log, "present 9"));
	close(fd);
	node_stop(a);
	test_dir_remove(dir);
}

static void hello_that_does_not_fit_waits(void)
{
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1);
	unsigned int fds = count_fds();
	int fd = raw_join(dir, 1, 9);
	/* Room for the connection and two of the three descriptors of the HELLO. */
	struct rlimit was = limit_files(next_fd() + 3);

	wait_until(reported(a, "no descriptor is free for a message"));
	g_assert_true(reported(a, "ulimit -n"));
	run_idle();
	g_assert_cmpuint(saw(a->log, "present"), ==, 0);
	g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &was), ==, 0);
	wait_until(saw(a->log, "present 9"));
	g_assert_cmpuint(saw(a->log, "report"), ==, 1);
	close(fd);
	wait_until(count_fds() == fds);
	node_stop(a);
	test_dir_remove(dir);
}

static void limit_both(rlim_t soft, rlim_t hard)
{
	struct rlimit limit = { soft, hard };

	g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &limit), ==, 0);
}

static bool joins(const char *dir, int listener, GError **error)
{
	struct node *a = node_new(dir, 1, NULL, error);
	int dialled = accept(listener, NULL, NULL);

	/* Nobody is dialled by one that fails. */
	g_assert_true(!a == (dialled < 0));
	if (!a)
		return false;
	close(dialled);
	node_stop(a);
	return true;
}

/* In a process of its own, which cannot raise its hard limit again. */
static void descriptors_are_counted(const char *dir, int listener)
{
	unsigned int limit = next_fd() + 200;
	struct rlimit now;
	GError *error = NULL;
	char *expected;

	/* A soft limit is raised. */
	limit_both(next_fd() + 40, limit);
	g_assert_true(joins(dir, listener, NULL));
	g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &now), ==, 0);
	g_assert_cmpuint(now.rlim_cur, ==, limit);
	/* A hard limit is not; what it then asks for would have been enough. */
	do {
		limit--;
		limit_both(limit, limit);
	} while (joins(dir, listener, &error));
	g_assert_error(error, FABRIC_ERROR, FABRIC_ERROR_SYSTEM);
	expected = g_strdup_printf("30 nodes in fabric '%s' need a limit of %u open files, "
				   "but it is %u: raise it with ulimit -n %u", dir, limit + 1,
				   limit, limit + 1);
	g_assert_cmpstr(error->message, ==, expected);
	g_assert_cmpuint(limit, >, next_fd() + 30);
	g_error_free(error);
	g_free(expected);
}

static void too_few_descriptors_are_refused_with_the_number(void)
{
	char *dir = test_dir_new();
	int listener[30], status;
	pid_t pid;

	for (unsigned int i = 0; i < G_N_ELEMENTS(listener); i++) {
		char name[16];

		g_snprintf(name, sizeof(name), "%u.sock", 10 + i);
		listener[i] = raw_listen(dir, name, SOCK_SEQPACKET);
	}
	pid = fork();
	if (pid == 0) {
		descriptors_are_counted(dir, listener[0]);
		_exit(0);
	}
	g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
	g_assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	for (unsigned int i = 0; i < G_N_ELEMENTS(listener); i++)
		close(listener[i]);
	test_dir_remove(dir);
}

static void capabilities_set(uint32_t drop)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	g_assert_cmpint(syscall(SYS_capget, &header, data), ==, 0);
	data[0].effective = data[0].permitted & ~drop;
	g_assert_cmpint(syscall(SYS_capset, &header, data), ==, 0);
}

/* Accepts what was dialled, reads its HELLO and lets it go. */
static bool take_hello(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	FabricWireHello hello;
	bool taken = recv(fd, &hello, sizeof(hello), 0) == sizeof(hello);

	close(fd);
	return taken;
}

/* HELLOs that nobody reads fill what the user may have in flight. */
static void hello_waits_for_descriptors_in_flight(void)
{
	enum { OTHERS = 40 };
	char *dir = test_dir_new();
	int listener[OTHERS], stranger;
	struct rlimit was;
	struct node *a;

	for (unsigned int i = 0; i < OTHERS; i++) {
		char name[16];

		g_snprintf(name, sizeof(name), "%u.sock", 10 + i);
		listener[i] = raw_listen(dir, name, SOCK_SEQPACKET);
	}
	/* Those who have one of these are not bounded. */
	capabilities_set(1u << CAP_SYS_RESOURCE | 1u << CAP_SYS_ADMIN);
	a = node_start(dir, 1);
	stranger = raw_join(dir, 1, 9);
	/* There is room for descriptors, but three times as many as nodes are in flight. */
	was = limit_files(next_fd() + 12);
	/* The HELLO of node 9 is read, but the answer must wait. */
	run_idle();
	g_assert_cmpuint(a->log->len, ==, 0);
	fabric_enable(a->fabric);

	for (unsigned int i = 0; i < OTHERS; i++)
		g_assert_true(take_hello(listener[i]));
	wait_until(saw(a->log, "present 9"));
	g_assert_cmpuint(saw(a->log, "report"), ==, 0);
	g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &was), ==, 0);
	capabilities_set(0);
	for (unsigned int i = 0; i < OTHERS; i++)
		close(listener[i]);
	close(stranger);
	node_stop(a);
	test_dir_remove(dir);
}

static void other_user_is_refused(void)
{
	char *dir, *path;
	struct node *a;
	int fd;

	if (geteuid() != 0) {
		g_test_skip("needs root to be another user");
		return;
	}
	dir = test_dir_new();
	a = node_start(dir, 1);
	path = g_build_filename(dir, "1.sock", NULL);
	g_assert_cmpint(chmod(dir, 0711), ==, 0);
	g_assert_cmpint(chmod(path, 0666), ==, 0);
	g_assert_cmpint(seteuid(65534), ==, 0);
	fd = raw_dial(dir, 1);
	g_assert_cmpint(seteuid(0), ==, 0);
	wait_until(reported(a, "another user"));
	g_assert_true(raw_ended(fd));
	close(fd);
	node_stop(a);
	g_free(path);
	test_dir_remove(dir);
}

static void listener_of_other_user_is_refused(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = raw_socket();
	struct node *a;
	char *dir;

	if (geteuid() != 0) {
		close(fd);
		g_test_skip("needs root to be another user");
		return;
	}
	dir = test_dir_new();
	g_snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/9.sock", dir);
	g_assert_cmpint(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), ==, 0);
	g_assert_cmpint(seteuid(65534), ==, 0);
	g_assert_cmpint(listen(fd, 8), ==, 0);
	g_assert_cmpint(seteuid(0), ==, 0);
	a = node_start(dir, 1);
	wait_until(reported(a, "another user"));
	close(fd);
	node_stop(a);
	test_dir_remove(dir);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/shortage/full_listen_queue_is_dialled_again",
			full_listen_queue_is_dialled_again);
	g_test_add_func("/shortage/no_free_descriptor_delays_acceptance",
			no_free_descriptor_delays_acceptance);
	g_test_add_func("/shortage/hello_that_does_not_fit_waits", hello_that_does_not_fit_waits);
	g_test_add_func("/shortage/too_few_descriptors_are_refused_with_the_number",
			too_few_descriptors_are_refused_with_the_number);
	g_test_add_func("/shortage/hello_waits_for_descriptors_in_flight",
			hello_waits_for_descriptors_in_flight);
	g_test_add_func("/shortage/other_user_is_refused", other_user_is_refused);
	g_test_add_func("/shortage/listener_of_other_user_is_refused",
			listener_of_other_user_is_refused);
	return g_test_run();
}
