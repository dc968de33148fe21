/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/state.h"

#include "client/match.h"

struct state *state_new(void)
{
        struct state *state = xnew0(struct state, 1);

        state->manager = object_new(OBJECT_MANAGER, "");
        return state;
}

struct state *state_free(struct state *state)
{
        if (!state)
                return NULL;
        for (unsigned i = 0; i < state->n_objects; i++)
                object_free(state->objects[i]);
        free(state->objects);
        object_free(state->manager);
        free(state);
        return NULL;
}

struct object *state_find_path(const struct state *state, const char *path)
{
        for (unsigned i = 0; i < state->n_objects; i++)
                if (streq(state->objects[i]->path, path))
                        return state->objects[i];
        return NULL;
}

struct object *state_find_name(const struct state *state, enum object_kind kind, const char *name)
{
        for (unsigned i = 0; i < state->n_objects; i++)
                if (state->objects[i]->kind == kind && streq(object_name(state->objects[i]), name))
                        return state->objects[i];
        return NULL;
}

unsigned state_count(const struct state *state, enum object_kind kind)
{
        unsigned n = 0;

        for (unsigned i = 0; i < state->n_objects; i++)
                n += state->objects[i]->kind == kind;
        return n;
}

char *state_names(const struct state *state, enum object_kind kind, const char *separator)
{
        char *names = xstrdup("");

        for (unsigned i = 0; i < state->n_objects; i++) {
                _autofree_ char *shorter = NULL;

                if (state->objects[i]->kind != kind)
                        continue;
                shorter = names;
                names = xasprintf("%s%s%s", shorter, *shorter ? separator : "", object_name(state->objects[i]));
        }
        return names;
}

static bool is_host(const struct object *o)
{
        return o->kind == OBJECT_TARGET && o->target.kind && streq(o->target.kind, "host");
}

/* By kind; the host before guests; the nodes of a physical device together; then by name. */
static int compare(const void *a, const void *b)
{
        const struct object *x = *(struct object *const *) a, *y = *(struct object *const *) b;
        int r = 0;

        if (x->kind != y->kind)
                return x->kind < y->kind ? -1 : 1;
        if (is_host(x) != is_host(y))
                return is_host(x) ? -1 : 1;
        if (x->kind == OBJECT_DEVICE)
                r = match_compare(&x->device, &y->device);
        if (r == 0)
                r = strverscmp(object_name(x), object_name(y));
        return r ? r : strverscmp(x->path, y->path);
}

int state_new_call_manager(struct client *c, const struct service *s, sd_bus_message **ret)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = bus_new_read(c, s, "org.freedesktop.DBus.Properties", "GetAll", &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "s", s->manager);
        if (r >= 0)
                *ret = TAKE_PTR(m);
        return r;
}

int state_new_call_objects(struct client *c, const struct service *s, sd_bus_message **ret)
{
        return bus_new_read(c, s, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", ret);
}

int state_take_manager(struct state *state, sd_bus_message *reply)
{
        return object_read(state->manager, reply);
}

/* Reads the a{sa{sv}} of an object; *ret is NULL if no interface of it is ours. */
static int read_interfaces(sd_bus_message *m, const char *path, struct object **ret)
{
        _cleanup_(object_freep) struct object *o = NULL;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{sa{sv}}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'e', "sa{sv}")) > 0) {
                const char *iface;
                int kind;

                r = sd_bus_message_read_basic(m, 's', &iface);
                if (r < 0)
                        return r;
                kind = object_kind_of(iface);
                if (kind < 0 || o) {
                        r = sd_bus_message_skip(m, "a{sv}");
                } else {
                        o = object_new((enum object_kind) kind, path);
                        r = object_read(o, m);
                }
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        if (r >= 0)
                *ret = TAKE_PTR(o);
        return r;
}

int state_take_object(struct state *state, sd_bus_message *m, struct object **ret)
{
        _cleanup_(object_freep) struct object *o = NULL;
        const char *path;
        int r;

        *ret = NULL;
        r = sd_bus_message_read_basic(m, 'o', &path);
        if (r >= 0)
                r = read_interfaces(m, path, &o);
        if (r < 0 || !o || state_find_path(state, path))
                return r;

        state->objects = xreallocarray(state->objects, state->n_objects + 1, sizeof(*state->objects));
        state->objects[state->n_objects++] = *ret = TAKE_PTR(o);
        return 0;
}

int state_take_objects(struct state *state, sd_bus_message *reply)
{
        struct object *o;
        int r;

        r = sd_bus_message_enter_container(reply, 'a', "{oa{sa{sv}}}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(reply, 'e', "oa{sa{sv}}")) > 0) {
                r = state_take_object(state, reply, &o);
                if (r >= 0)
                        r = sd_bus_message_exit_container(reply);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        if (state->n_objects)
                qsort(state->objects, state->n_objects, sizeof(*state->objects), compare);
        return sd_bus_message_exit_container(reply);
}

struct object *state_remove(struct state *state, const char *path)
{
        struct object *o = state_find_path(state, path);
        unsigned i = 0;

        if (!o)
                return NULL;
        while (state->objects[i] != o)
                i++;
        state->n_objects--;
        memmove(state->objects + i, state->objects + i + 1, (state->n_objects - i) * sizeof(*state->objects));
        return o;
}

typedef int (*new_call_fn)(struct client *c, const struct service *s, sd_bus_message **ret);
typedef int (*take_fn)(struct state *state, sd_bus_message *reply);

static int read_part(struct client *c, const struct service *s, struct state *state, new_call_fn new_call,
                     take_fn take, sd_bus_error *error)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        int r;

        r = new_call(c, s, &m);
        if (r < 0)
                return sd_bus_error_set_errno(error, r);
        r = bus_read(c, m, error, &reply);
        if (r < 0)
                return r;
        r = take(state, reply);
        if (r < 0)
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_SIGNATURE, "its answer cannot be read");
        return 0;
}

int state_read(struct client *c, const struct service *s, struct state **ret, sd_bus_error *error)
{
        _cleanup_(state_freep) struct state *state = state_new();
        int r;

        r = read_part(c, s, state, state_new_call_manager, state_take_manager, error);
        if (r >= 0)
                r = read_part(c, s, state, state_new_call_objects, state_take_objects, error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(state);
        return 0;
}
