/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Prints figures of the device without a guest, judges nothing:
 *
 * commit   the device's part of a commit of one entry whose pages are contiguous,
 *          over a bare mmap() of as many pages of a memory file, both in turn
 * pages    a commit of so many pages, contiguous in the exporter's memory or in the
 *          opposite order, and taking them back, each over those of one page
 * revoke   time from an invalidation to its end with an importer that has nothing
 *          to do, and with one whose guest commits without pause: medians, 99th
 *          percentiles and their ratio
 *
 * The device's part of a commit is the time of the write of ATT_COMMIT less that
 * of a write of a register that does nothing, by the same way.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "qemu/osdep.h"
#include <sys/mman.h>
#include "qemu/atomic.h"
#include "scitest.h"

#define RW	(SCI_ATT_READ | SCI_ATT_WRITE)
#define IN_RW	(SCI_INBOUND_READ | SCI_INBOUND_WRITE)
#define ROUNDS	2000
#define PAGES	16	/* one granule of a window of 256 MiB */

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* The element below which @percent of them are; sorts. */
static double percentile(double *val, unsigned int n, unsigned int percent)
{
	qsort(val, n, sizeof(*val), compare);
	return val[MIN(n - 1, n * percent / 100)];
}

static void export_pages(struct sci_node *n)
{
	for (unsigned int i = 0; i < PAGES; i++)
		sci_export(n, i, SCI_DATA_BASE + i * SCI_PAGE_SIZE, IN_RW, SCI_KEY, SCI_ROW_ALL);
}

