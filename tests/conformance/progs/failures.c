// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Between two nodes: links that fail, and nodes that die.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#define _GNU_SOURCE
#include "conform.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

static int span(struct imported *imported)
{
	require(rsm_memseg_import_open_barrier(&imported->barrier), RSM_SUCCESS);
	imported->mapping[0]++;
	return rsm_memseg_import_close_barrier(&imported->barrier);
}

static bool connects(void *import)
{
	return try_connect(ID, RSM_PERM_RDWR, import) == RSM_SUCCESS;
}

static int volatile signalled;

static void on_fault(int signo)
{
	signalled = signo;
	_exit(1);
}

static bool is_aborted(void *imported)
{
	return span(imported) == RSMERR_CONN_ABORTED;
}

static void a259_a261_a_crashed_node_aborts_and_comes_back(void)
{
	struct imported imported = import_mapped(page);
	rsm_memseg_import_handle_t again;
	rsmapi_barrier_t barrier;
	uint64_t value = 261;

	signal(SIGBUS, on_fault);
	signal(SIGSEGV, on_fault);
	expect(span(&imported), RSM_SUCCESS);
	host_ok("crash");
	expect_true(eventually(is_aborted, &imported));
	imported.mapping[1]++;
	expect(try_connect(ID, RSM_PERM_RDWR, &again), RSMERR_REMOTE_NODE_UNREACHABLE);
	host_ok("boot");
	peer_ok("begin %s", controller_name);
	peer_export(0, page);
	expect(span(&imported), RSMERR_CONN_ABORTED);
	expect_true(eventually(connects, &again));
	require(rsm_memseg_import_init_barrier(again, RSM_BAR_DEFAULT, &barrier), RSM_SUCCESS);
	expect(rsm_memseg_import_put64(again, 0, &value, 1), RSM_SUCCESS);
	peer_ok("peek 0 0");
	expect(peer_value, 261);
	expect(rsm_memseg_import_unmap(imported.import), RSM_SUCCESS);
	expect(rsm_memseg_import_disconnect(imported.import), RSM_SUCCESS);
}

/* ---- a link fails ---- */

static void a211_an_error_in_the_span_fails_it_and_only_it(void)
{
	struct imported imported = import_mapped(page);

	require(rsm_memseg_import_open_barrier(&imported.barrier), RSM_SUCCESS);
	imported.mapping[0] = 1;
	host_ok("error");
	expect(rsm_memseg_import_order_barrier(&imported.barrier), RSMERR_BARRIER_FAILURE);
	expect(rsm_memseg_import_close_barrier(&imported.barrier), RSMERR_BARRIER_FAILURE);
	expect(span(&imported), RSM_SUCCESS);
}

/* Each test leaves the link up. */
static void a114_a_node_behind_a_failed_link_is_unreachable(void)
{
	rsm_memseg_import_handle_t import;
	int ret;

	peer_export(0, page);
	host_ok("link down");
	ret = try_connect(ID, RSM_PERM_READ, &import);
	host_ok("link up");
	expect(ret, RSMERR_REMOTE_NODE_UNREACHABLE);
	expect_true(eventually(connects, &import));
}

static void a212_a_failed_link_aborts_and_posts_cannot_leave(void)
{
	struct imported imported = import_mapped(page);
	rsm_memseg_import_handle_t again;
	int order, close, post;

	require(rsm_memseg_import_open_barrier(&imported.barrier), RSM_SUCCESS);
	imported.mapping[0] = 1;
	host_ok("link down");
	order = rsm_memseg_import_order_barrier(&imported.barrier);
	close = rsm_memseg_import_close_barrier(&imported.barrier);
	post = rsm_intr_signal_post(imported.import, 0);
	host_ok("link up");
	expect(order, RSMERR_CONN_ABORTED);
	expect(close, RSMERR_CONN_ABORTED);
	expect(post, RSMERR_REMOTE_NODE_UNREACHABLE);
	expect_true(eventually(connects, &again));
	expect(span(&imported), RSMERR_CONN_ABORTED);
}

static void a226_a_post_over_a_failed_link_fails_with_remote_node_unreachable(void)
{
	struct imported imported = import(page);
	rsm_memseg_import_handle_t again;
	int post;

	host_ok("link down");
	post = rsm_intr_signal_post(imported.import, 0);
	host_ok("link up");
	expect(post, RSMERR_REMOTE_NODE_UNREACHABLE);
	expect_true(eventually(connects, &again));
	expect(rsm_intr_signal_post(again, 0), RSM_SUCCESS);
	expect(peer("wait 0 20000"), RSM_SUCCESS);
	expect(peer("wait 0 0"), RSMERR_TIMEOUT);
}

static void a283_a_node_without_agent_is_unreachable(void)
{
	rsm_memseg_import_handle_t import;
	int ret;

	/* Its session holds the agent. */
	peer_ok("end");
	host_ok("unload");
	ret = try_connect(ID, RSM_PERM_READ, &import);
	host_ok("load");
	expect(ret, RSMERR_REMOTE_NODE_UNREACHABLE);
	peer_ok("begin %s", controller_name);
	peer_export(0, page);
	expect_true(eventually(connects, &import));
}

/* ---- something happens in the middle of a transfer ---- */

static char *gate;
static const char *gate_request;
static int gate_result;

