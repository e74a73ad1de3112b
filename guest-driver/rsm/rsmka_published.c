// SPDX-License-Identifier: GPL-2.0-only
/*
 * Published segments as importers see them: the table of ids, who imports
 * what, and events between exporter and importers.  Used by exports from one
 * side, by shares and by messages of other nodes from the other.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include <linux/slab.h>
#include <linux/uidgid.h>

#include "rsmka_path.h"

/*
 * Ids are unique on the node.  An id without a segment is reserved: it is
 * being published, or unpublished and not yet free again.
 */
DEFINE_XARRAY_FLAGS(rsmka_published, XA_FLAGS_ALLOC | XA_FLAGS_ACCOUNT);
atomic_t rsmka_ids;
atomic_t rsmka_generated_ids;

u32 rsmka_next_segment_id = RSM_USER_APP_ID_BASE;

/* That a node imports a segment. */
struct rsmka_token {
	struct list_head list;		/* in export->tokens */
	struct list_head on_path;	/* in path->tokens; rsmka_tokens_lock */
	struct rsmka_export *export;
	u32 node;
	u64 cookie;			/* of the share there */
	u32 mode;			/* all that it was given so far */
};

/* The tokens of each path, so that the loss of a node costs only its own. */
static DEFINE_SPINLOCK(rsmka_tokens_lock);	/* innermost */

/*
 * Whether a node is heard: it may connect, or it has while it could.  An import
 * keeps its rights when the access list changes, and those include to post;
 * one that can store into the event words would post all the same.
 */
static void rsmka_published_set_poster(struct rsmka_export *export, u32 node, bool imports)
{
	assign_bit(node, export->posters,
		   imports || rsmka_acl_grants(&export->acl, export->mode, node));
}

static void rsmka_token_add(struct rsmka_export *export, struct rsmka_token *token,
			    struct rsmka_path *path)
{
	lockdep_assert_held(&export->visitors_lock);
	token->export = export;
	token->node = path->node;
	list_add(&token->list, &export->tokens);
	export->nr_tokens++;
	rsmka_published_set_poster(export, token->node, true);
	spin_lock(&rsmka_tokens_lock);
	list_add(&token->on_path, &path->tokens);
	spin_unlock(&rsmka_tokens_lock);
}

/* The caller frees it. */
static void rsmka_token_remove(struct rsmka_token *token)
{
	lockdep_assert_held(&token->export->visitors_lock);
	list_del(&token->list);
	token->export->nr_tokens--;
	rsmka_published_set_poster(token->export, token->node, false);
	spin_lock(&rsmka_tokens_lock);
	list_del(&token->on_path);
	spin_unlock(&rsmka_tokens_lock);
}

int rsmka_published_reserve(u32 *segment_id)
{
	int ret;

	if (*segment_id)
		ret = xa_insert(&rsmka_published, *segment_id, NULL, GFP_KERNEL);
	else
		ret = xa_alloc_cyclic(&rsmka_published, segment_id, NULL,
				      XA_LIMIT(RSM_USER_APP_ID_BASE, RSM_USER_APP_ID_END),
				      &rsmka_next_segment_id, GFP_KERNEL);
	if (ret >= 0) {
		atomic_inc(&rsmka_ids);
		if (*segment_id >= RSM_USER_APP_ID_BASE)
			atomic_inc(&rsmka_generated_ids);
		return 0;
	}
	if (ret != -EBUSY)
		return -ENOMEM;
	return *segment_id ? -EADDRINUSE : -ENOSPC;
}

void rsmka_published_release(u32 segment_id)
{
	xa_erase(&rsmka_published, segment_id);
	atomic_dec(&rsmka_ids);
	if (segment_id >= RSM_USER_APP_ID_BASE)
		atomic_dec(&rsmka_generated_ids);
}

/* The access list has changed. */
static void rsmka_published_set_posters(struct rsmka_export *export)
{
	DECLARE_BITMAP(importers, RSMKA_NODES) = {};
	struct rsmka_token *token;
	u32 node;

	lockdep_assert_held(&export->visitors_lock);
	list_for_each_entry(token, &export->tokens, list)
		__set_bit(token->node, importers);
	for (node = 1; node < RSMKA_NODES; node++)
		rsmka_published_set_poster(export, node, test_bit(node, importers));
}

