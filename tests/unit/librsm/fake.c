// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The agent of fake.h.  A descriptor is known by its inode, which duplicates
 * share.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#define _GNU_SOURCE	/* memfd_create() */
#include "fake.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATUS_BYTES	4096

struct fake fake;

static int generation_fd = -1, status_fd = -1, segment_fd = -1;
static dev_t device;		/* of all memory files */

/* The functions that the library thinks it calls, and the real ones. */
int __wrap_open64(const char *path, int flags, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
void *__wrap_mmap64(void *where, size_t length, int prot, int flags, int fd, off_t offset);
int __wrap_munmap(void *address, size_t length);
int __wrap_poll(struct pollfd *fds, nfds_t nfds, int timeout);
int __wrap_fcntl64(int fd, int command, ...);
int __wrap_close(int fd);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
int __wrap_pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void));
FILE *__wrap_fopen64(const char *path, const char *mode);

void *__real_mmap64(void *where, size_t length, int prot, int flags, int fd, off_t offset);
int __real_munmap(void *address, size_t length);
int __real_poll(struct pollfd *fds, nfds_t nfds, int timeout);
int __real_fcntl64(int fd, int command, ...);
int __real_close(int fd);
void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
int __real_pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void));

static void add(int *count, int change)
{
	__atomic_add_fetch(count, change, __ATOMIC_RELAXED);
}

/* The errno with which this call fails, or 0. */
static int failure(enum fake_call call, int by_countdown)
{
	__atomic_add_fetch(&fake.calls[call], 1, __ATOMIC_RELAXED);
	if (fake.countdown && --fake.countdown == 0) {
		fake.fired = true;
		return by_countdown;
	}
	return fake.error[call];
}

static int memory_file(const char *name, size_t bytes)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	g_assert_cmpint(fd, >=, 0);
	g_assert_cmpint(ftruncate(fd, (off_t)bytes), ==, 0);
	return fd;
}

static void *memory(int *fd, const char *name, size_t bytes)
{
	void *address;

	if (*fd >= 0)
		__real_close(*fd);
	*fd = memory_file(name, bytes);
	address = __real_mmap64(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
				*fd, 0);
	g_assert_true(address != MAP_FAILED);
	return address;
}

void fake_reset(void)
{
	/* The library maps the generation area once, so it stays. */
	__u16 *generation = fake.generation;
	struct stat status;

	if (fake.path) {
		__real_munmap((char *)fake.path - FAKE_PATH_OFFSET, STATUS_BYTES);
		__real_munmap(fake.segment, FAKE_SEGMENT_BYTES);
	}
	memset(&fake, 0, sizeof(fake));
	if (!generation)
		generation = memory(&generation_fd, "generation", 4096);
	fake.generation = generation;
	memset(generation, 0, 4096);
	fake.path = (void *)((char *)memory(&status_fd, "status", STATUS_BYTES) +
			     FAKE_PATH_OFFSET);
	fake.segment = memory(&segment_fd, "segment", FAKE_SEGMENT_BYTES);
	g_assert_cmpint(fstat(segment_fd, &status), ==, 0);
	device = status.st_dev;

	fake.info = (struct rsm_ioc_info){
		.version = RSM_UAPI_VERSION, .local_node = FAKE_NODE, .generation_bytes = 4096,
	};
	fake.controller.max_export_segment_size = 1ull << 40;
	fake.path->link = 2;
	fake.connect = (struct rsm_ioc_connect){
		.segment = 5, .length = FAKE_SEGMENT_BYTES, .generation = 1,
		.attributes = RSM_CONNECT_PATH, .path_offset = FAKE_PATH_OFFSET,
	};
	fake.generation[5] = 1;
}

/* The inode of a descriptor of the device, 0 if it is none. */
static __u64 identity_of(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 && status.st_dev == device && S_ISREG(status.st_mode) ?
	       status.st_ino : 0;
}

static bool is_device(int fd)
{
	return identity_of(fd);
}

/* Put @to in the place of @from in a table; true if it was there. */
static bool replace(__u64 table[64], __u64 from, __u64 to)
{
	for (size_t i = 0; i < 64; i++) {
		if (table[i] == from) {
			table[i] = to;
			return true;
		}
	}
	return false;
}

int __wrap_open64(const char *path, int flags, ...)
{
	int error = failure(FAKE_OPEN, EMFILE);

	/* As the real one, and those below. */
	pthread_testcancel();
	g_assert_cmpstr(path, ==, RSM_DEVICE);
	g_assert_true(flags & O_CLOEXEC);
	if (error) {
		errno = error;
		return -1;
	}
	add(&fake.descriptors, 1);
	return memory_file("device", 0);
}

