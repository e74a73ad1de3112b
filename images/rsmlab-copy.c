// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Copyright (C) 2026 The sci-rsm authors
 *
 * rsmlab-copy REPORTS: copies standard input, the port by which the host sends
 * a command its input, to standard output, the command's pipe; rsmlab-run starts
 * it. It appends lines to REPORTS: how many bytes the command has read so far.
 * The host does not send far ahead of that (scripts/lab/stdin.py).
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define REPORT_EVERY	(32 << 10)

static int write_all(const char *data, size_t len)
{
	while (len) {
		ssize_t done = write(STDOUT_FILENO, data, len);

		if (done < 0)
			return -1;
		data += done;
		len -= done;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static char data[64 << 10];
	long long written = 0, reported = 0;
	ssize_t len;
	int reports = argc == 2 ? open(argv[1], O_WRONLY | O_APPEND) : -1;

	if (reports < 0) {
		perror("rsmlab-copy");
		return 1;
	}
	while ((len = read(STDIN_FILENO, data, sizeof(data))) > 0) {
		int unread;

		if (write_all(data, len) || ioctl(STDOUT_FILENO, FIONREAD, &unread))
			return 1;
		written += len;
		if (written - unread - reported >= REPORT_EVERY) {
			reported = written - unread;
			dprintf(reports, "%lld\n", reported);
		}
	}
	return 0;
}