void rsmka_published_open(struct rsmka_export *export, const struct rsmka_acl *acl,
			  const struct rsmka_address *address)
{
	spin_lock(&export->visitors_lock);
	WRITE_ONCE(export->open, true);
	bitmap_zero(export->visited, RSMKA_NODES);
	export->acl = *acl;
	export->address = *address;
	rsmka_published_set_posters(export);
	spin_unlock(&export->visitors_lock);
	/* Cannot fail: the id is reserved. */
	xa_store(&rsmka_published, export->segment_id, export->segment, GFP_KERNEL);
}

/* ---- changes ---- */

void rsmka_published_set_address(struct rsmka_export *export,
				 const struct rsmka_address *address)
{
	spin_lock(&export->visitors_lock);
	export->address = *address;
	spin_unlock(&export->visitors_lock);
}

/* What an import gets that connects from now on. */
static u32 rsmka_published_rights(const struct rsmka_export *export, u32 node)
{
	u32 mode;

	lockdep_assert_held(&export->visitors_lock);
	return rsmka_acl_lookup(&export->acl, export->mode, node, &mode) ?
	       mode | RSMKA_LISTED : 0;
}

/* Nodes that connect from now on are judged by @acl. */
void rsmka_published_set_acl(struct rsmka_export *export, const struct rsmka_acl *acl,
			     struct rsmka_acl *old)
{
	struct rsmka_token *token;
	struct rsmka_share *share;

	spin_lock(&export->visitors_lock);
	if (old)
		*old = export->acl;
	export->acl = *acl;
	rsmka_published_set_posters(export);
	list_for_each_entry(token, &export->tokens, list)
		token->mode |= rsmka_published_rights(export, token->node) & RSMKA_MODE;
	list_for_each_entry(share, &export->local, local)
		WRITE_ONCE(share->rights, rsmka_published_rights(export, share->node));
	spin_unlock(&export->visitors_lock);
}

/* Add what the adapter must give: to nodes of the list and to those that import. */
void rsmka_published_rows(struct rsmka_export *export, struct rsmka_access *access)
{
	struct rsmka_token *token;

	spin_lock(&export->visitors_lock);
	rsmka_acl_rows(&export->acl, export->mode, rsmka_local_node(), access);
	list_for_each_entry(token, &export->tokens, list)
		rsmka_row_add(access, token->node, token->mode);
	spin_unlock(&export->visitors_lock);
}

/* Tell importing nodes what the list now gives them. */
void rsmka_published_announce(struct rsmka_export *export)
{
	struct rsmka_notice {
		u32 node;
		u32 rights;
		u64 cookie;
	} *told = kmalloc_array(RSMKA_NODES, sizeof(*told), GFP_KERNEL | __GFP_NOFAIL);
	struct rsmka_token *token;
	struct rsmka_path *path;
	unsigned int i, count = 0;

	spin_lock(&export->visitors_lock);
	list_for_each_entry(token, &export->tokens, list) {
		told[count].node = token->node;
		told[count].rights = rsmka_published_rights(export, token->node);
		told[count++].cookie = token->cookie;
	}
	spin_unlock(&export->visitors_lock);
	for (i = 0; i < count; i++) {
		path = rsmka_path_find(export->controller, told[i].node);
		rsmka_ipc_queue(path, RSMKA_MSG_REPUBLISH, export->segment_id, told[i].rights,
				told[i].cookie);
	}
	kfree(told);
}

/*
 * A share of this node, with these pages if @pages; the caller becomes a user of it.  There
 * are as many as controllers, and each has users as long as it is on the list.
 */
static struct rsmka_share *rsmka_published_local(struct rsmka_export *export, struct page **pages)
{
	struct rsmka_share *share, *found = NULL;

