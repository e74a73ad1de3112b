/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptors: each peer costs one, one for each range of its RAM, and one for
 * each line that it opens.
 * Checks at the start that there are enough, and says so when they run out.
 * Called by fabric.c, dial.c and packet.c.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "local.h"

/*
 * Beside those of peers: connections that have not said who they are, and
 * the descriptors of a HELLO while it is read.
 */
#define LIMIT_SPARE     (FABRIC_STRANGERS_MAX + 1 + FABRIC_RAM_MAX + 23)

static unsigned count_open(void)
{
    DIR *dir = opendir("/proc/self/fd");
    const struct dirent *entry;
    unsigned n = 0;

    if (!dir) {
        return 0;
    }
    while ((entry = readdir(dir))) {
        n += g_ascii_isdigit(entry->d_name[0]);
    }
    closedir(dir);
    /* One of them was that of this directory. */
    return n - 1;
}

bool fabric_limit_check(Fabric *f, unsigned nodes, GError **error)
{
    unsigned open = count_open();
    /* As if the others had as many ranges of RAM as this one, and a line. */
    rlim_t wanted = open + nodes * (2 + f->self.n_ram) + LIMIT_SPARE;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted) {
        return true;
    }
    if (limit.rlim_max < wanted) {
        return fabric_fail(error, FABRIC_ERROR_SYSTEM,
                           "%u nodes in fabric '%s' need a limit of %u open "
                           "files, but it is %u: raise it with ulimit -n %u",
                           nodes, f->dir, (unsigned)wanted,
                           (unsigned)limit.rlim_max, (unsigned)wanted);
    }
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    return true;
}

bool fabric_limit_free(unsigned n)
{
    int fds[1 + FABRIC_RAM_MAX];
    unsigned got = 0;

    while (got < n) {
        fds[got] = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
        if (fds[got] < 0) {
            break;
        }
        got++;
    }
    for (unsigned i = 0; i < got; i++) {
        close(fds[i]);
    }
    return got == n;
}

void fabric_limit_report(Fabric *f, const char *what)
{
    const int64_t pause = FABRIC_REDIAL_MAX * G_USEC_PER_SEC;
    int64_t now = g_get_monotonic_time();
    struct rlimit limit = { 0 };

    if (f->shortage_told != 0 && now - f->shortage_told < pause) {
        return;
    }
    f->shortage_told = now;
    getrlimit(RLIMIT_NOFILE, &limit);
    fabric_report(f, "no descriptor is free for %s, which waits: raise the "
                  "limit of %u open files (ulimit -n)", what,
                  (unsigned)limit.rlim_cur);
}
