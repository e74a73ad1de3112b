/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fabric directory: who may use it, the lock and the numbers of a node,
 * its listening socket, and the sockets of the others.  Called by fabric.c and
 * dial.c.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "local.h"

/* "NUMBER PID\n", ten digits each: rewritten in one piece */
#define LOCK_TEXT_SIZE  22

bool fabric_dir_open(Fabric *f, GError **error)
{
    struct stat st;

    if (mkdir(f->dir, 0700) < 0 && errno != EEXIST) {
        return fabric_fail(error, FABRIC_ERROR_SYSTEM,
                    "cannot create fabric directory '%s': %s", f->dir,
                    g_strerror(errno));
    }
    f->dir_fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f->dir_fd < 0 || fstat(f->dir_fd, &st) < 0) {
        return fabric_fail(error, FABRIC_ERROR_SYSTEM,
                    "cannot open fabric directory '%s': %s", f->dir,
                    g_strerror(errno));
    }
    if (st.st_uid != geteuid()) {
        return fabric_fail(error, FABRIC_ERROR_SYSTEM,
                    "fabric directory '%s' belongs to user %u, not to "
                    "user %u: choose a directory of your own",
                    f->dir, st.st_uid, geteuid());
    }
    if (st.st_mode & (S_IWGRP | S_IWOTH)) {
        return fabric_fail(error, FABRIC_ERROR_SYSTEM,
                    "fabric directory '%s' is writable by others "
                    "(mode %04o): run chmod 700 on it, or choose another one",
                    f->dir, st.st_mode & 07777);
    }
    return true;
}

/* False if the text is not what fabric_dir_number() writes. */
static bool lock_text_parse(const char *text, size_t size, uint32_t *number,
                            uint32_t *pid)
{
    uint64_t value[2] = { 0, 0 };

    if (size != LOCK_TEXT_SIZE || text[10] != ' ' || text[21] != '\n') {
        return false;
    }
    for (unsigned i = 0; i < 2; i++) {
        for (unsigned j = 0; j < 10; j++) {
            char c = text[11 * i + j];

            if (!g_ascii_isdigit(c)) {
                return false;
            }
            value[i] = value[i] * 10 + (c - '0');
        }
        if (value[i] > UINT32_MAX) {
            return false;
        }
    }
    *number = value[0];
    *pid = value[1];
    return true;
}

static bool lock_busy(Fabric *f, GError **error)
{
    char text[64];
    ssize_t size = pread(f->lock_fd, text, sizeof(text), 0);
    uint32_t number, pid;

    if (size < 0 || !lock_text_parse(text, size, &number, &pid)) {
        pid = 0;
    }
    return fabric_fail(error, FABRIC_ERROR_BUSY,
                "node %u of fabric '%s' is already running "
                "(process %u): choose another node id or end that process",
                f->node, f->dir, pid);
}

bool fabric_dir_lock(Fabric *f, GError **error)
{
    char name[16], text[64];
    struct stat st;
    ssize_t size;
    uint32_t pid;

    g_snprintf(name, sizeof(name), "%u.lock", f->node);
    f->lock_fd = openat(f->dir_fd, name,
                        O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
                        0600);
    if (f->lock_fd < 0 || fstat(f->lock_fd, &st) < 0) {
        return fabric_fail(error, FABRIC_ERROR_SYSTEM,
                           "cannot open '%s/%s': %s",
                           f->dir, name, g_strerror(errno));
    }
    if (!S_ISREG(st.st_mode)) {
        return fabric_fail(error, FABRIC_ERROR_SYSTEM,
                    "'%s/%s' is not a file: remove it", f->dir, name);
    }
    if (flock(f->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno == EWOULDBLOCK) {
            return lock_busy(f, error);
        }
        return fabric_fail(error, FABRIC_ERROR_SYSTEM,
                           "cannot lock '%s/%s': %s",
                           f->dir, name, g_strerror(errno));
    }

    size = pread(f->lock_fd, text, sizeof(text), 0);
    if (size == 0) {
        f->number = 0;
    } else if (size < 0 || !lock_text_parse(text, size, &f->number, &pid)) {
        /* Greater than any number that was reached by counting. */
        f->number = time(NULL);
        if (ftruncate(f->lock_fd, 0) < 0) {
            return fabric_fail(error, FABRIC_ERROR_SYSTEM,
                               "cannot write '%s/%s': %s",
                               f->dir, name, g_strerror(errno));
        }
        fabric_report(f, "'%s/%s' held no valid number; incarnations go on "
                      "from %u", f->dir, name, f->number);
    }
    f->reserved = f->number;
    return true;
}

