// SPDX-License-Identifier: GPL-2.0-only
/*
 * Segment descriptors: what they are made of, and what their ioctls check before the
 * objects do the rest.  Called by the dispatcher (rsmka_cdev.c).
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "rsmka_file.h"

/* ---- the owner of a segment ---- */

static void rsmka_file_event(struct rsmka_segment *seg)
{
	wake_up_locked_poll(&seg->events.wait, EPOLLRDNORM);
}

/* Faults insert what is right by then. */
static void rsmka_file_zap(struct rsmka_segment *seg)
{
	unmap_mapping_range(rsmka_file(seg)->inode->i_mapping, 0, 0, 1);
}

/* For who polls: rsmka_segment_over() says yes now. */
void rsmka_file_ended(struct rsmka_segment *seg)
{
	wake_up_poll(&seg->events.wait, EPOLLHUP);
}

static void rsmka_file_gone(struct rsmka_segment *seg)
{
	rsmka_inode_free(rsmka_file(seg)->inode);
}

static void rsmka_file_free(struct rsmka_segment *seg)
{
	struct rsmka_file *file = rsmka_file(seg);

	put_pid(seg->owner.pid);
	rsmka_user_put(seg->user);
	kfree_rcu(file, segment.rcu);
}

static const struct rsmka_segment_ops rsmka_file_ops = {
	.permitted = rsmka_credentials_permit,
	.event = rsmka_file_event,
	.zap = rsmka_file_zap,
	.ended = rsmka_file_ended,
	.gone = rsmka_file_gone,
	.free = rsmka_file_free,
};

/* The calling process; pid is no reference. */
void rsmka_file_owner(struct rsmka_owner *owner)
{
	owner->pid = task_tgid(current);
	owner->uid = current_euid();
	owner->gid = current_egid();
}

/* ---- life ---- */

static struct rsmka_file *rsmka_file_alloc(void)
{
	static atomic_long_t last;
	struct rsmka_file *file = kzalloc(sizeof(*file), GFP_KERNEL_ACCOUNT);

	if (!file)
		return NULL;
	mutex_init(&file->lock);
	rsmka_looks_init(&file->looks);
	file->identity = atomic_long_inc_return(&last);
	file->inode = rsmka_inode_new();
	if (file->inode)
		return file;
	kfree(file);
	return NULL;
}

/* Returns an ERR_PTR; -EAGAIN if all numbers are taken, or all that the user may have. */
struct rsmka_file *rsmka_file_open(void)
{
	struct rsmka_user *user = rsmka_user_get();
	struct rsmka_owner owner;
	struct rsmka_file *file;
	int ret;

	if (!user)
		return ERR_PTR(-ENOMEM);
	file = rsmka_file_alloc();
	if (!file) {
		ret = -ENOMEM;
		goto put_user;
	}
	rsmka_file_owner(&owner);
	get_pid(owner.pid);
	ret = rsmka_segment_init(&file->segment, &rsmka_file_ops, user, &owner);
	if (!ret)
		return file;

	put_pid(owner.pid);
	rsmka_inode_free(file->inode);
	kfree(file);
put_user:
	rsmka_user_put(user);
	return ERR_PTR(ret);
}

/* A thread of the kernel closes descriptors of everybody; to one that exits no signal comes. */
static enum rsmka_close_wait rsmka_file_close_wait(void)
{
	if (current->flags & PF_KTHREAD)
		return RSMKA_CLOSE_NO_WAIT;
	return current->flags & PF_EXITING ? RSMKA_CLOSE_IDLE : RSMKA_CLOSE_KILLABLE;
}

/*
 * The last close of the descriptor; no mapping of it is left.  Memory that
 * peers have not let go of yet stays pinned, and charged, behind our back.
 */
void rsmka_file_close(struct rsmka_file *file)
{
	struct rsmka_segment *seg = &file->segment;

	kref_get(&seg->ref);
	/* While the process is here: whoever frees the binding may be late. */
	if (seg->export)
		rsmka_watch_stop(&rsmka_binding(seg->export->memory)->watch);
	if (rsmka_segment_close(seg))
		rsmka_export_close_wait(seg->export, rsmka_file_close_wait());
	rsmka_segment_put(seg);
}

