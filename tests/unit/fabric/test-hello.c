// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * HELLOs with exactly one thing wrong.  The sender is dropped with a report,
 * the other nodes notice nothing, and no descriptor stays behind.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "node.h"
#include "raw.h"

struct fault {
	const char *name;
	void (*change)(struct raw_hello *hello);
	const char *report;
};

#define CHANGE(name, statement)					\
	static void name(struct raw_hello *h)			\
	{							\
		statement;					\
	}

static void replace(struct raw_hello *h, unsigned int index, int fd)
{
	g_assert_cmpint(fd, >=, 0);
	close(h->fds[index]);
	h->fds[index] = fd;
}

static int pipe_end(void)
{
	int fds[2];

	g_assert_cmpint(pipe2(fds, O_CLOEXEC | O_NONBLOCK), ==, 0);
	close(fds[1]);
	return fds[0];
}

static int read_only(int fd)
{
	char path[32];

	g_snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static int unsealed(void)
{
	int fd = memfd_create("unsealed", MFD_CLOEXEC);

	g_assert_cmpint(ftruncate(fd, 4 * RAW_RAM_SIZE), ==, 0);
	return fd;
}

static int page_without_magic(void)
{
	return test_ram_new(4096);
}

CHANGE(empty, { h->size = 0; raw_hello_fini(h); })
CHANGE(short_header, h->size = 15)
CHANGE(header_only, h->size = 16)
CHANGE(one_byte_short, h->size--)
CHANGE(wrong_magic, h->wire.header.magic ^= 1)
CHANGE(older_version, h->wire.header.version = GUINT16_TO_LE(2))
CHANGE(newer_version, h->wire.header.version = GUINT16_TO_LE(4))
CHANGE(type_0, h->wire.header.type = 0)
CHANGE(type_7, h->wire.header.type = GUINT16_TO_LE(7))
CHANGE(wrong_length, h->wire.header.length = GUINT32_TO_LE(231))
CHANGE(sequence_number, h->wire.header.seq = GUINT32_TO_LE(1))
CHANGE(node_0, h->wire.node = 0)
CHANGE(node_256, h->wire.node = GUINT32_TO_LE(256))
CHANGE(own_node, h->wire.node = GUINT32_TO_LE(1))
CHANGE(start_0, h->wire.start = 0)
CHANGE(incarnation_of_the_past, h->wire.incarnation = GUINT32_TO_LE(1000))
CHANGE(no_lines, h->wire.n_lines = 0)
CHANGE(lines_129, h->wire.n_lines = GUINT32_TO_LE(129))
CHANGE(lines_2_31, h->wire.n_lines = GUINT32_TO_LE(0x80000000))
CHANGE(no_ram, { h->wire.n_ram = 0; memset(h->wire.ram, 0, sizeof(h->wire.ram)); })
CHANGE(ram_9, h->wire.n_ram = GUINT32_TO_LE(9))
CHANGE(ram_2_31, h->wire.n_ram = GUINT32_TO_LE(0x80000000))
CHANGE(closed, h->wire.closed = GUINT32_TO_LE(2))
CHANGE(ram_uncounted, h->wire.ram[7].size = 1)
CHANGE(ram_base_odd, h->wire.ram[1].guest_base = GUINT64_TO_LE(0x100800))
CHANGE(ram_size_odd, h->wire.ram[0].size = GUINT64_TO_LE(RAW_RAM_SIZE - 1))
CHANGE(ram_offset_odd, h->wire.ram[1].fd_offset = GUINT64_TO_LE(512))
CHANGE(ram_empty, h->wire.ram[0].size = 0)
CHANGE(ram_wraps, h->wire.ram[1].guest_base = GUINT64_TO_LE(-(uint64_t)0x1000))
CHANGE(ram_too_high, h->wire.ram[1].guest_base = GUINT64_TO_LE((1ull << 52) - 0x1000))
CHANGE(ram_too_big, h->wire.ram[1].size = GUINT64_TO_LE(-(uint64_t)0x1000))
CHANGE(ram_offset_wraps, h->wire.ram[1].fd_offset = GUINT64_TO_LE(-(uint64_t)0x1000))
CHANGE(ram_same, h->wire.ram[1].guest_base = 0)
CHANGE(ram_one_page_overlaps, h->wire.ram[1].guest_base = GUINT64_TO_LE(RAW_RAM_SIZE - 0x1000))
CHANGE(fd_missing, close(h->fds[--h->n_fds]))
CHANGE(fd_too_many, h->fds[h->n_fds++] = test_line_new())
CHANGE(fds_253, while (h->n_fds < 253) h->fds[h->n_fds++] = test_line_new())
CHANGE(fds_none, raw_hello_fini(h))
CHANGE(page_pipe, replace(h, 0, pipe_end()))
CHANGE(page_short, replace(h, 0, raw_page_new(4095, F_SEAL_SHRINK | F_SEAL_SEAL)))
CHANGE(page_can_shrink, replace(h, 0, raw_page_new(4096, F_SEAL_GROW | F_SEAL_SEAL)))
CHANGE(page_takes_seals, replace(h, 0, raw_page_new(4096, F_SEAL_SHRINK)))
CHANGE(page_magic, replace(h, 0, page_without_magic()))
CHANGE(ram_pipe, replace(h, 1, pipe_end()))
CHANGE(ram_device, replace(h, 2, open("/dev/zero", O_RDWR | O_CLOEXEC)))
CHANGE(ram_short, replace(h, 2, test_ram_new(2 * RAW_RAM_SIZE - 1)))
CHANGE(ram_can_shrink, replace(h, 2, unsealed()))
CHANGE(ram_read_only, replace(h, 1, read_only(h->fds[1])))

static const struct fault faults[] = {
	{ "empty_packet", empty, "a packet of 0 bytes that is not of this protocol" },
	{ "short_header", short_header, "a packet of 15 bytes that is not of this protocol" },
	{ "header_only", header_only, "message of type 1 has 16 bytes" },
	{ "one_byte_short", one_byte_short, "message of type 1 has 231 bytes" },
	{ "wrong_magic", wrong_magic, "a packet of 232 bytes that is not of this protocol" },
	{ "older_version", older_version, "it speaks version 2" },
	{ "newer_version", newer_version, "it speaks version 4" },
	{ "type_0", type_0, "message of unknown type 0" },
	{ "type_7", type_7, "message of unknown type 7" },
	{ "wrong_length", wrong_length, "message of type 1 has 232 bytes and says 231" },
	{ "sequence_number", sequence_number, "HELLO with a sequence number" },
	{ "node_0", node_0, "node id 0" },
	{ "node_256", node_256, "node id 256" },
	{ "own_node", own_node, "it says that it is this node" },
	{ "start_0", start_0, "start 0" },
	{ "incarnation_of_the_past", incarnation_of_the_past, "incarnation 1000 is older" },
	{ "no_lines", no_lines, "0 doorbell lines" },
	{ "lines_129", lines_129, "129 doorbell lines" },
	{ "lines_2_31", lines_2_31, "2147483648 doorbell lines" },
	{ "no_ram", no_ram, "0 RAM ranges" },
	{ "ram_9", ram_9, "9 RAM ranges" },
	{ "ram_2_31", ram_2_31, "2147483648 RAM ranges" },
	{ "closed", closed, "HELLO of a port in state 2" },
	{ "ram_uncounted", ram_uncounted, "RAM range 7 is not counted" },
	{ "ram_base_odd", ram_base_odd, "RAM range 1 is not made of pages" },
	{ "ram_size_odd", ram_size_odd, "RAM range 0 is not made of pages" },
	{ "ram_offset_odd", ram_offset_odd, "RAM range 1 is not made of pages" },
	{ "ram_empty", ram_empty, "RAM range 0 is empty" },
	{ "ram_wraps", ram_wraps, "RAM range 1 is empty or ends beyond" },
	{ "ram_too_high", ram_too_high, "RAM range 1 is empty or ends beyond" },
	{ "ram_too_big", ram_too_big, "RAM range 1 is empty or ends beyond" },
	{ "ram_offset_wraps", ram_offset_wraps, "RAM range 1 ends beyond any file" },
	{ "ram_same", ram_same, "RAM ranges 0 and 1 overlap" },
	{ "ram_one_page_overlaps", ram_one_page_overlaps, "RAM ranges 0 and 1 overlap" },
	{ "fd_missing", fd_missing, "with 2 descriptors instead of 3" },
	{ "fd_too_many", fd_too_many, "with 4 descriptors instead of 3" },
	{ "fds_253", fds_253, "with 253 descriptors instead of 3" },
	{ "fds_none", fds_none, "with 0 descriptors instead of 3" },
	{ "page_pipe", page_pipe, "the control page is not a file" },
	{ "page_short", page_short, "the control page is shorter" },
	{ "page_can_shrink", page_can_shrink, "the control page can shrink" },
	{ "page_takes_seals", page_takes_seals, "the control page can shrink or be sealed" },
	{ "page_magic", page_magic, "the control page has a wrong magic" },
	{ "ram_pipe", ram_pipe, "the file of RAM range 0 is not a file" },
	{ "ram_device", ram_device, "the file of RAM range 1 is not a file" },
	{ "ram_short", ram_short, "the file of RAM range 1 is shorter" },
	{ "ram_can_shrink", ram_can_shrink, "the file of RAM range 1 can shrink" },
	{ "ram_read_only", ram_read_only, "the file of RAM range 0 cannot be mapped" },
};

static bool reported(const struct node *node, const char *what)
{
	return saw(node->log, "report") && strstr(node->log->str, what);
}

static void hello_with_one_fault_is_dropped(gconstpointer data)
{
	const struct fault *fault = data;
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1), *b = node_start(dir, 2);
	struct raw_hello hello;
	unsigned int fds;
	int fd;

	wait_until(fabric_peer(a->fabric, 2) && fabric_peer(b->fabric, 1));
	fds = count_fds();
	fd = raw_dial(dir, 1);
	raw_hello_init(&hello, 9);
	fault->change(&hello);
	raw_send_hello(fd, &hello);
	raw_hello_fini(&hello);
	wait_until(saw(a->log, "report"));
	g_test_message("%s", a->log->str);
	g_assert_true(reported(a, fault->report));
	g_assert_cmpuint(saw(a->log, "report"), ==, 1);
	g_assert_true(raw_ended(fd));
	close(fd);

	g_assert_cmpuint(count_fds(), ==, fds);
	g_assert_cmpuint(saw(a->log, "present"), ==, 1);
	g_assert_cmpuint(saw(a->log, "gone"), ==, 0);
	g_assert_cmpstr(b->log->str, ==, "present 1 0\n");
	node_stop(a);
	node_stop(b);
	test_dir_remove(dir);
}

