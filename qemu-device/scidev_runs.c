/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which parts of the remote window (BAR 2) are memory: runs of mapped ATT
 * entries have an alias above the region that traps.  Called when entries have
 * been committed or revoked, and by the window's set-up.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "qemu/osdep.h"
#include "hw/core/cpu.h"
#include "system/tcg.h"
#include "scidev.h"
#include "trace.h"

/*
 * Aliases of all devices in this QEMU.  QEMU asserts that one address space has
 * fewer than 4096 sections; each run can cost two.  Entries beyond the limit
 * are served by the trap handler.
 */
#define SCIDEV_RUNS_MAX     1024

typedef struct SCIDevRun {
    MemoryRegion alias;
    SCIDev *dev;
    uint64_t offset;
    uint64_t size;
    SCIDevBacking backing;
} SCIDevRun;

static unsigned scidev_runs;    /* of all devices, at most SCIDEV_RUNS_MAX */

/* The next run of mapped entries from *@index on; moves *@index behind it. */
static bool scidev_run_next(const SCIDev *s, unsigned *index, SCIDevRun *run)
{
    const uint64_t granule = scidev_granule(s);
    unsigned i = *index;

    while (i < SCI_ATT_ENTRIES && s->att[i].backing == SCIDEV_BACKING_NONE) {
        i++;
    }
    if (i == SCI_ATT_ENTRIES) {
        return false;
    }
    run->offset = i * granule;
    run->size = 0;
    run->backing = s->att[i].backing;
    /* An entry that ends before its granule does ends the run. */
    while (i < SCI_ATT_ENTRIES && s->att[i].backing == run->backing &&
           run->offset + run->size == i * granule) {
        run->size += (uint64_t)s->att[i].n_pages * SCI_PAGE_SIZE;
        i++;
    }
    *index = i;
    return true;
}

static bool scidev_run_equal(const SCIDevRun *a, const SCIDevRun *b)
{
    return a->offset == b->offset && a->size == b->size &&
           a->backing == b->backing;
}

static SCIDevRun *scidev_run_at(const GPtrArray *runs, unsigned i)
{
    return g_ptr_array_index(runs, i);
}

static int scidev_run_compare(const void *a, const void *b)
{
    const SCIDevRun *x = *(SCIDevRun *const *)a;
    const SCIDevRun *y = *(SCIDevRun *const *)b;

    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/*
 * An alias is resolved when the topology is rendered, no view refers to it: it
 * may be destroyed at any time (docs/devel/memory.rst).
 */
static void scidev_run_free(SCIDevRun *run)
{
    memory_region_del_subregion(&run->dev->window, &run->alias);
    object_unparent(OBJECT(&run->alias));
    g_free(run);
    scidev_runs--;
}

static SCIDevRun *scidev_run_new(SCIDev *s, const SCIDevRun *want)
{
    g_autofree char *name = g_strdup_printf("sci-run-%" PRIx64, want->offset);
    SCIDevRun *run = g_new0(SCIDevRun, 1);

    run->dev = s;
    run->offset = want->offset;
    run->size = want->size;
    run->backing = want->backing;
    memory_region_init_alias(&run->alias, OBJECT(s), name,
                             &s->backing[run->backing], run->offset, run->size);
    memory_region_add_subregion_overlap(&s->window, run->offset, &run->alias,
                                        1);
    scidev_runs++;
    return run;
}

/*
 * Moves the runs that are still wanted from `runs` to @kept; @wanted gets those
 * that are missing.  Both lists are ordered by offset.
 */
static void scidev_runs_diff(SCIDev *s, GPtrArray *kept, GArray *wanted)
{
    unsigned index = 0, o = 0;
    SCIDevRun want = {};

    while (scidev_run_next(s, &index, &want)) {
        while (o < s->runs->len &&
               scidev_run_at(s->runs, o)->offset < want.offset) {
            o++;
        }
        if (o < s->runs->len &&
            scidev_run_equal(scidev_run_at(s->runs, o), &want)) {
            g_ptr_array_add(kept, g_steal_pointer(&s->runs->pdata[o++]));
        } else {
            g_array_append_val(wanted, want);
        }
    }
}

static void scidev_runs_render(SCIDev *s)
{
    GPtrArray *runs = g_ptr_array_new();
    g_autoptr(GArray) wanted = g_array_new(false, true, sizeof(SCIDevRun));
    unsigned kept, i;

    memory_region_transaction_begin();
    scidev_runs_diff(s, runs, wanted);
    kept = runs->len;
    /* Before the new ones: they may need the room. */
    for (i = 0; i < s->runs->len; i++) {
        g_clear_pointer(&s->runs->pdata[i], scidev_run_free);
    }
    for (i = 0; i < wanted->len && scidev_runs < SCIDEV_RUNS_MAX; i++) {
        SCIDevRun *want = &g_array_index(wanted, SCIDevRun, i);

        g_ptr_array_add(runs, scidev_run_new(s, want));
    }
    g_ptr_array_sort(runs, scidev_run_compare);
    trace_scidev_topology(s->node_id, runs->len, s->runs->len - kept, i);
    g_ptr_array_free(s->runs, true);
    s->runs = runs;
    memory_region_transaction_commit();
}

/* On a vCPU's thread, while no vCPU runs, with a reference to the device. */
static void scidev_runs_render_safe(CPUState *cpu, run_on_cpu_data data)
{
    SCIDev *s = data.host_ptr;

    bql_lock();
    s->render_queued = false;
    if (s->runs) {
        scidev_runs_render(s);
    }
    object_unref(OBJECT(s));
    bql_unlock();
}

/*
 * TCG's TLB holds the number of a memory section, which is looked up in the
 * newest topology: a vCPU that runs while the topology changes reaches a wrong
 * device, until it has flushed its TLB.  (It was an EOI that did not reach the
 * APIC.)  So under TCG the change waits until no vCPU runs; a commit's own vCPU
 * makes it before its next instruction.  Until then a page that is newly
 * mapped traps, which is slow, and one that was revoked is scratch memory.
 */
void scidev_runs_update(SCIDev *s)
{
    if (!tcg_enabled()) {
        scidev_runs_render(s);
    } else if (!s->render_queued) {
        s->render_queued = true;
        object_ref(OBJECT(s));
        async_safe_run_on_cpu(current_cpu ?: first_cpu,
                              scidev_runs_render_safe,
                              RUN_ON_CPU_HOST_PTR(s));
    }
}

void scidev_runs_init(SCIDev *s)
{
    s->runs = g_ptr_array_new();
}

/* The device is disabled and no address space shows the window any more. */
void scidev_runs_exit(SCIDev *s)
{
    /* Under TCG aliases may be left. */
    scidev_runs_render(s);
    g_ptr_array_free(g_steal_pointer(&s->runs), true);
}
