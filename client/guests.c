/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/json.h"
#include "client/show.h"
#include "client/text.h"
#include "client/verbs.h"

enum outcome verb_guests(struct client *c, char **args)
{
        _cleanup_(state_freep) struct state *state = NULL;
        _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;

        if (state_read(c, &guestd_service, &state, &error) < 0)
                return bus_fail(c, &guestd_service, &error);
        if (client_json(c)) {
                _cleanup_(json_putp) json_object *o = json_object_new_object();

                json_add_string(o, "version", state->manager->manager.version);
                json_object_object_add(o, "guests", json_from_state(state, OBJECT_GUEST));
                json_print(o, true);
                return OUTCOME_OK;
        }
        show_guests(state);
        if (state_count(state, OBJECT_GUEST) == 0)
                text_note("There is no guest.");
        return OUTCOME_OK;
}
