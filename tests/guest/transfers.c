// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * put and get on one node: arguments in the order of their checks, what is
 * copied and what is not.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "kinds.h"

#include <pthread.h>
#include <string.h>

/* ---- arguments ---- */

static void null_is_refused(void)
{
	struct segment s = segment(RSM_PERM_RDWR);
	uint64_t data = 0;
	size_t i;

	for (i = 0; i < KINDS; i++) {
		both(&kinds[i], NULL, 1, NULL, 1, RSMERR_BAD_SEG_HNDL);
		both(&kinds[i], NULL, 0, &data, 1, RSMERR_BAD_SEG_HNDL);
		both(&kinds[i], s.import, 1, NULL, 1, RSMERR_BAD_ADDR);
		both(&kinds[i], s.import, 0, NULL, 0, RSMERR_BAD_ADDR);
	}
}

static void data_and_offset_are_aligned_to_elements(void)
{
	struct segment s = segment(RSM_PERM_RDWR);
	uint64_t data[2] = { 0 };
	size_t i, off;

	for (i = 0; i < KINDS; i++) {
		for (off = 1; off < kinds[i].width; off++) {
			both(&kinds[i], s.import, 0, (char *)data + off, 1,
			     RSMERR_BAD_MEM_ALIGNMENT);
			both(&kinds[i], s.import, (off_t)off, data, 1, RSMERR_BAD_MEM_ALIGNMENT);
			both(&kinds[i], (rsm_memseg_import_handle_t)s.export, (off_t)off, data, 1,
			     RSMERR_BAD_MEM_ALIGNMENT);
		}
	}
	expect_true(!is_mapped(s.import));
}

static void exports_are_refused(void)
{
	struct segment s = segment(RSM_PERM_RDWR);
	uint64_t data = 0;
	size_t i;

	for (i = 0; i < KINDS; i++)
		both(&kinds[i], (rsm_memseg_import_handle_t)s.export, 0, &data, 1,
		     RSMERR_BAD_SEG_HNDL);
}

static void rights_come_before_offsets_and_offsets_before_barriers(void)
{
	struct segment s = segment(RSM_PERM_READ);
	off_t end = (off_t)s.bytes;
	uint64_t data = 0;
	size_t i;

	for (i = 0; i < KINDS; i++) {
		expect(kinds[i].put(s.import, end, &data, 1), RSMERR_PERM_DENIED);
		expect(kinds[i].get(s.import, end, &data, 1), RSMERR_BAD_OFFSET);
		expect(kinds[i].get(s.import, 0, &data, 1), RSMERR_BARRIER_UNINITIALIZED);
	}
}

static void connections_without_rights_cannot_be_used(void)
{
	struct segment s = segment_with_barrier(RSM_PERM_NONE);
	uint64_t data = 0;
	size_t i;

	for (i = 0; i < KINDS; i++)
		both(&kinds[i], s.import, 0, &data, 1, RSMERR_BAD_PERMS);
}

static void connections_allow_what_they_were_made_for(void)
{
	struct segment r = segment_with_barrier(RSM_PERM_READ);
	struct segment w = segment_with_barrier(RSM_PERM_WRITE);
	uint64_t data = 0;
	size_t i;

	for (i = 0; i < KINDS; i++) {
		expect(kinds[i].get(r.import, 0, &data, 1), RSM_SUCCESS);
		expect(kinds[i].put(r.import, 0, &data, 1), RSMERR_PERM_DENIED);
		expect(kinds[i].put(w.import, 0, &data, 1), RSM_SUCCESS);
		expect(kinds[i].get(w.import, 0, &data, 1), RSMERR_PERM_DENIED);
	}
	expect(r.memory[0], FILL);
}

static void mappings_allow_what_they_were_made_for(void)
{
	struct segment s = segment_with_barrier(RSM_PERM_RDWR);
	uint64_t data = 0;

	map(s.import, RSM_PERM_READ, page);
	expect(rsm_memseg_import_get64(s.import, 0, &data, 1), RSM_SUCCESS);
	expect(rsm_memseg_import_put64(s.import, 0, &data, 1), RSMERR_PERM_DENIED);
	require(rsm_memseg_import_unmap(s.import), RSM_SUCCESS);
	map(s.import, RSM_PERM_NONE, page);
	expect(rsm_memseg_import_get64(s.import, 0, &data, 1), RSMERR_PERM_DENIED);
}

