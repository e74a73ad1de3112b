/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a node is to the others: its control page and its RAM.  Checks and maps
 * what a HELLO brings, makes the same for the own node, and tells the data path
 * where an address is.  Called by message.c, member.c and the device.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "peer.h"

/*
 * A file in memory that can never become shorter than @size, nor get a seal
 * that forbids to map it again.
 */
static char *file_fault(int fd, uint64_t size, const char *what)
{
    const int wanted = F_SEAL_SHRINK | F_SEAL_SEAL;
    struct stat st;
    struct statfs sfs;
    int seals;

    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        return g_strdup_printf("%s is not a file in memory", what);
    }
    if (fstatfs(fd, &sfs) < 0 || sfs.f_type == HUGETLBFS_MAGIC) {
        return g_strdup_printf("%s consists of huge pages: "
                               "use a memory backend without hugetlb", what);
    }
    seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & wanted) != wanted) {
        return g_strdup_printf("%s can shrink or be sealed: "
                               "use memory-backend-memfd with seal=on", what);
    }
    /* Only what is sealed keeps its size. */
    if (fstat(fd, &st) < 0 || (uint64_t)st.st_size < size) {
        return g_strdup_printf("%s is shorter than it says", what);
    }
    return NULL;
}

static char *ram_map(FabricRam *ram, int fd, unsigned index)
{
    char what[32];
    char *fault;
    void *host;

    g_snprintf(what, sizeof(what), "the file of RAM range %u", index);
    fault = file_fault(fd, ram->fd_offset + ram->size, what);
    if (fault) {
        return fault;
    }
    host = mmap(NULL, ram->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                ram->fd_offset);
    if (host == MAP_FAILED) {
        return g_strdup_printf("%s cannot be mapped: %s", what,
                               g_strerror(errno));
    }
    /* A core dump must not hold the memory of all nodes. */
    madvise(host, ram->size, MADV_DONTDUMP);
    ram->host = host;
    ram->fd = fd;
    return NULL;
}

static void ram_unmap(FabricPeer *peer)
{
    for (unsigned i = 0; i < peer->n_ram; i++) {
        if (peer->ram[i].host) {
            munmap(peer->ram[i].host, peer->ram[i].size);
            close(peer->ram[i].fd);
            peer->ram[i].host = NULL;
        }
    }
}

static char *page_map(int fd, const FabricPage **page)
{
    char *fault = file_fault(fd, FABRIC_PAGE_SIZE, "the control page");
    void *host;

    if (fault) {
        return fault;
    }
    host = mmap(NULL, FABRIC_PAGE_SIZE, PROT_READ, MAP_SHARED, fd, 0);
    if (host == MAP_FAILED) {
        return g_strdup_printf("the control page cannot be mapped: %s",
                               g_strerror(errno));
    }
    *page = host;
    if (__atomic_load_n(&(*page)->magic, __ATOMIC_RELAXED) !=
        FABRIC_PAGE_MAGIC) {
        return g_strdup("the control page has a wrong magic");
    }
    return NULL;
}

char *fabric_peer_init(FabricPeer *peer, const FabricHello *hello,
                       FabricFds *fds)
{
    char *fault;

    peer->node = hello->node;
    peer->incarnation = hello->incarnation;
    peer->n_lines = hello->n_lines;
    peer->n_ram = hello->n_ram;
    memcpy(peer->ram, hello->ram, sizeof(peer->ram));
    fault = page_map(fds->fd[0], &peer->page);
    for (unsigned i = 0; !fault && i < peer->n_ram; i++) {
        fault = ram_map(&peer->ram[i], fds->fd[1 + i], i);
        if (!fault) {
            fds->fd[1 + i] = -1;
        }
    }
    if (fault) {
        fabric_peer_fini(peer);
    }
    return fault;
}

void fabric_peer_fini(FabricPeer *peer)
{
    ram_unmap(peer);
    peer->n_ram = 0;
    if (peer->page) {
        munmap((void *)peer->page, FABRIC_PAGE_SIZE);
        peer->page = NULL;
    }
}

