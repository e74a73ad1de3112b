// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The adapter as a hostile kernel would use it: root maps its BARs beside the
 * driver (the guest must be booted with iomem=relaxed) and tries to reach pages
 * of another node that were not published to this one.
 *
 * sciprobe traps                  window accesses that trapped so far
 * sciprobe hunt NODE PAGES WORD   try SCI pages 0..PAGES-1 of a node, in all the
 *                                 ways there are; WORD is a secret of that node
 * sciprobe storm NODE WORD MS     map what the driver has mapped writable of a node
 *                                 twice more and store WORD into every page without
 *                                 pause; commit the second copy again all the time
 * sciprobe commit NODE MS         map what the driver has mapped of a node once more and
 *                                 commit that without pause; prints how often it did
 * sciprobe ring ROUNDS            ring all lines of all nodes, allowed or not; prints
 *                                 for each node that is up how many rings were made
 *                                 without a right, and how many errors were counted
 * sciprobe bell NODE LINE         ring one line
 * sciprobe open|close NODE LINE   let a node ring a line of this one, or no more
 * sciprobe pending                own lines that were rung and that nobody serves
 *
 * What the driver has mapped of the node is what is allowed.  hunt stores
 * ~WORD wherever it must not have an effect, for the node to check.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <sci_regs.h>

#include "pairprog.h"

/* Entries that nobody needs: the driver takes the lowest that are free. */
#define BATCH		256u
#define FIRST		(SCI_ATT_ENTRIES - BATCH)

#define NAME_BYTES	256
#define PATH_BYTES	(NAME_BYTES + 64)

#define KNOWN_MAX	128u
#define KEYS_MAX	512
#define NEAR_KEYS	256u		/* keys 0..n are tried on the first pages */
#define NEAR_PAGES	2048u
#define FAR_PAGES	65536u		/* tried at the end of the offset space */

_Static_assert(2 * KNOWN_MAX <= BATCH, "storm copies all runs twice");

/* A run of pages that the driver has mapped with this key. */
struct known {
	uint64_t first, count;
	uint32_t key;
	int write;
};

static volatile uint8_t *csr, *window, *memory;
static uint32_t granule, own_node;
static uint32_t expect;		/* incarnation that entries name */
static struct known known[KNOWN_MAX];
static unsigned int n_known;
static uint64_t secret;
static unsigned long tried, allowed, forbidden, answered, secrets;

static volatile uint8_t *map_bar(const char *device, int bar, off_t offset, size_t bytes, int prot)
{
	char path[PATH_BYTES];
	void *p;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource%d", device, bar);
	fd = open(path, (prot & PROT_WRITE ? O_RDWR : O_RDONLY) | O_SYNC);
	if (fd < 0)
		pair_die("cannot open %s", path);
	p = mmap(NULL, bytes, prot, MAP_SHARED, fd, offset);
	close(fd);
	if (p == MAP_FAILED)
		pair_die("cannot map %s: is iomem=relaxed on the kernel's command line?", path);
	return p;
}

static unsigned int read_id(const char *device, const char *name)
{
	unsigned int id = 0;
	char path[PATH_BYTES];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", device, name);
	f = fopen(path, "r");
	if (!f)
		return 0;
	if (fscanf(f, "%x", &id) != 1)
		id = 0;
	fclose(f);
	return id;
}

static void find_adapter(char device[NAME_BYTES])
{
	DIR *dir = opendir("/sys/bus/pci/devices");
	struct dirent *d;

	while (dir && (d = readdir(dir)) != NULL)
		if (read_id(d->d_name, "vendor") == SCI_PCI_VENDOR_ID &&
		    read_id(d->d_name, "device") == SCI_PCI_DEVICE_ID) {
			snprintf(device, NAME_BYTES, "%s", d->d_name);
			closedir(dir);
			return;
		}
	pair_die("there is no adapter");
}

static uint32_t reg(unsigned int offset)
{
	return *(volatile uint32_t *)(csr + offset);
}