/* So that the faults above are the only ones in those packets. */
static void correct_hello_is_accepted(void)
{
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1);
	unsigned int fds = count_fds();
	int fd = raw_join(dir, 1, 9);

	wait_until(saw(a->log, "present 9 0"));
	g_assert_cmpuint(fabric_peer(a->fabric, 9)->n_ram, ==, 2);
	g_assert_cmpuint(fabric_peer(a->fabric, 9)->n_lines, ==, 2);
	close(fd);
	wait_until(saw(a->log, "gone 9"));
	g_assert_cmpuint(saw(a->log, "report"), ==, 0);
	g_assert_cmpuint(count_fds(), ==, fds);
	node_stop(a);
	test_dir_remove(dir);
}

static void oversized_packet_is_dropped(void)
{
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1);
	unsigned int fds = count_fds();
	struct raw_hello hello;
	char big[4096] = { 0 };
	int fd = raw_dial(dir, 1);

	raw_hello_init(&hello, 9);
	memcpy(big, &hello.wire, sizeof(hello.wire));
	raw_send(fd, big, sizeof(big), hello.fds, hello.n_fds);
	raw_hello_fini(&hello);
	wait_until(reported(a, "a packet of more than 232 bytes"));
	wait_until(raw_ended(fd));
	close(fd);
	g_assert_cmpuint(count_fds(), ==, fds);
	node_stop(a);
	test_dir_remove(dir);
}