static bool self_page(Fabric *f, GError **error)
{
    const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE |
                      F_SEAL_SEAL;
    void *host = MAP_FAILED;

    f->page_fd = memfd_create("sci-control-page",
                              MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (f->page_fd >= 0 && ftruncate(f->page_fd, FABRIC_PAGE_SIZE) == 0) {
        host = mmap(NULL, FABRIC_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
                    f->page_fd, 0);
    }
    /* This mapping stays writable; no other can be made so. */
    if (host == MAP_FAILED || fcntl(f->page_fd, F_ADD_SEALS, seals) < 0) {
        g_set_error(error, FABRIC_ERROR, FABRIC_ERROR_SYSTEM,
                    "cannot make the control page: %s", g_strerror(errno));
        if (host != MAP_FAILED) {
            munmap(host, FABRIC_PAGE_SIZE);
        }
        return false;
    }
    f->page = host;
    f->page->magic = FABRIC_PAGE_MAGIC;
    f->self.page = f->page;
    return true;
}

/* Descriptors of our own: memory may be unplugged, and its number reused. */
static char *self_ram(Fabric *f, const FabricConfig *config)
{
    char *fault = NULL;

    for (unsigned i = 0; !fault && i < config->n_ram; i++) {
        int fd = fcntl(config->ram[i].fd, F_DUPFD_CLOEXEC, 0);

        if (fd < 0) {
            return g_strdup_printf("the file of RAM range %u: %s", i,
                                   g_strerror(errno));
        }
        f->self.ram[i] = config->ram[i];
        f->self.ram[i].host = NULL;
        f->self.n_ram++;
        fault = ram_map(&f->self.ram[i], fd, i);
        if (fault) {
            close(fd);
        }
    }
    return fault;
}

static char *self_fault(const FabricConfig *config)
{
    if (config->n_lines < 1 || config->n_lines > FABRIC_LINES_MAX) {
        return g_strdup_printf("%u doorbell lines, not 1..%u", config->n_lines,
                               FABRIC_LINES_MAX);
    }
    return fabric_ram_fault(config->ram, config->n_ram);
}

bool fabric_self_init(Fabric *f, const FabricConfig *config, GError **error)
{
    char *fault = self_fault(config);

    if (!fault) {
        f->self.node = config->node;
        f->self.linked = true;
        f->self.n_lines = config->n_lines;
        fault = self_ram(f, config);
    }
    if (fault) {
        g_set_error_literal(error, FABRIC_ERROR, FABRIC_ERROR_ARGUMENT, fault);
        g_free(fault);
        return false;
    }
    return self_page(f, error);
}

void fabric_self_fini(Fabric *f)
{
    ram_unmap(&f->self);
    if (f->page) {
        munmap(f->page, FABRIC_PAGE_SIZE);
    }
    if (f->page_fd >= 0) {
        close(f->page_fd);
    }
}

void *fabric_ram_host(const FabricPeer *peer, uint64_t guest, uint64_t len)
{
    for (unsigned i = 0; i < peer->n_ram; i++) {
        const FabricRam *ram = &peer->ram[i];

        if (guest >= ram->guest_base && guest - ram->guest_base < ram->size &&
            len <= ram->size - (guest - ram->guest_base)) {
            return ram->host + (guest - ram->guest_base);
        }
    }
    return NULL;
}

void fabric_ram_gone(Fabric *f, unsigned index)
{
    g_return_if_fail(index < f->self.n_ram);
    /* Pairs with the acquire in inbound_walk() of the peers. */
    __atomic_fetch_or(&f->page->ram_gone, 1u << index, __ATOMIC_RELEASE);
}

const FabricPeer *fabric_peer(const Fabric *f, unsigned node)
{
    const FabricConnection *conn;

    if (node == f->node) {
        return &f->self;
    }
    conn = node <= FABRIC_NODE_MAX ? f->nodes[node].peer : NULL;
    return conn ? &conn->peer : NULL;
}