int __wrap_close(int fd)
{
	pthread_testcancel();
	if (is_device(fd)) {
		add(&fake.descriptors, -1);
		replace(fake.exports, identity_of(fd), 0);
		replace(fake.published, identity_of(fd), 0);
	}
	return __real_close(fd);
}

int __wrap_fcntl64(int fd, int command, ...)
{
	va_list list;
	int minimum, error;

	/* A test asks whether it has the descriptor. */
	if (command == F_GETFD)
		return __real_fcntl64(fd, command);
	va_start(list, command);
	minimum = va_arg(list, int);
	va_end(list);
	g_assert_cmpint(command, ==, F_DUPFD_CLOEXEC);
	error = failure(FAKE_FCNTL, EMFILE);
	if (error) {
		errno = error;
		return -1;
	}
	add(&fake.descriptors, 1);
	return __real_fcntl64(fd, command, minimum);
}

static void topology(struct rsm_ioc_topology *arg)
{
	__u32 filled = MIN(arg->capacity, fake.row_count);

	memcpy((void *)(uintptr_t)arg->rows, fake.rows, filled * sizeof(fake.rows[0]));
	arg->count = fake.row_count;
	arg->local_node = fake.info.local_node;
	if (fake.row_count_later)
		fake.row_count = fake.row_count_later;
}

static void publish(struct rsm_ioc_publish *arg)
{
	g_assert_cmpuint(arg->acl_len, <=, RSM_ACL_MAX);
	if (arg->acl_len)
		memcpy(fake.acl, (void *)(uintptr_t)arg->acl,
		       arg->acl_len * sizeof(fake.acl[0]));
	fake.publish = *arg;
	if (!arg->segment_id)
		arg->segment_id = RSM_USER_APP_ID_BASE;
	if (!fake.status[_IOC_NR(RSM_IOC_PUBLISH)])
		replace(fake.published, 0, arg->identity);
}

static void check(struct rsm_ioc_check *arg)
{
	if (replace(fake.exports, arg->identity, arg->identity) &&
	    !replace(fake.published, arg->identity, arg->identity))
		arg->status = RSMERR_SEG_NOT_PUBLISHED;
}

static void connect(struct rsm_ioc_connect *arg)
{
	struct rsm_ioc_connect answer = fake.connect;

	memcpy(answer.controller, arg->controller, sizeof(answer.controller));
	*arg = answer;
}

static void consume(struct rsm_ioc_consume *arg)
{
	if (fake.stolen) {
		fake.stolen--;
		arg->status = RSMERR_TIMEOUT;
	} else if (fake.events) {
		fake.events--;
	} else {
		arg->status = RSMERR_TIMEOUT;
	}
}

/* Those that are given the identity of a segment, right after the flags. */
static bool is_of_segment(unsigned long request)
{
	return request == RSM_IOC_PUBLISH || request == RSM_IOC_UNPUBLISH ||
	       request == RSM_IOC_REPUBLISH || request == RSM_IOC_REBIND ||
	       request == RSM_IOC_CHECK || request == RSM_IOC_POST ||
	       request == RSM_IOC_CONSUME || request == RSM_IOC_IDENTIFY;
}

static void answer(int fd, unsigned long request, void *arg)
{
	switch (request) {
	case RSM_IOC_INFO:
		*(struct rsm_ioc_info *)arg = fake.info;
		break;
	case RSM_IOC_CONTROLLER:
		if (strcmp(((struct rsm_ioc_controller *)arg)->name, fake.name))
			memcpy(fake.name, ((struct rsm_ioc_controller *)arg)->name,
			       sizeof(fake.name));
		*(struct rsm_ioc_controller *)arg = fake.controller;
		break;
	case RSM_IOC_TOPOLOGY:
		topology(arg);
		break;
	case RSM_IOC_EXPORT:
		fake.export = *(struct rsm_ioc_export *)arg;
		((struct rsm_ioc_export *)arg)->identity = identity_of(fd);
		replace(fake.exports, 0, identity_of(fd));
		break;
	case RSM_IOC_PUBLISH:
		publish(arg);
		break;
	case RSM_IOC_UNPUBLISH:
		replace(fake.published, ((struct rsm_ioc_unpublish *)arg)->identity, 0);
		break;
	case RSM_IOC_CHECK:
		check(arg);
		break;
	case RSM_IOC_CONNECT:
		connect(arg);
		((struct rsm_ioc_connect *)arg)->identity = identity_of(fd);
		break;
	case RSM_IOC_POST:
		fake.posts++;
		fake.post_flags = ((struct rsm_ioc_post *)arg)->flags;
		break;
	case RSM_IOC_CONSUME:
		consume(arg);
		break;
	}
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	int error = failure(FAKE_IOCTL, ENOMEM);
	__u32 *arg;
	va_list list;

	va_start(list, request);
	arg = va_arg(list, void *);
	va_end(list);
	g_assert_cmpuint(_IOC_NR(request), <, G_N_ELEMENTS(fake.status));
	if (fake.hook)
		fake.hook(request);
	if (!is_device(fd))
		error = ENOTTY;
	if (error) {
		errno = error;
		return -1;
	}
	/* Flags are zero unless the request has some; the real agent checks. */
	if (request != RSM_IOC_EXPORT && request != RSM_IOC_POST && request != RSM_IOC_CONSUME)
		g_assert_cmpuint(arg[1], ==, 0);
	if (is_of_segment(request) && *(__u64 *)(arg + 2) != identity_of(fd)) {
		arg[0] = RSMERR_BAD_SEG_HNDL;
		return 0;
	}
	answer(fd, request, arg);
	if (fake.status[_IOC_NR(request)])
		arg[0] = fake.status[_IOC_NR(request)];
	return 0;
}

