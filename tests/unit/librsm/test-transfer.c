// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Transfers against a segment that a guest cannot have so easily: of the other
 * byte order, of several GiB, on a path that fails in the middle of a copy.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "fake.h"

static rsmapi_controller_handle_t controller;
static rsm_memseg_import_handle_t import;
static rsmapi_barrier_t barrier;

static void begin_with(__u32 attributes)
{
	fake_reset();
	fake.connect.attributes = attributes;
	controller = fake_controller();
	import = fake_import(controller);
	g_assert_cmpint(rsm_memseg_import_init_barrier(import, RSM_BAR_DEFAULT, &barrier), ==,
			RSM_SUCCESS);
}

static void end(void)
{
	g_assert_cmpint(rsm_memseg_import_destroy_barrier(&barrier), ==, RSM_SUCCESS);
	g_assert_cmpint(rsm_memseg_import_disconnect(import), ==, RSM_SUCCESS);
	g_assert_cmpint(rsm_release_controller(controller), ==, RSM_SUCCESS);
	g_assert_cmpint(fake.descriptors, ==, 0);
}

static const uint8_t bytes[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };

/* The segment's bytes are those of @bytes, each group of @width reversed. */
static void reversed_in_groups_of(size_t width)
{
	size_t i;

	for (i = 0; i < sizeof(bytes); i++)
		g_assert_cmpint(fake.segment[i], ==, bytes[i / width * width + width - 1 - i % width]);
}

#define SWAPS(bits)									\
static void elements_of_##bits##_bits_are_swapped(void)					\
{											\
	uint##bits##_t data[sizeof(bytes) / sizeof(uint##bits##_t)];			\
											\
	begin_with(RSM_CONNECT_PATH | RSM_CONNECT_BIG_ENDIAN);				\
	memcpy(data, bytes, sizeof(bytes));						\
	g_assert_cmpint(rsm_memseg_import_put##bits(import, 0, data,			\
						    G_N_ELEMENTS(data)), ==, 0);	\
	reversed_in_groups_of(sizeof(data[0]));						\
	memset(data, 0, sizeof(data));							\
	g_assert_cmpint(rsm_memseg_import_get##bits(import, 0, data,			\
						    G_N_ELEMENTS(data)), ==, 0);	\
	g_assert_cmpmem(data, sizeof(data), bytes, sizeof(bytes));			\
	end();										\
}

SWAPS(8)
SWAPS(16)
SWAPS(32)
SWAPS(64)

static void plain_bytes_are_not_swapped(void)
{
	rsm_iovec_t entry = { .io_type = RSM_VA_TYPE, .transfer_length = sizeof(bytes) };
	rsm_scat_gath_t sg = { .io_request_count = 1, .iovec = &entry };

	begin_with(RSM_CONNECT_PATH | RSM_CONNECT_BIG_ENDIAN);
	g_assert_cmpint(rsm_memseg_import_put(import, 0, (void *)bytes, sizeof(bytes)), ==, 0);
	g_assert_cmpmem(fake.segment, sizeof(bytes), bytes, sizeof(bytes));
	sg.remote_handle = import;
	entry.local.vaddr = (char *)bytes;
	entry.remote_offset = 100;
	g_assert_cmpint(rsm_memseg_import_putv(&sg), ==, 0);
	g_assert_cmpmem(fake.segment + 100, sizeof(bytes), bytes, sizeof(bytes));
	end();
}

/* Sanitizers see to it that nothing beside is touched in memory. */
static void every_alignment_and_length_is_copied(void)
{
	size_t from, to, length, i;
	char *sent, *got;

	begin_with(RSM_CONNECT_PATH);
	for (length = 1; length < 50; length++) {
		for (from = 0; from < 8; from++) {
			sent = g_malloc(from + length);
			got = g_malloc(from + length);
			for (i = 0; i < length; i++)
				sent[from + i] = (char)(i * 37 + length);
			for (to = 0; to < 8; to++) {
				memset(fake.segment, 0x5a, 64);
				g_assert_cmpint(rsm_memseg_import_put(import, (off_t)to, sent + from,
								      length), ==, RSM_SUCCESS);
				g_assert_cmpmem(fake.segment + to, length, sent + from, length);
				for (i = 0; i < 64; i++)
					g_assert_true((i >= to && i < to + length) ||
						      fake.segment[i] == 0x5a);
				g_assert_cmpint(rsm_memseg_import_get(import, (off_t)to, got + from,
								      length), ==, RSM_SUCCESS);
				g_assert_cmpmem(got + from, length, sent + from, length);
			}
			g_free(sent);
			g_free(got);
		}
	}
	end();
}