static void commit_over_mmap(void)
{
	struct sci_node *ex = sci_start(1, NULL), *im = sci_start(2, NULL);
	double commit[ROUNDS], nothing[ROUNDS], bare[ROUNDS];
	size_t size = PAGES * SCI_PAGE_SIZE;
	int fd = memfd_create("measure", 0);
	char *window = mmap(NULL, ROUNDS * size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	g_assert_cmpint(ftruncate(fd, size), ==, 0);
	sci_enable(ex);
	sci_enable(im);
	sci_wait_link(im, 1, SCI_LINK_UP);
	export_pages(ex);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		unsigned int entry = i % SCI_ATT_ENTRIES;
		double start;

		sci_entry(im, entry, 1, 0, RW | SCI_ATT_VALID, SCI_KEY, PAGES);
		qtest_writel(im->qts, sci_att_field(im, entry, expect),
			     sci_slot_field(im, 1, incarnation));
		start = now();
		sci_set(im, SCI_REG_ATT_COMMIT, SCI_PUT(SCI_COMMIT_FIRST, entry) | 1);
		commit[i] = now() - start;
		start = now();
		sci_set(im, SCI_REG_PEER_EVENT, 0);
		nothing[i] = now() - start;
		start = now();
		g_assert_true(mmap(window + i * size, size, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED);
		bare[i] = now() - start;
		g_assert_cmpuint(sci_state(im, entry), ==, SCI_ATT_ST_MAPPED);
	}
	printf("commit: device %.2f us, bare mmap %.2f us, ratio %.2f\n",
	       percentile(commit, ROUNDS, 50) - percentile(nothing, ROUNDS, 50),
	       percentile(bare, ROUNDS, 50),
	       (percentile(commit, ROUNDS, 50) - percentile(nothing, ROUNDS, 50)) /
	       percentile(bare, ROUNDS, 50));
	munmap(window, ROUNDS * size);
	close(fd);
	sci_cleanup();
}

/* The median time to commit entries for @pages pages, and to take all back. */
static void commit_and_revoke(struct sci_node *ex, struct sci_node *im, unsigned int pages,
			      double *commit, double *revoke)
{
	double commits[21], revokes[21];
	unsigned int entries = DIV_ROUND_UP(pages, PAGES);

	for (unsigned int i = 0; i < entries; i++) {
		sci_entry(im, i, 1, i * PAGES, RW | SCI_ATT_VALID, SCI_KEY, MIN(pages, PAGES));
		qtest_writel(im->qts, sci_att_field(im, i, expect),
			     sci_slot_field(im, 1, incarnation));
	}
	for (unsigned int i = 0; i < 21; i++) {
		double start;

		/* The tables are good: what is invalidated is only looked at anew. */
		sci_set(ex, SCI_REG_CONTROL, SCI_CONTROL_ENABLE | SCI_CONTROL_INBOUND);
		start = now();
		sci_set(im, SCI_REG_ATT_COMMIT, entries);
		commits[i] = now() - start;
		g_assert_cmpuint(sci_get(im, SCI_REG_ATT_FAILED), ==, 0);
		/* And now they give nothing. */
		start = now();
		sci_set(ex, SCI_REG_CONTROL, SCI_CONTROL_ENABLE);
		sci_wait_settled(ex);
		revokes[i] = now() - start;
		g_assert_cmpuint(sci_state(im, 0), ==, SCI_ATT_ST_REVOKED);
	}
	*commit = percentile(commits, 21, 50);
	*revoke = percentile(revokes, 21, 50);
}

static void pages_over_one_page(void)
{
	static const unsigned int pages[] = { 1, 16, 256, 4096 };
	double commit = 0, revoke = 0, first_commit = 0, first_revoke = 0;

	for (unsigned int scattered = 0; scattered < 2; scattered++) {
		struct sci_node *ex = sci_start(1, NULL), *im = sci_start(2, NULL);

		sci_enable(ex);
		sci_enable(im);
		sci_wait_link(im, 1, SCI_LINK_UP);
		for (unsigned int i = 0; i < 4096; i++)
			sci_export(ex, i, SCI_DATA_BASE +
				   (scattered ? 4095 - i : i) * SCI_PAGE_SIZE, IN_RW, SCI_KEY,
				   SCI_ROW_ALL);
		for (unsigned int i = 0; i < G_N_ELEMENTS(pages); i++) {
			commit_and_revoke(ex, im, pages[i], &commit, &revoke);
			if (i == 0) {
				first_commit = commit;
				first_revoke = revoke;
			}
			printf("pages: %u %s commit %.0f us (x %.2f), revoke %.0f us (x %.2f)\n",
			       pages[i], scattered ? "scattered" : "contiguous", commit,
			       commit / first_commit, revoke, revoke / first_revoke);
		}
		sci_cleanup();
	}
}

struct committer {
	struct sci_node *im;
	int stop, commits;
};

/* All that the importer's guest does: map and unmap 64 entries, again and again. */
static gpointer commit_without_pause(gpointer data)
{
	struct committer *c = data;

	while (!qatomic_read(&c->stop)) {
		sci_set(c->im, SCI_REG_ATT_COMMIT, SCI_PUT(SCI_COMMIT_FIRST, 100) | 64);
		qatomic_inc(&c->commits);
	}
	return NULL;
}

static void revoke_rounds(struct sci_node *ex, double *val)
{
	for (unsigned int i = 0; i < ROUNDS; i++) {
		double start = now();

		sci_invalidate(ex, 0, 1);
		sci_wait_settled(ex);
		val[i] = now() - start;
	}
}

static void revoke_with_a_busy_importer(void)
{
	struct sci_node *ex = sci_start(1, NULL), *im = sci_start(2, NULL);
	double idle[ROUNDS], busy[ROUNDS];

	sci_enable(ex);
	sci_enable(im);
	sci_wait_link(im, 1, SCI_LINK_UP);
	export_pages(ex);
	sci_map(im, 0, 1, 0, RW);
	for (unsigned int i = 100; i < 164; i++) {
		sci_entry(im, i, 1, 0, RW | SCI_ATT_VALID, SCI_KEY, PAGES);
		qtest_writel(im->qts, sci_att_field(im, i, expect),
			     sci_slot_field(im, 1, incarnation));
	}
	for (unsigned int round = 0; round < 3; round++) {
		struct committer c = { .im = im };
		GThread *thread;

		revoke_rounds(ex, idle);
		thread = g_thread_new("committer", commit_without_pause, &c);
		while (!qatomic_read(&c.commits))
			g_thread_yield();
		revoke_rounds(ex, busy);
		qatomic_set(&c.stop, 1);
		g_thread_join(thread);
		printf("revoke: idle p50 %.0f p99 %.0f us, busy p50 %.0f p99 %.0f us (%d commits), "
		       "p99 ratio %.2f\n", percentile(idle, ROUNDS, 50),
		       percentile(idle, ROUNDS, 99), percentile(busy, ROUNDS, 50),
		       percentile(busy, ROUNDS, 99), c.commits,
		       percentile(busy, ROUNDS, 99) / percentile(idle, ROUNDS, 99));
	}
	sci_cleanup();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	commit_over_mmap();
	pages_over_one_page();
	revoke_with_a_busy_importer();
	return 0;
}
