// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may import: the node level, decided by the exporter's agent from the
 * access list, and the user level, decided by the importer's agent from what
 * the exporter granted.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/uidgid.h>

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
 * (rsmka_import_mmap).  Who may write may read: the processor has no
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

/*
 * Has the calling process all of @wanted (owner bits), if @mode is what its
 * node gets?  Ids are compared
 * as numbers of the initial namespace: nodes share their users.
 */
static bool rsmka_access_holds(const struct rsmka_grant *grant, u32 mode, u32 wanted)
{
	kuid_t uid = make_kuid(&init_user_ns, grant->uid);
	kgid_t gid = make_kgid(&init_user_ns, grant->gid);
	unsigned int shift = 0;
	u32 missing;

	if (uid_valid(uid) && uid_eq(uid, current_euid()))
		shift = 6;
	else if (gid_valid(gid) && in_egroup_p(gid))
		shift = 3;

	missing = rsmka_access_missing(mode, shift, wanted);
	if ((missing & RSMKA_OWNER_READ) && !capable(CAP_DAC_READ_SEARCH) &&
	    !capable(CAP_DAC_OVERRIDE))
		return false;
	if (missing & RSMKA_OWNER_WRITE) {
		if (!capable(CAP_DAC_OVERRIDE))
			return false;
		/* As everywhere, what is root's takes all of root's privileges. */
		if (uid_eq(uid, GLOBAL_ROOT_UID) && !uid_eq(current_euid(), GLOBAL_ROOT_UID) &&
		    !cap_issubset(CAP_FULL_SET, current_cred()->cap_effective))
			return false;
	}
	return true;
}

/*
 * May the calling process connect with @wanted (owner bits)?  Who is connected
 * posts events, whatever was wanted, so a connection takes at least one right:
 * of the node, where privileges count for nothing, and of the process.
 */
bool rsmka_access_permitted(const struct rsmka_grant *grant, u32 mode, u32 wanted)
{
	if (!(mode & RSMKA_MODE))
		return false;
	if (wanted)
		return rsmka_access_holds(grant, mode, wanted);
	return rsmka_access_holds(grant, mode, RSMKA_OWNER_READ) ||
	       rsmka_access_holds(grant, mode, RSMKA_OWNER_WRITE);
}
