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
#include <linux/poll.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "compat.h"
#include "rsmka_file.h"

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

/* @file is NULL on a control descriptor. */
struct rsmka_ioctl {
	unsigned int cmd;
	u32 flags;		/* those that are allowed */
	enum rsmka_needs needs;
	int (*call)(struct rsmka_file *file, union rsmka_arg *arg);
};

static int rsmka_ioctl_info(struct rsmka_file *file, union rsmka_arg *arg)
{
	return arg->info.reserved ? -EINVAL : rsmka_topology_info(&arg->info);
}

static int rsmka_ioctl_controller(struct rsmka_file *file, union rsmka_arg *arg)
{
	return rsmka_topology_controller(&arg->controller);
}

static int rsmka_ioctl_topology(struct rsmka_file *file, union rsmka_arg *arg)
{
	return arg->topology.reserved ? -EINVAL : rsmka_topology_rows(&arg->topology);
}

static int rsmka_ioctl_identify(struct rsmka_file *file, union rsmka_arg *arg)
{
	return 0;
}

static int rsmka_ioctl_export(struct rsmka_file *file, union rsmka_arg *arg)
{
	arg->export.identity = file->identity;
	return rsmka_file_export(file, &arg->export);
}

static int rsmka_ioctl_publish(struct rsmka_file *file, union rsmka_arg *arg)
{
	return rsmka_file_publish(file, &arg->publish);
}

static int rsmka_ioctl_unpublish(struct rsmka_file *file, union rsmka_arg *arg)
{
	return rsmka_file_unpublish(file);
}

static int rsmka_ioctl_connect(struct rsmka_file *file, union rsmka_arg *arg)
{
	arg->connect.identity = file->identity;
	return rsmka_file_connect(file, &arg->connect);
}

static int rsmka_ioctl_check(struct rsmka_file *file, union rsmka_arg *arg)
{
	return rsmka_file_check(file);
}

static int rsmka_ioctl_post(struct rsmka_file *file, union rsmka_arg *arg)
{
	return rsmka_segment_post(&file->segment, arg->head.flags);
}

static int rsmka_ioctl_consume(struct rsmka_file *file, union rsmka_arg *arg)
{
	if (arg->head.flags & RSM_CONSUME_LOOK)
		rsmka_look_for_event(&file->segment);
	return rsmka_events_take(&file->segment.events) ? 0 : RSMERR_TIMEOUT;
}

static int rsmka_ioctl_republish(struct rsmka_file *file, union rsmka_arg *arg)
{
	return arg->republish.reserved ? -EINVAL : rsmka_file_republish(file, &arg->republish);
}

static int rsmka_ioctl_rebind(struct rsmka_file *file, union rsmka_arg *arg)
{
	return rsmka_file_rebind(file, &arg->rebind);
}

static int rsmka_ioctl_segments(struct rsmka_file *file, union rsmka_arg *arg)
{
	return rsmka_stat_segments(&arg->segments);
}

static int rsmka_ioctl_counters(struct rsmka_file *file, union rsmka_arg *arg)
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

static bool rsmka_ioctl_fits(const struct rsmka_ioctl *ioctl, const struct rsmka_file *file,
			     const union rsmka_arg *arg)
{
	switch (ioctl->needs) {
	case RSMKA_IDENTITY:
		return file && arg->identify.identity == file->identity;
	case RSMKA_SEGMENT:
		return file;
	default:
		return true;
	}
}

static long rsmka_ioctl(struct file *filp, unsigned int cmd, unsigned long address)
{
	struct rsmka_file *file = filp->private_data;
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

	ret = rsmka_ioctl_fits(ioctl, file, &arg) ? ioctl->call(file, &arg) : RSMERR_BAD_SEG_HNDL;
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

static int rsmka_open(struct inode *inode, struct file *filp)
{
	struct rsmka_file *file = NULL;

	/* The misc core has left its own pointer there. */
	if (filp->f_mode & FMODE_WRITE)
		file = rsmka_file_open();
	if (IS_ERR(file))
		return PTR_ERR(file);
	filp->private_data = file;
	/* The end of an import finds its mappings; a control descriptor keeps the device's. */
	if (file)
		filp->f_mapping = file->inode->i_mapping;
	return nonseekable_open(inode, filp);
}

static int rsmka_release(struct inode *inode, struct file *filp)
{
	struct rsmka_file *file = filp->private_data;

	if (file)
		rsmka_file_close(file);
	return 0;
}

static __poll_t rsmka_poll(struct file *filp, struct poll_table_struct *wait)
{
	struct rsmka_file *file = filp->private_data;
	struct rsmka_segment *seg;
	__poll_t events;
	bool over;

	if (!file)
		return 0;
	seg = &file->segment;
	/* Before it sleeps it looks, unless somebody has looked in vain. */
	if (rsmka_poll_waits(wait) && !READ_ONCE(seg->events.look_time.failed))
		rsmka_look_for_event(seg);
	poll_wait(filp, &seg->events.wait, wait);
	over = rsmka_segment_over(seg);
	/* Then the events: one that came before the end is seen with it. */
	smp_rmb();
	events = rsmka_events_sleep(&seg->events) ? 0 : EPOLLRDNORM;
	return over ? events | EPOLLHUP : events;
}

static int rsmka_mmap(struct file *filp, struct vm_area_struct *vma)
{
	struct rsmka_file *file = filp->private_data;

	if (file)
		return rsmka_file_mmap(file, vma);
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
