/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The way back of a transaction, from its record alone. */

#include "client/setup/work.h"

/* Everything that was begun, in reverse: domains, files, then the commands,
 * which build from files that are as before by then. What was changed since by
 * somebody else is kept in the store and overwritten. Goes on after a failure,
 * so that as much as possible is as before; then the error is the first one. */
int undo_all(struct work *w, struct record *r);
/* Adds the files and domains that were changed since by somebody else, and says how they differ from
 * what was applied. Changes nothing. */
int undo_foreign(struct work *w, const struct record *r, char ***ret);