	mutex_lock(&rsmka_shares_lock);
	spin_lock(&export->visitors_lock);
	list_for_each_entry(share, &export->local, local)
		if (!pages || share->pages == pages)
			found = share;
	if (found)
		found->users++;
	spin_unlock(&export->visitors_lock);
	mutex_unlock(&rsmka_shares_lock);
	return found;
}

/*
 * Shares of this node that have the pages @old go over to the export's present ones, which
 * those have that come.
 */
void rsmka_published_rebound(struct rsmka_export *export, struct page **old)
{
	struct rsmka_share *share;

	while ((share = rsmka_published_local(export, old))) {
		rsmka_share_rebound(share, export->memory->pages);
		rsmka_share_leave(share, NULL);
	}
}

/* ---- the end ---- */

static void rsmka_published_end_local(struct rsmka_export *export)
{
	struct rsmka_share *share;

	while ((share = rsmka_published_local(export, NULL))) {
		rsmka_count(rsmka_share_counters(share), RSM_COUNT_EVICTIONS);
		/* It is off the list when its mappings are gone, whoever ends it. */
		rsmka_share_end(share, -ENOENT);
		/* One that is being connected will never have any. */
		rsmka_published_detach(share);
		rsmka_share_leave(share, NULL);
	}
}

/* From now on nobody connects; those who are connected are told. */
void rsmka_published_shut(struct rsmka_export *export)
{
	struct rsmka_token *token, *next;
	struct rsmka_path *path;
	LIST_HEAD(tokens);

	xa_store(&rsmka_published, export->segment_id, NULL, GFP_KERNEL);
	spin_lock(&export->visitors_lock);
	WRITE_ONCE(export->open, false);
	list_for_each_entry_safe(token, next, &export->tokens, list) {
		rsmka_token_remove(token);
		list_add_tail(&token->list, &tokens);
	}
	spin_unlock(&export->visitors_lock);

	list_for_each_entry_safe(token, next, &tokens, list) {
		path = rsmka_path_find(export->controller, token->node);
		rsmka_ipc_queue(path, RSMKA_MSG_DISCONNECT, export->segment_id, 0, token->cookie);
		rsmka_count(&path->counters, RSM_COUNT_EVICTIONS);
		kfree(token);
	}
	rsmka_published_end_local(export);
}

/* ---- connections ---- */

/* The segment, with a reference, if it is published. */
static struct rsmka_segment *rsmka_published_find(u32 segment_id)
{
	struct rsmka_segment *seg;

	xa_lock(&rsmka_published);
	seg = xa_load(&rsmka_published, segment_id);
	if (seg)
		kref_get(&seg->ref);
	xa_unlock(&rsmka_published);
	return seg;
}

static int rsmka_published_grant(const struct rsmka_export *export, u32 node,
				 struct rsmka_grant *grant)
{
	lockdep_assert_held(&export->visitors_lock);
	if (!export->open)
		return -ENOENT;
	if (!rsmka_acl_lookup(&export->acl, export->mode, node, &grant->mode))
		return -EACCES;
	grant->length = export->length;
	grant->uid = from_kuid(&init_user_ns, export->owner.uid);
	grant->gid = from_kgid(&init_user_ns, export->owner.gid);
	grant->address = export->address;
	grant->big_endian = IS_ENABLED(CONFIG_CPU_BIG_ENDIAN);
	return 0;
}

static struct rsmka_token *rsmka_token_find(const struct rsmka_export *export, u32 node)
{
	struct rsmka_token *token;

	lockdep_assert_held(&export->visitors_lock);
	list_for_each_entry(token, &export->tokens, list)
		if (token->node == node)
			return token;
	return NULL;
}

/*
 * A node asks for a segment.  It has one share of it at a time, so a newer
 * cookie replaces an older one, and a question asked twice changes nothing.
 */
int rsmka_published_connect(struct rsmka_path *path, u32 session, u32 segment_id, u64 cookie,
			    struct rsmka_grant *grant)
{
	struct rsmka_token *token, *fresh;
	struct rsmka_segment *seg;
	struct rsmka_export *export;
	int ret;

