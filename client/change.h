/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the verbs that change something have in common. */

#include "client/state.h"

/* Calls a method of the manager. If it fails because it knows no such object, the
 * message names those of this kind that there are. Reports failures. */
enum outcome change(struct client *c, const struct service *s, const char *member, const char *arg,
                    enum object_kind kind);

/* Reports a success: with --json {"ok": true, KEY: VALUE}, else the note for people. key may be NULL. */
void change_done(const struct client *c, const char *key, const char *value, const char *note);

/* Prints the names of the objects of this kind, one a line: what --list is for. */
enum outcome change_list(struct client *c, const struct service *s, enum object_kind kind);
/* The same for names that the caller has. They end with NULL. */
void change_print_names(const struct client *c, const char *const *names);
