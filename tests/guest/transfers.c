// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * put and get on one node: arguments in the order of their checks, what is
 * copied and what is not, implicit mappings and implicit barriers.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "guest.h"

#include <linux/seccomp.h>
#include <pthread.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGES	4
#define FILL	0xa5

/* The ten functions behind one type. */
typedef int transfer_fn(rsm_memseg_import_handle_t import, off_t offset, void *data, size_t count);

#define WRAP(name, type)							\
static int name(rsm_memseg_import_handle_t import, off_t offset, void *data,	\
		size_t count)							\
{										\
	return rsm_memseg_import_##name(import, offset, (type *)data, count);	\
}

WRAP(get8, uint8_t)
WRAP(get16, uint16_t)
WRAP(get32, uint32_t)
WRAP(get64, uint64_t)
WRAP(get, void)
WRAP(put8, uint8_t)
WRAP(put16, uint16_t)
WRAP(put32, uint32_t)
WRAP(put64, uint64_t)
WRAP(put, void)

static const struct kind {
	transfer_fn *get, *put;
	size_t width;
} kinds[] = {
	{ get8, put8, 1 }, { get16, put16, 2 }, { get32, put32, 4 }, { get64, put64, 8 },
	{ get, put, 1 },
};

/* A published segment of PAGES pages, filled, and an import that is not mapped. */
struct segment {
	uint8_t *memory;
	size_t bytes;
	rsm_memseg_export_handle_t export;
	rsm_memseg_id_t id;
	rsm_memseg_import_handle_t import;
};

static struct segment segment(rsm_permission_t permission)
{
	struct segment s = { .bytes = PAGES * page };

	s.memory = memory(s.bytes);
	memset(s.memory, FILL, s.bytes);
	s.export = create(s.memory, s.bytes);
	s.id = publish(s.export);
	s.import = connect_to(s.id, permission);
	return s;
}

static void init_barrier(rsm_memseg_import_handle_t import)
{
	rsmapi_barrier_t barrier;

	require(rsm_memseg_import_init_barrier(import, RSM_BAR_DEFAULT, &barrier), RSM_SUCCESS);
}

static struct segment segment_with_barrier(rsm_permission_t permission)
{
	struct segment s = segment(permission);

	init_barrier(s.import);
	return s;
}

static void both(const struct kind *kind, rsm_memseg_import_handle_t import, off_t offset,
		 void *data, size_t count, int wanted)
{
	expect(kind->get(import, offset, data, count), wanted);
	expect(kind->put(import, offset, data, count), wanted);
}

static bool is_mapped(rsm_memseg_import_handle_t import)
{
	void *address = NULL;
	int error = rsm_memseg_import_map(import, &address, RSM_MAP_NONE, RSM_PERM_READ, 0, page);

	if (!error)
		require(rsm_memseg_import_unmap(import), RSM_SUCCESS);
	return error == RSMERR_SEG_ALREADY_MAPPED;
}

/* ---- arguments ---- */