/*
 * The transfer has come to the page that is closed: the host acts, then the
 * page is opened and the transfer goes on.
 */
static void at_gate(int signo, siginfo_t *info, void *context)
{
	char *address = info->si_addr;

	(void)signo;
	(void)context;
	if (!gate || address < gate || address >= gate + page)
		_exit(1);
	gate_result = host("%s", gate_request);
	mprotect(gate, page, PROT_READ | PROT_WRITE);
}

/* Two pages of memory; whoever comes to the second one makes the host do it. */
static void *gated(const char *request)
{
	struct sigaction action = { .sa_sigaction = at_gate, .sa_flags = SA_SIGINFO };
	char *memory_of_two = memory(2 * page);

	sigaction(SIGSEGV, &action, NULL);
	gate = memory_of_two + page;
	gate_request = request;
	gate_result = -1;
	require(mprotect(gate, page, PROT_NONE), 0);
	return memory_of_two;
}

#define TRANSFER(name, type) \
	static int name(rsm_memseg_import_handle_t import, void *data) \
	{ \
		return rsm_memseg_import_##name(import, 0, data, 2 * page / sizeof(type)); \
	}
TRANSFER(get8, uint8_t)
TRANSFER(get16, uint16_t)
TRANSFER(get32, uint32_t)
TRANSFER(get64, uint64_t)
TRANSFER(get, uint8_t)
TRANSFER(put8, uint8_t)
TRANSFER(put16, uint16_t)
TRANSFER(put32, uint32_t)
TRANSFER(put64, uint64_t)
TRANSFER(put, uint8_t)

static int vector(rsm_memseg_import_handle_t import, void *data,
		  int (*call)(rsm_scat_gath_t *))
{
	rsm_iovec_t entries[3] = {
		{ RSM_VA_TYPE, { .vaddr = data }, 0, 0, 8 },
		{ RSM_VA_TYPE, { .vaddr = data }, page, page, 8 },
		{ RSM_VA_TYPE, { .vaddr = data }, 8, 8, 8 },
	};
	rsm_scat_gath_t sg = {
		.io_request_count = 3, .remote_handle = import, .iovec = entries,
	};
	int ret = call(&sg);

	expect(sg.io_residual_count, ret ? 2 : 0);
	return ret;
}

static int putv(rsm_memseg_import_handle_t import, void *data)
{
	return vector(import, data, rsm_memseg_import_putv);
}

static int getv(rsm_memseg_import_handle_t import, void *data)
{
	return vector(import, data, rsm_memseg_import_getv);
}

static int (*const transfers_of_two_pages[])(rsm_memseg_import_handle_t import, void *data) = {
	get8, get16, get32, get64, get, put8, put16, put32, put64, put, putv, getv,
};

static void a177_a188_an_error_during_a_transfer_fails_it(void)
{
	struct imported imported = import(2 * page);
	size_t i;

	for (i = 0; i < ARRAY(transfers_of_two_pages); i++) {
		void *data = gated("error");

		expect(transfers_of_two_pages[i](imported.import, data), RSMERR_BARRIER_FAILURE);
		expect(gate_result, 0);
		/* The gate is open now. */
		expect(transfers_of_two_pages[i](imported.import, data), RSM_SUCCESS);
	}
}

static int post_with(rsm_memseg_import_handle_t import, int (*call)(rsm_scat_gath_t *))
{
	rsm_iovec_t entry = {
		RSM_VA_TYPE, { .vaddr = gated("link down") }, page, 0, 8,
	};
	rsm_scat_gath_t sg = {
		.io_request_count = 1, .remote_handle = import, .iovec = &entry,
		.flags = RSM_IMPLICIT_SIGPOST,
	};
	int ret;

	/* Explicit mode: nobody looks at how the transfer went. */
	require(rsm_memseg_import_set_mode(import, RSM_BARRIER_MODE_EXPLICIT), RSM_SUCCESS);
	ret = call(&sg);
	expect(gate_result, 0);
	expect(sg.flags, RSM_IMPLICIT_SIGPOST);
	host_ok("link up");
	return ret;
}

static void a188_the_post_after_a_vector_may_fail(void)
{
	struct imported imported = import(2 * page);
	rsm_memseg_import_handle_t again;

	expect(post_with(imported.import, rsm_memseg_import_putv),
	       RSMERR_REMOTE_NODE_UNREACHABLE);
	require_true(eventually(connects, &again));
	expect(post_with(again, rsm_memseg_import_getv), RSMERR_REMOTE_NODE_UNREACHABLE);
	expect_true(eventually(connects, &again));
}

static const struct test tests[] = {
	TEST(CROSS, a211_an_error_in_the_span_fails_it_and_only_it),
	TEST(CROSS, a114_a_node_behind_a_failed_link_is_unreachable),
	TEST(CROSS, a212_a_failed_link_aborts_and_posts_cannot_leave),
	TEST(CROSS, a226_a_post_over_a_failed_link_fails_with_remote_node_unreachable),
	TEST(CROSS, a283_a_node_without_agent_is_unreachable),
	TEST(CROSS, a177_a188_an_error_during_a_transfer_fails_it),
	TEST(CROSS, a188_the_post_after_a_vector_may_fail),
	TEST(CROSS, a259_a261_a_crashed_node_aborts_and_comes_back),
};

SECTION(failures);