/* Make the descriptor an export or an import, for good. */
bool rsmka_file_claim(struct rsmka_file *file, enum rsmka_role role)
{
	lockdep_assert_held(&file->lock);
	if (file->role == RSMKA_NEW)
		WRITE_ONCE(file->role, role);
	return file->role == role;
}

/* ---- exports ---- */

bool rsmka_file_is_creator(struct rsmka_file *file)
{
	return file->segment.export->owner.pid == task_tgid(current);
}

/*
 * The program sees what became of the memory that it unmapped before: 0, -EINTR, or
 * -ENOSPC if it does not want to wait for that.
 */
static int rsmka_file_settle(struct rsmka_file *file)
{
	if (!(file->export_flags & RSM_EXPORT_DONTWAIT))
		return rsmka_looks_settle(&file->looks);
	return rsmka_looks_settled(&file->looks) ? 0 : -ENOSPC;
}

static int rsmka_acl_copy(struct rsmka_acl *acl, u64 user, u32 len,
			  const struct rsmka_controller *controller)
{
	bool loopback = rsmka_controller_is_loopback(controller);
	u32 local = rsmka_local_node();
	u32 i, node;

	acl->len = len;
	if (acl->len > (loopback ? 1 : RSM_ACL_MAX))
		return RSMERR_BAD_ACL;
	if (copy_from_user(acl->entry, u64_to_user_ptr(user),
			   acl->len * sizeof(acl->entry[0])))
		return RSMERR_BAD_ADDR;
	for (i = 0; i < acl->len; i++) {
		node = acl->entry[i].node;
		if (node >= RSMKA_NODES || (loopback ? node != local : node == 0) ||
		    acl->entry[i].permission > RSMKA_MODE)
			return RSMERR_BAD_ACL;
	}
	return 0;
}

/* The access list that a program gives, which the caller frees if this returns 0. */
static int rsmka_acl_get(const struct rsmka_export *export, u64 user, u32 len,
			 struct rsmka_acl **out)
{
	struct rsmka_acl *acl = kmalloc(sizeof(*acl), GFP_KERNEL_ACCOUNT);
	int ret;

	if (!acl)
		return -ENOMEM;
	ret = rsmka_acl_copy(acl, user, len, export->controller);
	if (ret) {
		kfree(acl);
		return ret;
	}
	*out = acl;
	return 0;
}

/* Ids that programs may publish; others are the kernel's, see rsm_client.h. */
static int rsmka_segment_id_check(u32 segment_id)
{
	if (segment_id == 0 ||
	    (segment_id >= RSM_RSMLIB_ID_BASE && segment_id <= RSM_RSMLIB_ID_END) ||
	    (segment_id >= RSM_HPC_ID_BASE && segment_id < RSM_USER_APP_ID_BASE))
		return 0;
	return -EADDRNOTAVAIL;
}

int rsmka_file_publish(struct rsmka_file *file, struct rsm_ioc_publish *arg)
{
	struct rsmka_export *export = rsmka_segment_export(&file->segment);
	struct rsmka_acl *acl;
	u32 segment_id = arg->segment_id;
	int ret;

	if (!export)
		return RSMERR_BAD_SEG_HNDL;
	if (!rsmka_file_is_creator(file))
		return RSMERR_NOT_CREATOR;
	ret = rsmka_acl_get(export, arg->acl, arg->acl_len, &acl);
	if (ret)
		return ret;

	ret = rsmka_segment_id_check(segment_id);
	if (!ret)
		ret = rsmka_file_settle(file);
	if (!ret)
		ret = rsmka_export_publish(export, &segment_id, acl);
	if (!ret)
		arg->segment_id = segment_id;
	kfree(acl);
	return ret;
}

int rsmka_file_unpublish(struct rsmka_file *file)
{
	struct rsmka_export *export = rsmka_segment_export(&file->segment);
	int ret;

	if (!export)
		return RSMERR_BAD_SEG_HNDL;
	if (!rsmka_file_is_creator(file))
		return RSMERR_NOT_CREATOR;
	ret = rsmka_looks_settle(&file->looks);
	return ret ? ret : rsmka_export_unpublish(export);
}