static void offsets_beyond_4_gib_are_reached(void)
{
	off_t high = (5ll << 30) + 8, last = FAKE_SEGMENT_BYTES - 8;
	uint64_t value = 0x1122334455667788, got = 0;

	begin_with(RSM_CONNECT_PATH);
	g_assert_cmpint(rsm_memseg_import_put64(import, high, &value, 1), ==, 0);
	g_assert_cmpmem(fake.segment + high, 8, &value, 8);
	g_assert_cmpint(*(uint64_t *)(fake.segment + (high & 0xffffffff)), ==, 0);
	g_assert_cmpint(rsm_memseg_import_get(import, high, &got, 8), ==, 0);
	g_assert_cmpuint(got, ==, value);
	g_assert_cmpint(rsm_memseg_import_put64(import, last, &value, 1), ==, 0);
	g_assert_cmpint(rsm_memseg_import_put64(import, last + 8, &value, 1), ==,
			RSMERR_BAD_OFFSET);
	end();
}

/*
 * The copy itself changes what the barrier looks at: its destination is the
 * path state, or the generation word.
 */
static void errors_during_a_copy_are_reported(void)
{
	uint32_t one = 1, got;

	begin_with(RSM_CONNECT_PATH);
	g_assert_cmpint(rsm_memseg_import_put32(import, 0, &one, 1), ==, RSM_SUCCESS);
	g_assert_cmpint(rsm_memseg_import_get32(import, 0, &fake.path->errors, 1), ==,
			RSMERR_BARRIER_FAILURE);
	/* The next span is a good one. */
	g_assert_cmpint(rsm_memseg_import_get32(import, 0, &got, 1), ==, RSM_SUCCESS);
	g_assert_cmpint(rsm_memseg_import_get32(import, 0, &fake.path->changes, 1), ==,
			RSMERR_BARRIER_FAILURE);
	g_assert_cmpint(rsm_memseg_import_get32(import, 0, &got, 1), ==, RSM_SUCCESS);
	/* Pages of somebody else were revoked: asking the agent settles it. */
	g_assert_cmpint(rsm_memseg_import_get32(import, 0, &fake.path->revokes, 1), ==,
			RSM_SUCCESS);
	/* Explicit mode does not look. */
	g_assert_cmpint(rsm_memseg_import_set_mode(import, RSM_BARRIER_MODE_EXPLICIT), ==, 0);
	one = 2;
	g_assert_cmpint(rsm_memseg_import_put32(import, 0, &one, 1), ==, RSM_SUCCESS);
	g_assert_cmpint(rsm_memseg_import_get32(import, 0, &fake.path->errors, 1), ==,
			RSM_SUCCESS);
	end();
}

static void a_disconnect_during_a_copy_is_reported(void)
{
	uint16_t two = 2;

	begin_with(RSM_CONNECT_PATH);
	g_assert_cmpint(rsm_memseg_import_put16(import, 0, &two, 1), ==, RSM_SUCCESS);
	g_assert_cmpint(rsm_memseg_import_get16(import, 0, &fake.generation[5], 1), ==,
			RSMERR_CONN_ABORTED);
	g_assert_cmpint(rsm_memseg_import_put16(import, 0, &two, 1), ==, RSMERR_CONN_ABORTED);
	end();
}

static void what_the_agent_says_about_a_span_counts(void)
{
	uint32_t data = 0;

	begin_with(RSM_CONNECT_PATH);
	fake.path->revokes++;
	fake.status[_IOC_NR(RSM_IOC_CHECK)] = RSMERR_CONN_ABORTED;
	g_assert_cmpint(rsm_memseg_import_put32(import, 0, &data, 1), ==, RSMERR_CONN_ABORTED);
	fake.status[_IOC_NR(RSM_IOC_CHECK)] = 0;
	fake.error[FAKE_IOCTL] = EIO;
	g_assert_cmpint(rsm_memseg_import_put32(import, 0, &data, 1), ==, RSMERR_BARRIER_FAILURE);
	fake.error[FAKE_IOCTL] = 0;
	g_assert_cmpint(rsm_memseg_import_put32(import, 0, &data, 1), ==, RSM_SUCCESS);
	end();
}

