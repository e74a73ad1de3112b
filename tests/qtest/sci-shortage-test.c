/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A host that refuses to map memory: nothing ends, nothing is promised that does
 * not hold, and all goes on when the host has room again.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "qemu/osdep.h"
#include "scitest.h"

#define RW	(SCI_ATT_READ | SCI_ATT_WRITE)
#define IN_RW	(SCI_INBOUND_READ | SCI_INBOUND_WRITE)
#define PAGE	40

struct pair {
	struct sci_node *ex, *im;
	char *switch_path;
};

static void refuse(struct pair *p, bool on)
{
	int fd = open(p->switch_path, O_WRONLY);

	g_assert_cmpint(pwrite(fd, on ? "\1" : "\0", 1, 0), ==, 1);
	close(fd);
}

/* The importer's host can be told to refuse. */
static void start(struct pair *p)
{
	p->ex = sci_start(1, NULL);
	p->switch_path = g_build_filename(sci_fabric(), "refuse", NULL);
	g_assert_true(g_file_set_contents(p->switch_path, "\0", 1, NULL));
	g_setenv("SCI_REFUSE_MAPS", p->switch_path, true);
	g_setenv("LD_PRELOAD", getenv("SCI_REFUSE_OBJECT"), true);
	p->im = sci_start(2, NULL);
	g_unsetenv("LD_PRELOAD");
	sci_enable(p->ex);
	sci_enable(p->im);
	sci_wait_link(p->im, 1, SCI_LINK_UP);
	for (unsigned int i = 0; i < 4; i++)
		sci_export(p->ex, PAGE + i, SCI_DATA_BASE + i * SCI_PAGE_SIZE, IN_RW, SCI_KEY,
			   SCI_ROW_ALL);
}

static void start_mapped(struct pair *p)
{
	start(p);
	g_assert_cmpuint(sci_map(p->im, 0, 1, PAGE, RW), ==, SCI_ATT_ST_MAPPED);
	sci_store(p->im, 0, 1);
	g_assert_cmphex(sci_ram_load(p->ex, SCI_DATA_BASE), ==, 1);
}

static void end(struct pair *p)
{
	sci_cleanup();
	g_clear_pointer(&p->switch_path, g_free);
}

static void a_commit_is_no_space_and_leaves_scratch(void)
{
	struct pair p;
	static const uint64_t kinds[] = { RW, SCI_ATT_READ };

	start(&p);
	for (unsigned int i = 0; i < G_N_ELEMENTS(kinds); i++) {
		refuse(&p, true);
		g_assert_cmpuint(sci_map(p.im, 0, 1, PAGE, kinds[i]), ==, SCI_ATT_ST_NOSPC);
		g_assert_cmphex(sci_load(p.im, 0), ==, i ? 0 : UINT64_MAX);
		refuse(&p, false);
		g_assert_cmpuint(sci_map(p.im, 0, 1, PAGE, kinds[i]), ==, SCI_ATT_ST_MAPPED);
	}
	end(&p);
}

/* The guest may not have it any more, but it has: so the exporter is not told. */
static void a_revocation_that_is_refused_is_not_acknowledged(void)
{
	struct pair p;

	start_mapped(&p);
	refuse(&p, true);
	sci_unexport(p.ex, PAGE);
	sci_invalidate(p.ex, PAGE, 1);
	sci_wait(sci_state(p.im, 0) == SCI_ATT_ST_REVOKED);
	g_assert_cmpuint(sci_slot_field(p.im, 1, revokes), ==, 1);
	sci_store(p.im, 0, 2);
	g_assert_cmphex(sci_ram_load(p.ex, SCI_DATA_BASE), ==, 2);
	g_assert_cmphex(sci_get(p.ex, SCI_REG_STATUS) & SCI_STATUS_INVAL_BUSY, !=, 0);
	/* A commit in its place cannot hide it. */
	g_assert_cmpuint(sci_map(p.im, 0, 1, PAGE + 1, RW), ==, SCI_ATT_ST_NOSPC);
	g_assert_cmphex(sci_get(p.ex, SCI_REG_STATUS) & SCI_STATUS_INVAL_BUSY, !=, 0);
	refuse(&p, false);
	sci_wait_settled(p.ex);
	sci_store(p.im, 0, 3);
	g_assert_cmphex(sci_ram_load(p.ex, SCI_DATA_BASE), ==, 2);
	g_assert_cmpuint(sci_slot_field(p.im, 1, revokes), ==, 1);
	g_assert_cmpuint(sci_map(p.im, 0, 1, PAGE + 1, RW), ==, SCI_ATT_ST_MAPPED);
	end(&p);
}

/* The importer's reset does not end what its exporter waits for. */
static void a_reset_of_the_importer_hides_nothing(void)
{
	struct pair p;

	start_mapped(&p);
	refuse(&p, true);
	sci_set(p.im, SCI_REG_CONTROL, SCI_CONTROL_RESET);
	sci_unexport(p.ex, PAGE);
	sci_invalidate(p.ex, PAGE, 1);
	for (unsigned int i = 0; i < 50; i++)
		g_assert_cmphex(sci_get(p.ex, SCI_REG_STATUS) & SCI_STATUS_INVAL_BUSY, !=, 0);
	refuse(&p, false);
	sci_wait_settled(p.ex);
	end(&p);
}

static void a_peer_that_goes_is_let_go_later(void)
{
	struct pair p;

	start_mapped(&p);
	refuse(&p, true);
	sci_kill(p.ex);
	sci_wait_link(p.im, 1, SCI_LINK_ABSENT);
	g_assert_cmpuint(sci_state(p.im, 0), ==, SCI_ATT_ST_PEER_LOST);
	refuse(&p, false);
	p.ex = sci_start(1, NULL);
	sci_enable(p.ex);
	sci_export(p.ex, PAGE, SCI_DATA_BASE, IN_RW, SCI_KEY, SCI_ROW_ALL);
	sci_wait_link(p.im, 1, SCI_LINK_UP);
	sci_store(p.im, 0, 5);
	g_assert_cmphex(sci_ram_load(p.ex, SCI_DATA_BASE), ==, 0);
	g_assert_cmpuint(sci_map(p.im, 0, 1, PAGE, RW), ==, SCI_ATT_ST_MAPPED);
	end(&p);
}

#define ADD(test) qtest_add_func("/sci/shortage/" #test, test)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD(a_commit_is_no_space_and_leaves_scratch);
	ADD(a_revocation_that_is_refused_is_not_acknowledged);
	ADD(a_reset_of_the_importer_hides_nothing);
	ADD(a_peer_that_goes_is_let_go_later);
	return g_test_run();
}
