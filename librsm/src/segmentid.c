// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Ranges of segment ids that the administrator has reserved for applications,
 * one a line: reserved APPLICATION BASE(hexadecimal) LENGTH(decimal).
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "library.h"

#ifndef RSM_SEGMENTID_FILE
#define RSM_SEGMENTID_FILE	"/etc/rsm/rsm.segmentid"
#endif

#define BLANKS	" \t\r\n"

enum { KEYWORD, APPLICATION, BASE, LENGTH, FIELDS };

/* All of @text is a number of up to 32 bits, without a sign. */
static bool number_parse(const char *text, int base, uint32_t *number)
{
	unsigned long long value;
	char *end;

	if (!isxdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	value = strtoull(text, &end, base);
	if (*end || errno || value > UINT32_MAX)
		return false;
	*number = (uint32_t)value;
	return true;
}

/* False for a blank line and a comment. */
static bool line_split(char *line, char *fields[FIELDS])
{
	char *rest = NULL;
	int i;

	for (i = 0; i < FIELDS; i++)
		fields[i] = strtok_r(i ? NULL : line, BLANKS, &rest);
	return fields[KEYWORD] && fields[KEYWORD][0] != '#';
}

static int range_parse(char *const fields[FIELDS], rsm_memseg_id_t *baseid, uint32_t *length)
{
	rsm_memseg_id_t base;
	uint32_t count;

	/* The documents have both spellings. */
	if (strcasecmp(fields[KEYWORD], "reserved") && strcasecmp(fields[KEYWORD], "reserve"))
		return RSMERR_BAD_CONF;
	if (!number_parse(fields[BASE], 16, &base) || !number_parse(fields[LENGTH], 10, &count) ||
	    count == 0 || count - 1 > UINT32_MAX - base)
		return RSMERR_BAD_CONF;
	*baseid = base;
	*length = count;
	return RSM_SUCCESS;
}

/* The first line of the application decides; one that cannot be read ends the search. */
static int file_search(FILE *file, const char *appid, rsm_memseg_id_t *baseid, uint32_t *length)
{
	int ret = RSMERR_BAD_APPID;
	char *fields[FIELDS];
	char *line = NULL;
	size_t size = 0;

	while (ret == RSMERR_BAD_APPID) {
		errno = 0;
		if (getline(&line, &size, file) < 0) {
			if (errno)
				ret = errno == ENOMEM ? RSMERR_INSUFFICIENT_MEM : RSMERR_BAD_CONF;
			break;
		}
		if (!line_split(line, fields))
			continue;
		if (!fields[FIELDS - 1])
			ret = RSMERR_BAD_CONF;
		else if (!strcasecmp(fields[APPLICATION], appid))
			ret = range_parse(fields, baseid, length);
	}
	free(line);
	return ret;
}

static int range_find(const char *appid, rsm_memseg_id_t *baseid, uint32_t *length)
{
	FILE *file;
	int ret;

	file = fopen(RSM_SEGMENTID_FILE, "re");
	if (!file)
		return errno == ENOMEM ? RSMERR_INSUFFICIENT_MEM : RSMERR_BAD_CONF;
	ret = file_search(file, appid, baseid, length);
	fclose(file);
	return ret;
}

/* Reading a file is a cancellation point; this is none. */
int rsm_get_segmentid_range(const char *appid, rsm_memseg_id_t *baseid, uint32_t *length)
{
	int ret, state;

	if (!appid || !baseid || !length)
		return RSMERR_BAD_ADDR;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	ret = range_find(appid, baseid, length);
	pthread_setcancelstate(state, NULL);
	return ret;
}
