// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/rsm: files, ioctls, poll and mmap.  One dispatcher copies arguments in
 * and out and checks flags; what it calls sees kernel memory only.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "compat.h"
#include "rsmka_path.h"

union rsmka_arg {
	struct rsm_ioc_status {		/* every argument starts with these */
		u32 status;
		u32 flags;
	} head;
	struct rsm_ioc_identify identify;	/* as every argument for a segment that exists */
	struct rsm_ioc_info info;
	struct rsm_ioc_controller controller;
	struct rsm_ioc_topology topology;
	struct rsm_ioc_export export;
	struct rsm_ioc_publish publish;
	struct rsm_ioc_unpublish unpublish;
	struct rsm_ioc_connect connect;
	struct rsm_ioc_check check;
	struct rsm_ioc_post post;
	struct rsm_ioc_consume consume;
	struct rsm_ioc_republish republish;
	struct rsm_ioc_rebind rebind;
	struct rsm_ioc_segments segments;
	struct rsm_ioc_counters counters;
};

/* What a descriptor must be for a command. */
enum rsmka_needs {
	RSMKA_ANY,
	RSMKA_SEGMENT,
	RSMKA_IDENTITY,		/* a segment, and the one that the argument names */
};

/* @seg is NULL on a control descriptor. */
struct rsmka_ioctl {
	unsigned int cmd;
	u32 flags;		/* those that are allowed */
	enum rsmka_needs needs;
	int (*call)(struct rsmka_segment *seg, union rsmka_arg *arg);
};

static int rsmka_ioctl_info(struct rsmka_segment *seg, union rsmka_arg *arg)
{
	return arg->info.reserved ? -EINVAL : rsmka_topology_info(&arg->info);
}

static int rsmka_ioctl_controller(struct rsmka_segment *seg, union rsmka_arg *arg)
{
	return rsmka_topology_controller(&arg->controller);
}

static int rsmka_ioctl_topology(struct rsmka_segment *seg, union rsmka_arg *arg)
{
	return arg->topology.reserved ? -EINVAL : rsmka_topology_rows(&arg->topology);
}

/* The inode of a segment keeps it: its number is the segment's for good, unlike seg->number. */
static u64 rsmka_identity(const struct rsmka_segment *seg)
{
	return (unsigned long)seg->inode->i_private;
}

static void rsmka_identity_set(struct rsmka_segment *seg)
{
	static atomic_long_t last;

	seg->inode->i_private = (void *)atomic_long_inc_return(&last);
}

static int rsmka_ioctl_identify(struct rsmka_segment *seg, union rsmka_arg *arg)
{
	return 0;
}

static int rsmka_ioctl_export(struct rsmka_segment *seg, union rsmka_arg *arg)
{
	arg->export.identity = rsmka_identity(seg);
	return rsmka_export_create(seg, &arg->export);
}

static int rsmka_ioctl_publish(struct rsmka_segment *seg, union rsmka_arg *arg)
{
	return rsmka_export_publish(seg, &arg->publish);
}

static int rsmka_ioctl_unpublish(struct rsmka_segment *seg, union rsmka_arg *arg)
{
	return rsmka_export_unpublish(seg);
}

static int rsmka_ioctl_connect(struct rsmka_segment *seg, union rsmka_arg *arg)
{
	arg->connect.identity = rsmka_identity(seg);
	return rsmka_import_connect(seg, &arg->connect);
}

static int rsmka_ioctl_check(struct rsmka_segment *seg, union rsmka_arg *arg)
{
	struct rsmka_export *export = rsmka_segment_export(seg);
	int ret;

	if (!export)
		return rsmka_import_check(seg);
	/* As the program sees it: with what became of the memory that it unmapped before. */
	if (!(export->flags & RSM_EXPORT_DONTWAIT)) {
		ret = rsmka_looks_settle(&export->looks);
		if (ret)
			return ret;
	}
	return READ_ONCE(export->state) == RSMKA_PUBLISHED ? 0 : -ENOENT;
}

