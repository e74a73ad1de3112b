/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sci device as QEMU's user sees it: what is refused and with which words,
 * hot-plug and unplug, the largest window, migration.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "qemu/osdep.h"
#include "qobject/qdict.h"
#include "scitest.h"
#include "hw/pci/pci_regs.h"

#define RW	(SCI_ATT_READ | SCI_ATT_WRITE)
#define IN_RW	(SCI_INBOUND_READ | SCI_INBOUND_WRITE)
#define PAGE	3

#define ACPI_PCIHP_EJECT	0xae08
#define SLOT			4

/* A machine whose memory has the configuration space of its devices in it. */
#define ECAM_REG		0x60		/* of the host bridge */
#define ECAM			0xb0000000u
#define PORT_DEVFN		(3 << 3)
#define PORT_CSR		0xe0000000u	/* where the port's only device has BAR 0 */

/* Run QEMU until it ends by itself or by "quit"; returns its standard error. */
static char *run_qemu(const char *args, bool *failed)
{
	g_autofree char *command = g_strdup_printf("sh -c 'echo quit | %s -display none "
						   "-monitor stdio %s'",
						   getenv("QTEST_QEMU_BINARY"), args);
	g_autofree char *out = NULL;
	char *err = NULL;
	int status;

	g_assert_true(g_spawn_command_line_sync(command, &out, &err, &status, NULL));
	*failed = WIFEXITED(status) && WEXITSTATUS(status) == 1;
	return err;
}

static void assert_refused(const char *machine, const char *properties, const char *message)
{
	g_autofree char *args = g_strdup_printf("%s -accel qtest -device sci,%s", machine,
						properties);
	bool failed;
	g_autofree char *err = run_qemu(args, &failed);

	g_test_message("%s", properties);
	if (!failed || !strstr(err, message))
		g_test_message("%s", err);
	g_assert_true(failed);
	g_assert_nonnull(strstr(err, message));
}

static void bad_properties_are_refused(void)
{
	static const struct {
		const char *properties, *message;
	} bad[] = {
		{ "node-id=1", "'fabric' is missing" },
		{ "node-id=1,fabric=", "'fabric' is missing" },
		{ "fabric=%s", "'node-id' must be 1 to 255" },
		{ "fabric=%s,node-id=0", "'node-id' must be 1 to 255" },
		{ "fabric=%s,node-id=256", "'node-id' must be 1 to 255" },
		{ "fabric=%s,node-id=1,window-size=8M", "'window-size' must be a power of two" },
		{ "fabric=%s,node-id=1,window-size=100M", "'window-size' must be a power of two" },
		{ "fabric=%s,node-id=1,window-size=128G", "'window-size' must be a power of two" },
		{ "fabric=%s,node-id=1,window-size=0", "'window-size' must be a power of two" },
		{ "fabric=%s,node-id=1,lines=0", "'lines' must be 1 to 128" },
		{ "fabric=%s,node-id=1,lines=129", "'lines' must be 1 to 128" },
		{ "fabric=%s/no/such,node-id=1", "cannot join fabric" },
	};
	g_autofree char *machine = sci_machine_args();

	for (unsigned int i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_auto(GStrv) parts = g_strsplit(bad[i].properties, "%s", 2);
		g_autofree char *properties = g_strjoinv(sci_fabric(), parts);

		assert_refused(machine, properties, bad[i].message);
	}
	sci_cleanup();
}

static void ram_that_is_not_shared_is_refused(void)
{
	g_autofree char *shared = sci_machine_args();
	g_auto(GStrv) parts = g_strsplit(shared, "share=on", 2);
	g_autofree char *private = g_strjoinv("share=off", parts);
	g_autofree char *properties = g_strdup_printf("fabric=%s,node-id=1", sci_fabric());

	assert_refused(private, properties,
		       "-object memory-backend-memfd,id=ram0,size=SIZE,share=on "
		       "-machine memory-backend=ram0");
	sci_cleanup();
}

