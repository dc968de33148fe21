/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/change.h"
#include "client/json.h"
#include "client/show.h"
#include "client/text.h"
#include "client/verbs.h"

static void print_json(const struct state *state, const struct object *only)
{
        _cleanup_(json_putp) json_object *o = json_object_new_object();
        json_object *guests = NULL;

        if (only) {
                guests = json_object_new_array();
                json_object_array_add(guests, json_from_object(only));
        }
        json_add_string(o, "version", state->manager->manager.version);
        json_add_string(o, "libvirt", state->manager->manager.libvirt);
        json_object_object_add(o, "guests", guests ? guests : json_from_state(state, OBJECT_GUEST));
        json_print(o, true);
}

static void print_all(const struct state *state)
{
        for (unsigned i = 0; i < state->n_objects; i++)
                if (state->objects[i]->kind == OBJECT_GUEST)
                        show_guest(&state->objects[i]->guest);
}

/* It does not run on many hosts, so that it is absent is no news. */
static void note_libvirt(const char *libvirt)
{
        if (libvirt && *libvirt && !streq(libvirt, "connected") && !streq(libvirt, "absent"))
                text_note("libvirt cannot be reached: %s", libvirt);
}

static enum outcome fail_unknown(struct client *c, const struct state *state, const char *name)
{
        _autofree_ char *names = state_names(state, OBJECT_GUEST, ", ");
        _autofree_ char *sentence =
                xasprintf("There is no guest \"%s\". (guests: %s)", name, *names ? names : "none");

        return bus_report(c, OUTCOME_FAILED, VFIO_ERROR_NO_SUCH_GUEST, sentence);
}

/* Has the layers of granted nodes looked at once more; whether that was done. If it
 * cannot be, what was said last is shown. */
static bool look_again(struct client *c, const struct state *state)
{
        bool done = false;

        for (unsigned i = 0; i < state->n_objects; i++) {
                const struct guest *g = &state->objects[i]->guest;
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
                _cleanup_error_ sd_bus_error ignored = SD_BUS_ERROR_NULL;
                int r;

                if (state->objects[i]->kind != OBJECT_GUEST || !g->layers || !g->layers->name)
                        continue;
                r = bus_new_read(c, &guestd_service, guestd_service.manager, "CheckGuest", &m);
                if (r >= 0)
                        r = sd_bus_message_append(m, "s", g->name);
                if (r >= 0)
                        r = bus_read(c, m, &ignored, &reply);
                if (r < 0)
                        break;
                done = true;
        }
        return done;
}

static int read_guests(struct client *c, struct state **ret, sd_bus_error *error)
{
        _cleanup_(state_freep) struct state *state = NULL;
        int r;

        r = state_read(c, &guestd_service, &state, error);
        if (r < 0)
                return r;
        if (look_again(c, state))
                return state_read(c, &guestd_service, ret, error);
        *ret = TAKE_PTR(state);
        return 0;
}

enum outcome verb_guests(struct client *c, char **args)
{
        _cleanup_(state_freep) struct state *state = NULL;
        _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        const struct object *only = NULL;

        if (c->options & OPTION_LIST)
                return change_list(c, &guestd_service, OBJECT_GUEST);
        if (read_guests(c, &state, &error) < 0)
                return bus_fail(c, &guestd_service, &error);
        if (args[0]) {
                only = state_find_name(state, OBJECT_GUEST, args[0]);
                if (!only)
                        return fail_unknown(c, state, args[0]);
        }
        if (client_json(c)) {
                print_json(state, only);
                return OUTCOME_OK;
        }
        if (only)
                show_guest(&only->guest);
        else if (c->options & OPTION_VERBOSE)
                print_all(state);
        else
                show_guests(state);
        if (state_count(state, OBJECT_GUEST) == 0)
                text_note("There is no guest.");
        note_libvirt(state->manager->manager.libvirt);
        return OUTCOME_OK;
}