static int rsmka_ioctl_post(struct rsmka_segment *seg, union rsmka_arg *arg)
{
	struct rsmka_export *export = rsmka_segment_export(seg);
	struct rsmka_share *share = rsmka_segment_share(seg);
	struct rsmka_counters *counters;
	bool heard, may;
	int ret;

	if (export)
		return rsmka_published_post(export, arg->head.flags);
	if (!share)
		return RSMERR_BAD_SEG_HNDL;
	ret = rsmka_import_may_post(share, &may);
	if (ret)
		return ret;
	if (may && arg->head.flags & RSM_POST_WAKE && !share->path) {
		rsmka_events_wake(&share->exporter->events);
		return 0;
	}
	if (!may) {
		/* As what nobody hears: to say more would say what is published. */
		rsmka_count(rsmka_share_counters(share), RSM_COUNT_POSTS_DROPPED);
		return 0;
	}
	if (share->path)
		return rsmka_ipc_bell(share->path, share->key, 0, arg->head.flags);
	/* Whoever publishes the id now hears it, as on another node. */
	counters = rsmka_share_counters(share);
	heard = rsmka_published_bell(NULL, share->key, arg->head.flags);
	rsmka_count(counters, RSM_COUNT_POSTS_SENT);
	rsmka_count(counters, heard ? RSM_COUNT_POSTS_RECEIVED : RSM_COUNT_POSTS_DROPPED);
	return 0;
}

static int rsmka_ioctl_consume(struct rsmka_segment *seg, union rsmka_arg *arg)
{
	if (arg->head.flags & RSM_CONSUME_LOOK)
		rsmka_look_for_event(seg);
	return rsmka_events_take(&seg->events) ? 0 : RSMERR_TIMEOUT;
}

static int rsmka_ioctl_republish(struct rsmka_segment *seg, union rsmka_arg *arg)
{
	return arg->republish.reserved ? -EINVAL : rsmka_export_republish(seg, &arg->republish);
}

static int rsmka_ioctl_rebind(struct rsmka_segment *seg, union rsmka_arg *arg)
{
	return rsmka_export_rebind(seg, &arg->rebind);
}

static int rsmka_ioctl_segments(struct rsmka_segment *seg, union rsmka_arg *arg)
{
	return rsmka_stat_segments(&arg->segments);
}

static int rsmka_ioctl_counters(struct rsmka_segment *seg, union rsmka_arg *arg)
{
	return arg->counters.reserved ? -EINVAL : rsmka_stat_counters(&arg->counters);
}

#define RSMKA_IOCTL(number, flags, needs, call) \
	[_IOC_NR(number)] = { number, flags, needs, call }

static const struct rsmka_ioctl rsmka_ioctls[] = {
	RSMKA_IOCTL(RSM_IOC_INFO, 0, RSMKA_ANY, rsmka_ioctl_info),
	RSMKA_IOCTL(RSM_IOC_CONTROLLER, 0, RSMKA_ANY, rsmka_ioctl_controller),
	RSMKA_IOCTL(RSM_IOC_TOPOLOGY, 0, RSMKA_ANY, rsmka_ioctl_topology),
	RSMKA_IOCTL(RSM_IOC_EXPORT, RSM_EXPORT_ALLOW_REBIND | RSM_EXPORT_DONTWAIT, RSMKA_SEGMENT,
		    rsmka_ioctl_export),
	RSMKA_IOCTL(RSM_IOC_PUBLISH, 0, RSMKA_IDENTITY, rsmka_ioctl_publish),
	RSMKA_IOCTL(RSM_IOC_UNPUBLISH, 0, RSMKA_IDENTITY, rsmka_ioctl_unpublish),
	RSMKA_IOCTL(RSM_IOC_CONNECT, 0, RSMKA_SEGMENT, rsmka_ioctl_connect),
	RSMKA_IOCTL(RSM_IOC_CHECK, 0, RSMKA_IDENTITY, rsmka_ioctl_check),
	RSMKA_IOCTL(RSM_IOC_POST, RSM_POST_NO_ACCUMULATE | RSM_POST_WAKE, RSMKA_IDENTITY,
		    rsmka_ioctl_post),
	RSMKA_IOCTL(RSM_IOC_CONSUME, RSM_CONSUME_LOOK, RSMKA_IDENTITY, rsmka_ioctl_consume),
	RSMKA_IOCTL(RSM_IOC_REPUBLISH, 0, RSMKA_IDENTITY, rsmka_ioctl_republish),
	RSMKA_IOCTL(RSM_IOC_REBIND, 0, RSMKA_IDENTITY, rsmka_ioctl_rebind),
	RSMKA_IOCTL(RSM_IOC_SEGMENTS, 0, RSMKA_ANY, rsmka_ioctl_segments),
	RSMKA_IOCTL(RSM_IOC_COUNTERS, 0, RSMKA_ANY, rsmka_ioctl_counters),
	RSMKA_IOCTL(RSM_IOC_IDENTIFY, 0, RSMKA_IDENTITY, rsmka_ioctl_identify),
};

