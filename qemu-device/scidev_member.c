/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * This machine as a member of a fabric: the thread that runs the fabric, and
 * what happens while peers hold memory that the machine is about to use
 * otherwise.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * After a reset firmware and a new kernel use the machine's memory without
 * knowing what was exported, and after an unplug nobody is there who could take
 * it back.  A peer that has not let go of it by then, because its process is
 * stopped or slow, could store into the middle of that.  So the machine's vCPUs
 * do not run before all peers have let go or are gone: the machine is stopped,
 * as by the monitor's `stop`, tells whom it waits for, and goes on by itself.
 * `cont` does not end that.  The main loop goes on all the time.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "qemu/timer.h"
#include "system/cpus.h"
#include "scidev.h"
#include "trace.h"

/* Peers that are well let go within this time: no vCPU need be stopped. */
#define SCIDEV_GRACE_US     5000
#define SCIDEV_GRACE_STEP   100

/* A person is told when it takes so long that one would ask. */
#define SCIDEV_TELL_MS      500

/* What is in the way of going on is looked for again then. */
#define SCIDEV_LATER_MS     100

struct SCIDevMember {
    unsigned node;
    SCIDevLock *lock;
    IOThread *iothread;
    bool own_iothread;
    Fabric *fabric;             /* also the device's, while that is there */
    VMChangeStateEntry *vmstate;
    Notifier shutdown;
    QEMUBH *settled_bh;
    QEMUBH *stop_bh;
    QEMUTimer *tell;
    QEMUTimer *later;           /* the release, when something is in its way */

    /* Guarded by the big lock */
    bool held;                  /* the vCPUs must not run */
    bool stop_pending;          /* the main loop is about to stop them */
    bool resume;                /* they would run now otherwise */
    bool told;                  /* that they do not run, and why */
    bool orphan;                /* the device is gone */
};

/*
 * Members whose vCPUs somebody is about to let run; while there are some no
 * handler of the run state may be freed.
 */
static unsigned scidev_notifying;

/* By the main loop, soon after vCPUs were found to be held. */
static void scidev_member_stop(void *opaque)
{
    SCIDevMember *m = opaque;

    m->stop_pending = false;
    if (runstate_is_running()) {
        vm_stop(RUN_STATE_PAUSED);
    }
    /* It may have settled meanwhile, which had to wait for this. */
    qemu_bh_schedule(m->settled_bh);
}

/*
 * The main loop stops them, as pause and resume belong to it; until it does, no
 * vCPU may run either.
 */
static void scidev_member_stop_soon(SCIDevMember *m)
{
    m->resume = true;
    m->stop_pending = true;
    qemu_bh_schedule(m->stop_bh);
    if (qemu_in_vcpu_thread()) {
        cpu_stop_current();
    } else {
        /*
         * In a reset of the machine the vCPUs are stopped, and the main loop
         * lets them run right afterwards; it deals with the request before they
         * can.
         */
        qemu_system_vmstop_request_prepare();
        qemu_system_vmstop_request(RUN_STATE_PAUSED);
    }
}

/*
 * Somebody lets the vCPUs run, which is about to happen when all handlers have
 * been called; this one is the last.
 */
static void scidev_member_vmstate(void *opaque, bool running, RunState state)
{
    SCIDevMember *m = opaque;

    if (running && m->held) {
        m->resume = true;
        scidev_notifying++;
        vm_stop(RUN_STATE_PAUSED);
        scidev_notifying--;
    }
}

/* A machine that was switched off while it was held is not to run again. */
static void scidev_member_shutdown(Notifier *notifier, void *data)
{
    container_of(notifier, SCIDevMember, shutdown)->resume = false;
}

/*
 * Whether the machine is stopped as we have stopped it.  In other states, as
 * after a panic or an internal error, it is not ours to let it run.
 */
static bool scidev_member_may_resume(void)
{
    return (runstate_check(RUN_STATE_PAUSED) ||
            runstate_check(RUN_STATE_PRELAUNCH)) &&
           qemu_shutdown_requested_get() == SHUTDOWN_CAUSE_NONE;
}