/* RAM of which every peer would drop the node, or that would hang it. */
static void ram_that_peers_cannot_use_is_refused_by_name(void)
{
	static const char machine[] = "-machine pc -nodefaults -smp 1,maxcpus=2 -m 64 ";
	static const struct {
		const char *ram, *message;
	} bad[] = {
		{ "-object memory-backend-memfd,id=half0,size=32M,share=on "
		  "-object memory-backend-ram,id=half1,size=32M "
		  "-numa node,memdev=half0 -numa node,memdev=half1",
		  "guest RAM at 0x2000000 to 0x3ffffff (memory backend 'half1') is not shared" },
		{ "-object memory-backend-memfd,id=soft,size=64M,share=on,seal=off "
		  "-machine memory-backend=soft", "(memory backend 'soft') is not sealed" },
		{ "-object memory-backend-file,id=file,size=64M,share=on,mem-path=%s/ram "
		  "-machine memory-backend=file", "(memory backend 'file') is a file" },
		{ "-object memory-backend-file,id=shm,size=64M,share=on,"
		  "mem-path=/dev/shm,discard-data=on "
		  "-machine memory-backend=shm", "(memory backend 'shm') is a file" },
		{ "", "(memory backend 'pc.ram') is not shared" },
	};
	g_autofree char *properties = g_strdup_printf("fabric=%s,node-id=1", sci_fabric());
	g_autofree char *bios = sci_machine_args();	/* makes the file */

	for (unsigned int i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_auto(GStrv) parts = g_strsplit(bad[i].ram, "%s", 2);
		g_autofree char *ram = g_strjoinv(sci_fabric(), parts);
		g_autofree char *args = g_strdup_printf("%s %s -bios %s/bios.bin", machine, ram,
							sci_fabric());

		assert_refused(args, properties, bad[i].message);
	}
	sci_cleanup();
}

#define HOTPLUG_MACHINE							\
	"-machine pc,memory-backend=ram0,nvdimm=on -m 64,slots=2,maxmem=1G " \
	"-nodefaults -smp 1,maxcpus=2 -global apic-common.vapic=off "		\
	"-object memory-backend-memfd,id=ram0,size=64M,share=on -bios %s/bios.bin "

static void persistent_memory_is_left_out(void)
{
	g_autofree char *bios = sci_machine_args();
	g_autofree char *machine = g_strdup_printf(HOTPLUG_MACHINE
		"-object memory-backend-file,id=nv,size=2M,share=on,mem-path=%s/nv "
		"-device nvdimm,memdev=nv", sci_fabric(), sci_fabric());
	struct sci_node *n = sci_start_machine(1, machine, NULL);

	sci_enable(n);
	/* Where DIMMs begin. */
	sci_export(n, 0, 0x100000000ull, IN_RW, SCI_KEY, SCI_ROW_ALL);
	g_assert_cmpuint(sci_map(n, 0, 1, 0, RW), ==, SCI_ATT_ST_NO_PAGE);
	sci_cleanup();
}

#define MEMORY_HOTPLUG	0x0a00

