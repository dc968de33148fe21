/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A plan for a person. */

#include <stdio.h>

#include "client/setup/plan.h"

/* All of it: what each step says, each file as a diff, commands, domains, gates,
 * and what to do if the host does not boot. Cleaned for a terminal. */
void plan_print(const struct plan *p, const struct choices *c, FILE *out);