static void set_reg(unsigned int offset, uint32_t value)
{
	*(volatile uint32_t *)(csr + offset) = value;
}

static volatile struct sci_att_entry *entry(unsigned int i)
{
	return (volatile struct sci_att_entry *)(memory + SCI_ATT) + i;
}

static void set_entry(unsigned int i, uint64_t address, uint32_t key, uint64_t pages)
{
	volatile struct sci_att_entry *e = entry(i);

	e->address = address;
	e->key = key;
	e->expect = expect;
	e->pages = (uint32_t)pages;
}

static void commit(unsigned int first, unsigned int n)
{
	set_reg(SCI_REG_ATT_COMMIT, SCI_PUT(SCI_COMMIT_FIRST, first) |
		SCI_PUT(SCI_COMMIT_COUNT, n));
}

static void clear_entries(void)
{
	for (unsigned int k = 0; k < BATCH; k++)
		set_entry(FIRST + k, 0, 0, 1);
	commit(FIRST, BATCH);
}

static volatile uint64_t *entry_window(unsigned int i)
{
	return (volatile uint64_t *)(window + (size_t)(i - FIRST) * granule);
}

static const volatile struct sci_peer_slot *slot(unsigned int node)
{
	return (const volatile struct sci_peer_slot *)(memory + SCI_STATUS_SLOT(node));
}

/* What the driver uses; an entry that is taken already is not ours to try. */
static void learn(unsigned int node)
{
	for (unsigned int i = 0; i < SCI_ATT_ENTRIES; i++) {
		uint64_t address = entry(i)->address;

		if (!(address & SCI_ATT_VALID))
			continue;
		if (i >= FIRST && i < FIRST + BATCH)
			pair_die("entry %u is in use", i);
		if (SCI_GET(SCI_ATT_NODE, address) != node)
			continue;
		if (n_known == KNOWN_MAX)
			pair_die("too many entries in use");
		known[n_known].first = (address & SCI_ATT_OFFSET) / SCI_PAGE_SIZE;
		known[n_known].count = entry(i)->pages;
		known[n_known].key = entry(i)->key;
		known[n_known++].write = !!(address & SCI_ATT_WRITE);
	}
}

/*
 * A segment is published with the page of its events behind it, which the driver maps
 * for writing or not at all.
 */
static int is_allowed(uint64_t page, uint32_t key, int write)
{
	for (unsigned int i = 0; i < n_known; i++)
		if (page >= known[i].first &&
		    page - known[i].first < known[i].count + !known[i].write &&
		    key == known[i].key && (known[i].write || !write))
			return 1;
	return 0;
}

static void search(unsigned int i)
{
	volatile uint64_t *w = entry_window(i);

	for (unsigned int k = 0; k < SCI_PAGE_SIZE / 8; k++)
		if (w[k] == secret) {
			secrets++;
			return;
		}
}

/* One batch was committed: what came of it? */
static void judge(uint64_t page, unsigned int n, uint32_t key, uint64_t flags)
{
	int write = !!(flags & SCI_ATT_WRITE);

	for (unsigned int k = 0; k < n; k++) {
		unsigned int i = FIRST + k, state = SCI_GET(SCI_ATT_STATE, entry(i)->status);
		volatile uint64_t *w = entry_window(i);
		int fine = is_allowed(page + k, key, write);

		if (state == SCI_ATT_ST_MAPPED) {
			allowed += fine;
			forbidden += !fine;
			if (!fine)
				search(i);
			else if (!write)
				*w = ~secret;
		} else if (state == SCI_ATT_ST_TRAP) {
			answered += !is_allowed(page + k, key, 0) && *w != UINT64_MAX;
			if (!write || !fine)
				*w = ~secret;
		}
	}
}

