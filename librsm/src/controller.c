// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Controller handles: a list of the controllers this process has open, each
 * with its count of rsm_get_controller() calls and the attributes of the first
 * one.  Segments copy what they need, so a release never leaves them dangling.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "library.h"

#define LOOPBACK	"loopback"
#define TYPE_MAX	15		/* characters of a controller type */
#define UNIT_DIGITS	9		/* fits an unsigned int */

struct __rsmapi_controller_handle {
	struct __rsmapi_controller_handle *next;
	unsigned int references;
	unsigned int unit;
	bool loopback;
	char type[TYPE_MAX + 1];
	char name[RSM_CONTROLLER_NAME];		/* as the agent knows it */
	rsmapi_controller_attr_t attr;
};

_Static_assert(TYPE_MAX + UNIT_DIGITS < RSM_CONTROLLER_NAME, "a name always fits");

/* Guards the list and its members; not held while the agent is asked. */
static pthread_mutex_t *const lock = &rsm_locks[RSM_LOCK_CONTROLLERS];
static struct __rsmapi_controller_handle *controllers;

/* Without regard to the locale, in some of which "I" and "i" are no pair. */
static void name_lower(char *to, const char *from, size_t length)
{
	for (size_t i = 0; i < length; i++)
		to[i] = from[i] >= 'A' && from[i] <= 'Z' ? (char)(from[i] - 'A' + 'a') : from[i];
}

/*
 * Split <type><unit> into a handle, spelled as the agent does, in lower case; the
 * unit of loopback means nothing.
 */
static bool controller_parse(const char *name, struct __rsmapi_controller_handle *out)
{
	size_t type = strnlen(name, RSM_CONTROLLER_NAME);
	size_t end = type;

	while (type > 0 && name[type - 1] >= '0' && name[type - 1] <= '9')
		type--;
	if (type == 0 || type > TYPE_MAX || end - type > UNIT_DIGITS)
		return false;

	name_lower(out->type, name, type);
	out->loopback = !strcmp(out->type, LOOPBACK);
	if (out->loopback) {
		strcpy(out->name, LOOPBACK);
		return true;
	}
	out->unit = (unsigned int)strtoul(name + type, NULL, 10);
	snprintf(out->name, sizeof(out->name), "%s%u", out->type, out->unit);
	return true;
}

static bool controller_same(const struct __rsmapi_controller_handle *a,
			    const struct __rsmapi_controller_handle *b)
{
	return a->unit == b->unit && !strcmp(a->type, b->type);
}

/* The link that leads to @handle; a stale handle is compared, not followed. */
static struct __rsmapi_controller_handle **controller_link(rsmapi_controller_handle_t handle)
{
	struct __rsmapi_controller_handle **link = &controllers;

	while (*link && *link != handle)
		link = &(*link)->next;
	return link;
}

/* A program of 32 bits has no use for more. */
static size_t controller_size(__u64 bytes)
{
	return bytes == (size_t)bytes ? (size_t)bytes : SIZE_MAX;
}

static void controller_attr_set(rsmapi_controller_attr_t *attr,
				const struct rsm_ioc_controller *query)
{
	attr->attr_direct_access_sizes = query->direct_access_sizes;
	attr->attr_atomic_sizes = query->atomic_sizes;
	attr->attr_page_size = query->page_size;
	attr->attr_max_export_segment_size = controller_size(query->max_export_segment_size);
	attr->attr_tot_export_segment_size = controller_size(query->tot_export_segment_size);
	attr->attr_max_export_segments = query->max_export_segments;
	attr->attr_max_import_map_size = controller_size(query->max_import_map_size);
	attr->attr_tot_import_map_size = controller_size(query->tot_import_map_size);
	attr->attr_max_import_segments = query->max_import_segments;
}

