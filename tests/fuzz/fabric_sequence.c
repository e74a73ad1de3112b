// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzzes a whole fabric: the input is a sequence of steps.  A step is a call of
 * the device, something that one of a few raw nodes does, a turn of the main
 * context, or time that passes.  Checked are the promises of fabric.h and of the
 * wire: which callbacks come when, that nothing is acknowledged before it is
 * done, that one request is on its way, that the end of all peers ends all
 * waiting, and that no descriptor stays.
 *
 * The sources of the fabric are built with -Dg_get_monotonic_time=fuzz_time.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"
#include "wire.h"

#define SELF		5
#define CONNS		5
#define RAM_SIZE	0x4000
#define LINES		3

/* One end of a connection, held by a node that does anything. */
struct conn {
	int fd;			/* -1 = none */
	unsigned int node;
	uint32_t sent, received;	/* seq of the last request in each direction */
	uint32_t acked;
	bool honest;		/* its acknowledgements were right so far */
};

/* Made once for all inputs. */
static struct {
	char dir[64];
	int page, ram, line, pipe;
	int64_t offset;		/* of the time */
} world;

static struct {
	const uint8_t *data, *end;
	Fabric *fabric;
	GMainContext *context;
	bool in_call, stuck;
	bool present[FABRIC_NODE_MAX + 1];
	/* A callback about the node has returned false, and none true since. */
	bool undone[FABRIC_NODE_MAX + 1];
	struct conn conns[CONNS];
	int listener;		/* of node 2, which the fabric dials */
} run;

gint64 fuzz_time(void);

gint64 fuzz_time(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000 + world.offset;
}

static uint8_t next_byte(void)
{
	return run.data < run.end ? *run.data++ : 0;
}

/* ---- The raw nodes ---- */

static struct conn *any_conn(void)
{
	return &run.conns[next_byte() % CONNS];
}

static void conn_close(struct conn *conn)
{
	if (conn->fd >= 0)
		close(conn->fd);
	memset(conn, 0, sizeof(*conn));
	conn->fd = -1;
}

static void conn_open(struct conn *conn, int fd)
{
	conn_close(conn);
	conn->fd = fd;
	conn->honest = true;
}

/* What is sent beyond what fits is lost: that is a fault as any other. */
static void conn_send(struct conn *conn, const void *data, size_t size, const int *fds,
		      unsigned int n_fds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * 16)];
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
	if (conn->fd >= 0)
		sendmsg(conn->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void conn_check(struct conn *conn, const FabricMessage *msg)
{
	switch (msg->type) {
	case FABRIC_HELLO:
		g_assert_cmpuint(msg->hello.node, ==, SELF);
		break;
	case FABRIC_ACK:
		g_assert_false(run.undone[conn->node]);
		break;
	default:
		g_assert_cmpuint(msg->seq, ==, conn->received + 1);
		conn->received = msg->seq;
		if (conn->honest)
			g_assert_cmpuint(conn->received - conn->acked, <=, 1);
	}
}

/* Reads one message; false if there is none. */
static bool conn_read(struct conn *conn, FabricMessage *msg)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * 16)];
	} control;
	uint8_t data[FABRIC_WIRE_MAX];
	struct iovec iov = { .iov_base = data, .iov_len = sizeof(data) };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.bytes, .msg_controllen = sizeof(control.bytes),
	};
	ssize_t size = conn->fd < 0 ? -1 : recvmsg(conn->fd, &m, MSG_DONTWAIT);
	struct cmsghdr *c = size > 0 ? CMSG_FIRSTHDR(&m) : NULL;
	unsigned int n = c ? (c->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;

	if (size <= 0)
		return false;
	for (unsigned int i = 0; i < n; i++)
		close(((int *)CMSG_DATA(c))[i]);
	g_assert_null(fabric_wire_decode(data, size, n, msg));
	conn_check(conn, msg);
	return true;
}

