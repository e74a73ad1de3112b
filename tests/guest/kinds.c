// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See kinds.h.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "kinds.h"

#include <string.h>

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

const struct kind kinds[KINDS] = {
	{ get8, put8, 1 }, { get16, put16, 2 }, { get32, put32, 4 }, { get64, put64, 8 },
	{ get, put, 1 },
};

struct segment segment(rsm_permission_t permission)
{
	struct segment s = { .bytes = PAGES * page };

	s.memory = memory(s.bytes);
	memset(s.memory, FILL, s.bytes);
	s.export = create(s.memory, s.bytes);
	s.id = publish(s.export);
	s.import = connect_to(s.id, permission);
	return s;
}

void init_barrier(rsm_memseg_import_handle_t import)
{
	rsmapi_barrier_t barrier;

	require(rsm_memseg_import_init_barrier(import, RSM_BAR_DEFAULT, &barrier), RSM_SUCCESS);
}

struct segment segment_with_barrier(rsm_permission_t permission)
{
	struct segment s = segment(permission);

	init_barrier(s.import);
	return s;
}

void both(const struct kind *kind, rsm_memseg_import_handle_t import, off_t offset, void *data,
	  size_t count, int wanted)
{
	expect(kind->get(import, offset, data, count), wanted);
	expect(kind->put(import, offset, data, count), wanted);
}

bool is_mapped(rsm_memseg_import_handle_t import)
{
	void *address = NULL;
	int error = rsm_memseg_import_map(import, &address, RSM_MAP_NONE, RSM_PERM_READ, 0, page);

	if (!error)
		require(rsm_memseg_import_unmap(import), RSM_SUCCESS);
	return error == RSMERR_SEG_ALREADY_MAPPED;
}

bool untouched(const struct segment *s, size_t from, size_t to)
{
	size_t i;

	for (i = 0; i < s->bytes; i++)
		if ((i < from || i >= to) && s->memory[i] != FILL)
			return false;
	return true;
}
