/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The other side of the wire, byte by byte: for tests that break the rules.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#ifndef TEST_FABRIC_RAW_H
#define TEST_FABRIC_RAW_H

#include "wire.h"

/* A packet that is a correct HELLO until a test changes something. */
struct raw_hello {
	FabricWireHello wire;
	size_t size;
	int fds[253];
	unsigned int n_fds;
};

#define RAW_RAM_RANGES	2	/* in the HELLO of a raw node */
#define RAW_RAM_SIZE	0x4000

int raw_socket(void);
int raw_dial(const char *dir, unsigned int node);
/* A listening socket at DIR/NAME, of @type SOCK_SEQPACKET or another. */
int raw_listen(const char *dir, const char *name, int type);

int raw_page_new(size_t size, int seals);
/* Node @node with two ranges of RAM, which has two lines. */
void raw_hello_init(struct raw_hello *hello, unsigned int node);
/* Closes what raw_hello_init() opened, and what replaced it. */
void raw_hello_fini(struct raw_hello *hello);

void raw_send(int fd, const void *data, size_t size, const int *fds, unsigned int n_fds);
void raw_send_hello(int fd, const struct raw_hello *hello);
void raw_send_message(int fd, const FabricMessage *msg);
/* The same, with a descriptor. */
void raw_send_line(int fd, const FabricMessage *msg, int line);
void raw_send_request(int fd, unsigned int type, uint32_t seq);
/* Reads one message, without its descriptors; false if there is none. */
bool raw_receive(int fd, FabricMessage *msg);
/* The same, with the descriptor of a LINE in @line, or -1. */
bool raw_receive_line(int fd, FabricMessage *msg, int *line);
/* Whether the node has ended the connection; what it sent before is thrown away. */
bool raw_ended(int fd);

/* A node that has said hello to the node that it dialled, of start 1000 or another. */
int raw_join(const char *dir, unsigned int to, unsigned int node);
int raw_join_start(const char *dir, unsigned int to, unsigned int node, uint32_t start);

#endif /* TEST_FABRIC_RAW_H */