/* The node that answers a dial must be the one that was dialled. */
static void answer_of_another_node_is_dropped(void)
{
	char *dir = test_dir_new();
	int listener = raw_listen(dir, "9.sock", SOCK_SEQPACKET);
	struct node *a = node_start(dir, 1);
	struct raw_hello hello;
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	g_assert_cmpint(fd, >=, 0);
	raw_hello_init(&hello, 8);
	raw_send_hello(fd, &hello);
	raw_hello_fini(&hello);
	wait_until(reported(a, "it says that it is node 8"));
	g_assert_cmpuint(saw(a->log, "present"), ==, 0);
	close(fd);
	close(listener);
	node_stop(a);
	test_dir_remove(dir);
}

static void messages_before_hello_are_dropped(void)
{
	char *dir = test_dir_new();
	struct node *a = node_start(dir, 1);

	for (unsigned int type = FABRIC_STATE; type <= FABRIC_ACK; type++) {
		char *expected = g_strdup_printf("a message of type %u before HELLO", type);
		int fd = raw_dial(dir, 1);

		raw_send_request(fd, type, 1);
		wait_until(reported(a, expected));
		g_assert_true(raw_ended(fd));
		close(fd);
		g_free(expected);
	}
	node_stop(a);
	test_dir_remove(dir);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/hello/correct_hello_is_accepted", correct_hello_is_accepted);
	g_test_add_func("/hello/oversized_packet_is_dropped", oversized_packet_is_dropped);
	g_test_add_func("/hello/answer_of_another_node_is_dropped",
			answer_of_another_node_is_dropped);
	g_test_add_func("/hello/messages_before_hello_are_dropped",
			messages_before_hello_are_dropped);
	for (size_t i = 0; i < G_N_ELEMENTS(faults); i++) {
		char *path = g_strdup_printf("/hello/fault/%s_is_dropped", faults[i].name);

		g_test_add_data_func(path, &faults[i], hello_with_one_fault_is_dropped);
		g_free(path);
	}
	return g_test_run();
}