static void try_pages(unsigned int node, uint64_t first, uint64_t count, uint32_t key,
		      uint64_t flags)
{
	for (uint64_t page = first; page < first + count; page += BATCH) {
		unsigned int n = first + count - page < BATCH ? first + count - page : BATCH;

		for (unsigned int k = 0; k < n; k++)
			set_entry(FIRST + k, SCI_PUT(SCI_ATT_NODE, (uint64_t)node) |
				  (((page + k) * SCI_PAGE_SIZE) & SCI_ATT_OFFSET) |
				  SCI_ATT_VALID | flags, key, 1);
		commit(FIRST, n);
		tried += n;
		if ((flags & SCI_ATT_TRAP) || reg(SCI_REG_ATT_FAILED) != n)
			judge(page, n, key, flags);
	}
}

static const uint64_t kinds[] = {
	SCI_ATT_READ,
	SCI_ATT_READ | SCI_ATT_WRITE,
	SCI_ATT_TRAP | SCI_ATT_READ,
	SCI_ATT_TRAP | SCI_ATT_READ | SCI_ATT_WRITE,
};

#define KINDS	(sizeof(kinds) / sizeof(kinds[0]))

static unsigned int collect_keys(uint32_t *keys, unsigned int node)
{
	unsigned int n = 0;

	keys[n++] = 0;
	keys[n++] = slot(node)->incarnation;
	keys[n++] = slot(node)->incarnation + 1;
	keys[n++] = reg(SCI_REG_INCARNATION);
	for (unsigned int i = 0; i < n_known; i++) {
		unsigned int k = 0;

		while (k < n && keys[k] != known[i].key)
			k++;
		if (k == n)
			keys[n++] = known[i].key;
	}
	return n;
}

/* All ways that name the peer as it is now. */
static void hunt_pages(unsigned int node, uint64_t pages)
{
	uint32_t keys[KEYS_MAX];
	unsigned int n = collect_keys(keys, node);

	expect = slot(node)->incarnation;
	for (unsigned int kind = 0; kind < KINDS; kind++) {
		/* A trapped try costs more: only where there can be leaves. */
		uint64_t all = kinds[kind] & SCI_ATT_TRAP && pages > NEAR_PAGES ? NEAR_PAGES : pages;

		for (unsigned int k = 0; k < n; k++)
			try_pages(node, 0, all, keys[k], kinds[kind]);
		for (uint32_t key = 1; key < NEAR_KEYS; key++)
			try_pages(node, 0, NEAR_PAGES / 2, key, kinds[kind]);
		try_pages(node, (1ull << (SCI_OFFSET_BITS - SCI_PAGE_SHIFT)) - FAR_PAGES, FAR_PAGES,
			  keys[n - 1], kinds[kind]);
	}
}

/* True keys and pages, but another incarnation or another node. */
static void hunt_others(unsigned int node)
{
	const uint32_t now = slot(node)->incarnation;
	const uint32_t incarnations[] = { 0, now - 1, now + 1, UINT32_MAX };
	const unsigned int nodes[] = { 0, SCI_NODE_MAX, 256, 0xffff };
	struct known truth[KNOWN_MAX];
	unsigned int n = n_known;

	/* Nothing is allowed in these ways. */
	memcpy(truth, known, sizeof(truth));
	n_known = 0;
	for (unsigned int t = 0; t < n; t++)
		for (unsigned int kind = 0; kind < KINDS; kind++)
			for (unsigned int i = 0; i < 4; i++) {
				expect = incarnations[i];
				try_pages(node, truth[t].first, truth[t].count, truth[t].key,
					  kinds[kind]);
				expect = now;
				try_pages(nodes[i], truth[t].first, truth[t].count, truth[t].key,
					  kinds[kind]);
			}
	n_known = n;
}

