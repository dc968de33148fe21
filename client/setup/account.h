/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Lines of /etc/passwd and /etc/group. */

#include "client/setup/words.h"

/* Fields of the line of that name, empty ones kept; owned by the caller, NULL: no such line. */
char **account_find(const char *text, const char *name);
/* Whether a user is in a group, by its list or as their own; texts of both files. */
bool account_is_member(const char *passwd, const char *group, const char *user, const char *name);
