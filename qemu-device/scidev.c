/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The `sci` adapter as a QEMU device: properties, life and reset.  Everything
 * that happens in between is in the other parts.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/module.h"
#include "qemu/units.h"
#include "hw/pci/msix.h"
#include "migration/blocker.h"
#include "system/system.h"
#include "system/tcg.h"
#include "scidev.h"
#include "trace.h"

/* The registers as the specification's reset column has them. */
static void scidev_reset_registers(SCIDev *s)
{
    s->control = 0;
    s->incarnation = 0;
    s->att_failed = 0;
    s->inbound_base = 0;
    s->inbound_count = 0;
    s->access_count = 0;
    s->access_base = 0;
    s->inval_first = 0;
    s->inval_count = 0;
    s->trap_reads = 0;
    s->trap_writes = 0;
    scidev_status_reset(s);
    scidev_slots_refresh(s);
    /* Last, as the above sets bits. */
    memset(s->peer_event, 0, sizeof(s->peer_event));
    s->error = 0;
    s->int_cause = 0;
}

void scidev_reset(SCIDev *s)
{
    trace_scidev_reset(s->node_id);
    scidev_lock(s->lock);
    s->int_mask = 0;
    if (s->fabric) {
        scidev_disable(s);
        s->inval_silent = s->inval_busy;
    }
    scidev_topology_clear(s);
    scidev_att_reset(s);
    scidev_reset_registers(s);
    scidev_unlock(s->lock);
    scidev_window_discard(s);
    scidev_topology_update(s);
    if (s->fabric && s->reset_waits) {
        /* Peers may be storing into RAM that will be used anew. */
        scidev_member_hold(s);
    }
}

static void scidev_reset_hold(Object *obj, ResetType type)
{
    SCIDev *s = SCIDEV(obj);

    scidev_eventfd_msix_off(s);
    scidev_reset(s);
}

static void scidev_config_write(PCIDevice *pdev, uint32_t addr, uint32_t val,
                                int len)
{
    bool enabled = msix_enabled(pdev);

    pci_default_write_config(pdev, addr, val, len);
    if (enabled && !msix_enabled(pdev)) {
        scidev_eventfd_msix_off(SCIDEV(pdev));
    }
}

static bool scidev_check_properties(SCIDev *s, Error **errp)
{
    ERRP_GUARD();

    if (!s->fabric_dir || !*s->fabric_dir) {
        error_setg(errp, "property 'fabric' is missing");
        error_append_hint(errp,
                          "Name a directory that all nodes of the fabric use: "
                          "-device sci,fabric=DIR,node-id=N\n");
        return false;
    }
    if (s->node_id < SCI_NODE_MIN || s->node_id > SCI_NODE_MAX) {
        error_setg(errp, "property 'node-id' must be %d to %d", SCI_NODE_MIN,
                   SCI_NODE_MAX);
        error_append_hint(errp,
                          "Give each node of the fabric its own number.\n");
        return false;
    }
    if (!is_power_of_2(s->window_size) || s->window_size < SCI_WINDOW_MIN ||
        s->window_size > SCI_WINDOW_MAX) {
        error_setg(errp, "property 'window-size' must be a power of two from "
                         "16 MiB to 64 GiB");
        error_append_hint(errp, "For example window-size=256M.\n");
        return false;
    }
    if (s->lines < 1 || s->lines > SCI_LINES_MAX) {
        error_setg(errp, "property 'lines' must be 1 to %d", SCI_LINES_MAX);
        error_append_hint(errp,
                          "Each line is an interrupt vector of this node.\n");
        return false;
    }
    if (test_bit(s->node_id, s->links_down)) {
        error_setg(errp, "property 'links-down' names the node itself");
        return false;
    }
    if (qemu_real_host_page_size() != SCI_PAGE_SIZE) {
        error_setg(errp, "the host must have pages of %d bytes", SCI_PAGE_SIZE);
        return false;
    }
    return true;
}

/* What does not go together with pages that come and go under the guest. */
static bool scidev_block(SCIDev *s, Error **errp)
{
    FabricConfig config;
    int ret;

    if (!scidev_ram_collect(s, &config, errp)) {
        return false;
    }
    ret = ram_block_discard_require(true);
    if (ret < 0) {
        error_setg_errno(
            errp, -ret,
            "the window cannot be used together with devices that pin "
            "guest memory (VFIO)");
        return false;
    }
    s->discard_required = true;
    error_setg(&s->migration_blocker,
               "device 'sci' cannot be migrated: other machines have "
               "mapped this machine's memory");
    return migrate_add_blocker(&s->migration_blocker, errp) == 0;
}

/*
 * Atomic instructions of a guest are atomic for other machines only if TCG
 * makes them atomic for the host, which it does for vCPUs that run at the same
 * time.
 */
static bool scidev_check_atomics(SCIDev *s, Error **errp)
{
    ERRP_GUARD();

    if (!tcg_enabled() || qemu_tcg_mttcg_enabled()) {
        return true;
    }
    if (s->allow_lost_atomics) {
        warn_report("sci: node %u: vCPUs run in turn, so updates of memory "
                    "shared with other nodes by atomic instructions get lost",
                    s->node_id);
        return true;
    }
    error_setg(errp, "vCPUs run in turn (-icount, -accel tcg,thread=single, or "
               "record and replay), so updates of memory shared with other "
               "nodes by atomic instructions would get lost");
    error_append_hint(errp, "Use -accel tcg,thread=multi without -icount, or "
                      "allow-lost-atomics=on for the device.\n");
    return false;
}