	seg = rsmka_published_find(segment_id);
	if (!seg)
		return -ENOENT;
	export = seg->export;
	fresh = kzalloc(sizeof(*fresh), GFP_KERNEL);
	if (!fresh) {
		rsmka_segment_put(seg);
		return -ENOMEM;
	}

	spin_lock(&export->visitors_lock);
	ret = -ENOENT;
	if (export->controller == path->controller)
		ret = rsmka_published_grant(export, path->node, grant);
	/* A token must not outlive the node's session, see rsmka_published_node_lost(). */
	if (!ret && session && rsmka_path_session(path) == session) {
		token = rsmka_token_find(export, path->node);
		if (!token) {
			token = fresh;
			fresh = NULL;
			rsmka_token_add(export, token, path);
		}
		__set_bit(path->node, export->visited);
		token->cookie = cookie;
		token->mode |= grant->mode;
	}
	spin_unlock(&export->visitors_lock);

	kfree(fresh);
	rsmka_segment_put(seg);
	return ret;
}

/* A node no longer imports a segment. */
void rsmka_published_disconnect(struct rsmka_path *path, u32 segment_id, u64 cookie)
{
	struct rsmka_segment *seg = rsmka_published_find(segment_id);
	struct rsmka_token *token;
	struct rsmka_export *export;

	if (!seg)
		return;
	export = seg->export;
	spin_lock(&export->visitors_lock);
	token = export->controller == path->controller ?
		rsmka_token_find(export, path->node) : NULL;
	if (token && token->cookie == cookie)
		rsmka_token_remove(token);
	else
		token = NULL;
	spin_unlock(&export->visitors_lock);
	kfree(token);
	rsmka_segment_put(seg);
}

/* The export of any token of a node, with a reference to its segment. */
static struct rsmka_export *rsmka_token_of_path(struct rsmka_path *path)
{
	struct rsmka_export *export = NULL;
	struct rsmka_token *token;

	spin_lock(&rsmka_tokens_lock);
	token = list_first_entry_or_null(&path->tokens, struct rsmka_token, on_path);
	if (token) {
		/* An export has no token any more when its segment goes. */
		export = token->export;
		kref_get(&export->segment->ref);
	}
	spin_unlock(&rsmka_tokens_lock);
	return export;
}

/* Called when the session is over, so that none is added meanwhile. */
void rsmka_published_node_lost(struct rsmka_path *path)
{
	struct rsmka_export *export;
	struct rsmka_token *token;

	while ((export = rsmka_token_of_path(path))) {
		spin_lock(&export->visitors_lock);
		token = rsmka_token_find(export, path->node);
		if (token)
			rsmka_token_remove(token);
		spin_unlock(&export->visitors_lock);
		kfree(token);
		rsmka_segment_put(export->segment);
		cond_resched();
	}
}

/* A share of this node asks. */
int rsmka_published_attach(struct rsmka_share *share)
{
	struct rsmka_segment *seg = rsmka_published_find(share->segment_id);
	struct rsmka_counters *counters = rsmka_share_counters(share);
	struct rsmka_export *export;
	int ret;

	if (!seg) {
		rsmka_count(counters, RSM_COUNT_CONNECTS_REFUSED);
		return -ENOENT;
	}
	export = seg->export;
	spin_lock(&export->visitors_lock);
	ret = rsmka_published_grant(export, share->node, &share->grant);
	if (!ret) {
		share->exporter = seg;
		/* Stay until the share has ended, which unpublishing waits for. */
		share->pages = export->memory->pages;
		share->rights = rsmka_published_rights(export, share->node);
		list_add(&share->local, &export->local);
	}
	spin_unlock(&export->visitors_lock);
	rsmka_count(counters, ret ? RSM_COUNT_CONNECTS_REFUSED : RSM_COUNT_CONNECTS_GRANTED);
	if (ret)
		rsmka_segment_put(seg);
	return ret;
}

/* The share ends; harmless if the exporter has taken it off its list. */
void rsmka_published_detach(struct rsmka_share *share)
{
	struct rsmka_export *export = share->exporter->export;

	spin_lock(&export->visitors_lock);
	list_del_init(&share->local);
	spin_unlock(&export->visitors_lock);
}

