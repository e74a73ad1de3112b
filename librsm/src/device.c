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

/* Guards the mapping until it is made; not held while it is. */
static pthread_mutex_t *const lock = &rsm_locks[RSM_LOCK_GENERATION];
static struct {
	const __u16 *words;		/* NULL until the first attach */
	size_t bytes;
} generation;

size_t rsm_page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/*
 * open(2) and close(2) are cancellation points; the library's calls are none, but
 * for those that wait for an event, so that a thread that is cancelled never leaves
 * a lock or a descriptor behind.
 */
static int device_open(int flags)
{
	int fd, state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	fd = open(RSM_DEVICE, flags | O_CLOEXEC);
	if (fd < 0)
		fd = -errno;
	pthread_setcancelstate(state, NULL);
	return fd;
}

void rsm_device_close(int fd)
{
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	close(fd);
	pthread_setcancelstate(state, NULL);
}

int rsm_device_open_control(void)
{
	return device_open(O_RDONLY);
}

int rsm_device_open_segment(void)
{
	struct rlimit limit;
	int fd, high;

	fd = device_open(O_RDWR);
	if (fd < 0)
		return fd;
	if (fd >= SEGMENT_FD_MIN || getrlimit(RLIMIT_NOFILE, &limit) ||
	    limit.rlim_cur <= SEGMENT_FD_MIN)
		return fd;
	high = fcntl(fd, F_DUPFD_CLOEXEC, SEGMENT_FD_MIN);
	if (high < 0)
		return fd;
	rsm_device_close(fd);
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

int rsm_segment_identify(const struct rsm_segment *segment)
{
	struct rsm_ioc_identify identify = { .identity = segment->identity };

	return rsmerr_of_call(rsm_device_call(segment->fd, RSM_IOC_IDENTIFY, &identify));
}

int rsm_segment_close(const struct rsm_segment *segment)
{
	int ret = rsm_segment_identify(segment);

	if (!ret)
		rsm_device_close(segment->fd);
	return ret;
}

int rsm_segment_check(const struct rsm_segment *segment)
{
	struct rsm_ioc_check check = { .identity = segment->identity };

	return rsm_device_call(segment->fd, RSM_IOC_CHECK, &check);
}

/* Map the generation area, or use what another thread has mapped meanwhile. */
static int generation_map(int control, size_t bytes)
{
	void *area = mmap(NULL, bytes, PROT_READ, MAP_SHARED, control, RSM_MMAP_GENERATION);

	if (area == MAP_FAILED)
		return -errno;
	pthread_mutex_lock(lock);
	if (!generation.words) {
		generation.words = area;
		generation.bytes = bytes;
		area = NULL;
	}
	pthread_mutex_unlock(lock);
	if (area)
		munmap(area, bytes);
	return 0;
}

/*
 * Learn what the agent behind @control is and map its generation area, once
 * per process; the mapping holds the agent, and children inherit it.
 */
int rsm_device_attach(int control)
{
	struct rsm_ioc_info info = { 0 };
	bool mapped;
	int ret;

	ret = rsm_device_call(control, RSM_IOC_INFO, &info);
	if (ret)
		return ret;
	if (info.version != RSM_UAPI_VERSION)
		return RSMERR_BAD_LIBRARY_VERSION;

	pthread_mutex_lock(lock);
	mapped = generation.words;
	pthread_mutex_unlock(lock);
	return mapped ? 0 : generation_map(control, info.generation_bytes);
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
	rsm_device_close(control);
	if (!ret)
		*node = info.local_node;
	return rsmerr_of_call(ret);
}

/* The word of a segment; an open controller is proof of the mapping. */
const __u16 *rsm_device_generation(__u32 segment)
{
	return segment < generation.bytes / sizeof(__u16) ? &generation.words[segment] : NULL;
}