/* What was plugged in its place is not what peers would reach. */
static void memory_that_is_unplugged_is_taken_back(void)
{
	g_autofree char *bios = sci_machine_args();
	g_autofree char *machine = g_strdup_printf(HOTPLUG_MACHINE
		"-object memory-backend-memfd,id=old,size=128M,share=on "
		"-device pc-dimm,id=dimm,memdev=old", sci_fabric());
	struct sci_node *ex = sci_start_machine(1, machine, NULL), *im = sci_start(2, NULL);
	const uint64_t dimm = 0x100000000ull;

	sci_enable(ex);
	sci_enable(im);
	sci_wait_link(im, 1, SCI_LINK_UP);
	sci_export(ex, PAGE, dimm, IN_RW, SCI_KEY, SCI_ROW_ALL);
	sci_export(ex, PAGE + 1, SCI_DATA_BASE, IN_RW, SCI_KEY, SCI_ROW_ALL);
	g_assert_cmpuint(sci_map(im, 0, 1, PAGE, RW), ==, SCI_ATT_ST_MAPPED);
	g_assert_cmpuint(sci_map(im, 1, 1, PAGE + 1, RW), ==, SCI_ATT_ST_MAPPED);
	sci_store(im, 0, 1);
	g_assert_cmphex(sci_ram_load(ex, dimm), ==, 1);

	qtest_qmp_assert_success(ex->qts, "{'execute': 'device_del', 'arguments': "
				 "{'id': 'dimm'}}");
	/* The guest's part: select the slot, eject it. */
	qtest_outl(ex->qts, MEMORY_HOTPLUG, 0);
	qtest_outb(ex->qts, MEMORY_HOTPLUG + 0x14, 1 << 3);
	qtest_qmp_eventwait(ex->qts, "DEVICE_DELETED");
	sci_wait(sci_state(im, 0) == SCI_ATT_ST_REVOKED);
	g_assert_cmpuint(sci_state(im, 1), ==, SCI_ATT_ST_MAPPED);

	qtest_qmp_assert_success(ex->qts, "{'execute': 'object-add', 'arguments': {'qom-type': "
				 "'memory-backend-memfd', 'id': 'new', 'size': 134217728, "
				 "'share': true}}");
	qtest_qmp_assert_success(ex->qts, "{'execute': 'device_add', 'arguments': {'driver': "
				 "'pc-dimm', 'id': 'dimm2', 'memdev': 'new'}}");
	sci_ram_store(ex, dimm, 7);
	g_assert_cmpuint(sci_map(im, 0, 1, PAGE, RW), ==, SCI_ATT_ST_NO_PAGE);
	g_assert_cmpuint(sci_map(im, 1, 1, PAGE + 1, RW), ==, SCI_ATT_ST_MAPPED);
	sci_cleanup();
}

/* No vCPU runs beside another one, so TCG makes atomic instructions plain. */
static void vcpus_that_run_in_turn_are_refused(void)
{
	static const char *const accel[] = {
		"-accel tcg,thread=single", "-accel tcg -icount shift=auto",
	};
	g_autofree char *machine = sci_machine_args();

	for (unsigned int i = 0; i < G_N_ELEMENTS(accel) && qtest_has_accel("tcg"); i++) {
		for (unsigned int allowed = 0; allowed < 2; allowed++) {
			g_autofree char *args =
				g_strdup_printf("%s -S %s -device sci,fabric=%s,node-id=1%s",
						machine, accel[i], sci_fabric(),
						allowed ? ",allow-lost-atomics=on" : "");
			bool failed;
			g_autofree char *err = run_qemu(args, &failed);

			g_test_message("%s", err);
			g_assert_cmpint(failed, ==, !allowed);
			g_assert_nonnull(strstr(err, "vCPUs run in turn"));
		}
	}
	sci_cleanup();
}

static void a_node_id_that_is_taken_is_refused(void)
{
	g_autofree char *machine = sci_machine_args();
	g_autofree char *properties = g_strdup_printf("fabric=%s,node-id=9", sci_fabric());

	sci_start(9, NULL);
	assert_refused(machine, properties, "already running");
	sci_cleanup();
}

static void tcg_with_one_vcpu_is_warned_about(void)
{
	g_autofree char *machine = sci_machine_args();
	g_autofree char *good = g_strdup_printf("%s -S -accel tcg -device sci,fabric=%s,node-id=1",
						machine, sci_fabric());
	g_auto(GStrv) parts = g_strsplit(good, "maxcpus=2", 2);
	g_autofree char *bad = g_strjoinv("maxcpus=1", parts);
	g_autofree char *bad_err = NULL, *good_err = NULL;
	bool failed;

	if (!qtest_has_accel("tcg")) {
		g_test_skip("QEMU was built without TCG");
		sci_cleanup();
		return;
	}
	bad_err = run_qemu(bad, &failed);
	g_assert_false(failed);
	g_assert_nonnull(strstr(bad_err, "use -smp 1,maxcpus=2"));
	good_err = run_qemu(good, &failed);
	g_assert_false(failed);
	g_assert_null(strstr(good_err, "maxcpus"));
	sci_cleanup();
}

static void migration_is_blocked_with_a_reason(void)
{
	struct sci_node *n = sci_start(1, NULL);
	QDict *reply = qtest_qmp(n->qts, "{'execute': 'migrate', 'arguments': "
				 "{'uri': 'exec:cat > /dev/null'}}");
	QDict *error = qdict_get_qdict(reply, "error");

	g_assert_nonnull(error);
	g_assert_nonnull(strstr(qdict_get_str(error, "desc"), "'sci' cannot be migrated"));
	qobject_unref(reply);
	sci_cleanup();
}

