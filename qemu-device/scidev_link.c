/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The links as an administrator sees them: properties that may be read and
 * written at any time, by QMP qom-get and qom-set, and before the device is
 * realized.  Calls the fabric, the ATT and the slots; called by QOM only.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qapi-builtin-visit.h"
#include "qapi/visitor.h"
#include "qemu/bitmap.h"
#include "scidev.h"
#include "trace.h"

static bool scidev_port_open(const SCIDev *s, unsigned node)
{
    return s->link && !test_bit(node, s->links_down);
}

void scidev_ports(const SCIDev *s, bool *closed)
{
    for (unsigned node = SCI_NODE_MIN; node <= SCI_NODE_MAX; node++) {
        closed[node] = node != s->node_id && !scidev_port_open(s, node);
    }
}

/* False if the host does not let go of what is mapped of the node. */
static bool scidev_port_set(SCIDev *s, unsigned node, bool open)
{
    const FabricPeer *peer = fabric_peer(s->fabric, node);

    trace_scidev_port(s->node_id, node, open);
    if (!open && !scidev_att_revoke(s, node, SCI_ATT_ST_PEER_LOST)) {
        return false;
    }
    fabric_set_port(s->fabric, node, open);
    if (peer) {
        scidev_slot_update(s, peer);
    }
    return true;
}

/* Only ports that change: a link that is up stays up without a flap. */
static void scidev_links_set(SCIDev *s, bool link, const unsigned long *down,
                             Error **errp)
{
    DECLARE_BITMAP(changed, SCI_NODES) = {};
    unsigned node, stuck = SCIDEV_NODE_NONE;

    for (node = SCI_NODE_MIN; node <= SCI_NODE_MAX; node++) {
        bool open = link && !test_bit(node, down);

        if (node != s->node_id && open != scidev_port_open(s, node)) {
            set_bit(node, changed);
        }
    }
    s->link = link;
    bitmap_copy(s->links_down, down, SCI_NODES);
    if (!scidev_attached(s)) {
        return;
    }
    scidev_lock(s->lock);
    for (node = find_first_bit(changed, SCI_NODES); node < SCI_NODES;
         node = find_next_bit(changed, SCI_NODES, node + 1)) {
        if (!scidev_port_set(s, node, scidev_port_open(s, node))) {
            stuck = node;
        }
    }
    scidev_unlock(s->lock);
    if (stuck != SCIDEV_NODE_NONE) {
        error_setg(errp, "the host refuses to take memory of node %u out of "
                   "the window: raise vm.max_map_count and set the link up and "
                   "down again", stuck);
    }
}

static bool scidev_get_link(Object *obj, Error **errp)
{
    return SCIDEV(obj)->link;
}

static void scidev_set_link(Object *obj, bool value, Error **errp)
{
    SCIDev *s = SCIDEV(obj);

    scidev_links_set(s, value, s->links_down, errp);
}

static void scidev_visit_nodes(const unsigned long *nodes, Visitor *v,
                               const char *name, Error **errp)
{
    uint16List *list = NULL;
    uint16List **tail = &list;

    for (unsigned node = find_first_bit(nodes, SCI_NODES); node < SCI_NODES;
         node = find_next_bit(nodes, SCI_NODES, node + 1)) {
        QAPI_LIST_APPEND(tail, node);
    }
    visit_type_uint16List(v, name, &list, errp);
    qapi_free_uint16List(list);
}

static void scidev_get_links_down(Object *obj, Visitor *v, const char *name,
                                  void *opaque, Error **errp)
{
    scidev_visit_nodes(SCIDEV(obj)->links_down, v, name, errp);
}

/* Whose handshake with this node is complete, whatever their links are. */
static void scidev_get_peers(Object *obj, Visitor *v, const char *name,
                             void *opaque, Error **errp)
{
    SCIDev *s = SCIDEV(obj);
    DECLARE_BITMAP(peers, SCI_NODES) = {};

    if (scidev_attached(s)) {
        scidev_lock(s->lock);
        for (unsigned node = SCI_NODE_MIN; node <= SCI_NODE_MAX; node++) {
            if (node != s->node_id && fabric_peer(s->fabric, node)) {
                set_bit(node, peers);
            }
        }
        scidev_unlock(s->lock);
    }
    scidev_visit_nodes(peers, v, name, errp);
}

