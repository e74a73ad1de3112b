// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The file of reserved segment id ranges.  Writes /etc/rsm/rsm.segmentid of the
 * guest and puts it back as it was.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIRECTORY	"/etc/rsm"
#define FILE_NAME	DIRECTORY "/rsm.segmentid"
#define SAVED		DIRECTORY "/rsm.segmentid.saved"

static void with_file(const char *text)
{
	FILE *file = fopen(FILE_NAME, "w");

	require(!file, false);
	fputs(text, file);
	require(fclose(file), 0);
}

/* The result, and what came out; a failure writes nothing. */
static void range(const char *application, int wanted, rsm_memseg_id_t base, uint32_t length)
{
	rsm_memseg_id_t got_base = 1;
	uint32_t got_length = 2;

	expect(rsm_get_segmentid_range(application, &got_base, &got_length), wanted);
	expect(got_base, wanted ? 1 : base);
	expect(got_length, wanted ? 2 : length);
}

static void null_is_refused(void)
{
	rsm_memseg_id_t base;
	uint32_t length;

	with_file("reserved a 600000 10\n");
	expect(rsm_get_segmentid_range(NULL, &base, &length), RSMERR_BAD_ADDR);
	expect(rsm_get_segmentid_range("a", NULL, &length), RSMERR_BAD_ADDR);
	expect(rsm_get_segmentid_range("a", &base, NULL), RSMERR_BAD_ADDR);
}

static void there_must_be_a_file(void)
{
	require(unlink(FILE_NAME) && access(FILE_NAME, F_OK) == 0, false);
	range("a", RSMERR_BAD_CONF, 0, 0);
	require(mkdir(FILE_NAME, 0755), 0);
	range("a", RSMERR_BAD_CONF, 0, 0);
	require(rmdir(FILE_NAME), 0);
}

static void ranges_are_found(void)
{
	with_file("# a comment of one word\n"
		  "\n \t \n"
		  "reserved SUNWfoo 0x600000 1000\n"
		  "\t reserved\tbar  700000\t7 and more\n"
		  "reserve third 0X7ffffff0 16\n"
		  "reserved bar 1 1\n"
		  "RESERVED last ffffffff 1");
	range("SUNWfoo", RSM_SUCCESS, 0x600000, 1000);
	range("sunwFOO", RSM_SUCCESS, 0x600000, 1000);
	range("bar", RSM_SUCCESS, 0x700000, 7);
	range("third", RSM_SUCCESS, 0x7ffffff0, 16);
	range("last", RSM_SUCCESS, 0xffffffff, 1);
	range("SUNWfo", RSMERR_BAD_APPID, 0, 0);
	range("", RSMERR_BAD_APPID, 0, 0);
	range("of", RSMERR_BAD_APPID, 0, 0);
}

static void an_empty_file_has_none(void)
{
	with_file("");
	range("a", RSMERR_BAD_APPID, 0, 0);
}

static void lines_behind_a_short_one_are_not_reached(void)
{
	with_file("reserved a 600000 10\nreserved b 700000\nreserved c 800000 10\n");
	range("a", RSM_SUCCESS, 0x600000, 10);
	range("b", RSMERR_BAD_CONF, 0, 0);
	range("c", RSMERR_BAD_CONF, 0, 0);
	range("d", RSMERR_BAD_CONF, 0, 0);
}

static void bad_lines_are_refused(void)
{
	static const char *const lines[] = {
		"granted a 600000 10", "reserved a 600000g 10", "reserved a 600000 10h",
		"reserved a 100000000 10", "reserved a 600000 4294967296",
		"reserved a fffffffffffffffffffffff 10", "reserved a 600000 0x10",
		"reserved a -1 10", "reserved a 600000 -10", "reserved a +1 10",
		"reserved a 600000 0", "reserved a ffffffff 2", "reserved a 0x 10",
		"reserved a 600000 ten",
	};
	char text[100];
	size_t i;

	for (i = 0; i < ARRAY(lines); i++) {
		snprintf(text, sizeof(text), "%s\nreserved b 600000 10\n", lines[i]);
		with_file(text);
		range("a", RSMERR_BAD_CONF, 0, 0);
		/* Of another's line only the application is looked at. */
		range("b", RSM_SUCCESS, 0x600000, 10);
	}
}

static void lines_may_be_long(void)
{
	FILE *file = fopen(FILE_NAME, "w");
	int i;

	require(!file, false);
	fputc('#', file);
	for (i = 0; i < 10000; i++)
		fputs(" comment", file);
	fputs("\nreserved a 600000 10\n", file);
	require(fclose(file), 0);
	range("a", RSM_SUCCESS, 0x600000, 10);
}

static const struct test tests[] = {
	TEST(null_is_refused),
	TEST(there_must_be_a_file),
	TEST(ranges_are_found),
	TEST(an_empty_file_has_none),
	TEST(lines_behind_a_short_one_are_not_reached),
	TEST(bad_lines_are_refused),
	TEST(lines_may_be_long),
};

int main(int argc, char *argv[])
{
	bool made = mkdir(DIRECTORY, 0755) == 0;
	bool saved = rename(FILE_NAME, SAVED) == 0;
	int status = guest_main(argc, argv, TESTS(tests));

	unlink(FILE_NAME);
	if (saved)
		rename(SAVED, FILE_NAME);
	if (made)
		rmdir(DIRECTORY);
	return status;
}