static void largest_window_maps_at_both_ends(void)
{
	struct sci_node *n = sci_start(1, "window-size=64G");
	uint64_t last = (64ull << 30) - (64ull << 30) / SCI_ATT_ENTRIES;

	g_assert_cmphex(sci_get64(n, SCI_REG_WINDOW_SIZE_LO), ==, 64ull << 30);
	g_assert_cmphex(sci_granule(n), ==, 16 << 20);
	sci_enable(n);
	for (unsigned int i = 0; i < 4096; i++)
		sci_export(n, i, SCI_DATA_BASE + i * SCI_PAGE_SIZE, IN_RW, SCI_KEY, SCI_ROW_ALL);
	for (unsigned int i = 0; i < SCI_ATT_ENTRIES; i += SCI_ATT_ENTRIES - 1)
		sci_entry(n, i, 1, 0, RW | SCI_ATT_VALID, SCI_KEY, 4096);
	g_assert_cmpuint(sci_commit(n, 0, SCI_ATT_ENTRIES, sci_get(n, SCI_REG_INCARNATION)), ==, 0);
	sci_store(n, last + (16 << 20) - 8, 0x77);
	g_assert_cmphex(sci_ram_load(n, SCI_DATA_BASE + (16 << 20) - 8), ==, 0x77);
	g_assert_cmphex(sci_load(n, (16 << 20) - 8), ==, 0x77);
	g_assert_cmphex(sci_load(n, 16 << 20), ==, 0);
	sci_cleanup();
}

static void unplug(struct sci_node *n)
{
	qtest_qmp_device_del_send(n->qts, "sci");
	/* The guest's part: eject the slot. */
	qtest_outl(n->qts, ACPI_PCIHP_EJECT, 1 << SLOT);
	qtest_qmp_eventwait(n->qts, "DEVICE_DELETED");
}

static void plug(struct sci_node *n)
{
	qtest_qmp_assert_success(n->qts, "{'execute': 'device_add', 'arguments': "
				 "{'driver': 'sci', 'id': 'sci', 'addr': '4.0', 'fabric': %s, "
				 "'node-id': %u}}", sci_fabric(), n->id);
	sci_setup(n);
}

static void unplug_of_the_exporter_revokes(void)
{
	struct sci_node *ex = sci_start(1, NULL), *im = sci_start(2, NULL);

	for (unsigned int round = 0; round < 3; round++) {
		sci_enable(ex);
		sci_enable(im);
		sci_wait_link(im, 1, SCI_LINK_UP);
		sci_export(ex, PAGE, SCI_DATA_BASE, IN_RW, SCI_KEY, SCI_ROW_ALL);
		g_assert_cmpuint(sci_map(im, 0, 1, PAGE, RW), ==, SCI_ATT_ST_MAPPED);
		sci_store(im, 0, round);
		unplug(ex);
		/* The machine waits until the peers have let go. */
		sci_wait(sci_running(ex));
		sci_store(im, 0, 99);
		g_assert_cmphex(sci_ram_load(ex, SCI_DATA_BASE), ==, round);
		sci_wait_link(im, 1, SCI_LINK_ABSENT);
		g_assert_cmpuint(sci_state(im, 0), ==, SCI_ATT_ST_PEER_LOST);
		plug(ex);
		sci_wait_link(im, 1, SCI_LINK_PRESENT);
	}
	sci_cleanup();
}

