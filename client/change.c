/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/change.h"

#include <stdio.h>

#include "client/json.h"
#include "client/text.h"

static enum outcome fail_with_names(struct client *c, const struct service *s, const sd_bus_error *error,
                                    enum object_kind kind)
{
        _cleanup_error_ sd_bus_error ignored = SD_BUS_ERROR_NULL;
        _cleanup_(state_freep) struct state *state = NULL;
        _autofree_ char *words = NULL, *names = NULL, *sentence = NULL;
        enum outcome outcome = bus_explain(c, s, error, &words);

        if (state_read(c, s, &state, &ignored) < 0)
                return bus_report(c, outcome, error->name, words);
        names = state_names(state, kind, ", ");
        sentence = xasprintf("%s (%ss: %s)", words, object_kind_name(kind), *names ? names : "none");
        return bus_report(c, outcome, error->name, sentence);
}

enum outcome change(struct client *c, const struct service *s, const char *member, const char *arg,
                    enum object_kind kind)
{
        _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;

        if (bus_change(c, s, member, &error, NULL, arg ? "s" : "", arg) >= 0)
                return OUTCOME_OK;
        if (sd_bus_error_has_name(&error, VFIO_ERROR_NO_SUCH_TARGET) ||
            sd_bus_error_has_name(&error, VFIO_ERROR_NO_SUCH_GUEST))
                return fail_with_names(c, s, &error, kind);
        return bus_fail(c, s, &error);
}

void change_done(const struct client *c, const char *key, const char *value, const char *note)
{
        if (client_json(c)) {
                _cleanup_(json_putp) json_object *o = json_object_new_object();

                json_add_bool(o, "ok", true);
                if (key)
                        json_add_string(o, key, value);
                json_print(o, true);
        } else if (note) {
                text_note("%s", note);
        }
}

enum outcome change_list(struct client *c, const struct service *s, enum object_kind kind)
{
        _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(state_freep) struct state *state = NULL;

        if (state_read(c, s, &state, &error) < 0)
                return bus_fail(c, s, &error);
        if (client_json(c)) {
                _cleanup_(json_putp) json_object *array = json_from_state(state, kind);

                json_print(array, true);
                return OUTCOME_OK;
        }
        for (unsigned i = 0; i < state->n_objects; i++) {
                _autofree_ char *name = text_clean(object_name(state->objects[i]));

                if (state->objects[i]->kind == kind)
                        puts(name);
        }
        return OUTCOME_OK;
}

void change_print_names(const struct client *c, const char *const *names)
{
        _cleanup_(json_putp) json_object *array = json_from_strings(names);

        if (client_json(c)) {
                json_print(array, true);
                return;
        }
        for (; *names; names++) {
                _autofree_ char *name = text_clean(*names);

                puts(name);
        }
}