static bool rsmka_ioctl_fits(const struct rsmka_ioctl *ioctl, const struct rsmka_segment *seg,
			     const union rsmka_arg *arg)
{
	switch (ioctl->needs) {
	case RSMKA_IDENTITY:
		return seg && arg->identify.identity == rsmka_identity(seg);
	case RSMKA_SEGMENT:
		return seg;
	default:
		return true;
	}
}

static long rsmka_ioctl(struct file *file, unsigned int cmd, unsigned long address)
{
	struct rsmka_segment *seg = file->private_data;
	void __user *user = (void __user *)address;
	const struct rsmka_ioctl *ioctl;
	union rsmka_arg arg;
	int ret;

	if (_IOC_NR(cmd) >= ARRAY_SIZE(rsmka_ioctls))
		return -ENOTTY;
	ioctl = &rsmka_ioctls[_IOC_NR(cmd)];
	if (ioctl->cmd != cmd)
		return -ENOTTY;
	if (copy_from_user(&arg, user, _IOC_SIZE(cmd)))
		return -EFAULT;
	if (arg.head.flags & ~ioctl->flags)
		return -EINVAL;

	ret = rsmka_ioctl_fits(ioctl, seg, &arg) ? ioctl->call(seg, &arg) : RSMERR_BAD_SEG_HNDL;
	switch (ret) {
	case -EFAULT:
	case -EINVAL:
	case -EINTR:
		return ret;
	default:
		arg.head.status = ret > 0 ? ret : rsmka_error_status(ret);
	}
	return copy_to_user(user, &arg, _IOC_SIZE(cmd)) ? -EFAULT : 0;
}

static int rsmka_open(struct inode *inode, struct file *file)
{
	struct rsmka_segment *seg = NULL;

	/* The misc core has left its own pointer there. */
	if (file->f_mode & FMODE_WRITE)
		seg = rsmka_segment_open();
	if (IS_ERR(seg))
		return PTR_ERR(seg);
	file->private_data = seg;
	/* The end of an import finds its mappings; a control descriptor keeps the device's. */
	if (seg) {
		rsmka_identity_set(seg);
		file->f_mapping = seg->inode->i_mapping;
	}
	return nonseekable_open(inode, file);
}

static int rsmka_release(struct inode *inode, struct file *file)
{
	struct rsmka_segment *seg = file->private_data;

	if (seg)
		rsmka_segment_close(seg);
	return 0;
}

static __poll_t rsmka_poll(struct file *file, struct poll_table_struct *wait)
{
	struct rsmka_segment *seg = file->private_data;

	if (!seg)
		return 0;
	/* Before it sleeps it looks, unless somebody has looked in vain. */
	if (!poll_does_not_wait(wait) && !READ_ONCE(seg->events.look_time.failed))
		rsmka_look_for_event(seg);
	poll_wait(file, &seg->events.wait, wait);
	return rsmka_events_sleep(&seg->events) ? 0 : EPOLLRDNORM;
}

static int rsmka_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct rsmka_segment *seg = file->private_data;

	if (seg)
		return rsmka_import_mmap(seg, vma);
	if (vma->vm_flags & (VM_WRITE | VM_EXEC))
		return -EACCES;
	/* Whether the mapping is MAP_SHARED or not: it only shows pages of ours. */
	vm_flags_mod(vma, 0, VM_MAYWRITE | VM_MAYEXEC);
	return remap_vmalloc_range(vma, rsmka_generations, vma->vm_pgoff);
}

static const struct file_operations rsmka_fops = {
	.owner = THIS_MODULE,
	.open = rsmka_open,
	.release = rsmka_release,
	.unlocked_ioctl = rsmka_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.poll = rsmka_poll,
	.mmap = rsmka_mmap,
};

static struct miscdevice rsmka_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "rsm",
	.mode = 0666,
	.fops = &rsmka_fops,
};

int rsmka_cdev_init(void)
{
	return misc_register(&rsmka_misc);
}

void rsmka_cdev_exit(void)
{
	misc_deregister(&rsmka_misc);
}
