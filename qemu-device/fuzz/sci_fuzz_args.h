/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two nodes of one fabric in one QEMU, for the fuzzers: the `sci` configuration
 * of the generic one and the one of this directory.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#ifndef SCI_FUZZ_ARGS_H
#define SCI_FUZZ_ARGS_H

#include <glib/gstdio.h>

static char *sci_fuzz_fabric;

/* What two nodes put there; a process that crashes leaves it to its caller. */
static void sci_fuzz_remove_fabric(void)
{
    static const char *const names[] = {
        "1.lock", "1.sock", "2.lock", "2.sock",
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(sci_fuzz_fabric, names[i],
                                                 NULL);

        g_unlink(path);
    }
    g_rmdir(sci_fuzz_fabric);
}

/*
 * The nodes have the same RAM, and each is a peer of the other as if it were in
 * another process: they meet by sockets, and each has a thread of its own.
 * The windows differ in the size of a granule, one page and four.
 */
static inline gchar *sci_fuzz_args(const char *properties)
{
    sci_fuzz_fabric = g_dir_make_tmp("qemu-fuzz.XXXXXX", NULL);
    g_assert(sci_fuzz_fabric);
    atexit(sci_fuzz_remove_fabric);

    return g_strdup_printf("-machine pc,memory-backend=ram -nodefaults "
    "-object memory-backend-memfd,id=ram,size=512M,share=on "
    "-device sci,id=sci0,fabric=%s,node-id=1,window-size=16M,lines=4%s "
    "-device sci,id=sci1,fabric=%s,node-id=2,window-size=64M,lines=128%s",
    sci_fuzz_fabric, properties, sci_fuzz_fabric, properties);
}

/*
 * The generic fuzzer takes it for a crash if the virtual clock does not run,
 * as while a reset waits for a peer.
 */
static inline gchar *generic_fuzzer_sci_args(void)
{
    return sci_fuzz_args(",x-reset-waits=off");
}

#endif /* SCI_FUZZ_ARGS_H */