static void the_end_of_the_segment_is_the_end(void)
{
	struct segment s = segment_with_barrier(RSM_PERM_RDWR);
	uint64_t data[2] = { 0 };
	size_t i, width;
	off_t last;

	for (i = 0; i < KINDS; i++) {
		width = kinds[i].width;
		last = (off_t)(s.bytes - width);
		both(&kinds[i], s.import, last, data, 1, RSM_SUCCESS);
		both(&kinds[i], s.import, last, data, 2, RSMERR_BAD_OFFSET);
		both(&kinds[i], s.import, last + (off_t)width, data, 1, RSMERR_BAD_OFFSET);
		both(&kinds[i], s.import, last + (off_t)width, data, 0, RSM_SUCCESS);
		both(&kinds[i], s.import, last + 2 * (off_t)width, data, 0, RSMERR_BAD_OFFSET);
		both(&kinds[i], s.import, -(off_t)width, data, 1, RSMERR_BAD_OFFSET);
		both(&kinds[i], s.import, INT64_MIN, data, 1, RSMERR_BAD_OFFSET);
		both(&kinds[i], s.import, INT64_MAX / 8 * 8, data, 1, RSMERR_BAD_OFFSET);
		/* Counts whose bytes, or whose end, do not fit 64 bits. */
		both(&kinds[i], s.import, 8, data, SIZE_MAX, RSMERR_BAD_OFFSET);
		if (width > 1)
			both(&kinds[i], s.import, 8, data, SIZE_MAX / width + 1,
			     RSMERR_BAD_OFFSET);
		both(&kinds[i], s.import, 8, data, SIZE_MAX / width, RSMERR_BAD_OFFSET);
		/* More elements than 32 bits count are not taken for few. */
		both(&kinds[i], s.import, 8, data, (1ull << 32) + 1, RSMERR_BAD_OFFSET);
	}
}

static void a_mapping_limits_the_range(void)
{
	struct segment s = segment_with_barrier(RSM_PERM_RDWR);
	off_t start = (off_t)page, end = 3 * (off_t)page;
	uint64_t data[2] = { 0 };
	void *address = NULL;
	size_t i, width;

	require(rsm_memseg_import_map(s.import, &address, RSM_MAP_NONE, RSM_PERM_RDWR, start,
				      2 * page), RSM_SUCCESS);
	for (i = 0; i < KINDS; i++) {
		width = kinds[i].width;
		both(&kinds[i], s.import, 0, data, 1, RSMERR_BAD_OFFSET);
		both(&kinds[i], s.import, start - (off_t)width, data, 1, RSMERR_BAD_OFFSET);
		both(&kinds[i], s.import, start, data, 1, RSM_SUCCESS);
		both(&kinds[i], s.import, end - (off_t)width, data, 1, RSM_SUCCESS);
		both(&kinds[i], s.import, end - (off_t)width, data, 2, RSMERR_BAD_OFFSET);
		both(&kinds[i], s.import, end, data, 1, RSMERR_BAD_OFFSET);
	}
}

static void offsets_count_from_the_segment(void)
{
	struct segment s = segment_with_barrier(RSM_PERM_RDWR);
	void *address = NULL;
	uint8_t byte = 7;

	require(rsm_memseg_import_map(s.import, &address, RSM_MAP_NONE, RSM_PERM_RDWR,
				      2 * (off_t)page, page), RSM_SUCCESS);
	expect(rsm_memseg_import_put8(s.import, 2 * (off_t)page + 5, &byte, 1), RSM_SUCCESS);
	expect(s.memory[2 * page + 5], 7);
	expect(s.memory[5], FILL);
}

/* ---- data ---- */

static void pattern(uint8_t *data, size_t bytes)
{
	size_t i;

	for (i = 0; i < bytes; i++)
		data[i] = (uint8_t)(i * 37 + 11);
}

static void elements_arrive_in_their_places(void)
{
	static uint8_t sent[256] __attribute__((aligned(8)));
	static uint8_t got[256] __attribute__((aligned(8)));
	struct segment s = segment_with_barrier(RSM_PERM_RDWR);
	off_t offset = (off_t)page - 128;	/* across a page boundary */
	size_t i;

	pattern(sent, sizeof(sent));
	for (i = 0; i < KINDS; i++) {
		memset(s.memory, FILL, s.bytes);
		memset(got, 0, sizeof(got));
		expect(kinds[i].put(s.import, offset, sent, sizeof(sent) / kinds[i].width),
		       RSM_SUCCESS);
		expect(memcmp(s.memory + offset, sent, sizeof(sent)), 0);
		expect_true(untouched(&s, (size_t)offset, (size_t)offset + sizeof(sent)));
		expect(kinds[i].get(s.import, offset, got, sizeof(got) / kinds[i].width),
		       RSM_SUCCESS);
		expect(memcmp(got, sent, sizeof(sent)), 0);
	}
}

