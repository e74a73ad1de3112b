/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The harness of the qtests; see scitest.h.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "qemu/osdep.h"
#include <glib/gstdio.h>
#include "scitest.h"
#include "hw/pci/pci_regs.h"
#include "qobject/qdict.h"

/* Where the BARs go: outside of RAM, the window aligned for its largest size. */
#define SCI_CSR_ADDR	0xe0000000ull
#define SCI_STATUS_ADDR	0xe0100000ull
#define SCI_WINDOW_ADDR	0x2000000000ull

#define SCI_MSI_DATA	0x51000000u

static char *fabric_dir;
static GPtrArray *nodes;

const char *sci_fabric(void)
{
	if (!fabric_dir) {
		fabric_dir = g_dir_make_tmp("sci-qtest-XXXXXX", NULL);
		g_assert_nonnull(fabric_dir);
	}
	return fabric_dir;
}

char *sci_machine_args(void)
{
	g_autofree char *bios = g_build_filename(sci_fabric(), "bios.bin", NULL);
	g_autofree char *zero = g_malloc0(65536);

	/* A firmware that is never run: no package with a real one is needed. */
	g_assert_true(g_file_set_contents(bios, zero, 65536, NULL));
	return g_strdup_printf("-machine pc,memory-backend=ram0 -m %llu -nodefaults -bios %s "
			       "-smp 1,maxcpus=2 -global apic-common.vapic=off "
			       "-object memory-backend-memfd,id=ram0,size=%lluM,share=on",
			       SCI_RAM_SIZE >> 20, bios, SCI_RAM_SIZE >> 20);
}

struct sci_node *sci_start(unsigned int id, const char *properties)
{
	g_autofree char *machine = sci_machine_args();

	return sci_start_machine(id, machine, properties);
}

struct sci_node *sci_start_machine(unsigned int id, const char *machine, const char *properties)
{
	struct sci_node *n = g_new0(struct sci_node, 1);

	n->id = id;
	n->qts = qtest_initf("%s -device sci,id=sci,addr=4.0,fabric=%s,node-id=%u%s%s", machine,
			     sci_fabric(), id, properties ? "," : "", properties ?: "");
	n->bus = qpci_new_pc(n->qts, NULL);
	if (!nodes)
		nodes = g_ptr_array_new();
	g_ptr_array_add(nodes, n);
	sci_setup(n);
	return n;
}

static void sci_setup_msix(struct sci_node *n)
{
	uint8_t cap = qpci_find_capability(n->pci, PCI_CAP_ID_MSIX, 0);
	uint16_t flags = qpci_config_readw(n->pci, cap + PCI_MSIX_FLAGS);
	unsigned int count = (flags & PCI_MSIX_FLAGS_QSIZE) + 1;

	for (unsigned int i = 0; i < count; i++) {
		uint64_t entry = n->csr + SCI_MSIX_TABLE + i * PCI_MSIX_ENTRY_SIZE;

		qtest_writel(n->qts, SCI_MSI_BASE + 4 * i, 0);
		qtest_writel(n->qts, entry + PCI_MSIX_ENTRY_LOWER_ADDR, SCI_MSI_BASE + 4 * i);
		qtest_writel(n->qts, entry + PCI_MSIX_ENTRY_UPPER_ADDR, 0);
		qtest_writel(n->qts, entry + PCI_MSIX_ENTRY_DATA, SCI_MSI_DATA + i);
		qtest_writel(n->qts, entry + PCI_MSIX_ENTRY_VECTOR_CTRL, 0);
	}
	qpci_config_writew(n->pci, cap + PCI_MSIX_FLAGS, flags | PCI_MSIX_FLAGS_ENABLE);
}

void sci_setup(struct sci_node *n)
{
	g_free(n->pci);
	n->pci = qpci_device_find(n->bus, QPCI_DEVFN(4, 0));
	g_assert_nonnull(n->pci);
	n->csr = SCI_CSR_ADDR;
	n->status = SCI_STATUS_ADDR;
	n->window = SCI_WINDOW_ADDR;
	qpci_config_writel(n->pci, PCI_BASE_ADDRESS_0, n->csr);
	qpci_config_writel(n->pci, PCI_BASE_ADDRESS_2, n->window);
	qpci_config_writel(n->pci, PCI_BASE_ADDRESS_3, n->window >> 32);
	qpci_config_writel(n->pci, PCI_BASE_ADDRESS_4, n->status);
	qpci_config_writel(n->pci, PCI_BASE_ADDRESS_5, n->status >> 32);
	qpci_device_enable(n->pci);
	sci_setup_msix(n);
}