static void scidev_member_free(SCIDevMember *m)
{
    if (m->fabric) {
        scidev_lock(m->lock);
        g_clear_pointer(&m->fabric, fabric_free);
        scidev_unlock(m->lock);
    }
    if (m->own_iothread) {
        iothread_destroy(m->iothread);
    } else if (m->iothread) {
        object_unref(OBJECT(m->iothread));
    }
    g_clear_pointer(&m->vmstate, qemu_del_vm_change_state_handler);
    if (m->shutdown.notify) {
        notifier_remove(&m->shutdown);
    }
    g_clear_pointer(&m->settled_bh, qemu_bh_delete);
    g_clear_pointer(&m->stop_bh, qemu_bh_delete);
    g_clear_pointer(&m->tell, timer_free);
    g_clear_pointer(&m->later, timer_free);
    scidev_lock_unref(m->lock);
    g_free(m);
}

static bool scidev_member_busy(SCIDevMember *m)
{
    bool busy;

    scidev_lock(m->lock);
    busy = m->fabric && fabric_busy(m->fabric);
    scidev_unlock(m->lock);
    return busy;
}

/* By the main loop, when the fabric has settled or the machine has stopped. */
static void scidev_member_release(void *opaque)
{
    SCIDevMember *m = opaque;
    bool resume = m->resume;

    if (!m->held || m->stop_pending || scidev_member_busy(m)) {
        return;
    }
    if (scidev_notifying || qemu_system_dump_in_progress()) {
        timer_mod(m->later, qemu_clock_get_ms(QEMU_CLOCK_REALTIME) +
                  SCIDEV_LATER_MS);
        return;
    }
    m->held = false;
    m->resume = false;
    timer_del(m->tell);
    resume = resume && scidev_member_may_resume();
    trace_scidev_hold(m->node, false);
    if (m->told) {
        info_report("sci: node %u: no other node holds memory of this machine "
                    "any more%s", m->node, resume ? "; it goes on" : "");
    }
    m->told = false;
    if (m->orphan) {
        scidev_member_free(m);
    }
    if (resume) {
        vm_start();
    }
}

static char *scidev_member_debtors(SCIDevMember *m)
{
    char *debtors;

    scidev_lock(m->lock);
    debtors = m->fabric ? fabric_debtors(m->fabric) : NULL;
    scidev_unlock(m->lock);
    return debtors;
}

static void scidev_member_tell(void *opaque)
{
    SCIDevMember *m = opaque;
    g_autofree char *debtors = scidev_member_debtors(m);

    if (m->held && debtors) {
        m->told = true;
        warn_report("sci: node %u: the machine is stopped until other nodes "
                    "let go of its memory: %s; continue or end these processes",
                    m->node, debtors);
    }
}

/* Whether the peers let go while one can wait for them. */
static bool scidev_member_grace(SCIDevMember *m)
{
    for (unsigned us = 0; us < SCIDEV_GRACE_US; us += SCIDEV_GRACE_STEP) {
        if (!scidev_member_busy(m)) {
            return true;
        }
        g_usleep(SCIDEV_GRACE_STEP);
    }
    return !scidev_member_busy(m);
}

static void scidev_member_wait(SCIDevMember *m)
{
    if (scidev_member_grace(m)) {
        return;
    }
    if (!m->held) {
        m->held = true;
        trace_scidev_hold(m->node, true);
        timer_mod(m->tell, qemu_clock_get_ms(QEMU_CLOCK_REALTIME) +
                  SCIDEV_TELL_MS);
    }
    /* It may have settled between the look and the mark. */
    qemu_bh_schedule(m->settled_bh);
    if (runstate_is_running()) {
        scidev_member_stop_soon(m);
    }
}

void scidev_member_hold(SCIDev *s)
{
    scidev_member_wait(s->member);
}

void scidev_member_settled(SCIDev *s)
{
    qemu_bh_schedule(s->member->settled_bh);
}

char *scidev_member_waits_for(SCIDev *s)
{
    return s->member && s->member->held ? scidev_member_debtors(s->member)
                                        : NULL;
}

