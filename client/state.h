/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Everything that one service says about itself. */

#include "client/bus.h"
#include "client/object.h"

struct state {
        struct object *manager; /* owned, never NULL */
        struct object **objects; /* owned; targets, devices (by group), guests */
        unsigned n_objects;
};

struct state *state_new(void);
struct state *state_free(struct state *state);
DEFINE_CLEANUP(struct state *, state_free);

/* Asks a service for all of it. Negative errno with error set. */
int state_read(struct client *c, const struct service *s, struct state **ret, sd_bus_error *error);

/* The two calls whose replies make a state, and what takes in the replies; for
 * callers that cannot wait. */
int state_new_call_manager(struct client *c, const struct service *s, sd_bus_message **ret);
int state_new_call_objects(struct client *c, const struct service *s, sd_bus_message **ret);
int state_take_manager(struct state *state, sd_bus_message *reply);
int state_take_objects(struct state *state, sd_bus_message *reply);

/* Reads an oa{sa{sv}} (a list entry, or InterfacesAdded). *ret is the new object,
 * owned by the state, or NULL if there is nothing new in it for us. */
int state_take_object(struct state *state, sd_bus_message *m, struct object **ret);
/* Takes an object out; the caller owns it. NULL if there is none at this path. */
struct object *state_remove(struct state *state, const char *path);

struct object *state_find_path(const struct state *state, const char *path);
struct object *state_find_name(const struct state *state, enum object_kind kind, const char *name);
unsigned state_count(const struct state *state, enum object_kind kind);
/* "host, win10", owned by the caller. */
char *state_names(const struct state *state, enum object_kind kind, const char *separator);