static int controller_query(struct __rsmapi_controller_handle *controller)
{
	struct rsm_ioc_controller query = { 0 };
	int control, ret;

	control = rsm_device_open_control();
	if (control < 0)
		return rsmerr_of_open(control);

	memcpy(query.name, controller->name, sizeof(query.name));
	ret = rsm_device_attach(control);
	if (!ret)
		ret = rsm_device_call(control, RSM_IOC_CONTROLLER, &query);
	rsm_device_close(control);
	if (!ret)
		controller_attr_set(&controller->attr, &query);
	return rsmerr_of_call(ret);
}

/* One more reference to the controller, NULL if it is not open. */
static rsmapi_controller_handle_t
controller_share_locked(const struct __rsmapi_controller_handle *wanted)
{
	struct __rsmapi_controller_handle *controller = controllers;

	while (controller && !controller_same(controller, wanted))
		controller = controller->next;
	if (controller)
		controller->references++;
	return controller;
}

/* As it comes from the agent; another thread may open the same one meanwhile. */
static int controller_new(const struct __rsmapi_controller_handle *wanted,
			  struct __rsmapi_controller_handle **out)
{
	struct __rsmapi_controller_handle *controller = malloc(sizeof(*controller));
	int ret;

	if (!controller)
		return RSMERR_INSUFFICIENT_MEM;
	*controller = *wanted;
	ret = controller_query(controller);
	if (ret)
		free(controller);
	else
		*out = controller;
	return ret;
}

static rsmapi_controller_handle_t controller_add(struct __rsmapi_controller_handle *new)
{
	rsmapi_controller_handle_t same;

	pthread_mutex_lock(lock);
	same = controller_share_locked(new);
	if (!same) {
		new->references = 1;
		new->next = controllers;
		controllers = new;
	}
	pthread_mutex_unlock(lock);
	if (!same)
		return new;
	free(new);
	return same;
}

int rsm_get_controller(char *name, rsmapi_controller_handle_t *controller)
{
	struct __rsmapi_controller_handle wanted = { 0 }, *new;
	rsmapi_controller_handle_t same;
	int ret;

	if (!controller)
		return RSMERR_BAD_CTLR_HNDL;
	if (!controller_parse(name ? name : LOOPBACK, &wanted))
		return RSMERR_CTLR_NOT_PRESENT;
	/* Whatever a program can hold over a fork() begins with a controller. */
	if (!rsm_watch_forks())
		return RSMERR_INSUFFICIENT_MEM;

	pthread_mutex_lock(lock);
	same = controller_share_locked(&wanted);
	pthread_mutex_unlock(lock);
	if (same) {
		*controller = same;
		return RSM_SUCCESS;
	}
	ret = controller_new(&wanted, &new);
	if (!ret)
		*controller = controller_add(new);
	return ret;
}

int rsm_release_controller(rsmapi_controller_handle_t controller)
{
	struct __rsmapi_controller_handle **link;
	int ret = RSM_SUCCESS;

	pthread_mutex_lock(lock);
	link = controller_link(controller);
	if (!*link) {
		ret = RSMERR_BAD_CTLR_HNDL;
	} else if (--controller->references == 0) {
		*link = controller->next;
		free(controller);
	}
	pthread_mutex_unlock(lock);
	return ret;
}

int rsm_get_controller_attr(rsmapi_controller_handle_t controller, rsmapi_controller_attr_t *attr)
{
	int ret = RSM_SUCCESS;

	if (!controller)
		return RSMERR_BAD_CTLR_HNDL;
	if (!attr)
		return RSMERR_BAD_ADDR;

	pthread_mutex_lock(lock);
	if (*controller_link(controller))
		*attr = controller->attr;
	else
		ret = RSMERR_CTLR_NOT_PRESENT;
	pthread_mutex_unlock(lock);
	return ret;
}

bool rsm_controller_find(rsmapi_controller_handle_t handle, struct rsm_controller *out)
{
	bool found;

	pthread_mutex_lock(lock);
	found = *controller_link(handle);
	if (found) {
		memcpy(out->name, handle->name, sizeof(out->name));
		out->loopback = handle->loopback;
		out->max_export_segment_size = handle->attr.attr_max_export_segment_size;
	}
	pthread_mutex_unlock(lock);
	return found;
}
