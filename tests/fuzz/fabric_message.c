// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzzes the decoder of the fabric.  The first byte of an input is the number
 * of descriptors, the rest is the packet.  What is accepted must keep the
 * bounds that the rest of the fabric relies on, and must encode to the same
 * bytes.  Linked with libFuzzer, or with fabric_corpus.c which runs files.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "wire.h"

static void check_hello(const FabricHello *hello)
{
	g_assert_cmpuint(hello->node - 1, <, FABRIC_NODE_MAX);
	g_assert_cmpuint(hello->n_lines - 1, <, FABRIC_LINES_MAX);
	g_assert_cmpuint(hello->n_ram - 1, <, FABRIC_RAM_MAX);
	for (unsigned int i = 0; i < hello->n_ram; i++) {
		const FabricRam *ram = &hello->ram[i];

		g_assert_cmpuint(ram->size, >=, FABRIC_PAGE_SIZE);
		g_assert_cmpuint(ram->guest_base + ram->size, >, ram->guest_base);
		g_assert_cmpuint(ram->fd_offset + ram->size, >, ram->fd_offset);
		g_assert_cmpuint(ram->fd_offset + ram->size, <=, INT64_MAX);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *block, *packet, again[FABRIC_WIRE_MAX];
	FabricMessage msg;
	char *fault;

	if (size < 1)
		return 0;
	/*
	 * The packet ends where its block ends, so that a read beyond it is seen.
	 * The first byte goes with it: ASan gives a block of no bytes one.
	 */
	block = malloc(size);
	memcpy(block, data, size);
	packet = block + 1;
	fault = fabric_wire_decode(packet, size - 1, data[0], &msg);
	if (!fault) {
		g_assert_cmpuint(data[0], ==, fabric_message_fds(&msg));
		if (msg.type == FABRIC_HELLO)
			check_hello(&msg.hello);
		if (msg.type == FABRIC_LINE)
			g_assert_cmpuint(msg.line.line, <, FABRIC_LINES_MAX);
		g_assert_cmpuint(fabric_wire_encode(&msg, again), ==, size - 1);
		g_assert_cmpint(memcmp(again, packet, size - 1), ==, 0);
	}
	g_free(fault);
	free(block);
	return 0;
}

/* The type of the message in a file; 0 if the decoder refuses it. */
static unsigned int type_of(const char *path)
{
	FabricMessage msg = { 0 };
	char *text, *fault;
	size_t size;

	g_assert_true(g_file_get_contents(path, &text, &size, NULL));
	fault = size ? fabric_wire_decode(text + 1, size - 1, (uint8_t)text[0], &msg) :
		       g_strdup("no packet");
	if (fault)
		msg.type = 0;
	g_free(fault);
	g_free(text);
	return msg.type;
}

/* Variants of a message that no file holds are not tried. */
static void every_message_is_in_the_corpus(gconstpointer data)
{
	unsigned int found[FABRIC_LINE + 1] = { 0 };

	for (char *const *path = data; *path; path++)
		found[type_of(*path)]++;
	for (unsigned int type = 0; type < G_N_ELEMENTS(found); type++)
		g_assert_cmpuint(found[type], >, 0);
}

void fuzz_add_tests(char **paths)
{
	g_test_add_data_func("/corpus/every_message_is_in_the_corpus", paths,
			     every_message_is_in_the_corpus);
}