static bool scidev_member_thread(SCIDevMember *m, IOThread *given, Error **errp)
{
    static unsigned number;
    g_autofree char *id = NULL;

    if (given) {
        object_ref(OBJECT(given));
        m->iothread = given;
        return true;
    }
    id = g_strdup_printf("sci-fabric%u", number++);
    m->iothread = iothread_create(id, errp);
    m->own_iothread = m->iothread;
    return m->iothread;
}

bool scidev_member_new(SCIDev *s, Error **errp)
{
    SCIDevMember *m = g_new0(SCIDevMember, 1);

    m->node = s->node_id;
    m->lock = scidev_lock_new();
    if (!scidev_member_thread(m, s->iothread, errp)) {
        scidev_member_free(m);
        return false;
    }
    m->settled_bh = qemu_bh_new(scidev_member_release, m);
    m->stop_bh = qemu_bh_new(scidev_member_stop, m);
    m->tell = timer_new_ms(QEMU_CLOCK_REALTIME, scidev_member_tell, m);
    m->later = timer_new_ms(QEMU_CLOCK_REALTIME, scidev_member_release, m);
    m->shutdown.notify = scidev_member_shutdown;
    qemu_register_shutdown_notifier(&m->shutdown);
    m->vmstate = qemu_add_vm_change_state_handler_prio(scidev_member_vmstate, m,
                                                       INT_MAX);
    s->member = m;
    s->lock = m->lock;
    return true;
}

bool scidev_member_join(SCIDev *s, const FabricConfig *config,
                        const FabricOps *ops, Error **errp)
{
    SCIDevMember *m = s->member;
    FabricConfig full = *config;
    g_autoptr(GError) gerror = NULL;

    full.context = iothread_get_g_main_context(m->iothread);
    full.lock = scidev_lock_urgent;
    full.unlock = scidev_unlock_urgent;
    full.lock_opaque = scidev_lock_ref(m->lock);
    full.lock_free = scidev_lock_unref_opaque;
    /* Its thread may serve the fabric before this one knows it. */
    scidev_lock(m->lock);
    m->fabric = s->fabric = fabric_new(&full, ops, s, &gerror);
    scidev_unlock(m->lock);
    if (!s->fabric) {
        error_setg(errp, "cannot join fabric '%s' as node %u: %s",
                   s->fabric_dir, s->node_id, gerror->message);
    }
    return s->fabric;
}

static void scidev_orphan_present(void *opaque, const FabricPeer *peer)
{
}

/* Nothing is mapped any more, and nothing will be. */
static bool scidev_orphan_unmapped(void *opaque, const FabricPeer *peer)
{
    return true;
}

static bool scidev_orphan_invalidate(void *opaque, const FabricPeer *peer,
                                     uint64_t first, uint64_t count)
{
    return true;
}

static void scidev_orphan_settled(void *opaque)
{
    SCIDevMember *m = opaque;

    qemu_bh_schedule(m->settled_bh);
}

static void scidev_orphan_report(void *opaque, const char *message)
{
    SCIDevMember *m = opaque;

    warn_report("sci: node %u: %s", m->node, message);
}

static const FabricOps scidev_orphan_ops = {
    .peer_present = scidev_orphan_present,
    .peer_state = scidev_orphan_unmapped,
    .peer_linked = scidev_orphan_unmapped,
    .peer_gone = scidev_orphan_unmapped,
    .peer_lines = scidev_orphan_present,
    .peer_invalidate = scidev_orphan_invalidate,
    .settled = scidev_orphan_settled,
    .report = scidev_orphan_report,
};

void scidev_member_leave(SCIDev *s)
{
    SCIDevMember *m = s->member;

    scidev_lock(m->lock);
    fabric_set_ops(m->fabric, &scidev_orphan_ops, m);
    s->fabric = NULL;
    scidev_unlock(m->lock);
}

void scidev_member_end(SCIDev *s)
{
    SCIDevMember *m = s->member;

    if (!m) {
        return;
    }
    s->member = NULL;
    s->lock = NULL;
    m->orphan = true;
    scidev_member_wait(m);
    if (!m->held) {
        scidev_member_free(m);
    }
}
