/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is put off until the next turn of the main context: reports, because no
 * callback comes from inside a call of the device, and what is tried again.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "local.h"

void fabric_report(Fabric *f, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_queue_push_tail(&f->reports, g_strdup_vprintf(format, args));
    va_end(args);
    fabric_kick(f);
}

void fabric_kick(Fabric *f)
{
    /* The end of a turn looks itself for what is left. */
    if (!f->serving) {
        g_source_set_ready_time(f->source, 0);
    }
}

void fabric_retry(Fabric *f)
{
    if (f->retry_at == 0) {
        f->retry_at = g_get_monotonic_time() + FABRIC_RETRY_MS * 1000;
        fabric_kick(f);
    }
}

bool fabric_turn_over(const Fabric *f)
{
    return g_get_monotonic_time() >= f->turn_end;
}

bool fabric_fail(GError **error, int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (error) {
        *error = g_error_new_valist(FABRIC_ERROR, code, format, args);
    }
    va_end(args);
    return false;
}
