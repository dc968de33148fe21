/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The objects of both services, as they were when read: doc/dbus-api.rst says
 * what each property means. Strings and lists are owned by the object, raw as
 * they came, and NULL if the service did not send them. */

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

#include "client/layer.h"
#include "common/mem.h"

enum object_kind {
        OBJECT_MANAGER,
        OBJECT_TARGET,
        OBJECT_DEVICE,
        OBJECT_GUEST,
};

struct manager {
        char *version, *active, *libvirt;
        char **toggle;
        bool paused;
};

struct target {
        char *name, *kind, *reason;
        char **nodes, **toggle;
        uint64_t switches;
        bool ready;
};

struct device {
        char *name, *node, *phys, *kind, *state;
        uint32_t held_keys;
        uint16_t vendor, product;
        bool grabbed;
};

struct guest {
        char *name, *domain, *uuid, *state, *route, *route_reason, *reason;
        struct layer *layers;
        uint32_t pid;
};

struct object {
        enum object_kind kind;
        char *path; /* owned */
        union {
                struct manager manager;
                struct target target;
                struct device device;
                struct guest guest;
        };
};

struct object *object_new(enum object_kind kind, const char *path);
struct object *object_free(struct object *o);
DEFINE_CLEANUP(struct object *, object_free);

/* The kind of object that has this interface, or -ENOENT. */
int object_kind_of(const char *iface);
/* The word for a kind, as in the path of its objects: "device". */
const char *object_kind_name(enum object_kind kind);
/* The name that the object gives itself, never NULL. */
const char *object_name(const struct object *o);

/* Reads an a{sv} at the message's position into the object. Properties that are
 * unknown or of another type than the contract's are passed over. */
int object_read(struct object *o, sd_bus_message *m);