static void scidev_warn(SCIDev *s)
{
    if (tcg_enabled() && current_machine->smp.max_cpus == 1) {
        warn_report("sci: node %u: with one possible vCPU, TCG makes atomic "
                    "instructions plain "
                    "and updates of memory shared with other nodes get lost; "
                    "use -smp 1,maxcpus=2",
                    s->node_id);
    }
}

/* All RAM is in place now and no vCPU has run. */
static void scidev_machine_done(Notifier *notifier, void *data)
{
    SCIDev *s = container_of(notifier, SCIDev, machine_done);
    Error *err = NULL;

    if (!scidev_fabric_attach(s, &err)) {
        error_reportf_err(err, "-device sci: ");
        exit(EXIT_FAILURE);
    }
}

static bool scidev_attach(SCIDev *s, Error **errp)
{
    if (phase_check(PHASE_MACHINE_READY)) {
        return scidev_fabric_attach(s, errp);
    }
    s->machine_done.notify = scidev_machine_done;
    qemu_add_machine_init_done_notifier(&s->machine_done);
    return true;
}

/* Undoes realize, also one that failed half-way. */
static void scidev_exit(PCIDevice *pdev)
{
    SCIDev *s = SCIDEV(pdev);

    if (s->machine_done.notify) {
        qemu_remove_machine_init_done_notifier(&s->machine_done);
        s->machine_done.notify = NULL;
    }
    scidev_fabric_detach(s);
    scidev_eventfd_exit(s);
    scidev_lines_exit(s);
    scidev_irq_exit(s);
    scidev_window_exit(s);
    scidev_status_exit(s);
    scidev_inbound_exit(s);
    scidev_member_end(s);
    migrate_del_blocker(&s->migration_blocker);
    if (s->discard_required) {
        ram_block_discard_require(false);
        s->discard_required = false;
    }
}

static void scidev_realize(PCIDevice *pdev, Error **errp)
{
    SCIDev *s = SCIDEV(pdev);

    if (!scidev_check_properties(s, errp)) {
        return;
    }
    memory_region_init_io(&s->csr, OBJECT(s), &scidev_csr_ops, s, "sci-csr",
                          SCI_CSR_SIZE);
    pci_register_bar(pdev, SCI_BAR_CSR, PCI_BASE_ADDRESS_SPACE_MEMORY, &s->csr);
    if (!scidev_check_atomics(s, errp) || !scidev_block(s, errp) ||
        !scidev_member_new(s, errp) || !scidev_window_init(s, errp) ||
        !scidev_status_init(s, errp) || !scidev_irq_init(s, errp)) {
        scidev_exit(pdev);
        return;
    }
    scidev_inbound_init(s);
    scidev_lines_init(s);
    scidev_eventfd_init(s);
    scidev_reset(s);
    if (!scidev_attach(s, errp)) {
        scidev_exit(pdev);
        return;
    }
    scidev_warn(s);
}

static void scidev_instance_init(Object *obj)
{
    scidev_link_init(SCIDEV(obj));
}

static void scidev_instance_finalize(Object *obj)
{
    scidev_window_finalize(SCIDEV(obj));
}

static const Property scidev_properties[] = {
    DEFINE_PROP_STRING("fabric", SCIDev, fabric_dir),
    DEFINE_PROP_UINT32("node-id", SCIDev, node_id, 0),
    DEFINE_PROP_SIZE("window-size", SCIDev, window_size, 256 * MiB),
    DEFINE_PROP_UINT32("lines", SCIDev, lines, 32),
    DEFINE_PROP_BOOL("ioeventfd", SCIDev, ioeventfd, true),
    DEFINE_PROP_BOOL("allow-lost-atomics", SCIDev, allow_lost_atomics, false),
    DEFINE_PROP_LINK("iothread", SCIDev, iothread, TYPE_IOTHREAD, IOThread *),
};

static void scidev_class_init(ObjectClass *klass, SCIDevClassData *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    PCIDeviceClass *pc = PCI_DEVICE_CLASS(klass);
    ResettableClass *rc = RESETTABLE_CLASS(klass);

    pc->realize = scidev_realize;
    pc->exit = scidev_exit;
    pc->config_write = scidev_config_write;
    pc->vendor_id = SCI_PCI_VENDOR_ID;
    pc->device_id = SCI_PCI_DEVICE_ID;
    pc->revision = SCI_PCI_REVISION;
    pc->class_id = SCI_PCI_CLASS;
    rc->phases.hold = scidev_reset_hold;
    dc->desc = "SCI adapter: memory shared between machines";
    device_class_set_props(dc, scidev_properties);
    scidev_link_class_init(klass);
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
}

static const TypeInfo scidev_info = {
    .name = TYPE_SCIDEV,
    .parent = TYPE_PCI_DEVICE,
    .instance_size = sizeof(SCIDev),
    .instance_init = scidev_instance_init,
    .instance_finalize = scidev_instance_finalize,
    .class_init = scidev_class_init,
    .interfaces = (InterfaceInfo[]) {
        { INTERFACE_CONVENTIONAL_PCI_DEVICE },
        { },
    },
};

static void scidev_register_types(void)
{
    type_register_static(&scidev_info);
}

type_init(scidev_register_types)
