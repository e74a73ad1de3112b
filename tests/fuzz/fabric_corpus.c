// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs the files of a corpus directory, and variants of each with one byte
 * changed or cut, through a fuzz target: the fuzzer as a normal test.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <glib.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

static void corpus_keeps_the_bounds(gconstpointer data)
{
	const char *dir = data, *name;
	GError *error = NULL;
	GDir *d = g_dir_open(dir, 0, &error);
	unsigned int files = 0;

	g_assert_no_error(error);
	while ((name = g_dir_read_name(d))) {
		char *path = g_build_filename(dir, name, NULL), *text;
		size_t size;

		g_assert_true(g_file_get_contents(path, &text, &size, NULL));
		run_variants((uint8_t *)text, size);
		g_free(text);
		g_free(path);
		files++;
	}
	g_dir_close(d);
	g_assert_cmpuint(files, >=, 4);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_assert_cmpint(argc, ==, 2);
	g_test_add_data_func("/fuzz/corpus_keeps_the_bounds", argv[1], corpus_keeps_the_bounds);
	return g_test_run();
}