static void conn_drain(struct conn *conn)
{
	FabricMessage msg;

	while (conn_read(conn, &msg))
		continue;
}

static void conn_acknowledge(struct conn *conn, uint32_t seq)
{
	FabricMessage ack = { .type = FABRIC_ACK, .seq = seq };
	uint8_t data[FABRIC_WIRE_MAX];

	conn->honest &= seq == conn->received && seq == conn->acked + 1;
	conn->acked = seq;
	conn_send(conn, data, fabric_wire_encode(&ack, data), NULL, 0);
}

static void conn_dial(struct conn *conn)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	g_snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%u.sock", world.dir, SELF);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		conn_open(conn, fd);
	else
		close(fd);
}

static void conn_accept(struct conn *conn)
{
	int fd = accept4(run.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0)
		conn_open(conn, fd);
}

static void conn_say_hello(struct conn *conn)
{
	const int fds[] = { world.page, world.ram };
	uint8_t how = next_byte();
	FabricMessage msg = {
		.type = FABRIC_HELLO,
		.hello = {
			.node = 1 + how % 4, .start = 1000 + how / 4 % 4, .n_lines = LINES,
			.n_ram = 1, .closed = how & 64, .ram[0].size = RAM_SIZE,
			.incarnation = how & 128 ? 2000 : 0,
		},
	};
	uint8_t data[FABRIC_WIRE_MAX];

	/* Only the first one on a connection says who it is. */
	if (conn->node == 0)
		conn->node = msg.hello.node;
	conn_send(conn, data, fabric_wire_encode(&msg, data), fds, 2);
}

/* The sequence number is mostly the right one, the rest is what comes. */
static void conn_request(struct conn *conn)
{
	uint8_t how = next_byte(), value = next_byte();
	FabricMessage msg = {
		.type = FABRIC_STATE + how % 5, .seq = how & 128 ? value : conn->sent + 1,
	};
	uint8_t data[FABRIC_WIRE_MAX];
	int fd = value & 2 ? world.line : world.pipe;

	if (msg.type == FABRIC_ACK) {
		conn_acknowledge(conn, how & 128 ? value : conn->acked + 1);
		return;
	}
	if (msg.type == FABRIC_STATE)
		msg.state.incarnation = value ? 2000 + value : 0;
	if (msg.type == FABRIC_INVALIDATE)
		msg.invalidate.first = value, msg.invalidate.count = value % 8;
	if (msg.type == FABRIC_PORT)
		msg.port.closed = value & 1;
	if (msg.type == FABRIC_LINE) {
		msg.line.line = value / 4 % 4;
		msg.line.open = value & 1;
		msg.line.incarnation = fabric_peer(run.fabric, SELF)->incarnation + (value & 64);
	}
	conn->sent = msg.seq;
	conn_send(conn, data, fabric_wire_encode(&msg, data), &fd,
		  msg.type == FABRIC_LINE && msg.line.open);
}

static void conn_noise(struct conn *conn)
{
	uint8_t data[40];
	size_t size = next_byte() % sizeof(data);

	for (size_t i = 0; i < size; i++)
		data[i] = next_byte();
	conn_send(conn, data, size, &world.pipe, size & 1);
}

static void conn_read_and_acknowledge(struct conn *conn)
{
	FabricMessage msg;

	while (conn_read(conn, &msg)) {
		if (msg.type != FABRIC_HELLO && msg.type != FABRIC_ACK)
			conn_acknowledge(conn, msg.seq);
	}
}

/* ---- The device ---- */

static void check_peer(const FabricPeer *peer)
{
	g_assert_false(run.in_call);
	g_assert_cmpuint(peer->page->magic, ==, FABRIC_PAGE_MAGIC);
	g_assert_cmpuint(*(volatile uint8_t *)peer->ram[0].host, ==, 0);
	for (unsigned int i = 0; i < peer->n_lines; i++)
		g_assert_true(peer->lines[i] < 0 || fcntl(peer->lines[i], F_GETFD) >= 0);
	g_assert_true(peer->linked || peer->lines[0] < 0);
}

