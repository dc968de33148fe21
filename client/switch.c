/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "client/change.h"
#include "client/text.h"
#include "client/verbs.h"

/* The active target after a switch, owned by the caller; NULL if vfio-inputd is gone already. */
static char *read_active(struct client *c)
{
        _cleanup_error_ sd_bus_error ignored = SD_BUS_ERROR_NULL;
        _cleanup_(state_freep) struct state *state = NULL;

        if (state_read(c, &inputd_service, &state, &ignored) < 0)
                return NULL;
        return xstrdup(state->manager->manager.active);
}

enum outcome verb_switch(struct client *c, char **args)
{
        _autofree_ char *active = NULL, *clean = NULL;
        enum outcome outcome;

        if (c->options & OPTION_LIST)
                return change_list(c, &inputd_service, OBJECT_TARGET);
        outcome = change(c, &inputd_service, args[0] ? "Switch" : "Toggle", args[0], OBJECT_TARGET);
        if (outcome != OUTCOME_OK)
                return outcome;

        active = read_active(c);
        if (!active)
                active = xstrdup(args[0]);
        clean = text_clean(active);
        if (client_json(c))
                change_done(c, "active", active, NULL);
        else
                puts(clean);
        return OUTCOME_OK;
}