/* With TCG the device changes the topology later; @arguments follow the device's. */
static void unplug_of_the_importer_lets_go(gconstpointer arguments)
{
	struct sci_node *ex = sci_start(1, NULL), *im = sci_start(2, arguments);

	for (unsigned int round = 0; round < 3; round++) {
		sci_enable(ex);
		sci_enable(im);
		sci_wait_link(im, 1, SCI_LINK_UP);
		sci_export(ex, PAGE, SCI_DATA_BASE, IN_RW, SCI_KEY, SCI_ROW_ALL);
		for (unsigned int i = 0; i < 64; i += 2)
			g_assert_cmpuint(sci_map(im, i, 1, PAGE, RW), ==, SCI_ATT_ST_MAPPED);
		unplug(im);
		sci_wait_link(ex, 2, SCI_LINK_ABSENT);
		sci_invalidate(ex, PAGE, 1);
		g_assert_cmphex(sci_get(ex, SCI_REG_STATUS) & SCI_STATUS_INVAL_BUSY, ==, 0);
		plug(im);
		sci_wait_link(ex, 2, SCI_LINK_PRESENT);
	}
	sci_cleanup();
}

/* Its memory is no longer anybody's to take back, but a peer still has it. */
static void after_an_unplug_the_vcpus_wait_for_a_stopped_peer(void)
{
	struct sci_node *ex = sci_start(1, NULL), *im = sci_start(2, NULL);

	sci_enable(ex);
	sci_enable(im);
	sci_wait_link(im, 1, SCI_LINK_UP);
	sci_export(ex, PAGE, SCI_DATA_BASE, IN_RW, SCI_KEY, SCI_ROW_ALL);
	g_assert_cmpuint(sci_map(im, 0, 1, PAGE, RW), ==, SCI_ATT_ST_MAPPED);
	sci_freeze(im);
	unplug(ex);
	sci_wait(!sci_running(ex));
	qtest_qmp_assert_success(ex->qts, "{'execute': 'cont'}");
	g_assert_false(sci_running(ex));
	sci_thaw(im);
	sci_wait(sci_running(ex));
	sci_wait_link(im, 1, SCI_LINK_ABSENT);
	sci_store(im, 0, 99);
	g_assert_cmphex(sci_ram_load(ex, SCI_DATA_BASE), ==, 0);
	plug(ex);
	sci_wait_link(im, 1, SCI_LINK_PRESENT);
	sci_cleanup();
}

static void a_failed_hot_plug_leaves_qemu_running(void)
{
	struct sci_node *a = sci_start(1, NULL), *b = sci_start(2, NULL);
	QDict *error;

	unplug(a);
	error = qtest_qmp_assert_failure_ref(a->qts, "{'execute': 'device_add', 'arguments': "
					     "{'driver': 'sci', 'id': 'sci', 'addr': '4.0', "
					     "'fabric': %s, 'node-id': 2}}", sci_fabric());
	g_assert_nonnull(strstr(qdict_get_str(error, "desc"), "already running"));
	qobject_unref(error);
	plug(a);
	sci_enable(a);
	sci_enable(b);
	sci_wait_link(a, 2, SCI_LINK_UP);
	sci_cleanup();
}

static void config_set(QTestState *qts, unsigned int bus, unsigned int devfn, unsigned int reg,
		       uint32_t val)
{
	qtest_outl(qts, 0xcf8, 1u << 31 | bus << 16 | devfn << 8 | reg);
	qtest_outl(qts, 0xcfc, val);
}

static uint32_t config_get(QTestState *qts, unsigned int bus, unsigned int devfn, unsigned int reg)
{
	qtest_outl(qts, 0xcf8, 1u << 31 | bus << 16 | devfn << 8 | reg);
	return qtest_inl(qts, 0xcfc);
}

static unsigned int capability(QTestState *qts, unsigned int bus, unsigned int devfn, uint8_t id)
{
	unsigned int pos = config_get(qts, bus, devfn, PCI_CAPABILITY_LIST) & 0xff;

	while (pos && (config_get(qts, bus, devfn, pos) & 0xff) != id)
		pos = config_get(qts, bus, devfn, pos) >> 8 & 0xff;
	g_assert_cmpuint(pos, !=, 0);
	return pos;
}