void *__wrap_mmap64(void *where, size_t length, int prot, int flags, int fd, off_t offset)
{
	int error = failure(FAKE_MMAP, EAGAIN);
	int memory = segment_fd;
	void *address;

	/* The library has made sure of it. */
	g_assert_true(is_device(fd));
	g_assert_true(flags & MAP_SHARED);
	if (error) {
		errno = error;
		return MAP_FAILED;
	}
	if (offset == (off_t)RSM_MMAP_STATUS) {
		memory = status_fd;
		offset = 0;
		g_assert_cmpint(prot, ==, PROT_READ);
	} else if (prot == PROT_READ && length == fake.info.generation_bytes && offset == 0) {
		memory = generation_fd;
	}
	address = __real_mmap64(where, length, prot, flags | MAP_NORESERVE, memory, offset);
	/* The generation area belongs to the process, once it is mapped. */
	if (address != MAP_FAILED && memory != generation_fd)
		add(&fake.mappings, 1);
	return address;
}

int __wrap_munmap(void *address, size_t length)
{
	if (fake.hook)
		fake.hook(FAKE_MUNMAP);
	add(&fake.mappings, -1);
	return __real_munmap(address, length);
}

/* Never sleeps: what is not ready at once has timed out. */
int __wrap_poll(struct pollfd *fds, nfds_t nfds, int timeout)
{
	int error = failure(FAKE_POLL, EINTR);
	int ready = 0;
	nfds_t i;

	(void)timeout;
	if (fake.cancel)
		pthread_cancel(pthread_self());
	pthread_testcancel();
	if (error) {
		errno = error;
		return -1;
	}
	for (i = 0; i < nfds; i++) {
		if (is_device(fds[i].fd))
			fds[i].revents = (fake.events + fake.stolen ? POLLRDNORM : 0) |
					 (fake.over ? POLLHUP : 0);
		else
			__real_poll(&fds[i], 1, 0);
		ready += fds[i].revents != 0;
	}
	return ready;
}

void *__wrap_malloc(size_t bytes)
{
	return failure(FAKE_ALLOC, ENOMEM) ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
	return failure(FAKE_ALLOC, ENOMEM) ? NULL : __real_calloc(count, bytes);
}

int __wrap_pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
	int error = failure(FAKE_ATFORK, ENOMEM);

	return error ? error : __real_pthread_atfork(prepare, parent, child);
}

FILE *__wrap_fopen64(const char *path, const char *mode)
{
	int error = failure(FAKE_FOPEN, ENOMEM);
	FILE *file;

	pthread_testcancel();
	g_assert_cmpstr(path, ==, "/etc/rsm/rsm.segmentid");
	g_assert_cmpstr(mode, ==, "re");
	if (error || !fake.segmentid) {
		errno = error ? error : ENOENT;
		return NULL;
	}
	file = tmpfile();
	g_assert_nonnull(file);
	fputs(fake.segmentid, file);
	rewind(file);
	return file;
}

rsmapi_controller_handle_t fake_controller(void)
{
	rsmapi_controller_handle_t controller;

	g_assert_cmpint(rsm_get_controller((char *)"sci0", &controller), ==, RSM_SUCCESS);
	return controller;
}

rsm_memseg_export_handle_t fake_export(rsmapi_controller_handle_t controller)
{
	static char memory[4096] __attribute__((aligned(4096)));
	rsm_memseg_export_handle_t export;

	g_assert_cmpint(rsm_memseg_export_create(controller, &export, memory, sizeof(memory), 0),
			==, RSM_SUCCESS);
	return export;
}

rsm_memseg_import_handle_t fake_import(rsmapi_controller_handle_t controller)
{
	rsm_memseg_import_handle_t import;

	g_assert_cmpint(rsm_memseg_import_connect(controller, 1, RSM_HPC_ID_BASE, RSM_PERM_RDWR,
						  &import), ==, RSM_SUCCESS);
	return import;
}