/* ---- events ---- */

/* Importing nodes to which one event goes; most segments have few. */
#define RSMKA_BELLS_FEW		8

struct rsmka_bell {
	u32 node;
	u64 cookie;
};

/*
 * The share of this node whose cookie follows; the caller becomes a user of it.
 * There are as many as controllers.
 */
static struct rsmka_share *rsmka_published_next(struct rsmka_export *export, u64 *cookie)
{
	struct rsmka_share *share, *next = NULL;

	mutex_lock(&rsmka_shares_lock);
	spin_lock(&export->visitors_lock);
	list_for_each_entry(share, &export->local, local)
		if (share->users && share->cookie > *cookie &&
		    (!next || share->cookie < next->cookie))
			next = share;
	if (next) {
		next->users++;
		*cookie = next->cookie;
	}
	spin_unlock(&export->visitors_lock);
	mutex_unlock(&rsmka_shares_lock);
	return next;
}

static void rsmka_published_post_local(struct rsmka_export *export, u32 post_flags)
{
	struct rsmka_share *share;
	u64 cookie = 0;

	while ((share = rsmka_published_next(export, &cookie))) {
		rsmka_count(rsmka_share_counters(share), RSM_COUNT_POSTS_SENT);
		rsmka_count(rsmka_share_counters(share), RSM_COUNT_POSTS_RECEIVED);
		rsmka_share_notify(share, post_flags);
		rsmka_share_leave(share, NULL);
	}
}

/* As many of the importing nodes as there is room for; how many there are. */
static unsigned int rsmka_published_bells(struct rsmka_export *export, struct rsmka_bell *bells,
					  unsigned int room, u32 *segment_id)
{
	struct rsmka_token *token;
	unsigned int count = 0;

	spin_lock(&export->visitors_lock);
	*segment_id = export->segment_id;
	list_for_each_entry(token, &export->tokens, list)
		if (count++ < room)
			bells[count - 1] = (struct rsmka_bell){ token->node, token->cookie };
	spin_unlock(&export->visitors_lock);
	return count;
}

/* One event to every import.  Nodes that cannot be reached do not get it. */
int rsmka_published_post(struct rsmka_export *export, u32 post_flags, long patience)
{
	struct rsmka_bell few[RSMKA_BELLS_FEW], *bells = few, *many = NULL;
	unsigned int i, count;
	u32 segment_id;

	count = rsmka_published_bells(export, few, RSMKA_BELLS_FEW, &segment_id);
	if (count > RSMKA_BELLS_FEW) {
		many = kmalloc_array(RSMKA_NODES, sizeof(*many), GFP_KERNEL_ACCOUNT);
		if (!many)
			return -ENOMEM;
		bells = many;
		count = rsmka_published_bells(export, many, RSMKA_NODES, &segment_id);
	}
	/* Looked at without a lock: who comes or goes meanwhile may miss the event. */
	if (!list_empty_careful(&export->local))
		rsmka_published_post_local(export, post_flags);
	for (i = 0; i < count; i++)
		rsmka_ipc_bell(rsmka_path_find(export->controller, bells[i].node), segment_id,
			       bells[i].cookie, post_flags, patience);
	kfree(many);
	return 0;
}

/*
 * An event for the exporter, from an importer on another node or, without a
 * path, on this one.  In any context.  False if nothing is published under that id.
 */
bool rsmka_published_bell(struct rsmka_path *path, u32 segment_id, u32 post_flags)
{
	struct rsmka_export *export;
	struct rsmka_segment *seg;
	bool heard = false;

	rcu_read_lock();
	seg = xa_load(&rsmka_published, segment_id);
	if (seg) {
		/* Published, so it is complete. */
		export = seg->export;
		heard = READ_ONCE(export->open);
		if (path)
			heard = heard && export->controller == path->controller &&
				test_bit(path->node, export->posters);
	}
	if (heard && post_flags & RSM_POST_WAKE)
		rsmka_events_wake(&seg->events);
	else if (heard)
		rsmka_events_add(&seg->events, post_flags);
	rcu_read_unlock();
	return heard;
}
