/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/change.h"
#include "client/verbs.h"

enum outcome verb_detach(struct client *c, char **args)
{
        _autofree_ char *note = NULL;
        enum outcome outcome;

        if (c->options & OPTION_LIST)
                return change_list(c, &guestd_service, OBJECT_GUEST);
        outcome = change(c, &guestd_service, "Detach", args[0], OBJECT_GUEST);
        if (outcome != OUTCOME_OK)
                return outcome;
        note = xasprintf("Guest %s has no keyboard and pointer of ours any more.", args[0]);
        change_done(c, "guest", args[0], note);
        return OUTCOME_OK;
}
