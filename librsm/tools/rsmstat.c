// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * rsmstat: what the kernel agent of this node has and does.  See rsmstat(1).
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "rsmstat.h"

struct options {
	unsigned int parts;
	bool json;
	double interval;	/* seconds; 0 = once */
	unsigned long count;	/* snapshots; 0 = without end */
};

static const struct option long_options[] = {
	{ "agent", no_argument, NULL, 'a' },
	{ "controllers", no_argument, NULL, 'c' },
	{ "peers", no_argument, NULL, 'p' },
	{ "segments", no_argument, NULL, 's' },
	{ "json", no_argument, NULL, 'j' },
	{ "interval", required_argument, NULL, 'i' },
	{ "count", required_argument, NULL, 'n' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static const char usage[] =
	"Usage: rsmstat [-acpsj] [-i SECONDS [-n COUNT]]\n"
	"Show what the remote shared memory agent of this node has and does.\n"
	"\n"
	"  -a, --agent         memory pinned, segment numbers and ids in use\n"
	"  -c, --controllers   controllers and their attributes\n"
	"  -p, --peers         other nodes: link, session, counts\n"
	"  -s, --segments      exported and imported segments\n"
	"                      (none of these: all)\n"
	"  -j, --json          one JSON object per line\n"
	"  -i, --interval S    again every S seconds\n"
	"  -n, --count N       N times, then end\n"
	"  -h, --help          this text\n";

static void fail(const char *what)
{
	fprintf(stderr, "rsmstat: %s\nTry 'rsmstat --help'.\n", what);
	exit(2);
}

static double interval_of(const char *arg)
{
	char *end;
	double seconds = strtod(arg, &end);

	if (end == arg || *end || !(seconds >= 0.01 && seconds <= 1e6))
		fail("the interval is a number of seconds from 0.01 to 1000000");
	return seconds;
}

static unsigned long count_of(const char *arg)
{
	char *end;
	unsigned long count;

	errno = 0;
	count = strtoul(arg, &end, 10);
	if (*arg < '0' || *arg > '9' || *end || errno || count == 0)
		fail("the count is a number from 1 on");
	return count;
}

static struct options options_of(int argc, char *argv[])
{
	struct options options = { 0 };
	int c;

	while ((c = getopt_long(argc, argv, "acpsji:n:h", long_options, NULL)) != -1) {
		switch (c) {
		case 'a':
			options.parts |= SHOW_AGENT;
			break;
		case 'c':
			options.parts |= SHOW_CONTROLLERS;
			break;
		case 'p':
			options.parts |= SHOW_PEERS;
			break;
		case 's':
			options.parts |= SHOW_SEGMENTS;
			break;
		case 'j':
			options.json = true;
			break;
		case 'i':
			options.interval = interval_of(optarg);
			break;
		case 'n':
			options.count = count_of(optarg);
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			exit(2);
		}
	}
	if (optind < argc)
		fail("it takes no arguments");
	if (options.count && options.interval == 0)
		fail("a count needs an interval");
	if (!options.parts)
		options.parts = SHOW_ALL;
	return options;
}

static void report(int ret)
{
	if (ret < 0)
		fprintf(stderr, "rsmstat: %s: %s\n", RSM_DEVICE,
			ret == -ENOTTY ? "the agent is older than this program" : strerror(-ret));
	else
		fprintf(stderr, "rsmstat: the agent fails with RSMERR %d\n", ret);
}

/* False if something could not be read or printed; that has been said. */
static bool show(int control, const struct options *options)
{
	struct snapshot snapshot;
	int ret = snapshot_take(control, &snapshot);

	if (ret) {
		report(ret);
		return false;
	}
	(options->json ? json_print : text_print)(&snapshot, options->parts);
	snapshot_free(&snapshot);
	if (fflush(stdout) || ferror(stdout)) {
		perror("rsmstat: standard output");
		return false;
	}
	return true;
}

static void pause_for(double seconds)
{
	struct timespec left = { .tv_sec = (time_t)seconds };

	left.tv_nsec = (long)((seconds - (double)left.tv_sec) * 1e9);
	while (nanosleep(&left, &left) && errno == EINTR)
		;
}

int main(int argc, char *argv[])
{
	struct options options = options_of(argc, argv);
	unsigned long done = 0;
	int control = open(RSM_DEVICE, O_RDONLY | O_CLOEXEC);
	bool good;

	if (control < 0) {
		report(-errno);
		return 1;
	}
	while ((good = show(control, &options)) && options.interval > 0 &&
	       ++done != options.count) {
		pause_for(options.interval);
		if (!options.json)
			putchar('\n');
	}
	close(control);
	return good ? 0 : 1;
}
