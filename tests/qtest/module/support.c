/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The few functions that QEMU's test library takes from parts of QEMU which
 * would bring all the others along: messages, module initializers, one flag.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "qemu/osdep.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"
#include "qemu/module.h"

int error_printf(const char *fmt, ...)
{
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vfprintf(stderr, fmt, ap);
	va_end(ap);
	return len;
}

static void G_GNUC_PRINTF(1, 0) report(const char *fmt, va_list ap)
{
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

void error_report(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report(fmt, ap);
	va_end(ap);
}

void warn_report(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report(fmt, ap);
	va_end(ap);
}

/* libqos registers its drivers for a graph of machines, which our tests do not walk. */
void register_module_init(void (*fn)(void), module_init_type type)
{
	(void)fn;
	(void)type;
}

void qemu_set_cloexec(int fd)
{
	int flags = fcntl(fd, F_GETFD);

	g_assert(flags >= 0);
	g_assert(fcntl(fd, F_SETFD, flags | FD_CLOEXEC) >= 0);
}