/* put and get at every alignment of both sides and every small length. */
static void bytes_need_no_alignment(void)
{
	struct segment s = segment_with_barrier(RSM_PERM_RDWR);
	uint8_t sent[96], got[96];
	size_t from, to, length;

	pattern(sent, sizeof(sent));
	for (from = 0; from < 8; from++) {
		for (to = 0; to < 8; to++) {
			for (length = 0; length < 80; length += length < 20 ? 1 : 7) {
				memset(s.memory, FILL, page);
				memset(got, FILL, sizeof(got));
				require(rsm_memseg_import_put(s.import, (off_t)to, sent + from, length), RSM_SUCCESS);
				require(memcmp(s.memory + to, sent + from, length), 0);
				require(untouched(&s, to, to + length), true);
				require(rsm_memseg_import_get(s.import, (off_t)to, got + from, length), RSM_SUCCESS);
				require(memcmp(got + from, sent + from, length), 0);
				require(got[from + length], FILL);
			}
		}
	}
}

static void nothing_is_copied_for_a_count_of_zero(void)
{
	struct segment s = segment_with_barrier(RSM_PERM_RDWR);
	uint64_t data = 1;
	size_t i;

	for (i = 0; i < KINDS; i++)
		both(&kinds[i], s.import, 0, &data, 0, RSM_SUCCESS);
	expect(data, 1);
	expect_true(untouched(&s, 0, 0));
}

static void equal_byte_orders_are_not_swapped(void)
{
	struct segment s = segment_with_barrier(RSM_PERM_RDWR);
	uint32_t sent = 0x01020304, got;

	expect(rsm_memseg_import_put32(s.import, 0, &sent, 1), RSM_SUCCESS);
	memcpy(&got, s.memory, sizeof(got));
	expect(got, 0x01020304);
}

struct tearing {
	rsm_memseg_import_handle_t import;
	volatile int stop;
};

static void *put_all_ones_and_zeros(void *argument)
{
	struct tearing *tearing = argument;
	uint64_t values[2] = { 0, ~0ull };
	unsigned int i;

	for (i = 0; !tearing->stop; i++)
		require(rsm_memseg_import_put64(tearing->import, 0, &values[i & 1], 1), RSM_SUCCESS);
	return NULL;
}

static void elements_are_not_torn(void)
{
	struct segment s = segment_with_barrier(RSM_PERM_RDWR);
	struct tearing tearing = { .import = s.import };
	bool zeros = false, ones = false;
	uint64_t value;
	pthread_t thread;
	int i;

	memset(s.memory, 0, 8);
	require(pthread_create(&thread, NULL, put_all_ones_and_zeros, &tearing), 0);
	/* As long as it takes until both threads have met. */
	for (i = 0; i < 200000 || !zeros || !ones; i++) {
		require(rsm_memseg_import_get64(s.import, 0, &value, 1), RSM_SUCCESS);
		require(value == 0 || value == ~0ull, true);
		zeros |= value == 0;
		ones |= value == ~0ull;
	}
	tearing.stop = 1;
	require(pthread_join(thread, NULL), 0);
}

static const struct test tests[] = {
	TEST(null_is_refused),
	TEST(data_and_offset_are_aligned_to_elements),
	TEST(exports_are_refused),
	TEST(rights_come_before_offsets_and_offsets_before_barriers),
	TEST(connections_without_rights_cannot_be_used),
	TEST(connections_allow_what_they_were_made_for),
	TEST(mappings_allow_what_they_were_made_for),
	TEST(the_end_of_the_segment_is_the_end),
	TEST(a_mapping_limits_the_range),
	TEST(offsets_count_from_the_segment),
	TEST(elements_arrive_in_their_places),
	TEST(bytes_need_no_alignment),
	TEST(nothing_is_copied_for_a_count_of_zero),
	TEST(equal_byte_orders_are_not_swapped),
	TEST(elements_are_not_torn),
};

int main(int argc, char *argv[])
{
	return guest_main(argc, argv, TESTS(tests));
}
