// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The test's end of both channels.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#define _GNU_SOURCE
#include "channel.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conform.h"

long long peer_value;

static int peer_fd = -1;	/* of a local peer */
/* Number of the last request; shared by the runner and the tests. */
static unsigned int *requests;
static unsigned int peer_request;	/* not answered yet */

bool line_read(int fd, char line[LINE])
{
	size_t length = 0;
	ssize_t got;

	/* Byte by byte: what follows may be for another process. */
	while (length < LINE - 1) {
		got = read(fd, &line[length], 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got != 1)
			return false;
		if (line[length] == '\n')
			break;
		length++;
	}
	line[length] = '\0';
	return true;
}

bool line_write(int fd, const char *line)
{
	size_t length = strlen(line);
	ssize_t put;

	while (length) {
		put = write(fd, line, length);
		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return false;
		line += put;
		length -= (size_t)put;
	}
	return true;
}

void channel_open(bool local)
{
	int ends[2];

	requests = mmap(NULL, sizeof(*requests), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	require(requests == MAP_FAILED, false);
	if (!local)
		return;
	require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	fflush(stdout);
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ends[0]);
		peer_serve(ends[1], ends[1]);
		_exit(0);
	}
	close(ends[1]);
	peer_fd = ends[0];
}

/* Send a request; its number. */
static unsigned int request(const char *prefix, int fd, const char *format, va_list arguments)
{
	unsigned int number = ++*requests;
	char line[LINE];
	int head;

	fflush(stdout);
	head = snprintf(line, sizeof(line), "%s%u ", prefix, number);
	vsnprintf(line + head, sizeof(line) - (size_t)head - 1, format, arguments);
	strcat(line, "\n");
	require_true(line_write(fd, line));
	return number;
}

/* Wait for the answer to a request; answers that nobody waited for are dropped. */
static int answer(int fd, unsigned int number, long long *value)
{
	unsigned int of;
	char line[LINE];
	int code;

	do {
		require_true(line_read(fd, line));
		if (sscanf(line, "%u %d %lld", &of, &code, value) != 3)
			of = 0;
	} while (of != number);
	return code;
}

static void peer_vsend(const char *format, va_list arguments)
{
	bool local = peer_fd >= 0;

	peer_request = request(local ? "" : ">peer ", local ? peer_fd : STDOUT_FILENO, format,
			       arguments);
}

void peer_send(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	peer_vsend(format, arguments);
	va_end(arguments);
}

int peer_answer(void)
{
	return answer(peer_fd >= 0 ? peer_fd : STDIN_FILENO, peer_request, &peer_value);
}

int peer(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	peer_vsend(format, arguments);
	va_end(arguments);
	return peer_answer();
}

int host(const char *format, ...)
{
	unsigned int number;
	va_list arguments;
	long long value;

	va_start(arguments, format);
	number = request(">host ", STDOUT_FILENO, format, arguments);
	va_end(arguments);
	return answer(STDIN_FILENO, number, &value);
}