int rsmka_file_republish(struct rsmka_file *file, struct rsm_ioc_republish *arg)
{
	struct rsmka_export *export = rsmka_segment_export(&file->segment);
	struct rsmka_acl *acl;
	int ret;

	if (!export)
		return RSMERR_BAD_SEG_HNDL;
	ret = rsmka_file_settle(file);
	if (ret)
		return ret;
	if (READ_ONCE(export->state) != RSMKA_PUBLISHED)
		return -ENOENT;
	if (!rsmka_file_is_creator(file))
		return RSMERR_NOT_CREATOR;
	ret = rsmka_acl_get(export, arg->acl, arg->acl_len, &acl);
	if (ret)
		return ret;

	ret = rsmka_file_settle(file);
	if (!ret)
		ret = rsmka_export_republish(export, acl);
	kfree(acl);
	return ret;
}

/* ---- imports ---- */

static void rsmka_file_report(const struct rsmka_segment *seg, struct rsm_ioc_connect *arg)
{
	const struct rsmka_share *share = seg->share;

	arg->segment = seg->number;
	arg->length = share->grant.length;
	arg->attributes = share->grant.big_endian ? RSM_CONNECT_BIG_ENDIAN : 0;
	if (seg->mode & RSMKA_OWNER_WRITE)
		arg->attributes |= RSM_CONNECT_EVENTS;
	arg->path_offset = 0;
	arg->path_changes = 0;
	if (share->path) {
		arg->attributes |= RSM_CONNECT_PATH;
		arg->path_offset = offset_in_page(share->path_state_phys);
		arg->path_changes = share->path_changes;
	}
}

static int rsmka_file_connect_claimed(struct rsmka_file *file, struct rsm_ioc_connect *arg)
{
	struct rsmka_controller *controller = rsmka_controller_find(arg->controller);
	int ret;

	if (!controller)
		return -ENODEV;
	if (rsmka_controller_is_loopback(controller) && arg->node != rsmka_local_node())
		ret = -ENODEV;
	else if (arg->permission & ~RSM_PERM_RDWR)
		ret = RSMERR_BAD_PERMS;
	else
		ret = rsmka_import_connect(&file->segment, controller, arg->node, arg->segment_id,
					   arg->permission, NULL, &arg->generation);
	if (!ret) {
		rsmka_file_report(&file->segment, arg);
		/*
		 * If it has ended already who polls was woken and saw no import yet.
		 * Partner: the wait queue's lock, between the state and a look at it.
		 */
		smp_mb();
		if (rsmka_segment_over(&file->segment))
			rsmka_file_ended(&file->segment);
	}
	rsmka_controller_put(controller);
	return ret;
}

int rsmka_file_connect(struct rsmka_file *file, struct rsm_ioc_connect *arg)
{
	int ret;

	if (mutex_lock_interruptible(&file->lock))
		return -EINTR;
	if (file->segment.share || !rsmka_file_claim(file, RSMKA_IMPORTER))
		ret = RSMERR_BAD_SEG_HNDL;
	else
		ret = rsmka_file_connect_claimed(file, arg);
	mutex_unlock(&file->lock);
	return ret;
}

/* ---- either ---- */

int rsmka_file_check(struct rsmka_file *file)
{
	struct rsmka_segment *seg = &file->segment;
	struct rsmka_export *export = rsmka_segment_export(seg);
	int ret;

	if (!export)
		return rsmka_segment_share(seg) ? rsmka_import_check(seg, NULL) :
						  RSMERR_BAD_SEG_HNDL;
	/* As the program sees it: with what became of the memory that it unmapped before. */
	if (!(file->export_flags & RSM_EXPORT_DONTWAIT)) {
		ret = rsmka_looks_settle(&file->looks);
		if (ret)
			return ret;
	}
	/* To a program whose call was interrupted it is published until that has succeeded. */
	return READ_ONCE(export->state) == RSMKA_PUBLISHED || READ_ONCE(export->untold) ?
	       0 : -ENOENT;
}
