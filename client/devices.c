/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "client/json.h"
#include "client/match.h"
#include "client/show.h"
#include "client/text.h"
#include "client/verbs.h"

/* vfio-inputd waits 30 s for the key, and before that the user may be asked for a password. */
static int call_identify(struct client *c, sd_bus_error *error, char **ret_path)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *path;
        int r;

        text_note("Press a key or a button on the device…");
        r = bus_change(c, &inputd_service, "Identify", error, &reply, "");
        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "o", &path);
        if (r < 0)
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_SIGNATURE, "its answer cannot be read");
        *ret_path = xstrdup(path);
        return 0;
}

static bool same_group(const struct device *a, const struct device *b)
{
        _autofree_ char *x = match_group(a), *y = match_group(b);

        return streq(x, y);
}

static json_object *to_json(const struct state *state, const struct object *o)
{
        _autofree_ char *line = match_line(state, &o->device);
        json_object *json = json_from_object(o);

        json_add_string(json, "match", line);
        return json;
}

static void print_json(const struct state *state, const struct object *found)
{
        _cleanup_(json_putp) json_object *o = json_object_new_object();
        json_object *siblings = json_object_new_array();

        json_object_object_add(o, "device", to_json(state, found));
        for (unsigned i = 0; i < state->n_objects; i++) {
                const struct object *other = state->objects[i];

                if (other != found && other->kind == OBJECT_DEVICE && same_group(&other->device, &found->device))
                        json_object_array_add(siblings, to_json(state, other));
        }
        json_object_object_add(o, "siblings", siblings);
        json_print(o, true);
}

static void print_field(const char *label, const char *value)
{
        _autofree_ char *clean = text_clean(value);

        printf("  %-8s %s\n", label, clean);
}

static void print_line(const struct state *state, const struct device *d)
{
        _autofree_ char *line = match_line(state, d);

        printf("  %s\n", line);
}

static void print_words(const struct state *state, const struct object *found)
{
        const struct device *d = &found->device;
        _autofree_ char *name = text_clean(d->name);
        bool heading = false;

        printf("%s%s%s\n", text_begin(TEXT_BOLD), name, text_end(TEXT_BOLD));
        print_field("Node:", d->node);
        print_field("Phys:", d->phys);
        print_field("Kind:", d->kind);
        print_field("State:", d->state);
        puts("\nIn the configuration:");
        print_line(state, d);

        for (unsigned i = 0; i < state->n_objects; i++) {
                const struct object *other = state->objects[i];

                if (other == found || other->kind != OBJECT_DEVICE || !same_group(&other->device, d))
                        continue;
                if (!heading)
                        puts("\nThe other nodes of the same device:");
                heading = true;
                print_line(state, &other->device);
        }
}

static enum outcome identify(struct client *c)
{
        _cleanup_(state_freep) struct state *state = NULL;
        _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _autofree_ char *path = NULL;
        const struct object *found;

        if (call_identify(c, &error, &path) < 0 || state_read(c, &inputd_service, &state, &error) < 0)
                return bus_fail(c, &inputd_service, &error);
        found = state_find_path(state, path);
        if (!found || found->kind != OBJECT_DEVICE)
                return bus_report(c, OUTCOME_FAILED, VFIO_ERROR_FAILED, "The device has gone again.");
        if (client_json(c))
                print_json(state, found);
        else
                print_words(state, found);
        return OUTCOME_OK;
}

enum outcome verb_devices(struct client *c, char **args)
{
        _cleanup_(state_freep) struct state *state = NULL;
        _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;

        if (c->options & OPTION_IDENTIFY)
                return identify(c);
        if (state_read(c, &inputd_service, &state, &error) < 0)
                return bus_fail(c, &inputd_service, &error);
        if (client_json(c)) {
                _cleanup_(json_putp) json_object *o = json_object_new_object();

                json_object_object_add(o, "devices", json_from_state(state, OBJECT_DEVICE));
                json_print(o, true);
                return OUTCOME_OK;
        }
        show_devices(state, true);
        if (state_count(state, OBJECT_DEVICE) == 0)
                text_note("There is no device.");
        return OUTCOME_OK;
}