static int hunt(unsigned int node, uint64_t pages)
{
	if (node < SCI_NODE_MIN || node > SCI_NODE_MAX || slot(node)->link != SCI_LINK_UP)
		pair_die("node %u is not up", node);
	learn(node);
	/* The rows of other nodes' rings are known to be closed to us, our own is open. */
	if (!is_allowed(own_node, slot(node)->incarnation, 1))
		pair_die("the driver has not mapped its ring at node %u", node);
	hunt_pages(node, pages);
	hunt_others(node);
	clear_entries();
	printf("tried %lu allowed %lu forbidden %lu answered %lu secrets %lu\n",
	       tried, allowed, forbidden, answered, secrets);
	return forbidden || answered || secrets;
}

/* Into the last word of each page of each entry, mapped or not. */
static void store_all(unsigned int n)
{
	for (unsigned int k = 0; k < n; k++) {
		uint64_t pages = entry(FIRST + k)->pages;

		for (uint64_t page = 0; page < pages; page++)
			entry_window(FIRST + k)[(page + 1) * SCI_PAGE_SIZE / 8 - 1] = secret;
	}
}

/* Copies of the writable runs at two places; how many runs. */
static unsigned int copy_twice(unsigned int node)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < n_known; i++)
		n += known[i].write && known[i].first != own_node;
	for (unsigned int i = 0, k = 0; i < n_known; i++) {
		uint64_t address = SCI_PUT(SCI_ATT_NODE, (uint64_t)node) |
			known[i].first * SCI_PAGE_SIZE | SCI_ATT_VALID | SCI_ATT_READ |
			SCI_ATT_WRITE;

		if (!known[i].write || known[i].first == own_node)
			continue;
		set_entry(FIRST + k, address, known[i].key, known[i].count);
		set_entry(FIRST + n + k, address, known[i].key, known[i].count);
		k++;
	}
	return n;
}

static int storm(unsigned int node, unsigned long ms)
{
	uint64_t deadline = pair_now_ms() + ms;
	unsigned long commits = 0;
	unsigned int n;

	learn(node);
	expect = slot(node)->incarnation;
	n = copy_twice(node);
	commit(FIRST, 2 * n);
	printf("entries %u mapped %u\n", 2 * n, 2 * n - reg(SCI_REG_ATT_FAILED));
	fflush(stdout);
	while (pair_now_ms() < deadline) {
		store_all(2 * n);
		commit(FIRST + n, n);
		commits++;
	}
	clear_entries();
	printf("commits %lu\n", commits);
	return 0;
}

static int commits(unsigned int node, unsigned long ms)
{
	uint64_t deadline = pair_now_ms() + ms;
	unsigned long n = 0;

	learn(node);
	expect = slot(node)->incarnation;
	copy_twice(node);
	printf("ready\n");
	fflush(stdout);
	while (pair_now_ms() < deadline) {
		commit(FIRST, n_known);
		n++;
	}
	clear_entries();
	printf("commits %lu\n", n);
	return 0;
}

static int may_ring(unsigned int node, unsigned int line)
{
	return line < SCI_LINES_MAX && slot(node)->open[line / 32] >> line % 32 & 1;
}

/* All lines, and some that no node has; how many of the rings were not allowed. */
static unsigned long ring_node(unsigned int node)
{
	const unsigned int beyond[] = { SCI_LINES_MAX, 2 * SCI_LINES_MAX, 0xffff };
	unsigned long closed = 0;

	for (unsigned int line = 0; line < SCI_LINES_MAX; line++) {
		closed += node < SCI_NODES && !may_ring(node, line);
		set_reg(SCI_REG_DOORBELL, SCI_PUT(SCI_DOORBELL_NODE, node) | line);
	}
	for (unsigned int k = 0; k < sizeof(beyond) / sizeof(beyond[0]); k++)
		set_reg(SCI_REG_DOORBELL, SCI_PUT(SCI_DOORBELL_NODE, node) | beyond[k]);
	return closed + sizeof(beyond) / sizeof(beyond[0]);
}

