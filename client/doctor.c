/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/foreign.h"
#include "client/verbs.h"

enum outcome verb_doctor(struct client *c, char **args)
{
        return foreign_run("doctor", args);
}
