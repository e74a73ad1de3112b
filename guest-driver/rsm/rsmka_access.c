// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which nodes may import, as the exporter's agent decides it from the access list.
 * What users of a node may is its agent's to decide: see rsmka_credentials.c.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "rsmka_segment.h"

/*
 * The mode that @node gets; false if the list does not name it.  The first
 * entry of a node counts.
 */
bool rsmka_acl_lookup(const struct rsmka_acl *acl, u32 creation_mode, u32 node, u32 *mode)
{
	u32 i;

	if (acl->len == 0) {
		*mode = creation_mode & RSMKA_MODE;
		return true;
	}
	for (i = 0; i < acl->len; i++) {
		if (acl->entry[i].node == node) {
			*mode = acl->entry[i].permission & RSMKA_MODE;
			return true;
		}
	}
	return false;
}

/* May any node but @local_node connect, with whatever rights? */
bool rsmka_acl_admits_others(const struct rsmka_acl *acl, u32 local_node)
{
	u32 i;

	for (i = 0; i < acl->len; i++)
		if (acl->entry[i].node != local_node)
			return true;
	return acl->len == 0;
}

/* Add what a mode gives a node; see rsmka_acl_rows(). */
void rsmka_row_add(struct rsmka_access *access, u32 node, u32 mode)
{
	if (mode & (RSMKA_OWNER_READ | RSMKA_OWNER_WRITE))
		__set_bit(node, access->read);
	if (mode & RSMKA_OWNER_WRITE)
		__set_bit(node, access->write);
}

/*
 * Add what the adapter enforces for a list.  The owner digit decides, as it does for mappings
 * (rsmka_mapping.c).  Who may write may read: the processor has no
 * write-only pages.
 */
void rsmka_acl_rows(const struct rsmka_acl *acl, u32 creation_mode, u32 local_node,
		    struct rsmka_access *access)
{
	u32 node, mode;

	for (node = 1; node < RSMKA_NODES; node++)
		if (node != local_node && rsmka_acl_lookup(acl, creation_mode, node, &mode))
			rsmka_row_add(access, node, mode);
}

/*
 * What of @wanted (owner bits) the digit at @shift of @granted lacks, again as
 * owner bits.
 */
u32 rsmka_access_missing(u32 granted, unsigned int shift, u32 wanted)
{
	u32 digit = (granted >> shift) << 6;

	return wanted & ~digit & (RSMKA_OWNER_READ | RSMKA_OWNER_WRITE);
}

/* May @node do anything at all with a segment, such as post to it? */
bool rsmka_acl_grants(const struct rsmka_acl *acl, u32 creation_mode, u32 node)
{
	u32 mode;

	return rsmka_acl_lookup(acl, creation_mode, node, &mode) && mode;
}