/* The status interrupt of the device below the port becomes a write to the port's SLTCTL. */
static void aim_at_the_slot(QTestState *qts)
{
	unsigned int slot, msix;
	uint64_t entry = PORT_CSR + SCI_MSIX_TABLE;

	config_set(qts, 0, 0, ECAM_REG, ECAM | 1);
	config_set(qts, 0, PORT_DEVFN, PCI_PRIMARY_BUS, 1 << 16 | 1 << 8);
	config_set(qts, 0, PORT_DEVFN, PCI_MEMORY_BASE, PORT_CSR >> 16 | PORT_CSR);
	config_set(qts, 0, PORT_DEVFN, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	config_set(qts, 1, 0, PCI_BASE_ADDRESS_0, PORT_CSR);
	config_set(qts, 1, 0, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	slot = capability(qts, 0, PORT_DEVFN, PCI_CAP_ID_EXP) + PCI_EXP_SLTCTL;
	msix = capability(qts, 1, 0, PCI_CAP_ID_MSIX);

	qtest_writel(qts, entry + PCI_MSIX_ENTRY_LOWER_ADDR, ECAM | PORT_DEVFN << 12 | slot);
	qtest_writel(qts, entry + PCI_MSIX_ENTRY_UPPER_ADDR, 0);
	qtest_writel(qts, entry + PCI_MSIX_ENTRY_DATA, PCI_EXP_SLTCTL_PCC | PCI_EXP_SLTCTL_PIC);
	qtest_writel(qts, entry + PCI_MSIX_ENTRY_VECTOR_CTRL, 0);
	config_set(qts, 1, 0, msix,
		   config_get(qts, 1, 0, msix) | (uint32_t)PCI_MSIX_FLAGS_ENABLE << 16);
	qtest_writel(qts, PORT_CSR + SCI_REG_INT_MASK, SCI_INT_PEER);
}

/* The device goes with its own interrupt: at its own doing, or at that of a peer. */
static void an_interrupt_may_unplug_its_device(void)
{
	for (unsigned int by_peer = 0; by_peer < 2; by_peer++) {
		g_autofree char *pc = sci_machine_args();
		g_auto(GStrv) parts = g_strsplit(pc, "-machine pc,", 2);
		g_autofree char *machine = g_strjoinv("-machine q35,", parts);
		/* Slots are the ports' matter, not that of ACPI. */
		QTestState *qts = qtest_initf("%s -global "
					      "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off "
					      "-device pcie-root-port,id=below,addr=3.0,chassis=1 "
					      "-device sci,id=sci,bus=below,fabric=%s,node-id=1",
					      machine, sci_fabric());

		aim_at_the_slot(qts);
		if (by_peer)
			sci_start(2, NULL);
		else
			qtest_writel(qts, PORT_CSR + SCI_REG_CONTROL, SCI_CONTROL_ENABLE);
		qtest_qmp_eventwait(qts, "DEVICE_DELETED");
		g_assert_cmphex(config_get(qts, 1, 0, PCI_VENDOR_ID), ==, UINT32_MAX);
		/* It has left the fabric, too. */
		sci_start(1, NULL);
		sci_cleanup();
		qtest_quit(qts);
	}
}

#define ADD(test) qtest_add_func("/sci/device/" #test, test)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD(bad_properties_are_refused);
	ADD(ram_that_is_not_shared_is_refused);
	ADD(ram_that_peers_cannot_use_is_refused_by_name);
	ADD(persistent_memory_is_left_out);
	ADD(memory_that_is_unplugged_is_taken_back);
	ADD(vcpus_that_run_in_turn_are_refused);
	ADD(a_node_id_that_is_taken_is_refused);
	ADD(tcg_with_one_vcpu_is_warned_about);
	ADD(migration_is_blocked_with_a_reason);
	ADD(largest_window_maps_at_both_ends);
	ADD(unplug_of_the_exporter_revokes);
	qtest_add_data_func("/sci/device/unplug_of_the_importer_lets_go/qtest", NULL,
			    unplug_of_the_importer_lets_go);
	if (qtest_has_accel("tcg"))
		qtest_add_data_func("/sci/device/unplug_of_the_importer_lets_go/tcg",
				    "lines=32 -accel tcg -S", unplug_of_the_importer_lets_go);
	ADD(after_an_unplug_the_vcpus_wait_for_a_stopped_peer);
	ADD(a_failed_hot_plug_leaves_qemu_running);
	if (qtest_has_machine("q35"))
		ADD(an_interrupt_may_unplug_its_device);
	return g_test_run();
}
