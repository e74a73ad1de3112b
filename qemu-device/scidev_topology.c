/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which parts of the remote window (BAR 2) trap.  The window is memory; above
 * it lie parts of a region that traps: one for everything from `top` on, which
 * no entry has used yet, and one for each run of entries that trap by request.
 * Called when such entries have been committed, and by the window's set-up.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * `top` bounds the memory that a guest can make its QEMU allocate by stores
 * into nothing.  It grows by doubling, so that it changes a few times in a
 * lifetime: no mapping and no revocation of memory changes the topology.
 */
#include "qemu/osdep.h"
#include "qemu/host-utils.h"
#include "hw/core/cpu.h"
#include "system/tcg.h"
#include "scidev.h"
#include "trace.h"

/*
 * Runs of all devices in this QEMU.  QEMU asserts that one address space has
 * fewer than 4096 sections; each run can cost two.
 */
#define SCIDEV_RUNS_MAX     1024

typedef struct SCIDevRun {
    MemoryRegion alias;
    SCIDev *dev;
    uint64_t offset;
    uint64_t size;
} SCIDevRun;

static unsigned scidev_runs;    /* wanted by the entries of all devices */

static bool scidev_granule_traps(const SCIDev *s, unsigned index)
{
    return index < SCI_ATT_ENTRIES && s->att[index].traps;
}

bool scidev_topology_trap(SCIDev *s, unsigned index, bool traps)
{
    /* -1 as an index is none: beyond the table. */
    unsigned neighbours = scidev_granule_traps(s, index - 1) +
                          scidev_granule_traps(s, index + 1);
    int more = 1 - (int)neighbours;

    if (s->att[index].traps == traps) {
        return true;
    }
    more = traps ? more : -more;
    if (more > 0 && scidev_runs >= SCIDEV_RUNS_MAX) {
        return false;
    }
    scidev_runs += more;
    s->att[index].traps = traps;
    return true;
}

void scidev_topology_clear(SCIDev *s)
{
    for (unsigned i = 0; i < SCI_ATT_ENTRIES; i++) {
        scidev_topology_trap(s, i, false);
    }
    s->top = 0;
}

void scidev_topology_raise(SCIDev *s, uint64_t end)
{
    s->top = MAX(s->top, MAX(SCI_WINDOW_MIN, pow2ceil(end)));
}

/* The next run of entries that trap from *@index on, which moves behind it. */
static bool scidev_run_next(const SCIDev *s, unsigned *index, SCIDevRun *run)
{
    const uint64_t granule = scidev_granule(s);
    unsigned i = *index, first;

    while (i < SCI_ATT_ENTRIES && !s->att[i].traps) {
        i++;
    }
    first = i;
    while (i < SCI_ATT_ENTRIES && s->att[i].traps) {
        i++;
    }
    run->offset = first * granule;
    run->size = (i - first) * granule;
    *index = i;
    return i != first;
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
}

static SCIDevRun *scidev_run_new(SCIDev *s, const SCIDevRun *want)
{
    g_autofree char *name = g_strdup_printf("sci-run-%" PRIx64, want->offset);
    SCIDevRun *run = g_new0(SCIDevRun, 1);

    run->dev = s;
    run->offset = want->offset;
    run->size = want->size;
    memory_region_init_alias(&run->alias, OBJECT(s), name, &s->trap,
                             run->offset, run->size);
    memory_region_add_subregion_overlap(&s->window, run->offset, &run->alias,
                                        1);
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
            scidev_run_at(s->runs, o)->offset == want.offset &&
            scidev_run_at(s->runs, o)->size == want.size) {
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

    scidev_runs_diff(s, runs, wanted);
    for (unsigned i = 0; i < s->runs->len; i++) {
        g_clear_pointer(&s->runs->pdata[i], scidev_run_free);
    }
    for (unsigned i = 0; i < wanted->len; i++) {
        g_ptr_array_add(
            runs, scidev_run_new(s, &g_array_index(wanted, SCIDevRun, i)));
    }
    g_ptr_array_sort(runs, scidev_run_compare);
    g_ptr_array_free(s->runs, true);
    s->runs = runs;
}

static void scidev_topology_render(SCIDev *s)
{
    memory_region_transaction_begin();
    scidev_runs_render(s);
    memory_region_set_enabled(&s->above, s->top < s->window_size);
    memory_region_set_size(&s->above, MAX(s->window_size - s->top, 1));
    memory_region_set_alias_offset(&s->above, s->top);
    memory_region_set_address(&s->above, s->top);
    trace_scidev_topology(s->node_id, s->top, s->runs->len);
    memory_region_transaction_commit();
}

/* On a vCPU's thread, while no vCPU runs, with a reference to the device. */
static void scidev_topology_render_safe(CPUState *cpu, run_on_cpu_data data)
{
    SCIDev *s = data.host_ptr;

    bql_lock();
    s->render_queued = false;
    if (s->runs) {
        scidev_topology_render(s);
    }
    object_unref(OBJECT(s));
    bql_unlock();
}

/*
 * TCG's TLB holds the number of a memory section, which is looked up in the
 * newest topology: a vCPU that runs while the topology changes reaches a wrong
 * device, until it has flushed its TLB.  (It was an EOI that did not reach the
 * APIC.)  So under TCG the change waits until no vCPU runs; a commit's own vCPU
 * makes it before its next translation block.
 */
void scidev_topology_update(SCIDev *s)
{
    if (!tcg_enabled()) {
        scidev_topology_render(s);
    } else if (!s->render_queued) {
        s->render_queued = true;
        object_ref(OBJECT(s));
        async_safe_run_on_cpu(current_cpu ?: first_cpu,
                              scidev_topology_render_safe,
                              RUN_ON_CPU_HOST_PTR(s));
    }
}

void scidev_topology_init(SCIDev *s)
{
    s->runs = g_ptr_array_new();
    memory_region_init_alias(&s->above, OBJECT(s), "sci-above", &s->trap, 0,
                             s->window_size);
    memory_region_add_subregion_overlap(&s->window, 0, &s->above, 1);
}

/* The device is disabled and no address space shows the window any more. */
void scidev_topology_exit(SCIDev *s)
{
    scidev_topology_clear(s);
    scidev_runs_render(s);
    g_ptr_array_free(g_steal_pointer(&s->runs), true);
    memory_region_del_subregion(&s->window, &s->above);
}
