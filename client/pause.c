/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/change.h"
#include "client/verbs.h"

enum outcome verb_pause(struct client *c, char **args)
{
        enum outcome outcome = change(c, &inputd_service, "Pause", NULL, OBJECT_MANAGER);

        if (outcome == OUTCOME_OK)
                change_done(c, NULL, NULL, "Paused, every device is released. Resume with: vfioctl resume");
        return outcome;
}
