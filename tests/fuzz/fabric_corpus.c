// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs the files of a corpus directory, and variants of each with one byte
 * changed or cut, through a fuzz target: the fuzzer as a normal test.  Each
 * file is a case.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <glib.h>
#include <string.h>

#include "fuzz.h"

static const uint8_t values[] = { 0x00, 0x01, 0x02, 0x7f, 0x80, 0xff };

static void run_variants(uint8_t *data, size_t size)
{
	LLVMFuzzerTestOneInput(data, size);
	for (size_t i = 0; i < size; i++) {
		uint8_t was = data[i];

		for (size_t j = 0; j < G_N_ELEMENTS(values); j++) {
			data[i] = values[j];
			LLVMFuzzerTestOneInput(data, size);
		}
		data[i] = was;
		LLVMFuzzerTestOneInput(data, i);
	}
}

static void file_keeps_the_bounds(gconstpointer path)
{
	GError *error = NULL;
	size_t size;
	char *text;

	g_file_get_contents(path, &text, &size, &error);
	g_assert_no_error(error);
	run_variants((uint8_t *)text, size);
	g_free(text);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The paths of a directory's files, in the order of their names. */
static char **files_of(const char *dir)
{
	GPtrArray *paths = g_ptr_array_new();
	GError *error = NULL;
	GDir *d = g_dir_open(dir, 0, &error);
	const char *name;

	g_assert_no_error(error);
	while ((name = g_dir_read_name(d)))
		g_ptr_array_add(paths, g_build_filename(dir, name, NULL));
	g_dir_close(d);
	g_ptr_array_sort(paths, by_name);
	g_ptr_array_add(paths, NULL);
	return (char **)g_ptr_array_free(paths, FALSE);
}

int main(int argc, char **argv)
{
	char **paths;
	int ret;

	g_test_init(&argc, &argv, NULL);
	g_assert_cmpint(argc, ==, 2);
	paths = files_of(argv[1]);
	fuzz_add_tests(paths);
	for (char **path = paths; *path; path++) {
		char *base = g_path_get_basename(*path);
		char *name = g_strdup_printf("/corpus/%s_keeps_the_bounds", base);

		g_test_add_data_func(name, *path, file_keeps_the_bounds);
		g_free(name);
		g_free(base);
	}
	ret = g_test_run();
	g_strfreev(paths);
	return ret;
}