static bool answer(const FabricPeer *peer)
{
	/* What was acknowledged before belongs to what was done before. */
	for (unsigned int i = 0; i < CONNS; i++) {
		if (run.conns[i].node == peer->node)
			conn_drain(&run.conns[i]);
	}
	run.undone[peer->node] = run.stuck;
	return !run.stuck;
}

static void on_present(void *opaque, const FabricPeer *peer)
{
	check_peer(peer);
	g_assert_false(run.present[peer->node] || run.undone[peer->node]);
	run.present[peer->node] = true;
	g_assert_true(fabric_peer(run.fabric, peer->node) == peer);
}

static bool on_change(void *opaque, const FabricPeer *peer)
{
	check_peer(peer);
	g_assert_true(run.present[peer->node]);
	g_assert_true(fabric_peer(run.fabric, peer->node) == peer);
	return answer(peer);
}

static void on_lines(void *opaque, const FabricPeer *peer)
{
	check_peer(peer);
	g_assert_true(run.present[peer->node] && peer->linked && peer->incarnation);
}

static bool on_invalidate(void *opaque, const FabricPeer *peer, uint64_t first, uint64_t count)
{
	g_assert_cmpuint(count, >, 0);
	g_assert_cmpuint(first + count, <=, FABRIC_SCI_PAGES);
	return on_change(opaque, peer);
}

static bool on_gone(void *opaque, const FabricPeer *peer)
{
	check_peer(peer);
	g_assert_true(run.present[peer->node]);
	g_assert_null(fabric_peer(run.fabric, peer->node));
	run.present[peer->node] = run.stuck;
	return answer(peer);
}

static void on_settled(void *opaque)
{
	g_assert_false(run.in_call || fabric_busy(run.fabric));
	g_assert_null(fabric_debtors(run.fabric));
}

static void on_report(void *opaque, const char *message)
{
	g_assert_false(run.in_call);
	g_assert_true(*message);
}

static const FabricOps ops = {
	.peer_present = on_present,
	.peer_state = on_change,
	.peer_linked = on_change,
	.peer_gone = on_gone,
	.peer_lines = on_lines,
	.peer_invalidate = on_invalidate,
	.settled = on_settled,
	.report = on_report,
};

static void device_call(void)
{
	uint8_t how = next_byte(), value = next_byte();
	unsigned int node = 1 + value % 6;

	run.in_call = true;
	switch (how % 8) {
	case 0:
		g_assert_cmpuint(fabric_enable(run.fabric), !=, 0);
		break;
	case 1:
		fabric_disable(run.fabric);
		break;
	case 2:
		fabric_invalidate(run.fabric, value, how / 8);
		break;
	case 3:
		if (node != SELF)
			fabric_set_port(run.fabric, node, how & 8);
		break;
	case 4:
		fabric_set_line(run.fabric, node, how / 16 % 4, how & 8 ? world.line : -1);
		break;
	case 5:
		fabric_ring(run.fabric, node, how / 16 % 4);
		break;
	case 6:
		g_free(fabric_debtors(run.fabric));
		break;
	case 7:
		run.stuck = how & 8;
		break;
	}
	run.in_call = false;
}

/* ---- The sequence ---- */

static void turn(void)
{
	for (unsigned int i = 0; i < 4 && g_main_context_iteration(run.context, FALSE); i++)
		continue;
}

static void time_passes(unsigned int milliseconds)
{
	world.offset += milliseconds * 1000ll;
	/* GLib's own clock has not moved. */
	g_source_set_ready_time(g_main_context_find_source_by_id(run.context, 1), 0);
	turn();
}

