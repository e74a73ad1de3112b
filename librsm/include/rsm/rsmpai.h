/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The header that the sample program of the Solaris guide includes.  The sample
 * was printed against an older API: an access list type without "api", an
 * export_create without flags, a post without flags, getopt() from <stdio.h>.
 * New programs include <rsm/rsmapi.h>.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#ifndef RSM_RSMPAI_H
#define RSM_RSMPAI_H

/* getopt() and optarg without <unistd.h>, whose sleep() the sample declares differently. */
#include <getopt.h>

#include <rsm/rsmapi.h>

typedef rsmapi_access_entry_t rsm_access_entry_t;

/* The parenthesised name is the function, so the macros do not recur. */
#define RSM_PAI_CREATE_4(c, s, v, n)	(rsm_memseg_export_create)(c, s, v, n, 0)
#define RSM_PAI_CREATE_5(c, s, v, n, f)	(rsm_memseg_export_create)(c, s, v, n, f)
#define RSM_PAI_POST_1(s)		(rsm_intr_signal_post)(s, 0)
#define RSM_PAI_POST_2(s, f)		(rsm_intr_signal_post)(s, f)
#define RSM_PAI_THIRD(a, b, c, ...)	c
#define RSM_PAI_SIXTH(a, b, c, d, e, f, ...)	f

#define rsm_memseg_export_create(...) \
	RSM_PAI_SIXTH(__VA_ARGS__, RSM_PAI_CREATE_5, RSM_PAI_CREATE_4, 0, 0, 0, 0)(__VA_ARGS__)
#define rsm_intr_signal_post(...) \
	RSM_PAI_THIRD(__VA_ARGS__, RSM_PAI_POST_2, RSM_PAI_POST_1, 0)(__VA_ARGS__)

#endif /* RSM_RSMPAI_H */