static void healthy_transfers_call_nobody(void)
{
	unsigned int calls[FAKE_CALLS];
	uint64_t data[8] = { 0 };
	int i;

	begin_with(RSM_CONNECT_PATH);
	g_assert_cmpint(rsm_memseg_import_put64(import, 0, data, 8), ==, RSM_SUCCESS);
	memcpy(calls, fake.calls, sizeof(calls));
	for (i = 0; i < 100; i++) {
		g_assert_cmpint(rsm_memseg_import_put(import, 3, data, 50), ==, RSM_SUCCESS);
		g_assert_cmpint(rsm_memseg_import_get8(import, 3, (uint8_t *)data, 50), ==, 0);
		g_assert_cmpint(rsm_memseg_import_open_barrier(&barrier), ==, RSM_SUCCESS);
		g_assert_cmpint(rsm_memseg_import_close_barrier(&barrier), ==, RSM_SUCCESS);
	}
	g_assert_cmpmem(calls, sizeof(calls), fake.calls, sizeof(fake.calls));
	end();
}

/* A request of three; the copy of the second breaks the path. */
static void vectors_stop_at_the_entry_that_failed(void)
{
	char local[3][4] = { { 1 }, { 2 }, { 3 } };
	rsm_iovec_t entries[3];
	rsm_scat_gath_t sg = { .io_request_count = 3, .iovec = entries };
	int i;

	begin_with(RSM_CONNECT_PATH);
	sg.remote_handle = import;
	sg.flags = RSM_IMPLICIT_SIGPOST;
	fake.segment[0] = 9;
	for (i = 0; i < 3; i++)
		entries[i] = (rsm_iovec_t){ .io_type = RSM_VA_TYPE, .local.vaddr = local[i],
					    .transfer_length = 4 };
	entries[1].local.vaddr = (char *)&fake.path->errors;
	g_assert_cmpint(rsm_memseg_import_getv(&sg), ==, RSMERR_BARRIER_FAILURE);
	g_assert_cmpuint(sg.io_residual_count, ==, 2);
	g_assert_cmpint(local[0][0], ==, 9);
	g_assert_cmpint(local[2][0], ==, 3);
	g_assert_cmpuint(fake.posts, ==, 0);

	/* Explicit mode does not look, and goes on. */
	g_assert_cmpint(rsm_memseg_import_set_mode(import, RSM_BARRIER_MODE_EXPLICIT), ==, 0);
	fake.segment[0] = 10;
	g_assert_cmpint(rsm_memseg_import_getv(&sg), ==, RSM_SUCCESS);
	g_assert_cmpuint(sg.io_residual_count, ==, 0);
	g_assert_cmpuint(fake.posts, ==, 1);
	g_assert_cmpuint(fake.post_flags, ==, 0);
	/* The result of the event is that of the call. */
	fake.status[_IOC_NR(RSM_IOC_POST)] = RSMERR_REMOTE_NODE_UNREACHABLE;
	sg.flags |= RSM_SIGPOST_NO_ACCUMULATE;
	g_assert_cmpint(rsm_memseg_import_getv(&sg), ==, RSMERR_REMOTE_NODE_UNREACHABLE);
	g_assert_cmpuint(sg.io_residual_count, ==, 0);
	g_assert_cmpuint(fake.post_flags, ==, RSM_POST_NO_ACCUMULATE);
	end();
}

static void events_that_others_took_do_not_count(void)
{
	struct pollfd fds[2];
	int n;

	begin_with(RSM_CONNECT_PATH);
	g_assert_cmpint(rsm_memseg_get_pollfd(import, &fds[0]), ==, RSM_SUCCESS);
	fake.stolen = 1;
	g_assert_cmpint(rsm_intr_signal_wait_pollfd(fds, 1, -1, &n), ==, RSMERR_TIMEOUT);
	g_assert_cmpint(n, ==, 0);
	fake.stolen = 1;
	fake.events = 1;
	g_assert_cmpint(rsm_intr_signal_wait_pollfd(fds, 1, -1, &n), ==, RSM_SUCCESS);
	g_assert_cmpint(n, ==, 1);
	fake.stolen = 1;
	fake.events = 1;
	g_assert_cmpint(rsm_intr_signal_wait(import, -1), ==, RSM_SUCCESS);
	fake.stolen = 1;
	g_assert_cmpint(rsm_intr_signal_wait(import, 0), ==, RSMERR_TIMEOUT);
	fake.events = 1;
	fake.error[FAKE_IOCTL] = EINTR;
	g_assert_cmpint(rsm_intr_signal_wait_pollfd(fds, 1, 0, &n), ==, RSMERR_INTERRUPTED);
	fake.error[FAKE_IOCTL] = 0;
	g_assert_cmpint(rsm_memseg_release_pollfd(import), ==, RSM_SUCCESS);
	end();
}

