// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who may connect: users and groups against the permissions of the creation
 * and of access lists.  Run as root, which becomes the users of the guest.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "guest.h"

#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#define ID	0x434567
#define NO_LIST	0xffffffff

struct user {
	uid_t uid;
	gid_t gid;
	gid_t second_gid;	/* supplementary, 0 = none */
};

static const struct user owner = { 1001, 1001, 0 };
static const struct user member = { 1002, 1001, 0 };
static const struct user second_member = { 1002, 1002, 1001 };
static const struct user stranger = { 1002, 1002, 0 };

static void become(const struct user *user)
{
	require(setgroups(user->second_gid != 0, &user->second_gid), 0);
	require(setgid(user->gid), 0);
	require(setuid(user->uid), 0);
}

struct rights {
	mode_t umask;
	rsm_permission_t list;	/* permission of a one-entry list, or NO_LIST */
};

static void export_as_owner(void *argument)
{
	const struct rights *rights = argument;
	rsmapi_access_entry_t list = { local_node, rights->list };
	rsm_memseg_export_handle_t export;
	rsm_memseg_id_t id = ID;

	become(&owner);
	umask(rights->umask);
	export = create(memory(page), page);
	/* The umask counts when the segment is created. */
	umask(0);
	require(rsm_memseg_export_publish(export, &id, &list, rights->list != NO_LIST),
		RSM_SUCCESS);
	child_ready(0);
}

struct attempt {
	const struct user *user;
	rsm_permission_t permission;
	int result;
};

static void attempt_connect(void *argument)
{
	const struct attempt *attempt = argument;
	rsm_memseg_import_handle_t import;

	if (attempt->user)
		become(attempt->user);
	expect(rsm_memseg_import_connect(controller, local_node, ID, attempt->permission,
					 &import), attempt->result);
}

static void check_attempts(struct rights rights, const struct attempt *attempts, size_t count)
{
	struct child exporter = child_start(export_as_owner, &rights);
	size_t i;

	for (i = 0; i < count; i++)
		in_child(attempt_connect, (void *)&attempts[i]);
	expect(child_finish(&exporter), 0);
}

#define READ	RSM_PERM_READ
#define WRITE	RSM_PERM_WRITE
#define RDWR	RSM_PERM_RDWR
#define OK	RSM_SUCCESS
#define DENIED	RSMERR_PERM_DENIED

static void umask_077_keeps_others_out(void)
{
	static const struct attempt attempts[] = {
		{ &owner, RDWR, OK }, { &member, READ, DENIED }, { &stranger, READ, DENIED },
		{ &owner, 0, OK }, { &member, 0, DENIED }, { &stranger, 0, DENIED },
	};

	check_attempts((struct rights){ 077, NO_LIST }, attempts, ARRAY(attempts));
}

static void umask_022_lets_others_read(void)
{
	static const struct attempt attempts[] = {
		{ &owner, RDWR, OK }, { &member, READ, OK }, { &member, RDWR, DENIED },
		{ &stranger, READ, OK }, { &stranger, WRITE, DENIED },
		{ &stranger, RDWR, DENIED },
	};

	check_attempts((struct rights){ 022, NO_LIST }, attempts, ARRAY(attempts));
}

static void umask_0_lets_everybody_in(void)
{
	static const struct attempt attempts[] = {
		{ &owner, RDWR, OK }, { &member, RDWR, OK }, { &stranger, RDWR, OK },
	};

	check_attempts((struct rights){ 0, NO_LIST }, attempts, ARRAY(attempts));
}

static void list_0640_lets_the_group_read(void)
{
	static const struct attempt attempts[] = {
		{ &owner, RDWR, OK }, { &member, READ, OK }, { &member, WRITE, DENIED },
		{ &second_member, READ, OK }, { &second_member, RDWR, DENIED },
		{ &stranger, READ, DENIED }, { &stranger, WRITE, DENIED },
	};

	check_attempts((struct rights){ 077, 0640 }, attempts, ARRAY(attempts));
}