static void null_is_refused(void)
{
	struct segment s = segment(RSM_PERM_RDWR);
	uint64_t data = 0;
	size_t i;

	for (i = 0; i < ARRAY(kinds); i++) {
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

	for (i = 0; i < ARRAY(kinds); i++) {
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

	for (i = 0; i < ARRAY(kinds); i++)
		both(&kinds[i], (rsm_memseg_import_handle_t)s.export, 0, &data, 1,
		     RSMERR_BAD_SEG_HNDL);
}

static void rights_come_before_offsets_and_offsets_before_barriers(void)
{
	struct segment s = segment(RSM_PERM_READ);
	off_t end = (off_t)s.bytes;
	uint64_t data = 0;
	size_t i;

	for (i = 0; i < ARRAY(kinds); i++) {
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

	for (i = 0; i < ARRAY(kinds); i++)
		both(&kinds[i], s.import, 0, &data, 1, RSMERR_BAD_PERMS);
}

static void connections_allow_what_they_were_made_for(void)
{
	struct segment r = segment_with_barrier(RSM_PERM_READ);
	struct segment w = segment_with_barrier(RSM_PERM_WRITE);
	uint64_t data = 0;
	size_t i;

	for (i = 0; i < ARRAY(kinds); i++) {
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
	expect(get64(s.import, 0, &data, 1), RSM_SUCCESS);
	expect(put64(s.import, 0, &data, 1), RSMERR_PERM_DENIED);
	require(rsm_memseg_import_unmap(s.import), RSM_SUCCESS);
	map(s.import, RSM_PERM_NONE, page);
	expect(get64(s.import, 0, &data, 1), RSMERR_PERM_DENIED);
}

static void the_end_of_the_segment_is_the_end(void)
{
	struct segment s = segment_with_barrier(RSM_PERM_RDWR);
	uint64_t data[2] = { 0 };
	size_t i, width;
	off_t last;

	for (i = 0; i < ARRAY(kinds); i++) {
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
	for (i = 0; i < ARRAY(kinds); i++) {
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
	expect(put8(s.import, 2 * (off_t)page + 5, &byte, 1), RSM_SUCCESS);
	expect(s.memory[2 * page + 5], 7);
	expect(s.memory[5], FILL);
}

/* ---- data ---- */

static bool untouched(const struct segment *s, size_t from, size_t to)
{
	size_t i;

	for (i = 0; i < s->bytes; i++)
		if ((i < from || i >= to) && s->memory[i] != FILL)
			return false;
	return true;
}

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
	for (i = 0; i < ARRAY(kinds); i++) {
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
				require(put(s.import, (off_t)to, sent + from, length), RSM_SUCCESS);
				require(memcmp(s.memory + to, sent + from, length), 0);
				require(untouched(&s, to, to + length), true);
				require(get(s.import, (off_t)to, got + from, length), RSM_SUCCESS);
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

	for (i = 0; i < ARRAY(kinds); i++)
		both(&kinds[i], s.import, 0, &data, 0, RSM_SUCCESS);
	expect(data, 1);
	expect_true(untouched(&s, 0, 0));
}

static void equal_byte_orders_are_not_swapped(void)
{
	struct segment s = segment_with_barrier(RSM_PERM_RDWR);
	uint32_t sent = 0x01020304, got;

	expect(put32(s.import, 0, &sent, 1), RSM_SUCCESS);
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
		require(put64(tearing->import, 0, &values[i & 1], 1), RSM_SUCCESS);
	return NULL;
}

static void elements_are_not_torn(void)
{
	struct segment s = segment_with_barrier(RSM_PERM_RDWR);
	struct tearing tearing = { .import = s.import };
	uint64_t value;
	pthread_t thread;
	int i;

	memset(s.memory, 0, 8);
	require(pthread_create(&thread, NULL, put_all_ones_and_zeros, &tearing), 0);
	for (i = 0; i < 200000; i++) {
		require(get64(s.import, 0, &value, 1), RSM_SUCCESS);
		require(value == 0 || value == ~0ull, true);
	}
	tearing.stop = 1;
	require(pthread_join(thread, NULL), 0);
}

/* ---- mappings ---- */

static void the_first_transfer_maps(void)
{
	struct segment s = segment_with_barrier(RSM_PERM_RDWR);
	int before = descriptors();
	uint8_t byte;

	expect_true(!is_mapped(s.import));
	expect(get8(s.import, 0, &byte, 1), RSM_SUCCESS);
	expect_true(is_mapped(s.import));
	expect(descriptors(), before);
	expect(rsm_memseg_import_unmap(s.import), RSM_SUCCESS);
	expect(rsm_memseg_import_unmap(s.import), RSMERR_SEG_NOT_MAPPED);
	expect(get8(s.import, 0, &byte, 1), RSM_SUCCESS);
	expect(rsm_memseg_import_disconnect(s.import), RSM_SUCCESS);
}

static void explicit_mappings_hold_a_connection(void)
{
	struct segment s = segment_with_barrier(RSM_PERM_RDWR);
	uint8_t byte = 9;

	map(s.import, RSM_PERM_RDWR, page);
	expect(put8(s.import, 0, &byte, 1), RSM_SUCCESS);
	expect(rsm_memseg_import_disconnect(s.import), RSMERR_SEG_STILL_MAPPED);
	expect(put8(s.import, 1, &byte, 1), RSM_SUCCESS);
	expect(s.memory[1], 9);
}

static void *map_and_unmap(void *argument)
{
	struct tearing *state = argument;
	void *address;

	while (!state->stop) {
		address = NULL;
		rsm_memseg_import_map(state->import, &address, RSM_MAP_NONE, RSM_PERM_RDWR, 0,
				      PAGES * page);
		rsm_memseg_import_unmap(state->import);
	}
	return NULL;
}

static void unmapping_waits_for_transfers(void)
{
	static uint8_t data[2 * 4096];
	struct segment s = segment_with_barrier(RSM_PERM_RDWR);
	struct tearing state = { .import = s.import };
	pthread_t thread;
	int i;

	require(pthread_create(&thread, NULL, map_and_unmap, &state), 0);
	for (i = 0; i < 5000; i++)
		require(put(s.import, 3, data, sizeof(data)), RSM_SUCCESS);
	state.stop = 1;
	require(pthread_join(thread, NULL), 0);
}

/* ---- barriers ---- */

static void modes_round_trip(void)
{
	struct segment s = segment(RSM_PERM_RDWR);
	rsm_barrier_mode_t mode = (rsm_barrier_mode_t)7;

	expect(rsm_memseg_import_set_mode(NULL, (rsm_barrier_mode_t)2), RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_import_get_mode(NULL, &mode), RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_import_set_mode((rsm_memseg_import_handle_t)s.export,
					  RSM_BARRIER_MODE_EXPLICIT), RSMERR_BAD_SEG_HNDL);
	expect(rsm_memseg_import_get_mode(s.import, NULL), RSMERR_BAD_ADDR);
	expect(rsm_memseg_import_set_mode(s.import, (rsm_barrier_mode_t)2), RSMERR_BAD_MODE);
	expect(rsm_memseg_import_set_mode(s.import, (rsm_barrier_mode_t)-1), RSMERR_BAD_MODE);
	expect(rsm_memseg_import_get_mode(s.import, &mode), RSM_SUCCESS);
	expect(mode, RSM_BARRIER_MODE_IMPLICIT);
	expect(rsm_memseg_import_set_mode(s.import, RSM_BARRIER_MODE_EXPLICIT), RSM_SUCCESS);
	expect(rsm_memseg_import_get_mode(s.import, &mode), RSM_SUCCESS);
	expect(mode, RSM_BARRIER_MODE_EXPLICIT);
	expect(rsm_memseg_import_set_mode(s.import, RSM_BARRIER_MODE_IMPLICIT), RSM_SUCCESS);
	expect(rsm_memseg_import_get_mode(s.import, &mode), RSM_SUCCESS);
	expect(mode, RSM_BARRIER_MODE_IMPLICIT);
}

static void implicit_mode_needs_a_barrier(void)
{
	struct segment s = segment(RSM_PERM_RDWR);
	rsmapi_barrier_t one, two;
	uint64_t data = 0;
	size_t i;

	for (i = 0; i < ARRAY(kinds); i++)
		both(&kinds[i], s.import, 0, &data, 1, RSMERR_BARRIER_UNINITIALIZED);
	expect(s.memory[0], FILL);
	require(rsm_memseg_import_init_barrier(s.import, RSM_BAR_DEFAULT, &one), RSM_SUCCESS);
	require(rsm_memseg_import_init_barrier(s.import, RSM_BAR_DEFAULT, &two), RSM_SUCCESS);
	expect(put64(s.import, 0, &data, 1), RSM_SUCCESS);
	require(rsm_memseg_import_destroy_barrier(&two), RSM_SUCCESS);
	expect(put64(s.import, 0, &data, 1), RSM_SUCCESS);
	require(rsm_memseg_import_destroy_barrier(&one), RSM_SUCCESS);
	expect(put64(s.import, 0, &data, 1), RSMERR_BARRIER_UNINITIALIZED);
}

static void explicit_mode_needs_none(void)
{
	struct segment s = segment(RSM_PERM_RDWR);
	uint64_t data = 0;
	size_t i;

	require(rsm_memseg_import_set_mode(s.import, RSM_BARRIER_MODE_EXPLICIT), RSM_SUCCESS);
	for (i = 0; i < ARRAY(kinds); i++)
		both(&kinds[i], s.import, 0, &data, 1, RSM_SUCCESS);
}

static void implicit_spans_leave_open_ones_alone(void)
{
	struct segment s = segment(RSM_PERM_RDWR);
	rsmapi_barrier_t barrier;
	uint64_t data = 0;

	require(rsm_memseg_import_init_barrier(s.import, RSM_BAR_DEFAULT, &barrier), RSM_SUCCESS);
	expect(put64(s.import, 0, &data, 1), RSM_SUCCESS);
	expect(rsm_memseg_import_close_barrier(&barrier), RSMERR_BARRIER_NOT_OPENED);
	expect(rsm_memseg_import_open_barrier(&barrier), RSM_SUCCESS);
	expect(put64(s.import, 0, &data, 1), RSM_SUCCESS);
	expect(rsm_memseg_import_order_barrier(&barrier), RSM_SUCCESS);
	expect(rsm_memseg_import_close_barrier(&barrier), RSM_SUCCESS);
}

static void lost_connections_are_reported_in_implicit_mode(void)
{
	struct segment mapped = segment_with_barrier(RSM_PERM_RDWR);
	rsm_memseg_import_handle_t unmapped = connect_to(mapped.id, RSM_PERM_RDWR);
	uint64_t data = 0;
	size_t i;

	init_barrier(unmapped);
	expect(put64(mapped.import, 0, &data, 1), RSM_SUCCESS);
	require(rsm_memseg_export_unpublish(mapped.export), RSM_SUCCESS);
	memset(mapped.memory, FILL, mapped.bytes);
	for (i = 0; i < ARRAY(kinds); i++) {
		both(&kinds[i], mapped.import, 0, &data, 1, RSMERR_CONN_ABORTED);
		both(&kinds[i], unmapped, 0, &data, 1, RSMERR_CONN_ABORTED);
	}
	expect_true(untouched(&mapped, 0, 0));
	expect(rsm_memseg_import_disconnect(mapped.import), RSM_SUCCESS);
	expect(rsm_memseg_import_disconnect(unmapped), RSM_SUCCESS);
}

static void lost_connections_swallow_puts_in_explicit_mode(void)
{
	struct segment s = segment(RSM_PERM_RDWR);
	uint64_t data = 0;

	require(rsm_memseg_import_set_mode(s.import, RSM_BARRIER_MODE_EXPLICIT), RSM_SUCCESS);
	map(s.import, RSM_PERM_RDWR, page);
	require(rsm_memseg_export_unpublish(s.export), RSM_SUCCESS);
	expect(put64(s.import, 0, &data, 1), RSM_SUCCESS);
	expect(get64(s.import, 0, &data, 1), RSM_SUCCESS);
	expect_true(untouched(&s, 0, 0));
}

/* In strict seccomp mode any system call but write and exit is the end. */
static void transfers_in_strict_mode(void *argument)
{
	rsm_memseg_import_handle_t import = argument;
	uint64_t data[8] = { 0 };
	int i, bad = 0;
	size_t k;

	for (k = 0; k < ARRAY(kinds); k++)
		bad |= kinds[k].put(import, 0, data, 1);
	require(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT), 0);
	for (i = 0; i < 100; i++)
		for (k = 0; k < ARRAY(kinds); k++)
			bad |= kinds[k].put(import, 0, data, 8) | kinds[k].get(import, 0, data, 8);
	syscall(SYS_exit, bad);
}

static void transfers_make_no_system_call(void)
{
	struct segment s = segment_with_barrier(RSM_PERM_RDWR);

	in_child(transfers_in_strict_mode, s.import);
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
	TEST(the_first_transfer_maps),
	TEST(explicit_mappings_hold_a_connection),
	TEST(unmapping_waits_for_transfers),
	TEST(modes_round_trip),
	TEST(implicit_mode_needs_a_barrier),
	TEST(explicit_mode_needs_none),
	TEST(implicit_spans_leave_open_ones_alone),
	TEST(lost_connections_are_reported_in_implicit_mode),
	TEST(lost_connections_swallow_puts_in_explicit_mode),
	TEST(transfers_make_no_system_call),
};

int main(int argc, char *argv[])
{
	return guest_main(argc, argv, TESTS(tests));
}
