// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the calling process may import of what the exporter has granted its node: owner of
 * a segment of programs, as rsmka_file.c says.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/uidgid.h>

#include "rsmka_file.h"

/*
 * Has the calling process all of @wanted (owner bits), if @mode is what its node gets?  Ids
 * are compared as numbers of the initial namespace: nodes share their users.
 */
static bool rsmka_credentials_hold(const struct rsmka_grant *grant, u32 mode, u32 wanted)
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
bool rsmka_credentials_permit(const struct rsmka_grant *grant, u32 mode, u32 wanted)
{
	if (!(mode & RSMKA_MODE))
		return false;
	if (wanted)
		return rsmka_credentials_hold(grant, mode, wanted);
	return rsmka_credentials_hold(grant, mode, RSMKA_OWNER_READ) ||
	       rsmka_credentials_hold(grant, mode, RSMKA_OWNER_WRITE);
}