static void sci_free(struct sci_node *n)
{
	g_ptr_array_remove(nodes, n);
	g_free(n->pci);
	if (n->bus)
		qpci_free_pc(n->bus);
	g_free(n);
}

void sci_stop(struct sci_node *n)
{
	qtest_quit(n->qts);
	sci_free(n);
}

void sci_kill(struct sci_node *n)
{
	pid_t pid = qtest_pid(n->qts);

	kill(pid, SIGKILL);
	/* Reaped here, as libqtest takes every signal for a crash. */
	g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);
	g_assert_false(qtest_probe_child(n->qts));
	sci_stop(n);
}

void sci_freeze(struct sci_node *n)
{
	pid_t pid = qtest_pid(n->qts);
	int status;

	kill(pid, SIGSTOP);
	/* Its threads stop one by one. */
	g_assert_cmpint(waitpid(pid, &status, WUNTRACED), ==, pid);
	g_assert_true(WIFSTOPPED(status));
}

void sci_thaw(struct sci_node *n)
{
	kill(qtest_pid(n->qts), SIGCONT);
}

void sci_cleanup(void)
{
	GDir *dir;
	const char *name;

	while (nodes && nodes->len)
		sci_stop(g_ptr_array_index(nodes, nodes->len - 1));
	if (!fabric_dir)
		return;
	dir = g_dir_open(fabric_dir, 0, NULL);
	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(fabric_dir, name, NULL);

		g_unlink(path);
	}
	if (dir)
		g_dir_close(dir);
	g_rmdir(fabric_dir);
	g_clear_pointer(&fabric_dir, g_free);
}

uint32_t sci_get(struct sci_node *n, uint64_t reg)
{
	return qtest_readl(n->qts, n->csr + reg);
}

void sci_set(struct sci_node *n, uint64_t reg, uint32_t val)
{
	qtest_writel(n->qts, n->csr + reg, val);
}

uint64_t sci_get64(struct sci_node *n, uint64_t reg)
{
	return qtest_readq(n->qts, n->csr + reg);
}

void sci_set64(struct sci_node *n, uint64_t reg, uint64_t val)
{
	qtest_writeq(n->qts, n->csr + reg, val);
}

uint64_t sci_load(struct sci_node *n, uint64_t offset)
{
	return qtest_readq(n->qts, n->window + offset);
}

void sci_store(struct sci_node *n, uint64_t offset, uint64_t val)
{
	qtest_writeq(n->qts, n->window + offset, val);
}

uint32_t sci_slot(struct sci_node *n, unsigned int node, size_t field)
{
	return qtest_readl(n->qts, n->status + SCI_STATUS_SLOT(node) + field);
}

uint64_t sci_ram_load(struct sci_node *n, uint64_t addr)
{
	return qtest_readq(n->qts, addr);
}

void sci_ram_store(struct sci_node *n, uint64_t addr, uint64_t val)
{
	qtest_writeq(n->qts, addr, val);
}

uint32_t sci_errors(struct sci_node *n)
{
	uint32_t errors = sci_get(n, SCI_REG_ERROR);

	sci_set(n, SCI_REG_ERROR, errors);
	return errors;
}

bool sci_interrupted(struct sci_node *n, unsigned int vector)
{
	uint32_t data = qtest_readl(n->qts, SCI_MSI_BASE + 4 * vector);

	if (data == 0)
		return false;	/* One that comes now stays for the next call. */
	g_assert_cmphex(data, ==, SCI_MSI_DATA + vector);
	qtest_writel(n->qts, SCI_MSI_BASE + 4 * vector, 0);
	return true;
}

void sci_mask_vector(struct sci_node *n, unsigned int vector, bool mask)
{
	sci_set(n, SCI_MSIX_TABLE + vector * PCI_MSIX_ENTRY_SIZE + PCI_MSIX_ENTRY_VECTOR_CTRL,
		mask ? PCI_MSIX_ENTRY_CTRL_MASKBIT : 0);
}

bool sci_vector_pending(struct sci_node *n, unsigned int vector)
{
	return sci_get(n, SCI_MSIX_PBA + vector / 32 * 4) >> (vector % 32) & 1;
}