static void ends_of_segments_end_no_wait(void)
{
	struct pollfd fds[2];
	int pipe_fds[2], n;

	begin_with(RSM_CONNECT_PATH);
	g_assert_cmpint(rsm_memseg_get_pollfd(import, &fds[0]), ==, RSM_SUCCESS);
	fake.over = true;
	g_assert_cmpint(rsm_intr_signal_wait(import, -1), ==, RSMERR_TIMEOUT);
	g_assert_cmpint(rsm_intr_signal_wait_pollfd(fds, 1, -1, &n), ==, RSMERR_TIMEOUT);
	g_assert_cmpint(n, ==, 0);
	/* What had come before is there, and is taken once. */
	fake.events = 1;
	g_assert_cmpint(rsm_intr_signal_wait_pollfd(fds, 1, -1, &n), ==, RSM_SUCCESS);
	g_assert_cmpint(n, ==, 1);
	g_assert_cmpint(fds[0].revents, ==, POLLRDNORM);
	fake.events = 1;
	g_assert_cmpint(rsm_intr_signal_wait(import, -1), ==, RSM_SUCCESS);

	/* Others are still waited for, and their ends are reported. */
	g_assert_cmpint(pipe(pipe_fds), ==, 0);
	fds[1] = (struct pollfd){ .fd = pipe_fds[0], .events = POLLIN };
	g_assert_cmpint(rsm_intr_signal_wait_pollfd(fds, 2, -1, &n), ==, RSMERR_TIMEOUT);
	g_assert_cmpint(write(pipe_fds[1], "", 1), ==, 1);
	g_assert_cmpint(rsm_intr_signal_wait_pollfd(fds, 2, -1, &n), ==, RSM_SUCCESS);
	g_assert_cmpint(n, ==, 1);
	g_assert_cmpint(fds[0].revents, ==, 0);
	g_assert_cmpint(fds[1].revents, ==, POLLIN);
	g_assert_cmpint(fds[0].fd, >=, 0);
	close(pipe_fds[1]);
	g_assert_cmpint(rsm_intr_signal_wait_pollfd(fds, 2, -1, &n), ==, RSM_SUCCESS);
	g_assert_cmpint(fds[1].revents, ==, POLLIN | POLLHUP);
	close(pipe_fds[0]);

	fake.error[FAKE_ALLOC] = ENOMEM;
	g_assert_cmpint(rsm_intr_signal_wait_pollfd(fds, 1, -1, &n), ==,
			RSMERR_INSUFFICIENT_MEM);
	fake.error[FAKE_ALLOC] = 0;
	g_assert_cmpint(rsm_memseg_release_pollfd(import), ==, RSM_SUCCESS);
	fake.over = false;
	end();
}

int main(int argc, char *argv[])
{
	g_test_init(&argc, &argv, NULL);
#define ADD(function)	g_test_add_func("/transfer/" #function, function)
	ADD(elements_of_8_bits_are_swapped);
	ADD(elements_of_16_bits_are_swapped);
	ADD(elements_of_32_bits_are_swapped);
	ADD(elements_of_64_bits_are_swapped);
	ADD(plain_bytes_are_not_swapped);
	ADD(every_alignment_and_length_is_copied);
	ADD(offsets_beyond_4_gib_are_reached);
	ADD(errors_during_a_copy_are_reported);
	ADD(a_disconnect_during_a_copy_is_reported);
	ADD(what_the_agent_says_about_a_span_counts);
	ADD(healthy_transfers_call_nobody);
	ADD(vectors_stop_at_the_entry_that_failed);
	ADD(events_that_others_took_do_not_count);
	ADD(ends_of_segments_end_no_wait);
	return g_test_run();
}