static int ring(unsigned long rounds)
{
	ring_node(SCI_NODES);
	ring_node(0xffff);
	for (unsigned int node = 0; node < SCI_NODES; node++) {
		uint32_t errors = slot(node)->errors;
		unsigned long closed = 0;

		if (slot(node)->link != SCI_LINK_UP || node == own_node) {
			ring_node(node);
			continue;
		}
		for (unsigned long i = 0; i < rounds; i++)
			closed += ring_node(node);
		printf("node %u closed %lu errors %" PRIu32 " kind %" PRIu32 "\n", node, closed,
		       slot(node)->errors - errors, slot(node)->last_error);
	}
	return 0;
}

static int bell(unsigned int node, unsigned int line)
{
	if (!may_ring(node, line))
		pair_die("node %u has not opened line %u", node, line);
	set_reg(SCI_REG_DOORBELL, SCI_PUT(SCI_DOORBELL_NODE, node) | line);
	return 0;
}

/* The driver enables the vectors that it uses; a ring of another line stays pending. */
static int pending(void)
{
	for (unsigned int line = 0; line < reg(SCI_REG_LINES); line++) {
		unsigned int vector = SCI_VECTOR_LINE(line);

		if (reg(SCI_MSIX_PBA + vector / 32 * 4) >> vector % 32 & 1)
			printf("%u ", line);
	}
	printf("\n");
	return 0;
}

static int set_line(unsigned int offset, unsigned int node, unsigned int line)
{
	set_reg(offset, SCI_PUT(SCI_LINE_NODE, node) | SCI_PUT(SCI_LINE_LINE, line));
	return 0;
}

static int traps(void)
{
	const volatile struct sci_adapter_status *adapter =
		(const volatile struct sci_adapter_status *)(memory + SCI_STATUS_ADAPTER);

	printf("reads %" PRIu64 " writes %" PRIu64 "\n", adapter->trap_reads,
	       adapter->trap_writes);
	return 0;
}

static int run(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (argc == 2 && !strcmp(what, "traps"))
		return traps();
	if (argc == 2 && !strcmp(what, "pending"))
		return pending();
	if (argc == 3 && !strcmp(what, "ring"))
		return ring(pair_number(argv[2], 10));
	if (argc == 4 && !strcmp(what, "bell"))
		return bell(pair_number(argv[2], 10), pair_number(argv[3], 10));
	if (argc == 4 && !strcmp(what, "open"))
		return set_line(SCI_REG_LINE_OPEN, pair_number(argv[2], 10),
				pair_number(argv[3], 10));
	if (argc == 4 && !strcmp(what, "close"))
		return set_line(SCI_REG_LINE_CLOSE, pair_number(argv[2], 10),
				pair_number(argv[3], 10));
	if (argc == 4 && !strcmp(what, "commit"))
		return commits(pair_number(argv[2], 10), pair_number(argv[3], 10));
	if (argc == 5 && !strcmp(what, "storm")) {
		secret = pair_number(argv[3], 16);
		return storm(pair_number(argv[2], 10), pair_number(argv[4], 10));
	}
	if (argc == 5 && !strcmp(what, "hunt")) {
		secret = pair_number(argv[4], 16);
		return hunt(pair_number(argv[2], 10), pair_number(argv[3], 10));
	}
	pair_die("usage: sciprobe traps | pending | ring ROUNDS | bell NODE LINE | open NODE LINE | "
		 "close NODE LINE | hunt NODE PAGES WORD | storm NODE WORD MS");
}

int main(int argc, char **argv)
{
	char device[NAME_BYTES];

	find_adapter(device);
	csr = map_bar(device, SCI_BAR_CSR, 0, SCI_CSR_SIZE, PROT_READ | PROT_WRITE);
	memory = map_bar(device, SCI_BAR_MEMORY, 0, SCI_MEMORY_SIZE, PROT_READ | PROT_WRITE);
	own_node = reg(SCI_REG_NODE_ID);
	granule = reg(SCI_REG_ATT_GRANULE);
	window = map_bar(device, SCI_BAR_WINDOW, (off_t)FIRST * granule, (size_t)BATCH * granule,
			 PROT_READ | PROT_WRITE);
	return run(argc, argv);
}