static void list_0624_serves_each_class(void)
{
	static const struct attempt attempts[] = {
		{ &owner, RDWR, OK }, { &member, WRITE, OK }, { &member, READ, DENIED },
		{ &member, 0, OK }, { &stranger, 0, OK },
		{ &stranger, READ, OK }, { &stranger, WRITE, DENIED },
	};

	check_attempts((struct rights){ 077, 0624 }, attempts, ARRAY(attempts));
}

static void list_0600_is_for_the_owner(void)
{
	static const struct attempt attempts[] = {
		{ &owner, RDWR, OK }, { &member, READ, DENIED }, { &stranger, READ, DENIED },
		{ &stranger, 0, DENIED },
	};

	check_attempts((struct rights){ 0, 0600 }, attempts, ARRAY(attempts));
}

static void the_owner_class_comes_first(void)
{
	static const struct attempt attempts[] = {
		{ &owner, READ, DENIED }, { &owner, 0, DENIED }, { &stranger, READ, OK },
	};

	check_attempts((struct rights){ 0, 0066 }, attempts, ARRAY(attempts));
}

static void root_connects_to_everything(void)
{
	static const struct attempt attempts[] = {
		{ NULL, RDWR, OK },
	};

	check_attempts((struct rights){ 077, NO_LIST }, attempts, ARRAY(attempts));
}

/* What a node does not get no user of it has. */
static void list_0000_is_for_nobody(void)
{
	static const struct attempt attempts[] = {
		{ &owner, RDWR, DENIED }, { &owner, 0, DENIED }, { NULL, RDWR, DENIED },
		{ NULL, 0, DENIED },
	};

	check_attempts((struct rights){ 0, 0 }, attempts, ARRAY(attempts));
}

static void publish_to_all_and_go(void *argument)
{
	struct rights rights = { 0, NO_LIST };

	(void)argument;
	export_as_owner(&rights);
}

/* Nothing has arrived when the parent is done. */
static void publish_privately(void *argument)
{
	rsm_memseg_export_handle_t export;
	rsm_memseg_id_t id = ID;

	(void)argument;
	become(&owner);
	umask(077);
	export = create(memory(page), page);
	require(rsm_memseg_export_publish(export, &id, NULL, 0), RSM_SUCCESS);
	child_ready(0);
	expect(rsm_intr_signal_wait(export, 0), RSMERR_TIMEOUT);
}

static void a_kept_import_posts_to_nobody(void)
{
	struct child exporter = child_start(publish_to_all_and_go, NULL);
	rsm_memseg_import_handle_t import;

	become(&stranger);
	import = connect_to(ID, WRITE);
	expect(child_finish(&exporter), 0);
	expect(rsm_intr_signal_post(import, 0), RSM_SUCCESS);
}

static void a_kept_import_posts_to_no_stranger(void)
{
	struct child exporter = child_start(publish_to_all_and_go, NULL), other;
	rsm_memseg_import_handle_t import = connect_to(ID, WRITE);

	expect(child_finish(&exporter), 0);
	other = child_start(publish_privately, NULL);
	become(&stranger);
	expect(rsm_intr_signal_post(import, 0), RSM_SUCCESS);
	expect(child_finish(&other), 0);
}

static const struct test tests[] = {
	TEST(umask_077_keeps_others_out),
	TEST(umask_022_lets_others_read),
	TEST(umask_0_lets_everybody_in),
	TEST(list_0640_lets_the_group_read),
	TEST(list_0624_serves_each_class),
	TEST(list_0600_is_for_the_owner),
	TEST(the_owner_class_comes_first),
	TEST(root_connects_to_everything),
	TEST(list_0000_is_for_nobody),
	TEST(a_kept_import_posts_to_nobody),
	TEST(a_kept_import_posts_to_no_stranger),
};

int main(int argc, char *argv[])
{
	return guest_main(argc, argv, TESTS(tests));
}
