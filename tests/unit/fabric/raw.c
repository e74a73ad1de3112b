// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The other side of the wire, byte by byte.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "node.h"
#include "raw.h"

int raw_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	g_assert_cmpint(fd, >=, 0);
	return fd;
}

static void raw_address(struct sockaddr_un *addr, const char *dir, const char *name)
{
	memset(addr, 0, sizeof(*addr));
	addr->sun_family = AF_UNIX;
	g_assert_cmpint(g_snprintf(addr->sun_path, sizeof(addr->sun_path), "%s/%s", dir, name), <,
			sizeof(addr->sun_path));
}

int raw_dial(const char *dir, unsigned int node)
{
	struct sockaddr_un addr;
	char name[16];
	int fd = raw_socket();

	g_snprintf(name, sizeof(name), "%u.sock", node);
	raw_address(&addr, dir, name);
	g_assert_cmpint(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), ==, 0);
	return fd;
}

int raw_listen(const char *dir, const char *name, int type)
{
	struct sockaddr_un addr;
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	raw_address(&addr, dir, name);
	g_assert_cmpint(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), ==, 0);
	g_assert_cmpint(listen(fd, 8), ==, 0);
	return fd;
}

int raw_page_new(size_t size, int seals)
{
	FabricPage page = { .magic = FABRIC_PAGE_MAGIC };
	int fd = memfd_create("raw-page", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	g_assert_cmpint(write(fd, &page, sizeof(page)), ==, sizeof(page));
	g_assert_cmpint(ftruncate(fd, size), ==, 0);
	g_assert_cmpint(fcntl(fd, F_ADD_SEALS, seals), ==, 0);
	return fd;
}

void raw_hello_init(struct raw_hello *hello, unsigned int node)
{
	FabricMessage msg = {
		.type = FABRIC_HELLO,
		.hello = {
			.node = node, .start = 1000, .n_lines = 2, .n_ram = RAW_RAM_RANGES,
			.ram = {
				{ .guest_base = 0, .size = RAW_RAM_SIZE },
				{ .guest_base = 0x100000, .size = RAW_RAM_SIZE,
				  .fd_offset = RAW_RAM_SIZE },
			},
		},
	};

	hello->size = fabric_wire_encode(&msg, &hello->wire);
	hello->n_fds = 0;
	hello->fds[hello->n_fds++] = raw_page_new(4096, F_SEAL_SHRINK | F_SEAL_SEAL);
	hello->fds[hello->n_fds++] = test_ram_new(RAW_RAM_SIZE);
	hello->fds[hello->n_fds++] = test_ram_new(2 * RAW_RAM_SIZE);
}

void raw_hello_fini(struct raw_hello *hello)
{
	for (unsigned int i = 0; i < hello->n_fds; i++)
		close(hello->fds[i]);
	hello->n_fds = 0;
}

void raw_send(int fd, const void *data, size_t size, const int *fds, unsigned int n_fds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * 253)];
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)data, .iov_len = size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (n_fds) {
		struct cmsghdr *cmsg;

		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * n_fds);
	}
	g_assert_cmpint(sendmsg(fd, &msg, MSG_NOSIGNAL), ==, size);
}

void raw_send_hello(int fd, const struct raw_hello *hello)
{
	raw_send(fd, &hello->wire, hello->size, hello->fds, hello->n_fds);
}

void raw_send_message(int fd, const FabricMessage *msg)
{
	uint8_t data[FABRIC_WIRE_MAX];

	raw_send(fd, data, fabric_wire_encode(msg, data), NULL, 0);
}

void raw_send_line(int fd, const FabricMessage *msg, int line)
{
	uint8_t data[FABRIC_WIRE_MAX];

	raw_send(fd, data, fabric_wire_encode(msg, data), &line, line >= 0);
}

void raw_send_request(int fd, unsigned int type, uint32_t seq)
{
	FabricMessage msg = { .type = type, .seq = seq };

	if (type == FABRIC_INVALIDATE)
		msg.invalidate.count = 1;
	raw_send_message(fd, &msg);
}

bool raw_receive_line(int fd, FabricMessage *msg, int *line)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * 253)];
	} control;
	uint8_t data[FABRIC_WIRE_MAX];
	struct iovec iov = { .iov_base = data, .iov_len = sizeof(data) };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.bytes, .msg_controllen = sizeof(control.bytes),
	};
	ssize_t size = recvmsg(fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = size > 0 ? CMSG_FIRSTHDR(&m) : NULL;
	int fds[253];
	unsigned int n = 0;

	*line = -1;
	if (size <= 0)
		return false;
	if (c) {
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(c), n * sizeof(int));
	}
	g_assert_null(fabric_wire_decode(data, size, n, msg));
	if (n == 1)
		*line = fds[0];
	for (unsigned int i = 0; n > 1 && i < n; i++)
		close(fds[i]);
	return true;
}

bool raw_receive(int fd, FabricMessage *msg)
{
	int line;
	bool received = raw_receive_line(fd, msg, &line);

	if (line >= 0)
		close(line);
	return received;
}

bool raw_ended(int fd)
{
	char data[512];
	ssize_t size;

	do {
		size = recv(fd, data, sizeof(data), MSG_DONTWAIT);
	} while (size > 0);
	return size == 0 || errno == ECONNRESET;
}

int raw_join_start(const char *dir, unsigned int to, unsigned int node, uint32_t start)
{
	struct raw_hello hello;
	int fd = raw_dial(dir, to);

	raw_hello_init(&hello, node);
	hello.wire.start = GUINT32_TO_LE(start);
	raw_send_hello(fd, &hello);
	raw_hello_fini(&hello);
	return fd;
}

int raw_join(const char *dir, unsigned int to, unsigned int node)
{
	return raw_join_start(dir, to, node, 1000);
}