static void scidev_set_links_down(Object *obj, Visitor *v, const char *name,
                                  void *opaque, Error **errp)
{
    SCIDev *s = SCIDEV(obj);
    DECLARE_BITMAP(down, SCI_NODES) = {};
    g_autoptr(uint16List) list = NULL;

    if (!visit_type_uint16List(v, name, &list, errp)) {
        return;
    }
    for (uint16List *l = list; l; l = l->next) {
        if (!scidev_link_check(s, l->value, errp)) {
            return;
        }
        set_bit(l->value, down);
    }
    scidev_links_set(s, s->link, down, errp);
}

bool scidev_link_check(const SCIDev *s, unsigned node, Error **errp)
{
    if (node < SCI_NODE_MIN || node > SCI_NODE_MAX) {
        error_setg(errp, "node id must be %d to %d", SCI_NODE_MIN,
                   SCI_NODE_MAX);
        return false;
    }
    if (node == s->node_id) {
        error_setg(errp, "node %u has no link to itself", node);
        return false;
    }
    return true;
}

static void scidev_inject_link_error(Object *obj, Visitor *v, const char *name,
                                     void *opaque, Error **errp)
{
    SCIDev *s = SCIDEV(obj);
    uint16_t node;

    if (!visit_type_uint16(v, name, &node, errp) ||
        !scidev_link_check(s, node, errp)) {
        return;
    }
    if (!scidev_attached(s)) {
        error_setg(errp, "the link to node %u is not up", node);
        return;
    }
    scidev_lock(s->lock);
    if (scidev_slot_link(s, node) == SCI_LINK_UP) {
        scidev_error(s, SCI_ERROR_LINK, node, "transmission error, injected");
    } else {
        error_setg(errp, "the link to node %u is not up", node);
    }
    scidev_unlock(s->lock);
}

static bool scidev_get_reset_waits(Object *obj, Error **errp)
{
    return SCIDEV(obj)->reset_waits;
}

static void scidev_set_reset_waits(Object *obj, bool value, Error **errp)
{
    SCIDEV(obj)->reset_waits = value;
}

static char *scidev_get_waits_for(Object *obj, Error **errp)
{
    char *debtors = scidev_member_waits_for(SCIDEV(obj));

    return debtors ?: g_strdup("");
}

void scidev_link_init(SCIDev *s)
{
    s->link = true;
    s->reset_waits = true;
}

void scidev_link_class_init(ObjectClass *klass)
{
    object_class_property_add_bool(klass, "link", scidev_get_link,
                                   scidev_set_link);
    object_class_property_set_description(
        klass, "link", "Whether this node has links; off takes all down");
    object_class_property_add(klass, "links-down", "uint16List",
                              scidev_get_links_down, scidev_set_links_down,
                              NULL, NULL);
    object_class_property_set_description(
        klass, "links-down",
        "Nodes to which this node has taken the link down");
    object_class_property_add(klass, "peers", "uint16List", scidev_get_peers,
                              NULL, NULL, NULL);
    object_class_property_set_description(
        klass, "peers", "Nodes that the fabric has connected (read only)");
    object_class_property_add_str(klass, "waits-for", scidev_get_waits_for,
                                  NULL);
    object_class_property_set_description(
        klass, "waits-for",
        "Nodes for which the machine is stopped, as they hold its memory "
        "(read only; empty while it is not)");
    object_class_property_add_bool(klass, "x-reset-waits",
                                   scidev_get_reset_waits,
                                   scidev_set_reset_waits);
    object_class_property_set_description(
        klass, "x-reset-waits",
        "For tests: off lets the machine run after a reset while other nodes "
        "may still store into its memory");
    object_class_property_add(klass, "inject-link-error", "uint16", NULL,
                              scidev_inject_link_error, NULL, NULL);
    object_class_property_set_description(
        klass, "inject-link-error",
        "Node to which a transmission happens to fail now (write only)");
}
