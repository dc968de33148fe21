/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/json.h"

#include <stdio.h>

#include "client/match.h"
#include "client/text.h"

static json_object *new_string(const char *s)
{
        /* The worst case: each byte becomes the three of U+FFFD. */
        _autofree_ char *valid = xcalloc(strlen(s) + 1, 3);
        char *to = valid;
        uint32_t c;

        while (*s) {
                unsigned n = text_decode(s, &c);

                memcpy(to, n ? s : "\xef\xbf\xbd", n ? n : 3);
                to += n ? n : 3;
                s += n ? n : 1;
        }
        return json_object_new_string(valid);
}

void json_add_string(json_object *o, const char *key, const char *value)
{
        json_object_object_add(o, key, new_string(value ? value : ""));
}

json_object *json_from_strings(const char *const *values)
{
        json_object *array = json_object_new_array();

        for (; values && *values; values++)
                json_object_array_add(array, new_string(*values));
        return array;
}

void json_add_strings(json_object *o, const char *key, char *const *values)
{
        json_object_object_add(o, key, json_from_strings((const char *const *) values));
}

void json_add_bool(json_object *o, const char *key, bool value)
{
        json_object_object_add(o, key, json_object_new_boolean(value));
}

void json_add_layers(json_object *o, const char *key, const struct layer *layers)
{
        json_object *array = json_object_new_array();

        for (; layers && layers->name; layers++) {
                json_object *layer = json_object_new_object();

                json_add_string(layer, "name", layers->name);
                json_add_string(layer, "state", layers->state);
                json_add_string(layer, "text", layers->text);
                json_object_array_add(array, layer);
        }
        json_object_object_add(o, key, array);
}

static void add_target(json_object *o, const struct target *t)
{
        json_add_string(o, "name", t->name);
        json_add_string(o, "kind", t->kind);
        json_add_bool(o, "ready", t->ready);
        json_add_string(o, "reason", t->reason);
        json_add_strings(o, "nodes", t->nodes);
        json_object_object_add(o, "switches", json_object_new_uint64(t->switches));
        json_add_strings(o, "toggle", t->toggle);
}

static void add_device(json_object *o, const struct object *object)
{
        const struct device *d = &object->device;
        _autofree_ char *group = match_group(d);

        json_add_string(o, "name", d->name);
        json_add_string(o, "node", d->node);
        json_add_string(o, "phys", d->phys);
        json_object_object_add(o, "vendor", json_object_new_int(d->vendor));
        json_object_object_add(o, "product", json_object_new_int(d->product));
        json_add_string(o, "kind", d->kind);
        json_add_bool(o, "grabbed", d->grabbed);
        json_add_string(o, "state", d->state);
        json_object_object_add(o, "held_keys", json_object_new_int64(d->held_keys));
        json_add_string(o, "group", group);
}

static void add_guest(json_object *o, const struct guest *g)
{
        json_add_string(o, "name", g->name);
        json_add_string(o, "domain", g->domain);
        json_add_string(o, "uuid", g->uuid);
        json_add_string(o, "state", g->state);
        json_add_string(o, "route", g->route);
        json_add_string(o, "route_reason", g->route_reason);
        json_add_string(o, "reason", g->reason);
        json_object_object_add(o, "pid", json_object_new_int64(g->pid));
        json_add_layers(o, "layers", g->layers);
}

json_object *json_from_object(const struct object *object)
{
        json_object *o = json_object_new_object();

        switch (object->kind) {
        case OBJECT_MANAGER:
                break;
        case OBJECT_TARGET:
                add_target(o, &object->target);
                break;
        case OBJECT_DEVICE:
                add_device(o, object);
                break;
        case OBJECT_GUEST:
                add_guest(o, &object->guest);
                break;
        }
        return o;
}

json_object *json_from_state(const struct state *state, enum object_kind kind)
{
        json_object *array = json_object_new_array();

        for (unsigned i = 0; i < state->n_objects; i++)
                if (state->objects[i]->kind == kind)
                        json_object_array_add(array, json_from_object(state->objects[i]));
        return array;
}

/* json-c escapes what is below the blank. The rest of what is unsafe can stand
 * only inside of strings, where an escape is always right. */
void json_print(json_object *o, bool pretty)
{
        int flags = JSON_C_TO_STRING_NOSLASHESCAPE;
        const char *s;
        uint32_t c = 0;

        flags |= pretty ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED : JSON_C_TO_STRING_PLAIN;
        s = json_object_to_json_string_ext(o, flags);
        for (unsigned n; *s; s += n) {
                n = MAX(text_decode(s, &c), 1U);
                if (c < 0x7f || !text_is_unsafe(c))
                        fwrite(s, 1, n, stdout);
                else if (c < 0x10000)
                        printf("\\u%04x", c);
                else
                        printf("\\u%04x\\u%04x", 0xd7c0 + (c >> 10), 0xdc00 + (c & 0x3ff));
        }
        putchar('\n');
}
