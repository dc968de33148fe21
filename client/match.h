/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Which physical device a node belongs to, and how the configuration selects it. */

#include "client/object.h"
#include "client/state.h"

/* What nodes of one physical device have in common: phys up to its last '/';
 * the node itself if there is no phys. Owned by the caller. */
char *match_group(const struct device *d);
/* For sorting: by group, then by node. */
int match_compare(const struct device *a, const struct device *b);

/* A line for "devices" in the configuration that selects d. It has phys only
 * when another physical device of the state would fit too. Owned by the caller. */
char *match_line(const struct state *state, const struct device *d);