uint32_t sci_enable(struct sci_node *n)
{
	g_autofree uint8_t *zero = g_malloc0(SCI_LEAF_BASE - SCI_DIR_BASE);
	struct sci_access_row all;

	memset(&all, 0xff, sizeof(all));
	qtest_memwrite(n->qts, SCI_DIR_BASE, zero, SCI_LEAF_BASE - SCI_DIR_BASE);
	qtest_memwrite(n->qts, SCI_ACCESS_BASE + SCI_ROW_ALL * sizeof(all), &all, sizeof(all));
	sci_set64(n, SCI_REG_INBOUND_BASE_LO, SCI_DIR_BASE);
	sci_set64(n, SCI_REG_ACCESS_BASE_LO, SCI_ACCESS_BASE);
	sci_set(n, SCI_REG_INBOUND_COUNT, SCI_DIR_MAX);
	sci_set(n, SCI_REG_ACCESS_COUNT, SCI_ROWS);
	sci_set(n, SCI_REG_CONTROL, SCI_CONTROL_ENABLE | SCI_CONTROL_INBOUND);
	g_assert_cmphex(sci_get(n, SCI_REG_CONTROL), ==,
			SCI_CONTROL_ENABLE | SCI_CONTROL_INBOUND);
	return sci_get(n, SCI_REG_INCARNATION);
}

static uint64_t sci_leaf_entry(uint64_t page)
{
	return SCI_LEAF_BASE + page * sizeof(struct sci_inbound_entry);
}

void sci_export(struct sci_node *n, uint64_t page, uint64_t guest, uint64_t rights,
		uint32_t key, unsigned int row)
{
	uint64_t dir = page / SCI_LEAF_ENTRIES;

	sci_ram_store(n, sci_leaf_entry(page) + 8, key | (uint64_t)row << 32);
	sci_ram_store(n, sci_leaf_entry(page), guest | rights);
	sci_ram_store(n, SCI_DIR_BASE + 8 * dir,
		      (SCI_LEAF_BASE + dir * SCI_LEAF_SIZE) | SCI_DIR_PRESENT);
}

void sci_unexport(struct sci_node *n, uint64_t page)
{
	sci_ram_store(n, sci_leaf_entry(page), 0);
}

void sci_invalidate(struct sci_node *n, uint64_t first, uint64_t count)
{
	sci_set64(n, SCI_REG_INVAL_FIRST_LO, first);
	sci_set64(n, SCI_REG_INVAL_COUNT_LO, count);
	sci_set(n, SCI_REG_INVAL_START, 1);
}

void sci_entry(struct sci_node *n, unsigned int index, unsigned int node, uint64_t page,
	       uint64_t flags, uint32_t key, unsigned int pages)
{
	qtest_writeq(n->qts, sci_att_field(n, index, address),
		     SCI_PUT(SCI_ATT_NODE, (uint64_t)node) | page * SCI_PAGE_SIZE | flags);
	qtest_writel(n->qts, sci_att_field(n, index, key), key);
	qtest_writel(n->qts, sci_att_field(n, index, pages), pages);
}

uint32_t sci_commit(struct sci_node *n, unsigned int first, unsigned int count,
		    uint32_t expect)
{
	for (unsigned int i = first; i < first + count; i++)
		qtest_writel(n->qts, sci_att_field(n, i, expect), expect);
	sci_set(n, SCI_REG_ATT_COMMIT,
		SCI_PUT(SCI_COMMIT_FIRST, first) | SCI_PUT(SCI_COMMIT_COUNT, count));
	return sci_get(n, SCI_REG_ATT_FAILED);
}

unsigned int sci_map(struct sci_node *n, unsigned int index, unsigned int node, uint64_t page,
		     uint64_t flags)
{
	sci_entry(n, index, node, page, flags | SCI_ATT_VALID, SCI_KEY, 1);
	sci_commit(n, index, 1, sci_slot_field(n, node, incarnation));
	return sci_state(n, index);
}

unsigned int sci_state(struct sci_node *n, unsigned int index)
{
	return SCI_GET(SCI_ATT_STATE, qtest_readl(n->qts, sci_att_field(n, index, status)));
}

uint64_t sci_granule(struct sci_node *n)
{
	return sci_get(n, SCI_REG_ATT_GRANULE);
}

void sci_open_line(struct sci_node *n, struct sci_node *to, unsigned int line)
{
	size_t word = offsetof(struct sci_peer_slot, open) + line / 32 * 4;

	sci_set(n, SCI_REG_LINE_OPEN, to->id << 16 | line);
	sci_wait(sci_slot(to, n->id, word) >> (line % 32) & 1);
}

bool sci_running(struct sci_node *n)
{
	QDict *reply = qtest_qmp(n->qts, "{'execute': 'query-status'}");
	bool running = qdict_get_bool(qdict_get_qdict(reply, "return"), "running");

	qobject_unref(reply);
	return running;
}

void sci_wait_link(struct sci_node *n, unsigned int node, uint32_t link)
{
	sci_wait(sci_slot_field(n, node, link) == link);
}

void sci_wait_settled(struct sci_node *n)
{
	sci_wait(!(sci_get(n, SCI_REG_STATUS) & SCI_STATUS_INVAL_BUSY));
}
