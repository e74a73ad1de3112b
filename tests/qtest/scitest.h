/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the qtests of the sci device share: nodes (QEMU processes with one
 * adapter each), register and window access, an exporter's tables and an
 * importer's ATT entries.  Everything a test starts ends with sci_cleanup().
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#ifndef SCITEST_H
#define SCITEST_H

#include "libqtest.h"
#include "libqos/pci.h"
#include "libqos/pci-pc.h"
#include "../../qemu-device/include/sci_regs.h"

/* Guest-physical layout of a node's 64 MiB of RAM */
#define SCI_RAM_SIZE	(64ull << 20)
#define SCI_MSI_BASE	0x00100000ull	/* MSI-X message n is written to + 4 * n */
#define SCI_DIR_BASE	0x00200000ull
#define SCI_ACCESS_BASE	0x00280000ull
#define SCI_LEAF_BASE	0x00300000ull	/* leaf of directory entry d: + d * 4096 */
#define SCI_DATA_BASE	0x01000000ull	/* for exported pages */

#define SCI_KEY		0x5ec2e7u
#define SCI_ROW_ALL	0	/* every node may read and write */
#define SCI_ROW_NONE	1
#define SCI_ROWS	2

struct sci_node {
	QTestState *qts;
	QPCIBus *bus;
	QPCIDevice *pci;
	unsigned int id;
	uint64_t csr, window, status;	/* where the BARs 0, 2, 4 are */
};

/* A new fabric directory; the same for all nodes of a test. */
const char *sci_fabric(void);

/* QEMU's arguments for a node without the device: RAM, no firmware, no noise. */
char *sci_machine_args(void);

struct sci_node *sci_start(unsigned int id, const char *properties);
/* With other arguments than those of sci_machine_args(). */
struct sci_node *sci_start_machine(unsigned int id, const char *machine, const char *properties);
/* (Re)program the BARs and enable MSI-X: after start, hot-plug and system reset. */
void sci_setup(struct sci_node *n);
void sci_stop(struct sci_node *n);
/* End the process without giving it a chance to say so. */
void sci_kill(struct sci_node *n);
/* Stop the process, all of it, and let it go on. */
void sci_freeze(struct sci_node *n);
void sci_thaw(struct sci_node *n);
/* Ends all nodes of the test and removes the fabric directory. */
void sci_cleanup(void);

uint32_t sci_get(struct sci_node *n, uint64_t reg);
void sci_set(struct sci_node *n, uint64_t reg, uint32_t val);
uint64_t sci_get64(struct sci_node *n, uint64_t reg);
void sci_set64(struct sci_node *n, uint64_t reg, uint64_t val);

/* Window, status pages and RAM */
uint64_t sci_load(struct sci_node *n, uint64_t offset);
void sci_store(struct sci_node *n, uint64_t offset, uint64_t val);
uint32_t sci_slot(struct sci_node *n, unsigned int node, size_t field);
uint64_t sci_ram_load(struct sci_node *n, uint64_t addr);
void sci_ram_store(struct sci_node *n, uint64_t addr, uint64_t val);

#define sci_slot_field(n, node, name) \
	sci_slot(n, node, offsetof(struct sci_peer_slot, name))

/* Returns the ERROR register and clears it. */
uint32_t sci_errors(struct sci_node *n);
/* Whether the message of @vector was sent since it was last asked for. */
bool sci_interrupted(struct sci_node *n, unsigned int vector);
void sci_mask_vector(struct sci_node *n, unsigned int vector, bool mask);
bool sci_vector_pending(struct sci_node *n, unsigned int vector);

/* CONTROL.ENABLE with tables that export nothing yet; returns the incarnation. */
uint32_t sci_enable(struct sci_node *n);
void sci_export(struct sci_node *n, uint64_t page, uint64_t guest, uint64_t rights,
		uint32_t key, unsigned int row);
void sci_unexport(struct sci_node *n, uint64_t page);
void sci_invalidate(struct sci_node *n, uint64_t first, uint64_t count);

/* Where a field of an ATT entry is. */
#define sci_att_field(n, index, name) \
	((n)->status + SCI_ATT + (index) * sizeof(struct sci_att_entry) + \
	 offsetof(struct sci_att_entry, name))

/* Write an entry; not committed. */
void sci_entry(struct sci_node *n, unsigned int index, unsigned int node, uint64_t page,
	       uint64_t flags, uint32_t key, unsigned int pages);
/* Commit a range for @expect; returns ATT_FAILED. */
uint32_t sci_commit(struct sci_node *n, unsigned int first, unsigned int count,
		    uint32_t expect);
/* One entry of one page with SCI_KEY, committed for the node's incarnation: its state. */
unsigned int sci_map(struct sci_node *n, unsigned int index, unsigned int node, uint64_t page,
		     uint64_t flags);
unsigned int sci_state(struct sci_node *n, unsigned int index);
uint64_t sci_granule(struct sci_node *n);

/* Wait, with a deadline, for what another process does. */
#define sci_wait(cond)							\
	do {								\
		gint64 end = g_get_monotonic_time() + 20 * G_USEC_PER_SEC; \
		while (!(cond))						\
			g_assert_cmpint(g_get_monotonic_time(), <, end); \
	} while (0)

/* Let another node, or the same, ring a line of this one; waits until it may. */
void sci_open_line(struct sci_node *n, struct sci_node *to, unsigned int line);
/* Whether its vCPUs run. */
bool sci_running(struct sci_node *n);
void sci_wait_link(struct sci_node *n, unsigned int node, uint32_t link);
void sci_wait_settled(struct sci_node *n);

#endif /* SCITEST_H */
