/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/change.h"
#include "client/verbs.h"

enum outcome verb_reload(struct client *c, char **args)
{
        enum outcome outcome = change(c, &inputd_service, "Reload", NULL, OBJECT_MANAGER);

        if (outcome == OUTCOME_OK)
                change_done(c, NULL, NULL, "The new configuration is in use.");
        return outcome;
}
