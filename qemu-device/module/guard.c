/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guard of the device as a module: a shared object that the dynamic linker
 * preloads into a QEMU that somebody else built.  An object fits one minor
 * version of QEMU, because the types that it builds on (PCIDevice,
 * MemoryRegion ...) are laid out anew in each.  A QEMU that it does not fit is
 * ended with a sentence before anything of the device is used.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "qemu/osdep.h"
#include <dlfcn.h>
#include "qapi/qapi-types-control.h"
#include "qapi/qapi-commands-control.h"
#include "qemu/error-report.h"
#include "qemu/module.h"
#include "hw/pci/pci_device.h"
#include "../scidev_compat.h"

#define SCIDEV_BUILT_FOR \
    stringify(QEMU_VERSION_MAJOR) "." stringify(QEMU_VERSION_MINOR)

/*
 * How a TypeImpl of qom/object.c begins.  It is private, but what is read
 * here is compared with what must come out, so that another layout is
 * refused, never used.
 */
typedef struct {
    const char *name;
    size_t class_size;
    size_t instance_size;
} SCIDevTypeHead;

typedef struct {
    const char *name;
    size_t class_size;
    size_t instance_size;
} SCIDevType;

static const SCIDevType scidev_types[] = {
    { TYPE_OBJECT, sizeof(ObjectClass), sizeof(Object) },
    { TYPE_DEVICE, sizeof(DeviceClass), sizeof(DeviceState) },
    { TYPE_PCI_DEVICE, sizeof(PCIDeviceClass), sizeof(PCIDevice) },
    { TYPE_MEMORY_REGION, 0, sizeof(MemoryRegion) },
};

static void G_NORETURN G_GNUC_PRINTF(1, 2) scidev_refuse(const char *fmt, ...)
{
    va_list ap;

    fprintf(stderr, "sci device: this object was built for QEMU "
            SCIDEV_BUILT_FOR ", ");
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr,
            "; build one for it: scripts/rsmlab build --qemu-src DIR\n");
    exit(EXIT_FAILURE);
}

/* Programs that QEMU starts inherit its environment and are no QEMUs. */
static void scidev_leave_environment(void)
{
    const char *preload = g_getenv("LD_PRELOAD");
    g_auto(GStrv) objects = NULL;
    g_autoptr(GPtrArray) rest = g_ptr_array_new();
    g_autofree char *text = NULL;
    Dl_info self;

    if (!preload || !dladdr(scidev_types, &self)) {
        return;
    }
    objects = g_strsplit_set(preload, " :", -1);
    for (char **object = objects; *object; object++) {
        if (**object && strcmp(*object, self.dli_fname)) {
            g_ptr_array_add(rest, *object);
        }
    }
    if (!rest->len) {
        g_unsetenv("LD_PRELOAD");
        return;
    }
    g_ptr_array_add(rest, NULL);
    text = g_strjoinv(":", (char **)rest->pdata);
    g_setenv("LD_PRELOAD", text, true);
}

/* When QEMU has registered its types, before it makes any object of them. */
static void scidev_check_types(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(scidev_types); i++) {
        const SCIDevType *built = &scidev_types[i];
        ObjectClass *klass = object_class_by_name(built->name);
        const SCIDevTypeHead *runs = klass ? (const void *)klass->type : NULL;

        if (!runs || runs->name != object_class_get_name(klass)) {
            scidev_refuse("and cannot tell the size of '%s' in this one",
                          built->name);
        }
        if ((built->class_size && runs->class_size != built->class_size) ||
            runs->instance_size != built->instance_size) {
            scidev_refuse("where '%s' has %zu bytes and its class %zu, in this "
                          "one they have %zu and %zu", built->name,
                          built->instance_size, built->class_size,
                          runs->instance_size, runs->class_size);
        }
    }
}

/* Before any other constructor of this object, and before QEMU's main(). */
static void __attribute__((constructor(101))) scidev_check_version(void)
{
    g_autoptr(VersionInfo) runs = qmp_query_version(NULL);

    scidev_leave_environment();
    if (runs->qemu->major != QEMU_VERSION_MAJOR ||
        runs->qemu->minor != QEMU_VERSION_MINOR) {
        scidev_refuse("this one is %" PRId64 ".%" PRId64 ".%" PRId64,
                      runs->qemu->major, runs->qemu->minor, runs->qemu->micro);
    }
    register_module_init(scidev_check_types, MODULE_INIT_MIGRATION);
}