static void step(uint8_t what)
{
	static const unsigned int times[] = { 60, 1100, 6000, 61000 };

	switch (what % 12) {
	case 0:
		conn_dial(any_conn());
		break;
	case 1:
		conn_say_hello(any_conn());
		break;
	case 2:
	case 3:
		conn_request(any_conn());
		break;
	case 4:
		conn_noise(any_conn());
		break;
	case 5:
		conn_read_and_acknowledge(any_conn());
		break;
	case 6:
		conn_close(any_conn());
		break;
	case 7:
		shutdown(any_conn()->fd, next_byte() % 3);
		break;
	case 8:
		conn_accept(any_conn());
		break;
	case 9:
		time_passes(times[next_byte() % 4]);
		break;
	default:
		device_call();
		break;
	}
	if (what & 16)
		turn();
}

static int listen_at(unsigned int node)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	g_snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%u.sock", world.dir, node);
	unlink(addr.sun_path);
	g_assert_cmpint(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), ==, 0);
	g_assert_cmpint(listen(fd, 4), ==, 0);
	return fd;
}

static int sealed(size_t size, const void *data, size_t n)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	g_assert_cmpint(write(fd, data, n), ==, n);
	g_assert_cmpint(ftruncate(fd, size), ==, 0);
	g_assert_cmpint(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL), ==, 0);
	return fd;
}

static void world_remove(void)
{
	static const char *const names[] = { "5.lock", "5.sock", "2.sock" };

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		char *path = g_build_filename(world.dir, names[i], NULL);

		unlink(path);
		g_free(path);
	}
	rmdir(world.dir);
}

static void world_init(void)
{
	const FabricPage page = { .magic = FABRIC_PAGE_MAGIC };
	int fds[2];

	if (*world.dir)
		return;
	strcpy(world.dir, "/tmp/fabric-fuzz-XXXXXX");
	g_assert_nonnull(mkdtemp(world.dir));
	atexit(world_remove);
	world.page = sealed(4096, &page, sizeof(page));
	world.ram = sealed(RAM_SIZE, "", 1);
	world.line = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	g_assert_cmpint(pipe2(fds, O_CLOEXEC), ==, 0);
	world.pipe = fds[0];
	/* Not GLib's own: it opens a descriptor at its first use. */
	g_main_context_iteration(NULL, FALSE);
}

static unsigned int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int count = 0;

	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static void run_begin(const uint8_t *data, size_t size)
{
	FabricConfig config = {
		.dir = world.dir, .node = SELF, .n_ram = 1, .n_lines = LINES,
		.ram[0] = { .size = RAM_SIZE, .fd = world.ram },
	};
	GError *error = NULL;

	memset(&run, 0, sizeof(run));
	run.data = data;
	run.end = data + size;
	for (unsigned int i = 0; i < CONNS; i++)
		run.conns[i].fd = -1;
	run.context = config.context = g_main_context_new();
	run.listener = listen_at(2);
	run.fabric = fabric_new(&config, &ops, NULL, &error);
	g_assert_no_error(error);
}

static bool anybody_present(void)
{
	for (unsigned int node = 1; node <= FABRIC_NODE_MAX; node++) {
		if (run.present[node])
			return true;
	}
	return false;
}

/* When all have closed their ends nobody is waited for, nor remains. */
static void run_end(void)
{
	run.stuck = false;
	close(run.listener);
	for (unsigned int i = 0; i < CONNS; i++)
		conn_close(&run.conns[i]);
	for (unsigned int i = 0; fabric_busy(run.fabric) || anybody_present(); i++) {
		g_assert_cmpuint(i, <, 100);
		time_passes(60);
	}
	fabric_free(run.fabric);
	g_main_context_unref(run.context);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned int fds;

	world_init();
	fds = count_fds();
	run_begin(data, size);
	while (run.data < run.end)
		step(next_byte());
	run_end();
	g_assert_cmpuint(count_fds(), ==, fds);
	return 0;
}

/* Which steps are taken is seen by the fuzzer alone. */
void fuzz_add_tests(char **paths)
{
	(void)paths;
}
