/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A route is one way to a guest's QEMU: it finds it, watches it live and die,
 * and gives it the guest's nodes or takes them away. The guest (guest.h) only
 * decides when. Every request is answered by an event, at once or later. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/config.h"
#include "daemon/guest/layers.h"

enum guest_node {
        GUEST_KEYBOARD,
        GUEST_POINTER,
        GUEST_NODE_MAX_,
};

#define ROUTE_NODE_PATH_MAX 63

/* The paths of a guest's nodes in /dev/input. */
struct route_nodes {
        char path[GUEST_NODE_MAX_][ROUTE_NODE_PATH_MAX + 1];
};

static inline bool route_nodes_equal(const struct route_nodes *a, const struct route_nodes *b)
{
        return streq(a->path[GUEST_KEYBOARD], b->path[GUEST_KEYBOARD]) &&
               streq(a->path[GUEST_POINTER], b->path[GUEST_POINTER]);
}

enum route_link {
        ROUTE_ABSENT, /* no QEMU */
        ROUTE_CONNECTING, /* there is something, which is not talking to us yet */
        ROUTE_FAILED, /* there is something that we will not deal with */
        ROUTE_UP, /* QEMU takes requests */
};

/* What a route tells the guest. None of them may free the route. */
struct route_events {
        /* pid is 0 unless known. Anything but ROUTE_UP also means that the guest
         * has its nodes no longer and that no request is outstanding. */
        void (*link)(enum route_link link, const char *reason, pid_t pid, void *userdata);
        void (*attached)(void *userdata);
        /* The attach has failed and was undone. */
        void (*failed)(const char *reason, void *userdata);
        void (*detached)(void *userdata);
        /* Whether the guest's processors run. */
        void (*running)(bool running, const char *reason, void *userdata);
        /* Whether QEMU answers, while the nodes are attached. */
        void (*answers)(bool answers, void *userdata);
        /* Somebody else has taken the nodes away from QEMU. */
        void (*taken)(const char *reason, void *userdata);
        /* What describe says is different. */
        void (*described)(void *userdata);
};

/* What a route says of itself. Strings are borrowed, never NULL, and "" where
 * there is nothing to say. */
struct route_info {
        const char *name; /* static, attach, grant, virtio, qmp; "" while none is known */
        const char *why; /* why not a better one */
        const char *domain, *uuid; /* libvirt's */
        const struct layers *layers; /* NULL unless there are any */
        enum grab_toggle grab_toggle; /* QEMU's own hotkey as far as known; GRAB_TOGGLE_INVALID: not known */
};

struct route;

/* attach, detach and holds only while the link is up. */
struct route_ops {
        void (*start)(struct route *r);
        void (*attach)(struct route *r, const struct route_nodes *nodes);
        /* Gives up an attach that is under way, too. */
        void (*detach)(struct route *r);
        /* Whether the nodes attached are these very devices. */
        bool (*holds)(struct route *r, const struct route_nodes *nodes);
        /* The guest has the input now: notice soon if it stops reading. */
        void (*set_active)(struct route *r, bool active);
        void (*set_timeout)(struct route *r, unsigned timeout_ms);
        void (*describe)(struct route *r, struct route_info *ret);
        /* What libvirt says of its domains has changed. */
        void (*refresh)(struct route *r);
        /* Looks at the layers, then says described; false if there is nothing to look at. */
        bool (*check)(struct route *r);
        /* A device of the host is gone: lets go of what was granted of it. */
        void (*node_gone)(struct route *r);
        /* Takes the nodes back from whoever has them; tells nothing any more. */
        struct route *(*free)(struct route *r);
};

/* The head of every route. */
struct route {
        const struct route_ops *ops;
        const struct route_events *events;
        void *userdata;
};

static inline struct route *route_free(struct route *r)
{
        return r ? r->ops->free(r) : NULL;
}
