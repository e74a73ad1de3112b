// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Descriptors of /dev/rsm and the mapping of the generation area, the only
 * state of the process besides the list of controllers.  No descriptor is kept
 * but those of segments, so that a program may close all it does not know.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "library.h"

/* Where segment descriptors begin if the limit of descriptors allows it. */
#define SEGMENT_FD_MIN	256

/* Guards the mapping until it is made. */
static pthread_mutex_t *const lock = &rsm_locks[RSM_LOCK_GENERATION];
static struct {
	const __u16 *words;		/* NULL until the first attach */
	size_t bytes;
} generation;

size_t rsm_page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

int rsm_device_open_control(void)
{
	int fd = open(RSM_DEVICE, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int rsm_device_open_segment(void)
{
	struct rlimit limit;
	int fd, high;

	fd = open(RSM_DEVICE, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fd >= SEGMENT_FD_MIN || getrlimit(RLIMIT_NOFILE, &limit) ||
	    limit.rlim_cur <= SEGMENT_FD_MIN)
		return fd;
	high = fcntl(fd, F_DUPFD_CLOEXEC, SEGMENT_FD_MIN);
	if (high < 0)
		return fd;
	close(fd);
	return high;
}

/* Every argument begins with its status. */
int rsm_device_call(int fd, unsigned long request, void *argument)
{
	const __u32 *status = argument;

	if (ioctl(fd, request, argument) < 0)
		return -errno;
	return (int)*status;
}

/*
 * Learn what the agent behind @control is and map its generation area, once
 * per process; the mapping holds the agent, and children inherit it.
 */
int rsm_device_attach(int control)
{
	struct rsm_ioc_info info = { 0 };
	void *area;
	int ret;

	ret = rsm_device_call(control, RSM_IOC_INFO, &info);
	if (ret)
		return ret;
	if (info.version != RSM_UAPI_VERSION)
		return RSMERR_BAD_LIBRARY_VERSION;

	pthread_mutex_lock(lock);
	if (!generation.words) {
		area = mmap(NULL, info.generation_bytes, PROT_READ, MAP_SHARED, control,
			    RSM_MMAP_GENERATION);
		if (area == MAP_FAILED) {
			ret = -errno;
		} else {
			generation.words = area;
			generation.bytes = info.generation_bytes;
		}
	}
	pthread_mutex_unlock(lock);
	return ret;
}

/* 0 while the node has no adapter. */
int rsm_device_local_node(rsm_node_id_t *node)
{
	struct rsm_ioc_info info = { 0 };
	int control, ret;

	control = rsm_device_open_control();
	if (control < 0)
		return rsmerr_of_open(control);
	ret = rsm_device_call(control, RSM_IOC_INFO, &info);
	close(control);
	if (!ret)
		*node = info.local_node;
	return rsmerr_of_call(ret);
}

/* The word of a segment; an open controller is proof of the mapping. */
const __u16 *rsm_device_generation(__u32 segment)
{
	return segment < generation.bytes / sizeof(__u16) ? &generation.words[segment] : NULL;
}
