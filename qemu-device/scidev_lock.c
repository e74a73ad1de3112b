/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The adapter's own lock.  A guest can take it as often as it likes, by
 * registers and commits, and the fabric must not wait behind that: an
 * acknowledgement that is late holds up the guests of other nodes.
 *
 * Copyright (C) 2026 The sci-rsm authors
 *
 * A mutex of the host lets whoever comes first have it, so a vCPU that lets go
 * of it and takes it again would pass the fabric's thread over and over.  Here
 * all ordinary holders queue for `ordinary`, one of them at most queues for
 * `next`, and who has `next` is the next one to get `data`.
 */
#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "scidev.h"

struct SCIDevLock {
    QemuMutex ordinary;
    QemuMutex next;
    QemuMutex data;
    unsigned refs;
};

SCIDevLock *scidev_lock_new(void)
{
    SCIDevLock *lock = g_new0(SCIDevLock, 1);

    qemu_mutex_init(&lock->ordinary);
    qemu_mutex_init(&lock->next);
    qemu_mutex_init(&lock->data);
    lock->refs = 1;
    return lock;
}

SCIDevLock *scidev_lock_ref(SCIDevLock *lock)
{
    qatomic_inc(&lock->refs);
    return lock;
}

void scidev_lock_unref(SCIDevLock *lock)
{
    if (qatomic_fetch_dec(&lock->refs) == 1) {
        qemu_mutex_destroy(&lock->ordinary);
        qemu_mutex_destroy(&lock->next);
        qemu_mutex_destroy(&lock->data);
        g_free(lock);
    }
}

void scidev_lock_unref_opaque(void *opaque)
{
    scidev_lock_unref(opaque);
}

void scidev_lock(SCIDevLock *lock)
{
    qemu_mutex_lock(&lock->ordinary);
    qemu_mutex_lock(&lock->next);
    qemu_mutex_lock(&lock->data);
    qemu_mutex_unlock(&lock->next);
}

void scidev_unlock(SCIDevLock *lock)
{
    qemu_mutex_unlock(&lock->data);
    qemu_mutex_unlock(&lock->ordinary);
}

void scidev_lock_urgent(void *opaque)
{
    SCIDevLock *lock = opaque;

    qemu_mutex_lock(&lock->next);
    qemu_mutex_lock(&lock->data);
    qemu_mutex_unlock(&lock->next);
}

void scidev_unlock_urgent(void *opaque)
{
    SCIDevLock *lock = opaque;

    qemu_mutex_unlock(&lock->data);
}