static uint32_t number_after(uint32_t number)
{
    return number == UINT32_MAX ? 1 : number + 1;
}

/* Several at once, so that a guest does not make us write for each number. */
static void numbers_reserve(Fabric *f)
{
    char text[LOCK_TEXT_SIZE + 1];

    for (unsigned i = 0; i < FABRIC_NUMBERS; i++) {
        f->reserved = number_after(f->reserved);
    }
    g_snprintf(text, sizeof(text), "%010u %010u\n", f->reserved,
               (unsigned)getpid());
    if (pwrite(f->lock_fd, text, LOCK_TEXT_SIZE, 0) != LOCK_TEXT_SIZE) {
        fabric_report(f, "cannot write '%s/%u.lock': %s; after a restart "
                      "peers may take this node for an older one",
                      f->dir, f->node, g_strerror(errno));
    }
}

uint32_t fabric_dir_number(Fabric *f)
{
    if (f->number == f->reserved) {
        numbers_reserve(f);
    }
    f->number = number_after(f->number);
    return f->number;
}

/* Through /proc, because a path in a socket address has 107 bytes at most. */
static void socket_address(const Fabric *f, unsigned node,
                           struct sockaddr_un *addr)
{
    memset(addr, 0, sizeof(*addr));
    addr->sun_family = AF_UNIX;
    g_snprintf(addr->sun_path, sizeof(addr->sun_path),
               "/proc/self/fd/%d/%u.sock", f->dir_fd, node);
}

static int socket_new(void)
{
    return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static void socket_unlink(const Fabric *f)
{
    char name[16];

    g_snprintf(name, sizeof(name), "%u.sock", f->node);
    unlinkat(f->dir_fd, name, 0);
}

bool fabric_dir_listen(Fabric *f, GError **error)
{
    struct sockaddr_un addr;

    /* We hold the lock: whatever is there belongs to a dead node. */
    socket_unlink(f);
    socket_address(f, f->node, &addr);
    f->listen_fd = socket_new();
    if (f->listen_fd < 0 ||
        bind(f->listen_fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
        listen(f->listen_fd, SOMAXCONN) < 0) {
        return fabric_fail(error, FABRIC_ERROR_SYSTEM,
                           "cannot listen on '%s/%u.sock': %s", f->dir,
                           f->node, g_strerror(errno));
    }
    return true;
}

int fabric_dir_connect(const Fabric *f, unsigned node)
{
    struct sockaddr_un addr;
    int fd = socket_new();
    int error;

    socket_address(f, node, &addr);
    if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0) {
        return fd;
    }
    error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* 0 if this is not the name of a socket of a node. */
static unsigned socket_node(const char *name)
{
    const char *digit = name;
    char expected[16];
    unsigned node = 0;

    while (g_ascii_isdigit(*digit) && node <= FABRIC_NODE_MAX) {
        node = node * 10 + (*digit++ - '0');
    }
    if (node > FABRIC_NODE_MAX) {
        return 0;
    }
    g_snprintf(expected, sizeof(expected), "%u.sock", node);
    return strcmp(name, expected) == 0 ? node : 0;
}

unsigned fabric_dir_list(Fabric *f, bool *present)
{
    int fd = openat(f->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    unsigned n = 0;

    if (!dir) {
        fabric_report(f, "cannot read '%s': %s; no other node was dialled",
                      f->dir, g_strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return 0;
    }
    while ((entry = readdir(dir))) {
        unsigned node = socket_node(entry->d_name);

        if (node != 0 && node != f->node) {
            present[node] = true;
            n++;
        }
    }
    closedir(dir);
    return n;
}

void fabric_dir_close(Fabric *f)
{
    if (f->listen_fd >= 0) {
        socket_unlink(f);
        close(f->listen_fd);
    }
    /* Last: from here on another process may be this node. */
    if (f->lock_fd >= 0) {
        close(f->lock_fd);
    }
    if (f->dir_fd >= 0) {
        close(f->dir_fd);
    }
}
